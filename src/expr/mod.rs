//! Typed expressions over Arrow batches, and the functions they call. Doesn't know topics.
//!
//! `check` settles names, types and overloads, `compile` makes an `Evaluator`, which gives a column for a batch and the
//! rows that failed. Columns are worked on by Arrow's kernels (which DataFusion brings along) wherever their semantics are
//! the language's. DataFusion's own physical expressions and functions aren't used: a bad row fails their whole batch,
//! their logic has three values, and they don't say which row failed.

pub mod accumulator;
pub(crate) mod accumulators;
mod calls;
mod check;
mod coerce;
mod decimal;
mod errors;
mod eval;
pub mod functions;
pub(crate) mod iso;
mod pinned;
mod rules;
mod table_call;
mod typed;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;

pub(crate) use self::accumulators::build as build_aggregate;
pub use self::calls::{TableCall, is_aggregate, is_table_function, resolve_aggregate};
pub use self::check::{check, is_interval_unit, to_sql_type};
pub use self::errors::EvalErrors;
use self::eval::{Plan, Rows};
pub use self::pinned::Pinned;
pub use self::rules::Rules;
pub use self::table_call::{TableEvaluator, compile_table_function};
pub use self::typed::Typed;
use crate::error::Result;
use crate::messages;
use crate::sql::ast;
use crate::types::{SqlType, Value};

/// What names mean to an expression.
pub trait Scope {
    /// The column that a name stands for: its index among the columns given at evaluation, and its type.
    /// The error says that it is unknown (with what is there) or ambiguous.
    fn column(&self, source: Option<&ast::Ident>, name: &ast::Ident) -> Result<(usize, SqlType)>;
    /// The type behind an alias made by CREATE TYPE.
    fn custom_type(&self, name: &str) -> Option<SqlType>;
    /// Which of ksqlDB's oddities are put right.
    fn rules(&self) -> Rules {
        Rules::default()
    }
    /// Whether a column is a time that the system gives: text beside it in a comparison is read as a time.
    fn is_system_time(&self, column: &str) -> bool {
        matches!(column, "ROWTIME" | "WINDOWSTART" | "WINDOWEND")
    }
}

/// The columns an expression is evaluated over.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub columns: &'a [ArrayRef],
    pub rows: usize,
}

/// A typed expression, ready to be run over batches.
pub struct Evaluator {
    plan: Plan,
}

/// Prepares an expression: constants are worked out, patterns compiled.
/// A literal NULL that has no type becomes a column of STRING.
pub fn compile(typed: &Typed) -> Result<Evaluator> {
    Ok(Evaluator { plan: Plan::new(typed)? })
}

impl Evaluator {
    /// A column of the expression's type with `input.rows` entries. A row that fails is NULL and goes to `errors`.
    pub fn evaluate(&mut self, input: Input<'_>, errors: &mut EvalErrors) -> ArrayRef {
        let column = self.run(input, errors).expand(input.rows);
        if column.array.data_type() == &arrow::datatypes::DataType::Null {
            return eval::nulls(&self.plan.ty, input.rows);
        }
        column.array
    }

    /// The rows for which a predicate is TRUE. NULL and failed rows are not.
    pub fn filter(&mut self, input: Input<'_>, errors: &mut EvalErrors) -> BooleanBuffer {
        let column = self.run(input, errors).expand(input.rows);
        match column.array.as_boolean_opt() {
            Some(array) => match array.nulls() {
                Some(nulls) => array.values() & nulls.inner(),
                None => array.values().clone(),
            },
            None => BooleanBuffer::new_unset(input.rows),
        }
    }

    fn run(&self, input: Input<'_>, errors: &mut EvalErrors) -> eval::Column {
        self.plan.run(Rows { columns: input.columns, params: &[], count: input.rows, origin: None }, errors)
    }
}

/// A scope without columns.
struct NoColumns<'a> {
    custom: &'a dyn Fn(&str) -> Option<SqlType>,
}

impl Scope for NoColumns<'_> {
    fn column(&self, _source: Option<&ast::Ident>, name: &ast::Ident) -> Result<(usize, SqlType)> {
        Err(messages::expressions::column_in_constant(&name.text).at(name.at))
    }

    fn custom_type(&self, name: &str) -> Option<SqlType> {
        (self.custom)(name)
    }
}

/// The value of an expression without columns, as `expected` if that is given (by the rules for literals).
/// `custom` gives the types behind aliases.
pub fn constant(
    ast: &ast::Expr,
    expected: Option<&SqlType>,
    custom: &dyn Fn(&str) -> Option<SqlType>,
) -> Result<Value> {
    let mut typed = check(ast, &NoColumns { custom })?;
    if let Some(ty) = expected {
        typed = typed.coerce(ty).map_err(|error| error.at(ast.at))?;
    }
    let mut errors = EvalErrors::default();
    let array = compile(&typed)?.evaluate(Input { columns: &[], rows: 1 }, &mut errors);
    match errors.errors.first() {
        Some(error) => Err(messages::expressions::failing_constant(error.reason.as_ref()).at(ast.at)),
        None => Ok(Value::from_array(array.as_ref(), 0, typed.ty().unwrap_or(&SqlType::String))),
    }
}

#[cfg(test)]
mod tests;

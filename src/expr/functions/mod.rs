//! The one table of functions: parser, type check, SHOW FUNCTIONS, DESCRIBE FUNCTION, completion, docs and tests all
//! read it. One file a family; each gives its entries by `pub(super) fn entries() -> Vec<Function>`.

pub(in crate::expr) mod aggregates;
mod args;
mod bytes;
mod collections;
mod conditional;
pub mod dates;
mod define;
mod describe;
mod double_digits;
mod geo;
mod json;
mod json_compact;
mod json_path;
mod json_text;
mod kernel;
mod lambdas;
mod last;
mod lists;
mod maps;
mod mask;
mod math;
mod mended;
mod needle;
mod order;
mod pattern;
mod pattern_format;
mod pattern_parse;
mod regex;
mod registry;
mod resolve;
mod shifts;
mod splits;
mod strings;
mod substrings;
mod table;
mod units;
mod uri;
mod url;
mod zone;

use arrow::array::ArrayRef;

pub use self::args::Args;
pub use self::describe::{describe, rows, type_text};
pub(in crate::expr) use self::mended::exact_boolean;
pub use self::registry::{FunctionTable, table};
pub use self::resolve::ArgType;
pub(in crate::expr) use self::resolve::Bindings;

use crate::expr::EvalErrors;
use crate::expr::accumulator::BuildAccumulator;
use crate::types::SqlType;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    Scalar,
    Aggregate,
    Table,
}

/// One function with all its overloads.
pub struct Function {
    /// In upper case.
    pub name: &'static str,
    pub kind: FunctionKind,
    /// `STRING`, `MATHEMATICAL`, `DATE / TIME`, `COLLECTION`, `AGGREGATE`, ...
    pub category: &'static str,
    pub description: &'static str,
    pub overloads: Vec<Overload>,
    /// What becomes of NULLs.
    pub nulls: &'static str,
    /// (expression, its result as text): run as tests. Those of aggregates are `CALL of row, row, ...`, where the call's
    /// columns are `x`, `y` and a row of several columns stands in parentheses; the rows of a table function are joined by
    /// `; `.
    pub examples: &'static [(&'static str, &'static str)],
}

pub struct Overload {
    pub params: Vec<Param>,
    /// The parameter that may be given any number of times (0 too).
    pub variadic: Option<usize>,
    pub returns: Returns,
    pub call: Implementation,
}

pub struct Param {
    pub name: &'static str,
    pub ty: ParamType,
    pub description: &'static str,
}

/// What a parameter takes.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamType {
    /// This type; in the second pass also what is implicitly cast to it.
    Is(SqlType),
    /// Any DECIMAL.
    Decimal,
    /// Any type, the same wherever the name occurs in the overload.
    Generic(&'static str),
    Array(Box<ParamType>),
    /// MAP<STRING, _>
    Map(Box<ParamType>),
    Any,
    /// A lambda of parameters of these types that gives that type.
    Lambda(Vec<ParamType>, Box<ParamType>),
    /// DAYS, HOURS, ... as a bare word; arrives as a STRING in upper case without the plural S.
    Unit,
}

pub enum Returns {
    /// A type that may mention the overload's generics.
    Is(ParamType),
    /// Computed from the argument types (after casts). An error is told to the writer of the statement.
    Computed(fn(&[SqlType]) -> Result<SqlType, String>),
}

pub enum Implementation {
    Scalar(ScalarFn),
    /// Called with the arguments' types (those that are rows' values first, then the constants in `init`).
    Aggregate(BuildAccumulator),
    Table(TableFn),
}

/// A scalar function over a batch: gives a column of `call.returns`' Arrow type with `call.rows` rows.
pub type ScalarFn = for<'a, 'b> fn(&'a mut ScalarCall<'b>) -> ArrayRef;

pub struct ScalarCall<'a> {
    /// Lambda arguments are not among them.
    pub args: &'a Args,
    pub arg_types: &'a [SqlType],
    pub lambdas: &'a [&'a dyn LambdaBody],
    pub rows: usize,
    pub returns: &'a SqlType,
    /// A failed row: NULL in the result and an entry here.
    pub errors: &'a mut EvalErrors,
}

/// A lambda with the outer columns it sees already bound.
pub trait LambdaBody {
    /// `params`: one array per parameter, of `rows` entries; `outer`: for each entry the outer row it belongs to.
    /// `errors` gets those of outer rows in which the body failed; what it made good itself is reported elsewhere.
    fn evaluate(&self, params: &[ArrayRef], outer: &[u32], rows: usize, errors: &mut EvalErrors) -> ArrayRef;
}

/// A table function over a batch: for each row any number of values.
pub type TableFn = for<'a, 'b> fn(&'a mut ScalarCall<'b>) -> TableResult;

/// `values` of all rows one after another; row i's are `offsets[i]..offsets[i + 1]`.
pub struct TableResult {
    pub offsets: Vec<u32>,
    pub values: ArrayRef,
}

/// The entries of all families.
fn all_entries() -> Vec<Function> {
    [
        aggregates::entries(),
        bytes::entries(),
        collections::entries(),
        conditional::entries(),
        dates::entries(),
        geo::entries(),
        json::entries(),
        lambdas::entries(),
        maps::entries(),
        mask::entries(),
        math::entries(),
        regex::entries(),
        shifts::entries(),
        splits::entries(),
        strings::entries(),
        substrings::entries(),
        table::entries(),
        url::entries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests;

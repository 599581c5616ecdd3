//! Calls of table functions, which give any number of rows for each row.

use crate::error::Result;
use crate::expr::eval::{Plan, Rows};
use crate::expr::functions::{self, Args, Implementation, ScalarCall, TableFn, TableResult};
use crate::expr::{EvalErrors, Input, Typed};
use crate::messages;
use crate::types::SqlType;

/// A call of a table function, ready to be run over batches.
pub struct TableEvaluator {
    call: TableFn,
    args: Vec<Plan>,
    arg_types: Vec<SqlType>,
    returns: SqlType,
}

/// Prepares a call of the table function `name` with checked arguments.
pub fn compile_table_function(name: &str, args: Vec<Typed>) -> Result<TableEvaluator> {
    let types: Vec<_> = args.iter().map(Typed::arg_type).collect();
    let resolved = functions::table().resolve(name, &types)?;
    let Implementation::Table(call) = resolved.overload.call else {
        return Err(messages::functions::no_table_function(name));
    };
    let args = args
        .into_iter()
        .zip(resolved.casts)
        .map(|(arg, cast)| Plan::new(&arg.cast_argument(cast)?))
        .collect::<Result<Vec<_>>>()?;
    Ok(TableEvaluator {
        call,
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        args,
        returns: resolved.returns,
    })
}

impl TableEvaluator {
    /// The type of the values.
    pub fn returns(&self) -> &SqlType {
        &self.returns
    }

    /// The values for each row. A row that fails has none and goes to `errors`.
    pub fn evaluate(&mut self, input: Input<'_>, errors: &mut EvalErrors) -> TableResult {
        let rows = Rows { columns: input.columns, params: &[], count: input.rows, origin: None };
        let args = Args::new(self.args.iter().map(|arg| arg.run(rows, errors)), input.rows);
        (self.call)(&mut ScalarCall {
            args: &args,
            arg_types: &self.arg_types,
            lambdas: &[],
            rows: input.rows,
            returns: &self.returns,
            errors,
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use crate::expr::tests::Table;
    use crate::expr::{EvalErrors, Input, compile_table_function};
    use crate::types::Value;

    fn run(name: &str, lists: &[&[Option<i32>]]) -> (Vec<u32>, Vec<String>) {
        let item = |value: &Option<i32>| value.map_or(Value::Null, Value::Int);
        let mut rows: Vec<Value> = lists.iter().map(|list| Value::Array(list.iter().map(item).collect())).collect();
        rows.push(Value::Null);
        let table = Table::default().with("L", "ARRAY<INT>", rows);
        let mut call = compile_table_function(name, vec![table.check("L").unwrap()]).unwrap();
        let columns = table.arrays();
        let mut errors = EvalErrors::default();
        let result = call.evaluate(Input { columns: &columns, rows: lists.len() + 1 }, &mut errors);
        let values = (0..result.values.len())
            .map(|row| Value::from_array(result.values.as_ref(), row, call.returns()).to_string())
            .collect();
        (result.offsets, values)
    }

    #[test]
    fn explode_gives_a_row_an_element() {
        let (offsets, values) = run("EXPLODE", &[&[Some(1), None], &[], &[Some(3)]]);
        assert_eq!(offsets, [0, 2, 2, 3, 3]);
        assert_eq!(values, ["1", "null", "3"]);
    }

    #[test]
    fn cube_explode_varies_what_is_not_null() {
        let (offsets, values) = run("CUBE_EXPLODE", &[&[Some(1), Some(2)], &[None, Some(3)]]);
        assert_eq!(offsets, [0, 4, 6, 6]);
        assert_eq!(values, ["[null, null]", "[null, 2]", "[1, null]", "[1, 2]", "[null, null]", "[null, 3]"]);
    }

    #[test]
    fn only_table_functions() {
        let table = Table::default().with("L", "ARRAY<INT>", vec![]);
        assert!(compile_table_function("ARRAY_LENGTH", vec![table.check("L").unwrap()]).is_err());
        assert!(compile_table_function("EXPLODE", vec![table.check("1").unwrap()]).is_err());
    }
}

//! Calls of functions: which one, with what.

use super::statement;
use crate::error::Error;
use crate::types::SqlType;

/// `similar`: the name most like it, or ours for what others call so.
pub fn unknown(name: &str, similar: Option<&str>) -> Error {
    statement(format!("Can't find any functions with the name '{name}'")).hint(match similar {
        Some(similar) => format!("Did you mean {similar}? SHOW FUNCTIONS lists them all"),
        None => "SHOW FUNCTIONS lists them all".to_owned(),
    })
}

/// `args`: the arguments' types; `signatures`: the overloads that there are.
pub fn no_overload(name: &str, args: &[String], signatures: &[String]) -> Error {
    statement(format!("Function '{name}' does not accept parameters ({}).", args.join(", ")))
        .hint(format!("Valid alternatives are: {}", signatures.join("; ")))
}

pub fn ambiguous_overload(name: &str, args: &[String]) -> Error {
    statement(format!(
        "Function '{}' cannot be resolved due to ambiguous method parameters ({}).",
        name.to_lowercase(),
        args.join(", ")
    ))
    .hint("cast the arguments to the types of one overload; DESCRIBE FUNCTION lists them")
}

/// `why`: what the function's own rule for the type of its result says.
pub fn no_result_type(why: &str) -> Error {
    statement(why).hint("DESCRIBE FUNCTION shows what it takes")
}

pub fn result_of_nulls() -> Error {
    statement("The type of the result can't be told from NULL arguments")
        .hint("cast one of them, e.g. CAST(null AS VARCHAR)")
}

pub fn aggregate_here(name: &str) -> Error {
    statement(format!("The aggregate function {name} can't be used here"))
        .hint("aggregates stand in the SELECT or HAVING clause of a query with GROUP BY")
}

pub fn table_function_here(name: &str) -> Error {
    statement(format!("The table function {name} can't be used here"))
        .hint("table functions stand alone in the SELECT list of a query on a stream")
}

pub fn no_table_function(name: &str) -> Error {
    statement(format!("{name} is not a table function")).hint("EXPLODE makes a row of each element of an ARRAY")
}

/// DISTINCT or FILTER of what is no aggregate.
pub fn no_aggregate(name: &str) -> Error {
    statement(format!("{name} is no aggregate function: it takes no DISTINCT or FILTER"))
        .hint("they stand with aggregates, as COUNT(DISTINCT x) or SUM(x) FILTER (WHERE x > 0)")
}

pub fn type_of_lambda_parameter(name: &str) -> Error {
    statement(format!("The type of the lambda's parameter {name} can't be told"))
        .hint("cast the argument before it, e.g. CAST(null AS ARRAY<INT>)")
}

pub fn lambda_here() -> Error {
    statement("A lambda can only be an argument of a function that takes one").hint("as in TRANSFORM(list, x => x + 1)")
}

/// An aggregate without an overload for the type.
pub fn aggregate_of_type(name: &str, ty: &SqlType) -> Error {
    statement(format!("Function '{name}' does not accept parameters ({ty})")).hint(describe(name))
}

pub fn aggregate_count(name: &str, max: usize) -> Error {
    statement(format!("{name} takes a whole number from 1 to {max} here")).hint(describe(name))
}

/// Of an aggregate by offset: after the value.
pub fn number_and_boolean(name: &str) -> Error {
    statement(format!("{name} takes a number and then a BOOLEAN after the value")).hint(describe(name))
}

pub fn no_k(name: &str) -> Error {
    statement(format!("{name} takes how many values to keep as its last argument"))
        .hint(format!("it is a literal: {name}(x, 3)"))
}

fn describe(name: &str) -> String {
    format!("DESCRIBE FUNCTION {name}; shows what it takes")
}

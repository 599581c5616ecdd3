//! Clauses of a query: what has a place in them, and which go together.

use super::{not_supported, statement};
use crate::error::Error;
use crate::types::SqlType;

pub fn order_of_changes() -> Error {
    statement("ORDER BY sorts the rows of a pull query: rows that keep coming have no last one.")
        .hint("make a table of the query, and ask that: SELECT ... FROM t ORDER BY ...;")
}

/// `ty`: what the condition is instead of a BOOLEAN, None for NULL; `expr`: the condition.
pub fn no_condition(clause: &str, ty: Option<&SqlType>, expr: &str) -> Error {
    let ty = ty.map_or("NULL".to_owned(), ToString::to_string);
    statement(format!("Type error in {clause} expression: should evaluate to boolean but is {ty} instead."))
        .hint(format!("compare it with something: {expr} = ..., or IS NOT NULL"))
}

pub fn partition_by_of_table() -> Error {
    statement("PARTITION BY is not supported for TABLEs.").hint("only streams can be partitioned anew")
}

pub fn partition_by_and_group_by() -> Error {
    statement("A query can't have both PARTITION BY and GROUP BY.")
        .hint("GROUP BY makes the groups the key; leave PARTITION BY out")
}

/// `sources`: those that are read; `what`: the clause.
pub fn kafka_values(sources: &[&str], clause: &str) -> Error {
    statement(format!(
        "Source(s) {} are using the 'KAFKA' value format. This format does not yet support {clause}.",
        sources.join(", ")
    ))
    .hint("declare them with another VALUE_FORMAT")
}

pub fn table_functions_not_allowed(clause: &str) -> Error {
    statement(format!("Table functions are not allowed in {clause}."))
        .hint("make the rows first: FROM (SELECT EXPLODE(...) AS name FROM ...)")
}

pub fn nested_table_functions() -> Error {
    statement("Table functions can't be nested.")
        .hint("explode in a query of its own and read that one: FROM (SELECT EXPLODE(...) AS name FROM ...)")
}

pub fn table_functions_of_table() -> Error {
    statement("Table source is not supported with table functions")
        .hint("only a stream's row becomes several; declare a STREAM over the table's topic and read that")
}

pub fn row_time_of_table_query() -> Error {
    not_supported(
        "ROWTIME of a query that gives a table",
        "an aggregate may carry it: MAX(ROWTIME) AS name in the inner query",
    )
}

//! Queries in FROM, names of WITH, UNION ALL.

use super::{not_supported, statement};
use crate::error::Error;
use crate::types::SqlType;

pub fn unnamed() -> Error {
    statement("A query that is joined needs a name.").hint("write it behind the parentheses: (SELECT ...) AS name")
}

pub fn name_twice(name: &str) -> Error {
    statement(format!("WITH gives the name '{name}' twice.")).hint("give one of the queries another name")
}

pub fn limit_inside() -> Error {
    not_supported("LIMIT in a query that another one reads", "put it at the end of the whole")
}

pub fn union_of_tables() -> Error {
    not_supported(
        "UNION ALL of tables",
        "two of them may have rows of the same key: unite the streams that they are made of, and group what comes of it",
    )
}

pub fn union_of_windowed() -> Error {
    not_supported("UNION ALL of windowed streams", "PARTITION BY the key takes the windows away: put it into the query")
}

/// `expected`: the first query's columns; `number`: of the one with another count, from 1.
pub fn union_of_other_count(expected: &[String], number: usize, count: usize) -> Error {
    statement(format!(
        "UNION ALL needs queries with as many columns each: the first one has {}, number {number} has {count}.",
        expected.len()
    ))
    .hint(format!("the columns of the first one are {}", expected.join(", ")))
}

/// `number`: of the column, from 1.
pub fn union_of_types(first: &SqlType, other: &SqlType, number: usize, column: &str) -> Error {
    statement(format!("UNION ALL can't unite {first} and {other}, the types of column {number} (`{column}`)."))
        .hint(format!("CAST one of them: CAST(... AS {first})"))
}

//! Keys: what can be one, and that a result must have its own.

use super::{plural, statement};
use crate::error::Error;
use crate::types::SqlType;

/// `column`: the key's, None for what a join's rows meet by.
pub fn map_in_key(column: Option<&str>, ty: &SqlType) -> Error {
    let column = column.map(|name| format!("Key column name: `{name}`. ")).unwrap_or_default();
    statement(format!(
        "Map keys, including types that contain maps, are not supported as they may lead to unexpected behavior \
         due to inconsistent serialization. {column}Column type: {ty}."
    ))
    .hint("take what tells rows apart out of it, or make a text of it: TO_JSON_STRING")
}

pub fn null_among_several() -> Error {
    statement("Cannot PARTITION BY multiple columns including NULL")
        .hint("PARTITION BY NULL alone takes the key away; else leave NULL out")
}

pub fn null_is_no_key() -> Error {
    statement("NULL is no key: its type is unknown.").hint("name a column or an expression that has a type")
}

/// What the missing key of a result is.
pub enum Missing {
    /// What the query groups by.
    Group,
    /// What the query partitions by.
    Partition,
    /// The key of what it reads.
    Source,
}

/// `written`: the missing keys' expressions.
pub fn missing(what: &Missing, written: &[String]) -> Error {
    let kind = match what {
        Missing::Group => "grouping expression",
        Missing::Partition => "partitioning expression",
        Missing::Source => "key column",
    };
    must_include(&format!("{kind}{} {}", plural(written.len()), written.join(" and ")), &written.join(", "))
}

/// `candidates`: what joined rows are known by, any of them will do; at least one.
pub fn missing_of_join(candidates: &[String]) -> Error {
    match candidates {
        [only] => must_include(&format!("join expression {only}"), only),
        [first, others @ .., last] => {
            let before = [std::slice::from_ref(first), others].concat().join(", ");
            must_include(&format!("join expressions {before} or {last}"), first)
        }
        [] => must_include("join expression", "*"),
    }
}

/// `column`: the name of the key that the join has made.
pub fn missing_synthetic(column: &str) -> Error {
    must_include(&format!("join expression {column}"), column).hint(format!(
        "{column} was added as a synthetic key column because the join criteria did not match any source column. This expression must be included in the projection and may be aliased."
    ))
}

fn must_include(what: &str, example: &str) -> Error {
    statement(format!(
        "Key missing from projection (ie, SELECT). The query must include the {what} in its projection (eg, SELECT {example}...)."
    ))
}

/// `query`: one in FROM.
pub fn missing_of_subquery(query: &str) -> Error {
    statement(format!(
        "Key missing from projection (ie, SELECT). The rows of {query} have a key that isn't in the SELECT list of {query}."
    ))
    .hint(format!(
        "add it to both SELECT lists: it is what {query} groups or partitions by, or else the key of what {query} reads"
    ))
}

/// `columns`: those of the left table's key that are missing.
pub fn missing_of_left_table(table: &str, columns: &[String]) -> Error {
    let plural = plural(columns.len());
    statement(format!(
        "Primary key column{plural} missing in projection. For foreign-key table-table joins, the projection must include all primary key columns from the left input table ({table}). Missing column{plural}: {}.",
        columns.join(", ")
    ))
    .hint(format!("SELECT {}, ...", columns.join(", ")))
}

/// `columns`: those of both tables' keys that are missing.
pub fn missing_of_both_tables(columns: &[&str]) -> Error {
    let plural = plural(columns.len());
    statement(format!(
        "Primary key column{plural} missing in projection. Tables that are joined by what is neither one's key make a table with both keys. Missing column{plural}: {}.",
        columns.join(", ")
    ))
    .hint(format!("SELECT {}, ...", columns.join(", ")))
}

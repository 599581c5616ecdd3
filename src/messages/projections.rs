//! The SELECT list.

use super::statement;
use crate::error::Error;
use crate::types::SqlType;

pub fn no_values() -> Error {
    statement("The projection contains no value columns.")
        .hint("a record's value needs a column beside the key; AS_VALUE(key) AS name copies the key into it")
}

pub fn reserved_name(name: &str) -> Error {
    statement(format!("Reserved column name in select: `{name}`. Please remove or alias the column."))
        .hint(format!("{name} AS another_name"))
}

/// NULL, or an empty array or map.
pub fn unknown_type(name: &str) -> Error {
    statement(format!("The type of column `{name}` is unknown: it is NULL, or empty."))
        .hint("CAST(NULL AS type) gives it one, as CAST(ARRAY[] AS ARRAY<INT>) does")
}

pub fn duplicate_name(name: &str) -> Error {
    statement(format!("Duplicate column name in the SELECT list: `{name}`"))
        .hint("give one of them another name with AS")
}

/// `first` and `second`: the names under which the key is there.
pub fn key_twice(key: &str, first: &str, second: &str) -> Error {
    statement(format!(
        "The projection contains a key column (`{key}`) more than once, aliased as: `{first}` and `{second}`."
    ))
    .hint("Each key column must only be in the projection once. If you intended to copy the key into the value, then consider using the AS_VALUE function to indicate which key reference should be copied.")
}

/// `ty`: None is NULL.
pub fn star_of_no_struct(ty: Option<&SqlType>) -> Error {
    let ty = ty.map_or("NULL".to_owned(), ToString::to_string);
    statement(format!("Cannot use '->*' on {ty}: it is no STRUCT."))
        .hint("'->*' gives the fields of a STRUCT as columns; leave it out here")
}

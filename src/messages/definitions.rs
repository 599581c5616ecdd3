//! CREATE, CREATE OR REPLACE, ALTER and DROP of what is there, or isn't.

use super::{did_you_mean, kind_keyword, kind_word, statement};
use crate::catalog::SourceKind;
use crate::error::Error;

/// `there`: the streams and tables that are.
pub fn unknown_source<'a>(name: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    let error = did_you_mean(statement(format!("{name} does not exist.")), name, there);
    if error.hint.is_some() { error } else { error.hint("SHOW STREAMS; and SHOW TABLES; list what there is.") }
}

/// `there`: what has the name.
pub fn exists(name: &str, kind: SourceKind, there: SourceKind) -> Error {
    statement(format!(
        "Cannot add {} '{name}': A {} with the same name already exists",
        kind_word(kind),
        kind_word(there)
    ))
    .hint("DROP it first, or write CREATE OR REPLACE")
}

/// CREATE OR REPLACE of a stream as a table, or the other way.
pub fn replaced_by_other_kind(name: &str, there: SourceKind, kind: SourceKind) -> Error {
    statement(format!("Cannot replace {} '{name}' by a {}.", kind_word(there), kind_word(kind))).hint(format!(
        "DROP {0} {name}; and create the {1}, or write CREATE OR REPLACE {0}",
        kind_keyword(there),
        kind_word(kind)
    ))
}

/// CREATE OR REPLACE without a query of what the query `query` makes.
pub fn replaced_without_query(name: &str, kind: SourceKind, query: &str) -> Error {
    statement(format!("Cannot replace {} '{name}': the query {query} makes it.", kind_word(kind)))
        .hint("CREATE OR REPLACE ... AS SELECT changes the query; TERMINATE ends it")
}

/// CREATE OR REPLACE of, or by, a SOURCE.
pub fn replaced_read_only(name: &str, kind: SourceKind) -> Error {
    let word = kind_word(kind);
    statement(format!("Cannot add {word} '{name}': CREATE OR REPLACE is not supported on source {word}s."))
        .hint(format!("DROP {} {name}; and create it anew", kind_keyword(kind)))
}

pub fn replaced_by_its_reader(name: &str) -> Error {
    statement(format!("{name} can't be replaced by a query that reads it."))
        .hint("give the new stream or table a name of its own")
}

/// `writers`: the ids of other queries that write to it.
pub fn replaced_with_writers(name: &str, writers: &[String]) -> Error {
    statement(format!(
        "Cannot replace {name}: Upgrades not yet supported for sinks that INSERT INTO queries write to: {}.",
        writers.join(", ")
    ))
    .hint("TERMINATE them first")
}

/// What CREATE OR REPLACE would change and must not.
pub enum Fixed<'a> {
    Topic {
        from: &'a str,
        to: &'a str,
    },
    Key,
    ValueFormat,
    VersionsRetention,
    TimestampOrWindow,
    /// Value columns other than new ones behind the others.
    Columns,
    /// How a single value column stands on the topic.
    Wrapping,
}

pub fn upgrade_of_source(name: &str, kind: SourceKind, fixed: &Fixed) -> Error {
    let why = match fixed {
        Fixed::Topic { from, to } => format!("its topic would change from '{from}' to '{to}'"),
        Fixed::Key => "its key columns or their format would change".to_owned(),
        Fixed::ValueFormat => "its value format would change".to_owned(),
        Fixed::VersionsRetention => "how long the versions of its rows are kept would change".to_owned(),
        Fixed::TimestampOrWindow => "its timestamp column or window would change".to_owned(),
        Fixed::Columns => "value columns may only be added behind the others".to_owned(),
        Fixed::Wrapping => "its single value column stands bare on the topic, several would be wrapped".to_owned(),
    };
    statement(format!("Cannot upgrade {} {name}: {why}.", kind_word(kind))).hint("DROP it and create it anew")
}

/// `refused`: what of the query would change, or what it has that can't; `of_kind`: it is the kind of query.
pub fn upgrade_of_query(
    name: &str,
    kind: SourceKind,
    query: &str,
    refused: &impl std::fmt::Display,
    of_kind: bool,
) -> Error {
    statement(format!(
        "Cannot replace {} {name}: Upgrades not yet supported for {refused} (query {query}).",
        kind_word(kind)
    ))
    .hint(match of_kind {
        true => {
            format!("a query of this kind can't be changed while its state is kept: DROP {name} and create it anew")
        }
        false => {
            format!(
                "WHERE may change and columns may be added behind the others; for more DROP {name} and create it anew"
            )
        }
    })
}

/// DROP of a stream as a table, or the other way.
pub fn dropped_as_other_kind(name: &str, there: SourceKind, kind: SourceKind) -> Error {
    let (there_keyword, keyword) = (kind_keyword(there), kind_keyword(kind));
    statement(format!("Incompatible data source type is {there_keyword}, but statement was DROP {keyword}"))
        .hint(format!("{name} is a {}: DROP {there_keyword} {name};", kind_word(there)))
}

pub fn topic_of_read_only(name: &str, kind: SourceKind) -> Error {
    statement(format!("Cannot delete topic for read-only source: {name}"))
        .hint(format!("DROP {} {name}; leaves the topic, `millpond topic delete` deletes it", kind_keyword(kind)))
}

/// `readers` and `writers`: ids of queries.
pub fn in_use(name: &str, readers: &[String], writers: &[String]) -> Error {
    statement(format!(
        "Cannot drop {name}.\nThe following queries read from this source: [{}].\nThe following queries write into this source: [{}].",
        readers.join(", "),
        writers.join(", ")
    ))
    .hint("You need to terminate them before dropping.")
}

/// ALTER of a stream as a table, or the other way.
pub fn altered_as_other_kind(name: &str, there: SourceKind, kind: SourceKind) -> Error {
    statement(format!("{name} is a {}, not a {}.", kind_word(there), kind_word(kind)))
        .hint(format!("ALTER {} {name} ADD COLUMN ...", kind_keyword(there)))
}

/// ALTER of what a query makes.
pub fn altered_made(name: &str) -> Error {
    statement(format!("ALTER command is not supported for CREATE ... AS statements: {name}"))
        .hint("CREATE OR REPLACE changes what a query makes")
}

pub fn altered_read_only(name: &str, kind: SourceKind) -> Error {
    statement(format!("Cannot alter {} '{name}': it is read-only.", kind_word(kind)))
        .hint(format!("DROP {} {name}; and create it anew with the column", kind_keyword(kind)))
}

pub fn added_column_exists(column: &str) -> Error {
    statement(format!("Cannot add column `{column}` to schema. A column with the same name already exists."))
        .hint("give it another name")
}

pub fn type_exists(name: &str) -> Error {
    statement(format!("Cannot register custom type '{name}' since it is already registered"))
        .hint(format!("DROP TYPE {name}; first, or write CREATE TYPE IF NOT EXISTS"))
}

/// `there`: the types that are registered.
pub fn unknown_type<'a>(name: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    let error = did_you_mean(statement(format!("Type {name} does not exist.")), name, there);
    if error.hint.is_some() {
        error
    } else {
        error.hint("SHOW TYPES; lists what there is; DROP TYPE IF EXISTS takes either")
    }
}

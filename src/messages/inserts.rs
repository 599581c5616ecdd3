//! INSERT INTO ... VALUES, rows from a client, and DELETE.

use super::{names, statement};
use crate::error::Error;
use crate::types::SqlType;

const SETTING: &str = "ksql.insert.into.values.enabled";

pub fn insert_disabled() -> Error {
    disabled("INSERT INTO ... VALUES")
}

pub fn rows_disabled() -> Error {
    disabled("Inserting rows")
}

pub fn delete_disabled() -> Error {
    disabled("DELETE")
}

fn disabled(what: &str) -> Error {
    statement(format!("{what} is disabled by {SETTING}.")).hint(format!("SET '{SETTING}' = 'true';"))
}

/// Why nothing can be put into a stream or table.
pub enum Closed {
    ReadOnly,
    Windowed,
    Headers,
    TopicReadOnly,
}

pub fn closed(name: &str, why: &Closed) -> Error {
    let (why, hint) = match why {
        Closed::ReadOnly => {
            ("it is read-only (CREATE SOURCE ...)", "declare another one over the topic, without SOURCE")
        }
        Closed::Windowed => ("its keys are windowed", "insert into the stream that the windows are made of"),
        Closed::Headers => {
            ("it has header columns", "declare another stream over the topic, without them, and insert into that")
        }
        Closed::TopicReadOnly => ("its topic is read-only", "only the system writes to it"),
    };
    statement(format!("Cannot insert values into {name}: {why}")).hint(hint)
}

/// `key`: the columns of the key, one of which has no value.
pub fn insert_without_key(table: &str, key: &[&str]) -> Error {
    without_key("insert values into", table, key)
}

pub fn delete_without_key(table: &str, key: &[&str]) -> Error {
    without_key("delete from", table, key)
}

fn without_key(what: &str, table: &str, key: &[&str]) -> Error {
    let key = key.join(", ");
    statement(format!("Failed to {what} '{table}'. Value for primary key column(s) {key} is required for tables."))
        .hint("a table's row is known by its key, which can't be NULL")
}

/// Values for all columns, but not as many as there are `columns`.
pub fn count_of_all(name: &str, columns: &[String], values: usize) -> Error {
    statement(format!(
        "Expected a value for each column. Expected Columns: [{}]. Got {values} values.",
        columns.join(", ")
    ))
    .hint(format!(
        "name the columns that have values: INSERT INTO {name} ({}, ...) VALUES (...)",
        columns.first().map_or("...", String::as_str)
    ))
}

pub fn count_of_named(columns: usize, values: usize) -> Error {
    statement(format!("There are {columns} columns, but {values} values.")).hint("give one value for each column")
}

pub fn column_twice(name: &str) -> Error {
    statement(format!("Column `{name}` is named twice.")).hint("name it once")
}

/// A column that the system gives.
pub fn system_column(name: &str) -> Error {
    statement(format!("Inserting into column `{name}` is not allowed."))
        .hint("the system gives it; of its columns only ROWTIME can be inserted")
}

/// `there`: the columns of `source`.
pub fn unknown_column(column: &str, source: &str, there: &[&str]) -> Error {
    let error = statement(format!("Column name `{column}` does not exist."));
    let error = names::did_you_mean(error, column, there.iter().copied());
    if error.hint.is_some() { error } else { error.hint(format!("{source} has {}", there.join(", "))) }
}

pub fn row_time() -> Error {
    statement("ROWTIME must be a time in ms, not negative.").hint("milliseconds since 1970, as 1700000000000")
}

/// `why`: what the format says.
pub fn not_encodable(why: &str) -> Error {
    statement(format!("The row can't be written: {why}"))
        .hint("another value, or a stream of another VALUE_FORMAT, as JSON")
}

/// `why`: what the parser says.
pub fn no_object(why: &str) -> Error {
    statement(format!("The row is not a JSON object: {why}")).hint("as in {\"ID\": 1, \"NAME\": \"a\"}")
}

/// `why`: what was expected.
pub fn no_value(column: &str, why: &str) -> Error {
    statement(format!("Can't put a value into column `{column}`: {why}"))
        .hint("DESCRIBE shows the columns' types; null leaves one out")
}

/// DELETE from a stream.
pub fn delete_from_stream(stream: &str) -> Error {
    statement(format!("{stream} is a stream: its records stay."))
        .hint("only a table's rows can be deleted; `millpond topic empty` removes a topic's records")
}

/// DELETE from a table that the query `query` makes.
pub fn delete_from_made(table: &str, query: &str) -> Error {
    statement(format!("{table} is written by {query}, which would not know of it."))
        .hint("delete the row of the table that the query reads")
}

/// A table and the columns of its key.
pub struct Keyed<'a> {
    pub table: &'a str,
    pub key: &'a [(String, SqlType)],
}

impl Keyed<'_> {
    fn hint(&self) -> String {
        let equal = |(name, ty): &(String, SqlType)| {
            format!("{name} = {}", if *ty == SqlType::String { "'...'" } else { "..." })
        };
        let key: Vec<String> = self.key.iter().map(equal).collect();
        format!("name the row by its key: DELETE FROM {} WHERE {};", self.table, key.join(" AND "))
    }
}

pub fn delete_without(column: &str, from: &Keyed) -> Error {
    statement(format!("The key column {column} isn't named: DELETE takes one row.")).hint(from.hint())
}

pub fn delete_of_condition(from: &Keyed) -> Error {
    statement("DELETE takes the key of one row.").hint(from.hint())
}

pub fn delete_by_value(column: &str, from: &Keyed) -> Error {
    statement(format!("{column} is no key column of {}.", from.table)).hint(from.hint())
}

pub fn delete_named_twice(column: &str, from: &Keyed) -> Error {
    statement(format!("{column} is named twice.")).hint(from.hint())
}

//! CREATE STREAM and CREATE TABLE over a topic: columns, keys, headers, times.

use super::statement;
use crate::catalog::SourceKind;
use crate::error::Error;
use crate::types::SqlType;

const ABOUT_KEYS: &str = "Tables have PRIMARY KEYs, which are unique and NON NULL. Streams have KEYs, which have no uniqueness or NON NULL constraints.";

pub fn no_topic() -> Error {
    statement("Missing required property \"KAFKA_TOPIC\" which has no default value.")
        .hint("WITH (KAFKA_TOPIC='...') names the topic")
}

pub fn no_columns() -> Error {
    statement("The statement does not define any columns.")
        .hint("list the columns of the topic's values: CREATE ... (ID INT KEY, NAME STRING) WITH (...)")
}

pub fn windowed_without_key() -> Error {
    statement("Windowed sources require a key column.")
        .hint("a window is one of a key: CREATE ... (ID INT KEY, ...) WITH (WINDOW_TYPE=...)")
}

pub fn reserved_column(name: &str) -> Error {
    statement(format!("'{name}' is a reserved column name. You cannot use it as a name for a column."))
        .hint("the system gives columns of that name; choose another one")
}

pub fn duplicate_column(name: &str) -> Error {
    statement(format!("Duplicate column names: {name}")).hint("each column needs a name of its own")
}

pub fn no_primary_key() -> Error {
    statement("Tables require a PRIMARY KEY. Please define the PRIMARY KEY.")
        .hint("as in CREATE TABLE T (ID INT PRIMARY KEY, ...)")
}

/// A stream's PRIMARY KEY, or a table's KEY.
pub fn key_of_other_kind(column: &str, kind: SourceKind) -> Error {
    statement(match kind {
        SourceKind::Table => format!("Column `{column}` is a 'KEY' column: please use 'PRIMARY KEY' for tables."),
        SourceKind::Stream => format!("Column `{column}` is a 'PRIMARY KEY' column: please use 'KEY' for streams."),
    })
    .hint(ABOUT_KEYS)
}

pub fn type_of_headers(ty: &SqlType) -> Error {
    statement(format!("Invalid type for HEADERS column: expected ARRAY<STRUCT<`KEY` STRING, `VALUE` BYTES>>, got {ty}"))
        .hint("it has all headers of a record; one alone is NAME BYTES HEADER('key')")
}

pub fn type_of_header(header: &str, ty: &SqlType) -> Error {
    statement(format!("Invalid type for HEADER('{header}') column: expected BYTES, got {ty}"))
        .hint(format!("write NAME BYTES HEADER('{header}') and decode it in a query: FROM_BYTES(NAME, 'utf8')"))
}

/// `there` and `wanted`: None is HEADERS, else the key of a HEADER.
pub fn headers_twice(column: &str, there: Option<&str>, wanted: Option<&str>) -> Error {
    let role = |key: Option<&str>| match key {
        Some(key) => format!("HEADER('{key}')"),
        None => "HEADERS".to_owned(),
    };
    statement(format!(
        "Schema already contains a {} column: `{column}`, so there can't be one of {}.",
        role(there),
        role(wanted)
    ))
    .hint("a HEADERS column has all headers, HEADER('key') columns one each; a source has the one or the others")
}

/// VERSIONS_RETENTION_MS of what keeps no versions.
pub fn no_versions(windowed: bool) -> Error {
    let what = if windowed { "a windowed table" } else { "a stream" };
    statement(format!("VERSIONS_RETENTION_MS is a property of tables, and this is {what}."))
        .hint("only tables without windows keep versions of their rows")
}

pub fn timestamp_format_alone() -> Error {
    statement("TIMESTAMP_FORMAT needs the TIMESTAMP property beside it")
        .hint("TIMESTAMP='COLUMN' names the column whose text has that format")
}

/// `there`: the columns that could give the time.
pub fn unknown_timestamp_column<'a>(name: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    let error =
        statement(format!("The TIMESTAMP column set in the WITH clause does not exist in the schema: '{name}'"));
    super::did_you_mean(error, name, there)
}

/// `why`: what the pattern's parser says.
pub fn timestamp_format(pattern: &str, why: &str) -> Error {
    statement(format!("Invalid TIMESTAMP_FORMAT '{pattern}': {why}"))
        .hint("it is a pattern as in 'yyyy-MM-dd HH:mm:ss'")
}

pub fn timestamp_without_format(name: &str) -> Error {
    statement(format!(
        "A String timestamp field has been specified without also specifying the timestamp_format: '{name}'"
    ))
    .hint("add what its text looks like: TIMESTAMP_FORMAT='yyyy-MM-dd HH:mm:ss'")
}

pub fn type_of_timestamp(name: &str, ty: &SqlType) -> Error {
    statement(format!(
        "Timestamp column, '{name}', should be LONG(INT64), TIMESTAMP, or a String with a timestamp_format specified, but is {ty}."
    ))
    .hint("TIMESTAMP_FORMAT is for STRING columns alone; a BIGINT counts milliseconds since 1970")
}

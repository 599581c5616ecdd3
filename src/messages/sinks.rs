//! CREATE ... AS SELECT and INSERT INTO ... SELECT: whether a query's rows fit where they go.

use super::{kind_keyword, statement};
use crate::catalog::SourceKind;
use crate::error::Error;
use crate::types::SqlType;

pub fn create_as_with_limit() -> Error {
    statement("CREATE ... AS SELECT statements don't support LIMIT clause.").hint(NO_LAST_ROW)
}

pub fn insert_select_with_limit() -> Error {
    statement("INSERT INTO ... SELECT statements don't support LIMIT clause.").hint(NO_LAST_ROW)
}

const NO_LAST_ROW: &str = "a query that runs on has no last row; LIMIT is for SELECT alone";

/// `produces`: what the query gives, where the other kind was to be created.
pub fn result_of_other_kind(produces: SourceKind) -> Error {
    let kind = kind_keyword(produces);
    let error = statement(format!(
        "Invalid result type. Your SELECT query produces a {kind}. Please use CREATE {kind} AS SELECT statement instead."
    ));
    match produces {
        SourceKind::Stream => error.hint("a query gives a TABLE when it groups rows or reads a table"),
        SourceKind::Table => error.hint("a query that groups rows or reads a table gives one"),
    }
}

pub fn insert_into_read_only(name: &str, kind: SourceKind) -> Error {
    let kind = kind_keyword(kind);
    statement(format!("Cannot insert into read-only {kind}: {name}")).hint(format!(
        "it was declared by CREATE SOURCE {kind}, which only reads its topic; declare one without SOURCE"
    ))
}

/// A table that a query makes; `maker` is the query's id.
pub fn insert_into_made_table(name: &str, maker: &str) -> Error {
    insert_into_other_kind().hint(format!(
        "{name} is a table that {maker} makes; one that several queries feed is declared: CREATE TABLE ... (columns)"
    ))
}

pub fn insert_table_into_stream(stream: &str) -> Error {
    insert_into_other_kind().hint(format!("{stream} is a stream, the query gives a table."))
}

pub fn insert_stream_into_table(table: &str) -> Error {
    insert_into_other_kind().hint(format!(
        "{table} is a table, the query gives a stream: a table takes what gives a table (GROUP BY, or FROM a table)"
    ))
}

fn insert_into_other_kind() -> Error {
    statement("INSERT INTO can only be used to insert into a stream.")
}

pub fn insert_of_other_windows(table: &str) -> Error {
    statement(format!("The windows of the result are not those of the table {table}."))
        .hint("its keys have the windows of its WINDOW_TYPE and WINDOW_SIZE, or none")
}

/// CREATE name AS a query that reads the topic it would write.
pub fn creates_what_it_reads(name: &str, topic: &str) -> Error {
    reads_itself(name).hint(format!("topic '{topic}' is one that the query reads: give KAFKA_TOPIC another name"))
}

/// INSERT INTO name a query that reads the same topic.
pub fn inserts_into_what_it_reads(name: &str) -> Error {
    reads_itself(&format!("INSERT INTO {name}")).hint("write into another one")
}

fn reads_itself(what: &str) -> Error {
    statement(format!("{what} would read what it writes, for ever."))
}

/// `given`: the columns of the result; `wanted`: the sink's, as its schema is shown.
pub fn schema_mismatch<'a>(given: impl IntoIterator<Item = (&'a str, &'a SqlType)>, wanted: &str) -> Error {
    let given: Vec<String> = given.into_iter().map(|(name, ty)| format!("`{name}` {ty}")).collect();
    statement("Incompatible schema between results and sink.")
        .hint(format!("Result schema is {}; sink schema is {wanted}", given.join(", ")))
}

pub fn key_format_without_key(format: &str) -> Error {
    statement(format!("Key format specified for stream without key columns: {format}"))
        .hint("leave KEY_FORMAT out, or give the rows a key: PARTITION BY")
}

/// The error about a format of keys with a better hint: GROUP BY or PARTITION BY makes a key of several columns.
pub fn about_key_of_several(error: Error) -> Error {
    error.hint("a key of several columns needs a format that holds them: add WITH (KEY_FORMAT='JSON')")
}

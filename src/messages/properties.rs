//! The WITH clause: its properties and their values.

use super::{did_you_mean, not_supported, statement};
use crate::error::Error;
use crate::sql::ast::Literal;

/// `there`: the properties that this version knows.
pub fn unknown_property(name: &str, there: &[&str]) -> Error {
    let error = statement(format!("Invalid config variable(s) in the WITH clause: {name}"));
    // One that is known has no place in this statement.
    match there.contains(&name) {
        true => error.hint(format!("{name} is a property of other statements; leave it out here")),
        false => did_you_mean(error, name, there.iter().copied()),
    }
}

pub fn cleanup_policy() -> Error {
    statement("Invalid config variable in the WITH clause: CLEANUP_POLICY.")
        .hint("it follows from the kind: streams delete, tables compact")
}

pub fn needs_registry(name: &str) -> Error {
    not_supported(name, "it needs the formats of a schema registry")
}

/// `which`: KEY_FORMAT or VALUE_FORMAT.
pub fn format_twice(which: &str) -> Error {
    statement(format!(
        "Cannot supply both '{which}' and 'FORMAT' properties, as 'FORMAT' sets both key and value formats."
    ))
    .hint("Either use just 'FORMAT', or use 'KEY_FORMAT' and 'VALUE_FORMAT'.")
}

/// What values a property takes.
pub enum Expected {
    Text,
    Boolean,
    WholeNumber,
    Milliseconds,
    Count { max: i64 },
    Delimiter,
    WindowType,
    Duration,
    Unit,
    LongerThanZero,
}

/// A value that the property doesn't take.
pub fn invalid_value(name: &str, value: &Literal, expected: Expected) -> Error {
    let found = match value {
        Literal::Null => "NULL".to_owned(),
        Literal::Boolean(value) => value.to_string(),
        Literal::Number(text) => text.clone(),
        Literal::String(text) => format!("'{text}'"),
    };
    let (expected, example) = match expected {
        Expected::Text => ("a string in single quotes".to_owned(), "'text'"),
        Expected::Boolean => ("true or false".to_owned(), "true"),
        Expected::WholeNumber => ("a whole number".to_owned(), "1000"),
        Expected::Milliseconds => ("a number of milliseconds from 1 on".to_owned(), "3600000"),
        Expected::Count { max } => (format!("a number from 1 to {max}"), "6"),
        Expected::Delimiter => ("one character, 'SPACE' or 'TAB'".to_owned(), "';'"),
        Expected::WindowType => ("one of SESSION, HOPPING, TUMBLING".to_owned(), "'TUMBLING'"),
        Expected::Duration => ("a number and a unit, as '10 SECONDS'".to_owned(), "'10 SECONDS'"),
        Expected::Unit => ("a unit from DAYS to MILLISECONDS".to_owned(), "'10 SECONDS'"),
        Expected::LongerThanZero => ("a span longer than zero".to_owned(), "'10 SECONDS'"),
    };
    statement(format!("Invalid value {found} for property {name}: expected {expected}"))
        .hint(format!("as in WITH ({name}={example})"))
}

pub fn delimiter(text: &str) -> Error {
    statement(format!("Invalid delimiter value: '{text}'. Delimiter must be a single character or TAB,SPACE"))
        .hint("as in VALUE_DELIMITER=';' or VALUE_DELIMITER='TAB'")
}

/// `part`: KEY or VALUE.
pub fn delimiter_without_delimited(part: &str) -> Error {
    statement(format!("{part}_DELIMITER is supported by the DELIMITED format only"))
        .hint(format!("leave it out, or add {part}_FORMAT='DELIMITED'"))
}

/// A QUERY_ID that begins like one that the system gives.
pub fn reserved_query_id(prefixes: &[&str]) -> Error {
    statement(format!("Query IDs must not start with {}", prefixes.join(", ")))
        .hint("the system gives such names; choose another one")
}

pub fn query_id_letters(id: &str) -> Error {
    statement(format!("Query IDs may contain only alphanumeric characters and '_'. Got: '{id}'"))
        .hint("as in QUERY_ID='COUNT_FLIGHTS'")
}

pub fn no_value_format() -> Error {
    statement("Statement is missing the 'VALUE_FORMAT' property from the WITH clause.")
        .hint("Either provide one or set a default via the 'ksql.persistence.default.format.value' config.")
}

pub fn wraps_several_columns() -> Error {
    statement("'WRAP_SINGLE_VALUE' is only valid for single-field value schemas")
        .hint("leave it out: several columns always stand in an object")
}

/// The format has no objects to wrap a value in.
pub fn format_never_wraps(format: &str) -> Error {
    statement(format!("Format '{format}' does not support 'WRAP_SINGLE_VALUE' set to 'true'."))
        .hint("leave it out, or add VALUE_FORMAT='JSON'")
}

pub fn window_size_without_type() -> Error {
    statement("WINDOW_SIZE needs the WINDOW_TYPE property beside it").hint("add WINDOW_TYPE='TUMBLING' or 'HOPPING'")
}

pub fn window_size_of_sessions() -> Error {
    statement("'WINDOW_SIZE' should not be set for SESSION windows.")
        .hint("leave it out: each session has a length of its own")
}

pub fn no_window_size() -> Error {
    statement("Tumbling and hopping window types require 'WINDOW_SIZE' to be provided in the WITH clause.")
        .hint("For example: 'WINDOW_SIZE'='10 SECONDS'")
}

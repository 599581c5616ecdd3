//! SET, UNSET, and the settings' file.

use super::{did_you_mean, statement};
use crate::error::Error;

/// `there`: the settings of sessions.
pub fn unknown_property<'a>(name: &str, short: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    let error = did_you_mean(statement(format!("Unknown property: {name}")), short, there);
    if error.hint.is_some() { error } else { error.hint("SHOW PROPERTIES; lists all") }
}

/// Of a file; `there`: all settings, `short`: the name without what may stand before it.
pub fn unknown_setting<'a>(name: &str, short: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    let error = did_you_mean(statement(format!("Unknown setting: {name}")), short, there);
    match error.hint {
        Some(_) => error,
        None => error.hint("SHOW PROPERTIES; lists those of queries, docs/kafka.md says which others there are"),
    }
}

/// What a setting takes.
pub enum Expected<'a> {
    Boolean,
    WholeNumber,
    Format,
    OneOf(&'a [&'a str]),
}

pub fn invalid_value(name: &str, value: &str, expected: &Expected) -> Error {
    let (expected, example) = match expected {
        Expected::Boolean => ("true or false".to_owned(), "true"),
        Expected::WholeNumber => ("a whole number".to_owned(), "1000"),
        Expected::Format => ("the name of a format, as JSON".to_owned(), "JSON"),
        Expected::OneOf(choices) => (choices.join(" or "), choices.first().copied().unwrap_or_default()),
    };
    statement(format!("Invalid value '{value}' for '{name}': expected {expected}."))
        .hint(format!("for example {name} = {example}"))
}

/// A count in a file of settings.
pub fn invalid_count(name: &str, value: &str) -> Error {
    statement(format!("Invalid value '{value}' for {name}: expected a number from 1 on.")).hint(format!("{name}=3"))
}

/// What can't be so here; `otherwise`: what to do instead.
pub fn refused(name: &str, value: &str, otherwise: &str) -> Error {
    statement(format!("{name} = {value} is not supported.")).hint(otherwise)
}

pub fn never_set(name: &str) -> Error {
    statement(format!("Cannot unset local property '{name}' which was never set."))
        .hint("SHOW PROPERTIES; shows what is")
}

pub fn variable_never_defined(name: &str) -> Error {
    statement(format!("Cannot undefine variable '{name}' which was never defined"))
        .hint("SHOW VARIABLES; shows what is")
}

/// A setting of Kafka's clients on the log in the folder.
pub fn no_cluster(name: &str) -> Error {
    statement(format!("{name} is a setting of Kafka clients, and no cluster is named."))
        .hint("add bootstrap.servers, or give --bootstrap-servers")
}

/// `ksql.service.id`.
pub fn service_id(id: &str, len_max: usize) -> Error {
    statement(format!("'{id}' can't be a service's id."))
        .hint(format!("it stands in the names of topics: up to {len_max} letters, digits, '.', '_' and '-'"))
}

/// `\u` in a file without a number behind it.
pub fn no_character(digits: &str) -> Error {
    statement(format!("\\u{digits} is no character"))
        .hint("\\u takes four hexadecimal digits; a backslash itself is written \\\\")
}

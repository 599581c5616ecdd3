//! Formats, and what each can hold.

use super::{not_supported, statement};
use crate::error::Error;
use crate::nearest::nearest;
use crate::types::SqlType;

pub fn unknown(name: &str) -> Error {
    let near = nearest(name, ["JSON", "DELIMITED", "KAFKA", "NONE"]);
    let meant = near.map(|near| format!("Did you mean {near}? ")).unwrap_or_default();
    statement(format!("Unknown format: {name}")).hint(format!("{meant}The formats are JSON, DELIMITED, KAFKA and NONE"))
}

pub fn not_here(name: &str) -> Error {
    not_supported(format!("the format {name}"), "this version has JSON, DELIMITED, KAFKA and NONE")
}

/// A layout that a format can't hold, as the messages show it.
pub struct Shown<'a> {
    pub format: &'a str,
    /// A key's: of several columns it is one whose format needs another one.
    pub is_key: bool,
    pub columns: &'a [(String, SqlType)],
    /// What distinguishes the layout, in ksqlDB's words.
    pub features: &'a str,
}

/// `reason`: what of the columns it can't hold.
pub fn layout(shown: &Shown, reason: &Error) -> Error {
    let (part, suffix) = if shown.is_key { ("Key", " KEY") } else { ("Value", "") };
    let error = statement(format!(
        "{part} format does not support schema.\nformat: {}\nschema: Persistence{{columns=[{}], features=[{}]}}\n\
         reason: {}",
        shown.format,
        listed(shown.columns, suffix),
        shown.features,
        reason.what,
    ));
    match &reason.hint {
        Some(hint) => error.hint(hint.clone()),
        None => error,
    }
}

/// `column`: where the format's own message names it.
pub fn type_of_column(format: &str, ty: &SqlType, column: Option<&str>) -> Error {
    let column = column.map(|name| format!(", column: `{name}`")).unwrap_or_default();
    statement(format!("The '{format}' format does not support type '{}'{column}", base_type(ty)))
        .hint("JSON supports every type")
}

/// NONE is for what has no columns.
pub fn none_with_columns(columns: &[(String, SqlType)], is_key: bool) -> Error {
    let suffix = if is_key { " KEY" } else { "" };
    statement(format!(
        "The 'NONE' format can only be used when no columns are defined. Got: [{}]",
        listed(columns, suffix)
    ))
    .hint("name another format, as JSON")
}

pub fn several_columns_in_kafka(columns: &[(String, SqlType)]) -> Error {
    statement(format!("The 'KAFKA' format only supports a single field. Got: [{}]", listed(columns, "")))
        .hint("use JSON or DELIMITED for several columns")
}

fn listed(columns: &[(String, SqlType)], suffix: &str) -> String {
    columns.iter().map(|(name, ty)| format!("`{name}` {ty}{suffix}")).collect::<Vec<_>>().join(", ")
}

/// The type's name without its parameters.
fn base_type(ty: &SqlType) -> String {
    match ty {
        SqlType::Decimal { .. } => "DECIMAL".to_owned(),
        SqlType::Array(_) => "ARRAY".to_owned(),
        SqlType::Map(_) => "MAP".to_owned(),
        SqlType::Struct(_) => "STRUCT".to_owned(),
        other => other.to_string(),
    }
}

//! The requests of statements and queries, and the session that each begins with.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;
use crate::engine::{Session, settings};
use crate::sql;
use crate::sql::ast::ParsedStatement;

/// A request to /ksql, /query, /query-stream or /ws/query. `sql` and `properties` are the newer names of `ksql` and
/// `streamsProperties`; either is taken everywhere.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    #[serde(alias = "sql")]
    pub ksql: String,
    #[serde(default, alias = "properties")]
    streams_properties: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    session_variables: Option<BTreeMap<String, Value>>,
    /// Of a command that is to be carried out before this; negative: of none.
    #[serde(default)]
    pub command_sequence_number: Option<i64>,
}

impl Request {
    /// Reads a request's body.
    pub fn read(body: &[u8]) -> Result<Request, Failure> {
        serde_json::from_slice(body).map_err(|error| Failure::bad_request(format!("Malformed request: {error}")))
    }

    /// The session that the statements run in: a new query reads from the end of its sources, as ksqlDB's API has it, unless
    /// the server (`base`) or the request says else.
    pub fn session(&self, base: &BTreeMap<String, String>) -> Result<Session, Failure> {
        session_of(base, self.streams_properties.as_ref(), self.session_variables.as_ref())
    }
}

/// The session that properties and variables of a request begin.
pub fn session_of(
    base: &BTreeMap<String, String>,
    properties: Option<&BTreeMap<String, Value>>,
    variables: Option<&BTreeMap<String, Value>>,
) -> Result<Session, Failure> {
    let text = |kind: &str, name: &str, value: &Value| {
        let wrong = || format!("The value of {kind} '{name}' must be a string, a number or a boolean");
        plain(value).ok_or_else(|| Failure::bad_request(wrong()))
    };
    let mut session = Session::default();
    session.properties.insert("auto.offset.reset".to_owned(), "latest".to_owned());
    session.properties.extend(base.clone());
    for (name, value) in properties.into_iter().flatten() {
        let value = text("property", name, value)?;
        settings::set(&mut session.properties, name, &value).map_err(|error| Failure::of(&error))?;
    }
    for (name, value) in variables.into_iter().flatten() {
        session.variables.insert(name.clone(), text("variable", name, value)?);
    }
    Ok(session)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The one statement of a text, its variables put in; a `;` behind it may be left out.
pub fn statement(text: &str, session: &Session) -> Result<ParsedStatement, Failure> {
    let failed = |error: &crate::error::Error| Failure::of_statement(error, text);
    let substitute = settings::value(&session.properties, "ksql.variable.substitution.enable") == "true";
    let text = if substitute {
        sql::substitute(text, &session.variables).map_err(|error| failed(&error))?
    } else {
        text.to_owned()
    };
    let mut parsed = sql::parse(&text).map_err(|error| failed(&error))?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(Failure::bad_request("Expected exactly one statement")),
    }
}

//! POST /ksql: statements that aren't queries for a client.

use std::sync::Arc;

use axum::response::{IntoResponse, Json, Response};
use axum::{Extension, extract};
use serde_json::Value;

use super::access::Role;
use super::failure::{Code, Failure};
use super::payload::Payload;
use super::request::{self, Request};
use super::state::{State, blocking};
use super::{entity, guard};
use crate::engine::{Reply, Session};
use crate::error::Audience;
use crate::sql;
use crate::sql::ast::Statement;

pub async fn run(
    extract::State(state): extract::State<Arc<State>>,
    Extension(role): Extension<Role>,
    Payload(body): Payload,
) -> Response {
    let call = move || {
        let request = Request::read(&body)?;
        statements(&state, role, &request)
    };
    match blocking(call).await {
        Ok(Ok(entities)) => Json(entities).into_response(),
        Ok(Err(failure)) => failure.into_response(),
        Err(error) => Failure::of(&error).into_response(),
    }
}

/// Runs the statements in their order and gives their entities. All are tried on a copy of what exists before the first is
/// carried out. If one fails all the same, those before it stand, and its error has what they gave.
fn statements(state: &State, role: Role, request: &Request) -> Result<Vec<Value>, Failure> {
    let mut session = request.session(&state.properties)?;
    state.await_command(request.command_sequence_number)?;
    let split = sql::split(&request.ksql);
    let mut texts: Vec<&str> = split.statements.iter().map(|(text, _)| text.as_str()).collect();
    if !split.rest.trim().is_empty() {
        return Err(Failure::new(
            Code::BadStatement,
            "A statement is not finished: ';' is missing at the end of the request",
        )
        .about(split.rest.trim()));
    }
    texts.retain(|text| !text.trim().is_empty());
    // What can't be read at all is found before anything is carried out; what stands for a variable may come of a DEFINE.
    for text in texts.iter().filter(|text| !text.contains("${")) {
        request::statement(text, &session)?;
    }
    // A statement alone is tried by carrying it out.
    if texts.len() > 1 {
        let tried = state.face.check_ahead(&session, &texts);
        tried.map_err(|(place, error)| Failure::of_statement(&error, texts.get(place).unwrap_or(&"")))?;
    }
    let mut entities = Vec::new();
    for text in texts {
        match one(state, role, &mut session, text) {
            Ok(entity) => entities.extend(entity),
            Err(failure) => return Err(failure.after(entities)),
        }
    }
    Ok(entities)
}

fn one(state: &State, role: Role, session: &mut Session, text: &str) -> Result<Option<Value>, Failure> {
    let parsed = request::statement(text, session)?;
    guard::allow(role, guard::needed(&parsed.statement)).map_err(|failure| failure.about(text))?;
    if matches!(parsed.statement, Statement::Select(_) | Statement::Print { .. }) {
        let what = "The following statement types should be issued to the websocket endpoint '/query': \
                    PRINT and SELECT";
        return Err(Failure::new(Code::QueryEndpoint, what).about(text));
    }
    match state.face.execute(session, &parsed.text) {
        Ok(Reply::Done(status)) => {
            let entity = entity::of_status(&parsed, &status);
            state.commands.note(entity.as_ref());
            Ok(entity)
        }
        Ok(Reply::Facts(told)) => Ok(Some(entity::of_facts(&parsed.text, &told))),
        Ok(Reply::Rows(_)) => Err(Failure::new(Code::QueryEndpoint, "Rows come from /query").about(text)),
        Err(error) if matches!(parsed.statement, Statement::AssertTopic { .. }) => {
            let code = if error.audience == Audience::Internal { Code::Internal } else { Code::AssertionFailed };
            Err(Failure::new(code, error.to_string()).about(text))
        }
        Err(error) => Err(Failure::of_statement(&error, text)),
    }
}

//! The calls of a terminal (`millpond --server URL`): those of the folder's socket, each with the role that it needs.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use super::access::Role;
use super::failure::{Code, Failure};
use super::guard;
use super::limits::{BODY_BYTES_MAX, TERMINAL_CALLS_MAX};
use super::payload::read_body;
use super::request::statement;
use super::state::{State, stopping};
use crate::log::{TopicPartition, is_internal_topic};
use crate::server::local::{LogCall, REQUEST_BYTES_MAX, StatementCall, paths, write_targets};

/// Lets a call pass whose role suffices.
pub async fn check(
    Shared(state): Shared<Arc<State>>,
    Extension(role): Extension<Role>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let (least, bytes_max) = match path {
        paths::APPEND | paths::COMMIT | paths::INSERT => (Role::Write, REQUEST_BYTES_MAX),
        paths::RESET => (Role::Admin, BODY_BYTES_MAX),
        _ => (Role::Read, BODY_BYTES_MAX),
    };
    // Before the body is taken in.
    if let Err(failure) = guard::allow(role, least) {
        return failure.into_response();
    }
    let path = path.to_owned();
    let (parts, body) = request.into_parts();
    let bytes = match read_body(body, bytes_max).await {
        Ok(bytes) => bytes,
        Err(failure) => return failure.into_response(),
    };
    let needed = match path.as_str() {
        paths::STATEMENT => read(&bytes).map(|call: StatementCall| of_statement(&call)),
        paths::LOG => read(&bytes).map(|call: LogCall| of_log_call(&call)),
        paths::APPEND | paths::COMMIT => {
            let targets = write_targets(&path, &bytes).ok_or_else(|| Failure::bad_request("The records are cut off"));
            targets.map(|(places, groups)| of_write(&places, &groups))
        }
        _ => Ok(least),
    };
    match needed.and_then(|needed| guard::allow(role, needed)) {
        Ok(()) if state.is_stopping() => stopping().into_response(),
        Ok(()) => {
            let Ok(permit) = state.calls.clone().try_acquire_owned() else {
                let why = format!("{TERMINAL_CALLS_MAX} calls of terminals are under way; try again");
                return Failure::new(Code::TooMany, why).into_response();
            };
            let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
            response.map(|body| Body::new(Counted { body, _permit: permit }))
        }
        Err(failure) => failure.into_response(),
    }
}

/// The answer to a call, which counts until it is sent.
struct Counted {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::bad_request(format!("Malformed request: {error}")))
}

/// What can't be read is refused by the engine, which says why.
fn of_statement(call: &StatementCall) -> Role {
    statement(&call.statement, &call.session).map_or(Role::Read, |parsed| guard::needed(&parsed.statement))
}

fn of_log_call(call: &LogCall) -> Role {
    match call {
        LogCall::Topics
        | LogCall::Summaries
        | LogCall::DescribeTopic(_)
        | LogCall::Partitions(_)
        | LogCall::Offsets(_)
        | LogCall::OffsetsOf(_)
        | LogCall::OffsetForTime { .. }
        | LogCall::Positions(_)
        | LogCall::Groups
        | LogCall::DescribeGroups(_)
        | LogCall::Warnings => Role::Read,
        LogCall::Sync => Role::Write,
        LogCall::DeleteGroup(group) if !is_internal_topic(group) => Role::Write,
        LogCall::CreateTopic(_)
        | LogCall::AlterTopic { .. }
        | LogCall::EmptyTopic(_)
        | LogCall::DeleteRecords { .. }
        | LogCall::DeleteTopic(_)
        | LogCall::DeleteGroup(_)
        | LogCall::AlterPositions { .. } => Role::Admin,
    }
}

/// Who writes to the engine's own topics, the command log among them, can do everything; so can who sets its queries' positions.
fn of_write(places: &[TopicPartition], groups: &[String]) -> Role {
    let own = places.iter().any(|place| is_internal_topic(&place.topic))
        || groups.iter().any(|group| is_internal_topic(group));
    if own { Role::Admin } else { Role::Write }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Session;

    #[test]
    fn calls_need_the_role_of_what_they_do() {
        let statement = |text: &str, variable: &str| {
            let mut session = Session::default();
            session.variables.insert("what".into(), variable.into());
            of_statement(&StatementCall { session, statement: text.into() })
        };
        assert_eq!(statement("SELECT * FROM s;", ""), Role::Read);
        assert_eq!(statement("${what} s;", "DROP STREAM"), Role::Admin, "what a variable makes of it counts");
        assert_eq!(statement("INSERT INTO s VALUES (1);", ""), Role::Write);
        assert_eq!(of_log_call(&LogCall::DeleteTopic("t".into())), Role::Admin);
        assert_eq!(of_log_call(&LogCall::Topics), Role::Read);
        let at = |topic: &str| [TopicPartition { topic: topic.into(), partition: 0 }];
        assert_eq!(of_write(&at("t"), &["g".into()]), Role::Write);
        assert_eq!(of_write(&at("_confluent-ksql-default__command_topic"), &[]), Role::Admin);
        assert_eq!(of_write(&at("t"), &["_confluent-ksql-default_query_Q".into()]), Role::Admin);
    }
}

//! The requests about statements: their shapes, and the blocking calls behind them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use bytes::Bytes;

use super::owner::Owner;
use super::wire::{self, Info, InsertCall, OwnerInfo, ReplyHead, ResetCall, StatementAnswer, StatementCall};
use super::{body, log_routes, rows, server_info};
use crate::engine::Reply;
use crate::error::Error;

/// The version that both sides must have.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn router(owner: Arc<Owner>) -> Router {
    routes().route(wire::INFO, get(info)).with_state(owner)
}

/// All but who it is, which a server on the network tells in its own way.
pub fn routes() -> Router<Arc<Owner>> {
    Router::new()
        .route(wire::NAMES, get(names))
        .route(wire::LAYOUTS, get(layouts))
        .route(wire::USERS, post(users))
        .route(wire::GROUPS, post(groups))
        .route(wire::RESET, post(reset))
        .route(wire::AWAIT, post(await_command))
        .route(wire::INSERT, post(insert))
        .route(wire::STATEMENT, post(statement))
        .route(wire::LOG, post(log_routes::call))
        .route(wire::FETCH, post(log_routes::fetch))
        .route(wire::APPEND, post(log_routes::append))
        .route(wire::COMMIT, post(log_routes::commit))
        .route(wire::WATCH, post(log_routes::watch))
        .layer(DefaultBodyLimit::max(wire::REQUEST_BYTES_MAX))
}

/// A request that this server can't answer; a client of the same version makes none.
pub fn refused(status: StatusCode, text: impl Into<String>) -> Response {
    (status, text.into()).into_response()
}

/// A request whose JSON isn't what it must be.
pub fn malformed(error: &serde_json::Error) -> Response {
    refused(StatusCode::BAD_REQUEST, error.to_string())
}

/// Runs a blocking call on a thread that may block. `Err`: it panicked.
pub async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(call).await.map_err(|error| Error::internal(format!("a call failed: {error}")))
}

async fn info(State(owner): State<Arc<Owner>>) -> Response {
    match blocking(move || info_of(&owner)).await {
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.what),
        Ok(info) => Json(info).into_response(),
    }
}

/// Who serves. May block.
pub fn info_of(owner: &Owner) -> Info {
    let holder = owner.holder.clone();
    let durability = owner.face.log().durability();
    Info {
        server: server_info(&holder),
        owner: OwnerInfo { version: VERSION.into(), pid: std::process::id(), durability, holder },
    }
}

async fn names(State(owner): State<Arc<Owner>>) -> Response {
    match blocking(move || owner.face.names()).await {
        Ok(names) => Json(names).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.what),
    }
}

async fn layouts(State(owner): State<Arc<Owner>>) -> Response {
    match blocking(move || owner.face.layouts()).await {
        Ok(layouts) => Json(layouts).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.what),
    }
}

async fn users(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    let topic: String = match serde_json::from_slice(&bytes) {
        Ok(topic) => topic,
        Err(error) => return malformed(&error),
    };
    match blocking(move || owner.face.topic_users(&topic)).await {
        Ok(Ok(users)) => Json(users).into_response(),
        Ok(Err(error)) | Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.what),
    }
}

async fn groups(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    match serde_json::from_slice::<Option<String>>(&bytes) {
        Ok(wanted) => outcome(move || owner.face.groups(wanted.as_deref())).await,
        Err(error) => malformed(&error),
    }
}

async fn reset(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    match serde_json::from_slice(&bytes) {
        Ok(ResetCall { group, positions, trial }) => {
            outcome(move || owner.face.reset_group(&group, &positions.into_iter().collect(), trial)).await
        }
        Err(error) => malformed(&error),
    }
}

async fn insert(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    match serde_json::from_slice(&bytes) {
        Ok(InsertCall { target, rows, properties }) => {
            match blocking(move || owner.face.insert(&target, &rows, &properties)).await {
                Ok(outcome) => Json(outcome).into_response(),
                Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.what),
            }
        }
        Err(error) => malformed(&error),
    }
}

async fn await_command(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    match serde_json::from_slice::<(i64, Duration)>(&bytes) {
        Ok((offset, longest)) => outcome(move || owner.face.await_command(offset, longest)).await,
        Err(error) => malformed(&error),
    }
}

/// What comes of a call, its error included.
async fn outcome<T: serde::Serialize + Send + 'static>(
    call: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Response {
    match blocking(call).await {
        Ok(outcome) => Json(outcome).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.what),
    }
}

async fn statement(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    let StatementCall { session, statement } = match serde_json::from_slice(&bytes) {
        Ok(call) => call,
        Err(error) => return malformed(&error),
    };
    let face = Arc::clone(&owner);
    // A statement that panics leaves the session as it was.
    let before = session.clone();
    let outcome = blocking(move || {
        let mut session = session;
        let reply = face.face.execute(&mut session, &statement);
        (session, reply)
    })
    .await;
    let (session, reply) = outcome.unwrap_or_else(|error| (before, Err(error)));
    let mut stream = None;
    let reply = match reply {
        Ok(Reply::Done(status)) => ReplyHead::Done(status),
        Ok(Reply::Facts(told)) => ReplyHead::Facts(told),
        Ok(Reply::Rows(mut rows)) => {
            let head = ReplyHead::Rows { columns: std::mem::take(&mut rows.columns), query_id: rows.query_id.clone() };
            stream = Some(rows);
            head
        }
        Err(error) => ReplyHead::Failed(error),
    };
    let mut line = match serde_json::to_vec(&StatementAnswer { session, reply }) {
        Ok(line) => line,
        Err(error) => return refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    line.push(b'\n');
    let body = match stream {
        None => Body::from(line),
        Some(stream) => {
            let (sender, body) = body::channel(wire::CHUNKS_MAX);
            tokio::task::spawn_blocking(move || rows::send(owner, stream, line.into(), sender));
            Body::new(body)
        }
    };
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

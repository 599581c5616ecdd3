//! POST /inserts-stream: rows for one stream or table, one a line, each acknowledged when it is in the log.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::access::Role;
use super::body;
use super::failure::Failure;
use super::format::DELIMITED;
use super::guard;
use super::limits::{CHUNKS_MAX, LINE_BYTES_MAX};
use super::request;
use super::state::{State, blocking};
use crate::engine::Session;

/// The first line.
#[derive(Debug, Deserialize)]
struct Head {
    target: String,
    #[serde(default)]
    properties: Option<std::collections::BTreeMap<String, Value>>,
}

pub async fn inserts(
    Shared(state): Shared<Arc<State>>,
    Extension(role): Extension<Role>,
    request: Request,
) -> Response {
    if let Err(failure) = guard::allow(role, Role::Write) {
        return failure.into_response();
    }
    let mut lines = Lines { body: request.into_body(), pending: BytesMut::new(), ended: false };
    let head = match lines.next().await {
        Ok(Some(line)) => line,
        Ok(None) => return Failure::bad_request("The first line must name the target").into_response(),
        Err(failure) => return failure.into_response(),
    };
    let head: Head = match serde_json::from_slice(&head) {
        Ok(head) => head,
        Err(error) => return Failure::bad_request(format!("Malformed first line: {error}")).into_response(),
    };
    let session = match request::session_of(head.properties.as_ref(), None) {
        Ok(session) => session,
        Err(failure) => return failure.into_response(),
    };
    let (sender, body) = body::channel(CHUNKS_MAX);
    tokio::spawn(take_rows(state, head.target, session, lines, sender));
    ([(header::CONTENT_TYPE, DELIMITED)], Body::new(body)).into_response()
}

/// Writes row by row, and acknowledges each. The first error ends it, as in ksqlDB: what is behind it isn't written.
async fn take_rows(state: Arc<State>, target: String, session: Session, mut lines: Lines, to: mpsc::Sender<Bytes>) {
    let target: Arc<str> = target.into();
    let properties = Arc::new(session.properties);
    let mut seq = 0u64;
    loop {
        let failure = match lines.next().await {
            Ok(None) => return,
            Err(failure) => failure,
            Ok(Some(line)) => {
                let (state, target, properties) = (state.clone(), target.clone(), properties.clone());
                let written = blocking(move || {
                    let row = std::str::from_utf8(&line).map_err(|_| Failure::bad_request("The row is not UTF-8"))?;
                    state.face.insert(&target, row, &properties).map_err(|error| Failure::of(&error))
                });
                match written.await.map_err(|error| Failure::of(&error)).and_then(|written| written) {
                    Ok(()) => {
                        if to.send(line_of(&json!({"status": "ok", "seq": seq}))).await.is_err() {
                            return;
                        }
                        seq += 1;
                        continue;
                    }
                    Err(failure) => failure,
                }
            }
        };
        let mut told = failure.body();
        told["status"] = json!("error");
        told["seq"] = json!(seq);
        let _ = to.send(line_of(&told)).await;
        return;
    }
}

fn line_of(value: &Value) -> Bytes {
    format!("{value}\n").into()
}

/// The lines of a body, as they come. Blank ones are left out.
struct Lines {
    body: Body,
    pending: BytesMut,
    ended: bool,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<BytesMut>, Failure> {
        loop {
            let end = memchr::memchr(b'\n', &self.pending);
            let line = match end {
                Some(end) => self.pending.split_to(end + 1),
                None if self.ended => self.pending.split(),
                None if self.pending.len() > LINE_BYTES_MAX => {
                    return Err(Failure::bad_request(format!("A line is longer than {LINE_BYTES_MAX} bytes")));
                }
                None => {
                    match self.body.frame().await {
                        Some(Ok(frame)) => {
                            if let Some(chunk) = frame.data_ref() {
                                self.pending.extend_from_slice(chunk);
                            }
                        }
                        Some(Err(error)) => {
                            return Err(Failure::bad_request(format!("The request broke off: {error}")));
                        }
                        None => self.ended = true,
                    }
                    continue;
                }
            };
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
            if self.ended && self.pending.is_empty() {
                return Ok(None);
            }
        }
    }
}

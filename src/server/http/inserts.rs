//! POST /inserts-stream: rows for one stream or table, one a line, each acknowledged when it is in the log. Those that have come
//! together are written together.

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
use super::failure::{Code, Failure};
use super::format::{DELIMITED, JSON, negotiate};
use super::guard;
use super::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, CHUNKS_MAX, LINE_BYTES_MAX};
use super::request;
use super::state::{State, blocking};
use crate::engine::{Rest, Session};

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
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let Some((content_type, form)) = negotiate(accept, &[(DELIMITED, Form::Lines), (JSON, Form::Array)]) else {
        let why = format!("None of the accepted content types can be given; there are {DELIMITED}, {JSON}");
        return Failure::new(Code::NotAcceptable, why).into_response();
    };
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
    let session = match request::session_of(&state.properties, head.properties.as_ref(), None) {
        Ok(session) => session,
        Err(failure) => return failure.into_response(),
    };
    let (sender, body) = body::channel(CHUNKS_MAX);
    let acks = Acks { form, to: sender, seq: 0 };
    tokio::spawn(take_rows(state, head.target, session, lines, acks));
    ([(header::CONTENT_TYPE, content_type)], Body::new(body)).into_response()
}

/// Writes the rows that are there together, and acknowledges each. The first error ends it, as in ksqlDB: what is behind it isn't
/// written.
async fn take_rows(state: Arc<State>, target: String, session: Session, mut lines: Lines, mut acks: Acks) {
    let target: Arc<str> = target.into();
    let properties = Arc::new(session.properties);
    loop {
        let (rows, mut ended) = lines.take_rows().await;
        if !rows.is_empty() {
            let (state, target, properties, count) = (state.clone(), target.clone(), properties.clone(), rows.len());
            let written = blocking(move || state.face.insert(&target, &rows, &properties)).await;
            let rest = written.unwrap_or_else(|error| Err(Rest { written: 0, error })).err();
            if !acks.ok(rest.as_ref().map_or(count, |rest| rest.written)).await {
                return;
            }
            if let Some(rest) = rest {
                ended = Some(Err(Failure::of(&rest.error)));
            }
        }
        match ended {
            None => {}
            Some(Ok(())) => return acks.end().await,
            Some(Err(failure)) => {
                acks.failed(&failure).await;
                return acks.end().await;
            }
        }
    }
}

/// How acknowledgements go to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One a line.
    Lines,
    /// An array.
    Array,
}

/// The acknowledgements.
struct Acks {
    form: Form,
    to: mpsc::Sender<Bytes>,
    /// Of the next row.
    seq: usize,
}

impl Acks {
    /// Of the next rows; false: the client is gone.
    async fn ok(&mut self, count: usize) -> bool {
        let mut text = String::new();
        for _ in 0..count {
            self.put(&json!({"status": "ok", "seq": self.seq}), &mut text);
            self.seq += 1;
        }
        text.is_empty() || self.to.send(text.into()).await.is_ok()
    }

    /// Of the row that isn't written.
    async fn failed(&mut self, failure: &Failure) {
        let mut told = failure.body();
        told["status"] = json!("error");
        told["seq"] = json!(self.seq);
        let mut text = String::new();
        self.put(&told, &mut text);
        self.seq += 1;
        let _ = self.to.send(text.into()).await;
    }

    fn put(&self, told: &Value, text: &mut String) {
        match (self.form, self.seq) {
            (Form::Lines, _) => text.push_str(&format!("{told}\n")),
            (Form::Array, 0) => text.push_str(&format!("[{told}")),
            (Form::Array, _) => text.push_str(&format!(",\n{told}")),
        }
    }

    async fn end(self) {
        let text = match (self.form, self.seq) {
            (Form::Lines, _) => return,
            (Form::Array, 0) => "[]\n",
            (Form::Array, _) => "]\n",
        };
        let _ = self.to.send(Bytes::from_static(text.as_bytes())).await;
    }
}

/// The lines of a body, as they come. Blank ones are left out.
struct Lines {
    body: Body,
    pending: BytesMut,
    ended: bool,
}

impl Lines {
    /// The rows that are there, at least one unless it has ended; Some: that is all, or it can't go on.
    async fn take_rows(&mut self) -> (Vec<String>, Option<Result<(), Failure>>) {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        loop {
            match self.next().await {
                Ok(None) => return (rows, Some(Ok(()))),
                Err(failure) => return (rows, Some(Err(failure))),
                Ok(Some(line)) => match String::from_utf8(line.to_vec()) {
                    Ok(row) => {
                        bytes += row.len();
                        rows.push(row);
                    }
                    Err(_) => return (rows, Some(Err(Failure::bad_request("The row is not UTF-8")))),
                },
            }
            let another_is_there = memchr::memchr(b'\n', &self.pending).is_some();
            if !another_is_there || rows.len() >= BATCH_ROWS_MAX || bytes >= BATCH_BYTES_MAX {
                return (rows, None);
            }
        }
    }

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

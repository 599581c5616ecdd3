//! POST /query and /query-stream: SELECT and PRINT, their rows as they come. POST /close-query.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::Sender;

use super::body;
use super::failure::{Code, Failure};
use super::format::{DELIMITED, JSON, KSQL_JSON, RowFormat, negotiate};
use super::limits::{CHUNK_BYTES, CHUNKS_MAX, SINGLE_ROWS_BYTES_MAX};
use super::payload::Payload;
use super::request::{self, Request};
use super::state::{Registered, State, blocking};
use crate::engine::shown::text_of;
use crate::engine::{Reply, RowEvent, RowStream};
use crate::error::Error;
use crate::sql::ast::{ParsedStatement, Statement};

/// Of /query; the first where Accept says nothing.
const OF_QUERY: &[(&str, RowFormat)] =
    &[(KSQL_JSON, RowFormat::Objects), (JSON, RowFormat::Objects), (DELIMITED, RowFormat::Delimited)];
/// Of /query-stream.
const OF_QUERY_STREAM: &[(&str, RowFormat)] =
    &[(DELIMITED, RowFormat::Delimited), (JSON, RowFormat::Array), (KSQL_JSON, RowFormat::Objects)];

pub async fn query(state: extract::State<Arc<State>>, headers: HeaderMap, Payload(body): Payload) -> Response {
    answer(state, &headers, body, OF_QUERY, Sent::AsFits).await
}

pub async fn query_stream(state: extract::State<Arc<State>>, headers: HeaderMap, Payload(body): Payload) -> Response {
    answer(state, &headers, body, OF_QUERY_STREAM, Sent::InChunks).await
}

/// How the body of an answer goes over HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Whole, with its length, when it is small.
    AsFits,
    /// Always in chunks, as ksqlDB does: there are clients of /query-stream that read nothing else.
    InChunks,
}

async fn answer(
    extract::State(state): extract::State<Arc<State>>,
    headers: &HeaderMap,
    body: Bytes,
    offered: &[(&'static str, RowFormat)],
    sent: Sent,
) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let Some((content_type, format)) = negotiate(accept, offered) else {
        let known: Vec<&str> = offered.iter().map(|(name, _)| *name).collect();
        let why = format!("None of the accepted content types can be given; there are {}", known.join(", "));
        return Failure::new(Code::NotAcceptable, why).into_response();
    };
    let call = move || begin(&state, &body, format);
    let begun = match blocking(call).await {
        Ok(Ok(begun)) => begun,
        Ok(Err(failure)) => return failure.into_response(),
        Err(error) => return Failure::of(&error).into_response(),
    };
    let content_type = if begun.is_print { "text/plain; charset=utf-8" } else { content_type };
    let body = match begun.rest {
        None if sent == Sent::AsFits => Body::from(begun.first),
        None => Body::new(body::whole(begun.first.into())),
        Some(rest) => {
            let (sender, body) = body::channel(CHUNKS_MAX);
            if let Some(registered) = &rest.registered {
                // The client goes away, or the rows end.
                let running = registered.running.clone();
                let sender = sender.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = sender.closed() => running.end(),
                        () = running.over.notified() => {}
                    }
                });
            }
            tokio::task::spawn_blocking(move || rest.pump(begun.first.into(), &sender));
            Body::new(body)
        }
    };
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// A query whose rows have begun to come.
struct Begun {
    /// The header, and the rows that were there.
    first: String,
    /// None: that was all.
    rest: Option<Rest>,
    is_print: bool,
}

/// The rows that are yet to come.
struct Rest {
    stream: RowStream,
    format: RowFormat,
    /// Of a query that has no end by itself.
    registered: Option<Registered>,
}

/// Runs the statement, which must be a query.
pub fn run(state: &State, request: &Request) -> Result<(RowStream, ParsedStatement), Failure> {
    let mut session = request.session()?;
    state.await_command(request.command_sequence_number)?;
    let parsed = request::statement(&request.ksql, &session)?;
    if !matches!(parsed.statement, Statement::Select(_) | Statement::Print { .. }) {
        let why = "Only SELECT and PRINT give rows; all other statements are for /ksql";
        return Err(Failure::new(Code::BadStatement, why).about(&parsed.text));
    }
    match state.face.execute(&mut session, &parsed.text) {
        Ok(Reply::Rows(stream)) => Ok((stream, parsed)),
        Ok(_) => Err(Failure::of(&Error::internal("a query gave no rows"))),
        Err(error) => Err(Failure::of_statement(&error, &parsed.text)),
    }
}

/// Lists a query that has no end by itself, so that it can be ended.
pub fn register(
    state: &Arc<State>,
    stream: &mut RowStream,
    parsed: &ParsedStatement,
) -> Result<Option<Registered>, Failure> {
    match (&stream.query_id, &parsed.statement) {
        (Some(id), _) => state.register(id, stream.on_drop.take()).map(Some),
        (None, Statement::Print { .. }) => {
            let id = format!("print_{}", uuid::Uuid::new_v4());
            state.register(&id, stream.on_drop.take()).map(Some)
        }
        (None, _) => Ok(None),
    }
}

fn begin(state: &Arc<State>, body: &Bytes, format: RowFormat) -> Result<Begun, Failure> {
    let request = Request::read(body)?;
    let (mut stream, parsed) = run(state, &request)?;
    let is_print = matches!(parsed.statement, Statement::Print { .. });
    let format = match is_print {
        true => RowFormat::Lines,
        // Rows that come of a query that runs, of a stream's too which ends by itself; those of a table are there.
        false if stream.query_id.is_some() || stream.on_drop.is_some() => format.of_push(),
        false => format,
    };
    let registered = register(state, &mut stream, &parsed)?;
    let mut first = String::new();
    format.header(&stream.columns, stream.query_id.as_deref(), &mut first);
    let rest = Rest { stream, format, registered };
    if rest.registered.is_none() {
        // A pull query's rows are there, or soon: a small answer goes out whole.
        while first.len() < CHUNK_BYTES {
            let event = rest.stream.events.recv().ok();
            if rest.take(event, &mut first) == Progress::Over {
                return Ok(Begun { first, rest: None, is_print });
            }
        }
    }
    Ok(Begun { first, rest: Some(rest), is_print })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    More,
    Over,
}

impl Rest {
    /// Sends the rows until they end or the client is gone.
    fn pump(self, first: Bytes, to: &Sender<Bytes>) {
        let mut ready = to.blocking_send(first).is_ok();
        while ready {
            let mut chunk = String::new();
            let mut event = self.stream.events.recv().ok();
            loop {
                if self.take(event, &mut chunk) == Progress::Over {
                    send(chunk, to);
                    return;
                }
                if chunk.len() >= CHUNK_BYTES {
                    break;
                }
                match self.stream.events.try_recv() {
                    Ok(next) => event = Some(next),
                    Err(_) => break,
                }
            }
            ready = send(chunk, to);
        }
    }

    /// Writes what came; None: nothing will.
    fn take(&self, event: Option<RowEvent>, out: &mut String) -> Progress {
        match event {
            Some(RowEvent::Rows(rows)) => rows.iter().for_each(|row| self.format.row(row, out)),
            // Of PRINT, whose form is lines.
            Some(RowEvent::Line(line)) => {
                out.push_str(&text_of(&line).unwrap_or(line));
                out.push('\n');
            }
            // What is bad is no row of the answer.
            Some(RowEvent::Warning(_)) => {}
            Some(RowEvent::End(message)) => {
                self.format.end(&message, out);
                return Progress::Over;
            }
            Some(RowEvent::Failed(error)) => {
                self.format.failure(&Failure::of(&error), out);
                return Progress::Over;
            }
            // It was ended: by /close-query, or because the server stops.
            None => {
                self.format.end("Query Terminated", out);
                return Progress::Over;
            }
        }
        Progress::More
    }
}

/// Sends rows; false: the client is gone. A few go each by itself: there are clients that take what comes at once for one row.
fn send(rows: String, to: &Sender<Bytes>) -> bool {
    let rows = Bytes::from(rows);
    if rows.len() > SINGLE_ROWS_BYTES_MAX {
        return to.blocking_send(rows).is_ok();
    }
    let mut begin = 0;
    for end in memchr::memchr_iter(b'\n', &rows).map(|end| end + 1).chain([rows.len()]) {
        if begin < end && to.blocking_send(rows.slice(begin..end)).is_err() {
            return false;
        }
        begin = end;
    }
    true
}

#[derive(Debug, Deserialize)]
struct Close {
    #[serde(rename = "queryId")]
    query_id: String,
}

pub async fn close(extract::State(state): extract::State<Arc<State>>, Payload(body): Payload) -> Response {
    match serde_json::from_slice::<Close>(&body) {
        Err(error) => Failure::bad_request(format!("Malformed request: {error}")).into_response(),
        Ok(Close { query_id }) if state.close(&query_id) => Json(json!({})).into_response(),
        Ok(Close { query_id }) => Failure::bad_request(format!("No query with id {query_id}")).into_response(),
    }
}

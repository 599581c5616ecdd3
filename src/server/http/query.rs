//! POST /query and /query-stream: SELECT and PRINT, their rows as they come. POST /close-query.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{self, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Version, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::json;

use super::admission::Admitted;
use super::body;
use super::cut::Cut;
use super::failure::{Code, Failure};
use super::format::{DELIMITED, JSON, KSQL_JSON, RowFormat, negotiate};
use super::limits::{AT_ONCE_BYTES_MAX, CHUNK_BYTES};
use super::payload::Payload;
use super::request::{self, Request};
use super::rows::{Progress, Rest, RowsBody};
use super::state::{Registered, State, blocking};
use crate::engine::{Reply, RowStream};
use crate::error::Error;
use crate::sql::ast::{ParsedStatement, Statement};
use crate::time::now;

/// Of /query; the first where Accept says nothing.
const OF_QUERY: &[(&str, RowFormat)] =
    &[(KSQL_JSON, RowFormat::Objects), (JSON, RowFormat::Objects), (DELIMITED, RowFormat::Delimited)];
/// Of /query-stream.
const OF_QUERY_STREAM: &[(&str, RowFormat)] =
    &[(DELIMITED, RowFormat::Delimited), (JSON, RowFormat::Array), (KSQL_JSON, RowFormat::Objects)];

pub async fn query(state: extract::State<Arc<State>>, client: Client, Payload(body): Payload) -> Response {
    answer(state, client, body, OF_QUERY, Sent::AsFits).await
}

pub async fn query_stream(state: extract::State<Arc<State>>, client: Client, Payload(body): Payload) -> Response {
    answer(state, client, body, OF_QUERY_STREAM, Sent::InChunks).await
}

/// What a request tells of its client.
pub struct Client {
    accept: Option<String>,
    version: Version,
    cut: Cut,
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Client, Infallible> {
        let accept = parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let cut = parts.extensions.get::<Cut>().cloned().unwrap_or_default();
        Ok(Client { accept: accept.map(str::to_owned), version: parts.version, cut })
    }
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
    client: Client,
    body: Bytes,
    offered: &[(&'static str, RowFormat)],
    sent: Sent,
) -> Response {
    let Some((content_type, format)) = negotiate(client.accept.as_deref(), offered) else {
        let known: Vec<&str> = offered.iter().map(|(name, _)| *name).collect();
        let why = format!("None of the accepted content types can be given; there are {}", known.join(", "));
        return Failure::new(Code::NotAcceptable, why).into_response();
    };
    let asked = now();
    let begun = match at_once(&state, &body, format) {
        Some(Ok(begun)) => begun,
        Some(Err(failure)) => return failure.into_response(),
        None => {
            let state = state.clone();
            match blocking(move || begin(&state, &body, format)).await {
                Ok(Ok(begun)) => begun,
                Ok(Err(failure)) => return failure.into_response(),
                Err(error) => return Failure::of(&error).into_response(),
            }
        }
    };
    if begun.is_pull {
        state.metrics.pulls.observe(asked.elapsed().as_secs_f64());
    }
    let content_type = if begun.is_print { "text/plain; charset=utf-8" } else { content_type };
    let body = match begun.rest {
        None if sent == Sent::AsFits => Body::from(begun.first),
        None => Body::new(body::whole(begun.first.into())),
        Some(rest) => {
            let body = RowsBody::new(begun.first, rest);
            // On HTTP/2 others go over the connection, too.
            body.give_up_slow(&state, Some(client.cut).filter(|_| client.version < Version::HTTP_2));
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
    is_pull: bool,
}

/// Runs the statement, which must be a query.
pub fn run(state: &State, request: &Request) -> Result<(RowStream, ParsedStatement, Option<Admitted>), Failure> {
    let mut session = request.session(&state.properties)?;
    state.await_command(request.command_sequence_number)?;
    let parsed = request::statement(&request.ksql, &session)?;
    if !matches!(parsed.statement, Statement::Select(_) | Statement::Print { .. }) {
        let why = "Only SELECT and PRINT give rows; all other statements are for /ksql";
        return Err(Failure::new(Code::BadStatement, why).about(&parsed.text));
    }
    let is_pull = matches!(&parsed.statement, Statement::Select(query) if query.emit.is_none());
    let admitted = if is_pull { Some(state.pulls.admit()?) } else { None };
    match state.face.execute(&mut session, &parsed.text) {
        Ok(Reply::Rows(stream)) => Ok((stream, parsed, admitted)),
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

/// What a pull query of a few keys gives, where nothing has to be waited for: it needs no thread of its own. None: it is another
/// request, or wrong.
fn at_once(state: &State, body: &Bytes, format: RowFormat) -> Option<Result<Begun, Failure>> {
    if body.len() > AT_ONCE_BYTES_MAX {
        return None;
    }
    let request = Request::read(body).ok()?;
    if request.command_sequence_number.is_some_and(|number| number >= 0) {
        return None;
    }
    let session = request.session(&state.properties).ok()?;
    let parsed = request::statement(&request.ksql, &session).ok()?;
    let stream = state.face.pull_at_once(&session, &parsed)?;
    let admitted = match state.pulls.admit() {
        Ok(admitted) => admitted,
        Err(failure) => return Some(Err(failure)),
    };
    let rest = Rest { stream, format, registered: None, _admitted: Some(admitted) };
    let mut first = String::new();
    format.header(&rest.stream.columns, None, &mut first);
    while rest.take(rest.stream.events.try_recv().ok(), &mut first) == Progress::More {}
    Some(Ok(Begun { first, rest: None, is_print: false, is_pull: true }))
}

fn begin(state: &Arc<State>, body: &Bytes, format: RowFormat) -> Result<Begun, Failure> {
    let request = Request::read(body)?;
    let (mut stream, parsed, admitted) = run(state, &request)?;
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
    let rest = Rest { stream, format, registered, _admitted: admitted };
    if rest.registered.is_none() {
        // A pull query's rows are there, or soon: a small answer goes out whole.
        while first.len() < CHUNK_BYTES {
            let event = rest.stream.events.recv().ok();
            if rest.take(event, &mut first) == Progress::Over {
                return Ok(Begun { first, rest: None, is_print, is_pull: true });
            }
        }
    }
    let is_pull = rest.registered.is_none();
    Ok(Begun { first, rest: Some(rest), is_print, is_pull })
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

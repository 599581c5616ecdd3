//! An engine behind a server as the subject of tests: each statement is a request over HTTP to a port of this machine, and what
//! is judged is the JSON that comes back.

use crate::error::Audience;
use crate::messages;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;

use super::answer::{Answer, Came, RowSource, Rows};
use super::engine_subject::EngineSubject;
use super::json::Json;
use super::schema::types_of;
use super::subject::{ExchangeLayout, SourceSummary, Subject, TopicLayout};
use crate::config::QueryLimits;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::server::Holder;
use crate::server::client::{Address, CallError, Client, Place, Streaming};
use crate::server::http::{HttpOptions, HttpServer, PeerOptions, SLOW_CLIENT_MAX, serve};
use crate::sql;
use crate::sql::ast::Statement;

/// An engine in memory, and a server of its own at a port that is free.
pub struct HttpSubject {
    client: Arc<Client>,
    /// Of each request.
    properties: serde_json::Map<String, serde_json::Value>,
    _server: HttpServer,
    engine: EngineSubject,
}

impl HttpSubject {
    /// `properties` go with each request; caching is off whatever they say.
    ///
    /// Errors: no port can be listened on.
    pub fn new(properties: &BTreeMap<String, String>) -> Result<Self> {
        let engine = EngineSubject::new(properties)?;
        let options = HttpOptions {
            peers: PeerOptions::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            access: None,
            tls: None,
            origins: Vec::new(),
            allow_anyone: false,
            properties: BTreeMap::new(),
            queries: QueryLimits::default(),
            log_requests: false,
            slow_client_max: SLOW_CLIENT_MAX,
        };
        let holder = Holder { belonging: engine.engine().belonging(), works: true };
        let server = serve(Arc::new(engine.engine().clone()), holder, &options)?;
        let place = Place::Server(Address::new(&server.address().to_string(), None, None)?);
        let client = Client::new(place).map_err(|cause| Error::world(format!("cannot start a client: {cause}")))?;
        // The API begins at the end; tests begin where an engine does.
        let mut sent = serde_json::Map::from_iter([("auto.offset.reset".to_owned(), "earliest".into())]);
        sent.extend(engine.properties().iter().map(|(name, value)| (name.clone(), value.clone().into())));
        Ok(HttpSubject { client: Arc::new(client), properties: sent, _server: server, engine })
    }

    /// Sends a statement: queries to /query, those without an end to /query-stream, all else to /ksql.
    fn request(&self, statement: &str) -> Result<(StatusCode, Streaming)> {
        let parsed = sql::parse(statement).ok().and_then(|mut parsed| parsed.pop());
        let path = match parsed.map(|parsed| parsed.statement) {
            Some(Statement::Select(query)) if query.emit.is_some() => "/query-stream",
            Some(Statement::Select(_)) => "/query",
            _ => "/ksql",
        };
        // A request to /ksql may have several statements: each ends in a semicolon.
        let text = if statement.trim_end().ends_with(';') { statement.to_owned() } else { format!("{statement};") };
        let (text_name, properties_name) =
            if path == "/query-stream" { ("sql", "properties") } else { ("ksql", "streamsProperties") };
        let body = serde_json::json!({text_name: text, properties_name: self.properties}).to_string();
        let connector = Arc::clone(&self.client.connector);
        let accept = "application/vnd.ksql.v1+json";
        let asked = self.client.wait(async move { connector.open_as(path, body.into(), Some(accept)).await });
        asked.map_err(|error| Error::internal(error.to_string()))
    }

    fn whole(&self, answer: Streaming) -> Result<Json> {
        let bytes = self.client.wait(answer.whole()).map_err(|error| Error::internal(error.to_string()))?;
        json(&String::from_utf8_lossy(&bytes))
    }
}

fn json(text: &str) -> Result<Json> {
    Json::parse(text.trim()).map_err(|error| Error::internal(format!("the answer is no JSON: {error}: {text}")))
}

/// The error that a body tells. What a server says of itself must be right: the code is one of the status.
fn failure(status: Option<StatusCode>, body: &Json) -> Error {
    let code = body.get("error_code").and_then(Json::as_i64);
    let kind = body.get("@type").and_then(Json::as_str);
    let message = body.get("message").and_then(Json::as_str);
    let (Some(code), Some(message), Some("generic_error" | "statement_error")) = (code, message, kind) else {
        return Error::internal(format!("an error that isn't one of the API: {body}"));
    };
    if status.is_some_and(|status| code / 100 != i64::from(status.as_u16())) {
        return Error::internal(format!("status {status:?} with error code {code}: {message}"));
    }
    if kind == Some("statement_error") && body.get("statementText").and_then(Json::as_str).is_none() {
        return Error::internal(format!("an error of a statement without its text: {body}"));
    }
    match code / 10_000 {
        // A client can't tell this from another mistake but by the words.
        4 if message.contains("is not supported") => messages::relayed(Audience::NotSupported, message),
        4 => messages::relayed(Audience::Statement, message),
        _ => Error::internal(message),
    }
}

impl Subject for HttpSubject {
    fn execute(&mut self, statement: &str) -> Result<Answer> {
        let (status, answer) = self.request(statement)?;
        if status != StatusCode::OK {
            return Err(failure(Some(status), &self.whole(answer)?));
        }
        let mut lines =
            Lines { client: Arc::clone(&self.client), answer: Some(answer), pending: String::new(), closed: false };
        let first = lines.first()?;
        match first.get("header") {
            Some(header) => {
                let schema = header.get("schema").and_then(Json::as_str).unwrap_or_default().to_owned();
                let has_id = header.get("queryId").is_some();
                let types = types_of(&schema)?;
                Ok(Answer::Rows(Rows::new(schema, types, has_id, Box::new(lines))))
            }
            None => match first {
                Json::Array(entities) => Ok(Answer::Entities(entities)),
                other => Err(Error::internal(format!("neither entities nor rows: {other}"))),
            },
        }
    }

    fn log(&self) -> Arc<dyn Log> {
        self.engine.log()
    }

    fn settle(&mut self) -> Result<()> {
        self.engine.settle()
    }

    fn source(&self, name: &str) -> Option<SourceSummary> {
        self.engine.source(name)
    }

    fn layouts(&self, topic: &str) -> Option<TopicLayout> {
        self.engine.layouts(topic)
    }

    fn exchanges(&self) -> Vec<ExchangeLayout> {
        self.engine.exchanges()
    }
}

/// The elements of an array that comes bit by bit, one a line: `[{"header": ...},`, `{"row": ...},`, ..., `]`.
struct Lines {
    client: Arc<Client>,
    /// None: it is over.
    answer: Option<Streaming>,
    /// What came of the next line.
    pending: String,
    /// The array's last element came.
    closed: bool,
}

/// A line of an answer.
enum Line {
    Text(String),
    Nothing,
    Over,
}

impl Lines {
    /// The header of rows; of an answer that is none, all of it.
    fn first(&mut self) -> Result<Json> {
        let far = crate::time::now() + super::responses::ROWS_WAIT;
        match self.line(far)? {
            // What begins an array of objects isn't closed yet.
            Line::Text(text) if text.starts_with("[{\"header\"") => {
                self.closed = text.trim_end().ends_with("}]");
                json(text.trim_start_matches('[').trim_end().trim_end_matches([',', ']']))
            }
            Line::Text(text) => json(&text),
            Line::Nothing => Err(Error::internal("no answer in time")),
            Line::Over => Err(Error::internal("the answer is empty")),
        }
    }

    fn line(&mut self, until: Instant) -> Result<Line> {
        loop {
            if let Some(end) = self.pending.find('\n') {
                let rest = self.pending.split_off(end + 1);
                return Ok(Line::Text(std::mem::replace(&mut self.pending, rest)));
            }
            let Some(mut answer) = self.answer.take() else {
                return Ok(match self.pending.is_empty() {
                    true => Line::Over,
                    false => Line::Text(std::mem::take(&mut self.pending)),
                });
            };
            let left = until.saturating_duration_since(crate::time::now());
            let waited = self.client.wait(async move {
                let chunk = tokio::time::timeout(left, answer.next()).await;
                Ok::<_, CallError>((answer, chunk))
            });
            let (answer, chunk) = waited.map_err(|error| Error::internal(error.to_string()))?;
            match chunk {
                Err(_) => {
                    self.answer = Some(answer);
                    return Ok(Line::Nothing);
                }
                Ok(None) => {}
                Ok(Some(Err(error))) => return Err(Error::internal(error.to_string())),
                Ok(Some(Ok(bytes))) => {
                    self.pending.push_str(&String::from_utf8_lossy(&bytes));
                    self.answer = Some(answer);
                }
            }
        }
    }
}

impl RowSource for Lines {
    fn next(&mut self, until: Instant) -> Came {
        if self.closed {
            return Came::End(None);
        }
        let text = match self.line(until) {
            Ok(Line::Text(text)) => text,
            Ok(Line::Nothing) => return Came::Nothing,
            Ok(Line::Over) => return Came::Failed(Error::internal("the array of rows isn't closed")),
            Err(error) => return Came::Failed(error),
        };
        let text = text.trim().trim_end_matches(',');
        self.closed = text.ends_with("}]") || text == "]";
        let element = if text.ends_with("}]") { &text[..text.len() - 1] } else { text };
        if matches!(element, "]" | "") {
            return if element.is_empty() { self.next(until) } else { Came::End(None) };
        }
        let element = match json(element) {
            Ok(element) => element,
            Err(error) => return Came::Failed(error),
        };
        if let Some(row) = element.get("row") {
            let Some(columns) = row.get("columns").and_then(Json::as_array) else {
                return Came::Failed(Error::internal(format!("a row without columns: {row}")));
            };
            return Came::Row { columns: columns.to_vec(), tombstone: row.get("tombstone") == Some(&Json::Bool(true)) };
        }
        match (element.get("finalMessage"), element.get("errorMessage")) {
            (Some(message), _) => Came::End(Some(message.plain())),
            (_, Some(error)) => Came::Failed(failure(None, error)),
            _ => Came::Failed(Error::internal(format!("an element that is neither row nor end: {element}"))),
        }
    }
}

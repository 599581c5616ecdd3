//! The answer to a statement, whoever gave it: the engine in this process, or a server over HTTP.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use super::json::Json;
use super::responses::value_json;
use crate::engine::{Reply, Row, RowEvent, RowStream};
use crate::error::Error;
use crate::types::{SqlType, Value};

/// What a statement was answered with.
pub enum Answer {
    /// By the engine, to anything but a query.
    Reply(Reply),
    /// By a server: the entities of the statement, as JSON.
    Entities(Vec<Json>),
    /// To a query.
    Rows(Rows),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Rows(stream) => Answer::Rows(Rows::of_stream(stream)),
            reply => Answer::Reply(reply),
        }
    }
}

/// The rows of a query.
pub struct Rows {
    /// `` `K` STRING KEY, `V` INTEGER ``
    pub schema: String,
    /// Of the columns, where they are known.
    pub types: Vec<SqlType>,
    /// A push query has an id.
    pub has_id: bool,
    source: Box<dyn RowSource>,
}

/// What comes from a query.
pub enum Came {
    Row {
        columns: Vec<Json>,
        tombstone: bool,
    },
    /// With the final message, where there is one.
    End(Option<String>),
    Failed(Error),
    /// Nothing in time.
    Nothing,
}

/// Where rows come from.
pub trait RowSource {
    /// What comes next, waited for until then.
    fn next(&mut self, until: Instant) -> Came;
}

impl Rows {
    pub fn new(schema: String, types: Vec<SqlType>, has_id: bool, source: Box<dyn RowSource>) -> Self {
        Rows { schema, types, has_id, source }
    }

    fn of_stream(stream: RowStream) -> Self {
        let columns: Vec<_> = stream.columns.iter().map(|column| format!("`{}` {}", column.name, column.ty)).collect();
        Rows {
            schema: columns.join(", "),
            types: stream.columns.iter().map(|column| column.ty.clone()).collect(),
            has_id: stream.query_id.is_some(),
            source: Box::new(Streamed { stream, rows: Vec::new().into_iter() }),
        }
    }

    pub fn next(&mut self, until: Instant) -> Came {
        self.source.next(until)
    }
}

/// Rows of an engine in this process.
struct Streamed {
    stream: RowStream,
    /// That came and weren't taken yet.
    rows: std::vec::IntoIter<Row>,
}

impl RowSource for Streamed {
    fn next(&mut self, until: Instant) -> Came {
        loop {
            if let Some(row) = self.rows.next() {
                let columns = row.values.iter().map(value_json).collect();
                return Came::Row { columns, tombstone: row.tombstone };
            }
            match self.stream.events.recv_timeout(until.saturating_duration_since(crate::time::now())) {
                Ok(RowEvent::Rows(rows)) => self.rows = rows.into_iter(),
                Ok(RowEvent::Line(line)) => {
                    return Came::Row { columns: vec![value_json(&Value::String(line))], tombstone: false };
                }
                // What is bad is no row of the answer.
                Ok(RowEvent::Warning(_)) => {}
                Ok(RowEvent::End(message)) => return Came::End(Some(message)),
                Ok(RowEvent::Failed(error)) => return Came::Failed(error),
                Err(RecvTimeoutError::Timeout) => return Came::Nothing,
                Err(RecvTimeoutError::Disconnected) => return Came::End(None),
            }
        }
    }
}

//! The rows of a query as the body of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Body, Frame};

use super::admission::Admitted;
use super::cut::{Cut, give_up_slow};
use super::failure::Failure;
use super::format::RowFormat;
use super::limits::{CHUNK_BYTES, SINGLE_ROWS_BYTES_MAX};
use super::state::{Registered, State};
use crate::engine::shown::text_of;
use crate::engine::{RowEvent, RowStream};

/// The rows that are yet to come.
pub struct Rest {
    pub stream: RowStream,
    pub format: RowFormat,
    /// Of a query that has no end by itself.
    pub registered: Option<Registered>,
    /// Of a pull query.
    pub _admitted: Option<Admitted>,
}

/// Whether there are more rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    More,
    Over,
}

impl Rest {
    /// Writes what came; None: nothing will.
    pub fn take(&self, event: Option<RowEvent>, out: &mut String) -> Progress {
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

/// Gives the connection what is there whenever it asks. Nothing is made ahead: while a client is slow its rows wait in the
/// bounded channel of its query, and no thread waits with them. Dropped, since the client is gone, it ends the query.
pub struct RowsBody {
    chunk: Chunk,
    /// None: the chunk is the last.
    rest: Option<Rest>,
    /// As long as it is there.
    alive: Arc<()>,
}

impl RowsBody {
    /// `first`: what there is to send already.
    pub fn new(first: String, rest: Rest) -> RowsBody {
        RowsBody { chunk: Chunk::whole(first), rest: Some(rest), alive: Arc::default() }
    }

    /// The client of a push query is given up when it is slow, and its connection `cut` off. None: that is others', too.
    pub fn give_up_slow(&self, state: &State, cut: Option<Cut>) {
        if let Some(rest) = self.rest.as_ref().filter(|rest| rest.registered.is_some()) {
            give_up_slow(&rest.stream.events, state, cut, &self.alive);
        }
    }

    /// What there is of rows now, up to about so many bytes.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Chunk> {
        let mut text = String::new();
        while let Some(rest) = &self.rest
            && text.len() < CHUNK_BYTES
        {
            match rest.stream.events.poll_recv(context) {
                Poll::Ready(event) => {
                    if rest.take(event, &mut text) == Progress::Over {
                        self.rest = None;
                    }
                }
                Poll::Pending if text.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Chunk::of_rows(text))
    }
}

impl Body for RowsBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(bytes) = self.chunk.next() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if self.rest.is_none() {
                return Poll::Ready(None);
            }
            self.chunk = ready!(self.poll_chunk(context));
        }
    }
}

/// Rows that are ready together, and go in one write. A few are a frame each all the same: there are clients that take a chunk
/// for one row.
struct Chunk {
    left: Bytes,
    by_line: bool,
}

impl Chunk {
    fn whole(text: String) -> Chunk {
        Chunk { left: text.into(), by_line: false }
    }

    fn of_rows(text: String) -> Chunk {
        Chunk { by_line: text.len() <= SINGLE_ROWS_BYTES_MAX, left: text.into() }
    }
}

impl Iterator for Chunk {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let line = if self.by_line { memchr::memchr(b'\n', &self.left) } else { None };
        let end = line.map_or(self.left.len(), |at| at + 1);
        Some(self.left.split_to(end)).filter(|bytes| !bytes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::{Row, event_channel};
    use crate::types::Value;

    #[test]
    fn a_few_rows_go_each_by_itself_and_many_together() {
        let chunks = |text: &str| Chunk::of_rows(text.to_owned()).collect::<Vec<_>>();
        assert_eq!(chunks("[1]\n[2]\n"), ["[1]\n", "[2]\n"]);
        assert_eq!(chunks("[1]\n]"), ["[1]\n", "]"]);
        assert!(chunks("").is_empty());
        let many = "[1]\n".repeat(SINGLE_ROWS_BYTES_MAX);
        assert_eq!(chunks(&many), [many]);
    }

    /// What a client has that begins to read when it was given up.
    #[tokio::test]
    async fn a_client_that_was_given_up_has_the_rows_that_waited_and_then_the_reason() {
        let (sender, events) = event_channel(2, usize::MAX);
        let stream = RowStream { columns: Vec::new(), query_id: None, events, on_drop: None };
        stream.events.give_up_after(Duration::ZERO, || ());
        let row = |number| RowEvent::Rows(vec![Row { values: vec![Value::Int(number)], tombstone: false }]);
        assert!(sender.send(row(1)).is_ok() && sender.send(row(2)).is_ok() && sender.send(row(3)).is_err());
        let rest = Rest { stream, format: RowFormat::Delimited, registered: None, _admitted: None };
        let body = RowsBody::new("{}\n".to_owned(), rest);
        let text = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        let lines: Vec<serde_json::Value> =
            std::str::from_utf8(&text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[..3], [serde_json::json!({}), serde_json::json!([1]), serde_json::json!([2])]);
        assert_eq!(lines[3]["error_code"], 50000);
        assert_eq!(lines[3]["message"], "The query was ended: its reader took none of its rows for 0 s");
        assert_eq!(lines.len(), 4);
    }
}

//! Whom a query's rows are for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::TrySendError;

use crate::dataflow::Batch;
use crate::engine::rows::{row_bytes, rows};
use crate::engine::{CHANNEL_BYTES_MAX, EventSender, Row, RowEvent};
use crate::error::Error;
use crate::plan::{ResultKind, Schema};

/// Rows of one event.
pub const ROWS_MAX: usize = 1024;
/// Bytes of the rows of one event, those of the last row beyond.
const ROWS_BYTES_MAX: usize = 256 << 10;
/// Events that may wait for a client beyond those in its channel.
const WAITING_MAX: usize = 64;
/// How a query ends whose client has all the rows that it wanted.
pub const LIMIT_REACHED: &str = "Limit Reached";

/// Hands rows to who asked for them: events go through a bounded channel, and wait here while it is full.
pub struct Client {
    sender: EventSender,
    waiting: VecDeque<RowEvent>,
    /// Of rows that wait, about; those of some that were sent since may be among them.
    waiting_bytes: usize,
    schema: Schema,
    /// Of a stream a record without a value is no row; of a table it is a deleted one.
    result: ResultKind,
    /// Rows still wanted; None: all.
    left: Option<u64>,
    /// The last event is among those that wait, or was sent.
    ended: bool,
    gone: Arc<AtomicBool>,
}

/// What became of the events that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// All were sent.
    All,
    /// The channel is full.
    Some,
    /// The client wants no more, or is gone.
    Over,
}

impl Client {
    /// `gone`: is set when nobody will take the events any more.
    pub fn new(
        sender: EventSender,
        (schema, result): (Schema, ResultKind),
        left: Option<u64>,
        gone: Arc<AtomicBool>,
    ) -> Client {
        let mut client =
            Client { sender, waiting: VecDeque::new(), waiting_bytes: 0, schema, result, left, ended: false, gone };
        if client.has_enough() {
            client.end(LIMIT_REACHED);
        }
        client
    }

    /// Takes rows in.
    pub fn take(&mut self, batch: &Batch) {
        if !self.ended {
            self.take_rows(rows(batch, &self.schema));
        }
    }

    pub fn take_rows(&mut self, mut rows: Vec<Row>) {
        if self.ended {
            return;
        }
        if self.result == ResultKind::Stream {
            rows.retain(|row| !row.tombstone);
        }
        if let Some(left) = &mut self.left {
            rows.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= rows.len() as u64;
        }
        let mut event = Vec::new();
        let mut bytes = 0;
        for row in rows {
            if event.len() == ROWS_MAX || bytes >= ROWS_BYTES_MAX {
                self.keep_rows(std::mem::take(&mut event), std::mem::take(&mut bytes));
            }
            bytes += row_bytes(&row);
            event.push(row);
        }
        if !event.is_empty() {
            self.keep_rows(event, bytes);
        }
    }

    fn keep_rows(&mut self, rows: Vec<Row>, bytes: usize) {
        self.waiting.push_back(RowEvent::Rows(rows));
        self.waiting_bytes += bytes;
    }

    /// Whether it has taken all the rows that it wants.
    pub fn has_enough(&self) -> bool {
        self.left == Some(0)
    }

    /// A line about what can't be shown.
    pub fn warn(&mut self, text: String) {
        if !self.ended {
            self.waiting.push_back(RowEvent::Warning(text));
        }
    }

    /// There will be no more rows.
    pub fn end(&mut self, message: &str) {
        self.finish(RowEvent::End(message.to_owned()));
    }

    pub fn fail(&mut self, error: Error) {
        self.finish(RowEvent::Failed(error));
    }

    fn finish(&mut self, last: RowEvent) {
        if !self.ended {
            self.waiting.push_back(last);
            self.ended = true;
        }
    }

    /// Sends what there is room for.
    pub fn pass(&mut self) -> Passed {
        while let Some(event) = self.waiting.pop_front() {
            match self.sender.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return if self.is_gone() { Passed::Over } else { Passed::Some };
                }
                Err(TrySendError::Disconnected(_)) => {
                    self.gone.store(true, Ordering::Relaxed);
                    return Passed::Over;
                }
            }
        }
        self.waiting_bytes = 0;
        if self.ended || self.is_gone() { Passed::Over } else { Passed::All }
    }

    /// Sends all, and waits for room as long as that takes.
    pub fn pass_all(&mut self) -> Passed {
        while let Some(event) = self.waiting.pop_front() {
            if self.sender.send(event).is_err() {
                self.gone.store(true, Ordering::Relaxed);
            }
        }
        self.waiting_bytes = 0;
        if self.ended || self.is_gone() { Passed::Over } else { Passed::All }
    }

    /// There are events for which there was no room.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// More waits than is kept for a client that others don't wait for.
    pub fn is_slow(&self) -> bool {
        self.waiting.len() > WAITING_MAX || self.waiting_bytes > CHANNEL_BYTES_MAX
    }

    /// Set when nobody will take the events any more.
    pub fn gone(&self) -> Arc<AtomicBool> {
        self.gone.clone()
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

//! Whom a query's rows are for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

use crate::dataflow::Batch;
use crate::engine::rows::rows;
use crate::engine::{Row, RowEvent};
use crate::error::Error;
use crate::plan::{ResultKind, Schema};

/// Rows of one event.
pub const ROWS_MAX: usize = 1024;
/// How a query ends whose client has all the rows that it wanted.
pub const LIMIT_REACHED: &str = "Limit Reached";

/// Hands rows to who asked for them: events go through a bounded channel, and wait here while it is full.
pub struct Client {
    sender: SyncSender<RowEvent>,
    waiting: VecDeque<RowEvent>,
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
        sender: SyncSender<RowEvent>,
        (schema, result): (Schema, ResultKind),
        left: Option<u64>,
        gone: Arc<AtomicBool>,
    ) -> Client {
        let mut client = Client { sender, waiting: VecDeque::new(), schema, result, left, ended: false, gone };
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
        while rows.len() > ROWS_MAX {
            let rest = rows.split_off(ROWS_MAX);
            self.waiting.push_back(RowEvent::Rows(std::mem::replace(&mut rows, rest)));
        }
        if !rows.is_empty() {
            self.waiting.push_back(RowEvent::Rows(rows));
        }
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
        if self.ended || self.is_gone() { Passed::Over } else { Passed::All }
    }

    /// Sends all, and waits for room as long as that takes.
    pub fn pass_all(&mut self) -> Passed {
        while let Some(event) = self.waiting.pop_front() {
            if self.sender.send(event).is_err() {
                self.gone.store(true, Ordering::Relaxed);
            }
        }
        if self.ended || self.is_gone() { Passed::Over } else { Passed::All }
    }

    /// Events for which there was no room.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Set when nobody will take the events any more.
    pub fn gone(&self) -> Arc<AtomicBool> {
        self.gone.clone()
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

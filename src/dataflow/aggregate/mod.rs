//! The windowed, keyed aggregate. Doesn't know SQL, topics or what an aggregate function computes.
//!
//! In: batches whose key columns are the GROUP BY columns and whose other columns hold the arguments. A row with a NULL
//! in its key is dropped with a processing error. Of a stream, rows without value (tombstones) are dropped silently.
//!
//! A table's changes (`table_input`) come so that each row changes one group: its `old` row, if present, is undone
//! in the row's group, then the row itself is added to it, unless it is a tombstone. A change that moves a row to another
//! group comes as two rows: a tombstone with the old group's key and the old row, then the new row without an old one.
//! A row that has neither is ignored. Such a group is never deleted: it stays with COUNT 0.
//!
//! Out: key columns, one column a call, row time (the greatest that contributed to the group and window so far), window
//! bounds, the row that is replaced. Without caching each row's change, in row order; for a hopping window in the order of
//! window starts; for a session first tombstones of the sessions that the row extends or joins, then the new one. With
//! caching the last change of each group at `flush`, or when the cache is full, in the order of their first change. With `emit_final` nothing
//! but each window's last result when it closes, by window start (of sessions: by end) and key bytes.
//!
//! With `distinct` each group's first row, at once, whatever is cached; a NULL is a key like others then.
//!
//! A window that stream time leaps from before its close to beyond its retention gives its final result all the same
//! (ksqlDB's store has dropped it by then, and the result is lost).
//!
//! Stream time is the greatest row time of the rows that count, judged row by row, the row itself included.

mod changelog;
mod changes;
mod groups;
mod held;
mod restore;
mod session;
mod session_rows;
mod snapshot;
mod spec;
mod table_rows;
mod time;
mod time_rows;

#[cfg(test)]
mod tests;

use arrow::array::Array;
use arrow::buffer::NullBuffer;

use crate::dataflow::operator::ErrorKind;
use crate::dataflow::{Batch, Context, Node, Operator};
use crate::error::{Error, Result};
use crate::log::Records;
use crate::plan::{Window, WindowKind};
use crate::state::Keys;
use crate::state::snapshots::Pieces;

pub use spec::{AggregateInput, AggregateSpec};

use changelog::RecordKey;
use changes::Shape;
use groups::{Call, EMITTED, Groups, NONE};
use held::{HELD_MAX, Held};
use restore::Recovery;
use session::Sessions;
use spec::check;
use time::{Assigned, TimeWindows};

/// The operator.
pub struct Aggregate {
    groups: Groups,
    windows: Windows,
    record_key: RecordKey,
    shape: Shape,
    emission: Emission,
    table_input: bool,
    held: Held,
    /// So many groups are flushed, however few bytes they are.
    held_max: usize,
    recovery: Recovery,
    scratch: Scratch,
    /// A batch of which rows are left, in `scratch`, and the first of these.
    unfinished: Option<(Batch, usize)>,
}

enum Windows {
    Time(TimeWindows),
    Session(Sessions),
}

impl Windows {
    /// Whether a row may be in several of them.
    fn overlap(&self) -> bool {
        matches!(self, Windows::Time(windows) if windows.overlap())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emission {
    Changes,
    Final,
    /// Of each group its first row.
    First,
}

/// Buffers that are used again from batch to batch.
#[derive(Default)]
struct Scratch {
    rows: Vec<u32>,
    ids: Vec<u32>,
    assigned: Assigned,
    /// By slot: where its last values lie among the batch's; all `NONE` between batches.
    last: Vec<u32>,
}

impl Aggregate {
    /// An aggregate without rows.
    pub fn new(spec: AggregateSpec) -> Result<Self> {
        check(&spec)?;
        let calls =
            spec.calls.into_iter().map(|call| Call { accumulator: call.accumulator, args: call.args }).collect();
        let (windows, record_key) = match spec.window {
            Some(window @ Window { kind: WindowKind::Session { gap_ms }, .. }) => {
                (Windows::Session(Sessions::new(gap_ms, &window, spec.emit_final)), RecordKey::Session)
            }
            window => {
                let record_key = if window.is_some() { RecordKey::Window } else { RecordKey::Unwindowed };
                (Windows::Time(TimeWindows::new(window.as_ref(), spec.emit_final)), record_key)
            }
        };
        let emission = match (spec.emit_final, spec.distinct) {
            (_, true) => Emission::First,
            (true, false) => Emission::Final,
            (false, false) => Emission::Changes,
        };
        let mut groups = Groups::new(Keys::new(spec.key_types), calls, record_key);
        groups.first_rows = spec.distinct;
        Ok(Aggregate {
            groups,
            windows,
            record_key,
            shape: Shape { windowed: spec.window.is_some(), old_rows: true },
            emission,
            table_input: spec.table_input,
            held: Held::default(),
            held_max: HELD_MAX,
            recovery: Recovery::Done,
            scratch: Scratch::default(),
            unfinished: None,
        })
    }

    /// How many groups (and windows) there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.groups.live
    }

    /// The greatest row time seen; `i64::MIN` before the first row.
    pub fn stream_time(&self) -> i64 {
        match &self.windows {
            Windows::Time(windows) => windows.stream_time,
            Windows::Session(sessions) => sessions.stream_time,
        }
    }

    fn set_stream_time(&mut self, stream_time: i64) {
        match &mut self.windows {
            Windows::Time(windows) => windows.stream_time = stream_time,
            Windows::Session(sessions) => sessions.stream_time = stream_time,
        }
    }

    /// The rows that count: those with a whole key, and of a stream with a value.
    fn select(&self, batch: &Batch, rows: &mut Vec<u32>, context: &mut Context) {
        rows.clear();
        let mut nulls: Option<NullBuffer> = None;
        for column in batch.key_columns() {
            nulls = NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref());
        }
        let tombstone = batch.tombstone.as_ref().filter(|_| !self.table_input);
        let null_key = batch.null_key.as_ref().filter(|_| self.emission != Emission::First);
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0 && self.emission != Emission::First);
        if nulls.is_none() && tombstone.is_none() && null_key.is_none() {
            rows.extend(0..batch.rows as u32);
            return;
        }
        for row in 0..batch.rows {
            if tombstone.is_some_and(|tombstone| tombstone.value(row)) {
                continue;
            }
            let null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            if null || null_key.is_some_and(|null_key| null_key.value(row)) {
                let reason = "a GROUP BY expression is NULL: the row was left out".to_owned();
                context.bad_row(batch, row, ErrorKind::Processing, reason);
            } else {
                rows.push(row as u32);
            }
        }
    }

    /// Emits the final results of windows that have closed.
    fn emit_closed(&mut self, out: &mut Vec<Batch>) -> Result<()> {
        let slots = match &mut self.windows {
            Windows::Time(windows) => windows.take_closed(&self.groups),
            Windows::Session(sessions) => sessions.take_closed(&self.groups),
        };
        if slots.is_empty() {
            return Ok(());
        }
        let mut changes = changes::Changes::default();
        self.groups.fit();
        changes.values.push(self.groups.emit(&slots), slots.len());
        for (i, &index) in slots.iter().enumerate() {
            let slot = &mut self.groups.slots[index as usize];
            slot.flags |= EMITTED;
            changes.push(slot, slot.time, i as u32, NONE);
        }
        changes.finish(&self.groups, self.shape, out)
    }

    /// Goes on with a batch into time windows; what is left of it is kept for `resume`.
    fn go_on(&mut self, batch: Batch, from: usize, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let pushed = self.push_time((&batch, from), &mut scratch, out, context);
        self.scratch = scratch;
        let from = pushed?;
        if from < self.scratch.rows.len() {
            self.unfinished = Some((batch, from));
            return Ok(());
        }
        self.end_batch(out)
    }

    /// All rows of a batch were taken in.
    fn end_batch(&mut self, out: &mut Vec<Batch>) -> Result<()> {
        if self.emission == Emission::Final {
            self.emit_closed(out)?;
        }
        self.expire(out)
    }

    /// Gives what caching holds back once that is as much as it may be.
    fn flush_when_full(&mut self, out: &mut Vec<Batch>, context: &Context) -> Result<()> {
        if self.held.len() < self.held_max && self.held.data_bytes() <= context.cache_bytes_max {
            return Ok(());
        }
        self.held.flush(&mut self.groups, self.shape, out)
    }

    /// Drops windows that are kept no longer, and keys that nobody uses.
    fn expire(&mut self, out: &mut Vec<Batch>) -> Result<()> {
        let expired = match &self.windows {
            Windows::Time(windows) => windows.has_expired(),
            Windows::Session(sessions) => sessions.has_expired(),
        };
        if expired {
            // What caching held back of them must go out before they go.
            self.held.flush(&mut self.groups, self.shape, out)?;
            match &mut self.windows {
                Windows::Time(windows) => windows.expire(&mut self.groups),
                Windows::Session(sessions) => sessions.expire(&mut self.groups),
            }
        }
        match &mut self.windows {
            Windows::Time(windows) => self.groups.keys.sweep(|key| windows.forget_key(key)),
            Windows::Session(_) => self.groups.keys.sweep(|_| {}),
        }
        Ok(())
    }
}

impl Operator for Aggregate {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        self.recover();
        if self.unfinished.is_some() {
            return Err(Error::internal("an aggregate got a batch before it was done with the one before"));
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        self.select(&batch, &mut scratch.rows, context);
        scratch.ids.clear();
        self.groups.keys.intern(batch.key_columns(), &scratch.rows, &mut scratch.ids);
        let pushed = match (&self.windows, self.table_input) {
            (_, true) => self.push_table(&batch, &mut scratch, out, context),
            (Windows::Session(_), false) => self.push_sessions(&batch, &mut scratch, out, context),
            (Windows::Time(_), false) => {
                self.scratch = scratch;
                return self.go_on(batch, 0, out, context);
            }
        };
        self.scratch = scratch;
        pushed?;
        self.flush_when_full(out, context)?;
        self.end_batch(out)
    }
}

impl Node for Aggregate {
    fn keeps_state(&self) -> bool {
        true
    }

    fn resume(&mut self, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        match self.unfinished.take() {
            Some((batch, from)) => self.go_on(batch, from, out, context),
            None => Ok(()),
        }
    }

    fn flush(&mut self, out: &mut Vec<Batch>, _context: &mut Context) -> Result<()> {
        self.held.flush(&mut self.groups, self.shape, out)
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        let stream_time = self.stream_time();
        changelog::write_changes(&mut self.groups, self.record_key, stream_time, into);
        Ok(())
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        self.take_back(records)
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        let changes = self.groups.pending_bytes();
        // What is held back goes out as rows, too: of these groups or some of them.
        if self.held.len() > 0 { changes * 2 } else { changes }
    }

    fn state_bytes(&self) -> usize {
        let windows = match &self.windows {
            Windows::Time(windows) => windows.bytes(),
            Windows::Session(sessions) => sessions.bytes(),
        };
        self.groups.bytes() + windows + self.held.bytes()
    }
}

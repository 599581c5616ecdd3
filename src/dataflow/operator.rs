//! The operator contract.

use std::sync::Arc;

use crate::dataflow::Batch;
use crate::error::Result;
use crate::log::Records;
use crate::state::MemoryShare;
use crate::state::snapshots::Pieces;

/// What all parts of a task have in common: those with one input ([`Operator`]) and with two ([`JoinOperator`]).
///
/// Synchronous and deterministic: no clock, no chance, no I/O but their own state. The same inputs in
/// the same order give the same outputs; with caching off, whatever the cuts of batches and commits.
pub trait Node: Send {
    /// Whether it has state that must survive.
    fn keeps_state(&self) -> bool {
        false
    }

    /// Goes on with what the last push left to be made, a bounded part at a time; nothing is added to `out` when all is
    /// made. Called until then, before the next push.
    fn resume(&mut self, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let _ = (out, context);
        Ok(())
    }

    /// Before a commit: gives the changes that caching held back.
    fn flush(&mut self, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let _ = (out, context);
        Ok(())
    }

    /// At a commit: the state's changes since the last one (only the last per key) as changelog records, and everything
    /// else that must be remembered (stream time). Nothing for a stateless operator.
    fn changes(&mut self, into: &mut Records) -> Result<()> {
        let _ = into;
        Ok(())
    }

    /// Takes changelog records back in, in their order, before the first batch.
    fn restore(&mut self, records: &Records) -> Result<()> {
        let _ = records;
        Ok(())
    }

    /// Its state, for snapshots; none for a stateless operator.
    fn state(&self) -> Option<&dyn Pieces> {
        None
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        None
    }

    /// Bytes of the rows that `flush` would give and of the records that `changes` would, about.
    fn pending_bytes(&self) -> usize {
        0
    }

    /// How many changes of state it has taken so far; `None`: it doesn't count them.
    fn state_changes(&self) -> Option<u64> {
        None
    }

    /// Bytes of state held, about.
    fn state_bytes(&self) -> usize {
        0
    }
}

/// A step of a task.
pub trait Operator: Node {
    /// Takes a batch in; appends what it makes of it to `out`, in row order.
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()>;
}

/// Where two sides of a task meet.
pub trait JoinOperator: Node {
    /// Takes in what came of both sides, and appends what it makes of it to `out`.
    ///
    /// Where there are batches of both, their rows are taken in the order of their places ([`Batch::order`]; the left row
    /// first where two have the same), as if they came one by one. Rows of one batch never change places. What is made of
    /// a row has its place, and the batches that are made lie one behind the other in it.
    fn push(&mut self, sides: Sides, out: &mut Vec<Batch>, context: &mut Context) -> Result<()>;
}

/// What came of the sides of a join.
#[derive(Debug, Default)]
pub struct Sides {
    pub left: Option<Batch>,
    pub right: Option<Batch>,
}

/// What operators share of their task.
#[derive(Debug, Default)]
pub struct Context {
    /// The task's share of `cache.max.bytes.buffering`: only the last change of a key goes on, at the commit or when the
    /// changes held back are more than these bytes. 0: every change goes on.
    pub cache_bytes_max: usize,
    /// Rows that could not be processed, for the processing log.
    pub errors: Vec<ProcessingError>,
    /// Rows that came too late for a window, once for each such window.
    pub late: u64,
    /// Records of which something could not be processed, each once (`errors` is bounded, and has all that failed of them).
    pub bad: u64,
    /// For the operator that multiplies rows: the bytes that a batch may become, unless it is a single row. Taken by the
    /// first that looks. None: any number.
    pub fan_out_bytes_max: Option<usize>,
    /// The batch becomes more: nothing was made of it.
    pub refused: Option<Refused>,
    /// What the query holds of the memory. Where a batch may become very much state, growth is told while it comes; all of
    /// it is told after each round. None: nobody bounds it.
    pub memory: Option<Arc<MemoryShare>>,
}

/// Why a batch was refused: of its `rows` rows the first `fitting` may be pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    pub fitting: usize,
    pub rows: usize,
}

/// Kept of one task's round; beyond it only the count goes on. A round reads about a megabyte a partition: only rows that
/// explode into many bad ones get there.
pub const PROCESSING_ERRORS_MAX: usize = 1 << 20;

/// One entry of the processing log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessingError {
    pub kind: ErrorKind,
    pub reason: String,
    /// Where the record came from, where known.
    pub topic: Option<String>,
    pub partition: Option<u32>,
    pub offset: Option<i64>,
    /// Row time, ms.
    pub row_time: Option<i64>,
    /// The raw value of a record that could not be decoded.
    pub record: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Bytes that could not be decoded.
    Deserialization,
    /// Records that were gone before they were read.
    Removed,
    /// A record whose TIMESTAMP column has no time.
    RowTime,
    /// An expression failed, a key was null where one is needed.
    Processing,
    /// A row could not be encoded.
    Serialization,
    /// The row's window was closed already.
    Late,
}

impl ProcessingError {
    /// Bytes that it takes until it is committed, about.
    pub fn bytes(&self) -> usize {
        size_of::<ProcessingError>()
            + self.reason.len()
            + self.topic.as_ref().map_or(0, String::len)
            + self.record.as_ref().map_or(0, Vec::len)
    }
}

impl Context {
    /// Tells of so many more bytes of state. Errors: there is no memory for them.
    pub fn grown(&self, bytes: usize) -> Result<()> {
        self.memory.as_ref().map_or(Ok(()), |memory| memory.grow(bytes))
    }

    /// Whether changes are held back until the commit.
    pub fn caching(&self) -> bool {
        self.cache_bytes_max > 0
    }

    /// Where the errors stand, to go back there when a batch is refused.
    pub fn mark(&self) -> Mark {
        Mark { errors: self.errors.len(), late: self.late, bad: self.bad }
    }

    /// Forgets what was told since the mark.
    pub fn back_to(&mut self, mark: Mark) {
        self.errors.truncate(mark.errors);
        (self.late, self.bad) = (mark.late, mark.bad);
    }

    /// Counts a record that never became a row, or rows that were lost before they could be read.
    pub fn bad_record(&mut self, error: ProcessingError) {
        self.bad += 1;
        self.keep(error);
    }

    /// Counts rows of a batch as bad and keeps the reasons that are known; `failed` may name a row more than once.
    pub fn bad_rows(
        &mut self,
        batch: &Batch,
        kind: ErrorKind,
        failed: impl IntoIterator<Item = usize>,
        reasons: impl IntoIterator<Item = (usize, String)>,
    ) {
        self.bad += batch.origin.newly_bad(failed);
        reasons.into_iter().for_each(|(row, reason)| self.keep(ProcessingError::of(batch, row, kind, reason)));
    }

    /// Counts a row as bad.
    pub fn bad_row(&mut self, batch: &Batch, row: usize, kind: ErrorKind, reason: String) {
        self.bad_rows(batch, kind, [row], [(row, reason)]);
    }

    /// Counts a row that came too late for a window; its text is only made while the log takes it.
    pub fn late_row(&mut self, batch: &Batch, row: usize, reason: impl FnOnce() -> String) {
        self.late += 1;
        if self.errors.len() < PROCESSING_ERRORS_MAX {
            self.errors.push(ProcessingError::of(batch, row, ErrorKind::Late, reason()));
        }
    }

    fn keep(&mut self, error: ProcessingError) {
        if self.errors.len() < PROCESSING_ERRORS_MAX {
            self.errors.push(error);
        }
    }
}

/// A place in a context's errors and counts.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    errors: usize,
    late: u64,
    bad: u64,
}

impl ProcessingError {
    /// What became of a row of a batch.
    fn of(batch: &Batch, row: usize, kind: ErrorKind, reason: String) -> Self {
        let place = batch.origin.place(row);
        ProcessingError {
            kind,
            reason,
            topic: place.map(|(place, _)| place.topic.clone()),
            partition: place.map(|(place, _)| place.partition),
            offset: place.map(|(_, offset)| offset),
            row_time: batch.row_time.get(row).copied(),
            record: None,
        }
    }
}

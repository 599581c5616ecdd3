//! What flows between operators: rows in columns.

use arrow::array::ArrayRef;
use arrow::buffer::{BooleanBuffer, ScalarBuffer};

/// Rows of one partition, in order. Which column is which is known from the plan's schema of the step that made it:
/// first the key columns, then the value columns (pseudo columns that are used are among the value columns).
///
/// Invariants, checked by [`Batch::check`] in debug builds: all columns and buffers have `rows` entries; a stream's
/// batch has no `old`; a window is there for all rows or none.
#[derive(Debug, Clone)]
pub struct Batch {
    pub rows: usize,
    /// Key columns, then value columns.
    pub columns: Vec<ArrayRef>,
    /// How many of the columns are the key.
    pub keys: usize,
    /// Row time, ms since 1970 UTC.
    pub row_time: ScalarBuffer<i64>,
    /// Window bounds in ms of a windowed key; the end of a time window is exclusive, of a session inclusive.
    pub window: Option<WindowBounds>,
    /// Rows whose value is null: for a table a deletion (tombstone), for a stream a record without value.
    /// Their value columns are null. None: no such row.
    pub tombstone: Option<BooleanBuffer>,
    /// Rows whose key is null as a whole (no key bytes). None: no such row.
    pub null_key: Option<BooleanBuffer>,
    /// For the changes of a table: the row that each row replaces.
    pub old: Option<OldRows>,
    /// Headers of the records (Kafka's encoding, see `log::RecordMeta`), as Binary; None: no row has any.
    pub headers: Option<ArrayRef>,
}

#[derive(Debug, Clone)]
pub struct WindowBounds {
    pub start: ScalarBuffer<i64>,
    pub end: ScalarBuffer<i64>,
}

/// The rows that the rows of a batch replace.
#[derive(Debug, Clone)]
pub struct OldRows {
    /// Value columns of the old rows, as many as the batch has.
    pub columns: Vec<ArrayRef>,
    /// Whether there was an old row.
    pub present: BooleanBuffer,
}

impl Batch {
    /// Key columns.
    pub fn key_columns(&self) -> &[ArrayRef] {
        &self.columns[..self.keys]
    }

    /// Value columns.
    pub fn value_columns(&self) -> &[ArrayRef] {
        &self.columns[self.keys..]
    }
}

//! What flows between operators: rows in columns.

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::{FilterBuilder, take};
use arrow::datatypes::Int64Type;

use crate::dataflow::Origin;
use crate::error::{Error, Result};

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
    /// The records that the rows were made of.
    pub origin: Origin,
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

impl Batch {
    /// The rows where `keep` is true.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Batch> {
        let origin = self.origin.filter(keep);
        // Which rows pass is worked out once for all columns.
        let keep = FilterBuilder::new(keep).optimize().build();
        let times = |times: &ScalarBuffer<i64>| -> Result<ScalarBuffer<i64>> {
            let passed = keep.filter(&Int64Array::new(times.clone(), None)).map_err(arrow_error)?;
            Ok(passed.as_primitive::<Int64Type>().values().clone())
        };
        let marks = |marks: &BooleanBuffer| -> Result<BooleanBuffer> {
            let passed = keep.filter(&BooleanArray::new(marks.clone(), None)).map_err(arrow_error)?;
            Ok(passed.as_boolean().values().clone())
        };
        self.pick(keep.count(), origin, &|column| keep.filter(column), &times, &marks)
    }

    /// Rows by number, in that order; a row may be taken any number of times.
    pub fn take(&self, rows: &[u32]) -> Result<Batch> {
        let indices = UInt32Array::from(rows.to_vec());
        self.pick(
            rows.len(),
            self.origin.take(&indices),
            &|column| take(column, &indices, None),
            &|times| Ok(rows.iter().map(|&row| times[row as usize]).collect::<Vec<_>>().into()),
            &|marks| Ok(BooleanBuffer::collect_bool(rows.len(), |i| marks.value(rows[i] as usize))),
        )
    }

    fn pick(
        &self,
        rows: usize,
        origin: Origin,
        column: &dyn Fn(&ArrayRef) -> arrow::error::Result<ArrayRef>,
        times: &dyn Fn(&ScalarBuffer<i64>) -> Result<ScalarBuffer<i64>>,
        marks: &dyn Fn(&BooleanBuffer) -> Result<BooleanBuffer>,
    ) -> Result<Batch> {
        let all = |columns: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
            columns.iter().map(|array| column(array).map_err(arrow_error)).collect()
        };
        let old = match &self.old {
            Some(old) => Some(OldRows { columns: all(&old.columns)?, present: marks(&old.present)? }),
            None => None,
        };
        let window = match &self.window {
            Some(window) => Some(WindowBounds { start: times(&window.start)?, end: times(&window.end)? }),
            None => None,
        };
        Ok(Batch {
            rows,
            columns: all(&self.columns)?,
            keys: self.keys,
            row_time: times(&self.row_time)?,
            window,
            tombstone: self.tombstone.as_ref().map(marks).transpose()?,
            null_key: self.null_key.as_ref().map(marks).transpose()?,
            old,
            headers: self.headers.as_ref().map(|headers| column(headers).map_err(arrow_error)).transpose()?,
            origin,
        })
    }
}

pub(super) fn arrow_error(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("columns that don't fit: {error}"))
}

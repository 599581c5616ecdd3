//! Rows and columns as a reader sees them.

use crate::dataflow::Batch;
use crate::engine::{ResultColumn, Row};
use crate::error::Result;
use crate::plan::Schema;
use crate::state::MemoryShare;
use crate::types::Value;

/// Columns for the reader: the hidden key is not among them.
pub(super) fn columns(schema: &Schema, is_key: impl Fn(&str) -> bool) -> Vec<ResultColumn> {
    let shown = schema.columns[schema.keys..].iter();
    shown
        .map(|column| ResultColumn { name: column.name.clone(), ty: column.ty.clone(), key: is_key(&column.name) })
        .collect()
}

/// The rows of a batch, without the hidden key.
pub(super) fn rows(batch: &Batch, schema: &Schema) -> Vec<Row> {
    (0..batch.rows)
        .map(|row| {
            let values = batch
                .value_columns()
                .iter()
                .zip(&schema.columns[schema.keys..])
                .map(|(column, described)| Value::from_array(column, row, &described.ty))
                .collect();
            let tombstone = batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row));
            Row { values, tombstone }
        })
        .collect()
}

/// Rows that are held until all are there, counted against the memory.
pub(super) struct Kept {
    /// None: the row that was there is gone.
    rows: Vec<Option<Row>>,
    bytes: usize,
    memory: MemoryShare,
}

impl Kept {
    pub fn new(memory: MemoryShare) -> Kept {
        Kept { rows: Vec::new(), bytes: 0, memory }
    }

    /// Places of rows so far: the next one has this number.
    pub fn places(&self) -> usize {
        self.rows.len()
    }

    /// Errors: the memory isn't enough.
    pub fn add(&mut self, rows: Vec<Row>) -> Result<()> {
        self.bytes += rows.iter().map(row_bytes).sum::<usize>();
        self.rows.extend(rows.into_iter().map(Some));
        self.memory.set(self.bytes)
    }

    /// Errors: the memory isn't enough.
    pub fn replace(&mut self, place: usize, row: Row) -> Result<()> {
        self.bytes += row_bytes(&row);
        if let Some(before) = self.rows[place].replace(row) {
            self.bytes -= row_bytes(&before);
        }
        self.memory.set(self.bytes)
    }

    pub fn remove(&mut self, place: usize) {
        if let Some(before) = self.rows[place].take() {
            self.bytes -= row_bytes(&before);
        }
    }

    /// The rows that are left, in the order in which they came first.
    pub fn into_rows(self) -> Vec<Row> {
        self.rows.into_iter().flatten().collect()
    }
}

/// Bytes that a row takes, about.
pub(super) fn row_bytes(row: &Row) -> usize {
    size_of::<Row>() + row.values.iter().map(value_bytes).sum::<usize>()
}

fn value_bytes(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(items) => items.iter().map(value_bytes).sum(),
        Value::Struct(fields) => fields.iter().map(|(name, value)| name.len() + value_bytes(value)).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| key.len() + value_bytes(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + inside
}

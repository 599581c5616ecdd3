//! Bytes to columns and back. Doesn't know queries.

use arrow::array::ArrayRef;

use crate::log::{Records, Span};
use crate::types::SqlType;

/// A format of keys or values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Format {
    Kafka,
    Delimited,
    Json,
    None,
}

/// How the bytes of a topic's keys or values are laid out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layout {
    pub format: Format,
    /// Field separator of DELIMITED.
    pub delimiter: char,
    /// All columns of the key or value, in order: (name as in the catalog, type).
    pub columns: Vec<(String, SqlType)>,
    /// Whether a single column stands in a wrapper (`{"A": 1}`) or bare (`1`). Several columns are always wrapped.
    pub wrapped: bool,
}

/// Which part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Key,
    Value,
}

/// A record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Index into the records that were decoded.
    pub row: usize,
    pub reason: String,
}

/// What a decoder makes of records: one row each, bad ones included (as nulls).
#[derive(Debug)]
pub struct Decoded {
    /// The wanted columns, in the order they were asked for.
    pub columns: Vec<ArrayRef>,
    /// Rows whose part was null (a tombstone for a value), or read as such (JSON `null` unwrapped).
    /// None: there was no such row.
    pub nulls: Option<arrow::buffer::BooleanBuffer>,
    /// In row order.
    pub bad: Vec<BadRow>,
}

/// Decodes keys or values of records into columns. Keeps buffers and guesses from batch to batch.
pub trait Decoder: Send {
    fn decode(&mut self, records: &Records, part: Part) -> Decoded;
}

/// Encodes rows into bytes.
pub trait Encoder: Send {
    /// Appends the encoding of each row to `data`, and where it lies to `spans`. A row that is set in `nulls` becomes a
    /// null span. `columns` are those of the layout, in order, all of the same length `rows`. A row that can't be
    /// encoded becomes a null span and an entry of the result.
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        nulls: Option<&arrow::buffer::BooleanBuffer>,
        data: &mut Vec<u8>,
        spans: &mut Vec<Span>,
    ) -> Vec<BadRow>;
}

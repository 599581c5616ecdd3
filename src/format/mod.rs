//! Bytes to columns and back. Doesn't know queries.
//!
//! [`decoder`] makes of the keys or values of a batch of records the columns that are wanted, [`encoder`] the way back;
//! [`check()`] says what a format can hold. A record that can't be read costs only itself: its row is null and named
//! among the bad ones.

mod builder;
mod check;
mod delimited;
mod json;
mod kafka;
mod none;
mod text;

#[cfg(test)]
mod tests;

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;

use crate::appender::Appender;
use crate::error::{Error, Result};
use crate::log::{Batches, Records, Span, Written};
use crate::messages;
use crate::types::SqlType;

pub use check::check;

/// A format of keys or values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Format {
    /// KAFKA: one value as Kafka's own serializers write it.
    Kafka,
    /// DELIMITED: fields with a separator between them.
    Delimited,
    /// JSON: an object, or a bare value.
    Json,
    /// NONE: no columns.
    None,
}

impl Format {
    /// The format of that name, in any case.
    pub fn from_name(name: &str) -> Result<Format> {
        match name.to_ascii_uppercase().as_str() {
            "KAFKA" => Ok(Format::Kafka),
            "DELIMITED" => Ok(Format::Delimited),
            "JSON" => Ok(Format::Json),
            "NONE" => Ok(Format::None),
            known @ ("AVRO" | "PROTOBUF" | "PROTOBUF_NOSR" | "JSON_SR") => Err(messages::formats::not_here(known)),
            _ => Err(messages::formats::unknown(name)),
        }
    }

    /// Its name, as KEY_FORMAT and VALUE_FORMAT take it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Kafka => "KAFKA",
            Format::Delimited => "DELIMITED",
            Format::Json => "JSON",
            Format::None => "NONE",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How the bytes of a topic's keys or values are laid out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layout {
    /// The format of the bytes.
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
    pub nulls: Option<BooleanBuffer>,
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
        nulls: Option<&BooleanBuffer>,
        data: &mut Vec<u8>,
        spans: &mut Vec<Span>,
    ) -> Vec<BadRow>;

    /// Adds a record with the encoding of each row as its value; of a row that can't be encoded none. Columns, nulls and result
    /// are as of [`Encoder::encode`].
    fn encode_values(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        nulls: Option<&BooleanBuffer>,
        into: &mut KeyedRows<'_>,
    ) -> Vec<BadRow> {
        let (mut data, mut spans) = (Vec::new(), Vec::new());
        let bad = self.encode(columns, rows, nulls, &mut data, &mut spans);
        let mut failed = bad.iter().map(|bad| bad.row).peekable();
        for (row, span) in spans.into_iter().enumerate() {
            if failed.next_if_eq(&row).is_none() {
                into.put(row, &data, span);
            }
        }
        bad
    }
}

/// Records without their values: times and keys of rows.
pub struct KeyedRows<'a> {
    /// Where the records go.
    pub batches: &'a mut Batches,
    /// Row times, ms.
    pub times: &'a [i64],
    /// The bytes of all keys, and which of them are the row's.
    pub keys: &'a [u8],
    pub spans: &'a [Span],
}

impl KeyedRows<'_> {
    /// Adds the record of a row with the value that `write` appends; gives why it failed, if it did.
    #[inline(always)]
    fn write(&mut self, row: usize, write: impl FnOnce(&mut Appender) -> Encoded) -> Option<String> {
        self.batches.write(self.times[row], self.keys, self.spans[row], |out| match write(out) {
            Encoded::Bytes => Written::Bytes,
            Encoded::Null => Written::Null,
            Encoded::Failed(reason) => Written::Failed(reason),
        })
    }

    /// Adds the record of a row with this part of `data` as its value.
    fn put(&mut self, row: usize, data: &[u8], value: Span) {
        self.batches.write::<()>(self.times[row], self.keys, self.spans[row], |out| {
            if value.is_null() {
                return Written::Null;
            }
            out.bytes(&data[value.start as usize..value.start as usize + value.len as usize]);
            Written::Bytes
        });
    }
}

/// A decoder that makes the columns `wanted` (indexes into the layout's columns, each at most once).
pub fn decoder(layout: &Layout, wanted: &[usize]) -> Result<Box<dyn Decoder>> {
    check::check_columns(layout)?;
    if let Some(beyond) = wanted.iter().find(|i| **i >= layout.columns.len()) {
        return Err(Error::internal(format!("column {beyond} is wanted of {}", layout.columns.len())));
    }
    if layout.columns.is_empty() {
        let json = (layout.format == Format::Json).then(|| json::JsonDecoder::new(layout, wanted));
        return Ok(Box::new(none::NoColumns { format: layout.format, json }));
    }
    Ok(match layout.format {
        Format::Json => Box::new(json::JsonDecoder::new(layout, wanted)),
        Format::Delimited => Box::new(delimited::DelimitedDecoder::new(layout, wanted)),
        Format::Kafka => Box::new(kafka::KafkaDecoder::new(layout, wanted)),
        Format::None => return Err(Error::internal("NONE with columns")),
    })
}

/// An encoder of all the layout's columns. The rows of a key without columns are null in every format: the caller says
/// so (`nulls`), or uses NONE.
pub fn encoder(layout: &Layout) -> Result<Box<dyn Encoder>> {
    check::check_columns(layout)?;
    Ok(match layout.format {
        Format::Json => Box::new(json::JsonEncoder::new(layout)),
        Format::Delimited => Box::new(delimited::DelimitedEncoder::new(layout)),
        Format::Kafka => Box::new(kafka::KafkaEncoder::new(layout)),
        Format::None => Box::new(none::NoneEncoder),
    })
}

/// The most bytes of records that one call decodes: offsets into the columns of texts have 31 bits, and a text may
/// grow to three times its length on the way (a replacement character for each byte that isn't UTF-8).
const BATCH_BYTES_MAX: usize = 1 << 29;

/// The bytes of a record's part.
fn part_of(records: &Records, part: Part, row: usize) -> Option<&[u8]> {
    match part {
        Part::Key => records.key(row),
        Part::Value => records.value(row),
    }
}

/// A bit per row, set for those listed (in order); None for none.
fn null_rows(listed: &[usize], rows: usize) -> Option<BooleanBuffer> {
    if listed.is_empty() {
        return None;
    }
    let mut listed = listed.iter().copied().peekable();
    Some(BooleanBuffer::collect_bool(rows, |row| listed.next_if_eq(&row).is_some()))
}

/// What an encoder made of a row.
enum Encoded {
    Bytes,
    Null,
    /// It can't be encoded; why.
    Failed(String),
}

/// Appends rows one after another, for [`Encoder::encode`]: `write` appends a row that is not set in `nulls`.
#[inline]
fn encode_rows(
    rows: usize,
    nulls: Option<&BooleanBuffer>,
    data: &mut Vec<u8>,
    spans: &mut Vec<Span>,
    mut write: impl FnMut(usize, &mut Appender) -> Encoded,
) -> Vec<BadRow> {
    let mut bad = Vec::new();
    let mut out = Appender::new(data);
    spans.reserve(rows);
    for row in 0..rows {
        let start = out.len();
        let is_null = nulls.is_some_and(|nulls| nulls.value(row));
        let encoded = if is_null { Encoded::Null } else { write(row, &mut out) };
        let reason = match encoded {
            Encoded::Bytes => match span_from(start, out.len()) {
                Some(span) => {
                    spans.push(span);
                    continue;
                }
                None => "the batch is larger than 4 GiB".to_string(),
            },
            Encoded::Null => {
                spans.push(Span::NULL);
                continue;
            }
            Encoded::Failed(reason) => reason,
        };
        out.truncate(start);
        spans.push(Span::NULL);
        bad.push(BadRow { row, reason });
    }
    bad
}

/// Where bytes that were appended from `start` on lie. `None`: beyond the 32 bits that a span has.
fn span_from(start: usize, end: usize) -> Option<Span> {
    Some(Span { start: u32::try_from(start).ok()?, len: i32::try_from(end - start).ok()? })
}

/// A text from a record for a message: quoted, cut to a readable length.
fn shown(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => format!("{text:?}"),
        Some((cut, _)) => format!("{:?}...", &text[..cut]),
    }
}

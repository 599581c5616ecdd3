//! KAFKA: one column in the bytes of Kafka's own serializers. Doesn't convert: 4 bytes are an INT and nothing else.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};

use super::builder::{Column, Values};
use super::{
    BATCH_BYTES_MAX, BadRow, Decoded, Decoder, Encoded, Encoder, Layout, Part, encode_rows, null_rows, part_of,
};
use crate::appender::Appender;
use crate::log::{Records, Span};

pub(super) struct KafkaDecoder {
    /// Name and type for messages, and the column; there is one.
    column: Option<(String, Column)>,
    wanted: bool,
}

impl KafkaDecoder {
    pub fn new(layout: &Layout, wanted: &[usize]) -> Self {
        let column = layout.columns.first().map(|(name, ty)| (format!("`{name}` {ty}"), Column::new(ty)));
        KafkaDecoder { column, wanted: !wanted.is_empty() }
    }
}

impl Decoder for KafkaDecoder {
    fn decode(&mut self, records: &Records, part: Part) -> Decoded {
        let mut nulls = Vec::new();
        let mut bad = Vec::new();
        let too_large = records.data.len() > BATCH_BYTES_MAX;
        for row in 0..records.len() {
            let bytes = part_of(records, part, row);
            if bytes.is_none() {
                nulls.push(row);
            }
            let Some((name, column)) = &mut self.column else { continue };
            let read = match bytes {
                None => {
                    column.push_null();
                    Ok(())
                }
                Some(_) if too_large => Err("a batch that is too large".to_string()),
                Some(bytes) => push(column, bytes),
            };
            if let Err(found) = read {
                column.push_null();
                bad.push(BadRow { row, reason: format!("column {name}: found {found}") });
            }
        }
        let column = self.column.as_mut().map(|(_, column)| column.finish());
        Decoded {
            columns: column.filter(|_| self.wanted).into_iter().collect(),
            nulls: null_rows(&nulls, records.len()),
            bad,
        }
    }
}

/// Appends a value; the error says what the bytes are instead.
fn push(column: &mut Column, bytes: &[u8]) -> Result<(), String> {
    let length = || format!("{} bytes", bytes.len());
    match &mut column.values {
        Values::Int(values) => values.push(i32::from_be_bytes(bytes.try_into().map_err(|_| length())?)),
        Values::Bigint(values) => values.push(i64::from_be_bytes(bytes.try_into().map_err(|_| length())?)),
        Values::Double(values) => values.push(f64::from_be_bytes(bytes.try_into().map_err(|_| length())?)),
        // As Java does: what isn't UTF-8 becomes the replacement character, the record is not lost.
        Values::String(texts) => texts.push(String::from_utf8_lossy(bytes).as_bytes()),
        Values::Bytes(texts) => texts.push(bytes),
        _ => return Err("a type that the format doesn't support".to_string()),
    }
    column.nulls.append_non_null();
    Ok(())
}

pub(super) struct KafkaEncoder {
    column: Option<String>,
}

impl KafkaEncoder {
    pub fn new(layout: &Layout) -> Self {
        KafkaEncoder { column: layout.columns.first().map(|(name, _)| name.clone()) }
    }
}

impl Encoder for KafkaEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        nulls: Option<&BooleanBuffer>,
        data: &mut Vec<u8>,
        spans: &mut Vec<Span>,
    ) -> Vec<BadRow> {
        let Some(column) = columns.first() else {
            return encode_rows(rows, nulls, data, spans, |_, _| Encoded::Null);
        };
        // Of which type the column is isn't asked again for each row.
        let mut out = Out { valid: column.nulls(), rows, nulls, data, spans };
        if let Some(column) = column.as_primitive_opt::<Int32Type>() {
            let values = column.values();
            out.put(|row, data| data.bytes(&values[row].to_be_bytes()))
        } else if let Some(column) = column.as_primitive_opt::<Int64Type>() {
            let values = column.values();
            out.put(|row, data| data.bytes(&values[row].to_be_bytes()))
        } else if let Some(column) = column.as_primitive_opt::<Float64Type>() {
            let values = column.values();
            out.put(|row, data| data.bytes(&values[row].to_be_bytes()))
        } else if let Some(column) = column.as_string_opt::<i32>() {
            out.put_texts(column.value_offsets(), column.value_data())
        } else if let Some(column) = column.as_binary_opt::<i32>() {
            out.put_texts(column.value_offsets(), column.value_data())
        } else {
            let name = self.column.as_deref().unwrap_or_default();
            encode_rows(rows, nulls, data, spans, |row, _| match column.is_null(row) {
                true => Encoded::Null,
                false => Encoded::Failed(format!("column `{name}`: its type is none of the format's")),
            })
        }
    }
}

/// Where the values of a column go, and which of them there are.
struct Out<'a> {
    valid: Option<&'a NullBuffer>,
    rows: usize,
    nulls: Option<&'a BooleanBuffer>,
    data: &'a mut Vec<u8>,
    spans: &'a mut Vec<Span>,
}

impl Out<'_> {
    /// `put` appends the value of a row that isn't null.
    #[inline]
    fn put(&mut self, put: impl Fn(usize, &mut Appender)) -> Vec<BadRow> {
        encode_rows(self.rows, self.nulls, self.data, self.spans, |row, data| {
            if self.valid.is_some_and(|valid| valid.is_null(row)) {
                return Encoded::Null;
            }
            put(row, data);
            Encoded::Bytes
        })
    }

    fn put_texts(&mut self, offsets: &[i32], all: &[u8]) -> Vec<BadRow> {
        self.put(|row, data| {
            let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
            data.part(all, start, end - start);
        })
    }
}

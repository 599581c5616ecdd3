//! No columns: the format NONE, and keys or values of other formats that have none.

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;

use super::json::JsonDecoder;
use super::{BadRow, Decoded, Decoder, Encoder, Format, Part, null_rows, part_of};
use crate::log::{Records, Span};

/// Makes no columns. Of NONE, and of a key, the bytes are ignored and every row is null; of a value a row is null where
/// there are no bytes, and JSON is checked to be JSON.
pub(super) struct NoColumns {
    pub format: Format,
    pub json: Option<JsonDecoder>,
}

impl Decoder for NoColumns {
    fn decode(&mut self, records: &Records, part: Part) -> Decoded {
        let nulls = match (&mut self.json, part) {
            (Some(json), Part::Value) => return json.decode(records, part),
            (None, Part::Value) if self.format != Format::None => {
                let null = |row: &usize| part_of(records, part, *row).is_none();
                null_rows(&(0..records.len()).filter(null).collect::<Vec<_>>(), records.len())
            }
            _ => Some(BooleanBuffer::new_set(records.len())),
        };
        Decoded { columns: Vec::new(), nulls, bad: Vec::new() }
    }
}

pub(super) struct NoneEncoder;

impl Encoder for NoneEncoder {
    fn encode(
        &mut self,
        _columns: &[ArrayRef],
        rows: usize,
        _nulls: Option<&BooleanBuffer>,
        _data: &mut Vec<u8>,
        spans: &mut Vec<Span>,
    ) -> Vec<BadRow> {
        spans.resize(spans.len() + rows, Span::NULL);
        Vec::new()
    }
}

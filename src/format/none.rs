//! NONE: no columns. Whatever bytes there are are ignored.

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;

use super::{BadRow, Decoded, Decoder, Encoder, Part};
use crate::log::{Records, Span};

pub(super) struct NoneDecoder;

impl Decoder for NoneDecoder {
    fn decode(&mut self, records: &Records, _part: Part) -> Decoded {
        Decoded { columns: Vec::new(), nulls: Some(BooleanBuffer::new_set(records.len())), bad: Vec::new() }
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

//! Whole columns and marks as bytes: what rows between stages and the changelogs of joins hold. The bytes are for ever.
//!
//! A column is a byte 0 where nobody reads it, or 1 and its cells (`codec`); marks are bits, eight a byte, the lowest first.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, NullArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;

use crate::state::codec::{CellColumn, take_array, take_slice, write_cell};
use crate::types::SqlType;

const UNREAD: u8 = 0;
const CELLS: u8 = 1;

pub fn put_column(column: &ArrayRef, out: &mut Vec<u8>) {
    if *column.data_type() == DataType::Null {
        out.push(UNREAD);
        return;
    }
    out.push(CELLS);
    (0..column.len()).for_each(|row| write_cell(column, row, out));
}

/// None: the bytes are no column of this type.
pub fn take_column(bytes: &mut &[u8], ty: &SqlType, rows: usize) -> Option<ArrayRef> {
    match take_array(bytes)? {
        [UNREAD] => Some(Arc::new(NullArray::new(rows))),
        [CELLS] => {
            let mut cells = CellColumn::new(ty);
            (0..rows).try_for_each(|_| cells.push(bytes))?;
            Some(cells.finish())
        }
        _ => None,
    }
}

pub fn put_bits(bits: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    for (at, bit) in bits.enumerate() {
        if at % 8 == 0 {
            out.push(0);
        }
        if let Some(byte) = out.last_mut() {
            *byte |= u8::from(bit) << (at % 8);
        }
    }
}

/// None: there are too few bytes.
pub fn take_bits(bytes: &mut &[u8], rows: usize) -> Option<BooleanBuffer> {
    let bits = take_slice(bytes, rows.div_ceil(8))?;
    Some(BooleanBuffer::collect_bool(rows, |row| bits[row / 8] & (1 << (row % 8)) != 0))
}

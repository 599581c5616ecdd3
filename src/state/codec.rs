//! Cells: single values of a column as bytes, for changelog records, snapshots and keys of several columns.
//!
//! The format is for ever; a new one needs a new version number in what carries it. A cell is one byte 0 for NULL, or 1
//! and the value: BOOLEAN a byte; INT, DATE, TIME 4 bytes, BIGINT, TIMESTAMP, DOUBLE (its bits) 8 bytes, DECIMAL (unscaled)
//! 32 bytes, all little-endian; STRING and BYTES a length and the bytes; ARRAY a count and cells; MAP a count and
//! entries of a key (length, bytes) and a cell; STRUCT its members' cells. Lengths and counts are LEB128.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryBuilder, BooleanBuilder, ListArray, MapArray, PrimitiveArray,
    PrimitiveBuilder, StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Field, Fields, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, i256,
};

use crate::types::SqlType;

/// Appends an unsigned LEB128 number.
pub fn put_len(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes an unsigned LEB128 number off the front; `None` when it is cut off or too long.
pub fn take_len(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Some(value);
        }
    }
    None
}

/// Takes `N` bytes off the front.
pub fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// Takes `len` bytes off the front.
pub fn take_slice<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

/// Takes a length and that many bytes off the front.
pub fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_len(bytes)?).ok()?;
    take_slice(bytes, len)
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends the cell of one row. The array's type is one of `SqlType::to_arrow`; another one gives a NULL.
pub fn write_cell(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    if array.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    match array.data_type() {
        DataType::Boolean => out.push(u8::from(array.as_boolean().value(row))),
        DataType::Int32 => out.extend_from_slice(&array.as_primitive::<Int32Type>().value(row).to_le_bytes()),
        DataType::Date32 => out.extend_from_slice(&array.as_primitive::<Date32Type>().value(row).to_le_bytes()),
        DataType::Time32(_) => {
            out.extend_from_slice(&array.as_primitive::<Time32MillisecondType>().value(row).to_le_bytes());
        }
        DataType::Int64 => out.extend_from_slice(&array.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::Timestamp(..) => {
            out.extend_from_slice(&array.as_primitive::<TimestampMillisecondType>().value(row).to_le_bytes());
        }
        DataType::Float64 => {
            out.extend_from_slice(&array.as_primitive::<Float64Type>().value(row).to_bits().to_le_bytes());
        }
        DataType::Decimal256(..) => {
            out.extend_from_slice(&array.as_primitive::<Decimal256Type>().value(row).to_le_bytes());
        }
        DataType::Utf8 => put_bytes(out, array.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => put_bytes(out, array.as_binary::<i32>().value(row)),
        _ => write_nested(array, row, out),
    }
}

fn write_nested(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
            put_len(out, (end - start) as u64);
            for item in start..end {
                write_cell(list.values(), item, out);
            }
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (start, end) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
            let keys = map.keys().as_string::<i32>();
            put_len(out, (end - start) as u64);
            for entry in start..end {
                put_bytes(out, keys.value(entry).as_bytes());
                write_cell(map.values(), entry, out);
            }
        }
        DataType::Struct(_) => {
            for member in array.as_struct().columns() {
                write_cell(member, row, out);
            }
        }
        // Not a type of the language: the marker written before becomes NULL's.
        _ => {
            if let Some(marker) = out.last_mut() {
                *marker = 0;
            }
        }
    }
}

/// The bytes of the next cell of this type, taken off the front, without decoding it.
pub fn take_cell<'a>(ty: &SqlType, bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let all = *bytes;
    skip_cell(ty, bytes)?;
    Some(&all[..all.len() - bytes.len()])
}

fn skip_cell(ty: &SqlType, bytes: &mut &[u8]) -> Option<()> {
    if take_array::<1>(bytes)? == [0] {
        return Some(());
    }
    match ty {
        SqlType::Boolean => take_slice(bytes, 1).map(drop),
        SqlType::Int | SqlType::Date | SqlType::Time => take_slice(bytes, 4).map(drop),
        SqlType::Bigint | SqlType::Timestamp | SqlType::Double => take_slice(bytes, 8).map(drop),
        SqlType::Decimal { .. } => take_slice(bytes, 32).map(drop),
        SqlType::String | SqlType::Bytes => take_bytes(bytes).map(drop),
        SqlType::Array(item) => {
            for _ in 0..take_len(bytes)? {
                skip_cell(item, bytes)?;
            }
            Some(())
        }
        SqlType::Map(value) => {
            for _ in 0..take_len(bytes)? {
                take_bytes(bytes)?;
                skip_cell(value, bytes)?;
            }
            Some(())
        }
        SqlType::Struct(members) => members.iter().try_for_each(|(_, ty)| skip_cell(ty, bytes)),
    }
}

/// A column being built from cells.
#[derive(Debug)]
pub enum CellColumn {
    Boolean(BooleanBuilder),
    Int(PrimitiveBuilder<Int32Type>),
    Bigint(PrimitiveBuilder<Int64Type>),
    Double(PrimitiveBuilder<Float64Type>),
    Decimal(PrimitiveBuilder<Decimal256Type>),
    String(StringBuilder),
    Bytes(BinaryBuilder),
    Time(PrimitiveBuilder<Time32MillisecondType>),
    Date(PrimitiveBuilder<Date32Type>),
    Timestamp(PrimitiveBuilder<TimestampMillisecondType>),
    Array(Lengths, Box<CellColumn>),
    Map(Lengths, StringBuilder, Box<CellColumn>),
    Struct(Fields, Vec<CellColumn>, Vec<bool>),
}

/// Offsets and validity of lists or maps under construction.
#[derive(Debug)]
pub struct Lengths {
    field: Arc<Field>,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl Lengths {
    fn new(field: Arc<Field>) -> Self {
        Lengths { field, offsets: vec![0], valid: Vec::new() }
    }

    fn push(&mut self, count: i32, valid: bool) {
        let last = self.offsets.last().copied().unwrap_or(0);
        self.offsets.push(last + count);
        self.valid.push(valid);
    }
}

impl CellColumn {
    /// An empty column of this type.
    pub fn new(ty: &SqlType) -> Self {
        match ty {
            SqlType::Boolean => CellColumn::Boolean(BooleanBuilder::new()),
            SqlType::Int => CellColumn::Int(PrimitiveBuilder::new()),
            SqlType::Bigint => CellColumn::Bigint(PrimitiveBuilder::new()),
            SqlType::Double => CellColumn::Double(PrimitiveBuilder::new()),
            SqlType::Decimal { .. } => CellColumn::Decimal(PrimitiveBuilder::new().with_data_type(ty.to_arrow())),
            SqlType::String => CellColumn::String(StringBuilder::new()),
            SqlType::Bytes => CellColumn::Bytes(BinaryBuilder::new()),
            SqlType::Time => CellColumn::Time(PrimitiveBuilder::new()),
            SqlType::Date => CellColumn::Date(PrimitiveBuilder::new()),
            SqlType::Timestamp => CellColumn::Timestamp(PrimitiveBuilder::new()),
            SqlType::Array(item) => {
                let field = Arc::new(Field::new("item", item.to_arrow(), true));
                CellColumn::Array(Lengths::new(field), Box::new(CellColumn::new(item)))
            }
            SqlType::Map(value) => {
                let field = match ty.to_arrow() {
                    DataType::Map(entries, _) => entries,
                    other => Arc::new(Field::new("entries", other, false)),
                };
                CellColumn::Map(Lengths::new(field), StringBuilder::new(), Box::new(CellColumn::new(value)))
            }
            SqlType::Struct(members) => {
                let fields = members.iter().map(|(name, ty)| Field::new(name, ty.to_arrow(), true)).collect();
                CellColumn::Struct(fields, members.iter().map(|(_, ty)| CellColumn::new(ty)).collect(), Vec::new())
            }
        }
    }

    /// Takes one cell off the front of `bytes` and appends it. `None`: the bytes are no such cell; the column is then
    /// unusable.
    pub fn push(&mut self, bytes: &mut &[u8]) -> Option<()> {
        if take_array::<1>(bytes)? == [0] {
            self.push_null();
            return Some(());
        }
        match self {
            CellColumn::Boolean(column) => column.append_value(take_array::<1>(bytes)? != [0]),
            CellColumn::Int(column) => column.append_value(i32::from_le_bytes(take_array(bytes)?)),
            CellColumn::Time(column) => column.append_value(i32::from_le_bytes(take_array(bytes)?)),
            CellColumn::Date(column) => column.append_value(i32::from_le_bytes(take_array(bytes)?)),
            CellColumn::Bigint(column) => column.append_value(i64::from_le_bytes(take_array(bytes)?)),
            CellColumn::Timestamp(column) => column.append_value(i64::from_le_bytes(take_array(bytes)?)),
            CellColumn::Double(column) => {
                column.append_value(f64::from_bits(u64::from_le_bytes(take_array(bytes)?)));
            }
            CellColumn::Decimal(column) => column.append_value(i256::from_le_bytes(take_array(bytes)?)),
            CellColumn::String(column) => column.append_value(simdutf8::basic::from_utf8(take_bytes(bytes)?).ok()?),
            CellColumn::Bytes(column) => column.append_value(take_bytes(bytes)?),
            CellColumn::Array(lengths, items) => {
                let count = i32::try_from(take_len(bytes)?).ok()?;
                for _ in 0..count {
                    items.push(bytes)?;
                }
                lengths.push(count, true);
            }
            CellColumn::Map(lengths, keys, values) => {
                let count = i32::try_from(take_len(bytes)?).ok()?;
                for _ in 0..count {
                    keys.append_value(simdutf8::basic::from_utf8(take_bytes(bytes)?).ok()?);
                    values.push(bytes)?;
                }
                lengths.push(count, true);
            }
            CellColumn::Struct(_, members, valid) => {
                for member in members {
                    member.push(bytes)?;
                }
                valid.push(true);
            }
        }
        Some(())
    }

    /// Appends a NULL.
    pub fn push_null(&mut self) {
        match self {
            CellColumn::Boolean(column) => column.append_null(),
            CellColumn::Int(column) => column.append_null(),
            CellColumn::Bigint(column) => column.append_null(),
            CellColumn::Double(column) => column.append_null(),
            CellColumn::Decimal(column) => column.append_null(),
            CellColumn::String(column) => column.append_null(),
            CellColumn::Bytes(column) => column.append_null(),
            CellColumn::Time(column) => column.append_null(),
            CellColumn::Date(column) => column.append_null(),
            CellColumn::Timestamp(column) => column.append_null(),
            CellColumn::Array(lengths, _) | CellColumn::Map(lengths, _, _) => lengths.push(0, false),
            CellColumn::Struct(_, members, valid) => {
                members.iter_mut().for_each(CellColumn::push_null);
                valid.push(false);
            }
        }
    }

    /// The column; the builder is empty afterwards.
    pub fn finish(self) -> ArrayRef {
        match self {
            CellColumn::Boolean(mut column) => Arc::new(column.finish()),
            CellColumn::Int(column) => finish_primitive(column),
            CellColumn::Bigint(column) => finish_primitive(column),
            CellColumn::Double(column) => finish_primitive(column),
            CellColumn::Decimal(column) => finish_primitive(column),
            CellColumn::String(mut column) => Arc::new(column.finish()),
            CellColumn::Bytes(mut column) => Arc::new(column.finish()),
            CellColumn::Time(column) => finish_primitive(column),
            CellColumn::Date(column) => finish_primitive(column),
            CellColumn::Timestamp(column) => finish_primitive(column),
            CellColumn::Array(lengths, items) => {
                let offsets = OffsetBuffer::new(lengths.offsets.into());
                Arc::new(ListArray::new(lengths.field, offsets, items.finish(), Some(lengths.valid.into())))
            }
            CellColumn::Map(lengths, mut keys, values) => {
                let offsets = OffsetBuffer::new(lengths.offsets.into());
                let entry_fields = match lengths.field.data_type() {
                    DataType::Struct(fields) => fields.clone(),
                    _ => Fields::empty(),
                };
                let entries = StructArray::new(entry_fields, vec![Arc::new(keys.finish()), values.finish()], None);
                Arc::new(MapArray::new(lengths.field, offsets, entries, Some(lengths.valid.into()), false))
            }
            CellColumn::Struct(fields, members, valid) => {
                let columns = members.into_iter().map(CellColumn::finish).collect::<Vec<_>>();
                let nulls = Some(valid.into());
                if columns.is_empty() {
                    return Arc::new(StructArray::new_empty_fields(
                        nulls.as_ref().map_or(0, arrow::buffer::NullBuffer::len),
                        nulls,
                    ));
                }
                Arc::new(StructArray::new(fields, columns, nulls))
            }
        }
    }
}

fn finish_primitive<T: ArrowPrimitiveType>(mut column: PrimitiveBuilder<T>) -> ArrayRef {
    let array: PrimitiveArray<T> = column.finish();
    Arc::new(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(ty: &SqlType, cells: &[Vec<u8>]) {
        let mut column = CellColumn::new(ty);
        for cell in cells {
            let mut rest = cell.as_slice();
            column.push(&mut rest).expect("a good cell");
            assert!(rest.is_empty());
        }
        let array = column.finish();
        assert_eq!(array.data_type(), &ty.to_arrow());
        for (row, cell) in cells.iter().enumerate() {
            let mut out = Vec::new();
            write_cell(&array, row, &mut out);
            assert_eq!(&out, cell, "row {row} of {ty}");
            let mut bytes = cell.as_slice();
            assert_eq!(take_cell(ty, &mut bytes), Some(cell.as_slice()));
            // Cut off anywhere, it is refused, never a panic.
            for end in 0..cell.len() {
                assert_eq!(CellColumn::new(ty).push(&mut &cell[..end]), None);
            }
        }
    }

    #[test]
    fn cells_are_laid_out_as_documented() {
        round_trip(&SqlType::Boolean, &[vec![0], vec![1, 1], vec![1, 0]]);
        round_trip(&SqlType::Int, &[vec![1, 0xfe, 0xff, 0xff, 0xff], vec![0]]);
        round_trip(&SqlType::Bigint, &[vec![1, 1, 2, 0, 0, 0, 0, 0, 0x80]]);
        round_trip(&SqlType::String, &[vec![1, 2, b'a', b'b'], vec![1, 0], vec![0]]);
        let list = SqlType::Array(Box::new(SqlType::Int));
        round_trip(&list, &[vec![1, 2, 0, 1, 7, 0, 0, 0], vec![0], vec![1, 0]]);
        let map = SqlType::Map(Box::new(SqlType::Boolean));
        round_trip(&map, &[vec![1, 2, 1, b'k', 1, 1, 0, 0], vec![0], vec![1, 0]]);
        let both = SqlType::Struct(vec![("A".into(), list), ("B".into(), SqlType::Bytes)]);
        round_trip(&both, &[vec![1, 1, 1, 0, 1, 1, 9], vec![1, 0, 0], vec![0]]);
        let decimal = SqlType::Decimal { precision: 4, scale: 2 };
        let mut cell = vec![1];
        cell.extend(i256::from_i128(-1234).to_le_bytes());
        round_trip(&decimal, &[cell, vec![0]]);
    }

    #[test]
    fn lengths_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_len(&mut out, value);
            assert_eq!(take_len(&mut out.as_slice()), Some(value));
        }
        assert_eq!(take_len(&mut [0x80; 12].as_slice()), None);
    }
}

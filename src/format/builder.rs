//! Columns that grow row by row and can be cut back to the start of a row that turned out bad. Doesn't know formats.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, ListArray, MapArray, PrimitiveArray, StringArray, StructArray, new_null_array,
};
use arrow::array::{BooleanBufferBuilder, NullBufferBuilder};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, i256,
};

use crate::types::SqlType;

/// A column under construction.
#[derive(Debug)]
pub(super) struct Column {
    pub nulls: NullBufferBuilder,
    pub values: Values,
    ty: DataType,
}

/// Values so far. A null row has a value, too (zero, empty), but a [`Texts`] or list one takes no room.
#[derive(Debug)]
pub(super) enum Values {
    Boolean(BooleanBufferBuilder),
    Int(Vec<i32>),
    Bigint(Vec<i64>),
    Double(Vec<f64>),
    Decimal {
        unscaled: Vec<i256>,
        precision: u32,
        scale: u32,
    },
    /// Valid UTF-8 between every two neighbouring offsets: who appends upholds it.
    String(Texts),
    Bytes(Texts),
    Time(Vec<i32>),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Array {
        offsets: Vec<i32>,
        items: Box<Column>,
    },
    Map {
        offsets: Vec<i32>,
        keys: Texts,
        values: Box<Column>,
    },
    Struct(Vec<Column>),
}

/// Byte strings one after another.
#[derive(Debug)]
pub(super) struct Texts {
    pub offsets: Vec<i32>,
    pub data: Vec<u8>,
}

impl Texts {
    fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Texts { offsets, data: Vec::new() }
    }

    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.close();
    }

    /// Ends a string whose bytes were appended to `data`.
    #[inline]
    pub fn close(&mut self) {
        self.offsets.push(self.data.len() as i32);
    }

    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The string at an index.
    pub fn get(&self, index: usize) -> &[u8] {
        &self.data[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    pub fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        self.data.truncate(self.offsets.last().map_or(0, |end| *end as usize));
    }

    /// The strings so far; empty again, with room for as many.
    fn take(&mut self) -> Texts {
        let mut fresh = Texts::with_capacity(self.len());
        fresh.data.reserve(self.data.len() + self.data.len() / 16);
        std::mem::replace(self, fresh)
    }
}

impl Column {
    pub fn new(ty: &SqlType) -> Self {
        let values = match ty {
            SqlType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            SqlType::Int => Values::Int(Vec::new()),
            SqlType::Bigint => Values::Bigint(Vec::new()),
            SqlType::Double => Values::Double(Vec::new()),
            SqlType::Decimal { precision, scale } => {
                Values::Decimal { unscaled: Vec::new(), precision: *precision, scale: *scale }
            }
            SqlType::String => Values::String(Texts::with_capacity(0)),
            SqlType::Bytes => Values::Bytes(Texts::with_capacity(0)),
            SqlType::Time => Values::Time(Vec::new()),
            SqlType::Date => Values::Date(Vec::new()),
            SqlType::Timestamp => Values::Timestamp(Vec::new()),
            SqlType::Array(item) => Values::Array { offsets: vec![0], items: Box::new(Column::new(item)) },
            SqlType::Map(value) => {
                Values::Map { offsets: vec![0], keys: Texts::with_capacity(0), values: Box::new(Column::new(value)) }
            }
            SqlType::Struct(fields) => Values::Struct(fields.iter().map(|(_, ty)| Column::new(ty)).collect()),
        };
        Column { nulls: NullBufferBuilder::new(0), values, ty: ty.to_arrow() }
    }

    pub fn len(&self) -> usize {
        self.nulls.len()
    }

    pub fn push_null(&mut self) {
        self.nulls.append_null();
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::Int(values) | Values::Time(values) | Values::Date(values) => values.push(0),
            Values::Bigint(values) | Values::Timestamp(values) => values.push(0),
            Values::Double(values) => values.push(0.0),
            Values::Decimal { unscaled, .. } => unscaled.push(i256::ZERO),
            Values::String(texts) | Values::Bytes(texts) => texts.close(),
            Values::Array { offsets, items } => offsets.push(items.len() as i32),
            Values::Map { offsets, values, .. } => offsets.push(values.len() as i32),
            Values::Struct(columns) => columns.iter_mut().for_each(Column::push_null),
        }
    }

    /// Forgets all from row `len` on, members of a half-built row included.
    pub fn truncate(&mut self, len: usize) {
        if len < self.nulls.len() {
            self.nulls.truncate(len);
        }
        match &mut self.values {
            Values::Boolean(values) => {
                if len < values.len() {
                    values.truncate(len);
                }
            }
            Values::Int(values) | Values::Time(values) | Values::Date(values) => values.truncate(len),
            Values::Bigint(values) | Values::Timestamp(values) => values.truncate(len),
            Values::Double(values) => values.truncate(len),
            Values::Decimal { unscaled, .. } => unscaled.truncate(len),
            Values::String(texts) | Values::Bytes(texts) => texts.truncate(len),
            Values::Array { offsets, items } => {
                offsets.truncate(len + 1);
                items.truncate(offsets.last().map_or(0, |end| *end as usize));
            }
            Values::Map { offsets, keys, values } => {
                offsets.truncate(len + 1);
                let entries = offsets.last().map_or(0, |end| *end as usize);
                keys.truncate(entries);
                values.truncate(entries);
            }
            Values::Struct(columns) => columns.iter_mut().for_each(|column| column.truncate(len)),
        }
    }

    /// The column so far. What stays is empty, with room for as many rows.
    pub fn finish(&mut self) -> ArrayRef {
        let rows = self.len();
        let nulls = self.nulls.finish();
        match &mut self.values {
            Values::Boolean(values) => {
                let bits = values.finish();
                values.reserve(rows);
                Arc::new(BooleanArray::new(bits, nulls))
            }
            Values::Int(values) => primitive::<Int32Type>(values, nulls),
            Values::Time(values) => primitive::<Time32MillisecondType>(values, nulls),
            Values::Date(values) => primitive::<Date32Type>(values, nulls),
            Values::Bigint(values) => primitive::<Int64Type>(values, nulls),
            Values::Timestamp(values) => primitive::<TimestampMillisecondType>(values, nulls),
            Values::Double(values) => primitive::<Float64Type>(values, nulls),
            Values::Decimal { unscaled, .. } => {
                let values = PrimitiveArray::<Decimal256Type>::new(take(unscaled).into(), nulls);
                Arc::new(values.with_data_type(self.ty.clone()))
            }
            Values::String(texts) => string_array(texts.take(), nulls),
            Values::Bytes(texts) => {
                let Texts { offsets, data } = texts.take();
                Arc::new(BinaryArray::new(offset_buffer(offsets), Buffer::from_vec(data), nulls))
            }
            Values::Array { offsets, items } => match &self.ty {
                DataType::List(field) => {
                    let offsets = take_offsets(offsets);
                    Arc::new(ListArray::new(Arc::clone(field), offsets, items.finish(), nulls))
                }
                other => new_null_array(other, rows),
            },
            Values::Map { offsets, keys, values } => {
                let keys = string_array(keys.take(), None);
                finish_map(&self.ty, take_offsets(offsets), keys, values.finish(), nulls)
            }
            Values::Struct(columns) => match &self.ty {
                DataType::Struct(fields) => {
                    let columns = columns.iter_mut().map(Column::finish).collect();
                    Arc::new(StructArray::new(fields.clone(), columns, nulls))
                }
                other => new_null_array(other, rows),
            },
        }
    }
}

/// The values, with an empty vector of the same room in their place.
fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = values.len();
    std::mem::replace(values, Vec::with_capacity(room))
}

fn primitive<T: ArrowPrimitiveType>(values: &mut Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(take(values)), nulls))
}

fn take_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let mut fresh = Vec::with_capacity(offsets.len());
    fresh.push(0);
    offset_buffer(std::mem::replace(offsets, fresh))
}

fn offset_buffer(offsets: Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(offsets))
}

fn string_array(texts: Texts, nulls: Option<NullBuffer>) -> ArrayRef {
    let Texts { offsets, data } = texts;
    let (offsets, data) = (offset_buffer(offsets), Buffer::from_vec(data));
    debug_assert!(StringArray::try_new(offsets.clone(), data.clone(), nulls.clone()).is_ok());
    // SAFETY: every string was checked to be UTF-8 when it was appended (see `Values::String`), offsets only grow and
    // end with the data, and there are as many null bits as offsets less one: rows are appended to all of them.
    // Checking again would be one more pass over every text of the data path.
    Arc::new(unsafe { StringArray::new_unchecked(offsets, data, nulls) })
}

fn finish_map(
    ty: &DataType,
    offsets: OffsetBuffer<i32>,
    keys: ArrayRef,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    if let DataType::Map(field, sorted) = ty
        && let DataType::Struct(members) = field.data_type()
    {
        let entries = StructArray::new(members.clone(), vec![keys, values], None);
        return Arc::new(MapArray::new(Arc::clone(field), offsets, entries, nulls, *sorted));
    }
    new_null_array(ty, offsets.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_turns_out_bad_leaves_no_trace() {
        let ty = SqlType::Struct(vec![
            ("A".into(), SqlType::String),
            ("B".into(), SqlType::Array(Box::new(SqlType::Map(Box::new(SqlType::Boolean))))),
        ]);
        let mut column = Column::new(&ty);
        column.push_null();
        let Values::Struct(members) = &mut column.values else { panic!("a struct") };
        let Values::String(texts) = &mut members[0].values else { panic!("a string") };
        texts.push(b"half");
        members[0].nulls.append_non_null();
        let Values::Array { items, .. } = &mut members[1].values else { panic!("an array") };
        let Values::Map { keys, values, .. } = &mut items.values else { panic!("a map") };
        keys.push(b"k");
        values.push_null();

        column.truncate(1);
        column.push_null();
        let array = column.finish();
        assert_eq!(array.len(), 2);
        assert_eq!(array.null_count(), 2);
        assert_eq!(array.data_type(), &ty.to_arrow());
        assert_eq!(column.len(), 0);
        assert_eq!(column.finish().len(), 0);
    }
}

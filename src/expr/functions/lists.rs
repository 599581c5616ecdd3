//! Columns of arrays and maps put together from entries of other columns. Doesn't know functions.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, ListArray, MapArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::interleave;

use crate::expr::eval::nulls;
use crate::expr::eval::values::{list_array, map_array};
use crate::types::SqlType;

/// The entries of a row's array in the column of all elements; `None` for NULL.
pub(super) fn range(list: &ListArray, row: usize) -> Option<Range<usize>> {
    let offsets = list.value_offsets();
    list.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
}

/// The same for a map.
pub(super) fn map_range(map: &MapArray, row: usize) -> Option<Range<usize>> {
    let offsets = map.value_offsets();
    map.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
}

/// Rows of arrays under construction: each element is (which column, which entry).
#[derive(Default)]
pub(super) struct Lists {
    entries: Vec<(usize, usize)>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl Lists {
    /// The next row.
    pub fn push(&mut self, row: Option<impl IntoIterator<Item = (usize, usize)>>) {
        let before = self.entries.len();
        self.valid.push(row.is_some());
        self.entries.extend(row.into_iter().flatten());
        self.lengths.push(self.entries.len() - before);
    }

    /// The column, of type `ty` (an ARRAY).
    pub fn finish(self, columns: &[&dyn Array], ty: &SqlType) -> ArrayRef {
        let SqlType::Array(item) = ty else { return nulls(ty, self.lengths.len()) };
        let values = gather(columns, &self.entries, item);
        list_array(OffsetBuffer::from_lengths(self.lengths), values, Some(NullBuffer::from(self.valid)), item)
    }
}

/// Rows of maps under construction: keys and values are (which column, which entry).
#[derive(Default)]
pub(super) struct Maps {
    keys: Vec<(usize, usize)>,
    values: Vec<(usize, usize)>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

/// An entry of a map: places of key and value.
pub(super) type MapEntry = ((usize, usize), (usize, usize));

impl Maps {
    pub fn push(&mut self, row: Option<impl IntoIterator<Item = MapEntry>>) {
        let before = self.keys.len();
        self.valid.push(row.is_some());
        for (key, value) in row.into_iter().flatten() {
            self.keys.push(key);
            self.values.push(value);
        }
        self.lengths.push(self.keys.len() - before);
    }

    /// The column, of type `ty` (a MAP).
    pub fn finish(self, keys: &[&dyn Array], values: &[&dyn Array], ty: &SqlType) -> ArrayRef {
        let SqlType::Map(value) = ty else { return nulls(ty, self.lengths.len()) };
        let keys = gather(keys, &self.keys, &SqlType::String);
        let values = gather(values, &self.values, value);
        map_array(OffsetBuffer::from_lengths(self.lengths), keys, values, Some(NullBuffer::from(self.valid)), value)
    }
}

fn gather(columns: &[&dyn Array], entries: &[(usize, usize)], ty: &SqlType) -> ArrayRef {
    interleave(columns, entries).unwrap_or_else(|_| nulls(ty, entries.len()))
}

/// The STRUCT column of a list's elements.
pub(super) fn struct_values(fields: &[(String, SqlType)], children: Vec<ArrayRef>, rows: usize) -> ArrayRef {
    crate::expr::eval::values::struct_array(fields, children, None, rows)
}

//! Cells in a row, as groups hold them: one buffer, and where each cell ends.

use std::cmp::Ordering;

use arrow::datatypes::i256;

use crate::state::codec::{put_len, take_array, take_bytes, take_cell, take_len};
use crate::types::SqlType;

/// An ordered list of cells.
#[derive(Debug, Default, Clone)]
pub(super) struct Cells {
    data: Vec<u8>,
    ends: Vec<u32>,
}

impl Cells {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> &[u8] {
        &self.data[self.start(index)..self.ends[index] as usize]
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] as usize }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    pub(super) fn push(&mut self, cell: &[u8]) {
        self.data.extend_from_slice(cell);
        self.ends.push(self.data.len() as u32);
    }

    pub(super) fn insert(&mut self, index: usize, cell: &[u8]) {
        let at = self.start(index);
        self.data.splice(at..at, cell.iter().copied());
        self.ends.insert(index, at as u32);
        self.ends[index..].iter_mut().for_each(|end| *end += cell.len() as u32);
    }

    pub(super) fn remove(&mut self, index: usize) {
        let (start, end) = (self.start(index), self.ends[index] as usize);
        self.data.drain(start..end);
        self.ends.remove(index);
        self.ends[index..].iter_mut().for_each(|after| *after -= (end - start) as u32);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        self.data.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }

    /// Appends the cell of an ARRAY of these.
    pub(super) fn write_array(&self, out: &mut Vec<u8>) {
        out.push(1);
        put_len(out, self.len() as u64);
        out.extend_from_slice(&self.data);
    }

    /// Takes the cell of an ARRAY of such cells off the front; NULL is an empty list.
    pub(super) fn take_array(item: &SqlType, cells: &mut &[u8]) -> Option<Cells> {
        let mut list = Cells::default();
        if take_array::<1>(cells)? == [0] {
            return Some(list);
        }
        for _ in 0..take_len(cells)? {
            list.push(take_cell(item, cells)?);
        }
        Some(list)
    }

    pub(super) fn heap(&self) -> usize {
        self.data.capacity() + self.ends.capacity() * 4
    }
}

/// Compares two cells of a type that has an order; NULL comes first. BYTES as signed bytes (as Java does), DOUBLE with NaN
/// above every number. Types without an order are all equal.
pub(super) fn compare_cells(ty: &SqlType, a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    let markers = (take_array::<1>(&mut a), take_array::<1>(&mut b));
    if markers.0 != Some([1]) || markers.1 != Some([1]) {
        return markers.0.cmp(&markers.1);
    }
    match ty {
        SqlType::Boolean => a.cmp(b),
        SqlType::Int | SqlType::Date | SqlType::Time => {
            number(a, i32::from_le_bytes).cmp(&number(b, i32::from_le_bytes))
        }
        SqlType::Bigint | SqlType::Timestamp => number(a, i64::from_le_bytes).cmp(&number(b, i64::from_le_bytes)),
        SqlType::Decimal { .. } => number(a, i256::from_le_bytes).cmp(&number(b, i256::from_le_bytes)),
        SqlType::Double => {
            let (a, b) = (number(a, f64::from_le_bytes), number(b, f64::from_le_bytes));
            a.unwrap_or(0.0).total_cmp(&b.unwrap_or(0.0))
        }
        SqlType::String => take_bytes(&mut a).cmp(&take_bytes(&mut b)),
        SqlType::Bytes => {
            let signed =
                |bytes: &mut &[u8]| take_bytes(bytes).unwrap_or(&[]).iter().map(|&byte| byte as i8).collect::<Vec<_>>();
            signed(&mut a).cmp(&signed(&mut b))
        }
        SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_) => Ordering::Equal,
    }
}

fn number<const N: usize, T>(mut bytes: &[u8], read: fn([u8; N]) -> T) -> Option<T> {
    take_array(&mut bytes).map(read)
}

//! Values with how often each is there, in the order of their arrival: what a value that goes again is taken out of.

use std::collections::HashMap;

use super::cells::Cells;
use crate::state::codec::{put_len, take_array, take_len};
use crate::types::SqlType;

/// Cells with their counts. A cell that is gone altogether and comes again stands last.
#[derive(Debug, Default)]
pub(super) struct Bag {
    held: HashMap<Box<[u8]>, Held>,
    /// Place of the next new cell.
    next: u64,
    cell_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    place: u64,
    count: i64,
}

impl Bag {
    /// Different cells.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Adds a cell `count` times. True: it was not there.
    pub(super) fn add(&mut self, cell: &[u8], count: i64) -> bool {
        if let Some(held) = self.held.get_mut(cell) {
            held.count += count;
            return false;
        }
        self.held.insert(cell.into(), Held { place: self.next, count });
        self.next += 1;
        self.cell_bytes += cell.len();
        true
    }

    /// Takes a cell out once. True: it is gone altogether.
    pub(super) fn remove(&mut self, cell: &[u8]) -> bool {
        let Some(held) = self.held.get_mut(cell) else { return false };
        held.count -= 1;
        if held.count > 0 {
            return false;
        }
        self.held.remove(cell);
        self.cell_bytes -= cell.len();
        true
    }

    /// The cells with their counts, in their order.
    pub(super) fn in_order(&self) -> Vec<(&[u8], i64)> {
        let mut all: Vec<(&[u8], &Held)> = self.held.iter().map(|(cell, held)| (&**cell, held)).collect();
        all.sort_unstable_by_key(|(_, held)| held.place);
        all.into_iter().map(|(cell, held)| (cell, held.count)).collect()
    }

    /// Puts the cells of `from` before those of this one.
    pub(super) fn merge(&mut self, from: &Bag) {
        let mut all = Bag::default();
        for bag in [from, self] {
            bag.in_order().into_iter().for_each(|(cell, count)| {
                all.add(cell, count);
            });
        }
        *self = all;
    }

    /// Appends what [`take`](Bag::take) takes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_counted(self.in_order().into_iter(), out);
    }

    /// Takes cells of `item` and their counts off the front.
    pub(super) fn take(item: &SqlType, cells: &mut &[u8]) -> Option<Bag> {
        let mut bag = Bag::default();
        take_counted(item, cells, |cell, count| {
            bag.add(cell, count);
        })?;
        Some(bag)
    }

    /// Bytes held beyond its own size, about.
    pub(super) fn heap(&self) -> usize {
        self.cell_bytes + self.held.capacity() * (size_of::<Box<[u8]>>() + size_of::<Held>() + 1)
    }
}

/// The types of what [`write_counted`] appends.
pub(super) fn counted_types(item: &SqlType) -> Vec<SqlType> {
    vec![SqlType::Array(Box::new(item.clone())), SqlType::Array(Box::new(SqlType::Bigint))]
}

/// Appends the cells of an ARRAY of the values and an ARRAY of BIGINT, their counts.
pub(super) fn write_counted<'a>(values: impl Iterator<Item = (&'a [u8], i64)>, out: &mut Vec<u8>) {
    let (mut cells, mut counts, mut len) = (Vec::new(), Vec::new(), 0);
    for (cell, count) in values {
        cells.extend_from_slice(cell);
        counts.push(1);
        counts.extend_from_slice(&count.to_le_bytes());
        len += 1;
    }
    for items in [cells, counts] {
        out.push(1);
        put_len(out, len);
        out.extend_from_slice(&items);
    }
}

/// Takes such cells off the front; NULL is an empty ARRAY.
pub(super) fn take_counted(item: &SqlType, cells: &mut &[u8], mut each: impl FnMut(&[u8], i64)) -> Option<()> {
    let values = Cells::take_array(item, cells)?;
    let counts = if take_array::<1>(cells)? == [1] { take_len(cells)? } else { 0 };
    if counts != values.len() as u64 {
        return None;
    }
    for cell in values.iter() {
        take_array::<1>(cells)?;
        each(cell, i64::from_le_bytes(take_array(cells)?));
    }
    Some(())
}

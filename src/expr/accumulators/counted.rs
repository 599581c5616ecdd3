//! Values with counts, which HISTOGRAM and ATTR are made of.

use arrow::array::ArrayRef;

use super::cells::Cells;
use super::composite::Composite;
use super::distinct_cells::DistinctCells;
use crate::state::codec::{put_len, take_array, take_len, write_cell};
use crate::types::SqlType;

/// Cells with how often each came.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) values: DistinctCells,
    pub(super) counts: Vec<i64>,
}

impl Counted {
    /// Adds to the count of a value; a count of 0 is forgotten. A new value beyond `max` is ignored.
    fn add(&mut self, cell: &[u8], by: i64, max: usize) {
        match self.values.find(cell) {
            Some(place) => {
                self.counts[place] += by;
                if self.counts[place] <= 0 {
                    self.values.remove(place);
                    self.counts.remove(place);
                }
            }
            None if by > 0 && self.counts.len() < max => {
                self.values.push(cell);
                self.counts.push(by);
            }
            None => {}
        }
    }

    fn merge(from: &Counted, into: &mut Counted, max: usize) {
        let mut all = Counted::default();
        for group in [from, into] {
            for (cell, &count) in group.values.cells.iter().zip(&group.counts) {
                all.add(cell, count, max);
            }
        }
        *into = all;
    }

    /// Appends the cells of an ARRAY of the values and an ARRAY of BIGINT.
    fn write(&self, out: &mut Vec<u8>) {
        self.values.cells.write_array(out);
        out.push(1);
        put_len(out, self.counts.len() as u64);
        for count in &self.counts {
            out.push(1);
            out.extend_from_slice(&count.to_le_bytes());
        }
    }

    fn take(item: &SqlType, cells: &mut &[u8]) -> Option<Counted> {
        let values = Cells::take_array(item, cells)?;
        let mut counts = Vec::new();
        if take_array::<1>(cells)? == [1] {
            for _ in 0..take_len(cells)? {
                take_array::<1>(cells)?;
                counts.push(i64::from_le_bytes(take_array(cells)?));
            }
        }
        (values.len() == counts.len()).then(|| Counted { values: DistinctCells::from_cells(values), counts })
    }

    fn heap(&self) -> usize {
        self.values.heap() + self.counts.capacity() * 8
    }
}

/// An aggregate that counts each value of its argument, NULL as well.
pub(super) struct Counting {
    pub(super) item: SqlType,
    pub(super) returns: SqlType,
    /// Distinct values of a group; new ones beyond it are ignored.
    pub(super) values_max: usize,
    /// Appends the result's cell.
    pub(super) result: fn(&Counted, &mut Vec<u8>),
    pub(super) scratch: Vec<u8>,
}

impl Counting {
    fn change(&mut self, group: &mut Counted, args: &[ArrayRef], row: usize, by: i64) {
        self.scratch.clear();
        write_cell(&args[0], row, &mut self.scratch);
        group.add(&self.scratch, by, self.values_max);
    }
}

impl Composite for Counting {
    type Group = Counted;

    const CAN_UNDO: bool = true;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut Counted, args: &[ArrayRef], row: usize) -> Result<(), String> {
        self.change(group, args, row, 1);
        Ok(())
    }

    fn remove(&mut self, group: &mut Counted, args: &[ArrayRef], row: usize) {
        self.change(group, args, row, -1);
    }

    fn merge(&mut self, from: &Counted, into: &mut Counted) {
        Counted::merge(from, into, self.values_max);
    }

    fn result(&self, group: &Counted, out: &mut Vec<u8>) {
        (self.result)(group, out);
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Array(Box::new(self.item.clone())), SqlType::Array(Box::new(SqlType::Bigint))]
    }

    fn save(&self, group: &Counted, out: &mut Vec<u8>) {
        group.write(out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Counted> {
        Counted::take(&self.item, cells)
    }

    fn heap(&self, group: &Counted) -> usize {
        group.heap()
    }
}

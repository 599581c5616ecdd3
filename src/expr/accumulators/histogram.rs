//! HISTOGRAM, and values with counts, which ATTR shares.

use arrow::array::ArrayRef;

use super::cells::Cells;
use super::collect::DistinctCells;
use super::composite::{Composite, Grouped};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::{put_bytes, put_len, take_array, take_bytes, take_len, write_cell};
use crate::types::SqlType;

/// Distinct values of a group; new ones beyond it are ignored.
const KEYS_MAX: usize = 1000;

/// HISTOGRAM(x): how often each STRING came. A NULL counts under the key `null`.
pub(crate) fn histogram(call: &AggregateCall) -> Made {
    match arg(call, 0)? {
        SqlType::String => Ok(Box::new(Grouped::new(Histogram {
            returns: SqlType::Map(Box::new(SqlType::Bigint)),
            scratch: Vec::new(),
        }))),
        other => Err(bad_type(call, other)),
    }
}

/// Cells with how often each came.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) values: DistinctCells,
    pub(super) counts: Vec<i64>,
}

impl Counted {
    /// Adds to the count of a value; a count of 0 is forgotten. A new value beyond `max` is ignored.
    pub(super) fn add(&mut self, cell: &[u8], by: i64, max: usize) {
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

    pub(super) fn merge(from: &Counted, into: &mut Counted, max: usize) {
        let mut all = Counted::default();
        for group in [from, into] {
            for (cell, &count) in group.values.cells.iter().zip(&group.counts) {
                all.add(cell, count, max);
            }
        }
        *into = all;
    }

    /// Appends the cells of an ARRAY of the values and an ARRAY of BIGINT.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.values.cells.write_array(out);
        out.push(1);
        put_len(out, self.counts.len() as u64);
        for count in &self.counts {
            out.push(1);
            out.extend_from_slice(&count.to_le_bytes());
        }
    }

    pub(super) fn take(item: &SqlType, cells: &mut &[u8]) -> Option<Counted> {
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

    pub(super) fn heap(&self) -> usize {
        self.values.heap() + self.counts.capacity() * 8
    }
}

struct Histogram {
    returns: SqlType,
    scratch: Vec<u8>,
}

impl Histogram {
    fn change(&mut self, group: &mut Counted, args: &[ArrayRef], row: usize, by: i64) {
        self.scratch.clear();
        write_cell(&args[0], row, &mut self.scratch);
        group.add(&self.scratch, by, KEYS_MAX);
    }
}

impl Composite for Histogram {
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
        Counted::merge(from, into, KEYS_MAX);
    }

    fn result(&self, group: &Counted, out: &mut Vec<u8>) {
        out.push(1);
        put_len(out, group.counts.len() as u64);
        for (mut cell, count) in group.values.cells.iter().zip(&group.counts) {
            let key = match take_array::<1>(&mut cell) {
                Some([1]) => take_bytes(&mut cell).unwrap_or_default(),
                _ => b"null",
            };
            put_bytes(out, key);
            out.push(1);
            out.extend_from_slice(&count.to_le_bytes());
        }
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Array(Box::new(SqlType::String)), SqlType::Array(Box::new(SqlType::Bigint))]
    }

    fn save(&self, group: &Counted, out: &mut Vec<u8>) {
        group.write(out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Counted> {
        Counted::take(&SqlType::String, cells)
    }

    fn heap(&self, group: &Counted) -> usize {
        group.heap()
    }
}

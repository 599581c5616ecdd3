//! COLLECT_LIST and COLLECT_SET.

use arrow::array::ArrayRef;
use hashbrown::HashTable;

use super::cells::Cells;
use super::composite::{Composite, Grouped};
use super::count_distinct::stable_hash;
use super::{Made, arg};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::write_cell;
use crate::types::SqlType;

/// COLLECT_LIST(x): all values, NULLs too, in order of arrival; beyond the limit later ones are left out.
pub(crate) fn collect_list(call: &AggregateCall) -> Made {
    let item = arg(call, 0)?.clone();
    Ok(Box::new(Grouped::new(CollectList {
        returns: SqlType::Array(Box::new(item.clone())),
        item,
        limit: call.collect_limit.unwrap_or(usize::MAX),
        scratch: Vec::new(),
    })))
}

/// COLLECT_SET(x): the distinct values, one NULL too, in order of arrival.
pub(crate) fn collect_set(call: &AggregateCall) -> Made {
    let item = arg(call, 0)?.clone();
    Ok(Box::new(Grouped::new(CollectSet {
        returns: SqlType::Array(Box::new(item.clone())),
        item,
        limit: call.collect_limit.unwrap_or(usize::MAX),
        scratch: Vec::new(),
    })))
}

struct CollectList {
    item: SqlType,
    returns: SqlType,
    limit: usize,
    scratch: Vec<u8>,
}

impl Composite for CollectList {
    type Group = Cells;

    const CAN_UNDO: bool = true;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut Cells, args: &[ArrayRef], row: usize) -> Result<(), String> {
        if group.len() < self.limit {
            self.scratch.clear();
            write_cell(&args[0], row, &mut self.scratch);
            group.push(&self.scratch);
        }
        Ok(())
    }

    /// The last equal one goes.
    fn remove(&mut self, group: &mut Cells, args: &[ArrayRef], row: usize) {
        self.scratch.clear();
        write_cell(&args[0], row, &mut self.scratch);
        if let Some(index) = (0..group.len()).rev().find(|&index| group.get(index) == self.scratch) {
            group.remove(index);
        }
    }

    fn merge(&mut self, from: &Cells, into: &mut Cells) {
        let mut all = from.clone();
        into.iter().for_each(|cell| all.push(cell));
        all.truncate(self.limit);
        *into = all;
    }

    fn result(&self, group: &Cells, out: &mut Vec<u8>) {
        group.write_array(out);
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![self.returns.clone()]
    }

    fn save(&self, group: &Cells, out: &mut Vec<u8>) {
        group.write_array(out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Cells> {
        Cells::take_array(&self.item, cells)
    }

    fn heap(&self, group: &Cells) -> usize {
        group.heap()
    }
}

/// Distinct cells in order of arrival.
#[derive(Debug, Default)]
pub(super) struct DistinctCells {
    pub(super) cells: Cells,
    /// Hash and place of each; empty while a look along the list is as fast.
    index: HashTable<(u64, u32)>,
}

const INDEX_FROM: usize = 16;

impl DistinctCells {
    pub(super) fn from_cells(cells: Cells) -> Self {
        let mut set = DistinctCells { cells, index: HashTable::new() };
        set.reindex();
        set
    }

    /// The place of a cell.
    pub(super) fn find(&self, cell: &[u8]) -> Option<usize> {
        if self.index.is_empty() {
            return self.cells.iter().position(|held| held == cell);
        }
        let hash = stable_hash(cell);
        let found = self.index.find(hash, |&(known, place)| known == hash && self.cells.get(place as usize) == cell);
        found.map(|&(_, place)| place as usize)
    }

    /// Adds a cell that is not there.
    pub(super) fn push(&mut self, cell: &[u8]) {
        self.cells.push(cell);
        if self.index.is_empty() {
            if self.cells.len() >= INDEX_FROM {
                self.reindex();
            }
        } else {
            let hash = stable_hash(cell);
            self.index.insert_unique(hash, (hash, self.cells.len() as u32 - 1), |&(hash, _)| hash);
        }
    }

    pub(super) fn remove(&mut self, place: usize) {
        self.cells.remove(place);
        self.reindex();
    }

    fn reindex(&mut self) {
        self.index.clear();
        if self.cells.len() >= INDEX_FROM {
            for (place, cell) in self.cells.iter().enumerate() {
                let hash = stable_hash(cell);
                self.index.insert_unique(hash, (hash, place as u32), |&(hash, _)| hash);
            }
        }
    }

    pub(super) fn heap(&self) -> usize {
        self.cells.heap() + self.index.capacity() * 17
    }
}

struct CollectSet {
    item: SqlType,
    returns: SqlType,
    limit: usize,
    scratch: Vec<u8>,
}

impl Composite for CollectSet {
    type Group = DistinctCells;

    const CAN_UNDO: bool = false;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut DistinctCells, args: &[ArrayRef], row: usize) -> Result<(), String> {
        if group.cells.len() < self.limit {
            self.scratch.clear();
            write_cell(&args[0], row, &mut self.scratch);
            if group.find(&self.scratch).is_none() {
                group.push(&self.scratch);
            }
        }
        Ok(())
    }

    fn merge(&mut self, from: &DistinctCells, into: &mut DistinctCells) {
        let mut all = DistinctCells::from_cells(from.cells.clone());
        for cell in into.cells.iter() {
            if all.cells.len() < self.limit && all.find(cell).is_none() {
                all.push(cell);
            }
        }
        *into = all;
    }

    fn result(&self, group: &DistinctCells, out: &mut Vec<u8>) {
        group.cells.write_array(out);
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![self.returns.clone()]
    }

    fn save(&self, group: &DistinctCells, out: &mut Vec<u8>) {
        group.cells.write_array(out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<DistinctCells> {
        Some(DistinctCells::from_cells(Cells::take_array(&self.item, cells)?))
    }

    fn heap(&self, group: &DistinctCells) -> usize {
        group.heap()
    }
}

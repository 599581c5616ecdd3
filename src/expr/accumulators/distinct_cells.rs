//! Different cells with an index, once there are many.

use hashbrown::HashTable;

use super::cells::Cells;
use super::count_distinct::stable_hash;

/// Distinct cells in order of arrival.
#[derive(Debug, Default, Clone)]
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

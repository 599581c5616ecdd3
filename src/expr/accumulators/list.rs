//! Aggregates whose groups are lists of cells: the list, as an ARRAY, is the result and the state.

use arrow::array::ArrayRef;

use super::cells::Cells;
use super::composite::Composite;
use super::distinct_cells::DistinctCells;
use crate::state::codec::write_cell;
use crate::types::SqlType;

/// Which items a list keeps, and in which order.
pub(super) trait Keep: Send {
    type List: List;

    const CAN_UNDO: bool;

    /// Writes the item of a row. False: it has none.
    fn item(&self, args: &[ArrayRef], row: usize, out: &mut Vec<u8>) -> bool {
        write_cell(&args[0], row, out);
        true
    }

    /// Takes an item in, behind those that came before, if it is to be kept.
    fn offer(&self, list: &mut Self::List, item: &[u8]);

    /// Takes an item back out. Only where `CAN_UNDO`.
    fn withdraw(&self, list: &mut Self::List, item: &[u8]) {
        let _ = (list, item);
    }
}

/// Cells in an order.
pub(super) trait List: Default + Clone + Send {
    fn cells(&self) -> &Cells;
    fn from_cells(cells: Cells) -> Self;
    /// Bytes held beyond its own size.
    fn heap(&self) -> usize;
}

impl List for Cells {
    fn cells(&self) -> &Cells {
        self
    }

    fn from_cells(cells: Cells) -> Self {
        cells
    }

    fn heap(&self) -> usize {
        Cells::heap(self)
    }
}

impl List for DistinctCells {
    fn cells(&self) -> &Cells {
        &self.cells
    }

    fn from_cells(cells: Cells) -> Self {
        DistinctCells::from_cells(cells)
    }

    fn heap(&self) -> usize {
        DistinctCells::heap(self)
    }
}

/// The aggregate of such lists.
pub(super) struct Lists<K> {
    item: SqlType,
    returns: SqlType,
    keep: K,
    scratch: Vec<u8>,
}

impl<K: Keep> Lists<K> {
    /// `item`: the type of the lists' items.
    pub(super) fn new(item: SqlType, keep: K) -> Self {
        Lists { returns: SqlType::Array(Box::new(item.clone())), item, keep, scratch: Vec::new() }
    }

    /// Writes the row's item to `scratch`. False: it has none.
    fn read(&mut self, args: &[ArrayRef], row: usize) -> bool {
        self.scratch.clear();
        self.keep.item(args, row, &mut self.scratch)
    }
}

impl<K: Keep> Composite for Lists<K> {
    type Group = K::List;

    const CAN_UNDO: bool = K::CAN_UNDO;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut K::List, args: &[ArrayRef], row: usize) -> Result<(), String> {
        if self.read(args, row) {
            self.keep.offer(group, &self.scratch);
        }
        Ok(())
    }

    fn remove(&mut self, group: &mut K::List, args: &[ArrayRef], row: usize) {
        if self.read(args, row) {
            self.keep.withdraw(group, &self.scratch);
        }
    }

    fn merge(&mut self, from: &K::List, into: &mut K::List) {
        let mut all = from.clone();
        into.cells().iter().for_each(|item| self.keep.offer(&mut all, item));
        *into = all;
    }

    fn result(&self, group: &K::List, out: &mut Vec<u8>) {
        group.cells().write_array(out);
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![self.returns.clone()]
    }

    fn save(&self, group: &K::List, out: &mut Vec<u8>) {
        group.cells().write_array(out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<K::List> {
        Some(K::List::from_cells(Cells::take_array(&self.item, cells)?))
    }

    fn heap(&self, group: &K::List) -> usize {
        group.heap()
    }
}

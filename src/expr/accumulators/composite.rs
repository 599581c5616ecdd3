//! Aggregates whose groups hold values of any type and number, row by row.

use arrow::array::ArrayRef;

use crate::expr::EvalErrors;
use crate::expr::accumulator::Accumulator;
use crate::state::codec::{CellColumn, write_cell};
use crate::types::SqlType;

/// What is done with the rows of a group. Values are cells (see `state::codec`).
pub(super) trait Composite: Send {
    /// The state of one group; the default is that of a group without rows.
    type Group: Default + Send;

    const CAN_UNDO: bool;

    fn returns(&self) -> &SqlType;
    /// Takes a row in. The error says why it was left out.
    fn add(&mut self, group: &mut Self::Group, args: &[ArrayRef], row: usize) -> Result<(), String>;
    /// Takes a row back out. Only where `CAN_UNDO`.
    fn remove(&mut self, group: &mut Self::Group, args: &[ArrayRef], row: usize) {
        let _ = (group, args, row);
    }
    /// `from` is the earlier one.
    fn merge(&mut self, from: &Self::Group, into: &mut Self::Group);
    /// Appends the result's cell.
    fn result(&self, group: &Self::Group, out: &mut Vec<u8>);
    fn state_types(&self) -> Vec<SqlType>;
    /// Appends one cell per state type.
    fn save(&self, group: &Self::Group, out: &mut Vec<u8>);
    /// Takes such cells off the front.
    fn load(&mut self, cells: &mut &[u8]) -> Option<Self::Group>;
    /// Bytes the group holds beyond its own size.
    fn heap(&self, group: &Self::Group) -> usize;
}

/// A composite with its groups.
pub(super) struct Grouped<C: Composite> {
    composite: C,
    groups: Vec<C::Group>,
    heap: usize,
}

impl<C: Composite> Grouped<C> {
    pub(super) fn new(composite: C) -> Self {
        Grouped { composite, groups: Vec::new(), heap: 0 }
    }

    /// Changes a group and keeps the sum of bytes right.
    fn change<T>(&mut self, group: u32, change: impl FnOnce(&mut C, &mut C::Group) -> T) -> T {
        let state = &mut self.groups[group as usize];
        let before = self.composite.heap(state);
        let result = change(&mut self.composite, state);
        self.heap = (self.heap + self.composite.heap(state)).saturating_sub(before);
        result
    }

    fn add(&mut self, args: &[ArrayRef], row: u32, group: u32, errors: &mut EvalErrors) {
        if let Err(reason) = self.change(group, |composite, state| composite.add(state, args, row as usize)) {
            errors.push(row as usize, reason);
        }
    }
}

impl<C: Composite> Accumulator for Grouped<C> {
    fn returns(&self) -> &SqlType {
        self.composite.returns()
    }

    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, C::Group::default);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) {
        for (&row, &group) in rows.iter().zip(groups) {
            self.add(args, row, group, errors);
        }
    }

    fn update_each(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) -> ArrayRef {
        let mut column = Column::new(self.composite.returns());
        for (&row, &group) in rows.iter().zip(groups) {
            self.add(args, row, group, errors);
            column.push(|out| self.composite.result(&self.groups[group as usize], out));
        }
        column.cells.finish()
    }

    fn undo(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], _errors: &mut EvalErrors) {
        for (&row, &group) in rows.iter().zip(groups) {
            self.change(group, |composite, state| composite.remove(state, args, row as usize));
        }
    }

    fn can_undo(&self) -> bool {
        C::CAN_UNDO
    }

    fn emit(&self, groups: &[u32]) -> ArrayRef {
        let mut column = Column::new(self.composite.returns());
        for &group in groups {
            column.push(|out| self.composite.result(&self.groups[group as usize], out));
        }
        column.cells.finish()
    }

    fn merge(&mut self, from: u32, into: u32) {
        if from == into {
            return;
        }
        let earlier = std::mem::take(&mut self.groups[from as usize]);
        self.change(into, |composite, state| composite.merge(&earlier, state));
        self.groups[from as usize] = earlier;
    }

    fn reset(&mut self, group: u32) {
        self.change(group, |_, state| *state = C::Group::default());
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let mut columns: Vec<CellColumn> = self.composite.state_types().iter().map(CellColumn::new).collect();
        let mut cells = Vec::new();
        for &group in groups {
            cells.clear();
            self.composite.save(&self.groups[group as usize], &mut cells);
            let mut rest = cells.as_slice();
            for column in &mut columns {
                push_or_null(column, &mut rest);
            }
        }
        columns.into_iter().map(CellColumn::finish).collect()
    }

    fn state_types(&self) -> Vec<SqlType> {
        self.composite.state_types()
    }

    fn restore(&mut self, state: &[ArrayRef], rows: &[u32], groups: &[u32]) {
        let mut cells = Vec::new();
        for (&row, &group) in rows.iter().zip(groups) {
            cells.clear();
            state.iter().for_each(|column| write_cell(column, row as usize, &mut cells));
            let loaded = self.composite.load(&mut cells.as_slice()).unwrap_or_default();
            self.change(group, |_, state| *state = loaded);
        }
    }

    fn bytes(&self) -> usize {
        self.heap + self.groups.capacity() * size_of::<C::Group>()
    }

    fn group_bytes(&self, group: u32) -> usize {
        let heap = self.groups.get(group as usize).map_or(0, |group| self.composite.heap(group));
        size_of::<C::Group>() + heap
    }

    fn heap_bytes(&self) -> usize {
        self.heap
    }
}

/// A result column under construction.
struct Column {
    cells: CellColumn,
    scratch: Vec<u8>,
}

impl Column {
    fn new(ty: &SqlType) -> Self {
        Column { cells: CellColumn::new(ty), scratch: Vec::new() }
    }

    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.scratch.clear();
        write(&mut self.scratch);
        push_or_null(&mut self.cells, &mut self.scratch.as_slice());
    }
}

/// Cells written by this process are good; should one not be, the column must still have its row.
fn push_or_null(column: &mut CellColumn, cells: &mut &[u8]) {
    let good = column.push(cells);
    debug_assert!(good.is_some(), "a cell of another type");
    if good.is_none() {
        column.push_null();
    }
}

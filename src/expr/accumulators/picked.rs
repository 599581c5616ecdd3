//! Aggregates that take in some of their rows: those that pass a FILTER, those whose value is there for the first time
//! (DISTINCT).

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{concat, take};

use super::bag::{Bag, counted_types};
use crate::expr::EvalErrors;
use crate::expr::accumulator::Accumulator;
use crate::state::codec::{CellColumn, write_cell};
use crate::types::SqlType;

/// Which rows go on to an aggregate, and what must be remembered to know it.
pub(super) trait Pick: Send {
    /// The arguments that the aggregate itself has.
    fn own<'a>(&self, args: &'a [ArrayRef]) -> &'a [ArrayRef] {
        args
    }

    /// Whether a row that comes goes on.
    fn comes(&mut self, args: &[ArrayRef], row: usize, group: u32) -> bool;
    /// Whether a row that goes again goes on.
    fn goes(&mut self, args: &[ArrayRef], row: usize, group: u32) -> bool;

    fn resize(&mut self, groups: usize) {
        let _ = groups;
    }

    /// Adds the groups' states, that of the aggregate, too.
    fn merge(&mut self, inner: &mut dyn Accumulator, from: u32, into: u32) {
        inner.merge(from, into);
    }

    fn reset(&mut self, group: u32) {
        let _ = group;
    }

    /// The types of its own state columns.
    fn state_types(&self) -> Vec<SqlType> {
        Vec::new()
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let _ = groups;
        Vec::new()
    }

    fn restore(&mut self, state: &[ArrayRef], rows: &[u32], groups: &[u32]) {
        let _ = (state, rows, groups);
    }

    /// Bytes that a group takes in any case.
    fn group_size(&self) -> usize {
        0
    }

    fn group_heap(&self, group: u32) -> usize {
        let _ = group;
        0
    }

    fn heap(&self) -> usize {
        0
    }
}

/// An aggregate over picked rows.
pub(super) struct Picked<P> {
    inner: Box<dyn Accumulator>,
    pick: P,
    groups: usize,
}

impl<P: Pick> Picked<P> {
    pub(super) fn new(inner: Box<dyn Accumulator>, pick: P) -> Self {
        Picked { inner, pick, groups: 0 }
    }

    /// The rows that come and go on, with their groups.
    fn coming(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let pairs = rows.iter().zip(groups).map(|(&row, &group)| (row, group));
        pairs.filter(|&(row, group)| self.pick.comes(args, row as usize, group)).unzip()
    }
}

impl<P: Pick> Accumulator for Picked<P> {
    fn returns(&self) -> &SqlType {
        self.inner.returns()
    }

    fn resize(&mut self, groups: usize) {
        self.groups = groups;
        self.inner.resize(groups);
        self.pick.resize(groups);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) {
        let (rows, groups) = self.coming(args, rows, groups);
        self.inner.update(self.pick.own(args), &rows, &groups, errors);
    }

    fn update_each(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) -> ArrayRef {
        let (mut picked, mut of) = (Vec::new(), Vec::new());
        // Of each row: where the result after it lies among the picked rows' results, or among the groups' results before.
        let (mut places, mut before) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut last: HashMap<u32, Result<u32, u32>> = HashMap::new();
        for (&row, &group) in rows.iter().zip(groups) {
            if self.pick.comes(args, row as usize, group) {
                last.insert(group, Ok(picked.len() as u32));
                picked.push(row);
                of.push(group);
            }
            places.push(*last.entry(group).or_insert_with(|| {
                before.push(group);
                Err(before.len() as u32 - 1)
            }));
        }
        let earlier = self.inner.emit(&before);
        let after = self.inner.update_each(self.pick.own(args), &picked, &of, errors);
        if picked.len() == rows.len() {
            return after;
        }
        let at = places.into_iter().map(|place| place.unwrap_or_else(|place| place + picked.len() as u32));
        let at: UInt32Array = at.map(Some).collect();
        // Both columns have the type of the aggregate, and the places are theirs.
        concat(&[&*after, &*earlier]).and_then(|all| take(&all, &at, None)).unwrap_or_else(|_| self.inner.emit(groups))
    }

    fn undo(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) {
        let pairs = rows.iter().zip(groups).map(|(&row, &group)| (row, group));
        let (rows, groups): (Vec<u32>, Vec<u32>) =
            pairs.filter(|&(row, group)| self.pick.goes(args, row as usize, group)).unzip();
        self.inner.undo(self.pick.own(args), &rows, &groups, errors);
    }

    fn can_undo(&self) -> bool {
        self.inner.can_undo()
    }

    fn emit(&self, groups: &[u32]) -> ArrayRef {
        self.inner.emit(groups)
    }

    fn merge(&mut self, from: u32, into: u32) {
        if from != into {
            self.pick.merge(&mut *self.inner, from, into);
        }
    }

    fn reset(&mut self, group: u32) {
        self.inner.reset(group);
        self.pick.reset(group);
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let mut columns = self.pick.state(groups);
        columns.extend(self.inner.state(groups));
        columns
    }

    fn state_types(&self) -> Vec<SqlType> {
        let mut types = self.pick.state_types();
        types.extend(self.inner.state_types());
        types
    }

    fn restore(&mut self, state: &[ArrayRef], rows: &[u32], groups: &[u32]) {
        let (own, inner) = state.split_at(self.pick.state_types().len());
        self.pick.restore(own, rows, groups);
        self.inner.restore(inner, rows, groups);
    }

    fn bytes(&self) -> usize {
        self.inner.bytes() + self.groups * self.pick.group_size() + self.pick.heap()
    }

    fn group_bytes(&self, group: u32) -> usize {
        self.inner.group_bytes(group) + self.pick.group_size() + self.pick.group_heap(group)
    }

    fn heap_bytes(&self) -> usize {
        self.inner.heap_bytes() + self.pick.heap()
    }
}

/// FILTER (WHERE ...): rows whose last argument, a BOOLEAN, is TRUE.
pub(super) struct Passing;

impl Passing {
    fn passes(args: &[ArrayRef], row: usize) -> bool {
        let passes = args.last().and_then(|condition| condition.as_boolean_opt());
        passes.is_some_and(|passes| passes.is_valid(row) && passes.value(row))
    }
}

impl Pick for Passing {
    fn own<'a>(&self, args: &'a [ArrayRef]) -> &'a [ArrayRef] {
        args.split_last().map_or(args, |(_, own)| own)
    }

    fn comes(&mut self, args: &[ArrayRef], row: usize, _group: u32) -> bool {
        Passing::passes(args, row)
    }

    fn goes(&mut self, args: &[ArrayRef], row: usize, _group: u32) -> bool {
        Passing::passes(args, row)
    }
}

/// DISTINCT: each value of the first argument once, as long as it is there.
pub(super) struct Different {
    item: SqlType,
    groups: Vec<Bag>,
    heap: usize,
    scratch: Vec<u8>,
}

impl Different {
    pub(super) fn new(item: SqlType) -> Self {
        Different { item, groups: Vec::new(), heap: 0, scratch: Vec::new() }
    }

    /// Changes a group and keeps the sum of bytes right.
    fn change<T>(&mut self, group: u32, change: impl FnOnce(&mut Bag, &[u8]) -> T) -> T {
        let bag = &mut self.groups[group as usize];
        let before = bag.heap();
        let result = change(bag, &self.scratch);
        self.heap = (self.heap + bag.heap()).saturating_sub(before);
        result
    }

    fn read(&mut self, args: &[ArrayRef], row: usize) {
        self.scratch.clear();
        write_cell(&args[0], row, &mut self.scratch);
    }
}

impl Pick for Different {
    fn comes(&mut self, args: &[ArrayRef], row: usize, group: u32) -> bool {
        self.read(args, row);
        self.change(group, |bag, cell| bag.add(cell, 1))
    }

    fn goes(&mut self, args: &[ArrayRef], row: usize, group: u32) -> bool {
        self.read(args, row);
        self.change(group, Bag::remove)
    }

    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, Bag::default);
    }

    /// The aggregate begins anew with the values of both: it can't tell which it has twice.
    fn merge(&mut self, inner: &mut dyn Accumulator, from: u32, into: u32) {
        let earlier = std::mem::take(&mut self.groups[from as usize]);
        self.change(into, |bag, _| bag.merge(&earlier));
        self.groups[from as usize] = earlier;
        inner.reset(into);
        let mut values = CellColumn::new(&self.item);
        let all = self.groups[into as usize].in_order();
        for (cell, _) in &all {
            if values.push(&mut &**cell).is_none() {
                values.push_null();
            }
        }
        let rows: Vec<u32> = (0..all.len() as u32).collect();
        // A result that doesn't fit was told of when its row came.
        inner.update(&[values.finish()], &rows, &vec![into; rows.len()], &mut EvalErrors::default());
    }

    fn reset(&mut self, group: u32) {
        self.change(group, |bag, _| *bag = Bag::default());
    }

    /// The values and how often each is there.
    fn state_types(&self) -> Vec<SqlType> {
        counted_types(&self.item)
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let mut columns: Vec<CellColumn> = self.state_types().iter().map(CellColumn::new).collect();
        let mut cells = Vec::new();
        for &group in groups {
            cells.clear();
            self.groups[group as usize].write(&mut cells);
            let mut rest = cells.as_slice();
            for column in &mut columns {
                if column.push(&mut rest).is_none() {
                    column.push_null();
                }
            }
        }
        columns.into_iter().map(CellColumn::finish).collect()
    }

    fn restore(&mut self, state: &[ArrayRef], rows: &[u32], groups: &[u32]) {
        let mut cells = Vec::new();
        for (&row, &group) in rows.iter().zip(groups) {
            cells.clear();
            state.iter().for_each(|column| write_cell(column, row as usize, &mut cells));
            let loaded = Bag::take(&self.item, &mut cells.as_slice()).unwrap_or_default();
            self.change(group, |bag, _| *bag = loaded);
        }
    }

    fn group_size(&self) -> usize {
        size_of::<Bag>()
    }

    fn group_heap(&self, group: u32) -> usize {
        self.groups.get(group as usize).map_or(0, Bag::heap)
    }

    fn heap(&self) -> usize {
        self.heap
    }
}

//! COLLECT_LIST and COLLECT_SET.

use arrow::array::ArrayRef;

use super::bag::{Bag, counted_types};
use super::cells::Cells;
use super::composite::{Composite, Grouped};
use super::distinct_cells::DistinctCells;
use super::list::{Keep, Lists};
use super::{Made, arg};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::{put_len, write_cell};
use crate::types::SqlType;

/// COLLECT_LIST(x): all values, NULLs too, in order of arrival; beyond the limit later ones are left out.
pub(crate) fn collect_list(call: &AggregateCall) -> Made {
    let limit = call.collect_limit.unwrap_or(usize::MAX);
    Ok(Box::new(Grouped::new(Lists::new(arg(call, 0)?.clone(), All { limit }))))
}

/// COLLECT_SET(x): the distinct values, one NULL too, in order of arrival.
pub(crate) fn collect_set(call: &AggregateCall) -> Made {
    let (item, limit) = (arg(call, 0)?.clone(), call.collect_limit.unwrap_or(usize::MAX));
    if call.retracts {
        let returns = SqlType::Array(Box::new(item.clone()));
        return Ok(Box::new(Grouped::new(Remaining { item, returns, limit, scratch: Vec::new() })));
    }
    Ok(Box::new(Grouped::new(Lists::new(item, Different { limit }))))
}

struct All {
    limit: usize,
}

impl Keep for All {
    type List = Cells;

    const CAN_UNDO: bool = true;

    fn offer(&self, list: &mut Cells, item: &[u8]) {
        if list.len() < self.limit {
            list.push(item);
        }
    }

    /// The last equal one goes.
    fn withdraw(&self, list: &mut Cells, item: &[u8]) {
        if let Some(index) = (0..list.len()).rev().find(|&index| list.get(index) == item) {
            list.remove(index);
        }
    }
}

struct Different {
    limit: usize,
}

impl Keep for Different {
    type List = DistinctCells;

    const CAN_UNDO: bool = false;

    fn offer(&self, list: &mut DistinctCells, item: &[u8]) {
        if list.cells.len() < self.limit && list.find(item).is_none() {
            list.push(item);
        }
    }
}

/// The different values of a table: one is there as long as a row has it. The limit is that of the result: what is beyond it
/// moves up when one goes.
struct Remaining {
    item: SqlType,
    returns: SqlType,
    limit: usize,
    scratch: Vec<u8>,
}

impl Remaining {
    fn read(&mut self, args: &[ArrayRef], row: usize) {
        self.scratch.clear();
        write_cell(&args[0], row, &mut self.scratch);
    }
}

impl Composite for Remaining {
    type Group = Bag;

    const CAN_UNDO: bool = true;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut Bag, args: &[ArrayRef], row: usize) -> Result<(), String> {
        self.read(args, row);
        group.add(&self.scratch, 1);
        Ok(())
    }

    fn remove(&mut self, group: &mut Bag, args: &[ArrayRef], row: usize) {
        self.read(args, row);
        group.remove(&self.scratch);
    }

    fn merge(&mut self, from: &Bag, into: &mut Bag) {
        into.merge(from);
    }

    fn result(&self, group: &Bag, out: &mut Vec<u8>) {
        out.push(1);
        put_len(out, group.len().min(self.limit) as u64);
        group.in_order().into_iter().take(self.limit).for_each(|(cell, _)| out.extend_from_slice(cell));
    }

    fn state_types(&self) -> Vec<SqlType> {
        counted_types(&self.item)
    }

    fn save(&self, group: &Bag, out: &mut Vec<u8>) {
        group.write(out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Bag> {
        Bag::take(&self.item, cells)
    }

    fn heap(&self, group: &Bag) -> usize {
        group.heap()
    }
}

//! COLLECT_LIST and COLLECT_SET.

use super::cells::Cells;
use super::composite::Grouped;
use super::distinct_cells::DistinctCells;
use super::list::{Keep, Lists};
use super::{Made, arg};
use crate::expr::accumulator::AggregateCall;

/// COLLECT_LIST(x): all values, NULLs too, in order of arrival; beyond the limit later ones are left out.
pub(crate) fn collect_list(call: &AggregateCall) -> Made {
    let limit = call.collect_limit.unwrap_or(usize::MAX);
    Ok(Box::new(Grouped::new(Lists::new(arg(call, 0)?.clone(), All { limit }))))
}

/// COLLECT_SET(x): the distinct values, one NULL too, in order of arrival.
pub(crate) fn collect_set(call: &AggregateCall) -> Made {
    let limit = call.collect_limit.unwrap_or(usize::MAX);
    Ok(Box::new(Grouped::new(Lists::new(arg(call, 0)?.clone(), Different { limit }))))
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

//! ATTR.

use super::composite::Grouped;
use super::counted::{Counted, Counting};
use super::{Made, arg};
use crate::expr::accumulator::AggregateCall;

/// ATTR(x): the value when all rows have the same one (NULL is a value, too), else NULL.
pub(crate) fn attr(call: &AggregateCall) -> Made {
    let item = arg(call, 0)?.clone();
    Ok(Box::new(Grouped::new(Counting {
        returns: item.clone(),
        item,
        values_max: usize::MAX,
        result: only,
        scratch: Vec::new(),
    })))
}

/// The only value, else NULL.
fn only(group: &Counted, out: &mut Vec<u8>) {
    if group.counts.len() == 1 {
        out.extend_from_slice(group.values.cells.get(0));
    } else {
        out.push(0);
    }
}

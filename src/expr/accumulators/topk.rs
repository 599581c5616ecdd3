//! TOPK and TOPKDISTINCT.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef};

use super::cells::{Cells, compare_cells};
use super::composite::Grouped;
use super::list::{Keep, Lists};
use super::ranked::{Choice, Ranked};
use super::{Made, arg, bad_type, positive};
use crate::error::Result;
use crate::expr::accumulator::AggregateCall;
use crate::messages;
use crate::state::codec::write_cell;
use crate::types::SqlType;

/// TOPK(x [, other, ...], k): the k greatest x, greatest first; with other columns as structs of `sort_col`, `col0`, ...
pub(crate) fn topk(call: &AggregateCall) -> Made {
    let sort = arg(call, 0)?;
    if !matches!(sort, SqlType::Int | SqlType::Bigint | SqlType::Double | SqlType::String) {
        return Err(bad_type(call, sort));
    }
    let (k, structs) = (constant_k(call)?, call.args.len() > 1);
    if call.retracts {
        return Ok(Box::new(Grouped::new(Ranked::new(&call.args, topk_item(&call.args), Choice::Top(k)))));
    }
    let keep = Greatest { sort: sort.clone(), structs, k, equal: Equal::Kept };
    Ok(Box::new(Grouped::new(Lists::new(topk_item(&call.args), keep))))
}

/// TOPKDISTINCT(x, k): the k greatest different x, greatest first.
pub(crate) fn topkdistinct(call: &AggregateCall) -> Made {
    let sort = arg(call, 0)?;
    if matches!(sort, SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_)) {
        return Err(bad_type(call, sort));
    }
    let k = constant_k(call)?;
    if call.retracts {
        return Ok(Box::new(Grouped::new(Ranked::new(&call.args[..1], sort.clone(), Choice::TopDistinct(k)))));
    }
    let keep = Greatest { sort: sort.clone(), structs: false, k, equal: Equal::Dropped };
    Ok(Box::new(Grouped::new(Lists::new(sort.clone(), keep))))
}

fn constant_k(call: &AggregateCall) -> Result<usize> {
    match call.init.as_slice() {
        [k] => positive(call, k),
        _ => Err(messages::functions::no_k(call.name)),
    }
}

/// What TOPK's array holds, given the types of its columns.
pub(crate) fn topk_item(columns: &[SqlType]) -> SqlType {
    match columns {
        [sort] => sort.clone(),
        [sort, others @ ..] => {
            let others = others.iter().enumerate().map(|(i, ty)| (format!("col{i}"), ty.clone()));
            SqlType::Struct(std::iter::once(("sort_col".to_owned(), sort.clone())).chain(others).collect())
        }
        [] => SqlType::Bigint,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Equal {
    Kept,
    Dropped,
}

struct Greatest {
    sort: SqlType,
    /// Whether items are structs, sorted by their first member.
    structs: bool,
    k: usize,
    equal: Equal,
}

impl Greatest {
    /// The cell that an item is sorted by: itself, or the first member of the struct (behind its marker).
    fn sort_cell<'a>(&self, item: &'a [u8]) -> &'a [u8] {
        if self.structs { item.get(1..).unwrap_or_default() } else { item }
    }
}

impl Keep for Greatest {
    type List = Cells;

    const CAN_UNDO: bool = false;

    fn item(&self, args: &[ArrayRef], row: usize, out: &mut Vec<u8>) -> bool {
        if args[0].is_null(row) {
            return false;
        }
        if self.structs {
            out.push(1);
            args.iter().for_each(|column| write_cell(column, row, out));
        } else {
            write_cell(&args[0], row, out);
        }
        true
    }

    /// Puts an item behind all that are not less.
    fn offer(&self, list: &mut Cells, item: &[u8]) {
        let sort = self.sort_cell(item);
        let (mut low, mut high) = (0, list.len());
        while low < high {
            let middle = low.midpoint(high);
            match compare_cells(&self.sort, self.sort_cell(list.get(middle)), sort) {
                Ordering::Less => high = middle,
                Ordering::Equal if self.equal == Equal::Dropped => return,
                _ => low = middle + 1,
            }
        }
        if low < self.k {
            list.insert(low, item);
            list.truncate(self.k);
        }
    }
}

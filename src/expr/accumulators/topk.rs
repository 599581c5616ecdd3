//! TOPK and TOPKDISTINCT.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef};

use super::cells::{Cells, compare_cells};
use super::composite::{Composite, Grouped};
use super::{Made, arg, bad_type, positive};
use crate::error::{Error, Result};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::write_cell;
use crate::types::SqlType;

/// TOPK(x [, other, ...], k): the k greatest x, greatest first; with other columns as structs of `sort_col`, `col0`, ...
pub(crate) fn topk(call: &AggregateCall) -> Made {
    let sort = arg(call, 0)?;
    if !matches!(sort, SqlType::Int | SqlType::Bigint | SqlType::Double | SqlType::String) {
        return Err(bad_type(call, sort));
    }
    let k = constant_k(call)?;
    let item = topk_item(&call.args);
    Ok(Box::new(Grouped::new(TopK::new(sort.clone(), item, k, Equal::Kept))))
}

/// TOPKDISTINCT(x, k): the k greatest different x, greatest first.
pub(crate) fn topkdistinct(call: &AggregateCall) -> Made {
    let sort = arg(call, 0)?;
    if matches!(sort, SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_)) {
        return Err(bad_type(call, sort));
    }
    let k = constant_k(call)?;
    Ok(Box::new(Grouped::new(TopK::new(sort.clone(), sort.clone(), k, Equal::Dropped))))
}

fn constant_k(call: &AggregateCall) -> Result<usize> {
    match call.init.as_slice() {
        [k] => positive(call, k),
        _ => Err(Error::statement(format!("{} takes how many values to keep as its last argument", call.name))
            .hint("it is a literal: TOPK(x, 3)")),
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

struct TopK {
    sort: SqlType,
    item: SqlType,
    returns: SqlType,
    k: usize,
    equal: Equal,
    scratch: Vec<u8>,
}

impl TopK {
    fn new(sort: SqlType, item: SqlType, k: usize, equal: Equal) -> Self {
        let returns = SqlType::Array(Box::new(item.clone()));
        TopK { sort, item, returns, k, equal, scratch: Vec::new() }
    }

    /// The cell that an item is sorted by: itself, or the first member of the struct (behind its marker).
    fn sort_cell<'a>(&self, item: &'a [u8]) -> &'a [u8] {
        match self.item {
            SqlType::Struct(_) => item.get(1..).unwrap_or_default(),
            _ => item,
        }
    }

    /// Puts an item behind all that are not less.
    fn offer(&self, group: &mut Cells, item: &[u8]) {
        let sort = self.sort_cell(item);
        let (mut low, mut high) = (0, group.len());
        while low < high {
            let middle = low.midpoint(high);
            match compare_cells(&self.sort, self.sort_cell(group.get(middle)), sort) {
                Ordering::Less => high = middle,
                Ordering::Equal if self.equal == Equal::Dropped => return,
                _ => low = middle + 1,
            }
        }
        if low < self.k {
            group.insert(low, item);
            group.truncate(self.k);
        }
    }
}

impl Composite for TopK {
    type Group = Cells;

    const CAN_UNDO: bool = false;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut Cells, args: &[ArrayRef], row: usize) -> Result<(), String> {
        if args[0].is_null(row) {
            return Ok(());
        }
        let mut item = std::mem::take(&mut self.scratch);
        item.clear();
        if matches!(self.item, SqlType::Struct(_)) {
            item.push(1);
            args.iter().for_each(|column| write_cell(column, row, &mut item));
        } else {
            write_cell(&args[0], row, &mut item);
        }
        self.offer(group, &item);
        self.scratch = item;
        Ok(())
    }

    fn merge(&mut self, from: &Cells, into: &mut Cells) {
        let mut all = from.clone();
        into.iter().for_each(|item| self.offer(&mut all, item));
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

//! ATTR.

use arrow::array::ArrayRef;

use super::composite::{Composite, Grouped};
use super::histogram::Counted;
use super::{Made, arg};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::write_cell;
use crate::types::SqlType;

/// ATTR(x): the value when all rows have the same one (NULL is a value, too), else NULL.
pub(crate) fn attr(call: &AggregateCall) -> Made {
    Ok(Box::new(Grouped::new(Attr { ty: arg(call, 0)?.clone(), scratch: Vec::new() })))
}

struct Attr {
    ty: SqlType,
    scratch: Vec<u8>,
}

impl Attr {
    fn change(&mut self, group: &mut Counted, args: &[ArrayRef], row: usize, by: i64) {
        self.scratch.clear();
        write_cell(&args[0], row, &mut self.scratch);
        group.add(&self.scratch, by, usize::MAX);
    }
}

impl Composite for Attr {
    type Group = Counted;

    const CAN_UNDO: bool = true;

    fn returns(&self) -> &SqlType {
        &self.ty
    }

    fn add(&mut self, group: &mut Counted, args: &[ArrayRef], row: usize) -> Result<(), String> {
        self.change(group, args, row, 1);
        Ok(())
    }

    fn remove(&mut self, group: &mut Counted, args: &[ArrayRef], row: usize) {
        self.change(group, args, row, -1);
    }

    fn merge(&mut self, from: &Counted, into: &mut Counted) {
        Counted::merge(from, into, usize::MAX);
    }

    fn result(&self, group: &Counted, out: &mut Vec<u8>) {
        if group.counts.len() == 1 {
            out.extend_from_slice(group.values.cells.get(0));
        } else {
            out.push(0);
        }
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Array(Box::new(self.ty.clone())), SqlType::Array(Box::new(SqlType::Bigint))]
    }

    fn save(&self, group: &Counted, out: &mut Vec<u8>) {
        group.write(out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Counted> {
        Counted::take(&self.ty, cells)
    }

    fn heap(&self, group: &Counted) -> usize {
        group.heap()
    }
}

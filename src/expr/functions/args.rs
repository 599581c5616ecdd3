//! The arguments of a call: columns, and values that are the same for all rows.

use std::cell::OnceCell;
use std::ops::Index;

use arrow::array::{Array, ArrayRef};

use super::kernel::Get;
use crate::expr::eval::{Column, repeat};

/// The arguments of a call over `rows` rows. What is the same for all rows is kept once, and put out as a column
/// only for who asks for one (by index).
pub struct Args {
    args: Vec<Arg>,
    rows: usize,
}

struct Arg {
    array: ArrayRef,
    /// The array has one entry, which is every row's.
    is_constant: bool,
    repeated: OnceCell<ArrayRef>,
}

impl Args {
    pub(in crate::expr) fn new(columns: impl Iterator<Item = Column>, rows: usize) -> Args {
        let arg =
            |column: Column| Arg { array: column.array, is_constant: column.is_scalar, repeated: OnceCell::new() };
        Args { args: columns.map(arg).collect(), rows }
    }

    pub(super) fn len(&self) -> usize {
        self.args.len()
    }

    /// Every argument as a column of as many entries as there are rows.
    pub(super) fn columns(&self) -> Vec<ArrayRef> {
        (0..self.len()).map(|arg| self[arg].clone()).collect()
    }

    /// The array of one entry, where that is every row's value.
    pub(super) fn constant(&self, arg: usize) -> Option<&ArrayRef> {
        Some(&self.args[arg]).filter(|arg| arg.is_constant).map(|arg| &arg.array)
    }

    /// What the argument has in store, once or for each row, read as arrays of type `A`.
    pub(super) fn values<'a, A>(&'a self, arg: usize, read: fn(&'a ArrayRef) -> &'a A) -> Values<'a, A> {
        let arg = &self.args[arg];
        Values { array: read(&arg.array), mask: if arg.is_constant { 0 } else { usize::MAX } }
    }
}

impl Index<usize> for Args {
    type Output = ArrayRef;

    /// The argument as a column of as many entries as there are rows.
    fn index(&self, arg: usize) -> &ArrayRef {
        let arg = &self.args[arg];
        if arg.is_constant { arg.repeated.get_or_init(|| repeat(&arg.array, self.rows)) } else { &arg.array }
    }
}

/// An argument's values by row.
pub(super) struct Values<'a, A> {
    array: &'a A,
    /// What is left of a row's number: all of it, or 0 where all rows have one entry.
    mask: usize,
}

impl<A> Clone for Values<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Values<'_, A> {}

impl<'a, A: Array + Get<'a>> Values<'a, A> {
    /// The row's value; `None` where it is NULL.
    pub fn get(&self, row: usize) -> Option<A::Item> {
        self.array.get(row & self.mask)
    }

    /// The column, where each row has its own value.
    pub fn column(&self) -> Option<&'a A> {
        (self.mask != 0).then_some(self.array)
    }
}

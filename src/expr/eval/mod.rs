//! Runs typed expressions over batches: a column and the rows that failed, node by node.
//!
//! Arrow's kernels do what has SQL's plain semantics (wrapping arithmetic on columns, text comparison, take, filter,
//! interleave). DataFusion's physical expressions aren't used: they have three-valued logic, let one bad row fail its
//! batch and evaluate arguments whose row isn't selected, so that every node would need a twin beside it.

mod access;
mod arithmetic;
mod bind;
mod call;
mod cast;
mod cast_text;
mod compare;
mod equal;
mod like;
mod logic;
mod make;
mod predicate;
pub(super) mod values;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Datum, Scalar, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;

pub(in crate::expr) use self::bind::Plan;
pub(super) use self::cast::can_cast;
pub(in crate::expr) use self::cast_text::write_text;
pub(in crate::expr) use self::compare::{compare_bytes, compare_decimals, compare_texts};
pub(in crate::expr) use self::equal::equality;
use crate::expr::EvalErrors;
use crate::types::SqlType;

/// The rows a node is run over.
#[derive(Clone, Copy)]
pub(in crate::expr) struct Rows<'a> {
    pub columns: &'a [ArrayRef],
    /// Parameters of the lambdas around.
    pub params: &'a [ArrayRef],
    pub count: usize,
    /// For each row its number in the batch, where that differs.
    pub origin: Option<&'a [u32]>,
}

impl Rows<'_> {
    fn row(&self, row: usize) -> usize {
        self.origin.map_or(row, |origin| origin[row] as usize)
    }
}

/// A node's result: a column or, when every row has the same value, an array of one; and the rows that failed
/// (their value is NULL).
#[derive(Debug, Clone)]
pub(in crate::expr) struct Column {
    pub array: ArrayRef,
    pub is_scalar: bool,
    pub failed: Option<BooleanBuffer>,
}

impl Column {
    pub fn rows(array: ArrayRef) -> Self {
        Column { array, is_scalar: false, failed: None }
    }

    pub fn scalar(array: ArrayRef) -> Self {
        Column { array, is_scalar: true, failed: None }
    }

    fn booleans(values: BooleanBuffer) -> Self {
        Column::rows(Arc::new(BooleanArray::new(values, None)))
    }

    /// Failed rows are those of this column and of `failed`.
    fn with_failed(mut self, failed: Option<BooleanBuffer>) -> Self {
        self.failed = either(self.failed.take(), failed);
        self
    }

    /// Forgets that rows failed: they are NULLs like others from here on.
    fn settled(mut self) -> Self {
        self.failed = None;
        self
    }

    /// With as many entries as there are rows.
    pub fn expand(self, count: usize) -> Column {
        if !self.is_scalar {
            return self;
        }
        let array = repeat(&self.array, count);
        Column { array, is_scalar: false, failed: self.failed }
    }

    fn into_array(self, count: usize) -> ArrayRef {
        self.expand(count).array
    }

    fn datum(&self) -> Box<dyn Datum> {
        if self.is_scalar { Box::new(Scalar::new(self.array.clone())) } else { Box::new(self.array.clone()) }
    }

    /// The entry that holds row `row`'s value.
    fn at(&self, row: usize) -> usize {
        if self.is_scalar { 0 } else { row }
    }

    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(self.at(row))
    }
}

/// The array's one value, `count` times.
pub(in crate::expr) fn repeat(array: &ArrayRef, count: usize) -> ArrayRef {
    if array.len() == count {
        return array.clone();
    }
    pick(array, &UInt32Array::from(vec![0; count]))
}

/// The entries with these numbers. NULL numbers give NULL.
pub(in crate::expr) fn pick(array: &ArrayRef, entries: &UInt32Array) -> ArrayRef {
    // Only an index out of bounds can fail, and callers take theirs from the array.
    take(array.as_ref(), entries, None)
        .unwrap_or_else(|_| arrow::array::new_null_array(array.data_type(), entries.len()))
}

fn either(a: Option<BooleanBuffer>, b: Option<BooleanBuffer>) -> Option<BooleanBuffer> {
    match (a, b) {
        (Some(a), Some(b)) => Some(&a | &b),
        (a, b) => a.or(b),
    }
}

fn both_failed(left: &Column, right: &Column) -> Option<BooleanBuffer> {
    either(left.failed.clone(), right.failed.clone())
}

/// Collects the rows in which a node fails.
struct Failures<'a, 'b> {
    rows: Rows<'a>,
    errors: &'b mut EvalErrors,
    mask: Option<Vec<bool>>,
}

impl<'a, 'b> Failures<'a, 'b> {
    fn new(rows: Rows<'a>, errors: &'b mut EvalErrors) -> Self {
        Failures { rows, errors, mask: None }
    }

    fn fail(&mut self, row: usize, reason: impl Into<Cow<'static, str>>) {
        self.errors.push(self.rows.row(row), reason);
        self.mark(row);
    }

    /// Fails the row without another report.
    fn mark(&mut self, row: usize) {
        self.mask.get_or_insert_with(|| vec![false; self.rows.count])[row] = true;
    }

    fn any(&self) -> bool {
        self.mask.is_some()
    }

    fn into_mask(self) -> Option<BooleanBuffer> {
        self.mask.map(BooleanBuffer::from)
    }
}

fn is_failed(failed: &Option<BooleanBuffer>, row: usize) -> bool {
    failed.as_ref().is_some_and(|failed| failed.value(row))
}

/// A column of NULLs.
pub(in crate::expr) fn nulls(ty: &SqlType, count: usize) -> ArrayRef {
    arrow::array::new_null_array(&ty.to_arrow(), count)
}

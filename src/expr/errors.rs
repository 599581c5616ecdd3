//! Rows for which an expression or an aggregate failed.

use std::borrow::Cow;

use arrow::buffer::BooleanBuffer;

/// An expression failed for a row: its value there is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    pub row: usize,
    pub reason: Cow<'static, str>,
}

/// What an evaluation collects besides its result. Bounded: beyond `ERRORS_MAX` only the rows are kept.
#[derive(Debug, Default)]
pub struct EvalErrors {
    pub errors: Vec<RowError>,
    /// The row of every error, beyond `ERRORS_MAX`, too.
    failed: Vec<u32>,
}

/// Reasons that are kept of one batch.
pub const ERRORS_MAX: usize = 1000;

impl EvalErrors {
    pub fn push(&mut self, row: usize, reason: impl Into<Cow<'static, str>>) {
        self.failed.push(row as u32);
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(RowError { row, reason: reason.into() });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// The row of every error, in the order of the errors: a row may come more than once.
    pub fn failed_rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.failed.iter().map(|row| *row as usize)
    }

    /// A mark for each of the failed rows.
    pub(super) fn failed_mask(&self, rows: usize) -> BooleanBuffer {
        let mut mask = vec![false; rows];
        for row in self.failed_rows() {
            if let Some(bit) = mask.get_mut(row) {
                *bit = true;
            }
        }
        BooleanBuffer::from(mask)
    }

    /// Those of rows that `is` holds for, and the others.
    pub(super) fn split(self, is: impl Fn(usize) -> bool) -> (EvalErrors, EvalErrors) {
        let (errors, other_errors) = self.errors.into_iter().partition(|error| is(error.row));
        let (failed, other_failed) = self.failed.into_iter().partition(|row| is(*row as usize));
        (EvalErrors { errors, failed }, EvalErrors { errors: other_errors, failed: other_failed })
    }

    /// Takes over what another evaluation collected, its rows renumbered.
    pub(super) fn absorb(&mut self, other: EvalErrors, row_of: impl Fn(usize) -> usize) {
        self.failed.extend(other.failed_rows().map(|row| row_of(row) as u32));
        let room = ERRORS_MAX.saturating_sub(self.errors.len());
        let renumbered = other.errors.into_iter().take(room);
        self.errors.extend(renumbered.map(|error| RowError { row: row_of(error.row), ..error }));
    }
}

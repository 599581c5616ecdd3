//! What operators share that evaluate expressions over batches.

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;

use crate::dataflow::Batch;
use crate::dataflow::operator::{Context, ErrorKind};
use crate::expr::EvalErrors;

/// Which rows of a batch an expression is evaluated over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Values,
    /// The rows that they replace.
    Old,
}

impl Over {
    pub fn columns(self, batch: &Batch) -> Vec<ArrayRef> {
        match (self, &batch.old) {
            (Over::Old, Some(old)) => batch.columns[..batch.keys].iter().chain(&old.columns).cloned().collect(),
            _ => batch.columns.clone(),
        }
    }

    /// The rows that are there: no tombstones, no absent old rows.
    pub fn present(self, batch: &Batch) -> BooleanBuffer {
        let present = match self {
            Over::Values => batch.tombstone.as_ref().map(|tombstone| !tombstone),
            Over::Old => batch.old.as_ref().map(|old| old.present.clone()),
        };
        present.unwrap_or_else(|| BooleanBuffer::new_set(batch.rows))
    }
}

/// Puts the errors of an evaluation into the processing log; those of rows that aren't there are none, and those of old
/// rows were told when the rows were new.
pub fn report(errors: EvalErrors, batch: &Batch, over: Over, context: &mut Context) {
    if errors.is_empty() || over == Over::Old {
        return;
    }
    let there = |row: usize| batch.tombstone.as_ref().is_none_or(|tombstone| !tombstone.value(row));
    let failed = errors.failed_rows().filter(|&row| there(row));
    let reasons = errors.errors.iter().filter(|error| there(error.row));
    let reasons = reasons.map(|error| (error.row, error.reason.to_string()));
    context.bad_rows(batch, ErrorKind::Processing, failed, reasons);
}

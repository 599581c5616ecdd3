//! What operators share that evaluate expressions over batches.

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;

use crate::dataflow::Batch;
use crate::dataflow::operator::{Context, ErrorKind, ProcessingError};
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
    if errors.count == 0 || over == Over::Old {
        return;
    }
    for error in errors.errors {
        if batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(error.row)) {
            continue;
        }
        context.error(ProcessingError {
            kind: ErrorKind::Processing,
            reason: error.reason,
            topic: context.place.as_ref().map(|(topic, _)| topic.clone()),
            partition: context.place.as_ref().map(|(_, partition)| *partition),
            offset: None,
            row_time: batch.row_time.get(error.row).copied(),
            record: None,
        });
    }
}

//! WHERE and HAVING.

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;

use crate::dataflow::evaluate::{Over, report};
use crate::dataflow::operator::{Context, Node, Operator};
use crate::dataflow::{Batch, OldRows};
use crate::error::Result;
use crate::expr::{EvalErrors, Evaluator, Input, Typed, compile};

/// Rows of a stream that pass; a stream's rows without value never do.
pub struct StreamFilter {
    predicate: Evaluator,
}

impl StreamFilter {
    pub fn new(predicate: &Typed) -> Result<Self> {
        Ok(StreamFilter { predicate: compile(predicate)? })
    }
}

impl Operator for StreamFilter {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut errors = EvalErrors::default();
        let input = Input { columns: &batch.columns, rows: batch.rows };
        let mut keep = self.predicate.filter(input, &mut errors);
        report(errors, &batch, Over::Values, context);
        if let Some(tombstone) = &batch.tombstone {
            keep = &keep & &!tombstone;
        }
        let passed = keep.count_set_bits();
        if passed == batch.rows {
            out.push(batch);
        } else if passed > 0 {
            out.push(batch.filter(&BooleanArray::new(keep, None))?);
        }
        Ok(())
    }
}

impl Node for StreamFilter {}

/// Changes of a table: what passes goes on; what passed before and doesn't now becomes a tombstone.
pub struct TableFilter {
    predicate: Evaluator,
}

impl TableFilter {
    pub fn new(predicate: &Typed) -> Result<Self> {
        Ok(TableFilter { predicate: compile(predicate)? })
    }

    /// The rows of the batch, or the rows they replace, that pass.
    fn passing(&mut self, batch: &Batch, over: Over, context: &mut Context) -> BooleanBuffer {
        let mut errors = EvalErrors::default();
        let columns = over.columns(batch);
        let keep = self.predicate.filter(Input { columns: &columns, rows: batch.rows }, &mut errors);
        report(errors, batch, over, context);
        &keep & &over.present(batch)
    }
}

impl Operator for TableFilter {
    fn push(&mut self, mut batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let now = self.passing(&batch, Over::Values, context);
        let before = match &batch.old {
            Some(_) => self.passing(&batch, Over::Old, context),
            None => BooleanBuffer::new_unset(batch.rows),
        };
        let go_on = &now | &before;
        let passed = go_on.count_set_bits();
        if passed == 0 {
            return Ok(());
        }
        if now.count_set_bits() < batch.rows {
            batch.tombstone = Some(!&now);
        }
        batch.old = batch.old.map(|old| OldRows { present: before, ..old });
        if passed < batch.rows {
            batch = batch.filter(&BooleanArray::new(go_on, None))?;
        }
        out.push(batch);
        Ok(())
    }
}

impl Node for TableFilter {}

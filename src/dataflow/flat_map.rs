//! Table functions: a row for each of their values.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};

use crate::dataflow::Batch;
use crate::dataflow::batch::arrow_error;
use crate::dataflow::evaluate::{Over, report};
use crate::dataflow::operator::{Context, Operator};
use crate::error::Result;
use crate::expr::{EvalErrors, Input, TableCall, TableEvaluator};

/// Rows a batch is cut into before it is multiplied: a bound on what one push makes.
const ROWS_MAX: usize = 4096;

/// Evaluates table functions side by side; the shorter ones are filled with NULL.
pub struct FlatMap {
    calls: Vec<TableEvaluator>,
}

impl FlatMap {
    pub fn new(calls: &[TableCall]) -> Result<Self> {
        Ok(FlatMap { calls: calls.iter().map(TableCall::compile).collect::<Result<_>>()? })
    }

    fn push_part(&mut self, batch: &Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut errors = EvalErrors::default();
        let input = Input { columns: &batch.columns, rows: batch.rows };
        let results: Vec<_> = self.calls.iter_mut().map(|call| call.evaluate(input, &mut errors)).collect();
        report(errors, batch, Over::Values, context);
        let mut rows: Vec<u32> = Vec::new();
        let mut picks: Vec<Vec<Option<u32>>> = vec![Vec::new(); results.len()];
        for row in 0..batch.rows {
            if batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row)) {
                continue;
            }
            let counts: Vec<u32> = results.iter().map(|result| result.offsets[row + 1] - result.offsets[row]).collect();
            for i in 0..counts.iter().copied().max().unwrap_or(0) {
                rows.push(row as u32);
                for ((pick, result), count) in picks.iter_mut().zip(&results).zip(&counts) {
                    pick.push((i < *count).then(|| result.offsets[row] + i));
                }
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let mut flat = batch.take(&rows)?;
        for (result, pick) in results.iter().zip(picks) {
            let column: ArrayRef =
                arrow::compute::take(&result.values, &UInt32Array::from(pick), None).map_err(arrow_error)?;
            flat.columns.push(Arc::clone(&column));
        }
        out.push(flat);
        Ok(())
    }
}

impl Operator for FlatMap {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let rows: Vec<u32> = (0..batch.rows as u32).collect();
        if rows.len() <= ROWS_MAX {
            return self.push_part(&batch, out, context);
        }
        for part in rows.chunks(ROWS_MAX) {
            self.push_part(&batch.take(part)?, out, context)?;
        }
        Ok(())
    }
}

//! Table functions: a row for each of their values.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use crate::dataflow::Batch;
use crate::dataflow::batch::arrow_error;
use crate::dataflow::evaluate::{Over, report};
use crate::dataflow::operator::{Context, Operator, Refused};
use crate::error::Result;
use crate::expr::functions::TableResult;
use crate::expr::{EvalErrors, Input, TableCall, TableEvaluator};

/// Rows and bytes of one batch that it makes, about (a row alone may be larger).
const ROWS_MAX: usize = 4096;
const BYTES_MAX: usize = 4 << 20;
/// Values of one row from which on its own size is looked at, not the mean of its batch.
const HEAVY_VALUES: u32 = 64;

/// Evaluates table functions side by side; the shorter ones are filled with NULL. What a push makes comes in batches of
/// bounded size: the first at once, the others by `resume`. A batch that makes more than `Context::fan_out_bytes_max` is
/// refused, with the number of its rows that don't.
pub struct FlatMap {
    calls: Vec<TableEvaluator>,
    pending: Option<Pending>,
}

/// A batch and how far its rows have been multiplied.
struct Pending {
    batch: Batch,
    results: Vec<TableResult>,
    /// Bytes of a row of the batch, on average.
    mean_bytes: usize,
    /// The row to go on with, and which of its values.
    row: usize,
    value: u32,
}

impl FlatMap {
    pub fn new(calls: &[TableCall]) -> Result<Self> {
        Ok(FlatMap { calls: calls.iter().map(TableCall::compile).collect::<Result<_>>()?, pending: None })
    }
}

impl Pending {
    fn new(batch: Batch, results: Vec<TableResult>) -> Pending {
        let mean_bytes = batch.slice_bytes(0, batch.rows) / batch.rows.max(1);
        Pending { batch, results, mean_bytes, row: 0, value: 0 }
    }

    /// Rows that a row becomes.
    fn count(&self, row: usize) -> u32 {
        if self.batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row)) {
            return 0;
        }
        self.results.iter().map(|result| result.offsets[row + 1] - result.offsets[row]).max().unwrap_or(0)
    }

    /// Bytes of each row that a row becomes, about: it is copied for each of its values.
    fn row_bytes(&self, row: usize, count: u32) -> usize {
        if count >= HEAVY_VALUES { self.batch.slice_bytes(row, 1) } else { self.mean_bytes }
    }

    /// Rows from the first on that make no more than so many bytes; at least one.
    fn rows_within(&self, bytes_max: usize) -> usize {
        let mut bytes = 0;
        for row in 0..self.batch.rows {
            let count = self.count(row);
            bytes += self.row_bytes(row, count) * count as usize;
            if bytes > bytes_max {
                return row.max(1);
            }
        }
        self.batch.rows
    }

    /// The next batch; None: there is none.
    fn next(&mut self) -> Result<Option<Batch>> {
        let mut rows: Vec<u32> = Vec::new();
        let mut picks: Vec<Vec<Option<u32>>> = vec![Vec::new(); self.results.len()];
        let mut bytes = 0;
        while self.row < self.batch.rows && rows.len() < ROWS_MAX && bytes < BYTES_MAX {
            let count = self.count(self.row);
            let row_bytes = self.row_bytes(self.row, count).max(1);
            let room = (ROWS_MAX - rows.len()).min((BYTES_MAX - bytes).div_ceil(row_bytes));
            let end = count.min(self.value.saturating_add(room as u32));
            for value in self.value..end {
                rows.push(self.row as u32);
                for (pick, result) in picks.iter_mut().zip(&self.results) {
                    let at = result.offsets[self.row] + value;
                    pick.push((at < result.offsets[self.row + 1]).then_some(at));
                }
            }
            bytes += row_bytes * (end - self.value) as usize;
            (self.row, self.value) = if end == count { (self.row + 1, 0) } else { (self.row, end) };
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let mut flat = self.batch.take(&rows)?;
        for (result, pick) in self.results.iter().zip(picks) {
            let column: ArrayRef = take(&result.values, &UInt32Array::from(pick), None).map_err(arrow_error)?;
            flat.columns.push(column);
        }
        Ok(Some(flat))
    }
}

impl Operator for FlatMap {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut errors = EvalErrors::default();
        let input = Input { columns: &batch.columns, rows: batch.rows };
        let results: Vec<_> = self.calls.iter_mut().map(|call| call.evaluate(input, &mut errors)).collect();
        report(errors, &batch, Over::Values, context);
        let pending = Pending::new(batch, results);
        if let Some(bytes_max) = context.fan_out_bytes_max.take() {
            let fitting = pending.rows_within(bytes_max);
            if fitting < pending.batch.rows {
                context.refused = Some(Refused { fitting, rows: pending.batch.rows });
                return Ok(());
            }
        }
        self.pending = Some(pending);
        self.resume(out, context)
    }

    fn resume(&mut self, out: &mut Vec<Batch>, _context: &mut Context) -> Result<()> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        match pending.next()? {
            Some(batch) => out.push(batch),
            None => self.pending = None,
        }
        Ok(())
    }
}

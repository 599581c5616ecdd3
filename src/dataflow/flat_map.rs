//! Table functions: a row for each of their values.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use crate::dataflow::Batch;
use crate::dataflow::batch::arrow_error;
use crate::dataflow::evaluate::{Over, report};
use crate::dataflow::operator::{Context, Node, Operator, Refused};
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
}

impl Node for FlatMap {
    fn resume(&mut self, out: &mut Vec<Batch>, _context: &mut Context) -> Result<()> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        match pending.next()? {
            Some(batch) => out.push(batch),
            None => self.pending = None,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, Int64Array, StringArray};
    use arrow::buffer::BooleanBuffer;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::dataflow::Origin;

    /// Values of each row, numbered through.
    fn result(counts: &[u32]) -> TableResult {
        let mut offsets = vec![0];
        offsets.extend(counts.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        }));
        let values: Int64Array = (0..i64::from(offsets[counts.len()])).collect();
        TableResult { offsets, values: Arc::new(values) }
    }

    /// Rows with a text of so many bytes each.
    fn batch(texts: &[usize], tombstone: Option<BooleanBuffer>) -> Batch {
        let text = StringArray::from_iter_values(texts.iter().map(|bytes| "t".repeat(*bytes)));
        Batch {
            rows: texts.len(),
            columns: vec![Arc::new(text)],
            keys: 0,
            row_time: (0..texts.len() as i64).collect::<Vec<_>>().into(),
            window: None,
            tombstone,
            null_key: None,
            old: None,
            headers: None,
            origin: Origin::default(),
            order: None,
        }
    }

    /// Against each row multiplied by itself; among them rows that make several batches alone, by number and by bytes.
    #[test]
    fn rows_are_multiplied_in_their_order_in_parts_of_bounded_size() {
        let mut random = fastrand::Rng::with_seed(5);
        let counts: Vec<[u32; 2]> = (0..60)
            .map(|row| match row {
                20 => [10_000, 3],
                40 => [0, 100],
                _ => [random.u32(0..200), random.u32(0..200)],
            })
            .collect();
        let texts: Vec<usize> = (0..60).map(|row| if row == 40 { 1 << 20 } else { random.usize(0..100) }).collect();
        let gone = BooleanBuffer::collect_bool(60, |row| row % 7 == 3);
        let results = [0, 1].map(|call| result(&counts.iter().map(|counts| counts[call]).collect::<Vec<_>>()));
        let mut expected: Vec<(i64, [Option<i64>; 2])> = Vec::new();
        for row in (0..60).filter(|row| !gone.value(*row)) {
            for i in 0..counts[row].into_iter().max().unwrap() {
                let value = |call: usize| (i < counts[row][call]).then(|| i64::from(results[call].offsets[row] + i));
                expected.push((row as i64, [value(0), value(1)]));
            }
        }
        let mut pending = Pending::new(batch(&texts, Some(gone)), results.into());
        let mut found = Vec::new();
        let mut batches = 0;
        while let Some(batch) = pending.next().unwrap() {
            batch.check().unwrap();
            assert!(batch.rows <= ROWS_MAX);
            assert!(batch.slice_bytes(0, batch.rows) < 2 * BYTES_MAX + (1 << 20));
            batches += 1;
            let column = |call: usize| batch.columns[1 + call].as_primitive::<Int64Type>();
            let value = |call: usize, row: usize| column(call).is_valid(row).then(|| column(call).value(row));
            found.extend((0..batch.rows).map(|row| (batch.row_time[row], [value(0, row), value(1, row)])));
        }
        assert!(found == expected);
        // 100 MB of the long text in parts of about 4.
        assert!(batches > 20, "{batches}");
    }

    #[test]
    fn how_many_rows_fit() {
        // Each row is 112 bytes and becomes ten, but for one that becomes a thousand.
        let mut counts = vec![10; 30];
        counts[20] = 1000;
        let pending = Pending::new(batch(&[100; 30], None), vec![result(&counts)]);
        assert_eq!(pending.rows_within(1_000_000), 30);
        assert_eq!(pending.rows_within(11_200), 10);
        assert_eq!(pending.rows_within(50_000), 20);
        // A row can't be cut.
        assert_eq!(pending.rows_within(1), 1);
    }
}

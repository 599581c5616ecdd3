//! From the last batch to records: keys, windows and values encoded, a partition for each.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::ScalarBuffer;

use crate::catalog::{Source, SourceWindow};
use crate::dataflow::Batch;
use crate::dataflow::operator::{Context, ErrorKind, ProcessingError};
use crate::dataflow::row_time::RowTime;
use crate::error::Result;
use crate::format::{self, BadRow, Encoder};
use crate::log::partitioner::partition_for;
use crate::log::{RecordMeta, Records, Span};

/// Encodes the rows of one task for the sink's topic.
pub struct SinkWriter {
    key: Box<dyn Encoder>,
    value: Box<dyn Encoder>,
    window: Option<SourceWindow>,
    timestamp: Option<RowTime>,
    partitions: u32,
    /// Where the next rows without key go.
    next_keyless: u32,
    scratch: Vec<u8>,
    keys: Vec<Span>,
    values: Vec<Span>,
    /// Encoded and not yet committed, a partition each.
    pub staged: BTreeMap<u32, Records>,
    pub staged_rows: u64,
}

impl SinkWriter {
    pub fn new(sink: &Source, partitions: u32, own: u32) -> Result<Self> {
        let timestamp = RowTime::of(sink)?;
        Ok(SinkWriter {
            key: format::encoder(&sink.key)?,
            value: format::encoder(&sink.value)?,
            window: sink.window,
            timestamp,
            partitions,
            next_keyless: own % partitions,
            scratch: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            staged: BTreeMap::new(),
            staged_rows: 0,
        })
    }

    /// Bytes that wait for the commit.
    pub fn staged_bytes(&self) -> usize {
        self.staged.values().map(|records| records.data.len() + records.meta.len() * size_of::<RecordMeta>()).sum()
    }

    pub fn write(&mut self, batch: &Batch, context: &mut Context) -> Result<()> {
        self.scratch.clear();
        self.keys.clear();
        self.values.clear();
        let mut bad = self.key.encode(
            batch.key_columns(),
            batch.rows,
            batch.null_key.as_ref(),
            &mut self.scratch,
            &mut self.keys,
        );
        bad.extend(self.value.encode(
            batch.value_columns(),
            batch.rows,
            batch.tombstone.as_ref(),
            &mut self.scratch,
            &mut self.values,
        ));
        let times = self.row_times(batch, &mut bad);
        let skip = report(bad, batch, context);
        let mut keyless_rows = false;
        for row in 0..batch.rows {
            if skip.as_ref().is_some_and(|skip| skip[row]) {
                continue;
            }
            let key = self.keys[row];
            let partition = if key.is_null() {
                keyless_rows = true;
                self.next_keyless
            } else {
                let start = key.start as usize;
                partition_for(&self.scratch[start..start + key.len as usize], self.partitions)
            };
            self.stage(row, partition, times[row], batch);
        }
        if keyless_rows {
            self.next_keyless = (self.next_keyless + 1) % self.partitions;
        }
        Ok(())
    }

    fn stage(&mut self, row: usize, partition: u32, timestamp: i64, batch: &Batch) {
        let records = self.staged.entry(partition).or_default();
        let mut key = records.put(slice(&self.scratch, self.keys[row]));
        if let (Some(kind), Some(window), false) = (self.window, &batch.window, key.is_null()) {
            let (start, end) = (window.start[row], window.end[row]);
            if kind == SourceWindow::Session {
                records.data.extend_from_slice(&end.to_be_bytes());
                key.len += 8;
            }
            records.data.extend_from_slice(&start.to_be_bytes());
            key.len += 8;
        }
        let value = records.put(slice(&self.scratch, self.values[row]));
        let headers = records.put(batch.headers.as_ref().and_then(|headers| header_bytes(headers, row)));
        records.meta.push(RecordMeta { offset: 0, timestamp, key, value, headers });
        self.staged_rows += 1;
    }

    fn row_times(&self, batch: &Batch, bad: &mut Vec<BadRow>) -> ScalarBuffer<i64> {
        let Some(timestamp) = &self.timestamp else { return batch.row_time.clone() };
        let mut times = Vec::with_capacity(batch.rows);
        for row in 0..batch.rows {
            let is_tombstone = batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row));
            match timestamp.at(&batch.columns, row) {
                Ok(time) => times.push(time),
                Err(reason) => {
                    times.push(batch.row_time[row]);
                    if !is_tombstone {
                        bad.push(BadRow { row, reason });
                    }
                }
            }
        }
        times.into()
    }
}

fn slice(data: &[u8], span: Span) -> Option<&[u8]> {
    (!span.is_null()).then(|| &data[span.start as usize..span.start as usize + span.len as usize])
}

fn header_bytes(headers: &ArrayRef, row: usize) -> Option<&[u8]> {
    let headers = headers.as_any().downcast_ref::<arrow::array::BinaryArray>()?;
    headers.is_valid(row).then(|| headers.value(row))
}

/// Tells of the rows that could not be encoded; gives a mark for each row to skip.
fn report(bad: Vec<BadRow>, batch: &Batch, context: &mut Context) -> Option<Vec<bool>> {
    if bad.is_empty() {
        return None;
    }
    let mut skip = vec![false; batch.rows];
    for bad in bad {
        skip[bad.row] = true;
        context.error(ProcessingError {
            kind: ErrorKind::Serialization,
            reason: bad.reason,
            topic: None,
            partition: None,
            offset: None,
            row_time: batch.row_time.get(bad.row).copied(),
            record: None,
        });
    }
    Some(skip)
}

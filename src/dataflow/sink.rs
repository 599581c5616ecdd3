//! From the last batch to records: keys, windows and values encoded, a partition for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::ScalarBuffer;

use crate::catalog::{Source, SourceWindow};
use crate::dataflow::Batch;
use crate::dataflow::operator::{Context, ErrorKind};
use crate::dataflow::row_time::RowTime;
use crate::error::{Error, Result};
use crate::format::{self, BadRow, Encoder, KeyedRows};
use crate::log::partitioner::partition_for;
use crate::log::{Batches, Log, LogError, RecordMeta, Records, Span};
use crate::messages;

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
    places: Vec<u32>,
    /// Encoded and not yet committed.
    staged: Stage,
    staged_bytes: usize,
    staged_rows: usize,
    taken: usize,
}

/// The records of a partition that wait for the commit.
pub enum Staged {
    Records(Records),
    /// As the log writes them.
    Batches(Box<Batches>),
}

impl Staged {
    /// The least timestamp, ms; None without records.
    pub fn oldest(&self) -> Option<i64> {
        match self {
            Staged::Records(records) => records.meta.iter().map(|meta| meta.timestamp).min(),
            Staged::Batches(batches) => batches.oldest(),
        }
    }

    /// Makes records of what is staged.
    pub fn records(&mut self) -> Result<&mut Records, LogError> {
        if let Staged::Batches(batches) = self {
            *self = Staged::Records(batches.take_records()?);
        }
        match self {
            Staged::Records(records) => Ok(records),
            Staged::Batches(_) => Err(LogError::Invalid("internal error: batches that stay batches".to_owned())),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Staged::Records(records) => records.data.len() + records.meta.len() * size_of::<RecordMeta>(),
            Staged::Batches(batches) => batches.len(),
        }
    }

    fn rows(&self) -> usize {
        match self {
            Staged::Records(records) => records.len(),
            Staged::Batches(batches) => batches.records(),
        }
    }

    fn check_size(&self) -> Result<()> {
        let bytes = match self {
            Staged::Records(records) => records.data.len(),
            Staged::Batches(batches) => batches.len(),
        };
        if bytes <= PARTITION_BYTES_MAX { Ok(()) } else { Err(too_much()) }
    }
}

/// What is staged, a partition each.
struct Stage {
    topic: String,
    /// Of a log that may take the records in batches; None: they are needed as records, too.
    log: Option<Arc<dyn Log>>,
    parts: BTreeMap<u32, Staged>,
    /// Memory of records that were committed, to be staged into again.
    spare: Vec<Records>,
}

impl Stage {
    fn part(&mut self, partition: u32) -> &mut Staged {
        let Stage { topic, log, parts, spare } = self;
        parts.entry(partition).or_insert_with(|| match log.as_ref().and_then(|log| log.batches(topic)) {
            Some(batches) => Staged::Batches(Box::new(batches)),
            None => Staged::Records(spare.pop().unwrap_or_default()),
        })
    }
}

/// One partition's part of a commit: the records' places in it are numbers of 32 bits, and it must fit into memory.
const PARTITION_BYTES_MAX: usize = 2 << 30;

impl SinkWriter {
    /// `log`: it may be given the records in batches, since nobody else wants them.
    pub fn new(sink: &Source, partitions: u32, own: u32, log: Option<Arc<dyn Log>>) -> Result<Self> {
        let timestamp = RowTime::of(sink)?;
        let log = log.filter(|_| sink.window.is_none());
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
            places: Vec::new(),
            staged: Stage { topic: sink.topic.clone(), log, parts: BTreeMap::new(), spare: Vec::new() },
            staged_bytes: 0,
            staged_rows: 0,
            taken: 0,
        })
    }

    /// Bytes that wait for the commit.
    pub fn staged_bytes(&self) -> usize {
        self.staged_bytes
    }

    /// Records that wait for the commit.
    pub fn staged_rows(&self) -> usize {
        self.staged_rows
    }

    /// Takes the records that wait, with their partitions.
    pub fn take_staged(&mut self) -> BTreeMap<u32, Staged> {
        self.taken = self.staged.parts.len();
        (self.staged_bytes, self.staged_rows) = (0, 0);
        std::mem::take(&mut self.staged.parts)
    }

    /// Of how many partitions it gave records when they were taken last.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Gives records back that were taken and aren't needed any more: their memory serves those that come. What was given back
    /// before and not used is freed.
    pub fn reuse(&mut self, taken: Vec<Records>) {
        self.staged.spare = taken;
        self.staged.spare.iter_mut().for_each(Records::clear);
    }

    /// Encodes the rows of a batch behind those that wait. Rows that can't be encoded go to `context.errors`.
    pub fn write(&mut self, batch: &Batch, context: &mut Context) -> Result<()> {
        self.scratch.clear();
        self.keys.clear();
        self.values.clear();
        let null_key = batch.null_key.as_ref();
        let mut bad = self.key.encode(batch.key_columns(), batch.rows, null_key, &mut self.scratch, &mut self.keys);
        let times = self.row_times(batch, &mut bad);
        match self.place(batch.rows) {
            Some(partition) => self.write_together(partition, batch, &times, bad, context),
            None => self.write_apart(batch, &times, bad, context),
        }
    }

    /// Rows that all go to one partition are encoded where they will be sent from.
    fn write_together(
        &mut self,
        partition: u32,
        batch: &Batch,
        times: &[i64],
        mut bad: Vec<BadRow>,
        context: &mut Context,
    ) -> Result<()> {
        let (values, tombstone) = (batch.value_columns(), batch.tombstone.as_ref());
        let part = self.staged.part(partition);
        let (rows_before, bytes_before) = (part.rows(), part.bytes());
        match part {
            Staged::Batches(batches) if bad.is_empty() && batch.headers.is_none() => {
                let mut into = KeyedRows { batches, times, keys: &self.scratch, spans: &self.keys };
                let bad = self.value.encode_values(values, batch.rows, tombstone, &mut into);
                report(bad, batch, context);
            }
            Staged::Batches(_) => return self.write_apart(batch, times, bad, context),
            Staged::Records(records) => {
                bad.extend(self.value.encode(values, batch.rows, tombstone, &mut records.data, &mut self.values));
                let skip = report(bad, batch, context);
                let rows = (0..batch.rows).filter(|&row| skip.as_ref().is_none_or(|skip| !skip[row]));
                records.meta.reserve(batch.rows);
                match self.window {
                    None => {
                        move_keys(&self.scratch, &mut self.keys, records)?;
                        rows.for_each(|row| push(records, self.keys[row], self.values[row], times[row], batch, row));
                    }
                    window => rows.for_each(|row| {
                        let key = put_key(records, &self.scratch, self.keys[row], window, batch, row);
                        push(records, key, self.values[row], times[row], batch, row);
                    }),
                }
            }
        }
        self.staged_rows += part.rows() - rows_before;
        // Batches that are compressed shrink.
        self.staged_bytes = self.staged_bytes + part.bytes() - bytes_before;
        part.check_size()
    }

    /// Rows that go to several partitions, or that need a look at each.
    fn write_apart(&mut self, batch: &Batch, times: &[i64], mut bad: Vec<BadRow>, context: &mut Context) -> Result<()> {
        let (values, tombstone) = (batch.value_columns(), batch.tombstone.as_ref());
        bad.extend(self.value.encode(values, batch.rows, tombstone, &mut self.scratch, &mut self.values));
        let skip = report(bad, batch, context);
        for row in (0..batch.rows).filter(|&row| skip.as_ref().is_none_or(|skip| !skip[row])) {
            let part = self.staged.part(self.places.get(row).copied().unwrap_or_default());
            let bytes_before = part.bytes();
            match part {
                Staged::Records(records) => {
                    let key = put_key(records, &self.scratch, self.keys[row], self.window, batch, row);
                    let value = records.put(slice(&self.scratch, self.values[row]));
                    push(records, key, value, times[row], batch, row);
                }
                Staged::Batches(batches) => {
                    let [key, value] = [self.keys[row], self.values[row]].map(|part| slice(&self.scratch, part));
                    let headers = batch.headers.as_ref().and_then(|headers| header_bytes(headers, row));
                    batches.put(times[row], key, value, headers.unwrap_or_default());
                }
            }
            self.staged_rows += 1;
            self.staged_bytes = self.staged_bytes + part.bytes() - bytes_before;
        }
        self.staged.parts.values().try_for_each(Staged::check_size)
    }

    /// Finds the partition of each row; gives the one that all go to, if they do.
    fn place(&mut self, rows: usize) -> Option<u32> {
        self.places.clear();
        if self.partitions == 1 || rows == 0 {
            return Some(0);
        }
        let keyless = self.next_keyless;
        let (scratch, partitions) = (&self.scratch, self.partitions);
        let place = |key: &Span| slice(scratch, *key).map_or(keyless, |key| partition_for(key, partitions));
        self.places.extend(self.keys.iter().map(place));
        if self.keys.iter().any(|key| key.is_null()) {
            self.next_keyless = (keyless + 1) % self.partitions;
        }
        let first = self.places[0];
        self.places.iter().all(|place| *place == first).then_some(first)
    }

    fn row_times(&self, batch: &Batch, bad: &mut Vec<BadRow>) -> ScalarBuffer<i64> {
        let Some(timestamp) = &self.timestamp else { return batch.row_time.clone() };
        if let Some(times) = timestamp.all(&batch.columns) {
            return times;
        }
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

fn too_much() -> Error {
    messages::queries::commit_too_large(PARTITION_BYTES_MAX)
}

/// Copies keys that were encoded among the records' bytes, all at once; the spans are those of the copies then.
fn move_keys(encoded: &[u8], keys: &mut [Span], records: &mut Records) -> Result<()> {
    let shift = records.data.len();
    if shift + encoded.len() > u32::MAX as usize {
        return Err(too_much());
    }
    records.data.extend_from_slice(encoded);
    keys.iter_mut().filter(|key| !key.is_null()).for_each(|key| key.start += shift as u32);
    Ok(())
}

/// Puts a row's key among the records' bytes, its window behind it.
#[inline]
fn put_key(
    records: &mut Records,
    keys: &[u8],
    key: Span,
    window: Option<SourceWindow>,
    batch: &Batch,
    row: usize,
) -> Span {
    if key.is_null() {
        return key;
    }
    let mut key = records.put(slice(keys, key));
    if let (Some(kind), Some(window)) = (window, &batch.window) {
        let (start, end) = (window.start[row], window.end[row]);
        if kind == SourceWindow::Session {
            records.data.extend_from_slice(&end.to_be_bytes());
            key.len += 8;
        }
        records.data.extend_from_slice(&start.to_be_bytes());
        key.len += 8;
    }
    key
}

#[inline]
fn push(records: &mut Records, key: Span, value: Span, timestamp: i64, batch: &Batch, row: usize) {
    let headers = records.put(batch.headers.as_ref().and_then(|headers| header_bytes(headers, row)));
    records.meta.push(RecordMeta { offset: 0, timestamp, key, value, headers });
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
        context.bad_row(batch, bad.row, ErrorKind::Serialization, bad.reason);
    }
    Some(skip)
}

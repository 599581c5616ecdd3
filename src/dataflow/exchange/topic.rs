//! An exchange through an internal topic: where a query's stages are shared by processes, and each commits alone.
//!
//! A record has no key and carries some rows of one partition (see `frame`): it is placed by its writer, so that rows of one
//! key meet in one partition as they would by Kafka's own placing.

use std::collections::BTreeMap;

use super::{ExchangeWriter, frame};
use crate::dataflow::Batch;
use crate::error::{Error, Result};
use crate::format::Layout;
use crate::log::{RecordMeta, Records};
use crate::types::SqlType;

/// Bytes of a frame: well under what a topic takes as one record by default (1 MiB).
const FRAME_BYTES_MAX: usize = 256 << 10;

/// The writing end.
pub struct TopicExchangeWriter {
    exchange: ExchangeWriter,
    scratch: Vec<u8>,
    split: Vec<(u32, Batch)>,
    /// Encoded and not yet committed, a partition each.
    pub staged: BTreeMap<u32, Records>,
}

impl TopicExchangeWriter {
    /// `own`: the task's own partition, where rows without key go.
    pub fn new(key: &Layout, partitions: u32, own: u32) -> Result<Self> {
        Ok(TopicExchangeWriter {
            exchange: ExchangeWriter::new(key, partitions, own)?,
            scratch: Vec::new(),
            split: Vec::new(),
            staged: BTreeMap::new(),
        })
    }

    /// Bytes that wait for the commit.
    pub fn staged_bytes(&self) -> usize {
        self.staged.values().map(|records| records.data.len() + records.meta.len() * size_of::<RecordMeta>()).sum()
    }

    /// Stages the rows, in their order, for the partitions of their keys.
    pub fn write(&mut self, batch: Batch) -> Result<()> {
        let mut split = std::mem::take(&mut self.split);
        self.exchange.split(batch, &mut split)?;
        for (partition, batch) in split.drain(..) {
            self.stage(partition, &batch)?;
        }
        self.split = split;
        Ok(())
    }

    /// One frame, or two of the halves where that is too large.
    fn stage(&mut self, partition: u32, batch: &Batch) -> Result<()> {
        self.scratch.clear();
        frame::write(batch, &mut self.scratch);
        if self.scratch.len() > FRAME_BYTES_MAX && batch.rows > 1 {
            let half = batch.rows as u32 / 2;
            self.stage(partition, &batch.take(&(0..half).collect::<Vec<_>>())?)?;
            return self.stage(partition, &batch.take(&(half..batch.rows as u32).collect::<Vec<_>>())?);
        }
        // A record's time is shown by tools; the rows' own times are in the frame.
        let time = batch.row_time.iter().copied().max().unwrap_or(0).max(0);
        self.staged.entry(partition).or_default().push(None, Some(&self.scratch), time);
        Ok(())
    }
}

/// The reading end.
pub struct TopicExchangeReader {
    /// The topic that the rows were read from first.
    source: String,
    /// Types of the columns, keys first.
    types: Vec<SqlType>,
    keys: usize,
}

impl TopicExchangeReader {
    pub fn new(source: String, types: Vec<SqlType>, keys: usize) -> Self {
        TopicExchangeReader { source, types, keys }
    }

    /// The rows of one record of the topic.
    ///
    /// Errors: it is none of ours, or of a newer version: reading on would lose rows.
    pub fn read(&self, records: &Records, record: usize) -> Result<Batch> {
        let frame = records.value(record).and_then(|value| frame::read(value, &self.source, &self.types, self.keys));
        frame.ok_or_else(|| {
            let offset = records.meta[record].offset;
            let what = format!(
                "the record at offset {offset} of the query's internal topic is not one that this version wrote"
            );
            let hint = "nothing else may write to that topic; if it was a newer version of millpond, use that one";
            Error { lasting: true, ..Error::world(what).hint(hint) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::{assert_same, random_batch};
    use super::*;
    use crate::format::Format;

    fn writer(partitions: u32) -> TopicExchangeWriter {
        let columns = vec![("K".to_string(), SqlType::String)];
        let layout = Layout { format: Format::Kafka, delimiter: ',', columns, wrapped: false };
        TopicExchangeWriter::new(&layout, partitions, 1).unwrap()
    }

    /// What arrives in each partition is what the exchange in memory hands over.
    #[test]
    fn rows_arrive_as_by_the_exchange_in_memory() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..50 {
            let (mut batch, types) = random_batch(&mut random, 30);
            batch.null_key = Some(
                batch.columns[0]
                    .logical_nulls()
                    .map_or_else(|| arrow::buffer::BooleanBuffer::new_unset(batch.rows), |nulls| !nulls.inner()),
            );
            let mut writer = writer(3);
            let mut expected = Vec::new();
            writer.exchange.split(batch.clone(), &mut expected).unwrap();
            writer.write(batch).unwrap();
            let reader = TopicExchangeReader::new("t".to_owned(), types, 1);
            let staged = writer.staged.iter();
            let found =
                staged.flat_map(|(partition, records)| (0..records.len()).map(move |row| (*partition, records, row)));
            assert_eq!(found.clone().count(), expected.len());
            for ((partition, records, row), (to, batch)) in found.zip(&expected) {
                assert_eq!(partition, *to);
                assert_same(&reader.read(records, row).unwrap(), batch);
            }
        }
    }

    #[test]
    fn a_frame_has_a_bound_and_rows_keep_their_order() {
        let rows = 3 * FRAME_BYTES_MAX / 20;
        let mut random = fastrand::Rng::with_seed(8);
        let (batch, types) = random_batch(&mut random, rows);
        let mut writer = writer(1);
        let times = batch.row_time.clone();
        writer.write(batch).unwrap();
        let records = &writer.staged[&0];
        assert!(records.len() > 1);
        assert!(records.meta.iter().all(|meta| meta.value.len as usize <= FRAME_BYTES_MAX));
        let reader = TopicExchangeReader::new("t".to_owned(), types, 1);
        let found: Vec<i64> =
            (0..records.len()).flat_map(|row| reader.read(records, row).unwrap().row_time.to_vec()).collect();
        assert_eq!(found, times.to_vec());
    }

    #[test]
    fn a_foreign_record_is_an_error() {
        let mut records = Records::default();
        records.push(None, Some(b"{}"), 0);
        records.push(None, None, 0);
        let reader = TopicExchangeReader::new("t".to_owned(), vec![SqlType::Int], 1);
        assert!(reader.read(&records, 0).is_err());
        assert!(reader.read(&records, 1).is_err());
    }
}

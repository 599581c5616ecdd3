//! The way of rows to the partition of their key: handed over in memory, or through an internal topic.

mod frame;
mod topic;

pub use topic::{TopicExchangeReader, TopicExchangeWriter};

use arrow::buffer::BooleanBuffer;

use crate::dataflow::Batch;
use crate::error::Result;
use crate::format::{self, Encoder, Layout};
use crate::log::Span;
use crate::log::partitioner::partition_for;

/// Places the rows of one task by the bytes of their key, as Kafka's own client does.
pub struct ExchangeWriter {
    encoder: Box<dyn Encoder>,
    partitions: u32,
    /// The task's own partition: where rows without key stay.
    own: u32,
    data: Vec<u8>,
    spans: Vec<Span>,
    places: Vec<u32>,
    order: Vec<u32>,
    ends: Vec<u32>,
}

impl ExchangeWriter {
    pub fn new(key: &Layout, partitions: u32, own: u32) -> Result<Self> {
        Ok(ExchangeWriter {
            encoder: format::encoder(key)?,
            partitions,
            own: own % partitions,
            data: Vec::new(),
            spans: Vec::new(),
            places: Vec::new(),
            order: Vec::new(),
            ends: Vec::new(),
        })
    }

    /// Adds the batch's rows to `out`, with the partition they go to. Rows keep their order.
    pub fn split(&mut self, batch: Batch, out: &mut Vec<(u32, Batch)>) -> Result<()> {
        if self.partitions == 1 {
            out.push((0, batch));
            return Ok(());
        }
        self.place(&batch);
        let mut start = 0;
        for partition in 0..self.partitions {
            let end = self.ends[partition as usize] as usize;
            match end - start {
                0 => {}
                rows if rows == batch.rows => out.push((partition, batch.clone())),
                _ => out.push((partition, batch.take(&self.order[start..end])?)),
            }
            start = end;
        }
        Ok(())
    }

    /// Sorts the rows' numbers by partition into `order`; where each partition ends in it goes to `ends`.
    fn place(&mut self, batch: &Batch) {
        self.data.clear();
        self.spans.clear();
        let nulls: Option<&BooleanBuffer> = batch.null_key.as_ref();
        self.encoder.encode(batch.key_columns(), batch.rows, nulls, &mut self.data, &mut self.spans);
        let place = |span: &Span| match span.is_null() {
            true => self.own,
            false => partition_for(&self.data[span.start as usize..][..span.len as usize], self.partitions),
        };
        self.places.clear();
        self.places.extend(self.spans.iter().map(place));
        self.ends.clear();
        self.ends.resize(self.partitions as usize + 1, 0);
        self.places.iter().for_each(|place| self.ends[*place as usize + 1] += 1);
        for partition in 1..self.ends.len() {
            self.ends[partition] += self.ends[partition - 1];
        }
        // From here on an entry is where the partition's next row goes: at the end it is where the partition ends.
        self.order.resize(batch.rows, 0);
        for (row, place) in self.places.iter().enumerate() {
            let next = &mut self.ends[*place as usize];
            self.order[*next as usize] = row as u32;
            *next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef, AsArray, StringArray};

    use super::*;
    use crate::dataflow::Origin;
    use crate::format::Format;
    use crate::types::SqlType;

    fn batch(keys: Vec<Option<String>>) -> Batch {
        let rows = keys.len();
        let null_key: BooleanBuffer = keys.iter().map(Option::is_none).collect();
        let key: ArrayRef = Arc::new(StringArray::from(keys));
        Batch {
            rows,
            columns: vec![key],
            keys: 1,
            row_time: (0..rows as i64).collect::<Vec<_>>().into(),
            window: None,
            tombstone: None,
            null_key: Some(null_key),
            old: None,
            headers: None,
            origin: Origin::default(),
            order: None,
        }
    }

    /// Against the partition of each key by itself; a writer's buffers serve batch after batch.
    #[test]
    fn rows_go_to_the_partition_of_their_key_in_their_order() {
        let mut random = fastrand::Rng::with_seed(3);
        let (partitions, own) = (5, 2);
        let columns = vec![("K".to_string(), SqlType::String)];
        let layout = Layout { format: Format::Kafka, delimiter: ',', columns, wrapped: false };
        let mut exchange = ExchangeWriter::new(&layout, partitions, own).unwrap();
        for rows in [100, 7, 1, 0, 300] {
            let key = |random: &mut fastrand::Rng| random.bool().then(|| random.u32(0..50).to_string());
            let keys: Vec<Option<String>> = (0..rows).map(|_| key(&mut random)).collect();
            let mut expected: Vec<Vec<(i64, Option<String>)>> = vec![Vec::new(); partitions as usize];
            for (row, key) in keys.iter().enumerate() {
                let to = key.as_ref().map_or(own, |key| partition_for(key.as_bytes(), partitions));
                expected[to as usize].push((row as i64, key.clone()));
            }
            let mut out = Vec::new();
            exchange.split(batch(keys), &mut out).unwrap();
            let mut found = vec![Vec::new(); partitions as usize];
            for (partition, batch) in &out {
                let keys = batch.columns[0].as_string::<i32>();
                let key = |row: usize| keys.is_valid(row).then(|| keys.value(row).to_string());
                found[*partition as usize].extend((0..batch.rows).map(|row| (batch.row_time[row], key(row))));
            }
            assert_eq!(found, expected);
        }
    }
}

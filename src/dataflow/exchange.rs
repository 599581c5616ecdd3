//! The way of rows to the partition of their key.

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
}

impl ExchangeWriter {
    pub fn new(key: &Layout, partitions: u32, own: u32) -> Result<Self> {
        Ok(ExchangeWriter {
            encoder: format::encoder(key)?,
            partitions,
            own: own % partitions,
            data: Vec::new(),
            spans: Vec::new(),
        })
    }

    /// Adds the batch's rows to `out`, one list of batches a partition. Rows keep their order.
    pub fn split(&mut self, batch: Batch, out: &mut [Vec<Batch>]) -> Result<()> {
        if self.partitions == 1 {
            out[0].push(batch);
            return Ok(());
        }
        self.data.clear();
        self.spans.clear();
        let nulls: Option<&BooleanBuffer> = batch.null_key.as_ref();
        self.encoder.encode(batch.key_columns(), batch.rows, nulls, &mut self.data, &mut self.spans);
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.partitions as usize];
        for (row, span) in self.spans.iter().enumerate() {
            let partition = if span.is_null() {
                self.own
            } else {
                let start = span.start as usize;
                partition_for(&self.data[start..start + span.len as usize], self.partitions)
            };
            rows[partition as usize].push(row as u32);
        }
        for (rows, out) in rows.iter().zip(out) {
            if rows.len() == batch.rows {
                out.push(batch.clone());
            } else if !rows.is_empty() {
                out.push(batch.take(rows)?);
            }
        }
        Ok(())
    }
}

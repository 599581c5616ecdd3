//! One partition's part of one stage, and its share of a round.

use parking_lot::Mutex;

use super::reader::Reader;
use crate::dataflow::Batch;
use crate::dataflow::exchange::ExchangeWriter;
use crate::dataflow::sink::SinkWriter;
use crate::dataflow::task::Task;
use crate::error::Result;
use crate::log::{Log, Records};

/// One partition's part of one stage.
pub(super) struct StageTask {
    pub partition: u32,
    pub task: Task,
    pub reader: Option<Reader>,
    pub output: Output,
}

pub(super) enum Output {
    Exchange(ExchangeWriter),
    Sink(Box<SinkWriter>),
    /// Rows for a reader, until they are taken.
    Rows(Vec<Batch>),
}

/// What the tasks of a round share.
pub(super) struct Round<'a> {
    pub phase: Phase,
    pub log: &'a dyn Log,
    /// Read from one partition.
    pub bytes_max: usize,
    /// For fetched records: as many as threads work at a time, not one a partition.
    pub buffers: &'a Mutex<Vec<Records>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Rows,
    Flush,
}

impl StageTask {
    /// Gives the batches for the next stage, each with the partition it goes to.
    pub fn run(&mut self, input: Vec<Batch>, round: &Round<'_>) -> Result<Vec<(u32, Batch)>> {
        let mut made = Vec::new();
        for batch in input {
            self.task.push(batch, &mut made)?;
        }
        match (round.phase, &mut self.reader) {
            (Phase::Rows, Some(reader)) => {
                if let Some(batch) = reader.read(round, &mut self.task.context)? {
                    self.task.push(batch, &mut made)?;
                }
            }
            (Phase::Rows, None) => {}
            (Phase::Flush, _) => self.task.flush(&mut made)?,
        }
        let mut out = Vec::new();
        match &mut self.output {
            Output::Exchange(exchange) => {
                for batch in made {
                    exchange.split(batch, &mut out)?;
                }
            }
            Output::Sink(sink) => {
                for batch in &made {
                    sink.write(batch, &mut self.task.context)?;
                }
            }
            Output::Rows(rows) => rows.append(&mut made),
        }
        Ok(out)
    }
}

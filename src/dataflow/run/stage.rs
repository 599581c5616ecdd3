//! One partition's part of one stage, and its share of a round.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::StageLayout;
use super::host::Host;
use super::input::OldRowsAt;
use super::port::Port;
use super::reader::Reader;
use super::snapshots::PartSnapshot;
use crate::dataflow::exchange::{ExchangeWriter, TopicExchangeWriter};
use crate::dataflow::meter::Meter;
use crate::dataflow::sink::SinkWriter;
use crate::dataflow::task::Task;
use crate::dataflow::{Batch, Context};
use crate::error::Result;
use crate::log::{Records, TopicPartition};
use crate::state::MemoryShare;

/// One partition's part of one stage.
pub(super) struct StageTask {
    pub partition: u32,
    pub task: Task,
    /// Of each of its inputs.
    pub entries: Vec<Entry>,
    /// Of each of its states.
    pub snapshots: Vec<Option<PartSnapshot>>,
    pub output: Output,
    /// Of what its output takes.
    pub output_meter: Arc<Meter>,
}

/// An input of a task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub stage: usize,
    pub partition: u32,
    pub input: usize,
}

/// Where a task has the rows of an input from.
pub(super) enum Entry {
    Read(Box<Reader>),
    /// From the stages before, in memory.
    HandedOver,
    /// From the reading end of another input: they read one topic.
    Shared,
}

pub(super) enum Output {
    Exchange(ExchangeWriter),
    Topic(TopicExchangeWriter),
    Sink(Box<SinkWriter>),
    /// Rows for a reader, until they are taken, and their bytes.
    Rows(Vec<Batch>, usize),
}

/// What the tasks of a round share.
pub(super) struct Round<'a> {
    pub phase: Phase,
    pub port: &'a Port,
    /// Read from one partition.
    pub bytes_max: usize,
    /// Of what was read from one partition, the records that are pushed at most.
    pub rows_max: usize,
    /// What the records of one partition may become, unless it is a single one.
    pub made_bytes_max: usize,
    /// How long an input that has nothing is waited for.
    pub idle_max: Duration,
    pub old_rows: OldRowsAt,
    /// For fetched records: as many as threads work at a time, not one a partition.
    pub buffers: &'a Mutex<Vec<Records>>,
    pub memory: &'a MemoryShare,
    pub host: &'a Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Rows,
    Flush,
}

/// Batches that a task makes before it listens whether the query is to stop: a round that makes no more than them is short,
/// and is brought to its end, so that it can be committed. A flush always is: it belongs to a commit.
const BATCHES_UNHEARD: usize = 64;

impl StageTask {
    /// `inputs`: what came of each of its inputs in memory. Gives the batches for the stage behind an exchange in memory, each
    /// with the partition it goes to.
    pub fn run(&mut self, inputs: Vec<Vec<Batch>>, round: &Round<'_>) -> Result<Vec<(u32, Batch)>> {
        let mut handed_over = Vec::new();
        let StageTask { task, entries, output, output_meter, .. } = self;
        let mut batches = 0;
        let mut outlet = |batch: Batch, context: &mut Context| {
            batches += 1;
            if batches > BATCHES_UNHEARD && round.phase == Phase::Rows {
                round.host.check_interrupted()?;
            }
            output_meter.rows_in(batch.rows);
            let bytes = output_meter.time(|| output.put(batch, context, &mut handed_over))?;
            round.memory.grow(bytes)
        };
        match (round.phase, round.old_rows, entries.as_mut_slice()) {
            (Phase::Rows, OldRowsAt::Turn, entries) => {
                let mut batches = Vec::with_capacity(entries.len());
                for (entry, came) in entries.iter_mut().zip(inputs) {
                    batches.push(match entry {
                        Entry::Read(reader) if !reader.input.is_shared() => {
                            reader.take_granted(round, &mut task.context)?.pop().flatten()
                        }
                        Entry::Read(_) | Entry::HandedOver | Entry::Shared => Batch::in_order(came)?,
                    });
                }
                task.push_all(batches, &mut outlet)?;
            }
            (Phase::Rows, OldRowsAt::Decoding, [Entry::Read(reader)]) => read(reader, task, round, &mut outlet)?,
            (phase, _, _) => {
                for (input, came) in inputs.into_iter().enumerate() {
                    came.into_iter().try_for_each(|batch| task.push_input(input, batch, &mut outlet))?;
                }
                if phase == Phase::Flush {
                    task.flush(&mut outlet)?;
                }
            }
        }
        Ok(handed_over)
    }

    /// The reading ends that it has.
    pub fn readers(&self) -> impl Iterator<Item = &Reader> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Read(reader) => Some(&**reader),
            Entry::HandedOver | Entry::Shared => None,
        })
    }

    pub fn readers_mut(&mut self) -> impl Iterator<Item = &mut Reader> {
        self.entries.iter_mut().filter_map(|entry| match entry {
            Entry::Read(reader) => Some(&mut **reader),
            Entry::HandedOver | Entry::Shared => None,
        })
    }

    /// Whether it goes with one of these partitions of the topics by which stages are shared out.
    pub fn is_of(&self, stage: &StageLayout, places: &[TopicPartition]) -> bool {
        places.iter().any(|place| place.partition == self.partition && place.topic == stage.lead)
    }

    /// Takes what was granted of readings that come to several inputs, and adds it for each of them.
    pub fn take_shared(&mut self, round: &Round<'_>, into: &mut Vec<(Place, Batch)>) -> Result<()> {
        let StageTask { partition, task, entries, .. } = self;
        for entry in entries {
            let Entry::Read(reader) = entry else { continue };
            if !reader.input.is_shared() {
                continue;
            }
            let taken = reader.take_granted(round, &mut task.context)?;
            for (source, batch) in reader.input.sources().iter().zip(taken) {
                let Some(batch) = batch else { continue };
                for of in &source.uses {
                    let place = Place { stage: of.stage, partition: *partition, input: of.input };
                    into.push((place, of.narrowed(&batch)));
                }
            }
        }
        Ok(())
    }

    /// Bytes that wait in its output.
    pub fn waiting_bytes(&self) -> usize {
        match &self.output {
            Output::Rows(_, bytes) => *bytes,
            _ => self.staged_bytes(),
        }
    }

    /// Encoded bytes that wait for the commit.
    pub fn staged_bytes(&self) -> usize {
        match &self.output {
            Output::Exchange(_) | Output::Rows(..) => 0,
            Output::Topic(exchange) => exchange.staged_bytes(),
            Output::Sink(sink) => sink.staged_bytes(),
        }
    }
}

/// Pushes the next records of a partition; as few of them as become no more than they may.
fn read(
    reader: &mut Reader,
    task: &mut Task,
    round: &Round<'_>,
    outlet: &mut dyn FnMut(Batch, &mut Context) -> Result<()>,
) -> Result<()> {
    reader.round_rows = 0;
    loop {
        read_batch(reader, task, round, outlet)?;
        reader.done(round);
        reader.round_rows += reader.rows;
        if !reader.has_more_batches() {
            return Ok(());
        }
    }
}

/// Pushes a batch; of as few records as become no more than they may.
fn read_batch(
    reader: &mut Reader,
    task: &mut Task,
    round: &Round<'_>,
    outlet: &mut dyn FnMut(Batch, &mut Context) -> Result<()>,
) -> Result<()> {
    let mut rows_max = round.rows_max;
    loop {
        let mark = task.context.mark();
        let Some(batch) = reader.read(rows_max, round, &mut task.context)?.pop().flatten() else { return Ok(()) };
        match task.push_within(round.made_bytes_max, batch, outlet)? {
            None => return Ok(()),
            Some(refused) => {
                task.context.back_to(mark);
                // Of the records read as large a part as of the rows that came so far; always fewer than before.
                rows_max = (reader.rows * refused.fitting / refused.rows).clamp(1, (reader.rows - 1).max(1));
            }
        }
    }
}

impl Output {
    /// Takes a batch; gives the bytes that wait here more than before.
    fn put(&mut self, batch: Batch, context: &mut Context, handed_over: &mut Vec<(u32, Batch)>) -> Result<usize> {
        match self {
            Output::Exchange(exchange) => exchange.split(batch, handed_over).map(|()| 0),
            Output::Topic(exchange) => {
                let before = exchange.staged_bytes();
                exchange.write(batch)?;
                Ok(exchange.staged_bytes() - before)
            }
            Output::Sink(sink) => {
                let before = sink.staged_bytes();
                sink.write(&batch, context)?;
                Ok(sink.staged_bytes().saturating_sub(before))
            }
            Output::Rows(rows, bytes) => {
                let more = batch.slice_bytes(0, batch.rows);
                *bytes += more;
                rows.push(batch);
                Ok(more)
            }
        }
    }
}

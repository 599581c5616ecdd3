//! A query at work: rounds over its stages, and the commit that makes their results visible.
//!
//! A round reads some records of each partition and drives them through all stages: within a stage the tasks run side by
//! side, between stages the rows are handed over (an exchange is that hand-over: bounded by what a round reads, and no
//! row is under way between rounds). So a commit between two rounds needs no barrier.
//!
//! What a round makes is bounded: where records become much more than they are, a round pushes only some of what was
//! fetched, and the rest waits (`slices`). The position is that of the first record that was not pushed.
//!
//! Where processes share a query, a run has some of the partitions of each stage, and the exchange is a topic that the next
//! stage reads like a source (`port`).

mod ahead;
mod emptied;
mod holds;
mod host;
mod identity;
mod input;
mod keeping;
mod layout;
mod line_up;
mod load;
mod merge;
mod open;
mod opening;
mod port;
mod reached;
mod reader;
mod recovery;
mod refused;
mod restore;
mod slices;
mod snapshots;
mod spec;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use rayon::prelude::*;

pub use host::{Host, STAGED_BYTES_MAX};
pub use keeping::Keeping;
pub use layout::{StageLayout, changelog_topics, exchange_topics, layout};
pub use open::{any_records, check_state_is_there};
pub use opening::Opening;
pub use reached::Reached;
pub use restore::load_rows;
pub use spec::{Counters, Guarantee, RunSpec, SinkSpec, SnapshotCounters, Start, Strict};

use self::emptied::Emptied;
use self::holds::{Holds, When};
use self::identity::SourceTopics;
use self::input::OldRowsAt;
use self::load::{Load, REUSED_BYTES_MAX};
use self::port::Port;
use self::reader::Reader;
use self::refused::{append_staged, counted};
use self::slices::Slices;
use self::snapshots::RunSnapshots;
use self::stage::{Output, Phase, Place, Round, StageTask};
use crate::dataflow::Batch;
use crate::dataflow::operator::ProcessingError;
use crate::dataflow::processing_log;
use crate::dataflow::sink::{SinkWriter, Staged};
use crate::error::{Error, Result};
use crate::log::{LogError, RecordMeta, Records, TopicPartition, Transaction};
use crate::messages;
use crate::state::MemoryShare;
use crate::time::{now, wall_time_ms};

/// Bytes read from one partition in a round, and from all of them together (but for a least amount each).
const PARTITION_BYTES_MAX: usize = 1 << 20;
const ROUND_BYTES_MAX: usize = 32 << 20;
const PARTITION_BYTES_MIN: usize = 16 << 10;

/// A query at work.
pub struct Run {
    port: Port,
    spec: RunSpec,
    /// By stage, those of this run in the order of their partitions.
    stages: Vec<Vec<StageTask>>,
    layout: Arc<[StageLayout]>,
    /// Rows of several inputs meet, and are lined up by their times.
    lined_up: bool,
    sources: SourceTopics,
    host: Host,
    /// What it holds of the process's memory: state and what waits for the commit. A view has a share of its own.
    memory: Arc<MemoryShare>,
    slices: Slices,
    /// A commit comes no later than when so much would go into it: as the host says, less after one that was too large.
    commit_bytes_max: usize,
    /// The log waits for nobody to commit: neither for a disk nor for other machines.
    commits_are_cheap: bool,
    load: Load,
    errors: Vec<ProcessingError>,
    errors_bytes: usize,
    /// What was counted since the last commit: if that comes to nothing, it will be counted again.
    uncommitted: Uncommitted,
    buffers: Mutex<Vec<Records>>,
    /// Something happened since the last commit.
    dirty: bool,
    /// The last commit failed because the group changed meanwhile: the same again from the commit before may succeed.
    may_redo: bool,
    snapshots: RunSnapshots,
    holds: Holds,
    emptied: Emptied,
}

impl Run {
    /// Reads no further than what is there now.
    pub fn stop_at_current_ends(&mut self) -> Result<()> {
        let log = self.port.log.clone();
        self.sources_mut().try_for_each(|reader| {
            reader.end = Some(log.offsets(&reader.place)?.1);
            Ok(())
        })
    }

    /// Reads no further than these offsets; of a partition without one, nothing (more).
    pub fn stop_at(&mut self, ends: &BTreeMap<TopicPartition, i64>) {
        for reader in self.sources_mut() {
            reader.end = Some(ends.get(&reader.place).copied().unwrap_or(0));
        }
    }

    /// Reads on from where it was to stop, without an end.
    pub fn read_on(&mut self) {
        self.sources_mut().for_each(|reader| reader.end = None);
    }

    /// Whether all was read up to where it is to stop.
    pub fn at_end(&self) -> Result<bool> {
        if !self.sources().all(|reader| reader.end.is_some_and(|end| reader.position >= end)) {
            return Ok(false);
        }
        // What the stages have handed over by topics.
        for reader in self.all_readers().filter(|reader| reader.input.is_exchange()) {
            if reader.position < self.port.log.offsets(&reader.place)?.1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The reading ends of sources.
    fn sources(&self) -> impl Iterator<Item = &Reader> {
        self.all_readers().filter(|reader| !reader.input.is_exchange())
    }

    fn sources_mut(&mut self) -> impl Iterator<Item = &mut Reader> {
        let readers = self.stages.iter_mut().flatten().flat_map(StageTask::readers_mut);
        readers.filter(|reader| !reader.input.is_exchange())
    }

    /// The reading ends of all stages.
    fn all_readers(&self) -> impl Iterator<Item = &Reader> {
        self.stages.iter().flatten().flat_map(StageTask::readers)
    }

    /// An error when a topic that it reads is gone, or another one has its name.
    pub fn check_source_ids(&self) -> Result<()> {
        self.sources.check(&*self.port.log)
    }

    /// An error when a topic has got more partitions than it reads (it must be opened anew), or when one that it reads or
    /// writes is gone.
    pub fn check_topics(&self) -> Result<()> {
        self.check_source_ids()?;
        self.check_sink()?;
        self.sources.check_partitions(&*self.port.log)
    }

    /// A query that has nothing to write just now is to notice, too.
    fn check_sink(&self) -> Result<()> {
        let Some(sink) = &self.spec.sink else { return Ok(()) };
        match self.port.log.partitions(&sink.source.topic) {
            Some(_) => Ok(()),
            None => Err(messages::cluster::sink_deleted(&sink.source.topic)),
        }
    }

    /// Names of the topics it reads.
    pub fn topics(&self) -> Vec<String> {
        let topics = self.all_readers();
        let mut topics: Vec<String> = topics.map(|reader| reader.place.topic.clone()).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// One round. Gives the number of records read; 0 when there is nothing to read now.
    pub fn step(&mut self) -> Result<usize> {
        let waiting = self.waiting_bytes() + self.pending_bytes();
        self.round(Phase::Rows)?;
        let read: Vec<usize> = self.all_readers().map(|reader| reader.round_rows).filter(|rows| *rows > 0).collect();
        let rows = read.iter().sum();
        self.slices.observe(rows, read.len(), (self.waiting_bytes() + self.pending_bytes()).saturating_sub(waiting));
        if self.holds.is_idle(rows) && !self.dirty {
            self.hold_tables(When::Now)?;
        }
        if self.commits_are_cheap {
            self.load.note(self.stages.iter().flatten(), self.staged_bytes());
        }
        if rows > 0 {
            self.dirty = true;
            let rows_in = self.sources().map(|reader| reader.round_rows as u64).sum();
            self.uncommitted.rows_in += rows_in;
            self.host.counters.rows_in.fetch_add(rows_in, Ordering::Relaxed);
        }
        Ok(rows)
    }

    /// Makes the records that are ready visible ahead of the commit; only at-least-once allows it.
    pub fn publish_early(&mut self) -> Result<()> {
        if self.spec.guarantee != Guarantee::AtLeastOnce || !self.spec.durable || self.staged_bytes() == 0 {
            return Ok(());
        }
        let mut staged = self.take_staged();
        let mut transaction = self.port.begin()?;
        let refused = self.append_staged(&mut *transaction, &mut staged)?;
        self.errors_bytes += self.uncommitted.refuse(&refused, &self.host.counters);
        self.errors.extend(refused);
        self.check_source_ids()?;
        transaction.commit()?;
        self.made_visible(&staged)?;
        self.reuse(staged);
        self.account()
    }

    /// Records that the sink's topic doesn't take are taken out; gives what is to be told of them.
    fn append_staged(
        &self,
        transaction: &mut dyn Transaction,
        staged: &mut [(u32, Staged)],
    ) -> Result<Vec<ProcessingError>> {
        let mut refused = Vec::new();
        let Some(sink) = &self.spec.sink else { return Ok(refused) };
        if let Some(keeping) = &sink.keeping {
            let names = (self.spec.id.as_str(), sink.source.topic.as_str());
            keeping.look_at(names, staged, wall_time_ms(), &self.host.counters);
        }
        for (partition, staged) in staged {
            let place = TopicPartition { topic: sink.source.topic.clone(), partition: *partition };
            counted(append_staged(transaction, &place, staged, &mut refused), &self.host.counters)?;
        }
        Ok(refused)
    }

    /// Sends on what caching holds back. Part of a commit; a reader's query does it on its own.
    pub fn flush(&mut self) -> Result<()> {
        self.round(Phase::Flush)
    }

    /// Takes the rows that are ready for a reader.
    pub fn take_rows(&mut self) -> Vec<Batch> {
        let mut rows = Vec::new();
        for task in self.stages.iter_mut().flatten() {
            if let Output::Rows(batches, bytes) = &mut task.output {
                rows.append(batches);
                *bytes = 0;
            }
        }
        rows
    }

    /// Takes what could not be processed since the last call, for a reader: its query has no processing log.
    pub fn take_errors(&mut self) -> Vec<ProcessingError> {
        self.errors_bytes = 0;
        std::mem::take(&mut self.errors)
    }

    /// Encoded bytes that wait for the commit.
    pub fn staged_bytes(&self) -> usize {
        self.stages.iter().flatten().map(StageTask::staged_bytes).sum::<usize>() + self.errors_bytes
    }

    /// Whether so much waits that the commit may not be put off, or had better not be.
    pub fn must_commit(&self) -> bool {
        let (staged, pending) = (self.staged_bytes(), self.pending_bytes());
        staged + pending >= self.commit_bytes_max || (self.commits_are_cheap && self.load.is_good(staged, pending))
    }

    /// Bytes that the commit would add to what is staged: the changes of state, and what caching holds back.
    fn pending_bytes(&self) -> usize {
        self.stages.iter().flatten().map(|task| task.task.pending_bytes()).sum()
    }

    /// So much may wait for the next commit.
    fn bound_commits(&mut self, bytes_max: usize) {
        self.commit_bytes_max = bytes_max;
        self.slices.bound(bytes_max);
    }

    /// Bytes that wait for the commit or for a reader.
    fn waiting_bytes(&self) -> usize {
        self.stages.iter().flatten().map(StageTask::waiting_bytes).sum::<usize>() + self.errors_bytes
    }

    /// Bytes of its state, without the rows for pull queries.
    fn own_state_bytes(&self) -> usize {
        let task = |task: &StageTask| {
            task.task.state_bytes() + task.readers().map(|reader| reader.input.state_bytes()).sum::<usize>()
        };
        self.stages.iter().flatten().map(task).sum()
    }

    /// Tells the memory budget, and those who look at the counters, what it holds now.
    fn account(&self) -> Result<()> {
        let state = self.own_state_bytes();
        let view = self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref()).map_or(0, |view| view.bytes());
        self.host.counters.state_bytes.store((state + view) as u64, Ordering::Relaxed);
        for (number, stage) in self.stages.iter().enumerate() {
            let mut bytes: Vec<usize> = Vec::new();
            for task in stage {
                let more = task.task.state_bytes_by_operator();
                bytes.resize(more.len(), 0);
                bytes.iter_mut().zip(more).for_each(|(bytes, more)| *bytes += more);
            }
            self.host.counters.meters.set_state_bytes(number, &bytes);
        }
        self.memory.set(state + self.waiting_bytes() + self.all_readers().map(Reader::fetched_bytes).sum::<usize>())
    }

    /// Whether the commit that failed may succeed when its work is done again from the commit before.
    pub fn may_redo(&self) -> bool {
        self.may_redo
    }

    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Records that are there and were not read yet.
    pub fn lag(&self) -> Result<i64> {
        self.sources()
            .map(|reader| Ok(self.port.end(&reader.place)?.map_or(0, |end| (end - reader.position).max(0))))
            .sum()
    }

    /// Makes everything since the last commit visible at once: output records, changes of state, positions, errors.
    ///
    /// Where that is more than the log's transactions hold, a run that is opened anew commits the same in smaller parts.
    pub fn commit(&mut self) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let begun = now();
        self.flush()?;
        if !self.spec.durable {
            self.check_source_ids()?;
            self.dirty = false;
            return Ok(());
        }
        let mut staged = self.take_staged();
        let handed_over = self.take_handed_over();
        let changes = self.changes()?;
        let mut transaction = self.port.begin()?;
        let refused = self.append_staged(&mut *transaction, &mut staged)?;
        self.errors_bytes += self.uncommitted.refuse(&refused, &self.host.counters);
        self.errors.extend(refused);
        for (place, records) in handed_over.iter().chain(&changes) {
            counted(transaction.append(place, records), &self.host.counters)?;
        }
        for reader in self.all_readers() {
            transaction.set_position(&self.spec.group, &reader.place, reader.position)?;
        }
        if !self.errors.is_empty() {
            let records = processing_log::encode(&self.spec.id, &self.errors);
            let place = TopicPartition { topic: self.spec.processing_log.clone(), partition: 0 };
            counted(transaction.append(&place, &records), &self.host.counters)?;
        }
        self.check_source_ids()?;
        if let Err(error) = transaction.commit() {
            self.may_redo = matches!(error, LogError::Aborted(_));
            return Err(error.into());
        }
        for reader in self.stages.iter_mut().flatten().flat_map(StageTask::readers_mut) {
            reader.begins_at_end = false;
        }
        self.errors.clear();
        self.errors_bytes = 0;
        self.uncommitted = Uncommitted::default();
        self.load.committed();
        self.dirty = false;
        self.host.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.host.counters.commit_nanos.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
        // Before the rows can be seen: whoever sees them is not told that they are missing.
        self.host.counters.lag.store(self.lag()?, Ordering::Relaxed);
        self.host.counters.too_large.store(0, Ordering::Relaxed);
        self.bound_commits(self.commit_bytes_max.saturating_mul(2).min(self.host.staged_bytes_max));
        self.made_visible(&staged)?;
        self.reuse(staged);
        self.hold_tables(When::Steps)?;
        self.take_snapshots();
        self.empty_exchanges();
        self.account()
    }

    /// Changes of state since the last commit, for the changelog.
    fn changes(&mut self) -> Result<Vec<(TopicPartition, Records)>> {
        let mut all = Vec::new();
        for (topics, tasks) in self.spec.changelogs().iter().zip(&mut self.stages) {
            for task in tasks {
                let StageTask { partition, task, snapshots, .. } = task;
                for (index, (topic, state)) in topics.iter().zip(task.states_mut()).enumerate() {
                    let mut changes = Records::default();
                    state.changes(&mut changes)?;
                    if let Some(Some(snapshot)) = snapshots.get_mut(index) {
                        snapshot.appended(changes.len());
                    }
                    if !changes.is_empty() {
                        let place = TopicPartition { topic: topic.clone(), partition: *partition };
                        all.push((place, changes));
                    }
                }
            }
        }
        Ok(all)
    }

    /// Rows for the stages behind exchanges through topics.
    fn take_handed_over(&mut self) -> Vec<(TopicPartition, Records)> {
        let mut all = Vec::new();
        for (index, stage) in self.stages.iter_mut().enumerate() {
            for task in stage {
                let Output::Topic(exchange) = &mut task.output else { continue };
                let topic = || self.layout[index].out.clone().unwrap_or_default();
                let staged = std::mem::take(&mut exchange.staged).into_iter();
                all.extend(staged.map(|(partition, records)| (TopicPartition { topic: topic(), partition }, records)));
            }
        }
        all
    }

    /// A table's topic is the changelog of its rows up to the position: compaction may not go beyond it.
    fn hold_tables(&mut self, when: When) -> Result<()> {
        let mut holds = std::mem::take(&mut self.holds);
        let is_held = |reader: &&Reader| self.spec.durable && reader.input.keeps_rows();
        let told = self.sources().filter(is_held).try_for_each(|reader| {
            holds.hold(&*self.port.log, &self.spec.group, (&reader.place, reader.held_from()), when)
        });
        self.holds = holds;
        told
    }

    /// These records are committed: they won't be made again, and pull queries see them.
    fn made_visible(&mut self, staged: &[(u32, Staged)]) -> Result<()> {
        self.uncommitted.rows_out = 0;
        let Some(view) = self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref()) else { return Ok(()) };
        view.apply(staged.iter().filter_map(|(partition, staged)| match staged {
            Staged::Records(records) => Some((*partition, records)),
            // Where there is a view nothing is staged in batches.
            Staged::Batches(_) => None,
        }))
    }

    /// The sink's records and their partitions, in the order of the tasks.
    fn take_staged(&mut self) -> Vec<(u32, Staged)> {
        let mut staged = Vec::new();
        for task in self.stages.iter_mut().flatten() {
            if let Output::Sink(sink) = &mut task.output {
                staged.extend(sink.take_staged());
            }
        }
        staged
    }

    /// Gives the memory of committed records back to the tasks that made them, as long as it isn't much.
    fn reuse(&mut self, staged: Vec<(u32, Staged)>) {
        let bytes = |records: &Records| records.data.capacity() + records.meta.capacity() * size_of::<RecordMeta>();
        let mut left = REUSED_BYTES_MAX;
        let mut taken = staged.into_iter().filter_map(|(_, staged)| {
            let Staged::Records(records) = staged else { return None };
            left = left.checked_sub(bytes(&records))?;
            Some(records)
        });
        for task in self.stages.iter_mut().flatten() {
            if let Output::Sink(sink) = &mut task.output {
                sink.reuse(taken.by_ref().take(sink.taken()).collect());
            }
        }
    }

    fn sinks(&self) -> impl Iterator<Item = &SinkWriter> {
        self.stages.iter().flatten().filter_map(|task| match &task.output {
            Output::Sink(sink) => Some(&**sink),
            _ => None,
        })
    }

    /// Drives all stages once.
    fn round(&mut self, phase: Phase) -> Result<()> {
        let partitions = self.stages.iter().map(Vec::len).max().unwrap_or(0);
        let bytes_max = (ROUND_BYTES_MAX / partitions.max(1)).clamp(PARTITION_BYTES_MIN, PARTITION_BYTES_MAX);
        let round = Round {
            phase,
            port: &self.port,
            bytes_max,
            rows_max: self.slices.rows(),
            made_bytes_max: self.slices.made_bytes_max(partitions),
            idle_max: self.spec.idle_max,
            old_rows: if self.lined_up { OldRowsAt::Turn } else { OldRowsAt::Decoding },
            buffers: &self.buffers,
            memory: &self.memory,
            host: &self.host,
        };
        if self.lined_up && phase == Phase::Rows {
            line_up::line_up(&mut self.stages, &self.layout, &round)?;
        }
        // By stage, partition and input. Of a share of the partitions nothing is handed over in memory.
        let nothing = |task: &StageTask| vec![Vec::new(); task.entries.len()];
        let mut inputs: Vec<Vec<Vec<Vec<Batch>>>> =
            self.stages.iter().map(|tasks| tasks.iter().map(nothing).collect()).collect();
        if self.lined_up && phase == Phase::Rows {
            let mut shared = Vec::new();
            self.stages.iter_mut().flatten().try_for_each(|task| task.take_shared(&round, &mut shared))?;
            for (Place { stage, partition, input }, batch) in shared {
                // They are opened and let go together.
                let task = self.stages[stage].binary_search_by_key(&partition, |task| task.partition);
                let task = task.map_err(|_| Error::internal("rows of a topic come to a task that isn't here"))?;
                inputs[stage][task][input].push(batch);
            }
        }
        for (number, stage) in self.stages.iter_mut().enumerate() {
            let run = |(task, input): (&mut StageTask, Vec<Vec<Batch>>)| task.run(input, &round);
            let mut came = std::mem::take(&mut inputs[number]);
            let outputs: Vec<Vec<(u32, Batch)>> = match stage.as_mut_slice() {
                // Handing a single task to another thread and waiting for it would only take time.
                [task] => vec![run((task, came.swap_remove(0)))?],
                tasks => tasks.par_iter_mut().zip(came).map(run).collect::<Result<_>>()?,
            };
            let Some((to, input)) = self.layout[number].to else { continue };
            for (partition, batch) in outputs.into_iter().flatten() {
                inputs[to][partition as usize][input].push(batch);
            }
        }
        self.count();
        self.spec.strict.check(&self.errors)?;
        self.account()
    }

    /// Takes over what the tasks counted in a round.
    fn count(&mut self) {
        let counters = &self.host.counters;
        for task in self.stages.iter_mut().flatten() {
            let context = &mut task.task.context;
            let (late, bad) = (std::mem::take(&mut context.late), std::mem::take(&mut context.bad));
            self.uncommitted.late += late;
            self.uncommitted.bad += bad;
            counters.late.fetch_add(late, Ordering::Relaxed);
            counters.bad.fetch_add(bad, Ordering::Relaxed);
            self.errors_bytes += context.errors.iter().map(ProcessingError::bytes).sum::<usize>();
            self.errors.append(&mut context.errors);
        }
        let staged = self.sinks().map(SinkWriter::staged_rows).sum::<usize>() as u64;
        counters.rows_out.fetch_add(staged - self.uncommitted.rows_out, Ordering::Relaxed);
        self.uncommitted.rows_out = staged;
    }
}

/// Counts since the last commit.
#[derive(Debug, Default)]
struct Uncommitted {
    rows_in: u64,
    rows_out: u64,
    late: u64,
    bad: u64,
}

impl Uncommitted {
    /// Counts records that were made and not written; gives the bytes of what is told of them.
    fn refuse(&mut self, refused: &[ProcessingError], counters: &Counters) -> usize {
        let count = refused.len() as u64;
        self.rows_out -= count;
        self.bad += count;
        counters.rows_out.fetch_sub(count, Ordering::Relaxed);
        counters.bad.fetch_add(count, Ordering::Relaxed);
        refused.iter().map(ProcessingError::bytes).sum()
    }

    /// Takes back what will be counted again.
    fn take_back(&mut self, counters: &Counters) {
        counters.rows_in.fetch_sub(self.rows_in, Ordering::Relaxed);
        counters.rows_out.fetch_sub(self.rows_out, Ordering::Relaxed);
        counters.late.fetch_sub(self.late, Ordering::Relaxed);
        counters.bad.fetch_sub(self.bad, Ordering::Relaxed);
        *self = Uncommitted::default();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.spec.durable {
            self.uncommitted.take_back(&self.host.counters);
        }
    }
}

//! A query at work: rounds over its stages, and the commit that makes their results visible.
//!
//! A round reads some records of each partition and drives them through all stages: within a stage the tasks run side by
//! side, between stages the rows are handed over (an exchange is that hand-over: bounded by what a round reads, and no
//! row is under way between rounds). So a commit between two rounds needs no barrier.
//!
//! What a round makes is bounded: where records become much more than they are, a round pushes only some of what was
//! fetched, and the rest waits (`slices`). The position is that of the first record that was not pushed.

mod holds;
mod host;
mod identity;
mod reader;
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
pub use restore::load_rows;
pub use spec::{Counters, Guarantee, RunSpec, SinkSpec, SnapshotCounters, Start};

use self::holds::{Holds, When};
use self::identity::SourceTopics;
use self::reader::Reader;
use self::refused::{append_fitting, counted};
use self::slices::Slices;
use self::snapshots::RunSnapshots;
use self::stage::{Output, Phase, Round, StageTask};
use crate::dataflow::Batch;
use crate::dataflow::exchange::ExchangeWriter;
use crate::dataflow::operator::ProcessingError;
use crate::dataflow::processing_log;
use crate::dataflow::scan::ScanReader;
use crate::dataflow::sink::SinkWriter;
use crate::dataflow::task::Task;
use crate::error::{Error, Result};
use crate::log::{Log, LogError, Records, TopicPartition, Transaction};
use crate::plan::{Plan, StageInput, Step};
use crate::state::MemoryShare;
use crate::types::SqlType;

/// Bytes read from one partition in a round, and from all of them together (but for a least amount each).
const PARTITION_BYTES_MAX: usize = 1 << 20;
const ROUND_BYTES_MAX: usize = 32 << 20;
const PARTITION_BYTES_MIN: usize = 16 << 10;
/// Records that a round pushes of a partition where each may become a whole list.
const COLLECTING_ROWS_MAX: usize = 1024;

/// A query at work.
pub struct Run {
    log: Arc<dyn Log>,
    spec: RunSpec,
    stages: Vec<Vec<StageTask>>,
    sources: SourceTopics,
    host: Host,
    /// What it holds of the process's memory: state and what waits for the commit. A view has a share of its own.
    memory: Arc<MemoryShare>,
    slices: Slices,
    /// A commit comes no later than when so much would go into it: as the host says, less after one that was too large.
    commit_bytes_max: usize,
    errors: Vec<ProcessingError>,
    errors_bytes: usize,
    /// What was counted since the last commit: if that comes to nothing, it will be counted again.
    uncommitted: Uncommitted,
    buffers: Mutex<Vec<Records>>,
    /// Something happened since the last commit.
    dirty: bool,
    snapshots: RunSnapshots,
    holds: Holds,
}

impl Run {
    /// Opens a query where it stopped: positions and state of its last commit.
    ///
    /// Errors: a topic is missing or laid out otherwise, the state can't be read, the memory is not enough for it, or the
    /// query is told to stop meanwhile.
    pub fn open(log: Arc<dyn Log>, spec: RunSpec, host: Host) -> Result<Run> {
        let StageInput::Scan(scan) = &spec.plan.stages[0].input else {
            return Err(Error::internal("the first stage reads no source"));
        };
        let partitions = log
            .partitions(&scan.source.topic)
            .ok_or_else(|| Error::from(LogError::UnknownTopic(scan.source.topic.clone())))?;
        let changelog = log.partitions(&changelog_topic(&spec.group)).filter(|_| spec.durable);
        if let Some(laid_out) = changelog.filter(|laid_out| *laid_out != partitions) {
            return Err(Error::statement(format!(
                "topic '{}' has {partitions} partitions now; the query's state is laid out for {laid_out}, and keys would be counted in two places",
                scan.source.topic
            ))
            .hint("DROP what the query makes and create it anew: it reads the topic from its beginning"));
        }
        let sources = SourceTopics::find(&*log, vec![scan.source.topic.clone()], changelog.is_some());
        let positions = if spec.durable { log.positions(&spec.group)? } else { BTreeMap::new() };
        let has_state = spec.plan.stages.iter().any(|stage| stateful(&stage.steps));
        if has_state && changelog.is_none() && !positions.is_empty() {
            return Err(Error::statement(format!(
                "the query's state is gone: its topic '{}' was deleted",
                changelog_topic(&spec.group)
            ))
            .hint("DROP what the query makes and create it anew: it reads its source from the beginning"));
        }
        sources
            .check_positions(&positions, changelog.is_some() && has_records(&*log, &changelog_topic(&spec.group))?)?;
        let memory = Arc::new(host.memory.share());
        let mut stages = Vec::with_capacity(spec.plan.stages.len());
        let last = spec.plan.stages.len() - 1;
        for (index, stage) in spec.plan.stages.iter().enumerate() {
            let mut tasks = Vec::new();
            for partition in 0..partitions {
                let reader = match &stage.input {
                    StageInput::Scan(scan) => {
                        let scan = ScanReader::new(scan, partition, needs_old_rows(&spec.plan))?;
                        Some(Reader::open(&log, scan, &spec, partition, &positions)?)
                    }
                    StageInput::Exchange { .. } => None,
                };
                let output = match spec.plan.stages.get(index + 1).map(|next| &next.input) {
                    Some(StageInput::Exchange { key }) => {
                        Output::Exchange(ExchangeWriter::new(key, partitions, partition)?)
                    }
                    _ if index == last => match &spec.sink {
                        Some(sink) => {
                            Output::Sink(Box::new(SinkWriter::new(&sink.source, sink.partitions, partition)?))
                        }
                        None => Output::Rows(Vec::new(), 0),
                    },
                    _ => return Err(Error::internal("a stage without an exchange behind it is not the last")),
                };
                let mut task = Task::new(&stage.steps, spec.caching)?;
                task.context.memory = Some(memory.clone());
                tasks.push(StageTask { partition, task, reader, snapshot: None, output });
            }
            stages.push(tasks);
        }
        let rows_max = if collects(&spec) { COLLECTING_ROWS_MAX } else { usize::MAX };
        let mut run = Run {
            log,
            spec,
            stages,
            sources,
            memory,
            slices: Slices::new(host.staged_bytes_max, rows_max),
            commit_bytes_max: host.staged_bytes_max,
            host,
            errors: Vec::new(),
            errors_bytes: 0,
            uncommitted: Uncommitted::default(),
            buffers: Mutex::default(),
            dirty: false,
            snapshots: RunSnapshots::default(),
            holds: Holds::default(),
        };
        let too_large = run.host.counters.too_large.load(Ordering::Relaxed);
        run.bound_commits((run.host.staged_bytes_max >> (too_large * 3).min(63)).max(1));
        run.check_sink()?;
        run.restore()?;
        run.hold_tables(When::Now)?;
        run.account()?;
        run.host.counters.lag.store(run.lag()?, Ordering::Relaxed);
        Ok(run)
    }

    /// Reads no further than what is there now.
    pub fn stop_at_current_ends(&mut self) -> Result<()> {
        for reader in self.stages[0].iter_mut().filter_map(|task| task.reader.as_mut()) {
            reader.end = Some(self.log.offsets(&reader.place)?.1);
        }
        Ok(())
    }

    /// Reads no further than these offsets; of a partition without one, nothing (more).
    pub fn stop_at(&mut self, ends: &BTreeMap<TopicPartition, i64>) {
        for reader in self.stages[0].iter_mut().filter_map(|task| task.reader.as_mut()) {
            reader.end = Some(ends.get(&reader.place).copied().unwrap_or(0));
        }
    }

    /// Whether all was read up to where it is to stop.
    pub fn at_end(&self) -> bool {
        self.stages[0]
            .iter()
            .filter_map(|task| task.reader.as_ref())
            .all(|reader| reader.end.is_some_and(|end| reader.position >= end))
    }

    /// An error when a topic that it reads is gone, or another one has its name.
    pub fn check_source_ids(&self) -> Result<()> {
        self.sources.check(&*self.log)
    }

    /// An error when a topic has got more partitions than it reads (it must be opened anew), or when one that it reads or
    /// writes is gone.
    pub fn check_topics(&self) -> Result<()> {
        self.check_source_ids()?;
        self.check_sink()?;
        let Some(reader) = self.stages[0].first().and_then(|task| task.reader.as_ref()) else { return Ok(()) };
        let topic = &reader.place.topic;
        match self.log.partitions(topic) {
            None => Err(LogError::UnknownTopic(topic.clone()).into()),
            Some(partitions) if partitions as usize != self.stages[0].len() => {
                Err(Error::world(format!("topic '{topic}' has {partitions} partitions now; the query takes them in")))
            }
            Some(_) => Ok(()),
        }
    }

    /// A query that has nothing to write just now is to notice, too.
    fn check_sink(&self) -> Result<()> {
        let Some(sink) = &self.spec.sink else { return Ok(()) };
        match self.log.partitions(&sink.source.topic) {
            Some(_) => Ok(()),
            None => Err(Error::world(format!("topic '{}', which the query writes to, was deleted", sink.source.topic))
                .hint("create it anew with as many partitions, or DROP the query's stream or table")),
        }
    }

    /// Names of the topics it reads.
    pub fn topics(&self) -> Vec<String> {
        let topics = self.stages[0].iter().filter_map(|task| task.reader.as_ref());
        let mut topics: Vec<String> = topics.map(|reader| reader.place.topic.clone()).collect();
        topics.dedup();
        topics
    }

    /// One round. Gives the number of records read; 0 when there is nothing to read now.
    pub fn step(&mut self) -> Result<usize> {
        let waiting = self.waiting_bytes() + self.pending_bytes();
        self.round(Phase::Rows)?;
        let readers = self.stages[0].iter().filter_map(|task| task.reader.as_ref());
        let read: Vec<usize> = readers.map(|reader| reader.rows).filter(|rows| *rows > 0).collect();
        let rows = read.iter().sum();
        self.slices.observe(rows, read.len(), (self.waiting_bytes() + self.pending_bytes()).saturating_sub(waiting));
        if self.holds.is_idle(rows) && !self.dirty {
            self.hold_tables(When::Now)?;
        }
        if rows > 0 {
            self.dirty = true;
            self.uncommitted.rows_in += rows as u64;
            self.host.counters.rows_in.fetch_add(rows as u64, Ordering::Relaxed);
        }
        Ok(rows)
    }

    /// Makes the records that are ready visible ahead of the commit; only at-least-once allows it.
    pub fn publish_early(&mut self) -> Result<()> {
        if self.spec.guarantee != Guarantee::AtLeastOnce || !self.spec.durable || self.staged_bytes() == 0 {
            return Ok(());
        }
        let log = self.log.clone();
        let mut staged = self.take_staged();
        let mut transaction = log.begin()?;
        self.append_staged(&mut *transaction, &mut staged)?;
        self.check_source_ids()?;
        transaction.commit()?;
        self.made_visible(&staged)?;
        self.account()
    }

    /// Records that the sink's topic doesn't take are taken out, counted and told of.
    fn append_staged(&mut self, transaction: &mut dyn Transaction, staged: &mut [(u32, Records)]) -> Result<()> {
        let Some(sink) = &self.spec.sink else { return Ok(()) };
        let mut refused = Vec::new();
        for (partition, records) in staged {
            let place = TopicPartition { topic: sink.source.topic.clone(), partition: *partition };
            counted(append_fitting(transaction, &place, records, &mut refused), &self.host.counters)?;
        }
        let count = refused.len() as u64;
        self.uncommitted.rows_out -= count;
        self.uncommitted.bad += count;
        self.host.counters.rows_out.fetch_sub(count, Ordering::Relaxed);
        self.host.counters.bad.fetch_add(count, Ordering::Relaxed);
        self.errors_bytes += refused.iter().map(ProcessingError::bytes).sum::<usize>();
        self.errors.append(&mut refused);
        Ok(())
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
        self.sinks().map(SinkWriter::staged_bytes).sum::<usize>() + self.errors_bytes
    }

    /// Whether so much waits that the commit may not be put off.
    pub fn must_commit(&self) -> bool {
        self.staged_bytes() + self.pending_bytes() >= self.commit_bytes_max
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
            task.task.state_bytes() + task.reader.as_ref().map_or(0, |reader| reader.scan.state_bytes())
        };
        self.stages.iter().flatten().map(task).sum()
    }

    /// Tells the memory budget, and those who look at the counters, what it holds now.
    fn account(&self) -> Result<()> {
        let state = self.own_state_bytes();
        let view = self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref()).map_or(0, |view| view.bytes());
        self.host.counters.state_bytes.store((state + view) as u64, Ordering::Relaxed);
        let readers = self.stages[0].iter().filter_map(|task| task.reader.as_ref());
        self.memory.set(state + self.waiting_bytes() + readers.map(Reader::fetched_bytes).sum::<usize>())
    }

    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Records that are there and were not read yet.
    pub fn lag(&self) -> Result<i64> {
        let readers = self.stages[0].iter().filter_map(|task| task.reader.as_ref());
        readers.map(|reader| Ok(self.log.offsets(&reader.place)?.1 - reader.position)).sum()
    }

    /// Makes everything since the last commit visible at once: output records, changes of state, positions, errors.
    ///
    /// Where that is more than the log's transactions hold, a run that is opened anew commits the same in smaller parts.
    pub fn commit(&mut self) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        self.flush()?;
        if !self.spec.durable {
            self.check_source_ids()?;
            self.dirty = false;
            return Ok(());
        }
        let log = self.log.clone();
        let mut transaction = log.begin()?;
        let mut staged = self.take_staged();
        self.append_staged(&mut *transaction, &mut staged)?;
        let group = self.spec.group.clone();
        for (index, stage) in self.stages.iter_mut().enumerate() {
            if !stateful(&self.spec.plan.stages[index].steps) {
                continue;
            }
            for task in stage {
                let mut changes = Records::default();
                task.task.changes(&mut changes)?;
                if !changes.is_empty() {
                    let place = TopicPartition { topic: changelog_topic(&group), partition: task.partition };
                    counted(transaction.append(&place, &changes), &self.host.counters)?;
                }
            }
        }
        for reader in self.stages[0].iter().filter_map(|task| task.reader.as_ref()) {
            transaction.set_position(&group, &reader.place, reader.position)?;
        }
        if !self.errors.is_empty() {
            let records = processing_log::encode(&self.spec.id, &self.errors);
            let place = TopicPartition { topic: self.spec.processing_log.clone(), partition: 0 };
            counted(transaction.append(&place, &records), &self.host.counters)?;
        }
        self.check_source_ids()?;
        transaction.commit()?;
        self.errors.clear();
        self.errors_bytes = 0;
        self.uncommitted = Uncommitted::default();
        self.dirty = false;
        self.host.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.host.counters.too_large.store(0, Ordering::Relaxed);
        self.bound_commits(self.commit_bytes_max.saturating_mul(2).min(self.host.staged_bytes_max));
        self.made_visible(&staged)?;
        self.hold_tables(When::Steps)?;
        self.take_snapshots();
        self.account()
    }

    /// A table's topic is the changelog of its rows up to the position: compaction may not go beyond it.
    fn hold_tables(&mut self, when: When) -> Result<()> {
        for reader in self.stages[0].iter().filter_map(|task| task.reader.as_ref()) {
            if self.spec.durable && reader.scan.keeps_rows() {
                self.holds.hold(&*self.log, &self.spec.group, (&reader.place, reader.held_from()), when)?;
            }
        }
        Ok(())
    }

    /// These records are committed: they won't be made again, and pull queries see them.
    fn made_visible(&mut self, staged: &[(u32, Records)]) -> Result<()> {
        self.uncommitted.rows_out = 0;
        match self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref()) {
            Some(view) => view.apply(staged.iter().map(|(partition, records)| (*partition, records))),
            None => Ok(()),
        }
    }

    /// The sink's records and their partitions, in the order of the tasks.
    fn take_staged(&mut self) -> Vec<(u32, Records)> {
        let mut staged = Vec::new();
        for task in self.stages.iter_mut().flatten() {
            if let Output::Sink(sink) = &mut task.output {
                staged.extend(sink.take_staged());
            }
        }
        staged
    }

    fn sinks(&self) -> impl Iterator<Item = &SinkWriter> {
        self.stages.iter().flatten().filter_map(|task| match &task.output {
            Output::Sink(sink) => Some(&**sink),
            _ => None,
        })
    }

    /// Drives all stages once.
    fn round(&mut self, phase: Phase) -> Result<()> {
        let partitions = self.stages[0].len();
        let bytes_max = (ROUND_BYTES_MAX / partitions).clamp(PARTITION_BYTES_MIN, PARTITION_BYTES_MAX);
        let round = Round {
            phase,
            log: &*self.log,
            bytes_max,
            rows_max: self.slices.rows(),
            made_bytes_max: self.slices.made_bytes_max(partitions),
            buffers: &self.buffers,
            memory: &self.memory,
            host: &self.host,
        };
        let mut inputs: Vec<Vec<Batch>> = vec![Vec::new(); partitions];
        for stage in &mut self.stages {
            let run = |(task, input): (&mut StageTask, Vec<Batch>)| task.run(input, &round);
            let outputs: Vec<Vec<(u32, Batch)>> = match stage.as_mut_slice() {
                // Handing a single task to another thread and waiting for it would only take time.
                [task] => vec![run((task, inputs.swap_remove(0)))?],
                tasks => tasks.par_iter_mut().zip(inputs).map(run).collect::<Result<_>>()?,
            };
            inputs = vec![Vec::new(); partitions];
            outputs.into_iter().flatten().for_each(|(partition, batch)| inputs[partition as usize].push(batch));
        }
        self.count();
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

impl Drop for Run {
    fn drop(&mut self) {
        if self.spec.durable {
            let counters = &self.host.counters;
            counters.rows_in.fetch_sub(self.uncommitted.rows_in, Ordering::Relaxed);
            counters.rows_out.fetch_sub(self.uncommitted.rows_out, Ordering::Relaxed);
            counters.late.fetch_sub(self.uncommitted.late, Ordering::Relaxed);
            counters.bad.fetch_sub(self.uncommitted.bad, Ordering::Relaxed);
        }
    }
}

/// Whether a topic holds, or held, any record.
fn has_records(log: &dyn Log, topic: &str) -> Result<bool> {
    for partition in 0..log.partitions(topic).unwrap_or(0) {
        if log.offsets(&TopicPartition { topic: topic.to_string(), partition })?.1 > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The topic that holds the changes of a query's state.
pub fn changelog_topic(group: &str) -> String {
    format!("{group}-Aggregate-Aggregate-Materialize-changelog")
}

/// Whether these steps keep state that must survive.
pub fn stateful(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Aggregate(_)))
}

/// Whether a single row may give a whole list again: an aggregate of lists or maps whose every change goes on.
fn collects(spec: &RunSpec) -> bool {
    let collection = |ty: &SqlType| matches!(ty, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_));
    let collects = |step: &Step| match step {
        Step::Aggregate(aggregate) => aggregate.calls.iter().any(|call| collection(&call.returns)),
        _ => false,
    };
    !spec.caching && spec.plan.stages.iter().flat_map(|stage| &stage.steps).any(collects)
}

/// Whether some step looks at the rows that a table's rows replace.
fn needs_old_rows(plan: &Plan) -> bool {
    plan.stages.iter().flat_map(|stage| &stage.steps).any(|step| match step {
        Step::Filter { table, .. } => *table,
        Step::Aggregate(aggregate) => aggregate.table_input,
        Step::Project(_) | Step::FlatMap { .. } => false,
    })
}

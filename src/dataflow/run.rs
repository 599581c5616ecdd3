//! A query at work: rounds over its stages, and the commit that makes their results visible.
//!
//! A round reads some records of each partition and drives them through all stages: within a stage the tasks run side by
//! side, between stages the rows are handed over (an exchange is that hand-over: bounded by what a round reads, and no
//! row is under way between rounds). So a commit between two rounds needs no barrier.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use rayon::prelude::*;

use crate::catalog::Source;
use crate::dataflow::exchange::ExchangeWriter;
use crate::dataflow::operator::{ErrorKind, ProcessingError};
use crate::dataflow::scan::ScanReader;
use crate::dataflow::sink::SinkWriter;
use crate::dataflow::task::Task;
use crate::dataflow::{Batch, Context, processing_log};
use crate::error::{Error, Result};
use crate::log::{Log, LogError, Records, TopicPartition, Transaction};
use crate::plan::{Plan, StageInput, Step};
use crate::query::View;

/// Bytes read from one partition in a round, and from all of them together (but for a least amount each).
const PARTITION_BYTES_MAX: usize = 1 << 20;
const ROUND_BYTES_MAX: usize = 32 << 20;
const PARTITION_BYTES_MIN: usize = 16 << 10;
/// Encoded bytes that may wait for a commit; beyond it the query commits at once.
pub const STAGED_BYTES_MAX: usize = 32 << 20;
/// What an entry of the processing log takes, about.
const ERROR_BYTES: usize = 512;
/// Bytes fetched at a time when state is restored.
const RESTORE_BYTES_MAX: usize = 4 << 20;

/// What a query is to do.
#[derive(Clone)]
pub struct RunSpec {
    pub id: String,
    pub plan: Arc<Plan>,
    /// None: the rows are for a reader.
    pub sink: Option<SinkSpec>,
    /// `cache.max.bytes.buffering` > 0.
    pub caching: bool,
    /// Where a partition without a committed position begins.
    pub start: Start,
    /// Positions and state are kept in the log. Not for a reader's query.
    pub durable: bool,
    /// The group of its positions, and the prefix of its internal topics.
    pub group: String,
    pub guarantee: Guarantee,
}

/// `processing.guarantee`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Output records, positions and state become visible in one transaction.
    ExactlyOnce,
    /// Output records become visible as soon as they are made; after a crash those since the last commit come again.
    AtLeastOnce,
}

#[derive(Clone)]
pub struct SinkSpec {
    pub source: Arc<Source>,
    pub partitions: u32,
    /// The rows of the sink for pull queries, when it is a table.
    pub view: Option<Arc<View>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
}

/// Counts of a query since the process started.
#[derive(Debug, Default)]
pub struct Counters {
    pub rows_in: AtomicU64,
    pub rows_out: AtomicU64,
    pub late: AtomicU64,
    pub bad: AtomicU64,
    /// Records that are there and were not read yet.
    pub lag: AtomicI64,
    pub state_bytes: AtomicU64,
    pub commits: AtomicU64,
}

/// One partition's part of one stage.
struct StageTask {
    partition: u32,
    task: Task,
    reader: Option<Reader>,
    output: Output,
}

/// The reading end of a source's partition.
struct Reader {
    scan: ScanReader,
    place: TopicPartition,
    position: i64,
    /// Read up to here and no further.
    end: Option<i64>,
    /// Read in the last round.
    rows: usize,
}

enum Output {
    Exchange(ExchangeWriter),
    Sink(Box<SinkWriter>),
    /// Rows for a reader, until they are taken.
    Rows(Vec<Batch>),
}

/// A query at work.
pub struct Run {
    log: Arc<dyn Log>,
    spec: RunSpec,
    stages: Vec<Vec<StageTask>>,
    counters: Arc<Counters>,
    errors: Vec<ProcessingError>,
    /// What was counted since the last commit: if that comes to nothing, it will be counted again.
    uncommitted: Uncommitted,
    buffers: Mutex<Vec<Records>>,
    /// Something happened since the last commit.
    dirty: bool,
}

impl Run {
    /// Opens a query where it stopped: positions and state of its last commit.
    pub fn open(log: Arc<dyn Log>, spec: RunSpec, counters: Arc<Counters>) -> Result<Run> {
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
        let positions = if spec.durable { log.positions(&spec.group)? } else { BTreeMap::new() };
        let mut stages = Vec::new();
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
                        None => Output::Rows(Vec::new()),
                    },
                    _ => return Err(Error::internal("a stage without an exchange behind it is not the last")),
                };
                let mut task = Task::new(&stage.steps, spec.caching)?;
                task.context.place = reader.as_ref().map(|reader| (reader.place.topic.clone(), partition));
                tasks.push(StageTask { partition, task, reader, output });
            }
            stages.push(tasks);
        }
        let mut run = Run {
            log,
            spec,
            stages,
            counters,
            errors: Vec::new(),
            uncommitted: Uncommitted::default(),
            buffers: Mutex::default(),
            dirty: false,
        };
        run.hold_tables()?;
        run.restore()?;
        Ok(run)
    }

    /// Reads no further than what is there now.
    pub fn stop_at_current_ends(&mut self) -> Result<()> {
        for reader in self.stages[0].iter_mut().filter_map(|task| task.reader.as_mut()) {
            reader.end = Some(self.log.offsets(&reader.place)?.1);
        }
        Ok(())
    }

    /// Whether all that `stop_at_current_ends` found was read.
    pub fn at_end(&self) -> bool {
        self.stages[0]
            .iter()
            .filter_map(|task| task.reader.as_ref())
            .all(|reader| reader.end.is_some_and(|end| reader.position >= end))
    }

    /// An error when a topic has got more partitions than it reads: it must be opened anew.
    pub fn check_partitions(&self) -> Result<()> {
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

    /// Names of the topics it reads.
    pub fn topics(&self) -> Vec<String> {
        let topics = self.stages[0].iter().filter_map(|task| task.reader.as_ref());
        let mut topics: Vec<String> = topics.map(|reader| reader.place.topic.clone()).collect();
        topics.dedup();
        topics
    }

    /// One round. Gives the number of records read; 0 when there is nothing to read now.
    pub fn step(&mut self) -> Result<usize> {
        self.round(Phase::Rows)?;
        let readers = self.stages[0].iter().filter_map(|task| task.reader.as_ref());
        let rows = readers.map(|reader| reader.rows).sum();
        if rows > 0 {
            self.dirty = true;
            self.uncommitted.rows_in += rows as u64;
            self.counters.rows_in.fetch_add(rows as u64, Ordering::Relaxed);
        }
        Ok(rows)
    }

    /// Makes the records that are ready visible ahead of the commit; only at-least-once allows it.
    pub fn publish_early(&mut self) -> Result<()> {
        if self.spec.guarantee != Guarantee::AtLeastOnce || !self.spec.durable || self.staged_bytes() == 0 {
            return Ok(());
        }
        let log = self.log.clone();
        let staged = self.take_staged();
        let mut transaction = log.begin()?;
        self.append_staged(&mut *transaction, &staged)?;
        transaction.commit()?;
        self.made_visible(&staged);
        Ok(())
    }

    fn append_staged(&self, transaction: &mut dyn Transaction, staged: &[(u32, Records)]) -> Result<()> {
        let Some(sink) = &self.spec.sink else { return Ok(()) };
        for (partition, records) in staged {
            let place = TopicPartition { topic: sink.source.topic.clone(), partition: *partition };
            transaction.append(&place, records)?;
        }
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
            if let Output::Rows(batches) = &mut task.output {
                rows.append(batches);
            }
        }
        rows
    }

    /// Encoded bytes that wait for the commit.
    pub fn staged_bytes(&self) -> usize {
        self.sinks().map(SinkWriter::staged_bytes).sum::<usize>() + self.errors.len() * ERROR_BYTES
    }

    /// Bytes of its state, the rows for pull queries among them.
    pub fn state_bytes(&self) -> usize {
        let task = |task: &StageTask| {
            task.task.state_bytes() + task.reader.as_ref().map_or(0, |reader| reader.scan.state_bytes())
        };
        let view = self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref()).map_or(0, |view| view.bytes());
        self.stages.iter().flatten().map(task).sum::<usize>() + view
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
    pub fn commit(&mut self) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        self.flush()?;
        if !self.spec.durable {
            self.dirty = false;
            // A reader's query has no place to keep them.
            self.errors.clear();
            return Ok(());
        }
        let log = self.log.clone();
        let mut transaction = log.begin()?;
        let staged = self.take_staged();
        self.append_staged(&mut *transaction, &staged)?;
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
                    transaction.append(&place, &changes)?;
                }
            }
        }
        for reader in self.stages[0].iter().filter_map(|task| task.reader.as_ref()) {
            transaction.set_position(&group, &reader.place, reader.position)?;
        }
        if !self.errors.is_empty() {
            let records = processing_log::encode(&self.spec.id, &self.errors);
            transaction.append(&processing_log::place(), &records)?;
        }
        transaction.commit()?;
        self.hold_tables()?;
        self.errors.clear();
        self.uncommitted = Uncommitted::default();
        self.dirty = false;
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.state_bytes.store(self.state_bytes() as u64, Ordering::Relaxed);
        self.made_visible(&staged);
        Ok(())
    }

    /// A table's topic is the changelog of its rows up to the position: compaction may not go beyond it.
    fn hold_tables(&self) -> Result<()> {
        for reader in self.stages[0].iter().filter_map(|task| task.reader.as_ref()) {
            if self.spec.durable && reader.scan.keeps_rows() {
                self.log.hold(&self.spec.group, &reader.place, reader.position)?;
            }
        }
        Ok(())
    }

    fn made_visible(&mut self, staged: &[(u32, Records)]) {
        let rows: usize = staged.iter().map(|(_, records)| records.len()).sum();
        self.counters.rows_out.fetch_add(rows as u64, Ordering::Relaxed);
        if let Some(view) = self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref()) {
            view.apply(staged.iter().map(|(partition, records)| (*partition, records)));
        }
    }

    /// The sink's records and their partitions, in the order of the tasks.
    fn take_staged(&mut self) -> Vec<(u32, Records)> {
        let mut staged = Vec::new();
        for task in self.stages.iter_mut().flatten() {
            if let Output::Sink(sink) = &mut task.output {
                staged.extend(std::mem::take(&mut sink.staged));
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
        let round = Round { phase, log: &*self.log, bytes_max, buffers: &self.buffers };
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
        for task in self.stages.iter_mut().flatten() {
            let context = &mut task.task.context;
            let (late, bad) = (std::mem::take(&mut context.late), std::mem::take(&mut context.bad));
            self.uncommitted.late += late;
            self.uncommitted.bad += bad;
            self.counters.late.fetch_add(late, Ordering::Relaxed);
            self.counters.bad.fetch_add(bad, Ordering::Relaxed);
            self.errors.append(&mut context.errors);
        }
        Ok(())
    }

    /// Brings the state, and the rows for pull queries, to that of the last commit.
    fn restore(&mut self) -> Result<()> {
        let log = self.log.clone();
        let view = self.spec.sink.as_ref().and_then(|sink| sink.view.clone());
        let load = || view.map_or(Ok(()), |view| view.load(&*log));
        let (rows, state) = rayon::join(load, || self.restore_state());
        rows.and(state)
    }

    fn restore_state(&mut self) -> Result<()> {
        let log = self.log.clone();
        let committed = self.spec.durable;
        self.stages[0].par_iter_mut().try_for_each(|task| match &mut task.reader {
            Some(reader) => reader.restore(&*log),
            None => Ok(()),
        })?;
        if !committed {
            return Ok(());
        }
        let topic = changelog_topic(&self.spec.group);
        if log.partitions(&topic).is_none() {
            return Ok(());
        }
        for (index, stage) in self.stages.iter_mut().enumerate() {
            if !stateful(&self.spec.plan.stages[index].steps) {
                continue;
            }
            stage.par_iter_mut().try_for_each(|task| {
                let place = TopicPartition { topic: topic.clone(), partition: task.partition };
                for_each_fetch(&*log, &place, None, None, &mut |records| task.task.restore(records)).map(|_| ())
            })?;
        }
        Ok(())
    }
}

/// Counts since the last commit.
#[derive(Debug, Default)]
struct Uncommitted {
    rows_in: u64,
    late: u64,
    bad: u64,
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.spec.durable {
            self.counters.rows_in.fetch_sub(self.uncommitted.rows_in, Ordering::Relaxed);
            self.counters.late.fetch_sub(self.uncommitted.late, Ordering::Relaxed);
            self.counters.bad.fetch_sub(self.uncommitted.bad, Ordering::Relaxed);
        }
    }
}

/// What the tasks of a round share.
struct Round<'a> {
    phase: Phase,
    log: &'a dyn Log,
    /// Read from one partition.
    bytes_max: usize,
    /// For fetched records: as many as threads work at a time, not one a partition.
    buffers: &'a Mutex<Vec<Records>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Rows,
    Flush,
}

impl StageTask {
    /// Gives the batches for the next stage, each with the partition it goes to.
    fn run(&mut self, input: Vec<Batch>, round: &Round<'_>) -> Result<Vec<(u32, Batch)>> {
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

impl Reader {
    fn open(
        log: &Arc<dyn Log>,
        scan: ScanReader,
        spec: &RunSpec,
        partition: u32,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<Reader> {
        let StageInput::Scan(plan) = &spec.plan.stages[0].input else {
            return Err(Error::internal("a reader without a scan"));
        };
        let place = TopicPartition { topic: plan.source.topic.clone(), partition };
        let (first, next) = log.offsets(&place)?;
        let is_table = plan.source.kind == crate::catalog::SourceKind::Table;
        let position = match (positions.get(&place), spec.start) {
            (Some(position), _) => *position,
            // A table is its whole topic, wherever its readers start.
            (None, Start::Latest) if !is_table => next,
            (None, _) => first,
        };
        Ok(Reader { scan, place, position, end: None, rows: 0 })
    }

    /// The next batch; None: there is nothing to read, or no row of it is left.
    fn read(&mut self, round: &Round<'_>, context: &mut Context) -> Result<Option<Batch>> {
        self.rows = 0;
        if self.end.is_some_and(|end| self.position >= end) {
            return Ok(None);
        }
        let mut records = round.buffers.lock().pop().unwrap_or_default();
        if let Err(error) = round.log.fetch(&self.place, self.position, round.bytes_max, &mut records) {
            round.buffers.lock().push(records);
            return self.skip_removed(error, context).map(|()| None);
        }
        self.position = self.position.max(records.next_offset);
        if let Some(end) = self.end
            && self.position > end
        {
            records.meta.retain(|meta| meta.offset < end);
            self.position = end;
        }
        self.rows = records.len();
        let batch = self.scan.read(&mut records, context);
        round.buffers.lock().push(records);
        batch
    }

    /// Where records were removed before they were read (retention, `topic empty`), goes on behind them and says so.
    fn skip_removed(&mut self, error: LogError, context: &mut Context) -> Result<()> {
        let LogError::OffsetOutOfRange { first, .. } = error else { return Err(error.into()) };
        if first <= self.position {
            return Err(Error::world(format!("{error}: the topic is not the one that the query has read so far"))
                .hint("DROP the query's stream or table and create it anew"));
        }
        context.error(ProcessingError {
            kind: ErrorKind::Deserialization,
            reason: format!(
                "the records from offset {} up to {first} were removed from the topic before they were read",
                self.position
            ),
            topic: Some(self.place.topic.clone()),
            partition: Some(self.place.partition),
            offset: Some(self.position),
            row_time: None,
            record: None,
        });
        self.position = first;
        self.rows = 1;
        Ok(())
    }

    /// A table's rows up to the position come from its own topic: that is their changelog.
    fn restore(&mut self, log: &dyn Log) -> Result<()> {
        let scan = &mut self.scan;
        if !scan.keeps_rows() {
            return Ok(());
        }
        for_each_fetch(log, &self.place, None, Some(self.position), &mut |records| scan.restore(records))?;
        Ok(())
    }
}

/// Calls `take` with all records of a partition from the offset `start` (or its first), up to `end` (or what is there).
/// Gives the offset to go on from.
pub(crate) fn for_each_fetch(
    log: &dyn Log,
    place: &TopicPartition,
    start: Option<i64>,
    end: Option<i64>,
    take: &mut dyn FnMut(&Records) -> Result<()>,
) -> Result<i64> {
    let (first, next) = log.offsets(place)?;
    let mut position = start.unwrap_or(first).max(first);
    let end = end.unwrap_or(next);
    let mut records = Records::default();
    while position < end {
        log.fetch(place, position, RESTORE_BYTES_MAX, &mut records)?;
        records.meta.retain(|meta| meta.offset < end);
        take(&records)?;
        if records.next_offset <= position {
            break;
        }
        position = records.next_offset;
    }
    Ok(position)
}

/// The topic that holds the changes of a query's state.
pub fn changelog_topic(group: &str) -> String {
    format!("{group}-Aggregate-Aggregate-Materialize-changelog")
}

/// Whether these steps keep state that must survive.
pub fn stateful(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Aggregate(_)))
}

/// Whether some step looks at the rows that a table's rows replace.
fn needs_old_rows(plan: &Plan) -> bool {
    plan.stages.iter().flat_map(|stage| &stage.steps).any(|step| match step {
        Step::Filter { table, .. } => *table,
        Step::Aggregate(aggregate) => aggregate.table_input,
        Step::Project(_) | Step::FlatMap { .. } => false,
    })
}

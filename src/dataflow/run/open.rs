//! Opening a query where it stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::holds::{Holds, When};
use super::identity::SourceTopics;
use super::input::Input;
use super::port::{Port, Share};
use super::reader::Reader;
use super::slices::Slices;
use super::snapshots::RunSnapshots;
use super::stage::{Output, StageTask};
use super::{Host, Run, RunSpec, Uncommitted, changelog_topic, stateful};
use crate::dataflow::exchange::{ExchangeWriter, TopicExchangeReader, TopicExchangeWriter};
use crate::dataflow::scan::ScanReader;
use crate::dataflow::sink::SinkWriter;
use crate::dataflow::task::Task;
use crate::error::{Error, Result};
use crate::log::{Log, LogError, TopicPartition};
use crate::plan::{Plan, StageInput, Step};
use crate::types::SqlType;

/// Records that a round pushes of a partition where each may become a whole list.
const COLLECTING_ROWS_MAX: usize = 1024;

impl Run {
    /// Opens a query where it stopped: positions and state of its last commit. All of it is this process's.
    ///
    /// Errors: a topic is missing or laid out otherwise, the state can't be read, the memory is not enough for it, or the
    /// query is told to stop meanwhile.
    pub fn open(log: Arc<dyn Log>, spec: RunSpec, host: Host) -> Result<Run> {
        Run::open_port(Port { log, share: None }, spec, host)
    }

    /// As [`Run::open`], of a share of the partitions.
    pub fn open_share(log: Arc<dyn Log>, share: Share, spec: RunSpec, host: Host) -> Result<Run> {
        Run::open_port(Port { log, share: Some(share) }, spec, host)
    }

    fn open_port(port: Port, spec: RunSpec, host: Host) -> Result<Run> {
        let (log, topic) = (&port.log, spec.input_topic(0)?);
        let partitions = log.partitions(&topic).ok_or_else(|| Error::from(LogError::UnknownTopic(topic.clone())))?;
        let changelog = log.partitions(&changelog_topic(&spec.group)).filter(|_| spec.durable);
        if let Some(laid_out) = changelog.filter(|laid_out| *laid_out != partitions) {
            return Err(Error::statement(format!(
                "topic '{topic}' has {partitions} partitions now; the query's state is laid out for {laid_out}, and keys would be counted in two places"
            ))
            .hint("DROP what the query makes and create it anew: it reads the topic from its beginning"));
        }
        let sources = SourceTopics::find(&**log, vec![topic], changelog.is_some());
        let positions = if spec.durable { port.positions(&spec.group)? } else { BTreeMap::new() };
        let has_state = spec.plan.stages.iter().any(|stage| stateful(&stage.steps));
        if has_state && changelog.is_none() && !positions.is_empty() {
            return Err(Error::statement(format!(
                "the query's state is gone: its topic '{}' was deleted",
                changelog_topic(&spec.group)
            ))
            .hint("DROP what the query makes and create it anew: it reads its source from the beginning"));
        }
        // A share may have no partition of the source.
        if port.share.is_none() {
            let begun = changelog.is_some() && has_records(&**log, &changelog_topic(&spec.group))?;
            sources.check_positions(&positions, begun)?;
        }
        let memory = Arc::new(host.memory.share());
        let mut stages = Vec::with_capacity(spec.plan.stages.len());
        for stage in 0..spec.plan.stages.len() {
            let topic = spec.input_topic(stage)?;
            let place = |partition| TopicPartition { topic: topic.clone(), partition };
            let tasks = (0..partitions).map(place).filter(|place| port.has(place));
            let tasks = tasks.map(|place| task(&port, &spec, stage, place, partitions, &positions));
            let mut tasks = tasks.collect::<Result<Vec<_>>>()?;
            tasks.iter_mut().for_each(|task| task.task.context.memory = Some(memory.clone()));
            stages.push(tasks);
        }
        let rows_max = if collects(&spec) { COLLECTING_ROWS_MAX } else { usize::MAX };
        let mut run = Run {
            port,
            spec,
            stages,
            partitions,
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
}

/// The task of a stage for the partition that it reads.
fn task(
    port: &Port,
    spec: &RunSpec,
    index: usize,
    place: TopicPartition,
    partitions: u32,
    positions: &BTreeMap<TopicPartition, i64>,
) -> Result<StageTask> {
    let (stage, partition) = (&spec.plan.stages[index], place.partition);
    let input = match &stage.input {
        StageInput::Scan(scan) => {
            Some(Input::Scan(Box::new(ScanReader::new(scan, partition, needs_old_rows(&spec.plan))?)))
        }
        StageInput::Exchange { key, types } => port.share.as_ref().map(|_| {
            let source = spec.input_topic(0).unwrap_or_default();
            Input::Exchange(TopicExchangeReader::new(source, types.clone(), key.columns.len()))
        }),
    };
    let reader = input.map(|input| Reader::open(port, input, spec, index, place, positions)).transpose()?;
    let output = match spec.plan.stages.get(index + 1).map(|next| &next.input) {
        Some(StageInput::Exchange { key, .. }) if port.share.is_some() => {
            Output::Topic(TopicExchangeWriter::new(key, partitions, partition)?)
        }
        Some(StageInput::Exchange { key, .. }) => Output::Exchange(ExchangeWriter::new(key, partitions, partition)?),
        Some(StageInput::Scan(_)) => {
            return Err(Error::internal("a stage without an exchange behind it is not the last"));
        }
        None => match &spec.sink {
            Some(sink) => Output::Sink(Box::new(SinkWriter::new(&sink.source, sink.partitions, partition)?)),
            None => Output::Rows(Vec::new(), 0),
        },
    };
    let task = Task::new(&stage.steps, spec.cache_bytes_max.div_ceil(partitions as usize))?;
    Ok(StageTask { partition, task, reader, snapshot: None, output })
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

/// Whether a single row may give a whole list again: an aggregate of lists or maps whose every change goes on.
fn collects(spec: &RunSpec) -> bool {
    let collection = |ty: &SqlType| matches!(ty, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_));
    let collects = |step: &Step| match step {
        Step::Aggregate(aggregate) => aggregate.calls.iter().any(|call| collection(&call.returns)),
        _ => false,
    };
    spec.cache_bytes_max == 0 && spec.plan.stages.iter().flat_map(|stage| &stage.steps).any(collects)
}

/// Whether some step looks at the rows that a table's rows replace.
fn needs_old_rows(plan: &Plan) -> bool {
    plan.stages.iter().flat_map(|stage| &stage.steps).any(|step| match step {
        Step::Filter { table, .. } => *table,
        Step::Aggregate(aggregate) => aggregate.table_input,
        Step::Project(_) | Step::FlatMap { .. } => false,
    })
}

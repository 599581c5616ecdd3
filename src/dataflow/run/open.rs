//! Opening a query where it stopped: its tasks, at the positions and with the state of its last commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::emptied::Emptied;
use super::holds::{Holds, When};
use super::identity::SourceTopics;
use super::input::{Input, SourceInput};
use super::layout::{StageLayout, layout, tables_held, uses};
use super::line_up;
use super::load::Load;
use super::port::Port;
use super::reader::{Reader, Use};
use super::restore::{load_view, restore_state};
use super::slices::Slices;
use super::snapshots::{Keeper, PartSnapshot, RunSnapshots};
use super::stage::{Entry, Output, StageTask};
use super::{Host, Run, RunSpec, Uncommitted};
use crate::dataflow::exchange::{ExchangeWriter, TopicExchangeReader, TopicExchangeWriter};
use crate::dataflow::meter::Meter;
use crate::dataflow::scan::ScanReader;
use crate::dataflow::sink::SinkWriter;
use crate::dataflow::task::Task;
use crate::error::{Error, Result};
use crate::log::{Durability, Log, LogError, Member, TopicPartition, has_records};
use crate::messages;
use crate::plan::{Exchange, Scan, StageInput, Step};
use crate::state::MemoryShare;
use crate::threads::side_by_side;
use crate::types::SqlType;

/// Records that a round pushes of a partition where each may become a whole list.
const COLLECTING_ROWS_MAX: usize = 1024;

impl Run {
    /// Opens a query where it stopped: positions and state of its last commit. All of it is this process's.
    ///
    /// Errors: a topic is missing or laid out otherwise, the state can't be read, the memory is not enough for it, or the
    /// query is told to stop meanwhile.
    pub fn open(log: Arc<dyn Log>, spec: RunSpec, host: Host) -> Result<Run> {
        let mut run = Run::without_tasks(Port { log, member: None }, spec, host)?;
        let opener = run.opener();
        let (mut opened, mut of_view) = (Opened::default(), Vec::new());
        type Part<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;
        let tasks: Part<'_> = Box::new(|| {
            opened = opener.open(&opener.places())?;
            Ok(())
        });
        let rows: Part<'_> = Box::new(|| {
            of_view = opener.load_view()?;
            Ok(())
        });
        side_by_side(vec![rows, tasks], &|part| part())?;
        run.snapshots.view = of_view;
        run.adopt(opened)?;
        Ok(run)
    }

    /// Opens a query that processes share, with none of its partitions: they come by `adopt` as the group gives them.
    ///
    /// Errors: a topic is missing or laid out otherwise.
    pub fn open_share(log: Arc<dyn Log>, member: Arc<dyn Member>, spec: RunSpec, host: Host) -> Result<Run> {
        Run::without_tasks(Port { log, member: Some(member) }, spec, host)
    }

    fn without_tasks(port: Port, spec: RunSpec, host: Host) -> Result<Run> {
        // What waits for a commit may be the lesser part of what the process may hold: where that is little, commits come early.
        let staged_bytes_max = host.staged_bytes_max.min(host.memory.bytes_max() / 4).max(1);
        let host = Host { staged_bytes_max, ..host };
        let layout: Arc<[StageLayout]> = layout(&spec.plan, &spec.group, &*port.log)?.into();
        let changelogs = spec.changelogs();
        let mut has_state = false;
        for (stage, changelogs) in layout.iter().zip(&changelogs) {
            let laid_out = changelogs.iter().filter_map(|changelog| port.log.partitions(changelog));
            for laid_out in laid_out {
                has_state = true;
                if laid_out != stage.partitions {
                    // Topics between stages follow the sources.
                    let read = |topic: &&str| port.log.partitions(topic) == Some(stage.partitions);
                    let topic = spec.plan.scans().map(|scan| scan.source.topic.as_str()).find(read).unwrap_or_default();
                    return Err(messages::queries::partitions_of_state(topic, stage.partitions, laid_out));
                }
            }
        }
        let sources = spec.plan.scans().map(|scan| scan.source.topic.clone());
        let sources = sources.map(|topic| {
            let there = port.log.partitions(&topic).ok_or_else(|| LogError::UnknownTopic(topic.clone()))?;
            Ok((topic, there))
        });
        let sources = SourceTopics::find(&*port.log, sources.collect::<Result<_>>()?, has_state)?;
        let rows_max = if collects(&spec) { COLLECTING_ROWS_MAX } else { usize::MAX };
        let commits_are_cheap = port.log.shows_commits_at_once() && port.log.durability() == Durability::Process;
        let mut run = Run {
            stages: spec.plan.stages.iter().map(|_| Vec::new()).collect(),
            lined_up: line_up::is_needed(&spec.plan, &layout, port.member.is_some()),
            port,
            spec,
            layout,
            sources,
            memory: Arc::new(host.memory.share()),
            slices: Slices::new(host.staged_bytes_max, rows_max),
            commit_bytes_max: host.staged_bytes_max,
            commits_are_cheap,
            load: Load::default(),
            host,
            errors: Vec::new(),
            errors_bytes: 0,
            uncommitted: Uncommitted::default(),
            buffers: Mutex::default(),
            dirty: false,
            may_redo: false,
            snapshots: RunSnapshots::default(),
            holds: Holds::default(),
            emptied: Emptied::default(),
        };
        let too_large = run.host.counters.too_large.load(Ordering::Relaxed);
        run.bound_commits((run.host.staged_bytes_max >> (too_large * 3).min(63)).max(1));
        run.check_sink()?;
        Ok(run)
    }

    /// What opens more of the run's tasks.
    pub(super) fn opener(&self) -> Opener {
        Opener {
            port: self.port.clone(),
            spec: self.spec.clone(),
            host: self.host.clone(),
            sources: self.sources.clone(),
            layout: self.layout.clone(),
        }
    }

    /// Takes in tasks that were opened: what they read is this run's from now on.
    pub fn adopt(&mut self, opened: Opened) -> Result<()> {
        for (stage, mut tasks) in self.stages.iter_mut().zip(opened.stages) {
            tasks.iter_mut().for_each(|task| task.task.context.memory = Some(self.memory.clone()));
            stage.append(&mut tasks);
            stage.sort_by_key(|task| task.partition);
        }
        // What they hold counts as the run's.
        drop(opened.memory);
        // From there on nothing is passed over, whoever reads it next.
        let begins = self.all_readers().any(|reader| reader.begins_at_end);
        self.dirty |= begins;
        self.hold_tables(When::Now)?;
        self.account()?;
        self.host.counters.lag.store(self.lag()?, Ordering::Relaxed);
        Ok(())
    }
}

/// How far partitions were read at the last commit.
pub(super) struct Committed {
    pub positions: BTreeMap<TopicPartition, i64>,
    /// (first offset, next offset) of those without a position.
    pub ends: BTreeMap<TopicPartition, (i64, i64)>,
}

/// Opens tasks of a query.
pub(super) struct Opener {
    port: Port,
    spec: RunSpec,
    pub host: Host,
    sources: SourceTopics,
    layout: Arc<[StageLayout]>,
}

/// Tasks at the state of the last commit.
#[derive(Default)]
pub struct Opened {
    /// By stage.
    stages: Vec<Vec<StageTask>>,
    /// What they hold.
    memory: Option<MemoryShare>,
}

impl Opener {
    /// All partitions of the topics by which the stages are shared out.
    fn places(&self) -> Vec<TopicPartition> {
        let of_stage = |stage: &StageLayout| {
            let topic = stage.lead.clone();
            (0..stage.partitions).map(move |partition| TopicPartition { topic: topic.clone(), partition })
        };
        let places: BTreeSet<TopicPartition> = self.layout.iter().flat_map(of_stage).collect();
        places.into_iter().collect()
    }

    /// An error when the state is of a topic that is gone. `positions`: those of what is to be opened; `changelogs`: by stage.
    fn check_positions(&self, positions: &BTreeMap<TopicPartition, i64>, changelogs: &[Vec<String>]) -> Result<()> {
        let log = &*self.port.log;
        let of_all = || match &self.port.member {
            None => Ok(positions.clone()),
            // A share may have no partition of the source.
            Some(_) => log.positions(&self.spec.group),
        };
        if self.sources.have_positions(positions) || self.sources.have_positions(&of_all()?) {
            return Ok(());
        }
        // Before the positions are looked at: those of a commit that comes in between are seen then.
        let begun = self.begun(changelogs)?;
        let of_begun = |topic: &str| {
            let mut stages = self.layout.iter().zip(&begun);
            stages.any(|(stage, begun)| *begun && stage.topics.iter().any(|read| read == topic))
        };
        self.sources.check_positions(&of_all()?, of_begun)
    }

    /// Of each stage whether something that it made is committed, and so are the positions of what it reads.
    fn begun(&self, changelogs: &[Vec<String>]) -> Result<Vec<bool>> {
        let log = &*self.port.log;
        if self.port.member.is_none() {
            // A commit is of all stages.
            return Ok(vec![any_records(log, &changelogs.concat())?; self.layout.len()]);
        }
        let made = |(stage, changelogs): (&StageLayout, &Vec<String>)| {
            let topics: Vec<String> = changelogs.iter().chain(&stage.out).cloned().collect();
            any_records(log, &topics)
        };
        self.layout.iter().zip(changelogs).map(made).collect()
    }

    /// The tasks that go with these partitions of the topics by which stages are shared out.
    ///
    /// Errors: what can be wrong with topics, positions and state, that the memory is not enough, or that the query is told
    /// to stop.
    pub fn open(&self, places: &[TopicPartition]) -> Result<Opened> {
        let (log, spec) = (&*self.port.log, &self.spec);
        self.sources.check_partitions(log)?;
        let tasks: Vec<(usize, u32)> = places.iter().flat_map(|place| self.tasks_of(place)).collect();
        let inputs = |(stage, partition): &(usize, u32)| {
            let (topics, partition) = (self.layout[*stage].topics.clone(), *partition);
            topics.into_iter().map(move |topic| TopicPartition { topic, partition })
        };
        let places: BTreeSet<TopicPartition> = tasks.iter().flat_map(inputs).collect();
        let places: Vec<TopicPartition> = places.into_iter().collect();
        let positions = if spec.durable { self.port.positions(&spec.group, &places)? } else { BTreeMap::new() };
        let changelogs = spec.changelogs();
        check_state_is_there(log, &changelogs.concat(), || Ok(!positions.is_empty()))?;
        if changelogs.iter().flatten().any(|topic| log.partitions(topic).is_some()) {
            self.check_positions(&positions, &changelogs)?;
        }
        // What nothing was committed of begins at one of its ends. An exchange in memory has no topic.
        let begins = |place: &&TopicPartition| {
            let is_read = self.port.member.is_some() || self.sources.have(&place.topic);
            is_read && !positions.contains_key(*place)
        };
        let ends = log.offsets_of(&places.iter().filter(begins).cloned().collect::<Vec<_>>())?;
        let committed = Committed { positions, ends };
        let mut stages: Vec<Vec<StageTask>> = self.layout.iter().map(|_| Vec::new()).collect();
        for (stage, partition) in tasks {
            stages[stage].push(self.task(stage, partition, &committed)?);
        }
        let keeper = Keeper::new(log, spec, &self.host);
        let memory = self.host.memory.share();
        restore_state(&mut stages, log, spec, &self.host, keeper.as_ref(), &memory)?;
        Ok(Opened { stages, memory: Some(memory) })
    }

    fn load_view(&self) -> Result<Vec<PartSnapshot>> {
        let Some(view) = self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref()) else { return Ok(Vec::new()) };
        let log = &*self.port.log;
        load_view(view, log, Keeper::new(log, &self.spec, &self.host).as_ref(), &self.host)
    }

    /// Stages and partitions of what goes with that.
    fn tasks_of(&self, place: &TopicPartition) -> impl Iterator<Item = (usize, u32)> {
        let stages = self.layout.iter().enumerate().filter(|(_, stage)| stage.lead == place.topic);
        stages.map(|(stage, _)| (stage, place.partition))
    }

    /// The task of a stage for a partition.
    fn task(&self, number: usize, partition: u32, committed: &Committed) -> Result<StageTask> {
        let (port, spec) = (&self.port, &self.spec);
        let (stage, layout) = (&spec.plan.stages[number], &self.layout[number]);
        let mut entries = Vec::with_capacity(layout.topics.len());
        let lined_up = line_up::is_needed(&spec.plan, &self.layout, port.member.is_some());
        for (index, (input, topic)) in stage.inputs().into_iter().zip(&layout.topics).enumerate() {
            let input = match input {
                StageInput::Scan(_) => match self.sources_over(topic, (number, index), partition)? {
                    Some(sources) => Input::Sources(sources),
                    None => {
                        entries.push(Entry::Shared);
                        continue;
                    }
                },
                StageInput::Exchange(_) if port.member.is_none() => {
                    entries.push(Entry::HandedOver);
                    continue;
                }
                StageInput::Exchange(Exchange { key, types, .. }) => {
                    let source = self.layout[0].topics.first().cloned().unwrap_or_default();
                    let exchange = TopicExchangeReader::new(source, types.clone(), key.columns.len());
                    Input::Exchange(exchange)
                }
                StageInput::Join(_) | StageInput::Union(_) => {
                    return Err(Error::internal("where sides meet is no input of a stage"));
                }
            };
            let place = TopicPartition { topic: topic.clone(), partition };
            entries.push(Entry::Read(Box::new(Reader::open(input, spec, stage, place, committed, lined_up)?)));
        }
        let mut task = Task::new(stage, spec.cache_bytes_max.div_ceil(layout.partitions as usize))?;
        let output_meter = self.measure(number, &mut task, &mut entries);
        Ok(StageTask {
            output_meter,
            partition,
            task,
            entries,
            snapshots: Vec::new(),
            output: self.output(number, partition)?,
        })
    }

    /// Has what passes through a task counted with that of the stage's others. Gives the meter of its output.
    fn measure(&self, stage: usize, task: &mut Task, entries: &mut [Entry]) -> Arc<Meter> {
        let own = task.meters_mut();
        let meters = self.host.counters.meters.of_stage(stage, own.len() + 1);
        own.into_iter().zip(&meters).for_each(|(own, meter)| own.clone_from(meter));
        for (entry, input) in entries.iter_mut().zip(task.input_meters()) {
            if let Entry::Read(reader) = entry {
                reader.meter = input;
            }
        }
        meters.last().cloned().unwrap_or_default()
    }

    /// What reads a topic for an input (its stage, and its number there): each source over it with the inputs that have their
    /// rows from it, where these are several; None: it is one of these, and not the first.
    fn sources_over(&self, topic: &str, at: (usize, usize), partition: u32) -> Result<Option<Vec<SourceInput>>> {
        let all = uses(&self.spec.plan, topic);
        match all.first() {
            Some((first, _)) if (first.stage, first.input) == at => {}
            Some(_) => return Ok(None),
            None => return Err(Error::internal("a source that the plan doesn't read")),
        }
        let shared = all.len() > 1;
        let held = tables_held(&self.spec.plan);
        let mut by_source: Vec<(Scan, Vec<Use>)> = Vec::new();
        for (of, scan) in all {
            match by_source.iter_mut().find(|(other, _)| other.source.name == scan.source.name) {
                Some((whole, uses)) => {
                    whole.wanted.iter_mut().zip(&scan.wanted).for_each(|(all, wanted)| *all |= wanted);
                    uses.push(of);
                }
                None => by_source.push((scan.clone(), vec![of])),
            }
        }
        let source = |(scan, mut uses): (Scan, Vec<Use>)| {
            let with_old = uses.iter().any(|of| of.with_old);
            let number = held.iter().position(|name| *name == scan.source.name).unwrap_or_default();
            if !shared {
                uses.clear();
            }
            Ok(SourceInput { scan: ScanReader::new(&scan, partition, with_old)?, uses, number, snapshot: None })
        };
        by_source.into_iter().map(source).collect::<Result<_>>().map(Some)
    }

    /// Where the rows of a stage go.
    fn output(&self, stage: usize, partition: u32) -> Result<Output> {
        let Some((to, input)) = self.layout[stage].to else {
            return Ok(match &self.spec.sink {
                Some(sink) => {
                    // A view takes the records that are committed.
                    let log = sink.view.is_none().then(|| self.port.log.clone());
                    Output::Sink(Box::new(SinkWriter::new(&sink.source, sink.partitions, partition, log)?))
                }
                None => Output::Rows(Vec::new(), 0),
            });
        };
        let StageInput::Exchange(Exchange { key, .. }) = self.spec.plan.stages[to].inputs()[input] else {
            return Err(Error::internal("rows are handed over to what is no exchange"));
        };
        let partitions = self.layout[to].partitions;
        Ok(match &self.port.member {
            Some(_) => Output::Topic(TopicExchangeWriter::new(key, partitions, partition)?),
            None => Output::Exchange(ExchangeWriter::new(key, partitions, partition)?),
        })
    }
}

/// An error when a query that keeps state has begun to work and the topic of its state isn't there.
///
/// `changelogs`: the topics of its state.
pub fn check_state_is_there(log: &dyn Log, changelogs: &[String], begun: impl FnOnce() -> Result<bool>) -> Result<()> {
    let Some(topic) = changelogs.iter().find(|topic| log.partitions(topic).is_none()) else { return Ok(()) };
    // Positions are asked for last: they may have to wait for a transaction that a process left open when it died.
    if !begun()? {
        return Ok(());
    }
    Err(messages::queries::state_gone(topic))
}

/// Whether one of these topics holds, or held, any record.
///
/// Offsets alone don't tell: on a cluster those of transactions that came to nothing are counted, too.
pub fn any_records(log: &dyn Log, topics: &[String]) -> Result<bool> {
    let partitions = |topic: &String| {
        let place = |partition| TopicPartition { topic: topic.clone(), partition };
        (0..log.partitions(topic).unwrap_or(0)).map(place).collect::<Vec<_>>()
    };
    let places: Vec<TopicPartition> = topics.iter().flat_map(partitions).collect();
    for (place, (first, next)) in log.offsets_of(&places)? {
        if next > 0 && (first > 0 || has_records(log, &place, first, next)?) {
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

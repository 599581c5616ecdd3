//! Bringing a query to the state of its last commit: of each part of it the newest snapshot at or before that, and what
//! its topic got since.

use std::time::Duration;

use super::RunSpec;
use super::host::Host;
use super::snapshots::{Held, Keeper, PartSnapshot};
use super::stage::StageTask;
use crate::error::Result;
use crate::log::{Log, Records, TopicPartition, for_each_fetch};
use crate::messages;
use crate::query::View;
use crate::state::MemoryShare;
use crate::state::snapshots::{Pieces, Span};
use crate::threads::side_by_side;
use crate::time::now;

/// Brings tasks to the state of the last commit: tables to their rows, aggregates to their groups.
///
/// Errors: besides what can be wrong with them, that the memory is not enough, or that the query is told to stop.
pub(super) fn restore_state(
    stages: &mut [Vec<StageTask>],
    log: &dyn Log,
    spec: &RunSpec,
    host: &Host,
    keeper: Option<&Keeper<'_>>,
    memory: &MemoryShare,
) -> Result<()> {
    side_by_side(stages.iter_mut().flatten().flat_map(StageTask::readers_mut).collect(), &|reader| {
        let mut progress = Progress::new(host, memory);
        reader.restore(log, keeper, &mut |bytes| progress.at(bytes))
    })?;
    let recovering = host.counters.recovery.begin();
    for (index, (stage, topics)) in stages.iter_mut().zip(spec.changelogs()).enumerate() {
        if !topics.iter().any(|topic| log.partitions(topic).is_some()) {
            continue;
        }
        side_by_side(stage.iter_mut().collect(), &|StageTask { partition, task, snapshots, .. }| {
            let mut progress = Progress::new(host, memory);
            for (number, (topic, state)) in topics.iter().zip(task.states_mut()).enumerate() {
                let place = TopicPartition { topic: topic.clone(), partition: *partition };
                let mut from = None;
                snapshots.push(None);
                if let (Some(keeper), Some(pieces)) = (keeper, state.state_mut()) {
                    let has = Span { first: log.offsets(&place)?.0, end: log.settling_end(&place)? };
                    let name = match number {
                        0 => format!("state-{index}-{partition}"),
                        _ => format!("state-{index}-{number}-{partition}"),
                    };
                    let mut snapshot = PartSnapshot::new(log, name, &place, Held::ByPart);
                    from = snapshot.restore(keeper, has, pieces)?;
                    snapshots[number] = Some(snapshot);
                }
                progress.more(state.state_bytes())?;
                let begin = from.map_or_else(|| log.offsets(&place).map(|(first, _)| first), Ok)?;
                let mut reading = recovering.reading(begin, log.settling_end(&place)?);
                for_each_settled(log, &place, from, host, &mut |records| {
                    reading.at(records.next_offset);
                    state.restore(records)?;
                    progress.at(state.state_bytes())
                })?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// How often to look whether more has become visible, and how long to wait for it.
const SETTLE_POLL: Duration = Duration::from_millis(10);
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// All records of a changelog's partition, those of the last commit included: where a log is several machines, the positions
/// of a commit may be seen before its records.
fn for_each_settled(
    log: &dyn Log,
    place: &TopicPartition,
    from: Option<i64>,
    host: &Host,
    take: &mut dyn FnMut(&Records) -> Result<()>,
) -> Result<()> {
    let end = log.settling_end(place)?;
    let mut position = for_each_fetch(log, place, from, None, take)?;
    let started = now();
    while position < end {
        host.check_interrupted()?;
        if started.elapsed() > SETTLE_MAX {
            return Err(messages::cluster::transaction_open(&place.topic, place.partition, position, end));
        }
        std::thread::sleep(SETTLE_POLL);
        position = for_each_fetch(log, place, Some(position), None, take)?;
    }
    Ok(())
}

/// What is looked at after each fetch of a recovery.
struct Progress<'a> {
    host: &'a Host,
    memory: &'a MemoryShare,
    /// Bytes that were counted so far.
    bytes: usize,
}

impl<'a> Progress<'a> {
    fn new(host: &'a Host, memory: &'a MemoryShare) -> Progress<'a> {
        Progress { host, memory, bytes: 0 }
    }

    /// Another state of the partition begins with so many bytes.
    fn more(&mut self, bytes: usize) -> Result<()> {
        self.bytes = 0;
        self.at(bytes)
    }

    /// The state that is being read has so many bytes now.
    fn at(&mut self, bytes: usize) -> Result<()> {
        self.host.check_interrupted()?;
        self.memory.grow(bytes.saturating_sub(self.bytes))?;
        self.bytes = self.bytes.max(bytes);
        Ok(())
    }
}

/// Loads the rows for pull queries; gives the parts of which snapshots are to be taken.
pub(super) fn load_view(
    view: &View,
    log: &dyn Log,
    keeper: Option<&Keeper<'_>>,
    host: &Host,
) -> Result<Vec<PartSnapshot>> {
    let parts = parking_lot::Mutex::new(Vec::new());
    view.load(log, &|| host.check_interrupted(), &|partition, rows: &mut dyn Pieces| {
        let Some(keeper) = keeper else { return Ok(None) };
        let place = TopicPartition { topic: view.source.topic.clone(), partition };
        let (first, end) = log.offsets(&place)?;
        let mut snapshot = PartSnapshot::new(log, format!("view-{partition}"), &place, Held::ByPart);
        let from = snapshot.restore(keeper, Span { first, end }, rows)?;
        parts.lock().push(snapshot);
        Ok(from)
    })?;
    let mut parts = parts.into_inner();
    parts.sort_by_key(PartSnapshot::partition);
    Ok(parts)
}

/// Loads the rows for pull queries of a query that isn't to run now.
///
/// Errors: they can't be read, the memory is not enough for them, or `host` interrupts.
pub fn load_rows(log: &dyn Log, spec: &RunSpec, host: &Host) -> Result<()> {
    let Some(view) = spec.sink.as_ref().and_then(|sink| sink.view.as_ref()) else { return Ok(()) };
    load_view(view, log, Keeper::new(log, spec, host).as_ref(), host).map(|_| ())
}

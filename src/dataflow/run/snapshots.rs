//! Snapshots of a query's state, taken a bounded part at each commit and made durable beside the driving thread.
//!
//! A part is the fold of one partition: an aggregate's groups, a table's rows, the rows for pull queries. While a snapshot
//! of it is needed, compaction holds back behind that snapshot's offset: a tombstone there must not go before it is applied.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use rayon::prelude::*;

use super::host::Host;
use super::input::SourceInput;
use super::reader::Reader;
use super::spec::SnapshotCounters;
use super::stage::Entry;
use super::{Run, RunSpec, StageTask};
use crate::error::{Error, Result};
use crate::log::{Log, TopicPartition};
use crate::state::snapshots::{Age, Capture, Part, Pieces, Progress, Reason, Recovery, Snapshots, Span};
use crate::time::wall_time_ms;

/// Bytes of one part that are written at a commit at least.
const PART_BYTES_MIN: usize = 16 << 10;

/// What the parts of a query need for their snapshots.
pub(super) struct Keeper<'a> {
    pub log: &'a dyn Log,
    /// Owner of the holds.
    pub group: &'a str,
    pub snapshots: &'a Snapshots,
    pub host: &'a Host,
}

impl<'a> Keeper<'a> {
    /// None: the query keeps no snapshots.
    pub fn new(log: &'a dyn Log, spec: &'a RunSpec, host: &'a Host) -> Option<Keeper<'a>> {
        let snapshots = spec.snapshots.as_ref()?;
        Some(Keeper { log, group: &spec.group, snapshots, host })
    }
    fn counters(&self) -> &SnapshotCounters {
        &self.host.counters.snapshots
    }

    fn count_failed(&self, reason: &Error) {
        self.counters().failed.fetch_add(1, Ordering::Relaxed);
        *self.counters().last_failure.lock() = Some(reason.to_string());
    }
}

/// What is the same for all parts at a commit.
struct Round<'a> {
    keeper: Keeper<'a>,
    partitions: usize,
    bytes_max: usize,
}

/// Who holds back the compaction of a part's topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The part, as far as its snapshot needs it.
    ByPart,
    /// The reader of the topic, at each commit: it needs it anyway.
    ByReader,
}

/// One part of a query's state with its snapshots.
pub(super) struct PartSnapshot {
    part: Part,
    held: Held,
    /// The topic's first offset when its records were folded. When others are removed (`topic empty`, retention), the state
    /// is no longer what the topic comes to, and a snapshot would keep alive what a restart is to forget.
    first: i64,
    /// The topic's end, or less, as far as that is known without asking.
    end: i64,
    /// Offset of the durable one.
    kept_from: Option<i64>,
    work: Work,
    /// After a failure: no new one before this offset.
    not_before: i64,
}

/// The snapshot being made.
enum Work {
    None,
    Taking(Capture),
    Complete(Capture),
    /// On its way to the disk; the offset that it holds from.
    Publishing(i64),
}

impl PartSnapshot {
    pub fn new(log: &dyn Log, name: String, place: &TopicPartition, held: Held) -> PartSnapshot {
        // Without one no snapshot is used that was of one.
        let topic_id = log.topic_id(&place.topic).ok().flatten().map(|id| id.to_string());
        let part = Part { name, place: place.clone(), topic_id };
        PartSnapshot { part, held, first: 0, end: 0, kept_from: None, work: Work::None, not_before: i64::MIN }
    }

    pub fn partition(&self) -> u32 {
        self.part.place.partition
    }

    /// Loads the snapshot if there is one that may be used; gives the offset from which the topic is to be applied.
    pub fn restore(&mut self, keeper: &Keeper<'_>, has: Span, state: &mut dyn Pieces) -> Result<Option<i64>> {
        (self.first, self.end) = (has.first, has.end);
        let kept_ms = keeper.log.tombstones_kept_ms(&self.part.place.topic);
        let age = kept_ms.map(|kept_ms| Age { now_ms: wall_time_ms(), kept_ms });
        let go_on = || keeper.host.check_interrupted();
        let (recovery, loaded) = keeper.snapshots.restore(&self.part, has, age, state, &go_on)?;
        match recovery {
            Recovery::UseSnapshot { .. } => keeper.counters().used.fetch_add(1, Ordering::Relaxed),
            Recovery::ReplayAll(Reason::Missing) => 0,
            Recovery::ReplayAll(_) => {
                self.hold(keeper, i64::MAX)?;
                keeper.counters().refused.fetch_add(1, Ordering::Relaxed)
            }
        };
        self.kept_from = loaded.map(|loaded| loaded.from);
        Ok(self.kept_from)
    }

    /// The lowest offset that a snapshot needs the topic from.
    pub fn needs_from(&self) -> Option<i64> {
        let made = match &self.work {
            Work::None => None,
            Work::Taking(capture) | Work::Complete(capture) => Some(capture.from()),
            Work::Publishing(from) => Some(*from),
        };
        // The durable one is the older one.
        self.kept_from.or(made)
    }

    fn hold(&self, keeper: &Keeper<'_>, offset: i64) -> Result<()> {
        match self.held {
            Held::ByPart => Ok(keeper.log.hold(keeper.group, &self.part.place, offset)?),
            Held::ByReader => Ok(()),
        }
    }

    /// After a commit: `state` is the fold of the partition up to `has.end`. Begins a snapshot when one is due, and goes on
    /// with one that was begun.
    fn step(&mut self, round: &Round<'_>, has: Span, state: &dyn Pieces) {
        if let Err(reason) = self.try_step(round, has, state) {
            // The one before stays, and the topic has everything: no reason to stop the query.
            round.keeper.count_failed(&reason);
            self.give_up(&round.keeper, has.end + self.due_after(round, state) as i64);
        }
    }

    fn try_step(&mut self, round: &Round<'_>, has: Span, state: &dyn Pieces) -> Result<()> {
        if matches!(self.work, Work::None) && self.is_due(round, has, state) {
            if self.kept_from.is_none() {
                self.hold(&round.keeper, has.end)?;
            }
            self.work = Work::Taking(round.keeper.snapshots.begin(&self.part, has, state)?);
        }
        let Work::Taking(capture) = &mut self.work else { return Ok(()) };
        if capture.advance(state, round.bytes_max, has.end)? == Progress::Complete
            && let Work::Taking(capture) = std::mem::replace(&mut self.work, Work::None)
        {
            self.work = Work::Complete(capture);
        }
        Ok(())
    }

    fn is_taking(&self) -> bool {
        matches!(self.work, Work::Taking(_))
    }

    /// So many records were appended to its topic.
    pub fn appended(&mut self, records: usize) {
        self.end += records as i64;
    }

    /// Whether it's worth to ask for the topic's end: on a cluster that takes a round trip.
    fn may_be_due(&self, end: i64, round: &Round<'_>, state: &dyn Pieces) -> bool {
        let since = end.saturating_sub(self.kept_from.unwrap_or(self.first)).max(0);
        !matches!(self.work, Work::None) || since as u64 >= self.due_after(round, state)
    }

    fn is_due(&self, round: &Round<'_>, has: Span, state: &dyn Pieces) -> bool {
        let since = has.end.saturating_sub(self.kept_from.unwrap_or(has.first));
        has.first == self.first
            && has.end >= self.not_before
            && since >= 0
            && since as u64 >= self.due_after(round, state)
    }

    fn due_after(&self, round: &Round<'_>, state: &dyn Pieces) -> u64 {
        round.keeper.snapshots.options.due_after(state.rows(), round.partitions)
    }

    fn give_up(&mut self, keeper: &Keeper<'_>, not_before: i64) {
        self.work = Work::None;
        self.not_before = not_before;
        if self.kept_from.is_none() {
            // If the log takes no writes, the next commit says so.
            let _ = self.hold(keeper, i64::MAX);
        }
    }

    /// Takes a complete one out, to be made durable.
    fn take_complete(&mut self) -> Option<(String, Capture)> {
        match std::mem::replace(&mut self.work, Work::None) {
            Work::Complete(capture) => {
                self.work = Work::Publishing(capture.from());
                Some((self.part.name.clone(), capture))
            }
            other => {
                self.work = other;
                None
            }
        }
    }

    /// It is durable, or it failed.
    fn published(&mut self, keeper: &Keeper<'_>, outcome: &Result<u64>) {
        let Work::Publishing(from) = self.work else { return };
        match outcome {
            Ok(_) => {
                self.work = Work::None;
                self.kept_from = Some(from);
                keeper.counters().written.fetch_add(1, Ordering::Relaxed);
                // An older hold does no harm.
                let _ = self.hold(keeper, from);
            }
            Err(reason) => {
                keeper.count_failed(reason);
                let later = from.saturating_add(keeper.snapshots.options.changed_records_min as i64);
                self.give_up(keeper, later);
            }
        }
    }
}

/// By the parts' names.
type Published = Vec<(String, Result<u64>)>;

/// What a run has for its snapshots beside the parts in its tasks.
#[derive(Default)]
pub(super) struct RunSnapshots {
    /// Of the rows for pull queries, by partition.
    pub view: Vec<PartSnapshot>,
    publishing: Option<JoinHandle<Published>>,
}

impl Run {
    /// After a commit: takes up what has become durable, and goes on with the snapshots that are due. What fails is counted,
    /// and tried again later.
    pub(super) fn take_snapshots(&mut self) {
        if self.spec.snapshots.is_none() {
            return;
        }
        let (log, spec, host) = (self.port.log.clone(), self.spec.clone(), self.host.clone());
        let Some(keeper) = Keeper::new(&*log, &spec, &host) else { return };
        self.take_up_published(&keeper);
        let parts = self.snapshot_parts().count();
        let bytes_max = (keeper.snapshots.options.commit_bytes_max / parts.max(1)).max(PART_BYTES_MIN);
        let partitions = self.layout.first().map_or(1, |stage| stage.partitions as usize);
        let round = Round { keeper, partitions, bytes_max };
        for stage in &mut self.stages {
            stage.par_iter_mut().for_each(|task| step_task(task, &round));
        }
        self.step_view(&round);
        self.publish_complete(&round.keeper);
    }

    /// Between commits, when nothing was read since the last one: goes on with the snapshots that are due, too. Tells whether
    /// there is more to do soon.
    pub fn tend_snapshots(&mut self) -> bool {
        if self.is_dirty() || self.spec.snapshots.is_none() {
            return false;
        }
        self.take_snapshots();
        self.snapshot_parts().any(|part| !matches!(part.work, Work::None))
    }

    fn snapshot_parts(&mut self) -> impl Iterator<Item = &mut PartSnapshot> {
        let tasks = self.stages.iter_mut().flatten();
        let of_tasks = tasks.flat_map(|task| {
            let StageTask { entries, snapshots, .. } = task;
            let readers = entries.iter_mut().filter_map(|entry| match entry {
                Entry::Read(reader) => Some(reader),
                Entry::HandedOver | Entry::Shared => None,
            });
            let sources = readers.flat_map(|reader| reader.input.sources_mut());
            let rows = sources.filter_map(|source| source.snapshot.as_mut());
            rows.chain(snapshots.iter_mut().flatten())
        });
        of_tasks.chain(&mut self.snapshots.view)
    }

    fn step_view(&mut self, round: &Round<'_>) {
        let Some(view) = self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref()) else { return };
        self.snapshots.view.par_iter_mut().for_each(|part| {
            let Ok((first, end)) = round.keeper.log.offsets(&part.part.place) else { return };
            view.look_at(part.partition(), |rows, next| {
                // When somebody else wrote to the table's topic, what is in the view is not all that the topic has; behind a
                // snapshot's beginning that does no harm.
                if next == end || part.is_taking() {
                    part.step(round, Span { first, end }, rows);
                }
            });
        });
    }

    /// Waits for what is on its way to the disk.
    pub(super) fn await_published(&mut self) {
        if self.snapshots.publishing.is_none() {
            return;
        }
        let (log, spec, host) = (self.port.log.clone(), self.spec.clone(), self.host.clone());
        let Some(keeper) = Keeper::new(&*log, &spec, &host) else { return };
        let published = self.snapshots.publishing.take().map(JoinHandle::join);
        self.take_up_outcome(&keeper, published.and_then(Result::ok).unwrap_or_default());
    }

    fn take_up_published(&mut self, keeper: &Keeper<'_>) {
        let Some(thread) = self.snapshots.publishing.take_if(|thread| thread.is_finished()) else { return };
        self.take_up_outcome(keeper, thread.join().unwrap_or_default());
    }

    fn take_up_outcome(&mut self, keeper: &Keeper<'_>, outcomes: Published) {
        let panicked = Err(Error::internal("the thread that makes snapshots durable panicked"));
        self.take_up(keeper, &outcomes, &panicked);
    }

    fn take_up(&mut self, keeper: &Keeper<'_>, outcomes: &[(String, Result<u64>)], otherwise: &Result<u64>) {
        for part in self.snapshot_parts() {
            let outcome = outcomes.iter().find(|(name, _)| *name == part.part.name);
            part.published(keeper, outcome.map_or(otherwise, |(_, outcome)| outcome));
        }
    }

    /// Makes those that are complete durable, unless others are on their way.
    fn publish_complete(&mut self, keeper: &Keeper<'_>) {
        if self.snapshots.publishing.is_some() {
            return;
        }
        let complete: Vec<(String, Capture)> = self.snapshot_parts().filter_map(PartSnapshot::take_complete).collect();
        if complete.is_empty() {
            return;
        }
        let log = self.port.log.clone();
        let thread = std::thread::Builder::new().name(format!("snapshots {}", self.spec.id));
        match thread.spawn(move || publish(&log, complete)) {
            Ok(thread) => self.snapshots.publishing = Some(thread),
            Err(error) => {
                let outcome = Err(Error::world(format!("no thread could be started: {error}")));
                self.take_up(keeper, &[], &outcome);
            }
        }
    }
}

/// A snapshot must not outlive what it holds: the log goes to disk first.
fn publish(log: &Arc<dyn Log>, complete: Vec<(String, Capture)>) -> Published {
    let synced = log.sync();
    let publish = |(name, capture): (String, Capture)| {
        let outcome = synced.clone().map_err(Error::from).and_then(|()| capture.publish());
        (name, outcome)
    };
    complete.into_iter().map(publish).collect()
}

fn step_task(task: &mut StageTask, round: &Round<'_>) {
    for Reader { input, place, position, .. } in task.readers_mut() {
        for SourceInput { scan: table, snapshot, .. } in input.sources_mut() {
            if let Some(part) = snapshot
                && part.may_be_due(*position, round, table)
                && let Ok((first, _)) = round.keeper.log.offsets(place)
            {
                part.step(round, Span { first, end: *position }, table);
            }
        }
    }
    for (part, state) in task.snapshots.iter_mut().zip(task.task.states()) {
        if let (Some(part), Some(state)) = (part, state.state())
            && part.may_be_due(part.end, round, state)
            && let Ok((first, end)) = round.keeper.log.offsets(&part.part.place)
        {
            part.end = end;
            part.step(round, Span { first, end }, state);
        }
    }
}

impl Drop for RunSnapshots {
    /// What is on its way to the disk gets there: nothing of the query goes on behind its end.
    fn drop(&mut self) {
        if let Some(thread) = self.publishing.take() {
            let _ = thread.join();
        }
    }
}

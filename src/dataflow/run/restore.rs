//! Bringing a query to the state of its last commit: of each part of it the newest snapshot at or before that, and what
//! its topic got since.

use super::host::Host;
use super::snapshots::{Held, Keeper, PartSnapshot};
use super::{Run, RunSpec, changelog_topic, stateful};
use crate::error::Result;
use crate::log::{Log, TopicPartition, for_each_fetch};
use crate::query::View;
use crate::state::MemoryShare;
use crate::state::snapshots::{Pieces, Span};
use crate::threads::side_by_side;

impl Run {
    /// Brings the state, and the rows for pull queries, to that of the last commit.
    ///
    /// Errors: besides what can be wrong with them, that the memory is not enough, or that the query is told to stop.
    pub(super) fn restore(&mut self) -> Result<()> {
        let log = self.port.log.clone();
        let (spec, host) = (self.spec.clone(), self.host.clone());
        let keeper = Keeper::new(&*log, &spec, &host);
        let keeper = keeper.as_ref();
        let view = spec.sink.as_ref().and_then(|sink| sink.view.as_ref());
        let mut of_view = Vec::new();
        type Part<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;
        let load: Part<'_> = Box::new(|| {
            of_view = view.map_or(Ok(Vec::new()), |view| load_view(view, &*log, keeper, &host))?;
            Ok(())
        });
        let state: Part<'_> = Box::new(|| self.restore_state(keeper));
        side_by_side(vec![load, state], &|part| part())?;
        self.snapshots.view = of_view;
        Ok(())
    }

    fn restore_state(&mut self, keeper: Option<&Keeper<'_>>) -> Result<()> {
        let log = self.port.log.clone();
        let (host, memory) = (&self.host, &self.memory);
        side_by_side(self.stages[0].iter_mut().collect(), &|task| match &mut task.reader {
            Some(reader) => {
                let mut progress = Progress::new(host, memory);
                reader.restore(&*log, keeper, &mut |bytes| progress.at(bytes))
            }
            None => Ok(()),
        })?;
        if !self.spec.durable {
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
            side_by_side(stage.iter_mut().collect(), &|task| {
                let place = TopicPartition { topic: topic.clone(), partition: task.partition };
                let mut progress = Progress::new(host, memory);
                let mut from = None;
                if let (Some(keeper), Some(state)) = (keeper, task.task.state_mut()) {
                    let (first, end) = log.offsets(&place)?;
                    let name = format!("state-{index}-{}", task.partition);
                    let mut snapshot = PartSnapshot::new(&*log, name, &place, Held::ByPart);
                    from = snapshot.restore(keeper, Span { first, end }, state)?;
                    task.snapshot = Some(snapshot);
                }
                progress.at(task.task.state_bytes())?;
                for_each_fetch(&*log, &place, from, None, &mut |records| {
                    task.task.restore(records)?;
                    progress.at(task.task.state_bytes())
                })?;
                Ok(())
            })?;
        }
        Ok(())
    }
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

    /// One partition's state has so many bytes now.
    fn at(&mut self, bytes: usize) -> Result<()> {
        self.host.check_interrupted()?;
        self.memory.grow(bytes.saturating_sub(self.bytes))?;
        self.bytes = self.bytes.max(bytes);
        Ok(())
    }
}

/// Loads the rows for pull queries; gives the parts of which snapshots are to be taken.
fn load_view(view: &View, log: &dyn Log, keeper: Option<&Keeper<'_>>, host: &Host) -> Result<Vec<PartSnapshot>> {
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

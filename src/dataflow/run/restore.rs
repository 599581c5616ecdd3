//! Bringing a query to the state of its last commit.

use super::host::Host;
use super::{Run, changelog_topic, stateful};
use crate::error::Result;
use crate::log::{TopicPartition, for_each_fetch};
use crate::state::MemoryShare;
use crate::threads::side_by_side;

impl Run {
    /// Brings the state, and the rows for pull queries, to that of the last commit.
    ///
    /// Errors: besides what can be wrong with them, that the memory is not enough, or that the query is told to stop.
    pub(super) fn restore(&mut self) -> Result<()> {
        let log = self.log.clone();
        let host = self.host.clone();
        let view = self.spec.sink.as_ref().and_then(|sink| sink.view.clone());
        type Part<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;
        let load: Part<'_> =
            Box::new(move || view.map_or(Ok(()), |view| view.load(&*log, &|| host.check_interrupted())));
        let state: Part<'_> = Box::new(|| self.restore_state());
        side_by_side(vec![load, state], &|part| part())
    }

    fn restore_state(&mut self) -> Result<()> {
        let log = self.log.clone();
        let (host, memory) = (&self.host, &self.memory);
        side_by_side(self.stages[0].iter_mut().collect(), &|task| match &mut task.reader {
            Some(reader) => {
                let mut progress = Progress::new(host, memory);
                reader.restore(&*log, &mut |bytes| progress.at(bytes))
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
                for_each_fetch(&*log, &place, None, None, &mut |records| {
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

//! Bringing a query to the state of its last commit.

use rayon::prelude::*;

use super::{Run, changelog_topic, stateful};
use crate::error::Result;
use crate::log::{TopicPartition, for_each_fetch};

impl Run {
    /// Brings the state, and the rows for pull queries, to that of the last commit.
    pub(super) fn restore(&mut self) -> Result<()> {
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

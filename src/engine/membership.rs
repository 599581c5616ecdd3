//! A query's place in its group, where processes share the work of a service: which partitions are this process's now.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dataflow::{Run, RunSpec, Share};
use crate::error::Result;
use crate::log::{Change, Log, Member, Signal, TopicPartition};

pub(super) struct Membership {
    member: Arc<dyn Member>,
    partitions: BTreeSet<TopicPartition>,
}

impl Membership {
    /// Joins the query's group. `process`: what tells this process's data folder from others of the service.
    pub fn join(log: &dyn Log, spec: &RunSpec, process: &str, signal: &Arc<Signal>) -> Result<Membership> {
        let member = spec.join(log, process, signal)?;
        Ok(Membership { member, partitions: BTreeSet::new() })
    }

    /// Takes in what the group has changed since the last call. The run of another share is over: it is committed while its
    /// partitions are still this process's, and closed. What can't be committed is made again by whoever has them next.
    pub fn attend(&mut self, run: &mut Option<Run>) -> Result<()> {
        for change in self.member.poll()? {
            match change {
                Change::Given(partitions) => {
                    close(run);
                    self.partitions.extend(partitions);
                }
                Change::Revoked(partitions) => {
                    close(run);
                    self.give_up(&partitions)?;
                }
                Change::Lost(partitions) => {
                    *run = None;
                    self.give_up(&partitions)?;
                }
            }
        }
        Ok(())
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.partitions.retain(|partition| !partitions.contains(partition));
        Ok(self.member.give_up(partitions)?)
    }

    /// None: other processes have everything.
    pub fn share(&self) -> Option<Share> {
        let share = Share { member: self.member.clone(), partitions: self.partitions.clone() };
        (!share.partitions.is_empty()).then_some(share)
    }
}

fn close(run: &mut Option<Run>) {
    if let Some(mut run) = run.take() {
        // Without the commit its work is void, and is done again from the last one.
        let _ = run.commit();
    }
}

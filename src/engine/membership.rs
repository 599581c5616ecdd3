//! A query's place in its group, where processes share the work of a service: which partitions are this process's now.
//!
//! A partition that comes is opened beside the work on the others; one that goes is committed and let go. What can't be
//! committed, because the group has changed meanwhile, is dropped and done again from the commit before, by whoever has the
//! partition then.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::dataflow::{Opening, Run, RunSpec};
use crate::error::Result;
use crate::log::{Change, Log, Member, Signal, TopicPartition};

/// Who takes part.
#[derive(Debug, Clone)]
pub(super) struct SharedBy {
    /// What tells this process's data folder from others of the service.
    pub folder: String,
    /// What it tells of itself to the others.
    pub about: Option<String>,
}

pub(super) struct Membership {
    member: Arc<dyn Member>,
    signal: Arc<Signal>,
    /// What the group has given to this process.
    partitions: BTreeSet<TopicPartition>,
    /// Of these, those that are neither the run's nor being opened.
    waiting: BTreeSet<TopicPartition>,
    opening: Option<Opening>,
    /// What the group has changed and was not taken in yet.
    arrived: VecDeque<Change>,
    /// The group has said what is this process's, be it nothing.
    joined: bool,
}

/// What a process has of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The group hasn't answered yet.
    Unknown,
    /// Others have everything.
    Nothing,
    /// Something; some of it is still being opened.
    Opening,
    Something,
}

impl Membership {
    /// Joins the query's group.
    pub fn join(log: &dyn Log, spec: &RunSpec, process: &SharedBy, signal: &Arc<Signal>) -> Result<Membership> {
        let member = spec.join(log, &process.folder, process.about.clone(), signal)?;
        Ok(Membership {
            member,
            signal: signal.clone(),
            partitions: BTreeSet::new(),
            waiting: BTreeSet::new(),
            opening: None,
            arrived: VecDeque::new(),
            joined: false,
        })
    }

    pub fn member(&self) -> Arc<dyn Member> {
        self.member.clone()
    }

    /// What the group has given to this process.
    pub fn partitions(&self) -> &BTreeSet<TopicPartition> {
        &self.partitions
    }

    pub fn part(&self) -> Part {
        match (self.joined, self.partitions.is_empty(), self.waiting.is_empty() && self.opening.is_none()) {
            (false, _, _) => Part::Unknown,
            (true, true, _) => Part::Nothing,
            (true, false, false) => Part::Opening,
            (true, false, true) => Part::Something,
        }
    }

    /// Takes in what the group has changed since the last call, and what was opened meanwhile. True: partitions were lost
    /// without a warning, as when this process was away for longer than its session. `may_open`: partitions that came are
    /// to be opened now.
    ///
    /// Errors: the group's, and what partitions can't be opened for.
    pub fn attend(&mut self, run: &mut Run, may_open: bool) -> Result<bool> {
        let mut lost = false;
        self.arrived.extend(self.member.poll()?);
        // One at a time: what comes behind one that can't be carried out now stays for the next call.
        while let Some(change) = self.arrived.pop_front() {
            match change {
                Change::Given(partitions) => {
                    self.joined = true;
                    self.waiting.extend(partitions.iter().cloned());
                    self.partitions.extend(partitions);
                }
                Change::Revoked(partitions) => {
                    // Not committed, it is done again by whoever has them next.
                    if run.has_any(&partitions) && run.commit().is_err() {
                        self.start_over(run)?;
                    }
                    run.let_go(&partitions)?;
                    self.give_up(&partitions)?;
                }
                Change::Lost(partitions) => {
                    lost |= !partitions.is_empty();
                    self.start_over(run)?;
                    self.give_up(&partitions)?;
                    self.joined = !self.partitions.is_empty();
                }
            }
        }
        self.open(run, may_open)?;
        Ok(lost)
    }

    /// Drops what isn't committed; all partitions are opened anew from their last commit.
    pub fn start_over(&mut self, run: &mut Run) -> Result<()> {
        run.break_off()?;
        self.opening = None;
        self.waiting = self.partitions.clone();
        Ok(())
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        if let Some(opening) = self.opening.take_if(|opening| opening.places().iter().any(|p| partitions.contains(p))) {
            self.waiting.extend(opening.places().iter().cloned());
        }
        for partition in partitions {
            self.partitions.remove(partition);
            self.waiting.remove(partition);
        }
        Ok(self.member.give_up(partitions)?)
    }

    fn open(&mut self, run: &mut Run, may_open: bool) -> Result<()> {
        if let Some(opening) = self.opening.take_if(|opening| opening.is_done()) {
            let places = opening.places().to_vec();
            match opening.finish() {
                Ok(opened) => run.adopt(opened)?,
                Err(error) => {
                    self.waiting.extend(places);
                    return Err(error);
                }
            }
        }
        if may_open && self.opening.is_none() && !self.waiting.is_empty() {
            let places = std::mem::take(&mut self.waiting).into_iter().collect();
            self.opening = Some(Opening::begin(run, places, &self.signal)?);
        }
        Ok(())
    }
}

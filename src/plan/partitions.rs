//! How many partitions the stages of a plan have.

use crate::catalog::Source;
use crate::error::{Error, Result};
use crate::messages;
use crate::plan::{JoinMethod, Plan, Stage, StageInput};

impl Plan {
    /// Of each stage, how many partitions it has: as many as the topics that it reads. One that reads none has as many as
    /// the stage that its first rows come from; one that takes the results of a join by foreign key as many as the left table.
    /// `of` gives the partitions of a source's topic.
    ///
    /// Errors: those of `of`; sources whose rows meet without an exchange have different numbers of partitions.
    pub fn partitions(&self, of: &dyn Fn(&Source) -> Result<u32>) -> Result<Vec<u32>> {
        let mut known: Vec<u32> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let partitions = match scanned(stage, of)? {
                Some(partitions) => partitions,
                None => {
                    let from = first_exchange(stage).map(|from| self.before_foreign_key(from));
                    let from = from.and_then(|from| known.get(from).copied());
                    from.ok_or_else(|| Error::internal("a stage reads nothing that stands before it"))?
                }
            };
            known.push(partitions);
        }
        Ok(known)
    }

    /// The stage itself; of one that joins by foreign key that of the left table, by whose key its results go.
    fn before_foreign_key(&self, stage: usize) -> usize {
        match self.stages.get(stage).map(|stage| &stage.input) {
            Some(StageInput::Join(join)) if matches!(join.method, JoinMethod::ForeignKey { .. }) => {
                first_exchange(&join.left).unwrap_or(stage)
            }
            _ => stage,
        }
    }
}

/// The stage that the first of the rows come from that come from a stage.
fn first_exchange(stage: &Stage) -> Option<usize> {
    stage.inputs().into_iter().find_map(|input| match input {
        StageInput::Exchange(exchange) => Some(exchange.from),
        StageInput::Scan(_) | StageInput::Join(_) | StageInput::Union(_) => None,
    })
}

/// Whether rows of several inputs meet in joins; otherwise they are only beside each other.
fn meets(stage: &Stage) -> bool {
    match &stage.input {
        StageInput::Join(_) => true,
        StageInput::Union(sides) => sides.iter().any(meets),
        StageInput::Scan(_) | StageInput::Exchange(_) => false,
    }
}

/// How many partitions the topics have that a stage reads; None: it reads none.
fn scanned(stage: &Stage, of: &dyn Fn(&Source) -> Result<u32>) -> Result<Option<u32>> {
    let mut first: Option<(&Source, u32)> = None;
    for input in stage.inputs() {
        let StageInput::Scan(scan) = input else { continue };
        let partitions = of(&scan.source)?;
        match first {
            None => first = Some((&scan.source, partitions)),
            Some((_, others)) if others == partitions => {}
            Some((left, others)) => {
                let (left, right) = (&left.name, &scan.source.name);
                return Err(messages::joins::partitions((left, others), (right, partitions), meets(stage)));
            }
        }
    }
    Ok(first.map(|(_, partitions)| partitions))
}

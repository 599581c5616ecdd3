//! How the stages of a query lie on the log: which topics each reads, how many partitions it has, and who reads what it makes.

use crate::error::{Error, Result};
use crate::log::{Log, LogError};
use crate::plan::{Exchange, Plan, Stage, StageInput};

/// One stage.
#[derive(Debug, Clone)]
pub struct StageLayout {
    /// The topic of each input. That of an exchange is only there where processes share the query.
    pub topics: Vec<String>,
    /// Tasks in all processes together.
    pub partitions: u32,
    /// Stage and input that read what it makes; None: it is the last one.
    pub to: Option<(usize, usize)>,
}

/// All stages of a query.
///
/// Errors: a topic isn't there, or has another number of partitions than what it is joined with.
pub fn layout(plan: &Plan, group: &str, log: &dyn Log) -> Result<Vec<StageLayout>> {
    let mut stages = Vec::with_capacity(plan.stages.len());
    let mut of_first = None;
    for (number, stage) in plan.stages.iter().enumerate() {
        let mut partitions: Option<(String, u32)> = None;
        for input in stage.inputs() {
            let StageInput::Scan(scan) = input else { continue };
            let topic = scan.source.topic.clone();
            let there = log.partitions(&topic).ok_or_else(|| Error::from(LogError::UnknownTopic(topic.clone())))?;
            match &partitions {
                Some((other, others)) if *others != there => {
                    return Err(Error::statement(format!(
                        "topic '{other}' has {others} partitions and topic '{topic}' has {there}: their rows can't be joined partition by partition"
                    ))
                    .hint("make one of them anew with as many partitions as the other has"));
                }
                _ => partitions = Some((topic, there)),
            }
        }
        let of_scans = partitions.map(|(_, partitions)| partitions);
        of_first = of_first.or(of_scans);
        let partitions = of_scans.or(of_first).ok_or_else(|| Error::internal("the first stage reads no source"))?;
        let topics = input_topics(group, stage);
        stages.push(StageLayout { topics, partitions, to: reader_of(plan, number) });
    }
    match stages.split_last() {
        Some((_, before)) if before.iter().all(|stage| stage.to.is_some()) => Ok(stages),
        _ => Err(Error::internal("a stage that nobody reads isn't the last one")),
    }
}

/// The topic of each of a stage's inputs.
pub(super) fn input_topics(group: &str, stage: &Stage) -> Vec<String> {
    let topic = |input: &&StageInput| match input {
        StageInput::Scan(scan) => Some(scan.source.topic.clone()),
        StageInput::Exchange(exchange) => Some(repartition_topic(group, exchange.from + 1)),
        StageInput::Join(_) => None,
    };
    stage.inputs().iter().filter_map(topic).collect()
}

/// Stage and input that read what a stage makes.
fn reader_of(plan: &Plan, from: usize) -> Option<(usize, usize)> {
    let reads = |input: &&StageInput| matches!(input, StageInput::Exchange(Exchange { from: of, .. }) if *of == from);
    let mut stages = plan.stages.iter().enumerate();
    stages.find_map(|(number, stage)| Some((number, stage.inputs().iter().position(reads)?)))
}

/// The topic by which rows leave a stage (that before the one of this number), where processes share the work.
pub fn repartition_topic(group: &str, stage: usize) -> String {
    match stage {
        1 => format!("{group}-Aggregate-GroupBy-repartition"),
        _ => format!("{group}-Stage-{stage}-repartition"),
    }
}

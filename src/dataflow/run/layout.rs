//! How the stages of a query lie on the log: which topics each reads, how many partitions it has, and who reads what it makes.

use super::reader::Use;
use crate::catalog::{Source, SourceKind};
use crate::error::{Error, Result};
use crate::log::{Log, LogError, StageTopics};
use crate::plan::{Exchange, Plan, Scan, Stage, StageInput};

/// One stage.
#[derive(Debug, Clone)]
pub struct StageLayout {
    /// The topic of each input. That of an exchange is only there where processes share the query.
    pub topics: Vec<String>,
    /// The one of them, or of another stage, whose partitions are shared out for this one: see [`leads`].
    pub lead: String,
    /// Tasks in all processes together.
    pub partitions: u32,
    /// Stage and input that read what it makes; None: it is the last one.
    pub to: Option<(usize, usize)>,
    /// The topic by which they do, where processes share the query.
    pub out: Option<String>,
}

/// All stages of a query.
///
/// Errors: a topic isn't there, or has another number of partitions than what it is joined with.
pub fn layout(plan: &Plan, group: &str, log: &dyn Log) -> Result<Vec<StageLayout>> {
    let partitions = |source: &Source| {
        let there = log.partitions(&source.topic);
        there.ok_or_else(|| Error::from(LogError::UnknownTopic(source.topic.clone())))
    };
    let partitions = plan.partitions(&partitions)?;
    let outs = outs(group, plan);
    let topics: Vec<Vec<String>> = plan.stages.iter().map(|stage| topics_read(stage, &outs)).collect();
    let leads = leads(&topics);
    let stage = |(number, partitions): (usize, u32)| {
        let (topics, lead) = (topics[number].clone(), leads[number].clone());
        StageLayout { topics, lead, partitions, to: reader_of(plan, number), out: outs[number].clone() }
    };
    let stages: Vec<StageLayout> = partitions.into_iter().enumerate().map(stage).collect();
    match stages.split_last() {
        Some((_, before)) if before.iter().all(|stage| stage.to.is_some()) => Ok(stages),
        _ => Err(Error::internal("a stage that nobody reads isn't the last one")),
    }
}

/// Of each stage the topics that it reads, as a group shares them out.
pub(super) fn stage_topics(group: &str, plan: &Plan) -> Vec<StageTopics> {
    let outs = outs(group, plan);
    let topics: Vec<Vec<String>> = plan.stages.iter().map(|stage| topics_read(stage, &outs)).collect();
    let stage = |(mut topics, lead): (Vec<String>, String)| {
        topics.sort_unstable();
        topics.dedup();
        topics.retain(|topic| *topic != lead);
        StageTopics { lead, followers: topics }
    };
    let leads = leads(&topics);
    topics.into_iter().zip(leads).map(stage).collect()
}

/// Of each stage the topic whose partitions are shared out for it: the first that it reads. Stages that read the same topic have
/// one together, whose partitions they take in the same number: a group has one position in a partition, so all that a
/// record comes to is done by one process.
fn leads(topics: &[Vec<String>]) -> Vec<String> {
    let mut together: Vec<usize> = (0..topics.len()).collect();
    for stage in 1..topics.len() {
        for before in 0..stage {
            if topics[before].iter().any(|topic| topics[stage].contains(topic)) {
                let (from, to) = (together[stage].max(together[before]), together[stage].min(together[before]));
                together.iter_mut().filter(|number| **number == from).for_each(|number| *number = to);
            }
        }
    }
    together.into_iter().map(|first| topics[first].first().cloned().unwrap_or_default()).collect()
}

/// The inputs that read a topic as a source, in the order of the plan.
pub(super) fn uses<'a>(plan: &'a Plan, topic: &str) -> Vec<(Use, &'a Scan)> {
    let inputs = plan
        .stages
        .iter()
        .enumerate()
        .flat_map(|(stage, read)| read.inputs().into_iter().enumerate().map(move |(input, of)| (stage, input, of)));
    let used = inputs.filter_map(|(stage, input, of)| match of {
        StageInput::Scan(scan) if scan.source.topic == topic => {
            let with_old = plan.wants_old_rows(stage, input);
            Some((Use { stage, input, wanted: scan.wanted.clone(), with_old }, scan))
        }
        _ => None,
    });
    used.collect()
}

/// Names of the tables whose rows are held, since steps look at those that are replaced.
pub(super) fn tables_held(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (stage, read) in plan.stages.iter().enumerate() {
        for (input, of) in read.inputs().into_iter().enumerate() {
            let StageInput::Scan(Scan { source, .. }) = of else { continue };
            let held = source.kind == SourceKind::Table && plan.wants_old_rows(stage, input);
            if held && !names.contains(&source.name.as_str()) {
                names.push(&source.name);
            }
        }
    }
    names
}

/// Of each stage the topic by which its rows leave it; None: it is the last.
fn outs(group: &str, plan: &Plan) -> Vec<Option<String>> {
    plan.exchange_names().into_iter().map(|name| name.map(|name| format!("{group}-{name}"))).collect()
}

fn topics_read(stage: &Stage, outs: &[Option<String>]) -> Vec<String> {
    let topic = |input: &&StageInput| match input {
        StageInput::Scan(scan) => Some(scan.source.topic.clone()),
        StageInput::Exchange(exchange) => outs.get(exchange.from)?.clone(),
        StageInput::Join(_) | StageInput::Union(_) => None,
    };
    stage.inputs().iter().filter_map(topic).collect()
}

/// Stage and input that read what a stage makes.
fn reader_of(plan: &Plan, from: usize) -> Option<(usize, usize)> {
    let reads = |input: &&StageInput| matches!(input, StageInput::Exchange(Exchange { from: of, .. }) if *of == from);
    let mut stages = plan.stages.iter().enumerate();
    stages.find_map(|(number, stage)| Some((number, stage.inputs().iter().position(reads)?)))
}

/// The topics by which rows go from stage to stage, where processes share the work.
pub fn exchange_topics(group: &str, plan: &Plan) -> Vec<String> {
    outs(group, plan).into_iter().flatten().collect()
}

/// The topics that hold the changes of a query's state: by stage, of each of its [`Stage::states`].
pub fn changelog_topics(group: &str, plan: &Plan) -> Vec<Vec<String>> {
    let of_stage = |names: Vec<String>| names.into_iter().map(|name| format!("{group}-{name}")).collect();
    plan.changelog_names().into_iter().map(of_stage).collect()
}

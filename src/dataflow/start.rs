//! Where a new query begins to read, kept in the log from its first moment on: what is written after that is read, whether
//! or not the query runs then.

use std::collections::BTreeSet;

use crate::catalog::SourceKind;
use crate::dataflow::run::any_records;
use crate::dataflow::{RunSpec, Start, changelog_topics};
use crate::error::Result;
use crate::log::{Log, TopicPartition};
use crate::messages;
use crate::plan::Plan;

/// A table is all of its topic, a stream that begins at the latest offset isn't: where a query reads one topic as both, it
/// would have two positions in it.
///
/// Errors: it begins there, and does that.
pub fn check_start(plan: &Plan, start: Start) -> Result<()> {
    if start == Start::Earliest {
        return Ok(());
    }
    let of = |kind: SourceKind| plan.scans().map(|scan| &scan.source).filter(move |source| source.kind == kind);
    for stream in of(SourceKind::Stream) {
        if let Some(table) = of(SourceKind::Table).find(|table| table.topic == stream.topic) {
            return Err(messages::queries::latest_of_stream_and_table(&stream.topic, &stream.name, &table.name));
        }
    }
    Ok(())
}

/// Commits the end of each partition that the query has no position of, when it begins at the latest offset. From the
/// earliest offset on there is nothing to keep: a partition without a position is read from its beginning.
///
/// Does nothing where `Run::open` is to judge: the source's topic is gone, or it is another one than that which the
/// query's state is of.
///
/// Errors: the log's.
pub fn commit_start(log: &dyn Log, spec: &RunSpec) -> Result<()> {
    if !spec.durable || spec.start != Start::Latest {
        return Ok(());
    }
    let streams = spec.plan.scans().filter(|scan| scan.source.kind == SourceKind::Stream);
    let places = |topic: &String| {
        let partitions = 0..log.partitions(topic).unwrap_or(0);
        partitions.map(|partition| TopicPartition { topic: topic.clone(), partition }).collect::<Vec<_>>()
    };
    let positions = log.positions(&spec.group)?;
    let mut missing = Vec::new();
    let topics: BTreeSet<&String> = streams.map(|scan| &scan.source.topic).collect();
    for places in topics.into_iter().map(places) {
        let of_topic: Vec<TopicPartition> =
            places.iter().filter(|place| !positions.contains_key(place)).cloned().collect();
        let changelogs = || changelog_topics(&spec.group, &spec.plan).concat();
        if of_topic.len() < places.len() || !any_records(log, &changelogs())? {
            missing.extend(of_topic);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let starts = log.offsets_of(&missing)?.into_iter().map(|(place, (_, next))| (place, next)).collect();
    Ok(log.alter_positions(&spec.group, &starts)?)
}

//! `millpond topic ...`: topics without SQL.

mod consume;

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use super::args::{AlterOptions, CreateOptions, TopicCommand};
use super::connect::Connected;
use super::exit::Stop;
use super::listing::show_table;
use super::output::{Output, OutputFormat};
use super::produce;
use crate::error::Error;
use crate::log::{Log, LogError, Replication, TopicDescription, TopicSpec};
use crate::messages;
use crate::nearest::nearest;

/// Topics of Millpond's own: what queries rely on may be read, not changed.
fn check_not_internal(command: &TopicCommand) -> Result<(), Stop> {
    let topic = match command {
        TopicCommand::Produce(options) => &options.topic,
        TopicCommand::Alter(options) => &options.topic,
        TopicCommand::Empty { topic } | TopicCommand::Delete { topic, .. } => topic,
        TopicCommand::Create(_)
        | TopicCommand::Consume(_)
        | TopicCommand::List { .. }
        | TopicCommand::Describe { .. } => return Ok(()),
    };
    if topic.starts_with("_confluent") {
        return Err(messages::topics::own(topic).into());
    }
    Ok(())
}

/// An error that names the nearest topic when this one isn't there, but another one that may be meant.
fn check_spelling(command: &TopicCommand, log: &dyn Log) -> Result<(), Stop> {
    let topic = match command {
        TopicCommand::Produce(options) => &options.topic,
        TopicCommand::Consume(options) => &options.topic,
        TopicCommand::Alter(options) => &options.topic,
        TopicCommand::Describe { topic }
        | TopicCommand::Empty { topic }
        | TopicCommand::Delete { topic, if_exists: false, .. } => topic,
        TopicCommand::Create(_) | TopicCommand::List { .. } | TopicCommand::Delete { .. } => return Ok(()),
    };
    if log.partitions(topic).is_some() {
        return Ok(());
    }
    match nearest(topic, log.topics().iter().map(String::as_str)) {
        Some(other) => Err(Error::from(LogError::UnknownTopic(topic.clone()))
            .hint(format!("Did you mean {other}? `millpond topic create {topic}` makes a new one"))
            .into()),
        None => Ok(()),
    }
}

/// An error that names what uses a topic that is there.
fn check_unused(topic: &str, engine: &Connected) -> Result<(), Stop> {
    let users = engine.face.topic_users(topic)?.names;
    if users.is_empty() || engine.log.partitions(topic).is_none() {
        return Ok(());
    }
    Err(messages::topics::in_use(topic, &users).into())
}

pub fn command(command: &TopicCommand, engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    check_not_internal(command)?;
    let log = engine.log.as_ref();
    check_spelling(command, log)?;
    match command {
        TopicCommand::Create(options) => create(options, log, out),
        TopicCommand::Produce(options) => produce::command(options, engine, out),
        TopicCommand::Consume(options) => consume::command(options, engine, out),
        TopicCommand::List { all } => list(*all, log, out),
        TopicCommand::Describe { topic } => describe(topic, log, out),
        TopicCommand::Alter(options) => alter(options, log, out),
        TopicCommand::Empty { topic } => {
            log.empty_topic(topic)?;
            said(out, topic, "emptied")
        }
        TopicCommand::Delete { topic, if_exists, force } => {
            if !force {
                check_unused(topic, engine)?;
            }
            match log.delete_topic(topic) {
                Ok(()) => said(out, topic, "deleted"),
                Err(LogError::UnknownTopic(_)) if *if_exists => said(out, topic, "not there"),
                Err(error) => Err(error.into()),
            }
        }
    }
}

/// Tells what was done.
fn said(out: &mut Output, topic: &str, done: &str) -> Result<(), Stop> {
    match out.format {
        OutputFormat::Tabular => out.line(&format!("Topic {topic} {done}"))?,
        OutputFormat::Json => out.line(&json!({"topic": topic, "status": done}).to_string())?,
    }
    out.flush()?;
    Ok(())
}

fn create(options: &CreateOptions, log: &dyn Log, out: &mut Output) -> Result<(), Stop> {
    let spec = TopicSpec {
        name: options.topic.clone(),
        partitions: options.partitions,
        replicas: options.replicas,
        configs: options.config.iter().cloned().collect::<BTreeMap<_, _>>(),
    };
    match log.create_topic(&spec) {
        Ok(()) => said(out, &options.topic, "created"),
        Err(LogError::TopicExists(_)) if options.if_not_exists => said(out, &options.topic, "already there"),
        Err(error) => Err(error.into()),
    }
}

fn alter(options: &AlterOptions, log: &dyn Log, out: &mut Output) -> Result<(), Stop> {
    let set = options.config.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
    let unset = options.delete_config.iter().map(|name| (name.clone(), None));
    let configs: Vec<_> = set.chain(unset).collect();
    if configs.is_empty() && options.partitions.is_none() {
        return Err(Stop::Usage("nothing to alter: give --partitions, --config or --delete-config".to_owned()));
    }
    log.alter_topic(&options.topic, options.partitions, &configs)?;
    said(out, &options.topic, "altered")
}

/// Offsets between the first and the next; after compaction some of them have no record.
fn records(topic: &TopicDescription) -> i64 {
    topic.partitions.iter().map(|partition| partition.next_offset - partition.first_offset).sum()
}

/// What isn't known is a dash.
fn count_text(count: Option<impl ToString>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

fn list(all: bool, log: &dyn Log, out: &mut Output) -> Result<(), Stop> {
    let mut rows = Vec::new();
    for topic in log.summaries()?.into_iter().filter(|topic| all || !topic.internal) {
        match out.format {
            OutputFormat::Tabular => rows.push(vec![
                topic.name,
                count_text(topic.partitions),
                count_text(topic.records),
                count_text(topic.bytes),
            ]),
            OutputFormat::Json => out.line(
                &json!({
                    "topic": topic.name,
                    "partitions": topic.partitions,
                    "records": topic.records,
                    "bytes": topic.bytes,
                    "internal": topic.internal,
                })
                .to_string(),
            )?,
        }
    }
    if out.format == OutputFormat::Tabular {
        show_table(&["Topic", "Partitions", "Records", "Bytes"], &rows, out)?;
    }
    out.flush()?;
    Ok(())
}

/// Leader, replicas and in-sync replicas, as numbers of brokers.
fn replication_cells(replication: &Replication) -> [String; 3] {
    let numbers = |brokers: &[i32]| brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let leader = replication.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
    [leader, numbers(&replication.replicas), numbers(&replication.in_sync)]
}

fn describe(name: &str, log: &dyn Log, out: &mut Output) -> Result<(), Stop> {
    let topic = log.describe_topic(name)?;
    if out.format == OutputFormat::Json {
        let partitions = topic.partitions.iter().enumerate().map(|(i, partition)| {
            json!({
                "partition": i,
                "first_offset": partition.first_offset,
                "next_offset": partition.next_offset,
                "records": partition.next_offset - partition.first_offset,
                "bytes": partition.bytes,
                "leader": partition.replication.as_ref().and_then(|replication| replication.leader),
                "replicas": partition.replication.as_ref().map(|replication| &replication.replicas),
                "in_sync": partition.replication.as_ref().map(|replication| &replication.in_sync),
            })
        });
        let partitions: Vec<_> = partitions.collect();
        let configs: serde_json::Map<_, _> =
            topic.configs.iter().map(|config| (config.name.clone(), config.value.clone().into())).collect();
        let line = json!({
            "topic": topic.name,
            "id": topic.id.map(|id| id.to_string()),
            "records": records(&topic),
            "internal": topic.internal,
            "partitions": partitions,
            "configs": configs,
            "warnings": log.warnings(),
        });
        out.line(&line.to_string())?;
        out.flush()?;
        return Ok(());
    }
    out.line(&format!("Topic {}: {} partitions, {} records", topic.name, topic.partitions.len(), records(&topic)))?;
    if let Some(id) = topic.id {
        out.line(&format!("Id {id}"))?;
    }
    for warning in log.warnings() {
        out.line(&format!("Warning: {warning}"))?;
    }
    let rows = topic.partitions.iter().enumerate().map(|(i, partition)| {
        let count = partition.next_offset - partition.first_offset;
        let mut row = vec![
            i.to_string(),
            partition.first_offset.to_string(),
            partition.next_offset.to_string(),
            count.to_string(),
        ];
        row.extend(partition.bytes.map(|bytes| bytes.to_string()));
        row.extend(partition.replication.iter().flat_map(replication_cells));
        row
    });
    let rows: Vec<_> = rows.collect();
    let mut columns = vec!["Partition", "First offset", "Next offset", "Records"];
    // Each log tells what it knows.
    if topic.partitions.iter().any(|partition| partition.bytes.is_some()) {
        columns.push("Bytes");
    }
    if topic.partitions.iter().any(|partition| partition.replication.is_some()) {
        columns.extend(["Leader", "Replicas", "In sync"]);
    }
    show_table(&columns, &rows, out)?;
    let configs = topic.configs.iter().map(|config| {
        let origin = if config.is_default { "default" } else { "set" };
        vec![config.name.clone(), config.value.clone(), origin.to_owned()]
    });
    let configs: Vec<_> = configs.collect();
    out.line("")?;
    show_table(&["Config", "Value", "Origin"], &configs, out)?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests;

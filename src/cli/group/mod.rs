//! `millpond group ...`: who has read how much of which topics.

mod reset;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde_json::json;

use super::args::GroupCommand;
use super::connect::Connected;
use super::exit::Stop;
use super::listing::show_table;
use super::output::{Output, OutputFormat};
use crate::engine::{GroupKind, GroupStanding};
use crate::error::Error;
use crate::log::{GroupState, Log, LogError, TopicPartition};
use crate::nearest::nearest;

/// Begins the names of groups that are no reader's.
const OWN_PREFIX: &str = "_millpond";

pub fn command(command: &GroupCommand, engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    match command {
        GroupCommand::List { all } => list(*all, engine, out),
        GroupCommand::Describe { group } => describe(group, engine, out),
        GroupCommand::Reset(options) => reset::command(options, engine, out),
    }
}

fn list(all: bool, engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    let groups = engine.face.groups(None)?;
    let groups: Vec<_> = groups.iter().filter(|group| all || !group.description.name.starts_with(OWN_PREFIX)).collect();
    match out.format {
        OutputFormat::Json => {
            for group in groups {
                let description = &group.description;
                let line = json!({
                    "group": description.name,
                    "state": description.state.to_string(),
                    "members": description.members.len(),
                    "kind": kind_name(&group.kind),
                    "query": query_id(&group.kind),
                });
                out.line(&line.to_string())?;
            }
        }
        OutputFormat::Tabular => {
            let row = |group: &&GroupStanding| {
                let description = &group.description;
                let members = description.members.len().to_string();
                vec![description.name.clone(), description.state.to_string(), members, kind_text(&group.kind)]
            };
            let rows: Vec<_> = groups.iter().map(row).collect();
            show_table(&["Group", "State", "Members", "Kind"], &rows, out)?;
        }
    }
    out.flush()?;
    Ok(())
}

fn query_id(kind: &GroupKind) -> Option<&str> {
    match kind {
        GroupKind::Query(query) => Some(&query.id),
        GroupKind::OtherService | GroupKind::Consumer => None,
    }
}

fn kind_name(kind: &GroupKind) -> &'static str {
    match kind {
        GroupKind::Query(_) => "query",
        GroupKind::OtherService => "query of another service",
        GroupKind::Consumer => "consumer",
    }
}

/// As `query CSAS_O_1`.
fn kind_text(kind: &GroupKind) -> String {
    query_id(kind).map_or_else(|| kind_name(kind).to_owned(), |id| format!("{} {id}", kind_name(kind)))
}

/// The group of this name or of this query. Errors: there is none.
fn existing(wanted: &str, engine: &Connected) -> Result<GroupStanding, Stop> {
    match standing(wanted, engine)? {
        group if is_missing(&group) => Err(unknown(wanted, engine).into()),
        group => Ok(group),
    }
}

/// A query that has read nothing yet has a group all the same.
fn is_missing(group: &GroupStanding) -> bool {
    group.description.state == GroupState::Dead && query_id(&group.kind).is_none()
}

/// The group of this name or of this query, whether it is there or not.
fn standing(wanted: &str, engine: &Connected) -> Result<GroupStanding, Stop> {
    let found = engine.face.groups(Some(wanted))?.pop();
    found.ok_or_else(|| Error::internal(format!("nothing is said about group '{wanted}'")).into())
}

fn unknown(wanted: &str, engine: &Connected) -> Error {
    let error = Error::world(format!("there is no group '{wanted}'"));
    // Without them the error is the same, only not as helpful.
    match nearest(wanted, engine.log.groups().unwrap_or_default().iter().map(String::as_str)) {
        Some(other) => error.hint(format!("Did you mean {other}?")),
        None => error.hint("`millpond group list` shows them"),
    }
}

/// How far a group has read a partition.
struct Progress {
    place: TopicPartition,
    committed: Option<i64>,
    /// None: the topic is gone.
    end: Option<i64>,
    /// Its place among the group's members.
    member: Option<usize>,
}

impl Progress {
    fn lag(&self) -> Option<i64> {
        Some(self.end? - self.committed?)
    }
}

/// Of all partitions that it has positions of, that a member has or that its query reads.
fn progress(group: &GroupStanding, log: &dyn Log) -> Result<Vec<Progress>, LogError> {
    let committed = log.positions(&group.description.name)?;
    let mut places: BTreeSet<TopicPartition> = committed.keys().cloned().collect();
    let mut members = BTreeMap::new();
    for (index, member) in group.description.members.iter().enumerate() {
        members.extend(member.partitions.iter().map(|place| (place.clone(), index)));
    }
    places.extend(members.keys().cloned());
    if let GroupKind::Query(query) = &group.kind {
        places.extend(query.topics.iter().flat_map(|topic| all_of(topic, log)));
    }
    // Of a topic that is gone, or has fewer partitions now, the others are told.
    let there = |place: &&TopicPartition| log.partitions(&place.topic).is_some_and(|count| place.partition < count);
    let offsets = log.offsets_of(&places.iter().filter(there).cloned().collect::<Vec<_>>())?;
    let progress = |place: TopicPartition| Progress {
        end: offsets.get(&place).map(|(_, end)| *end),
        committed: committed.get(&place).copied(),
        member: members.get(&place).copied(),
        place,
    };
    Ok(places.into_iter().map(progress).collect())
}

/// All partitions of a topic; none when it isn't there.
fn all_of(topic: &str, log: &dyn Log) -> Vec<TopicPartition> {
    let count = log.partitions(topic).unwrap_or(0);
    (0..count).map(|partition| TopicPartition { topic: topic.to_owned(), partition }).collect()
}

fn describe(wanted: &str, engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    let group = existing(wanted, engine)?;
    let progress = progress(&group, &*engine.log)?;
    match out.format {
        OutputFormat::Json => out.line(&described_json(&group, &progress).to_string())?,
        OutputFormat::Tabular => described_text(&group, &progress, out)?,
    }
    out.flush()?;
    Ok(())
}

fn described_json(group: &GroupStanding, progress: &[Progress]) -> serde_json::Value {
    let description = &group.description;
    let place = |place: &TopicPartition| json!({"topic": place.topic, "partition": place.partition});
    let members = description.members.iter().map(|member| {
        let partitions: Vec<_> = member.partitions.iter().map(place).collect();
        json!({"member": member.id, "client": member.client, "host": member.host, "partitions": partitions})
    });
    let members: Vec<_> = members.collect();
    let partitions = progress.iter().map(|progress| {
        json!({
            "topic": progress.place.topic,
            "partition": progress.place.partition,
            "committed": progress.committed,
            "end": progress.end,
            "lag": progress.lag(),
            "member": progress.member.map(|index| &description.members[index].id),
        })
    });
    let partitions: Vec<_> = partitions.collect();
    json!({
        "group": description.name,
        "state": description.state.to_string(),
        "kind": kind_name(&group.kind),
        "query": query_id(&group.kind),
        "members": members,
        "partitions": partitions,
    })
}

fn described_text(group: &GroupStanding, progress: &[Progress], out: &mut Output) -> Result<(), Stop> {
    let description = &group.description;
    out.line(&format!("Group {} ({}): {}", description.name, kind_text(&group.kind), description.state))?;
    let member = |index: Option<usize>| match index.map(|index| &description.members[index]) {
        Some(member) => [member.id.clone(), member.client.clone(), member.host.clone()],
        None => ["-", "-", "-"].map(str::to_owned),
    };
    let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let mut rows: Vec<Vec<String>> = Vec::new();
    for progress in progress {
        let (topic, partition) = (progress.place.topic.clone(), progress.place.partition.to_string());
        let mut row = vec![topic, partition, number(progress.committed), number(progress.end), number(progress.lag())];
        row.extend(member(progress.member));
        rows.push(row);
    }
    // Who has come when all partitions were given away.
    for (index, _) in description.members.iter().enumerate().filter(|(_, member)| member.partitions.is_empty()) {
        let mut row = vec!["-".to_owned(); 5];
        row.extend(member(Some(index)));
        rows.push(row);
    }
    show_table(&["Topic", "Partition", "Committed", "End", "Lag", "Member", "Client", "Host"], &rows, out)
}

#[cfg(test)]
mod tests;

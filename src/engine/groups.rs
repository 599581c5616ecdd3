//! Groups and the queries that they belong to: what `millpond group` shows, and where it may let a group read anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::Sink;
use crate::catalog::{QueryEntry, SourceKind};
use crate::engine::Inner;
use crate::engine::face::{GroupKind, GroupStanding, QueryOfGroup, Trial};
use crate::engine::query::QueryState;
use crate::error::{Error, Result};
use crate::log::{GroupDescription, GroupMember, GroupState, LogError, TopicPartition};
use crate::messages;

/// What the names of all services' query groups begin with, and what stands before the query's id.
const QUERY_GROUP: (&str, &str) = ("_confluent-ksql-", "query_");
/// How the names of topics end that hold state: Millpond's, ksqlDB's and those of Kafka Streams.
const CHANGELOG: &str = "-changelog";

/// Whether a query may read from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// What it writes of a record follows from that record alone.
    Nothing,
    /// Groups, the rows of a join's sides, or those of a table that it reads.
    State,
}

fn keeps(sink: &Sink) -> Keeps {
    let of_table = sink.analyzed.sources.iter().any(|source| source.kind == SourceKind::Table);
    match of_table || sink.analyzed.plan.keeps_state() {
        true => Keeps::State,
        false => Keeps::Nothing,
    }
}

impl Inner {
    /// All groups, or one by its name or its query's id.
    pub(super) fn groups(&self, wanted: Option<&str>) -> Result<Vec<GroupStanding>> {
        let mut names = match wanted {
            Some(wanted) => vec![self.group_name(wanted)],
            None => {
                let of_queries =
                    self.catalog.read().queries().map(|query| self.service.query_group(&query.id)).collect();
                [self.log.groups()?, of_queries].concat()
            }
        };
        names.sort();
        names.dedup();
        let described = self.log.describe_groups(&names)?;
        Ok(described.into_iter().map(|group| self.standing(group)).collect())
    }

    /// The group of a query by the query's id; else the name of a group.
    fn group_name(&self, wanted: &str) -> String {
        let catalog = self.catalog.read();
        match catalog.query(wanted).or_else(|| catalog.query(&wanted.to_uppercase())) {
            Some(query) => self.service.query_group(&query.id),
            None => wanted.to_owned(),
        }
    }

    fn query_of(&self, group: &str) -> Option<QueryEntry> {
        self.catalog.read().queries().find(|query| self.service.query_group(&query.id) == group).cloned()
    }

    fn standing(&self, mut description: GroupDescription) -> GroupStanding {
        let kind = match self.query_of(&description.name) {
            Some(query) => {
                let topics = self.sources_of(&query);
                if self.works_alone_on(&query) {
                    description.state = GroupState::Stable;
                    description.members = vec![self.only_member(&query.id, &topics)];
                }
                GroupKind::Query(QueryOfGroup { id: query.id, topics })
            }
            None if is_query_group(&description.name) => GroupKind::OtherService,
            None => GroupKind::Consumer,
        };
        GroupStanding { description, kind }
    }

    fn sources_of(&self, query: &QueryEntry) -> Vec<String> {
        let sinks = self.sinks.read();
        let sources = sinks.get(&query.id).map(|sink| sink.analyzed.sources.as_slice()).unwrap_or_default();
        sources.iter().map(|source| source.topic.clone()).collect()
    }

    /// On the embedded log a query joins no group: this process has all of it, and it goes on from where it is, whatever
    /// the log's positions say. A paused one does nothing until it is told to, one that failed neither.
    fn works_alone_on(&self, query: &QueryEntry) -> bool {
        let state = self.query_state(&query.id);
        let idle = matches!(state, None | Some(QueryState::Failed(_) | QueryState::Finished | QueryState::Stopped));
        self.seat.is_none() && !query.paused && !idle
    }

    fn only_member(&self, id: &str, topics: &[String]) -> GroupMember {
        let places = |topic: &String| {
            let partitions = 0..self.log.partitions(topic).unwrap_or(0);
            let topic = topic.clone();
            partitions.map(move |partition| TopicPartition { topic: topic.clone(), partition })
        };
        GroupMember {
            id: id.to_owned(),
            client: "millpond".to_owned(),
            host: format!("process {}", std::process::id()),
            partitions: topics.iter().flat_map(places).collect(),
        }
    }

    /// Sets positions of a group, so that it reads from elsewhere. `Trial::Only`: says what would be in the way.
    ///
    /// Errors: somebody is at work in the group, it keeps state that follows from what was read, it belongs to another
    /// service, or a position isn't of the topics that its query reads.
    pub(super) fn reset_group(
        &self,
        group: &str,
        positions: &BTreeMap<TopicPartition, i64>,
        trial: Trial,
    ) -> Result<()> {
        // No query starts, pauses or goes on meanwhile.
        let _one_at_a_time = self.changing.lock();
        let query = self.query_of(group);
        self.refuse_state(group, query.as_ref())?;
        if let Some(query) = &query {
            let topics = self.sources_of(query);
            if let Some(place) = positions.keys().find(|place| !topics.contains(&place.topic)) {
                return Err(messages::groups::topic_of_others(&query.id, &place.topic, &topics));
            }
            if self.works_alone_on(query) {
                return Err(messages::groups::query_at_work(&query.id));
            }
        }
        self.refuse_members(group, query.as_ref())?;
        if trial == Trial::Only {
            return Ok(());
        }
        let set = || self.log.alter_positions(group, positions).map_err(|error| at_work(error, query.as_ref()));
        let run = query.as_ref().filter(|_| self.seat.is_none()).and_then(|query| {
            let sink = self.sinks.read().get(&query.id).cloned()?;
            self.query_state(&query.id).map(|_| (query, sink))
        });
        let Some((query, sink)) = run else { return set() };
        // It would go on from where it is, and its next commit would set its positions again.
        self.halt_query(&query.id);
        let outcome = set();
        let started = self.start_query(query, sink);
        outcome.and(started)
    }

    fn refuse_state(&self, group: &str, query: Option<&QueryEntry>) -> Result<()> {
        if let Some(query) = query {
            let sink: Option<Arc<Sink>> = self.sinks.read().get(&query.id).cloned();
            return match sink {
                Some(sink) if keeps(&sink) == Keeps::Nothing => Ok(()),
                Some(sink) => {
                    let sink = &sink.source;
                    Err(messages::groups::state_of_query(&query.id, &sink.name, sink.kind))
                }
                None => Err(Error::internal(format!("query {} has no plan", query.id))),
            };
        }
        if is_query_group(group) {
            return Err(messages::groups::of_other_service(group));
        }
        // Another application's, whose name is that of its group.
        let changelog = |topic: &String| topic.starts_with(&format!("{group}-")) && topic.ends_with(CHANGELOG);
        match self.log.topics().into_iter().find(changelog) {
            Some(topic) => Err(messages::groups::state_of_application(group, &topic)),
            None => Ok(()),
        }
    }

    fn refuse_members(&self, group: &str, query: Option<&QueryEntry>) -> Result<()> {
        match self.log.group_members(group)?.len() {
            0 => Ok(()),
            members => Err(at_work(LogError::GroupAtWork { group: group.to_owned(), members }, query)),
        }
    }
}

fn is_query_group(name: &str) -> bool {
    name.strip_prefix(QUERY_GROUP.0).is_some_and(|rest| rest.contains(QUERY_GROUP.1))
}

/// What to do about members that are at work.
fn at_work(error: LogError, query: Option<&QueryEntry>) -> Error {
    if !matches!(error, LogError::GroupAtWork { .. }) {
        return error.into();
    }
    messages::groups::members_at_work(&error.to_string(), query.is_some())
}

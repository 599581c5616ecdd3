//! The topics that a statement makes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Change;
use super::run::retention_ms;
use crate::analyze::{Sink, properties::With};
use crate::catalog::{DeletedTopic, FoundRecords, Source, SourceKind};
use crate::dataflow::{changelog_topics, layout};
use crate::engine::Inner;
use crate::error::{Error, Result};
use crate::log::{LogError, MAX_MESSAGE_BYTES_MAX, TopicDescription, TopicPartition, TopicSpec, create_if_missing};
use crate::messages;
use crate::messages::topics::Differences;
use crate::plan::Plan;
use crate::time::now;

/// Segments of changelogs and of topics that hold a table. The last one isn't compacted, but read at every start: with
/// segments of a gigabyte a start would read many millions of changes of few keys.
const TABLE_SEGMENT_BYTES: u64 = 16 << 20;

/// How long a topic may be there for some and not for others.
const SETTLE_MAX: Duration = Duration::from_secs(5);
const SETTLE_POLL: Duration = Duration::from_millis(20);

const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

impl Inner {
    /// The topics by which rows come from stage to stage, where processes share the work.
    pub(super) fn exchanges_of(&self, query_id: &str, sink: &Sink) -> Result<Vec<TopicSpec>> {
        if !self.is_shared() {
            return Ok(Vec::new());
        }
        let group = self.service.query_group(query_id);
        let layout = layout(&sink.analyzed.plan, &group, &*self.log)?;
        let exchange = |(name, partitions): (String, u32)| {
            let configs = BTreeMap::from([
                ("retention.ms".to_string(), "-1".to_string()),
                (MAX_MESSAGE_BYTES.to_string(), MAX_MESSAGE_BYTES_MAX.to_string()),
            ]);
            self.internal_topics.apply(TopicSpec { name, partitions, replicas: None, configs })
        };
        let read = layout.iter().filter_map(|stage| Some((stage.out.clone()?, layout[stage.to?.0].partitions)));
        Ok(read.map(exchange).collect())
    }

    /// Makes a changelog unless it is there. One that has Kafka's default for the size of a record gets more: a group of
    /// lists is a single record.
    pub(super) fn make_changelog(&self, spec: &TopicSpec) -> Result<()> {
        if create_if_missing(&*self.log, spec)? {
            return Ok(());
        }
        let configs = self.log.describe_topic(&spec.name)?.configs;
        if configs.iter().any(|config| config.name == MAX_MESSAGE_BYTES && config.is_default) {
            let more = (MAX_MESSAGE_BYTES.to_string(), Some(MAX_MESSAGE_BYTES_MAX.to_string()));
            // Where that isn't allowed the query runs all the same; a group that doesn't fit will tell.
            let _ = self.log.alter_topic(&spec.name, None, &[more]);
        }
        Ok(())
    }

    /// The topics for the changes of a query's state.
    pub(super) fn changelogs_of(&self, query_id: &str, sink: &Sink) -> Result<Vec<TopicSpec>> {
        let config = |name: &str, value: String| (name.to_string(), value);
        let configs = BTreeMap::from([
            config("cleanup.policy", "compact".to_string()),
            config("segment.bytes", TABLE_SEGMENT_BYTES.to_string()),
            config(MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES_MAX.to_string()),
        ]);
        let group = self.service.query_group(query_id);
        let plan = &sink.analyzed.plan;
        let mut specs = Vec::new();
        for (stage, names) in layout(plan, &group, &*self.log)?.iter().zip(changelog_topics(&group, plan)) {
            let spec =
                |name| TopicSpec { name, partitions: stage.partitions, replicas: None, configs: configs.clone() };
            specs.extend(names.into_iter().map(|name| self.internal_topics.apply(spec(name))));
        }
        Ok(specs)
    }

    /// A topic that is to be deleted, as its command names it; None: it isn't there.
    pub(super) fn identified(&self, topic: &str) -> Result<Option<DeletedTopic>> {
        match self.log.describe_topic(topic) {
            Ok(TopicDescription { id: Some(id), .. }) => {
                Ok(Some(DeletedTopic { name: topic.to_string(), id: id.to_string() }))
            }
            // Whoever finishes the deletion must be able to tell it from a later one of its name.
            Ok(_) => Err(messages::cluster::topic_without_id(topic)),
            Err(LogError::UnknownTopic(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What a topic holds now, that a query is to write to. None: nothing.
    ///
    /// Errors: it can't be found out now.
    pub(super) fn found_records(&self, topic: &str) -> Result<Option<FoundRecords>> {
        let (id, partitions) = match (self.log.topic_id(topic), self.log.partitions(topic)) {
            (Err(LogError::UnknownTopic(_)), _) => return Ok(None),
            // It was made, or has gone, between the two looks.
            (Ok(_), None) => return Err(LogError::Unavailable(format!("topic '{topic}' changes just now")).into()),
            (id, Some(partitions)) => (id?, partitions),
            (Err(error), None) => return Err(error.into()),
        };
        let place = |partition| TopicPartition { topic: topic.to_string(), partition };
        let ends: Vec<i64> =
            (0..partitions).map(|partition| Ok(self.log.offsets(&place(partition))?.1)).collect::<Result<_>>()?;
        // A cluster without ids tells no topics apart: what is found counts as the query's then.
        let Some(id) = id else { return Ok(None) };
        Ok(ends.iter().any(|&end| end > 0).then(|| FoundRecords { topic_id: id.to_string(), ends }))
    }

    /// Deletes the topic that a command meant, if it is still there.
    pub(super) fn delete_meant(&self, meant: &DeletedTopic) -> Result<()> {
        // What is known of the topic may be older than another process's deletion of it.
        let id = match self.log.describe_topic(&meant.name) {
            Ok(described) => described.id,
            Err(LogError::UnknownTopic(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if id.is_none_or(|id| id.to_string() != meant.id) {
            return Ok(());
        }
        match self.log.delete_topic(&meant.name) {
            Ok(()) | Err(LogError::UnknownTopic(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many partitions a topic has; None: it isn't there. On a cluster one that is being deleted, or made, is waited for.
    ///
    /// Errors: it can't be found out now.
    fn settled_partitions(&self, topic: &str) -> Result<Option<u32>> {
        let asked = now();
        loop {
            let Some(partitions) = self.log.partitions(topic) else { return Ok(None) };
            if !self.is_shared() {
                return Ok(Some(partitions));
            }
            let place = |partition| TopicPartition { topic: topic.to_string(), partition };
            match self.log.offsets_of(&(0..partitions).map(place).collect::<Vec<_>>()) {
                Ok(_) => return Ok(Some(partitions)),
                Err(LogError::UnknownTopic(_)) if asked.elapsed() < SETTLE_MAX => {}
                Err(error) => return Err(error.into()),
            }
            self.log.forget_topics();
            std::thread::sleep(SETTLE_POLL);
        }
    }

    /// How many partitions each stage of a plan has.
    ///
    /// Errors: a topic that it reads isn't there, or topics whose rows must meet have different numbers of partitions.
    pub(in crate::engine) fn stage_partitions(&self, plan: &Plan) -> Result<Vec<u32>> {
        plan.partitions(&|source| self.partitions_of(&source.topic))
    }

    pub(super) fn partitions_of(&self, topic: &str) -> Result<u32> {
        self.log.partitions(topic).ok_or_else(|| Error::from(LogError::UnknownTopic(topic.to_string())))
    }
}

impl Change<'_> {
    /// The topic to make for a source; None when it is there already (and fits). `origin`: the query whose rows
    /// go there.
    pub(super) fn topic_for(&self, source: &Source, with: &With, origin: Option<&Sink>) -> Result<Option<TopicSpec>> {
        if self.replay.is_some() {
            return Ok(None);
        }
        self.inner.await_cleared(&source.topic, None)?;
        if with.retention_ms.is_some() && source.kind == SourceKind::Table && source.window.is_none() {
            return Err(messages::topics::retention_of_table());
        }
        if let Some(there) = self.inner.settled_partitions(&source.topic)? {
            self.check_fits(&source.topic, there, with)?;
            return Ok(None);
        }
        let inherited = origin.map(|origin| self.inner.inherited(origin)).transpose()?.unwrap_or_default();
        let default = inherited.partitions.or(self.inner.create_missing_topics.then_some(1));
        let Some(partitions) = with.partitions.or(default) else {
            return Err(messages::topics::missing(&source.topic));
        };
        let asked = with.replicas.map(replicas).transpose()?.filter(|_| self.inner.seat.is_some());
        Ok(Some(TopicSpec {
            name: source.topic.clone(),
            partitions,
            replicas: asked.or(inherited.replicas),
            configs: configs(source, with.retention_ms.or(inherited.retention_ms), inherited.window_retention_ms),
        }))
    }

    fn check_fits(&self, topic: &str, partitions: u32, with: &With) -> Result<()> {
        let mut differences = Differences {
            partitions: with.partitions.filter(|asked| *asked != partitions).map(|asked| (asked, partitions)),
            replicas: None,
        };
        if let Some(asked) = with.replicas.filter(|_| self.inner.seat.is_some()) {
            let there = self.inner.log.describe_topic(topic)?.replicas();
            differences.replicas = there.filter(|there| u32::from(*there) != asked).map(|there| (asked, there));
        }
        match differences.any() {
            false => Ok(()),
            true => Err(messages::topics::exists_otherwise(topic, &differences)
                .at(with.at("PARTITIONS"))
                .at(with.at("REPLICAS"))),
        }
    }

    /// What of a WITH clause doesn't hold on this log.
    pub(super) fn unheeded(&self, with: &With) -> Vec<String> {
        let replicas = with.replicas.filter(|replicas| *replicas > 1 && self.inner.seat.is_none());
        let text =
            |replicas| format!("REPLICAS = {replicas} is for a Kafka cluster: the log in this folder keeps one copy");
        replicas.map(text).into_iter().collect()
    }
}

fn replicas(asked: u32) -> Result<u16> {
    u16::try_from(asked).map_err(|_| messages::topics::replicas(asked))
}

/// What the topic of a query's sink has from the source's.
#[derive(Debug, Default)]
struct Inherited {
    partitions: Option<u32>,
    replicas: Option<u16>,
    /// None: its records don't expire by time.
    retention_ms: Option<i64>,
    /// How long the windows of the query's table are kept.
    window_retention_ms: Option<i64>,
}

impl Inner {
    fn inherited(&self, origin: &Sink) -> Result<Inherited> {
        let topic = match self.log.describe_topic(&origin.analyzed.first().topic) {
            Ok(topic) => topic,
            Err(LogError::UnknownTopic(_)) => return Ok(Inherited::default()),
            Err(error) => return Err(error.into()),
        };
        Ok(Inherited {
            partitions: Some(topic.partitions.len() as u32),
            replicas: topic.replicas(),
            retention_ms: topic.retention_ms(),
            window_retention_ms: retention_ms(&origin.analyzed.plan),
        })
    }
}

/// As ksqlDB has them; but what would never expire by the source's retention doesn't here either.
fn configs(source: &Source, retention_ms: Option<i64>, window_retention_ms: Option<i64>) -> BTreeMap<String, String> {
    let limited = retention_ms.filter(|ms| *ms >= 0);
    let (policy, retention_ms) = match source.kind {
        SourceKind::Stream => ("delete", limited),
        SourceKind::Table => match limited.filter(|_| source.window.is_some()) {
            // A window that still changes must not be gone.
            Some(limited) => ("compact,delete", Some(limited.max(window_retention_ms.unwrap_or(0)))),
            None => ("compact", None),
        },
    };
    let mut configs = BTreeMap::from([
        ("cleanup.policy".to_string(), policy.to_string()),
        ("retention.ms".to_string(), retention_ms.unwrap_or(-1).to_string()),
    ]);
    if source.kind == SourceKind::Table {
        configs.insert("segment.bytes".to_string(), TABLE_SEGMENT_BYTES.to_string());
    }
    configs
}

//! Changes of topics and groups: each is checked and becomes a journal record, as durable as a commit is; what removes
//! files is on disk before they go.

use super::commit::Writer;
use super::config::{self, TopicConfigs};
use super::journal::Entry;
use super::{FsyncPolicy, Inner};
use crate::log::{LogError, PartitionDescription, TopicDescription, TopicPartition, TopicSpec, is_internal_topic};

const PARTITIONS_MAX: u32 = 100_000;

impl Inner {
    pub(super) fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        check_name(&spec.name)?;
        check_partitions(spec.partitions)?;
        check_replicas(spec.replicas)?;
        TopicConfigs::parse(&spec.configs)?;
        self.change(&spec.name, |_| {
            if self.catalog.topic(&spec.name).is_ok() {
                return Err(LogError::TopicExists(spec.name.clone()));
            }
            let (name, partitions, configs) = (spec.name.clone(), spec.partitions, spec.configs.clone());
            Ok(vec![Entry::CreateTopic { id: self.catalog.next_topic_id(), name, partitions, configs }])
        })
    }

    pub(super) fn alter_topic(
        &self,
        topic: &str,
        partitions: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError> {
        self.change(topic, |_| {
            let found = self.catalog.topic(topic)?;
            let shape = found.shape.read().clone();
            let now = shape.partitions.len() as u32;
            let partitions = partitions.unwrap_or(now);
            check_partitions(partitions)?;
            if partitions < now {
                return Err(LogError::Invalid(format!(
                    "topic '{topic}' has {now} partitions; they can't be made fewer ({partitions})"
                )));
            }
            let mut set = shape.set;
            for (name, value) in configs {
                config::check_name(name)?;
                match value {
                    Some(value) => set.insert(name.clone(), value.clone()),
                    None => set.remove(name),
                };
            }
            TopicConfigs::parse(&set)?;
            Ok(vec![Entry::AlterTopic { id: found.id, partitions, configs: set }])
        })
    }

    pub(super) fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.change(topic, |_| Ok(vec![Entry::DeleteTopic { id: self.catalog.topic(topic)?.id }]))
    }

    pub(super) fn empty_topic(&self, topic: &str) -> Result<(), LogError> {
        self.change(topic, |_| {
            let topic = self.catalog.topic(topic)?;
            let trim = |partition: &std::sync::Arc<super::topic::Partition>| {
                let first = partition.state.read().next;
                Entry::Trim { topic: topic.id, partition: partition.number, first }
            };
            Ok(topic.partitions().iter().map(trim).collect())
        })
    }

    pub(super) fn delete_records(&self, at: &TopicPartition, below: i64) -> Result<(), LogError> {
        self.change(&at.topic, |_| {
            let (topic, partition) = self.catalog.partition(at)?;
            let state = partition.state.read();
            if below < 0 || below > state.next {
                let (topic, partition) = (at.topic.clone(), at.partition);
                let (first, next) = (state.first, state.next);
                return Err(LogError::OffsetOutOfRange { topic, partition, asked: below, first, next });
            }
            if below <= state.first {
                return Ok(Vec::new());
            }
            Ok(vec![Entry::Trim { topic: topic.id, partition: at.partition, first: below }])
        })
    }

    pub(super) fn delete_group(&self, group: &str) -> Result<(), LogError> {
        self.change("", |_| Ok(vec![Entry::DeleteGroup { group: group.to_owned() }]))
    }

    /// Nothing at or above `offset` is removed by retention or compaction until `owner` holds another offset there or
    /// lets go. It outlives a restart.
    pub(super) fn hold(&self, owner: &str, at: &TopicPartition, offset: i64) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        writer.check_poison()?;
        let topic = self.catalog.topic(&at.topic)?.id;
        let entry = Entry::Hold { owner: owner.to_owned(), topic, partition: at.partition, offset };
        self.journal(&mut writer, &entry)
    }

    pub(super) fn release(&self, owner: &str) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        writer.check_poison()?;
        self.journal(&mut writer, &Entry::Release { owner: owner.to_owned() })
    }

    /// Writes what `entries` decides under the lock.
    fn change(
        &self,
        topic: &str,
        entries: impl FnOnce(&mut Writer) -> Result<Vec<Entry>, LogError>,
    ) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        writer.check_poison()?;
        for entry in entries(&mut writer)? {
            self.journal(&mut writer, &entry)?;
        }
        let removes = !writer.garbage.is_empty();
        drop(writer);
        self.find_flush_ms_min();
        self.ring(&[topic]);
        match removes || self.options.fsync == FsyncPolicy::Commit {
            true => self.sync(),
            false => Ok(()),
        }
    }

    pub(super) fn describe_topic(&self, name: &str) -> Result<TopicDescription, LogError> {
        let topic = self.catalog.topic(name)?;
        let shape = topic.shape.read().clone();
        let partitions = shape.partitions.iter().map(|partition| {
            let state = partition.state.read();
            PartitionDescription {
                first_offset: state.first,
                next_offset: state.next,
                bytes: Some(state.bytes()),
                replication: None,
            }
        });
        Ok(TopicDescription {
            name: topic.name.clone(),
            id: Some(topic.identity()),
            partitions: partitions.collect(),
            configs: config::describe(&shape.set),
            internal: is_internal_topic(&topic.name),
        })
    }
}

/// Kafka's rules.
fn check_name(name: &str) -> Result<(), LogError> {
    let invalid = |reason: &str| Err(LogError::Invalid(format!("topic name '{name}' is not allowed: {reason}")));
    if name.is_empty() || name == "." || name == ".." {
        return invalid("it can't be empty, '.' or '..'");
    }
    if name.len() > 249 {
        return invalid("it has more than 249 characters");
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
        Some(bad) => invalid(&format!("'{bad}' is none of a-z, A-Z, 0-9, '.', '_' and '-'")),
        None => Ok(()),
    }
}

fn check_partitions(partitions: u32) -> Result<(), LogError> {
    match (1..=PARTITIONS_MAX).contains(&partitions) {
        true => Ok(()),
        false => Err(LogError::Invalid(format!(
            "a topic can't have {partitions} partitions: it must be from 1 to {PARTITIONS_MAX}"
        ))),
    }
}

/// As Kafka has it on a single broker.
fn check_replicas(replicas: Option<u16>) -> Result<(), LogError> {
    match replicas {
        None | Some(1) => Ok(()),
        Some(count) => Err(LogError::Invalid(format!(
            "a topic can't have {count} replicas (INVALID_REPLICATION_FACTOR): this log keeps one copy, a Kafka cluster \
             keeps more"
        ))),
    }
}

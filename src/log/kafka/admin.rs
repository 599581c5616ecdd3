//! Topics: what people and the engine ask a cluster to change, and what it says of them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::CALL_TIMEOUT;
use super::cluster::{Cluster, END, FIRST, patiently};
use super::native::{ConfigOp, PartitionList, Seen, TopicMetadata};
use crate::log::{
    LogError, PartitionDescription, TopicDescription, TopicPartition, TopicSpec, TopicSummary, is_internal_topic,
};
use crate::time;

/// How long until all brokers know of a change.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(15);
const SETTLE_POLL: Duration = Duration::from_millis(20);

impl Cluster {
    /// Returns when the topic can be written; also when it is there already.
    pub(super) fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let name = spec.name.as_str();
        self.ask("creating topic", name)?;
        let made = self.client.create_topic(name, spec.partitions, spec.replicas, &spec.configs, CALL_TIMEOUT);
        if let Err(failure) = made {
            let error = self.failed("creating topic", Some(name), failure);
            if let LogError::TopicExists(_) = error {
                // Another process makes it at this moment.
                self.settle(name, |topic| topic.is_some_and(|leaders| leaders.iter().all(|led| *led)))?;
            }
            return Err(error);
        }
        self.settle(name, |topic| {
            topic.is_some_and(|leaders| leaders.len() >= spec.partitions as usize && leaders.iter().all(|led| *led))
        })
    }

    pub(super) fn alter_topic(
        &self,
        topic: &str,
        partitions: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError> {
        self.ask("altering topic", topic)?;
        let now = self.topic(topic)?.partitions.len() as u32;
        // Configs first: a wrong one changes nothing then.
        if !configs.is_empty() {
            let ops: Vec<_> = configs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref().map_or(ConfigOp::Delete, ConfigOp::Set)))
                .collect();
            self.client
                .alter_configs(topic, &ops, CALL_TIMEOUT)
                .map_err(|failure| self.failed("altering topic", Some(topic), failure))?;
        }
        let Some(total) = partitions.filter(|total| *total != now) else { return Ok(()) };
        self.client
            .create_partitions(topic, total, CALL_TIMEOUT)
            .map_err(|failure| self.failed("adding partitions to topic", Some(topic), failure))?;
        self.settle(topic, |found| {
            found.is_some_and(|leaders| leaders.len() >= total as usize && leaders.iter().all(|led| *led))
        })
    }

    /// Returns when no broker lists the topic any more.
    pub(super) fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.ask("deleting topic", topic)?;
        self.client
            .delete_topic(topic, CALL_TIMEOUT)
            .map_err(|failure| self.failed("deleting topic", Some(topic), failure))?;
        self.settle(topic, |found| found.is_none())
    }

    /// Fails where the cluster doesn't answer now. Calls that go to its controller are made behind this: with no broker to be
    /// had, librdkafka looks for one without a pause until the call times out.
    fn ask(&self, doing: &str, topic: &str) -> Result<(), LogError> {
        self.refresh().map_err(|failure| self.failed(doing, Some(topic), failure))
    }

    pub(super) fn empty_topic(&self, topic: &str) -> Result<(), LogError> {
        let places = self.places(topic)?;
        let below: Vec<_> = places.iter().map(|place| (place, END)).collect();
        self.delete_below(topic, &below)
    }

    pub(super) fn delete_records(&self, place: &TopicPartition, below: i64) -> Result<(), LogError> {
        let (first, next) = self.offsets(place)?;
        if below < 0 || below > next {
            let (topic, partition) = (place.topic.clone(), place.partition);
            return Err(LogError::OffsetOutOfRange { topic, partition, asked: below, first, next });
        }
        match below <= first {
            true => Ok(()),
            false => self.delete_below(&place.topic, &[(place, below)]),
        }
    }

    fn delete_below(&self, topic: &str, below: &[(&TopicPartition, i64)]) -> Result<(), LogError> {
        PartitionList::new(below)
            .and_then(|below| patiently(|| self.client.delete_records(&below, CALL_TIMEOUT)))
            .map_err(|failure| self.failed("deleting records of topic", Some(topic), failure))
    }

    pub(super) fn describe_topic(&self, name: &str) -> Result<TopicDescription, LogError> {
        self.ask("describing topic", name)?;
        let topic = self.topic(name)?;
        let places = self.places(name)?;
        let first = self.list_offsets(&places, FIRST, Seen::Committed)?;
        let next = self.list_offsets(&places, END, Seen::Committed)?;
        let configs = self
            .client
            .describe_configs(name, CALL_TIMEOUT)
            .map_err(|failure| self.failed("describing topic", Some(name), failure))?;
        let partitions = topic.partitions.into_iter().zip(first.iter().zip(&next));
        let partitions = partitions.map(|(replication, ((_, first), (_, next)))| PartitionDescription {
            first_offset: *first,
            next_offset: *next,
            bytes: None,
            replication: Some(replication),
        });
        Ok(TopicDescription {
            name: name.to_owned(),
            id: self.fresh_topic_id(name)?,
            partitions: partitions.collect(),
            configs,
            internal: is_internal_topic(name),
        })
    }

    /// What the metadata and two calls say of all topics.
    pub(super) fn summaries(&self) -> Result<Vec<TopicSummary>, LogError> {
        let topics = self.all_topics()?;
        let places =
            topics.iter().filter_map(|(name, topic)| Some((name, topic.as_ref()?))).flat_map(|(name, topic)| {
                // The answer would wait for a leader.
                let led = topic.partitions.iter().enumerate().filter(|(_, partition)| partition.leader.is_some());
                led.map(move |(number, _)| TopicPartition { topic: name.clone(), partition: number as u32 })
            });
        let places: Vec<TopicPartition> = places.collect();
        let (firsts, nexts) = (self.offsets_that_are_known(&places, FIRST), self.offsets_that_are_known(&places, END));
        let records = |name: &str, partitions: u32| -> Option<i64> {
            let place = |partition| TopicPartition { topic: name.to_owned(), partition };
            (0..partitions).map(place).map(|place| Some(nexts.get(&place)? - firsts.get(&place)?)).sum()
        };
        let summary = |(name, topic): (String, Option<TopicMetadata>)| {
            let partitions = topic.map(|topic| topic.partitions.len() as u32);
            let records = partitions.and_then(|partitions| records(&name, partitions));
            TopicSummary { partitions, records, ..TopicSummary::of_name(name) }
        };
        Ok(topics.into_iter().map(summary).collect())
    }

    /// Of any number of topics in one call. Those that can't be told are left out.
    fn offsets_that_are_known(&self, places: &[TopicPartition], spec: i64) -> BTreeMap<TopicPartition, i64> {
        let asked: Vec<_> = places.iter().map(|place| (place, spec)).collect();
        let known = PartitionList::new(&asked)
            .and_then(|asked| self.client.list_offsets_that_are_known(&asked, Seen::Committed, CALL_TIMEOUT));
        known.unwrap_or_default()
    }

    /// The value of a config of a topic.
    pub(super) fn config(&self, topic: &str, name: &str) -> Option<String> {
        self.ask("describing topic", topic).ok()?;
        let configs = self.client.describe_configs(topic, CALL_TIMEOUT).ok()?;
        configs.into_iter().find(|config| config.name == name).map(|config| config.value)
    }

    pub(super) fn offset_for_time(&self, place: &TopicPartition, timestamp: i64) -> Result<i64, LogError> {
        // Negative numbers have meanings of their own; and no record is before 1970 for a cluster.
        match self.offset(place, timestamp.max(0))? {
            END => self.offset(place, END),
            offset => Ok(offset),
        }
    }

    /// Waits until the topic, as whether each partition has a leader, or as none, is as it should be.
    fn settle(&self, topic: &str, settled: impl Fn(Option<Vec<bool>>) -> bool) -> Result<(), LogError> {
        let started = time::now();
        loop {
            self.forget();
            let found = match self.topic(topic) {
                Ok(found) => Some(found.partitions.iter().map(|partition| partition.leader.is_some()).collect()),
                Err(LogError::UnknownTopic(_)) => None,
                Err(LogError::Unavailable(_)) if started.elapsed() < SETTLE_TIMEOUT => Some(Vec::new()),
                Err(error) => return Err(error),
            };
            if settled(found) {
                return Ok(());
            }
            if started.elapsed() >= SETTLE_TIMEOUT {
                return Err(LogError::Unavailable(format!(
                    "the change of topic '{topic}' isn't known to all brokers yet"
                )));
            }
            std::thread::sleep(SETTLE_POLL);
        }
    }
}

//! The log that is a Kafka cluster: the same [`Log`], on librdkafka.
//!
//! What the cluster has is the truth; here are clients of it. One makes admin calls; the one that appends, those that read
//! partitions for [`Log::fetch`] and those of transactions come into being when they are needed; each member has its own
//! three (`member`). Clients outlast the cluster's being away; one that is left without a broker to turn to is given the
//! first addresses again (`native/brokers`).
//!
//! # Invariants
//!
//! - Only committed records are read: consumers are `read_committed`, and the end of a partition is its last stable
//!   offset.
//! - Offsets have gaps (markers of transactions, aborted and compacted records): a fetch's `next_offset` goes over them,
//!   so that a reader that goes on from it gets to the end.
//! - A record's partition is the caller's choice; nothing is placed by librdkafka.
//! - Nothing waits for ever: each call has a bound, and an error that says what didn't answer.
//!
//! What librdkafka can't carry: a header without a value comes to readers as one of no bytes.

mod admin;
mod background;
mod cluster;
mod config;
mod errors;
mod groups;
mod java_names;
mod member;
mod native;
mod producer;
mod reader;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Durability, GroupDescription, Log, LogError, Member, MemberSpec, Records, Signal, TopicDescription, TopicId,
    TopicPartition, TopicSpec, TopicSummary, Transaction,
};
use parking_lot::Mutex;

use background::Background;
use cluster::Cluster;
pub use config::KafkaConfig;
use config::Role;
use member::{GroupedMember, LoneReader};
use native::{Client, ClientKind};
use producer::Producer;
use reader::Readers;
use transaction::{IdleProducers, KafkaTransaction, Scope};

/// How long a call waits for the cluster.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long to look for the cluster when the log is opened.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A Kafka cluster as a log.
pub struct KafkaLog {
    cluster: Arc<Cluster>,
    /// Of appends outside transactions, from the first one on; replaced when it has failed.
    appender: Mutex<Option<Arc<Producer>>>,
    readers: Arc<Readers>,
    /// Of transactions outside members, between one and the next.
    idle: IdleProducers,
    background: Background,
}

impl KafkaLog {
    /// Finds the cluster; fails when it doesn't answer.
    pub fn open(config: &KafkaConfig) -> Result<KafkaLog, LogError> {
        let cluster = Arc::new(Cluster::new(config.clone())?);
        cluster.find(OPEN_TIMEOUT)?;
        let readers = Arc::new(Readers::new(Arc::clone(&cluster)));
        let background = Background::start(&cluster, &readers)?;
        let (appender, idle) = (Mutex::default(), IdleProducers::default());
        Ok(KafkaLog { cluster, appender, readers, idle, background })
    }

    /// One that can be used.
    fn appender(&self) -> Result<Arc<Producer>, LogError> {
        let mut appender = self.appender.lock();
        match &*appender {
            Some(producer) if producer.is_usable() => Ok(Arc::clone(producer)),
            _ => Ok(Arc::clone(appender.insert(Arc::new(Producer::appender(&self.cluster)?)))),
        }
    }

    /// The name that the cluster gives itself, the same whichever of its brokers is asked.
    ///
    /// Errors: it doesn't answer, or has none.
    pub fn cluster_id(&self) -> Result<String, LogError> {
        cluster_id(&self.cluster.client, &self.cluster.config)
    }
}

/// The name that the cluster at this address gives itself.
///
/// Errors: it doesn't answer, or has none.
pub fn find_cluster_id(config: &KafkaConfig) -> Result<String, LogError> {
    cluster_id(&*client(config, ClientKind::Producer, Role::Admin)?, config)
}

fn cluster_id(client: &Client, config: &KafkaConfig) -> Result<String, LogError> {
    client
        .cluster_id(OPEN_TIMEOUT)
        .ok_or_else(|| LogError::Unavailable(format!("nobody at {} says which cluster that is", config.bootstrap())))
}

/// A new client for a role.
fn client(config: &KafkaConfig, kind: ClientKind, role: Role<'_>) -> Result<Arc<Client>, LogError> {
    let conf = config.conf(role)?;
    // librdkafka says what doesn't go together among settings that are right one by one.
    Client::new(kind, conf).map_err(|failure| LogError::Invalid(format!("the settings can't be: {}", failure.text)))
}

impl Log for KafkaLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.cluster.create_topic(spec)
    }

    fn alter_topic(
        &self,
        topic: &str,
        partitions: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError> {
        self.cluster.alter_topic(topic, partitions, configs)
    }

    fn empty_topic(&self, topic: &str) -> Result<(), LogError> {
        self.cluster.empty_topic(topic)
    }

    fn delete_records(&self, partition: &TopicPartition, below: i64) -> Result<(), LogError> {
        self.cluster.delete_records(partition, below)
    }

    fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.cluster.delete_topic(topic)
    }

    fn topics(&self) -> Vec<String> {
        self.cluster.topics()
    }

    fn describe_topic(&self, topic: &str) -> Result<TopicDescription, LogError> {
        self.cluster.describe_topic(topic)
    }

    fn summaries(&self) -> Result<Vec<TopicSummary>, LogError> {
        self.cluster.summaries()
    }

    fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, LogError> {
        self.cluster.topic_id(topic)
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        self.cluster.partitions(topic)
    }

    fn forget_topics(&self) {
        self.cluster.forget();
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        self.cluster.offsets(partition)
    }

    fn offsets_of(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, (i64, i64)>, LogError> {
        self.cluster.offsets_of(partitions)
    }

    fn settling_end(&self, partition: &TopicPartition) -> Result<i64, LogError> {
        self.cluster.end_of_all(partition)
    }

    fn tombstones_kept_ms(&self, topic: &str) -> Option<i64> {
        let kept = self.cluster.config(topic, "delete.retention.ms");
        Some(kept.and_then(|kept| kept.parse().ok()).unwrap_or(0))
    }

    fn out_of_reach(&self) -> Option<String> {
        self.cluster.out_of_reach()
    }

    fn offset_for_time(&self, partition: &TopicPartition, timestamp: i64) -> Result<i64, LogError> {
        self.cluster.offset_for_time(partition, timestamp)
    }

    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        self.readers.fetch(partition, from, bytes_max, into)
    }

    fn append(&self, partition: &TopicPartition, records: &Records) -> Result<i64, LogError> {
        match records.is_empty() {
            true => self.offsets(partition).map(|(_, next)| next),
            false => self.appender()?.append(partition, records),
        }
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        let idle = self.idle.lock().pop();
        let producer = match idle {
            Some(producer) => producer,
            None => {
                let id = format!("millpond-{}", uuid::Uuid::new_v4());
                Arc::new(Producer::transactional(&self.cluster, &id)?)
            }
        };
        Ok(Box::new(KafkaTransaction::begin(producer, Scope::Outsider(&self.idle))?))
    }

    fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        self.cluster.group_positions(group, None)
    }

    fn groups(&self) -> Result<Vec<String>, LogError> {
        self.cluster.groups()
    }

    fn delete_group(&self, group: &str) -> Result<(), LogError> {
        self.cluster.delete_group(group)
    }

    fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError> {
        self.cluster.describe_groups(groups)
    }

    fn alter_positions(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        self.cluster.alter_positions(group, positions)
    }

    fn join(&self, spec: &MemberSpec) -> Result<Box<dyn Member>, LogError> {
        match &spec.group {
            Some(group) => Ok(Box::new(GroupedMember::join(&self.cluster, spec, group)?)),
            None => Ok(Box::new(LoneReader::new(&self.cluster, spec))),
        }
    }

    fn watch(&self, topics: &[String], signal: &Arc<Signal>) {
        self.background.watch(topics, signal);
    }

    fn durability(&self) -> Durability {
        Durability::Replicas
    }

    /// An acknowledgement is all that a cluster gives.
    fn sync(&self) -> Result<(), LogError> {
        Ok(())
    }
}

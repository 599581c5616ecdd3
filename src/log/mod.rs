//! Topics: one [`Log`] trait, with Kafka's notions and no others, and the logs that are it.
//!
//! Doesn't know what a record means.

pub mod embedded;
mod group;
#[cfg(test)]
pub(crate) mod intercepted;
mod io_cause;
pub mod kafka;
pub(crate) mod kafka_batch;
mod member;
pub mod partitioner;
mod prefixed;
mod read;
pub(crate) mod records;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use group::{GroupDescription, GroupMember, GroupState};
pub use kafka_batch::Batches;
pub(crate) use kafka_batch::{Written, record_bytes};
pub use member::{Change, Delivery, GroupSpec, Member, MemberSpec, StageTopics};
pub(crate) use prefixed::PrefixedLog;
pub(crate) use read::{for_each_fetch, has_records};
pub use records::{Header, RecordMeta, Records, Span};

/// Partition `partition` of topic `topic`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: String,
    /// Counted from 0.
    pub partition: u32,
}

/// The identity of a topic, as Kafka's topic ids: a topic that is deleted and created again under its name has another.
/// `Display` gives it as a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TopicId(pub [u8; 16]);

impl std::fmt::Display for TopicId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

impl std::str::FromStr for TopicId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<TopicId, uuid::Error> {
        Ok(TopicId(uuid::Uuid::parse_str(text)?.into_bytes()))
    }
}

/// What can go wrong with a log. `Display` gives what, and a hint where there is one.
#[derive(Debug, Clone, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum LogError {
    /// There is no topic of this name.
    #[error("topic '{0}' does not exist (UNKNOWN_TOPIC_OR_PARTITION)")]
    UnknownTopic(String),
    /// The topic is there, the partition is not.
    #[error("topic '{topic}' has no partition {partition}")]
    UnknownPartition {
        /// Name of the topic.
        topic: String,
        /// The partition that was asked for.
        partition: u32,
    },
    /// A topic of this name is there already.
    #[error("topic '{0}' already exists (TOPIC_ALREADY_EXISTS)")]
    TopicExists(String),
    /// A name, a config or a count that is not allowed; the text says which and what would be.
    #[error("{0}")]
    Invalid(String),
    /// Asked for an offset below the first or above the next one.
    #[error("offset {asked} of {topic}-{partition} is out of range: first {first}, next {next}")]
    OffsetOutOfRange {
        /// Name of the topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// The offset that was asked for.
        asked: i64,
        /// The first offset that can be read.
        first: i64,
        /// The offset that the next record gets.
        next: i64,
    },
    /// The topic's `max.message.bytes` is lower.
    #[error(
        "a record of {bytes} bytes is larger than max.message.bytes = {limit} of topic '{topic}' (MESSAGE_TOO_LARGE)"
    )]
    RecordTooLarge {
        /// Name of the topic.
        topic: String,
        /// The record's size as it would be stored.
        bytes: usize,
        /// The topic's limit, in bytes.
        limit: usize,
    },
    /// The appends of a transaction are more than the log takes in one: nothing of it is committed.
    #[error("the transaction is larger than {limit} bytes: commit before it grows beyond that")]
    TransactionTooLarge {
        /// Its appends, as encoded, may have so many bytes.
        limit: usize,
    },
    /// The disk is (nearly) full: nothing was written. Goes on when there is room again.
    #[error("the log takes no writes: {0}")]
    Full(String),
    /// Stored bytes below the committed end don't have the checksum they were written with.
    #[error("damaged data in {file} at byte {position}: {reason}")]
    Damaged {
        /// Path within the data folder.
        file: String,
        /// Byte in the file.
        position: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Another process has the log in this folder open.
    #[error("the log in {0} is held by another process")]
    Held(String),
    /// The data folder was written by a newer version.
    #[error("the data folder has format version {found}; this program knows up to {known}: use a newer millpond")]
    NewerFormat {
        /// The folder's version.
        found: u32,
        /// The newest version that this program reads.
        known: u32,
    },
    /// An fsync failed: what was written is in doubt, so the log takes no more writes until it is opened anew.
    #[error("the log is read-only since a failed write: {0}")]
    Poisoned(String),
    /// The answer to a commit was lost: it may have been committed.
    #[error("{0}; whether the transaction was committed is not known")]
    InDoubt(String),
    /// The operating system refused.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// The operating system's error.
        #[serde(with = "io_cause")]
        cause: Arc<std::io::Error>,
    },
    /// The cluster, or the part of it that is needed, doesn't answer (in time).
    #[error("the Kafka cluster is not available: {0}")]
    Unavailable(String),
    /// The cluster doesn't let us: the text has Kafka's name of the error (`TOPIC_AUTHORIZATION_FAILED`, ...).
    #[error("the Kafka cluster refuses: {0}")]
    Denied(String),
    /// Another producer with our transactional id, or another member in our place, took over.
    #[error("fenced: {0}")]
    Fenced(String),
    /// The transaction can't commit any more: a record of it was not taken, or the group changed under it.
    #[error("the transaction must be done again: {0}")]
    Aborted(String),
    /// The positions of a group with members are theirs to set.
    #[error("group '{group}' has {members} active member(s), and only they set its positions (NON_EMPTY_GROUP)")]
    GroupAtWork {
        /// Name of the group.
        group: String,
        /// How many, at least 1.
        members: usize,
    },
    /// Any other error of the cluster, under Kafka's name.
    #[error("{what} ({error})")]
    Cluster {
        /// Kafka's name of the error.
        error: String,
        /// What was tried, and why it failed.
        what: String,
    },
}

/// What helps against a [`LogError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same call again, after a while.
    Retry,
    /// Dropping the transaction and going on from the committed positions: they tell whether it was committed.
    Redo,
    /// Nothing by itself: someone must change the topic, the settings, the rights, the record.
    Mend,
}

impl LogError {
    /// What helps against it.
    pub fn remedy(&self) -> Remedy {
        match self {
            LogError::Unavailable(_) | LogError::Full(_) | LogError::Io { .. } => Remedy::Retry,
            LogError::Aborted(_)
            | LogError::TransactionTooLarge { .. }
            | LogError::Fenced(_)
            | LogError::InDoubt(_) => Remedy::Redo,
            LogError::UnknownTopic(_)
            | LogError::UnknownPartition { .. }
            | LogError::TopicExists(_)
            | LogError::Invalid(_)
            | LogError::OffsetOutOfRange { .. }
            | LogError::RecordTooLarge { .. }
            | LogError::Damaged { .. }
            | LogError::NewerFormat { .. }
            | LogError::Poisoned(_)
            | LogError::Held(_)
            | LogError::Denied(_)
            | LogError::GroupAtWork { .. }
            | LogError::Cluster { .. } => Remedy::Mend,
        }
    }
}

/// Whether a topic is Millpond's or another system's own, by its name.
pub(crate) fn is_internal_topic(name: &str) -> bool {
    const PREFIXES: [&str; 4] = ["_confluent", "__", "_millpond", "_schemas"];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What a topic is made of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TopicSpec {
    /// Letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// How many, at least 1.
    pub partitions: u32,
    /// Copies of each record in a cluster, on as many brokers. None: as the cluster has it by default. The embedded log has
    /// one and refuses more.
    #[serde(default)]
    pub replicas: Option<u16>,
    /// Under Kafka's names (`retention.ms`, `cleanup.policy`, ...). An unknown one is refused.
    pub configs: BTreeMap<String, String>,
}

/// A topic as it is now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TopicDescription {
    /// Name of the topic.
    pub name: String,
    /// None: the log gives its topics none (Kafka before 2.8).
    pub id: Option<TopicId>,
    /// By their numbers.
    pub partitions: Vec<PartitionDescription>,
    /// All configs: those that were set and the defaults of the others.
    pub configs: Vec<TopicConfig>,
    /// Millpond's own topics (changelogs, the command log, ...).
    pub internal: bool,
}

impl TopicDescription {
    /// Bytes on disk of all partitions.
    pub fn bytes(&self) -> Option<u64> {
        self.partitions.iter().map(|partition| partition.bytes).sum()
    }

    /// Copies of each record. None: there are no replicas here.
    pub(crate) fn replicas(&self) -> Option<u16> {
        let replication = self.partitions.first()?.replication.as_ref()?;
        u16::try_from(replication.replicas.len()).ok()
    }

    fn config(&self, name: &str) -> Option<&str> {
        self.configs.iter().find(|config| config.name == name).map(|config| config.value.as_str())
    }

    /// How long its records are kept, in ms. None: they don't expire by time.
    pub(crate) fn retention_ms(&self) -> Option<i64> {
        let deletes = self.config("cleanup.policy").is_some_and(|policy| policy.contains("delete"));
        self.config("retention.ms").filter(|_| deletes)?.parse().ok().filter(|ms| *ms >= 0)
    }

    /// Whether a record has the time that its writer gives it, not that of its arrival.
    pub(crate) fn keeps_record_times(&self) -> bool {
        self.config("message.timestamp.type") != Some("LogAppendTime")
    }
}

/// What a list of topics says of one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TopicSummary {
    /// Name of the topic.
    pub name: String,
    /// None: it can't be found out now.
    pub partitions: Option<u32>,
    /// Offsets between the first and the next of all partitions; after compaction some have no record. None: it can't be found
    /// out now.
    pub records: Option<i64>,
    /// Bytes on disk. None: a cluster doesn't say, or it can't be found out now.
    pub bytes: Option<u64>,
    /// Millpond's own topics, and other systems'.
    pub internal: bool,
}

impl TopicSummary {
    /// Of a topic that can't be described.
    pub(crate) fn of_name(name: String) -> TopicSummary {
        let internal = is_internal_topic(&name);
        TopicSummary { name, partitions: None, records: None, bytes: None, internal }
    }
}

impl From<TopicDescription> for TopicSummary {
    fn from(topic: TopicDescription) -> TopicSummary {
        let records = topic.partitions.iter().map(|partition| partition.next_offset - partition.first_offset).sum();
        TopicSummary {
            partitions: Some(topic.partitions.len() as u32),
            records: Some(records),
            bytes: topic.bytes(),
            internal: topic.internal,
            name: topic.name,
        }
    }
}

/// A config of a topic.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TopicConfig {
    /// Kafka's name of it.
    pub name: String,
    /// Its value, as Kafka writes it.
    pub value: String,
    /// Nobody has set it.
    pub is_default: bool,
}

/// A partition as it is now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartitionDescription {
    /// The first offset that can be read.
    pub first_offset: i64,
    /// The offset that the next committed record gets.
    pub next_offset: i64,
    /// Bytes on disk. None: a cluster doesn't say.
    pub bytes: Option<u64>,
    /// None: there are no replicas here.
    #[serde(default)]
    pub replication: Option<Replication>,
}

/// The brokers, by their numbers, that have a partition.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Replication {
    /// None: none now, so the partition can't be read or written.
    pub leader: Option<i32>,
    /// All that should have it.
    pub replicas: Vec<i32>,
    /// Those that have all of it.
    pub in_sync: Vec<i32>,
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Durability {
    /// The end of the process, however it comes (the operating system has the bytes).
    Process,
    /// Loss of power (the disk has them).
    Power,
    /// Loss of all brokers but one of those that have the partition (its in-sync replicas have them).
    Replicas,
}

/// Takes lines for people about what a process has noticed by itself.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// A log of topics. All methods may be called from any thread. Readers see committed records only.
pub trait Log: Send + Sync {
    /// Makes a topic. Errors: it is there already, or the name, a config or the number of partitions isn't allowed.
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError>;
    /// Adds partitions (never removes) and sets configs; a config of `None` goes back to its default.
    fn alter_topic(
        &self,
        topic: &str,
        partitions: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError>;
    /// Removes all records; offsets go on from where they were.
    fn empty_topic(&self, topic: &str) -> Result<(), LogError>;
    /// Removes all records below the given offset.
    fn delete_records(&self, partition: &TopicPartition, below: i64) -> Result<(), LogError>;
    /// Removes a topic with its records.
    fn delete_topic(&self, topic: &str) -> Result<(), LogError>;
    /// Names in order. Of a cluster: as last known; asked again when that is some seconds old and the cluster answers.
    fn topics(&self) -> Vec<String>;
    /// Partitions, sizes and configs of a topic.
    fn describe_topic(&self, topic: &str) -> Result<TopicDescription, LogError>;
    /// All topics, in the order of their names, each with what is known of it: one that can't be described hides no other.
    ///
    /// Errors: no topic can be asked for.
    fn summaries(&self) -> Result<Vec<TopicSummary>, LogError> {
        let summary = |name: String| match self.describe_topic(&name) {
            Ok(topic) => Some(topic.into()),
            // Deleted by somebody just now.
            Err(LogError::UnknownTopic(_)) => None,
            Err(_) => Some(TopicSummary::of_name(name)),
        };
        Ok(self.topics().into_iter().filter_map(summary).collect())
    }
    /// The identity of the topic that has this name now; of a cluster it may be two seconds old. None: the log gives its topics
    /// none. Asked at each commit of each query: it must not take longer than the commit itself.
    ///
    /// Errors: there is no such topic ([`LogError::UnknownTopic`]), or it can't be found out now.
    fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, LogError> {
        self.describe_topic(topic).map(|described| described.id)
    }
    /// None: there is no such topic (as far as is known: see `topics`).
    fn partitions(&self, topic: &str) -> Option<u32>;
    /// What is known of topics may be out of date: somebody else has changed them. It is asked anew from now on.
    fn forget_topics(&self) {}
    /// (first offset, next offset) of a partition.
    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64), LogError>;
    /// (first offset, next offset) of each of several partitions, in less time than one after another where that takes a
    /// while.
    fn offsets_of(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, (i64, i64)>, LogError> {
        partitions.iter().map(|place| Ok((place.clone(), self.offsets(place)?))).collect()
    }
    /// The end of a partition with all that transactions have written to it, those under way included. What was committed
    /// before the call lies below; a log of several machines may show it some time later.
    fn settling_end(&self, partition: &TopicPartition) -> Result<i64, LogError> {
        self.offsets(partition).map(|(_, next)| next)
    }
    /// The first offset whose record has at least this timestamp (ms); the next offset when there is none.
    fn offset_for_time(&self, partition: &TopicPartition, timestamp: i64) -> Result<i64, LogError>;

    /// Replaces the content of `into` by committed records from `from` on, in offset order: whole stored batches until
    /// about `bytes_max` bytes, at least one record when there is one, none at the end. `into.next_offset` is where to
    /// go on: after compaction or an emptied topic it can lie beyond the last record.
    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError>;

    /// Appends and commits at once. Gives the offset of the first record. The offsets in `records` are ignored. The
    /// embedded log appends all or nothing; a cluster takes records by batches, and when it fails some may be there.
    fn append(&self, partition: &TopicPartition, records: &Records) -> Result<i64, LogError>;
    /// Begins a transaction. Nothing of it can be seen before its commit; dropped without commit, it never was.
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError>;

    /// Committed positions of a group: the offset to read next. They are of topics, not of names: of a deleted topic they
    /// are gone, and one that is created again under its name begins without.
    fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError>;
    /// Groups that have positions, in order. Errors: they can't be asked for now.
    fn groups(&self) -> Result<Vec<String>, LogError>;
    /// Forgets a group's positions.
    fn delete_group(&self, group: &str) -> Result<(), LogError>;
    /// Groups as they are now, in the order asked for; one that isn't there is [`GroupState::Dead`].
    fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError>;
    /// Who is at work in a group now. A group with members takes positions from them alone.
    fn group_members(&self, group: &str) -> Result<Vec<GroupMember>, LogError> {
        let groups = self.describe_groups(&[group.to_owned()])?;
        Ok(groups.into_iter().flat_map(|group| group.members).collect())
    }
    /// Sets positions of a group that nobody is at work in, and makes the group if it isn't there; its other positions
    /// stay. Whether there are records at these offsets is the caller's affair.
    ///
    /// Errors: the group has members, a partition isn't there. Nothing is set then.
    fn alter_positions(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError>;

    /// Begins to take part in a group, or to read without one. Blocks until the transactions that a former producer of
    /// the same transactional id left open are ended.
    fn join(&self, spec: &MemberSpec) -> Result<Box<dyn Member>, LogError> {
        let _ = spec;
        Err(LogError::Invalid("queries run in the process that holds the log, not in this one".to_owned()))
    }

    /// Nothing at or above `offset` is removed by retention or compaction until `owner` holds another offset there or
    /// releases its holds: for state that uses a topic as its changelog. A log that doesn't compact by itself has nothing
    /// to do.
    fn hold(&self, owner: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        let _ = (owner, partition, offset);
        Ok(())
    }
    /// Lets go of all that `owner` holds.
    fn release(&self, owner: &str) -> Result<(), LogError> {
        let _ = owner;
        Ok(())
    }

    /// Rings `signal` whenever one of these topics has new committed records (or is changed or deleted), until the
    /// signal is dropped.
    fn watch(&self, topics: &[String], signal: &Arc<Signal>);

    /// Where records for a topic are encoded as they come, in the form in which [`Transaction::append_batches`] writes them. None:
    /// the log takes them as records only, as far as that is known now.
    fn batches(&self, topic: &str) -> Option<Batches> {
        let _ = topic;
        None
    }

    /// Whether readers see a commit from the moment on at which it returns. Not so on a cluster, nor over a socket.
    fn shows_commits_at_once(&self) -> bool {
        false
    }

    /// How long a tombstone of a compacted topic stays there at least, ms; 0 where that can't be found out. None: for as long as
    /// somebody holds it.
    fn tombstones_kept_ms(&self, topic: &str) -> Option<i64> {
        let _ = topic;
        None
    }

    /// Why the log can't be reached now, as far as that is known without asking it. None: nothing is known to be in the way.
    fn out_of_reach(&self) -> Option<String> {
        None
    }

    /// What who keeps it should know, a line each: data that opening had to cut, work of its own that fails.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// What an acknowledged append or commit survives.
    fn durability(&self) -> Durability;
    /// Makes all that is committed survive loss of power.
    fn sync(&self) -> Result<(), LogError>;
}

/// Creates a topic unless it is there, with whatever configs. Tells whether it wasn't.
pub fn create_if_missing(log: &dyn Log, spec: &TopicSpec) -> Result<bool, LogError> {
    // A cluster without a controller makes none, and librdkafka looks for one without a pause.
    if log.partitions(&spec.name).is_some() {
        return Ok(false);
    }
    match log.create_topic(spec) {
        Ok(()) => Ok(true),
        Err(LogError::TopicExists(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The greatest `max.message.bytes` that a topic may have: the topics of state have it, since a group can't be cut.
pub(crate) const MAX_MESSAGE_BYTES_MAX: usize = 1 << 30;

/// One of Millpond's own topics: a single partition, and nothing expires.
pub(crate) fn internal_topic(name: &str) -> TopicSpec {
    let configs = BTreeMap::from([("retention.ms".to_string(), "-1".to_string())]);
    TopicSpec { name: name.to_string(), partitions: 1, replicas: None, configs }
}

/// What an append took of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All of them.
    All,
    /// None of them.
    Nothing,
}

/// Appends to many partitions and positions that become visible together.
pub trait Transaction {
    /// The offsets in `records` are ignored; they get theirs at the commit.
    fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError>;
    /// Appends records that were encoded by [`Log::batches`], and takes them out of `batches`. Where it can't write them as they
    /// are (the topic's configs have changed, a record is one that it refuses) they stay, and are to be appended as records.
    fn append_batches(&mut self, partition: &TopicPartition, batches: &mut Batches) -> Result<Appended, LogError> {
        let _ = (partition, batches);
        Ok(Appended::Nothing)
    }
    /// Whether an append that failed took nothing, so that the transaction may go on without those records. Else only
    /// dropping the transaction helps.
    fn refuses_whole_appends(&self) -> bool {
        false
    }
    /// Notes the next offset that a group reads of a partition.
    fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError>;
    /// All or nothing. An error other than `Poisoned` and `InDoubt` means that nothing was committed. On a cluster readers
    /// see it, partition by partition, some milliseconds after this returns.
    fn commit(self: Box<Self>) -> Result<(), LogError>;
}

/// Something to wait on: rung by the log, by the engine at shutdown, by a pull query that wants an answer.
#[derive(Debug, Default)]
pub struct Signal {
    rung: parking_lot::Mutex<bool>,
    condition: parking_lot::Condvar,
}

impl Signal {
    /// Wakes whoever waits, or the next one who does.
    pub fn ring(&self) {
        *self.rung.lock() = true;
        self.condition.notify_all();
    }

    /// Waits until it is rung (or was since the last wait), at most `timeout`. Tells whether it was.
    pub fn wait(&self, timeout: std::time::Duration) -> bool {
        let mut rung = self.rung.lock();
        if !*rung {
            self.condition.wait_for(&mut rung, timeout);
        }
        std::mem::take(&mut *rung)
    }
}

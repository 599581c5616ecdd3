//! A log for tests that may refuse, or look on, before it does what it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::embedded::EmbeddedLog;
use super::{
    Durability, GroupDescription, Log, LogError, Member, MemberSpec, Records, Signal, TopicDescription, TopicPartition,
    TopicSpec, Transaction,
};

/// What the log is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    CreateTopic(&'a TopicSpec),
    Append(&'a TopicPartition),
    /// It is there: an error now is an answer that was lost.
    Appended(&'a TopicPartition),
    DescribeTopic(&'a str),
    Groups,
    Fetch(&'a TopicPartition),
    Offsets(&'a TopicPartition),
    /// And the offset.
    Hold(&'a TopicPartition, i64),
}

type Hook = dyn Fn(Call<'_>) -> Result<(), LogError> + Send + Sync;

/// A log in memory, and what is called before (or after) each of the calls above: its error is theirs. A fetch gives no more than
/// one stored batch.
pub struct Intercepted {
    pub log: EmbeddedLog,
    hook: Box<Hook>,
}

impl Intercepted {
    pub fn new(hook: impl Fn(Call<'_>) -> Result<(), LogError> + Send + Sync + 'static) -> Intercepted {
        Intercepted { log: EmbeddedLog::in_memory(), hook: Box::new(hook) }
    }
}

#[test]
fn a_topic_that_cannot_be_described_is_listed_without_counts() {
    let log = Intercepted::new(|call| match call {
        Call::DescribeTopic("b") => Err(LogError::Denied("said so".to_owned())),
        Call::DescribeTopic("c") => Err(LogError::UnknownTopic("c".to_owned())),
        _ => Ok(()),
    });
    for name in ["a", "b", "c"] {
        let spec = TopicSpec { name: name.to_owned(), partitions: 2, replicas: None, configs: BTreeMap::new() };
        log.create_topic(&spec).unwrap();
    }
    let told: Vec<_> = log.summaries().unwrap().into_iter().map(|topic| (topic.name, topic.partitions)).collect();
    assert_eq!(told, [("a".to_owned(), Some(2)), ("b".to_owned(), None)]);
}

impl Log for Intercepted {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        (self.hook)(Call::CreateTopic(spec))?;
        self.log.create_topic(spec)
    }

    fn append(&self, partition: &TopicPartition, records: &Records) -> Result<i64, LogError> {
        (self.hook)(Call::Append(partition))?;
        let offset = self.log.append(partition, records)?;
        (self.hook)(Call::Appended(partition))?;
        Ok(offset)
    }

    fn fetch(&self, partition: &TopicPartition, from: i64, _: usize, into: &mut Records) -> Result<(), LogError> {
        (self.hook)(Call::Fetch(partition))?;
        self.log.fetch(partition, from, 1, into)
    }

    fn join(&self, spec: &MemberSpec) -> Result<Box<dyn Member>, LogError> {
        self.log.join(spec)
    }

    fn shows_commits_at_once(&self) -> bool {
        self.log.shows_commits_at_once()
    }

    fn alter_topic(
        &self,
        topic: &str,
        partitions: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError> {
        self.log.alter_topic(topic, partitions, configs)
    }

    fn empty_topic(&self, topic: &str) -> Result<(), LogError> {
        self.log.empty_topic(topic)
    }

    fn delete_records(&self, partition: &TopicPartition, below: i64) -> Result<(), LogError> {
        self.log.delete_records(partition, below)
    }

    fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.log.delete_topic(topic)
    }

    fn topics(&self) -> Vec<String> {
        self.log.topics()
    }

    fn describe_topic(&self, topic: &str) -> Result<TopicDescription, LogError> {
        (self.hook)(Call::DescribeTopic(topic))?;
        self.log.describe_topic(topic)
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        self.log.partitions(topic)
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        (self.hook)(Call::Offsets(partition))?;
        self.log.offsets(partition)
    }

    fn offset_for_time(&self, partition: &TopicPartition, timestamp: i64) -> Result<i64, LogError> {
        self.log.offset_for_time(partition, timestamp)
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        self.log.begin()
    }

    fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        self.log.positions(group)
    }

    fn groups(&self) -> Result<Vec<String>, LogError> {
        (self.hook)(Call::Groups)?;
        self.log.groups()
    }

    fn delete_group(&self, group: &str) -> Result<(), LogError> {
        self.log.delete_group(group)
    }

    fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError> {
        self.log.describe_groups(groups)
    }

    fn alter_positions(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        self.log.alter_positions(group, positions)
    }

    fn hold(&self, owner: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        (self.hook)(Call::Hold(partition, offset))?;
        self.log.hold(owner, partition, offset)
    }

    fn release(&self, owner: &str) -> Result<(), LogError> {
        self.log.release(owner)
    }

    fn watch(&self, topics: &[String], signal: &Arc<Signal>) {
        self.log.watch(topics, signal);
    }

    fn durability(&self) -> Durability {
        self.log.durability()
    }

    fn sync(&self) -> Result<(), LogError> {
        self.log.sync()
    }
}

//! A part of a log with names of its own: topics, groups and transactional ids get a prefix on their way to it and lose it on
//! the way back, so that whoever uses it sees neither others nor the prefix.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Change, Durability, GroupDescription, GroupMember, Log, LogError, Member, MemberSpec, Records, Signal, StageTopics,
    TopicDescription, TopicId, TopicPartition, TopicSpec, TopicSummary, Transaction, is_internal_topic,
};

/// The topics and groups of a log whose names begin with a prefix.
pub(crate) struct PrefixedLog {
    log: Arc<dyn Log>,
    prefix: Prefix,
    configs: BTreeMap<String, String>,
}

impl PrefixedLog {
    /// `prefix`: letters, digits, `.`, `_` and `-`, as in a topic's name. `configs`: of new topics, where their makers don't
    /// say otherwise.
    pub(crate) fn new(log: Arc<dyn Log>, prefix: &str, configs: BTreeMap<String, String>) -> PrefixedLog {
        PrefixedLog { log, prefix: Prefix(prefix.to_owned()), configs }
    }
}

/// Between names here and names in the log.
#[derive(Clone)]
struct Prefix(String);

impl Prefix {
    fn put(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }

    /// None: it is another's.
    fn take<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(&self.0)
    }

    fn place(&self, place: &TopicPartition) -> TopicPartition {
        TopicPartition { topic: self.put(&place.topic), partition: place.partition }
    }

    fn places(&self, places: &[TopicPartition]) -> Vec<TopicPartition> {
        places.iter().map(|place| self.place(place)).collect()
    }

    fn own(&self, place: TopicPartition) -> Option<TopicPartition> {
        Some(TopicPartition { topic: self.take(&place.topic)?.to_owned(), ..place })
    }

    fn own_all(&self, places: Vec<TopicPartition>) -> Vec<TopicPartition> {
        places.into_iter().filter_map(|place| self.own(place)).collect()
    }

    fn own_positions(&self, positions: BTreeMap<TopicPartition, i64>) -> BTreeMap<TopicPartition, i64> {
        positions.into_iter().filter_map(|(place, offset)| Some((self.own(place)?, offset))).collect()
    }

    fn own_names(&self, names: Vec<String>) -> Vec<String> {
        names.iter().filter_map(|name| self.take(name)).map(str::to_owned).collect()
    }

    /// The prefix is nobody's business.
    fn error(&self, error: LogError) -> LogError {
        let own = |text: String| text.replace(&self.0, "");
        match error {
            LogError::UnknownTopic(topic) => LogError::UnknownTopic(own(topic)),
            LogError::UnknownPartition { topic, partition } => {
                LogError::UnknownPartition { topic: own(topic), partition }
            }
            LogError::TopicExists(topic) => LogError::TopicExists(own(topic)),
            LogError::OffsetOutOfRange { topic, partition, asked, first, next } => {
                LogError::OffsetOutOfRange { topic: own(topic), partition, asked, first, next }
            }
            LogError::RecordTooLarge { topic, bytes, limit } => {
                LogError::RecordTooLarge { topic: own(topic), bytes, limit }
            }
            LogError::Invalid(text) => LogError::Invalid(own(text)),
            LogError::InDoubt(text) => LogError::InDoubt(own(text)),
            LogError::Unavailable(text) => LogError::Unavailable(own(text)),
            LogError::Denied(text) => LogError::Denied(own(text)),
            LogError::Fenced(text) => LogError::Fenced(own(text)),
            LogError::Aborted(text) => LogError::Aborted(own(text)),
            LogError::GroupAtWork { group, members } => LogError::GroupAtWork { group: own(group), members },
            LogError::Cluster { error, what } => LogError::Cluster { error, what: own(what) },
            error @ (LogError::TransactionTooLarge { .. }
            | LogError::Full(_)
            | LogError::Damaged { .. }
            | LogError::Held(_)
            | LogError::NewerFormat { .. }
            | LogError::Poisoned(_)
            | LogError::Io { .. }) => error,
        }
    }

    fn own_result<T>(&self, result: Result<T, LogError>) -> Result<T, LogError> {
        result.map_err(|error| self.error(error))
    }
}

impl Log for PrefixedLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let mut configs = self.configs.clone();
        configs.extend(spec.configs.clone());
        let spec = TopicSpec { name: self.prefix.put(&spec.name), configs, ..spec.clone() };
        self.prefix.own_result(self.log.create_topic(&spec))
    }

    fn alter_topic(
        &self,
        topic: &str,
        partitions: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError> {
        self.prefix.own_result(self.log.alter_topic(&self.prefix.put(topic), partitions, configs))
    }

    fn empty_topic(&self, topic: &str) -> Result<(), LogError> {
        self.prefix.own_result(self.log.empty_topic(&self.prefix.put(topic)))
    }

    fn delete_records(&self, partition: &TopicPartition, below: i64) -> Result<(), LogError> {
        self.prefix.own_result(self.log.delete_records(&self.prefix.place(partition), below))
    }

    fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.prefix.own_result(self.log.delete_topic(&self.prefix.put(topic)))
    }

    fn topics(&self) -> Vec<String> {
        self.prefix.own_names(self.log.topics())
    }

    fn describe_topic(&self, topic: &str) -> Result<TopicDescription, LogError> {
        let described = self.prefix.own_result(self.log.describe_topic(&self.prefix.put(topic)))?;
        Ok(TopicDescription { name: topic.to_owned(), internal: is_internal_topic(topic), ..described })
    }

    fn summaries(&self) -> Result<Vec<TopicSummary>, LogError> {
        let own = |topic: TopicSummary| {
            let name = self.prefix.take(&topic.name)?.to_owned();
            Some(TopicSummary { internal: is_internal_topic(&name), name, ..topic })
        };
        Ok(self.prefix.own_result(self.log.summaries())?.into_iter().filter_map(own).collect())
    }

    fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, LogError> {
        self.log.topic_id(&self.prefix.put(topic))
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        self.log.partitions(&self.prefix.put(topic))
    }

    fn forget_topics(&self) {
        self.log.forget_topics();
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        self.prefix.own_result(self.log.offsets(&self.prefix.place(partition)))
    }

    fn offset_for_time(&self, partition: &TopicPartition, timestamp: i64) -> Result<i64, LogError> {
        self.prefix.own_result(self.log.offset_for_time(&self.prefix.place(partition), timestamp))
    }

    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        self.prefix.own_result(self.log.fetch(&self.prefix.place(partition), from, bytes_max, into))
    }

    fn append(&self, partition: &TopicPartition, records: &Records) -> Result<i64, LogError> {
        self.prefix.own_result(self.log.append(&self.prefix.place(partition), records))
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        let transaction = self.prefix.own_result(self.log.begin())?;
        Ok(Box::new(PrefixedTransaction { transaction, prefix: &self.prefix }))
    }

    fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        let positions = self.prefix.own_result(self.log.positions(&self.prefix.put(group)))?;
        Ok(self.prefix.own_positions(positions))
    }

    fn groups(&self) -> Result<Vec<String>, LogError> {
        Ok(self.prefix.own_names(self.log.groups()?))
    }

    fn delete_group(&self, group: &str) -> Result<(), LogError> {
        self.prefix.own_result(self.log.delete_group(&self.prefix.put(group)))
    }

    fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError> {
        let asked: Vec<String> = groups.iter().map(|group| self.prefix.put(group)).collect();
        let described = self.prefix.own_result(self.log.describe_groups(&asked))?;
        let own = |member: GroupMember| GroupMember { partitions: self.prefix.own_all(member.partitions), ..member };
        let of = |(name, group): (&String, GroupDescription)| {
            let members = group.members.into_iter().map(own).collect();
            GroupDescription { name: name.clone(), members, ..group }
        };
        Ok(groups.iter().zip(described).map(of).collect())
    }

    fn alter_positions(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        let positions = positions.iter().map(|(place, offset)| (self.prefix.place(place), *offset)).collect();
        self.prefix.own_result(self.log.alter_positions(&self.prefix.put(group), &positions))
    }

    fn join(&self, spec: &MemberSpec) -> Result<Box<dyn Member>, LogError> {
        let mut spec = spec.clone();
        let put = |name: &mut String| *name = self.prefix.put(name);
        for StageTopics { lead, followers } in &mut spec.stages {
            put(lead);
            followers.iter_mut().for_each(put);
        }
        if let Some(group) = &mut spec.group {
            put(&mut group.id);
            put(&mut group.transactional_id);
            group.instance_id.as_mut().map(put);
        }
        let member = self.prefix.own_result(self.log.join(&spec))?;
        Ok(Box::new(PrefixedMember { member, prefix: self.prefix.clone() }))
    }

    fn hold(&self, owner: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        let place = self.prefix.place(partition);
        self.prefix.own_result(self.log.hold(&self.prefix.put(owner), &place, offset))
    }

    fn release(&self, owner: &str) -> Result<(), LogError> {
        self.prefix.own_result(self.log.release(&self.prefix.put(owner)))
    }

    fn watch(&self, topics: &[String], signal: &Arc<Signal>) {
        let topics: Vec<String> = topics.iter().map(|topic| self.prefix.put(topic)).collect();
        self.log.watch(&topics, signal);
    }

    fn offsets_of(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, (i64, i64)>, LogError> {
        let asked: Vec<_> = partitions.iter().map(|place| self.prefix.place(place)).collect();
        let found = self.prefix.own_result(self.log.offsets_of(&asked))?;
        let found = asked.iter().zip(partitions).filter_map(|(asked, place)| Some((place.clone(), *found.get(asked)?)));
        Ok(found.collect())
    }

    fn settling_end(&self, partition: &TopicPartition) -> Result<i64, LogError> {
        self.prefix.own_result(self.log.settling_end(&self.prefix.place(partition)))
    }

    fn shows_commits_at_once(&self) -> bool {
        self.log.shows_commits_at_once()
    }

    fn tombstones_kept_ms(&self, topic: &str) -> Option<i64> {
        self.log.tombstones_kept_ms(&self.prefix.put(topic))
    }

    fn out_of_reach(&self) -> Option<String> {
        self.log.out_of_reach()
    }

    fn warnings(&self) -> Vec<String> {
        self.log.warnings()
    }

    fn durability(&self) -> Durability {
        self.log.durability()
    }

    fn sync(&self) -> Result<(), LogError> {
        self.log.sync()
    }
}

struct PrefixedTransaction<'a> {
    transaction: Box<dyn Transaction + 'a>,
    prefix: &'a Prefix,
}

impl Transaction for PrefixedTransaction<'_> {
    fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError> {
        self.prefix.own_result(self.transaction.append(&self.prefix.place(partition), records))
    }

    fn refuses_whole_appends(&self) -> bool {
        self.transaction.refuses_whole_appends()
    }

    fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        let place = self.prefix.place(partition);
        self.prefix.own_result(self.transaction.set_position(&self.prefix.put(group), &place, offset))
    }

    fn commit(self: Box<Self>) -> Result<(), LogError> {
        self.prefix.own_result(self.transaction.commit())
    }
}

struct PrefixedMember {
    member: Box<dyn Member>,
    prefix: Prefix,
}

impl Member for PrefixedMember {
    fn poll(&self) -> Result<Vec<Change>, LogError> {
        let own = |places| self.prefix.own_all(places);
        let changes = self.prefix.own_result(self.member.poll())?.into_iter().map(|change| match change {
            Change::Given(places) => Change::Given(own(places)),
            Change::Revoked(places) => Change::Revoked(own(places)),
            Change::Lost(places) => Change::Lost(own(places)),
        });
        Ok(changes.collect())
    }

    fn give_up(&self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        self.prefix.own_result(self.member.give_up(&self.prefix.places(partitions)))
    }

    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        self.prefix.own_result(self.member.fetch(&self.prefix.place(partition), from, bytes_max, into))
    }

    fn end(&self, partition: &TopicPartition) -> Option<i64> {
        self.member.end(&self.prefix.place(partition))
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        let transaction = self.prefix.own_result(self.member.begin())?;
        Ok(Box::new(PrefixedTransaction { transaction, prefix: &self.prefix }))
    }

    fn positions(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        let positions = self.prefix.own_result(self.member.positions(&self.prefix.places(partitions)))?;
        Ok(self.prefix.own_positions(positions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::embedded::EmbeddedLog;

    fn topic(name: &str) -> TopicSpec {
        TopicSpec { name: name.to_owned(), partitions: 1, replicas: None, configs: BTreeMap::new() }
    }

    fn records(value: &str) -> Records {
        let mut records = Records::default();
        records.push(None, Some(value.as_bytes()), 0);
        records
    }

    #[test]
    fn two_parts_of_a_log_see_nothing_of_each_other() {
        let whole: Arc<dyn Log> = Arc::new(EmbeddedLog::in_memory());
        let [one, two] = ["one-", "two-"].map(|prefix| PrefixedLog::new(whole.clone(), prefix, BTreeMap::new()));
        let place = TopicPartition { topic: "t".to_owned(), partition: 0 };
        for (part, value) in [(&one, "a"), (&two, "b")] {
            part.create_topic(&topic("t")).unwrap();
            let mut transaction = part.begin().unwrap();
            transaction.append(&place, &records(value)).unwrap();
            transaction.set_position("g", &place, i64::from(value == "b")).unwrap();
            transaction.commit().unwrap();
        }
        assert_eq!(whole.topics(), ["one-t", "two-t"]);
        for (part, value) in [(&one, "a"), (&two, "b")] {
            assert_eq!((part.topics(), part.groups().unwrap()), (vec!["t".to_owned()], vec!["g".to_owned()]));
            assert_eq!(part.positions("g").unwrap(), BTreeMap::from([(place.clone(), i64::from(value == "b"))]));
            let mut found = Records::default();
            part.fetch(&place, 0, 1 << 10, &mut found).unwrap();
            assert_eq!((found.len(), found.value(0)), (1, Some(value.as_bytes())));
            assert_eq!(part.describe_topic("t").unwrap().name, "t");
        }
        one.delete_topic("t").unwrap();
        assert_eq!(whole.topics(), ["two-t"]);
        let gone = one.offsets(&place).unwrap_err();
        assert_eq!(gone.to_string(), "topic 't' does not exist (UNKNOWN_TOPIC_OR_PARTITION)");
    }
}

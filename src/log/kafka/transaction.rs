//! Appends and positions that become visible together; and, at-least-once, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::errors::{log_error, may_retry};
use super::member::GroupedMember;
use super::native::{Code, Failure, GroupMetadata, PartitionList};
use super::producer::Producer;
use crate::log::{LogError, Records, TopicPartition, Transaction};
use crate::time;

/// How long a commit may take.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(60);
/// Longer than librdkafka waits with the positions of a transaction: that is its timeout at most.
const ANSWER_GRACE: Duration = Duration::from_secs(5);
const ABORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Producers of transactions outside members that are kept for the next one.
const IDLE_PRODUCERS_MAX: usize = 4;

pub(super) type IdleProducers = Mutex<Vec<Arc<Producer>>>;

/// Whose transaction it is.
pub(super) enum Scope<'a> {
    /// Nobody's in a group; its producer goes back to the idle ones.
    Outsider(&'a IdleProducers),
    Member(&'a GroupedMember),
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Ended,
}

pub(super) struct KafkaTransaction<'a> {
    producer: Arc<Producer>,
    scope: Scope<'a>,
    /// That it appends to.
    topics: BTreeSet<String>,
    positions: Positions,
    stage: Stage,
}

/// By group.
type Positions = BTreeMap<String, BTreeMap<TopicPartition, i64>>;

impl<'a> KafkaTransaction<'a> {
    pub(super) fn begin(producer: Arc<Producer>, scope: Scope<'a>) -> Result<KafkaTransaction<'a>, LogError> {
        producer.take()?;
        if let Err(failure) = producer.client.begin_transaction() {
            if failure.fatal {
                producer.break_down();
            }
            producer.release();
            return Err(log_error("beginning a transaction", None, failure));
        }
        let (topics, positions) = (BTreeSet::new(), Positions::new());
        Ok(KafkaTransaction { producer, scope, topics, positions, stage: Stage::Open })
    }

    fn send_positions(&self) -> Result<(), LogError> {
        for (group, positions) in &self.positions {
            // The generation of now is as good as that of the beginning: librdkafka doesn't go into another one with a
            // partition that wasn't given up, and one that was is no longer this member's.
            let (by, list) = match &self.scope {
                Scope::Outsider(_) => {
                    self.refuse_at_work(group)?;
                    let list: Vec<_> = positions.iter().map(|(place, offset)| (place, *offset)).collect();
                    let by = GroupMetadata::outsider(group).map_err(|failure| self.failed(failure))?;
                    (by, PartitionList::new(&list))
                }
                Scope::Member(member) => (member.generation(positions.keys())?, member.labelled(positions)),
            };
            let list = list.map_err(|failure| self.failed(failure))?;
            let (list, by, client) = (Arc::new(list), Arc::new(by), &self.producer.client);
            let within = self.producer.cluster.config.transaction_timeout() + ANSWER_GRACE;
            let mut lost = false;
            let sent = retried(|left| match client.send_offsets(&list, &by, left, within) {
                Some(outcome) => outcome,
                None => {
                    lost = true;
                    Err(Failure::new(Code::RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer to a commit's positions"))
                }
            });
            if lost {
                self.producer.break_down();
                return Err(LogError::Aborted(format!(
                    "the cluster gave no answer to the positions of group '{group}'"
                )));
            }
            sent.map_err(|failure| self.failed(failure))?;
        }
        Ok(())
    }

    /// The cluster would take an outsider's positions, and the members would go on from others.
    fn refuse_at_work(&self, group: &str) -> Result<(), LogError> {
        match self.producer.cluster.group_members(group)?.len() {
            0 => Ok(()),
            members => Err(LogError::GroupAtWork { group: group.to_owned(), members }),
        }
    }

    /// A commit is answered before the group's coordinator knows of it. Members ask for positions in a way that waits
    /// for that; others see them by this.
    fn await_positions(&self) -> Result<(), LogError> {
        if let Scope::Member(_) = self.scope {
            return Ok(());
        }
        for (group, positions) in &self.positions {
            let places: Vec<_> = positions.keys().map(|place| (place, 0)).collect();
            let places = PartitionList::new(&places).map_err(|failure| self.failed(failure))?;
            self.producer.cluster.group_positions(group, Some(&places))?;
        }
        Ok(())
    }

    fn failed(&self, failure: Failure) -> LogError {
        if failure.fatal {
            self.producer.break_down();
        }
        // The records that weren't taken say more than that the transaction can't go on.
        match self.producer.client.undelivered().filter(|_| failure.abort) {
            Some(record) => self.producer.failed(None, Failure { abort: true, ..record }),
            None => self.producer.transaction_failed(&self.topics, failure),
        }
    }

    fn abort(&mut self) {
        if self.stage == Stage::Open
            && self.producer.is_usable()
            && retried_for(ABORT_TIMEOUT, |left| self.producer.client.abort_transaction(left)).is_err()
        {
            self.producer.break_down();
        }
        self.end();
    }

    /// The producer is free for the next.
    fn end(&mut self) {
        if self.stage == Stage::Ended {
            return;
        }
        self.stage = Stage::Ended;
        self.producer.release();
        if let Scope::Outsider(idle) = self.scope
            && self.producer.is_usable()
        {
            let mut idle = idle.lock();
            if idle.len() < IDLE_PRODUCERS_MAX {
                idle.push(Arc::clone(&self.producer));
            }
        }
    }
}

impl Transaction for KafkaTransaction<'_> {
    fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError> {
        if !self.topics.contains(&partition.topic) {
            self.topics.insert(partition.topic.clone());
        }
        self.producer.send(partition, records, None)
    }

    fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        if let Scope::Member(member) = self.scope {
            member.check_group(group)?;
        }
        self.positions.entry(group.to_owned()).or_default().insert(partition.clone(), offset);
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), LogError> {
        if let Err(error) = self.send_positions() {
            self.abort();
            return Err(aborted(error));
        }
        match retried(|left| self.producer.client.commit_transaction(left)) {
            Ok(()) => {
                self.end();
                // It is committed, whether that can be seen soon or not.
                drop(self.await_positions());
                Ok(())
            }
            Err(failure) if may_retry(&failure) => {
                // It can neither be taken back nor be known to be done: a new producer of the same id finds it ended.
                self.producer.break_down();
                self.end();
                let error = self.failed(failure);
                Err(LogError::InDoubt(error.to_string()))
            }
            Err(failure) => {
                let error = self.failed(failure);
                self.abort();
                Err(aborted(error))
            }
        }
    }
}

impl Drop for KafkaTransaction<'_> {
    fn drop(&mut self) {
        self.abort();
    }
}

/// What is to be retried is the transaction, not the call.
fn aborted(error: LogError) -> LogError {
    match error {
        LogError::Unavailable(what) => LogError::Aborted(what),
        error => error,
    }
}

/// Makes a call until it succeeds, fails for good, or `COMMIT_TIMEOUT` is over.
fn retried(call: impl FnMut(Duration) -> Result<(), Failure>) -> Result<(), Failure> {
    retried_for(COMMIT_TIMEOUT, call)
}

fn retried_for(timeout: Duration, mut call: impl FnMut(Duration) -> Result<(), Failure>) -> Result<(), Failure> {
    /// Between two tries of a call that fails at once.
    const PAUSE: Duration = Duration::from_millis(20);
    let started = time::now();
    loop {
        match call(timeout.saturating_sub(started.elapsed())) {
            Err(failure) if may_retry(&failure) && started.elapsed() < timeout => std::thread::sleep(PAUSE),
            outcome => return outcome,
        }
    }
}

/// At-least-once: records go as they are appended; positions follow when all of them are there.
pub(super) struct WriterTransaction<'a> {
    producer: Arc<Producer>,
    member: &'a GroupedMember,
    positions: BTreeMap<TopicPartition, i64>,
}

impl<'a> WriterTransaction<'a> {
    pub(super) fn begin(producer: Arc<Producer>, member: &'a GroupedMember) -> Result<WriterTransaction<'a>, LogError> {
        producer.take()?;
        // Of one that wasn't committed: its records are made again.
        drop(producer.client.undelivered());
        Ok(WriterTransaction { producer, member, positions: BTreeMap::new() })
    }
}

impl Transaction for WriterTransaction<'_> {
    fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError> {
        self.producer.send(partition, records, None)
    }

    fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.member.check_group(group)?;
        self.positions.insert(partition.clone(), offset);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), LogError> {
        let flushed = self.producer.client.flush(COMMIT_TIMEOUT);
        if let Some(record) = self.producer.client.undelivered() {
            return Err(aborted(self.producer.failed(None, record)));
        }
        if let Err(failure) = flushed {
            // What is told of these records later must not be taken for what comes with the next commit.
            self.producer.client.purge();
            self.producer.break_down();
            return Err(aborted(self.producer.failed(None, failure)));
        }
        self.member.commit_positions(&self.positions)
    }
}

impl Drop for WriterTransaction<'_> {
    fn drop(&mut self) {
        self.producer.release();
    }
}

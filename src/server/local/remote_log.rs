//! The owner's log, over the socket.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::wire::{self, AppendHead, CommitHead, FetchCall, LogAnswer, LogCall};
use super::{binary, watch};
use crate::log::{
    Durability, GroupDescription, Log, LogError, Records, Signal, TopicDescription, TopicPartition, TopicSpec,
    TopicSummary, Transaction,
};
use crate::server::client::{self, CallError, Client};

/// A [`Log`] whose calls go to the process that holds the data folder. When that process is gone, calls that can fail do
/// so with [`LogError::Io`]; lists are empty.
pub struct RemoteLog {
    client: Arc<Client>,
    durability: Durability,
    /// A write was not answered in time. The owner may still carry it out, behind whatever it is asked next: nothing is,
    /// else the write could be taken for lost and be made twice.
    silent: OnceLock<String>,
}

impl RemoteLog {
    pub(super) fn new(client: Arc<Client>, durability: Durability) -> Self {
        RemoteLog { client, durability, silent: OnceLock::new() }
    }

    fn check_not_silent(&self) -> Result<(), LogError> {
        match self.silent.get() {
            Some(error) => {
                let what = "the log of another process, which may or may not have what was written last".into();
                Err(LogError::Io { what, cause: Arc::new(std::io::Error::other(error.clone())) })
            }
            None => Ok(()),
        }
    }

    /// Posts records to be written.
    fn write(&self, path: &'static str, body: Vec<u8>) -> Result<LogAnswer, LogError> {
        self.check_not_silent()?;
        match self.client.post(path, body).and_then(|bytes| self.client.parse(&bytes)) {
            Ok(answer) => Ok(answer),
            // Only these may mean that it was written all the same.
            Err(error @ (CallError::Broken(..) | CallError::Unexpected(..))) => {
                Err(LogError::InDoubt(error.to_string()))
            }
            Err(error @ CallError::Silent(..)) => {
                let error = error.to_string();
                Err(LogError::InDoubt(self.silent.get_or_init(|| error).clone()))
            }
            Err(error) => Err(log_error(error)),
        }
    }

    fn call(&self, call: &LogCall) -> Result<LogAnswer, LogError> {
        self.check_not_silent()?;
        let attempts = if call.is_repeatable() { client::ATTEMPTS_MAX } else { 1 };
        self.client.with_attempts(attempts, || self.client.post_json(wire::LOG, call)).map_err(log_error)
    }

    fn call_done(&self, call: &LogCall) -> Result<(), LogError> {
        self.call(call).and_then(expect_done)
    }
}

/// What a failed call means for the caller of a log.
fn log_error(error: CallError) -> LogError {
    match error {
        CallError::Conflict(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| other(&error)),
        CallError::TooLarge(text) => LogError::Invalid(text),
        error => other(&error),
    }
}

fn other(error: &impl ToString) -> LogError {
    let cause = Arc::new(std::io::Error::other(error.to_string()));
    LogError::Io { what: "the log of another process".into(), cause }
}

fn unexpected(answer: &LogAnswer) -> LogError {
    other(&format!("it answered {answer:?}"))
}

fn expect_done(answer: LogAnswer) -> Result<(), LogError> {
    match answer {
        LogAnswer::Done => Ok(()),
        answer => Err(unexpected(&answer)),
    }
}

impl Log for RemoteLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.call_done(&LogCall::CreateTopic(spec.clone()))
    }

    fn alter_topic(
        &self,
        topic: &str,
        partitions: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError> {
        self.call_done(&LogCall::AlterTopic { topic: topic.into(), partitions, configs: configs.to_vec() })
    }

    fn empty_topic(&self, topic: &str) -> Result<(), LogError> {
        self.call_done(&LogCall::EmptyTopic(topic.into()))
    }

    fn delete_records(&self, partition: &TopicPartition, below: i64) -> Result<(), LogError> {
        self.call_done(&LogCall::DeleteRecords { partition: partition.clone(), below })
    }

    fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.call_done(&LogCall::DeleteTopic(topic.into()))
    }

    fn topics(&self) -> Vec<String> {
        match self.call(&LogCall::Topics) {
            Ok(LogAnswer::Names(names)) => names,
            _ => Vec::new(),
        }
    }

    fn summaries(&self) -> Result<Vec<TopicSummary>, LogError> {
        match self.call(&LogCall::Summaries)? {
            LogAnswer::Summaries(topics) => Ok(topics),
            answer => Err(unexpected(&answer)),
        }
    }

    fn describe_topic(&self, topic: &str) -> Result<TopicDescription, LogError> {
        match self.call(&LogCall::DescribeTopic(topic.into()))? {
            LogAnswer::Description(description) => Ok(description),
            answer => Err(unexpected(&answer)),
        }
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        match self.call(&LogCall::Partitions(topic.into())) {
            Ok(LogAnswer::Partitions(partitions)) => partitions,
            _ => None,
        }
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        match self.call(&LogCall::Offsets(partition.clone()))? {
            LogAnswer::Offsets(first, next) => Ok((first, next)),
            answer => Err(unexpected(&answer)),
        }
    }

    fn offsets_of(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, (i64, i64)>, LogError> {
        match self.call(&LogCall::OffsetsOf(partitions.to_vec()))? {
            LogAnswer::ManyOffsets(offsets) => Ok(offsets.into_iter().collect()),
            answer => Err(unexpected(&answer)),
        }
    }

    fn offset_for_time(&self, partition: &TopicPartition, timestamp: i64) -> Result<i64, LogError> {
        match self.call(&LogCall::OffsetForTime { partition: partition.clone(), timestamp })? {
            LogAnswer::Offset(offset) => Ok(offset),
            answer => Err(unexpected(&answer)),
        }
    }

    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        into.clear();
        self.check_not_silent()?;
        let call = FetchCall { partition: partition.clone(), from, bytes_max };
        let bytes = self.client.write(&call).map(bytes::Bytes::from).and_then(|call| {
            self.client.with_attempts(client::ATTEMPTS_MAX, || self.client.post(wire::FETCH, call.clone()))
        });
        let bytes = bytes.map_err(log_error)?;
        binary::take_records(&mut bytes.as_ref(), into).ok_or_else(|| other(&"the records that came are cut off"))
    }

    fn append(&self, partition: &TopicPartition, records: &Records) -> Result<i64, LogError> {
        let mut body = head(&AppendHead { partition: partition.clone() })?;
        binary::write_records(records, &mut body);
        match self.write(wire::APPEND, body)? {
            LogAnswer::Offset(offset) => Ok(offset),
            answer => Err(unexpected(&answer)),
        }
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        Ok(Box::new(RemoteTransaction { log: self, head: CommitHead::default(), records: Vec::new() }))
    }

    fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        match self.call(&LogCall::Positions(group.into()))? {
            LogAnswer::Positions(positions) => Ok(positions.into_iter().collect()),
            answer => Err(unexpected(&answer)),
        }
    }

    fn groups(&self) -> Result<Vec<String>, LogError> {
        match self.call(&LogCall::Groups)? {
            LogAnswer::Names(names) => Ok(names),
            answer => Err(unexpected(&answer)),
        }
    }

    fn delete_group(&self, group: &str) -> Result<(), LogError> {
        self.call_done(&LogCall::DeleteGroup(group.into()))
    }

    fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError> {
        match self.call(&LogCall::DescribeGroups(groups.to_vec()))? {
            LogAnswer::GroupDescriptions(groups) => Ok(groups),
            answer => Err(unexpected(&answer)),
        }
    }

    fn alter_positions(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        let positions = positions.iter().map(|(place, offset)| (place.clone(), *offset)).collect();
        self.call_done(&LogCall::AlterPositions { group: group.into(), positions })
    }

    fn watch(&self, topics: &[String], signal: &Arc<Signal>) {
        let Ok(topics) = self.client.write(&topics) else { return };
        let connector = Arc::clone(&self.client.connector);
        self.client.spawn(watch::watch(connector, topics.into(), Arc::downgrade(signal)));
    }

    fn warnings(&self) -> Vec<String> {
        match self.call(&LogCall::Warnings) {
            Ok(LogAnswer::Names(warnings)) => warnings,
            _ => Vec::new(),
        }
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn sync(&self) -> Result<(), LogError> {
        self.call_done(&LogCall::Sync)
    }
}

fn head(head: &impl serde::Serialize) -> Result<Vec<u8>, LogError> {
    binary::with_head(head).map_err(|error| other(&error))
}

/// Kept here until the commit, which sends it in one request: dropped, it never was. A topic that isn't there is
/// found at the commit, too.
struct RemoteTransaction<'a> {
    log: &'a RemoteLog,
    head: CommitHead,
    /// In the order of `head.appends`.
    records: Vec<u8>,
}

impl Transaction for RemoteTransaction<'_> {
    fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError> {
        if self.records.len() + binary::records_bytes(records) > wire::REQUEST_BYTES_MAX {
            return Err(LogError::Invalid(format!(
                "a transaction from an attached terminal can hold {} bytes: commit more often",
                wire::REQUEST_BYTES_MAX
            )));
        }
        binary::write_records(records, &mut self.records);
        self.head.appends.push(partition.clone());
        Ok(())
    }

    fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.head.positions.entry(group.to_owned()).or_default().push((partition.clone(), offset));
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), LogError> {
        let mut body = head(&self.head)?;
        body.extend_from_slice(&self.records);
        drop(self.records);
        self.log.write(wire::COMMIT, body).and_then(expect_done)
    }
}

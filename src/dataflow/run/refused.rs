//! What the log doesn't take of a commit.
//!
//! A record that is larger than the topic's `max.message.bytes` is data that can't be processed, as one that can't be
//! encoded: it is told of in the processing log and the query goes on. Of a table, its key keeps the record before, in the
//! topic and for pull queries alike, until one comes that fits; the state has the change, so nothing that comes later lacks
//! it.

use std::sync::atomic::Ordering;

use super::spec::Counters;
use crate::dataflow::operator::{ErrorKind, ProcessingError};
use crate::dataflow::sink::Staged;
use crate::error::Result;
use crate::log::{Appended, LogError, Records, TopicPartition, Transaction, record_bytes};

/// What is told of a record's key.
const KEY_BYTES_MAX: usize = 100;

/// Appends what the topic takes; the others are taken out of what is staged and told of in `refused`, one by one. A log that may
/// have taken some of the records before it refuses one (a cluster) ends the query instead: they would be there twice.
pub(super) fn append_staged(
    transaction: &mut dyn Transaction,
    place: &TopicPartition,
    staged: &mut Staged,
    refused: &mut Vec<ProcessingError>,
) -> Result<(), LogError> {
    if let Staged::Batches(batches) = staged
        && transaction.append_batches(place, batches)? == Appended::All
    {
        return Ok(());
    }
    append_fitting(transaction, place, staged.records()?, refused)
}

fn append_fitting(
    transaction: &mut dyn Transaction,
    place: &TopicPartition,
    records: &mut Records,
    refused: &mut Vec<ProcessingError>,
) -> Result<(), LogError> {
    loop {
        let error = match transaction.append(place, records) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let LogError::RecordTooLarge { limit, .. } = error else { return Err(error) };
        if !transaction.refuses_whole_appends() {
            return Err(error);
        }
        let all = std::mem::take(&mut records.meta);
        let before = all.len();
        for meta in all {
            records.meta.push(meta);
            let row = records.meta.len() - 1;
            let bytes = record_bytes(records, row);
            if bytes > limit {
                refused.push(too_large(records.key(row), meta.timestamp, bytes, limit, place));
                records.meta.pop();
            }
        }
        if records.meta.len() == before {
            return Err(error);
        }
    }
}

/// Notes a commit that is more than the log takes: the run that tries it again commits in smaller parts.
pub(super) fn counted(appended: Result<(), LogError>, counters: &Counters) -> Result<()> {
    if let Err(LogError::TransactionTooLarge { .. }) = appended {
        counters.too_large.fetch_add(1, Ordering::Relaxed);
    }
    Ok(appended?)
}

fn too_large(key: Option<&[u8]>, row_time: i64, bytes: usize, limit: usize, place: &TopicPartition) -> ProcessingError {
    let key = key.map(|key| String::from_utf8_lossy(&key[..key.len().min(KEY_BYTES_MAX)]).into_owned());
    ProcessingError {
        kind: ErrorKind::Serialization,
        reason: format!(
            "the record of {bytes} bytes for the key {} is larger than max.message.bytes = {limit} of topic '{}': it was not written",
            key.as_deref().unwrap_or("null"),
            place.topic
        ),
        topic: None,
        partition: None,
        offset: None,
        row_time: Some(row_time),
        record: None,
    }
}

//! The requests about topics.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use super::owner::Owner;
use super::routes::{blocking, malformed, refused};
use super::wire::{APPEND, AppendHead, CommitHead, FETCH_BYTES_MAX, FetchCall, LogAnswer, LogCall};
use super::{binary, body};
use crate::log::{Log, LogError, Records, Signal, TopicPartition};

/// How often a watch looks whether its client is still there.
const WATCHER_CHECK: Duration = Duration::from_millis(250);
/// The byte that stands for a ring.
const RING: Bytes = Bytes::from_static(b"!");

/// Runs a call of the log; its answer as JSON, or 409 and the log's error.
async fn answer<T: IntoResponse + Send + 'static>(
    owner: Arc<Owner>,
    call: impl FnOnce(&dyn Log) -> Result<T, LogError> + Send + 'static,
) -> Response {
    match blocking(move || call(&*owner.face.log())).await {
        Ok(Ok(answer)) => answer.into_response(),
        Ok(Err(error)) => (StatusCode::CONFLICT, Json(error)).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.what),
    }
}

fn cut_off() -> Response {
    refused(StatusCode::BAD_REQUEST, "the request's body is cut off or damaged")
}

pub async fn call(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    match serde_json::from_slice::<LogCall>(&bytes) {
        Ok(call) => answer(owner, move |log| run(log, call).map(Json)).await,
        Err(error) => malformed(&error),
    }
}

fn run(log: &dyn Log, call: LogCall) -> Result<LogAnswer, LogError> {
    Ok(match call {
        LogCall::CreateTopic(spec) => done(log.create_topic(&spec)?),
        LogCall::AlterTopic { topic, partitions, configs } => done(log.alter_topic(&topic, partitions, &configs)?),
        LogCall::EmptyTopic(topic) => done(log.empty_topic(&topic)?),
        LogCall::DeleteRecords { partition, below } => done(log.delete_records(&partition, below)?),
        LogCall::DeleteTopic(topic) => done(log.delete_topic(&topic)?),
        LogCall::Topics => LogAnswer::Names(log.topics()),
        LogCall::Summaries => LogAnswer::Summaries(log.summaries()?),
        LogCall::DescribeTopic(topic) => LogAnswer::Description(log.describe_topic(&topic)?),
        LogCall::Partitions(topic) => LogAnswer::Partitions(log.partitions(&topic)),
        LogCall::Offsets(partition) => {
            let (first, next) = log.offsets(&partition)?;
            LogAnswer::Offsets(first, next)
        }
        LogCall::OffsetsOf(places) => LogAnswer::ManyOffsets(log.offsets_of(&places)?.into_iter().collect()),
        LogCall::OffsetForTime { partition, timestamp } => {
            LogAnswer::Offset(log.offset_for_time(&partition, timestamp)?)
        }
        LogCall::Positions(group) => LogAnswer::Positions(log.positions(&group)?.into_iter().collect()),
        LogCall::Groups => LogAnswer::Names(log.groups()?),
        LogCall::DeleteGroup(group) => done(log.delete_group(&group)?),
        LogCall::DescribeGroups(groups) => LogAnswer::GroupDescriptions(log.describe_groups(&groups)?),
        LogCall::AlterPositions { group, positions } => {
            done(log.alter_positions(&group, &positions.into_iter().collect())?)
        }
        LogCall::Warnings => LogAnswer::Names(log.warnings()),
        LogCall::Sync => done(log.sync()?),
    })
}

fn done((): ()) -> LogAnswer {
    LogAnswer::Done
}

pub async fn fetch(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    let FetchCall { partition, from, bytes_max } = match serde_json::from_slice(&bytes) {
        Ok(call) => call,
        Err(error) => return malformed(&error),
    };
    answer(owner, move |log| {
        let mut records = Records::default();
        log.fetch(&partition, from, bytes_max.min(FETCH_BYTES_MAX), &mut records)?;
        let mut out = Vec::new();
        binary::write_records(&records, &mut out);
        Ok(out)
    })
    .await
}

pub async fn append(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    let mut rest = bytes.as_ref();
    let mut records = Records::default();
    let Some(AppendHead { partition }) = binary::take_head(&mut rest) else { return cut_off() };
    if binary::take_records(&mut rest, &mut records).is_none() {
        return cut_off();
    }
    drop(bytes);
    answer(owner, move |log| Ok(Json(LogAnswer::Offset(log.append(&partition, &records)?)))).await
}

/// The places and groups that an append or a commit writes to; None: it is cut off.
pub fn write_targets(path: &str, bytes: &[u8]) -> Option<(Vec<TopicPartition>, Vec<String>)> {
    let mut rest = bytes;
    if path == APPEND {
        let AppendHead { partition } = binary::take_head(&mut rest)?;
        return Some((vec![partition], Vec::new()));
    }
    let CommitHead { appends, positions } = binary::take_head(&mut rest)?;
    Some((appends, positions.into_keys().collect()))
}

pub async fn commit(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    let mut rest = bytes.as_ref();
    let Some(CommitHead { appends, positions }) = binary::take_head(&mut rest) else { return cut_off() };
    let mut batches = Vec::with_capacity(appends.len());
    for partition in appends {
        let mut records = Records::default();
        if binary::take_records(&mut rest, &mut records).is_none() {
            return cut_off();
        }
        batches.push((partition, records));
    }
    drop(bytes);
    answer(owner, move |log| {
        let mut transaction = log.begin()?;
        for (partition, records) in &batches {
            transaction.append(partition, records)?;
        }
        for (group, positions) in &positions {
            for (partition, offset) in positions {
                transaction.set_position(group, partition, *offset)?;
            }
        }
        transaction.commit()?;
        Ok(Json(LogAnswer::Done))
    })
    .await
}

pub async fn watch(State(owner): State<Arc<Owner>>, bytes: Bytes) -> Response {
    let topics: Vec<String> = match serde_json::from_slice(&bytes) {
        Ok(topics) => topics,
        Err(error) => return malformed(&error),
    };
    let (sender, body) = body::channel(super::wire::CHUNKS_MAX);
    tokio::task::spawn_blocking(move || send_rings(&owner, &topics, &sender));
    Body::new(body).into_response()
}

/// Rings once when the watch stands (what came before it may have been missed), then with the log, until the client goes.
fn send_rings(owner: &Owner, topics: &[String], to: &Sender<Bytes>) {
    let signal = Arc::new(Signal::default());
    owner.face.log().watch(topics, &signal);
    signal.ring();
    while !to.is_closed() && !owner.stopping.load(Ordering::Relaxed) {
        if signal.wait(WATCHER_CHECK) {
            // Full: the client has rings to come anyway.
            let _ = to.try_send(RING);
        }
    }
}

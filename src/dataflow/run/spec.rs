//! What a query is to do, and what is counted while it does it.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::changelog_topics;
use super::keeping::Keeping;
use super::recovery::RecoveryProgress;
use crate::catalog::Source;
use crate::dataflow::meter::Meters;
use crate::dataflow::operator::{ErrorKind, ProcessingError};
use crate::error::Result;
use crate::messages;
use crate::plan::Plan;
use crate::query::View;
use crate::state::snapshots::Snapshots;

/// What a query is to do.
#[derive(Clone)]
pub struct RunSpec {
    pub id: String,
    pub plan: Arc<Plan>,
    /// None: the rows are for a reader.
    pub sink: Option<SinkSpec>,
    /// `cache.max.bytes.buffering`, of all partitions together; 0: every change of a table goes on.
    pub cache_bytes_max: usize,
    /// Where a partition without a committed position begins.
    pub start: Start,
    /// Positions and state are kept in the log. Not for a reader's query.
    pub durable: bool,
    /// The group of its positions, and the prefix of its internal topics.
    pub group: String,
    /// The topic for what it can't process.
    pub processing_log: String,
    pub guarantee: Guarantee,
    /// `max.task.idle.ms`: so long rows of an input wait for those of another one that has none.
    pub idle_max: Duration,
    pub strict: Strict,
    /// Where snapshots of its state are kept; None: nowhere, as there is no folder.
    pub snapshots: Option<Snapshots>,
}

impl RunSpec {
    /// The topics of its state, by stage and state; none of a reader's query.
    pub(super) fn changelogs(&self) -> Vec<Vec<String>> {
        match self.durable {
            true => changelog_topics(&self.group, &self.plan),
            false => vec![Vec::new(); self.plan.stages.len()],
        }
    }
}

/// What a query fails of that it would else tell the processing log and go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strict {
    /// `ksql.fail.on.deserialization.error`: a record that can't be read.
    pub deserialization: bool,
    /// `ksql.timestamp.throw.on.invalid`: a record whose TIMESTAMP column has no time.
    pub timestamp: bool,
}

impl Strict {
    /// An error when one of these is what the query must not go on with.
    pub(super) fn check(self, errors: &[ProcessingError]) -> Result<()> {
        let setting = |kind| match kind {
            ErrorKind::Deserialization if self.deserialization => Some("ksql.fail.on.deserialization.error"),
            ErrorKind::RowTime if self.timestamp => Some("ksql.timestamp.throw.on.invalid"),
            _ => None,
        };
        let Some((error, setting)) = errors.iter().find_map(|error| Some((error, setting(error.kind)?))) else {
            return Ok(());
        };
        let place = match (&error.topic, error.partition, error.offset) {
            (Some(topic), Some(partition), Some(offset)) => Some((topic.as_str(), partition, offset)),
            _ => None,
        };
        Err(messages::queries::bad_record(place, &error.reason.to_string(), setting))
    }
}

/// `processing.guarantee`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Output records, positions and state become visible in one transaction.
    ExactlyOnce,
    /// Output records become visible as soon as they are made; after a crash those since the last commit come again.
    AtLeastOnce,
}

#[derive(Clone)]
pub struct SinkSpec {
    pub source: Arc<Source>,
    pub partitions: u32,
    /// The rows of the sink for pull queries, when it is a table.
    pub view: Option<Arc<View>>,
    /// None: the topic keeps its records, or gives them times of its own.
    pub keeping: Option<Keeping>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
}

/// Counts of a query since the process started.
#[derive(Debug, Default)]
pub struct Counters {
    pub rows_in: AtomicU64,
    pub rows_out: AtomicU64,
    pub late: AtomicU64,
    pub bad: AtomicU64,
    /// Records that are there and were not read yet.
    pub lag: AtomicI64,
    pub state_bytes: AtomicU64,
    pub commits: AtomicU64,
    /// That the commits took.
    pub commit_nanos: AtomicU64,
    /// Commits since the last good one that were too large for one transaction of the log.
    pub too_large: AtomicU32,
    /// What was told of records that the sink's topic doesn't keep.
    pub expiring: OnceLock<String>,
    pub snapshots: SnapshotCounters,
    pub recovery: RecoveryProgress,
    /// By operator.
    pub meters: Meters,
}

/// Counts of the snapshots of a query's state, each of one partition of one part of it.
#[derive(Debug, Default)]
pub struct SnapshotCounters {
    /// Made durable.
    pub written: AtomicU64,
    /// Could not be written.
    pub failed: AtomicU64,
    /// Why the last of these could not.
    pub last_failure: Mutex<Option<String>>,
    /// Used by a restart.
    pub used: AtomicU64,
    /// Found by a restart and not used.
    pub refused: AtomicU64,
}

//! Persistent queries, and what a driven one tells of itself.

use crate::catalog::{Catalog, QueryEntry};
use crate::dataflow::{Counters, SnapshotCounters};
use crate::engine::facts::{Counts, Health, QueryCounts, QuerySummary, Standing};
use crate::engine::query::QueryHandle;
use crate::engine::{Drive, Inner, QueryState};

/// What became of the snapshots of a query's state since the process started.
fn snapshots(counters: &SnapshotCounters) -> String {
    use std::sync::atomic::Ordering::Relaxed;
    let counts = [
        ("written", &counters.written),
        ("failed", &counters.failed),
        ("used", &counters.used),
        ("refused", &counters.refused),
    ];
    let counts = counts.map(|(what, count)| format!("{} {what}", count.load(Relaxed)));
    let failure = counters.last_failure.lock().as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    counts.join(", ") + &failure
}

/// With how much of its changelog was read, while it is read.
fn recovering(inner: &Inner, id: &str) -> String {
    let percent = match &inner.drive {
        Drive::Threads(queries) => queries.lock().get(id).and_then(|query| query.counters.recovery.percent()),
        Drive::Stepped(_) => None,
    };
    match percent {
        Some(percent) => format!("{} ({percent} %)", QueryState::Recovering),
        None => QueryState::Recovering.to_string(),
    }
}

/// What is to say of a persistent query.
pub(super) fn summary(inner: &Inner, catalog: &Catalog, query: &QueryEntry) -> QuerySummary {
    QuerySummary {
        id: query.id.clone(),
        statement: query.statement.clone(),
        sink: query.sink.clone(),
        sink_topic: catalog.source(&query.sink).map(|sink| sink.topic.clone()).unwrap_or_default(),
        standing: standing(inner, &query.id),
    }
}

/// What the queries that this process drives have counted, without looking at anything but the counters.
pub(in crate::engine) fn query_counts(inner: &Inner) -> Vec<QueryCounts> {
    let Drive::Threads(queries) = &inner.drive else { return Vec::new() };
    let of = |query: &QueryHandle| QueryCounts {
        id: query.id.clone(),
        health: health(Some(&query.state.lock())),
        counts: counts(&query.counters),
    };
    queries.lock().iter().map(of).collect()
}

fn standing(inner: &Inner, id: &str) -> Standing {
    let state = inner.query_state(id);
    let (counts, warning) = match &inner.drive {
        Drive::Threads(queries) => match queries.lock().get(id) {
            Some(query) => (Some(counts(&query.counters)), query.counters.expiring.get().cloned()),
            None => (None, None),
        },
        Drive::Stepped(_) => (None, None),
    };
    let health = health(state.as_ref());
    let state = match state {
        Some(QueryState::Recovering) => recovering(inner, id),
        Some(state) => state.to_string(),
        None if !inner.works => "NOT RUN BY THIS PROCESS".to_string(),
        None => "NOT RUNNING".to_string(),
    };
    let told_by = inner.is_shared().then(std::process::id);
    Standing { health, state, counts, warning, told_by, elsewhere: inner.elsewhere(id) }
}

/// The word for it that ksqlDB has, too.
pub(in crate::engine) fn health(state: Option<&QueryState>) -> Health {
    match state {
        Some(QueryState::Recovering | QueryState::Running | QueryState::Standby | QueryState::Finished) => {
            Health::Running
        }
        Some(QueryState::Paused) => Health::Paused,
        Some(QueryState::Blocked(_) | QueryState::Failed(_)) => Health::Error,
        Some(QueryState::Stopped) | None => Health::NotRunning,
    }
}

fn counts(counters: &Counters) -> Counts {
    use std::sync::atomic::Ordering::Relaxed;
    Counts {
        rows_in: counters.rows_in.load(Relaxed),
        rows_out: counters.rows_out.load(Relaxed),
        late: counters.late.load(Relaxed),
        bad: counters.bad.load(Relaxed),
        lag: counters.lag.load(Relaxed),
        state_bytes: counters.state_bytes.load(Relaxed),
        commits: counters.commits.load(Relaxed),
        commit_micros: counters.commit_nanos.load(Relaxed) / 1000,
        snapshots: snapshots(&counters.snapshots),
    }
}

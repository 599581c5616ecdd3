//! What a driven query tells of itself.

use crate::dataflow::{Counters, SnapshotCounters};
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

/// Where processes share the work: the one whose state and counts of a query these are. Each has those of its own part.
pub(super) const TOLD_BY: &str = "Told By";

/// State and counts of a query.
pub(super) fn query_facts(inner: &Inner, id: &str) -> Vec<(String, String)> {
    let number = |value: u64| value.to_string();
    let counts = |counters: &Counters| {
        use std::sync::atomic::Ordering::Relaxed;
        vec![
            ("Rows in".to_string(), number(counters.rows_in.load(Relaxed))),
            ("Rows out".to_string(), number(counters.rows_out.load(Relaxed))),
            ("Late".to_string(), number(counters.late.load(Relaxed))),
            ("Bad".to_string(), number(counters.bad.load(Relaxed))),
            ("Lag".to_string(), counters.lag.load(Relaxed).to_string()),
            ("State bytes".to_string(), number(counters.state_bytes.load(Relaxed))),
            ("Snapshots".to_string(), snapshots(&counters.snapshots)),
        ]
    };
    let state = match inner.query_state(id) {
        Some(QueryState::Recovering) => recovering(inner, id),
        Some(state) => state.to_string(),
        None if !inner.works => "NOT RUN BY THIS PROCESS".to_string(),
        None => "NOT RUNNING".to_string(),
    };
    let mut facts = vec![("State".to_string(), state)];
    if inner.is_shared() {
        facts.push((TOLD_BY.to_string(), format!("process {}", std::process::id())));
    }
    if let Drive::Threads(queries) = &inner.drive
        && let Some(query) = queries.lock().get(id)
    {
        facts.extend(counts(&query.counters));
        facts.extend(query.counters.expiring.get().map(|text| ("Warning".to_string(), text.clone())));
    }
    facts
}

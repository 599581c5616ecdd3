//! How far the query of a table is behind its sources: what a pull query doesn't see yet.

use std::sync::atomic::Ordering;

use crate::catalog::{Catalog, QueryEntry, Source};
use crate::dataflow::Start;
use crate::engine::change::start;
use crate::engine::job::{ends, sources};
use crate::engine::{Drive, Inner, QueryState};
use crate::error::Result;

/// A line for people when the table's query has records before it that it will count; None: it has counted all, or it
/// isn't at work.
pub(super) fn behind(inner: &Inner, catalog: &Catalog, table: &Source) -> Result<Option<String>> {
    let Some(query) = table.query_id.as_ref().and_then(|id| catalog.query(id)) else { return Ok(None) };
    let Drive::Threads(queries) = &inner.drive else { return Ok(None) };
    let told = queries.lock().get(&query.id).map(|handle| {
        // In this order: at the change from one to the other the lag is there first.
        let state = handle.state.lock().clone();
        (state, handle.counters.lag.load(Ordering::Relaxed))
    });
    let lag = match told {
        Some((QueryState::Recovering | QueryState::Blocked(_), _)) => committed_lag(inner, catalog, query)?,
        Some((QueryState::Running, lag)) => lag,
        _ => 0,
    };
    Ok((lag > 0).then(|| format!("table {} is still catching up: lag {lag}", table.name)))
}

/// Records behind the last commit of a query that has not begun to read yet.
fn committed_lag(inner: &Inner, catalog: &Catalog, query: &QueryEntry) -> Result<i64> {
    let positions = inner.log.positions(&inner.service.query_group(&query.id))?;
    let topics = sources(catalog, std::slice::from_ref(&query.id));
    let mut lag = 0;
    for (place, end) in ends(&*inner.log, topics)? {
        let first = inner.log.offsets(&place)?.0;
        lag += match positions.get(&place) {
            Some(&position) => end - position.max(first),
            None if start(&query.properties) == Start::Latest => 0,
            None => end - first,
        };
    }
    Ok(lag)
}

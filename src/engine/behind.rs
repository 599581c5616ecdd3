//! How far the query of a table is behind its sources: what a pull query doesn't see yet.

use std::sync::atomic::Ordering;

use crate::catalog::{Catalog, QueryEntry, Source};
use crate::dataflow::Start;
use crate::engine::change::start;
use crate::engine::job::{ends, sources};
use crate::engine::{Drive, Inner, QueryState};
use crate::error::Result;

/// Records that the table's query has before it and will count; 0: it has counted all, or it isn't at work.
pub(super) fn behind(inner: &Inner, catalog: &Catalog, table: &Source) -> Result<i64> {
    let Some(query) = table.query_id.as_ref().and_then(|id| catalog.query(id)) else { return Ok(0) };
    let Drive::Threads(queries) = &inner.drive else { return Ok(0) };
    let told = queries.lock().get(&query.id).map(|handle| {
        // In this order: at the change from one to the other the lag is there first.
        let state = handle.state.lock().clone();
        (state, handle.counters.lag.load(Ordering::Relaxed))
    });
    match told {
        Some((QueryState::Recovering | QueryState::Blocked(_), _)) => committed_lag(inner, catalog, query),
        Some((QueryState::Running, lag)) => Ok(lag),
        _ => Ok(0),
    }
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

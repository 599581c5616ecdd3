//! Queries for a reader. Each reads its topics by itself until it has read all that is there. Then a pull query over a stream
//! ends; push queries that keep nothing go on together, all over one stream from one reader that fetches and decodes for all.
//! One whose client is slow goes on by itself again: nobody waits for it.

mod alone;
mod client;
mod listener;
mod routes;
mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

pub use self::client::ROWS_MAX;
pub use self::shared::Pushes;

use self::alone::{Alone, Query};
use self::client::Client;
use self::listener::shared_scan;
use crate::analyze::{Target, analyze};
use crate::dataflow::{Guarantee, RunSpec, Start, Strict};
use crate::engine::change::{check_runs, start as start_of};
use crate::engine::rows::columns;
use crate::engine::{Drive, Inner, RowStream, settings};
use crate::error::Result;
use crate::log::Signal;
use crate::sql::ast;

/// Events that may wait for a slow client in its channel.
const EVENTS_MAX: usize = 64;

/// When a query ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// What is there now has been read.
    End,
    /// Its client goes away.
    Dropped,
}

/// Starts a query for a reader.
///
/// Errors: what is wrong with the query, its topics or the memory, or no thread can be started.
pub fn start(
    inner: &Arc<Inner>,
    query: &ast::Query,
    properties: &BTreeMap<String, String>,
    until: Until,
) -> Result<RowStream> {
    let catalog = inner.catalog.read().clone();
    let analyzed = analyze(query, &catalog, Target::Transient, properties)?;
    inner.stage_partitions(&analyzed.plan)?;
    check_runs(&analyzed.plan)?;
    let number = inner.next_transient.fetch_add(1, Ordering::Relaxed);
    let id = format!("transient_{}_{number}", analyzed.first().name);
    let schema = analyzed.plan.schema.clone();
    let stepped = matches!(inner.drive, Drive::Stepped(_));
    let spec = RunSpec {
        snapshots: None,
        id: id.clone(),
        plan: Arc::new(analyzed.plan),
        sink: None,
        cache_bytes_max: if stepped { 0 } else { settings::cache_bytes_max(properties) },
        idle_max: settings::idle_max(properties),
        strict: settings::strict(properties),
        start: if until == Until::End { Start::Earliest } else { start_of(properties) },
        durable: false,
        group: id.clone(),
        processing_log: inner.service.processing_log_topic(),
        guarantee: Guarantee::ExactlyOnce,
    };
    let signal = Arc::new(Signal::default());
    let mut planned =
        Query { spec, log: inner.log.clone(), memory: inner.memory.clone(), signal: signal.clone(), pushes: None };
    // The others' reader goes on where this one must not.
    let goes_on = planned.spec.strict == Strict::default();
    if until == Until::Dropped && goes_on && shared_scan(&planned).is_some() {
        planned.pushes = Some(inner.pushes.clone());
    }
    let gone = Arc::new(AtomicBool::new(false));
    let (sender, events) = sync_channel(EVENTS_MAX);
    let client = Client::new(sender, schema.clone(), query.limit, gone.clone());
    let mut opened = planned.open(gone.clone(), None)?;
    if until == Until::End {
        opened.run.stop_at_current_ends()?;
    }
    Alone::new(planned, client, opened).start()?;
    Ok(RowStream {
        columns: columns(&schema, |_| false),
        query_id: (until == Until::Dropped).then_some(id),
        events,
        on_drop: Some(Box::new(move || {
            gone.store(true, Ordering::Relaxed);
            signal.ring();
        })),
    })
}

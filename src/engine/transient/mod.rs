//! Queries for a reader. Each reads its topics by itself until it has read all that is there. Then a pull query over a stream
//! ends; push queries that keep nothing go on together, all over one stream from one reader that fetches and decodes for all.
//! One whose client is slow goes on by itself again: nobody waits for it.

mod alone;
mod bad;
mod client;
mod listener;
mod routes;
mod settled;
mod shared;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::client::ROWS_MAX;
pub use self::shared::Pushes;

use self::alone::{Alone, Query, spawn};
use self::client::Client;
use self::listener::shared_scan;
use self::settled::Settled;
use crate::analyze::{Target, analyze};
use crate::dataflow::{Guarantee, RunSpec, Start, Strict};
use crate::engine::change::{check_runs, start as start_of};
use crate::engine::rows::columns;
use crate::engine::{CHANNEL_BYTES_MAX, Drive, Inner, RowStream, event_channel, settings};
use crate::error::{Error, Result};
use crate::log::Signal;
use crate::plan::{ResultKind, Schema};
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
    let (mut planned, schema) = plan(inner, query, properties, until)?;
    // The others' reader goes on where this one must not.
    let goes_on = planned.spec.strict == Strict::default();
    if until == Until::Dropped && goes_on && shared_scan(&planned).is_some() {
        planned.pushes = Some(inner.pushes.clone());
    }
    let query_id = (until == Until::Dropped).then(|| planned.spec.id.clone());
    let (client, stream) = client(&planned, &schema, query.limit, query_id);
    let mut opened = planned.open(client.gone(), None)?;
    if until == Until::End {
        opened.run.stop_at_current_ends()?;
    }
    let result = planned.spec.plan.result;
    let mut alone = Alone::new(planned, client, opened);
    if begins_with_snapshot(query, result, properties) {
        alone = alone.with_snapshot(Settled::new(schema, result, false, inner.memory.share()))?;
    }
    alone.start()?;
    Ok(stream)
}

/// Starts a query that gives what it comes to over what is there now: rows of a stream, or of a table the last of each key.
///
/// Errors: as [`start`].
pub fn settle(inner: &Arc<Inner>, query: &ast::Query, properties: &BTreeMap<String, String>) -> Result<RowStream> {
    // Rows that are all there at the end can be compared then; a continuous query must do it as they come, and forget none.
    let distinct = query.distinct;
    let query = ast::Query { distinct: false, ..query.clone() };
    let (planned, schema) = plan(inner, &query, properties, Until::End)?;
    let (mut client, stream) = client(&planned, &schema, query.limit, None);
    let mut opened = planned.open(client.gone(), None)?;
    opened.run.stop_at_current_ends()?;
    let settled = Settled::new(schema, planned.spec.plan.result, distinct, inner.memory.share());
    spawn(&planned.spec.id, move || {
        let driven = catch_unwind(AssertUnwindSafe(|| settled.drive(&mut opened, &mut client)));
        let panicked = || Err(Error::internal("the query's thread panicked; please report this"));
        if let Err(error) = driven.unwrap_or_else(|_| panicked()) {
            client.fail(error);
        }
        client.pass_all();
    })?;
    Ok(stream)
}

/// Whether a push query gives the rows of its table that are there, and then their changes.
fn begins_with_snapshot(query: &ast::Query, result: ResultKind, properties: &BTreeMap<String, String>) -> bool {
    let is_wanted = settings::value(properties, "push.snapshot") == "true";
    is_wanted && query.emit == Some(ast::Emit::Changes) && matches!(result, ResultKind::Table { .. })
}

fn plan(
    inner: &Arc<Inner>,
    query: &ast::Query,
    properties: &BTreeMap<String, String>,
    until: Until,
) -> Result<(Query, Schema)> {
    let catalog = inner.catalog.read().clone();
    let analyzed = analyze(query, &catalog, Target::Transient, properties)?;
    inner.stage_partitions(&analyzed.plan)?;
    let from_all = until == Until::End || begins_with_snapshot(query, analyzed.plan.result, properties);
    let start = if from_all { Start::Earliest } else { start_of(properties) };
    check_runs(&analyzed.plan, start)?;
    let number = inner.next_transient.fetch_add(1, Ordering::Relaxed);
    let id = format!("transient_{}_{number}", analyzed.first().name);
    let schema = analyzed.plan.schema.clone();
    let stepped = matches!(inner.drive, Drive::Stepped(_));
    let spec = RunSpec {
        snapshots: None,
        id: id.clone(),
        cache_bytes_max: if stepped { 0 } else { settings::cache_bytes_max(properties, &analyzed.plan) },
        plan: Arc::new(analyzed.plan),
        sink: None,
        idle_max: settings::idle_max(properties),
        strict: settings::strict(properties),
        start,
        durable: false,
        group: id,
        processing_log: inner.service.processing_log_topic(),
        guarantee: Guarantee::ExactlyOnce,
    };
    let signal = Arc::new(Signal::default());
    Ok((Query { spec, log: inner.log.clone(), memory: inner.memory.clone(), signal, pushes: None }, schema))
}

/// Both ends of what a query's rows go through.
fn client(planned: &Query, schema: &Schema, limit: Option<u64>, query_id: Option<String>) -> (Client, RowStream) {
    let gone = Arc::new(AtomicBool::new(false));
    let (sender, events) = event_channel(EVENTS_MAX, CHANNEL_BYTES_MAX);
    let client = Client::new(sender, (schema.clone(), planned.spec.plan.result), limit, gone.clone());
    let signal = planned.signal.clone();
    let on_drop = move || {
        gone.store(true, Ordering::Relaxed);
        signal.ring();
    };
    let columns = columns(schema, |_| false);
    (client, RowStream { columns, query_id, events, on_drop: Some(Box::new(on_drop)) })
}

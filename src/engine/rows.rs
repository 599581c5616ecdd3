//! Rows for a reader: pull queries, push queries.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crate::analyze::{Target, WINDOW_COLUMNS, analyze};
use crate::dataflow::{Batch, Counters, Host, Run, RunSpec};
use crate::engine::behind::behind;
use crate::engine::change::{check_runs, start};
use crate::engine::warning::warning;
use crate::engine::{Drive, Inner, ResultColumn, Row, RowEvent, RowStream, settings};
use crate::error::{Error, Result};
use crate::log::Signal;
use crate::plan::{ResultKind, Schema};
use crate::query;
use crate::sql::ast::{Query, SourceKind as Kind};
use crate::time::now;
use crate::types::Value;

/// Events that may wait for a slow reader; then the query waits.
const EVENTS_MAX: usize = 64;
/// Rows of one event.
const ROWS_MAX: usize = 1024;
/// How often the changes that caching holds back are shown while there is always more to read.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// How long an idle query waits before it looks whether its reader is still there.
const IDLE_WAIT: Duration = Duration::from_millis(200);

/// Answers a SELECT without EMIT.
pub(super) fn pull_query(
    inner: &Arc<Inner>,
    query: &Query,
    properties: &BTreeMap<String, String>,
) -> Result<RowStream> {
    let name = query::check_single(query)?;
    let catalog = inner.catalog.read().clone();
    let source = catalog.expect_source(&name.text).map_err(|error| error.at(name.at))?.clone();
    query::check_limit(query, properties)?;
    if source.kind == Kind::Stream {
        query::check_columns(query)?;
        return transient(inner, query, properties, Until::End);
    }
    let Some(view) = inner.view_of(&source)? else {
        return Err(Error::statement(format!(
            "The `{}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_{} AS SELECT * FROM {}'.",
            source.name, source.name, source.name
        ))
        .hint("add EMIT CHANGES if you want a push query")
        .at(name.at));
    };
    let (behind, pulled) = view.caught_up(&*inner.log, || {
        // Before the rows are read: what is said to be there is among them.
        let behind = behind(inner, &catalog, &source)?;
        Ok((behind, query::pull(query, &catalog, properties, &view)?))
    })?;
    let rows: Vec<Row> = pulled.batches.iter().flat_map(|batch| rows(batch, &pulled.schema)).collect();
    let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let (sender, events) = sync_channel(rows.len() / ROWS_MAX + 5);
    let limited: Vec<Row> = rows.into_iter().take(limit).collect();
    for chunk in limited.chunks(ROWS_MAX) {
        let _ = sender.send(RowEvent::Rows(chunk.to_vec()));
    }
    for text in warning(pulled.bad, 0, &pulled.errors).into_iter().chain(behind) {
        let _ = sender.send(RowEvent::Warning(text));
    }
    let _ = sender.send(RowEvent::End("Query Completed".to_string()));
    let is_key = |name: &str| {
        source.key_columns().any(|column| column.name == name)
            || (source.window.is_some() && WINDOW_COLUMNS.contains(&name))
    };
    Ok(RowStream { columns: columns(&pulled.schema, is_key), query_id: None, events, on_drop: None })
}

/// Answers a SELECT with EMIT.
pub(super) fn push_query(
    inner: &Arc<Inner>,
    query: &Query,
    properties: &BTreeMap<String, String>,
) -> Result<RowStream> {
    transient(inner, query, properties, Until::Dropped)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// What is there now has been read.
    End,
    /// The reader goes away.
    Dropped,
}

fn transient(
    inner: &Arc<Inner>,
    query: &Query,
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
    let is_stream = analyzed.plan.result == ResultKind::Stream;
    let stepped = matches!(inner.drive, Drive::Stepped(_));
    let spec = RunSpec {
        snapshots: None,
        id: id.clone(),
        plan: Arc::new(analyzed.plan),
        sink: None,
        cache_bytes_max: if stepped { 0 } else { settings::cache_bytes_max(properties) },
        idle_max: settings::idle_max(properties),
        start: if until == Until::End { crate::dataflow::Start::Earliest } else { start(properties) },
        durable: false,
        group: id.clone(),
        processing_log: inner.service.processing_log_topic(),
        guarantee: crate::dataflow::Guarantee::ExactlyOnce,
    };
    let gone = Arc::new(AtomicBool::new(false));
    let reader_gone = gone.clone();
    let counters = Arc::new(Counters::default());
    let host = Host {
        counters: counters.clone(),
        memory: inner.memory.clone(),
        interrupted: Arc::new(move || reader_gone.load(Ordering::Relaxed)),
        ..Host::default()
    };
    let mut run = Run::open(inner.log.clone(), spec, host)?;
    if until == Until::End {
        run.stop_at_current_ends()?;
    }
    let (sender, events) = sync_channel(EVENTS_MAX);
    let signal = Arc::new(Signal::default());
    inner.log.watch(&run.topics(), &signal);
    let mut pump = Pump {
        run,
        counters,
        told: (0, 0),
        schema: schema.clone(),
        is_stream,
        sender,
        gone: gone.clone(),
        signal: signal.clone(),
        left: query.limit,
    };
    std::thread::Builder::new()
        .name(id.clone())
        .spawn(move || pump.pump())
        .map_err(|error| Error::world(format!("no thread could be started: {error}")))?;
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

/// Drives a reader's query and hands its rows over.
struct Pump {
    run: Run,
    counters: Arc<Counters>,
    /// Bad records and late rows that the reader was told of.
    told: (u64, u64),
    schema: Schema,
    /// Its rows are a stream's: a record without a value is none of them.
    is_stream: bool,
    sender: SyncSender<RowEvent>,
    gone: Arc<AtomicBool>,
    signal: Arc<Signal>,
    /// Rows still wanted; None: all.
    left: Option<u64>,
}

impl Pump {
    fn pump(&mut self) {
        let last = match catch_unwind(AssertUnwindSafe(|| self.drive())) {
            Ok(Ok(Some(end))) => RowEvent::End(end.to_string()),
            Ok(Ok(None)) => return,
            Ok(Err(error)) => RowEvent::Failed(error),
            Err(_) => RowEvent::Failed(Error::internal("the query's thread panicked; please report this")),
        };
        self.warn();
        let _ = self.sender.send(last);
    }

    /// Tells the reader of records that could not be processed since it was told last.
    fn warn(&mut self) {
        let counts = (self.counters.bad.load(Ordering::Relaxed), self.counters.late.load(Ordering::Relaxed));
        let told = std::mem::replace(&mut self.told, counts);
        if let Some(text) = warning(counts.0 - told.0, counts.1 - told.1, &self.run.take_errors()) {
            // A reader that is gone is found out at the next row.
            let _ = self.sender.send(RowEvent::Warning(text));
        }
    }

    /// How it ended; None: the reader is gone.
    fn drive(&mut self) -> Result<Option<&'static str>> {
        if self.left == Some(0) {
            return Ok(Some("Limit Reached"));
        }
        let mut flushed = now();
        loop {
            if self.gone.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let read = self.run.step()?;
            if read == 0 || flushed.elapsed() >= FLUSH_INTERVAL {
                self.run.commit()?;
                self.warn();
                flushed = now();
            }
            for batch in self.run.take_rows() {
                match self.send(&batch) {
                    Sent::More => {}
                    Sent::Enough => return Ok(Some("Limit Reached")),
                    Sent::Gone => return Ok(None),
                }
            }
            if read == 0 {
                self.run.check_source_ids()?;
                if self.run.at_end()? {
                    return Ok(Some("Query Completed"));
                }
                self.signal.wait(IDLE_WAIT);
            }
        }
    }

    fn send(&mut self, batch: &Batch) -> Sent {
        let mut rows = rows(batch, &self.schema);
        rows.retain(|row| !(self.is_stream && row.tombstone));
        if let Some(left) = &mut self.left {
            rows.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= rows.len() as u64;
        }
        for chunk in rows.chunks(ROWS_MAX) {
            if self.sender.send(RowEvent::Rows(chunk.to_vec())).is_err() {
                return Sent::Gone;
            }
        }
        if self.left == Some(0) { Sent::Enough } else { Sent::More }
    }
}

enum Sent {
    More,
    Enough,
    Gone,
}

/// Columns for the reader: the hidden key is not among them.
fn columns(schema: &Schema, is_key: impl Fn(&str) -> bool) -> Vec<ResultColumn> {
    let shown = schema.columns[schema.keys..].iter();
    shown
        .map(|column| ResultColumn { name: column.name.clone(), ty: column.ty.clone(), key: is_key(&column.name) })
        .collect()
}

/// The rows of a batch, without the hidden key.
fn rows(batch: &Batch, schema: &Schema) -> Vec<Row> {
    (0..batch.rows)
        .map(|row| {
            let values = batch
                .value_columns()
                .iter()
                .zip(&schema.columns[schema.keys..])
                .map(|(column, described)| Value::from_array(column, row, &described.ty))
                .collect();
            let tombstone = batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row));
            Row { values, tombstone }
        })
        .collect()
}

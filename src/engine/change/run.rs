//! Starting and ending the runs of persistent queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::{Role, Sink};
use crate::catalog::{QueryEntry, Source, SourceKind};
use crate::dataflow::{
    Guarantee, Keeping, RunSpec, SinkSpec, Start, changelog_topics, check_state_is_there, commit_start,
};
use crate::engine::query::{DriveOptions, QueryHandle};
use crate::engine::seat::Seat;
use crate::engine::{Drive, Inner, commit_interval, settings};
use crate::error::Result;
use crate::messages;
use crate::plan::{Plan, Step};
use crate::query::View;
use crate::state::snapshots::Snapshots;

impl Inner {
    /// Starts a persistent query where it stopped, or at its beginning. When that fails, its state says so.
    pub(in crate::engine) fn start_query(&self, entry: &QueryEntry, sink: Arc<Sink>) -> Result<()> {
        self.sinks.write().insert(entry.id.clone(), sink.clone());
        if !self.works {
            // The next reader makes one of the table as it is now.
            self.views.write().remove(&entry.sink);
            return Ok(());
        }
        let started = self.try_start(entry, &sink);
        match &started {
            Ok(()) => self.not_started.write().remove(&entry.id),
            Err(error) => self.not_started.write().insert(entry.id.clone(), error.clone()),
        };
        started
    }

    /// Tries again to start a query that could not be started.
    pub(super) fn start_again(&self, id: &str) -> Result<()> {
        if !self.not_started.read().contains_key(id) {
            return Ok(());
        }
        let entry = self.catalog.read().query(id).cloned();
        let sink = self.sinks.read().get(id).cloned();
        match entry.zip(sink) {
            Some((entry, sink)) => self.start_query(&entry, sink),
            None => Ok(()),
        }
    }

    /// Where the snapshots of a query's state are kept.
    fn snapshots(&self, group: &str) -> Result<Option<Snapshots>> {
        let Some(store) = &self.snapshots else { return Ok(None) };
        Ok(Some(store.of(group, &self.commands.history()?)))
    }

    fn try_start(&self, entry: &QueryEntry, sink: &Sink) -> Result<()> {
        self.stage_partitions(&sink.analyzed.plan)?;
        let partitions = self.partitions_of(&sink.source.topic)?;
        check_sink_partitions(entry, &sink.source, partitions)?;
        let group = self.service.query_group(&entry.id);
        let changelogs = changelog_topics(&group, &sink.analyzed.plan).concat();
        check_state_is_there(&*self.log, &changelogs, || Ok(!self.log.positions(&group)?.is_empty()))?;
        self.make_for_run(&entry.id, sink)?;
        let source = Arc::new(sink.source.clone());
        // The rows of a table that several queries may feed are what its topic says.
        let view = if source.kind == SourceKind::Table && sink.role == Role::Maker {
            // Where others of the service write to the table, too, its rows are what the topic says.
            let (keep, retention) = (!self.is_shared(), retention_ms(&sink.analyzed.plan));
            let view = match keep {
                true => {
                    View::of_query(source.clone(), partitions, retention, &self.memory).in_order_of(self.log.clone())
                }
                false => View::follow(source.clone(), partitions, retention, &self.memory),
            };
            let view = Arc::new(view.after(entry.found.clone()));
            self.views.write().insert(source.name.clone(), view.clone());
            keep.then_some(view)
        } else {
            None
        };
        let spec = self.run_spec(
            entry,
            sink,
            Some(SinkSpec { keeping: self.keeping(&source.topic), source, partitions, view }),
        )?;
        if !self.is_shared() {
            commit_start(&*self.log, &spec)?;
        }
        match &self.drive {
            Drive::Threads(queries) => {
                let options = DriveOptions {
                    commit_interval: commit_interval(&entry.properties),
                    memory: self.memory.clone(),
                    paused: entry.paused,
                    tell: self.tell.clone(),
                    process: self.seat.as_ref().map(Seat::shared_by),
                };
                queries.lock().insert(QueryHandle::start(self.log.clone(), spec, options));
                Ok(())
            }
            Drive::Stepped(queries) => {
                let mut queries = queries.lock();
                queries.start(&self.log, spec, &self.memory)?;
                queries.set_paused(&entry.id, entry.paused);
                Ok(())
            }
        }
    }

    /// None: the topic keeps its records, or it doesn't say how long (which is no reason not to start).
    fn keeping(&self, topic: &str) -> Option<Keeping> {
        let topic = self.log.describe_topic(topic).ok()?;
        let retention_ms = topic.retention_ms().filter(|_| topic.keeps_record_times())?;
        Some(Keeping { retention_ms, tell: self.tell.clone() })
    }

    pub(super) fn run_spec(&self, entry: &QueryEntry, sink: &Sink, to: Option<SinkSpec>) -> Result<RunSpec> {
        let group = self.service.query_group(&entry.id);
        Ok(RunSpec {
            id: entry.id.clone(),
            plan: Arc::new(sink.analyzed.plan.clone()),
            sink: to,
            // Of a table with versions each change counts, also those that a cache would leave out.
            cache_bytes_max: match sink.source.versions_retention_ms {
                Some(_) => 0,
                None => settings::cache_bytes_max(&entry.properties, &sink.analyzed.plan),
            },
            idle_max: settings::idle_max(&entry.properties),
            strict: settings::strict(&entry.properties),
            start: start(&entry.properties),
            durable: true,
            processing_log: self.service.processing_log_topic(),
            guarantee: guarantee(&entry.properties),
            snapshots: self.snapshots(&group)?,
            group,
        })
    }

    /// Ends the run of a query that goes on with another plan: it commits, and keeps its positions and its state.
    pub(in crate::engine) fn halt_query(&self, id: &str) {
        match &self.drive {
            Drive::Threads(queries) => {
                let handle = queries.lock().remove(id);
                if let Some(mut handle) = handle {
                    handle.stop();
                }
            }
            Drive::Stepped(queries) => queries.lock().remove(id),
        }
    }

    /// The rows of a table for pull queries: those that its query keeps, or those of the topic of a SOURCE TABLE or of a table
    /// that queries feed. None: the table has none.
    pub(in crate::engine) fn view_of(&self, source: &Arc<Source>) -> Result<Option<Arc<View>>> {
        if let Some(view) = self.views.read().get(&source.name) {
            return Ok(Some(view.clone()));
        }
        // On a cluster the topic says what a query's table is, whoever works for it.
        let query = source.query_id.as_ref().filter(|_| self.is_shared());
        let is_fed = || source.query_id.is_none() && self.catalog.read().writers_of(&source.name).next().is_some();
        if !source.is_source && query.is_none() && !is_fed() {
            return Ok(None);
        }
        let retention =
            query.and_then(|id| self.sinks.read().get(id).and_then(|sink| retention_ms(&sink.analyzed.plan)));
        let found = query.and_then(|id| self.catalog.read().query(id).and_then(|query| query.found.clone()));
        let partitions = self.partitions_of(&source.topic)?;
        let view = Arc::new(View::follow(source.clone(), partitions, retention, &self.memory).after(found));
        Ok(Some(self.views.write().entry(source.name.clone()).or_insert(view).clone()))
    }
}

/// An error when the topic of the table that a query makes has another number of partitions than when the query began: a key's
/// next record would go to another partition, and who reads the table would have the key twice.
fn check_sink_partitions(entry: &QueryEntry, sink: &Source, partitions: u32) -> Result<()> {
    match entry.sink_partitions.filter(|began| *began != partitions) {
        None => Ok(()),
        Some(began) => Err(messages::queries::partitions_of_sink(&sink.topic, &sink.name, partitions, began)),
    }
}

/// How long the windows of a query's table are kept.
pub(super) fn retention_ms(plan: &Plan) -> Option<i64> {
    plan.steps().find_map(|step| match step {
        Step::Aggregate(aggregate) => aggregate.window.map(|window| window.retention_ms),
        _ => None,
    })
}

fn guarantee(properties: &BTreeMap<String, String>) -> Guarantee {
    match settings::value(properties, "processing.guarantee") {
        "at_least_once" => Guarantee::AtLeastOnce,
        _ => Guarantee::ExactlyOnce,
    }
}

/// Where a query begins that has no positions yet.
pub(in crate::engine) fn start(properties: &BTreeMap<String, String>) -> Start {
    if settings::value(properties, "auto.offset.reset") == "latest" { Start::Latest } else { Start::Earliest }
}

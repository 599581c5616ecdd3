//! Starting and ending the runs of persistent queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::Sink;
use crate::catalog::{QueryEntry, Source, SourceKind};
use crate::dataflow::{Guarantee, RunSpec, SinkSpec, Start, changelog_topic};
use crate::engine::query::{DriveOptions, QueryHandle};
use crate::engine::{Drive, Inner, commit_interval, settings};
use crate::error::{Error, Result};
use crate::log::LogError;
use crate::plan::Step;
use crate::query::View;
use crate::state::snapshots::Snapshots;

impl Inner {
    /// Starts a persistent query where it stopped, or at its beginning. When that fails, its state says so.
    pub(super) fn start_query(&self, entry: &QueryEntry, sink: Arc<Sink>) -> Result<()> {
        self.sinks.write().insert(entry.id.clone(), sink.clone());
        let started = self.try_start(entry, &sink);
        match &started {
            Ok(()) => self.not_started.write().remove(&entry.id),
            Err(error) => self.not_started.write().insert(entry.id.clone(), error.to_string()),
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
        self.partitions_of(&sink.analyzed.source.topic)?;
        let partitions = self.partitions_of(&sink.source.topic)?;
        if let Some(spec) = self.changelog_of(&entry.id, sink)? {
            let begun = !self.log.positions(&self.service.query_group(&entry.id))?.is_empty();
            if begun && self.log.partitions(&spec.name).is_none() {
                return Err(Error::statement(format!(
                    "the query's state is gone: its topic '{}' was deleted",
                    spec.name
                ))
                .hint("DROP what the query makes and create it anew: it reads its source from the beginning"));
            }
            self.make_topic(&spec, &mut Vec::new())?;
        }
        let source = Arc::new(sink.source.clone());
        let view = if source.kind == SourceKind::Table {
            let view = View::of_query(source.clone(), partitions, retention_ms(sink), &self.memory);
            let view = Arc::new(view.after(entry.found.clone()));
            self.views.write().insert(source.name.clone(), view.clone());
            Some(view)
        } else {
            None
        };
        let spec = RunSpec {
            id: entry.id.clone(),
            plan: Arc::new(sink.analyzed.plan.clone()),
            sink: Some(SinkSpec { source, partitions, view }),
            caching: settings::number(&entry.properties, "cache.max.bytes.buffering") > 0,
            start: start(&entry.properties),
            durable: true,
            group: self.service.query_group(&entry.id),
            processing_log: self.service.processing_log_topic(),
            guarantee: guarantee(&entry.properties),
            snapshots: self.snapshots(&self.service.query_group(&entry.id))?,
        };
        match &self.drive {
            Drive::Threads(queries) => {
                let options = DriveOptions {
                    commit_interval: commit_interval(&entry.properties),
                    memory: self.memory.clone(),
                    paused: entry.paused,
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

    /// Ends the run of a query that goes on with another plan: it commits, and keeps its positions and its state.
    pub(super) fn halt_query(&self, id: &str) {
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

    /// Ends a query for good: its positions and its state go, too.
    pub(super) fn end_query(&self, id: &str) -> Result<()> {
        self.halt_query(id);
        self.sinks.write().remove(id);
        self.not_started.write().remove(id);
        let group = self.service.query_group(id);
        if let Some(store) = &self.snapshots {
            // Before the positions: as long as those are there, a start goes on clearing away.
            store.remove(&group)?;
        }
        self.log.release(&group)?;
        self.log.delete_group(&group)?;
        match self.log.delete_topic(&changelog_topic(&group)) {
            Ok(()) | Err(LogError::UnknownTopic(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The rows of a table for pull queries: those that its query keeps, or those of a SOURCE TABLE's topic. None: the
    /// table has none.
    pub(in crate::engine) fn view_of(&self, source: &Arc<Source>) -> Result<Option<Arc<View>>> {
        if let Some(view) = self.views.read().get(&source.name) {
            return Ok(Some(view.clone()));
        }
        if !source.is_source {
            return Ok(None);
        }
        let view = Arc::new(View::follow(source.clone(), self.partitions_of(&source.topic)?, &self.memory));
        Ok(Some(self.views.write().entry(source.name.clone()).or_insert(view).clone()))
    }
}

/// How long the windows of a query's table are kept.
fn retention_ms(sink: &Sink) -> Option<i64> {
    let mut steps = sink.analyzed.plan.stages.iter().flat_map(|stage| &stage.steps);
    steps.find_map(|step| match step {
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

//! Persistent queries: CREATE ... AS SELECT, INSERT INTO ... SELECT, TERMINATE, PAUSE, RESUME.

use std::sync::Arc;

use super::source::check_replacement;
use super::upgrade::{self, Upgrade};
use super::{Change, Effect, StartQuery, start};
use crate::analyze::{Role, Sink};
use crate::catalog::{QueryEntry, Source, SourceKind};
use crate::dataflow::{ScanReader, Start, Task, check_start};
use crate::engine::cycle;
use crate::error::{Error, Result};
use crate::format;
use crate::log::TopicSpec;
use crate::messages;
use crate::plan::Plan;
use crate::sql::ast::Ident;

impl Change<'_> {
    pub(super) fn create_as(&mut self, sink: Sink, text: &str) -> Result<Effect> {
        let prefix = if sink.source.kind == SourceKind::Table { "CTAS" } else { "CSAS" };
        let id = self.query_id(&format!("{prefix}_{}", sink.source.name));
        let topic = self.topic_for(&sink.source, &sink.with, Some(&sink))?;
        let mut warnings = self.unheeded(&sink.with);
        if topic.is_none() && self.holds_records(&sink.source.topic) {
            let whose = match sink.source.kind {
                SourceKind::Stream => "the query's come behind them",
                SourceKind::Table => "they are no rows of the table",
            };
            warnings.push(format!("topic '{}' holds records already: {whose}", sink.source.topic));
        }
        let source = Source { query_id: Some(id.clone()), ..sink.source.clone() };
        self.catalog.put_source(source);
        let effect = self.started(id, sink, text, topic.as_ref())?;
        warnings.extend(effect.warnings);
        Ok(Effect { topic, warnings, ..effect })
    }

    /// CREATE OR REPLACE ... AS SELECT over a stream or table that is there: its query goes on from its positions and its
    /// state with the new plan, under its id.
    pub(super) fn replace_as(&mut self, old: &Source, sink: Sink, text: &str) -> Result<Effect> {
        if old.is_source {
            return Err(messages::definitions::replaced_read_only(&old.name, old.kind));
        }
        if sink.analyzed.reads(&old.name) {
            return Err(messages::definitions::replaced_by_its_reader(&old.name));
        }
        let writers: Vec<String> = self.catalog.writers_of(&old.name).map(|query| query.id.clone()).collect();
        let Some(query) = old.query_id.as_ref().and_then(|id| self.catalog.query(id)).cloned() else {
            // Its query was terminated, or it never had one: a new one writes to it from now on.
            refuse_other_writers(&old.name, &writers)?;
            check_replacement(old, &sink.source)?;
            return self.create_as(sink, text);
        };
        let others: Vec<String> = writers.into_iter().filter(|id| *id != query.id).collect();
        refuse_other_writers(&old.name, &others)?;
        check_replacement(old, &sink.source)?;
        let running = self.inner.sinks.read().get(&query.id).cloned();
        let running = running.ok_or_else(|| Error::internal(format!("query {} has no plan", query.id)))?;
        if let Upgrade::Refused(refusal) = upgrade::judge(&running.analyzed.plan, &sink.analyzed.plan) {
            let of_kind = refusal.is_kind_of_query();
            return Err(messages::definitions::upgrade_of_query(&old.name, old.kind, &query.id, &refusal, of_kind));
        }
        self.topic_for(&sink.source, &sink.with, None)?;
        self.catalog.put_source(Source { query_id: Some(query.id.clone()), ..sink.source.clone() });
        let mut effect = self.started(query.id, sink, text, None)?;
        if let Some(start) = &mut effect.start {
            start.replaces = true;
            start.entry.paused = query.paused;
            // What the topic holds by now is its own.
            start.entry.found = query.found;
            start.entry.sink_partitions = query.sink_partitions;
            self.catalog.put_query(start.entry.clone());
            effect.message = format!("Replaced query with ID {}", start.entry.id);
        }
        Ok(effect)
    }

    pub(super) fn insert_into(&mut self, sink: Sink, text: &str) -> Result<Effect> {
        let id = match &sink.with.query_id {
            Some(id) if self.catalog.query(id).is_some() => {
                return Err(messages::queries::id_exists(id));
            }
            Some(id) => id.clone(),
            None => self.query_id("INSERTQUERY"),
        };
        if self.replay.is_none() {
            self.inner.await_cleared(&sink.source.topic, Some(&id))?;
        }
        self.started(id, sink, text, None)
    }

    /// `made`: the topic that is made for it.
    fn started(&mut self, id: String, sink: Sink, text: &str, made: Option<&TopicSpec>) -> Result<Effect> {
        if self.replay.is_none() {
            self.inner.stage_partitions(&sink.analyzed.plan)?;
            check_runs(&sink.analyzed.plan, start(self.properties))?;
            format::encoder(&sink.source.key)?;
            format::encoder(&sink.source.value)?;
        }
        let message = format!("Created query with ID {id}");
        let found = match &self.replay {
            Some(replay) => replay.found.clone(),
            // What a declared table has is its own, whoever wrote it.
            None if sink.source.kind == SourceKind::Table && sink.role == Role::Maker => {
                self.inner.found_records(&sink.source.topic)?
            }
            None => None,
        };
        let sink_partitions = match &self.replay {
            Some(replay) => replay.sink_partitions,
            None if sink.source.kind == SourceKind::Table => {
                made.map(|made| made.partitions).or_else(|| self.inner.log.partitions(&sink.source.topic))
            }
            None => None,
        };
        let entry = QueryEntry {
            id,
            statement: text.to_string(),
            sources: sink.analyzed.sources.iter().map(|source| source.name.clone()).collect(),
            sink: sink.source.name.clone(),
            properties: self.properties.clone(),
            paused: false,
            found,
            sink_partitions,
        };
        self.catalog.put_query(entry.clone());
        let warnings = self.cycle_of(&entry.id).into_iter().collect();
        let start = StartQuery { entry, sink: Arc::new(sink), replaces: false };
        Ok(Effect { start: Some(start), warnings, ..Effect::message(message) })
    }

    /// What is to be told of a query that gets its own rows back by way of others.
    fn cycle_of(&self, id: &str) -> Option<String> {
        let queries: Vec<String> = self.catalog.queries().map(|query| query.id.clone()).collect();
        let cycle = cycle::find(self.catalog, &queries)?;
        let closes = cycle.queries.iter().any(|query| queries[*query] == id);
        closes.then(|| {
            format!("queries feed each other in a ring, for ever unless a WHERE ends it: {}", cycle.names.join(" -> "))
        })
    }

    fn query_id(&self, prefix: &str) -> String {
        let given = self.replay.as_ref().and_then(|replay| replay.query_id.clone());
        given.unwrap_or_else(|| format!("{prefix}_{}", self.query_number))
    }

    pub(super) fn terminate(&mut self, id: Option<&Ident>) -> Result<Effect> {
        let ids = self.chosen(id)?;
        if ids.is_empty() {
            return Ok(Effect::nothing("There are no queries to terminate."));
        }
        let gone: Vec<QueryEntry> = ids.iter().filter_map(|id| self.catalog.remove_query(id)).collect();
        let message = format!("Query terminated: {}", ids.join(", "));
        let views_gone = gone.into_iter().map(|query| query.sink).collect();
        Ok(Effect { stop: ids, views_gone, ..Effect::message(message) })
    }

    pub(super) fn pause(&mut self, id: Option<&Ident>, paused: bool) -> Result<Effect> {
        let word = if paused { "pause" } else { "resume" };
        let ids = self.chosen(id)?;
        if ids.is_empty() {
            return Ok(Effect::nothing(format!("There are no queries to {word}.")));
        }
        for id in &ids {
            self.catalog.set_paused(id, paused);
        }
        let message = format!("Query {word}d: {}", ids.join(", "));
        Ok(Effect { pause: ids.into_iter().map(|id| (id, paused)).collect(), ..Effect::message(message) })
    }

    fn chosen(&self, id: Option<&Ident>) -> Result<Vec<String>> {
        match id {
            None => Ok(self.catalog.queries().map(|query| query.id.clone()).collect()),
            Some(id) => match self.catalog.query(&id.text) {
                Some(query) => Ok(vec![query.id.clone()]),
                None => {
                    let there = self.catalog.queries().map(|query| query.id.as_str());
                    Err(messages::queries::unknown(&id.text, there).at(id.at))
                }
            },
        }
    }
}

fn refuse_other_writers(name: &str, writers: &[String]) -> Result<()> {
    if writers.is_empty() {
        return Ok(());
    }
    Err(messages::definitions::replaced_with_writers(name, writers))
}

/// Builds the operators once, to throw them away: a plan that can't run is refused now, not when its thread starts.
pub fn check_runs(plan: &Plan, start: Start) -> Result<()> {
    check_start(plan, start)?;
    plan.scans().try_for_each(|scan| ScanReader::new(scan, 0, false).map(|_| ()))?;
    plan.stages.iter().try_for_each(|stage| Task::new(stage, 0).map(|_| ()))
}

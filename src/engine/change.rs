//! Changes of what exists: checked on a copy of the catalog, written to the command log, then carried out.
//!
//! The same code judges a statement when it is given and when the command log is replayed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::{CreateSource, Sink, create_as, insert_select, properties::With};
use crate::catalog::{Catalog, Command, QueryEntry, Source, SourceKind};
use crate::dataflow::{Guarantee, RunSpec, SinkSpec, Start, changelog_topic, stateful};
use crate::engine::query::{DriveOptions, QueryHandle};
use crate::engine::{Drive, Engine, Inner, Status, commit_interval, settings};
use crate::error::{Error, Result};
use crate::expr;
use crate::log::{LogError, TopicSpec};
use crate::plan::Step;
use crate::query::View;
use crate::sql;
use crate::sql::ast::{IfExists, ParsedStatement, Statement};
use crate::time::wall_time_ms;

/// What a statement does beside changing the catalog.
pub(super) struct Effect {
    pub message: String,
    pub warnings: Vec<String>,
    /// Nothing changed (IF NOT EXISTS and its kin): no command is written.
    pub nothing: bool,
    topic: Option<TopicSpec>,
    start: Option<(QueryEntry, Arc<Sink>)>,
    stop: Vec<String>,
    pause: Vec<(String, bool)>,
    delete_topic: Option<String>,
    dropped: Option<String>,
}

impl Effect {
    fn message(message: impl Into<String>) -> Effect {
        Effect {
            message: message.into(),
            warnings: Vec::new(),
            nothing: false,
            topic: None,
            start: None,
            stop: Vec::new(),
            pause: Vec::new(),
            delete_topic: None,
            dropped: None,
        }
    }

    fn nothing(message: impl Into<String>) -> Effect {
        Effect { nothing: true, ..Effect::message(message) }
    }
}

/// Judges and applies one statement on a catalog.
pub(super) struct Change<'a> {
    pub inner: &'a Inner,
    pub catalog: &'a mut Catalog,
    pub properties: &'a BTreeMap<String, String>,
    /// The id that a query started by it gets.
    pub query_number: i64,
    /// At replay the id is the one that was given then, and topics are as they are.
    pub replayed_id: Option<String>,
    pub replaying: bool,
}

impl Inner {
    /// Carries out a statement that changes what exists.
    pub(super) fn change(&self, parsed: &ParsedStatement, properties: &BTreeMap<String, String>) -> Result<Status> {
        let _one_at_a_time = self.changing.lock();
        let mut catalog = self.catalog.read().clone();
        let change = Change {
            inner: self,
            catalog: &mut catalog,
            properties,
            query_number: self.commands.next_offset()?,
            replayed_id: None,
            replaying: false,
        };
        let effect = change.apply(parsed)?;
        let query_id = effect.start.as_ref().map(|(entry, _)| entry.id.clone());
        let status =
            Status { message: effect.message.clone(), query_id: query_id.clone(), warnings: effect.warnings.clone() };
        if effect.nothing {
            return Ok(status);
        }
        if let Some(spec) = &effect.topic {
            create_topic(self, spec)?;
        }
        let command = Command::new(parsed.text.clone(), properties.clone(), query_id);
        self.commands.append(&command, wall_time_ms())?;
        *self.catalog.write() = catalog;
        self.carry_out(effect)?;
        Ok(status)
    }

    fn carry_out(&self, effect: Effect) -> Result<()> {
        for id in &effect.stop {
            self.stop_query(id)?;
        }
        for (id, paused) in &effect.pause {
            match &self.drive {
                Drive::Threads(queries) => {
                    if let Some(query) = queries.lock().get(id) {
                        query.set_paused(*paused);
                    }
                }
                Drive::Stepped(queries) => queries.lock().set_paused(id, *paused),
            }
        }
        if let Some(name) = &effect.dropped {
            self.views.write().remove(name);
        }
        if let Some(topic) = &effect.delete_topic {
            match self.log.delete_topic(topic) {
                Ok(()) | Err(LogError::UnknownTopic(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some((entry, sink)) = effect.start {
            self.start_query(&entry, sink)?;
        }
        Ok(())
    }

    /// Ends a query for good: its positions and its state go, too.
    fn stop_query(&self, id: &str) -> Result<()> {
        match &self.drive {
            Drive::Threads(queries) => {
                let handle = queries.lock().remove(id);
                if let Some(mut handle) = handle {
                    handle.stop();
                }
            }
            Drive::Stepped(queries) => queries.lock().remove(id),
        }
        self.sinks.write().remove(id);
        let group = group(id);
        self.log.delete_group(&group)?;
        match self.log.delete_topic(&changelog_topic(&group)) {
            Ok(()) | Err(LogError::UnknownTopic(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The rows of a table for pull queries: those that its query keeps, or those of a SOURCE TABLE's topic. None: the
    /// table has none.
    pub(super) fn view_of(&self, source: &Arc<Source>) -> Result<Option<Arc<View>>> {
        if let Some(view) = self.views.read().get(&source.name) {
            return Ok(Some(view.clone()));
        }
        if !source.is_source {
            return Ok(None);
        }
        let partitions = self
            .log
            .partitions(&source.topic)
            .ok_or_else(|| Error::from(LogError::UnknownTopic(source.topic.clone())))?;
        let view = Arc::new(View::follow(source.clone(), partitions));
        Ok(Some(self.views.write().entry(source.name.clone()).or_insert(view).clone()))
    }

    /// Starts a persistent query where it stopped, or at its beginning.
    pub(super) fn start_query(&self, entry: &QueryEntry, sink: Arc<Sink>) -> Result<()> {
        let group = group(&entry.id);
        let reads = &sink.analyzed.source.topic;
        let partitions =
            self.log.partitions(reads).ok_or_else(|| Error::from(LogError::UnknownTopic(reads.clone())))?;
        let sink_partitions = self
            .log
            .partitions(&sink.source.topic)
            .ok_or_else(|| Error::from(LogError::UnknownTopic(sink.source.topic.clone())))?;
        if sink.analyzed.plan.stages.iter().any(|stage| stateful(&stage.steps)) {
            let configs = BTreeMap::from([("cleanup.policy".to_string(), "compact".to_string())]);
            let spec = TopicSpec { name: changelog_topic(&group), partitions, configs };
            match self.log.create_topic(&spec) {
                Ok(()) | Err(LogError::TopicExists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let view = if sink.source.kind == SourceKind::Table {
            let view =
                Arc::new(View::open(&*self.log, Arc::new(sink.source.clone()), sink_partitions, retention_ms(&sink))?);
            self.views.write().insert(sink.source.name.clone(), view.clone());
            Some(view)
        } else {
            None
        };
        let spec = RunSpec {
            id: entry.id.clone(),
            plan: Arc::new(sink.analyzed.plan.clone()),
            sink: Some(SinkSpec { source: Arc::new(sink.source.clone()), partitions: sink_partitions, view }),
            caching: settings::number(&entry.properties, "cache.max.bytes.buffering") > 0,
            start: start(&entry.properties),
            durable: true,
            group,
            guarantee: guarantee(&entry.properties),
        };
        self.sinks.write().insert(entry.id.clone(), sink);
        match &self.drive {
            Drive::Threads(queries) => {
                let options = DriveOptions {
                    commit_interval: commit_interval(&entry.properties),
                    memory_bytes_max: self.options.memory_bytes_max,
                    paused: entry.paused,
                };
                queries.lock().insert(QueryHandle::start(self.log.clone(), spec, options));
            }
            Drive::Stepped(queries) => queries.lock().start(&self.log, spec)?,
        }
        Ok(())
    }
}

impl Engine {
    /// The stream over the processing log is in every folder, without a command of its own.
    pub(super) fn declare_processing_log(&self) -> Result<()> {
        let mut catalog = self.inner.catalog.write();
        for parsed in &sql::parse(processing_log::STATEMENT)? {
            let change = Change {
                inner: &self.inner,
                catalog: &mut catalog,
                properties: &BTreeMap::new(),
                query_number: 0,
                replayed_id: None,
                replaying: true,
            };
            change.apply(parsed)?;
        }
        Ok(())
    }

    /// Brings the catalog to what the command log says. A command that can't be carried out is set aside.
    pub(super) fn replay(&self) -> Result<()> {
        let inner = &*self.inner;
        let mut catalog = inner.catalog.write();
        for (offset, command) in inner.commands.replay()? {
            let outcome = command.map_err(Error::world).and_then(|command| {
                let mut copy = catalog.clone();
                let parsed = sql::parse(&command.statement)?;
                for parsed in &parsed {
                    let change = Change {
                        inner,
                        catalog: &mut copy,
                        properties: &command.properties,
                        query_number: offset,
                        replayed_id: command.query_id.clone(),
                        replaying: true,
                    };
                    let effect = change.apply(parsed)?;
                    let mut sinks = inner.sinks.write();
                    for id in &effect.stop {
                        sinks.remove(id);
                    }
                    if let Some((entry, sink)) = effect.start {
                        sinks.insert(entry.id.clone(), sink);
                    }
                }
                *catalog = copy;
                Ok(())
            });
            if let Err(error) = outcome {
                inner.quarantined.write().push((offset, error.to_string()));
            }
        }
        Ok(())
    }

    /// Starts all queries of the catalog.
    pub(super) fn start_all(&self) {
        let entries: Vec<QueryEntry> = self.inner.catalog.read().queries().cloned().collect();
        for entry in entries {
            let sink = self.inner.sinks.read().get(&entry.id).cloned();
            let Some(sink) = sink else { continue };
            if let Err(error) = self.inner.start_query(&entry, sink) {
                self.inner.quarantined.write().push((-1, format!("query {}: {error}", entry.id)));
            }
        }
    }
}

impl Change<'_> {
    pub(super) fn apply(mut self, parsed: &ParsedStatement) -> Result<Effect> {
        match &parsed.statement {
            Statement::CreateSource { kind, is_source, if_exists, name, columns, properties } => {
                if let Some(effect) = self.existing(*kind, &name.text, *if_exists)? {
                    return Ok(effect);
                }
                let create = CreateSource {
                    kind: *kind,
                    is_source: *is_source,
                    name,
                    columns,
                    properties,
                    statement: &parsed.text,
                };
                let (source, with) = create.analyze(self.catalog, self.properties)?;
                self.create_source(source, &with, *if_exists)
            }
            Statement::CreateAs { kind, if_exists, name, properties, query } => {
                if let Some(effect) = self.existing(*kind, &name.text, *if_exists)? {
                    return Ok(effect);
                }
                if *if_exists == IfExists::Replace && self.catalog.source(&name.text).is_some() {
                    return Err(Error::not_supported(
                        "CREATE OR REPLACE of a query",
                        "DROP the stream or table and create it anew",
                    ));
                }
                let sink = create_as(*kind, name, properties, query, &parsed.text, self.catalog, self.properties)?;
                self.create_as(sink, &parsed.text)
            }
            Statement::InsertSelect { target, properties, query } => {
                let sink = insert_select(target, properties, query, self.catalog, self.properties)?;
                self.insert_into(sink, &parsed.text)
            }
            Statement::DropSource { kind, if_exists, name, delete_topic } => {
                self.drop_source(*kind, &name.text, *if_exists, *delete_topic)
            }
            Statement::CreateType { if_exists, name, ty } => {
                if self.catalog.custom_type(&name.text).is_some() {
                    if *if_exists == IfExists::Skip {
                        return Ok(Effect::nothing(format!("{} is already registered", name.text)));
                    }
                    return Err(Error::statement(format!(
                        "Cannot register custom type '{}' since it is already registered",
                        name.text
                    ))
                    .at(name.at));
                }
                let catalog = &*self.catalog;
                let ty = expr::to_sql_type(ty, &|name| catalog.custom_type(name).cloned())?;
                let message = format!("Registered custom type with name '{}' and SQL type {ty}", name.text);
                self.catalog.put_type(name.text.clone(), ty);
                Ok(Effect::message(message))
            }
            Statement::DropType { if_exists, name } => {
                if self.catalog.remove_type(&name.text) {
                    Ok(Effect::message(format!("Dropped type '{}'", name.text)))
                } else if *if_exists == IfExists::Skip {
                    Ok(Effect::nothing(format!("Type '{}' does not exist", name.text)))
                } else {
                    Err(Error::statement(format!("Type {} does not exist.", name.text)).at(name.at))
                }
            }
            Statement::Terminate(id) => self.terminate(id.as_ref().map(|id| id.text.as_str())),
            Statement::Pause(id) => self.pause(id.as_ref().map(|id| id.text.as_str()), true),
            Statement::Resume(id) => self.pause(id.as_ref().map(|id| id.text.as_str()), false),
            Statement::AlterSource { kind, name, add } => self.alter_source(*kind, &name.text, add, &parsed.text),
            _ => Err(Error::internal("this statement changes nothing")),
        }
    }

    /// What to do when the name is taken: nothing, an error, or go on to replace it.
    fn existing(&self, kind: SourceKind, name: &str, if_exists: IfExists) -> Result<Option<Effect>> {
        let Some(source) = self.catalog.source(name) else { return Ok(None) };
        let word = kind_word(source.kind);
        match if_exists {
            IfExists::Skip => Ok(Some(Effect::nothing(format!(
                "Cannot add {} `{name}`: A {word} with the same name already exists.",
                kind_word(kind)
            )))),
            IfExists::Fail => Err(Error::statement(format!(
                "Cannot add {} '{name}': A {word} with the same name already exists",
                kind_word(kind)
            ))
            .hint("DROP it first, or write CREATE OR REPLACE")),
            IfExists::Replace if source.kind != kind => {
                Err(Error::statement(format!("Cannot replace {word} '{name}' by a {}.", kind_word(kind))))
            }
            IfExists::Replace => Ok(None),
        }
    }

    fn create_source(&mut self, source: Source, with: &With, if_exists: IfExists) -> Result<Effect> {
        let topic = self.topic_for(&source, with, None)?;
        let old = self.catalog.source(&source.name);
        if if_exists == IfExists::Replace && (source.is_source || old.is_some_and(|old| old.is_source)) {
            let word = kind_word(source.kind);
            return Err(Error::statement(format!(
                "Cannot add {word} '{}': CREATE OR REPLACE is not supported on source {word}s.",
                source.name
            )));
        }
        if let Some(old) = old {
            check_replacement(old, &source)?;
        }
        let verb = if if_exists == IfExists::Replace && self.catalog.source(&source.name).is_some() {
            "replaced"
        } else {
            "created"
        };
        let message = format!("{} {} {verb}", kind_title(source.kind), source.name);
        self.catalog.put_source(source);
        Ok(Effect { topic, ..Effect::message(message) })
    }

    fn create_as(&mut self, sink: Sink, text: &str) -> Result<Effect> {
        let prefix = if sink.source.kind == SourceKind::Table { "CTAS" } else { "CSAS" };
        let id = self.query_id(&format!("{prefix}_{}", sink.source.name));
        let partitions = self.inner.log.partitions(&sink.analyzed.source.topic);
        let topic = self.topic_for(&sink.source, &sink.with, partitions)?;
        let mut source = sink.source.clone();
        source.query_id = Some(id.clone());
        self.catalog.put_source(source);
        let message = format!("Created query with ID {id}");
        let effect = self.started(id, sink, text, message);
        Ok(Effect { topic, ..effect })
    }

    fn insert_into(&mut self, sink: Sink, text: &str) -> Result<Effect> {
        let id = match &sink.with.query_id {
            Some(id) if self.catalog.query(id).is_some() && !self.replaying => {
                return Err(Error::statement(format!("Query ID '{id}' already exists.")));
            }
            Some(id) => id.clone(),
            None => self.query_id("INSERTQUERY"),
        };
        let message = format!("Created query with ID {id}");
        Ok(self.started(id, sink, text, message))
    }

    fn started(&mut self, id: String, sink: Sink, text: &str, message: String) -> Effect {
        let entry = QueryEntry {
            id,
            statement: text.to_string(),
            sources: vec![sink.analyzed.source.name.clone()],
            sink: sink.source.name.clone(),
            properties: self.properties.clone(),
            paused: false,
        };
        self.catalog.put_query(entry.clone());
        Effect { start: Some((entry, Arc::new(sink))), ..Effect::message(message) }
    }

    fn query_id(&self, prefix: &str) -> String {
        self.replayed_id.clone().unwrap_or_else(|| format!("{prefix}_{}", self.query_number))
    }

    /// The topic to make for a source; None when it is there already (and fits).
    fn topic_for(&self, source: &Source, with: &With, partitions: Option<u32>) -> Result<Option<TopicSpec>> {
        if self.replaying {
            return Ok(None);
        }
        let asked = with.partitions;
        if let Some(there) = self.inner.log.partitions(&source.topic) {
            return match asked {
                Some(asked) if asked != there => Err(Error::statement(format!(
                    "A Kafka topic with the name '{}' already exists, with different partition/replica configuration than required. KSQL expects {asked} partitions (topic has {there}).",
                    source.topic
                ))),
                _ => Ok(None),
            };
        }
        let default = partitions.or(self.inner.create_missing_topics.then_some(1));
        let Some(partitions) = asked.or(default) else {
            return Err(Error::statement(format!("Kafka topic does not exist: {}", source.topic))
                .hint("add PARTITIONS = n to the WITH clause to make it, or `millpond topic create`"));
        };
        let mut configs = BTreeMap::new();
        let policy = if source.kind == SourceKind::Table { "compact" } else { "delete" };
        configs.insert("cleanup.policy".to_string(), policy.to_string());
        configs.insert("retention.ms".to_string(), with.retention_ms.unwrap_or(-1).to_string());
        if with.retention_ms.is_some() && source.kind == SourceKind::Table {
            if source.window.is_none() {
                return Err(Error::statement(
                    "Invalid config variable in the WITH clause: RETENTION_MS. Non-windowed tables do not support retention.",
                ));
            }
            configs.insert("cleanup.policy".to_string(), "compact,delete".to_string());
        }
        Ok(Some(TopicSpec { name: source.topic.clone(), partitions, configs }))
    }

    fn drop_source(&mut self, kind: SourceKind, name: &str, if_exists: IfExists, delete_topic: bool) -> Result<Effect> {
        let Some(source) = self.catalog.source(name).cloned() else {
            if if_exists == IfExists::Skip {
                return Ok(Effect::nothing(format!("{} `{name}` does not exist.", kind_title(kind))));
            }
            return Err(self.catalog.expect_source(name).err().unwrap_or_else(|| Error::internal("it exists")));
        };
        if source.kind != kind {
            return Err(Error::statement(format!(
                "Incompatible data source type is {}, but statement was DROP {}",
                kind_word(source.kind).to_uppercase(),
                kind_word(kind).to_uppercase()
            )));
        }
        if delete_topic && source.is_source {
            return Err(Error::statement(format!("Cannot delete topic for read-only source: {name}")));
        }
        let own = source.query_id.as_deref();
        let ids = |queries: &mut dyn Iterator<Item = &QueryEntry>| -> Vec<String> {
            queries.filter(|query| Some(query.id.as_str()) != own).map(|query| query.id.clone()).collect()
        };
        let readers = ids(&mut self.catalog.readers_of(name));
        let writers = ids(&mut self.catalog.writers_of(name));
        if !readers.is_empty() || !writers.is_empty() {
            return Err(Error::statement(format!(
                "Cannot drop {name}.\nThe following queries read from this source: [{}].\nThe following queries write into this source: [{}].",
                readers.join(", "),
                writers.join(", ")
            ))
            .hint("You need to terminate them before dropping."));
        }
        self.catalog.remove_source(name);
        let mut stop = Vec::new();
        if let Some(id) = own
            && self.catalog.remove_query(id).is_some()
        {
            stop.push(id.to_string());
        }
        let message = format!("Source `{name}` (topic: {}) was dropped.", source.topic);
        Ok(Effect {
            stop,
            delete_topic: delete_topic.then(|| source.topic.clone()),
            dropped: Some(name.to_string()),
            ..Effect::message(message)
        })
    }

    fn terminate(&mut self, id: Option<&str>) -> Result<Effect> {
        let ids = self.chosen(id)?;
        for id in &ids {
            self.catalog.remove_query(id);
        }
        if ids.is_empty() {
            return Ok(Effect::nothing("There are no queries to terminate."));
        }
        Ok(Effect { stop: ids.clone(), ..Effect::message(format!("Query terminated: {}", ids.join(", "))) })
    }

    fn pause(&mut self, id: Option<&str>, paused: bool) -> Result<Effect> {
        let ids = self.chosen(id)?;
        for id in &ids {
            self.catalog.set_paused(id, paused);
        }
        let word = if paused { "paused" } else { "resumed" };
        Ok(Effect {
            pause: ids.iter().map(|id| (id.clone(), paused)).collect(),
            ..Effect::message(format!("Query {word}: {}", ids.join(", ")))
        })
    }

    fn chosen(&self, id: Option<&str>) -> Result<Vec<String>> {
        match id {
            None => Ok(self.catalog.queries().map(|query| query.id.clone()).collect()),
            Some(id) => match self.catalog.query(id) {
                Some(query) => Ok(vec![query.id.clone()]),
                None => Err(Error::statement(format!("Unknown queryId: {id}")).hint("SHOW QUERIES; lists them")),
            },
        }
    }

    fn alter_source(
        &mut self,
        kind: SourceKind,
        name: &str,
        add: &[(crate::sql::ast::Ident, crate::sql::ast::Type)],
        text: &str,
    ) -> Result<Effect> {
        let mut source = Source::clone(self.catalog.expect_source(name)?);
        if source.kind != kind {
            return Err(Error::statement(format!(
                "{name} is a {}, not a {}.",
                kind_word(source.kind),
                kind_word(kind)
            )));
        }
        if source.query_id.is_some() {
            return Err(Error::statement(format!(
                "ALTER command is not supported for CREATE ... AS statements: {name}"
            ))
            .hint("CREATE OR REPLACE changes what a query makes"));
        }
        if source.is_source {
            return Err(Error::statement(format!("Cannot alter {} '{name}': it is read-only.", kind_word(kind))));
        }
        for (column, ty) in add {
            if source.columns.iter().any(|other| other.name == column.text) {
                return Err(Error::statement(format!(
                    "Cannot add column `{}` to schema. A column with the same name already exists.",
                    column.text
                ))
                .at(column.at));
            }
            let catalog = &*self.catalog;
            let ty = expr::to_sql_type(ty, &|name| catalog.custom_type(name).cloned())?;
            source.value.columns.push((column.text.clone(), ty.clone()));
            source.columns.push(crate::catalog::Column {
                name: column.text.clone(),
                ty,
                role: crate::catalog::ColumnRole::Value,
            });
        }
        source.value.wrapped |= source.value.columns.len() > 1;
        source.statement = text.to_string();
        self.catalog.put_source(source);
        Ok(Effect::message(format!("{} {name} altered", kind_title(kind))))
    }
}

/// CREATE OR REPLACE of a stream or table over a topic: columns may be added behind, nothing else may change.
fn check_replacement(old: &Source, new: &Source) -> Result<()> {
    let refuse = |what: &str| {
        Err(Error::statement(format!("Cannot upgrade {} {}: {what}.", kind_word(old.kind), old.name))
            .hint("DROP it and create it anew"))
    };
    if old.topic != new.topic {
        return refuse("its topic would change");
    }
    if old.key != new.key {
        return refuse("its key columns or their format would change");
    }
    if old.value.format != new.value.format || old.timestamp != new.timestamp || old.window != new.window {
        return refuse("its value format, timestamp column or window would change");
    }
    let kept = old.value.columns.len() <= new.value.columns.len()
        && old.value.columns.iter().zip(&new.value.columns).all(|(old, new)| old == new);
    if !kept {
        return refuse("value columns may only be added behind the others");
    }
    Ok(())
}

fn create_topic(inner: &Inner, spec: &TopicSpec) -> Result<()> {
    match inner.log.create_topic(spec) {
        Ok(()) | Err(LogError::TopicExists(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How long the windows of a query's table are kept.
fn retention_ms(sink: &Sink) -> Option<i64> {
    let steps = sink.analyzed.plan.stages.iter().flat_map(|stage| &stage.steps);
    steps
        .filter_map(|step| match step {
            Step::Aggregate(aggregate) => aggregate.window.map(|window| window.retention_ms),
            _ => None,
        })
        .next()
}

/// The group of a query's positions, and the prefix of its internal topics.
pub(super) fn group(query_id: &str) -> String {
    format!("_confluent-ksql-default_query_{query_id}")
}

pub(super) fn start(properties: &BTreeMap<String, String>) -> Start {
    if settings::value(properties, "auto.offset.reset") == "latest" { Start::Latest } else { Start::Earliest }
}

fn guarantee(properties: &BTreeMap<String, String>) -> Guarantee {
    match settings::value(properties, "processing.guarantee") {
        "at_least_once" => Guarantee::AtLeastOnce,
        _ => Guarantee::ExactlyOnce,
    }
}

pub(super) fn kind_word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "stream",
        SourceKind::Table => "table",
    }
}

fn kind_title(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "Stream",
        SourceKind::Table => "Table",
    }
}

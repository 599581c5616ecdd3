//! Changes of what exists: checked on a copy of the catalog, written to the command log, then carried out.
//!
//! The same code judges a statement when it is given and when the command log is replayed. What can fail comes before
//! the command is written, and is undone when it does; what comes after it can only warn.

mod outlook;
mod query;
mod replay;
mod run;
mod source;
mod topic;
mod types;
mod upgrade;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::{CreateSource, Sink, create_as, insert_select};
use crate::catalog::{Catalog, Command, FoundRecords, QueryEntry, SourceKind};
use crate::engine::{Drive, Inner, Status};
use crate::error::{Error, Result};
use crate::log::{LogError, TopicSpec};
use crate::sql::ast::{ParsedStatement, Statement};
use crate::time::wall_time_ms;

pub(super) use run::start;

/// What a statement does beside changing the catalog.
struct Effect {
    message: String,
    /// Nothing changed (IF NOT EXISTS and its kin): no command is written.
    nothing: bool,
    topic: Option<TopicSpec>,
    start: Option<StartQuery>,
    /// Queries that end for good.
    stop: Vec<String>,
    pause: Vec<(String, bool)>,
    delete_topic: Option<String>,
    /// Tables whose rows can't be pulled any more.
    views_gone: Vec<String>,
    /// For who gave the statement.
    warnings: Vec<String>,
}

/// A query that begins, or goes on with another plan.
struct StartQuery {
    entry: QueryEntry,
    sink: Arc<Sink>,
    /// It runs already: the old run commits and ends first.
    replaces: bool,
}

impl Effect {
    fn message(message: impl Into<String>) -> Effect {
        Effect {
            message: message.into(),
            nothing: false,
            topic: None,
            start: None,
            stop: Vec::new(),
            pause: Vec::new(),
            delete_topic: None,
            views_gone: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn nothing(message: impl Into<String>) -> Effect {
        Effect { nothing: true, ..Effect::message(message) }
    }
}

/// Judges and applies one statement on a catalog.
struct Change<'a> {
    inner: &'a Inner,
    catalog: &'a mut Catalog,
    properties: &'a BTreeMap<String, String>,
    /// The number in the id that a query started by it gets.
    query_number: i64,
    /// At replay the id is the one that was given then, and topics are as they are.
    replay: Option<Replay>,
}

#[derive(Default)]
struct Replay {
    query_id: Option<String>,
    found: Option<FoundRecords>,
}

impl Inner {
    /// Carries out a statement that changes what exists.
    pub(super) fn change(&self, parsed: &ParsedStatement, properties: &BTreeMap<String, String>) -> Result<Status> {
        let _one_at_a_time = self.changing.lock();
        let mut catalog = self.catalog.read().clone();
        let query_number = self.commands.next_offset()?;
        let change = Change { inner: self, catalog: &mut catalog, properties, query_number, replay: None };
        let effect = change.apply(parsed)?;
        let query_id = effect.start.as_ref().map(|start| start.entry.id.clone());
        let mut status = Status { message: effect.message.clone(), query_id, warnings: Vec::new() };
        if effect.nothing {
            return Ok(status);
        }
        let mut made = Vec::new();
        let written = self.make_topics(&effect, &mut made).and_then(|()| {
            let mut command = Command::new(parsed.text.clone(), properties.clone(), status.query_id.clone());
            command.deletes = effect.delete_topic.as_deref().and_then(|topic| self.identified(topic));
            command.found = effect.start.as_ref().and_then(|start| start.entry.found.clone());
            self.commands.append(&command, wall_time_ms())
        });
        if let Err(error) = written {
            for topic in made {
                // It is empty and nobody knows of it yet: if it stays, the next try finds it.
                let _ = self.log.delete_topic(&topic);
            }
            return Err(error);
        }
        *self.catalog.write() = catalog;
        status.warnings = self.carry_out(effect);
        Ok(status)
    }

    /// Does what the command says. It stands now, whatever happens here: gives what didn't go well.
    fn carry_out(&self, effect: Effect) -> Vec<String> {
        let mut warnings = effect.warnings;
        for id in &effect.stop {
            if let Err(error) = self.end_query(id) {
                warnings.push(format!("query {id} left something behind: {error}"));
            }
        }
        for (id, paused) in &effect.pause {
            if let (false, Err(error)) = (*paused, self.start_again(id)) {
                warnings.push(format!("query {id} did not start: {error}"));
            }
            match &self.drive {
                Drive::Threads(queries) => {
                    if let Some(query) = queries.lock().get(id) {
                        query.set_paused(*paused);
                    }
                }
                Drive::Stepped(queries) => queries.lock().set_paused(id, *paused),
            }
        }
        for name in &effect.views_gone {
            self.views.write().remove(name);
        }
        if let Some(topic) = &effect.delete_topic {
            match self.log.delete_topic(topic) {
                Ok(()) | Err(LogError::UnknownTopic(_)) => {}
                Err(error) => warnings.push(format!("topic {topic} was not deleted: {error}")),
            }
        }
        if let Some(start) = effect.start {
            if start.replaces {
                self.halt_query(&start.entry.id);
            }
            if let Err(error) = self.start_query(&start.entry, start.sink) {
                warnings.push(format!("query {} did not start: {error}", start.entry.id));
            }
        }
        warnings
    }
}

impl Change<'_> {
    fn apply(mut self, parsed: &ParsedStatement) -> Result<Effect> {
        match &parsed.statement {
            Statement::CreateSource { kind, is_source, if_exists, name, columns, properties } => {
                if let Some(effect) = self.existing(*kind, &name.text, *if_exists)? {
                    return Ok(effect);
                }
                let (kind, is_source, statement) = (*kind, *is_source, parsed.text.as_str());
                let create = CreateSource { kind, is_source, name, columns, properties, statement };
                let (source, with) = create.analyze(self.catalog, self.properties)?;
                self.create_source(source, &with, *if_exists)
            }
            Statement::CreateAs { kind, if_exists, name, properties, query } => {
                if let Some(effect) = self.existing(*kind, &name.text, *if_exists)? {
                    return Ok(effect);
                }
                let sink = create_as(*kind, name, properties, query, &parsed.text, self.catalog, self.properties)?;
                match self.catalog.source(&name.text).cloned() {
                    Some(old) => self.replace_as(&old, sink, &parsed.text),
                    None => self.create_as(sink, &parsed.text),
                }
            }
            Statement::InsertSelect { target, properties, query } => {
                let sink = insert_select(target, properties, query, self.catalog, self.properties)?;
                self.insert_into(sink, &parsed.text)
            }
            Statement::DropSource { kind, if_exists, name, delete_topic } => {
                self.drop_source(*kind, &name.text, *if_exists, *delete_topic)
            }
            Statement::CreateType { if_exists, name, ty } => self.create_type(name, ty, *if_exists),
            Statement::DropType { if_exists, name } => self.drop_type(name, *if_exists),
            Statement::Terminate(id) => self.terminate(id.as_ref()),
            Statement::Pause(id) => self.pause(id.as_ref(), true),
            Statement::Resume(id) => self.pause(id.as_ref(), false),
            Statement::AlterSource { kind, name, add } => self.alter_source(*kind, &name.text, add, &parsed.text),
            _ => Err(Error::internal("this statement changes nothing")),
        }
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

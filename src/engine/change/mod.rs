//! Changes of what exists: checked on a copy of the catalog, written to the command log, then carried out.
//!
//! The same code judges a statement when it is given and when the command log is replayed. What can fail comes before
//! the command is written, and is undone when it does; what comes after it can only warn.
//!
//! Where several processes of a service share the catalog (`follow`), each carries out the commands of all, in the order of
//! the command log. A command counts only if it finds the catalog that it was judged on (`catalog::Chain`): so all agree, and
//! the world (topics, partitions) is looked at once, by the one to whom the statement was given. If another's came before it,
//! the statement is judged anew (`write`).

mod follow;
mod made;
mod outlook;
mod query;
mod remains;
mod replay;
mod run;
mod source;
mod topic;
mod types;
mod upgrade;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::{CreateSource, Sink, create_as, insert_select};
use crate::catalog::{Catalog, FoundRecords, QueryEntry, SourceKind};
use crate::engine::{Drive, Inner};
use crate::error::{Error, Result};
use crate::log::TopicSpec;
use crate::sql::ast::{ParsedStatement, Statement};

pub(super) use follow::{Followed, Follower};
pub(super) use query::check_runs;
pub(super) use remains::Remains;
pub(super) use run::start;
pub(super) use write::Outcome;

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
    sink_partitions: Option<u32>,
}

impl Inner {
    /// The run of queries, the rows for pull queries: as the effect of a statement says. Gives what didn't go well.
    fn carry_out_effect(&self, effect: Effect) -> Vec<String> {
        let mut warnings = effect.warnings;
        if let Drive::Threads(queries) = &self.drive {
            queries.lock().tell_to_stop(&effect.stop);
        }
        for id in &effect.stop {
            self.halt_query(id);
            self.forget_snapshots(id);
            self.not_started.write().remove(id);
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
        if let Some(start) = effect.start {
            if start.replaces {
                self.halt_query(&start.entry.id);
            }
            // Of several commands that are taken in together, a later one may have ended it.
            let stands = self.catalog.read().query(&start.entry.id).is_some();
            if let Err(error) = if stands { self.start_query(&start.entry, start.sink) } else { Ok(()) } {
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

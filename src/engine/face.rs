//! The face of an engine, in this process or attached over the folder's socket: what a terminal, a job or an embedding
//! program can ask of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::SourceWindow;
use crate::engine::facts::{QueryCounts, Told};
use crate::engine::{Engine, Events};
use crate::error::{Error, Result};
use crate::format::Layout;
use crate::log::{GroupDescription, Log, TopicPartition};
use crate::sql::ast::ParsedStatement;
use crate::types::{SqlType, Value};

/// What belongs to one terminal: properties made by SET, variables made by DEFINE. Changed by those statements.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Session {
    /// Values of `SET`, by property.
    pub properties: BTreeMap<String, String>,
    /// Values of `DEFINE`, by name.
    pub variables: BTreeMap<String, String>,
}

/// An engine that can be asked.
pub trait Face: Send + Sync {
    /// Runs one statement (`;` optional). SELECT and PRINT answer with `Reply::Rows`, all else when it is done.
    fn execute(&self, session: &mut Session, statement: &str) -> Result<Reply>;
    /// Answers a query at once that asks for a few keys of a table whose rows are there, without warnings. None: it is another
    /// one, or something would have to be waited for, or it is wrong; [`Face::execute`] tells.
    fn pull_at_once(&self, _session: &Session, _statement: &ParsedStatement) -> Option<RowStream> {
        None
    }
    /// Tries statements that are to be carried out one after the other on a copy of what exists. What only the work itself shows
    /// (values that don't fit, what others do meanwhile) isn't found. Who can't try them finds nothing.
    ///
    /// Errors: the place of the first that can't be carried out, and why.
    fn check_ahead(&self, _session: &Session, _statements: &[&str]) -> Result<(), (usize, Error)> {
        Ok(())
    }
    /// Waits until the command at this offset of the command log, and all before it, are carried out here; false: they are not by
    /// then.
    fn await_command(&self, offset: i64, longest: Duration) -> Result<bool>;
    /// Writes the rows that JSON objects tell to a stream or table, in their order: fields are columns. As INSERT INTO ... VALUES
    /// does, in one commit.
    fn insert(&self, target: &str, rows: &[String], properties: &BTreeMap<String, String>) -> Result<(), Rest>;
    /// What the persistent queries that this process drives have counted. Asks nobody, and waits for nothing but the list of them.
    fn query_counts(&self) -> Vec<QueryCounts> {
        Vec::new()
    }
    /// The topics.
    fn log(&self) -> Arc<dyn Log>;
    /// Names for completion: streams, tables, columns, topics, query ids.
    fn names(&self) -> Vec<String>;
    /// How the records of each topic that has a stream or table over it are laid out.
    fn layouts(&self) -> BTreeMap<String, TopicLayout>;
    /// Who relies on a topic.
    fn topic_users(&self, topic: &str) -> Result<TopicUsers>;
    /// All groups by their names, also those of queries that have no positions yet; or the one that has this name or
    /// belongs to the query of this id, whether it is there or not.
    fn groups(&self, wanted: Option<&str>) -> Result<Vec<GroupStanding>>;
    /// The engine itself, where it is in this process and shares the work of a service with others.
    fn shared(&self) -> Option<Engine> {
        None
    }
    /// Sets positions of a group, so that it reads from elsewhere.
    ///
    /// Errors: somebody is at work in it, it keeps state that follows from what it has read, it belongs to another
    /// service's query, or a position isn't of a topic that its query reads. Nothing is set then.
    fn reset_group(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>, trial: Trial) -> Result<()>;
}

/// Why not all rows are written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rest {
    /// So many at the front are.
    pub written: usize,
    /// What is wrong with the next one. All behind it are left out.
    pub error: Error,
}

/// What of the catalog relies on a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TopicUsers {
    /// Streams and tables over it, as `stream S`, and the queries that read or write it, as `query CSAS_O_1`.
    pub names: Vec<String>,
    /// The table that a query keeps in it: its name and the query's id.
    pub table: Option<(String, String)>,
}

/// A group, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GroupStanding {
    /// As the log has it; a query at work on a log without members is shown as the only one.
    pub description: GroupDescription,
    /// Whose it is.
    pub kind: GroupKind,
}

/// Whose a group is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum GroupKind {
    /// A persistent query's of this service.
    Query(QueryOfGroup),
    /// A query's that this service doesn't have.
    OtherService,
    /// Anybody's.
    Consumer,
}

/// A persistent query whose positions a group holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QueryOfGroup {
    /// Its id.
    pub id: String,
    /// The topics that its statement reads. Others that it has positions of are between its stages.
    pub topics: Vec<String>,
}

/// Whether something is done, or only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Trial {
    /// Nothing is changed; the errors are the same.
    Only,
    /// It is done.
    No,
}

/// How the records of a topic are laid out.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TopicLayout {
    /// Format and columns of the keys.
    pub key: Layout,
    /// Format and columns of the values.
    pub value: Layout,
    /// The window that stands behind the keys.
    pub window: Option<SourceWindow>,
}

/// The answer to a statement.
#[derive(Debug)]
pub enum Reply {
    /// It was carried out: definitions, INSERT, SET, ...
    Done(Status),
    /// SHOW, DESCRIBE, EXPLAIN.
    Facts(Told),
    /// SELECT and PRINT.
    Rows(RowStream),
}

/// A statement was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Status {
    /// For people: `Stream FLIGHTS created`.
    pub message: String,
    /// The persistent query it started.
    pub query_id: Option<String>,
    /// What went wrong beside it, or is to be known of it, for people.
    pub warnings: Vec<String>,
    /// Where its command stands in the command log, of a statement that changed the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_offset: Option<i64>,
}

/// A table of facts (SHOW ..., DESCRIBE ...) as a terminal shows it, with lines before and after it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// `streams`, `tables`, `topics`, `queries`, `description`, ...
    pub kind: String,
    /// Facts above the table: (name, value), e.g. of DESCRIBE EXTENDED.
    pub facts: Vec<(String, String)>,
    /// Heads of the columns.
    pub columns: Vec<String>,
    /// A cell a column.
    pub rows: Vec<Vec<String>>,
    /// For people: what of it may not be so any more.
    pub warnings: Vec<String>,
}

/// Rows of a pull or push query, or records of PRINT. Dropping it ends the query.
pub struct RowStream {
    /// In the order of the SELECT. Empty for PRINT.
    pub columns: Vec<ResultColumn>,
    /// A push query has an id and goes on until it is dropped.
    pub query_id: Option<String>,
    /// Bounded: a slow reader slows the query down, not the process.
    pub events: Events,
    /// Called once when the reader goes away.
    pub on_drop: Option<Box<dyn FnOnce() + Send>>,
}

impl RowStream {
    /// All rows until the end: of a pull query, or of a push query with a LIMIT. Warnings are left out: whoever wants
    /// them reads `events`.
    pub fn collect(self) -> Result<Vec<Row>> {
        let mut all = Vec::new();
        while let Ok(event) = self.events.recv() {
            match event {
                RowEvent::Rows(rows) => all.extend(rows),
                RowEvent::Line(_) | RowEvent::Warning(_) => {}
                RowEvent::End(_) => return Ok(all),
                RowEvent::Failed(error) => return Err(error),
            }
        }
        Err(Error::internal("the rows ended without an end"))
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        if let Some(on_drop) = self.on_drop.take() {
            on_drop();
        }
    }
}

impl std::fmt::Debug for RowStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowStream").field("columns", &self.columns).field("query_id", &self.query_id).finish()
    }
}

/// A column of a query's rows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Of a pull query on a table: it is (of) the table's key.
    pub key: bool,
}

impl ResultColumn {
    /// A column that is not of a key.
    pub fn new(name: impl Into<String>, ty: SqlType) -> Self {
        ResultColumn { name: name.into(), ty, key: false }
    }
}

/// What comes from a query, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum RowEvent {
    /// Some rows, at least one.
    Rows(Vec<Row>),
    /// A record of PRINT as a JSON object: `partition`, `offset`, `timestamp` (ms), `key`, `value`, `headers` and, of a
    /// windowed key, `window` with `start` and `end` (ms).
    Line(String),
    /// For people: how many records could not be processed since the last warning, and why the first of them failed. They
    /// are not among the rows, or have NULL where an expression failed. Of a pull query also that the table's query has
    /// records before it that the rows don't show yet.
    Warning(String),
    /// The last event: `Limit Reached`, `Query Completed`.
    End(String),
    /// The last event.
    Failed(Error),
}

/// A row of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// A value a column of the [`RowStream`].
    pub values: Vec<Value>,
    /// The key was deleted: all but key columns are NULL.
    pub tombstone: bool,
}

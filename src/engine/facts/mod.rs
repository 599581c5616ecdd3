//! What SHOW, DESCRIBE and EXPLAIN tell, before it is a table for a terminal ([`Told::page`]) or an entity of the HTTP
//! API. Whoever attaches to the engine gets the same.

mod page;

use serde::{Deserialize, Serialize};

pub use self::page::Page;
pub(in crate::engine) use self::page::duration;

use crate::catalog::{ColumnRole, SourceKind, SourceWindow};
use crate::log::TopicSummary;
use crate::types::SqlType;

/// The facts that a statement asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// What is so.
    pub facts: Facts,
    /// For people: what of it may not be so any more.
    pub warnings: Vec<String>,
}

/// What is so, by what was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Facts {
    /// SHOW STREAMS, SHOW TABLES: those of one kind.
    Sources(SourceKind, Vec<SourceSummary>),
    /// SHOW TOPICS.
    Topics(Vec<TopicSummary>),
    /// SHOW QUERIES: the persistent ones.
    Queries(Vec<QuerySummary>),
    /// SHOW QUERIES EXTENDED: what EXPLAIN tells of each.
    QueryDescriptions(Vec<PlanDescription>),
    /// SHOW FUNCTIONS: names and categories; what more there is to say of one stands in the table of functions.
    Functions(Vec<(String, String)>),
    /// SHOW PROPERTIES.
    Properties(Vec<Property>),
    /// SHOW VARIABLES: names and values.
    Variables(Vec<(String, String)>),
    /// SHOW TYPES: names and what they stand for.
    Types(Vec<(String, SqlType)>),
    /// DESCRIBE of a stream or table.
    Source(Box<SourceDescription>),
    /// DESCRIBE STREAMS, DESCRIBE TABLES.
    SourceDescriptions(Vec<SourceDescription>),
    /// DESCRIBE of a query.
    Query(Box<QuerySummary>),
    /// DESCRIBE FUNCTION: its name in the table of functions.
    Function(String),
    /// EXPLAIN.
    Plan(Box<PlanDescription>),
}

/// A stream or table in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSummary {
    /// Its name.
    pub name: String,
    /// The topic under it.
    pub topic: String,
    /// Name of the keys' format.
    pub key_format: String,
    /// Name of the values' format.
    pub value_format: String,
    /// Its keys carry a window.
    pub windowed: bool,
}

/// A setting and its value in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// As SET takes it.
    pub name: String,
    /// The value in force.
    pub value: String,
    /// The session set it.
    pub overridden: bool,
    /// What it means.
    pub description: String,
}

/// A persistent query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuerySummary {
    /// `CTAS_T_3`
    pub id: String,
    /// As it was given.
    pub statement: String,
    /// The stream or table that it writes.
    pub sink: String,
    /// The topic that it writes.
    pub sink_topic: String,
    /// How it is doing in this process.
    pub standing: Standing,
}

/// How a query is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which of ksqlDB's states that is.
    pub health: Health,
    /// `RUNNING`, `BLOCKED: why`, ...
    pub state: String,
    /// None: it isn't driven by this process.
    pub counts: Option<Counts>,
    /// What a person should know of it.
    pub warning: Option<String>,
    /// Where processes share the work: the one whose part of it this is. The others have theirs.
    pub told_by: Option<u32>,
    /// How it is doing in others that can be asked, by `HOST:PORT`.
    #[serde(default)]
    pub elsewhere: Vec<(String, Health)>,
}

/// What a query that this process drives has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryCounts {
    /// `CTAS_T_3`
    pub id: String,
    /// Which of ksqlDB's states it is in.
    pub health: Health,
    /// In this process.
    pub counts: Counts,
}

/// The states that ksqlDB has for a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// At work, or about to be.
    Running,
    /// It can't go on.
    Error,
    /// By PAUSE.
    Paused,
    /// Another process has it, or nobody.
    NotRunning,
}

impl Health {
    /// ksqlDB's word.
    pub fn word(self) -> &'static str {
        match self {
            Health::Running => "RUNNING",
            Health::Error => "ERROR",
            Health::Paused => "PAUSED",
            Health::NotRunning => "UNRESPONSIVE",
        }
    }
}

/// Counts since the query was started in this process, all in rows unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Read.
    pub rows_in: u64,
    /// Written.
    pub rows_out: u64,
    /// Left out because they came behind a window's grace.
    pub late: u64,
    /// Left out, or with NULLs in them, because something of them failed.
    pub bad: u64,
    /// Records of its sources that it has not read.
    pub lag: i64,
    /// Bytes that its state takes.
    pub state_bytes: u64,
    /// Commits, in number.
    pub commits: u64,
    /// That they took, in microseconds.
    pub commit_micros: u64,
    /// `2 written, 0 failed, 1 used, 0 refused`
    pub snapshots: String,
}

/// DESCRIBE of a stream or table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceDescription {
    /// What a list says of it.
    pub summary: SourceSummary,
    /// Stream or table.
    pub kind: SourceKind,
    /// In its keys.
    pub window: Option<SourceWindow>,
    /// The column that ROWTIME comes from; None: the record's own time.
    pub timestamp: Option<String>,
    /// How long versions of a table's rows are kept, in ms.
    pub versions_retention_ms: Option<i64>,
    /// Keys first.
    pub columns: Vec<ColumnDescription>,
    /// None: the topic can't be described now.
    pub partitions: Option<u32>,
    /// Copies of each record; None: there are no replicas, or it isn't known.
    pub replicas: Option<u16>,
    /// The cluster does not answer, so nothing is known of the topic.
    pub out_of_reach: bool,
    /// The queries that read it.
    pub read_by: Vec<QuerySummary>,
    /// The queries that write it.
    pub written_by: Vec<QuerySummary>,
    /// Streams and tables that queries make of it: it can't be dropped before them.
    pub constraints: Vec<String>,
    /// The statement that made it.
    pub statement: String,
    /// EXTENDED: counts, too.
    pub extended: bool,
    /// EXTENDED: what is in the topic, where that is known.
    pub extent: Option<Extent>,
}

/// What is in a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// On disk, where that is known.
    pub bytes: Option<u64>,
    /// Of each partition the first offset and the next.
    pub offsets: Vec<(i64, i64)>,
}

/// A column of a stream or table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnDescription {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Key, value, headers.
    pub role: ColumnRole,
}

/// EXPLAIN: of a persistent query, or of a statement that isn't carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanDescription {
    /// None: the statement is none of a persistent query's.
    pub query: Option<QuerySummary>,
    /// The statement that is explained.
    pub statement: String,
    /// What it gives, keys first.
    pub columns: Vec<ColumnDescription>,
    /// Streams and tables that it reads.
    pub sources: Vec<String>,
    /// The stream or table that it writes.
    pub sink: Option<String>,
    /// The steps from the last to the sources, one a line, each below the one that reads it.
    pub steps: String,
}

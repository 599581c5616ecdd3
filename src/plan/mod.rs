//! The steps of a query, and where it is cut into stages at exchanges. Doesn't know bytes.

use std::sync::Arc;

use crate::catalog::{Source, SourceWindow};
use crate::expr::accumulator::{AggregateCall, BuildAccumulator};
use crate::expr::{TableCall, Typed};
use crate::format::Layout;
use crate::types::SqlType;

/// The columns that a step gives: first the key, then the value.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub columns: Vec<SchemaColumn>,
    pub keys: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SchemaColumn {
    pub name: String,
    pub ty: SqlType,
}

/// A continuous query: stages in the order of the data's way.
#[derive(Debug, Clone)]
pub struct Plan {
    pub stages: Vec<Stage>,
    /// What the last stage gives.
    pub schema: Schema,
    /// A stream of rows or the changes of a table.
    pub result: ResultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    Stream,
    Table { windowed: Option<SourceWindow> },
}

/// What one task per partition does between two exchanges.
#[derive(Debug, Clone)]
pub struct Stage {
    pub input: StageInput,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub enum StageInput {
    Scan(Scan),
    /// Rows of the stage before, brought to the partition of their key in this layout.
    Exchange {
        key: Layout,
        /// Of the rows' columns, the keys first.
        types: Vec<SqlType>,
    },
}

/// Reads a source's topic. Its columns are all of the source's, then ROWTIME, ROWPARTITION, ROWOFFSET, and of a windowed
/// source WINDOWSTART and WINDOWEND; those that nobody reads are not decoded (an Arrow `Null` column stands there).
#[derive(Debug, Clone)]
pub struct Scan {
    pub source: Arc<Source>,
    pub wanted: Vec<bool>,
}

#[derive(Debug, Clone)]
pub enum Step {
    /// WHERE and HAVING: of a stream, rows pass or don't; of a table, a row that no longer passes becomes a tombstone.
    Filter {
        predicate: Typed,
        table: bool,
        name: &'static str,
    },
    /// New key and value columns.
    Project(Project),
    /// Table functions: a row for each of their values.
    FlatMap {
        calls: Vec<TableCall>,
    },
    Aggregate(Aggregate),
}

#[derive(Debug, Clone)]
pub struct Project {
    pub keys: Vec<Typed>,
    pub values: Vec<Typed>,
    pub names: Vec<String>,
    /// Keys are new (PARTITION BY, GROUP BY): the null-key marks are made anew from them.
    pub rekey: Rekey,
}

/// What a projection does to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rekey {
    /// The key stays (a column may be renamed).
    Keep,
    /// PARTITION BY: a failed or null expression gives a null key.
    PartitionBy,
    /// GROUP BY: a row with a null in its key is dropped by the aggregation.
    GroupBy,
}

/// Groups by the key columns; the calls' arguments are columns of the input. Gives the key and one value column a call.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub key_types: Vec<SqlType>,
    pub calls: Vec<AggregateStep>,
    pub window: Option<Window>,
    pub emit_final: bool,
    /// The input is the changes of a table: old rows are taken out again.
    pub table_input: bool,
}

#[derive(Debug, Clone)]
pub struct AggregateStep {
    pub call: AggregateCall,
    /// Builds the accumulator.
    pub build: BuildAccumulator,
    /// Columns of the input.
    pub args: Vec<usize>,
    pub returns: SqlType,
}

/// A window, all in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub kind: WindowKind,
    /// How long after its end a window still takes rows, in stream time.
    pub grace_ms: i64,
    /// How long after its start (of a session: its end) a window is kept; at least size (gap) and grace.
    pub retention_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    Tumbling { size_ms: i64 },
    Hopping { size_ms: i64, advance_ms: i64 },
    Session { gap_ms: i64 },
}

impl Window {
    /// How it stands in keys.
    pub fn in_keys(&self) -> SourceWindow {
        match self.kind {
            WindowKind::Tumbling { size_ms } => SourceWindow::Time { size_ms, hopping: false },
            WindowKind::Hopping { size_ms, .. } => SourceWindow::Time { size_ms, hopping: true },
            WindowKind::Session { .. } => SourceWindow::Session,
        }
    }
}

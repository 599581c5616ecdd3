//! Millpond: a streaming database. Continuous SQL over durable topics, in one process.
//!
//! A program opens a data folder with [`Engine::open`] and runs statements in a [`Session`] with [`Face::execute`]. The
//! topics are the engine's [`log`](Face::log); values come as [`types::Value`].
//!
//! ```
//! use millpond::log::{Log, Records, TopicPartition, TopicSpec};
//! use millpond::types::Value;
//! use millpond::{Engine, Face, Options, Reply, Session};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temporary = tempfile::tempdir()?;
//! # let folder = temporary.path();
//! let engine = Engine::open(folder, Options::default())?;
//! let log = engine.log();
//! log.create_topic(&TopicSpec { name: "readings".into(), partitions: 1, replicas: None, configs: Default::default() })?;
//! let mut records = Records::default();
//! records.push(Some(b"attic"), Some(br#"{"degrees":24.5}"#), 0);
//! records.push(Some(b"cellar"), Some(br#"{"degrees":11.0}"#), 60_000);
//! log.append(&TopicPartition { topic: "readings".into(), partition: 0 }, &records)?;
//!
//! let mut session = Session::default();
//! engine.execute(
//!     &mut session,
//!     "CREATE STREAM readings (place STRING KEY, degrees DOUBLE)
//!        WITH (KAFKA_TOPIC='readings', VALUE_FORMAT='JSON');",
//! )?;
//! // A SELECT answers with rows; this one ends when it has read what there is.
//! let warm = "SELECT place, degrees FROM readings WHERE degrees > 20;";
//! let Reply::Rows(rows) = engine.execute(&mut session, warm)? else { unreachable!("SELECT gives rows") };
//! let rows = rows.collect()?;
//! assert_eq!(rows.len(), 1);
//! assert_eq!(rows[0].values, [Value::String("attic".into()), Value::Double(24.5)]);
//! engine.shutdown();
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embed.rs` goes on from there, with a table that a continuous query keeps and a push query over its changes.

mod analyze;
mod appender;
mod catalog;
mod cli;
#[cfg(test)]
mod compatibility;
mod config;
mod dataflow;
#[warn(missing_docs)]
pub mod engine;
#[warn(missing_docs)]
pub mod error;
mod expr;
mod format;
#[warn(missing_docs)]
pub mod log;
mod messages;
mod nearest;
#[cfg(test)]
#[path = "../tests/outside.rs"]
mod outside;
mod plan;
mod query;
mod report;
mod server;
mod sql;
mod state;
mod storage;
mod testing;
mod threads;
mod time;
#[warn(missing_docs)]
pub mod types;

pub use cli::main;
pub use engine::{Engine, Face, Options, Reply, Session};

/// What the project's own benchmarks and integration tests look into. Not for others: anything here may change.
#[doc(hidden)]
pub mod internals {
    pub use crate::analyze::{Sink, create_as};
    pub use crate::catalog::{Source, SourceKind, SourceWindow};
    pub use crate::dataflow::{
        Batch, Context, Counters, Guarantee, Host, JoinOperator, Node, Origin, Run, RunSpec, STAGED_BYTES_MAX, Sides,
        SinkSpec, Start, Strict, changelog_topics, join,
    };
    pub use crate::expr::{EvalErrors, Evaluator, Input, Scope, check, compile};
    pub use crate::format::{Decoder, Format, Layout, Part, decoder};
    pub use crate::plan::{Exchange, Join, JoinKind, JoinMethod, Plan, Stage, StageInput};
    pub use crate::query::View;
    pub use crate::sql::ast::{Ident, Statement};
    pub use crate::sql::format::statement as statement_text;
    pub use crate::sql::{layout, parse, parse_expression};
    pub use crate::state::MemoryBudget;
    pub use crate::types::values_to_array;
}

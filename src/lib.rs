//! Millpond: a streaming database. Continuous SQL over durable topics, in one process.

mod analyze;
mod catalog;
mod cli;
mod config;
mod dataflow;
pub mod engine;
pub mod error;
mod expr;
mod format;
pub mod log;
mod nearest;
#[cfg(test)]
#[path = "../tests/outside.rs"]
mod outside;
mod plan;
mod query;
mod server;
mod sql;
mod state;
mod storage;
mod testing;
mod threads;
mod time;
pub mod types;

pub use cli::main;
pub use engine::{Engine, Face, Options, Reply, Session};

/// What the project's own benchmarks and integration tests look into. Not for others: anything here may change.
#[doc(hidden)]
pub mod internals {
    pub use crate::analyze::{Sink, create_as};
    pub use crate::catalog::{Source, SourceKind, SourceWindow};
    pub use crate::dataflow::{
        Counters, Guarantee, Host, Run, RunSpec, STAGED_BYTES_MAX, SinkSpec, Start, changelog_topic,
    };
    pub use crate::format::{Decoder, Format, Layout, Part, decoder};
    pub use crate::query::View;
    pub use crate::sql::ast::Statement;
    pub use crate::sql::parse;
    pub use crate::state::MemoryBudget;
}

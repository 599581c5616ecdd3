//! Millpond: a streaming database. Continuous SQL over durable topics, in one process.

pub mod analyze;
pub mod catalog;
pub mod cli;
pub mod dataflow;
pub mod engine;
pub mod error;
pub mod expr;
pub mod format;
pub mod log;
mod nearest;
#[cfg(test)]
#[path = "../tests/outside.rs"]
mod outside;
pub mod plan;
pub mod query;
pub mod server;
pub mod sql;
pub mod state;
pub mod testing;
pub mod time;
pub mod types;

pub use engine::{Engine, Face, Options, Reply, Session};

//! Millpond: a streaming database. Continuous SQL over durable topics, in one process.

pub mod dataflow;
pub mod engine;
pub mod error;
pub mod expr;
pub mod format;
pub mod log;
pub mod server;
pub mod sql;
pub mod types;

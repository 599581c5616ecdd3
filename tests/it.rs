//! The integration tests: one binary, a module a topic.

// Clippy allows unwrapping in `#[test]` functions only; what helps them is a test, too. Tests wait for other processes by
// the clock.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "it/bad_input.rs"]
mod bad_input;
#[path = "it/batch.rs"]
mod batch;
#[path = "it/binary.rs"]
mod binary;
#[path = "it/ci.rs"]
mod ci;
#[path = "it/conformance.rs"]
mod conformance;
#[path = "it/flights.rs"]
mod flights;
#[path = "it/folder.rs"]
mod folder;
#[path = "it/fuzz/mod.rs"]
mod fuzz;
#[path = "it/golden.rs"]
mod golden;
#[path = "it/handover.rs"]
mod handover;
#[path = "it/kafka_broker.rs"]
mod kafka_broker;
#[path = "it/kafka_catalog.rs"]
mod kafka_catalog;
#[path = "it/kafka_conformance.rs"]
mod kafka_conformance;
#[path = "it/kafka_engine.rs"]
mod kafka_engine;
#[path = "it/kafka_failures.rs"]
mod kafka_failures;
#[path = "it/kafka_golden.rs"]
mod kafka_golden;
#[path = "it/kafka_jobs.rs"]
mod kafka_jobs;
#[path = "it/kafka_joins.rs"]
mod kafka_joins;
#[path = "it/kafka_processes.rs"]
mod kafka_processes;
#[path = "it/kafka_scene.rs"]
mod kafka_scene;
#[path = "it/kafka_servers.rs"]
mod kafka_servers;
#[path = "it/kafka_topics.rs"]
mod kafka_topics;
#[path = "it/kill.rs"]
mod kill;
#[path = "it/kill_joins.rs"]
mod kill_joins;
#[path = "it/log_suite.rs"]
mod log_suite;
mod outside;
#[path = "it/readme.rs"]
mod readme;
#[path = "it/records.rs"]
mod records;
#[path = "it/server.rs"]
mod server;
#[path = "it/server_cli.rs"]
mod server_cli;
#[path = "it/server_queries.rs"]
mod server_queries;
#[path = "it/server_routes.rs"]
mod server_routes;
#[path = "it/server_slow.rs"]
mod server_slow;

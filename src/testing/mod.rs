//! `millpond test`: tests of SQL, run on an engine without a log on disk, that engine behind a server, or on a Kafka cluster,
//! and with time from the records.
//!
//! Two forms: SQL files in the manner of ksqlDB's test tool (`--@test: name`, INSERT VALUES, ASSERT ...), and JSON cases
//! (statements, input records, expected outputs or an expected rejection). Doesn't know how the engine works: it sees
//! it through [`Subject`], and reads and writes records with a small codec of its own.

mod answer;
mod case;
mod cluster_subject;
mod codec;
mod compare;
mod drive;
mod engine_subject;
mod http_subject;
mod json;
mod json_case;
mod outputs;
mod post;
mod record;
mod responses;
mod schema;
mod sql_assert;
mod sql_test;
mod subject;
mod suite;
mod verdict;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub use cluster_subject::TestCluster;
pub use engine_subject::EngineSubject;
pub use http_subject::HttpSubject;
pub use suite::{Suite, Summary};

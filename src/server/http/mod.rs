//! ksqlDB's HTTP API over the network: statements, rows, inserts, and what the server tells of itself.
//!
//! | path | what |
//! | --- | --- |
//! | POST /ksql | statements; an entity each ([`entity`]) |
//! | POST /query, /query-stream | rows of a SELECT or PRINT ([`format`]) |
//! | POST /close-query | ends a push query |
//! | GET /info, /healthcheck, /v1/metadata, /chc/ready, /chc/live | what the server is, how it does |
//! | POST /inserts-stream | rows, one a line |
//! | GET /ws/query | rows over a WebSocket |
//! | GET /is_valid_property/NAME | whether SET takes it |
//! | GET /status, POST /ksql/terminate, GET /clusterStatus | what became of commands, the end of the service, its processes |
//! | POST /heartbeat, /lag, /millpond/pull | between the processes of a service ([`peers`]) |
//! | GET /metrics | for Prometheus |
//! | GET /openapi.json | all of this for programs |
//!
//! A blocking thread runs each call of the engine; the rows of an answer go without one ([`rows`]). What a client may ask for
//! is bounded in [`limits`].

pub mod access;
mod admission;
mod calls;
mod cluster;
mod commands;
mod cut;
mod entity;
mod failure;
mod format;
mod guard;
mod info;
mod inserts;
mod limits;
mod listener;
mod metrics;
mod payload;
mod peers;
mod query;
mod request;
mod rows;
mod serve;
mod state;
mod statements;
mod terminate;
mod tls;
mod websocket;

pub use limits::SLOW_CLIENT_MAX;
pub use peers::{PEER_PATHS, PeerOptions};
pub use serve::{HttpOptions, HttpServer, serve};
pub use tls::TlsFiles;

use super::body;

//! Engines over HTTP: the requests, their limits and who may make them. Doesn't know how a query runs.

mod body;
pub mod client;
pub mod http;
pub mod local;

use crate::engine::Belonging;

/// What who asks is told of the process that serves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// What the folder is of.
    pub belonging: Belonging,
    /// It does the work of the queries. Else, on a cluster, others do, or nobody.
    pub works: bool,
}

/// As ksqlDB's `/info` has it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerInfo {
    version: String,
    kafka_cluster_id: String,
    ksql_service_id: String,
    server_status: String,
}

fn server_info(holder: &Holder) -> ServerInfo {
    ServerInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        kafka_cluster_id: holder.belonging.cluster.as_ref().and_then(|cluster| cluster.id.clone()).unwrap_or_default(),
        ksql_service_id: holder.belonging.service.clone(),
        server_status: "RUNNING".into(),
    }
}

//! GET /clusterStatus and POST /heartbeat: which processes there are, and what each has.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Json, Response};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Role;
use super::failure::{Code, Failure};
use super::guard;
use super::limits::{HEARTBEAT_MAX, HOSTS_MAX};
use super::payload::Payload;
use super::state::{State, blocking};
use crate::engine::GroupKind;
use crate::error::Result;
use crate::time::wall_time_ms;

/// Other processes, `HOST:PORT`, and when each was heard of last, in ms.
#[derive(Default)]
pub struct Hosts(Mutex<BTreeMap<String, i64>>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heartbeat {
    host_info: HostInfo,
    /// When it was sent, in ms.
    #[serde(rename = "timestamp")]
    _timestamp: i64,
}

#[derive(Debug, Deserialize)]
struct HostInfo {
    host: String,
    port: u16,
}

pub async fn heartbeat(
    Shared(state): Shared<Arc<State>>,
    Extension(role): Extension<Role>,
    Payload(body): Payload,
) -> Response {
    // Who may tell of processes could have requests sent to them.
    if let Err(failure) = guard::allow(role, Role::Admin) {
        return failure.into_response();
    }
    let heartbeat: Heartbeat = match serde_json::from_slice(&body) {
        Ok(heartbeat) => heartbeat,
        Err(error) => return Failure::bad_request(format!("Malformed request: {error}")).into_response(),
    };
    let HostInfo { host, port } = heartbeat.host_info;
    let mut hosts = state.hosts.0.lock();
    let name = format!("{host}:{port}");
    if hosts.len() >= HOSTS_MAX && !hosts.contains_key(&name) {
        return Failure::new(Code::BadRequest, format!("{HOSTS_MAX} processes are known already")).into_response();
    }
    // By this process's own clock: the others' may be wrong.
    hosts.insert(name, wall_time_ms());
    Json(json!({"isOk": true})).into_response()
}

pub async fn status(Shared(state): Shared<Arc<State>>) -> Response {
    let call = move || {
        let now = wall_time_ms();
        let mut hosts: serde_json::Map<String, Value> = serde_json::Map::new();
        for (name, heard) in &*state.hosts.0.lock() {
            let alive = now - heard < HEARTBEAT_MAX.as_millis() as i64;
            hosts.insert(name.clone(), host(alive, *heard, json!({})));
        }
        hosts.insert(state.address.to_string(), host(true, now, queries(&state)?));
        Ok(json!({"clusterStatus": hosts}))
    };
    match blocking(call).await {
        Ok(Ok(status)) => Json(status).into_response(),
        Ok(Err(error)) | Err(error) => Failure::of(&error).into_response(),
    }
}

fn host(alive: bool, heard: i64, queries: Value) -> Value {
    json!({
        "hostAlive": alive,
        "lastStatusUpdateMs": heard,
        "activeStandbyPerQuery": queries,
        "hostStoreLags": {"stateStoreLags": {}, "updateTimeMs": heard},
    })
}

/// The partitions that this process reads for each query. Who reads those of a service on a cluster is known to its groups only
/// (`millpond group describe`): there none are told.
fn queries(state: &State) -> Result<Value> {
    let log = state.face.log();
    let alone = state.holder.belonging.cluster.is_none();
    let mut told = serde_json::Map::new();
    for group in state.face.groups(None)? {
        let GroupKind::Query(query) = group.kind else { continue };
        let partitions = |topic: &String| {
            let count = log.partitions(topic).unwrap_or(0);
            (0..count).map(|partition| json!({"topic": topic, "partition": partition})).collect::<Vec<_>>()
        };
        let active: Vec<Value> = query.topics.iter().filter(|_| alone).flat_map(partitions).collect();
        told.insert(
            query.id,
            json!({"activeStores": [], "activePartitions": active, "standByStores": [], "standByPartitions": []}),
        );
    }
    Ok(Value::Object(told))
}

//! GET /clusterStatus, POST /heartbeat and /lag: which processes there are, and what each has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Json, Response};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::Role;
use super::failure::{Code, Failure};
use super::guard;
use super::limits::{HEARTBEAT_MAX, HOSTS_MAX, NEWS_BYTES_MAX, SILENCE_MAX};
use super::payload::Payload;
use super::peers::Company;
use super::state::{State, blocking};
use crate::engine::facts::Health;
use crate::engine::peers::{Active, Process};
use crate::engine::{Engine, GroupKind, QueryState};
use crate::error::Result;
use crate::log::TopicPartition;
use crate::time::wall_time_ms;

/// Other processes, by `HOST:PORT`.
#[derive(Default)]
pub struct Hosts(Mutex<BTreeMap<String, Host>>);

/// What a process told of itself.
#[derive(Debug, Clone, Default)]
struct Host {
    /// When, in ms, by this process's own clock: the others' may be wrong.
    heard: i64,
    lags: Option<StoreLags>,
    /// How its queries are doing.
    states: BTreeMap<String, Health>,
}

/// What a process may tell of itself at a time.
enum News {
    Lags(StoreLags),
    States(BTreeMap<String, Health>),
}

impl Hosts {
    /// Notes that a process was heard of. Errors: there are too many.
    fn hear(&self, host: &HostInfo, news: News) -> Result<(), Failure> {
        let (mut hosts, now) = (self.0.lock(), wall_time_ms());
        hosts.retain(|_, host| now - host.heard < SILENCE_MAX.as_millis() as i64);
        let name = host.name();
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(&name) {
            return Err(Failure::new(Code::BadRequest, format!("{HOSTS_MAX} processes are known already")));
        }
        let host = hosts.entry(name).or_default();
        host.heard = now;
        match news {
            News::Lags(lags) => host.lags = Some(lags),
            News::States(states) => host.states = states,
        }
        Ok(())
    }

    /// How a query is doing in those that are there.
    pub fn states(&self, query: &str) -> Vec<(String, Health)> {
        let (hosts, now) = (self.0.lock(), wall_time_ms());
        let alive = hosts.iter().filter(|(_, host)| is_alive(host.heard, now));
        alive.filter_map(|(name, host)| Some((name.clone(), *host.states.get(query)?))).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heartbeat {
    host_info: HostInfo,
    /// When it was sent, in ms.
    #[serde(rename = "timestamp")]
    _timestamp: i64,
    /// How its queries are doing; ksqlDB doesn't say.
    #[serde(default)]
    query_states: BTreeMap<String, Health>,
}

fn is_alive(heard: i64, now: i64) -> bool {
    now - heard < HEARTBEAT_MAX.as_millis() as i64
}

/// What a process tells that is there.
pub fn own_heartbeat(engine: &Engine, url: &str) -> Value {
    json!({"hostInfo": HostInfo::of(url), "timestamp": wall_time_ms(), "queryStates": engine.healths()})
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInfo {
    host: String,
    port: u16,
}

impl HostInfo {
    /// Of `https://HOST:PORT`.
    pub fn of(url: &str) -> HostInfo {
        let name = url.split_once("://").map_or(url, |(_, name)| name);
        let (host, port) = name.rsplit_once(':').unwrap_or((name, ""));
        HostInfo { host: host.to_owned(), port: port.parse().unwrap_or_default() }
    }

    fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lag {
    ksql_host: HostInfo,
    host_store_lags: StoreLags,
}

/// How far a process's stores are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreLags {
    /// By `GROUP#STORE`.
    state_store_lags: BTreeMap<String, StoreLag>,
    update_time_ms: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoreLag {
    /// By the partition's number, which JSON has as text.
    lag_by_partition: BTreeMap<String, PartitionLag>,
}

/// Offsets in a store's changelog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartitionLag {
    current_offset_position: i64,
    end_offset_position: i64,
    offset_lag: i64,
}

/// The stores that this process works with. A partition is at work when it has all of its changelog: its lag is none.
///
/// Errors: the cluster doesn't say where the changelogs end.
pub fn own_lags(engine: &Engine) -> Result<StoreLags> {
    let at_work = |id: &str| engine.query_state(id) == Some(QueryState::Running);
    let mut places: BTreeMap<String, Vec<TopicPartition>> = BTreeMap::new();
    for (id, active) in engine.active(None).into_iter().filter(|(id, _)| at_work(id)) {
        let group = engine.query_group(&id);
        places.extend(active.stores.into_iter().map(|(store, places)| (format!("{group}#{store}"), places)));
    }
    let all: Vec<TopicPartition> = places.values().flatten().cloned().collect();
    let ends = if all.is_empty() { BTreeMap::new() } else { crate::engine::Face::log(engine).offsets_of(&all)? };
    let lag = |place: &TopicPartition| {
        let (_, end) = *ends.get(place)?;
        let lag = PartitionLag { current_offset_position: end, end_offset_position: end, offset_lag: 0 };
        Some((place.partition.to_string(), lag))
    };
    let store = |(name, places): (String, Vec<TopicPartition>)| {
        (name, StoreLag { lag_by_partition: places.iter().filter_map(lag).collect() })
    };
    Ok(StoreLags { state_store_lags: places.into_iter().map(store).collect(), update_time_ms: wall_time_ms() })
}

pub async fn heartbeat(
    Shared(state): Shared<Arc<State>>,
    Extension(role): Extension<Role>,
    Payload(body): Payload,
) -> Response {
    let heard = read(role, &body)
        .and_then(|told: Heartbeat| state.hosts.hear(&told.host_info, News::States(told.query_states)));
    heard.map_or_else(IntoResponse::into_response, |()| Json(json!({"isOk": true})).into_response())
}

pub async fn lag(
    Shared(state): Shared<Arc<State>>,
    Extension(role): Extension<Role>,
    Payload(body): Payload,
) -> Response {
    let heard =
        read(role, &body).and_then(|told: Lag| state.hosts.hear(&told.ksql_host, News::Lags(told.host_store_lags)));
    heard.map_or_else(IntoResponse::into_response, |()| Json(json!({"isOk": true})).into_response())
}

/// Who tells of processes takes part in what a status says: an admin, as processes of a service are to each other.
fn read<T: DeserializeOwned>(role: Role, body: &[u8]) -> Result<T, Failure> {
    guard::allow(role, Role::Admin)?;
    if body.len() > NEWS_BYTES_MAX {
        return Err(Failure::new(Code::TooLarge, format!("The request is larger than {NEWS_BYTES_MAX} bytes")));
    }
    serde_json::from_slice(body).map_err(|error| Failure::bad_request(format!("Malformed request: {error}")))
}

pub async fn status(Shared(state): Shared<Arc<State>>) -> Response {
    let call = move || {
        let now = wall_time_ms();
        let mut hosts: BTreeMap<String, Value> = BTreeMap::new();
        let heard_of = state.hosts.0.lock().clone();
        for (name, told) in &heard_of {
            hosts.insert(name.clone(), host(is_alive(told.heard, now), told.heard, json!({}), told.lags.as_ref()));
        }
        let Some(company) = state.company.as_ref() else {
            hosts.insert(state.address.to_string(), host(true, now, queries(&state)?, None));
            return Ok(json!({"clusterStatus": hosts}));
        };
        for process in processes(company) {
            let name = HostInfo::of(&process.url).name();
            let told = heard_of.get(&name).cloned().unwrap_or_default();
            let seen = told.heard.max(company.calls.answered(&process).unwrap_or_default());
            let active = active(company.engine.active(Some(&process)));
            hosts.insert(name, host(is_alive(seen, now), seen, active, told.lags.as_ref()));
        }
        let lags = own_lags(&company.engine).ok();
        let own = host(true, now, active(company.engine.active(None)), lags.as_ref());
        hosts.insert(HostInfo::of(&company.own.url).name(), own);
        Ok(json!({"clusterStatus": hosts}))
    };
    match blocking(call).await {
        Ok(Ok(status)) => Json(status).into_response(),
        Ok(Err(error)) | Err(error) => Failure::of(&error).into_response(),
    }
}

/// All but this one that the queries' groups tell of.
fn processes(company: &Company) -> BTreeSet<Process> {
    let shares = company.engine.shares();
    let all = shares.values().flat_map(|shares| shares.by_process.keys());
    all.filter(|process| process.id != company.own.id).cloned().collect()
}

fn host(alive: bool, heard: i64, queries: Value, lags: Option<&StoreLags>) -> Value {
    let none = StoreLags { update_time_ms: heard, ..StoreLags::default() };
    json!({
        "hostAlive": alive,
        "lastStatusUpdateMs": heard,
        "activeStandbyPerQuery": queries,
        "hostStoreLags": lags.unwrap_or(&none),
    })
}

/// There are no standbys: who takes a partition over has its state from the changelog, or from a snapshot of its own.
fn active(queries: BTreeMap<String, Active>) -> Value {
    let told = |(id, active): (String, Active)| {
        let stores: Vec<&String> = active.stores.keys().collect();
        (id, of_query(json!(stores), active.partitions.iter().map(place).collect()))
    };
    Value::Object(queries.into_iter().map(told).collect())
}

fn of_query(stores: Value, partitions: Vec<Value>) -> Value {
    json!({"activeStores": stores, "activePartitions": partitions, "standByStores": [], "standByPartitions": []})
}

fn place(place: &TopicPartition) -> Value {
    json!({"topic": place.topic, "partition": place.partition})
}

/// The partitions that this process reads for each query, where it works alone. Who reads those of a service on a cluster, and
/// can't be asked by the others, is known to its groups only (`millpond group describe`): there none are told.
fn queries(state: &State) -> Result<Value> {
    let log = state.face.log();
    let alone = state.holder.belonging.cluster.is_none();
    let mut told = serde_json::Map::new();
    for group in state.face.groups(None)? {
        let GroupKind::Query(query) = group.kind else { continue };
        let partitions = |topic: &String| {
            let count = log.partitions(topic).unwrap_or(0);
            let topic = topic.clone();
            (0..count).map(move |partition| place(&TopicPartition { topic: topic.clone(), partition }))
        };
        let active: Vec<Value> = query.topics.iter().filter(|_| alone).flat_map(partitions).collect();
        told.insert(query.id, of_query(json!([]), active));
    }
    Ok(Value::Object(told))
}

//! What the server is and how it does: /info, /healthcheck, /is_valid_property, container probes.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Redirect, Response};
use serde_json::{Value, json};

use super::failure::{Code, Failure};
use super::state::{State, blocking};
use crate::engine::settings;
use crate::server::local::info_of;

pub async fn info(Shared(state): Shared<Arc<State>>) -> Response {
    match blocking(move || info_of(&state.owner)).await {
        Ok(info) => Json(info).into_response(),
        Err(error) => Failure::of(&error).into_response(),
    }
}

pub async fn root() -> Response {
    Redirect::temporary("/info").into_response()
}

/// Healthy is who can read and write its log, and takes statements.
pub async fn healthcheck(Shared(state): Shared<Arc<State>>) -> Response {
    let reached = {
        let state = state.clone();
        blocking(move || state.face.log().out_of_reach().is_none()).await.unwrap_or(false)
    };
    let healthy = json!({"isHealthy": true});
    let body = json!({
        "isHealthy": reached,
        "details": {
            "metastore": healthy,
            "kafka": {"isHealthy": reached},
            "commandRunner": {"isHealthy": reached},
        },
        "serverState": "READY",
    });
    let status = if reached { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

/// Containers ask whether the process is there.
pub async fn probe() -> Response {
    Json(json!({})).into_response()
}

fn cluster(state: &State) -> Value {
    let cluster = state.holder.belonging.cluster.as_ref().and_then(|cluster| cluster.id.clone()).unwrap_or_default();
    json!({
        "scope": {
            "path": [],
            "clusters": {"kafka-cluster": cluster, "ksql-cluster": state.holder.belonging.service},
        },
        "id": "",
    })
}

pub async fn metadata(Shared(state): Shared<Arc<State>>) -> Response {
    Json(json!({"version": env!("CARGO_PKG_VERSION"), "clusterId": cluster(&state)})).into_response()
}

pub async fn metadata_id(Shared(state): Shared<Arc<State>>) -> Response {
    Json(cluster(&state)).into_response()
}

pub async fn is_valid_property(Path(name): Path<String>) -> Response {
    match settings::check_known(&name) {
        Ok(()) => Json(true).into_response(),
        Err(error) => Failure::of(&error).into_response(),
    }
}

/// What the server takes and gives, for programs.
pub const OPENAPI: &str = include_str!("openapi.json");

pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

pub async fn not_found() -> Response {
    Failure::new(Code::NotFound, "There is no such path; see /openapi.json").into_response()
}

pub async fn not_allowed() -> Response {
    Failure::new(Code::NotAllowed, "This path doesn't take this method").into_response()
}

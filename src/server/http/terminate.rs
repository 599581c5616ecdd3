//! POST /ksql/terminate: ends the service for good. Its queries end, what exists is dropped, the process stops.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Extension;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Json, Response};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Role;
use super::failure::Failure;
use super::guard;
use super::payload::Payload;
use super::state::{State, blocking};
use crate::engine::facts::Facts;
use crate::engine::{Face, Reply, Session};
use crate::error::{Error, Result};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminate {
    /// Names or patterns of topics that go with it, of those that queries have made.
    #[serde(default)]
    delete_topic_list: Vec<String>,
}

pub async fn terminate(
    Shared(state): Shared<Arc<State>>,
    Extension(role): Extension<Role>,
    Payload(body): Payload,
) -> Response {
    if let Err(failure) = guard::allow(role, Role::Admin) {
        return failure.into_response();
    }
    let call = move || {
        let terminate: Terminate = match body.is_empty() {
            true => Terminate::default(),
            false => serde_json::from_slice(&body)
                .map_err(|error| Failure::bad_request(format!("Malformed request: {error}")))?,
        };
        let patterns = patterns(&terminate.delete_topic_list)?;
        end_all(&*state.face, &patterns).map_err(|error| Failure::of(&error))?;
        state.terminated.store(true, Ordering::SeqCst);
        Ok::<Value, Failure>(json!([{
            "@type": "currentStatus",
            "statementText": "TERMINATE CLUSTER;",
            "commandId": "cluster/TerminateCluster/terminate",
            "commandStatus": {"status": "SUCCESS", "message": "The service has ended", "queryId": null},
            "commandSequenceNumber": -1,
            "warnings": [],
        }]))
    };
    match blocking(call).await {
        Ok(Ok(entities)) => Json(entities).into_response(),
        Ok(Err(failure)) => failure.into_response(),
        Err(error) => Failure::of(&error).into_response(),
    }
}

/// Each must match a whole name.
fn patterns(texts: &[String]) -> Result<Vec<Regex>, Failure> {
    let pattern = |text: &String| {
        Regex::new(&format!("^(?:{text})$"))
            .map_err(|error| Failure::bad_request(format!("'{text}' is no pattern of topics: {error}")))
    };
    texts.iter().map(pattern).collect()
}

fn facts(face: &dyn Face, statement: &str) -> Result<Facts> {
    match face.execute(&mut Session::default(), statement)? {
        Reply::Facts(told) => Ok(told.facts),
        Reply::Done(_) | Reply::Rows(_) => Err(Error::internal(format!("{statement} tells nothing"))),
    }
}

/// Streams and tables with their topics, in the words of SQL.
fn sources(face: &dyn Face) -> Result<Vec<(&'static str, String, String)>> {
    let mut sources = Vec::new();
    for (kind, statement) in [("STREAM", "SHOW STREAMS;"), ("TABLE", "SHOW TABLES;")] {
        if let Facts::Sources(_, found) = facts(face, statement)? {
            sources.extend(found.into_iter().map(|source| (kind, source.name, source.topic)));
        }
    }
    sources.retain(|(_, name, _)| name != PROCESSING_LOG);
    Ok(sources)
}

/// It is there as long as the process.
const PROCESSING_LOG: &str = "KSQL_PROCESSING_LOG";

fn end_all(face: &dyn Face, delete: &[Regex]) -> Result<()> {
    let made: Vec<String> = match facts(face, "SHOW QUERIES;")? {
        Facts::Queries(queries) => queries
            .into_iter()
            .filter(|query| query.id.starts_with("CSAS_") || query.id.starts_with("CTAS_"))
            .map(|query| query.sink_topic)
            .collect(),
        _ => Vec::new(),
    };
    let run = |statement: &str| face.execute(&mut Session::default(), statement).map(drop);
    run("TERMINATE ALL;")?;
    let mut left = sources(face)?;
    // What others are made of goes behind them.
    while !left.is_empty() {
        let before = left.len();
        let mut failed = None;
        for (kind, name, topic) in std::mem::take(&mut left) {
            let goes = made.contains(&topic) && delete.iter().any(|pattern| pattern.is_match(&topic));
            let delete_topic = if goes { " DELETE TOPIC" } else { "" };
            let quoted = name.replace('`', "``");
            if let Err(error) = run(&format!("DROP {kind} IF EXISTS `{quoted}`{delete_topic};")) {
                failed = Some(error);
                left.push((kind, name, topic));
            }
        }
        match failed {
            Some(error) if left.len() == before => return Err(error),
            _ => {}
        }
    }
    if let Facts::Types(types) = facts(face, "SHOW TYPES;")? {
        for (name, _) in types {
            run(&format!("DROP TYPE IF EXISTS `{}`;", name.replace('`', "``")))?;
        }
    }
    Ok(())
}

//! GET /status: what became of the commands that were given to this server.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Json, Response};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::failure::{Code, Failure};
use super::limits::COMMANDS_MAX;
use super::state::State;

/// What became of commands, by their ids: `stream/NAME/create`. Of two with one id the later counts.
#[derive(Default)]
pub struct Commands {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    statuses: HashMap<String, Value>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl Commands {
    /// Notes the status that an entity tells, if it is one of a command.
    pub fn note(&self, entity: Option<&Value>) {
        let Some(entity) = entity else { return };
        let (Some(id), Some(status)) = (entity["commandId"].as_str(), entity.get("commandStatus")) else { return };
        let mut entries = self.entries.lock();
        if entries.statuses.insert(bare(id), status.clone()).is_none() {
            entries.order.push_back(bare(id));
        }
        if entries.order.len() > COMMANDS_MAX
            && let Some(oldest) = entries.order.pop_front()
        {
            entries.statuses.remove(&oldest);
        }
    }
}

/// An id without the back-ticks around the name: it is asked for with or without them.
fn bare(id: &str) -> String {
    id.replace('`', "")
}

pub async fn all(Shared(state): Shared<Arc<State>>) -> Response {
    let entries = state.commands.entries.lock();
    let statuses: Map<String, Value> =
        entries.order.iter().map(|id| (id.clone(), entries.statuses[id]["status"].clone())).collect();
    Json(json!({"commandStatuses": statuses})).into_response()
}

pub async fn one(
    Shared(state): Shared<Arc<State>>,
    Path((kind, name, action)): Path<(String, String, String)>,
) -> Response {
    let id = bare(&format!("{kind}/{name}/{action}"));
    match state.commands.entries.lock().statuses.get(&id) {
        Some(status) => Json(status.clone()).into_response(),
        None => Failure::new(Code::NotFound, format!("Command not found: {id}")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_commands_are_forgotten() {
        let commands = Commands::default();
        let note = |name: usize, status: &str| {
            let id = format!("stream/`S{name}`/create");
            commands.note(Some(&json!({"commandId": id, "commandStatus": {"status": status}})));
        };
        (0..=COMMANDS_MAX).for_each(|i| note(i, "QUEUED"));
        note(1, "SUCCESS");
        commands.note(Some(&json!({"@type": "streams"})));
        let entries = commands.entries.lock();
        assert_eq!((entries.statuses.len(), entries.order.len()), (COMMANDS_MAX, COMMANDS_MAX));
        assert!(!entries.statuses.contains_key("stream/S0/create"));
        assert_eq!(entries.statuses["stream/S1/create"]["status"], "SUCCESS");
    }
}

//! Cutting a connection off whose client takes nothing.

use std::sync::{Arc, Weak};

use tokio::sync::Notify;

use super::limits::GIVEN_UP_GRACE;
use super::state::State;
use crate::engine::Events;

/// A connection, which ends when it is told to. Requests have that of theirs among their extensions.
#[derive(Debug, Clone, Default)]
pub struct Cut(Arc<Notify>);

impl Cut {
    /// Cuts the connection off.
    pub fn now(&self) {
        self.0.notify_one();
    }

    /// Waits until the connection is to end.
    pub async fn told(&self) {
        self.0.notified().await;
    }

    /// Leaves a client some time to take the reason, then cuts it off if the answer is still `waiting`.
    async fn after_grace(self, waiting: Weak<()>) {
        tokio::time::sleep(GIVEN_UP_GRACE).await;
        if waiting.strong_count() > 0 {
            self.now();
        }
    }
}

/// Has the client of a push query given up if it takes nothing of what waits for it, with a reason; and one that doesn't even take
/// that is cut off, if its connection is its own. `waiting`: is there as long as the answer isn't over.
pub fn give_up_slow(events: &Events, state: &State, cut: Option<Cut>, waiting: &Arc<()>) {
    let (given_up, waiting) = (state.metrics.given_up.clone(), Arc::downgrade(waiting));
    let runtime = tokio::runtime::Handle::current();
    events.give_up_after(state.slow_client_max, move || {
        given_up.inc();
        if let Some(cut) = cut {
            runtime.spawn(cut.after_grace(waiting));
        }
    });
}

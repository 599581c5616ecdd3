//! Rings a signal of this process when the owner's log rings there.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::wire;
use crate::log::Signal;
use crate::server::client::{Connector, Streaming};

/// How often a watch looks whether its signal is still wanted.
const SIGNAL_CHECK: Duration = Duration::from_millis(250);
/// Between attempts when nobody serves the folder: its owner may come back.
const RETRY: Duration = Duration::from_millis(500);

/// Rings until the signal is dropped. When the connection breaks it rings, too: who waits finds out by the next call.
pub async fn watch(connector: Arc<Connector>, topics: Bytes, signal: Weak<Signal>) {
    while signal.strong_count() > 0 {
        if let Ok(rings) = connector.stream(wire::WATCH, topics.clone()).await {
            forward(rings, &signal).await;
        }
        if let Some(signal) = signal.upgrade() {
            signal.ring();
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Until the connection ends or the signal is dropped.
async fn forward(mut rings: Streaming, signal: &Weak<Signal>) {
    let mut check = tokio::time::interval(SIGNAL_CHECK);
    loop {
        tokio::select! {
            ring = rings.next() => match (ring, signal.upgrade()) {
                (Some(Ok(_)), Some(signal)) => signal.ring(),
                _ => return,
            },
            _ = check.tick() => if signal.strong_count() == 0 {
                return;
            },
        }
    }
}

//! Who wants to know of new records.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use super::Inner;
use crate::log::Signal;

/// Signals by topic name; a topic may come into being later.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    by_topic: RwLock<HashMap<String, Vec<Weak<Signal>>>>,
}

impl Watchers {
    pub(super) fn add(&self, topics: &[String], signal: &Arc<Signal>) {
        let mut by_topic = self.by_topic.write();
        for topic in topics {
            let signals = by_topic.entry(topic.clone()).or_default();
            signals.retain(|known| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(signal)));
            signals.push(Arc::downgrade(signal));
        }
    }

    /// Rings those who watch one of the topics.
    fn ring(&self, topics: &[&str]) {
        let mut dead = false;
        let by_topic = self.by_topic.read();
        for signal in topics.iter().filter_map(|topic| by_topic.get(*topic)).flatten() {
            match signal.upgrade() {
                Some(signal) => signal.ring(),
                None => dead = true,
            }
        }
        drop(by_topic);
        if dead {
            self.by_topic.write().retain(|_, signals| {
                signals.retain(|signal| signal.strong_count() > 0);
                !signals.is_empty()
            });
        }
    }
}

impl Inner {
    pub(super) fn ring(&self, topics: &[&str]) {
        self.watchers.ring(topics);
    }
}

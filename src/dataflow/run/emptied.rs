//! What stages have handed over by topics is removed once it is committed by who read it: nobody reads it again.
//!
//! Invariant: nothing at or above a committed position is removed. The removal is a matter of room alone: when it fails, the
//! next one removes more.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Run;
use crate::log::TopicPartition;
use crate::time::now;

/// How often, as Kafka Streams does it by default.
const INTERVAL: Duration = Duration::from_secs(30);

/// The removals of a run.
pub(super) struct Emptied {
    last: Instant,
    /// Below these offsets nothing is left.
    below: BTreeMap<TopicPartition, i64>,
    /// A removal takes a round trip, which the query doesn't wait for.
    under_way: Option<JoinHandle<()>>,
    interval: Duration,
}

impl Default for Emptied {
    fn default() -> Self {
        Emptied { last: now(), below: BTreeMap::new(), under_way: None, interval: INTERVAL }
    }
}

impl Run {
    /// After a commit: removes what the stages behind exchanges have read, every now and then.
    pub(super) fn empty_exchanges(&mut self) {
        if self.port.member.is_none() || self.emptied.last.elapsed() < self.emptied.interval {
            return;
        }
        if self.emptied.under_way.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        self.emptied.last = now();
        let read = self.all_readers().filter(|reader| reader.input.is_exchange());
        let read: BTreeMap<TopicPartition, i64> = read.map(|reader| (reader.place.clone(), reader.position)).collect();
        let more = |(place, position): &(&TopicPartition, &i64)| self.emptied.below.get(place) < Some(position);
        let due: Vec<(TopicPartition, i64)> =
            read.iter().filter(more).map(|(place, position)| (place.clone(), *position)).collect();
        self.emptied.below = read;
        if due.is_empty() {
            return;
        }
        let log = self.port.log.clone();
        let work = move || {
            for (place, position) in due {
                // It is room, not results: the next one removes it, too.
                let _ = log.delete_records(&place, position);
            }
        };
        self.emptied.under_way = std::thread::Builder::new().name("emptied".to_owned()).spawn(work).ok();
    }

    /// Empties after each commit, and waits for it.
    #[cfg(test)]
    pub fn empty_at_once(&mut self) {
        self.emptied.interval = Duration::ZERO;
        self.empty_exchanges();
        if let Some(thread) = self.emptied.under_way.take() {
            thread.join().unwrap();
        }
    }
}

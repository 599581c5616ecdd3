//! A thread that looks at the cluster now and then: for those who watch topics, and to keep what is known fresh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::cluster::{Cluster, END};
use super::native::Seen;
use super::reader::Readers;
use crate::log::{LogError, Signal};

/// How often ends are asked for while somebody watches.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long to wait for an answer to that.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) struct Background {
    watchers: Arc<Mutex<Vec<Watcher>>>,
    stopping: Arc<AtomicBool>,
    wake: Arc<Signal>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Watcher {
    topics: Vec<String>,
    signal: Weak<Signal>,
    /// Ends of the partitions when last looked at. None: not yet.
    seen: Option<Ends>,
}

/// By topic, the end of each partition; None: there is no such topic.
type Ends = BTreeMap<String, Option<Vec<i64>>>;

impl Background {
    pub(super) fn start(cluster: &Arc<Cluster>, readers: &Arc<Readers>) -> Result<Background, LogError> {
        let watchers: Arc<Mutex<Vec<Watcher>>> = Arc::default();
        let stopping: Arc<AtomicBool> = Arc::default();
        let wake: Arc<Signal> = Arc::default();
        let work = {
            let (cluster, readers) = (Arc::clone(cluster), Arc::clone(readers));
            let (watchers, stopping, wake) = (Arc::clone(&watchers), Arc::clone(&stopping), Arc::clone(&wake));
            move || {
                while !stopping.load(Ordering::Acquire) {
                    wake.wait(LOOK_EVERY);
                    cluster.find_brokers_again();
                    cluster.refresh_when_old();
                    readers.close_idle();
                    look(&cluster, &watchers);
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("kafka-background".to_owned())
            .spawn(work)
            .map_err(|cause| LogError::Io { what: "can't start a thread".to_owned(), cause: Arc::new(cause) })?;
        Ok(Background { watchers, stopping, wake, thread: Some(thread) })
    }

    pub(super) fn watch(&self, topics: &[String], signal: &Arc<Signal>) {
        let watcher = Watcher { topics: topics.to_vec(), signal: Arc::downgrade(signal), seen: None };
        self.watchers.lock().push(watcher);
        self.wake.ring();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.wake.ring();
        if let Some(thread) = self.thread.take() {
            // A panic there was told on stderr; nothing is left to be done about it.
            drop(thread.join());
        }
    }
}

/// Rings those whose topics changed since they were last looked at; the first time, all: something may have come between
/// their own look and this one.
fn look(cluster: &Cluster, watchers: &Mutex<Vec<Watcher>>) {
    let topics: BTreeSet<String> = {
        let mut watchers = watchers.lock();
        watchers.retain(|watcher| watcher.signal.strong_count() > 0);
        watchers.iter().flat_map(|watcher| watcher.topics.iter().cloned()).collect()
    };
    // Each call would wait for the cluster, and the news that it is there again would wait for all of them.
    if topics.is_empty() || cluster.out_of_reach().is_some() {
        return;
    }
    let mut ends = Ends::new();
    for topic in topics {
        let found = match cluster.places(&topic) {
            Ok(places) => cluster.list_offsets_within(LOOK_TIMEOUT, &places, END, Seen::Committed),
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => ends.insert(topic, Some(found.into_iter().map(|(_, end)| end).collect())),
            Err(LogError::UnknownTopic(_)) => ends.insert(topic, None),
            // Others should know soon that all of the cluster is away.
            Err(LogError::Unavailable(_)) if cluster.refresh().is_err() => return,
            // Not known now: as it was.
            Err(_) => continue,
        };
    }
    for watcher in watchers.lock().iter_mut() {
        let now: Ends = ends
            .iter()
            .filter(|(topic, _)| watcher.topics.contains(topic))
            .map(|(topic, ends)| (topic.clone(), ends.clone()))
            .collect();
        let seen = watcher.seen.get_or_insert_default();
        let changed = now.iter().any(|(topic, ends)| seen.get(topic) != Some(ends));
        if changed && let Some(signal) = watcher.signal.upgrade() {
            seen.extend(now);
            signal.ring();
        }
    }
}

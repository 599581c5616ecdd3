//! The thread that syncs, rolls the journal and looks after old data, while others work.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::failures::Work;
use super::maintain::Attempt;
use super::{FsyncPolicy, Inner, io_error};
use crate::log::{LogError, Signal};

/// With no sync to do, the thread still looks at the journal's size this often.
const IDLE: Duration = Duration::from_secs(1);

pub(super) struct Background {
    stop: Arc<Signal>,
    thread: JoinHandle<()>,
}

impl Background {
    pub(super) fn start(inner: &Arc<Inner>) -> Result<Background, LogError> {
        let stop = Arc::new(Signal::default());
        let (weak, signal) = (Arc::downgrade(inner), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("log-background".to_owned()).spawn(move || run(&weak, &signal));
        let thread = thread.map_err(|error| io_error("can't start the log's thread".to_owned(), error))?;
        Ok(Background { stop, thread })
    }

    pub(super) fn stop(self) {
        self.stop.ring();
        // A panic there has been reported already; closing goes on.
        let _ = self.thread.join();
    }
}

fn run(inner: &Weak<Inner>, stop: &Signal) {
    let mut maintained = crate::time::now();
    loop {
        let Some(pause) = inner.upgrade().map(|inner| inner.pause()) else { return };
        if stop.wait(pause) {
            return;
        }
        let Some(inner) = inner.upgrade() else { return };
        let poison = inner.writer.lock().check_poison();
        let synced = if inner.syncs_by_time() { inner.sync_if_needed() } else { Ok(()) };
        let outcome = poison.and(synced).and(inner.roll_journal_if_large());
        inner.note(Work::Writes, || "writing the log".to_owned(), &outcome);
        if inner.options.maintain_interval.is_some_and(|interval| maintained.elapsed() >= interval) {
            // What fails was noted, each with its place.
            let _ = inner.maintain(Attempt::Due);
            maintained = crate::time::now();
        }
    }
}

impl Inner {
    /// How long until the next sync may be due.
    fn pause(&self) -> Duration {
        let interval = match self.options.fsync {
            FsyncPolicy::Interval(interval) => interval,
            FsyncPolicy::Commit | FsyncPolicy::Never => IDLE,
        };
        let flush = Duration::from_millis(self.flush_ms_min.load(Ordering::Relaxed) as u64);
        interval.min(flush).clamp(Duration::from_millis(1), IDLE.max(interval))
    }

    fn syncs_by_time(&self) -> bool {
        matches!(self.options.fsync, FsyncPolicy::Interval(_)) || self.flush_ms_min.load(Ordering::Relaxed) != i64::MAX
    }

    /// Takes up a change of some topic's `flush.ms`.
    pub(super) fn find_flush_ms_min(&self) {
        let all = self.catalog.all_topics();
        let least = all.iter().map(|topic| topic.configs().flush_ms).min().unwrap_or(i64::MAX);
        self.flush_ms_min.store(least, Ordering::Relaxed);
    }

    /// Keeps how work went that nobody waits for, and tells of a new failure.
    pub(super) fn note(&self, work: Work, what: impl FnOnce() -> String, outcome: &Result<(), LogError>) {
        let news = self.failures.note(work, what, outcome, (self.options.clock)());
        if let (Some(text), Some(tell)) = (news, &self.options.tell) {
            tell(&text);
        }
    }

    fn sync_if_needed(&self) -> Result<(), LogError> {
        if self.needs_sync() { self.sync() } else { Ok(()) }
    }

    /// Leaves a folder that the next start has nothing to repair in, and little to scan.
    pub(super) fn close(&self) {
        self.save_indexes();
        let _ = self.sync_if_needed();
    }

    /// Writes the `.index` files of the segments that were written to or looked at.
    fn save_indexes(&self) {
        for topic in self.catalog.all_topics() {
            for partition in topic.partitions().iter() {
                let state = partition.state.read().clone();
                for segment in &state.segments {
                    let path = topic.segment_path(partition.number, segment.info.base, segment.info.generation);
                    // Without it the next start scans.
                    let _ = segment.index.save(&*self.storage, &path);
                }
            }
        }
    }
}

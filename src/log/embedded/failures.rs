//! What the log's own work could not do: kept until it succeeds, told of once, tried again later and later.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::log::LogError;

/// Before the second attempt, and at most; each pause is twice the one before.
const RETRY_MS_MIN: i64 = 15_000;
const RETRY_MS_MAX: i64 = 3_600_000;

/// Work that nobody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    /// Syncing, rolling the journal, and whatever fails since the log takes no writes.
    Writes,
    /// Retention, compaction and left-over files of a partition: the topic's id and the partition.
    Partition(u64, u32),
}

#[derive(Debug)]
struct Failure {
    what: String,
    error: LogError,
    attempts: u32,
    /// By the log's clock, ms.
    retry_at: i64,
}

/// By the work that failed.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<BTreeMap<Work, Failure>>);

impl Failures {
    /// Whether the work is to be tried now: it didn't fail, or long enough ago.
    pub(super) fn is_due(&self, work: Work, now: i64) -> bool {
        self.0.lock().get(&work).is_none_or(|failure| failure.retry_at <= now)
    }

    /// Takes up how an attempt went. Gives a line for people when that is news.
    pub(super) fn note(
        &self,
        work: Work,
        what: impl FnOnce() -> String,
        outcome: &Result<(), LogError>,
        now: i64,
    ) -> Option<String> {
        let mut failures = self.0.lock();
        let Err(error) = outcome else {
            failures.remove(&work);
            return None;
        };
        // What fails for all of them is told of once.
        let work = if matches!(error, LogError::Poisoned(_)) { Work::Writes } else { work };
        let before = failures.remove(&work);
        let attempts = before.as_ref().map_or(0, |before| before.attempts) + 1;
        let is_news = before.as_ref().is_none_or(|before| before.error.to_string() != error.to_string());
        let what = before.map_or_else(what, |before| before.what);
        let failure =
            Failure { what, error: error.clone(), attempts, retry_at: now.saturating_add(pause_ms(attempts)) };
        let text = is_news.then(|| failure.text());
        failures.insert(work, failure);
        text
    }

    /// Forgets failures of what isn't there any more.
    pub(super) fn retain(&self, keep: impl Fn(Work) -> bool) {
        self.0.lock().retain(|work, _| keep(*work));
    }

    /// A line for people on each.
    pub(super) fn texts(&self) -> Vec<String> {
        self.0.lock().values().map(Failure::text).collect()
    }
}

impl Failure {
    fn text(&self) -> String {
        format!("{} fails, and is tried again from time to time: {}", self.what, self.error)
    }
}

/// How long to wait after so many failed attempts.
fn pause_ms(attempts: u32) -> i64 {
    let doubled = attempts.saturating_sub(1).min(16);
    (RETRY_MS_MIN << doubled).min(RETRY_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_tried_again_later_and_later_and_told_of_once() {
        let (failures, work) = (Failures::default(), Work::Partition(7, 0));
        let note = |outcome, now| failures.note(work, || "the compaction of t".to_owned(), outcome, now);
        let [full, other] = ["no room", "still none"].map(|reason| Err(LogError::Full(reason.to_owned())));
        let text = "the compaction of t fails, and is tried again from time to time: the log takes no writes: no room";
        assert_eq!(note(&full, 1000).as_deref(), Some(text));
        assert!(!failures.is_due(work, 15_999) && failures.is_due(work, 16_000));
        assert_eq!(note(&full, 16_000), None);
        assert!(!failures.is_due(work, 45_999) && failures.is_due(work, 46_000));
        assert!(failures.is_due(Work::Partition(7, 1), 0));
        assert_eq!(failures.texts(), [text]);
        assert!(note(&other, 46_000).is_some());
        assert_eq!(note(&Ok(()), 50_000), None);
        assert!(failures.is_due(work, 0) && failures.texts().is_empty());
        assert_eq!(pause_ms(1000), RETRY_MS_MAX);
    }
}

//! How far a recovery is: offsets of changelogs that were read, and that are to be read.

use std::sync::atomic::{AtomicI64, Ordering};

/// Of a query, its partitions together.
#[derive(Debug, Default)]
pub struct RecoveryProgress {
    read: AtomicI64,
    of: AtomicI64,
}

impl RecoveryProgress {
    /// None: no changelog is being read.
    pub fn percent(&self) -> Option<u8> {
        let of = self.of.load(Ordering::Relaxed);
        let read = self.read.load(Ordering::Relaxed).clamp(0, of.max(0));
        // 100 is when the query runs.
        (of > 0).then(|| u8::try_from(read.saturating_mul(100) / of).unwrap_or(100).min(99))
    }

    /// Begins to count anew.
    pub(super) fn begin(&self) -> Recovering<'_> {
        self.read.store(0, Ordering::Relaxed);
        self.of.store(0, Ordering::Relaxed);
        Recovering(self)
    }
}

/// A recovery under way, to its end, whatever that is.
pub(super) struct Recovering<'a>(&'a RecoveryProgress);

impl Recovering<'_> {
    /// A partition of a changelog is read from one offset to another.
    pub fn reading(&self, from: i64, end: i64) -> Reading<'_> {
        self.0.of.fetch_add((end - from).max(0), Ordering::Relaxed);
        Reading { progress: self.0, at: from, end }
    }
}

impl Drop for Recovering<'_> {
    fn drop(&mut self) {
        self.0.of.store(0, Ordering::Relaxed);
    }
}

pub(super) struct Reading<'a> {
    progress: &'a RecoveryProgress,
    at: i64,
    end: i64,
}

impl Reading<'_> {
    /// All below this offset was read.
    pub fn at(&mut self, offset: i64) {
        let at = offset.clamp(self.at, self.end.max(self.at));
        self.progress.read.fetch_add(at - self.at, Ordering::Relaxed);
        self.at = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_count_together() {
        let progress = RecoveryProgress::default();
        assert_eq!(progress.percent(), None);
        let recovering = progress.begin();
        let (mut one, mut other) = (recovering.reading(100, 200), recovering.reading(0, 300));
        assert_eq!(progress.percent(), Some(0));
        one.at(200);
        assert_eq!(progress.percent(), Some(25));
        // What comes behind the end meanwhile doesn't count.
        one.at(250);
        other.at(150);
        other.at(100);
        assert_eq!(progress.percent(), Some(62));
        other.at(300);
        assert_eq!(progress.percent(), Some(99));
        drop(recovering);
        assert_eq!(progress.percent(), None);
        let recovering = progress.begin();
        recovering.reading(5, 5).at(5);
        assert_eq!(progress.percent(), None, "there is nothing to read");
    }
}

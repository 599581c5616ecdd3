//! When a query that something outside keeps from its work tries again.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::time::now;

pub(super) const RETRY_WAIT_MIN: Duration = Duration::from_millis(200);
pub(super) const RETRY_WAIT_MAX: Duration = Duration::from_secs(10);
/// Commits in a row that the group's changes undo, before the query waits with the next.
const REDONE_MAX: u32 = 5;

/// Failures since the last commit. Until the next one, whoever looks is told of the last, whatever is tried meanwhile.
#[derive(Default)]
pub(super) struct Retry {
    times: u32,
    /// The last one, and when to try again.
    waits: Option<(Error, Instant)>,
}

impl Retry {
    /// `redo`: only the group has changed, and what was done for it can be done again at once.
    pub fn failed(&mut self, redo: bool, error: Error) {
        self.times += 1;
        let tries = if redo { self.times.saturating_sub(REDONE_MAX) } else { self.times };
        self.waits = tries.checked_sub(1).map(|tries| {
            let wait = RETRY_WAIT_MIN.saturating_mul(1 << tries.min(16)).min(RETRY_WAIT_MAX);
            (error, now() + wait)
        });
    }

    /// A failure after which the wait is over already; it is told of all the same.
    pub fn has_waited(&mut self, error: Error) {
        self.waits = Some((error, now()));
    }

    /// How long to wait still.
    pub fn left(&self) -> Option<Duration> {
        let (_, until) = self.waits.as_ref()?;
        Some(until.saturating_duration_since(now())).filter(|left| !left.is_zero())
    }

    /// What it waits for.
    pub fn reason(&self) -> Option<String> {
        self.waits.as_ref().map(|(error, _)| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(retry: &Retry) -> Duration {
        retry.waits.as_ref().map_or(Duration::ZERO, |(_, until)| until.saturating_duration_since(now()))
    }

    #[test]
    fn each_wait_is_longer_up_to_a_bound() {
        let mut retry = Retry::default();
        assert_eq!((retry.left(), retry.reason()), (None, None));
        let mut before = Duration::ZERO;
        for _ in 0..40 {
            retry.failed(false, Error::world("away"));
            let wait = wait(&retry);
            assert!(wait > before || wait > RETRY_WAIT_MAX * 9 / 10, "{wait:?} after {before:?}");
            assert!(wait <= RETRY_WAIT_MAX);
            before = wait;
        }
        assert_eq!(retry.reason().as_deref(), Some("away"));
    }

    /// Nothing is in the way then; only when it goes on so, something is.
    #[test]
    fn what_the_group_made_void_is_done_again_at_once() {
        let mut retry = Retry::default();
        for _ in 0..REDONE_MAX {
            retry.failed(true, Error::world("void"));
            assert_eq!((retry.left(), retry.reason()), (None, None));
        }
        retry.failed(true, Error::world("void"));
        assert!(retry.left().is_some() && retry.reason().is_some());
    }
}

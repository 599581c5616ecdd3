//! What a stream-stream join is to do: which times fit, how long rows wait and are kept.

use crate::error::{Error, Result};
use crate::plan::{Join, JoinKind, JoinMethod};

/// Without a grace period rows are kept for so long beyond their span.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// One of the two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    Left,
    Right,
}

impl Hand {
    pub const BOTH: [Hand; 2] = [Hand::Left, Hand::Right];

    pub fn other(self) -> Hand {
        match self {
            Hand::Left => Hand::Right,
            Hand::Right => Hand::Left,
        }
    }
}

/// What becomes of a row without a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmatched {
    Dropped,
    /// Given alone when it comes.
    AtOnce,
    /// Given alone when its window has closed.
    AtClose,
}

/// All times are in ms and none is negative.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spec {
    pub before: i64,
    pub after: i64,
    pub grace: Option<i64>,
    /// How far behind the newest row of its side a row may be to be kept.
    pub retention: i64,
    left_alone: bool,
    right_alone: bool,
}

impl Spec {
    pub fn new(plan: &Join) -> Result<Spec> {
        let JoinMethod::StreamStream { before_ms, after_ms, grace_ms } = plan.method else {
            return Err(Error::internal("a join of two streams was made from the plan of another join"));
        };
        let (before, after) = (before_ms.max(0), after_ms.max(0));
        let grace = grace_ms.map(|grace| grace.max(0));
        let retention = before.saturating_add(after).saturating_add(grace.unwrap_or(KEPT_MS));
        Ok(Spec {
            before,
            after,
            grace,
            retention,
            left_alone: matches!(plan.kind, JoinKind::Left | JoinKind::Full),
            right_alone: matches!(plan.kind, JoinKind::Right | JoinKind::Full),
        })
    }

    pub fn unmatched(&self, hand: Hand) -> Unmatched {
        let alone = match hand {
            Hand::Left => self.left_alone,
            Hand::Right => self.right_alone,
        };
        match (alone, self.grace) {
            (false, _) => Unmatched::Dropped,
            (true, None) => Unmatched::AtOnce,
            (true, Some(_)) => Unmatched::AtClose,
        }
    }

    /// How long after a row's time those of the other side may be that fit.
    pub fn ahead(&self, hand: Hand) -> i64 {
        match hand {
            Hand::Left => self.after,
            Hand::Right => self.before,
        }
    }

    /// The first and last time that rows of the other side fit a row of this one at.
    pub fn span(&self, hand: Hand, time: i64) -> (i64, i64) {
        (time.saturating_sub(self.ahead(hand.other())), time.saturating_add(self.ahead(hand)))
    }

    /// The last stream time at which a row without a match still waits.
    pub fn close(&self, hand: Hand, time: i64) -> i64 {
        time.saturating_add(self.ahead(hand)).saturating_add(self.grace.unwrap_or(0))
    }
}

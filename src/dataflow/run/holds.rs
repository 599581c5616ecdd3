//! How far a table's topic may be compacted: told to the log in coarse steps, since each telling is a record of its journal.
//!
//! Invariant: what the log was told is never beyond what a restart needs. Less is always right: compaction only does less.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::log::{Log, TopicPartition};

/// While records come, the log is told again after so many of a partition.
const STEP: i64 = 10_000;

/// What the log was told.
#[derive(Default)]
pub(super) struct Holds {
    told: BTreeMap<TopicPartition, i64>,
    /// Nothing was read in the last round either.
    idle: bool,
}

/// When the log is told of a new offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// After `STEP` records.
    Steps,
    /// Whenever it has moved.
    Now,
}

impl Holds {
    /// A restart needs the partition's records from `from` on.
    pub fn hold(
        &mut self,
        log: &dyn Log,
        owner: &str,
        (place, from): (&TopicPartition, i64),
        when: When,
    ) -> Result<()> {
        if is_due(self.told.get(place).copied(), from, when) {
            log.hold(owner, place, from)?;
            self.told.insert(place.clone(), from);
        }
        Ok(())
    }

    /// After a round; true when the one before read nothing either.
    pub fn is_idle(&mut self, rows: usize) -> bool {
        std::mem::replace(&mut self.idle, rows == 0) && rows == 0
    }
}

fn is_due(told: Option<i64>, from: i64, when: When) -> bool {
    match told {
        None => true,
        // What was told would allow too much.
        Some(told) if from < told => true,
        Some(told) => from - told >= if when == When::Now { 1 } else { STEP },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_at_once_where_it_would_remove_too_much() {
        for (told, from, when, expected) in [
            (None, 0, When::Steps, true),
            (Some(5), 5, When::Now, false),
            (Some(5), 6, When::Now, true),
            (Some(5), 5 + STEP - 1, When::Steps, false),
            (Some(5), 5 + STEP, When::Steps, true),
            (Some(5), 4, When::Steps, true),
            (Some(5), 4, When::Now, true),
        ] {
            assert_eq!(is_due(told, from, when), expected, "{told:?} {from} {when:?}");
        }
    }
}

//! How much a commit had better take, where it is cheap: what waits for it is best written while it is in the processor's cache, and
//! before it takes fresh memory.

use super::stage::StageTask;

/// Output that had better be committed.
const GOOD_LOAD_BYTES: usize = 2 << 20;

/// What of its memory is kept for the next commit.
pub(super) const REUSED_BYTES_MAX: usize = 8 * GOOD_LOAD_BYTES;

/// What waits for the commit, and whether state still changes.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Sum of [`Node::state_changes`](crate::dataflow::operator::Node::state_changes); `None`: somebody doesn't count.
    changes: Option<u64>,
    /// Bytes that waited when state changed last.
    before: usize,
}

impl Load {
    /// Notes a round, behind which so many bytes are staged.
    pub fn note<'a>(&mut self, tasks: impl Iterator<Item = &'a StageTask>, staged: usize) {
        let changes = tasks.map(|task| task.task.state_changes()).sum();
        if changes != self.changes {
            *self = Load { changes, before: staged };
        }
    }

    /// The staged bytes were committed.
    pub fn committed(&mut self) {
        self.before = 0;
    }

    /// Whether these staged bytes had better be committed, with so many bytes of changed state. Where state has changed much, a later
    /// commit would write less: only the last change of each key; unless it has ceased to change.
    pub fn is_good(&self, staged: usize, pending: usize) -> bool {
        let has_ceased = self.changes.is_some() && staged.saturating_sub(self.before) >= GOOD_LOAD_BYTES;
        has_ceased || (staged >= GOOD_LOAD_BYTES && pending <= staged / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_waits_for_state_that_changes_again() {
        let load = Load::default();
        assert!(!load.is_good(GOOD_LOAD_BYTES - 1, 0));
        assert!(load.is_good(GOOD_LOAD_BYTES, 0));
        assert!(load.is_good(GOOD_LOAD_BYTES, GOOD_LOAD_BYTES / 8));
        assert!(!load.is_good(GOOD_LOAD_BYTES, GOOD_LOAD_BYTES / 8 + 1));
    }

    #[test]
    fn a_commit_does_not_wait_for_state_that_has_ceased_to_change() {
        let mut load = Load { changes: Some(10), before: 500 };
        let much = 10 * GOOD_LOAD_BYTES;
        assert!(!load.is_good(GOOD_LOAD_BYTES + 499, much));
        assert!(load.is_good(GOOD_LOAD_BYTES + 500, much));
        load.committed();
        assert!(load.is_good(GOOD_LOAD_BYTES, much));
        assert!(!Load { changes: None, before: 0 }.is_good(GOOD_LOAD_BYTES, much));
    }
}

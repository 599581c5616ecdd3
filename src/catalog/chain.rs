//! Which commands count, where several processes write them: each names the command that it was judged behind. Pure.

use super::command::Judged;

/// The offset before the first command.
const NONE: i64 = -1;

/// How far the command log was read, and the last command of it that counts.
///
/// A command counts if the last one before it that counts is the one that its writer had judged it behind: then it finds the
/// catalog that it was judged on. Whoever reads the log decides the same, whatever it can do with the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The offset to go on reading from. A query that the next command starts has it in its id: no command that counts was
    /// judged at a greater one, so no other has the same.
    pub next: i64,
    last: i64,
}

impl Default for Chain {
    fn default() -> Self {
        Chain::from(0)
    }
}

impl Chain {
    /// Of a log whose first command is there to be read at this offset.
    pub fn from(first: i64) -> Chain {
        Chain { next: first, last: NONE }
    }

    /// What the next command has to name.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Takes in the command at `offset`, the next one; whether it counts. `judged`: what it says; None: it was written where
    /// there was one writer only.
    pub fn take(&mut self, offset: i64, judged: Option<&Judged>) -> bool {
        self.next = self.next.max(offset + 1);
        let counts = judged.is_none_or(|judged| judged.behind == self.last);
        if counts {
            self.last = offset;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(behind: i64) -> Option<Judged> {
        Some(Judged { statement_id: String::new(), behind })
    }

    #[test]
    fn the_first_of_those_that_were_judged_on_the_same_catalog_counts() {
        let mut chain = Chain::default();
        // Two processes at once; then the one that lost, anew, and the other again: both have seen offset 1.
        let commands = [(0, -1, true), (1, -1, false), (2, 0, true), (3, 0, false), (4, 0, false), (5, 2, true)];
        for (offset, behind, counts) in commands {
            assert_eq!(chain.take(offset, judged(behind).as_ref()), counts, "{offset}");
        }
        assert_eq!((chain.next, chain.last()), (6, 5));
    }

    #[test]
    fn a_command_that_names_none_always_counts() {
        let mut chain = Chain::default();
        assert!(chain.take(0, None) && chain.take(1, None));
        assert!(!chain.take(2, judged(0).as_ref()));
        assert!(chain.take(3, judged(1).as_ref()));
    }

    /// An answer was lost, and the command was written again.
    #[test]
    fn of_two_copies_one_counts() {
        let mut chain = Chain::default();
        assert!(chain.take(3, judged(-1).as_ref()));
        assert!(!chain.take(9, judged(-1).as_ref()));
    }
}

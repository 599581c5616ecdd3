//! One memory budget for all that a process holds: state, views, records that wait for a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::messages;

/// Bytes that a process may hold, and how many of them are taken. Holders tell of their bytes by a [`MemoryShare`] each.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes_max: usize,
    taken: AtomicUsize,
}

impl MemoryBudget {
    pub fn new(bytes_max: usize) -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget { bytes_max, taken: AtomicUsize::new(0) })
    }

    /// A budget that nobody outgrows.
    pub fn unlimited() -> Arc<MemoryBudget> {
        MemoryBudget::new(usize::MAX)
    }

    /// Bytes that all shares together may take.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Bytes taken by all shares together.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// A share of nothing yet.
    pub fn share(self: &Arc<Self>) -> MemoryShare {
        MemoryShare { budget: self.clone(), bytes: AtomicUsize::new(0) }
    }
}

/// What one holder has of a budget. Dropped, it gives all of it back.
#[derive(Debug)]
pub struct MemoryShare {
    budget: Arc<MemoryBudget>,
    bytes: AtomicUsize,
}

impl MemoryShare {
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The share is `bytes` now. Not to be called while another thread changes this share.
    ///
    /// Errors: it is more than before, and more than the budget has left; the share stays as it was.
    pub fn set(&self, bytes: usize) -> Result<()> {
        let before = self.bytes();
        if bytes > before {
            return self.grow(bytes - before);
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        self.budget.taken.fetch_sub(before - bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Takes `more` bytes. Errors: the budget has less left; nothing is taken.
    pub fn grow(&self, more: usize) -> Result<()> {
        let bytes_max = self.budget.bytes_max;
        let fits = |taken: usize| taken.checked_add(more).filter(|taken| *taken <= bytes_max);
        if let Err(taken) = self.budget.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            return Err(outgrown(more, taken, bytes_max));
        }
        self.bytes.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

fn outgrown(more: usize, held: usize, bytes_max: usize) -> Error {
    messages::queries::memory(more, held, bytes_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_up_and_come_back() {
        let budget = MemoryBudget::new(100);
        let (first, second) = (budget.share(), budget.share());
        first.set(60).unwrap();
        second.set(40).unwrap();
        assert_eq!(budget.taken(), 100);
        // Who asks for more than is left gets nothing; the others keep what they have.
        let error = second.grow(1).unwrap_err();
        assert!(error.to_string().contains("--memory"), "{error}");
        assert!(second.set(41).is_err());
        assert_eq!((first.bytes(), second.bytes(), budget.taken()), (60, 40, 100));
        first.set(10).unwrap();
        second.set(90).unwrap();
        drop(first);
        second.grow(10).unwrap();
        assert_eq!(budget.taken(), 100);
        drop(second);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn a_sum_beyond_all_numbers_is_refused() {
        let budget = MemoryBudget::new(usize::MAX);
        let share = budget.share();
        share.set(1).unwrap();
        assert!(share.grow(usize::MAX).is_err());
        assert_eq!(budget.taken(), 1);
    }
}

//! What a reader is told of the records that its query can't show as they are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::dataflow::{Counters, Run};
use crate::engine::warning::warning;

/// Bad records and late rows of a run, and of how many was told.
pub struct Bad {
    counters: Arc<Counters>,
    told: (u64, u64),
}

impl Bad {
    /// `counters`: those of the run.
    pub fn new(counters: Arc<Counters>) -> Bad {
        Bad { counters, told: (0, 0) }
    }

    /// A line for people about those since the last call; None: there are none.
    pub fn since(&mut self, run: &mut Run) -> Option<String> {
        let counts = (self.counters.bad.load(Ordering::Relaxed), self.counters.late.load(Ordering::Relaxed));
        let told = std::mem::replace(&mut self.told, counts);
        if counts == told {
            return None;
        }
        warning(counts.0 - told.0, counts.1 - told.1, &run.take_errors())
    }
}

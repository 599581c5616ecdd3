//! What passed through each operator of a query: for EXPLAIN ANALYZE. Counted a batch at a time, by whoever drives the operators;
//! they themselves know no clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::time::now;

/// Counts of an operator, of all its partitions together, since the query was started in this process.
#[derive(Debug, Default)]
pub struct Meter {
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    nanos: AtomicU64,
    state_bytes: AtomicU64,
}

/// What a [`Meter`] has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    pub rows_in: u64,
    pub rows_out: u64,
    /// That it worked, without those behind it.
    pub nanos: u64,
    /// Held now.
    pub state_bytes: u64,
}

impl Meter {
    pub fn rows_in(&self, rows: usize) {
        self.rows_in.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub fn rows_out(&self, rows: usize) {
        self.rows_out.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Does some of the operator's work.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = now();
        let done = work();
        self.nanos.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }

    pub fn passed(&self) -> Passed {
        Passed {
            rows_in: self.rows_in.load(Ordering::Relaxed),
            rows_out: self.rows_out.load(Ordering::Relaxed),
            nanos: self.nanos.load(Ordering::Relaxed),
            state_bytes: self.state_bytes.load(Ordering::Relaxed),
        }
    }
}

/// The meters of a query. Of each stage: those of its inputs, joins and steps in the order in which rows go through them (of a join
/// first what its sides have), last that of what takes the stage's rows: the sink, or the exchange behind it.
#[derive(Debug, Default)]
pub struct Meters(Mutex<Vec<Vec<Arc<Meter>>>>);

impl Meters {
    /// Those of a stage that has so many; all its tasks have the same.
    pub fn of_stage(&self, stage: usize, count: usize) -> Vec<Arc<Meter>> {
        let mut stages = self.0.lock();
        if stages.len() <= stage {
            stages.resize_with(stage + 1, Vec::new);
        }
        let meters = &mut stages[stage];
        if meters.len() < count {
            meters.resize_with(count, Arc::default);
        }
        meters.clone()
    }

    /// Tells the bytes of state that a stage's operators hold.
    pub fn set_state_bytes(&self, stage: usize, bytes: &[usize]) {
        let stages = self.0.lock();
        for (meter, bytes) in stages.get(stage).into_iter().flatten().zip(bytes) {
            meter.state_bytes.store(*bytes as u64, Ordering::Relaxed);
        }
    }

    /// By stage.
    pub fn passed(&self) -> Vec<Vec<Passed>> {
        self.0.lock().iter().map(|stage| stage.iter().map(|meter| meter.passed()).collect()).collect()
    }
}

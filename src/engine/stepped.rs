//! Queries that the caller drives: every record goes through all of them before the next is written.

use std::sync::Arc;

use crate::dataflow::{Host, Run, RunSpec};
use crate::engine::QueryState;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::messages;
use crate::state::MemoryBudget;

/// The queries of a stepped engine, in the order they were started.
#[derive(Default)]
pub(super) struct SteppedQueries {
    runs: Vec<Stepped>,
}

struct Stepped {
    id: String,
    run: Run,
    paused: bool,
}

/// Steps that find something, and the rows that they find, before nobody expects an end any more. A step reads up to about a
/// megabyte of a partition: what the tests of SQL hold takes a handful.
const STEPS_MAX: usize = 10_000;
const ROWS_MAX: usize = 4_000_000;

/// `busy`: who found something in the last round.
fn restless(busy: &[&str]) -> Error {
    messages::queries::restless(busy)
}

impl SteppedQueries {
    pub fn start(&mut self, log: &Arc<dyn Log>, spec: RunSpec, memory: &Arc<MemoryBudget>) -> Result<()> {
        let id = spec.id.clone();
        let run = Run::open(log.clone(), spec, Host { memory: memory.clone(), ..Host::default() })?;
        self.runs.push(Stepped { id, run, paused: false });
        Ok(())
    }

    pub fn remove(&mut self, id: &str) {
        self.runs.retain(|stepped| stepped.id != id);
    }

    pub fn set_paused(&mut self, id: &str, paused: bool) {
        for stepped in self.runs.iter_mut().filter(|stepped| stepped.id == id) {
            stepped.paused = paused;
        }
    }

    pub fn state(&self, id: &str) -> Option<QueryState> {
        let stepped = self.runs.iter().find(|stepped| stepped.id == id)?;
        Some(if stepped.paused { QueryState::Paused } else { QueryState::Running })
    }

    /// Rounds over all queries until none finds anything to read.
    ///
    /// Errors: a query's own; they find something again and again, so that there is no end to see.
    pub fn settle(&mut self) -> Result<()> {
        let (mut steps_left, mut rows_left) = (STEPS_MAX, ROWS_MAX);
        loop {
            let mut busy = Vec::new();
            for stepped in self.runs.iter_mut().filter(|stepped| !stepped.paused) {
                let mut rows = stepped.run.step()?;
                if rows > 0 {
                    busy.push(stepped.id.as_str());
                }
                while rows > 0 {
                    stepped.run.commit()?;
                    (steps_left, rows_left) = (steps_left.saturating_sub(1), rows_left.saturating_sub(rows));
                    if steps_left == 0 || rows_left == 0 {
                        return Err(restless(&busy));
                    }
                    rows = stepped.run.step()?;
                }
            }
            if busy.is_empty() {
                return Ok(());
            }
        }
    }
}

//! Queries that the caller drives: every record goes through all of them before the next is written.

use std::sync::Arc;

use crate::dataflow::{Host, Run, RunSpec};
use crate::engine::QueryState;
use crate::error::Result;
use crate::log::Log;
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
    pub fn settle(&mut self) -> Result<()> {
        loop {
            let mut read = 0;
            for stepped in self.runs.iter_mut().filter(|stepped| !stepped.paused) {
                loop {
                    let rows = stepped.run.step()?;
                    if rows == 0 {
                        break;
                    }
                    read += rows;
                    stepped.run.commit()?;
                }
            }
            if read == 0 {
                return Ok(());
            }
        }
    }
}

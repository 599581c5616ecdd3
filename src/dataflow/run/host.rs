//! What a run shares with the process it runs in.

use std::sync::Arc;

use super::spec::Counters;
use crate::error::{Error, Result};
use crate::state::MemoryBudget;

/// Encoded bytes that may wait for a commit, unless the host says else; beyond it the query commits at once.
pub const STAGED_BYTES_MAX: usize = 32 << 20;

/// What a run shares with the process it runs in.
#[derive(Clone)]
pub struct Host {
    pub counters: Arc<Counters>,
    /// State and waiting records of all queries count against it.
    pub memory: Arc<MemoryBudget>,
    /// Whether the query is to stop: asked while it recovers and within long rounds, which then end with an error.
    pub interrupted: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Encoded bytes that may wait for a commit; at least one record's.
    pub staged_bytes_max: usize,
}

impl Default for Host {
    /// Nothing is shared, nobody interrupts.
    fn default() -> Self {
        Host {
            counters: Arc::default(),
            memory: MemoryBudget::unlimited(),
            interrupted: Arc::new(|| false),
            staged_bytes_max: STAGED_BYTES_MAX,
        }
    }
}

impl Host {
    /// Errors: the query is to stop.
    pub fn check_interrupted(&self) -> Result<()> {
        if (self.interrupted)() {
            return Err(Error::world("the query was told to stop"));
        }
        Ok(())
    }
}

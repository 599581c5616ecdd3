//! The groups as rows: for pull queries and tests.

use crate::dataflow::Batch;
use crate::dataflow::aggregate::Aggregate;
use crate::dataflow::aggregate::changes::Changes;
use crate::dataflow::aggregate::groups::{LIVE, NONE};
use crate::error::Result;

/// Rows of one batch.
const ROWS_MAX: usize = 1 << 16;

impl Aggregate {
    /// How many groups (and windows) there are.
    pub fn len(&self) -> usize {
        self.groups.live
    }

    pub fn is_empty(&self) -> bool {
        self.groups.live == 0
    }

    /// All groups as they are now, in no order that means anything; without `old`.
    pub fn rows(&mut self) -> Result<Vec<Batch>> {
        self.groups.fit();
        let live = |&index: &u32| self.groups.slots[index as usize].flags & LIVE != 0;
        let slots: Vec<u32> = (0..self.groups.slots.len() as u32).filter(live).collect();
        let shape = super::changes::Shape { old_rows: false, ..self.shape };
        let mut out = Vec::new();
        for chunk in slots.chunks(ROWS_MAX) {
            let mut changes = Changes::default();
            changes.values.push(self.groups.emit(chunk), chunk.len());
            for (i, &index) in chunk.iter().enumerate() {
                let slot = &self.groups.slots[index as usize];
                changes.push(slot, slot.time, i as u32, NONE);
            }
            changes.finish(&self.groups, shape, &mut out)?;
        }
        Ok(out)
    }
}

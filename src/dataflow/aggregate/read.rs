//! The groups as rows: for pull queries.

use arrow::array::ArrayRef;

use crate::dataflow::Batch;
use crate::dataflow::aggregate::changes::{Changes, Shape};
use crate::dataflow::aggregate::groups::{LIVE, NONE};
use crate::dataflow::aggregate::{Aggregate, Windows};
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
    pub fn rows(&self) -> Result<Vec<Batch>> {
        let live = |&index: &u32| self.groups.slots[index as usize].flags & LIVE != 0;
        let slots: Vec<u32> = (0..self.groups.slots.len() as u32).filter(live).collect();
        self.rows_of(&slots)
    }

    /// The groups of these keys, in the order asked for; a key's windows by their start. `keys`: the key columns.
    pub fn rows_of_keys(&self, keys: &[ArrayRef]) -> Result<Vec<Batch>> {
        let mut slots = Vec::new();
        for row in 0..keys.first().map_or(0, |column| column.len()) {
            let Some(key) = self.groups.keys.find(keys, row) else { continue };
            match &self.windows {
                Windows::Time(windows) => slots.extend(windows.of_key(key)),
                Windows::Session(sessions) => slots.extend_from_slice(sessions.of_key(key)),
            }
        }
        self.rows_of(&slots)
    }

    fn rows_of(&self, slots: &[u32]) -> Result<Vec<Batch>> {
        let shape = Shape { old_rows: false, ..self.shape };
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

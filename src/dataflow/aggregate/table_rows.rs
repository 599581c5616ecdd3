//! A batch of a table's changes.
//!
//! Undoing and adding go in runs of rows whose groups all differ: within a run the order does not matter, so that the
//! old rows of all are undone at once and then the new ones added.

use arrow::array::ArrayRef;

use crate::dataflow::aggregate::changes::Changes;
use crate::dataflow::aggregate::groups::{EMITTED, NONE, Rows};
use crate::dataflow::aggregate::{Aggregate, Scratch, Windows};
use crate::dataflow::{Batch, Context};
use crate::error::Result;

/// One run.
#[derive(Default)]
struct Run {
    undo_rows: Vec<u32>,
    undo_slots: Vec<u32>,
    add_rows: Vec<u32>,
    add_slots: Vec<u32>,
    /// All rows, their slots, and those that downstream has already.
    rows: Vec<u32>,
    slots: Vec<u32>,
    known: Vec<u32>,
}

impl Aggregate {
    pub(super) fn push_table(
        &mut self,
        batch: &Batch,
        scratch: &mut Scratch,
        out: &mut Vec<Batch>,
        context: &mut Context,
    ) -> Result<()> {
        let new = Rows { columns: &batch.columns, batch };
        let old_columns: Vec<ArrayRef> = match &batch.old {
            Some(old) => batch.key_columns().iter().chain(&old.columns).cloned().collect(),
            None => Vec::new(),
        };
        let old = Rows { columns: &old_columns, batch };
        let mut changes = Changes::default();
        let mut run = Run::default();
        for (&row, &key) in scratch.rows.iter().zip(&scratch.ids) {
            let removes = batch.old.as_ref().is_some_and(|old| old.present.value(row as usize));
            let adds = !batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row as usize));
            let Windows::Time(windows) = &mut self.windows else { return Ok(()) };
            let known = windows.find_slot(key, 0);
            if !adds && (!removes || known.is_none()) {
                continue;
            }
            let time = batch.row_time[row as usize];
            windows.stream_time = windows.stream_time.max(time);
            let slot = windows.ensure_slot(&mut self.groups, key, 0);
            scratch.last.resize(self.groups.slots.len().max(scratch.last.len()), NONE);
            if scratch.last[slot as usize] != NONE {
                self.work_off(std::mem::take(&mut run), (&new, &old), &mut changes, &mut scratch.last, context);
            }
            scratch.last[slot as usize] = 0;
            run.rows.push(row);
            run.slots.push(slot);
            if removes && known.is_some() {
                run.undo_rows.push(row);
                run.undo_slots.push(slot);
            }
            if adds {
                run.add_rows.push(row);
                run.add_slots.push(slot);
            }
            self.groups.touch(slot, time);
            let wanted = if context.caching() {
                self.held.note_headers(batch, std::iter::once((row, slot)));
                self.held.mark(&mut self.groups, slot)
            } else {
                self.groups.slots[slot as usize].flags & EMITTED != 0
            };
            if wanted && self.shape.old_rows {
                run.known.push(slot);
            }
        }
        self.work_off(run, (&new, &old), &mut changes, &mut scratch.last, context);
        changes.finish(&self.groups, self.shape, out)
    }

    fn work_off(
        &mut self,
        run: Run,
        (new, old): (&Rows, &Rows),
        changes: &mut Changes,
        last: &mut [u32],
        context: &mut Context,
    ) {
        if run.slots.is_empty() {
            return;
        }
        self.groups.fit();
        if context.caching() {
            self.held.capture(&mut self.groups, &run.known);
        } else {
            let before = changes.values.push(self.groups.emit(&run.known), run.known.len());
            run.known.iter().enumerate().for_each(|(i, &slot)| last[slot as usize] = before + 1 + i as u32);
        }
        if !run.undo_rows.is_empty() {
            old.undo(&mut self.groups, &run.undo_rows, &run.undo_slots, context);
        }
        if !run.add_rows.is_empty() {
            new.update(&mut self.groups, &run.add_rows, &run.add_slots, context);
        }
        if !context.caching() {
            let after = changes.values.push(self.groups.emit(&run.slots), run.slots.len());
            for (i, &index) in run.slots.iter().enumerate() {
                let slot = &mut self.groups.slots[index as usize];
                slot.flags |= EMITTED;
                // 0 stands for a group that downstream doesn't have; else it is one more than where its values lie.
                let before = last[index as usize].checked_sub(1).unwrap_or(NONE);
                changes.of_row(new.batch, run.rows[i]);
                changes.push(slot, slot.time, after + i as u32, before);
            }
        }
        run.slots.iter().for_each(|&slot| last[slot as usize] = NONE);
    }
}

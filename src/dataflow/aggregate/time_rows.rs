//! A batch into tumbling or hopping windows, or into no window.

use crate::dataflow::aggregate::changes::{Changes, Shape};
use crate::dataflow::aggregate::groups::{EMITTED, NONE, Rows};
use crate::dataflow::aggregate::time::Assigned;
use crate::dataflow::aggregate::{Aggregate, Emission, Scratch, Windows};
use crate::dataflow::{Batch, Context, Node};
use crate::error::Result;

impl Aggregate {
    /// Takes rows of the batch in from `from` on, in parts, until one of them gives something; tells where it stopped. A
    /// row may be in very many windows: what its part adds to the state is told of before the next is worked off.
    pub(super) fn push_time(
        &mut self,
        (batch, mut from): (&Batch, usize),
        scratch: &mut Scratch,
        out: &mut Vec<Batch>,
        context: &mut Context,
    ) -> Result<usize> {
        let rows = Rows { columns: &batch.columns, batch };
        let (made, mut told) = (out.len(), None);
        while from < scratch.rows.len() && out.len() == made {
            if told.is_none() && self.windows.overlap() {
                told = Some(self.state_bytes());
            }
            let Windows::Time(windows) = &mut self.windows else { return Ok(scratch.rows.len()) };
            let assigned = &mut scratch.assigned;
            assigned.clear();
            let selected = (scratch.rows.as_slice(), scratch.ids.as_slice());
            from = windows.assign(&mut self.groups, batch, selected, from, assigned, context);
            if self.emission == Emission::Final {
                rows.update(&mut self.groups, &assigned.rows, &assigned.slots, context);
            } else if self.emission == Emission::First {
                self.emit_first(batch, assigned, out)?;
            } else if context.caching() {
                self.hold(batch, assigned);
                rows.update(&mut self.groups, &assigned.rows, &assigned.slots, context);
                self.flush_when_full(out, context)?;
            } else {
                self.emit_each(&rows, assigned, &mut scratch.last, out, context)?;
            }
            if let Some(told) = &mut told {
                let bytes = self.state_bytes();
                context.grown(bytes.saturating_sub(*told))?;
                *told = bytes.max(*told);
            }
        }
        Ok(from)
    }

    /// Notes which groups are about to change, and keeps what downstream has of them.
    fn hold(&mut self, batch: &Batch, assigned: &Assigned) {
        let mut capture = Vec::new();
        for &slot in &assigned.slots {
            if self.held.mark(&mut self.groups, slot) && self.shape.old_rows {
                capture.push(slot);
            }
        }
        self.held.capture(&mut self.groups, &capture);
        self.held.note_headers(batch, assigned.rows.iter().copied().zip(assigned.slots.iter().copied()));
    }

    /// Emits the first row of each group; caching would hold nothing back, since no other follows it.
    fn emit_first(&mut self, batch: &Batch, assigned: &Assigned, out: &mut Vec<Batch>) -> Result<()> {
        let mut changes = Changes::default();
        for (i, &index) in assigned.slots.iter().enumerate() {
            let slot = &mut self.groups.slots[index as usize];
            if slot.flags & EMITTED == 0 {
                slot.flags |= EMITTED;
                changes.of_row(batch, assigned.rows[i]);
                changes.push(slot, assigned.times[i], 0, NONE);
            }
        }
        changes.finish(&self.groups, Shape { old_rows: false, ..self.shape }, out)
    }

    /// Takes the rows in and emits each one's change.
    fn emit_each(
        &mut self,
        rows: &Rows,
        assigned: &Assigned,
        last: &mut Vec<u32>,
        out: &mut Vec<Batch>,
        context: &mut Context,
    ) -> Result<()> {
        let count = assigned.rows.len();
        last.resize(self.groups.slots.len().max(last.len()), NONE);
        // The values before: of an earlier row of this batch, else captured behind the rows' results.
        let mut captured = Vec::new();
        let mut old = Vec::with_capacity(count);
        for (i, &index) in assigned.slots.iter().enumerate() {
            let slot = &mut self.groups.slots[index as usize];
            let before = std::mem::replace(&mut last[index as usize], i as u32);
            old.push(match before {
                NONE if slot.flags & EMITTED != 0 && self.shape.old_rows => {
                    captured.push(index);
                    (count + captured.len() - 1) as u32
                }
                before => before,
            });
            slot.flags |= EMITTED;
        }
        assigned.slots.iter().for_each(|&index| last[index as usize] = NONE);
        let mut changes = Changes::default();
        self.groups.fit();
        let before = self.groups.emit(&captured);
        let after = rows.update_each(&mut self.groups, &assigned.rows, &assigned.slots, context);
        changes.values.push(after, count);
        changes.values.push(before, captured.len());
        for (i, &index) in assigned.slots.iter().enumerate() {
            changes.of_row(rows.batch, assigned.rows[i]);
            changes.push(&self.groups.slots[index as usize], assigned.times[i], i as u32, old[i]);
        }
        changes.finish(&self.groups, self.shape, out)
    }
}

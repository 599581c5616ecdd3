//! A batch into session windows.

use crate::dataflow::aggregate::changes::Changes;
use crate::dataflow::aggregate::groups::{EMITTED, Groups, NONE, Rows, Slot};
use crate::dataflow::aggregate::session::Place;
use crate::dataflow::aggregate::{Aggregate, Emission, Scratch, Windows};
use crate::dataflow::{Batch, Context};
use crate::error::Result;

/// Rows that have their session, not yet given to the accumulators: a merge needs the states as of before it.
struct Waiting<'a> {
    rows: Rows<'a>,
    waiting: Vec<u32>,
    slots: Vec<u32>,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Each row's change is emitted.
    Each,
    /// Changes are held back until the flush.
    Held,
    /// Only finals are emitted.
    Final,
}

/// Output rows of a batch and where each slot's last values are among them.
struct Emitting<'a> {
    changes: Changes,
    last: &'a mut Vec<u32>,
    touched: Vec<u32>,
}

impl Emitting<'_> {
    fn set(&mut self, slot: u32, at: u32) {
        if self.last.len() <= slot as usize {
            self.last.resize(slot as usize + 1, NONE);
        }
        self.last[slot as usize] = at;
        self.touched.push(slot);
    }

    fn get(&self, slot: u32) -> u32 {
        self.last.get(slot as usize).copied().unwrap_or(NONE)
    }
}

impl Waiting<'_> {
    /// Gives the waiting rows to the accumulators.
    fn work_off(&mut self, groups: &mut Groups, emitting: &mut Emitting, context: &mut Context) {
        if self.waiting.is_empty() {
            return;
        }
        if self.mode == Mode::Each {
            let results = self.rows.update_each(groups, &self.waiting, &self.slots, context);
            emitting.changes.values.push(results, self.waiting.len());
        } else {
            self.rows.update(groups, &self.waiting, &self.slots, context);
        }
        self.waiting.clear();
        self.slots.clear();
    }
}

impl Aggregate {
    pub(super) fn push_sessions(
        &mut self,
        batch: &Batch,
        scratch: &mut Scratch,
        out: &mut Vec<Batch>,
        context: &mut Context,
    ) -> Result<()> {
        let mode = match (self.emission, context.caching()) {
            (Emission::Final, _) => Mode::Final,
            (_, true) => Mode::Held,
            (_, false) => Mode::Each,
        };
        let rows = Rows { columns: &batch.columns, batch };
        let mut waiting = Waiting { rows, waiting: Vec::new(), slots: Vec::new(), mode };
        let mut emitting = Emitting { changes: Changes::default(), last: &mut scratch.last, touched: Vec::new() };
        self.capture_sessions(&scratch.ids, mode, &mut emitting);
        let mut found = Vec::new();
        for (&row, &key) in scratch.rows.iter().zip(&scratch.ids) {
            let time = batch.row_time[row as usize];
            emitting.changes.of_row(batch, row);
            let Windows::Session(sessions) = &mut self.windows else { return Ok(()) };
            match sessions.find(&self.groups, key, time, &mut found) {
                Place::Late => sessions.late(batch, row as usize, context),
                Place::Session { start, end } => {
                    if found.len() > 1 {
                        waiting.work_off(&mut self.groups, &mut emitting, context);
                    }
                    let slot = self.take_row((key, time), (start, end), &found, mode, &mut emitting);
                    if mode == Mode::Held {
                        self.held.note_headers(batch, std::iter::once((row, slot)));
                    }
                    if mode == Mode::Each {
                        let at = emitting.changes.values.len() + waiting.waiting.len() as u32;
                        let old = if (start, end) == (time, time) { emitting.get(slot) } else { NONE };
                        let group = &mut self.groups.slots[slot as usize];
                        group.flags |= EMITTED;
                        emitting.changes.push(group, group.time, at, old);
                        emitting.set(slot, at);
                    }
                    waiting.waiting.push(row);
                    waiting.slots.push(slot);
                }
            }
        }
        waiting.work_off(&mut self.groups, &mut emitting, context);
        let Emitting { changes, last, touched } = emitting;
        touched.into_iter().for_each(|slot| last[slot as usize] = NONE);
        changes.finish(&self.groups, self.shape, out)
    }

    /// Keeps the values that downstream has of all sessions that the batch may change.
    fn capture_sessions(&mut self, ids: &[u32], mode: Mode, emitting: &mut Emitting) {
        let Windows::Session(sessions) = &self.windows else { return };
        if mode == Mode::Final || !self.shape.old_rows {
            return;
        }
        let mut keys = ids.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let slots = keys.iter().flat_map(|&key| sessions.of_key(key)).copied();
        let slots: Vec<u32> = slots
            .filter(|&index| {
                let slot = &self.groups.slots[index as usize];
                slot.flags & EMITTED != 0 && (mode == Mode::Each || slot.old == NONE)
            })
            .collect();
        if mode == Mode::Held {
            self.held.capture(&mut self.groups, &slots);
        } else {
            self.groups.fit();
            let first = emitting.changes.values.push(self.groups.emit(&slots), slots.len());
            slots.iter().enumerate().for_each(|(i, &slot)| emitting.set(slot, first + i as u32));
        }
    }

    /// Makes one session of those found and the row; gives its slot. The accumulators have all earlier rows when there
    /// are two or more to join.
    fn take_row(
        &mut self,
        (key, time): (u32, i64),
        (start, end): (i64, i64),
        found: &[u32],
        mode: Mode,
        emitting: &mut Emitting,
    ) -> u32 {
        let Windows::Session(sessions) = &mut self.windows else { return NONE };
        let Some((&slot, earlier)) = found.split_last() else {
            let slot = sessions.create(&mut self.groups, key, start, end);
            if mode == Mode::Each {
                emitting.set(slot, NONE);
            }
            self.note_change(slot, time, mode);
            return slot;
        };
        // As Kafka Streams has it, the old sessions go even where the new one has the same bounds, but not where
        // it is the row's own single moment.
        if mode == Mode::Each && (start, end) != (time, time) {
            for &index in found {
                let replaced: Slot = self.groups.slots[index as usize];
                emitting.changes.push(&replaced, replaced.time, NONE, emitting.get(index));
            }
        }
        self.groups.fit();
        self.groups.merge(found);
        for &index in earlier {
            if mode == Mode::Held {
                self.held.replace(&mut self.groups, index, emitting.changes.headers());
            }
            let time = self.groups.slots[index as usize].time;
            self.groups.touch(slot, time);
            sessions.remove(&mut self.groups, index);
        }
        let bounds = self.groups.slots[slot as usize];
        if mode == Mode::Held && (bounds.start, bounds.end) != (start, end) {
            self.held.replace(&mut self.groups, slot, emitting.changes.headers());
        }
        sessions.extend(&mut self.groups, slot, start, end);
        self.note_change(slot, time, mode);
        slot
    }

    fn note_change(&mut self, slot: u32, time: i64, mode: Mode) {
        self.groups.touch(slot, time);
        if mode == Mode::Held {
            // Its values were captured before the batch, if downstream has any.
            self.held.mark(&mut self.groups, slot);
        }
    }
}

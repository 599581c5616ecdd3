//! The groups of an aggregate: one slot a group (and window), numbered densely, with the accumulators' states beside.

use arrow::array::ArrayRef;

use crate::dataflow::aggregate::changelog::RecordKey;
use crate::dataflow::operator::ErrorKind;
use crate::dataflow::{Batch, Context};
use crate::expr::EvalErrors;
use crate::expr::accumulator::Accumulator;
use crate::state::Keys;

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// The slot is in use.
pub(super) const LIVE: u8 = 1;
/// It has changed since the last flush, and is in the list of held-back changes.
pub(super) const DIRTY: u8 = 2;
/// It has changed since the last `changes`, and is in `changed`.
pub(super) const CHANGED: u8 = 4;
/// The changelog has it under its present key and window.
pub(super) const PERSISTED: u8 = 8;
/// Its present window has been given downstream.
pub(super) const EMITTED: u8 = 16;

/// One group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// The greatest row time that contributed.
    pub time: i64,
    /// Window bounds; 0 without windows.
    pub start: i64,
    pub end: i64,
    pub key: u32,
    /// Counts the uses of the slot, so that an old reference to it is known as such.
    pub stamp: u32,
    /// Where its last emitted values lie among the held-back ones.
    pub old: u32,
    pub flags: u8,
}

/// One aggregate call: its accumulator and which columns of the batch it takes.
pub(super) struct Call {
    pub accumulator: Box<dyn Accumulator>,
    pub args: Vec<usize>,
}

/// Keys of changelog records in one buffer: a closed window's groups go all at once.
#[derive(Debug, Default)]
pub(super) struct Removed {
    data: Vec<u8>,
    ends: Vec<usize>,
}

impl Removed {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.data[start..end])
    }
}

pub(super) struct Groups {
    pub keys: Keys,
    pub slots: Vec<Slot>,
    pub calls: Vec<Call>,
    /// Slots with `CHANGED`; may name a slot twice, or one that is no longer live.
    changed: Vec<u32>,
    /// Changelog keys of groups that are gone.
    removed: Removed,
    pub live: usize,
    /// Of the groups in `changed`, the bytes of state when they were put there.
    changed_bytes: usize,
    /// Bytes that rows have added to state since the last `changes`: to the groups in `changed`, then.
    grown_bytes: usize,
    free: Vec<u32>,
    record_key: RecordKey,
    /// Only a group's first row changes it.
    pub first_rows: bool,
}

/// Bytes of a changelog record beside its key and state, about.
const RECORD_BYTES: usize = 32;

impl Groups {
    pub(super) fn new(keys: Keys, calls: Vec<Call>, record_key: RecordKey) -> Self {
        let (slots, changed, removed, free) = (Vec::new(), Vec::new(), Removed::default(), Vec::new());
        let (changed_bytes, grown_bytes) = (0, 0);
        Groups {
            keys,
            slots,
            calls,
            changed,
            removed,
            live: 0,
            changed_bytes,
            grown_bytes,
            free,
            record_key,
            first_rows: false,
        }
    }

    /// A new group without rows. `fit` must be called before the accumulators see it.
    pub(super) fn create(&mut self, key: u32, start: i64, end: i64) -> u32 {
        self.keys.retain(key);
        self.live += 1;
        let mut slot = Slot { time: i64::MIN, start, end, key, stamp: 0, old: NONE, flags: LIVE };
        match self.free.pop() {
            Some(index) => {
                slot.stamp = self.slots[index as usize].stamp;
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        }
    }

    /// Makes room in the accumulators for all slots.
    pub(super) fn fit(&mut self) {
        let slots = self.slots.len();
        self.calls.iter_mut().for_each(|call| call.accumulator.resize(slots));
    }

    /// Removes a group; what the changelog has of it gets a tombstone.
    pub(super) fn remove(&mut self, index: u32) {
        self.forget_record(index);
        self.fit();
        let slot = &mut self.slots[index as usize];
        slot.flags = 0;
        slot.stamp += 1;
        let key = slot.key;
        self.calls.iter_mut().for_each(|call| call.accumulator.reset(index));
        self.keys.release(key);
        self.free.push(index);
        self.live -= 1;
    }

    /// The group's present record, if there is one, is no longer right: its window changes or it goes.
    pub(super) fn forget_record(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.flags & PERSISTED != 0 {
            slot.flags &= !PERSISTED;
            self.record_key.write(&self.keys, &self.slots[index as usize], &mut self.removed.data);
            self.removed.ends.push(self.removed.data.len());
        }
    }

    /// Notes a row of this time, and that the group changed. Gives the greatest row time so far.
    #[inline]
    pub(super) fn touch(&mut self, index: u32, row_time: i64) -> i64 {
        let slot = &mut self.slots[index as usize];
        if self.first_rows && slot.time != i64::MIN {
            return slot.time;
        }
        slot.time = slot.time.max(row_time);
        if slot.flags & CHANGED == 0 {
            slot.flags |= CHANGED;
            let time = slot.time;
            self.note_changed(index);
            return time;
        }
        slot.time
    }

    fn note_changed(&mut self, index: u32) {
        self.changed.push(index);
        self.changed_bytes += self.state_bytes(index);
    }

    /// Bytes of state that all groups hold beyond what each takes in any case.
    fn heap_bytes(&self) -> usize {
        self.calls.iter().map(|call| call.accumulator.heap_bytes()).sum()
    }

    /// Lets the accumulators take rows in; what that adds to the groups is noted.
    fn grow<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.heap_bytes();
        let result = work(self);
        self.grown_bytes += self.heap_bytes().saturating_sub(before);
        result
    }

    /// Adds the state of each of these groups to the next one's.
    pub(super) fn merge(&mut self, slots: &[u32]) {
        self.grow(|groups| {
            for pair in slots.windows(2) {
                groups.calls.iter_mut().for_each(|call| call.accumulator.merge(pair[0], pair[1]));
            }
        });
    }

    /// Bytes of the records that `changes` would give, about.
    pub(super) fn pending_bytes(&self) -> usize {
        let key_bytes = self.keys.bytes() / self.keys.capacity().max(1);
        let records = self.changed.len() * (RECORD_BYTES + key_bytes) + self.removed.ends.len() * RECORD_BYTES;
        self.changed_bytes + self.grown_bytes + self.removed.data.len() + records
    }

    /// Takes what changed since the last call: the slots, and the changelog keys of groups that are gone.
    pub(super) fn take_changed(&mut self) -> (Vec<u32>, Removed) {
        (self.changed_bytes, self.grown_bytes) = (0, 0);
        (std::mem::take(&mut self.changed), std::mem::take(&mut self.removed))
    }

    /// Bytes of a group's state as it would be stored, about.
    pub(super) fn state_bytes(&self, index: u32) -> usize {
        self.calls.iter().map(|call| call.accumulator.group_bytes(index)).sum()
    }

    /// Current results of these slots, a column a call.
    pub(super) fn emit(&self, slots: &[u32]) -> Vec<ArrayRef> {
        self.calls.iter().map(|call| call.accumulator.emit(slots)).collect()
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        let accumulators: usize = self.calls.iter().map(|call| call.accumulator.bytes()).sum();
        accumulators
            + self.keys.bytes()
            + self.slots.capacity() * size_of::<Slot>()
            + (self.changed.capacity() + self.free.capacity()) * 4
            + self.removed.data.capacity()
            + self.removed.ends.capacity() * size_of::<usize>()
    }
}

/// The rows of a batch as the accumulators take them.
pub(super) struct Rows<'a> {
    /// Key columns, then value columns: the batch's, or those of the rows that it replaces.
    pub columns: &'a [ArrayRef],
    pub batch: &'a Batch,
}

impl Rows<'_> {
    fn args(&self, call: &Call) -> Vec<ArrayRef> {
        call.args.iter().map(|&column| self.columns[column].clone()).collect()
    }

    /// Takes rows in.
    pub(super) fn update(&self, groups: &mut Groups, rows: &[u32], slots: &[u32], context: &mut Context) {
        groups.fit();
        let mut errors = EvalErrors::default();
        groups.grow(|groups| {
            for call in &mut groups.calls {
                let args = self.args(call);
                call.accumulator.update(&args, rows, slots, &mut errors);
            }
        });
        self.report(errors, context);
    }

    /// Takes rows in; gives the results after each, a column a call.
    pub(super) fn update_each(
        &self,
        groups: &mut Groups,
        rows: &[u32],
        slots: &[u32],
        context: &mut Context,
    ) -> Vec<ArrayRef> {
        groups.fit();
        let mut errors = EvalErrors::default();
        let mut results = Vec::with_capacity(groups.calls.len());
        groups.grow(|groups| {
            for call in &mut groups.calls {
                let args = self.args(call);
                results.push(call.accumulator.update_each(&args, rows, slots, &mut errors));
            }
        });
        self.report(errors, context);
        results
    }

    /// Takes rows back out.
    pub(super) fn undo(&self, groups: &mut Groups, rows: &[u32], slots: &[u32], context: &mut Context) {
        groups.fit();
        let mut errors = EvalErrors::default();
        for call in &mut groups.calls {
            let args = self.args(call);
            call.accumulator.undo(&args, rows, slots, &mut errors);
        }
        self.report(errors, context);
    }

    fn report(&self, errors: EvalErrors, context: &mut Context) {
        if errors.is_empty() {
            return;
        }
        let reasons = errors.errors.iter().map(|error| (error.row, error.reason.to_string()));
        context.bad_rows(self.batch, ErrorKind::Processing, errors.failed_rows(), reasons);
    }
}

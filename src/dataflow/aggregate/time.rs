//! Groups of tumbling and hopping windows, and of no window at all: which slots a row goes to.
//!
//! A window's groups are found through its own table, so that a window that is over is dropped whole. The last window of
//! each key is remembered: nearly every row of a tumbling window finds its slot there.

use std::collections::BTreeMap;

use hashbrown::HashTable;

use crate::dataflow::aggregate::groups::{Groups, NONE, PERSISTED};
use crate::dataflow::operator::ErrorKind;
use crate::dataflow::{Batch, Context};
use crate::plan;

/// Default of the rows times windows that are worked off at a time.
const ASSIGNED_MAX: usize = 1 << 16;

pub(super) struct TimeWindows {
    /// Length and distance of windows; None: no windows.
    shape: Option<TimeShape>,
    /// Whether a window is given once, when it closes.
    finals: bool,
    pub stream_time: i64,
    /// Rows times windows that are worked off at a time.
    pub assigned_max: usize,
    windows: BTreeMap<i64, Window>,
    /// By key number: the window start and slot it was last seen with.
    recent: Vec<(i64, u32)>,
    /// The start of the next window to close, when finals are wanted.
    next_close: i64,
    /// Windows that have closed and are to be emitted.
    closing: Vec<i64>,
}

#[derive(Debug, Clone, Copy)]
struct TimeShape {
    size: i64,
    advance: i64,
    /// Size and grace: how long after its start a window takes rows.
    open: i64,
    /// How long after its start a window is kept.
    retention: i64,
}

/// The groups of one window: key number and slot.
#[derive(Default)]
struct Window {
    table: HashTable<(u32, u32)>,
}

/// Rows with the slots they go to.
#[derive(Default)]
pub(super) struct Assigned {
    pub rows: Vec<u32>,
    pub slots: Vec<u32>,
    /// The group's greatest row time after the row.
    pub times: Vec<i64>,
}

impl Assigned {
    #[inline]
    fn push(&mut self, row: u32, slot: u32, time: i64) {
        self.rows.push(row);
        self.slots.push(slot);
        self.times.push(time);
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.slots.clear();
        self.times.clear();
    }
}

fn hash(key: u32) -> u64 {
    let wide = u128::from(key) * 0x9e37_79b9_7f4a_7c15_u128;
    (wide as u64) ^ ((wide >> 64) as u64)
}

impl TimeWindows {
    pub(super) fn new(window: Option<&plan::Window>, finals: bool) -> Self {
        let shape = window.and_then(|spec| {
            let (size, advance) = match spec.kind {
                plan::WindowKind::Tumbling { size_ms } => (size_ms, size_ms),
                plan::WindowKind::Hopping { size_ms, advance_ms } => (size_ms, advance_ms),
                plan::WindowKind::Session { .. } => return None,
            };
            let open = size.saturating_add(spec.grace_ms);
            Some(TimeShape { size, advance, open, retention: spec.retention_ms.max(open) })
        });
        TimeWindows {
            shape,
            finals,
            stream_time: i64::MIN,
            assigned_max: ASSIGNED_MAX,
            windows: BTreeMap::new(),
            recent: Vec::new(),
            next_close: i64::MAX,
            closing: Vec::new(),
        }
    }

    /// Whether a row may be in several windows.
    pub(super) fn overlap(&self) -> bool {
        self.shape.is_some_and(|shape| shape.advance < shape.size)
    }

    /// Finds the slots of rows `from..`, until the rows end or enough are assigned; gives where it stopped.
    /// `rows` are row numbers of the batch, `ids[i]` the key of `rows[i]`.
    pub(super) fn assign(
        &mut self,
        groups: &mut Groups,
        batch: &Batch,
        (rows, ids): (&[u32], &[u32]),
        from: usize,
        into: &mut Assigned,
        context: &mut Context,
    ) -> usize {
        if self.recent.len() < groups.keys.capacity() {
            self.recent.resize(groups.keys.capacity(), (0, NONE));
        }
        let row_time: &[i64] = &batch.row_time;
        let Some(shape) = self.shape else {
            for (&row, &key) in rows[from..].iter().zip(&ids[from..]) {
                let time = row_time[row as usize];
                self.stream_time = self.stream_time.max(time);
                let (_, mut slot) = self.recent[key as usize];
                if slot == NONE {
                    slot = groups.create(key, 0, 0);
                    self.recent[key as usize] = (0, slot);
                }
                into.push(row, slot, groups.touch(slot, time));
            }
            return rows.len();
        };
        for i in from..rows.len() {
            if into.rows.len() >= self.assigned_max {
                return i;
            }
            let time = row_time[rows[i] as usize];
            if time < 0 {
                let reason = "the row time is negative: no window has it".to_owned();
                context.bad_row(batch, rows[i] as usize, ErrorKind::Processing, reason);
                continue;
            }
            let advanced = time > self.stream_time;
            self.stream_time = self.stream_time.max(time);
            self.assign_row(groups, shape, batch, (rows[i], ids[i], time), into, context);
            if advanced && self.finals {
                self.close(shape);
            }
        }
        rows.len()
    }

    #[inline]
    fn assign_row(
        &mut self,
        groups: &mut Groups,
        shape: TimeShape,
        batch: &Batch,
        (row, key, time): (u32, u32, i64),
        into: &mut Assigned,
        context: &mut Context,
    ) {
        let recent = self.recent[key as usize];
        // The usual row of a tumbling window costs no division.
        let tumbling = shape.size == shape.advance && recent.1 != NONE;
        if tumbling
            && time >= recent.0
            && time - recent.0 < shape.size
            && recent.0.saturating_add(shape.open) > self.stream_time
        {
            into.push(row, recent.1, groups.touch(recent.1, time));
            return;
        }
        let mut start = (time - shape.size).saturating_add(shape.advance).max(0) / shape.advance * shape.advance;
        while start <= time {
            if start.saturating_add(shape.open) > self.stream_time {
                let slot = self.slot(groups, shape, key, start);
                into.push(row, slot, groups.touch(slot, time));
            } else {
                let stream_time = self.stream_time;
                let end = start.saturating_add(shape.size);
                let reason = || format!("the window [{start}, {end}) was closed at stream time {stream_time}");
                context.late_row(batch, row as usize, reason);
            }
            let Some(next) = start.checked_add(shape.advance) else { break };
            start = next;
        }
    }

    fn slot(&mut self, groups: &mut Groups, shape: TimeShape, key: u32, start: i64) -> u32 {
        let recent = self.recent[key as usize];
        if recent.1 != NONE && recent.0 == start {
            return recent.1;
        }
        let window = self.windows.entry(start).or_insert_with(|| {
            self.next_close = self.next_close.min(start);
            Window::default()
        });
        let slot = match window.table.find(hash(key), |&(known, _)| known == key) {
            Some(&(_, slot)) => slot,
            None => {
                let slot = groups.create(key, start, start.saturating_add(shape.size));
                window.table.insert_unique(hash(key), (key, slot), |&(key, _)| hash(key));
                slot
            }
        };
        self.recent[key as usize] = (start, slot);
        slot
    }

    /// After stream time went on: notes which windows close now.
    fn close(&mut self, shape: TimeShape) {
        let last = self.stream_time.saturating_sub(shape.open);
        if self.next_close > last {
            return;
        }
        self.closing.extend(self.windows.range(self.next_close..=last).map(|(&start, _)| start));
        self.next_close = self.windows.range(last.saturating_add(1)..).next().map_or(i64::MAX, |(&start, _)| start);
    }

    /// The slots of the windows that have closed, by window start and key bytes.
    pub(super) fn take_closed(&mut self, groups: &Groups) -> Vec<u32> {
        let mut slots = Vec::new();
        for start in std::mem::take(&mut self.closing) {
            let first = slots.len();
            if let Some(window) = self.windows.get(&start) {
                slots.extend(window.table.iter().map(|&(_, slot)| slot));
            }
            slots[first..].sort_unstable_by(|&a, &b| {
                groups.keys.compare(groups.slots[a as usize].key, groups.slots[b as usize].key)
            });
        }
        slots
    }

    /// Whether a window is to be dropped.
    pub(super) fn has_expired(&self) -> bool {
        match (self.shape, self.windows.first_key_value()) {
            (Some(shape), Some((&start, _))) => self.is_expired(shape, start),
            _ => false,
        }
    }

    /// As Kafka Streams sees it: a window's age is how far the newest window's start is beyond its own.
    fn is_expired(&self, shape: TimeShape, start: i64) -> bool {
        let newest = self.stream_time / shape.advance * shape.advance;
        start.saturating_add(shape.retention) < newest && start.saturating_add(shape.open) <= self.stream_time
    }

    /// Drops the windows that are kept no longer.
    pub(super) fn expire(&mut self, groups: &mut Groups) {
        let Some(shape) = self.shape else { return };
        while let Some((&start, _)) = self.windows.first_key_value() {
            if !self.is_expired(shape, start) {
                break;
            }
            if let Some((_, window)) = self.windows.pop_first() {
                for &(key, slot) in &window.table {
                    groups.remove(slot);
                    if self.recent[key as usize].1 == slot {
                        self.recent[key as usize] = (0, NONE);
                    }
                }
            }
        }
    }

    /// Forgets what is remembered of a key number that is given out anew.
    pub(super) fn forget_key(&mut self, key: u32) {
        if let Some(recent) = self.recent.get_mut(key as usize) {
            *recent = (0, NONE);
        }
    }

    /// The slot of a group, made if need be.
    pub(super) fn ensure_slot(&mut self, groups: &mut Groups, key: u32, start: i64) -> u32 {
        if self.recent.len() < groups.keys.capacity() {
            self.recent.resize(groups.keys.capacity(), (0, NONE));
        }
        if let Some(shape) = self.shape {
            return self.slot(groups, shape, key, start);
        }
        let (_, slot) = self.recent[key as usize];
        if slot != NONE {
            return slot;
        }
        let slot = groups.create(key, 0, 0);
        self.recent[key as usize] = (0, slot);
        slot
    }

    /// The slot of a group, if it is there.
    pub(super) fn find_slot(&self, key: u32, start: i64) -> Option<u32> {
        if self.shape.is_none() {
            return self.recent.get(key as usize).map(|&(_, slot)| slot).filter(|&slot| slot != NONE);
        }
        let window = self.windows.get(&start)?;
        window.table.find(hash(key), |&(known, _)| known == key).map(|&(_, slot)| slot)
    }

    /// Takes a group out whose tombstone the changelog has: for recovery.
    pub(super) fn remove_slot(&mut self, groups: &mut Groups, key: u32, start: i64) {
        let Some(slot) = self.find_slot(key, start) else { return };
        groups.slots[slot as usize].flags &= !PERSISTED;
        if let Some(window) = self.windows.get_mut(&start) {
            if let Ok(entry) = window.table.find_entry(hash(key), |&(known, _)| known == key) {
                entry.remove();
            }
            if window.table.is_empty() {
                self.windows.remove(&start);
            }
        }
        self.forget_key(key);
        groups.remove(slot);
    }

    /// After recovery: windows that closed at or before the recovered stream time were emitted then.
    pub(super) fn recovered(&mut self) {
        if let Some(shape) = self.shape {
            let last = self.stream_time.saturating_sub(shape.open);
            self.next_close = self.windows.range(last.saturating_add(1)..).next().map_or(i64::MAX, |(&start, _)| start);
        }
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        let tables: usize = self.windows.values().map(|window| window.table.capacity() * 9 + 64).sum();
        tables + self.recent.capacity() * 16
    }
}

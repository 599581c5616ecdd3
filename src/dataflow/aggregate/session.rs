//! Groups of session windows: which session a row starts, extends or joins with another.
//!
//! A row at `ts` belongs with the sessions of its key that end at or after `ts - gap` and start at or before `ts + gap`;
//! together they become one. As in Kafka Streams the row is late when that one ended before stream time less gap
//! and grace, and a session whose end is more than the retention behind stream time is no longer found.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::dataflow::{Batch, Context};

use crate::dataflow::aggregate::groups::{Groups, LIVE, Slot};
use crate::plan::Window;

/// The end a session had, its slot and stamp.
type Deadline = Reverse<(i64, u32, u32)>;

pub(super) struct Sessions {
    gap: i64,
    /// Gap and grace.
    open: i64,
    retention: i64,
    pub stream_time: i64,
    /// Whether a session that has closed is given once and then left alone.
    finals: bool,
    /// By key number: its sessions, by start.
    by_key: Vec<Vec<u32>>,
    /// When sessions close and when they expire, as of their creation: a later end is looked up in the slot.
    closing: BinaryHeap<Deadline>,
    expiring: BinaryHeap<Deadline>,
}

/// Where a row goes. The sessions it replaces are in the scratch list given to `find`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Late,
    /// One session of these bounds takes the row.
    Session {
        start: i64,
        end: i64,
    },
}

impl Sessions {
    pub(super) fn new(gap: i64, spec: &Window, finals: bool) -> Self {
        let open = gap.saturating_add(spec.grace_ms);
        let retention = spec.retention_ms.max(open);
        let (by_key, closing, expiring) = (Vec::new(), BinaryHeap::new(), BinaryHeap::new());
        Sessions { gap, open, retention, stream_time: i64::MIN, finals, by_key, closing, expiring }
    }

    /// Takes note of a row's time, and finds the sessions of its key that it belongs with, by start.
    pub(super) fn find(&mut self, groups: &Groups, key: u32, time: i64, found: &mut Vec<u32>) -> Place {
        self.stream_time = self.stream_time.max(time);
        let closed_before = self.stream_time.saturating_sub(self.open);
        let found_from = if self.finals { closed_before } else { self.stream_time.saturating_sub(self.retention) };
        let from = found_from.max(time.saturating_sub(self.gap));
        let to = time.saturating_add(self.gap);
        found.clear();
        let (mut start, mut end) = (time, time);
        for &index in self.by_key.get(key as usize).map_or(&[][..], Vec::as_slice) {
            let slot = &groups.slots[index as usize];
            if slot.start <= to && slot.end >= from {
                found.push(index);
                start = start.min(slot.start);
                end = end.max(slot.end);
            }
        }
        if end < closed_before { Place::Late } else { Place::Session { start, end } }
    }

    /// Counts a late row.
    pub(super) fn late(&self, batch: &Batch, row: usize, context: &mut Context) {
        let (time, stream_time) = (batch.row_time[row], self.stream_time);
        context.late_row(batch, row, || format!("the session at {time} was closed at stream time {stream_time}"));
    }

    /// Makes a session.
    pub(super) fn create(&mut self, groups: &mut Groups, key: u32, start: i64, end: i64) -> u32 {
        if self.by_key.len() <= key as usize {
            self.by_key.resize_with(key as usize + 1, Vec::new);
        }
        let index = groups.create(key, start, end);
        let sessions = &mut self.by_key[key as usize];
        let place = sessions.partition_point(|&other| groups.slots[other as usize].start < start);
        sessions.insert(place, index);
        let deadline = Reverse((end, index, groups.slots[index as usize].stamp));
        self.expiring.push(deadline);
        if self.finals {
            self.closing.push(deadline);
        }
        index
    }

    /// Sets a session's bounds; it stays in its place among the key's sessions.
    pub(super) fn extend(&self, groups: &mut Groups, index: u32, start: i64, end: i64) {
        let slot = &mut groups.slots[index as usize];
        if (slot.start, slot.end) != (start, end) {
            groups.forget_record(index);
            let slot = &mut groups.slots[index as usize];
            (slot.start, slot.end) = (start, end);
        }
    }

    /// Takes a session away.
    pub(super) fn remove(&mut self, groups: &mut Groups, index: u32) {
        let key = groups.slots[index as usize].key;
        self.by_key[key as usize].retain(|&other| other != index);
        groups.remove(index);
    }

    /// Slots that closed since the last call, by end, start and key bytes. Only with finals.
    pub(super) fn take_closed(&mut self, groups: &Groups) -> Vec<u32> {
        let limit = self.stream_time.saturating_sub(self.open);
        let mut slots = Vec::new();
        Self::pop_before(&mut self.closing, groups, limit, |index| slots.push(index));
        slots.sort_by(|&a, &b| {
            let (a, b): (&Slot, &Slot) = (&groups.slots[a as usize], &groups.slots[b as usize]);
            (a.end, a.start).cmp(&(b.end, b.start)).then_with(|| groups.keys.compare(a.key, b.key))
        });
        slots
    }

    /// Takes sessions off the heap whose end is before the limit.
    fn pop_before(heap: &mut BinaryHeap<Deadline>, groups: &Groups, limit: i64, mut take: impl FnMut(u32)) {
        while let Some(&Reverse((end, index, stamp))) = heap.peek() {
            if end >= limit {
                break;
            }
            heap.pop();
            let slot = &groups.slots[index as usize];
            if slot.stamp != stamp || slot.flags & LIVE == 0 {
                continue;
            }
            if slot.end < limit {
                take(index);
            } else {
                heap.push(Reverse((slot.end, index, stamp)));
            }
        }
    }

    /// Whether a session may have to be dropped.
    pub(super) fn has_expired(&self) -> bool {
        let limit = self.stream_time.saturating_sub(self.retention);
        self.expiring.peek().is_some_and(|&Reverse((end, _, _))| end < limit)
    }

    /// Drops the sessions that are kept no longer.
    pub(super) fn expire(&mut self, groups: &mut Groups) {
        let limit = self.stream_time.saturating_sub(self.retention);
        let mut expired = Vec::new();
        Self::pop_before(&mut self.expiring, groups, limit, |index| expired.push(index));
        expired.into_iter().for_each(|index| self.remove(groups, index));
    }

    /// The session with these bounds, if it is there.
    pub(super) fn find_slot(&self, groups: &Groups, key: u32, start: i64, end: i64) -> Option<u32> {
        self.by_key.get(key as usize)?.iter().copied().find(|&index| {
            let slot = &groups.slots[index as usize];
            (slot.start, slot.end) == (start, end)
        })
    }

    /// A key's sessions, by start.
    pub(super) fn of_key(&self, key: u32) -> &[u32] {
        self.by_key.get(key as usize).map_or(&[], Vec::as_slice)
    }

    /// After recovery: sessions that closed before the recovered stream time were emitted then.
    pub(super) fn recovered(&mut self, groups: &Groups) {
        self.take_closed(groups);
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        self.by_key.capacity() * 32 + (self.closing.capacity() + self.expiring.capacity()) * 16
    }
}

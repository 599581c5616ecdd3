//! What caching holds back: the groups that changed since the last flush, in the order of their first change, and the
//! values that were given downstream before.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};

use crate::dataflow::Batch;
use crate::dataflow::aggregate::changes::{Changes, Shape, Values};
use crate::dataflow::aggregate::groups::{DIRTY, EMITTED, Groups, LIVE, NONE, Slot};
use crate::error::Result;

/// Default of the most groups held back.
pub(super) const HELD_MAX: usize = 500_000;

#[derive(Default)]
pub(super) struct Held {
    order: Vec<Entry>,
    /// Values as last emitted.
    old: Values,
    /// Slots whose `old` points into them.
    captured: Vec<(u32, u32)>,
    headers: Headers,
}

enum Entry {
    /// A group's last change; the slot with its stamp.
    Group(u32, u32),
    /// A session that was given downstream and is replaced, and the headers of the record that replaces it. Its key is
    /// retained.
    Replaced(Slot, Option<Box<[u8]>>),
}

/// By slot, the headers of the record of its last change, where it has some.
#[derive(Default)]
struct Headers {
    by_slot: HashMap<u32, Box<[u8]>>,
    bytes: usize,
}

impl Headers {
    fn set(&mut self, slot: u32, headers: Option<&[u8]>) {
        let before = match headers {
            Some(headers) => {
                self.bytes += headers.len();
                self.by_slot.insert(slot, headers.into())
            }
            None => self.by_slot.remove(&slot),
        };
        self.bytes -= before.map_or(0, |before| before.len());
    }
}

impl Held {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Notes that a group changes; true when its present values must be captured before.
    #[inline]
    pub(super) fn mark(&mut self, groups: &mut Groups, index: u32) -> bool {
        let slot = &mut groups.slots[index as usize];
        if slot.flags & DIRTY != 0 {
            return false;
        }
        slot.flags |= DIRTY;
        self.order.push(Entry::Group(index, slot.stamp));
        slot.flags & EMITTED != 0
    }

    /// Keeps the present values of these groups, which are those downstream has.
    pub(super) fn capture(&mut self, groups: &mut Groups, slots: &[u32]) {
        if slots.is_empty() {
            return;
        }
        groups.fit();
        let first = self.old.push(groups.emit(slots), slots.len());
        for (i, &index) in slots.iter().enumerate() {
            let slot = &mut groups.slots[index as usize];
            slot.old = first + i as u32;
            self.captured.push((index, slot.stamp));
        }
    }

    /// A session's window is about to be replaced: downstream gets a tombstone for it, if it has it.
    pub(super) fn replace(&mut self, groups: &mut Groups, index: u32, headers: Option<&[u8]>) {
        let slot = &mut groups.slots[index as usize];
        if slot.flags & EMITTED != 0 {
            self.order.push(Entry::Replaced(*slot, headers.map(Into::into)));
            slot.flags &= !EMITTED;
            slot.old = NONE;
            let key = slot.key;
            groups.keys.retain(key);
        }
    }

    /// Notes the headers of the rows that change groups: (row, slot).
    pub(super) fn note_headers(&mut self, batch: &Batch, changes: impl Iterator<Item = (u32, u32)>) {
        let headers = batch.headers.as_ref().map(|headers| headers.as_binary::<i32>());
        if headers.is_none() && self.headers.by_slot.is_empty() {
            return;
        }
        for (row, slot) in changes {
            let row = row as usize;
            let known = headers.filter(|headers| headers.is_valid(row));
            self.headers.set(slot, known.map(|headers| headers.value(row)));
        }
    }

    /// Gives the last change of each group.
    pub(super) fn flush(&mut self, groups: &mut Groups, shape: Shape, out: &mut Vec<Batch>) -> Result<()> {
        for (index, stamp) in self.captured.drain(..) {
            let slot = &mut groups.slots[index as usize];
            if slot.stamp != stamp || slot.flags & DIRTY == 0 {
                slot.old = NONE;
            }
        }
        let mut changes = Changes::with(std::mem::take(&mut self.old));
        let (order, headers) = (std::mem::take(&mut self.order), std::mem::take(&mut self.headers));
        let mut slots = Vec::with_capacity(order.len());
        let mut released = Vec::new();
        let first_new = changes.values.len();
        for entry in order {
            match entry {
                Entry::Replaced(slot, headers) => {
                    changes.push(&slot, slot.time, NONE, slot.old);
                    changes.give_headers(headers.as_deref());
                    released.push(slot.key);
                }
                Entry::Group(index, stamp) => {
                    let slot = &mut groups.slots[index as usize];
                    if slot.stamp == stamp && slot.flags & (LIVE | DIRTY) == LIVE | DIRTY {
                        changes.push(slot, slot.time, first_new + slots.len() as u32, slot.old);
                        changes.give_headers(headers.by_slot.get(&index).map(AsRef::as_ref));
                        slot.flags = slot.flags & !DIRTY | EMITTED;
                        slot.old = NONE;
                        slots.push(index);
                    }
                }
            }
        }
        groups.fit();
        changes.values.push(groups.emit(&slots), slots.len());
        changes.finish(groups, shape, out)?;
        released.into_iter().for_each(|key| groups.keys.release(key));
        Ok(())
    }

    /// Bytes of what is held back: what the cache's size bounds. The buffers that stay for the next are not counted, else
    /// a cache that was full once would be full for ever.
    pub(super) fn data_bytes(&self) -> usize {
        self.order.len() * size_of::<Entry>()
            + self.old.data_bytes()
            + self.captured.len() * size_of::<(u32, u32)>()
            + self.headers.bytes
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        self.order.capacity() * size_of::<Entry>()
            + self.old.bytes()
            + self.captured.capacity() * size_of::<(u32, u32)>()
            + self.headers.bytes
            + self.headers.by_slot.capacity() * size_of::<(u32, Box<[u8]>)>()
    }
}

//! The aggregate's changelog records.
//!
//! The format is for ever (`VERSION` says which one a value has). A key is one byte for its kind and then
//!
//! - 0: nothing more: the operator itself; its value is the version and stream time (i64);
//! - 1: the group key's bytes (see `state::Keys`): a group without window;
//! - 2: window start (i64) and the group key's bytes: a group of a tumbling or hopping window;
//! - 3: session start and end (i64 each) and the group key's bytes.
//!
//! A group's value is the version, its greatest row time (i64), and one cell (see `state::codec`) per state column of
//! each accumulator in turn. Numbers in keys are big-endian with the sign bit turned, so that keys sort by time; in values
//! little-endian. A tombstone deletes. Records come in their order; only the last of a key counts.

use arrow::array::ArrayRef;

use crate::dataflow::aggregate::groups::{CHANGED, Groups, LIVE, PERSISTED, Slot};
use crate::dataflow::changelog::take_version;
use crate::error::Result;
use crate::log::Records;
use crate::state::Keys;
use crate::state::codec::{CellColumn, take_array, write_cell};
use crate::types::SqlType;

pub(super) use crate::dataflow::changelog::damaged;

const VERSION: u8 = 1;

const OPERATOR: u8 = 0;

/// How a group's record key is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordKey {
    Unwindowed,
    Window,
    Session,
}

/// A record key taken apart.
pub(super) enum Parsed<'a> {
    Operator,
    Group { start: i64, end: i64, key: &'a [u8] },
}

fn put_time(out: &mut Vec<u8>, time: i64) {
    out.extend_from_slice(&(time as u64 ^ (1 << 63)).to_be_bytes());
}

fn take_time(bytes: &mut &[u8]) -> Option<i64> {
    Some((u64::from_be_bytes(take_array(bytes)?) ^ (1 << 63)) as i64)
}

impl RecordKey {
    fn kind(self) -> u8 {
        match self {
            RecordKey::Unwindowed => 1,
            RecordKey::Window => 2,
            RecordKey::Session => 3,
        }
    }

    /// Appends a group's record key.
    pub(super) fn write(self, keys: &Keys, slot: &Slot, out: &mut Vec<u8>) {
        out.push(self.kind());
        if self != RecordKey::Unwindowed {
            put_time(out, slot.start);
        }
        if self == RecordKey::Session {
            put_time(out, slot.end);
        }
        keys.write(slot.key, out);
    }

    /// Takes a record key apart; `None`: it is none of this layout.
    pub(super) fn parse(self, mut bytes: &[u8]) -> Option<Parsed<'_>> {
        let [kind] = take_array::<1>(&mut bytes)?;
        if kind == OPERATOR {
            return bytes.is_empty().then_some(Parsed::Operator);
        }
        if kind != self.kind() {
            return None;
        }
        let start = if self == RecordKey::Unwindowed { 0 } else { take_time(&mut bytes)? };
        let end = if self == RecordKey::Session { take_time(&mut bytes)? } else { 0 };
        Some(Parsed::Group { start, end, key: bytes })
    }
}

/// The types of all accumulators' state columns, one after another.
pub(super) fn state_types(groups: &Groups) -> Vec<SqlType> {
    groups.calls.iter().flat_map(|call| call.accumulator.state_types()).collect()
}

/// The state columns of these slots, one after another.
pub(super) fn state_columns(groups: &Groups, slots: &[u32]) -> Vec<ArrayRef> {
    groups.calls.iter().flat_map(|call| call.accumulator.state(slots)).collect()
}

/// Sets the state of slots from such columns.
pub(super) fn restore_columns(groups: &mut Groups, columns: &[ArrayRef], rows: &[u32], slots: &[u32]) {
    groups.fit();
    let mut columns = columns;
    for call in &mut groups.calls {
        let (own, rest) = columns.split_at(call.accumulator.state_types().len());
        call.accumulator.restore(own, rows, slots);
        columns = rest;
    }
}

/// Slots whose state is read at a time, and the bytes of it (but for a single slot): bounds the memory of their columns.
const CHUNK: usize = 1 << 14;
const CHUNK_BYTES: usize = 8 << 20;

/// How many of these slots to read at once.
fn chunk_len(groups: &Groups, slots: &[u32]) -> usize {
    let mut bytes = 0;
    let fits = |slot: &&u32| {
        bytes += groups.state_bytes(**slot);
        bytes <= CHUNK_BYTES
    };
    slots.iter().take(CHUNK).take_while(fits).count().max(1).min(slots.len())
}

/// Appends the records of what changed since the last call.
pub(super) fn write_changes(groups: &mut Groups, record_key: RecordKey, stream_time: i64, into: &mut Records) {
    groups.fit();
    let (changed, removed) = groups.take_changed();
    let mut slots = Vec::with_capacity(changed.len());
    for index in changed {
        let slot = &mut groups.slots[index as usize];
        if slot.flags & (LIVE | CHANGED) == LIVE | CHANGED {
            slot.flags = slot.flags & !CHANGED | PERSISTED;
            slots.push(index);
        }
    }
    if slots.is_empty() && removed.is_empty() {
        return;
    }
    // A group may have come back under a key that was removed: tombstones first.
    removed.iter().for_each(|key| into.push(Some(key), None, stream_time.max(0)));
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut rest = slots.as_slice();
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(chunk_len(groups, rest));
        rest = later;
        let columns = state_columns(groups, chunk);
        for (row, &index) in chunk.iter().enumerate() {
            let slot = &groups.slots[index as usize];
            key.clear();
            record_key.write(&groups.keys, slot, &mut key);
            value.clear();
            value.push(VERSION);
            value.extend_from_slice(&slot.time.to_le_bytes());
            columns.iter().for_each(|column| write_cell(column, row, &mut value));
            into.push(Some(&key), Some(&value), slot.time.max(0));
        }
    }
    value.clear();
    value.push(VERSION);
    value.extend_from_slice(&stream_time.to_le_bytes());
    into.push(Some(&[OPERATOR]), Some(&value), stream_time.max(0));
}

/// The part of a value before the cells: version and time.
pub(super) fn take_head(value: &mut &[u8]) -> Result<i64> {
    take_version(value, VERSION)?;
    take_array(value).map(i64::from_le_bytes).ok_or_else(damaged)
}

/// State read from records, waiting to be set.
pub(super) struct Pending {
    types: Vec<SqlType>,
    columns: Vec<CellColumn>,
    pub slots: Vec<u32>,
}

impl Pending {
    pub(super) fn new(groups: &Groups) -> Self {
        let types = state_types(groups);
        Pending { columns: types.iter().map(CellColumn::new).collect(), types, slots: Vec::new() }
    }

    /// Adds the cells of a group's record.
    pub(super) fn push(&mut self, slot: u32, mut cells: &[u8]) -> Result<()> {
        let good = self.columns.iter_mut().try_for_each(|column| column.push(&mut cells));
        if good.is_none() || !cells.is_empty() {
            return Err(damaged());
        }
        self.slots.push(slot);
        Ok(())
    }

    /// Whether it is time to set it.
    pub(super) fn is_full(&self) -> bool {
        self.slots.len() >= CHUNK
    }

    /// Sets the state of the groups.
    pub(super) fn set(&mut self, groups: &mut Groups) {
        let fresh = self.types.iter().map(CellColumn::new).collect();
        let columns: Vec<ArrayRef> =
            std::mem::replace(&mut self.columns, fresh).into_iter().map(CellColumn::finish).collect();
        let slots = std::mem::take(&mut self.slots);
        let rows: Vec<u32> = (0..slots.len() as u32).collect();
        restore_columns(groups, &columns, &rows, &slots);
    }
}

//! The aggregate's state in pieces, for snapshots: what the changelog would restore, in bulk.
//!
//! A piece: stream time (i64), then blocks. A block: number of groups n (u32); start, end and time of each (n i64 each);
//! the keys (length, bytes); then per state column n cells. Numbers little-endian. The format is for ever; another one
//! gets another number in the layout.

use arrow::array::ArrayRef;

use crate::dataflow::aggregate::Aggregate;
use crate::dataflow::aggregate::changelog::{restore_columns, state_columns, state_types};
use crate::dataflow::aggregate::groups::LIVE;
use crate::dataflow::aggregate::restore::Recovery;
use crate::error::Result;
use crate::state::codec::{CellColumn, put_bytes, take_array, take_bytes, write_cell};
use crate::state::snapshots::{Mark, Pieces};

const VERSION: u8 = 1;
/// Few in tests, so that their small states have many.
const BLOCK_GROUPS: usize = if cfg!(test) { 3 } else { 1 << 12 };

/// Only between a commit and the next batch: all that changed is in the changelog, and nothing is held back.
impl Pieces for Aggregate {
    fn layout(&self) -> String {
        let names =
            |types: &[crate::types::SqlType]| types.iter().map(|ty| ty.to_string()).collect::<Vec<_>>().join(", ");
        let (keys, states) = (names(self.groups.keys.types()), names(&state_types(&self.groups)));
        format!("aggregate {VERSION}: {:?} by ({keys}): ({states})", self.record_key)
    }

    fn rows(&self) -> usize {
        self.groups.live
    }

    /// A group keeps its slot as long as it lives.
    fn piece(&self, from: Mark, bytes_max: usize, into: &mut Vec<u8>) -> Result<Option<Mark>> {
        let limit = into.len() + bytes_max;
        into.extend_from_slice(&self.stream_time().to_le_bytes());
        let mut at = from.index;
        while at < self.groups.slots.len() {
            let end = (at + BLOCK_GROUPS).min(self.groups.slots.len());
            let live = |&index: &u32| self.groups.slots[index as usize].flags & LIVE != 0;
            let slots: Vec<u32> = (at as u32..end as u32).filter(live).collect();
            if !slots.is_empty() {
                self.write_block(&slots, into);
            }
            at = end;
            if into.len() >= limit {
                break;
            }
        }
        Ok((at < self.groups.slots.len()).then_some(Mark { index: at, ..from }))
    }

    fn load(&mut self, mut piece: &[u8]) -> Option<()> {
        let stream_time = i64::from_le_bytes(take_array(&mut piece)?);
        self.set_stream_time(stream_time);
        self.recovery = Recovery::Pending;
        while !piece.is_empty() {
            self.load_block(&mut piece)?;
        }
        Some(())
    }
}

impl Aggregate {
    fn write_block(&self, indexes: &[u32], into: &mut Vec<u8>) {
        into.extend_from_slice(&(indexes.len() as u32).to_le_bytes());
        let slots = || indexes.iter().map(|&index| &self.groups.slots[index as usize]);
        slots().for_each(|slot| into.extend_from_slice(&slot.start.to_le_bytes()));
        slots().for_each(|slot| into.extend_from_slice(&slot.end.to_le_bytes()));
        slots().for_each(|slot| into.extend_from_slice(&slot.time.to_le_bytes()));
        let mut key = Vec::new();
        for slot in slots() {
            key.clear();
            self.groups.keys.write(slot.key, &mut key);
            put_bytes(into, &key);
        }
        for column in state_columns(&self.groups, indexes) {
            (0..indexes.len()).for_each(|row| write_cell(&column, row, into));
        }
    }

    fn load_block(&mut self, piece: &mut &[u8]) -> Option<()> {
        let count = u32::from_le_bytes(take_array(piece)?) as usize;
        if count > BLOCK_GROUPS {
            return None;
        }
        let mut numbers =
            || (0..count).map(|_| Some(i64::from_le_bytes(take_array(piece)?))).collect::<Option<Vec<_>>>();
        let (starts, ends, times) = (numbers()?, numbers()?, numbers()?);
        let mut slots = Vec::with_capacity(count);
        for i in 0..count {
            let key = self.groups.keys.intern_bytes(take_bytes(piece)?)?;
            slots.push(self.restored_slot(key, starts[i], ends[i], times[i]));
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        for ty in state_types(&self.groups) {
            let mut column = CellColumn::new(&ty);
            for _ in 0..count {
                column.push(piece)?;
            }
            columns.push(column.finish());
        }
        let rows: Vec<u32> = (0..count as u32).collect();
        restore_columns(&mut self.groups, &columns, &rows, &slots);
        Some(())
    }
}

//! The aggregate's whole state as a file: what the changelog would restore, in bulk.
//!
//! Frames (see `state::FrameWriter`). The first: magic, version, number of state columns (u32), stream time (i64). Each
//! further one: number of groups n (u32); start, end and time of each (n i64 each); the keys (length, bytes); then per
//! state column n cells. Numbers little-endian. The format is for ever.

use std::io::{Read, Write};

use arrow::array::ArrayRef;

use crate::dataflow::aggregate::changelog::{restore_columns, state_columns, state_types};
use crate::dataflow::aggregate::groups::LIVE;
use crate::dataflow::aggregate::{Aggregate, Recovery};
use crate::error::{Error, Result};
use crate::state::codec::{CellColumn, put_bytes, take_array, take_bytes, write_cell};
use crate::state::{FrameReader, FrameWriter};

const MAGIC: [u8; 4] = *b"MPag";
const VERSION: u8 = 1;
const GROUPS_PER_FRAME: usize = 1 << 15;

impl Aggregate {
    /// Writes the state as of now. Nothing may be held back: `flush` comes before.
    pub fn snapshot(&self, out: &mut dyn Write) -> Result<()> {
        let mut writer = FrameWriter::new(out);
        let mut frame = MAGIC.to_vec();
        frame.push(VERSION);
        frame.extend_from_slice(&(state_types(&self.groups).len() as u32).to_le_bytes());
        frame.extend_from_slice(&self.stream_time().to_le_bytes());
        writer.frame(&frame)?;
        let live = |&index: &u32| self.groups.slots[index as usize].flags & LIVE != 0;
        let slots: Vec<u32> = (0..self.groups.slots.len() as u32).filter(live).collect();
        let mut key = Vec::new();
        for chunk in slots.chunks(GROUPS_PER_FRAME) {
            frame.clear();
            frame.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
            let slots = || chunk.iter().map(|&index| &self.groups.slots[index as usize]);
            slots().for_each(|slot| frame.extend_from_slice(&slot.start.to_le_bytes()));
            slots().for_each(|slot| frame.extend_from_slice(&slot.end.to_le_bytes()));
            slots().for_each(|slot| frame.extend_from_slice(&slot.time.to_le_bytes()));
            for slot in slots() {
                key.clear();
                self.groups.keys.write(slot.key, &mut key);
                put_bytes(&mut frame, &key);
            }
            for column in state_columns(&self.groups, chunk) {
                (0..chunk.len()).for_each(|row| write_cell(&column, row, &mut frame));
            }
            writer.frame(&frame)?;
        }
        writer.finish()
    }

    /// Reads a snapshot into an aggregate without groups. After an error it can't be used.
    pub fn load(&mut self, input: &mut dyn Read) -> Result<()> {
        let mut reader = FrameReader::new(input);
        let mut head = reader.frame()?.ok_or_else(wrong)?;
        if take_array(&mut head) != Some(MAGIC) {
            return Err(wrong());
        }
        match take_array::<1>(&mut head) {
            Some([VERSION]) => {}
            Some([version]) if version > VERSION => {
                return Err(Error::world(format!(
                    "the snapshot has format {version}, this version reads up to {VERSION}"
                ))
                .hint("it was written by a newer version: use that one"));
            }
            _ => return Err(wrong()),
        }
        let columns = take_array(&mut head).map(u32::from_le_bytes).ok_or_else(wrong)?;
        if columns as usize != state_types(&self.groups).len() {
            return Err(wrong());
        }
        let stream_time = take_array(&mut head).map(i64::from_le_bytes).ok_or_else(wrong)?;
        self.set_stream_time(stream_time);
        self.recovery = Recovery::Pending;
        while let Some(frame) = reader.frame()? {
            self.load_groups(frame).ok_or_else(wrong)?;
        }
        Ok(())
    }

    fn load_groups(&mut self, mut frame: &[u8]) -> Option<()> {
        let count = u32::from_le_bytes(take_array(&mut frame)?) as usize;
        if count > GROUPS_PER_FRAME {
            return None;
        }
        let mut numbers =
            || (0..count).map(|_| Some(i64::from_le_bytes(take_array(&mut frame)?))).collect::<Option<Vec<_>>>();
        let (starts, ends, times) = (numbers()?, numbers()?, numbers()?);
        let mut slots = Vec::with_capacity(count);
        for i in 0..count {
            let key = self.groups.keys.intern_bytes(take_bytes(&mut frame)?)?;
            slots.push(self.restored_slot(key, starts[i], ends[i], times[i]));
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        for ty in state_types(&self.groups) {
            let mut column = CellColumn::new(&ty);
            for _ in 0..count {
                column.push(&mut frame)?;
            }
            columns.push(column.finish());
        }
        let rows: Vec<u32> = (0..count as u32).collect();
        restore_columns(&mut self.groups, &columns, &rows, &slots);
        frame.is_empty().then_some(())
    }
}

/// The error for a file that is no snapshot of this aggregate.
fn wrong() -> Error {
    Error::world("the snapshot is not one of this aggregate").hint("delete it: the state is rebuilt from the changelog")
}

//! An aggregate's groups from the records of its changelog.

use super::changelog::{self, Parsed, Pending};
use super::groups::{EMITTED, PERSISTED};
use super::{Aggregate, Windows};
use crate::error::Result;
use crate::log::Records;

/// Whether records were restored that the windows' bookkeeping doesn't know of yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovery {
    Done,
    Pending,
}

impl Aggregate {
    /// Takes changelog records in, in their order.
    pub(super) fn take_back(&mut self, records: &Records) -> Result<()> {
        self.recovery = Recovery::Pending;
        let mut pending = Pending::new(&self.groups);
        for row in 0..records.len() {
            let key = records.key(row).and_then(|key| self.record_key.parse(key)).ok_or_else(changelog::damaged)?;
            match (key, records.value(row)) {
                (Parsed::Operator, Some(mut value)) => {
                    let time = changelog::take_head(&mut value)?;
                    self.set_stream_time(time);
                }
                (Parsed::Operator, None) => self.set_stream_time(i64::MIN),
                (Parsed::Group { start, end, key }, value) => {
                    let id = self.groups.keys.intern_bytes(key).ok_or_else(changelog::damaged)?;
                    match value {
                        Some(mut value) => {
                            let time = changelog::take_head(&mut value)?;
                            let slot = self.restored_slot(id, start, end, time);
                            pending.push(slot, value)?;
                            if pending.is_full() {
                                pending.set(&mut self.groups);
                            }
                        }
                        None => {
                            pending.set(&mut self.groups);
                            self.restore_tombstone(id, start, end);
                        }
                    }
                }
            }
        }
        pending.set(&mut self.groups);
        match &mut self.windows {
            Windows::Time(windows) => self.groups.keys.sweep(|key| windows.forget_key(key)),
            Windows::Session(_) => self.groups.keys.sweep(|_| {}),
        }
        Ok(())
    }

    /// After records were restored: brings the windows' bookkeeping up to date.
    pub(super) fn recover(&mut self) {
        if self.recovery == Recovery::Pending {
            self.recovery = Recovery::Done;
            match &mut self.windows {
                Windows::Time(windows) => windows.recovered(),
                Windows::Session(sessions) => sessions.recovered(&self.groups),
            }
        }
    }

    /// The slot that a restored group gets.
    pub(super) fn restored_slot(&mut self, key: u32, start: i64, end: i64, time: i64) -> u32 {
        let slot = match &mut self.windows {
            Windows::Time(windows) => windows.ensure_slot(&mut self.groups, key, start),
            Windows::Session(sessions) => match sessions.find_slot(&self.groups, key, start, end) {
                Some(slot) => slot,
                None => sessions.create(&mut self.groups, key, start, end),
            },
        };
        let state = &mut self.groups.slots[slot as usize];
        state.time = time;
        state.flags |= PERSISTED | EMITTED;
        slot
    }

    /// Takes a group away whose tombstone was restored.
    fn restore_tombstone(&mut self, key: u32, start: i64, end: i64) {
        match &mut self.windows {
            Windows::Time(windows) => windows.remove_slot(&mut self.groups, key, start),
            Windows::Session(sessions) => {
                if let Some(slot) = sessions.find_slot(&self.groups, key, start, end) {
                    self.groups.slots[slot as usize].flags &= !PERSISTED;
                    sessions.remove(&mut self.groups, slot);
                }
            }
        }
    }
}

//! The guard of the disk: no writes while there is less room than the floor.

use crate::log::LogError;
use crate::storage::Storage;

/// So many bytes are written at most between two looks at the file system: others write to it, too.
const LOOK_EVERY_BYTES: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Space {
    floor: u64,
    /// Bytes that may be written before the next look.
    granted: u64,
}

impl Space {
    pub(super) fn new(floor: u64) -> Space {
        Space { floor, granted: 0 }
    }

    /// Takes room for `bytes`, or says why there is none.
    pub(super) fn take(&mut self, storage: &dyn Storage, bytes: u64) -> Result<(), LogError> {
        if bytes < self.granted {
            self.granted -= bytes;
            return Ok(());
        }
        // A file system that doesn't tell has room until a write fails.
        let Ok(Some(free)) = storage.free_space() else { return Ok(()) };
        let floor = self.floor;
        if free < floor.saturating_add(bytes) {
            self.granted = 0;
            return Err(LogError::Full(format!(
                "the file system has {free} bytes left, and {floor} are kept free; make room and it goes on"
            )));
        }
        self.granted = (free - floor - bytes).min(LOOK_EVERY_BYTES);
        Ok(())
    }
}

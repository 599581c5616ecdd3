//! Durable marks: how far the journal, and all data it speaks of, are known to be on disk.
//!
//! Two slots written in turn, each with its checksum: a torn write of one leaves the other. A mark is written after the
//! fsyncs that it tells of, so it may be older than the truth, never newer. It is what tells a journal that was cut
//! short by loss of power (repaired) from one that was damaged later (refused).

use std::io;

use crate::storage::Storage;

const PATH: &str = "durable";
const SLOT: usize = 32;
const USED: usize = 28;

/// Everything up to byte `position` of journal `number` is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Mark {
    pub number: u64,
    pub position: u64,
}

/// The newest mark and where the next one goes.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub newest: Mark,
    sequence: u64,
}

impl Marks {
    /// Reads the slots; no file, or none of them intact, is no mark.
    pub(crate) fn open(storage: &dyn Storage) -> io::Result<Marks> {
        let mut bytes = [0; 2 * SLOT];
        match storage.read_at(PATH, 0, &mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create(PATH)?,
            Err(error) => return Err(error),
        }
        let mut marks = Marks::default();
        for (sequence, mark) in bytes.chunks_exact(SLOT).filter_map(read_slot) {
            if sequence > marks.sequence {
                marks = Marks { newest: mark, sequence };
            }
        }
        Ok(marks)
    }

    /// Writes a newer mark over the older of the two.
    pub(crate) fn write(&mut self, storage: &dyn Storage, mark: Mark) -> io::Result<()> {
        let sequence = self.sequence + 1;
        let mut slot = [0; SLOT];
        slot[..8].copy_from_slice(&sequence.to_be_bytes());
        slot[8..16].copy_from_slice(&mark.number.to_be_bytes());
        slot[16..24].copy_from_slice(&mark.position.to_be_bytes());
        let checksum = crc32c::crc32c(&slot[..24]);
        slot[24..USED].copy_from_slice(&checksum.to_be_bytes());
        storage.write_at(PATH, (sequence % 2) * SLOT as u64, &slot)?;
        *self = Marks { newest: mark, sequence };
        Ok(())
    }

    /// Makes the newest mark survive loss of power.
    pub(crate) fn sync(&self, storage: &dyn Storage) -> io::Result<()> {
        storage.sync(PATH)
    }
}

fn read_slot(slot: &[u8]) -> Option<(u64, Mark)> {
    let number_at = |at: usize| slot[at..at + 8].try_into().map(u64::from_be_bytes).ok();
    let checksum = u32::from_be_bytes(slot[24..USED].try_into().ok()?);
    let intact = crc32c::crc32c(&slot[..24]) == checksum;
    let mark = Mark { number: number_at(8)?, position: number_at(16)? };
    Some((number_at(0)?, mark)).filter(|(sequence, _)| intact && *sequence > 0)
}

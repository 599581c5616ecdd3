//! The sparse index of a segment: where in the file to begin for an offset or a time.
//!
//! It is derived data. It grows with the commits; after a start it is read from the `.index` file beside the segment,
//! and what that doesn't cover (or all, when the file is missing or damaged) from the batch headers in the segment.

use std::io;

use parking_lot::Mutex;

use crate::log::kafka_batch::{BatchHeader, HEADER_LEN};
use crate::log::records::{put_varint, take_varint};
use crate::storage::Storage;

const MAGIC: &[u8; 8] = b"MPINDEX1";
/// Headers are looked for in pieces of this size.
const SCAN_BYTES: usize = 64 * 1024;

/// So many bytes are scanned faster than a file is made.
const SAVE_BYTES_MIN: u64 = if cfg!(test) { 200 } else { 1 << 20 };

/// One batch that can be begun at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    offset: i64,
    position: u64,
    /// The latest timestamp in the batches before.
    max_before: i64,
}

#[derive(Debug, Default)]
struct Places {
    places: Vec<Place>,
    /// Bytes of the segment whose batches were looked at.
    covered: u64,
    max_timestamp: Option<i64>,
    /// The `.index` file was tried.
    loaded: bool,
    /// Bytes that the `.index` file covers.
    saved: u64,
}

/// The index of one segment, built when it is first asked.
#[derive(Debug, Default)]
pub(super) struct Index {
    inner: Mutex<Places>,
}

/// Which bytes an index is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Indexed<'a> {
    /// The segment's file.
    pub path: &'a str,
    pub size: u64,
    /// At least so many bytes lie between two places.
    pub interval: u64,
}

/// The `.index` file of a segment file.
pub(super) fn path_of(segment: &str) -> String {
    format!("{}.index", segment.strip_suffix(".log").unwrap_or(segment))
}

impl Index {
    /// Takes up batches that were just written at `position`: (base offset, size, latest timestamp) of each.
    pub(super) fn extend(&self, mut position: u64, interval: u64, batches: impl Iterator<Item = (i64, u64, i64)>) {
        let mut inner = self.inner.lock();
        if inner.covered != position {
            return;
        }
        for (offset, size, max_timestamp) in batches {
            inner.add(offset, position, size, max_timestamp, interval);
            position += size;
        }
    }

    /// The last place at or before `offset`: a batch begins there.
    pub(super) fn position_of(&self, storage: &dyn Storage, segment: Indexed<'_>, offset: i64) -> io::Result<u64> {
        let mut inner = self.inner.lock();
        inner.cover(storage, segment)?;
        let after = inner.places.partition_point(|place| place.offset <= offset);
        Ok(after.checked_sub(1).map_or(0, |i| inner.places[i].position))
    }

    /// A place before which all records are older than `timestamp`.
    pub(super) fn position_of_time(&self, storage: &dyn Storage, segment: Indexed<'_>, time: i64) -> io::Result<u64> {
        let mut inner = self.inner.lock();
        inner.cover(storage, segment)?;
        let after = inner.places.partition_point(|place| place.max_before < time);
        Ok(after.checked_sub(1).map_or(0, |i| inner.places[i].position))
    }

    /// Writes the `.index` file, if without it much would have to be scanned.
    pub(super) fn save(&self, storage: &dyn Storage, segment: &str) -> io::Result<()> {
        self.inner.lock().save(storage, segment)
    }

    /// Writes the `.index` file and frees the memory: for a segment that takes no more batches. A reader loads it again.
    pub(super) fn put_away(&self, storage: &dyn Storage, segment: &str) -> io::Result<()> {
        let mut inner = self.inner.lock();
        inner.save(storage, segment)?;
        *inner = Places { saved: inner.saved, ..Places::default() };
        Ok(())
    }
}

impl Places {
    fn save(&mut self, storage: &dyn Storage, segment: &str) -> io::Result<()> {
        if self.covered.saturating_sub(self.saved) < SAVE_BYTES_MIN {
            return Ok(());
        }
        let Some(last) = self.places.last() else { return Ok(()) };
        let Some(header) = header_at(storage, segment, last.position) else { return Ok(()) };
        let mut bytes = MAGIC.to_vec();
        put_varint(&mut bytes, i64::from(header.epoch));
        put_varint(&mut bytes, self.max_timestamp.unwrap_or(i64::MIN));
        put_varint(&mut bytes, self.places.len() as i64);
        for place in &self.places {
            put_varint(&mut bytes, place.offset);
            put_varint(&mut bytes, place.position as i64);
            put_varint(&mut bytes, place.max_before);
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        let path = path_of(segment);
        storage.create(&path)?;
        storage.write_at(&path, 0, &bytes)?;
        self.saved = self.covered;
        Ok(())
    }

    fn add(&mut self, offset: i64, position: u64, size: u64, max_timestamp: i64, interval: u64) {
        let far = self.places.last().is_none_or(|last| position - last.position >= interval.max(1));
        if far {
            let max_before = self.max_timestamp.unwrap_or(i64::MIN);
            self.places.push(Place { offset, position, max_before });
        }
        self.max_timestamp = Some(self.max_timestamp.map_or(max_timestamp, |max| max.max(max_timestamp)));
        self.covered = position + size;
    }

    /// Looks at what wasn't looked at yet. What can't be read ends it: reading the place itself says what is wrong.
    fn cover(&mut self, storage: &dyn Storage, segment: Indexed<'_>) -> io::Result<()> {
        if !self.loaded
            && self.covered == 0
            && let Some(saved) = load(storage, segment)
        {
            *self = saved;
        }
        self.loaded = true;
        let mut chunk = Vec::new();
        while self.covered < segment.size {
            let len = (segment.size - self.covered).min(SCAN_BYTES as u64) as usize;
            chunk.resize(len, 0);
            let read = storage.read_at(segment.path, self.covered, &mut chunk)?;
            if self.scan(&chunk[..read], segment) == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Adds the batches whose header is in `chunk`; tells how many.
    fn scan(&mut self, chunk: &[u8], segment: Indexed<'_>) -> usize {
        let mut found = 0;
        let mut at = 0;
        while let Some(rest) = chunk.get(at..).filter(|rest| rest.len() >= HEADER_LEN) {
            let Ok(header) = BatchHeader::read(rest) else { break };
            let size = header.size as u64;
            if header.check_seal().is_err() || self.covered + size > segment.size {
                break;
            }
            self.add(header.base_offset, self.covered, size, header.max_timestamp, segment.interval);
            found += 1;
            at += header.size;
        }
        found
    }
}

/// The `.index` file, when it is there, intact and of this very content: its last place is compared with the segment,
/// which may have been cut and written on since.
fn load(storage: &dyn Storage, segment: Indexed<'_>) -> Option<Places> {
    let bytes = crate::storage::read_all(storage, &path_of(segment.path)).ok()?;
    let (content, checksum) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(content) != u32::from_be_bytes(*checksum) {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC)?;
    let seal = take_varint(&mut rest)?;
    let max_timestamp = Some(take_varint(&mut rest)?);
    let count = take_varint(&mut rest)?;
    let mut places = Vec::new();
    for _ in 0..count {
        let (offset, position) = (take_varint(&mut rest)?, take_varint(&mut rest)? as u64);
        places.push(Place { offset, position, max_before: take_varint(&mut rest)? });
    }
    let last = places.last()?;
    let header = header_at(storage, segment.path, last.position)?;
    let covered = last.position.checked_add(header.size as u64)?;
    let same = header.base_offset == last.offset && i64::from(header.epoch) == seal && covered <= segment.size;
    same.then_some(Places { places, covered, max_timestamp, loaded: true, saved: covered })
}

fn header_at(storage: &dyn Storage, segment: &str, position: u64) -> Option<BatchHeader> {
    let mut bytes = [0; HEADER_LEN];
    let read = storage.read_at(segment, position, &mut bytes).ok()?;
    let header = BatchHeader::read(&bytes[..read]).ok()?;
    header.check_seal().ok().map(|()| header)
}

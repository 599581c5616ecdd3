//! The commit journal: one file of checksummed records, each a transaction or a change of a topic.
//!
//! A record is its length (4 bytes), a CRC-32C (4 bytes) and an [`Entry`]. The CRC goes on from that of the record
//! before, the first from the journal's number: what an earlier life of the file left behind its end can't be taken for
//! a record of this one. Knows nothing of segments' content.

mod entry;
mod mark;

pub(super) use entry::{Append, Entry, Position, SegmentInfo};
pub(super) use mark::{Mark, Marks};

use std::io;

use crate::storage::Storage;

pub(super) const FOLDER: &str = "journal";
const FRAME: usize = 8;

/// The path of journal `number`.
pub(super) fn path(number: u64) -> String {
    format!("{FOLDER}/{}", file_name(number))
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:020}.journal")
}

/// The number in a journal's file name.
pub(super) fn number_of(file_name: &str) -> Option<u64> {
    file_name.strip_suffix(".journal").filter(|digits| digits.len() == 20)?.parse().ok()
}

/// Appends to the journal file.
#[derive(Debug)]
pub(super) struct JournalWriter {
    pub number: u64,
    /// Bytes of the file that are records.
    pub position: u64,
    chain: u32,
    buffer: Vec<u8>,
}

/// How an append failed.
#[derive(Debug)]
pub(super) struct AppendFailed {
    pub cause: io::Error,
    /// Nothing of it is in the file: the journal can go on.
    pub undone: bool,
}

impl JournalWriter {
    pub(super) fn new(number: u64, position: u64, chain: u32) -> JournalWriter {
        JournalWriter { number, position, chain, buffer: Vec::new() }
    }

    /// Writes one record behind the last.
    pub(super) fn append(&mut self, storage: &dyn Storage, entry: &Entry) -> Result<(), AppendFailed> {
        self.buffer.clear();
        let chain = put_record(&mut self.buffer, self.chain, entry);
        let path = path(self.number);
        if let Err(cause) = storage.write_at(&path, self.position, &self.buffer) {
            let undone = storage.truncate(&path, self.position).is_ok();
            return Err(AppendFailed { cause, undone });
        }
        self.position += self.buffer.len() as u64;
        self.chain = chain;
        if self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        Ok(())
    }
}

/// The bytes of a new journal that begins with a checkpoint, and the writer that goes on behind it.
pub(super) fn checkpoint(number: u64, next_topic_id: u64, entries: &[Entry]) -> (Vec<u8>, JournalWriter) {
    let mut bytes = Vec::new();
    put_record(&mut bytes, first_chain(number), &Entry::Header { next_topic_id, checkpoint_end: 0 });
    let header_len = bytes.len();
    // The header holds the length of what follows, and all records hang on its checksum: lay out first, then write.
    for entry in entries {
        put_record(&mut bytes, 0, entry);
    }
    let checkpoint_end = bytes.len() as u64;
    bytes.clear();
    let mut chain = put_record(&mut bytes, first_chain(number), &Entry::Header { next_topic_id, checkpoint_end });
    debug_assert_eq!(bytes.len(), header_len);
    for entry in entries {
        chain = put_record(&mut bytes, chain, entry);
    }
    (bytes, JournalWriter::new(number, checkpoint_end, chain))
}

fn put_record(out: &mut Vec<u8>, chain: u32, entry: &Entry) -> u32 {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME]);
    entry.encode(out);
    let length = (out.len() - start - FRAME) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    let checksum = record_checksum(chain, length, &out[start + FRAME..]);
    out[start + 4..start + FRAME].copy_from_slice(&checksum.to_be_bytes());
    checksum
}

fn record_checksum(chain: u32, length: u32, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(chain, &length.to_be_bytes()), payload)
}

fn first_chain(number: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(b"millpond journal"), &number.to_be_bytes())
}

/// A record as it was found in the file.
#[derive(Debug)]
pub(super) struct Found {
    pub entry: Entry,
    /// Where it begins and ends in the file.
    pub start: u64,
    pub end: u64,
    /// What the checksum of the record after it goes on from.
    pub chain: u32,
}

/// The records at the front of a journal file, up to the first that isn't intact.
#[derive(Debug, Default)]
pub(super) struct JournalContent {
    pub records: Vec<Found>,
    /// Where the intact records end.
    pub end: u64,
    /// Bytes of the file.
    pub size: u64,
    /// A record has the right checksum and can't be read: it is of a newer version.
    pub unreadable: bool,
}

/// Takes a journal file apart.
pub(super) fn read(bytes: &[u8], number: u64) -> JournalContent {
    let mut content = JournalContent { size: bytes.len() as u64, ..JournalContent::default() };
    let mut chain = first_chain(number);
    let mut at = 0;
    while let Some(frame) = bytes[at..].first_chunk::<FRAME>() {
        let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
        let checksum = u32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
        let Some(payload) = bytes[at + FRAME..].get(..length as usize) else { break };
        if record_checksum(chain, length, payload) != checksum {
            break;
        }
        let Some(entry) = Entry::decode(payload) else {
            content.unreadable = true;
            break;
        };
        let end = at + FRAME + payload.len();
        chain = checksum;
        content.records.push(Found { entry, start: at as u64, end: end as u64, chain });
        at = end;
    }
    content.end = at as u64;
    content
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn samples() -> Vec<Entry> {
        let segment = SegmentInfo {
            base: 5,
            generation: 2,
            size: 1 << 33,
            next: 900,
            max_timestamp: -7,
            created: 12,
            cleaned: -1,
            tombstones: 3,
        };
        let append = Append {
            topic: 1,
            partition: 2,
            segment: 3,
            created: None,
            size: 4,
            next: 5,
            max_timestamp: i64::MIN,
            checksum: u32::MAX,
        };
        let configs = BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]);
        let position = Position { group: "g\u{e9}".to_owned(), topic: 9, partition: 0, offset: 77 };
        vec![
            Entry::Commit {
                appends: vec![append.clone(), Append { created: Some(8), ..append }],
                positions: vec![position],
            },
            Entry::CreateTopic { id: 1, name: "a".to_owned(), partitions: 3, configs: configs.clone() },
            Entry::AlterTopic { id: 1, partitions: 3, configs },
            Entry::DeleteTopic { id: 4 },
            Entry::Trim { topic: 1, partition: 2, first: 3 },
            Entry::Replace { topic: 1, partition: 2, old: vec![0, 9], new: Some(segment.clone()) },
            Entry::Replace { topic: 1, partition: 2, old: vec![0], new: None },
            Entry::Partition { topic: 1, partition: 2, first: 3, next: 4, segments: vec![segment] },
            Entry::DeleteGroup { group: "g".to_owned() },
            Entry::Hold { owner: "o".to_owned(), topic: 1, partition: 2, offset: 3 },
            Entry::Release { owner: "o".to_owned() },
        ]
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let samples = samples();
        let (mut bytes, mut writer) = checkpoint(7, 40, &samples[..4]);
        let storage = crate::storage::Memory::default();
        storage.create(&path(7)).unwrap();
        storage.write_at(&path(7), 0, &bytes).unwrap();
        for entry in &samples[4..] {
            writer.append(&storage, entry).unwrap();
        }
        bytes = crate::storage::read_all(&storage, &path(7)).unwrap();
        let content = read(&bytes, 7);
        assert_eq!(content.end, content.size);
        assert_eq!(writer.position, content.size);
        let header = Entry::Header { next_topic_id: 40, checkpoint_end: content.records[4].end };
        assert_eq!(content.records[0].entry, header);
        assert!(content.records[1..].iter().map(|found| &found.entry).eq(&samples));
        assert!(read(&bytes, 8).records.is_empty());
    }

    #[test]
    fn a_damaged_record_ends_the_journal() {
        let (bytes, _) = checkpoint(1, 1, &samples());
        let ends: Vec<u64> = read(&bytes, 1).records.iter().map(|found| found.end).collect();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let content = read(&damaged, 1);
            assert!(content.end <= (bit / 8) as u64 && !content.unreadable, "bit {bit}");
            assert!(content.end == 0 || ends.contains(&content.end));
        }
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len], 1).end <= len as u64);
        }
    }
}

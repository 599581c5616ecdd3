//! What a journal record says, and its bytes.
//!
//! Numbers are Kafka's zigzag varints, texts are length and UTF-8. A record is one transaction or one change of a topic;
//! a checkpoint is the same records in a row.

use std::collections::BTreeMap;

use crate::log::records::{put_varint, take_varint};

/// One journal record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The first of each journal file. The checkpoint that follows reaches to byte `checkpoint_end` of the file.
    Header {
        next_topic_id: u64,
        checkpoint_end: u64,
    },
    Commit {
        appends: Vec<Append>,
        positions: Vec<Position>,
    },
    CreateTopic {
        id: u64,
        name: String,
        partitions: u32,
        configs: BTreeMap<String, String>,
    },
    AlterTopic {
        id: u64,
        partitions: u32,
        configs: BTreeMap<String, String>,
    },
    DeleteTopic {
        id: u64,
    },
    /// Records below `first` are gone, and so are segments that hold no others.
    Trim {
        topic: u64,
        partition: u32,
        first: i64,
    },
    /// Compaction: `old` segments (by base offset) give way to `new`.
    Replace {
        topic: u64,
        partition: u32,
        old: Vec<i64>,
        new: Option<SegmentInfo>,
    },
    /// All of a partition, in a checkpoint.
    Partition {
        topic: u64,
        partition: u32,
        first: i64,
        next: i64,
        segments: Vec<SegmentInfo>,
    },
    DeleteGroup {
        group: String,
    },
    /// Nothing at or above `offset` may be removed by retention or compaction.
    Hold {
        owner: String,
        topic: u64,
        partition: u32,
        offset: i64,
    },
    Release {
        owner: String,
    },
}

/// What a transaction added to one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Append {
    pub topic: u64,
    pub partition: u32,
    /// Base offset of the segment.
    pub segment: i64,
    /// The segment begins with this transaction: when (ms).
    pub created: Option<i64>,
    /// Bytes of the segment, with what was added.
    pub size: u64,
    /// The offset after the last one added.
    pub next: i64,
    /// The latest timestamp added.
    pub max_timestamp: i64,
    /// Over the headers of the added batches: binds the record to just these bytes.
    pub checksum: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub group: String,
    pub topic: u64,
    pub partition: u32,
    pub offset: i64,
}

/// A segment as far as it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentInfo {
    pub base: i64,
    /// How often it was rewritten by compaction: part of the file's name.
    pub generation: u32,
    /// Bytes.
    pub size: u64,
    /// The offset after the last one it stands for.
    pub next: i64,
    pub max_timestamp: i64,
    /// When its file was begun (ms).
    pub created: i64,
    /// When compaction first cleaned the records in it (ms); -1: it didn't yet.
    pub cleaned: i64,
    /// Tombstones left by compaction.
    pub tombstones: u64,
}

impl Entry {
    /// Appends the bytes of the entry.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Entry::Header { next_topic_id, checkpoint_end } => {
                out.push(0);
                // Fixed width: the length of the checkpoint must not depend on its own value.
                out.extend_from_slice(&next_topic_id.to_be_bytes());
                out.extend_from_slice(&checkpoint_end.to_be_bytes());
            }
            Entry::Commit { appends, positions } => {
                out.push(1);
                encode_commit(appends, positions, out);
            }
            Entry::CreateTopic { id, name, partitions, configs } => {
                out.push(2);
                put(out, *id as i64);
                put_text(out, name);
                put(out, i64::from(*partitions));
                put_configs(out, configs);
            }
            Entry::AlterTopic { id, partitions, configs } => {
                out.push(3);
                put(out, *id as i64);
                put(out, i64::from(*partitions));
                put_configs(out, configs);
            }
            Entry::DeleteTopic { id } => {
                out.push(4);
                put(out, *id as i64);
            }
            Entry::Trim { topic, partition, first } => {
                out.push(5);
                put_all(out, &[*topic as i64, i64::from(*partition), *first]);
            }
            Entry::Replace { topic, partition, old, new } => {
                out.push(6);
                put_all(out, &[*topic as i64, i64::from(*partition), old.len() as i64]);
                put_all(out, old);
                put(out, i64::from(new.is_some()));
                new.iter().for_each(|segment| put_segment(out, segment));
            }
            Entry::Partition { topic, partition, first, next, segments } => {
                out.push(7);
                put_all(out, &[*topic as i64, i64::from(*partition), *first, *next, segments.len() as i64]);
                segments.iter().for_each(|segment| put_segment(out, segment));
            }
            Entry::DeleteGroup { group } => {
                out.push(8);
                put_text(out, group);
            }
            Entry::Hold { owner, topic, partition, offset } => {
                out.push(9);
                put_text(out, owner);
                put_all(out, &[*topic as i64, i64::from(*partition), *offset]);
            }
            Entry::Release { owner } => {
                out.push(10);
                put_text(out, owner);
            }
        }
    }

    /// The entry that `bytes` are; `None` when they are none.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Entry> {
        let from = &mut bytes;
        let entry = match take_byte(from)? {
            0 => Entry::Header { next_topic_id: take_fixed(from)?, checkpoint_end: take_fixed(from)? },
            1 => decode_commit(from)?,
            2 => Entry::CreateTopic {
                id: take(from)?,
                name: take_text(from)?,
                partitions: take(from)?,
                configs: take_configs(from)?,
            },
            3 => Entry::AlterTopic { id: take(from)?, partitions: take(from)?, configs: take_configs(from)? },
            4 => Entry::DeleteTopic { id: take(from)? },
            5 => Entry::Trim { topic: take(from)?, partition: take(from)?, first: take(from)? },
            6 => Entry::Replace {
                topic: take(from)?,
                partition: take(from)?,
                old: take_list(from, take)?,
                new: if take::<u8>(from)? == 1 { Some(take_segment(from)?) } else { None },
            },
            7 => Entry::Partition {
                topic: take(from)?,
                partition: take(from)?,
                first: take(from)?,
                next: take(from)?,
                segments: take_list(from, take_segment)?,
            },
            8 => Entry::DeleteGroup { group: take_text(from)? },
            9 => {
                Entry::Hold { owner: take_text(from)?, topic: take(from)?, partition: take(from)?, offset: take(from)? }
            }
            10 => Entry::Release { owner: take_text(from)? },
            _ => return None,
        };
        bytes.is_empty().then_some(entry)
    }
}

fn encode_commit(appends: &[Append], positions: &[Position], out: &mut Vec<u8>) {
    put(out, appends.len() as i64);
    for append in appends {
        let created = append.created.unwrap_or(-1);
        put_all(out, &[append.topic as i64, i64::from(append.partition), append.segment, created]);
        put_all(out, &[append.size as i64, append.next, append.max_timestamp, i64::from(append.checksum)]);
    }
    put(out, positions.len() as i64);
    for position in positions {
        put_text(out, &position.group);
        put_all(out, &[position.topic as i64, i64::from(position.partition), position.offset]);
    }
}

fn decode_commit(from: &mut &[u8]) -> Option<Entry> {
    let appends = take_list(from, |from| {
        Some(Append {
            topic: take(from)?,
            partition: take(from)?,
            segment: take(from)?,
            created: Some(take::<i64>(from)?).filter(|created| *created >= 0),
            size: take(from)?,
            next: take(from)?,
            max_timestamp: take(from)?,
            checksum: take(from)?,
        })
    })?;
    let positions = take_list(from, |from| {
        Some(Position { group: take_text(from)?, topic: take(from)?, partition: take(from)?, offset: take(from)? })
    })?;
    Some(Entry::Commit { appends, positions })
}

fn put(out: &mut Vec<u8>, number: i64) {
    put_varint(out, number);
}

fn put_all(out: &mut Vec<u8>, numbers: &[i64]) {
    numbers.iter().for_each(|number| put_varint(out, *number));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as i64);
    out.extend_from_slice(text.as_bytes());
}

fn put_configs(out: &mut Vec<u8>, configs: &BTreeMap<String, String>) {
    put(out, configs.len() as i64);
    for (name, value) in configs {
        put_text(out, name);
        put_text(out, value);
    }
}

fn put_segment(out: &mut Vec<u8>, segment: &SegmentInfo) {
    put_all(out, &[segment.base, i64::from(segment.generation), segment.size as i64, segment.next]);
    put_all(out, &[segment.max_timestamp, segment.created, segment.cleaned, segment.tombstones as i64]);
}

fn take_byte(from: &mut &[u8]) -> Option<u8> {
    let (first, rest) = from.split_first()?;
    *from = rest;
    Some(*first)
}

fn take_fixed(from: &mut &[u8]) -> Option<u64> {
    let (first, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(u64::from_be_bytes(*first))
}

fn take<T: TryFrom<i64>>(from: &mut &[u8]) -> Option<T> {
    T::try_from(take_varint(from)?).ok()
}

fn take_text(from: &mut &[u8]) -> Option<String> {
    let len = take::<usize>(from)?;
    let (text, rest) = from.split_at_checked(len)?;
    *from = rest;
    String::from_utf8(text.to_vec()).ok()
}

fn take_list<T>(from: &mut &[u8], item: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    let count = take::<usize>(from)?;
    // An item has at least a byte: a wrong count ends the loop before it makes us reserve much.
    let mut items = Vec::with_capacity(count.min(from.len()));
    for _ in 0..count {
        items.push(item(from)?);
    }
    Some(items)
}

fn take_configs(from: &mut &[u8]) -> Option<BTreeMap<String, String>> {
    Some(take_list(from, |from| Some((take_text(from)?, take_text(from)?)))?.into_iter().collect())
}

fn take_segment(from: &mut &[u8]) -> Option<SegmentInfo> {
    Some(SegmentInfo {
        base: take(from)?,
        generation: take(from)?,
        size: take(from)?,
        next: take(from)?,
        max_timestamp: take(from)?,
        created: take(from)?,
        cleaned: take(from)?,
        tombstones: take(from)?,
    })
}

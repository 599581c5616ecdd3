//! A topic and its partitions as they are now: segments, offsets, configs. Does no I/O.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use super::config::TopicConfigs;
use super::index::Index;
use super::journal::{Append, SegmentInfo};
use crate::log::TopicId;

pub(super) const TOPICS_FOLDER: &str = "topics";

/// Why a record can't be applied: the journal contradicts itself.
pub(super) type Contradiction = &'static str;

/// A topic. What can be changed lies behind locks; identity is by `id`, a topic created anew under the name is another.
#[derive(Debug)]
pub(super) struct Topic {
    pub id: u64,
    pub name: String,
    pub shape: RwLock<Shape>,
    pub deleted: AtomicBool,
}

#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Configs that were set, as they were given.
    pub set: BTreeMap<String, String>,
    pub configs: Arc<TopicConfigs>,
    pub partitions: Arc<[Arc<Partition>]>,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub number: u32,
    pub state: RwLock<PartitionState>,
    /// Whether the last segment's file is known to end where it is committed to.
    pub tail_checked: AtomicBool,
}

#[derive(Debug, Default, Clone)]
pub(super) struct PartitionState {
    pub first: i64,
    pub next: i64,
    /// In order of their offsets; only the last is appended to.
    pub segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub info: SegmentInfo,
    pub index: Arc<Index>,
    /// Takes no more appends, even if it is the last.
    pub sealed: bool,
}

/// A segment file that is no longer part of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dropped {
    Segment(String),
    Folder(String),
}

impl Dropped {
    pub(super) fn path(&self) -> &str {
        match self {
            Dropped::Segment(path) | Dropped::Folder(path) => path,
        }
    }
}

/// The first half of the ids that are shown: the journal counts the topics, and counts them once.
const IDENTITY_PREFIX: [u8; 8] = *b"millpond";

impl Topic {
    /// Its id for the world: the same after each restart, given to no other topic of this log.
    pub(super) fn identity(&self) -> TopicId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&IDENTITY_PREFIX);
        bytes[8..].copy_from_slice(&self.id.to_be_bytes());
        TopicId(bytes)
    }

    /// The name of its folder: the id makes it its own, the name is for people. `~` is in no topic's name, so that no
    /// two ids with names can look the same, and upper and lower case don't matter.
    pub(super) fn folder(&self) -> String {
        format!("{TOPICS_FOLDER}/{}", folder_name(&self.name, self.id))
    }

    pub(super) fn partition_folder(&self, partition: u32) -> String {
        format!("{}/{partition}", self.folder())
    }

    pub(super) fn segment_path(&self, partition: u32, base: i64, generation: u32) -> String {
        let folder = self.partition_folder(partition);
        match generation {
            0 => format!("{folder}/{base:020}.log"),
            _ => format!("{folder}/{base:020}-{generation}.log"),
        }
    }

    pub(super) fn configs(&self) -> Arc<TopicConfigs> {
        Arc::clone(&self.shape.read().configs)
    }

    pub(super) fn partitions(&self) -> Arc<[Arc<Partition>]> {
        Arc::clone(&self.shape.read().partitions)
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }
}

impl Topic {
    /// A segment of this topic as something to be removed.
    pub(super) fn dropped_segment(&self, partition: u32, info: &SegmentInfo) -> Dropped {
        Dropped::Segment(self.segment_path(partition, info.base, info.generation))
    }
}

pub(super) fn folder_name(name: &str, id: u64) -> String {
    // File names end at 255 bytes; topic names have only ASCII.
    format!("{}~{id}", name.get(..200).unwrap_or(name))
}

impl Partition {
    pub(super) fn new(number: u32) -> Arc<Partition> {
        Arc::new(Partition { number, state: RwLock::default(), tail_checked: AtomicBool::new(false) })
    }
}

impl Segment {
    pub(super) fn new(info: SegmentInfo) -> Segment {
        Segment { info, index: Arc::default(), sealed: false }
    }
}

impl PartitionState {
    pub(super) fn append(&mut self, append: &Append) -> Result<(), Contradiction> {
        if append.next < self.next {
            return Err("a commit below the end of its partition");
        }
        if let Some(created) = append.created {
            if append.segment != self.next {
                return Err("a segment that doesn't begin at the end of its partition");
            }
            self.segments.push(Segment::new(SegmentInfo {
                base: append.segment,
                generation: 0,
                size: 0,
                next: append.segment,
                max_timestamp: i64::MIN,
                created,
                cleaned: -1,
                tombstones: 0,
            }));
        }
        let Some(last) = self.segments.last_mut().filter(|last| last.info.base == append.segment) else {
            return Err("a commit to a segment that isn't the last");
        };
        if append.size < last.info.size {
            return Err("a commit that makes a segment smaller");
        }
        last.info.size = append.size;
        last.info.next = append.next;
        last.info.max_timestamp = last.info.max_timestamp.max(append.max_timestamp);
        self.next = append.next;
        Ok(())
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.info.size).sum()
    }
}

//! Compaction: of each key the newest record stays.
//!
//! The section is read to find which records a newer one supersedes (a bit per record; keys are held by a 128-bit hash,
//! a bounded number at a time), then each group of segments is written anew under the next generation's name, synced,
//! and takes the old ones' place by one journal record. Groups go from the front, so that a tombstone never goes before
//! what it deletes. Offsets stay; what is gone leaves gaps.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::atomic::Ordering;

use super::Inner;
use super::commit::write_error;
use super::config::TopicConfigs;
use super::fetch::{ReadError, SegmentReader};
use super::io_error;
use super::journal::{Entry, SegmentInfo};
use super::retention::drops_tombstones;
use super::topic::{Partition, Segment, Topic};
use crate::log::kafka_batch::{BatchWriter, EncodeOptions, seal};
use crate::log::{LogError, Records};
use crate::storage::folder_of;

/// Read at a time, and about the size of the batches written.
const CHUNK_BYTES: usize = 256 * 1024;

/// What of a partition is to be cleaned: closed segments from its front, as they were under the writer's lock.
#[derive(Debug)]
pub(super) struct Section {
    /// Records below are gone already.
    pub first: i64,
    pub segments: Vec<Segment>,
    /// Ranges of these; each makes one file.
    pub groups: Vec<Range<usize>>,
}

/// One cleaning of one partition.
struct Cleaner<'a> {
    inner: &'a Inner,
    topic: &'a Topic,
    partition: &'a Partition,
    configs: &'a TopicConfigs,
    segments: &'a [Segment],
    /// Records below are gone already.
    first: i64,
    now: i64,
    /// A bit for each record of the section, in order: a newer one has its key.
    superseded: Vec<u64>,
}

/// What a group of segments has become.
struct Rewritten {
    info: Option<SegmentInfo>,
    path: String,
    changed: bool,
}

impl Inner {
    /// Cleans a section of a partition. What changes meanwhile (the topic deleted or emptied, a hold within the section)
    /// ends it without harm.
    pub(super) fn compact(
        &self,
        topic: &Topic,
        partition: &Partition,
        section: &Section,
        now: i64,
    ) -> Result<(), LogError> {
        let configs = topic.configs();
        let mut cleaner = Cleaner {
            inner: self,
            topic,
            partition,
            configs: &configs,
            segments: &section.segments,
            first: section.first,
            now,
            superseded: Vec::new(),
        };
        match cleaner.clean(&section.groups) {
            Ok(()) | Err(ReadError::Gone) => Ok(()),
            Err(ReadError::Log(error)) => Err(error),
        }
    }
}

impl Cleaner<'_> {
    fn clean(&mut self, groups: &[Range<usize>]) -> Result<(), ReadError> {
        self.find_superseded()?;
        let mut ordinal = 0;
        for group in groups {
            let rewritten = self.rewrite(group.clone(), &mut ordinal);
            if rewritten.as_ref().map_or(true, |rewritten| rewritten.changed && rewritten.info.is_none()) {
                // Nothing of it is left, or it failed: the file is not needed.
                let _ = self.inner.storage.remove(&self.new_path(group));
            }
            let rewritten = rewritten?;
            if !self.swap(group, rewritten)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads the dirty segments for the newest offset of each key, then all of them for what is older. With too many
    /// keys to hold, once for each class of them.
    fn find_superseded(&mut self) -> Result<(), ReadError> {
        let hashers = [foldhash::quality::RandomState::default(), foldhash::quality::RandomState::default()];
        let hash = |key: &[u8]| (hashers[0].hash_one(key), hashers[1].hash_one(key));
        let dirty: Vec<&Segment> = self.segments.iter().filter(|segment| segment.info.cleaned < 0).collect();
        let records: i64 = dirty.iter().map(|segment| segment.info.next - segment.info.base).sum();
        let classes = (records as u64).div_ceil(self.inner.options.compaction_keys_max.max(1) as u64).max(1);
        let mut bits = Vec::new();
        for class in 0..classes {
            let mut newest: HashMap<(u64, u64), i64, foldhash::fast::RandomState> = HashMap::default();
            for segment in &dirty {
                self.each_chunk(segment, &mut |records| {
                    for (row, meta) in records.meta.iter().enumerate() {
                        let Some(key) = records.key(row).map(hash).filter(|key| key.0 % classes == class) else {
                            continue;
                        };
                        newest.insert(key, meta.offset);
                    }
                    Ok(())
                })?;
            }
            let mut ordinal = 0;
            for segment in self.segments {
                self.each_chunk(segment, &mut |records| {
                    for (row, meta) in records.meta.iter().enumerate() {
                        let newer = records.key(row).and_then(|key| newest.get(&hash(key)));
                        if bits.len() <= ordinal / 64 {
                            bits.push(0);
                        }
                        bits[ordinal / 64] |=
                            u64::from(newer.is_some_and(|newer| *newer > meta.offset)) << (ordinal % 64);
                        ordinal += 1;
                    }
                    Ok(())
                })?;
            }
        }
        self.superseded = bits;
        Ok(())
    }

    fn is_superseded(&self, ordinal: usize) -> bool {
        self.superseded.get(ordinal / 64).is_some_and(|bits| bits >> (ordinal % 64) & 1 == 1)
    }

    /// All records of a segment, a chunk at a time.
    fn each_chunk(
        &self,
        segment: &Segment,
        visit: &mut dyn FnMut(&Records) -> Result<(), LogError>,
    ) -> Result<(), ReadError> {
        let reader = SegmentReader::new(self.inner, self.topic, self.partition.number, segment);
        let mut records = Records::default();
        let mut at = self.first.max(segment.info.base);
        while at < segment.info.next {
            if self.inner.closing.load(Ordering::Relaxed) {
                return Err(ReadError::Gone);
            }
            records.meta.clear();
            at = reader.read(at, CHUNK_BYTES, &mut records)?;
            visit(&records)?;
        }
        Ok(())
    }

    fn generation(&self, group: &Range<usize>) -> u32 {
        self.segments[group.clone()].iter().map(|segment| segment.info.generation).max().unwrap_or(0) + 1
    }

    fn new_path(&self, group: &Range<usize>) -> String {
        let base = self.segments[group.start].info.base;
        self.topic.segment_path(self.partition.number, base, self.generation(group))
    }

    /// Writes the records of a group that stay into a new file, and syncs it. A single segment of which nothing goes
    /// stays as it is.
    fn rewrite(&self, group: Range<usize>, ordinal: &mut usize) -> Result<Rewritten, ReadError> {
        let segments = &self.segments[group.clone()];
        let path = self.new_path(&group);
        let mut info = SegmentInfo {
            generation: self.generation(&group),
            size: 0,
            next: segments[segments.len() - 1].info.next,
            max_timestamp: i64::MIN,
            created: segments.iter().map(|segment| segment.info.created).min().unwrap_or(self.now),
            cleaned: segments.iter().map(|segment| self.cleaned(segment)).max().unwrap_or(self.now),
            tombstones: 0,
            ..segments[0].info.clone()
        };
        let storage = &*self.inner.storage;
        storage.create(&path).map_err(|error| write_error(&path, error))?;
        let (mut buffer, mut kept, mut removed) = (Vec::new(), Vec::new(), 0_usize);
        for segment in segments {
            let drops = drops_tombstones(segment, self.configs, self.now);
            self.each_chunk(segment, &mut |records| {
                kept.clear();
                for row in 0..records.len() {
                    let tombstone = records.meta[row].value.is_null() && !records.meta[row].key.is_null();
                    if self.is_superseded(*ordinal) || (tombstone && drops) {
                        removed += 1;
                    } else {
                        info.tombstones += u64::from(tombstone);
                        info.max_timestamp = info.max_timestamp.max(records.meta[row].timestamp);
                        kept.push(row);
                    }
                    *ordinal += 1;
                }
                buffer.clear();
                self.encode(records, &kept, &mut buffer);
                self.inner.writer.lock().space.take(storage, buffer.len() as u64)?;
                storage.write_at(&path, info.size, &buffer).map_err(|error| write_error(&path, error))?;
                info.size += buffer.len() as u64;
                Ok(())
            })?;
        }
        if removed == 0 && segments.len() == 1 {
            let _ = storage.remove(&path);
            let old = &segments[0].info;
            let changed = old.cleaned < 0;
            let (cleaned, tombstones) = (info.cleaned, info.tombstones);
            let path = self.topic.segment_path(self.partition.number, old.base, old.generation);
            return Ok(Rewritten { info: Some(SegmentInfo { cleaned, tombstones, ..old.clone() }), path, changed });
        }
        if info.size > 0 {
            let synced = storage.sync(&path).and_then(|()| storage.sync_folder(folder_of(&path)));
            synced.map_err(|error| io_error(format!("can't sync {path}"), error))?;
        }
        Ok(Rewritten { info: Some(info).filter(|info| info.size > 0), path, changed: true })
    }

    fn cleaned(&self, segment: &Segment) -> i64 {
        if segment.info.cleaned >= 0 { segment.info.cleaned } else { self.now }
    }

    /// Encodes the kept rows with their offsets: a batch, or more where the gaps are too wide for one.
    fn encode(&self, records: &Records, kept: &[usize], out: &mut Vec<u8>) {
        let options = EncodeOptions {
            compression: self.configs.compression,
            level: self.configs.level(),
            batch_bytes: usize::MAX,
            record_bytes_max: usize::MAX,
            append_time: None,
        };
        let mut rest = kept;
        while let Some(&first) = rest.first() {
            let base = records.meta[first].offset;
            let fits = |row: &usize| records.meta[*row].offset - base < i64::from(i32::MAX);
            let (batch, after) = rest.split_at(rest.partition_point(fits));
            let start = out.len();
            let mut writer = BatchWriter::begin(out, records.meta[first].timestamp);
            let mut last = 0;
            for &row in batch {
                last = (records.meta[row].offset - base) as i32;
                writer.push(records, row, last);
            }
            writer.finish(&options, last);
            seal(&mut out[start..], base);
            rest = after;
        }
    }

    /// Puts the new segment in the old ones' place. False when they aren't there any more, or somebody holds the section by
    /// now.
    fn swap(&self, group: &Range<usize>, rewritten: Rewritten) -> Result<bool, LogError> {
        if !rewritten.changed {
            return Ok(true);
        }
        let mut writer = self.inner.writer.lock();
        writer.check_poison()?;
        let expected = &self.segments[group.clone()];
        let end = self.segments.last().map_or(i64::MIN, |last| last.info.next);
        let is_held = self.inner.catalog.held_from(self.topic.id, self.partition.number) < end;
        let same = !self.topic.is_deleted() && !is_held && {
            let state = self.partition.state.read();
            let start = state.segments.iter().position(|segment| segment.info.base == expected[0].info.base);
            let now = start.and_then(|start| state.segments.get(start..start + expected.len()));
            now.is_some_and(|now| now.iter().map(|segment| &segment.info).eq(expected.iter().map(|s| &s.info)))
        };
        let old_path = |segment: &Segment| {
            self.topic.segment_path(self.partition.number, segment.info.base, segment.info.generation)
        };
        let is_new_file = expected.iter().all(|segment| old_path(segment) != rewritten.path);
        let entry = Entry::Replace {
            topic: self.topic.id,
            partition: self.partition.number,
            old: expected.iter().map(|segment| segment.info.base).collect(),
            new: rewritten.info,
        };
        let swapped = match same {
            true => self.inner.journal(&mut writer, &entry).map(|()| true),
            false => Ok(false),
        };
        if is_new_file && !matches!(swapped, Ok(true) | Err(LogError::Poisoned(_))) {
            let _ = self.inner.storage.remove(&rewritten.path);
        }
        swapped
    }
}

//! Writing: transactions, and the one lock under which they are committed.
//!
//! The order within a commit is what recovery relies on: batches to the segments, then the journal record that makes
//! them count, then the ends that readers see. What fails before the journal record leaves bytes behind a committed
//! end, where nobody reads and the next append writes.

use std::collections::btree_map::Entry as Place;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::config::TopicConfigs;
use super::journal::{Append, Entry, JournalWriter, Position};
use super::retention::is_closed;
use super::space::Space;
use super::topic::{Dropped, Partition, Topic};
use super::{Inner, io_error};
use crate::log::kafka_batch::{BatchInfo, Batches, EncodeOptions, HEADER_LEN, encode, seal};
use crate::log::{Appended, LogError, Records, TopicPartition, Transaction};

/// A batch is closed before it grows beyond this.
const BATCH_BYTES: usize = 1 << 20;

/// About what a part of a commit takes in the journal.
const JOURNAL_BYTES: u64 = 64;

/// What only the holder of the commit lock may touch.
pub(super) struct Writer {
    pub journal: JournalWriter,
    /// Segments with data that no fsync has covered yet: (topic, partition, base offset, generation).
    pub dirty: HashSet<(u64, u32, i64, u32)>,
    /// Partitions whose folder got new files since the last fsync.
    pub dirty_folders: HashSet<(u64, u32)>,
    /// Files to remove once the journal that no longer has them is on disk.
    pub garbage: Vec<Dropped>,
    /// Set once a write or an fsync left things in doubt.
    pub poison: Option<String>,
    /// Records by topic since the last fsync, for `flush.messages`.
    pub unsynced: BTreeMap<u64, i64>,
    pub space: Space,
}

impl Writer {
    pub(super) fn check_poison(&self) -> Result<(), LogError> {
        self.poison.as_ref().map_or(Ok(()), |reason| Err(LogError::Poisoned(reason.clone())))
    }
}

/// Appends of a transaction to one partition, encoded.
struct Pending {
    topic: Arc<Topic>,
    partition: Arc<Partition>,
    bytes: Vec<u8>,
    batches: Vec<BatchInfo>,
}

/// Appends and positions that are still only in memory.
pub(super) struct EmbeddedTransaction<'a> {
    inner: &'a Inner,
    pending: BTreeMap<(u64, u32), Pending>,
    positions: Vec<(Arc<Topic>, Position)>,
    bytes: usize,
}

/// A stretch of a pending's batches that goes into one segment in one write.
struct Piece {
    append: Append,
    path: String,
    generation: u32,
    /// Where in the segment.
    start: u64,
    /// Which bytes and which batches of the pending.
    bytes: std::ops::Range<usize>,
    batches: std::ops::Range<usize>,
}

impl<'a> EmbeddedTransaction<'a> {
    pub(super) fn new(inner: &'a Inner) -> EmbeddedTransaction<'a> {
        EmbeddedTransaction { inner, pending: BTreeMap::new(), positions: Vec::new(), bytes: 0 }
    }

    pub(super) fn add(&mut self, at: &TopicPartition, records: &Records) -> Result<(), LogError> {
        let (topic, partition) = self.inner.catalog.partition(at)?;
        if records.is_empty() {
            return Ok(());
        }
        if records.overflowed {
            return Err(LogError::Invalid("an append of more than 4 GiB: write it in parts".to_owned()));
        }
        let options = self.inner.check_records(&topic, records)?;
        let pending = self.pending.entry((topic.id, partition.number)).or_insert_with(|| Pending {
            topic: Arc::clone(&topic),
            partition,
            bytes: {
                let mut bytes = self.inner.take_buffer();
                bytes.clear();
                bytes
            },
            batches: Vec::new(),
        });
        let (bytes_before, batches_before) = (pending.bytes.len(), pending.batches.len());
        let encoded = encode(records, &options, &mut pending.bytes, &mut pending.batches);
        let added = pending.bytes.len() - bytes_before;
        let limit = self.inner.options.transaction_bytes_max;
        let failure = match encoded {
            Err(too_large) => Some(LogError::RecordTooLarge {
                topic: topic.name.clone(),
                bytes: too_large.bytes,
                limit: options.record_bytes_max,
            }),
            Ok(()) if self.bytes + added > limit => Some(LogError::TransactionTooLarge { limit }),
            Ok(()) => None,
        };
        if let Some(error) = failure {
            pending.bytes.truncate(bytes_before);
            pending.batches.truncate(batches_before);
            return Err(error);
        }
        self.bytes += added;
        Ok(())
    }

    fn add_batches(&mut self, at: &TopicPartition, batches: &mut Batches) -> Result<Appended, LogError> {
        let (topic, partition) = self.inner.catalog.partition(at)?;
        if batches.records() == 0 {
            return Ok(Appended::All);
        }
        let configs = topic.configs();
        let keyless = configs.compact && batches.any_keyless();
        if keyless || batches.any_too_large() || whole_batches(&configs).as_ref() != Some(batches.options()) {
            return Ok(Appended::Nothing);
        }
        let (bytes, infos) = batches.take();
        let limit = self.inner.options.transaction_bytes_max;
        if self.bytes + bytes.len() > limit {
            return Err(LogError::TransactionTooLarge { limit });
        }
        self.bytes += bytes.len();
        match self.pending.entry((topic.id, partition.number)) {
            Place::Vacant(place) => {
                place.insert(Pending { topic, partition, bytes, batches: infos });
            }
            Place::Occupied(mut place) => {
                let pending = place.get_mut();
                pending.bytes.extend_from_slice(&bytes);
                pending.batches.extend(infos);
                self.inner.give_buffer(bytes);
            }
        }
        Ok(Appended::All)
    }

    pub(super) fn position(&mut self, group: &str, at: &TopicPartition, offset: i64) -> Result<(), LogError> {
        let (topic, partition) = self.inner.catalog.partition(at)?;
        if group.is_empty() || offset < 0 {
            return Err(LogError::Invalid("a position needs a group's name and an offset of at least 0".to_owned()));
        }
        let (topic_id, partition) = (topic.id, partition.number);
        self.positions.push((topic, Position { group: group.to_owned(), topic: topic_id, partition, offset }));
        Ok(())
    }

    /// Commits; gives the offset of the first record of the first partition, for a transaction of one.
    pub(super) fn finish(mut self) -> Result<i64, LogError> {
        let pending: Vec<Pending> =
            std::mem::take(&mut self.pending).into_values().filter(|pending| !pending.batches.is_empty()).collect();
        let positions = std::mem::take(&mut self.positions);
        if pending.is_empty() && positions.is_empty() {
            return self.inner.writer.lock().check_poison().map(|()| 0);
        }
        self.inner.commit(pending, positions)
    }
}

impl Transaction for EmbeddedTransaction<'_> {
    fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError> {
        self.add(partition, records)
    }

    fn append_batches(&mut self, partition: &TopicPartition, batches: &mut Batches) -> Result<Appended, LogError> {
        self.add_batches(partition, batches)
    }

    fn refuses_whole_appends(&self) -> bool {
        true
    }

    fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.position(group, partition, offset)
    }

    fn commit(self: Box<Self>) -> Result<(), LogError> {
        self.finish().map(|_| ())
    }
}

impl Inner {
    /// What the topic's configs say about these records; an error when it doesn't take them.
    fn check_records(&self, topic: &Topic, records: &Records) -> Result<EncodeOptions, LogError> {
        let configs = topic.configs();
        let invalid = |reason: String| Err(LogError::Invalid(format!("topic '{}' {reason}", topic.name)));
        if configs.compact && records.meta.iter().any(|meta| meta.key.is_null()) {
            return invalid("is compacted and takes no records without a key".to_owned());
        }
        let (before, after) = (configs.timestamp_before_max_ms, configs.timestamp_after_max_ms);
        if !configs.append_time && (before != i64::MAX || after != i64::MAX) {
            let now = (self.options.clock)();
            let allowed = now.saturating_sub(before)..=now.saturating_add(after);
            if let Some(meta) = records.meta.iter().find(|meta| !allowed.contains(&meta.timestamp)) {
                return invalid(format!("takes no record of time {}: allowed are {allowed:?} now", meta.timestamp));
            }
        }
        if !(0..records.len()).all(|row| records.headers_well_formed(row)) {
            return invalid("takes no record whose headers aren't in Kafka's encoding".to_owned());
        }
        Ok(EncodeOptions {
            append_time: configs.append_time.then(|| (self.options.clock)()),
            ..encode_options(&configs)
        })
    }

    /// For records that are encoded before their transaction begins.
    pub(super) fn batches(&self, topic: &str) -> Option<Batches> {
        let configs = self.catalog.topic(topic).ok()?.configs();
        Some(Batches::new(whole_batches(&configs)?, self.take_buffer()))
    }

    fn commit(&self, mut pending: Vec<Pending>, positions: Vec<(Arc<Topic>, Position)>) -> Result<i64, LogError> {
        let mut writer = self.writer.lock();
        writer.check_poison()?;
        let bytes: u64 = pending.iter().map(|pending| pending.bytes.len() as u64).sum();
        let parts = pending.len() + positions.len() + 1;
        writer.space.take(&*self.storage, bytes + JOURNAL_BYTES * parts as u64)?;
        let topics = pending.iter().map(|pending| &pending.topic).chain(positions.iter().map(|(topic, _)| topic));
        if let Some(gone) = topics.into_iter().find(|topic| topic.is_deleted()) {
            return Err(LogError::UnknownTopic(gone.name.clone()));
        }
        let pieces: Vec<Vec<Piece>> = pending.iter_mut().map(|pending| self.place(pending)).collect();
        let first = pending.first().map_or(0, |pending| pending.partition.state.read().next);
        self.write_pieces(&pending, &pieces)?;
        let appends = pieces.iter().flatten().map(|piece| piece.append.clone()).collect();
        let entry = Entry::Commit { appends, positions: positions.into_iter().map(|(_, position)| position).collect() };
        if let Err(error) = self.journal(&mut writer, &entry) {
            undo(self, &pending, &pieces);
            return Err(error);
        }
        let must_sync = self.published(&mut writer, &pending, &pieces);
        drop(writer);
        let mut touched: Vec<&str> = pending.iter().map(|pending| pending.topic.name.as_str()).collect();
        touched.dedup();
        self.ring(&touched);
        pending.into_iter().for_each(|pending| self.give_buffer(pending.bytes));
        if must_sync {
            self.sync()?;
        }
        if self.in_memory {
            // There is no background thread to do it.
            self.roll_journal_if_large()?;
        }
        Ok(first)
    }

    /// Gives the batches their offsets and finds their segments.
    fn place(&self, pending: &mut Pending) -> Vec<Piece> {
        let configs = pending.topic.configs();
        let now = (self.options.clock)();
        let state = pending.partition.state.read();
        let mut next = state.next;
        let open = state.segments.last().filter(|last| !is_closed(last, &configs, now));
        let mut segment = open.map(|last| (last.info.base, last.info.generation, last.info.size));
        let mut pieces: Vec<Piece> = Vec::new();
        let mut at = 0;
        for (i, batch) in pending.batches.iter().enumerate() {
            let bytes = &mut pending.bytes[at..at + batch.size];
            seal(bytes, next);
            let full = |size: u64| size > 0 && size + batch.size as u64 > configs.segment_bytes;
            let mut fresh = segment.is_none_or(|(_, _, size)| full(size));
            let (base, generation, size) = if fresh { (next, 0, 0) } else { segment.unwrap_or_default() };
            fresh |= pieces.is_empty();
            if fresh {
                pieces.push(Piece {
                    append: Append {
                        topic: pending.topic.id,
                        partition: pending.partition.number,
                        segment: base,
                        created: (size == 0).then_some(now),
                        size,
                        next,
                        max_timestamp: i64::MIN,
                        checksum: 0,
                    },
                    path: pending.topic.segment_path(pending.partition.number, base, generation),
                    generation,
                    start: size,
                    bytes: at..at,
                    batches: i..i,
                });
            }
            next += batch.offsets;
            at += batch.size;
            segment = Some((base, generation, size + batch.size as u64));
            if let Some(piece) = pieces.last_mut() {
                piece.bytes.end = at;
                piece.batches.end = i + 1;
                piece.append.size = size + batch.size as u64;
                piece.append.next = next;
                piece.append.max_timestamp = piece.append.max_timestamp.max(batch.max_timestamp);
                piece.append.checksum = crc32c::crc32c_append(piece.append.checksum, &bytes[..HEADER_LEN]);
            }
        }
        pieces
    }

    fn write_pieces(&self, all: &[Pending], placed: &[Vec<Piece>]) -> Result<(), LogError> {
        for (pending, pieces) in all.iter().zip(placed) {
            for piece in pieces {
                if let Err(error) = self.write_piece(pending, piece) {
                    undo(self, all, placed);
                    return Err(write_error(&piece.path, error));
                }
            }
        }
        Ok(())
    }

    fn write_piece(&self, pending: &Pending, piece: &Piece) -> io::Result<()> {
        let storage = &*self.storage;
        if piece.append.created.is_some() {
            storage.create(&piece.path)?;
        } else if !pending.partition.tail_checked.load(Ordering::Relaxed) {
            // A crash or a failed commit may have left more than was committed.
            storage.truncate(&piece.path, piece.start)?;
        }
        pending.partition.tail_checked.store(true, Ordering::Relaxed);
        storage.write_at(&piece.path, piece.start, &pending.bytes[piece.bytes.clone()])
    }

    /// Writes and applies a journal record. After an error the log is as it was before, or poisoned.
    pub(super) fn journal(&self, writer: &mut Writer, entry: &Entry) -> Result<(), LogError> {
        if let Err(failed) = writer.journal.append(&*self.storage, entry) {
            let path = super::journal::path(writer.journal.number);
            if failed.undone && is_full(&failed.cause) {
                return Err(write_error(&path, failed.cause));
            }
            let reason = format!("writing {path}: {}", failed.cause);
            writer.poison = Some(reason.clone());
            return Err(LogError::Poisoned(reason));
        }
        match self.catalog.apply(entry) {
            Ok(dropped) => {
                writer.garbage.extend(dropped);
                Ok(())
            }
            Err(contradiction) => {
                let reason = format!("internal error: {contradiction}");
                writer.poison = Some(reason.clone());
                Err(LogError::Poisoned(reason))
            }
        }
    }

    /// Book-keeping after a commit. Tells whether it must be on disk before it is acknowledged.
    fn published(&self, writer: &mut Writer, pending: &[Pending], pieces: &[Vec<Piece>]) -> bool {
        let mut must_sync = self.options.fsync == super::FsyncPolicy::Commit;
        for (pending, pieces) in pending.iter().zip(pieces) {
            let configs = pending.topic.configs();
            let state = pending.partition.state.read();
            for piece in pieces {
                let append = &piece.append;
                writer.dirty.insert((append.topic, append.partition, append.segment, piece.generation));
                if append.created.is_some() {
                    writer.dirty_folders.insert((append.topic, append.partition));
                }
                let i = state.segments.partition_point(|segment| segment.info.base < append.segment);
                let Some(segment) = state.segments.get(i) else { continue };
                let mut offset = append.next;
                let batches = &pending.batches[piece.batches.clone()];
                offset -= batches.iter().map(|batch| batch.offsets).sum::<i64>();
                let batches = batches.iter().map(|batch| {
                    let base = offset;
                    offset += batch.offsets;
                    (base, batch.size as u64, batch.max_timestamp)
                });
                segment.index.extend(piece.start, configs.index_interval_bytes, batches);
            }
            must_sync |= configs.flush_ms == 0;
            if configs.flush_messages != i64::MAX {
                let unsynced = writer.unsynced.entry(pending.topic.id).or_default();
                *unsynced += pending.batches.iter().map(|batch| batch.offsets).sum::<i64>();
                must_sync |= *unsynced >= configs.flush_messages;
            }
        }
        must_sync
    }

    /// Memory for what is to be written, with old bytes in it.
    fn take_buffer(&self) -> Vec<u8> {
        self.buffers.lock().pop().unwrap_or_default()
    }

    /// Keeps a few buffers of a size that comes again.
    fn give_buffer(&self, buffer: Vec<u8>) {
        let mut buffers = self.buffers.lock();
        if buffers.len() < 8 && buffer.capacity() <= 8 * BATCH_BYTES {
            buffers.push(buffer);
        }
    }
}

/// How records are encoded for a topic with these configs that get their own times.
fn encode_options(configs: &TopicConfigs) -> EncodeOptions {
    EncodeOptions {
        compression: configs.compression,
        level: configs.level(),
        batch_bytes: BATCH_BYTES.min(configs.max_message_bytes.max(HEADER_LEN) - HEADER_LEN),
        record_bytes_max: configs.max_message_bytes,
        append_time: None,
    }
}

/// The same, if batches can be made of records without looking at the time of their commit.
fn whole_batches(configs: &TopicConfigs) -> Option<EncodeOptions> {
    let any_time = configs.timestamp_before_max_ms == i64::MAX && configs.timestamp_after_max_ms == i64::MAX;
    (any_time && !configs.append_time).then(|| encode_options(configs))
}

/// Takes back what a failed commit wrote, as far as that can be: it frees the space. What stays lies behind the
/// committed ends and is cut off before the next append.
fn undo(inner: &Inner, pending: &[Pending], pieces: &[Vec<Piece>]) {
    for (pending, pieces) in pending.iter().zip(pieces) {
        pending.partition.tail_checked.store(false, Ordering::Relaxed);
        for piece in pieces {
            let _ = match piece.append.created {
                Some(_) => inner.storage.remove(&piece.path),
                None => inner.storage.truncate(&piece.path, piece.start),
            };
        }
    }
}

/// The error of a write that left nothing behind.
pub(super) fn write_error(path: &str, error: io::Error) -> LogError {
    match is_full(&error) {
        true => LogError::Full(format!("the disk is full (writing {path}); make room and it goes on")),
        false => io_error(format!("can't write {path}"), error),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

//! Reading: by offset and by time. Takes no lock while it reads a file.

use std::io;

use super::Inner;
use super::index::Indexed;
use super::topic::{Partition, Segment, Topic};
use crate::log::kafka_batch::{BatchHeader, Decoder, HEADER_LEN, decode_batch};
use crate::log::{LogError, Records, TopicPartition};

/// A read asks the file for at least this much.
const READ_BYTES_MIN: usize = 16 * 1024;
const READ_BYTES_MAX: usize = 256 << 20;
/// How often a read begins again because the segment was removed or compacted away under it.
const ATTEMPTS: usize = 100;

pub(super) enum ReadError {
    /// The file isn't there.
    Gone,
    Log(LogError),
}

impl From<LogError> for ReadError {
    fn from(error: LogError) -> Self {
        ReadError::Log(error)
    }
}

thread_local! {
    static DECODER: std::cell::RefCell<Decoder> = std::cell::RefCell::default();
}

impl Inner {
    pub(super) fn fetch(
        &self,
        at: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        let (topic, partition) = self.catalog.partition(at)?;
        for _ in 0..ATTEMPTS {
            match self.fetch_once(&topic, &partition, from, bytes_max, into) {
                Ok(()) => return Ok(()),
                Err(ReadError::Log(error)) => return Err(error),
                Err(ReadError::Gone) if topic.is_deleted() => return Err(LogError::UnknownTopic(topic.name.clone())),
                Err(ReadError::Gone) => {}
            }
        }
        Err(missing(&topic, &partition, from))
    }

    fn fetch_once(
        &self,
        topic: &Topic,
        partition: &Partition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), ReadError> {
        into.meta.clear();
        let mut at = from;
        loop {
            let (segment, next) = match find_segment(topic, partition, at, at == from)? {
                (None, next) => {
                    // Bytes of the last fetch stay: the next one needn't zero the room that they take.
                    into.next_offset = next;
                    return Ok(());
                }
                (Some(segment), next) => (segment, next),
            };
            let reader = SegmentReader::new(self, topic, partition.number, &segment);
            at = reader.read(at, bytes_max, into)?;
            into.next_offset = at;
            if !into.meta.is_empty() || at >= next {
                return Ok(());
            }
        }
    }

    /// The first offset whose record has at least this timestamp.
    pub(super) fn offset_for_time(&self, at: &TopicPartition, timestamp: i64) -> Result<i64, LogError> {
        let (topic, partition) = self.catalog.partition(at)?;
        for _ in 0..ATTEMPTS {
            match self.search_time(&topic, &partition, timestamp) {
                Ok(offset) => return Ok(offset),
                Err(ReadError::Log(error)) => return Err(error),
                Err(ReadError::Gone) if topic.is_deleted() => return Err(LogError::UnknownTopic(topic.name.clone())),
                Err(ReadError::Gone) => {}
            }
        }
        Err(missing(&topic, &partition, 0))
    }

    fn search_time(&self, topic: &Topic, partition: &Partition, timestamp: i64) -> Result<i64, ReadError> {
        let state = partition.state.read().clone();
        let mut records = Records::default();
        for segment in state.segments.iter().filter(|segment| segment.info.max_timestamp >= timestamp) {
            let reader = SegmentReader::new(self, topic, partition.number, segment);
            let position = reader.index_time(timestamp)?;
            let found = reader.walk(position, READ_BYTES_MIN, &mut records, &mut |header, _| {
                header.max_timestamp >= timestamp && header.next_offset() > state.first
            })?;
            let mut at = found.max(state.first);
            while at < segment.info.next {
                records.meta.clear();
                at = reader.read(at, READ_BYTES_MIN, &mut records)?;
                if let Some(record) = records.meta.iter().find(|record| record.timestamp >= timestamp) {
                    return Ok(record.offset);
                }
            }
        }
        Ok(state.next)
    }
}

/// The segment that has the first record from `at` on, if there is one, and the end of the partition.
fn find_segment(
    topic: &Topic,
    partition: &Partition,
    at: i64,
    check: bool,
) -> Result<(Option<Segment>, i64), LogError> {
    let state = partition.state.read();
    let (first, next) = (state.first, state.next);
    if check && !(first..=next).contains(&at) {
        let (topic, partition) = (topic.name.clone(), partition.number);
        return Err(LogError::OffsetOutOfRange { topic, partition, asked: at, first, next });
    }
    let i = state.segments.partition_point(|segment| segment.info.next <= at);
    Ok((state.segments.get(i).cloned(), next))
}

fn missing(topic: &Topic, partition: &Partition, offset: i64) -> LogError {
    let state = partition.state.read();
    let i = state.segments.partition_point(|segment| segment.info.next <= offset);
    let file = state.segments.get(i).map(|s| topic.segment_path(partition.number, s.info.base, s.info.generation));
    LogError::Damaged { file: file.unwrap_or_default(), position: 0, reason: "the file is missing".to_owned() }
}

/// Reads one segment as far as it was committed when the reader was made.
pub(super) struct SegmentReader<'a> {
    inner: &'a Inner,
    segment: &'a Segment,
    path: String,
    interval: u64,
}

impl<'a> SegmentReader<'a> {
    pub(super) fn new(inner: &'a Inner, topic: &Topic, partition: u32, segment: &'a Segment) -> SegmentReader<'a> {
        let path = topic.segment_path(partition, segment.info.base, segment.info.generation);
        let interval = topic.configs().index_interval_bytes;
        SegmentReader { inner, segment, path, interval }
    }

    fn indexed(&self) -> Indexed<'_> {
        Indexed { path: &self.path, size: self.segment.info.size, interval: self.interval }
    }

    fn index_time(&self, timestamp: i64) -> Result<u64, ReadError> {
        let position = self.segment.index.position_of_time(&*self.inner.storage, self.indexed(), timestamp);
        position.map_err(|error| self.read_error(error))
    }

    /// Puts the records of whole batches from `from` on into `into`, about `bytes_max` bytes and at least one record if
    /// there is one. Gives the offset to go on from.
    pub(super) fn read(&self, from: i64, bytes_max: usize, into: &mut Records) -> Result<i64, ReadError> {
        let position = match from <= self.segment.info.base {
            true => 0,
            false => {
                let found = self.segment.index.position_of(&*self.inner.storage, self.indexed(), from);
                found.map_err(|error| self.read_error(error))?
            }
        };
        let to = self.segment.info.next;
        let read = DECODER.with_borrow_mut(|decoder| {
            let mut plain = 0;
            self.walk(position, bytes_max, into, &mut |header, batch| {
                if header.next_offset() <= from {
                    return false;
                }
                if !batch.records.meta.is_empty() && (batch.at >= bytes_max || plain >= bytes_max) {
                    return true;
                }
                let before = batch.records.data.len();
                batch.damage = batch.check(header);
                if batch.damage.is_none() {
                    batch.damage = decode_batch(decoder, batch.records, batch.at, header, from..to).err();
                }
                plain += batch.records.data.len() - before;
                false
            })
        })?;
        Ok(read.max(from))
    }

    /// Reads the segment from `position` on, where a batch begins, and calls `visit` with each whole batch until it
    /// says true or, once there are records in `into`, until a piece of about `bytes_max` bytes is through. Gives the
    /// offset to go on from.
    fn walk(
        &self,
        mut position: u64,
        bytes_max: usize,
        into: &mut Records,
        visit: &mut dyn FnMut(&BatchHeader, &mut Batch<'_>) -> bool,
    ) -> Result<i64, ReadError> {
        let info = &self.segment.info;
        let mut wanted = bytes_max.clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        let mut expected = if position == 0 { info.base } else { -1 };
        while position < info.size {
            let len = (wanted as u64).min(info.size - position) as usize;
            self.fill(position, len, &mut into.data)?;
            let mut batch = Batch { records: into, at: 0, damage: None };
            let mut needed = HEADER_LEN;
            while batch.at + HEADER_LEN <= len {
                let place = position + batch.at as u64;
                let header = self.header(&batch.records.data[batch.at..len], place, expected)?;
                needed = header.size;
                if batch.at + header.size > len {
                    break;
                }
                if visit(&header, &mut batch) {
                    return Ok(header.base_offset);
                }
                if let Some(reason) = batch.damage {
                    return Err(self.damaged(place, reason).into());
                }
                batch.at += header.size;
                expected = header.next_offset();
                needed = HEADER_LEN;
            }
            position += batch.at as u64;
            if position + needed as u64 > info.size && position < info.size {
                return Err(self.damaged(position, "a batch that reaches beyond the end").into());
            }
            if !into.meta.is_empty() && position < info.size {
                return Ok(expected);
            }
            wanted = wanted.max(needed);
        }
        Ok(info.next)
    }

    /// The header at `place`, checked against its seal and against what the segment may hold there.
    fn header(&self, bytes: &[u8], place: u64, expected: i64) -> Result<BatchHeader, LogError> {
        let info = &self.segment.info;
        let header = BatchHeader::read(bytes).map_err(|reason| self.damaged(place, reason))?;
        header.check_seal().map_err(|reason| self.damaged(place, reason))?;
        if header.base_offset < expected.max(info.base) || header.next_offset() > info.next {
            return Err(self.damaged(place, "a batch with offsets that don't belong there"));
        }
        if header.size as u64 > info.size - place {
            return Err(self.damaged(place, "a batch that reaches beyond the end"));
        }
        Ok(header)
    }

    fn fill(&self, position: u64, len: usize, data: &mut Vec<u8>) -> Result<(), ReadError> {
        // What is there already is overwritten: only growth has to be zeroed.
        data.resize(len, 0);
        let read = self.inner.storage.read_at(&self.path, position, data);
        let read = read.map_err(|error| self.read_error(error))?;
        match read == len {
            true => Ok(()),
            false => Err(self.damaged(position + read as u64, "the file ends before its committed end").into()),
        }
    }

    fn read_error(&self, error: io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::NotFound => ReadError::Gone,
            _ => ReadError::Log(super::io_error(format!("can't read {}", self.path), error)),
        }
    }

    fn damaged(&self, position: u64, reason: &str) -> LogError {
        LogError::Damaged { file: self.path.clone(), position, reason: reason.to_owned() }
    }
}

/// One whole batch in the buffer.
pub(super) struct Batch<'a> {
    /// The buffer it lies in, and the records decoded so far.
    pub records: &'a mut Records,
    /// Where in the buffer.
    pub at: usize,
    /// Set by who looks at it, when it isn't what it should be.
    pub damage: Option<&'static str>,
}

impl Batch<'_> {
    pub(super) fn check(&self, header: &BatchHeader) -> Option<&'static str> {
        header.check_crc(&self.records.data[self.at..self.at + header.size]).err()
    }
}

//! Records to batches, in a single pass.

use super::{ATTRIBUTE_APPEND_TIME, ATTRIBUTES_AT, CRC_AT, Compression, HEADER_LEN, MAGIC_AT, UNCOUNTED};
use crate::appender::{Appender, copy_part};
use crate::log::{RecordMeta, Records, Span};

/// More records than this don't go into one batch: a reader decodes a batch as a whole.
pub(super) const RECORDS_MAX: u32 = 64 * 1024;

/// How batches are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeOptions {
    pub compression: Compression,
    /// For the codecs that have levels; `None` is the codec's default.
    pub level: Option<i32>,
    /// A batch is closed before its records grow beyond this many bytes (before compression).
    pub batch_bytes: usize,
    /// A batch of one record may have at most this many bytes (before compression).
    pub record_bytes_max: usize,
    /// All records get this time instead of their own.
    pub append_time: Option<i64>,
}

impl EncodeOptions {
    /// A batch with another record in it, the header counted twice, is no longer than this.
    pub(super) fn batch_len_max(&self) -> usize {
        self.batch_bytes.max(HEADER_LEN) + HEADER_LEN
    }
}

/// One batch that was encoded. Its base offset is still 0 and its seal missing: see [`super::seal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchInfo {
    /// Bytes, header included.
    pub size: usize,
    /// Offsets that it takes up.
    pub offsets: i64,
    pub max_timestamp: i64,
}

/// A record that is larger than allowed, in bytes as encoded in a batch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    pub bytes: usize,
}

/// Appends the batches of all `records` to `out`, and what they are to `batches`. The offsets are 0, 1, ... in each
/// batch, whatever the records say.
pub fn encode(
    records: &Records,
    options: &EncodeOptions,
    out: &mut Vec<u8>,
    batches: &mut Vec<BatchInfo>,
) -> Result<(), TooLarge> {
    out.reserve(records.meta.iter().map(encoded_len).sum());
    let mut row = 0;
    while row < records.len() {
        let mut writer = BatchWriter::begin(out, options.append_time.unwrap_or(records.meta[row].timestamp));
        while row < records.len() && writer.count < RECORDS_MAX {
            let meta = &records.meta[row];
            let time = options.append_time.unwrap_or(meta.timestamp);
            let delta = writer.count as i32;
            let record = RecordParts::new(records, row);
            let length = record.length(time.wrapping_sub(writer.base_timestamp), delta);
            let bytes = HEADER_LEN + length + varint_len(length as i64);
            if writer.count == 0 && bytes > options.record_bytes_max {
                writer.abandon();
                return Err(TooLarge { bytes });
            }
            if writer.count > 0 && writer.len() + bytes > options.batch_len_max() {
                break;
            }
            writer.put(length, time, delta, &record);
            row += 1;
        }
        let last = writer.count as i32 - 1;
        batches.push(writer.finish(options, last));
    }
    Ok(())
}

/// Bytes of a record as encoded in a batch of its own, before compression: what `max.message.bytes` is about.
pub fn record_bytes(records: &Records, row: usize) -> usize {
    let length = RecordParts::new(records, row).length(0, 0);
    HEADER_LEN + length + varint_len(length as i64)
}

/// About what a record takes.
fn encoded_len(meta: &RecordMeta) -> usize {
    const FIELDS_BYTES: usize = 14;
    let parts = [meta.key, meta.value, meta.headers];
    parts.iter().map(|part| part.len.max(0) as usize).sum::<usize>() + FIELDS_BYTES
}

/// The parts of one record, still where they were.
#[derive(Clone, Copy)]
struct RecordParts<'a> {
    data: &'a [u8],
    key: Span,
    value: Span,
    /// Null: there are none.
    headers: Span,
}

impl<'a> RecordParts<'a> {
    #[inline]
    fn new(records: &'a Records, row: usize) -> RecordParts<'a> {
        let RecordMeta { key, value, headers, .. } = records.meta[row];
        let headers = if headers.len > 0 { headers } else { Span::NULL };
        RecordParts { data: &records.data, key, value, headers }
    }

    /// Bytes of the record after its length field.
    #[inline]
    fn length(&self, time_delta: i64, offset_delta: i32) -> usize {
        1 + varint_len(time_delta)
            + varint_len(i64::from(offset_delta))
            + part_len(self.key)
            + part_len(self.value)
            + self.headers.len.max(1) as usize
    }
}

#[inline]
fn part_len(part: Span) -> usize {
    varint_len(i64::from(part.len.max(-1))) + part.len.max(0) as usize
}

/// Writes one batch at the end of a buffer.
pub struct BatchWriter<'a> {
    out: Appender<'a>,
    start: usize,
    base_timestamp: i64,
    max_timestamp: i64,
    count: u32,
}

impl<'a> BatchWriter<'a> {
    /// Begins a batch; `base_timestamp` is that of its first record.
    pub fn begin(out: &'a mut Vec<u8>, base_timestamp: i64) -> BatchWriter<'a> {
        let start = out.len();
        let mut out = Appender::new(out);
        out.bytes(&[0; HEADER_LEN]);
        BatchWriter { out, start, base_timestamp, max_timestamp: i64::MIN, count: 0 }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Takes back what was written.
    pub fn abandon(mut self) {
        self.out.truncate(self.start);
    }

    /// Adds a record of `records` with its timestamp, `offset_delta` above the base offset.
    pub fn push(&mut self, records: &Records, row: usize, offset_delta: i32) {
        let time = records.meta[row].timestamp;
        let record = RecordParts::new(records, row);
        let length = record.length(time.wrapping_sub(self.base_timestamp), offset_delta);
        self.put(length, time, offset_delta, &record);
    }

    #[inline]
    fn put(&mut self, length: usize, time: i64, offset_delta: i32, record: &RecordParts<'_>) {
        let mut to = Cursor { room: self.out.room(length + VARINT_MAX), at: 0 };
        to.varint(length as i64);
        to.byte(0);
        to.varint(time.wrapping_sub(self.base_timestamp));
        to.varint(i64::from(offset_delta));
        to.part(record.data, record.key);
        to.part(record.data, record.value);
        match record.headers.is_null() {
            true => to.byte(0),
            false => to.bytes(record.data, record.headers),
        }
        let at = to.at;
        self.out.advance(at);
        self.max_timestamp = self.max_timestamp.max(time);
        self.count += 1;
    }

    /// Compresses the records and fills in the header, but for base offset and seal.
    pub fn finish(mut self, options: &EncodeOptions, last_offset_delta: i32) -> BatchInfo {
        let BatchWriter { start, base_timestamp, max_timestamp, count, .. } = self;
        self.out.with_vec(|out| {
            let attributes = compress(options, start + HEADER_LEN, out);
            finish(&mut out[start..], attributes, (base_timestamp, max_timestamp), count, last_offset_delta)
        })
    }
}

/// Compresses what lies behind `from`; gives the attributes of the batch.
pub(super) fn compress(options: &EncodeOptions, from: usize, out: &mut Vec<u8>) -> i16 {
    let mut attributes = if options.append_time.is_some() { ATTRIBUTE_APPEND_TIME } else { 0 };
    if options.compression == Compression::None {
        return attributes;
    }
    let plain = out.split_off(from);
    let compressed = options.compression.compress(options.level, &plain, out);
    match compressed {
        // Records that don't shrink are cheaper to read as they are.
        Ok(()) if out.len() - from < plain.len() => attributes |= options.compression.code(),
        _ => {
            out.truncate(from);
            out.extend_from_slice(&plain);
        }
    }
    attributes
}

/// Fills in the header of a batch.
pub(super) fn finish(
    batch: &mut [u8],
    attributes: i16,
    (base_timestamp, max_timestamp): (i64, i64),
    count: u32,
    last_offset_delta: i32,
) -> BatchInfo {
    let size = batch.len();
    batch[8..12].copy_from_slice(&((size - UNCOUNTED) as i32).to_be_bytes());
    batch[MAGIC_AT] = 2;
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[23..27].copy_from_slice(&last_offset_delta.to_be_bytes());
    batch[27..35].copy_from_slice(&base_timestamp.to_be_bytes());
    batch[35..43].copy_from_slice(&max_timestamp.to_be_bytes());
    // Producer id, producer epoch and base sequence: none.
    batch[43..57].fill(0xff);
    batch[57..61].copy_from_slice(&(count as i32).to_be_bytes());
    let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    BatchInfo { size, offsets: i64::from(last_offset_delta) + 1, max_timestamp }
}

/// A varint has no more bytes.
pub(super) const VARINT_MAX: usize = 10;

/// Writes a record to room that was made for it, and for a piece behind it.
pub(super) struct Cursor<'a> {
    pub room: &'a mut [u8],
    pub at: usize,
}

impl Cursor<'_> {
    #[inline(always)]
    pub fn byte(&mut self, byte: u8) {
        self.room[self.at] = byte;
        self.at += 1;
    }

    /// A zigzag varint.
    #[inline(always)]
    pub fn varint(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        while rest >= 0x80 {
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8);
    }

    /// A length and that many bytes; -1 for null.
    #[inline(always)]
    pub fn part(&mut self, data: &[u8], part: Span) {
        self.varint(i64::from(part.len.max(-1)));
        if part.len > 0 {
            self.bytes(data, part);
        }
    }

    #[inline(always)]
    pub fn bytes(&mut self, data: &[u8], part: Span) {
        let len = part.len as usize;
        copy_part(data, part.start as usize, len, &mut self.room[self.at..]);
        self.at += len;
    }
}

/// Bytes of a zigzag varint.
#[inline]
pub(super) fn varint_len(value: i64) -> usize {
    let bits = 64 - (((value << 1) ^ (value >> 63)) as u64 | 1).leading_zeros() as usize;
    // Sevenths, rounded up; so it is for up to 64.
    (bits * 9 + 64) / 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_as_long_as_they_are_said_to_be() {
        for bits in 0..64 {
            for value in [1i64 << bits, (1i64 << bits).wrapping_sub(1), (1i64 << bits).wrapping_neg()] {
                let mut bytes = Vec::new();
                {
                    bytes.resize(64, 0);
                    let mut to = Cursor { room: &mut bytes, at: 0 };
                    to.varint(value);
                    let len = to.at;
                    bytes.truncate(len);
                }
                assert_eq!(bytes.len(), varint_len(value), "{value}");
                let mut rest = &bytes[..];
                assert_eq!(crate::log::records::take_varint(&mut rest), Some(value));
                assert!(rest.is_empty());
            }
        }
    }
}

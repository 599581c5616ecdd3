//! Records to batches, in a single pass.

use super::{ATTRIBUTE_APPEND_TIME, ATTRIBUTES_AT, CRC_AT, Compression, HEADER_LEN, MAGIC_AT, UNCOUNTED};
use crate::log::Records;

/// More records than this don't go into one batch: a reader decodes a batch as a whole.
const RECORDS_MAX: u32 = 64 * 1024;

/// How batches are made.
#[derive(Debug, Clone, Copy)]
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
            if writer.count > 0 && writer.len() + bytes > options.batch_bytes.max(HEADER_LEN) + HEADER_LEN {
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

/// The parts of one record, still where they were.
struct RecordParts<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Option<&'a [u8]>,
}

impl<'a> RecordParts<'a> {
    fn new(records: &'a Records, row: usize) -> RecordParts<'a> {
        let headers = records.bytes(records.meta[row].headers).filter(|headers| !headers.is_empty());
        RecordParts { key: records.key(row), value: records.value(row), headers }
    }

    /// Bytes of the record after its length field.
    fn length(&self, time_delta: i64, offset_delta: i32) -> usize {
        1 + varint_len(time_delta)
            + varint_len(i64::from(offset_delta))
            + part_len(self.key)
            + part_len(self.value)
            + self.headers.map_or(1, <[u8]>::len)
    }
}

fn part_len(part: Option<&[u8]>) -> usize {
    part.map_or(1, |bytes| varint_len(bytes.len() as i64) + bytes.len())
}

/// Writes one batch at the end of a buffer.
pub struct BatchWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    base_timestamp: i64,
    max_timestamp: i64,
    count: u32,
}

impl<'a> BatchWriter<'a> {
    /// Begins a batch; `base_timestamp` is that of its first record.
    pub fn begin(out: &'a mut Vec<u8>, base_timestamp: i64) -> BatchWriter<'a> {
        let start = out.len();
        out.resize(start + HEADER_LEN, 0);
        BatchWriter { out, start, base_timestamp, max_timestamp: i64::MIN, count: 0 }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Takes back what was written.
    pub fn abandon(self) {
        self.out.truncate(self.start);
    }

    /// Adds a record of `records` with its timestamp, `offset_delta` above the base offset.
    pub fn push(&mut self, records: &Records, row: usize, offset_delta: i32) {
        let time = records.meta[row].timestamp;
        let record = RecordParts::new(records, row);
        let length = record.length(time.wrapping_sub(self.base_timestamp), offset_delta);
        self.put(length, time, offset_delta, &record);
    }

    fn put(&mut self, length: usize, time: i64, offset_delta: i32, record: &RecordParts<'_>) {
        let mut head = Head::default();
        head.varint(length as i64);
        head.byte(0);
        head.varint(time.wrapping_sub(self.base_timestamp));
        head.varint(i64::from(offset_delta));
        head.varint(record.key.map_or(-1, |key| key.len() as i64));
        self.out.reserve(length + 10);
        self.out.extend_from_slice(head.bytes());
        self.out.extend_from_slice(record.key.unwrap_or_default());
        let mut head = Head::default();
        head.varint(record.value.map_or(-1, |value| value.len() as i64));
        self.out.extend_from_slice(head.bytes());
        self.out.extend_from_slice(record.value.unwrap_or_default());
        self.out.extend_from_slice(record.headers.unwrap_or(&[0]));
        self.max_timestamp = self.max_timestamp.max(time);
        self.count += 1;
    }

    /// Compresses the records and fills in the header, but for base offset and seal.
    pub fn finish(self, options: &EncodeOptions, last_offset_delta: i32) -> BatchInfo {
        let mut attributes = 0;
        if options.compression != Compression::None {
            let plain = self.out.split_off(self.start + HEADER_LEN);
            let compressed = options.compression.compress(options.level, &plain, self.out);
            match compressed {
                // Records that don't shrink are cheaper to read as they are.
                Ok(()) if self.out.len() - self.start - HEADER_LEN < plain.len() => {
                    attributes |= options.compression.code();
                }
                _ => {
                    self.out.truncate(self.start + HEADER_LEN);
                    self.out.extend_from_slice(&plain);
                }
            }
        }
        if options.append_time.is_some() {
            attributes |= ATTRIBUTE_APPEND_TIME;
        }
        let batch = &mut self.out[self.start..];
        let size = batch.len();
        batch[8..12].copy_from_slice(&((size - UNCOUNTED) as i32).to_be_bytes());
        batch[MAGIC_AT] = 2;
        batch[21..23].copy_from_slice(&attributes.to_be_bytes());
        batch[23..27].copy_from_slice(&last_offset_delta.to_be_bytes());
        batch[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        batch[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        // Producer id, producer epoch and base sequence: none.
        batch[43..57].fill(0xff);
        batch[57..61].copy_from_slice(&(self.count as i32).to_be_bytes());
        let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
        batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
        BatchInfo { size, offsets: i64::from(last_offset_delta) + 1, max_timestamp: self.max_timestamp }
    }
}

/// The small fields before a part, put together on the stack.
struct Head {
    buffer: [u8; 48],
    len: usize,
}

impl Default for Head {
    fn default() -> Self {
        Head { buffer: [0; 48], len: 0 }
    }
}

impl Head {
    fn byte(&mut self, byte: u8) {
        self.buffer[self.len] = byte;
        self.len += 1;
    }

    fn varint(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        while rest >= 0x80 {
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8);
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

/// Bytes of a zigzag varint.
fn varint_len(value: i64) -> usize {
    let bits = 64 - (((value << 1) ^ (value >> 63)) as u64 | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

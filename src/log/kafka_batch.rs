//! Kafka's record batch, version 2: records to bytes and back. Shared by the embedded log, whose segments are such
//! batches one after another, and by whatever speaks Kafka's protocol.
//!
//! Kafka's CRC-32C doesn't cover the first 21 bytes of a batch (base offset, length, partition leader epoch, magic and
//! the CRC itself), because a broker may rewrite them. A log that is its own only leader has no use for the epoch:
//! [`seal`] puts a checksum of the other four fields there, so that each bit of a stored batch is covered by one
//! checksum or the other. A network listener sends 0 in its place.
//!
//! Doesn't know files, topics or offsets other than those in the batch.

mod batches;
mod compression;
mod decode;
mod encode;

pub use batches::{Batches, Written};
pub use compression::Compression;
pub use decode::{Decoder, decode_batch};
pub use encode::{BatchInfo, BatchWriter, EncodeOptions, encode, record_bytes};

/// Bytes before the records.
pub const HEADER_LEN: usize = 61;
/// Bytes that the length field doesn't count: the base offset and the length itself.
const UNCOUNTED: usize = 12;
const EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
/// From here on the CRC covers.
const ATTRIBUTES_AT: usize = 21;

const ATTRIBUTE_COMPRESSION: i16 = 0x07;
const ATTRIBUTE_APPEND_TIME: i16 = 0x08;
const ATTRIBUTE_CONTROL: i16 = 0x20;

/// The header of a batch, its fields in range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub size: usize,
    /// The partition leader epoch, or the checksum that [`seal`] puts there.
    pub epoch: u32,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub count: i32,
}

impl BatchHeader {
    /// Reads a header off the front of `bytes`. The error says which field can't be.
    pub fn read(bytes: &[u8]) -> Result<BatchHeader, &'static str> {
        let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else { return Err("a batch header is cut off") };
        if bytes[MAGIC_AT] != 2 {
            return Err("not a record batch of version 2");
        }
        let length = i32_at(bytes, 8);
        let header = BatchHeader {
            base_offset: i64_at(bytes, 0),
            size: usize::try_from(length).map_err(|_| "negative batch length")? + UNCOUNTED,
            epoch: i32_at(bytes, EPOCH_AT) as u32,
            crc: i32_at(bytes, CRC_AT) as u32,
            attributes: i16::from_be_bytes([bytes[21], bytes[22]]),
            last_offset_delta: i32_at(bytes, 23),
            base_timestamp: i64_at(bytes, 27),
            max_timestamp: i64_at(bytes, 35),
            count: i32_at(bytes, 57),
        };
        if header.size < HEADER_LEN {
            return Err("batch length below that of its header");
        }
        if header.count < 0 || header.last_offset_delta < 0 || header.base_offset < 0 {
            return Err("negative count or offset in a batch header");
        }
        if header.base_offset.checked_add(i64::from(header.last_offset_delta) + 1).is_none() {
            return Err("offsets of a batch out of range");
        }
        Ok(header)
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta) + 1
    }

    /// All records bear `max_timestamp`, the time of their append.
    pub fn is_append_time(&self) -> bool {
        self.attributes & ATTRIBUTE_APPEND_TIME != 0
    }

    /// Holds a transaction's marker, no records.
    pub fn is_control(&self) -> bool {
        self.attributes & ATTRIBUTE_CONTROL != 0
    }

    pub fn compression(&self) -> Result<Compression, &'static str> {
        Compression::from_code(self.attributes & ATTRIBUTE_COMPRESSION).ok_or("unknown compression of a batch")
    }

    /// Checks the seal over the fields that Kafka's CRC leaves out.
    pub fn check_seal(&self) -> Result<(), &'static str> {
        let length = (self.size - UNCOUNTED) as i32;
        match seal_of(self.base_offset, length, self.crc) == self.epoch {
            true => Ok(()),
            false => Err("wrong checksum of a batch header"),
        }
    }

    /// Checks Kafka's CRC over `batch`, which begins with this header and has `size` bytes.
    pub fn check_crc(&self, batch: &[u8]) -> Result<(), &'static str> {
        match crc32c::crc32c(&batch[ATTRIBUTES_AT..self.size]) == self.crc {
            true => Ok(()),
            false => Err("wrong checksum of a batch"),
        }
    }
}

/// Gives an encoded batch its base offset, and the seal over the fields that Kafka's CRC leaves out.
pub fn seal(batch: &mut [u8], base_offset: i64) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    let checksum = seal_of(base_offset, i32_at(batch, 8), i32_at(batch, CRC_AT) as u32);
    batch[EPOCH_AT..EPOCH_AT + 4].copy_from_slice(&checksum.to_be_bytes());
}

fn seal_of(base_offset: i64, length: i32, crc: u32) -> u32 {
    let mut fields = [0; 17];
    fields[..8].copy_from_slice(&base_offset.to_be_bytes());
    fields[8..12].copy_from_slice(&length.to_be_bytes());
    fields[12] = 2;
    fields[13..].copy_from_slice(&crc.to_be_bytes());
    crc32c::crc32c(&fields)
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    (i64::from(i32_at(bytes, at)) << 32) | i64::from(i32_at(bytes, at + 4) as u32)
}

#[cfg(test)]
mod tests;

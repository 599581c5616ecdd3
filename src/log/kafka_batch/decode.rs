//! Batches to records: spans into the buffer that holds the batch.

use super::{BatchHeader, Compression, HEADER_LEN};
use crate::log::{RecordMeta, Records, Span};

/// A batch that claims to be larger than this when decompressed is refused.
const PLAIN_BYTES_MAX: usize = 1 << 30;

const CUT: &str = "a record that reaches beyond its batch";
const MALFORMED: &str = "a record that doesn't parse";

/// Buffers that decoding reuses from batch to batch.
#[derive(Debug, Default)]
pub struct Decoder {
    plain: Vec<u8>,
}

/// Adds the records of the batch at `at` of `into.data` whose offset is at least `from` and below `below`. The batch is
/// whole and its checksums were checked. Compressed records are decompressed to the end of `into.data`.
pub fn decode_batch(
    decoder: &mut Decoder,
    into: &mut Records,
    at: usize,
    header: &BatchHeader,
    offsets: std::ops::Range<i64>,
) -> Result<(), &'static str> {
    if header.is_control() {
        return Ok(());
    }
    let body = at + HEADER_LEN..at + header.size;
    let compression = header.compression()?;
    if compression == Compression::None {
        return decode_records(&into.data[body.clone()], body.start, header, offsets, &mut into.meta);
    }
    decoder.plain.clear();
    compression.decompress(&into.data[body], &mut decoder.plain, PLAIN_BYTES_MAX)?;
    let start = into.data.len();
    if start + decoder.plain.len() > u32::MAX as usize {
        return Err("more records than fit into one fetch");
    }
    into.data.extend_from_slice(&decoder.plain);
    decode_records(&decoder.plain, start, header, offsets, &mut into.meta)
}

/// Parses the records in `bytes`, which lie at `start` of the buffer that the spans refer to.
fn decode_records(
    bytes: &[u8],
    start: usize,
    header: &BatchHeader,
    offsets: std::ops::Range<i64>,
    meta: &mut Vec<RecordMeta>,
) -> Result<(), &'static str> {
    // Seven bytes is the least that a record takes: the count can't make us reserve more than the batch justifies.
    meta.reserve((header.count as usize).min(bytes.len() / 7 + 1));
    let append_time = header.is_append_time();
    let mut at = 0;
    let mut lowest_delta = 0;
    for _ in 0..header.count {
        let (mut record, delta, end) = decode_record(bytes, at, header)?;
        if delta < lowest_delta || delta > i64::from(header.last_offset_delta) {
            return Err("offsets of a batch not in order");
        }
        lowest_delta = delta + 1;
        at = end;
        if !offsets.contains(&record.offset) {
            continue;
        }
        if append_time {
            record.timestamp = header.max_timestamp;
        }
        for span in [&mut record.key, &mut record.value, &mut record.headers] {
            span.start += if span.is_null() { 0 } else { start as u32 };
        }
        meta.push(record);
    }
    match at == bytes.len() {
        true => Ok(()),
        false => Err("bytes after the last record of a batch"),
    }
}

/// The record at `at`, its offset delta, and where it ends. Spans are relative to `bytes`.
#[inline]
fn decode_record(bytes: &[u8], at: usize, header: &BatchHeader) -> Result<(RecordMeta, i64, usize), &'static str> {
    let mut at = at;
    let length = varint(bytes, &mut at).ok_or(CUT)?;
    let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length)).ok_or(MALFORMED)?;
    let bytes = bytes.get(..end).ok_or(CUT)?;
    at += 1; // The record's attributes: none are defined.
    let time_delta = varint(bytes, &mut at).ok_or(CUT)?;
    let delta = varint(bytes, &mut at).ok_or(CUT)?;
    let key = part(bytes, &mut at)?;
    let value = part(bytes, &mut at)?;
    let headers = match bytes.get(at..) {
        Some([0]) => Span::NULL,
        Some([]) | None => return Err(CUT),
        Some(rest) => Span { start: at as u32, len: rest.len() as i32 },
    };
    let timestamp = header.base_timestamp.wrapping_add(time_delta);
    let offset = header.base_offset.wrapping_add(delta);
    Ok((RecordMeta { offset, timestamp, key, value, headers }, delta, end))
}

/// A length and that many bytes.
#[inline]
fn part(bytes: &[u8], at: &mut usize) -> Result<Span, &'static str> {
    let len = varint(bytes, at).ok_or(CUT)?;
    if len < 0 {
        return Ok(Span::NULL);
    }
    let start = *at;
    if len as u64 > (bytes.len() - start) as u64 {
        return Err(CUT);
    }
    *at = start + len as usize;
    Ok(Span { start: start as u32, len: len as i32 })
}

/// A zigzag varint at `at`, which moves behind it.
#[inline]
fn varint(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(i64::from(first >> 1) ^ -i64::from(first & 1));
    }
    // Lengths and offsets mostly have two bytes.
    let second = *bytes.get(*at + 1)?;
    if second < 0x80 {
        *at += 2;
        let word = i64::from(first & 0x7f) | i64::from(second) << 7;
        return Some((word >> 1) ^ -(word & 1));
    }
    long_varint(bytes, at)
}

#[inline(never)]
fn long_varint(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let mut rest = &bytes[*at..];
    let before = rest.len();
    let value = crate::log::records::take_varint(&mut rest)?;
    *at += before - rest.len();
    Some(value)
}

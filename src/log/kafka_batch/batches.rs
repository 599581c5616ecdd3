//! Records encoded as they come, one pass from their makers to the bytes of the segment.

use super::encode::{Cursor, RECORDS_MAX, VARINT_MAX, compress, finish, varint_len};
use super::{BatchHeader, BatchInfo, Decoder, EncodeOptions, HEADER_LEN, decode_batch};
use crate::appender::Appender;
use crate::log::{LogError, Records, Span};

/// Records in the batches that [`encode`](super::encode) makes of the same records, byte for byte.
///
/// Behind the length of a record and of its value lies what they are the lengths of, and that is written first: room is left for
/// as many bytes as those lengths had in the record before. Where they have others, what was written is moved.
#[derive(Debug)]
pub struct Batches {
    options: EncodeOptions,
    /// Whole batches and the open one; what is behind `end` is scratch.
    bytes: Vec<u8>,
    end: usize,
    whole: Vec<BatchInfo>,
    open: Option<Open>,
    records: usize,
    oldest: Option<i64>,
    any_keyless: bool,
    any_too_large: bool,
    /// Bytes of the lengths of a record and of its value.
    length_width: usize,
    value_width: usize,
}

/// The batch that takes records.
#[derive(Debug, Clone, Copy)]
struct Open {
    start: usize,
    base_timestamp: i64,
    max_timestamp: i64,
    count: u32,
}

/// What was made of a record's value.
#[derive(Debug, PartialEq, Eq)]
pub enum Written<T> {
    /// It was appended.
    Bytes,
    /// It is null; nothing was appended.
    Null,
    /// There is to be no record.
    Failed(T),
}

impl Batches {
    /// `memory`: its bytes are written over. Errors of records that are larger than allowed come when they are appended.
    pub(crate) fn new(options: EncodeOptions, memory: Vec<u8>) -> Batches {
        Batches {
            options,
            bytes: memory,
            end: 0,
            whole: Vec::new(),
            open: None,
            records: 0,
            oldest: None,
            any_keyless: false,
            any_too_large: false,
            length_width: 1,
            value_width: 1,
        }
    }

    /// Number of records.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.end
    }

    /// The least timestamp of the records, ms; None without records.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.oldest
    }

    /// Whether a record has no key.
    pub(crate) fn any_keyless(&self) -> bool {
        self.any_keyless
    }

    /// Whether a record is larger than the options allow.
    pub(crate) fn any_too_large(&self) -> bool {
        self.any_too_large
    }

    pub(crate) fn options(&self) -> &EncodeOptions {
        &self.options
    }

    /// Adds a record. `headers` are in Kafka's encoding; none of them is empty.
    pub(crate) fn put(&mut self, time: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[u8]) {
        let span = key.map_or(Span::NULL, |key| Span { start: 0, len: key.len() as i32 });
        self.record::<()>(time, (key.unwrap_or_default(), span), headers, |out| match value {
            Some(value) => {
                out.bytes(value);
                Written::Bytes
            }
            None => Written::Null,
        });
    }

    /// Adds a record without headers, whose value `write` appends; gives why it failed. The key is a part of `keys`.
    #[inline(always)]
    pub(crate) fn write<T>(
        &mut self,
        time: i64,
        keys: &[u8],
        key: Span,
        write: impl FnOnce(&mut Appender) -> Written<T>,
    ) -> Option<T> {
        self.record(time, (keys, key), &[], write)
    }

    #[inline(always)]
    fn record<T>(
        &mut self,
        time: i64,
        (keys, key): (&[u8], Span),
        headers: &[u8],
        write: impl FnOnce(&mut Appender) -> Written<T>,
    ) -> Option<T> {
        let (base_timestamp, count) = self.open_for(time);
        let (start, length_width, value_width) = (self.end, self.length_width, self.value_width);
        let mut out = Appender::at(&mut self.bytes, start);
        let key_len = key.len.max(0) as usize;
        let mut to = Cursor { room: out.room(5 * VARINT_MAX + key_len), at: length_width };
        to.byte(0);
        to.varint(time.wrapping_sub(base_timestamp));
        to.varint(i64::from(count));
        to.part(keys, key);
        let at = to.at + value_width;
        out.advance(at);
        let mut value_start = start + at;
        let value_len = match write(&mut out) {
            Written::Bytes => (out.len() - value_start) as i64,
            Written::Null => -1,
            Written::Failed(reason) => {
                // The bytes that were written become scratch.
                out.stop();
                self.forget_empty();
                return Some(reason);
            }
        };
        let width = varint_len(value_len);
        if width != value_width {
            out.shift(value_start, value_start - value_width + width);
            value_start = value_start - value_width + width;
            self.value_width = width;
        }
        Cursor { room: out.from(value_start - width), at: 0 }.varint(value_len);
        match headers.is_empty() {
            true => out.byte(0),
            false => out.bytes(headers),
        }
        let length = out.len() - start - length_width;
        let width = varint_len(length as i64);
        if width != length_width {
            out.shift(start + length_width, start + width);
            value_start = value_start - length_width + width;
            self.length_width = width;
        }
        Cursor { room: out.from(start), at: 0 }.varint(length as i64);
        self.end = out.stop();
        let bytes = HEADER_LEN + width + length;
        let is_full = |open: &Open| start - open.start + bytes > self.options.batch_len_max();
        if count > 0 && self.open.as_ref().is_some_and(is_full) {
            self.end = start;
            let value = (value_len >= 0).then(|| self.bytes[value_start..value_start + value_len as usize].to_vec());
            let key = (!key.is_null()).then(|| &keys[key.start as usize..key.start as usize + key_len]);
            self.begin_with(time, key, value.as_deref(), headers);
            return None;
        }
        self.any_too_large |= count == 0 && bytes > self.options.record_bytes_max;
        self.any_keyless |= key.is_null();
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        self.records += 1;
        if let Some(open) = &mut self.open {
            open.max_timestamp = open.max_timestamp.max(time);
            open.count += 1;
        }
        None
    }

    /// A record that the batch has no more room for begins another.
    #[cold]
    #[inline(never)]
    fn begin_with(&mut self, time: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[u8]) {
        self.close();
        self.put(time, key, value, headers);
    }

    /// Sees to an open batch for another record; gives its base timestamp and how many records it has. (The whole of it at once
    /// would have to wait until what the last record has changed of it is all in the cache.)
    #[inline(always)]
    fn open_for(&mut self, time: i64) -> (i64, u32) {
        match &self.open {
            Some(open) if open.count < RECORDS_MAX => (open.base_timestamp, open.count),
            _ => self.begin(time),
        }
    }

    #[cold]
    #[inline(never)]
    fn begin(&mut self, time: i64) -> (i64, u32) {
        self.close();
        let start = self.end;
        let mut out = Appender::at(&mut self.bytes, start);
        out.bytes(&[0; HEADER_LEN]);
        self.end = out.stop();
        self.open = Some(Open { start, base_timestamp: time, max_timestamp: i64::MIN, count: 0 });
        (time, 0)
    }

    /// Takes a batch back that has no record.
    #[cold]
    fn forget_empty(&mut self) {
        if let Some(Open { start, count: 0, .. }) = self.open {
            (self.end, self.open) = (start, None);
        }
    }

    /// Ends the open batch.
    fn close(&mut self) {
        let Some(Open { start, base_timestamp, max_timestamp, count }) = self.open.take() else { return };
        let mut out = Appender::at(&mut self.bytes, self.end);
        let info = |out: &mut Vec<u8>, attributes: i16, end: usize| {
            finish(&mut out[start..end], attributes, (base_timestamp, max_timestamp), count, count as i32 - 1)
        };
        self.whole.push(match self.options.compression {
            // The scratch behind it stays.
            super::Compression::None => {
                let end = out.len();
                info(out.all(), 0, end)
            }
            _ => out.with_vec(|out| {
                let attributes = compress(&self.options, start + HEADER_LEN, out);
                let end = out.len();
                info(out, attributes, end)
            }),
        });
        self.end = out.stop();
    }

    /// Ends the open batch and takes all out: the bytes, and what the batches are.
    pub(crate) fn take(&mut self) -> (Vec<u8>, Vec<BatchInfo>) {
        self.close();
        let mut empty = Batches::new(self.options, Vec::new());
        std::mem::swap(self, &mut empty);
        empty.bytes.truncate(empty.end);
        (empty.bytes, empty.whole)
    }

    /// Takes all out as records.
    ///
    /// Errors: what was written can't be read, which is a defect.
    pub(crate) fn take_records(&mut self) -> Result<Records, LogError> {
        let (data, batches) = self.take();
        let mut records = Records { data, ..Records::default() };
        let (mut decoder, mut at) = (Decoder::default(), 0);
        for batch in batches {
            let header = BatchHeader::read(&records.data[at..]);
            let read = header.and_then(|header| decode_batch(&mut decoder, &mut records, at, &header, 0..i64::MAX));
            read.map_err(|reason| LogError::Invalid(format!("internal error: records that were just made: {reason}")))?;
            at += batch.size;
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::kafka_batch::{Compression, encode};
    use crate::log::{Header, RecordMeta};

    fn options(random: &mut fastrand::Rng) -> EncodeOptions {
        EncodeOptions {
            compression: [Compression::None, Compression::None, Compression::Lz4][random.usize(0..3)],
            level: None,
            batch_bytes: [HEADER_LEN, 100, 700, 20_000, 1 << 20][random.usize(0..5)],
            record_bytes_max: 1 << 20,
            append_time: None,
        }
    }

    fn bytes(random: &mut fastrand::Rng) -> Option<Vec<u8>> {
        let len = match random.u8(0..12) {
            0 => return None,
            1 => 0,
            2 => random.usize(0..20_000),
            // Lengths of one byte and of two.
            3..6 => random.usize(55..70),
            _ => random.usize(0..90),
        };
        Some((0..len).map(|_| random.u8(..)).collect())
    }

    /// Writes a record of which only the value is still to be made, in a memory that has something in it.
    fn write(batches: &mut Batches, time: i64, key: Option<&[u8]>, value: Option<&[u8]>, fails: bool) {
        let keys = [b"other", key.unwrap_or_default(), &[7; 40]].concat();
        let span = key.map_or(Span::NULL, |key| Span { start: 5, len: key.len() as i32 });
        let failed = batches.write(time, &keys, span, |out| {
            let Some(value) = value else { return Written::Null };
            out.bytes(value);
            if fails { Written::Failed("no record") } else { Written::Bytes }
        });
        assert_eq!(failed, fails.then_some("no record").filter(|_| value.is_some()));
    }

    /// Against records that are encoded one by one when all are there.
    #[test]
    fn the_bytes_are_those_of_the_records() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut memory = Vec::new();
        for _ in 0..300 {
            let options = options(&mut random);
            let mut batches = Batches::new(options, memory);
            let mut records = Records::default();
            let records_max = if random.u8(0..20) == 0 { 2000 } else { 60 };
            for _ in 0..random.usize(0..records_max) {
                let bits = random.u8(3..40);
                let time = random.i64(-5..1 << bits);
                let (key, value) = (bytes(&mut random), bytes(&mut random));
                let (key, value) = (key.as_deref(), value.as_deref());
                match random.u8(0..10) {
                    0 => {
                        let header = Header { key: "name".to_owned(), value: bytes(&mut random) };
                        records.push_with_headers(key, value, time, &[header]);
                        let headers = records.bytes(records.meta[records.len() - 1].headers).unwrap();
                        batches.put(time, key, value, headers);
                    }
                    1 => {
                        records.push(key, value, time);
                        batches.put(time, key, value, &[]);
                    }
                    2 => {
                        let value = value.or(Some(b"half a value"));
                        write(&mut batches, time - 1, key, value, true);
                    }
                    _ => {
                        records.push(key, value, time);
                        write(&mut batches, time, key, value, false);
                    }
                }
            }
            let (mut expected, mut infos) = (Vec::new(), Vec::new());
            encode(&records, &options, &mut expected, &mut infos).unwrap();
            assert_eq!(batches.records(), records.len());
            assert_eq!(batches.oldest(), records.meta.iter().map(|meta| meta.timestamp).min());
            assert_eq!(batches.any_keyless(), records.meta.iter().any(|meta| meta.key.is_null()));
            assert!(!batches.any_too_large());
            if random.u8(0..4) == 0 {
                assert_same(&batches.take_records().unwrap(), &records);
                (memory, _) = batches.take();
                continue;
            }
            let (bytes, found) = batches.take();
            assert_eq!(found, infos);
            assert_eq!(bytes, expected);
            memory = bytes;
        }
    }

    fn assert_same(found: &Records, expected: &Records) {
        assert_eq!(found.len(), expected.len());
        let parts = |records: &Records, RecordMeta { timestamp, key, value, headers, .. }: &RecordMeta| {
            let [key, value, headers] = [key, value, headers].map(|part| records.bytes(*part).map(<[u8]>::to_vec));
            (*timestamp, key, value, headers)
        };
        for (one, other) in found.meta.iter().zip(&expected.meta) {
            assert_eq!(parts(found, one), parts(expected, other));
        }
    }

    #[test]
    fn a_batch_has_so_many_records_and_no_more() {
        let mut random = fastrand::Rng::with_seed(4);
        let options = EncodeOptions { compression: Compression::None, batch_bytes: 1 << 20, ..options(&mut random) };
        let (mut batches, mut records) = (Batches::new(options, Vec::new()), Records::default());
        for row in 0..i64::from(RECORDS_MAX) + 5 {
            records.push(None, None, row);
            write(&mut batches, row, None, None, false);
        }
        let (mut expected, mut infos) = (Vec::new(), Vec::new());
        encode(&records, &options, &mut expected, &mut infos).unwrap();
        assert_eq!(batches.take(), (expected, infos));
    }

    #[test]
    fn a_record_that_is_too_large_is_told_of() {
        let mut random = fastrand::Rng::with_seed(5);
        let options = EncodeOptions { batch_bytes: 100, record_bytes_max: 161, ..options(&mut random) };
        // The header has 61 bytes, what is beside the value 9.
        for (len, too_large) in [(91, false), (92, true)] {
            let mut batches = Batches::new(options, Vec::new());
            batches.put(0, None, Some(b"small"), &[]);
            batches.put(0, None, Some(&vec![0; len]), &[]);
            let mut records = Records::default();
            records.push(None, Some(&vec![0; len]), 0);
            assert_eq!(encode(&records, &options, &mut Vec::new(), &mut Vec::new()).is_err(), too_large, "{len}");
            assert_eq!(batches.any_too_large(), too_large, "{len}");
        }
    }
}

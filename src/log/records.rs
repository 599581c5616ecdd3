//! Records of one partition as the data path moves them: one buffer of bytes, and per record where its parts lie.

/// A part of a [`Records`]' buffer; `len` -1 is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte in the buffer.
    pub start: u32,
    /// Number of bytes; -1 for null.
    pub len: i32,
}

impl Span {
    /// No part: a null key or value, no headers.
    pub const NULL: Span = Span { start: 0, len: -1 };

    /// Whether it stands for null.
    pub fn is_null(self) -> bool {
        self.len < 0
    }
}

/// One record: offset, row time in ms, and its parts in the buffer.
/// `headers` holds Kafka's encoding of the headers (varint count, then per header varint-prefixed key and value);
/// null stands for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordMeta {
    /// Its number in the partition; ignored when records are appended.
    pub offset: i64,
    /// Row time, ms since 1970 UTC.
    pub timestamp: i64,
    /// The key's bytes.
    pub key: Span,
    /// The value's bytes.
    pub value: Span,
    /// The headers' bytes.
    pub headers: Span,
}

/// One header of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name; several headers may have the same.
    pub key: String,
    /// Its bytes; None for null.
    pub value: Option<Vec<u8>>,
}

/// Records of one partition: fetched from a log or to be appended to one. Reused from fetch to fetch.
#[derive(Debug, Default, Clone)]
pub struct Records {
    /// Bytes of keys, values and headers.
    pub data: Vec<u8>,
    /// The records in order.
    pub meta: Vec<RecordMeta>,
    /// After a fetch: the offset to go on from.
    pub next_offset: i64,
    /// Something that would have begun beyond 4 GiB of the buffer, or had more than 2 GiB, was left out. No log takes such
    /// records.
    pub overflowed: bool,
}

impl Records {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.meta.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.meta.is_empty()
    }

    /// Takes all records out; the memory stays.
    pub fn clear(&mut self) {
        self.data.clear();
        self.meta.clear();
        self.overflowed = false;
    }

    /// The bytes of a part; `None` for null.
    pub fn bytes(&self, span: Span) -> Option<&[u8]> {
        (!span.is_null()).then(|| &self.data[span.start as usize..span.start as usize + span.len as usize])
    }

    /// The key of a record; None for null.
    pub fn key(&self, row: usize) -> Option<&[u8]> {
        self.bytes(self.meta[row].key)
    }

    /// The value of a record; None for null.
    pub fn value(&self, row: usize) -> Option<&[u8]> {
        self.bytes(self.meta[row].value)
    }

    /// Copies a part into the buffer.
    pub fn put(&mut self, bytes: Option<&[u8]>) -> Span {
        match bytes {
            None => Span::NULL,
            Some(bytes) => {
                let span = self.next_span(bytes.len());
                if !span.is_null() {
                    self.data.extend_from_slice(bytes);
                }
                span
            }
        }
    }

    /// Where the next `len` bytes will lie; null, and `overflowed`, when they can't be told of.
    fn next_span(&mut self, len: usize) -> Span {
        match (u32::try_from(self.data.len()), i32::try_from(len)) {
            (Ok(start), Ok(len)) => Span { start, len },
            _ => {
                self.overflowed = true;
                Span::NULL
            }
        }
    }

    /// Adds copies of other records behind these.
    pub fn append(&mut self, others: &Records) {
        let Some(shift) = u32::try_from(self.data.len() + others.data.len()).ok().map(|_| self.data.len() as u32)
        else {
            self.overflowed = true;
            return;
        };
        self.overflowed |= others.overflowed;
        let moved = |span: Span| if span.is_null() { span } else { Span { start: span.start + shift, ..span } };
        self.data.extend_from_slice(&others.data);
        self.meta.extend(others.meta.iter().map(|meta| RecordMeta {
            key: moved(meta.key),
            value: moved(meta.value),
            headers: moved(meta.headers),
            ..*meta
        }));
    }

    /// Adds one record without headers.
    pub fn push(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, timestamp: i64) {
        self.push_with_headers(key, value, timestamp, &[]);
    }

    /// Adds one record.
    pub fn push_with_headers(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, timestamp: i64, headers: &[Header]) {
        let key = self.put(key);
        let value = self.put(value);
        let headers = self.put_headers(headers);
        self.meta.push(RecordMeta { offset: 0, timestamp, key, value, headers });
    }

    pub(crate) fn put_headers(&mut self, headers: &[Header]) -> Span {
        if headers.is_empty() {
            return Span::NULL;
        }
        let start = self.data.len();
        put_varint(&mut self.data, headers.len() as i64);
        for header in headers {
            put_varint(&mut self.data, header.key.len() as i64);
            self.data.extend_from_slice(header.key.as_bytes());
            match &header.value {
                None => put_varint(&mut self.data, -1),
                Some(value) => {
                    put_varint(&mut self.data, value.len() as i64);
                    self.data.extend_from_slice(value);
                }
            }
        }
        let len = self.data.len() - start;
        match (u32::try_from(start), i32::try_from(len)) {
            (Ok(start), Ok(len)) => Span { start, len },
            _ => {
                self.data.truncate(start);
                self.overflowed = true;
                Span::NULL
            }
        }
    }

    /// The headers of a record, in order.
    pub fn headers(&self, row: usize) -> Vec<Header> {
        let Some(mut bytes) = self.bytes(self.meta[row].headers) else { return Vec::new() };
        let mut headers = Vec::new();
        let Some(count) = take_varint(&mut bytes) else { return headers };
        for _ in 0..count {
            let Some(Some(key)) = take_bytes(&mut bytes) else { break };
            let Some(value) = take_bytes(&mut bytes) else { break };
            headers.push(Header { key: String::from_utf8_lossy(key).into_owned(), value: value.map(<[u8]>::to_vec) });
        }
        headers
    }
}

impl Records {
    /// Whether the headers of a record are in Kafka's encoding from the first byte to the last.
    pub(crate) fn headers_well_formed(&self, row: usize) -> bool {
        let Some(mut bytes) = self.bytes(self.meta[row].headers).filter(|bytes| !bytes.is_empty()) else { return true };
        let Some(count) = take_varint(&mut bytes).filter(|count| *count >= 0) else { return false };
        let all =
            (0..count).all(|_| matches!(take_bytes(&mut bytes), Some(Some(_))) && take_bytes(&mut bytes).is_some());
        all && bytes.is_empty()
    }
}

/// Kafka's signed (zigzag) varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Takes a varint off the front; `None` when it is cut off or longer than 64 bits.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// Takes a varint length and that many bytes off the front; `Some(None)` for a length of -1.
fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let len = take_varint(bytes)?;
    if len < 0 {
        return Some(None);
    }
    let (head, rest) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
    *bytes = rest;
    Some(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told() {
        // Zeroed pages that nobody touches: no memory is taken.
        let mut records = Records { data: vec![0; u32::MAX as usize], ..Records::default() };
        assert_eq!(records.put(Some(b"last")), Span { start: u32::MAX, len: 4 });
        assert!(!records.overflowed);
        assert!(records.put(Some(b"beyond")).is_null() && records.overflowed);
        records.overflowed = false;
        records.push_with_headers(None, None, 0, &[Header { key: "h".to_owned(), value: None }]);
        assert!(records.meta[0].headers.is_null() && records.overflowed);
        records.overflowed = false;
        let mut one = Records::default();
        one.push(None, Some(b"v"), 0);
        records.append(&one);
        assert!(records.overflowed && records.len() == 1);
        records.clear();
        assert!(!records.overflowed);
    }
}

//! Records as bytes, for the bodies of fetch, append and commit.
//!
//! Records: count (u32), next offset (i64), then per record offset (i64), timestamp (i64) and the lengths of key, value
//! and headers (i32 each, -1 for null); then the bytes of all parts, record by record in that order. A head before
//! such bodies: its length (u32), then JSON. All numbers are little-endian.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::log::{RecordMeta, Records, Span};

const HEAD_BYTES: usize = 12;
const META_BYTES: usize = 28;

/// The bytes that [`write_records`] adds.
pub fn records_bytes(records: &Records) -> usize {
    let parts = |meta: &RecordMeta| [meta.key, meta.value, meta.headers].map(|span| span.len.max(0) as usize);
    HEAD_BYTES + records.meta.iter().map(|meta| META_BYTES + parts(meta).iter().sum::<usize>()).sum::<usize>()
}

/// Adds records to `out`. Parts that lie in no record aren't written.
pub fn write_records(records: &Records, out: &mut Vec<u8>) {
    out.reserve(records_bytes(records));
    out.extend_from_slice(&(records.meta.len() as u32).to_le_bytes());
    out.extend_from_slice(&records.next_offset.to_le_bytes());
    for meta in &records.meta {
        out.extend_from_slice(&meta.offset.to_le_bytes());
        out.extend_from_slice(&meta.timestamp.to_le_bytes());
        for span in [meta.key, meta.value, meta.headers] {
            out.extend_from_slice(&span.len.max(-1).to_le_bytes());
        }
    }
    for meta in &records.meta {
        for span in [meta.key, meta.value, meta.headers] {
            out.extend_from_slice(records.bytes(span).unwrap_or_default());
        }
    }
}

/// Takes records off the front of `bytes` and replaces the content of `into` by them; `None` when they are cut off.
pub fn take_records(bytes: &mut &[u8], into: &mut Records) -> Option<()> {
    into.clear();
    let count = u32::from_le_bytes(take(bytes)?) as usize;
    into.next_offset = i64::from_le_bytes(take(bytes)?);
    let (mut metas, rest) = bytes.split_at_checked(count.checked_mul(META_BYTES)?)?;
    into.meta.reserve(count);
    let mut end = 0;
    while !metas.is_empty() {
        let offset = i64::from_le_bytes(take(&mut metas)?);
        let timestamp = i64::from_le_bytes(take(&mut metas)?);
        let key = take_span(&mut metas, &mut end)?;
        let value = take_span(&mut metas, &mut end)?;
        let headers = take_span(&mut metas, &mut end)?;
        into.meta.push(RecordMeta { offset, timestamp, key, value, headers });
    }
    let (data, rest) = rest.split_at_checked(end as usize)?;
    into.data.extend_from_slice(data);
    *bytes = rest;
    Some(())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// A span of the next length, from `end` on, which moves behind it.
fn take_span(bytes: &mut &[u8], end: &mut u32) -> Option<Span> {
    let len = i32::from_le_bytes(take(bytes)?);
    if len < 0 {
        return (len == -1).then_some(Span::NULL);
    }
    let start = *end;
    *end = end.checked_add(len as u32)?;
    Some(Span { start, len })
}

/// A body that begins with a head.
pub fn with_head(head: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = vec![0; 4];
    serde_json::to_writer(&mut out, head)?;
    let bytes = (out.len() - 4) as u32;
    out[..4].copy_from_slice(&bytes.to_le_bytes());
    Ok(out)
}

/// Takes a head off the front of `bytes`; `None` when it isn't one.
pub fn take_head<T: DeserializeOwned>(bytes: &mut &[u8]) -> Option<T> {
    let len = u32::from_le_bytes(take(bytes)?) as usize;
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    serde_json::from_slice(head).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Header;
    use proptest::prelude::*;

    type Parts = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Header>);

    fn parts(records: &Records) -> Vec<Parts> {
        let part = |row: usize| {
            let meta = records.meta[row];
            let key = records.key(row).map(<[u8]>::to_vec);
            let value = records.value(row).map(<[u8]>::to_vec);
            (meta.offset, meta.timestamp, key, value, records.headers(row))
        };
        (0..records.len()).map(part).collect()
    }

    fn some_parts() -> impl Strategy<Value = Vec<Parts>> {
        let header = (any::<String>(), any::<Option<Vec<u8>>>()).prop_map(|(key, value)| Header { key, value });
        let record = (
            any::<i64>(),
            any::<i64>(),
            any::<Option<Vec<u8>>>(),
            any::<Option<Vec<u8>>>(),
            prop::collection::vec(header, 0..3),
        );
        prop::collection::vec(record, 0..6)
    }

    proptest! {
        #[test]
        fn records_survive_and_cuts_are_found(wanted in some_parts(), next in any::<i64>(), cut in any::<prop::sample::Index>()) {
            let mut records = Records { data: b"garbage".to_vec(), next_offset: next, ..Records::default() };
            for (offset, timestamp, key, value, headers) in &wanted {
                records.push_with_headers(key.as_deref(), value.as_deref(), *timestamp, headers);
                records.meta.last_mut().unwrap().offset = *offset;
            }
            let mut bytes = Vec::new();
            write_records(&records, &mut bytes);
            prop_assert_eq!(bytes.len(), records_bytes(&records));

            let mut back = Records::default();
            back.push(Some(b"old"), None, 1);
            let mut rest = bytes.as_slice();
            prop_assert!(take_records(&mut rest, &mut back).is_some());
            prop_assert!(rest.is_empty());
            prop_assert_eq!(back.next_offset, next);
            prop_assert_eq!(parts(&back), wanted);

            let mut short = &bytes[..cut.index(bytes.len())];
            prop_assert!(take_records(&mut short, &mut back).is_none());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let mut records = Records::default();
            if take_records(&mut bytes.as_slice(), &mut records).is_some() {
                parts(&records);
            }
            let _: Option<String> = take_head(&mut bytes.as_slice());
        }
    }
}

//! Against bytes put together by hand from the description of the format.

use super::encode::TooLarge;
use super::*;
use crate::log::{Header, RecordMeta, Records, Span};

const PLAIN: EncodeOptions = EncodeOptions {
    compression: Compression::None,
    level: None,
    batch_bytes: 1 << 20,
    record_bytes_max: 1 << 20,
    append_time: None,
};

/// The records of `sample`, byte by byte; lengths and deltas are zigzag varints: 1 is 2, -1 is 1, 64 is 0x80 0x01.
fn sample_body() -> Vec<u8> {
    let mut body = Vec::new();
    // 9 bytes: attributes, time +0, offset +0, key "k", value "vv", no headers.
    body.extend([18, 0, 0, 0, 2, b'k', 4, b'v', b'v', 0]);
    // Null key, null value, 1 ms earlier; one header h = null.
    body.extend([18, 0, 1, 2, 1, 1, 2, 2, b'h', 1]);
    // 64 ms later; empty key, value of 64 bytes. 1 + 2 + 1 + 1 + 2 + 64 + 1 = 72 bytes.
    body.extend([0x90, 0x01, 0, 0x80, 0x01, 4, 0, 0x80, 0x01]);
    body.extend([7; 64]);
    body.push(0);
    body
}

fn sample() -> Records {
    let mut records = Records::default();
    records.push(Some(b"k"), Some(b"vv"), 1000);
    records.push_with_headers(None, None, 999, &[Header { key: "h".to_owned(), value: None }]);
    records.push(Some(b""), Some(&[7; 64]), 1064);
    records
}

fn sample_batch(base_offset: i64) -> Vec<u8> {
    let body = sample_body();
    let mut covered = Vec::new();
    covered.extend(0_i16.to_be_bytes()); // attributes
    covered.extend(2_i32.to_be_bytes()); // last offset delta
    covered.extend(1000_i64.to_be_bytes()); // base timestamp
    covered.extend(1064_i64.to_be_bytes()); // max timestamp
    covered.extend((-1_i64).to_be_bytes()); // producer id
    covered.extend((-1_i16).to_be_bytes()); // producer epoch
    covered.extend((-1_i32).to_be_bytes()); // base sequence
    covered.extend(3_i32.to_be_bytes()); // records
    covered.extend(&body);
    let crc = bitwise_crc32c(&covered);
    let length = (covered.len() + 9) as i32;
    let mut sealed = Vec::new();
    sealed.extend(base_offset.to_be_bytes());
    sealed.extend(length.to_be_bytes());
    sealed.push(2);
    sealed.extend(crc.to_be_bytes());
    let mut batch = Vec::new();
    batch.extend(base_offset.to_be_bytes());
    batch.extend(length.to_be_bytes());
    batch.extend(bitwise_crc32c(&sealed).to_be_bytes()); // leader epoch
    batch.push(2); // magic
    batch.extend(crc.to_be_bytes());
    batch.extend(covered);
    batch
}

/// CRC-32C by its definition: the reversed polynomial 0x82f63b78, a bit at a time.
fn bitwise_crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

fn encoded(records: &Records, options: &EncodeOptions) -> (Vec<u8>, Vec<BatchInfo>) {
    let (mut bytes, mut batches) = (Vec::new(), Vec::new());
    encode(records, options, &mut bytes, &mut batches).unwrap();
    (bytes, batches)
}

/// Decodes batches one after another, as a reader of a segment does.
fn decoded(bytes: &[u8]) -> Result<Records, &'static str> {
    let mut records = Records { data: bytes.to_vec(), ..Records::default() };
    let (mut at, mut decoder) = (0, Decoder::default());
    while at < bytes.len() {
        let header = BatchHeader::read(&bytes[at..])?;
        let batch = bytes.get(at..at + header.size).ok_or("cut")?;
        header.check_seal()?;
        header.check_crc(batch)?;
        decode_batch(&mut decoder, &mut records, at, &header, 0..i64::MAX)?;
        at += header.size;
    }
    Ok(records)
}

type Parts = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Header>);

fn parts(records: &Records) -> Vec<Parts> {
    let part = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
    let row = |i: usize| {
        let RecordMeta { offset, timestamp, .. } = records.meta[i];
        (offset, timestamp, part(records.key(i)), part(records.value(i)), records.headers(i))
    };
    (0..records.len()).map(row).collect()
}

#[test]
fn the_bytes_are_kafkas() {
    let (mut bytes, batches) = encoded(&sample(), &PLAIN);
    seal(&mut bytes, 70_000);
    assert_eq!(bytes, sample_batch(70_000));
    assert_eq!(batches, [BatchInfo { size: bytes.len(), offsets: 3, max_timestamp: 1064 }]);
}

#[test]
fn kafkas_bytes_are_read() {
    let records = decoded(&sample_batch(5)).unwrap();
    let mut expected = sample();
    (0..3).for_each(|i| expected.meta[i].offset = 5 + i as i64);
    assert_eq!(parts(&records), parts(&expected));
    // In place: the spans lie in the batch itself.
    assert_eq!(records.data.len(), sample_batch(5).len());
}

#[test]
fn every_flipped_bit_is_found() {
    let batch = sample_batch(5);
    for bit in 0..batch.len() * 8 {
        let mut damaged = batch.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(decoded(&damaged).is_err(), "bit {bit}");
    }
    for len in 1..batch.len() {
        assert!(decoded(&batch[..len]).is_err(), "{len}");
    }
}

/// What has the right checksums and is still nonsense: an error, never a panic, never a span outside.
#[test]
fn nonsense_with_good_checksums_is_refused() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let mut batch = sample_batch(5);
        for _ in 0..random.usize(1..4) {
            let at = random.usize(21..batch.len());
            batch[at] = random.u8(..);
        }
        batch[22] &= !0x20;
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        seal(&mut batch, 5);
        if let Ok(records) = decoded(&batch) {
            parts(&records);
        }
    }
}

#[test]
fn compressed_batches_come_back() {
    let mut records = sample();
    (0..5000).for_each(|i| records.push(Some(&[1; 20]), Some(format!("value {i}").as_bytes()), i));
    let mut expected = records.clone();
    (0..expected.len()).for_each(|i| expected.meta[i].offset = i as i64);
    let (plain, _) = encoded(&records, &PLAIN);
    for code in 1..5 {
        let compression = Compression::from_code(code).unwrap();
        let (mut bytes, batches) = encoded(&records, &EncodeOptions { compression, ..PLAIN });
        assert_eq!(batches.len(), 1);
        assert!(bytes.len() < plain.len() / 3, "{compression:?} {}", bytes.len());
        assert_eq!(bytes[22], code as u8);
        seal(&mut bytes, 0);
        assert_eq!(parts(&decoded(&bytes).unwrap()), parts(&expected), "{compression:?}");
    }
}

#[test]
fn framings_are_those_that_kafkas_clients_read() {
    let mut records = Records::default();
    records.push(None, Some(&[0; 100_000]), 0);
    for (code, magic) in [
        (1, &[0x1f, 0x8b][..]),
        (2, &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1]),
        (3, &[0x04, 0x22, 0x4d, 0x18]),
        (4, &[0x28, 0xb5, 0x2f, 0xfd]),
    ] {
        let compression = Compression::from_code(code).unwrap();
        let (bytes, _) = encoded(&records, &EncodeOptions { compression, ..PLAIN });
        assert!(bytes[HEADER_LEN..].starts_with(magic), "{compression:?}");
    }
}

#[test]
fn batches_end_at_their_size_and_append_time_is_one_for_all() {
    let mut records = Records::default();
    (0..1000).for_each(|i| records.push(None, Some(&[9; 100]), i));
    let options = EncodeOptions { batch_bytes: 2000, append_time: Some(77), ..PLAIN };
    let (mut bytes, batches) = encoded(&records, &options);
    assert!(batches.len() >= 55 && batches.iter().all(|batch| batch.size <= 2000 + HEADER_LEN));
    assert_eq!(batches.iter().map(|batch| batch.offsets).sum::<i64>(), 1000);
    let (mut at, mut base) = (0, 0);
    for batch in &batches {
        seal(&mut bytes[at..at + batch.size], base);
        (at, base) = (at + batch.size, base + batch.offsets);
    }
    let back = decoded(&bytes).unwrap();
    assert!(back.meta.iter().enumerate().all(|(i, meta)| meta.offset == i as i64 && meta.timestamp == 77));
    let too_small = EncodeOptions { record_bytes_max: 150, ..PLAIN };
    let error = encode(&records, &too_small, &mut Vec::new(), &mut Vec::new()).unwrap_err();
    assert_eq!(error, TooLarge { bytes: 61 + 2 + 1 + 1 + 1 + 1 + 2 + 100 + 1 });
    assert_eq!(records.meta[0].key, Span::NULL);
}

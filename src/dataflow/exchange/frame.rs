//! Rows on their way through an internal topic: some rows of one partition in columns, as the value of one record.
//!
//! Format 1. Version (a byte), marks (a byte: which of the optional parts are there), number of rows and of columns
//! (LEB128), row times (8 bytes each, little-endian); then, where marked, window starts and ends (8 bytes each), where the
//! rows come from (the source's partition as LEB128, 8 bytes of offset each), the bits of tombstones, of null keys, of old
//! rows that are there; then the columns: a byte 0 for one that nobody reads, or 1 and the
//! cells (`state::codec`); then, where marked, the old rows' value columns the same way, and the headers as cells. The
//! format is for ever: a topic may hold frames of an earlier version.

use std::sync::Arc;

use arrow::buffer::ScalarBuffer;

use crate::dataflow::origin::Origin;
use crate::dataflow::{Batch, OldRows, WindowBounds};
use crate::log::TopicPartition;
use crate::state::codec::{put_len, take_array, take_len, take_slice};
use crate::state::columns::{put_bits, put_column, take_bits, take_column};
use crate::types::SqlType;

const VERSION: u8 = 1;

const WINDOW: u8 = 1;
const TOMBSTONE: u8 = 2;
const NULL_KEY: u8 = 4;
const OLD: u8 = 8;
const HEADERS: u8 = 16;
const ORIGIN: u8 = 32;

/// Rows of a frame: a damaged count must not make us reserve memory without end.
const ROWS_MAX: u64 = 1 << 24;

/// Appends the frame of all rows of a batch.
pub(super) fn write(batch: &Batch, out: &mut Vec<u8>) {
    let mark = |there: bool, mark: u8| if there { mark } else { 0 };
    let origin = batch.origin.places(batch.rows);
    out.push(VERSION);
    out.push(
        mark(batch.window.is_some(), WINDOW)
            | mark(batch.tombstone.is_some(), TOMBSTONE)
            | mark(batch.null_key.is_some(), NULL_KEY)
            | mark(batch.old.is_some(), OLD)
            | mark(batch.headers.is_some(), HEADERS)
            | mark(origin.is_some(), ORIGIN),
    );
    put_len(out, batch.rows as u64);
    put_len(out, batch.columns.len() as u64);
    put_times(&batch.row_time, out);
    if let Some(window) = &batch.window {
        put_times(&window.start, out);
        put_times(&window.end, out);
    }
    if let Some((place, offsets)) = origin {
        put_len(out, u64::from(place.partition));
        put_times(&offsets, out);
    }
    let old = batch.old.as_ref();
    for bits in [batch.tombstone.as_ref(), batch.null_key.as_ref(), old.map(|old| &old.present)].into_iter().flatten() {
        put_bits(bits.iter(), out);
    }
    batch.columns.iter().for_each(|column| put_column(column, out));
    if let Some(old) = old {
        old.columns.iter().for_each(|column| put_column(column, out));
    }
    if let Some(headers) = &batch.headers {
        put_column(headers, out);
    }
}

/// The rows of a frame whose columns are of these types, the first `keys` of them the key; they come from this topic. None:
/// it is no such frame.
pub(super) fn read(mut bytes: &[u8], source: &str, types: &[SqlType], keys: usize) -> Option<Batch> {
    let bytes = &mut bytes;
    if take_array(bytes) != Some([VERSION]) {
        return None;
    }
    let [marks] = take_array(bytes)?;
    let rows = take_len(bytes).filter(|rows| *rows <= ROWS_MAX)? as usize;
    if take_len(bytes)? as usize != types.len() || keys > types.len() {
        return None;
    }
    let row_time = take_times(bytes, rows)?;
    let window = match marks & WINDOW {
        0 => None,
        _ => Some(WindowBounds { start: take_times(bytes, rows)?, end: take_times(bytes, rows)? }),
    };
    let origin = match marks & ORIGIN {
        0 => Origin::default(),
        _ => {
            let partition = u32::try_from(take_len(bytes)?).ok()?;
            let place = TopicPartition { topic: source.to_owned(), partition };
            Origin::moved(Arc::new(place), take_times(bytes, rows)?.to_vec())
        }
    };
    let mut bits = |mark: u8| match marks & mark {
        0 => Some(None),
        _ => take_bits(bytes, rows).map(Some),
    };
    let (tombstone, null_key, present) = (bits(TOMBSTONE)?, bits(NULL_KEY)?, bits(OLD)?);
    let mut columns =
        |types: &[SqlType]| types.iter().map(|ty| take_column(bytes, ty, rows)).collect::<Option<Vec<_>>>();
    let all = columns(types)?;
    let old = match present {
        Some(present) => Some(OldRows { columns: columns(&types[keys..])?, present }),
        None => None,
    };
    let headers = match marks & HEADERS {
        0 => None,
        _ => Some(take_column(bytes, &SqlType::Bytes, rows)?),
    };
    let batch =
        Batch { rows, columns: all, keys, row_time, window, tombstone, null_key, old, headers, origin, order: None };
    bytes.is_empty().then_some(batch)
}

fn put_times(times: &[i64], out: &mut Vec<u8>) {
    times.iter().for_each(|time| out.extend_from_slice(&time.to_le_bytes()));
}

fn take_times(bytes: &mut &[u8], rows: usize) -> Option<ScalarBuffer<i64>> {
    let times = take_slice(bytes, rows * size_of::<i64>())?;
    let (times, _) = times.as_chunks::<8>();
    Some(times.iter().map(|time| i64::from_le_bytes(*time)).collect::<Vec<_>>().into())
}

#[cfg(test)]
pub(super) mod tests {
    use arrow::array::{Array, ArrayRef, BinaryArray, NullArray};
    use arrow::buffer::BooleanBuffer;

    use super::*;
    use crate::types::{Value, values_to_array};

    /// Rows with every kind of part there is; what is there is decided by chance.
    pub(in crate::dataflow::exchange) fn random_batch(
        random: &mut fastrand::Rng,
        rows: usize,
    ) -> (Batch, Vec<SqlType>) {
        let list = SqlType::Array(Box::new(SqlType::Int));
        let types = vec![
            SqlType::String,
            SqlType::Bigint,
            SqlType::Decimal { precision: 9, scale: 2 },
            SqlType::Struct(vec![("A".into(), list), ("B".into(), SqlType::Double)]),
            SqlType::Boolean,
        ];
        let text = |random: &mut fastrand::Rng| match random.u8(0..4) {
            0 => Value::Null,
            len => Value::String((0..len).map(|_| random.alphanumeric()).collect()),
        };
        let mut columns: Vec<ArrayRef> = vec![
            values_to_array(&(0..rows).map(|_| text(random)).collect::<Vec<_>>(), &types[0]),
            values_to_array(&(0..rows).map(|_| Value::Bigint(random.i64(..))).collect::<Vec<_>>(), &types[1]),
            values_to_array(&vec![Value::Null; rows], &types[2]),
            values_to_array(
                &(0..rows)
                    .map(|_| {
                        let items = (0..random.u8(0..3)).map(|_| Value::Int(random.i32(..))).collect();
                        let a = if random.bool() { Value::Array(items) } else { Value::Null };
                        Value::Struct(vec![("A".into(), a), ("B".into(), Value::Double(random.f64()))])
                    })
                    .collect::<Vec<_>>(),
                &types[3],
            ),
            values_to_array(&(0..rows).map(|_| Value::Boolean(random.bool())).collect::<Vec<_>>(), &types[4]),
        ];
        if random.bool() {
            columns[4] = Arc::new(NullArray::new(rows));
        }
        let mut bits =
            || -> Option<BooleanBuffer> { random.bool().then(|| BooleanBuffer::collect_bool(rows, |_| random.bool())) };
        let (tombstone, null_key, present) = (bits(), bits(), bits());
        let mut times = || -> ScalarBuffer<i64> { (0..rows).map(|_| random.i64(..)).collect::<Vec<_>>().into() };
        let row_time = times();
        let bounds = WindowBounds { start: times(), end: times() };
        let old = present.map(|present| OldRows { columns: columns[1..].to_vec(), present });
        let headers: Option<ArrayRef> = random.bool().then(|| {
            let cells: Vec<Option<&[u8]>> = (0..rows).map(|row| (row % 2 == 0).then_some(&b"h"[..])).collect();
            Arc::new(BinaryArray::from(cells)) as ArrayRef
        });
        let window = random.bool().then_some(bounds);
        let place = TopicPartition { topic: "t".to_owned(), partition: 300 };
        let origin = match random.bool() {
            true => Origin::moved(Arc::new(place), row_time.iter().map(|time| time >> 3).collect()),
            false => Origin::default(),
        };
        (
            Batch { rows, columns, keys: 1, row_time, window, tombstone, null_key, old, headers, origin, order: None },
            types,
        )
    }

    /// Fails unless both have the same rows with the same marks.
    pub(in crate::dataflow::exchange) fn assert_same(found: &Batch, expected: &Batch) {
        assert_eq!((found.rows, found.keys), (expected.rows, expected.keys));
        assert_eq!(found.columns, expected.columns);
        assert_eq!(found.row_time, expected.row_time);
        let bounds = |batch: &Batch| batch.window.as_ref().map(|window| (window.start.clone(), window.end.clone()));
        assert_eq!(bounds(found), bounds(expected));
        assert_eq!((&found.tombstone, &found.null_key), (&expected.tombstone, &expected.null_key));
        let old = |batch: &Batch| batch.old.as_ref().map(|old| (old.columns.clone(), old.present.clone()));
        assert_eq!(old(found), old(expected));
        assert_eq!(found.headers, expected.headers);
        assert_eq!(found.origin.places(found.rows), expected.origin.places(found.rows));
    }

    #[test]
    fn a_frame_gives_its_rows_back() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..200 {
            let rows = random.usize(0..20);
            let (batch, types) = random_batch(&mut random, rows);
            let mut frame = Vec::new();
            write(&batch, &mut frame);
            let back = read(&frame, "t", &types, batch.keys).expect("a good frame");
            assert_same(&back, &batch);
        }
    }

    /// Laid out by hand from the format's description.
    #[test]
    fn frames_are_laid_out_as_documented() {
        let types = [SqlType::Boolean, SqlType::Int];
        let columns: Vec<ArrayRef> = vec![
            values_to_array(&[Value::Boolean(true), Value::Null], &types[0]),
            values_to_array(&[Value::Int(7), Value::Int(-1)], &types[1]),
        ];
        let batch = Batch {
            rows: 2,
            columns,
            keys: 1,
            row_time: vec![1, -2].into(),
            window: None,
            tombstone: Some([false, true].into_iter().collect()),
            null_key: None,
            old: None,
            headers: None,
            origin: Origin::moved(Arc::new(TopicPartition { topic: "t".to_owned(), partition: 200 }), vec![5, 6]),
            order: None,
        };
        let mut frame = Vec::new();
        write(&batch, &mut frame);
        let mut expected = vec![1, 0b10_0010, 2, 2];
        expected.extend(1_i64.to_le_bytes());
        expected.extend((-2_i64).to_le_bytes());
        expected.extend([0xc8, 1]);
        expected.extend(5_i64.to_le_bytes());
        expected.extend(6_i64.to_le_bytes());
        expected.push(0b10);
        expected.extend([1, 1, 1, 0]);
        expected.extend([1, 1, 7, 0, 0, 0, 1, 255, 255, 255, 255]);
        assert_eq!(frame, expected);
    }

    /// Cut off anywhere it is refused; with any bit turned it is refused or gives rows that fit each other, never a panic.
    #[test]
    fn damage_is_no_panic() {
        let mut random = fastrand::Rng::with_seed(5);
        let (batch, types) = random_batch(&mut random, 5);
        let mut frame = Vec::new();
        write(&batch, &mut frame);
        for end in 0..frame.len() {
            assert!(read(&frame[..end], "t", &types, 1).is_none(), "cut at {end}");
        }
        for bit in 0..frame.len() * 8 {
            let mut turned = frame.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            if let Some(batch) = read(&turned, "t", &types, 1) {
                assert!(batch.columns.iter().all(|column| column.len() == batch.rows));
            }
        }
    }
}

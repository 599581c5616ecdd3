//! The changelog of tables in joins: its bytes, and bytes that are none of it.

use super::*;
use crate::state::snapshots::trial::pieces;

fn case() -> Case {
    Case {
        keys: KeyShape::Text,
        windowed: false,
        kind: JoinKind::Inner,
        method: || JoinMethod::TableTable,
        condition: None,
    }
}

fn event(side: usize, key: i64, value: Option<i64>) -> Event {
    Event { side, key: Some(key), window: 0, value: value.map(|v| (Some(v), "x".to_owned())), time: 5, place: 0 }
}

fn push(operator: &mut dyn JoinOperator, case: &Case, events: &[Event]) {
    let (mut out, mut context) = (Vec::new(), Context::default());
    operator.push(sides(case, events, true), &mut out, &mut context).unwrap();
}

/// The format is for ever: these bytes are from the first version.
#[test]
fn records_have_the_bytes_that_are_written_down() {
    let case = case();
    let mut operator = case.operator();
    push(&mut *operator, &case, &[event(0, 1, Some(3)), event(1, 2, Some(4)), event(1, 3, Some(4))]);
    // A row that came and went between two commits was never there.
    push(&mut *operator, &case, &[event(1, 3, None)]);
    let mut log = Records::default();
    operator.changes(&mut log).unwrap();
    let number = |number: u8| [&[1, number][..], &[0; 7]].concat();
    let value = |v: u8| [&[1, 5, 0, 0, 0, 0, 0, 0, 0][..], &number(v), &[2], &[1, 1, b'x']].concat();
    let records = |log: &Records| -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        (0..log.len()).map(|row| (log.key(row).unwrap().to_vec(), log.value(row).map(<[u8]>::to_vec))).collect()
    };
    let expected = vec![(b"\0\0k1".to_vec(), Some(value(3))), (b"\x01\0k2".to_vec(), Some(value(4)))];
    assert_eq!(records(&log), expected);
    // Only what changed since, and of a key only the last change.
    push(&mut *operator, &case, &[event(0, 1, Some(9)), event(1, 2, None)]);
    push(&mut *operator, &case, &[event(0, 1, Some(8))]);
    log.clear();
    operator.changes(&mut log).unwrap();
    assert_eq!(records(&log), vec![(b"\0\0k1".to_vec(), Some(value(8))), (b"\x01\0k2".to_vec(), None)]);
}

#[test]
fn a_key_with_window_has_its_bounds_behind() {
    let case = Case { windowed: true, ..case() };
    let mut operator = case.operator();
    push(&mut *operator, &case, &[Event { window: 10, ..event(0, 1, Some(3)) }]);
    let mut log = Records::default();
    operator.changes(&mut log).unwrap();
    let time = |time: u8| [&[1, time][..], &[0; 7]].concat();
    assert_eq!(log.key(0).unwrap(), [b"\0\x01\x01\x02k1".as_slice(), &time(10), &time(20)].concat());
}

#[test]
fn damaged_records_are_refused() {
    let case = case();
    let mut operator = case.operator();
    push(&mut *operator, &case, &[event(0, 1, Some(3)), event(1, 1, Some(4))]);
    let mut log = Records::default();
    operator.changes(&mut log).unwrap();
    let restore = |key: Option<&[u8]>, value: Option<&[u8]>| {
        let mut records = Records::default();
        records.push(key, value, 0);
        case.operator().restore(&records)
    };
    let (key, value) = (log.key(0).unwrap(), log.value(0).unwrap());
    restore(Some(key), Some(value)).unwrap();
    restore(Some(key), None).unwrap();
    assert!(restore(None, Some(value)).is_err());
    for end in 0..value.len() {
        assert!(restore(Some(key), Some(&value[..end])).is_err(), "cut at {end}");
    }
    assert!(restore(Some(key), Some(&[value, &[0]].concat())).is_err());
    for key in [&b""[..], b"\0", b"\x07\0k", b"\0\x02k", b"\0\0\xff", b"\0\x01k"] {
        assert!(restore(Some(key), Some(value)).is_err(), "{key:?}");
    }
    let newer = [&[9], &value[1..]].concat();
    let error = restore(Some(key), Some(&newer)).unwrap_err();
    assert!(error.to_string().contains("format 9"), "{error}");
    // Whatever bytes there are, nothing panics.
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..5000 {
        let (mut key, mut value) = (key.to_vec(), value.to_vec());
        for bytes in [&mut key, &mut value] {
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
        }
        let _ = restore(Some(&key), Some(&value));
    }
}

/// A piece has the changelog's records, each with its length before key and value: the format is for ever.
#[test]
fn pieces_have_the_records_and_nothing_else() {
    let case = case();
    let mut operator = case.operator();
    push(&mut *operator, &case, &[event(0, 1, Some(3)), event(1, 2, Some(4)), event(1, 3, Some(5))]);
    let mut log = Records::default();
    operator.changes(&mut log).unwrap();
    let record = |row: usize| -> Vec<u8> {
        let (key, value) = (log.key(row).unwrap(), log.value(row).unwrap());
        [&[key.len() as u8], key, &[value.len() as u8], value].concat()
    };
    let taken = pieces(operator.state().unwrap(), 1 << 20);
    assert_eq!(taken, [record(0), [record(1), record(2)].concat()]);
    assert_eq!(operator.state().unwrap().rows(), 3);
    let layout = "tables of a join 1: 0 by (STRING): (BIGINT, DOUBLE, STRING); 1 by (STRING): (BIGINT, DOUBLE, STRING)";
    assert_eq!(operator.state().unwrap().layout(), layout);
    let load = |piece: &[u8]| case.operator().state_mut().unwrap().load(piece);
    load(&taken[0]).unwrap();
    for end in 1..taken[0].len() {
        assert!(load(&taken[0][..end]).is_none(), "cut at {end}");
    }
    assert!(load(&[taken[0].as_slice(), &[0]].concat()).is_none());
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..2000 {
        let mut piece = taken[1].clone();
        let at = random.usize(0..piece.len());
        piece[at] = random.u8(..);
        // Whatever bytes there are, nothing panics.
        let _ = load(&piece);
    }
}

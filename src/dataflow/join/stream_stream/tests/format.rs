//! The changelog's bytes.

use super::*;
use crate::state::snapshots::trial::pieces;

/// Put together by hand from the description in `changelog`: they must never change.
#[test]
fn the_changelog_format_is_for_ever() {
    let case = Case { kind: JoinKind::Full, before: 0x10, after: 0x10, grace: Some(0x100), ..PLAIN };
    let (mut join, mut context, mut log) = (case.join(), Context::default(), Records::default());
    let rows = vec![row(Hand::Left, 7, 0x100, 1), row(Hand::Left, 8, 0xff, 2), row(Hand::Right, 8, 0x101, 3)];
    case.push(&mut join, &placed(rows), &mut context);
    join.changes(&mut log).unwrap();
    let number = |number: u8| [number, 0, 0, 0, 0, 0, 0, 0].to_vec();
    let left_key = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let left = [
        // Version, some are settled, two rows.
        vec![1, 1, 2],
        // Their keys have no windows.
        vec![3, 0, b'k', b'7', 3, 0, b'k', b'8'],
        // 0x100 and one less: 512 in two bytes, then 1.
        vec![0x80, 4, 1],
        // The second has a match.
        vec![0b10],
        vec![2],
        [vec![1, 1], number(1), vec![1], number(2)].concat(),
        vec![1, 1, 2, b't', b'1', 1, 2, b't', b'2'],
    ]
    .concat();
    assert_eq!((log.key(0).unwrap(), log.value(0).unwrap()), (&left_key[..], left.as_slice()));
    let right_key = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let right =
        [vec![1, 1, 1], vec![3, 0, b'k', b'8'], vec![0x82, 4], vec![1], vec![2], vec![1, 1], number(3), vec![0]]
            .concat();
    assert_eq!((log.key(1).unwrap(), log.value(1).unwrap()), (&right_key[..], right.as_slice()));
    let time = |time: i64| time.to_le_bytes().to_vec();
    let operator = [vec![1], time(0x101), time(0x100), time(0x101), number(2), number(1)].concat();
    assert_eq!((log.key(2).unwrap(), log.value(2).unwrap()), (&[0][..], operator.as_slice()));
    assert_eq!(log.len(), 3);
    // The other row finds its match later.
    log.clear();
    case.push(&mut join, &placed(vec![row(Hand::Right, 7, 0x100, 1)]), &mut context);
    join.changes(&mut log).unwrap();
    assert_eq!((log.key(0).unwrap(), log.value(0).unwrap()), (&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[1, 2, 0b11][..]));
    assert_eq!(log.key(1).unwrap(), [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(log.len(), 3);
    // All that was kept is gone.
    log.clear();
    let far = Hand::BOTH.map(|hand| row(hand, 9, 0x10000, 1)).to_vec();
    case.push(&mut join, &placed(far), &mut context);
    join.changes(&mut log).unwrap();
    let gone: Vec<&[u8]> =
        (0..log.len()).filter(|row| log.value(*row).is_none()).filter_map(|row| log.key(row)).collect();
    let right_2 = [1, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(gone, [&left_key[..], &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0], &right_key, &right_2]);
}

/// Rows with windows, and some that no record may hold together.
#[test]
fn large_rows_are_cut_into_records() {
    let case = Case { windowed: true, keys: KeyShape::Both, ..PLAIN };
    let (mut join, mut context, mut log) = (case.join(), Context::default(), Records::default());
    let long = Row { window: Some((1, 2)), ..row(Hand::Left, 1, 0, i64::MAX) };
    case.push(&mut join, &placed(vec![long; 20_000]), &mut context);
    join.changes(&mut log).unwrap();
    assert!(log.len() > 4, "{} records", log.len());
    assert!((0..log.len()).all(|row| log.value(row).unwrap().len() <= 256 << 10));
    let mut random = fastrand::Rng::with_seed(1);
    let (mut join, _) = restored(&case, &log, &Trial::default(), &mut random);
    let right = |window| Row { window: Some(window), ..row(Hand::Right, 1, 0, 1) };
    assert_eq!(case.push(&mut join, &placed(vec![right((1, 2))]), &mut context).len(), 20_000);
    assert_eq!(case.push(&mut join, &placed(vec![right((1, 3))]), &mut context).len(), 0);
}

/// Whatever is cut off or turned, it is an error or a state that works, never a panic.
#[test]
fn damage_is_no_panic() {
    let case = Case { kind: JoinKind::Full, grace: Some(100), keys: KeyShape::Both, windowed: true, ..PLAIN };
    let (mut join, mut context, mut log) = (case.join(), Context::default(), Records::default());
    let in_window = |row: Row| Row { window: Some((0, 9)), ..row };
    for round in 0..2 {
        let rows = (0..4).map(|at| in_window(row(Hand::BOTH[at as usize % 2], at / 2 + round, at, at))).collect();
        case.push(&mut join, &placed(rows), &mut context);
        join.changes(&mut log).unwrap();
    }
    let with = |at: usize, key: &[u8], value: Option<&[u8]>| {
        let mut records = Records::default();
        for row in 0..log.len() {
            match row == at {
                true => records.push(Some(key), value, 0),
                false => records.push(log.key(row), log.value(row), 0),
            }
        }
        records
    };
    let open = |records: &Records| -> Result<()> {
        let mut join = case.join();
        join.restore(records)?;
        let rows = placed(vec![in_window(row(Hand::Left, 1, 500, 1)), in_window(row(Hand::Right, 1, 1, 1))]);
        let sides = Sides { left: case.batch(Hand::Left, &rows), right: case.batch(Hand::Right, &rows) };
        let (mut out, mut context) = (Vec::new(), Context::default());
        join.push(sides, &mut out, &mut context)?;
        join.resume(&mut out, &mut context)?;
        join.changes(&mut Records::default())
    };
    open(&with(log.len(), &[], None)).unwrap();
    for at in 0..log.len() {
        let (key, value) = (log.key(at).unwrap(), log.value(at).unwrap());
        for end in 0..value.len() {
            assert!(open(&with(at, key, Some(&value[..end]))).is_err(), "record {at} cut at {end}");
        }
        for end in 0..key.len() {
            assert!(open(&with(at, &key[..end], Some(value))).is_err(), "key {at} cut at {end}");
        }
        let mut newer = value.to_vec();
        newer[0] = 9;
        let error = open(&with(at, key, Some(&newer))).unwrap_err();
        assert!(error.what.contains("format 9"), "{error}");
        for bit in 0..value.len() * 8 {
            let mut turned = value.to_vec();
            turned[bit / 8] ^= 1 << (bit % 8);
            let _ = open(&with(at, key, Some(&turned)));
        }
        for bit in 0..key.len() * 8 {
            let mut turned = key.to_vec();
            turned[bit / 8] ^= 1 << (bit % 8);
            let _ = open(&with(at, &turned, Some(value)));
        }
    }
    // Rows are missing between others, or behind them.
    let mut records = Records::default();
    (0..log.len()).filter(|row| *row != 0).for_each(|row| records.push(log.key(row), log.value(row), 0));
    open(&records).unwrap();
    let second = (0..log.len()).rfind(|row| log.key(*row).unwrap().starts_with(&[1, 0])).unwrap();
    assert!(open(&with(second, log.key(second).unwrap(), None)).is_err());
}

/// Pieces of a state of several blocks, some of whose rows have expired in a block that is still there.
#[test]
fn pieces_have_all_that_can_be_found() {
    let case = Case { kind: JoinKind::Full, grace: Some(10), ..PLAIN };
    let (mut join, mut context, mut log) = (case.join(), Context::default(), Records::default());
    for round in 0..40_i64 {
        let rows =
            (0..50).map(|at| row(Hand::BOTH[at % 2], at as i64 % 9, round * 3 + at as i64 / 10, round)).collect();
        case.push(&mut join, &placed(rows), &mut context);
        if round % 7 == 0 {
            join.changes(&mut log).unwrap();
        }
    }
    join.changes(&mut log).unwrap();
    let taken = pieces(&join, 100);
    assert!(taken.len() > 4, "{} pieces", taken.len());
    let (mut loaded, mut replayed) = (case.join(), case.join());
    taken.iter().for_each(|piece| loaded.load(piece).unwrap());
    replayed.restore(&log).unwrap();
    // Its state isn't made yet: there is nothing of which pieces could be taken.
    assert!(loaded.state().is_none());
    for at in 0..60 {
        let rows = placed(vec![row(Hand::BOTH[at % 2], at as i64 % 9, 90 + at as i64 / 2, at as i64)]);
        let expected = case.push(&mut join, &rows, &mut context);
        assert_eq!(case.push(&mut loaded, &rows, &mut Context::default()), expected);
        assert_eq!(case.push(&mut replayed, &rows, &mut Context::default()), expected);
    }
    assert_eq!(Pieces::rows(&loaded), Pieces::rows(&join));
    for piece in &taken {
        for end in 1..piece.len().min(200) {
            let _ = case.join().load(&piece[..end]);
        }
        assert!(case.join().load(&piece[..piece.len() - 1]).is_none());
    }
}

//! What the operator holds, and in which parts it gives what it makes.

use super::*;

/// Rows of one key that all meet each other come in bounded batches, in order.
#[test]
fn a_hot_key_comes_in_parts() {
    let case = Case { before: 10_000, after: 10_000, ..PLAIN };
    let mut join = case.join();
    join.made_rows = 1000;
    let mut context = Context::default();
    let left: Vec<Row> = (0..3000).map(|at| row(Hand::Left, 1, at, at)).collect();
    assert!(case.push(&mut join, &placed(left), &mut context).is_empty());
    let right = placed((0..5).map(|at| row(Hand::Right, 1, at, at)).collect());
    let (mut out, mut seen) = (Vec::new(), Vec::new());
    let sides = Sides { left: None, right: case.batch(Hand::Right, &right) };
    join.push(sides, &mut out, &mut context).unwrap();
    // A push that isn't done takes no other.
    let next = Sides { left: None, right: case.batch(Hand::Right, &right) };
    assert!(join.push(next, &mut Vec::new(), &mut context).is_err());
    while !out.is_empty() {
        assert_eq!(out.len(), 1);
        let batch = out.remove(0);
        assert!(batch.rows <= 1000);
        let of = |column: usize, row: usize| batch.columns[column].as_primitive::<Int64Type>().value(row);
        seen.extend((0..batch.rows).map(|row| (of(3, row), of(1, row))));
        join.resume(&mut out, &mut context).unwrap();
    }
    let expected: Vec<(i64, i64)> = (0..5).flat_map(|right| (0..3000).map(move |left| (right, left))).collect();
    assert_eq!(seen, expected);
}

/// Rows that wait and are all due at once come in bounded batches, too.
#[test]
fn rows_that_are_due_come_in_parts() {
    let case = Case { kind: JoinKind::Full, ..PLAIN };
    let mut join = case.join();
    join.made_rows = 7;
    let mut context = Context::default();
    let rows: Vec<Row> = (0..100).map(|at| row(Hand::BOTH[at as usize % 2], at, 0, at)).collect();
    assert!(case.push(&mut join, &placed(rows), &mut context).is_empty());
    let words = case.push(&mut join, &placed(vec![row(Hand::Left, 500, 1000, 1)]), &mut context);
    assert_eq!(words.len(), 100);
    assert!(words[..50].iter().all(|words| words.contains(",-,-,")), "the right side comes first: {words:?}");
}

/// Rows that can't be found any more are gone, with their keys, in memory and in the changelog.
#[test]
fn expired_rows_leave_nothing() {
    for grace in [Some(50), None] {
        for keys in [KeyShape::Text, KeyShape::Both] {
            let case = Case { grace, keys, kind: JoinKind::Full, ..PLAIN };
            let (mut join, mut context, mut log) = (case.join(), Context::default(), Records::default());
            let step = if grace.is_some() { 10 } else { 10_000_000 };
            let mut held = Vec::new();
            for round in 0..300_i64 {
                let rows =
                    (0..100).map(|at| row(Hand::BOTH[at % 2], round * 4 + at as i64 / 25, round * step, 1)).collect();
                case.push(&mut join, &placed(rows), &mut context);
                join.changes(&mut log).unwrap();
                held.push(join.state_bytes());
            }
            let most = held[50..].iter().max().unwrap();
            assert!(*most < 2 * held[50], "{case:?}: {} bytes became {most}", held[50]);
            let full = *most;
            // Both sides go far beyond all that is there.
            let rows = Hand::BOTH.map(|hand| row(hand, 1, 1 << 40, 1)).to_vec();
            case.push(&mut join, &placed(rows), &mut context);
            join.changes(&mut log).unwrap();
            assert!(join.state_bytes() < full / 2, "{case:?}: of {full} bytes {} are left", join.state_bytes());
            assert!(join.state.lists.iter().flatten().filter(|list| list.rest(0).next().is_some()).count() == 2);
            let mut last = HashMap::new();
            for row in 0..log.len() {
                last.insert(log.key(row), log.value(row).is_some());
            }
            // The rows of both sides that came last, and the operator's record.
            assert_eq!(last.values().filter(|there| **there).count(), 3, "{case:?}");
        }
    }
}

/// Rows that are too old when they come are not held.
#[test]
fn late_rows_are_not_held() {
    let (mut join, mut context) = (PLAIN.join(), Context::default());
    PLAIN.push(&mut join, &placed(vec![row(Hand::Left, 0, 1_000_000, 0)]), &mut context);
    let before = join.state_bytes();
    for round in 0..1000 {
        let rows = (0..100).map(|at| row(Hand::Left, 1 + round * 100 + at, at, at)).collect();
        PLAIN.push(&mut join, &placed(rows), &mut context);
    }
    assert_eq!(context.late, 100_000);
    assert!(context.errors[0].reason.contains("keeps rows for 20 ms"), "{}", context.errors[0].reason);
    assert!(join.state_bytes() < before + 300_000, "{before} became {}", join.state_bytes());
    join.changes(&mut Records::default()).unwrap();
    assert_eq!(join.state.sides[0].end(), 1);
}

/// How long a row is kept is a matter of its own side: the other one may be far ahead.
#[test]
fn a_side_that_lags_loses_no_row() {
    let case = Case { kind: JoinKind::Right, before: 60, after: 60, grace: Some(60), ..PLAIN };
    let (mut join, mut context) = (case.join(), Context::default());
    let rows = placed(vec![
        row(Hand::Left, 1, 1000, 1),
        row(Hand::Right, 2, 100, 2),
        // The left side is at 1000 and keeps nothing that is older than 820.
        row(Hand::Left, 3, 90, 3),
        row(Hand::Right, 3, 90, 4),
        row(Hand::Left, 2, 130, 5),
    ]);
    let words = case.push(&mut join, &rows, &mut context);
    assert_eq!(words, ["k2,-,-,2,- None at 100, of 2", "k3,-,-,4,- None at 90, of 4", "k2,5,t5,2,- None at 130, of 5"]);
    assert_eq!(context.late, 1);
}

/// What waits for the commit is counted about as large as it becomes.
#[test]
fn pending_bytes_are_those_of_the_records() {
    let case = Case { kind: JoinKind::Full, grace: Some(1000), ..PLAIN };
    let (mut join, mut context) = (case.join(), Context::default());
    assert_eq!(join.pending_bytes(), 0);
    for round in 0..20 {
        let rows = (0..500).map(|at| row(Hand::BOTH[at as usize % 2], at + round, round, at)).collect();
        case.push(&mut join, &placed(rows), &mut context);
        let mut log = Records::default();
        let pending = join.pending_bytes();
        join.changes(&mut log).unwrap();
        assert!((log.data.len() / 3..log.data.len() * 3).contains(&pending), "{pending} for {}", log.data.len());
        assert_eq!(join.pending_bytes(), 0);
        // Nothing came: nothing is written.
        join.changes(&mut log).unwrap();
    }
    let mut log = Records::default();
    join.changes(&mut log).unwrap();
    assert!(log.is_empty());
}

/// A side of which no row has come yet gives nulls of its types: only rows tell which columns nobody reads.
#[test]
fn a_side_without_rows_has_its_types() {
    use arrow::datatypes::DataType;
    let case = Case { kind: JoinKind::Left, grace: None, ..PLAIN };
    let (mut join, mut log) = (case.join(), Records::default());
    /// Takes a row in; the types of the right columns of what is made of it.
    fn push(case: Case, join: &mut StreamStreamJoin, row: Row) -> Vec<Vec<DataType>> {
        let (rows, mut out, mut context) = (placed(vec![row]), Vec::new(), Context::default());
        let sides = Sides { left: case.batch(Hand::Left, &rows), right: case.batch(Hand::Right, &rows) };
        join.push(sides, &mut out, &mut context).unwrap();
        while join.work.is_some() {
            join.resume(&mut out, &mut context).unwrap();
        }
        out.iter().map(|batch| batch.columns[3..].iter().map(|column| column.data_type().clone()).collect()).collect()
    }
    let typed = vec![vec![DataType::Int64, DataType::Int64]];
    assert_eq!(push(case, &mut join, row(Hand::Left, 1, 0, 0)), typed);
    push(case, &mut join, row(Hand::Right, 2, 0, 0));
    assert_eq!(push(case, &mut join, row(Hand::Left, 1, 0, 0)), [[DataType::Int64, DataType::Null]]);
    // No row of the right side is left: after a restart nothing tells which of its columns are read.
    join.state.sides[1].observed = 1 << 42;
    push(case, &mut join, row(Hand::Left, 1, 0, 0));
    join.changes(&mut log).unwrap();
    assert_eq!(join.state.sides[1].columns.len(), 0);
    let mut join = case.join();
    join.restore(&log).unwrap();
    assert_eq!(push(case, &mut join, row(Hand::Left, 1, 1 << 42, 0)), typed);
}

/// Places are needed where rows of both sides come, and only there.
#[test]
fn rows_of_one_side_need_no_places() {
    let (mut join, mut context, mut out) = (PLAIN.join(), Context::default(), Vec::new());
    let unplaced = |hand| {
        let batch = PLAIN.batch(hand, &[row(hand, 1, 5, 7)]).unwrap();
        Some(Batch { order: None, ..batch })
    };
    join.push(Sides { left: unplaced(Hand::Left), right: None }, &mut out, &mut context).unwrap();
    join.push(Sides { left: None, right: unplaced(Hand::Right) }, &mut out, &mut context).unwrap();
    assert_eq!((out.len(), out[0].rows), (1, 1));
    assert!(out[0].order.is_none());
    let both = Sides { left: unplaced(Hand::Left), right: unplaced(Hand::Right) };
    assert!(join.push(both, &mut out, &mut context).is_err());
}

/// By hand: `cargo test --release --lib stream_stream::tests::state::speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let mut random = fastrand::Rng::with_seed(1);
    for (name, kind, grace) in [
        ("inner", JoinKind::Inner, None),
        ("full, grace", JoinKind::Full, Some(1000)),
        ("full, at once", JoinKind::Full, None),
    ] {
        for keys in [100_000, 1000] {
            let case = Case { kind, grace, keys: KeyShape::Number, before: 1000, after: 1000, ..PLAIN };
            let (mut join, mut context, mut out) = (case.join(), Context::default(), Vec::new());
            let batches: Vec<(Option<Batch>, Option<Batch>)> = (0..200)
                .map(|round| {
                    let one = |at: i64| {
                        let hand = Hand::BOTH[random.usize(0..2)];
                        row(hand, random.i64(0..keys), round * 100 + at / 80, at)
                    };
                    let rows = placed((0..8000).map(one).collect());
                    (case.batch(Hand::Left, &rows), case.batch(Hand::Right, &rows))
                })
                .collect();
            let (mut made, start) = (0, crate::time::now());
            for (at, (left, right)) in batches.into_iter().enumerate() {
                join.push(Sides { left, right }, &mut out, &mut context).unwrap();
                while !out.is_empty() {
                    made += out.drain(..).map(|batch| batch.rows).sum::<usize>();
                    join.resume(&mut out, &mut context).unwrap();
                }
                if at % 20 == 19 {
                    join.changes(&mut Records::default()).unwrap();
                }
            }
            let took = start.elapsed().as_secs_f64();
            let rows = join.state.sides.iter().map(|side| side.columns.len()).sum::<usize>();
            println!(
                "{name}, {keys} keys: {:.1} M rows/s in, {:.1} M out, {} bytes a row of {rows}",
                1.6 / took,
                made as f64 / 1e6 / took,
                join.state_bytes() / rows.max(1)
            );
        }
    }
}

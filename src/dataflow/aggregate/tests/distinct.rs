//! Distinct rows against a plain set of those that came.

use std::collections::BTreeSet;

use super::*;

/// Two columns that make a row, and its time.
type Pair = (Option<i64>, Option<i64>, i64);

fn spec(window: Option<Window>) -> AggregateSpec {
    let key_types = vec![SqlType::String, SqlType::Bigint];
    AggregateSpec { key_types, calls: Vec::new(), window, emit_final: false, distinct: true, table_input: false }
}

fn pairs(rows: &[Pair]) -> Batch {
    let text = |row: &Pair| row.0.map(|key| format!("k{key}"));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(text).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
    ];
    Batch {
        rows: rows.len(),
        columns,
        keys: 2,
        row_time: rows.iter().map(|row| row.2).collect::<Vec<_>>().into(),
        window: None,
        tombstone: None,
        null_key: None,
        old: None,
        headers: None,
        origin: Origin::default(),
        order: None,
    }
}

fn shown(row: &Pair) -> String {
    let text = |number: Option<i64>, before: &str| number.map_or("null".to_owned(), |n| format!("{before}{n}"));
    format!("{},{} {}", text(row.0, "k"), text(row.1, ""), row.2)
}

/// The rows of which no one like it came before in its window, unless the window is closed.
fn expected(rows: &[Pair], window: Option<Window>) -> (Vec<String>, u64) {
    let (mut seen, mut out, mut late, mut stream_time) = (BTreeSet::new(), Vec::new(), 0, i64::MIN);
    for row in rows {
        stream_time = stream_time.max(row.2);
        let start = match window {
            Some(Window { kind: WindowKind::Tumbling { size_ms }, grace_ms, .. }) => {
                let start = row.2 / size_ms * size_ms;
                if start + size_ms + grace_ms <= stream_time {
                    late += 1;
                    continue;
                }
                start
            }
            _ => 0,
        };
        if seen.insert((start, row.0, row.1)) {
            out.push(shown(row));
        }
    }
    (out, late)
}

#[test]
fn each_row_comes_once() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let tumbling = WindowKind::Tumbling { size_ms: 10 };
        let window = random.bool().then(|| Window { kind: tumbling, grace_ms: random.i64(0..20), retention_ms: 40 });
        let mut time = 0;
        let rows: Vec<Pair> = (0..random.usize(1..120))
            .map(|_| {
                time += random.i64(0..4);
                let mut part = |n| (random.u8(0..4) > 0).then(|| random.i64(0..n));
                (part(4), part(3), (time - [0, 0, 15][random.usize(0..3)]).max(0))
            })
            .collect();
        let mut operator = Aggregate::new(spec(window)).unwrap();
        let mut context = Context { cache_bytes_max: CACHES[random.usize(0..4)], ..Context::default() };
        let (mut changelog, mut snapshots) = (Records::default(), Trial::default());
        let (mut out, mut seen) = (Vec::new(), Vec::new());
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(random.usize(1..=9).min(rest.len()));
            rest = later;
            operator.push(pairs(now), &mut out, &mut context).unwrap();
            if random.u8(0..3) == 0 {
                operator.flush(&mut out, &mut context).unwrap();
                operator.changes(&mut changelog).unwrap();
                snapshots.after_commit(&operator, changelog.len(), &mut random);
                let old = std::mem::replace(&mut operator, Aggregate::new(spec(window)).unwrap());
                let from = if random.bool() { snapshots.load(&mut operator) } else { 0 };
                let mut records = Records::default();
                for row in from..changelog.len() {
                    records.push(changelog.key(row), changelog.value(row), changelog.meta[row].timestamp);
                }
                operator.restore(&records).unwrap();
                assert_eq!(operator.len(), old.len(), "seed {seed}");
                snapshots.restart();
            }
            for batch in out.drain(..) {
                assert!(batch.old.is_none() && batch.tombstone.is_none());
                seen.extend(
                    (0..batch.rows).map(|row| format!("{} {}", words(batch.key_columns(), row), batch.row_time[row])),
                );
            }
        }
        let (expected, late) = expected(&rows, window);
        assert_eq!(seen, expected, "seed {seed}");
        assert_eq!(context.late, late, "seed {seed}");
        assert_eq!(context.bad, 0);
    }
}

/// A row that comes again changes nothing, so that it isn't written again.
#[test]
fn a_row_that_comes_again_is_not_written() {
    let mut operator = Aggregate::new(spec(None)).unwrap();
    let (mut context, mut out) = (Context::default(), Vec::new());
    let mut written = |operator: &mut Aggregate, rows: &[Pair]| {
        operator.push(pairs(rows), &mut out, &mut context).unwrap();
        let mut changelog = Records::default();
        operator.changes(&mut changelog).unwrap();
        changelog.len()
    };
    // The groups, and the operator's own record.
    assert_eq!(written(&mut operator, &[(Some(1), None, 1), (Some(2), None, 2), (Some(1), None, 3)]), 3);
    assert_eq!(written(&mut operator, &[(Some(1), None, 4), (Some(2), None, 5)]), 0);
}

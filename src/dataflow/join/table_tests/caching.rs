//! With caching: only the last change of each key goes on, with the row that was given before.

use std::collections::BTreeMap;

use super::*;

/// What somebody has who took all that was given: value and row time by key.
#[derive(Debug, Default, PartialEq)]
pub(in crate::dataflow::join) struct Downstream {
    rows: BTreeMap<String, (String, i64)>,
    /// How many changes came.
    changes: usize,
}

impl Downstream {
    /// Takes changes in; each must fit what came before.
    pub fn take(&mut self, out: &mut Vec<Batch>) {
        for change in read(out) {
            self.changes += 1;
            let before = match change.value {
                Some(value) => self.rows.insert(change.key.clone(), (value, change.time)),
                None => self.rows.remove(&change.key),
            };
            assert_eq!(before.map(|(value, _)| value), change.old, "{}", change.key);
        }
    }

    /// Compares with one who got every change.
    pub fn is_that_of(&self, each: &Downstream) {
        assert_eq!(self.rows, each.rows);
        assert!(self.changes <= each.changes);
    }

    pub fn is_less_than(&self, each: &Downstream) -> bool {
        self.changes < each.changes
    }
}

/// A cache that holds nothing, one that is full now and then, and one that takes all.
pub(in crate::dataflow::join) const CACHES: [usize; 3] = [1, 20_000, usize::MAX];

#[test]
fn the_last_changes_are_those_of_a_run_without_caching() {
    let mut seed = 0;
    let mut fewer = 0;
    for keys in KeyShape::ALL {
        for windowed in [false, true] {
            for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full] {
                for cache_bytes_max in CACHES {
                    seed += 1;
                    let condition = (kind != JoinKind::Full && seed % 2 == 0).then_some("LV < RV");
                    let case = Case { keys, windowed, kind, method: || JoinMethod::TableTable, condition };
                    fewer += usize::from(cached(&case, cache_bytes_max, seed));
                }
            }
        }
    }
    assert!(fewer > 40, "{fewer}");
}

/// Tells whether fewer changes were given than without caching.
fn cached(case: &Case, cache_bytes_max: usize, seed: u64) -> bool {
    let mut random = fastrand::Rng::with_seed(seed);
    let events = random_events(&mut random, case, 1500);
    let (mut each, mut cached, mut log) = (case.operator(), case.operator(), Records::default());
    let mut contexts = [Context::default(), Context { cache_bytes_max, ..Context::default() }];
    let (mut of_each, mut of_cached) = (Downstream::default(), Downstream::default());
    let (mut rest, mut out) = (events.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (rows, placed) = cut(&mut random, rest);
        let (now, later) = rest.split_at(rows);
        rest = later;
        each.push(sides(case, now, placed), &mut out, &mut contexts[0]).unwrap();
        of_each.take(&mut out);
        cached.push(sides(case, now, placed), &mut out, &mut contexts[1]).unwrap();
        // What a full cache gives stands where the rows do that came last.
        let last = now.last().map(|event| event.place);
        assert!(out.iter().all(|batch| batch.order.is_some() == placed));
        assert!(out.iter().filter_map(|batch| batch.order.as_ref()?.last().copied()).max() <= last);
        of_cached.take(&mut out);
        if cache_bytes_max == 1 {
            of_cached.is_that_of(&of_each);
        }
        if random.u8(0..10) == 0 {
            cached.flush(&mut out, &mut contexts[1]).unwrap();
            let mut keys: Vec<String> =
                out.iter().flat_map(|batch| (0..batch.rows).map(|row| key(batch, row))).collect();
            keys.sort_unstable();
            assert!(keys.windows(2).all(|two| two[0] != two[1]), "a key goes on once");
            of_cached.take(&mut out);
            of_cached.is_that_of(&of_each);
            cached.changes(&mut log).unwrap();
            assert_eq!(cached.pending_bytes(), 0);
            if random.u8(0..3) == 0 {
                cached = case.operator();
                restore_from(&mut *cached, &log, &Trial::default(), &mut random);
            }
        }
    }
    of_cached.is_less_than(&of_each)
}

fn key(batch: &Batch, row: usize) -> String {
    let window = batch.window.as_ref().map(|window| window.start[row]);
    format!("{} {window:?}", words(batch.key_columns(), row))
}

/// Rows that were replaced aren't held for long, whatever the cache takes.
#[test]
fn a_key_that_changes_often_takes_little() {
    let case = Case {
        keys: KeyShape::Number,
        windowed: false,
        kind: JoinKind::Left,
        method: || JoinMethod::TableTable,
        condition: None,
    };
    let mut operator = case.operator();
    let mut context = Context { cache_bytes_max: usize::MAX, ..Context::default() };
    let (mut out, mut most) = (Vec::new(), 0);
    for place in 0..8000 {
        let value = Some((Some(place as i64), "x".repeat(20)));
        let event = Event { side: 0, key: Some(place as i64 % 3), window: 0, value, time: place as i64, place };
        operator.push(sides(&case, &[event], true), &mut out, &mut context).unwrap();
        most = most.max(operator.state_bytes());
    }
    assert!(out.is_empty());
    assert!(most < 2 << 20, "{most} bytes for three keys");
    operator.flush(&mut out, &mut context).unwrap();
    let given = read(&mut out);
    assert_eq!(given.iter().map(|change| change.time).collect::<Vec<_>>(), [7998, 7999, 7997]);
}

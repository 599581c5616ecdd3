//! Two tables joined by their keys.

use std::collections::BTreeMap;

use super::*;

fn case(keys: KeyShape, windowed: bool, kind: JoinKind, condition: Option<&'static str>) -> Case {
    Case { keys, windowed, kind, method: || JoinMethod::TableTable, condition }
}

const KINDS: [JoinKind; 4] = [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full];

/// One key, a sequence of changes, and what each kind of join makes of each: the table of the language's reference.
#[test]
fn each_step_of_the_reference() {
    const STEPS: [(usize, Option<&str>, [&str; 4]); 10] = [
        (0, Some("A"), ["", "A null", "", "A null"]),
        (1, Some("a"), ["A a", "A a", "A a", "A a"]),
        (0, Some("B"), ["B a", "B a", "B a", "B a"]),
        (1, Some("b"), ["B b", "B b", "B b", "B b"]),
        (0, None, ["-", "-", "null b", "null b"]),
        (1, None, ["", "", "-", "-"]),
        (0, Some("C"), ["", "C null", "", "C null"]),
        (1, Some("c"), ["C c", "C c", "C c", "C c"]),
        (1, None, ["-", "C null", "-", "C null"]),
        (0, None, ["", "-", "", "-"]),
    ];
    for (at, kind) in KINDS.into_iter().enumerate() {
        let case = case(KeyShape::Text, false, kind, None);
        let (mut operator, mut context) = (case.operator(), Context::default());
        for (place, (side, text, expected)) in STEPS.into_iter().enumerate() {
            let value = text.map(|text| (None, text.to_owned()));
            let event = Event { side, key: Some(1), window: 0, value, time: place as i64, place: place as u64 };
            let mut out = Vec::new();
            operator.push(sides(&case, &[event], true), &mut out, &mut context).unwrap();
            let given: Vec<String> = read(&mut out)
                .into_iter()
                .map(|out| match out.value {
                    Some(value) => {
                        let cells: Vec<&str> = value.split(',').collect();
                        format!("{} {}", cells[2], cells[5])
                    }
                    None => "-".to_owned(),
                })
                .collect();
            assert_eq!(given.concat(), expected[at], "{kind:?}, step {place}");
        }
    }
}

#[test]
fn gives_what_a_walk_through_all_rows_gives() {
    let (mut seed, mut loaded) = (1000, 0);
    for keys in KeyShape::ALL {
        for windowed in [false, true] {
            for kind in KINDS {
                for condition in [None, Some("LV < RV")] {
                    if kind == JoinKind::Full && condition.is_some() {
                        continue;
                    }
                    for _ in 0..6 {
                        seed += 1;
                        loaded += against_the_walk(&case(keys, windowed, kind, condition), seed);
                    }
                }
            }
        }
    }
    assert!(loaded > 20, "{loaded} restarts were from snapshots");
}

type Value = (Option<i64>, String);

/// The sides' rows that make a key's result; none: there is none.
fn result(case: &Case, rows: &[Option<(Value, i64)>; 2]) -> Option<[Option<(Value, i64)>; 2]> {
    let [left, right] = rows;
    let matches = match (left, right) {
        (Some((left, _)), Some((right, _))) => {
            case.condition.is_none() || left.0.zip(right.0).is_some_and(|(left, right)| left < right)
        }
        _ => false,
    };
    match case.kind {
        _ if matches => Some(rows.clone()),
        JoinKind::Left | JoinKind::Full if left.is_some() => Some([left.clone(), None]),
        JoinKind::Right | JoinKind::Full if right.is_some() => Some([None, right.clone()]),
        _ => None,
    }
}

fn against_the_walk(case: &Case, seed: u64) -> usize {
    let mut tables: BTreeMap<String, [Option<(Value, i64)>; 2]> = BTreeMap::new();
    // What somebody has who took all that was given so far.
    let mut downstream: BTreeMap<String, String> = BTreeMap::new();
    check_against(case, seed, |event| {
        let Some(key) = case.key_words(event) else { return vec![] };
        let rows = tables.entry(key.clone()).or_default();
        if event.value.is_none() && rows[event.side].is_none() {
            return vec![];
        }
        let before = result(case, rows);
        let other = 1 - event.side;
        rows[event.side] = event.value.clone().map(|value| (value, event.time));
        let after = result(case, rows);
        let concerned =
            |result: &Option<[_; 2]>| result.as_ref().is_some_and(|r: &[Option<_>; 2]| r[event.side].is_some());
        if !concerned(&before) && !concerned(&after) {
            assert_eq!(before, after);
            return vec![];
        }
        let met = [&before, &after].into_iter().flatten().find_map(|result| result[other].as_ref());
        let time = met.map_or(event.time, |(_, time)| event.time.max(*time));
        let value = after.map(|[left, right]| {
            let value = |row: Option<(Value, i64)>| value_words(row.as_ref().map(|(value, _)| value));
            format!("{},{}", value(left), value(right))
        });
        let old = match &value {
            Some(value) => downstream.insert(key.clone(), value.clone()),
            None => downstream.remove(&key),
        };
        assert!(value.is_some() || old.is_some());
        vec![Out { key, value, old, time, place: Some(event.place) }]
    })
}

#[test]
fn a_full_join_has_no_condition_but_its_keys() {
    assert!(join(&case(KeyShape::Text, false, JoinKind::Full, Some("LV < RV")).plan()).is_err());
}

/// A table that changes for ever keeps what is current, no more.
#[test]
fn replaced_rows_are_dropped() {
    let case = case(KeyShape::Number, false, JoinKind::Inner, None);
    let (mut operator, mut context, mut log) = (case.operator(), Context::default(), Records::default());
    let mut bytes_max = 0;
    for round in 0..200_u64 {
        let event = |at: i64| Event {
            side: (at % 2) as usize,
            key: Some(at / 2 % 50),
            window: 0,
            value: Some((Some(at), format!("a text that takes some room, {round}"))),
            time: at,
            place: at as u64,
        };
        let events: Vec<Event> = (0..1000).map(event).collect();
        let mut out = Vec::new();
        operator.push(sides(&case, &events, true), &mut out, &mut context).unwrap();
        assert_eq!(out[0].rows, if round == 0 { 950 } else { 1000 });
        log.clear();
        operator.changes(&mut log).unwrap();
        assert_eq!(log.len(), 100);
        bytes_max = bytes_max.max(operator.state_bytes());
    }
    assert!(bytes_max < 4 << 20, "{bytes_max} bytes for 100 rows");
}

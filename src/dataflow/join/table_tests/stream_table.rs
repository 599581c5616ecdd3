//! A stream joined with a table.

use std::collections::BTreeMap;

use arrow::array::AsArray;

use super::*;

fn case(keys: KeyShape, windowed: bool, kind: JoinKind, condition: Option<&'static str>) -> Case {
    Case { keys, windowed, kind, method: || JoinMethod::StreamTable, condition }
}

/// LV < RV, where both are there.
fn less(left: &(Option<i64>, String), right: &(Option<i64>, String)) -> bool {
    left.0.zip(right.0).is_some_and(|(left, right)| left < right)
}

#[test]
fn gives_what_a_walk_through_all_rows_gives() {
    let (mut seed, mut loaded) = (0, 0);
    for keys in KeyShape::ALL {
        for windowed in [false, true] {
            for kind in [JoinKind::Inner, JoinKind::Left] {
                for condition in [None, Some("LV < RV")] {
                    for _ in 0..8 {
                        seed += 1;
                        loaded += against_the_walk(&case(keys, windowed, kind, condition), seed);
                    }
                }
            }
        }
    }
    assert!(loaded > 20, "{loaded} restarts were from snapshots");
}

fn against_the_walk(case: &Case, seed: u64) -> usize {
    let mut table = BTreeMap::new();
    check_against(case, seed, |event| {
        let Some(key) = case.key_words(event) else { return vec![] };
        if event.side == 1 {
            match &event.value {
                Some(value) => drop(table.insert(key, value.clone())),
                None => drop(table.remove(&key)),
            }
            return vec![];
        }
        let Some(left) = &event.value else { return vec![] };
        let right = table.get(&key).filter(|right| case.condition.is_none() || less(left, right));
        if right.is_none() && case.kind == JoinKind::Inner {
            return vec![];
        }
        let value = format!("{},{}", value_words(Some(left)), value_words(right));
        vec![Out { key, value: Some(value), old: None, time: event.time, place: Some(event.place) }]
    })
}

fn event(side: usize, key: i64, value: i64, place: u64) -> Event {
    let value = Some((Some(value), format!("v{value}")));
    Event { side, key: Some(key), window: 0, value, time: place as i64, place }
}

#[test]
fn headers_of_the_streams_row_go_on() {
    let case = case(KeyShape::Text, false, JoinKind::Inner, None);
    let events = [event(1, 7, 1, 1), event(0, 6, 2, 2), event(0, 7, 3, 3)];
    let (mut out, mut context) = (Vec::new(), Context::default());
    case.operator().push(sides(&case, &events, true), &mut out, &mut context).unwrap();
    let headers = out[0].headers.as_ref().unwrap();
    assert_eq!((out[0].rows, headers.as_binary::<i32>().value(0)), (1, 3_u64.to_be_bytes().as_slice()));
    // The column that nobody reads is none of the table's either.
    assert_eq!((out[0].columns[2].data_type(), out[0].columns[5].data_type()), (&DataType::Null, &DataType::Null));
}

#[test]
fn a_condition_that_fails_is_told() {
    let case = case(KeyShape::Number, false, JoinKind::Left, Some("LV / RV > 1"));
    let events = [event(1, 1, 0, 1), event(0, 1, 4, 2), event(0, 2, 4, 3)];
    let (mut out, mut context) = (Vec::new(), Context::default());
    case.operator().push(sides(&case, &events, true), &mut out, &mut context).unwrap();
    let values: Vec<_> = read(&mut out).into_iter().map(|out| out.value.unwrap()).collect();
    assert_eq!(values, ["4,null,v4,null,null,null", "4,null,v4,null,null,null"]);
    // The row without a partner has nothing that could fail.
    assert_eq!(context.errors.len(), 1, "{:?}", context.errors);
    assert_eq!(context.errors[0].row_time, Some(2));
}

/// A row of a window meets a row without; one without has no window to look for.
#[test]
fn rows_with_and_without_windows() {
    let plain = case(KeyShape::Text, false, JoinKind::Left, None);
    let windowed = case(KeyShape::Text, true, JoinKind::Left, None);
    let mut operator = plain.operator();
    let (mut out, mut context) = (Vec::new(), Context::default());
    // Also when there is no row of the table yet.
    operator.push(sides(&windowed, &[event(0, 1, 1, 1)], true), &mut out, &mut context).unwrap();
    operator.push(sides(&plain, &[event(1, 1, 2, 2)], true), &mut out, &mut context).unwrap();
    operator.push(sides(&windowed, &[event(0, 1, 3, 3)], true), &mut out, &mut context).unwrap();
    let rows: Vec<_> = read(&mut out).into_iter().map(|out| (out.key, out.value.unwrap())).collect();
    let expected = [("k1@0-10", "1,null,v1,null,null,null"), ("k1@0-10", "3,null,v3,2,null,v2")];
    assert_eq!(rows, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));

    let mut operator = plain.operator();
    operator.push(sides(&windowed, &[event(1, 1, 1, 1)], true), &mut out, &mut context).unwrap();
    assert!(operator.push(sides(&plain, &[event(0, 1, 1, 2)], true), &mut out, &mut context).is_err());
}

/// The second column that the rows are joined by is NULL: LEFT JOIN leaves them out, and says so.
#[test]
fn rows_that_are_left_out_are_told_of() {
    let keyless = Event { key: None, ..event(0, 1, 1, 2) };
    for (kind, told) in [(JoinKind::Inner, 0), (JoinKind::Left, 1)] {
        let case = case(KeyShape::Both, false, kind, None);
        let (mut out, mut context) = (Vec::new(), Context::default());
        let tombstone = Event { value: None, ..keyless.clone() };
        let events = [event(1, 1, 1, 1), keyless.clone(), tombstone, event(0, 1, 5, 3)];
        case.operator().push(sides(&case, &events, true), &mut out, &mut context).unwrap();
        assert_eq!(read(&mut out).len(), 1);
        assert_eq!((context.bad, context.errors.len()), (told, told as usize), "{kind:?}");
        assert!(context.errors.iter().all(|error| error.reason.contains("is NULL") && error.row_time == Some(2)));
    }
}

#[test]
fn only_inner_and_left() {
    for kind in [JoinKind::Right, JoinKind::Full] {
        assert!(join(&case(KeyShape::Text, false, kind, None).plan()).is_err());
    }
}

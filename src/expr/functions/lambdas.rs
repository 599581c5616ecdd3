//! Functions that take lambdas: TRANSFORM, FILTER, REDUCE.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::interleave;

use super::define::{BOOLEAN, STRING, T, U, array, lambda, map};
use super::lists::{Lists, MapEntry, Maps, map_range, range};
use super::{Function, ParamType, ScalarCall};
use crate::expr::eval::pick;
use crate::types::SqlType;

const CATEGORY: &str = "LAMBDA";
/// The type of REDUCE's state.
const S: ParamType = ParamType::Generic("S");

pub(super) fn entries() -> Vec<Function> {
    let (list, dictionary) = (array(T), map(T));
    let (list, dictionary) = (("array", &list, "an array"), ("map", &dictionary, "a map"));
    let state = ("state", &S, "the first state");
    vec![
        Function::scalar(
            "TRANSFORM",
            CATEGORY,
            "The collection with every element changed by a lambda; a map's keys by the first.",
        )
        .over(&[list, ("f", &lambda(&[T], U), "x => new element")], array(U), transform_array)
        .over(
            &[
                dictionary,
                ("key", &lambda(&[STRING, T], STRING), "(k, v) => new key"),
                ("value", &lambda(&[STRING, T], U), "(k, v) => new value"),
            ],
            map(U),
            transform_map,
        )
        .examples(&[
            ("TRANSFORM(ARRAY[1, 2], x => x * 2)", "[2, 4]"),
            ("TRANSFORM(MAP('a' := 1), (k, v) => UCASE(k), (k, v) => v + 1)", "{A=2}"),
        ]),
        Function::scalar("FILTER", CATEGORY, "The elements for which a lambda is true.")
            .over(&[list, ("f", &lambda(&[T], BOOLEAN), "x => whether it stays")], array(T), filter_array)
            .over(
                &[dictionary, ("f", &lambda(&[STRING, T], BOOLEAN), "(k, v) => whether it stays")],
                map(T),
                filter_map,
            )
            .examples(&[
                ("FILTER(ARRAY[1, 5, 2], x => x > 1)", "[5, 2]"),
                ("FILTER(MAP('a' := 1, 'b' := 2), (k, v) => v = 2)", "{b=2}"),
            ]),
        Function::scalar("REDUCE", CATEGORY, "The state after a lambda has taken in one element after another.")
            .nulls("NULL when the initial state is; the initial state when the collection is.")
            .over(&[list, state, ("f", &lambda(&[S, T], S), "(s, x) => next state")], S, reduce_array)
            .over(&[dictionary, state, ("f", &lambda(&[S, STRING, T], S), "(s, k, v) => next state")], S, reduce_map)
            .examples(&[("REDUCE(ARRAY[1, 2, 3], 10, (s, x) => s + x)", "16")]),
    ]
}

/// The entries of all rows that aren't NULL, one after another, and the row each belongs to.
struct Flat {
    entries: UInt32Array,
    rows: Vec<u32>,
}

impl Flat {
    fn new(count: usize, range: impl Fn(usize) -> Option<std::ops::Range<usize>>) -> Flat {
        let (mut entries, mut rows) = (Vec::new(), Vec::new());
        for row in 0..count {
            for entry in range(row).into_iter().flatten() {
                entries.push(entry as u32);
                rows.push(row as u32);
            }
        }
        Flat { entries: entries.into(), rows }
    }

    /// A lambda's value for every entry.
    fn apply(&self, call: &mut ScalarCall<'_>, which: usize, params: &[&ArrayRef]) -> ArrayRef {
        let params: Vec<ArrayRef> = params.iter().map(|param| pick(param, &self.entries)).collect();
        call.lambdas[which].evaluate(&params, &self.rows, self.rows.len(), call.errors)
    }
}

fn transform_array(call: &mut ScalarCall<'_>) -> ArrayRef {
    let list = call.list(0);
    let flat = Flat::new(call.rows, |row| range(list, row));
    let changed = flat.apply(call, 0, &[list.values()]);
    let mut out = Lists::default();
    let mut next = 0;
    for row in 0..call.rows {
        out.push(range(list, row).map(|entries| {
            let first = next;
            next += entries.len();
            (first..next).map(|entry| (0, entry))
        }));
    }
    out.finish(&[changed.as_ref()], call.returns)
}

fn transform_map(call: &mut ScalarCall<'_>) -> ArrayRef {
    let map = call.map(0);
    let flat = Flat::new(call.rows, |row| map_range(map, row));
    let keys = flat.apply(call, 0, &[map.keys(), map.values()]);
    let values = flat.apply(call, 1, &[map.keys(), map.values()]);
    let texts = keys.as_string::<i32>();
    let mut out = Maps::default();
    let mut next = 0;
    for row in 0..call.rows {
        let Some(entries) = map_range(map, row) else {
            out.push(None::<Vec<MapEntry>>);
            continue;
        };
        let these = next..next + entries.len();
        next = these.end;
        if let Some(reason) = refuse(these.clone(), texts, &values) {
            call.errors.push(row, reason);
            out.push(None::<Vec<MapEntry>>);
            continue;
        }
        out.push(Some(these.map(|entry| ((0, entry), (0, entry)))));
    }
    out.finish(&[keys.as_ref()], &[values.as_ref()], call.returns)
}

/// Why these keys and values make no map.
fn refuse(entries: std::ops::Range<usize>, keys: &arrow::array::StringArray, values: &ArrayRef) -> Option<String> {
    let mut seen = std::collections::HashSet::new();
    for entry in entries {
        if keys.is_null(entry) || values.is_null(entry) {
            return Some("TRANSFORM gave NULL for a key or a value of a map".into());
        }
        if !seen.insert(keys.value(entry)) {
            return Some(format!("TRANSFORM gave the key '{}' twice", keys.value(entry)));
        }
    }
    None
}

fn is_true(array: &BooleanArray, entry: usize) -> bool {
    array.is_valid(entry) && array.value(entry)
}

fn filter_array(call: &mut ScalarCall<'_>) -> ArrayRef {
    let list = call.list(0);
    let flat = Flat::new(call.rows, |row| range(list, row));
    let kept = flat.apply(call, 0, &[list.values()]);
    let kept = kept.as_boolean();
    let mut out = Lists::default();
    let mut next = 0..;
    for row in 0..call.rows {
        let next = &mut next;
        out.push(range(list, row).map(|entries| {
            entries.zip(next).filter(|(_, flat)| is_true(kept, *flat)).map(|(entry, _)| (0, entry)).collect::<Vec<_>>()
        }));
    }
    out.finish(&[list.values().as_ref()], call.returns)
}

fn filter_map(call: &mut ScalarCall<'_>) -> ArrayRef {
    let map = call.map(0);
    let flat = Flat::new(call.rows, |row| map_range(map, row));
    let kept = flat.apply(call, 0, &[map.keys(), map.values()]);
    let kept = kept.as_boolean();
    let mut out = Maps::default();
    let mut next = 0;
    for row in 0..call.rows {
        let entries = map_range(map, row).map(|entries| {
            let first = next;
            next += entries.len();
            let flat = first..next;
            entries.zip(flat).filter(|(_, flat)| is_true(kept, *flat)).map(|(entry, _)| ((0, entry), (0, entry)))
        });
        out.push(entries.map(Iterator::collect::<Vec<_>>));
    }
    out.finish(&[map.keys().as_ref()], &[map.values().as_ref()], call.returns)
}

fn reduce_array(call: &mut ScalarCall<'_>) -> ArrayRef {
    let list = call.list(0);
    reduce(call, |row| range(list, row), &[list.values()])
}

fn reduce_map(call: &mut ScalarCall<'_>) -> ArrayRef {
    let map = call.map(0);
    reduce(call, |row| map_range(map, row), &[map.keys(), map.values()])
}

/// Step by step: the nth elements of all rows at once.
fn reduce(
    call: &mut ScalarCall<'_>,
    range: impl Fn(usize) -> Option<std::ops::Range<usize>>,
    params: &[&ArrayRef],
) -> ArrayRef {
    let mut state = call.args[1].clone();
    for step in 0.. {
        let mut rows = Vec::new();
        let mut entries = Vec::new();
        for row in 0..call.rows {
            // A NULL first state gives NULL; what a step made NULL goes on.
            if let Some(range) = range(row)
                && range.len() > step
                && call.args[1].is_valid(row)
            {
                rows.push(row as u32);
                entries.push((range.start + step) as u32);
            }
        }
        if rows.is_empty() {
            break;
        }
        let entries = UInt32Array::from(entries);
        let mut given = vec![pick(&state, &UInt32Array::from(rows.clone()))];
        given.extend(params.iter().map(|param| pick(param, &entries)));
        let next = call.lambdas[0].evaluate(&given, &rows, rows.len(), call.errors);
        state = overwrite(&state, &next, &rows, call.returns);
    }
    state
}

/// `state` with the values of `next` in those rows.
fn overwrite(state: &ArrayRef, next: &ArrayRef, rows: &[u32], ty: &SqlType) -> ArrayRef {
    let mut sources: Vec<(usize, usize)> = (0..state.len()).map(|row| (0, row)).collect();
    for (i, row) in rows.iter().enumerate() {
        sources[*row as usize] = (1, i);
    }
    let changed = interleave(&[state.as_ref(), next.as_ref()], &sources);
    changed.unwrap_or_else(|_| Arc::clone(&crate::expr::eval::nulls(ty, state.len())))
}

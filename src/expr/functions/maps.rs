//! Functions on maps.

use arrow::array::{Array, ArrayRef, AsArray, MapArray, UInt32Array};

use super::define::{BOOLEAN, STRING, T, array, map};
use super::kernel::Get;
use super::lists::{Lists, MapEntry, Maps, map_range, range, struct_values};
use super::{Function, ScalarCall};
use crate::expr::eval::values::list_array;
use crate::expr::eval::{nulls, pick};
use crate::types::SqlType;

const CATEGORY: &str = "COLLECTION";

pub(super) fn entries() -> Vec<Function> {
    let (any, texts) = (map(T), array(STRING));
    vec![
        Function::scalar("MAP_KEYS", CATEGORY, "The keys of a map.")
            .over(&[("map", &any, "a map")], texts.clone(), |call| part(call, |map| map.keys()))
            .examples(&[("MAP_KEYS(MAP('a' := 1, 'b' := 2))", "[a, b]")]),
        Function::scalar("MAP_VALUES", CATEGORY, "The values of a map, in the order of MAP_KEYS.")
            .over(&[("map", &any, "a map")], array(T), |call| part(call, |map| map.values()))
            .examples(&[("MAP_VALUES(MAP('a' := 1, 'b' := 2))", "[1, 2]")]),
        Function::scalar("MAP_UNION", CATEGORY, "The entries of both maps; where both have a key, that of the second.")
            .nulls("NULL when both are; one that is NULL is as if empty.")
            .over(&[("left", &any, "a map"), ("right", &any, "a map")], any.clone(), union)
            .examples(&[("MAP_UNION(MAP('a' := 1, 'b' := 2), MAP('b' := 3))", "{a=1, b=3}")]),
        Function::scalar("AS_MAP", CATEGORY, "A map from an array of keys and one of values.")
            .over(&[("keys", &texts, "the keys"), ("values", &array(T), "the values")], any.clone(), as_map)
            .examples(&[("AS_MAP(ARRAY['a', 'b'], ARRAY[1, 2])", "{a=1, b=2}")]),
        Function::scalar(
            "ENTRIES",
            CATEGORY,
            "The entries of a map as an array of STRUCT<K, V>, sorted by key when wanted.",
        )
        .computed(&[("map", &any, "a map"), ("sorted", &BOOLEAN, "whether to sort by key")], entries_type, entries_of)
        .examples(&[("ENTRIES(MAP('b' := 1, 'a' := 2), true)[1]->K", "a")]),
    ]
}

fn part(call: &mut ScalarCall<'_>, which: fn(&MapArray) -> &ArrayRef) -> ArrayRef {
    let map = call.map(0);
    let SqlType::Array(item) = call.returns else { return nulls(call.returns, call.rows) };
    list_array(map.offsets().clone(), which(map).clone(), map.nulls().cloned(), item)
}

/// Puts an entry into a map under construction; a later one of the same key takes its place.
fn put<'a>(entries: &mut Vec<(&'a str, MapEntry)>, key: &'a str, entry: MapEntry) {
    match entries.iter_mut().find(|(known, _)| *known == key) {
        Some((_, (_, value))) => *value = entry.1,
        None => entries.push((key, entry)),
    }
}

fn union(call: &mut ScalarCall<'_>) -> ArrayRef {
    let maps = [call.map(0), call.map(1)];
    let mut out = Maps::default();
    for row in 0..call.rows {
        let ranges = maps.map(|map| map_range(map, row));
        let mut entries = Vec::new();
        for (arg, range) in ranges.iter().enumerate() {
            let keys = maps[arg].keys().as_string::<i32>();
            for entry in range.iter().cloned().flatten() {
                put(&mut entries, keys.value(entry), ((arg, entry), (arg, entry)));
            }
        }
        let is_known = ranges.iter().any(Option::is_some);
        out.push(is_known.then(|| entries.into_iter().map(|(_, entry)| entry)));
    }
    let keys: Vec<&dyn Array> = maps.iter().map(|map| map.keys().as_ref()).collect();
    let values: Vec<&dyn Array> = maps.iter().map(|map| map.values().as_ref()).collect();
    out.finish(&keys, &values, call.returns)
}

/// Keys that are NULL are left out; a key without a value has NULL.
fn as_map(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (keys, values) = (call.list(0), call.list(1));
    let texts = keys.values().as_string::<i32>();
    let absent = match call.returns {
        SqlType::Map(value) => nulls(value, 1),
        other => nulls(other, 1),
    };
    let mut out = Maps::default();
    for row in 0..call.rows {
        let (Some(key_range), Some(value_range)) = (range(keys, row), range(values, row)) else {
            out.push(None::<Vec<MapEntry>>);
            continue;
        };
        let mut entries = Vec::new();
        for (i, key) in key_range.enumerate() {
            let at = value_range.start + i;
            let value = if at < value_range.end { (0, at) } else { (1, 0) };
            if let Some(text) = texts.get(key) {
                put(&mut entries, text, ((0, key), value));
            }
        }
        out.push(Some(entries.into_iter().map(|(_, entry)| entry)));
    }
    out.finish(&[keys.values().as_ref()], &[values.values().as_ref(), absent.as_ref()], call.returns)
}

fn entries_type(types: &[SqlType]) -> Result<SqlType, String> {
    match &types[0] {
        SqlType::Map(value) => {
            let fields = vec![("K".to_string(), SqlType::String), ("V".to_string(), (**value).clone())];
            Ok(SqlType::Array(Box::new(SqlType::Struct(fields))))
        }
        other => Err(format!("ENTRIES needs a MAP, not {other}")),
    }
}

fn entries_of(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (map, sorted) = (call.map(0), call.booleans(1));
    let keys = map.keys().as_string::<i32>();
    let mut order: Vec<u32> = Vec::new();
    let mut out = Lists::default();
    for row in 0..call.rows {
        let (Some(entries), Some(is_sorted)) = (map_range(map, row), sorted.get(row)) else {
            out.push(None::<Vec<(usize, usize)>>);
            continue;
        };
        let mut entries: Vec<usize> = entries.collect();
        if is_sorted {
            entries.sort_by_key(|entry| keys.value(*entry));
        }
        let first = order.len();
        order.extend(entries.iter().map(|entry| *entry as u32));
        out.push(Some((first..order.len()).map(|entry| (0, entry))));
    }
    let order = UInt32Array::from(order);
    let fields = match call.returns {
        SqlType::Array(item) => match &**item {
            SqlType::Struct(fields) => fields.clone(),
            _ => vec![],
        },
        _ => vec![],
    };
    let children = vec![pick(map.keys(), &order), pick(map.values(), &order)];
    let structs = struct_values(&fields, children, order.len());
    out.finish(&[structs.as_ref()], call.returns)
}

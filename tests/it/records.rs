//! Records of a topic as JSON, and how what came out is compared with what should have.

use std::collections::BTreeMap;

use millpond::internals::SourceWindow;
use millpond::log::{Log, Records, TopicPartition};
use millpond::{Engine, Face};
use serde_json::Value;
use serde_json::value::RawValue;

/// A record of the topic behind a stream or a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub partition: u32,
    pub key: Value,
    /// [start, end] of a windowed key.
    pub window: Value,
    pub timestamp: i64,
    /// Null: a tombstone.
    pub value: Value,
}

/// All records of the topic behind a stream or a table, partition by partition.
pub fn all(engine: &Engine, name: &str) -> Vec<Record> {
    let catalog = engine.catalog();
    let source = catalog.source(name).unwrap_or_else(|| panic!("there is no {name}"));
    of_topic(&*engine.log(), &source.topic, source.window)
}

/// All records of a topic whose keys have this window, partition by partition.
pub fn of_topic(log: &dyn Log, topic: &str, window: Option<SourceWindow>) -> Vec<Record> {
    let mut found = Vec::new();
    for partition in 0..log.partitions(topic).unwrap() {
        let place = TopicPartition { topic: topic.to_owned(), partition };
        let (mut next, end) = log.offsets(&place).unwrap();
        let mut records = Records::default();
        while next < end {
            log.fetch(&place, next, 1 << 20, &mut records).unwrap();
            found.extend((0..records.len()).map(|row| decode(window, partition, &records, row)));
            next = records.next_offset;
        }
    }
    found
}

/// Reads a record by the rules of the formats, not by Millpond's code for them.
fn decode(window: Option<SourceWindow>, partition: u32, records: &Records, row: usize) -> Record {
    let (key, window) = match records.key(row) {
        None => (Value::Null, Value::Null),
        Some(bytes) => {
            let (key, window) = split_window(window, bytes);
            let text = std::str::from_utf8(key).unwrap();
            (if text.starts_with('{') { json(text) } else { Value::from(text) }, window)
        }
    };
    let value = records.value(row).map_or(Value::Null, |bytes| json(std::str::from_utf8(bytes).unwrap()));
    Record { partition, key, window, timestamp: records.meta[row].timestamp, value }
}

/// A JSON value with its doubles to the last bit: serde_json's own reading of them may be off by one.
pub fn json(text: &str) -> Value {
    let text = text.trim();
    match text.as_bytes()[0] {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap();
            Value::Object(members.into_iter().map(|(name, value)| (name, json(value.get()))).collect())
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).unwrap();
            items.into_iter().map(|item| json(item.get())).collect()
        }
        b'-' | b'0'..=b'9' if text.contains(['.', 'e', 'E']) => Value::from(text.parse::<f64>().unwrap()),
        _ => serde_json::from_str(text).unwrap(),
    }
}

fn split_window(window: Option<SourceWindow>, bytes: &[u8]) -> (&[u8], Value) {
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().unwrap());
    match window {
        None => (bytes, Value::Null),
        Some(SourceWindow::Time { size_ms, .. }) => {
            let (key, start) = bytes.split_at(bytes.len() - 8);
            (key, Value::from(vec![number(start), number(start) + size_ms]))
        }
        Some(SourceWindow::Session) => {
            let (key, bounds) = bytes.split_at(bytes.len() - 16);
            (key, Value::from(vec![number(&bounds[8..]), number(&bounds[..8])]))
        }
    }
}

/// What of a topic the input determines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Determined {
    /// The last record of each key; a tombstone is as good as none.
    LastOfEachKey,
    /// All records, and the order of those that agree in all of these: `key`, `partition`, columns of the value.
    OrderOf(Vec<String>),
}

/// Key and window, as text, to the last value (with its timestamp, unless it isn't `timed`).
pub fn last_of_each_key(records: &[Record], timed: bool) -> BTreeMap<String, String> {
    let mut last = BTreeMap::new();
    for record in records {
        let place = format!("{} {}", record.key, record.window);
        match record.value.is_null() {
            true => last.remove(&place),
            false => last.insert(place, shown(record, timed)),
        };
    }
    last
}

const UNORDERED: &str = "null";

/// The records that agree in all of `by`, in their order; where one of it is null, there is no order: sorted.
pub fn in_order_of<B: AsRef<str>>(by: &[B], records: &[Record], timed: bool) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records {
        let of = |by: &B| match by.as_ref() {
            "key" => record.key.clone(),
            "partition" => Value::from(record.partition),
            column => record.value[column].clone(),
        };
        let of: Vec<Value> = by.iter().map(of).collect();
        let place = if of.contains(&Value::Null) { UNORDERED.to_owned() } else { Value::from(of).to_string() };
        let line = format!("{} {} {}", record.key, record.window, shown(record, timed));
        groups.entry(place).or_default().push(line);
    }
    if let Some(without) = groups.get_mut(UNORDERED) {
        without.sort();
    }
    groups
}

fn shown(record: &Record, timed: bool) -> String {
    let value = sorted(&record.value);
    if timed { format!("{value} at {}", record.timestamp) } else { value.to_string() }
}

/// Members of objects in order of their names: the order of columns is not at stake here.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// Panics with the first few differences.
pub fn assert_same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &BTreeMap<String, T>,
    expected: &BTreeMap<String, T>,
) {
    let mut differences = Vec::new();
    for (place, value) in expected {
        match found.get(place) {
            None => differences.push(format!("missing: {place} {value:?}")),
            Some(other) if other != value => {
                differences.push(format!("{place}\n     found {other:?}\n  expected {value:?}"));
            }
            Some(_) => {}
        }
    }
    let strange = found.iter().filter(|(place, _)| !expected.contains_key(*place));
    differences.extend(strange.map(|(place, value)| format!("not expected: {place} {value:?}")));
    let count = differences.len();
    differences.truncate(5);
    assert!(count == 0, "{what}: {count} differences, the first of them\n{}", differences.join("\n"));
}

#[test]
fn differences_are_found() {
    let record = |key: &str, value: Value| Record {
        partition: 0,
        key: Value::from(key),
        window: Value::Null,
        timestamp: 7,
        value,
    };
    let one = [record("a", 1.into()), record("b", 2.into()), record("a", 3.into())];
    let other = [record("b", 2.into()), record("a", 1.into()), record("a", 3.into())];
    assert_same("order of keys", &in_order_of(&["key"], &one, true), &in_order_of(&["key"], &other, true));
    assert_ne!(in_order_of(&["partition"], &one, true), in_order_of(&["partition"], &other, true));
    let deleted = [record("a", 1.into()), record("b", 2.into()), record("a", Value::Null)];
    assert_eq!(last_of_each_key(&deleted, false).into_keys().collect::<Vec<_>>(), ["\"b\" null"]);
    let caught = std::panic::catch_unwind(|| {
        assert_same("last", &last_of_each_key(&one, true), &last_of_each_key(&deleted, true));
    });
    let text = *caught.unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("1 differences") && text.contains("not expected: \"a\" null \"3 at 7\""), "{text}");
}

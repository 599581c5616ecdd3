//! A reading of documents that knows nothing of ours: serde_json's parser into a plain tree, and the rules of the
//! columns in a few lines.

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::format::tests::{decode, encode, layout, records, rows};
use crate::format::{Format, Layout, Part, decoder};
use crate::types::{SqlType, Value, values_to_array};

#[derive(Debug, Clone)]
enum Plain {
    Null,
    Boolean(bool),
    Integer(i64),
    Double(f64),
    String(String),
    Array(Vec<Plain>),
    Object(Vec<(String, Plain)>),
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain::Integer(value as i64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain::Double(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain::String(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Plain::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Plain, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Plain::Object(all))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Plain, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

type Columns = [(String, SqlType)];

fn row(document: &Plain, columns: &Columns) -> Result<Option<Vec<Value>>, ()> {
    match document {
        Plain::Null => Ok(None),
        Plain::Object(members) => object(members, columns).map(|row| Some(row.into_iter().map(|(_, v)| v).collect())),
        _ => Err(()),
    }
}

fn object(members: &[(String, Plain)], columns: &Columns) -> Result<Vec<(String, Value)>, ()> {
    columns
        .iter()
        .map(|(name, ty)| {
            let exact = members.iter().rev().find(|(property, _)| property == name);
            // An exact match of another column is not this one's, whatever its case.
            let free = |property: &String| !columns.iter().any(|(other, _)| other == property);
            let upper = || members.iter().rev().find(|(p, _)| free(p) && p.to_uppercase() == *name);
            let value = exact.or_else(upper).map_or(&Plain::Null, |(_, value)| value);
            Ok((name.clone(), convert(value, ty)?))
        })
        .collect()
}

fn convert(value: &Plain, ty: &SqlType) -> Result<Value, ()> {
    Ok(match (ty, value) {
        (_, Plain::Null) => Value::Null,
        (SqlType::Int, Plain::Integer(n)) => Value::Int(*n as i32),
        (SqlType::Int, Plain::Double(n)) => Value::Int(*n as i64 as i32),
        (SqlType::Int, Plain::String(text)) => Value::Int(text.parse().map_err(|_| ())?),
        (SqlType::Bigint, Plain::Integer(n)) => Value::Bigint(*n),
        (SqlType::Bigint, Plain::Double(n)) => Value::Bigint(*n as i64),
        (SqlType::Bigint, Plain::String(text)) => Value::Bigint(text.parse().map_err(|_| ())?),
        (SqlType::Double, Plain::Integer(n)) => Value::Double(*n as f64),
        (SqlType::Double, Plain::Double(n)) => Value::Double(*n),
        (SqlType::Double, Plain::String(text)) => {
            let text = text.trim();
            let text = text.strip_suffix(['d', 'f']).unwrap_or(text);
            let number = text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok()).flatten();
            Value::Double(number.ok_or(())?)
        }
        (SqlType::Boolean, Plain::Boolean(b)) => Value::Boolean(*b),
        (SqlType::String, Plain::String(text)) => Value::String(text.clone()),
        (SqlType::String, Plain::Boolean(b)) => Value::String(b.to_string()),
        (SqlType::String, Plain::Integer(n)) => Value::String(n.to_string()),
        (SqlType::String, Plain::Double(n)) => Value::String(n.to_string()),
        (SqlType::Array(item), Plain::Array(items)) => {
            Value::Array(items.iter().map(|value| convert(value, item)).collect::<Result<_, _>>()?)
        }
        (SqlType::Struct(fields), Plain::Object(members)) => Value::Struct(object(members, fields)?),
        (SqlType::Map(of), Plain::Object(members)) => {
            let mut entries: Vec<(String, Value)> = Vec::new();
            for (i, (name, _)) in members.iter().enumerate() {
                if members[..i].iter().all(|(before, _)| before != name) {
                    let (_, last) = members.iter().rev().find(|(other, _)| other == name).unwrap();
                    entries.push((name.clone(), convert(last, of)?));
                }
            }
            Value::Map(entries)
        }
        _ => return Err(()),
    })
}

fn columns() -> Vec<(String, SqlType)> {
    let boxed = |ty: &SqlType| Box::new(ty.clone());
    let inner = SqlType::Struct(vec![("A".into(), SqlType::Double), ("B".into(), SqlType::Map(boxed(&SqlType::Int)))]);
    vec![
        ("A".into(), SqlType::Int),
        ("B".into(), SqlType::String),
        ("LONGER_THAN_SIXTEEN".into(), SqlType::Bigint),
        ("d".into(), SqlType::Boolean),
        ("E".into(), SqlType::Array(boxed(&inner))),
        ("F".into(), inner),
    ]
}

fn any_blank() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

fn any_string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9 é😀]{0,40}",
        1 => Just("12".to_string()),
        1 => "(a|\\\\n|\\\\\"|\\\\u00e9|\\\\uD83D\\\\uDE00|\\\\/){0,4}",
    ]
    .prop_map(|text| format!("\"{text}\""))
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec!["A", "a", "B", "b", "LONGER_THAN_SIXTEEN", "longer_than_sixteen", "d", "D", "E", "F"])
            .prop_map(|name| format!("\"{name}\"")),
        1 => Just("\"\\u0041\"".to_string()),
        1 => any_string(),
    ]
}

fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i32>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (-1000i32..1000, 1u32..999).prop_map(|(n, f)| format!("{n}.{f}1")),
    ]
}

/// Text of a value, mostly one that the columns take.
fn any_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        3 => any_number(),
        3 => any_string(),
        1 => prop::sample::select(vec!["true", "false", "null", "null"]).prop_map(str::to_string),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let item = (any_blank(), inner.clone(), any_blank()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        prop_oneof![
            1 => prop::collection::vec(item, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            2 => any_object(inner),
        ]
    })
}

fn any_object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let member = (any_blank(), any_name(), any_blank(), any_blank(), value, any_blank());
    let member = member.prop_map(|(a, name, b, c, value, d)| format!("{a}{name}{b}:{c}{value}{d}"));
    prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")))
}

/// An object with values of the right types for some of the columns, in any order.
fn any_fitting_object() -> impl Strategy<Value = String> {
    let fitting = |ty: SqlType| crate::types::arrays::tests::any_value(&ty);
    let members: Vec<_> = columns()
        .into_iter()
        .map(|(name, ty)| {
            fitting(ty.clone()).prop_map(move |value| {
                let one = layout(Format::Json, &[(&name, ty.clone())], true);
                let bytes = encode(&one, &[values_to_array(&[value], &ty)], 1, &[]).remove(0).unwrap();
                let text = String::from_utf8(bytes).unwrap();
                text[1..text.len() - 1].to_string()
            })
        })
        .collect();
    (members, any::<prop::sample::Index>(), any_json())
        .prop_flat_map(|(mut members, keep, extra)| {
            members.push(format!("\"extra\": {extra}"));
            let kept = keep.index(members.len()) + 1;
            (Just(members).prop_shuffle(), Just(kept))
        })
        .prop_map(|(members, kept)| format!("{{{}}}", members[..kept].join(", ")))
}

fn any_document() -> impl Strategy<Value = Vec<u8>> {
    let document = prop_oneof![3 => any_object(any_json()), 3 => any_fitting_object(), 1 => any_json()];
    let damage = prop_oneof![
        4 => Just(None),
        1 => (any::<prop::sample::Index>(), any::<Option<u8>>()).prop_map(Some),
    ];
    (document, damage).prop_map(|(text, damage)| {
        let mut bytes = text.into_bytes();
        match damage {
            Some((at, Some(byte))) => {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            Some((at, None)) => bytes.truncate(at.index(bytes.len())),
            None => {}
        }
        bytes
    })
}

/// Numbers that the plain tree can't hold as they are written.
fn is_beyond_the_oracle(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let lengthy = text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 18);
    let exponent = text.split(['e', 'E']).skip(1).any(|rest| rest.starts_with(|c: char| "+-0123456789".contains(c)));
    lengthy || exponent || text.contains("-0") || text.contains(".0") || text.contains("0,") && text.contains('.')
}

/// A container that goes to a STRING column has rules of its own, tested by table.
fn has_container_for_string(document: &Plain) -> bool {
    match document {
        Plain::Object(members) => members.iter().any(|(name, value)| {
            let container = matches!(value, Plain::Array(_) | Plain::Object(_) | Plain::Double(_));
            name.eq_ignore_ascii_case("B") && container || has_container_for_string(value)
        }),
        Plain::Array(items) => items.iter().any(has_container_for_string),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn every_document_reads_as_the_oracle_says(documents in prop::collection::vec(any_document(), 1..6)) {
        let layout = Layout { format: Format::Json, delimiter: ',', columns: columns(), wrapped: true };
        let values: Vec<Option<&[u8]>> = documents.iter().map(|bytes| Some(&bytes[..])).collect();
        let all = decode(&layout, &values);
        for (bytes, read) in documents.iter().zip(&all) {
            let parsed = std::str::from_utf8(bytes).ok().and_then(|text| serde_json::from_str::<Plain>(text).ok());
            let shown = String::from_utf8_lossy(bytes);
            let expected = parsed.as_ref().ok_or(()).and_then(|document| row(document, &columns()));
            if is_beyond_the_oracle(bytes) || parsed.as_ref().is_some_and(has_container_for_string) {
                continue;
            }
            match expected {
                Ok(row) => prop_assert_eq!(read, &Ok(row), "{}", shown),
                Err(()) => prop_assert!(read.is_err(), "{}: {:?}", shown, read),
            }
        }

        // Fewer columns: the same values, and only what isn't JSON is bad.
        let wanted = [4usize, 0];
        let mut some = decoder(&layout, &wanted).unwrap();
        let decoded = some.decode(&records(None, &values), Part::Value);
        for ((bytes, read), all) in documents.iter().zip(rows(&layout, &wanted, values.len(), &decoded)).zip(all) {
            let is_json = std::str::from_utf8(bytes).is_ok_and(|text| {
                serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
            });
            match all {
                Ok(row) => {
                    prop_assert_eq!(read, Ok(row.map(|row| wanted.iter().map(|i| row[*i].clone()).collect())));
                }
                Err(_) if !is_json => prop_assert!(read.is_err()),
                Err(_) => {}
            }
        }
    }
}

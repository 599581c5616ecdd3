//! Values as JSON without loss, for the way between two processes of one machine. (The public API has another JSON,
//! for people, that loses NULL's type, digits of decimals and NaN.)
//!
//! NULL, BOOLEAN, STRING and BIGINT are JSON's own null, boolean, string and number. All else is an array whose first
//! element is a tag: `["int",1]`, `["double","NaN"]` (as text, the shortest that reads back as the same bits),
//! `["decimal","-123",5,2]` (unscaled, precision, scale), `["bytes","<base64>"]`, `["time",ms]`, `["date",days]`,
//! `["timestamp",ms]`, `["array",item,...]`, `["map",key,value,...]`, `["struct",name,value,...]`. It says all by
//! itself: a reader needs no column types.

use arrow::datatypes::i256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;

use crate::types::Value;

/// Writes a value as JSON.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Bigint(value) => number(*value, out),
        Value::String(value) => string(value, out),
        Value::Int(value) => tagged("int", i64::from(*value), out),
        Value::Time(value) => tagged("time", i64::from(*value), out),
        Value::Date(value) => tagged("date", i64::from(*value), out),
        Value::Timestamp(value) => tagged("timestamp", *value, out),
        Value::Double(value) => out.extend_from_slice(format!("[\"double\",\"{value:?}\"]").as_bytes()),
        Value::Decimal { unscaled, precision, scale } => {
            out.extend_from_slice(format!("[\"decimal\",\"{unscaled}\",{precision},{scale}]").as_bytes());
        }
        Value::Bytes(bytes) => out.extend_from_slice(format!("[\"bytes\",\"{}\"]", BASE64.encode(bytes)).as_bytes()),
        Value::Array(items) => {
            out.extend_from_slice(b"[\"array\"");
            for item in items {
                out.push(b',');
                write(item, out);
            }
            out.push(b']');
        }
        Value::Map(entries) => pairs("map", entries, out),
        Value::Struct(fields) => pairs("struct", fields, out),
    }
}

fn number(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn string(value: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a string can always be written to memory");
}

fn tagged(tag: &str, value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"[\"");
    out.extend_from_slice(tag.as_bytes());
    out.extend_from_slice(b"\",");
    number(value, out);
    out.push(b']');
}

fn pairs(tag: &str, pairs: &[(String, Value)], out: &mut Vec<u8>) {
    out.extend_from_slice(b"[\"");
    out.extend_from_slice(tag.as_bytes());
    out.push(b'"');
    for (name, value) in pairs {
        out.push(b',');
        string(name, out);
        out.push(b',');
        write(value, out);
    }
    out.push(b']');
}

/// Reads a value that [`write`] wrote; the error says what is wrong.
pub fn read(json: Json) -> Result<Value, String> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(value) => Ok(Value::Boolean(value)),
        Json::String(value) => Ok(Value::String(value)),
        Json::Number(value) => value.as_i64().map(Value::Bigint).ok_or_else(|| format!("{value} is not a BIGINT")),
        Json::Array(items) => {
            let mut items = items.into_iter();
            match items.next() {
                Some(Json::String(tag)) => read_tagged(&tag, items),
                _ => Err("a value without a tag".into()),
            }
        }
        Json::Object(_) => Err("an object is not a value".into()),
    }
}

fn read_tagged(tag: &str, mut rest: std::vec::IntoIter<Json>) -> Result<Value, String> {
    match tag {
        "int" => Ok(Value::Int(integer(rest.next())?)),
        "time" => Ok(Value::Time(integer(rest.next())?)),
        "date" => Ok(Value::Date(integer(rest.next())?)),
        "timestamp" => Ok(Value::Timestamp(integer(rest.next())?)),
        "double" => {
            let text = text(rest.next())?;
            Ok(Value::Double(text.parse().map_err(|_| format!("'{text}' is not a DOUBLE"))?))
        }
        "decimal" => {
            let text = text(rest.next())?;
            let unscaled = i256::from_string(&text).ok_or_else(|| format!("'{text}' is not a DECIMAL"))?;
            Ok(Value::Decimal { unscaled, precision: integer(rest.next())?, scale: integer(rest.next())? })
        }
        "bytes" => Ok(Value::Bytes(BASE64.decode(text(rest.next())?).map_err(|error| error.to_string())?)),
        "array" => Ok(Value::Array(rest.map(read).collect::<Result<_, _>>()?)),
        "map" => Ok(Value::Map(read_pairs(rest)?)),
        "struct" => Ok(Value::Struct(read_pairs(rest)?)),
        _ => Err(format!("a value of an unknown kind '{tag}'")),
    }
}

fn integer<T: TryFrom<i64>>(json: Option<Json>) -> Result<T, String> {
    let value = json.as_ref().and_then(Json::as_i64).and_then(|value| T::try_from(value).ok());
    value.ok_or_else(|| "an integer is missing or out of range".to_string())
}

fn text(json: Option<Json>) -> Result<String, String> {
    match json {
        Some(Json::String(text)) => Ok(text),
        _ => Err("a text is missing".into()),
    }
}

fn read_pairs(mut rest: std::vec::IntoIter<Json>) -> Result<Vec<(String, Value)>, String> {
    let mut pairs = Vec::with_capacity(rest.len() / 2);
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or("a name without a value")?;
        pairs.push((text(Some(name))?, read(value)?));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn through_text(value: &Value) -> Value {
        let mut out = Vec::new();
        write(value, &mut out);
        read(serde_json::from_slice(&out).unwrap()).unwrap()
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i32>().prop_map(Value::Int),
            any::<i64>().prop_map(Value::Bigint),
            any::<f64>().prop_filter("NaN is not equal to itself", |v| !v.is_nan()).prop_map(Value::Double),
            (any::<i128>(), any::<i128>(), 0u32..77).prop_map(|(high, low, scale)| Value::Decimal {
                unscaled: i256::from_parts(low as u128, high),
                precision: 76,
                scale
            }),
            any::<String>().prop_map(Value::String),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            any::<i32>().prop_map(Value::Time),
            any::<i32>().prop_map(Value::Date),
            any::<i64>().prop_map(Value::Timestamp),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((any::<String>(), inner.clone()), 0..4).prop_map(Value::Map),
                prop::collection::vec((any::<String>(), inner), 0..4).prop_map(Value::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_survives(value in values()) {
            prop_assert_eq!(through_text(&value), value);
        }
    }

    #[test]
    fn doubles_keep_their_bits() {
        for value in [f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX, 0.1 + 0.2] {
            let Value::Double(back) = through_text(&Value::Double(value)) else { panic!("not a double") };
            assert_eq!(back.to_bits(), value.to_bits());
        }
        let Value::Double(back) = through_text(&Value::Double(f64::NAN)) else { panic!("not a double") };
        assert!(back.is_nan());
    }

    #[test]
    fn the_text_is_as_documented() {
        let mut out = Vec::new();
        write(&Value::Map(vec![("a\"".into(), Value::Int(1)), ("b".into(), Value::Bigint(2))]), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#"["map","a\"",["int",1],"b",2]"#);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [r#"["int",3000000000]"#, r#"["int"]"#, "[]", "{}", "1.5", r#"["map","k"]"#, r#"["what",1]"#] {
            assert!(read(serde_json::from_str(text).unwrap()).is_err(), "{text}");
        }
    }
}

//! Functions on texts that hold JSON. How such a text is walked is `json_text`'s knowledge.

use std::borrow::Cow;

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;

use super::define::{INT, STRING, array, map};
use super::json_compact::compact;
use super::json_path::JsonPath;
use super::json_text::{Kind, distinct_members, first_value, items, unquote};
use super::kernel::{Out, known};
use super::last::Last;
use super::{Function, ParamType, ScalarCall};
use crate::expr::decimal;
use crate::expr::eval::compare_decimals;
use crate::types::{SqlType, Value};

const CATEGORY: &str = "JSON";

pub(super) fn entries() -> Vec<Function> {
    let json = ("json", &STRING, "a text that holds JSON");
    let mut all = arrays();
    all.extend([
        Function::scalar(
            "EXTRACTJSONFIELD",
            CATEGORY,
            "The value at a path in JSON: texts without quotes, all else as JSON; NULL when nothing is there.",
        )
        .over(&[json, ("path", &STRING, "such as $.name, $.list[0] or $['any name']")], STRING, extract)
        .examples(&[
            (r#"EXTRACTJSONFIELD('{"a": {"b": ["x", 1.50]}}', '$.a.b[0]')"#, "x"),
            (r#"EXTRACTJSONFIELD('{"a": {"b": ["x", 1.50]}}', '$.a')"#, r#"{"b":["x",1.50]}"#),
        ]),
        Function::scalar("IS_JSON_STRING", CATEGORY, "Whether a text holds JSON.")
            .nulls("false for NULL.")
            .over(&[json], super::define::BOOLEAN, |call| {
                let json = call.texts(0);
                call.collect_booleans(|row| Ok(Some(json.get(row).is_some_and(is_json))))
            })
            .examples(&[("IS_JSON_STRING('[1, 2]')", "true"), ("IS_JSON_STRING('abc')", "false")]),
        Function::scalar("JSON_KEYS", CATEGORY, "The names of an object's members; NULL of anything else.")
            .over(&[json], array(STRING), |call| {
                let json = call.texts(0);
                call.collect_text_lists(|row| keys(known!(json.get(row))))
            })
            .examples(&[(r#"JSON_KEYS('{"a": 1, "b": 2}')"#, "[a, b]")]),
        Function::scalar(
            "JSON_RECORDS",
            CATEGORY,
            "An object's members as a map of texts, strings without quotes; NULL of anything else.",
        )
        .over(&[json], map(STRING), all_records)
        .examples(&[(r#"JSON_RECORDS('{"a": "x", "b": [1]}')"#, "{a=x, b=[1]}")]),
        Function::scalar(
            "JSON_CONCAT",
            CATEGORY,
            "JSON values put together: objects to an object, where the last of equal names wins, others to an array.",
        )
        .variadic(&[("jsons", &STRING, "texts that hold JSON; if one is NULL, so is the result")], STRING, concat)
        .examples(&[
            (r#"JSON_CONCAT('{"a": 1, "b": 2}', '{"b": 3}')"#, r#"{"a":1,"b":3}"#),
            ("JSON_CONCAT('[1, 2]', '3')", "[1,2,3]"),
        ]),
        Function::scalar(
            "TO_JSON_STRING",
            CATEGORY,
            "A value of any type as JSON, members in the order of their names.",
        )
        .nulls("NULL becomes the text `null`.")
        .over(&[("value", &ParamType::Any, "a value")], STRING, to_json_string)
        .examples(&[
            ("TO_JSON_STRING(ARRAY['a', NULL])", r#"["a",null]"#),
            ("TO_JSON_STRING(STRUCT(B := 1, A := 2.50))", r#"{"A":2.50,"B":1}"#),
        ]),
    ]);
    all
}

fn arrays() -> Vec<Function> {
    let json = ("json", &STRING, "a text that holds a JSON array");
    vec![
        Function::scalar(
            "JSON_ARRAY_CONTAINS",
            CATEGORY,
            "Whether a JSON array has an element of just that type and value: 1 isn't 1.0.",
        )
        .nulls("NULL when the JSON is; a NULL can be looked for.")
        .computed(&[json, ("value", &ParamType::Any, "what to look for")], contains_type, contains)
        .examples(&[("JSON_ARRAY_CONTAINS('[1, 2, 3]', 3)", "true"), ("JSON_ARRAY_CONTAINS('[1.0]', 1)", "false")]),
        Function::scalar(
            "JSON_ARRAY_LENGTH",
            CATEGORY,
            "The number of elements of a JSON array; NULL of anything else.",
        )
        .over(&[json], INT, |call| {
            let json = call.texts(0);
            call.collect::<Int32Type>(|row| {
                let json = known!(first_value(known!(json.get(row)))?);
                Ok((Kind::of(json) == Kind::Array).then(|| items(json).count() as i32))
            })
        })
        .examples(&[("JSON_ARRAY_LENGTH('[1, [2, 3]]')", "2"), ("JSON_ARRAY_LENGTH('{}')", "null")]),
        Function::scalar("JSON_ITEMS", CATEGORY, "The elements of a JSON array, each as JSON.")
            .over(&[json], array(STRING), |call| {
                let json = call.texts(0);
                call.collect_text_lists(|row| elements(known!(json.get(row))))
            })
            .examples(&[(r#"JSON_ITEMS('[{"a": 1}, "x"]')"#, r#"[{"a":1}, "x"]"#)]),
    ]
}

fn is_json(text: &str) -> bool {
    matches!(first_value(text), Ok(Some(_)))
}

fn extract(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (json, path) = (call.texts(0), call.texts(1));
    let mut paths = Last::default();
    call.buffer_texts(|row, out| {
        let (json, path) = (known!(json.get(row)), known!(path.get(row)));
        let path = paths.of(path, JsonPath::parse).as_ref().map_err(|reason| reason.clone())?;
        out.push_str(&text_of(known!(path.find(known!(first_value(json)?))))?);
        Ok(Some(()))
    })
}

/// A string's text, or another value as JSON.
fn text_of(json: &str) -> Result<Cow<'_, str>, String> {
    match Kind::of(json) {
        Kind::String => Ok(unquote(json)),
        Kind::Array | Kind::Object => compact(json).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(json)),
    }
}

fn keys(text: &str) -> Out<Vec<String>> {
    let json = known!(first_value(text)?);
    let names = || distinct_members(json).into_iter().map(|(name, _)| name.into_owned()).collect();
    Ok((Kind::of(json) == Kind::Object).then(names))
}

fn elements(text: &str) -> Out<Vec<String>> {
    match first_value(text)? {
        Some(json) if Kind::of(json) == Kind::Array => items(json).map(compact).collect::<Result<_, _>>().map(Some),
        _ => Err("JSON_ITEMS needs a JSON array".into()),
    }
}

fn all_records(call: &mut ScalarCall<'_>) -> ArrayRef {
    let json = call.texts(0);
    call.write_text_maps(|row, out| {
        out.extend(known!(records(known!(json.get(row)))?));
        Ok(Some(()))
    })
}

fn records(text: &str) -> Out<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let json = known!(first_value(text)?);
    if Kind::of(json) != Kind::Object {
        return Ok(None);
    }
    let members = distinct_members(json).into_iter();
    members.map(|(name, value)| Ok((name, text_of(value)?))).collect::<Result<_, _>>().map(Some)
}

fn concat(call: &mut ScalarCall<'_>) -> ArrayRef {
    let texts: Vec<_> = (0..call.args.len()).map(|arg| call.texts(arg)).collect();
    call.collect_text(|row| {
        let texts: Option<Vec<&str>> = texts.iter().map(|text| text.get(row)).collect();
        together(&known!(texts))
    })
}

/// Writes all values into one array or object, which `compact` then mends.
fn together(texts: &[&str]) -> Out<String> {
    let values: Option<Vec<&str>> = texts.iter().map(|text| first_value(text)).collect::<Result<_, _>>()?;
    let values = known!(values);
    if values.is_empty() {
        return Err("JSON_CONCAT needs something to put together".into());
    }
    if let [value] = values.as_slice() {
        return compact(value).map(Some);
    }
    let are_objects = values.iter().all(|value| Kind::of(value) == Kind::Object);
    let (open, joined, close) = if are_objects { ('{', Kind::Object, '}') } else { ('[', Kind::Array, ']') };
    let inner = |value: &&str| match Kind::of(value) {
        kind if kind == joined => value[1..value.len() - 1].trim().to_string(),
        _ => value.to_string(),
    };
    let parts: Vec<String> = values.iter().map(inner).filter(|part| !part.is_empty()).collect();
    compact(&format!("{open}{}{close}", parts.join(","))).map(Some)
}

fn to_json_string(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (column, ty) = (call.args[0].clone(), call.arg_types[0].clone());
    call.collect_text(|row| {
        let mut out = String::new();
        sorted(Value::from_array(column.as_ref(), row, &ty)).write_json(&mut out);
        Ok(Some(out))
    })
}

/// With the members of maps and structs in the order of their names.
fn sorted(value: Value) -> Value {
    let by_name = |members: Vec<(String, Value)>| {
        let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members
    };
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Map(members) => Value::Map(by_name(members)),
        Value::Struct(members) => Value::Struct(by_name(members)),
        other => other,
    }
}

fn contains_type(types: &[SqlType]) -> Result<SqlType, String> {
    match &types[1] {
        SqlType::Boolean
        | SqlType::Int
        | SqlType::Bigint
        | SqlType::Double
        | SqlType::Decimal { .. }
        | SqlType::String => Ok(SqlType::Boolean),
        other => Err(format!("JSON_ARRAY_CONTAINS can't look for a value of type {other}")),
    }
}

fn contains(call: &mut ScalarCall<'_>) -> ArrayRef {
    let json = call.texts(0);
    let ty = call.arg_types[1].clone();
    if let Some(value) = call.args.constant(1) {
        let value = Value::from_array(value.as_ref(), 0, &ty);
        return call.collect_booleans(|row| Ok(Some(has(known!(json.get(row)), &value))));
    }
    let column = call.args[1].clone();
    call.collect_booleans(|row| {
        let json = known!(json.get(row));
        Ok(Some(has(json, &Value::from_array(column.as_ref(), row, &ty))))
    })
}

fn has(text: &str, value: &Value) -> bool {
    match first_value(text) {
        Ok(Some(json)) if Kind::of(json) == Kind::Array => items(json).any(|item| is(item, value)),
        _ => false,
    }
}

/// Whether an element is that value, and of its type: numbers with a point or an exponent are DOUBLE or DECIMAL, others
/// INT or BIGINT.
fn is(item: &str, value: &Value) -> bool {
    let kind = Kind::of(item);
    let is_whole = !item.contains(['.', 'e', 'E']);
    let long = |number: i64| kind == Kind::Number && is_whole && item.parse() == Ok(number);
    match value {
        Value::Null => kind == Kind::Null,
        Value::Boolean(boolean) => item == if *boolean { "true" } else { "false" },
        Value::Int(number) => long(i64::from(*number)),
        Value::Bigint(number) => long(*number),
        Value::Double(number) => kind == Kind::Number && !is_whole && item.parse() == Ok(*number),
        Value::Decimal { unscaled, scale, .. } => {
            let same = |found| compare_decimals(found, (*unscaled, *scale)).is_eq();
            kind == Kind::Number && !is_whole && decimal::parse(item).is_some_and(same)
        }
        Value::String(string) => kind == Kind::String && unquote(item) == *string,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::i256;

    use super::*;

    #[test]
    fn puts_together() {
        type Case = (&'static [&'static str], Result<Option<&'static str>, ()>);
        let table: &[Case] = &[
            (&["[1]", "[2, 3]"], Ok(Some("[1,2,3]"))),
            (&["[]", "[ ]", "[1]"], Ok(Some("[1]"))),
            (&["[]", "[]"], Ok(Some("[]"))),
            (&["1", "\"a\"", "null"], Ok(Some("[1,\"a\",null]"))),
            (&["{\"a\": 1}", "[2]"], Ok(Some("[{\"a\":1},2]"))),
            (&["{\"a\": 1, \"b\": [0]}", "{}", "{\"c\": 2, \"a\": 3}"], Ok(Some("{\"a\":3,\"b\":[0],\"c\":2}"))),
            (&["{\"a\": {\"x\": 1}}", "{\"a\": {\"y\": 2}}"], Ok(Some("{\"a\":{\"y\":2}}"))),
            (&["{}", "{}"], Ok(Some("{}"))),
            (&[" 1 "], Ok(Some("1"))),
            (&["[ 1 ]"], Ok(Some("[1]"))),
            (&["[1]", ""], Ok(None)),
            (&["[1]", "x"], Err(())),
            (&[], Err(())),
        ];
        for (texts, expected) in table {
            let got = together(texts).map_err(drop);
            assert_eq!(got, expected.map(|text| text.map(String::from)), "{texts:?}");
        }
    }

    #[test]
    fn elements_have_types() {
        let decimal = Value::Decimal { unscaled: i256::from_i128(150), precision: 3, scale: 2 };
        let table = [
            ("[1]", Value::Int(1), true),
            ("[1.0]", Value::Int(1), false),
            ("[1e0]", Value::Bigint(1), false),
            ("[\"1\"]", Value::Int(1), false),
            ("[[1]]", Value::Int(1), false),
            ("[9223372036854775808]", Value::Bigint(i64::MAX), false),
            ("[9223372036854775807]", Value::Bigint(i64::MAX), true),
            ("[1.50]", Value::Double(1.5), true),
            ("[1]", Value::Double(1.0), false),
            ("[1.5]", decimal.clone(), true),
            ("[2.5]", decimal, false),
            ("[\"\\u0061\"]", Value::String("a".into()), true),
            ("[true]", Value::Boolean(true), true),
            ("[\"true\"]", Value::Boolean(true), false),
            ("[1, null]", Value::Null, true),
            ("[1]", Value::Null, false),
            ("{\"a\": 1}", Value::Int(1), false),
            ("1", Value::Int(1), false),
            ("[1, ", Value::Int(1), false),
            ("", Value::Null, false),
        ];
        for (json, value, expected) in table {
            assert_eq!(has(json, &value), expected, "{json} {value}");
        }
    }

    #[test]
    fn members_and_elements() {
        assert_eq!(keys("{\"b\": 1, \"a\": 2, \"b\": 3}"), Ok(Some(vec!["b".into(), "a".into()])));
        for text in ["[]", "1", "null", ""] {
            assert_eq!(keys(text), Ok(None), "{text}");
            assert_eq!(records(text), Ok(None), "{text}");
        }
        assert!(keys("{").is_err() && records("{").is_err());
        let expected = vec![("s".into(), "a\"b".into()), ("o".into(), "{\"x\":1}".into()), ("n".into(), "null".into())];
        assert_eq!(records(r#"{"s": "a\"b", "o": {"x": 1}, "n": null}"#), Ok(Some(expected)));
        assert_eq!(elements("[1.0, \"a\", [ ]]"), Ok(Some(vec!["1.0".into(), "\"a\"".into(), "[]".into()])));
        for text in ["{}", "", "1", "["] {
            assert!(elements(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_of_values() {
        let table = [("\"a\\n\"", "a\n"), ("null", "null"), ("1.50", "1.50"), ("[ 1 ]", "[1]"), ("true", "true")];
        for (json, expected) in table {
            assert_eq!(text_of(json).as_deref(), Ok(expected), "{json}");
        }
    }
}

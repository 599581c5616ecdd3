//! Functions on JSON inside of text.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use serde_json::Value as Json;

use super::define::{BOOLEAN, INT, P, STRING, T, array, map};
use super::json_text::{Path, bare, compact, read};
use super::kernel::{Get, Out, known};
use super::{Function, ScalarCall};
use crate::expr::eval::write_text;
use crate::types::text::write_json_string;
use crate::types::{SqlType, Value, values_to_array};

const CATEGORY: &str = "JSON";
const JSON: P<'static> = ("json", &STRING, "a text with JSON in it");

pub(super) fn entries() -> Vec<Function> {
    let mut all = parts();
    all.extend(arrays());
    all.push(concat());
    all.push(to_json_string());
    all
}

fn parts() -> Vec<Function> {
    vec![
        Function::scalar("EXTRACTJSONFIELD", CATEGORY, "The part of JSON at a path such as '$.a.b[0]'.")
            .over(&[JSON, ("path", &STRING, "a path from $")], STRING, extract)
            .examples(&[
                (r#"EXTRACTJSONFIELD('{"a": {"b": [1, 2]}}', '$.a.b[1]')"#, "2"),
                (r#"EXTRACTJSONFIELD('{"a": {"b": [1, 2]}}', '$.a')"#, r#"{"b":[1,2]}"#),
            ]),
        Function::scalar("IS_JSON_STRING", CATEGORY, "Whether the text is JSON.")
            .over(&[JSON], BOOLEAN, |call| {
                let text = call.texts(0);
                call.collect_booleans(|row| {
                    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
                    Ok(Some(text.get(row).is_some_and(is_json)))
                })
            })
            .examples(&[("IS_JSON_STRING('[1, 2]')", "true"), ("IS_JSON_STRING('abc')", "false")]),
        Function::scalar("JSON_KEYS", CATEGORY, "The names of a JSON object's members.")
            .over(&[JSON], array(STRING), |call| {
                let text = call.texts(0);
                call.collect_text_lists(|row| {
                    let value = known!(read(known!(text.get(row)))?);
                    Ok(value.as_object().map(|members| members.keys().cloned().collect()))
                })
            })
            .examples(&[(r#"JSON_KEYS('{"a": 1, "b": 2}')"#, "[a, b]")]),
        Function::scalar("JSON_RECORDS", CATEGORY, "A JSON object's members as a map of texts.")
            .over(&[JSON], map(STRING), records)
            .examples(&[(r#"JSON_RECORDS('{"a": "x", "b": [2]}')"#, "{a=x, b=[2]}")]),
    ]
}

fn extract(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, paths) = (call.texts(0), call.texts(1));
    let mut last: Option<(&str, Result<Path, String>)> = None;
    call.collect_text(|row| {
        let (text, path) = (known!(text.get(row)), known!(paths.get(row)));
        if last.as_ref().is_none_or(|(known, _)| *known != path) {
            last = Some((path, Path::parse(path)));
        }
        let Some((_, compiled)) = &last else { return Ok(None) };
        let compiled = compiled.as_ref().map_err(Clone::clone)?;
        Ok(read(text)?.as_ref().and_then(|value| compiled.find(value)).map(bare))
    })
}

fn records(call: &mut ScalarCall<'_>) -> ArrayRef {
    let text = call.texts(0);
    let mut rows = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let value = match text.get(row).map(read).transpose() {
            Ok(value) => value.flatten(),
            Err(reason) => {
                call.errors.push(row, reason);
                None
            }
        };
        rows.push(match value {
            Some(Json::Object(members)) => {
                Value::Map(members.iter().map(|(name, member)| (name.clone(), Value::String(bare(member)))).collect())
            }
            _ => Value::Null,
        });
    }
    values_to_array(&rows, call.returns)
}

fn arrays() -> Vec<Function> {
    vec![
        Function::scalar("JSON_ARRAY_LENGTH", CATEGORY, "The number of a JSON array's elements.")
            .over(&[JSON], INT, |call| {
                let text = call.texts(0);
                call.collect::<Int32Type>(|row| {
                    let value = known!(read(known!(text.get(row)))?);
                    Ok(value.as_array().map(|items| items.len() as i32))
                })
            })
            .examples(&[("JSON_ARRAY_LENGTH('[1, 2, 3]')", "3")]),
        Function::scalar(
            "JSON_ARRAY_CONTAINS",
            CATEGORY,
            "Whether a value is among a JSON array's elements. 1 is not 1.0.",
        )
        .over(&[JSON, ("value", &T, "a number, a text, a BOOLEAN or NULL")], BOOLEAN, contains)
        .examples(&[("JSON_ARRAY_CONTAINS('[1, 2]', 2)", "true"), ("JSON_ARRAY_CONTAINS('[1]', '1')", "false")]),
        Function::scalar("JSON_ITEMS", CATEGORY, "The elements of a JSON array as texts.")
            .over(&[JSON], array(STRING), |call| {
                let text = call.texts(0);
                call.collect_text_lists(|row| match known!(read(known!(text.get(row)))?) {
                    Json::Array(items) => Ok(Some(items.iter().map(bare).collect())),
                    _ => Err("JSON_ITEMS needs a JSON array".into()),
                })
            })
            .examples(&[(r#"JSON_ITEMS('[1, {"a": 2}]')"#, r#"[1, {"a":2}]"#)]),
    ]
}

fn contains(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, value, ty) = (call.texts(0), &call.args[1], call.arg_types[1].clone());
    call.collect_booleans(|row| {
        let Some(Ok(Some(Json::Array(items)))) = text.get(row).map(read) else { return Ok(Some(false)) };
        if !matches!(ty, SqlType::Boolean | SqlType::Int | SqlType::Bigint | SqlType::Double | SqlType::String) {
            return Err(format!("JSON_ARRAY_CONTAINS looks for no {ty}"));
        }
        Ok(Some(items.iter().any(|item| is_value(item, value, &ty, row))))
    })
}

fn is_value(item: &Json, value: &ArrayRef, ty: &SqlType, row: usize) -> bool {
    if value.is_null(row) {
        return item.is_null();
    }
    match ty {
        SqlType::Boolean => item.as_bool() == Some(value.as_boolean().value(row)),
        SqlType::Int => item.as_i64() == Some(i64::from(value.as_primitive::<Int32Type>().value(row))),
        SqlType::Bigint => item.as_i64() == Some(value.as_primitive::<Int64Type>().value(row)),
        SqlType::Double => item.is_f64() && item.as_f64() == Some(value.as_primitive::<Float64Type>().value(row)),
        _ => item.as_str() == Some(value.as_string::<i32>().value(row)),
    }
}

fn concat() -> Function {
    Function::scalar("JSON_CONCAT", CATEGORY, "JSON objects merged into one; anything else put together into an array.")
        .variadic(&[JSON, ("others", &STRING, "more JSON")], STRING, |call| {
            let texts: Vec<_> = (0..call.args.len()).map(|arg| call.texts(arg)).collect();
            call.collect_text(|row| {
                let mut values = Vec::with_capacity(texts.len());
                for text in &texts {
                    values.push(known!(read(known!(text.get(row)))?));
                }
                Ok(Some(joined(values)))
            })
        })
        .examples(&[
            (r#"JSON_CONCAT('{"a": 1}', '{"b": 2}')"#, r#"{"a":1,"b":2}"#),
            ("JSON_CONCAT('[1]', '2')", "[1,2]"),
        ])
}

fn joined(mut values: Vec<Json>) -> String {
    if values.len() == 1 {
        return values.pop().as_ref().map(compact).unwrap_or_default();
    }
    if values.iter().all(Json::is_object) {
        let members = values.into_iter().filter_map(|value| match value {
            Json::Object(members) => Some(members),
            _ => None,
        });
        return compact(&Json::Object(members.flatten().collect()));
    }
    let items = values.into_iter().flat_map(|value| match value {
        Json::Array(items) => items,
        other => vec![other],
    });
    compact(&Json::Array(items.collect()))
}

fn to_json_string() -> Function {
    Function::scalar("TO_JSON_STRING", CATEGORY, "Any value as JSON text.")
        .over(&[("value", &T, "a value")], STRING, |call| {
            let (value, ty) = (&call.args[0], call.arg_types[0].clone());
            call.collect_text(|row| -> Out<String> {
                let mut out = String::new();
                write_json(value, &ty, row, &mut out);
                Ok(Some(out))
            })
        })
        .examples(&[
            ("TO_JSON_STRING(STRUCT(b := 'x', a := ARRAY[1, NULL]))", r#"{"A":[1,null],"B":"x"}"#),
            ("TO_JSON_STRING(CAST(NULL AS INT))", "null"),
        ])
}

/// Members in the order of their names.
fn write_json(array: &ArrayRef, ty: &SqlType, row: usize, out: &mut String) {
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    match ty {
        SqlType::Array(item) => {
            let items = array.as_list::<i32>().value(row);
            out.push('[');
            for i in 0..items.len() {
                out.push_str(if i > 0 { "," } else { "" });
                write_json(&items, item, i, out);
            }
            out.push(']');
        }
        SqlType::Map(value) => {
            let entries = array.as_map().value(row);
            let keys = entries.column(0).as_string::<i32>();
            let members = (0..entries.len()).map(|i| (keys.value(i), entries.column(1), &**value, i)).collect();
            write_object(members, out);
        }
        SqlType::Struct(fields) => {
            let columns = array.as_struct();
            let members =
                fields.iter().enumerate().map(|(i, (name, ty))| (name.as_str(), columns.column(i), ty, row)).collect();
            write_object(members, out);
        }
        SqlType::String | SqlType::Bytes | SqlType::Date | SqlType::Time | SqlType::Timestamp => {
            let mut text = String::new();
            write_text(array, ty, row, &mut text);
            write_json_string(out, &text);
        }
        _ => write_text(array, ty, row, out),
    }
}

fn write_object(mut members: Vec<(&str, &ArrayRef, &SqlType, usize)>, out: &mut String) {
    members.sort_by_key(|(name, ..)| *name);
    out.push('{');
    for (i, (name, array, ty, row)) in members.into_iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        write_json_string(out, name);
        out.push(':');
        write_json(array, ty, row, out);
    }
    out.push('}');
}

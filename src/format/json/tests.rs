//! JSON: the rules by table, and every document against a slow, plain reading of it.

use crate::format::tests::{decode, encode, layout};
use crate::format::{Format, Layout};
use crate::types::{SqlType, Value, values_to_array};

fn one(ty: SqlType) -> Layout {
    layout(Format::Json, &[("A", ty)], true)
}

fn decode_one(layout: &Layout, text: &str) -> Result<Option<Vec<Value>>, String> {
    decode(layout, &[Some(text.as_bytes())]).remove(0)
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

#[test]
fn values_by_type() {
    let decimal = SqlType::Decimal { precision: 4, scale: 2 };
    let decimal_value =
        |unscaled| Value::Decimal { unscaled: arrow::datatypes::i256::from_i128(unscaled), precision: 4, scale: 2 };
    let table = vec![
        (SqlType::Boolean, "true", Some(Value::Boolean(true))),
        (SqlType::Boolean, "\"true\"", None),
        (SqlType::Boolean, "1", None),
        (SqlType::Int, "-7", Some(Value::Int(-7))),
        (SqlType::Int, "7.9", Some(Value::Int(7))),
        (SqlType::Int, "-7.9e0", Some(Value::Int(-7))),
        (SqlType::Int, "2147483648", Some(Value::Int(i32::MIN))),
        (SqlType::Int, "\"12\"", Some(Value::Int(12))),
        (SqlType::Int, "\"2147483648\"", None),
        (SqlType::Int, "\" 12\"", None),
        (SqlType::Int, "true", None),
        (SqlType::Int, "012", None),
        (SqlType::Int, "-", None),
        (SqlType::Int, "[1]", None),
        (SqlType::Bigint, "9223372036854775807", Some(Value::Bigint(i64::MAX))),
        (SqlType::Bigint, "-9223372036854775808", Some(Value::Bigint(i64::MIN))),
        (SqlType::Bigint, "1234567890123456", Some(Value::Bigint(1_234_567_890_123_456))),
        (SqlType::Bigint, "12345678901234567", Some(Value::Bigint(12_345_678_901_234_567))),
        (SqlType::Bigint, "\"-3\"", Some(Value::Bigint(-3))),
        (SqlType::Double, "1", Some(Value::Double(1.0))),
        (SqlType::Double, "-1.5e-3", Some(Value::Double(-0.0015))),
        (SqlType::Double, "1e400", Some(Value::Double(f64::INFINITY))),
        (SqlType::Double, "\"2.5\"", Some(Value::Double(2.5))),
        (SqlType::Double, "\"x\"", None),
        (SqlType::Double, "NaN", None),
        (decimal.clone(), "12.3", Some(decimal_value(1230))),
        (decimal.clone(), "\"-0.05\"", Some(decimal_value(-5))),
        (decimal.clone(), "1e1", Some(decimal_value(1000))),
        (decimal.clone(), "100", None),
        (decimal, "0.001", None),
        (SqlType::String, "\"a\\u00e9\\ud83d\\ude00\\n\\/\"", Some(text("aé😀\n/"))),
        (SqlType::String, "\"\\ud83d\"", None),
        (SqlType::String, "\"\\ude00\"", None),
        (SqlType::String, "\"\\x\"", None),
        (SqlType::String, "\"a\tb\"", None),
        (SqlType::String, "1.50", Some(text("1.50"))),
        (SqlType::String, "true", Some(text("true"))),
        (SqlType::String, "[1, \"a\", null, [true]]", Some(text("[1, a, null, [true]]"))),
        (SqlType::String, "{ \"x\" : [1, \"a\\\"\"], \"y\": {}, \"x\": null }", Some(text("{\"x\":null,\"y\":{}}"))),
        (SqlType::Bytes, "\"ew==\"", Some(Value::Bytes(vec![0x7b]))),
        (SqlType::Bytes, "\"e\\u0077==\"", Some(Value::Bytes(vec![0x7b]))),
        (SqlType::Bytes, "\"?\"", None),
        (SqlType::Bytes, "1", None),
        (SqlType::Date, "10", Some(Value::Date(10))),
        (SqlType::Date, "\"10\"", Some(Value::Date(10))),
        (SqlType::Date, "\"2020-01-01\"", None),
        (SqlType::Date, "3000000000", None),
        (SqlType::Time, "1.9", Some(Value::Time(1))),
        (SqlType::Timestamp, "1436918400000", Some(Value::Timestamp(1_436_918_400_000))),
        (SqlType::Timestamp, "\"-1\"", Some(Value::Timestamp(-1))),
        (
            SqlType::Array(Box::new(SqlType::Int)),
            "[1, null, \"3\"]",
            Some(Value::Array(vec![Value::Int(1), Value::Null, Value::Int(3)])),
        ),
        (SqlType::Array(Box::new(SqlType::Int)), "[1, \"x\"]", None),
        (SqlType::Array(Box::new(SqlType::Int)), "[1,]", None),
        (SqlType::Array(Box::new(SqlType::Int)), "{}", None),
        (
            SqlType::Map(Box::new(SqlType::Int)),
            "{\"k\": 1, \"l\": null, \"k\": 2}",
            Some(Value::Map(vec![("k".into(), Value::Int(2)), ("l".into(), Value::Null)])),
        ),
        (SqlType::Map(Box::new(SqlType::Int)), "[]", None),
        (
            SqlType::Struct(vec![("X".into(), SqlType::Int), ("y".into(), SqlType::String)]),
            "{\"x\": 1, \"Y\": \"no\", \"z\": 0}",
            Some(Value::Struct(vec![("X".into(), Value::Int(1)), ("y".into(), Value::Null)])),
        ),
        (SqlType::Struct(vec![("X".into(), SqlType::Int)]), "1", None),
    ];
    for (ty, value, expected) in table {
        let wrapped = decode_one(&one(ty.clone()), &format!("{{\"A\": {value} }}"));
        let bare = decode_one(&layout(Format::Json, &[("A", ty.clone())], false), value);
        match expected {
            Some(expected) => {
                assert_eq!(wrapped, Ok(Some(vec![expected.clone()])), "{ty} {value}");
                assert_eq!(bare, Ok(Some(vec![expected])), "{ty} {value}");
            }
            None => assert!(wrapped.is_err() && bare.is_err(), "{ty} {value}: {wrapped:?} {bare:?}"),
        }
    }
}

#[test]
fn documents_and_their_nulls() {
    let layout = layout(Format::Json, &[("A", SqlType::Int), ("b", SqlType::Int)], true);
    let row = |a: Option<i32>, b: Option<i32>| {
        let value = |n: Option<i32>| n.map_or(Value::Null, Value::Int);
        Ok(Some(vec![value(a), value(b)]))
    };
    let table = [
        ("{}", row(None, None)),
        (" \t\r\n{ } ", row(None, None)),
        ("{\"A\":null,\"b\":null}", row(None, None)),
        ("null", Ok(None)),
        (" null ", Ok(None)),
        ("{\"A\":1,\"b\":2}", row(Some(1), Some(2))),
        ("{\"b\":2,\"A\":1}", row(Some(1), Some(2))),
        ("{\"a\":1,\"B\":2}", row(Some(1), None)),
        ("{\"A\":1,\"a\":2}", row(Some(1), None)),
        ("{\"a\":2,\"A\":1}", row(Some(1), None)),
        ("{\"a\":1,\"a\":2}", row(Some(2), None)),
        ("{\"A\":\"bad\",\"A\":2}", row(Some(2), None)),
        ("{\"A\":1,\"A\":null}", row(None, None)),
        ("{\"\\u0041\":1}", row(Some(1), None)),
        ("{\"x\":{\"A\":[1,{}]},\"A\":1}", row(Some(1), None)),
    ];
    for (text, expected) in table {
        assert_eq!(decode_one(&layout, text), expected, "{text}");
    }
}

#[test]
fn reasons_say_where_and_what() {
    let nested = SqlType::Array(Box::new(SqlType::Struct(vec![("X".into(), SqlType::Map(Box::new(SqlType::Int)))])));
    let layout = layout(Format::Json, &[("A", SqlType::Int), ("N", nested)], true);
    let table = [
        ("", "not JSON: expected a value at byte 0, found the end"),
        ("{\"A\":1", "not JSON: expected `,` or `}` at byte 6, found the end"),
        ("{\"A\":1} x", "not JSON: expected the end of the record at byte 8, found `x`"),
        ("{\"A\":tru}", "not JSON: expected a value at byte 5, found `t`"),
        ("{\"A\":01}", "not JSON: expected no zero in front of a number at byte 6, found `1`"),
        ("7", "expected an object with a property for each column, found the number 7"),
        ("{\"A\":\"x\"}", "column `A` INTEGER: found the text \"x\", which is not an INTEGER"),
        ("{\"A\":{}}", "column `A` INTEGER: found an object"),
        ("{\"N\":[{},{\"X\":{\"k\":true}}]}", "column `N`[2]->`X`['k'] INTEGER: found the boolean true"),
    ];
    for (text, expected) in table {
        assert_eq!(decode_one(&layout, text), Err(expected.to_string()), "{text}");
    }
    let rows = decode(&layout, &[Some(b"{\"A\":1,\"x\":\"\xff\"}"), Some(b"{\"\xff\":1}"), Some(b"{\"\xff\":1}")]);
    assert_eq!(rows[0], Err("not UTF-8 at byte 12".to_string()));
    assert_eq!(rows[1], Err("not UTF-8 at byte 2".to_string()));
    assert_eq!(rows[2], rows[1]);
}

#[test]
fn nesting_has_an_end() {
    for open in ["[", "{\"A\":"] {
        let text = open.repeat(100_000);
        for ty in [SqlType::Int, SqlType::String] {
            assert!(decode_one(&one(ty), &format!("{{\"A\":{text}")).is_err());
        }
        assert!(decode_one(&one(SqlType::Int), &format!("{{\"B\":{text}")).is_err());
    }
    let deep = format!("{{\"B\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(decode_one(&one(SqlType::Int), &deep), Ok(Some(vec![Value::Null])));
}

#[test]
fn a_bad_row_costs_only_itself() {
    let layout = layout(Format::Json, &[("A", SqlType::String), ("B", SqlType::Int)], true);
    let values: [Option<&[u8]>; 5] = [
        Some(b"{\"A\":\"x\",\"B\":1}"),
        Some(b"{\"A\":\"half\",\"B\":\"?\"}"),
        None,
        Some(b"{\"A\":\"trunc"),
        Some(b"{\"A\":\"y\",\"B\":2}"),
    ];
    let rows = decode(&layout, &values);
    assert_eq!(rows[0], Ok(Some(vec![text("x"), Value::Int(1)])));
    assert!(rows[1].is_err() && rows[3].is_err());
    assert_eq!(rows[2], Ok(None));
    assert_eq!(rows[4], Ok(Some(vec![text("y"), Value::Int(2)])));
}

#[test]
fn what_is_written() {
    let decimal = SqlType::Decimal { precision: 6, scale: 4 };
    let members = vec![("A".to_string(), SqlType::Int), ("b c\"".to_string(), SqlType::String)];
    let table = vec![
        (SqlType::Boolean, Value::Boolean(true), "true"),
        (SqlType::Int, Value::Int(-1), "-1"),
        (SqlType::Double, Value::Double(1e10), "1.0E10"),
        (SqlType::Double, Value::Double(f64::NAN), "\"NaN\""),
        (
            decimal.clone(),
            Value::Decimal { unscaled: arrow::datatypes::i256::from_i128(100_000), precision: 6, scale: 4 },
            "10.0000",
        ),
        (SqlType::String, text("é\"\\/\u{7f}\u{1f} and a text longer than sixteen\n"), {
            "\"é\\\"\\\\/\u{7f}\\u001F and a text longer than sixteen\\n\""
        }),
        (SqlType::Bytes, Value::Bytes(vec![0x7b]), "\"ew==\""),
        (SqlType::Timestamp, Value::Timestamp(10), "10"),
        (SqlType::Array(Box::new(SqlType::Int)), Value::Array(vec![Value::Int(1), Value::Null]), "[1,null]"),
        (SqlType::Map(Box::new(SqlType::Int)), Value::Map(vec![("k".into(), Value::Null)]), "{\"k\":null}"),
        (
            SqlType::Struct(members.clone()),
            Value::Struct(vec![("A".into(), Value::Int(1)), ("b c\"".into(), Value::Null)]),
            "{\"A\":1,\"b c\\\"\":null}",
        ),
    ];
    for (ty, value, expected) in table {
        let columns = [values_to_array(&[value, Value::Null, Value::Null], &ty)];
        let wrapped = layout(Format::Json, &[("V", ty.clone())], true);
        let shown: Vec<Option<String>> = encode(&wrapped, &columns, 3, &[1])
            .into_iter()
            .map(|bytes| bytes.map(|bytes| String::from_utf8(bytes).unwrap()))
            .collect();
        assert_eq!(shown, [Some(format!("{{\"V\":{expected}}}")), None, Some("{\"V\":null}".to_string())]);
        let bare = layout(Format::Json, &[("V", ty)], false);
        let bytes = encode(&bare, &columns, 3, &[1]);
        assert_eq!(bytes, [Some(expected.as_bytes().to_vec()), None, None]);
    }
}

//! One value and how it is shown: on a terminal and as JSON of the HTTP API.

use std::fmt::{self, Write};

use arrow::datatypes::i256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::decimal;
use super::text;

/// One value, for places where rows are handled one by one: literals, pull queries, tests, results on a terminal.
/// Nothing on the data path holds one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL of any type.
    Null,
    /// BOOLEAN
    Boolean(bool),
    /// INTEGER
    Int(i32),
    /// BIGINT
    Bigint(i64),
    /// DOUBLE
    Double(f64),
    /// DECIMAL: `unscaled` / 10^`scale`.
    Decimal {
        /// The digits as a whole number.
        unscaled: i256,
        /// Digits that the type has in all.
        precision: u32,
        /// Digits behind the point.
        scale: u32,
    },
    /// STRING
    String(String),
    /// BYTES
    Bytes(Vec<u8>),
    /// Milliseconds of the day.
    Time(i32),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// ARRAY
    Array(Vec<Value>),
    /// In the order of the entries.
    Map(Vec<(String, Value)>),
    /// STRUCT: fields in the type's order.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Appends the value in the HTTP API's encoding: numbers as JSON numbers with all their digits, DATE, TIME and
    /// TIMESTAMP as ISO text, BYTES as base64, STRUCT and MAP as objects; a DOUBLE that JSON can't say as a string.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Double(number) if !number.is_finite() => {
                out.push('"');
                text::write_double(out, *number);
                out.push('"');
            }
            Value::Boolean(_) | Value::Int(_) | Value::Bigint(_) | Value::Double(_) | Value::Decimal { .. } => {
                self.write_scalar(out)
            }
            Value::String(string) => text::write_json_string(out, string),
            Value::Bytes(_) | Value::Time(_) | Value::Date(_) | Value::Timestamp(_) => {
                out.push('"');
                self.write_scalar(out);
                out.push('"');
            }
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Map(members) | Value::Struct(members) => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    text::write_json_string(out, name);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// The value in the HTTP API's encoding as a tree. A DECIMAL of more digits than a double holds loses the rest here
    /// (the tree has no other number): where they count, use [`Value::write_json`].
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null => Json::Null,
            Value::Boolean(boolean) => Json::Bool(*boolean),
            Value::Int(number) => Json::from(*number),
            Value::Bigint(number) => Json::from(*number),
            Value::Double(number) if number.is_finite() => Json::from(*number),
            Value::Decimal { unscaled, scale, .. } => decimal_to_json(*unscaled, *scale),
            Value::String(string) => Json::String(string.clone()),
            Value::Double(_) | Value::Bytes(_) | Value::Time(_) | Value::Date(_) | Value::Timestamp(_) => {
                Json::String(self.to_string())
            }
            Value::Array(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Map(members) | Value::Struct(members) => {
                Json::Object(members.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
            }
        }
    }

    /// A value without members, as text without quotes.
    fn write_scalar(&self, out: &mut impl Write) {
        // Writing to a string can't fail, and to a formatter only with the formatter's own error, which it keeps.
        let _ = match self {
            Value::Boolean(boolean) => write!(out, "{boolean}"),
            Value::Int(number) => write!(out, "{number}"),
            Value::Bigint(number) => write!(out, "{number}"),
            Value::Double(number) => out.write_str(&text::java_double(*number)),
            Value::Decimal { unscaled, scale, .. } => out.write_str(&decimal::to_text(*unscaled, *scale)),
            Value::String(string) => out.write_str(string),
            Value::Bytes(bytes) => out.write_str(&BASE64.encode(bytes)),
            Value::Time(millis) => out.write_str(&text::iso_time(*millis)),
            Value::Date(days) => out.write_str(&text::iso_date(*days)),
            Value::Timestamp(millis) => out.write_str(&text::iso_timestamp(*millis)),
            Value::Null | Value::Array(_) | Value::Map(_) | Value::Struct(_) => out.write_str("null"),
        };
    }
}

/// A JSON number of a DECIMAL: whole numbers exactly up to 64 bits, others as the nearest double.
fn decimal_to_json(unscaled: i256, scale: u32) -> serde_json::Value {
    let text = decimal::to_text(unscaled, scale);
    match text.parse::<i64>() {
        Ok(whole) => serde_json::Value::from(whole),
        Err(_) => serde_json::Value::from(text.parse::<f64>().unwrap_or(f64::NAN)),
    }
}

/// As a terminal shows it: `null`, strings bare, BYTES in base64, dates and times in ISO 8601, `[a, b]` for an ARRAY,
/// `{k=v}` for a MAP or a STRUCT.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Value::Map(members) | Value::Struct(members) => {
                f.write_str("{")?;
                for (i, (name, value)) in members.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{name}={value}")?;
                }
                f.write_str("}")
            }
            scalar => {
                scalar.write_scalar(f);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(unscaled: i128, precision: u32, scale: u32) -> Value {
        Value::Decimal { unscaled: i256::from_i128(unscaled), precision, scale }
    }

    #[test]
    fn shows_values_as_a_terminal_does() {
        let table: Vec<(Value, &str)> = vec![
            (Value::Null, "null"),
            (Value::Boolean(true), "true"),
            (Value::Int(-5), "-5"),
            (Value::Bigint(i64::MIN), "-9223372036854775808"),
            (Value::Double(1.0), "1.0"),
            (decimal(-5, 4, 2), "-0.05"),
            (Value::String("a b".into()), "a b"),
            (Value::Bytes(vec![0x7b]), "ew=="),
            (Value::Date(19_358), "2023-01-01"),
            (Value::Time(3_661_001), "01:01:01.001"),
            (Value::Timestamp(1), "1970-01-01T00:00:00.001"),
            (Value::Array(vec![Value::Int(1), Value::Null]), "[1, null]"),
            (Value::Map(vec![("k".into(), Value::String("v".into()))]), "{k=v}"),
            (Value::Struct(vec![("A".into(), Value::Int(1)), ("B".into(), Value::Array(vec![]))]), "{A=1, B=[]}"),
        ];
        for (value, text) in table {
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn writes_json_of_the_http_api() {
        let table: Vec<(Value, &str)> = vec![
            (Value::Null, "null"),
            (Value::Double(1e10), "1.0E10"),
            (Value::Double(f64::NAN), "\"NaN\""),
            (decimal(12_345_678_901_234_567_890_123, 30, 3), "12345678901234567890.123"),
            (Value::String("a\"\n\u{1}é".into()), "\"a\\\"\\n\\u0001é\""),
            (Value::Bytes(vec![0x7b]), "\"ew==\""),
            (Value::Date(0), "\"1970-01-01\""),
            (Value::Struct(vec![("A".into(), Value::Array(vec![Value::Int(1), Value::Null]))]), "{\"A\":[1,null]}"),
            (Value::Map(vec![("k".into(), Value::Boolean(false))]), "{\"k\":false}"),
        ];
        for (value, text) in table {
            let mut out = String::new();
            value.write_json(&mut out);
            assert_eq!(out, text);
            let parsed: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(value.to_json(), parsed, "tree of {text}");
        }
    }
}

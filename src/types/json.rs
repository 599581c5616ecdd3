//! Single values as JSON for people (the terminal, the HTTP API), and as text of a table's cell.

use arrow::datatypes::i256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveTime};

use crate::types::Value;

/// Appends a JSON string.
pub fn put_string(out: &mut String, text: &str) {
    // Strings always serialise.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Appends a value: DECIMAL as a number with all its digits, BYTES as base64, times in ISO 8601.
pub fn put_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Boolean(_) | Value::Int(_) | Value::Bigint(_) | Value::Decimal { .. } => out.push_str(&cell(value)),
        Value::Double(number) if number.is_finite() => out.push_str(ryu::Buffer::new().format_finite(*number)),
        Value::Double(_)
        | Value::String(_)
        | Value::Bytes(_)
        | Value::Time(_)
        | Value::Date(_)
        | Value::Timestamp(_) => put_string(out, &cell(value)),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                separate(out, i);
                put_value(out, item);
            }
            out.push(']');
        }
        Value::Map(entries) | Value::Struct(entries) => {
            put_object(out, entries.iter().map(|(name, value)| (name.as_str(), value)));
        }
    }
}

/// Appends an object of these members.
pub fn put_object<'a>(out: &mut String, members: impl Iterator<Item = (&'a str, &'a Value)>) {
    out.push('{');
    for (i, (name, value)) in members.enumerate() {
        separate(out, i);
        put_string(out, name);
        out.push(':');
        put_value(out, value);
    }
    out.push('}');
}

fn separate(out: &mut String, i: usize) {
    if i > 0 {
        out.push(',');
    }
}

/// The text of a cell: as ksqlDB's terminal shows it (`{A=1, B=x}`, `[1, 2]`, `null`).
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Bigint(value) => value.to_string(),
        Value::Double(value) => double(*value),
        Value::Decimal { unscaled, scale, .. } => decimal(*unscaled, *scale),
        Value::String(text) => text.clone(),
        Value::Bytes(bytes) => STANDARD.encode(bytes),
        Value::Time(ms) => time(*ms),
        Value::Date(days) => DateTime::from_timestamp(i64::from(*days) * 86_400, 0)
            .map_or_else(|| days.to_string(), |date| date.format("%Y-%m-%d").to_string()),
        Value::Timestamp(ms) => timestamp(*ms),
        Value::Array(items) => format!("[{}]", items.iter().map(cell).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) | Value::Struct(entries) => {
            let entries: Vec<_> = entries.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn double(value: f64) -> String {
    match value {
        value if value.is_finite() => ryu::Buffer::new().format_finite(value).to_owned(),
        value if value.is_nan() => "NaN".to_owned(),
        value if value > 0.0 => "Infinity".to_owned(),
        _ => "-Infinity".to_owned(),
    }
}

fn decimal(unscaled: i256, scale: u32) -> String {
    let text = unscaled.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let scale = scale as usize;
    if scale == 0 {
        return text;
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

fn time(ms: i32) -> String {
    let (seconds, nanos) = (ms.div_euclid(1000), ms.rem_euclid(1000) * 1_000_000);
    match u32::try_from(seconds).ok().and_then(|s| NaiveTime::from_num_seconds_from_midnight_opt(s, nanos as u32)) {
        Some(time) if nanos == 0 => time.format("%H:%M:%S").to_string(),
        Some(time) => time.format("%H:%M:%S%.3f").to_string(),
        None => ms.to_string(),
    }
}

/// `2013-01-01T10:00:00.000`, UTC.
pub fn timestamp(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |time| time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        for (unscaled, scale, expected) in
            [(5, 2, "0.05"), (-5, 2, "-0.05"), (12345, 2, "123.45"), (-12345, 0, "-12345"), (0, 3, "0.000")]
        {
            assert_eq!(decimal(i256::from(unscaled), scale), expected);
        }
    }

    #[test]
    fn json_of_nested_values() {
        let value = Value::Struct(vec![
            ("A".into(), Value::Array(vec![Value::Int(1), Value::Null])),
            ("b\"".into(), Value::Map(vec![("k".into(), Value::Double(f64::NAN))])),
            ("C".into(), Value::Bytes(vec![1, 2, 3])),
            ("D".into(), Value::Date(-1)),
            ("T".into(), Value::Time(3_723_004)),
            ("S".into(), Value::Timestamp(1_357_034_400_000)),
            ("N".into(), Value::Decimal { unscaled: i256::from(150), precision: 4, scale: 2 }),
        ]);
        let mut out = String::new();
        put_value(&mut out, &value);
        assert_eq!(
            out,
            r#"{"A":[1,null],"b\"":{"k":"NaN"},"C":"AQID","D":"1969-12-31","T":"01:02:03.004","S":"2013-01-01T10:00:00.000","N":1.50}"#
        );
        assert_eq!(
            cell(&value),
            "{A=[1, null], b\"={k=NaN}, C=AQID, D=1969-12-31, T=01:02:03.004, S=2013-01-01T10:00:00.000, N=1.50}"
        );
    }
}

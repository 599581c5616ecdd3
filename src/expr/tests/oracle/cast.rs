//! Widening, CAST, and the texts of values.

use super::interpret::decimal;
use super::number::{Decimal, Rounding, double_text};
use super::times;
use super::value::{Ty, Val};

/// What goes over by itself: numbers to wider ones, lists, maps and structs by their parts.
pub(super) fn widen(value: Val, from: &Ty, to: &Ty) -> Val {
    match (value, from, to) {
        (value, from, to) if from == to => value,
        (Val::Int(v), _, Ty::Bigint) => Val::Bigint(i64::from(v)),
        (Val::Int(v), _, Ty::Double) => Val::Double(f64::from(v)),
        (Val::Bigint(v), _, Ty::Double) => Val::Double(v as f64),
        (Val::Decimal(v), _, Ty::Double) => Val::Double(v.to_double()),
        (value @ (Val::Int(_) | Val::Bigint(_) | Val::Decimal(_)), _, Ty::Decimal(_, scale)) => {
            Val::Decimal(decimal(&value).rescaled(*scale, Rounding::Unnecessary).unwrap())
        }
        (Val::Array(items), Ty::Array(from), Ty::Array(to)) => {
            Val::Array(items.into_iter().map(|item| widen(item, from, to)).collect())
        }
        (Val::Map(entries), Ty::Map(from), Ty::Map(to)) => {
            Val::Map(entries.into_iter().map(|(key, value)| (key, widen(value, from, to))).collect())
        }
        (Val::Null, ..) => Val::Null,
        (value, from, to) => panic!("{value:?} of {from} isn't one of {to}"),
    }
}

fn whole(value: &Val) -> i64 {
    match value {
        Val::Int(v) => i64::from(*v),
        Val::Bigint(v) => *v,
        // Truncated; what is too large is the largest, NaN is 0.
        Val::Double(v) => *v as i64,
        Val::Decimal(v) => v.to_bigint(),
        other => panic!("no number: {other:?}"),
    }
}

/// `None`: the cast fails. NULL is NULL of every type.
pub(super) fn cast(value: &Val, from: &Ty, to: &Ty) -> Option<Val> {
    if value.is_null() || from == to {
        return Some(value.clone());
    }
    Some(match (value, from, to) {
        (Val::Array(items), Ty::Array(from), Ty::Array(to)) => {
            Val::Array(items.iter().map(|item| cast(item, from, to)).collect::<Option<_>>()?)
        }
        (Val::Map(entries), Ty::Map(from), Ty::Map(to)) => {
            let entry = |(key, value): &(String, Val)| Some((key.clone(), cast(value, from, to)?));
            Val::Map(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        (Val::Struct(values), Ty::Struct(fields), Ty::Struct(wanted)) => {
            let field = |(name, to): &(String, Ty)| {
                let found = values.iter().zip(fields).find(|(_, (known, _))| known == name);
                let value = match found {
                    Some(((_, value), (_, from))) => cast(value, from, to)?,
                    None => Val::Null,
                };
                Some((name.clone(), value))
            };
            Val::Struct(wanted.iter().map(field).collect::<Option<_>>()?)
        }
        (_, _, Ty::String) => Val::String(text(value)),
        (Val::String(text), _, _) => from_text(text, to)?,
        (Val::Double(v), _, Ty::Int) => Val::Int(*v as i32),
        (_, _, Ty::Int) => Val::Int(whole(value) as i32),
        (_, _, Ty::Bigint) => Val::Bigint(whole(value)),
        (Val::Double(v), _, Ty::Decimal(precision, scale)) => {
            if !v.is_finite() {
                return None;
            }
            to_decimal(&Decimal::parse(&double_text(*v))?, *precision, *scale)?
        }
        (_, _, Ty::Decimal(precision, scale)) => to_decimal(&decimal(value), *precision, *scale)?,
        (_, from, Ty::Double) => widen(value.clone(), from, to),
        (Val::Date(days), _, Ty::Timestamp) => Val::Timestamp(days * times::DAY),
        (Val::Timestamp(ms), _, Ty::Date) => Val::Date(ms.div_euclid(times::DAY)),
        (Val::Timestamp(ms), _, Ty::Time) => Val::Time(ms.rem_euclid(times::DAY)),
        (value, from, to) => panic!("no cast of {value:?} from {from} to {to}"),
    })
}

fn to_decimal(number: &Decimal, precision: u32, scale: u32) -> Option<Val> {
    number.rescaled(scale, Rounding::HalfUp).filter(|number| number.fits(precision)).map(Val::Decimal)
}

fn from_text(text: &str, to: &Ty) -> Option<Val> {
    let number = text.trim();
    Some(match to {
        Ty::Boolean => {
            let text = number.to_ascii_lowercase();
            Val::Boolean(!text.is_empty() && ("true".starts_with(&text) || "yes".starts_with(&text)))
        }
        Ty::Int => Val::Int(number.parse().ok()?),
        Ty::Bigint => Val::Bigint(number.parse().ok()?),
        Ty::Double => {
            Decimal::parse(number)?;
            let value: f64 = number.parse().ok()?;
            Val::Double(value.is_finite().then_some(value)?)
        }
        Ty::Decimal(precision, scale) => to_decimal(&Decimal::parse(number)?, *precision, *scale)?,
        Ty::Date => Val::Date(times::parse_date(text)?),
        Ty::Time => Val::Time(times::parse_time(text)?),
        Ty::Timestamp => Val::Timestamp(times::parse_timestamp(text)?),
        Ty::Bytes => Val::Bytes(from_base64(text)?),
        _ => panic!("text as {to}"),
    })
}

/// As Java's `toString` has it.
pub(super) fn text(value: &Val) -> String {
    let list = |items: Vec<String>, between: &str| items.join(between);
    match value {
        Val::Null => "null".into(),
        Val::Boolean(v) => v.to_string(),
        Val::Int(v) => v.to_string(),
        Val::Bigint(v) => v.to_string(),
        Val::Double(v) => double_text(*v),
        Val::Decimal(v) => v.to_string(),
        Val::String(v) => v.clone(),
        Val::Time(ms) => times::time_text(*ms),
        Val::Date(days) => times::date_text(*days),
        Val::Timestamp(ms) => times::timestamp_text(*ms),
        Val::Array(items) => format!("[{}]", list(items.iter().map(text).collect(), ", ")),
        Val::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
            format!("{{{}}}", list(entries, ", "))
        }
        Val::Struct(fields) => {
            let shown = fields.iter().filter(|(_, value)| !value.is_null());
            format!("Struct{{{}}}", list(shown.map(|(name, value)| format!("{name}={}", text(value))).collect(), ","))
        }
        Val::Bytes(_) => panic!("BYTES as text"),
    }
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sign = BASE64[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > chunk.len() { '=' } else { char::from(sign) });
        }
    }
    out
}

/// With its padding, and nothing left over.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let text = text.as_bytes();
    for (i, chunk) in text.chunks(4).enumerate() {
        let padding = chunk.iter().rev().take_while(|sign| **sign == b'=').count();
        let is_last = (i + 1) * 4 >= text.len();
        if chunk.len() != 4 || padding > 2 || (padding > 0 && !is_last) {
            return None;
        }
        let mut bits = 0u32;
        for sign in &chunk[..4 - padding] {
            bits = bits << 6 | BASE64.iter().position(|known| known == sign)? as u32;
        }
        bits <<= 6 * padding;
        let kept = 3 - padding;
        if bits & ((1 << (8 * padding)) - 1) != 0 {
            return None;
        }
        out.extend(&bits.to_be_bytes()[1..1 + kept]);
    }
    Some(out)
}

#[test]
fn base64_goes_both_ways() {
    for (bytes, text) in [(&b""[..], ""), (b"{", "ew=="), (b"\x01\x02", "AQI="), (b"\xff\xfe\xfd", "//79")] {
        assert_eq!(to_base64(bytes), text);
        assert_eq!(from_base64(text).unwrap(), bytes);
    }
    assert_eq!(from_base64("abc"), None);
}

//! CAST to and from STRING.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, Date32Array, Decimal256Array, Float64Array, Int32Array,
    Int64Array, PrimitiveArray, StringBuilder, Time32MillisecondArray, TimestampMillisecondArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use base64::Engine;

use super::nulls;
use crate::expr::decimal::{self, Rounding};
use crate::expr::iso;
use crate::types::SqlType;

/// Every entry's text; NULL stays NULL.
pub(super) fn to_text(array: &ArrayRef, from: &SqlType) -> ArrayRef {
    match from {
        SqlType::Int => return integers_to_text(array.as_primitive::<Int32Type>()),
        SqlType::Bigint => return integers_to_text(array.as_primitive::<Int64Type>()),
        _ => {}
    }
    let mut out = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut buffer = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        buffer.clear();
        write_text(array, from, row, &mut buffer);
        out.append_value(&buffer);
    }
    Arc::new(out.finish())
}

fn integers_to_text<T: ArrowPrimitiveType<Native: itoa::Integer>>(array: &PrimitiveArray<T>) -> ArrayRef {
    let mut out = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut digits = itoa::Buffer::new();
    for number in array {
        match number {
            Some(number) => out.append_value(digits.format(number)),
            None => out.append_null(),
        }
    }
    Arc::new(out.finish())
}

/// Appends an entry's text as Java's `toString` would have it. Parts that are NULL are `null`.
pub(in crate::expr) fn write_text(array: &ArrayRef, ty: &SqlType, row: usize, out: &mut String) {
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    // A String takes all that is written to it.
    let _ = match ty {
        SqlType::Boolean => write!(out, "{}", array.as_boolean().value(row)),
        SqlType::Int => out.write_str(itoa::Buffer::new().format(array.as_primitive::<Int32Type>().value(row))),
        SqlType::Bigint => out.write_str(itoa::Buffer::new().format(array.as_primitive::<Int64Type>().value(row))),
        SqlType::Double => {
            crate::types::text::write_double(out, array.as_primitive::<Float64Type>().value(row));
            Ok(())
        }
        SqlType::Decimal { scale, .. } => {
            out.write_str(&crate::types::decimal::to_text(array.as_primitive::<Decimal256Type>().value(row), *scale))
        }
        SqlType::String => out.write_str(array.as_string::<i32>().value(row)),
        SqlType::Bytes => {
            base64::engine::general_purpose::STANDARD.encode_string(array.as_binary::<i32>().value(row), out);
            Ok(())
        }
        SqlType::Time => out.write_str(&iso::time_text(array.as_primitive::<Time32MillisecondType>().value(row))),
        SqlType::Date => out.write_str(&crate::types::text::iso_date(array.as_primitive::<Date32Type>().value(row))),
        SqlType::Timestamp => out
            .write_str(&crate::types::text::iso_timestamp(array.as_primitive::<TimestampMillisecondType>().value(row))),
        SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_) => {
            write_nested(array, ty, row, out);
            Ok(())
        }
    };
}

fn write_nested(array: &ArrayRef, ty: &SqlType, row: usize, out: &mut String) {
    match ty {
        SqlType::Array(item) => {
            let items = array.as_list::<i32>().value(row);
            out.push('[');
            for i in 0..items.len() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_text(&items, item, i, out);
            }
            out.push(']');
        }
        SqlType::Map(value) => {
            let entries = array.as_map().value(row);
            let keys = entries.column(0).as_string::<i32>();
            out.push('{');
            for i in 0..entries.len() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(keys.value(i));
                out.push('=');
                write_text(entries.column(1), value, i, out);
            }
            out.push('}');
        }
        SqlType::Struct(fields) => {
            let columns = array.as_struct();
            out.push_str("Struct{");
            let mut first = true;
            for (i, (name, field)) in fields.iter().enumerate() {
                // Java's Struct shows no field that is null.
                if columns.column(i).is_null(row) {
                    continue;
                }
                out.push_str(if first { "" } else { "," });
                first = false;
                out.push_str(name);
                out.push('=');
                write_text(columns.column(i), field, row, out);
            }
            out.push('}');
        }
        _ => {}
    }
}

/// The entries read as another type.
pub(super) fn from_text(array: &ArrayRef, to: &SqlType, fail: &mut dyn FnMut(usize, String)) -> ArrayRef {
    macro_rules! parse {
        ($array:ty, $parse:expr) => {
            Arc::new(each(array, to, fail, $parse).collect::<$array>())
        };
    }
    match to {
        SqlType::Boolean => Arc::new(each(array, to, fail, |text| Some(is_true(text))).collect::<BooleanArray>()),
        SqlType::Int => parse!(Int32Array, |text| integer(text)?.try_into().ok()),
        SqlType::Bigint => parse!(Int64Array, integer),
        SqlType::Double => parse!(Float64Array, double),
        SqlType::Time => parse!(Time32MillisecondArray, iso::parse_time),
        SqlType::Date => parse!(Date32Array, iso::parse_date),
        SqlType::Timestamp => parse!(TimestampMillisecondArray, iso::parse_timestamp),
        SqlType::Decimal { precision, scale } => {
            let parsed: Decimal256Array = each(array, to, fail, |text| {
                let (unscaled, from) = decimal::parse(text.trim())?;
                let value = decimal::rescale(unscaled, from, *scale, Rounding::HalfUp)?;
                decimal::fits(value, *precision).then_some(value)
            })
            .collect();
            Arc::new(parsed.with_data_type(to.to_arrow()))
        }
        SqlType::Bytes => {
            let mut out = BinaryBuilder::new();
            for value in each(array, to, fail, |text| base64::engine::general_purpose::STANDARD.decode(text).ok()) {
                out.append_option(value);
            }
            Arc::new(out.finish())
        }
        _ => nulls(to, array.len()),
    }
}

fn each<'a, R: 'a>(
    array: &'a ArrayRef,
    to: &'a SqlType,
    fail: &'a mut dyn FnMut(usize, String),
    parse: impl Fn(&str) -> Option<R> + 'a,
) -> impl Iterator<Item = Option<R>> + 'a {
    array.as_string::<i32>().iter().enumerate().map(move |(row, text)| {
        let text = text?;
        let value = parse(text);
        if value.is_none() {
            fail(row, format!("'{text}' can't be cast to {to}"));
        }
        value
    })
}

/// Any non-empty prefix of `true` or `yes`, in any case.
fn is_true(text: &str) -> bool {
    let lower = text.trim().to_ascii_lowercase();
    !lower.is_empty() && ("true".starts_with(&lower) || "yes".starts_with(&lower))
}

fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// A number: neither NaN nor an infinity.
fn double(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.contains(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

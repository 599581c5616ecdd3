//! Values out of texts, by the rules that DELIMITED fields and JSON strings share. Doesn't know where a text stood.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::builder::{Column, Values};
use super::shown;
use crate::types::decimal;

/// Base64 as Jackson reads it: padded, the unused bits of the last character are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Appends the value that a text stands for: strict digits for INT, BIGINT and (counted from 1970) TIME, DATE and
/// TIMESTAMP, Java's doubles, a DECIMAL that fits exactly, base64 for BYTES. Not for BOOLEAN or what has members.
/// The error says what was found; the column may then hold half a row.
pub(super) fn push_text(column: &mut Column, text: &str) -> Result<(), String> {
    let not = |what: &str| format!("the text {}, which is {what}", shown(text));
    match &mut column.values {
        Values::Int(values) => values.push(text.parse().map_err(|_| not("not an INTEGER"))?),
        Values::Bigint(values) => values.push(text.parse().map_err(|_| not("not a BIGINT"))?),
        Values::Double(values) => values.push(java_double(text).ok_or_else(|| not("not a DOUBLE"))?),
        Values::Decimal { unscaled, precision, scale } => {
            unscaled.push(
                decimal::parse(text.as_bytes(), *precision, *scale)
                    .map_err(|error| format!("the text {}: {error}", shown(text)))?,
            );
        }
        Values::String(texts) => texts.push(text.as_bytes()),
        Values::Bytes(texts) => {
            BASE64.decode_vec(text, &mut texts.data).map_err(|_| not("not base64"))?;
            texts.close();
        }
        Values::Time(values) => values.push(text.parse().map_err(|_| not("not a TIME in milliseconds"))?),
        Values::Date(values) => values.push(text.parse().map_err(|_| not("not a DATE in days since 1970"))?),
        Values::Timestamp(values) => {
            values.push(text.parse().map_err(|_| not("not a TIMESTAMP in milliseconds since 1970"))?);
        }
        Values::Boolean(_) | Values::Array { .. } | Values::Map { .. } | Values::Struct(_) => {
            return Err(format!("the text {}", shown(text)));
        }
    }
    column.nulls.append_non_null();
    Ok(())
}

/// As `Double.parseDouble` does, but for hexadecimal numbers: blanks around it, `NaN`, `Infinity`, a type suffix.
fn java_double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let (sign, size) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match size {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let size = size.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(size);
    // Only what begins like a number: the parser knows other words for infinity.
    match size.as_bytes().first()? {
        b'0'..=b'9' | b'.' => size.parse::<f64>().ok().map(|size| sign * size),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_as_java_reads_them() {
        let table = [
            ("1.5", Some(1.5)),
            (" -2e3\t", Some(-2000.0)),
            ("+.5", Some(0.5)),
            ("1.", Some(1.0)),
            ("1d", Some(1.0)),
            ("1.5F", Some(1.5)),
            ("1e400", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", None),
            ("infinity", None),
            ("nan", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("1 2", None),
            ("1e", None),
            (".", None),
        ];
        for (text, expected) in table {
            assert_eq!(java_double(text), expected, "{text}");
        }
        assert!(java_double("NaN").is_some_and(f64::is_nan));
    }
}

//! When an expected value and an actual one are the same. Knows values and their types, nothing of records or topics.
//!
//! - Objects have the same number of fields; a field's name matches as it is or in upper case; a map's keys match as they are.
//! - Whole numbers are equal, DOUBLEs differ by at most [`DOUBLE_TOLERANCE`].
//! - A DECIMAL expected as a string has the same digits and the same scale; expected as a number, the same value (JSON
//!   numbers lose their trailing zeros on the way into test files).
//! - BYTES are base64. DATE, TIME and TIMESTAMP are numbers as Kafka has them or ISO 8601 text. null equals null or missing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::json::Json;
use crate::types::SqlType;

/// How far two DOUBLEs may lie apart.
pub const DOUBLE_TOLERANCE: f64 = 0.000_001;

/// The first difference between two values.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where: `value.ADDRESS.CITY`, `key`, `value.TAGS[2]`.
    pub path: String,
    pub expected: String,
    pub actual: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: expected {}, actual {}", self.path, self.expected, self.actual)
    }
}

/// Finds the first difference. `ty` is the type of both where it is known; it decides how numbers are compared.
pub fn compare(path: &str, expected: &Json, actual: &Json, ty: Option<&SqlType>) -> Result<(), Difference> {
    match (expected, actual) {
        (Json::Object(expected), Json::Object(actual)) => compare_objects(path, expected, actual, ty),
        (Json::Array(expected), Json::Array(actual)) => compare_arrays(path, expected, actual, ty),
        _ if scalars_equal(expected, actual, ty) => Ok(()),
        _ => Err(difference(path, expected, actual)),
    }
}

fn difference(path: &str, expected: impl ToString, actual: impl ToString) -> Difference {
    Difference { path: path.to_owned(), expected: expected.to_string(), actual: actual.to_string() }
}

fn compare_arrays(path: &str, expected: &[Json], actual: &[Json], ty: Option<&SqlType>) -> Result<(), Difference> {
    let item_type = match ty {
        Some(SqlType::Array(item)) => Some(&**item),
        _ => None,
    };
    if expected.len() != actual.len() {
        let (expected, actual) = (Json::Array(expected.to_vec()), Json::Array(actual.to_vec()));
        return Err(difference(path, expected, actual));
    }
    for (i, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        compare(&format!("{path}[{i}]"), expected, actual, item_type)?;
    }
    Ok(())
}

type Field = (String, Json);

fn compare_objects(path: &str, expected: &[Field], actual: &[Field], ty: Option<&SqlType>) -> Result<(), Difference> {
    let is_map = matches!(ty, Some(SqlType::Map(_)));
    let mut matched = vec![false; actual.len()];
    for (name, expected) in expected {
        let path = format!("{path}.{name}");
        match find_field(name, actual, &matched, is_map) {
            Some(i) => {
                matched[i] = true;
                compare(&path, expected, &actual[i].1, field_type(ty, &actual[i].0))?;
            }
            None if expected.is_null() => {}
            None => return Err(difference(&path, expected, "no such field")),
        }
    }
    for ((name, actual), matched) in actual.iter().zip(matched) {
        if !matched && !actual.is_null() {
            return Err(difference(&format!("{path}.{name}"), "no such field", actual));
        }
    }
    if expected.len() != actual.len() {
        return Err(difference(path, format!("{} fields", expected.len()), format!("{} fields", actual.len())));
    }
    Ok(())
}

/// The field that has this name, or failing that, has it in another case. A map's keys are data: they match exactly.
fn find_field(name: &str, fields: &[Field], taken: &[bool], is_map: bool) -> Option<usize> {
    let find = |matches: &dyn Fn(&str) -> bool| (0..fields.len()).find(|&i| !taken[i] && matches(&fields[i].0));
    let exact = find(&|field| field == name);
    if is_map {
        return exact;
    }
    let upper = name.to_uppercase();
    exact.or_else(|| find(&|field| field == upper)).or_else(|| find(&|field| field.to_uppercase() == name))
}

fn field_type<'a>(ty: Option<&'a SqlType>, name: &str) -> Option<&'a SqlType> {
    match ty? {
        SqlType::Struct(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, ty)| ty),
        SqlType::Map(value) => Some(value),
        _ => None,
    }
}

fn scalars_equal(expected: &Json, actual: &Json, ty: Option<&SqlType>) -> bool {
    match (expected, actual) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(expected), Json::Bool(actual)) => expected == actual,
        (Json::Number(expected), Json::Number(actual)) => numbers_equal(expected, actual, ty),
        (Json::String(expected), Json::Number(actual) | Json::String(actual))
            if matches!(ty, Some(SqlType::Decimal { .. })) =>
        {
            Decimal::parse(expected).is_some_and(|expected| Some(expected) == Decimal::parse(actual))
        }
        (Json::String(expected), Json::Number(actual)) => {
            ty.and_then(|ty| time_number(expected, ty)).is_some_and(|expected| actual.parse() == Ok(expected))
        }
        (Json::String(expected), Json::String(actual)) => {
            expected == actual || (ty == Some(&SqlType::Bytes) && bytes_equal(expected, actual))
        }
        _ => false,
    }
}

fn numbers_equal(expected: &str, actual: &str, ty: Option<&SqlType>) -> bool {
    match ty {
        Some(SqlType::Double) => doubles_equal(expected, actual),
        Some(SqlType::Decimal { .. }) if expected.contains(['e', 'E']) => doubles_equal(expected, actual),
        Some(_) => same_value(expected, actual),
        None if is_whole(expected) && is_whole(actual) => same_value(expected, actual),
        None => doubles_equal(expected, actual),
    }
}

fn is_whole(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

fn same_value(expected: &str, actual: &str) -> bool {
    match (Decimal::parse(expected), Decimal::parse(actual)) {
        (Some(expected), Some(actual)) => expected.trimmed() == actual.trimmed(),
        _ => false,
    }
}

fn doubles_equal(expected: &str, actual: &str) -> bool {
    match (expected.parse::<f64>(), actual.parse::<f64>()) {
        (Ok(expected), Ok(actual)) => expected == actual || (expected - actual).abs() <= DOUBLE_TOLERANCE,
        _ => false,
    }
}

fn bytes_equal(expected: &str, actual: &str) -> bool {
    matches!((BASE64.decode(expected), BASE64.decode(actual)), (Ok(expected), Ok(actual)) if expected == actual)
}

/// What the ISO 8601 text of a DATE, TIME or TIMESTAMP is as a number: days, ms of the day, ms since 1970.
fn time_number(text: &str, ty: &SqlType) -> Option<i64> {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
    match ty {
        SqlType::Date => {
            let date: NaiveDate = text.parse().ok()?;
            Some(date.signed_duration_since(NaiveDate::default()).num_days())
        }
        SqlType::Time => {
            let time: NaiveTime = text.parse().or_else(|_| NaiveTime::parse_from_str(text, "%H:%M")).ok()?;
            Some(i64::from(time.num_seconds_from_midnight()) * 1000 + i64::from(time.nanosecond() / 1_000_000))
        }
        SqlType::Timestamp => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => Some(time.timestamp_millis()),
            Err(_) => Some(text.parse::<NaiveDateTime>().ok()?.and_utc().timestamp_millis()),
        },
        _ => None,
    }
}

/// A decimal number of any size: sign, digits without leading zeros, digits behind the point.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    scale: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = all.trim_start_matches('0').to_owned();
        let negative = negative && !digits.is_empty();
        Some(Decimal { negative, digits, scale: fraction.len() as i64 - i64::from(exponent) })
    }

    /// Without trailing zeros: equal values are equal.
    fn trimmed(mut self) -> Decimal {
        let kept = self.digits.trim_end_matches('0').len();
        self.scale -= (self.digits.len() - kept) as i64;
        self.digits.truncate(kept);
        if self.digits.is_empty() {
            self.scale = 0;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECIMAL: SqlType = SqlType::Decimal { precision: 6, scale: 2 };

    fn same(expected: &str, actual: &str, ty: Option<&SqlType>) -> bool {
        compare("value", &Json::parse(expected).unwrap(), &Json::parse(actual).unwrap(), ty).is_ok()
    }

    #[test]
    fn whole_numbers_are_equal() {
        assert!(same("12345678901234567", "12345678901234567", Some(&SqlType::Bigint)));
        assert!(!same("12345678901234567", "12345678901234568", Some(&SqlType::Bigint)));
        assert!(!same("12345678901234567", "12345678901234568", None));
        assert!(!same("1", "\"1\"", Some(&SqlType::Bigint)));
        assert!(!same("\"1\"", "1", Some(&SqlType::Bigint)));
        assert!(!same("1", "-1", Some(&SqlType::Int)));
        assert!(!same("1", "1.0000001", Some(&SqlType::Int)));
    }

    #[test]
    fn doubles_are_near() {
        for ty in [Some(&SqlType::Double), None] {
            assert!(same("1.5", "1.5000009", ty));
            assert!(same("1e3", "1000.0", ty));
            assert!(!same("1.5", "1.50001", ty));
        }
        assert!(!same("1.5", "null", Some(&SqlType::Double)));
        assert!(same("\"NaN\"", "\"NaN\"", Some(&SqlType::Double)));
    }

    #[test]
    fn decimals_expected_as_text_have_the_same_digits_and_scale() {
        assert!(same("\"12.30\"", "12.30", Some(&DECIMAL)));
        assert!(same("\"12.30\"", "\"12.30\"", Some(&DECIMAL)));
        assert!(same("\"005.40\"", "5.40", Some(&DECIMAL)));
        assert!(!same("\"12.30\"", "12.3", Some(&DECIMAL)));
        assert!(!same("\"12.30\"", "12.31", Some(&DECIMAL)));
        assert!(!same("\"12.30\"", "-12.30", Some(&DECIMAL)));
        assert!(!same("\"12.30\"", "12.30", None));
    }

    #[test]
    fn decimals_expected_as_numbers_have_the_same_value() {
        assert!(same("12.3", "12.30", Some(&DECIMAL)));
        assert!(same("0.0", "0.00", Some(&DECIMAL)));
        assert!(same("1.5e+1", "15.00", Some(&DECIMAL)));
        assert!(!same("12.3", "12.31", Some(&DECIMAL)));
        assert!(!same("12.30", "12.3000001", Some(&DECIMAL)));
    }

    #[test]
    fn objects_have_the_same_fields() {
        assert!(same(r#"{"a":1,"B":2}"#, r#"{"B":2,"A":1}"#, None));
        assert!(same(r#"{"A":1}"#, r#"{"a":1}"#, None));
        assert!(same(r#"{"a":1,"A":2}"#, r#"{"A":2,"a":1}"#, None));
        assert!(same(r#"{"A":null}"#, r#"{"A":null}"#, None));
        assert!(same(r#"{"A":null}"#, r#"{"B":null}"#, None));
        assert!(!same(r#"{"A":1}"#, r#"{"A":1,"B":2}"#, None));
        assert!(!same(r#"{"A":1}"#, r#"{"A":1,"B":null}"#, None));
        assert!(!same(r#"{"A":1,"B":null}"#, r#"{"A":1}"#, None));
        assert!(!same(r#"{"A":1}"#, r#"{"B":1}"#, None));
        assert!(!same(r#"{"A":1}"#, r#"{"A":null}"#, None));
        assert!(!same(r#"{}"#, "null", None));
    }

    #[test]
    fn keys_of_maps_match_exactly() {
        let map = SqlType::Map(Box::new(DECIMAL));
        assert!(same(r#"{"a":"1.50"}"#, r#"{"a":1.50}"#, Some(&map)));
        assert!(!same(r#"{"a":"1.50"}"#, r#"{"A":1.50}"#, Some(&map)));
        assert!(!same(r#"{"a":"1.5"}"#, r#"{"a":1.50}"#, Some(&map)));
    }

    #[test]
    fn arrays_have_the_same_items_in_order() {
        let array = SqlType::Array(Box::new(SqlType::Double));
        assert!(same("[1,null,2.0000001]", "[1.0,null,2]", Some(&array)));
        assert!(!same("[1,2]", "[2,1]", Some(&array)));
        assert!(!same("[1,2]", "[1]", Some(&array)));
        assert!(!same("[]", "null", Some(&array)));
    }

    #[test]
    fn types_reach_into_structs() {
        let ty = SqlType::Struct(vec![("D".into(), DECIMAL), ("I".into(), SqlType::Bigint)]);
        assert!(same(r#"{"d":"1.50","i":3}"#, r#"{"D":1.50,"I":3}"#, Some(&ty)));
        assert!(!same(r#"{"d":"1.5","i":3}"#, r#"{"D":1.50,"I":3}"#, Some(&ty)));
    }

    #[test]
    fn bytes_strings_and_booleans() {
        assert!(same("\"IQ==\"", "\"IQ==\"", Some(&SqlType::Bytes)));
        assert!(!same("\"IQ==\"", "\"Ig==\"", Some(&SqlType::Bytes)));
        assert!(!same("\"a\"", "\"A\"", Some(&SqlType::String)));
        assert!(!same("true", "\"true\"", Some(&SqlType::Boolean)));
        assert!(!same("true", "false", None));
    }

    #[test]
    fn times_are_numbers_or_text() {
        assert!(same("\"1970-01-05\"", "4", Some(&SqlType::Date)));
        assert!(same("4", "4", Some(&SqlType::Date)));
        assert!(!same("\"1970-01-06\"", "4", Some(&SqlType::Date)));
        assert!(same("\"00:00:04\"", "4000", Some(&SqlType::Time)));
        assert!(!same("\"00:00:04.001\"", "4000", Some(&SqlType::Time)));
        assert!(same("\"1970-01-01T00:00:00.010\"", "10", Some(&SqlType::Timestamp)));
        assert!(same("\"1970-01-01T01:00:00.010+01:00\"", "10", Some(&SqlType::Timestamp)));
        assert!(!same("\"1970-01-01T00:00:00.011\"", "10", Some(&SqlType::Timestamp)));
        assert!(!same("\"4\"", "4", Some(&SqlType::Date)));
    }

    #[test]
    fn the_first_difference_is_named() {
        let expected = Json::parse(r#"{"A":{"B":[1,2]}}"#).unwrap();
        let actual = Json::parse(r#"{"A":{"B":[1,3]}}"#).unwrap();
        let difference = compare("value", &expected, &actual, None).unwrap_err();
        assert_eq!(difference.to_string(), "value.A.B[1]: expected 2, actual 3");
    }
}

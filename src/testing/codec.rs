//! Between a test file's JSON and the bytes of records, by the format of the topic. Independent of the engine's own
//! formats, so that one error can't cancel the other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::compare::{Difference, compare};
use super::json::Json;
use crate::format::{Format, Layout};
use crate::types::SqlType;

/// How keys or values of a topic are written, as far as the tests know.
#[derive(Debug, Clone, PartialEq)]
pub enum PartFormat {
    Json(Option<SqlType>),
    /// Separator and columns.
    Delimited(char, Vec<(String, SqlType)>),
    Kafka(Option<SqlType>),
    None,
    /// A format by name that the tests can't read or write.
    Unsupported(String),
}

impl PartFormat {
    /// The format by its name, without knowledge of columns.
    pub fn by_name(name: &str) -> PartFormat {
        match name.to_uppercase().as_str() {
            "JSON" => PartFormat::Json(None),
            "DELIMITED" => PartFormat::Delimited(',', Vec::new()),
            "KAFKA" => PartFormat::Kafka(None),
            "NONE" => PartFormat::None,
            _ => PartFormat::Unsupported(name.to_uppercase()),
        }
    }

    pub fn of_layout(layout: &Layout) -> PartFormat {
        let single = layout.columns.first().map(|(_, ty)| ty.clone());
        match layout.format {
            Format::Json if layout.wrapped || layout.columns.len() > 1 => {
                PartFormat::Json(Some(SqlType::Struct(layout.columns.clone())))
            }
            Format::Json => PartFormat::Json(single),
            Format::Delimited => PartFormat::Delimited(layout.delimiter, layout.columns.clone()),
            Format::Kafka => PartFormat::Kafka(single),
            Format::None => PartFormat::None,
        }
    }

    /// The bytes of a value as a test file states it; null is null.
    pub fn encode(&self, value: &Json) -> Result<Option<Vec<u8>>, String> {
        if value.is_null() {
            return Ok(None);
        }
        match self {
            PartFormat::Json(_) => Ok(Some(value.to_string().into_bytes())),
            PartFormat::Kafka(ty) => encode_kafka(value, ty.as_ref()).map(Some),
            PartFormat::Delimited(..) if matches!(value, Json::Object(_) | Json::Array(_)) => {
                Err(format!("a DELIMITED part is given as text, not as {value}"))
            }
            PartFormat::Delimited(..) | PartFormat::None => Ok(Some(value.plain().into_bytes())),
            PartFormat::Unsupported(name) => Err(format!("format {name} is not supported")),
        }
    }

    /// The bytes as JSON: DELIMITED as its whole text.
    pub fn decode(&self, bytes: Option<&[u8]>) -> Result<Json, String> {
        let Some(bytes) = bytes else { return Ok(Json::Null) };
        match self {
            PartFormat::Json(_) => {
                let text = utf8(bytes)?;
                Json::parse(text).map_err(|error| format!("no JSON: {text} ({error})"))
            }
            PartFormat::Kafka(Some(ty)) => decode_kafka(bytes, ty),
            PartFormat::Kafka(None) => Ok(guess_kafka(bytes)),
            PartFormat::Delimited(..) | PartFormat::None => Ok(Json::string(utf8(bytes)?)),
            PartFormat::Unsupported(name) => Err(format!("format {name} is not supported")),
        }
    }

    /// Compares an expected value with an actual one as `decode` gives it.
    pub fn compare(&self, path: &str, expected: &Json, actual: &Json) -> Result<(), Difference> {
        match self {
            PartFormat::Json(ty) | PartFormat::Kafka(ty) => compare(path, expected, actual, ty.as_ref()),
            PartFormat::Delimited(delimiter, columns) => match (expected, actual) {
                (_, Json::String(actual_text)) if !expected.is_null() => {
                    let expected_text = expected.plain();
                    if expected_text == *actual_text || fields_equal(&expected_text, actual_text, *delimiter, columns) {
                        return Ok(());
                    }
                    compare(path, &Json::String(expected_text), actual, None)
                }
                _ => compare(path, expected, actual, None),
            },
            PartFormat::None | PartFormat::Unsupported(_) => compare(path, expected, actual, None),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("no UTF-8: {bytes:02x?}"))
}

/// Two DELIMITED texts whose fields are equal by the rules for their types (`1.0` and `1.00` of a DOUBLE).
fn fields_equal(expected: &str, actual: &str, delimiter: char, columns: &[(String, SqlType)]) -> bool {
    let (Some(expected), Some(actual)) = (split_delimited(expected, delimiter), split_delimited(actual, delimiter))
    else {
        return false;
    };
    expected.len() == actual.len()
        && columns.len() == actual.len()
        && expected.iter().zip(&actual).zip(columns).all(|((expected, actual), (_, ty))| {
            compare("", &field_value(expected, ty), &field_value(actual, ty), Some(ty)).is_ok()
        })
}

/// The fields of a DELIMITED text; `None` when it isn't one.
pub fn split_delimited(text: &str, delimiter: char) -> Option<Vec<String>> {
    let delimiter = u8::try_from(delimiter).ok()?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    match reader.records().next() {
        None => Some(vec![String::new()]),
        Some(record) => Some(record.ok()?.iter().map(str::to_owned).collect()),
    }
}

/// A field of a DELIMITED text as JSON; an empty one is null.
pub fn field_value(field: &str, ty: &SqlType) -> Json {
    match ty {
        _ if field.is_empty() => Json::Null,
        SqlType::Boolean => Json::Bool(field.eq_ignore_ascii_case("true")),
        SqlType::String | SqlType::Bytes => Json::string(field),
        _ if field.parse::<f64>().is_ok_and(f64::is_finite) => Json::number(field),
        _ => Json::string(field),
    }
}

/// Text for a type that takes none is written as text: a record that can't be read, which is what such a test wants.
fn encode_kafka(value: &Json, ty: Option<&SqlType>) -> Result<Vec<u8>, String> {
    let text = value.plain();
    let number = match ty {
        Some(SqlType::Int) => text.parse::<i32>().ok().map(|n| n.to_be_bytes().to_vec()),
        Some(SqlType::Bigint) => text.parse::<i64>().ok().map(|n| n.to_be_bytes().to_vec()),
        Some(SqlType::Double) => text.parse::<f64>().ok().map(|n| n.to_be_bytes().to_vec()),
        Some(SqlType::Bytes) => return Ok(BASE64.decode(&text).unwrap_or(text.into_bytes())),
        _ => None,
    };
    match (number, value) {
        (Some(bytes), _) => Ok(bytes),
        (None, Json::Object(_) | Json::Array(_)) => Err(format!("a KAFKA part is one value, not {value}")),
        (None, _) => Ok(text.into_bytes()),
    }
}

fn decode_kafka(bytes: &[u8], ty: &SqlType) -> Result<Json, String> {
    let wrong = || format!("{} bytes are no {ty} of the KAFKA format", bytes.len());
    match ty {
        SqlType::Int => Ok(Json::number(i32::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))),
        SqlType::Bigint => Ok(Json::number(i64::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))),
        SqlType::Double => Ok(double(f64::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))),
        SqlType::Bytes => Ok(Json::String(BASE64.encode(bytes))),
        _ => Ok(Json::string(utf8(bytes)?)),
    }
}

/// KAFKA bytes of a topic that no source is registered on: text when they are printable, else a number by their length.
fn guess_kafka(bytes: &[u8]) -> Json {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control));
    match (text, bytes) {
        (Some(text), _) => Json::string(text),
        (None, &[a, b, c, d]) => Json::number(i32::from_be_bytes([a, b, c, d])),
        (None, &[a, b, c, d, e, f, g, h]) => Json::number(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => Json::String(BASE64.encode(bytes)),
    }
}

/// A DOUBLE as JSON; what JSON has no number for, as text.
pub fn double(value: f64) -> Json {
    match value {
        value if value.is_finite() => Json::Number(format!("{value:?}")),
        value if value.is_nan() => Json::string("NaN"),
        value if value > 0.0 => Json::string("Infinity"),
        _ => Json::string("-Infinity"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn kafka_numbers_are_big_endian() {
        for (ty, value, bytes) in [
            (SqlType::Int, "-2", vec![0xff, 0xff, 0xff, 0xfe]),
            (SqlType::Bigint, "258", vec![0, 0, 0, 0, 0, 0, 1, 2]),
            (SqlType::Double, "1.5", vec![0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
            (SqlType::String, "\"ab\"", b"ab".to_vec()),
            (SqlType::Bytes, "\"IQ==\"", b"!".to_vec()),
        ] {
            let format = PartFormat::Kafka(Some(ty));
            assert_eq!(format.encode(&json(value)), Ok(Some(bytes.clone())));
            assert_eq!(format.decode(Some(&bytes)), Ok(json(value)));
        }
        assert!(PartFormat::Kafka(Some(SqlType::Int)).decode(Some(b"abc")).is_err());
        assert_eq!(PartFormat::Kafka(Some(SqlType::Int)).encode(&json("\"x\"")), Ok(Some(b"x".to_vec())));
        assert_eq!(PartFormat::Kafka(None).decode(Some(&[0, 0, 0, 7])), Ok(json("7")));
        assert_eq!(PartFormat::Kafka(None).decode(Some(b"text")), Ok(json("\"text\"")));
    }

    #[test]
    fn json_keeps_its_text_and_null_is_null() {
        let format = PartFormat::Json(None);
        assert_eq!(format.encode(&json("{\"A\":1.50}")), Ok(Some(b"{\"A\":1.50}".to_vec())));
        assert_eq!(format.encode(&Json::Null), Ok(None));
        assert_eq!(format.decode(None), Ok(Json::Null));
        assert!(format.decode(Some(b"{")).is_err());
    }

    #[test]
    fn delimited_fields_are_compared_by_their_types() {
        let columns = vec![("A".to_owned(), SqlType::Double), ("B".to_owned(), SqlType::String)];
        let format = PartFormat::Delimited(',', columns);
        let same = |expected: &str, actual: &str| {
            format.compare("value", &Json::string(expected), &Json::string(actual)).is_ok()
        };
        assert!(same("1.0,x", "1.0,x"));
        assert!(same("1.0,x", "1.00,\"x\""));
        assert!(same(",x", ",x"));
        assert!(!same("1.0,x", "1.1,x"));
        assert!(!same("1.0,x", "1.0,X"));
        assert!(!same("1.0,x", "1.0,x,"));
        assert!(format.compare("value", &Json::Null, &Json::string("1.0,x")).is_err());
        assert!(format.compare("value", &Json::string("1.0,x"), &Json::Null).is_err());
    }

    #[test]
    fn unknown_formats_are_refused() {
        let format = PartFormat::by_name("Avro");
        assert!(format.encode(&json("1")).unwrap_err().contains("AVRO"));
        assert!(format.decode(Some(b"x")).unwrap_err().contains("AVRO"));
    }
}

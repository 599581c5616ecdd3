use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::super::key::KeyFormat;
use super::*;

fn shape(header: &str, key: Option<&str>, time: Option<&str>) -> Csv {
    let null = Some(b"NA".to_vec());
    Csv::new(header.as_bytes(), b',', null, key, time, KeyWriter::new(KeyFormat::String)).unwrap()
}

fn take(csv: &mut Csv, line: &[u8]) -> (Taken, Draft) {
    let mut draft = Draft::default();
    draft.clear();
    (csv.take(line, &mut draft), draft)
}

fn value(header: &str, line: &str) -> String {
    let (taken, draft) = take(&mut shape(header, None, None), line.as_bytes());
    assert_eq!(taken, Taken::Record, "{line}");
    String::from_utf8(draft.value).unwrap()
}

#[test]
fn fields_become_json_values() {
    for (field, expected) in [
        ("12", "12"),
        ("-0.5", "-0.5"),
        ("1e+05", "1e+05"),
        ("0", "0"),
        ("-0", "-0"),
        ("0012", "\"0012\""),
        ("+5", "\"+5\""),
        (".5", "\".5\""),
        ("5.", "\"5.\""),
        ("1e", "\"1e\""),
        ("-", "\"-\""),
        ("1_000", "\"1_000\""),
        ("NaN", "\"NaN\""),
        ("12345678901234567890", "12345678901234567890"),
        ("", "null"),
        ("NA", "null"),
        ("N/A", "\"N/A\""),
        ("true", "true"),
        ("TRUE", "\"TRUE\""),
        (" 1", "\" 1\""),
        ("back\\slash\t", "\"back\\\\slash\\t\""),
        ("민지", "\"민지\""),
        ("in \"side", "\"in \\\"side\""),
        ("\"12\"", "\"12\""),
        ("\"\"", "\"\""),
        ("\"NA\"", "\"NA\""),
        ("\"a,b\"", "\"a,b\""),
        ("\"say \"\"hi\"\"\"", "\"say \\\"hi\\\"\""),
        ("\"two\nlines\"", "\"two\\nlines\""),
    ] {
        assert_eq!(value("a,b", &format!("{field},1")), format!("{{\"a\":{expected},\"b\":1}}"), "{field}");
        assert_eq!(value("a,b", &format!("1,{field}\r")), format!("{{\"a\":1,\"b\":{expected}}}"), "{field}");
    }
}

#[test]
fn key_and_time_come_from_their_fields() {
    let mut csv = shape("tail,when,n", Some("tail"), Some("when"));
    let (taken, draft) = take(&mut csv, b"N14228,2013-01-01T10:00:00Z,5");
    assert_eq!(taken, Taken::Record);
    assert_eq!((draft.key(), draft.timestamp), (Some(b"N14228".as_slice()), Some(1_357_034_400_000)));
    assert_eq!(draft.value, br#"{"tail":"N14228","when":"2013-01-01T10:00:00Z","n":5}"#);
    let (_, draft) = take(&mut csv, b"NA,1000,5");
    assert_eq!((draft.key(), draft.timestamp), (None, Some(1000)));
    let (_, draft) = take(&mut csv, b"\"a\"\"b\",1000,5");
    assert_eq!(draft.key(), Some(b"a\"b".as_slice()));
}

#[test]
fn bad_lines_are_told() {
    let mut csv = shape("a,b", None, Some("b"));
    for line in ["1", "1,2,3", "1,soon", "1,NA", "1,-5", "\"x\"y,1"] {
        assert!(matches!(take(&mut csv, line.as_bytes()).0, Taken::Bad(_)), "{line}");
    }
    assert!(matches!(take(&mut csv, b"\xff,1").0, Taken::Bad(_)));
    assert!(matches!(take(&mut csv, b"\"open,1").0, Taken::Unfinished(_)));
    assert_eq!(take(&mut csv, b"\r").0, Taken::Nothing);
}

#[test]
fn a_wrong_header_or_field_is_an_error() {
    let make = |header: &str, key| {
        Csv::new(header.as_bytes(), b',', None, key, None, KeyWriter::new(KeyFormat::String)).map(|_| ())
    };
    assert!(make("a,b", Some("c")).unwrap_err().to_string().contains("it has a, b"));
    assert!(make("a,a", None).is_err());
    assert!(make("a,\"b", None).is_err());
    assert!(make("\u{feff}a,b", Some("a")).is_ok());
    assert!(make(",b", Some("column_1")).is_ok());
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        "[a-z0-9,\"\\\\\n한🚀 .-]{0,12}",
    ]
}

proptest! {
    /// Against a CSV writer and a JSON reader that are not ours: every text comes through, whatever its type.
    #[test]
    fn texts_survive(fields in prop::collection::vec(field(), 1..6)) {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        writer.write_record(&fields).unwrap();
        let line = writer.into_inner().unwrap();
        let names: Vec<_> = (0..fields.len()).map(|i| format!("f{i}")).collect();
        let mut csv = Csv::new(names.join(",").as_bytes(), b',', None, None, None, KeyWriter::new(KeyFormat::String)).unwrap();
        let (taken, draft) = take(&mut csv, line.strip_suffix(b"\n").unwrap());
        prop_assert_eq!(taken, Taken::Record);
        let object: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&draft.value).unwrap();
        for (name, field) in names.iter().zip(&fields) {
            let found = object[name].get();
            let text = match found {
                "null" => String::new(),
                _ if found.starts_with('"') => serde_json::from_str(found).unwrap(),
                number => number.to_owned(),
            };
            prop_assert_eq!(&text, field);
        }
    }
}

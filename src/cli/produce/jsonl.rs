//! JSON lines: checked as JSON, kept byte for byte; the key's and the time's fields are picked on the way.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::key::KeyWriter;
use super::record::{Draft, Shape, Taken};
use super::time::parse_timestamp;

pub struct Jsonl {
    key_field: Option<String>,
    time_field: Option<String>,
    key: KeyWriter,
}

impl Jsonl {
    pub fn new(key_field: Option<String>, time_field: Option<String>, key: KeyWriter) -> Self {
        Jsonl { key_field, time_field, key }
    }

    fn pick<'a>(&self, text: &'a str) -> Result<Picked<'a>, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        let picked = if self.key_field.is_none() && self.time_field.is_none() {
            serde::Deserialize::deserialize(&mut json).map(|_: IgnoredAny| Picked::default())
        } else {
            Picker(self).deserialize(&mut json)
        };
        picked.and_then(|picked| json.end().map(|()| picked)).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            match error.to_string().strip_suffix(&place) {
                Some(what) if error.column() > 0 => format!("{what} at column {}", error.column()),
                _ => error.to_string(),
            }
        })
    }

    fn put_key(&self, raw: Option<&RawValue>, draft: &mut Draft) -> Result<(), String> {
        let Some(field) = &self.key_field else { return Ok(()) };
        let raw = raw.ok_or_else(|| format!("no field '{field}'"))?.get();
        if raw == "null" {
            return Ok(());
        }
        draft.key_null = false;
        if self.key.is_json() {
            draft.key.extend_from_slice(raw.as_bytes());
            return Ok(());
        }
        self.key.put(text_of(raw)?.as_bytes(), &mut draft.key)
    }

    fn put_time(&self, raw: Option<&RawValue>, draft: &mut Draft) -> Result<(), String> {
        let Some(field) = &self.time_field else { return Ok(()) };
        let raw = raw.ok_or_else(|| format!("no field '{field}'"))?.get();
        draft.timestamp = parse_timestamp(text_of(raw)?.as_bytes()).filter(|&timestamp| timestamp >= 0);
        match draft.timestamp {
            Some(_) => Ok(()),
            None => Err(format!("'{field}' is {raw}, which is no time (epoch milliseconds or ISO 8601)")),
        }
    }
}

/// A JSON string's text; of other values the text they are written with.
fn text_of(raw: &str) -> Result<std::borrow::Cow<'_, str>, String> {
    match raw.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        None => Ok(raw.into()),
        Some(inner) if !inner.contains('\\') => Ok(inner.into()),
        Some(_) => serde_json::from_str::<String>(raw).map(Into::into).map_err(|error| error.to_string()),
    }
}

impl Shape for Jsonl {
    fn take(&mut self, line: &[u8], draft: &mut Draft) -> Taken {
        let line = line.trim_ascii();
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.is_empty() {
            return Taken::Nothing;
        }
        let Ok(text) = simdutf8::basic::from_utf8(line) else {
            return Taken::Bad("the line is not UTF-8".to_owned());
        };
        let parts = self
            .pick(text)
            .and_then(|picked| self.put_key(picked.key, draft).and_then(|()| self.put_time(picked.time, draft)));
        if let Err(what) = parts {
            return Taken::Bad(what);
        }
        draft.value.extend_from_slice(line);
        Taken::Record
    }
}

/// The values of the two fields as they are written; of a field that is there twice, the last.
#[derive(Debug, Default)]
struct Picked<'a> {
    key: Option<&'a RawValue>,
    time: Option<&'a RawValue>,
}

/// Reads an object for its two fields.
struct Picker<'p>(&'p Jsonl);

impl<'de> DeserializeSeed<'de> for Picker<'_> {
    type Value = Picked<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Picked<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Picker<'_> {
    type Value = Picked<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object (--key and --timestamp name its fields)")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked<'de>, A::Error> {
        let mut picked = Picked::default();
        while let Some(name) = map.next_key_seed(NameOf(self.0))? {
            match name {
                Name::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
                Name::Wanted { key, time } => {
                    let raw: &'de RawValue = map.next_value()?;
                    picked.key = if key { Some(raw) } else { picked.key };
                    picked.time = if time { Some(raw) } else { picked.time };
                }
            }
        }
        Ok(picked)
    }
}

/// Which of the two fields a name is; one field may be both.
enum Name {
    Wanted { key: bool, time: bool },
    Other,
}

struct NameOf<'p>(&'p Jsonl);

impl<'de> DeserializeSeed<'de> for NameOf<'_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameOf<'_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name, E> {
        let key = self.0.key_field.as_deref() == Some(name);
        let time = self.0.time_field.as_deref() == Some(name);
        Ok(if key || time { Name::Wanted { key, time } } else { Name::Other })
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Name, E> {
        Err(E::custom("a field's name is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::KeyFormat;
    use super::*;

    fn take(line: &str, key: Option<&str>, time: Option<&str>) -> (Taken, Draft) {
        let mut shape = Jsonl::new(key.map(str::to_owned), time.map(str::to_owned), KeyWriter::new(KeyFormat::String));
        let mut draft = Draft::default();
        draft.clear();
        (shape.take(line.as_bytes(), &mut draft), draft)
    }

    #[test]
    fn picks_key_and_time() {
        let line = r#" {"a":{"bidder":9},"bidder":"x","date_time":1500,"bid\u0064er":"y\n"} "#;
        let (taken, draft) = take(line, Some("bidder"), Some("date_time"));
        assert_eq!(taken, Taken::Record);
        assert_eq!(draft.value(), Some(line.trim().as_bytes()));
        assert_eq!((draft.key(), draft.timestamp), (Some(b"y\n".as_slice()), Some(1500)));
        let (_, draft) = take(r#"{"k":12.50,"t":"2013-01-01T10:00:00Z"}"#, Some("k"), Some("t"));
        assert_eq!((draft.key(), draft.timestamp), (Some(b"12.50".as_slice()), Some(1_357_034_400_000)));
        let (taken, draft) = take(r#"{"t":7}"#, Some("t"), Some("t"));
        assert_eq!((taken, draft.key(), draft.timestamp), (Taken::Record, Some(b"7".as_slice()), Some(7)));
        let (taken, draft) = take(r#"{"k":null}"#, Some("k"), None);
        assert_eq!((taken, draft.key()), (Taken::Record, None));
        assert_eq!(take("  ", None, None).0, Taken::Nothing);
        assert_eq!(take("[1, 2]", None, None).0, Taken::Record);
    }

    #[test]
    fn tells_what_is_bad() {
        for (line, key, time) in [
            ("{\"a\":1", None, None),
            ("{\"a\":1} x", None, None),
            ("{\"a\":01}", None, None),
            ("nope", None, None),
            ("[1]", Some("a"), None),
            ("{\"a\":1}", Some("b"), None),
            ("{\"a\":\"soon\"}", None, Some("a")),
            ("{\"a\":null}", None, Some("a")),
            ("{\"a\":-1}", None, Some("a")),
        ] {
            assert!(matches!(take(line, key, time).0, Taken::Bad(_)), "{line}");
        }
    }
}

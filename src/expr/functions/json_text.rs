//! JSON values within a text, as they are written there: walking doesn't build a tree, and numbers keep their digits.
//! Everything here but `first_value` takes valid JSON (and gives something harmless of other).

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_json::value::RawValue;

use crate::types::text::write_json_string;

/// How deep arrays and objects may lie within each other where a value is written anew.
const DEPTH_MAX: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub fn of(json: &str) -> Kind {
        match json.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }
}

/// The JSON value at the beginning of a text, checked, without the blanks around it; `None` of a blank text. What
/// follows it isn't looked at, as in the original.
pub(super) fn first_value(text: &str) -> Result<Option<&str>, String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    match values.next() {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value.get())),
        Some(Err(error)) => Err(format!("Invalid JSON: {error}")),
    }
}

/// A place in valid JSON.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    /// Goes over blanks and over what separates values. `None` at the end.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// The next value, or the name of a member, as written.
    fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_nested(),
            b'}' | b']' => return None,
            _ => self.skip_word(),
        }
        self.text.get(start..self.at)
    }

    fn skip_word(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b']' | b'}');
        self.at += rest.iter().position(is_end).unwrap_or(rest.len());
    }

    fn skip_string(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(self.at..).unwrap_or_default()) {
            self.at += found;
            match bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 2,
            }
        }
        self.at = bytes.len();
    }

    fn skip_nested(&mut self) {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

/// The elements of an array.
pub(super) fn items(array: &str) -> impl Iterator<Item = &str> {
    let mut cursor = Cursor { text: array, at: 1 };
    std::iter::from_fn(move || cursor.value())
}

/// The members of an object: their names without quotes, their values as written. All of them: a name may come twice.
pub(super) fn members(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let mut cursor = Cursor { text: object, at: 1 };
    std::iter::from_fn(move || {
        let name = cursor.value()?;
        Some((unquote(name), cursor.value()?))
    })
}

/// The members of an object, of those with the same name the last, at the place of the first.
pub(super) fn distinct_members(object: &str) -> Vec<(Cow<'_, str>, &str)> {
    let mut out: Vec<(Cow<'_, str>, &str)> = Vec::new();
    let mut places = HashMap::new();
    for (name, value) in members(object) {
        match places.get(&name) {
            Some(place) => out[*place] = (name, value),
            None => {
                places.insert(name.clone(), out.len());
                out.push((name, value));
            }
        }
    }
    out
}

/// What a JSON string says. Half a pair of surrogates becomes U+FFFD.
pub(super) fn unquote(string: &str) -> Cow<'_, str> {
    let inner = string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(string);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let (c, length) = escaped(escape);
        out.push(c);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of an escape without its backslash, and the escape's length.
fn escaped(escape: &str) -> (char, usize) {
    let c = match escape.as_bytes().first() {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return escaped_unit(escape),
        Some(byte) if byte.is_ascii() => *byte as char,
        _ => char::REPLACEMENT_CHARACTER,
    };
    (c, 1)
}

/// `uXXXX`, or `uXXXX\uXXXX` for a pair of surrogates.
fn escaped_unit(escape: &str) -> (char, usize) {
    let unit = |at: usize| u16::from_str_radix(escape.get(at..at + 4)?, 16).ok();
    let Some(first) = unit(1) else { return (char::REPLACEMENT_CHARACTER, 5) };
    let second = if escape.get(5..7) == Some("\\u") { unit(7) } else { None };
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    match (pair, char::from_u32(u32::from(first))) {
        (_, Some(c)) => (c, 5),
        (Some(c), None) => (c, 11),
        (None, None) => (char::REPLACEMENT_CHARACTER, 5),
    }
}

/// A value without blanks; strings escaped no more than JSON asks; of members of the same name the last.
pub(super) fn compact(json: &str) -> Result<String, String> {
    let mut writer = Compact { from: Cursor::new(json), out: String::with_capacity(json.len()) };
    writer.value(0)?;
    Ok(writer.out)
}

struct Compact<'a> {
    from: Cursor<'a>,
    out: String,
}

impl<'a> Compact<'a> {
    fn value(&mut self, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("JSON is nested deeper than {DEPTH_MAX} levels"));
        }
        match self.from.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                self.string();
                Ok(())
            }
            _ => {
                self.out.push_str(self.from.value().unwrap_or_default());
                Ok(())
            }
        }
    }

    fn string(&mut self) -> Cow<'a, str> {
        let text = unquote(self.from.value().unwrap_or_default());
        write_json_string(&mut self.out, &text);
        text
    }

    fn has_more(&mut self) -> bool {
        self.from.peek().is_some_and(|byte| !matches!(byte, b']' | b'}'))
    }

    fn array(&mut self, depth: usize) -> Result<(), String> {
        self.from.at += 1;
        self.out.push('[');
        let start = self.out.len();
        while self.has_more() {
            if self.out.len() > start {
                self.out.push(',');
            }
            self.value(depth + 1)?;
        }
        self.from.at += 1;
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), String> {
        self.from.at += 1;
        self.out.push('{');
        let start = self.out.len();
        let mut written: Vec<(Cow<'a, str>, Range<usize>)> = Vec::new();
        while self.has_more() {
            if self.out.len() > start {
                self.out.push(',');
            }
            let from = self.out.len();
            let name = self.string();
            self.out.push(':');
            self.value(depth + 1)?;
            written.push((name, from..self.out.len()));
        }
        self.from.at += 1;
        self.drop_twins(start, &written);
        self.out.push('}');
        Ok(())
    }

    /// Writes the members since `start` anew where a name came twice.
    fn drop_twins(&mut self, start: usize, written: &[(Cow<'a, str>, Range<usize>)]) {
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(written.len());
        let mut kept: Vec<&Range<usize>> = Vec::with_capacity(written.len());
        for (name, range) in written {
            match places.get(name.as_ref()) {
                Some(place) => kept[*place] = range,
                None => {
                    places.insert(name, kept.len());
                    kept.push(range);
                }
            }
        }
        if kept.len() < written.len() {
            let members: Vec<&str> = kept.into_iter().map(|range| &self.out[range.clone()]).collect();
            let members = members.join(",");
            self.out.truncate(start);
            self.out.push_str(&members);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_value() {
        let table = [
            (" {\"a\": 1} ", Ok(Some("{\"a\": 1}"))),
            ("{\"a\": 1}}", Ok(Some("{\"a\": 1}"))),
            ("1.50 x", Ok(Some("1.50"))),
            ("\"a\"", Ok(Some("\"a\""))),
            ("null", Ok(Some("null"))),
            ("", Ok(None)),
            (" \n", Ok(None)),
            ("abc", Err(())),
            ("{", Err(())),
            ("{a:1}", Err(())),
            ("[1,]", Err(())),
            ("01", Err(())),
            ("'a'", Err(())),
            ("nul", Err(())),
            ("\"a\nb\"", Err(())),
        ];
        for (text, expected) in table {
            assert_eq!(first_value(text).map_err(drop), expected, "{text}");
        }
    }

    #[test]
    fn walks() {
        let array = "[ 1.0,\"a,]\\\"\" , {\"x\":[2]},[] , true,null ]";
        let expected = ["1.0", "\"a,]\\\"\"", "{\"x\":[2]}", "[]", "true", "null"];
        assert_eq!(items(array).collect::<Vec<_>>(), expected);
        assert_eq!(items("[ ]").count(), 0);
        let object = "{ \"a\" : 1 , \"b}\":{\"c\" : 2},\"\\u0061\":3}";
        let all = [("a".into(), "1"), ("b}".into(), "{\"c\" : 2}"), ("a".into(), "3")];
        assert_eq!(members(object).collect::<Vec<(Cow<'_, str>, &str)>>(), all);
        assert_eq!(distinct_members(object), [("a".into(), "3"), ("b}".into(), "{\"c\" : 2}")]);
        assert_eq!(members("{}").count(), 0);
    }

    #[test]
    fn unquotes() {
        let table = [
            (r#""""#, ""),
            (r#""a\"b""#, "a\"b"),
            (r#""\\\/\b\f\n\r\t""#, "\\/\u{8}\u{c}\n\r\t"),
            (r#""\u00e9\u00E9é""#, "ééé"),
            (r#""\ud83d\ude00!""#, "😀!"),
            (r#""\ud83d!""#, "\u{fffd}!"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ];
        for (string, expected) in table {
            assert_eq!(unquote(string), expected, "{string}");
        }
    }

    #[test]
    fn compacts() {
        let table = [
            (" [ 1 , 1.50 , 1e2 , -0 ] ", "[1,1.50,1e2,-0]"),
            ("12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"),
            (r#"{ "a" : { } , "b" : [ ] }"#, r#"{"a":{},"b":[]}"#),
            (r#"{"a":1,"b":2,"\u0061":[3, 4]}"#, r#"{"a":[3,4],"b":2}"#),
            (r#"["\u00e9\/\"\u001f"]"#, r#"["é/\"\u001F"]"#),
        ];
        for (json, expected) in table {
            assert_eq!(compact(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(compact(&nested(1000)), Ok(nested(1000)));
        assert!(compact(&nested(100_000)).is_err());
        assert!(first_value(&nested(100_000)).is_ok());
        assert_eq!(items(&nested(100_000)).count(), 1);
    }

    fn any_json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
        use proptest::prelude::*;
        use serde_json::Value as Json;
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<String>().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
                proptest::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn compact_is_the_same_value(json in any_json()) {
            let pretty = serde_json::to_string_pretty(&json).unwrap();
            let value = first_value(&pretty).unwrap().unwrap();
            let compacted = compact(value).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&compacted).unwrap(), json);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"\\\\ua0-9 é]{0,30}") {
            let _ = first_value(&text);
            let _ = compact(&text);
            let _ = items(&text).count();
            let _ = distinct_members(&text);
            let _ = unquote(&text);
        }
    }
}

//! JSON values within a text, as they are written there: walking doesn't build a tree, and numbers keep their digits.
//! Everything but `first_value` takes valid JSON (and gives something harmless of other).

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

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
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    /// Goes over blanks and over what separates values. `None` at the end.
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Goes over the bracket that `peek` found.
    pub fn pass_bracket(&mut self) {
        self.at += 1;
    }

    /// The next value, or the name of a member, as written.
    pub fn value(&mut self) -> Option<&'a str> {
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

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"\\\\ua0-9 é]{0,30}") {
            let _ = first_value(&text);
            let _ = items(&text).count();
            let _ = distinct_members(&text);
            let _ = unquote(&text);
        }
    }
}

//! Records as lines: JSON objects, or lines for people.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::{Shown, ShownWindow};
use crate::log::Header;
use crate::types::text::{iso_timestamp, write_json_string};

/// Bytes as a JSON text.
pub(super) fn plain(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let Ok(text) = std::str::from_utf8(bytes) else { return quoted(&STANDARD.encode(bytes)) };
    let is_compound = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['));
    if is_compound && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        // Line breaks stand between the tokens only: inside of strings they are escapes.
        return text.trim().replace(['\n', '\r'], "");
    }
    quoted(text)
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_json_string(&mut out, text);
    out
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub partition: u32,
    pub offset: i64,
    pub timestamp: i64,
}

/// `{"partition":0,"offset":1,"timestamp":2,"key":"k","value":{},"headers":[]}`
pub fn json_line(place: Place, shown: &Shown, headers: &[Header]) -> String {
    let mut line = format!(
        "{{\"partition\":{},\"offset\":{},\"timestamp\":{},\"key\":{},\"value\":{},\"headers\":[",
        place.partition, place.offset, place.timestamp, shown.key, shown.value
    );
    for (i, header) in headers.iter().enumerate() {
        line.push_str(if i == 0 { "{\"key\":" } else { ",{\"key\":" });
        write_json_string(&mut line, &header.key);
        line.push_str(",\"value\":");
        match header.value.as_deref().map(std::str::from_utf8) {
            None => line.push_str("null"),
            Some(Ok(text)) => write_json_string(&mut line, text),
            Some(Err(_)) => write_json_string(&mut line, &STANDARD.encode(header.value.as_deref().unwrap_or_default())),
        }
        line.push('}');
    }
    line.push(']');
    if let Some(ShownWindow { start, end, is_session }) = shown.window {
        let end = end.map_or_else(|| "null".to_owned(), |end| end.to_string());
        let kind = if is_session { ",\"type\":\"SESSION\"" } else { "" };
        line.push_str(&format!(",\"window\":{{\"start\":{start},\"end\":{end}{kind}}}"));
    }
    line.push('}');
    line
}

/// `partition: 0, offset: 1, rowtime: ..., key: k, value: {}`
pub fn text_line(place: Place, shown: &Shown, headers: &[Header]) -> String {
    let mut line = format!(
        "partition: {}, offset: {}, rowtime: {}Z, key: {}",
        place.partition,
        place.offset,
        iso_timestamp(place.timestamp),
        bare(&shown.key)
    );
    if let Some(ShownWindow { start, end, is_session }) = shown.window {
        let end = end.map_or_else(|| "?".to_owned(), iso_timestamp);
        let bracket = if is_session { ']' } else { ')' };
        line.push_str(&format!(", window: [{}, {end}{bracket}", iso_timestamp(start)));
    }
    line.push_str(&format!(", value: {}", bare(&shown.value)));
    for header in headers {
        let value = header.value.as_deref().map_or("null".into(), String::from_utf8_lossy);
        line.push_str(&format!(", header {}: {}", header.key, value.escape_debug()));
    }
    line
}

/// A line of [`json_line`] as one of [`text_line`]; None: it is none.
pub fn text_of(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        partition: u32,
        offset: i64,
        timestamp: i64,
        #[serde(borrow)]
        key: &'a RawValue,
        #[serde(borrow)]
        value: &'a RawValue,
        headers: Vec<HeaderText>,
        window: Option<Window>,
    }
    #[derive(serde::Deserialize)]
    struct HeaderText {
        key: String,
        value: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Window {
        start: i64,
        end: Option<i64>,
        /// Only of sessions.
        r#type: Option<String>,
    }
    let line: Line<'_> = serde_json::from_str(json).ok()?;
    let place = Place { partition: line.partition, offset: line.offset, timestamp: line.timestamp };
    let shown = Shown {
        key: line.key.get().to_owned(),
        value: line.value.get().to_owned(),
        window: line.window.map(|window| ShownWindow {
            start: window.start,
            end: window.end,
            is_session: window.r#type.is_some(),
        }),
    };
    let headers =
        line.headers.into_iter().map(|header| Header { key: header.key, value: header.value.map(String::into_bytes) });
    Some(text_line(place, &shown, &headers.collect::<Vec<_>>()))
}

/// A JSON string without quotes where that changes nothing else.
fn bare(json: &str) -> &str {
    match json.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => inner,
        _ => json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_json_text_or_base64() {
        for (bytes, expected) in [
            (b"{\"a\":\n 1}".as_slice(), "{\"a\": 1}"),
            (b" [1,2] ", "[1,2]"),
            (b"{broken", "\"{broken\""),
            (b"0012", "\"0012\""),
            (b"a\"b\n", "\"a\\\"b\\n\""),
            (b"\xff\x00", "\"/wA=\""),
            (b"", "\"\""),
        ] {
            assert_eq!(plain(Some(bytes)), expected);
        }
        assert_eq!(plain(None), "null");
    }

    fn window(start: i64, end: i64, is_session: bool) -> ShownWindow {
        ShownWindow { start, end: Some(end), is_session }
    }

    /// Also that of one record, which begins and ends with it.
    #[test]
    fn the_end_of_a_session_belongs_to_it() {
        let shown = Shown { key: "1".into(), value: "2".into(), window: Some(window(5, 5, true)) };
        let line = json_line(Place { partition: 0, offset: 0, timestamp: 5 }, &shown, &[]);
        assert!(line.ends_with(r#""window":{"start":5,"end":5,"type":"SESSION"}}"#), "{line}");
        let text = text_of(&line).unwrap();
        assert!(text.contains("window: [1970-01-01T00:00:00.005, 1970-01-01T00:00:00.005], value"), "{text}");
    }

    #[test]
    fn a_line_is_a_json_object() {
        let shown = Shown { key: "\"k\"".into(), value: "{\"A\":1}".into(), window: Some(window(0, 10, false)) };
        let headers = [
            Header { key: "h\"".into(), value: Some(b"v".to_vec()) },
            Header { key: "n".into(), value: None },
            Header { key: "b".into(), value: Some(vec![255]) },
        ];
        let place = Place { partition: 1, offset: 2, timestamp: 3 };
        let line = json_line(place, &shown, &headers);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "partition": 1, "offset": 2, "timestamp": 3, "key": "k", "value": {"A": 1},
            "headers": [{"key": "h\"", "value": "v"}, {"key": "n", "value": null}, {"key": "b", "value": "/w=="}],
            "window": {"start": 0, "end": 10},
        });
        assert_eq!(read, expected);
        assert_eq!(
            text_of(&json_line(place, &shown, &headers[..2])).as_deref(),
            Some(
                "partition: 1, offset: 2, rowtime: 1970-01-01T00:00:00.003Z, key: k, window: [1970-01-01T00:00:00.000, \
                 1970-01-01T00:00:00.010), value: {\"A\":1}, header h\": v, header n: null"
            )
        );
        assert_eq!(text_of("key: a"), None);
        assert_eq!(
            text_line(place, &Shown { window: None, ..shown }, &[]),
            "partition: 1, offset: 2, rowtime: 1970-01-01T00:00:00.003Z, key: k, value: {\"A\":1}"
        );
    }
}

//! Records: as a test states them, as the log has them, and whether the two are the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::codec::PartFormat;
use super::compare::Difference;
use super::json::Json;
use super::subject::{KeyWindow, TopicLayout};
use crate::log::{Header, Records};

/// The window in a record's key, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    pub session: bool,
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}..{}", if self.session { "session" } else { "time" }, self.start, self.end)
    }
}

/// A record as a test states it.
#[derive(Debug, Clone, PartialEq)]
pub struct StatedRecord {
    pub topic: String,
    pub key: Json,
    pub value: Json,
    /// None: 0 for an input; not compared for an output.
    pub timestamp: Option<i64>,
    pub window: Option<Window>,
    /// None: no headers for an input; not compared for an output.
    pub headers: Option<Vec<Header>>,
}

impl StatedRecord {
    pub fn read(json: &Json) -> Result<StatedRecord, String> {
        let topic =
            json.get("topic").and_then(Json::as_str).ok_or_else(|| format!("a record without topic: {json}"))?;
        let part = |name| json.get(name).cloned().unwrap_or(Json::Null);
        let timestamp = match json.get("timestamp") {
            None | Some(Json::Null) => None,
            Some(value) => Some(value.as_i64().ok_or_else(|| format!("timestamp {value} is no whole number"))?),
        };
        let window = match json.get("window") {
            None | Some(Json::Null) => None,
            Some(window) => Some(read_window(window)?),
        };
        let headers = match json.get("headers") {
            None | Some(Json::Null) => None,
            Some(headers) => Some(read_headers(headers)?),
        };
        Ok(StatedRecord { topic: topic.to_owned(), key: part("key"), value: part("value"), timestamp, window, headers })
    }
}

fn read_window(json: &Json) -> Result<Window, String> {
    let bound = |name| json.get(name).and_then(Json::as_i64);
    let kind = json.get("type").and_then(Json::as_str).map(str::to_lowercase);
    match (bound("start"), bound("end"), kind.as_deref()) {
        (Some(start), Some(end), Some("time")) => Ok(Window { start, end, session: false }),
        (Some(start), Some(end), Some("session")) => Ok(Window { start, end, session: true }),
        _ => Err(format!("a window has start, end and type (time or session): {json}")),
    }
}

fn read_headers(json: &Json) -> Result<Vec<Header>, String> {
    let wrong = || format!("headers are a list of KEY and base64 VALUE: {json}");
    let read = |header: &Json| {
        let key = header.get("KEY").and_then(Json::as_str).ok_or_else(wrong)?.to_owned();
        let value = match header.get("VALUE") {
            None | Some(Json::Null) => None,
            Some(value) => Some(value.as_str().and_then(|text| BASE64.decode(text).ok()).ok_or_else(wrong)?),
        };
        Ok(Header { key, value })
    };
    json.as_array().ok_or_else(wrong)?.iter().map(read).collect()
}

/// How the records of a topic are written.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicFormat {
    pub key: PartFormat,
    pub value: PartFormat,
    pub window: Option<KeyWindow>,
}

impl TopicFormat {
    pub fn of_layout(layout: &TopicLayout) -> TopicFormat {
        TopicFormat {
            key: PartFormat::of_layout(&layout.key),
            value: PartFormat::of_layout(&layout.value),
            window: layout.window,
        }
    }
}

/// A record of the log, copied out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    pub partition: u32,
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
}

impl LogRecord {
    pub fn of(records: &Records, row: usize, partition: u32) -> LogRecord {
        LogRecord {
            partition,
            offset: records.meta[row].offset,
            timestamp: records.meta[row].timestamp,
            key: records.key(row).map(<[u8]>::to_vec),
            value: records.value(row).map(<[u8]>::to_vec),
            headers: records.headers(row),
        }
    }
}

/// A record of the log, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadRecord {
    pub key: Json,
    pub window: Option<Window>,
    pub value: Json,
    pub timestamp: i64,
    pub headers: Vec<Header>,
}

impl ReadRecord {
    pub fn read(record: &LogRecord, format: &TopicFormat) -> Result<ReadRecord, String> {
        let (key, window) = match &record.key {
            None => (None, None),
            Some(key) => {
                let (key, window) = split_window(key, format.window)?;
                (Some(key), window)
            }
        };
        Ok(ReadRecord {
            key: format.key.decode(key).map_err(|error| format!("key: {error}"))?,
            window,
            value: format.value.decode(record.value.as_deref()).map_err(|error| format!("value: {error}"))?,
            timestamp: record.timestamp,
            headers: record.headers.clone(),
        })
    }
}

/// Splits a windowed key: start (and before it the end, for a session) are 8 bytes each, big endian, at its end.
pub fn split_window(key: &[u8], window: Option<KeyWindow>) -> Result<(&[u8], Option<Window>), String> {
    let short = || format!("a key of {} bytes has no window in it", key.len());
    let last = |key| -> Result<(&[u8], i64), String> {
        let (rest, last) = <[u8]>::split_last_chunk::<8>(key).ok_or_else(short)?;
        Ok((rest, i64::from_be_bytes(*last)))
    };
    match window {
        None => Ok((key, None)),
        Some(KeyWindow::Time { size_ms }) => {
            let (key, start) = last(key)?;
            Ok((key, Some(Window { start, end: start.saturating_add(size_ms), session: false })))
        }
        Some(KeyWindow::Session) => {
            let (key, start) = last(key)?;
            let (key, end) = last(key)?;
            Ok((key, Some(Window { start, end, session: true })))
        }
    }
}

/// Appends a window to a serialized key.
pub fn append_window(key: &mut Vec<u8>, window: Window) {
    if window.session {
        key.extend_from_slice(&window.end.to_be_bytes());
    }
    key.extend_from_slice(&window.start.to_be_bytes());
}

/// The parts in which a record differs from the expected one; empty when it is the same.
pub fn differences(expected: &StatedRecord, actual: &ReadRecord, format: &TopicFormat) -> Vec<Difference> {
    let mut found = Vec::new();
    found.extend(format.key.compare("key", &expected.key, &actual.key).err());
    if expected.window != actual.window {
        found.push(different("window", window_text(expected.window), window_text(actual.window)));
    }
    found.extend(format.value.compare("value", &expected.value, &actual.value).err());
    if let Some(timestamp) = expected.timestamp
        && timestamp != actual.timestamp
    {
        found.push(different("timestamp", timestamp, actual.timestamp));
    }
    if let Some(headers) = &expected.headers
        && *headers != actual.headers
    {
        found.push(different("headers", headers_text(headers), headers_text(&actual.headers)));
    }
    found
}

fn different(path: &str, expected: impl ToString, actual: impl ToString) -> Difference {
    Difference { path: path.to_owned(), expected: expected.to_string(), actual: actual.to_string() }
}

fn window_text(window: Option<Window>) -> String {
    window.map_or("none".to_owned(), |window| window.to_string())
}

fn headers_text(headers: &[Header]) -> String {
    let text = |header: &Header| {
        let value = header.value.as_ref().map_or("null".to_owned(), |value| BASE64.encode(value));
        format!("{}={value}", header.key)
    };
    format!("[{}]", headers.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// A record on one line.
pub fn line(
    key: &Json,
    window: Option<Window>,
    value: &Json,
    timestamp: Option<i64>,
    headers: Option<&[Header]>,
) -> String {
    let mut line = format!("key={key}");
    if let Some(window) = window {
        line.push_str(&format!(" window={window}"));
    }
    line.push_str(&format!(" value={value}"));
    if let Some(timestamp) = timestamp {
        line.push_str(&format!(" timestamp={timestamp}"));
    }
    if let Some(headers) = headers.filter(|headers| !headers.is_empty()) {
        line.push_str(&format!(" headers={}", headers_text(headers)));
    }
    line
}

impl std::fmt::Display for StatedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&line(&self.key, self.window, &self.value, self.timestamp, self.headers.as_deref()))
    }
}

impl std::fmt::Display for ReadRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&line(&self.key, self.window, &self.value, Some(self.timestamp), Some(&self.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(text: &str) -> StatedRecord {
        StatedRecord::read(&Json::parse(text).unwrap()).unwrap()
    }

    fn format(window: Option<KeyWindow>) -> TopicFormat {
        TopicFormat { key: PartFormat::Kafka(None), value: PartFormat::Json(None), window }
    }

    /// The paths in which `expected` differs from one record: key `k`, window 0..10, value {"A":1}, timestamp 5, header h.
    fn paths(expected: &str) -> Vec<String> {
        let mut key = b"k".to_vec();
        append_window(&mut key, Window { start: 0, end: 10, session: false });
        let record = LogRecord {
            partition: 0,
            offset: 0,
            timestamp: 5,
            key: Some(key),
            value: Some(b"{\"A\":1}".to_vec()),
            headers: vec![Header { key: "h".into(), value: Some(b"!".to_vec()) }],
        };
        let format = format(Some(KeyWindow::Time { size_ms: 10 }));
        let actual = ReadRecord::read(&record, &format).unwrap();
        differences(&stated(expected), &actual, &format).into_iter().map(|difference| difference.path).collect()
    }

    #[test]
    fn every_part_is_compared() {
        let window = r#""window":{"start":0,"end":10,"type":"time"}"#;
        let none: [&str; 0] = [];
        assert_eq!(paths(&format!(r#"{{"topic":"t","key":"k","value":{{"A":1}},{window}}}"#)), none);
        let full = format!(
            r#"{{"topic":"t","key":"k","value":{{"A":1}},"timestamp":5,"headers":[{{"KEY":"h","VALUE":"IQ=="}}],{window}}}"#
        );
        assert_eq!(paths(&full), none);
        for (from, to, path) in [
            (r#""key":"k""#, r#""key":"j""#, "key"),
            (r#""key":"k""#, r#""key":null"#, "key"),
            (r#"{"A":1}"#, r#"{"A":2}"#, "value.A"),
            (r#"{"A":1}"#, "null", "value"),
            (r#""timestamp":5"#, r#""timestamp":0"#, "timestamp"),
            (r#""start":0"#, r#""start":1"#, "window"),
            (r#""end":10"#, r#""end":11"#, "window"),
            (r#""type":"time""#, r#""type":"session""#, "window"),
            (r#""KEY":"h""#, r#""KEY":"g""#, "headers"),
            (r#""VALUE":"IQ==""#, r#""VALUE":null"#, "headers"),
            (r#"[{"KEY":"h","VALUE":"IQ=="}]"#, "[]", "headers"),
        ] {
            let wrong = full.replace(from, to);
            assert_ne!(wrong, full);
            assert_eq!(paths(&wrong), [path], "{wrong}");
        }
        assert_eq!(paths(r#"{"topic":"t","key":"k","value":{"A":1}}"#), ["window"]);
    }

    #[test]
    fn windows_lie_behind_the_key() {
        let mut key = b"k".to_vec();
        append_window(&mut key, Window { start: 1, end: 258, session: true });
        assert_eq!(key, [b'k', 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
        let (rest, window) = split_window(&key, Some(KeyWindow::Session)).unwrap();
        assert_eq!((rest, window), (&b"k"[..], Some(Window { start: 1, end: 258, session: true })));
        assert!(split_window(b"short", Some(KeyWindow::Session)).is_err());
        assert_eq!(split_window(b"short", None), Ok((&b"short"[..], None)));
    }

    #[test]
    fn records_that_make_no_sense_are_refused() {
        for text in [
            r#"{"key":1}"#,
            r#"{"topic":"t","timestamp":"x"}"#,
            r#"{"topic":"t","window":{"start":1}}"#,
            r#"{"topic":"t","headers":[{"VALUE":"IQ=="}]}"#,
            r#"{"topic":"t","headers":[{"KEY":"a","VALUE":"??"}]}"#,
        ] {
            assert!(StatedRecord::read(&Json::parse(text).unwrap()).is_err(), "{text}");
        }
    }
}

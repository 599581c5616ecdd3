//! Records shown by what the catalog knows of their topics: for PRINT and for `topic consume`. Knows neither statements nor
//! terminals.

mod line;

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::catalog::SourceWindow;
use crate::dataflow::split_window;
use crate::engine::TopicLayout;
use crate::format::{self, Decoder, Format, Layout, Part};
use crate::log::{Records, Span};
use crate::types::Value;

pub use line::{Place, json_line, text_line, text_of};

/// A record's key and value as JSON texts without line breaks (`null` for null).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub key: String,
    pub value: String,
    /// Of a windowed key.
    pub window: Option<ShownWindow>,
}

/// The window of a key, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownWindow {
    pub start: i64,
    /// Where it is known. The end of a session is the time of its last record and belongs to it; that of other windows is
    /// where the next one begins.
    pub end: Option<i64>,
    pub is_session: bool,
}

/// Decodes keys and values of topics with a stream or table over them. What has none, or can't be decoded, is shown as it
/// is: JSON objects and arrays, else text, else base64.
#[derive(Default)]
pub struct Shower {
    topics: BTreeMap<String, Mutex<Topic>>,
}

struct Topic {
    key: Option<PartShower>,
    value: Option<PartShower>,
    window: Option<SourceWindow>,
}

struct PartShower {
    layout: Layout,
    decoder: Box<dyn Decoder>,
}

impl Shower {
    pub fn new(layouts: BTreeMap<String, TopicLayout>) -> Self {
        let topics = layouts.into_iter().map(|(topic, layout)| {
            let known =
                Topic { key: PartShower::new(layout.key), value: PartShower::new(layout.value), window: layout.window };
            (topic, Mutex::new(known))
        });
        Shower { topics: topics.collect() }
    }

    pub fn show(&self, topic: &str, records: &Records, row: usize) -> Shown {
        let plain = Shown::plain(records, row);
        let Some(known) = self.topics.get(topic) else { return plain };
        let mut known = known.lock();
        let mut one = single(records, row);
        let mut window = None;
        if let (Some(kind), Some(key)) = (known.window, one.key(0))
            && let Some((start, end)) = split_window(key, kind)
        {
            let is_session = kind == SourceWindow::Session;
            window = Some(ShownWindow { start, end: Some(end), is_session });
            let suffix = if is_session { 16 } else { 8 };
            let key = one.meta[0].key;
            one.meta[0].key = Span { start: key.start, len: key.len - suffix };
        }
        let key = known.key.as_mut().and_then(|part| part.show(&one, Part::Key));
        let value = known.value.as_mut().and_then(|part| part.show(&one, Part::Value));
        let plain = if window.is_some() { Shown::plain(&one, 0) } else { plain };
        Shown { key: key.unwrap_or(plain.key), value: value.unwrap_or(plain.value), window }
    }
}

impl Shown {
    /// A record of whose layout nothing is known.
    fn plain(records: &Records, row: usize) -> Shown {
        Shown { key: line::plain(records.key(row)), value: line::plain(records.value(row)), window: None }
    }
}

fn single(records: &Records, row: usize) -> Records {
    let mut one = Records::default();
    one.push(records.key(row), records.value(row), records.meta[row].timestamp);
    one
}

impl PartShower {
    /// None for what is shown as it is: JSON, and parts without columns.
    fn new(layout: Layout) -> Option<PartShower> {
        if matches!(layout.format, Format::Json | Format::None) || layout.columns.is_empty() {
            return None;
        }
        let all: Vec<usize> = (0..layout.columns.len()).collect();
        let decoder = format::decoder(&layout, &all).ok()?;
        Some(PartShower { layout, decoder })
    }

    /// The part as JSON text: a bare value for a single column, else an object. None: it can't be decoded.
    fn show(&mut self, record: &Records, part: Part) -> Option<String> {
        let decoded = self.decoder.decode(record, part);
        if !decoded.bad.is_empty() {
            return None;
        }
        if decoded.nulls.is_some_and(|nulls| nulls.value(0)) {
            return Some("null".to_string());
        }
        let mut values: Vec<(String, Value)> = decoded
            .columns
            .iter()
            .zip(&self.layout.columns)
            .map(|(column, (name, ty))| (name.clone(), Value::from_array(column, 0, ty)))
            .collect();
        let value = match (values.len(), part) {
            (1, Part::Key) => values.pop()?.1,
            _ => Value::Struct(values),
        };
        let mut text = String::new();
        value.write_json(&mut text);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SqlType;

    fn layout(format: Format, columns: &[(&str, SqlType)]) -> Layout {
        let columns: Vec<_> = columns.iter().map(|(name, ty)| (name.to_string(), ty.clone())).collect();
        Layout { format, delimiter: ',', wrapped: columns.len() > 1, columns }
    }

    #[test]
    fn shows_binary_keys_windows_and_delimited_values() {
        let known = TopicLayout {
            key: layout(Format::Kafka, &[("ID", SqlType::Int)]),
            value: layout(Format::Delimited, &[("A", SqlType::String), ("B", SqlType::Bigint)]),
            window: Some(SourceWindow::Time { size_ms: 10, hopping: false }),
        };
        let shower = Shower::new(BTreeMap::from([("t".to_string(), known)]));
        let mut records = Records::default();
        let key = [7_i32.to_be_bytes().as_slice(), 30_i64.to_be_bytes().as_slice()].concat();
        records.push(Some(&key), Some(b"x,5"), 0);
        records.push(Some(&key), None, 0);
        let shown = shower.show("t", &records, 0);
        assert_eq!((shown.key.as_str(), shown.value.as_str()), ("7", r#"{"A":"x","B":5}"#));
        assert_eq!(shown.window, Some(ShownWindow { start: 30, end: Some(40), is_session: false }));
        assert_eq!(shower.show("t", &records, 1).value, "null");
        assert_eq!(shower.show("other", &records, 1).value, "null");
    }
}

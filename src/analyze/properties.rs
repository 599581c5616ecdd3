//! The WITH clause: which properties there are, where each may stand, what values it takes.

use crate::error::{Error, Result};
use crate::format::Format;
use crate::messages;
use crate::messages::properties::Expected;
use crate::sql::ast::{Ident, Literal, Location, Properties};

/// Where a WITH clause stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// CREATE STREAM | TABLE over a topic.
    Create,
    /// CREATE STREAM | TABLE AS SELECT.
    CreateAs,
    /// INSERT INTO ... SELECT.
    Insert,
}

/// A WITH clause, checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct With {
    pub topic: Option<String>,
    pub partitions: Option<u32>,
    pub replicas: Option<u32>,
    pub retention_ms: Option<i64>,
    /// At least 1.
    pub versions_retention_ms: Option<i64>,
    pub key_format: Option<Format>,
    pub value_format: Option<Format>,
    pub key_delimiter: Option<char>,
    pub value_delimiter: Option<char>,
    pub wrap_single_value: Option<bool>,
    pub timestamp: Option<String>,
    pub timestamp_format: Option<String>,
    pub window_type: Option<WindowType>,
    pub window_size_ms: Option<i64>,
    pub query_id: Option<String>,
    /// Where each was written, by its name in capitals.
    places: Vec<(String, Location)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowType {
    Tumbling,
    Hopping,
    Session,
}

/// The most partitions or replicas that a WITH clause may ask for.
const COUNT_MAX: i64 = 100_000;

/// All properties that a WITH clause can have.
pub const NAMES: &[&str] = &[
    "KAFKA_TOPIC",
    "PARTITIONS",
    "REPLICAS",
    "RETENTION_MS",
    "VERSIONS_RETENTION_MS",
    "CLEANUP_POLICY",
    "KEY_FORMAT",
    "VALUE_FORMAT",
    "FORMAT",
    "KEY_DELIMITER",
    "VALUE_DELIMITER",
    "WRAP_SINGLE_VALUE",
    "TIMESTAMP",
    "TIMESTAMP_FORMAT",
    "WINDOW_TYPE",
    "WINDOW_SIZE",
    "QUERY_ID",
    "KEY_SCHEMA_ID",
    "VALUE_SCHEMA_ID",
    "KEY_SCHEMA_FULL_NAME",
    "VALUE_SCHEMA_FULL_NAME",
    "VALUE_AVRO_SCHEMA_FULL_NAME",
    "KEY_PROTOBUF_NULLABLE_REPRESENTATION",
    "VALUE_PROTOBUF_NULLABLE_REPRESENTATION",
    "SOURCED_BY_CONNECTOR",
];

impl With {
    /// Takes one property; `format`: that of FORMAT.
    fn take(&mut self, name: &Ident, value: &Literal, place: Place, format: &mut Option<Format>) -> Result<()> {
        let value = Value { name: &name.text, literal: value };
        let upper = name.text.to_uppercase();
        match upper.as_str() {
            "KAFKA_TOPIC" => self.topic = Some(value.text()?),
            "PARTITIONS" => self.partitions = Some(value.count()?),
            "REPLICAS" => self.replicas = Some(value.count()?),
            "RETENTION_MS" => self.retention_ms = Some(value.whole_number()?),
            "VERSIONS_RETENTION_MS" if place != Place::Insert => {
                self.versions_retention_ms = Some(value.span_ms()?);
            }
            "KEY_FORMAT" => self.key_format = Some(Format::from_name(&value.text()?)?),
            "VALUE_FORMAT" => self.value_format = Some(Format::from_name(&value.text()?)?),
            "FORMAT" => *format = Some(Format::from_name(&value.text()?)?),
            "KEY_DELIMITER" => self.key_delimiter = Some(value.delimiter()?),
            "VALUE_DELIMITER" => self.value_delimiter = Some(value.delimiter()?),
            "WRAP_SINGLE_VALUE" => self.wrap_single_value = Some(value.boolean()?),
            "TIMESTAMP" => self.timestamp = Some(column_name(&value.text()?)),
            "TIMESTAMP_FORMAT" => self.timestamp_format = Some(value.text()?),
            "WINDOW_TYPE" if place == Place::Create => self.window_type = Some(value.window_type()?),
            "WINDOW_SIZE" if place == Place::Create => self.window_size_ms = Some(value.duration_ms()?),
            "QUERY_ID" if place == Place::Insert => self.query_id = Some(value.query_id()?),
            "SOURCED_BY_CONNECTOR" => {}
            "CLEANUP_POLICY" => {
                return Err(messages::properties::cleanup_policy().at(name.at));
            }
            "KEY_SCHEMA_ID"
            | "VALUE_SCHEMA_ID"
            | "KEY_SCHEMA_FULL_NAME"
            | "VALUE_SCHEMA_FULL_NAME"
            | "VALUE_AVRO_SCHEMA_FULL_NAME"
            | "KEY_PROTOBUF_NULLABLE_REPRESENTATION"
            | "VALUE_PROTOBUF_NULLABLE_REPRESENTATION" => {
                return Err(messages::properties::needs_registry(&upper).at(name.at));
            }
            _ => {
                return Err(messages::properties::unknown_property(&upper, NAMES).at(name.at));
            }
        }
        Ok(())
    }

    /// Reads a WITH clause. Errors: a property that is unknown or has no place here, a value it doesn't take, properties
    /// that exclude each other.
    pub fn read(properties: &Properties, place: Place) -> Result<With> {
        let mut with = With::default();
        let mut format = None;
        for (name, value) in properties {
            with.take(name, value, place, &mut format).map_err(|error| error.at(name.at))?;
            with.places.push((name.text.to_uppercase(), name.at));
        }
        if let Some(format) = format {
            if with.key_format.is_some() || with.value_format.is_some() {
                let which = if with.key_format.is_some() { "KEY_FORMAT" } else { "VALUE_FORMAT" };
                return Err(messages::properties::format_twice(which));
            }
            with.key_format = Some(format);
            with.value_format = Some(format);
        }
        Ok(with)
    }
}

impl With {
    /// Where a property was written; nowhere when it wasn't.
    pub fn at(&self, property: &str) -> Location {
        let place = self.places.iter().find(|(name, _)| name == property);
        place.map_or_else(Location::default, |(_, at)| *at)
    }
}

/// The name of a column inside a string: folded to upper case unless it is quoted.
fn column_name(text: &str) -> String {
    let text = text.trim();
    for quote in ['`', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.to_string();
        }
    }
    text.to_uppercase()
}

struct Value<'a> {
    name: &'a str,
    literal: &'a Literal,
}

impl Value<'_> {
    fn error(&self, expected: Expected) -> Error {
        messages::properties::invalid_value(self.name, self.literal, expected)
    }

    fn text(&self) -> Result<String> {
        match self.literal {
            Literal::String(text) if !text.is_empty() => Ok(text.clone()),
            _ => Err(self.error(Expected::Text)),
        }
    }

    fn whole_number(&self) -> Result<i64> {
        match self.literal {
            Literal::Number(text) | Literal::String(text) => {
                text.trim().parse().map_err(|_| self.error(Expected::WholeNumber))
            }
            _ => Err(self.error(Expected::WholeNumber)),
        }
    }

    /// A number of milliseconds that is a span.
    fn span_ms(&self) -> Result<i64> {
        match self.whole_number()? {
            ms if ms > 0 => Ok(ms),
            _ => Err(self.error(Expected::Milliseconds)),
        }
    }

    fn count(&self) -> Result<u32> {
        match self.whole_number()? {
            count @ 1..=COUNT_MAX => Ok(count as u32),
            _ => Err(self.error(Expected::Count { max: COUNT_MAX })),
        }
    }

    fn boolean(&self) -> Result<bool> {
        match self.literal {
            Literal::Boolean(value) => Ok(*value),
            Literal::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Literal::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.error(Expected::Boolean)),
        }
    }

    fn delimiter(&self) -> Result<char> {
        let text = match self.literal {
            Literal::String(text) => text,
            _ => return Err(self.error(Expected::Delimiter)),
        };
        let mut chars = text.chars();
        match (text.as_str(), chars.next(), chars.next()) {
            ("SPACE", ..) => Ok(' '),
            ("TAB", ..) => Ok('\t'),
            (_, Some(single), None) => Ok(single),
            _ => Err(messages::properties::delimiter(text)),
        }
    }

    fn window_type(&self) -> Result<WindowType> {
        match self.text()?.to_uppercase().as_str() {
            "TUMBLING" => Ok(WindowType::Tumbling),
            "HOPPING" => Ok(WindowType::Hopping),
            "SESSION" => Ok(WindowType::Session),
            _ => Err(self.error(Expected::WindowType)),
        }
    }

    /// `'10 SECONDS'` in ms.
    fn duration_ms(&self) -> Result<i64> {
        let text = self.text()?;
        let mut words = text.split_whitespace();
        let (Some(number), Some(unit), None) = (words.next(), words.next(), words.next()) else {
            return Err(self.error(Expected::Duration));
        };
        let number: i64 = number.parse().map_err(|_| self.error(Expected::Duration))?;
        let unit = match unit.to_uppercase().trim_end_matches('S') {
            "DAY" => 86_400_000,
            "HOUR" => 3_600_000,
            "MINUTE" => 60_000,
            "SECOND" => 1_000,
            "MILLISECOND" => 1,
            _ => return Err(self.error(Expected::Unit)),
        };
        match number.checked_mul(unit) {
            Some(ms) if ms > 0 => Ok(ms),
            _ => Err(self.error(Expected::LongerThanZero)),
        }
    }

    fn query_id(&self) -> Result<String> {
        let id = self.text()?.to_uppercase();
        let reserved = ["INSERTQUERY_", "CTAS_", "CSAS_", "CST_"];
        if reserved.iter().any(|prefix| id.starts_with(prefix)) {
            return Err(messages::properties::reserved_query_id(&reserved));
        }
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(messages::properties::query_id_letters(&id));
        }
        Ok(id)
    }
}

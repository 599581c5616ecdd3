//! The WITH clause: which properties there are, where each may stand, what values it takes.

use crate::error::{Error, Result};
use crate::format::Format;
use crate::nearest::nearest;
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
                return Err(Error::statement("Invalid config variable in the WITH clause: CLEANUP_POLICY.")
                    .hint("it follows from the kind: streams delete, tables compact")
                    .at(name.at));
            }
            "KEY_SCHEMA_ID"
            | "VALUE_SCHEMA_ID"
            | "KEY_SCHEMA_FULL_NAME"
            | "VALUE_SCHEMA_FULL_NAME"
            | "VALUE_AVRO_SCHEMA_FULL_NAME"
            | "KEY_PROTOBUF_NULLABLE_REPRESENTATION"
            | "VALUE_PROTOBUF_NULLABLE_REPRESENTATION" => {
                return Err(Error::not_supported(&upper, "it needs the formats of a schema registry").at(name.at));
            }
            _ => {
                let error =
                    Error::statement(format!("Invalid config variable(s) in the WITH clause: {upper}")).at(name.at);
                return Err(match nearest(&upper, NAMES.iter().copied()) {
                    Some(other) if other != upper => error.hint(format!("Did you mean {other}?")),
                    _ => error,
                });
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
                return Err(Error::statement(format!(
                    "Cannot supply both '{which}' and 'FORMAT' properties, as 'FORMAT' sets both key and value formats."
                ))
                .hint("Either use just 'FORMAT', or use 'KEY_FORMAT' and 'VALUE_FORMAT'."));
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
    fn error(&self, expected: &str) -> Error {
        let found = match self.literal {
            Literal::Null => "NULL".to_string(),
            Literal::Boolean(value) => value.to_string(),
            Literal::Number(text) => text.clone(),
            Literal::String(text) => format!("'{text}'"),
        };
        Error::statement(format!("Invalid value {found} for property {}: expected {expected}", self.name))
    }

    fn text(&self) -> Result<String> {
        match self.literal {
            Literal::String(text) if !text.is_empty() => Ok(text.clone()),
            _ => Err(self.error("a string in single quotes")),
        }
    }

    fn whole_number(&self) -> Result<i64> {
        match self.literal {
            Literal::Number(text) | Literal::String(text) => {
                text.trim().parse().map_err(|_| self.error("a whole number"))
            }
            _ => Err(self.error("a whole number")),
        }
    }

    /// A number of milliseconds that is a span.
    fn span_ms(&self) -> Result<i64> {
        match self.whole_number()? {
            ms if ms > 0 => Ok(ms),
            _ => Err(self.error("a number of milliseconds from 1 on")),
        }
    }

    fn count(&self) -> Result<u32> {
        match self.whole_number()? {
            count @ 1..=100_000 => Ok(count as u32),
            _ => Err(self.error("a number from 1 to 100000")),
        }
    }

    fn boolean(&self) -> Result<bool> {
        match self.literal {
            Literal::Boolean(value) => Ok(*value),
            Literal::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Literal::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.error("true or false")),
        }
    }

    fn delimiter(&self) -> Result<char> {
        let text = match self.literal {
            Literal::String(text) => text,
            _ => return Err(self.error("one character, 'SPACE' or 'TAB'")),
        };
        let mut chars = text.chars();
        match (text.as_str(), chars.next(), chars.next()) {
            ("SPACE", ..) => Ok(' '),
            ("TAB", ..) => Ok('\t'),
            (_, Some(single), None) => Ok(single),
            _ => Err(Error::statement(format!(
                "Invalid delimiter value: '{text}'. Delimiter must be a single character or TAB,SPACE"
            ))),
        }
    }

    fn window_type(&self) -> Result<WindowType> {
        match self.text()?.to_uppercase().as_str() {
            "TUMBLING" => Ok(WindowType::Tumbling),
            "HOPPING" => Ok(WindowType::Hopping),
            "SESSION" => Ok(WindowType::Session),
            _ => Err(self.error("one of SESSION, HOPPING, TUMBLING")),
        }
    }

    /// `'10 SECONDS'` in ms.
    fn duration_ms(&self) -> Result<i64> {
        let text = self.text()?;
        let mut words = text.split_whitespace();
        let (Some(number), Some(unit), None) = (words.next(), words.next(), words.next()) else {
            return Err(self.error("a number and a unit, as '10 SECONDS'"));
        };
        let number: i64 = number.parse().map_err(|_| self.error("a number and a unit, as '10 SECONDS'"))?;
        let unit = match unit.to_uppercase().trim_end_matches('S') {
            "DAY" => 86_400_000,
            "HOUR" => 3_600_000,
            "MINUTE" => 60_000,
            "SECOND" => 1_000,
            "MILLISECOND" => 1,
            _ => return Err(self.error("a unit from DAYS to MILLISECONDS")),
        };
        match number.checked_mul(unit) {
            Some(ms) if ms > 0 => Ok(ms),
            _ => Err(self.error("a span longer than zero")),
        }
    }

    fn query_id(&self) -> Result<String> {
        let id = self.text()?.to_uppercase();
        let reserved = ["INSERTQUERY_", "CTAS_", "CSAS_", "CST_"];
        if reserved.iter().any(|prefix| id.starts_with(prefix)) {
            return Err(Error::statement(format!("Query IDs must not start with {}", reserved.join(", "))));
        }
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Error::statement(format!(
                "Query IDs may contain only alphanumeric characters and '_'. Got: '{id}'"
            )));
        }
        Ok(id)
    }
}

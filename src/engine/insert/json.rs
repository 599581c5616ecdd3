//! Rows as JSON objects, for clients that send many: one record a row, written at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::analyze::PSEUDO_COLUMNS;
use crate::catalog::Source;
use crate::engine::{Inner, Rest, settings};
use crate::error::Result;
use crate::expr::iso;
use crate::log::Records;
use crate::messages;
use crate::sql::ast::Ident;
use crate::types::{SqlType, Value, decimal};

impl Inner {
    /// Writes the rows that JSON objects tell to the topic of a stream or table, in their order, with one append a partition.
    /// Fields are columns, in any case of letters unless in back-ticks; a column without a field is NULL. ROWTIME may be given,
    /// in ms.
    ///
    /// Errors: the target takes no rows, a text is no object, a field is no column, or a value doesn't fit its column; the rows
    /// before that are written.
    pub(in crate::engine) fn insert_json(
        &self,
        target: &str,
        rows: &[String],
        properties: &BTreeMap<String, String>,
    ) -> Result<(), Rest> {
        let none = |error| Rest { written: 0, error };
        let source = self.json_target(target, properties).map_err(none)?;
        let mut batch = Vec::with_capacity(rows.len());
        let mut bad = None;
        for row in rows {
            match self.encode_json(&source, row) {
                Ok(record) => batch.push(record),
                Err(error) => {
                    bad = Some(error);
                    break;
                }
            }
        }
        self.write_rows(&source, &batch).map_err(none)?;
        bad.map_or(Ok(()), |error| Err(Rest { written: batch.len(), error }))
    }

    fn json_target(&self, target: &str, properties: &BTreeMap<String, String>) -> Result<Arc<Source>> {
        if settings::value(properties, "ksql.insert.into.values.enabled") != "true" {
            return Err(messages::inserts::rows_disabled());
        }
        let catalog = self.catalog.read().clone();
        let target = Ident::new(column_name(target));
        let source = catalog.expect_source(&target.text)?.clone();
        self.check_target(&source, &target)?;
        Ok(source)
    }

    fn encode_json(&self, source: &Source, row: &str) -> Result<Records> {
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_str(row).map_err(|error| messages::inserts::no_object(&error.to_string()))?;
        let mut values: BTreeMap<&str, Value> = BTreeMap::new();
        let mut row_time = None;
        for (field, raw) in fields {
            let name = column_name(&field);
            if let Some(column) = source.columns.iter().find(|column| column.name == name) {
                let value = read(raw, &column.ty).map_err(|why| messages::inserts::no_value(&name, &why))?;
                values.insert(&column.name, value);
            } else if name == "ROWTIME" {
                row_time = match read(raw, &SqlType::Bigint) {
                    Ok(Value::Bigint(time)) if time >= 0 => Some(time),
                    Ok(Value::Null) => None,
                    _ => return Err(messages::inserts::row_time()),
                };
            } else if PSEUDO_COLUMNS.contains(&name.as_str()) {
                return Err(messages::inserts::system_column(&name));
            } else {
                let there: Vec<&str> = source.columns.iter().map(|column| column.name.as_str()).collect();
                return Err(messages::inserts::unknown_column(&name, &source.name, &there));
            }
        }
        self.encode(source, &values, row_time)
    }
}

/// A name as SQL reads it: in capitals unless it is quoted.
fn column_name(text: &str) -> String {
    match text.strip_prefix('`').and_then(|text| text.strip_suffix('`')) {
        Some(quoted) => quoted.replace("``", "`"),
        None => text.to_uppercase(),
    }
}

/// A value of that type. DECIMAL also as a string, with all its digits; BYTES in base64; times in ISO 8601.
fn read(raw: &RawValue, ty: &SqlType) -> Result<Value, String> {
    let text = raw.get();
    if text == "null" {
        return Ok(Value::Null);
    }
    let misfit = || {
        let shown: String = text.chars().take(40).collect();
        format!("{shown} is no {ty}")
    };
    fn plain<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Option<T> {
        serde_json::from_str(text).ok()
    }
    let value = match ty {
        SqlType::Boolean => plain(text).map(Value::Boolean),
        SqlType::Int => plain(text).map(Value::Int),
        SqlType::Bigint => plain(text).map(Value::Bigint),
        SqlType::Double => plain(text).map(Value::Double),
        SqlType::String => plain(text).map(Value::String),
        SqlType::Decimal { precision, scale } => {
            let digits = plain::<String>(text).unwrap_or_else(|| text.to_owned());
            let unscaled = decimal::parse(digits.as_bytes(), *precision, *scale).ok();
            unscaled.map(|unscaled| Value::Decimal { unscaled, precision: *precision, scale: *scale })
        }
        SqlType::Bytes => plain::<String>(text).and_then(|text| STANDARD.decode(text).ok()).map(Value::Bytes),
        SqlType::Time => plain::<String>(text).and_then(|text| iso::parse_time(&text)).map(Value::Time),
        SqlType::Date => plain::<String>(text).and_then(|text| iso::parse_date(&text)).map(Value::Date),
        SqlType::Timestamp => plain::<String>(text).and_then(|text| iso::parse_timestamp(&text)).map(Value::Timestamp),
        SqlType::Array(item) => {
            let items: Vec<&RawValue> = plain(text).ok_or_else(misfit)?;
            Some(Value::Array(items.into_iter().map(|raw| read(raw, item)).collect::<Result<_, _>>()?))
        }
        SqlType::Map(value) => {
            let entries: Vec<(String, &RawValue)> = members(text).ok_or_else(misfit)?;
            let entries = entries.into_iter().map(|(key, raw)| Ok((key, read(raw, value)?)));
            Some(Value::Map(entries.collect::<Result<_, String>>()?))
        }
        SqlType::Struct(fields) => {
            let members: Vec<(String, &RawValue)> = members(text).ok_or_else(misfit)?;
            let members: BTreeMap<String, &RawValue> =
                members.into_iter().map(|(name, raw)| (column_name(&name), raw)).collect();
            if let Some(unknown) = members.keys().find(|name| !fields.iter().any(|(field, _)| field == *name)) {
                return Err(format!("it has no field {unknown}"));
            }
            let field = |(name, ty): &(String, SqlType)| {
                let value = members.get(name).map_or(Ok(Value::Null), |raw| read(raw, ty));
                value.map(|value| (name.clone(), value)).map_err(|why| format!("field {name}: {why}"))
            };
            Some(Value::Struct(fields.iter().map(field).collect::<Result<_, _>>()?))
        }
    };
    value.ok_or_else(misfit)
}

/// The members of an object, in their order.
fn members(text: &str) -> Option<Vec<(String, &RawValue)>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    Some(members.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Face, Options, Reply, Session};
    use crate::types::json::cell;

    const STREAM: &str = "CREATE STREAM s (k STRING KEY, i INT, b BIGINT, x DOUBLE, d DECIMAL(20,2), t BOOLEAN, y BYTES, \
        at TIMESTAMP, day DATE, `low` STRING, a ARRAY<INT>, m MAP<STRING, BIGINT>, o STRUCT<p INT, q STRING>) \
        WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";

    fn engine() -> Engine {
        let engine = Engine::stepped(Options::default()).unwrap();
        engine.execute(&mut Session::default(), STREAM).unwrap();
        engine
    }

    fn insert(engine: &Engine, target: &str, rows: &[&str]) -> Result<(), Rest> {
        let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        engine.insert(target, &rows, &BTreeMap::new())
    }

    fn rows(engine: &Engine, columns: &str) -> Vec<String> {
        let reply = engine.execute(&mut Session::default(), &format!("SELECT {columns} FROM s;")).unwrap();
        let Reply::Rows(rows) = reply else { panic!("no rows") };
        let shown = |row: crate::engine::Row| row.values.iter().map(cell).collect::<Vec<_>>().join(" ");
        rows.collect().unwrap().into_iter().map(shown).collect()
    }

    #[test]
    fn values_of_all_types_are_read() {
        let engine = engine();
        let row = r#"{"K": "a", "i": -3, "B": 9007199254740993, "x": 1.5, "d": 123456789012345678.25, "t": true,
            "y": "AQI=", "AT": "2020-02-03T04:05:06.789", "day": "2020-02-03", "`low`": "é", "a": [1, null],
            "m": {"z": 1, "y": null}, "o": {"q": "r", "P": 7}, "ROWTIME": 42}"#;
        insert(&engine, "S", &[row]).unwrap();
        insert(&engine, "`S`", &[r#"{"d": "0.05"}"#]).unwrap();
        assert_eq!(
            rows(&engine, "ROWTIME, k, i, b, x, d, t, y, at, day, `low`, a, m['z'], o")[0],
            "42 a -3 9007199254740993 1.5 123456789012345678.25 true AQI= 2020-02-03T04:05:06.789 2020-02-03 é \
             [1, null] 1 {P=7, Q=r}"
        );
        assert_eq!(rows(&engine, "k, d, i")[1], "null 0.05 null");
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_is_written() {
        let engine = engine();
        let refused = [
            (r#"{"i": 3000000000}"#, "`I`: 3000000000 is no INTEGER"),
            (r#"{"i": 1.5}"#, "is no INTEGER"),
            (r#"{"d": 1.234}"#, "is no DECIMAL"),
            (r#"{"day": "soon"}"#, "is no DATE"),
            (r#"{"o": {"z": 1}}"#, "no field Z"),
            (r#"{"o": {"p": "x"}}"#, "field P"),
            (r#"{"a": {"z": 1}}"#, "is no ARRAY"),
            (r#"{"low": "x"}"#, "`LOW` does not exist"),
            (r#"{"ROWOFFSET": 1}"#, "not allowed"),
            (r#"{"ROWTIME": -1}"#, "not negative"),
            ("[1]", "not a JSON object"),
            ("{", "not a JSON object"),
        ];
        for (row, why) in refused {
            let rest = insert(&engine, "S", &[row]).unwrap_err();
            assert!(rest.error.to_string().contains(why), "{row}: {rest:?}");
        }
        assert!(insert(&engine, "nope", &["{}"]).is_err());
        assert_eq!(rows(&engine, "k"), Vec::<String>::new());
    }

    #[test]
    fn rows_before_a_bad_one_are_written() {
        let engine = engine();
        let many: Vec<String> = (0..100).map(|i| format!("{{\"k\": \"k{}\", \"i\": {i}}}", i % 7)).collect();
        let mut texts: Vec<&str> = many.iter().map(String::as_str).collect();
        texts.insert(60, "{\"i\": \"x\"}");
        let rest = insert(&engine, "s", &texts).unwrap_err();
        assert_eq!(rest.written, 60);
        assert_eq!(rows(&engine, "i"), (0..60).map(|i| i.to_string()).collect::<Vec<_>>());
        assert_eq!(insert(&engine, "s", &[]), Ok(()));
    }
}

//! INSERT INTO ... VALUES: one record, written at once.

mod json;

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;

use crate::analyze::PSEUDO_COLUMNS;
use crate::catalog::{ColumnRole, Source, SourceKind};
use crate::engine::{Inner, settings};
use crate::error::{Error, Result};
use crate::expr;
use crate::format::{self, Layout};
use crate::log::partitioner::partition_for;
use crate::log::{Records, TopicPartition};
use crate::messages;
use crate::messages::inserts::Closed;
use crate::sql::ast::{Expr, Ident};
use crate::time::wall_time_ms;
use crate::types::{SqlType, Value, values_to_array};

impl Inner {
    /// Writes one record to the topic of a stream or table. Gives what is to be told of it.
    pub(super) fn insert_values(
        &self,
        target: &Ident,
        columns: &[Ident],
        values: &[Expr],
        properties: &BTreeMap<String, String>,
    ) -> Result<Vec<String>> {
        if settings::value(properties, "ksql.insert.into.values.enabled") != "true" {
            return Err(messages::inserts::insert_disabled());
        }
        let catalog = self.catalog.read().clone();
        let source = catalog.expect_source(&target.text).map_err(|error| error.at(target.at))?.clone();
        self.check_target(&source, target)?;
        let columns = named_columns(&source, columns, values)?;
        let mut row: BTreeMap<&str, Value> = BTreeMap::new();
        let mut row_time = None;
        for (name, value) in columns.iter().zip(values) {
            let ty = match source.columns.iter().find(|column| column.name == *name) {
                Some(column) => column.ty.clone(),
                None => SqlType::Bigint,
            };
            let value = expr::constant(value, Some(&ty), &|name| catalog.custom_type(name).cloned())
                .map_err(|error| error.at(value.at))?;
            if name == "ROWTIME" {
                match value {
                    Value::Bigint(time) if time >= 0 => row_time = Some(time),
                    Value::Null => {}
                    _ => return Err(messages::inserts::row_time().at(target.at)),
                }
            } else {
                row.insert(name, value);
            }
        }
        self.write_row(&source, self.encode(&source, &row, row_time)?, "inserted")?;
        let maker =
            source.query_id.as_ref().filter(|id| source.kind == SourceKind::Table && catalog.query(id).is_some());
        let told = maker.map(|id| {
            format!(
                "{} is made by {id}, which doesn't know of this row: its next result for the key takes its place",
                source.name
            )
        });
        Ok(told.into_iter().collect())
    }

    /// Appends the record of one row to the source's topic; `done` is what the row is then.
    pub(super) fn write_row(&self, source: &Source, records: Records, done: &str) -> Result<()> {
        let partitions = self
            .log
            .partitions(&source.topic)
            .ok_or_else(|| Error::from(crate::log::LogError::UnknownTopic(source.topic.clone())))?;
        let partition = records.key(0).map_or(0, |key| partition_for(key, partitions));
        self.write_batch(source, partition, &records, done)
    }

    fn write_batch(&self, source: &Source, partition: u32, records: &Records, done: &str) -> Result<()> {
        let offset = self.log.append(&TopicPartition { topic: source.topic.clone(), partition }, records)?;
        if let Some(view) = self.views.read().get(&source.name).filter(|_| source.query_id.is_some()) {
            let told = |error: Error| Error { what: format!("The row was {done}, but {}", error.what), ..error };
            view.inserted(partition, offset, records).map_err(told)?;
        }
        Ok(())
    }

    /// As [`Inner::write_row`], of records of one row each, in their order: an append a partition.
    ///
    /// Errors: an append fails; those of other partitions may be written.
    fn write_rows(&self, source: &Source, rows: &[Records]) -> Result<()> {
        let partitions = self
            .log
            .partitions(&source.topic)
            .ok_or_else(|| Error::from(crate::log::LogError::UnknownTopic(source.topic.clone())))?;
        let mut batches: BTreeMap<u32, Records> = BTreeMap::new();
        for row in rows {
            let partition = row.key(0).map_or(0, |key| partition_for(key, partitions));
            batches.entry(partition).or_default().push(row.key(0), row.value(0), row.meta[0].timestamp);
        }
        batches
            .into_iter()
            .try_for_each(|(partition, records)| self.write_batch(source, partition, &records, "inserted"))
    }

    fn encode(&self, source: &Source, row: &BTreeMap<&str, Value>, row_time: Option<i64>) -> Result<Records> {
        let (key_arrays, keys) = columns_of(&source.key, row);
        let (value_arrays, values) = columns_of(&source.value, row);
        check_key(source, &keys, messages::inserts::insert_without_key)?;
        let null_key = keys.is_empty() || keys.iter().all(|key| *key == Value::Null);
        // Bare single values have no other way to say NULL than a record without value.
        let null_value = !source.value.wrapped && values.iter().all(|value| *value == Value::Null);
        let row_time = match (&source.timestamp, row_time) {
            (_, Some(time)) => time,
            (_, None) => wall_time_ms(),
        };
        let mut records = Records::default();
        let key = encode_part(&source.key, &key_arrays, null_key)?;
        let value = encode_part(&source.value, &value_arrays, null_value)?;
        records.push(key.as_deref(), value.as_deref(), row_time);
        Ok(records)
    }

    /// The record that deletes a key.
    pub(super) fn encode_tombstone(&self, source: &Source, key: &BTreeMap<&str, Value>) -> Result<Records> {
        let (arrays, keys) = columns_of(&source.key, key);
        check_key(source, &keys, messages::inserts::delete_without_key)?;
        let mut records = Records::default();
        records.push(encode_part(&source.key, &arrays, false)?.as_deref(), None, wall_time_ms());
        Ok(records)
    }

    pub(super) fn check_target(&self, source: &Source, target: &Ident) -> Result<()> {
        let refuse = |why: Closed| Err(messages::inserts::closed(&source.name, &why).at(target.at));
        if source.is_source {
            return refuse(Closed::ReadOnly);
        }
        if source.window.is_some() {
            return refuse(Closed::Windowed);
        }
        if source.columns.iter().any(|column| matches!(column.role, ColumnRole::Headers | ColumnRole::Header(_))) {
            return refuse(Closed::Headers);
        }
        if source.topic.starts_with("_confluent") || source.topic == self.service.processing_log_topic() {
            return refuse(Closed::TopicReadOnly);
        }
        Ok(())
    }
}

/// The row of a table has a whole key.
fn check_key(source: &Source, keys: &[Value], message: fn(&str, &[&str]) -> Error) -> Result<()> {
    if source.kind != SourceKind::Table || !keys.contains(&Value::Null) {
        return Ok(());
    }
    let key: Vec<&str> = source.key.columns.iter().map(|(name, _)| name.as_str()).collect();
    Err(message(&source.name, &key))
}

/// The columns that the values are for.
fn named_columns(source: &Source, columns: &[Ident], values: &[Expr]) -> Result<Vec<String>> {
    if columns.is_empty() {
        let names: Vec<String> = source.columns.iter().map(|column| column.name.clone()).collect();
        if names.len() != values.len() {
            return Err(messages::inserts::count_of_all(&source.name, &names, values.len()));
        }
        return Ok(names);
    }
    if columns.len() != values.len() {
        return Err(messages::inserts::count_of_named(columns.len(), values.len()));
    }
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].iter().any(|other| other.text == column.text) {
            return Err(messages::inserts::column_twice(&column.text).at(column.at));
        }
        let known = column.text == "ROWTIME" || source.columns.iter().any(|other| other.name == column.text);
        if known {
            continue;
        }
        let error = if PSEUDO_COLUMNS.contains(&column.text.as_str()) {
            messages::inserts::system_column(&column.text)
        } else {
            let there: Vec<&str> = source.columns.iter().map(|column| column.name.as_str()).collect();
            messages::inserts::unknown_column(&column.text, &source.name, &there)
        };
        return Err(error.at(column.at));
    }
    Ok(columns.iter().map(|column| column.text.clone()).collect())
}

fn columns_of(layout: &Layout, row: &BTreeMap<&str, Value>) -> (Vec<ArrayRef>, Vec<Value>) {
    let mut arrays = Vec::new();
    let mut values = Vec::new();
    for (name, ty) in &layout.columns {
        let value = row.get(name.as_str()).cloned().unwrap_or(Value::Null);
        arrays.push(values_to_array(std::slice::from_ref(&value), ty));
        values.push(value);
    }
    (arrays, values)
}

fn encode_part(layout: &Layout, arrays: &[ArrayRef], null: bool) -> Result<Option<Vec<u8>>> {
    let nulls = null.then(|| BooleanBuffer::new_set(1));
    let (mut data, mut spans) = (Vec::new(), Vec::new());
    let bad = format::encoder(layout)?.encode(arrays, 1, nulls.as_ref(), &mut data, &mut spans);
    if let Some(bad) = bad.first() {
        return Err(messages::inserts::not_encodable(&bad.reason.to_string()));
    }
    Ok(spans.first().filter(|span| !span.is_null()).map(|_| data))
}

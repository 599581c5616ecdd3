//! An engine for the tests of the test runner: sources over topics, copies (`CREATE STREAM b AS SELECT * FROM a`),
//! INSERT VALUES and SELECT *. Keys are KAFKA strings, values JSON; a windowed source is copied as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::Answer;
use super::json::Json;
use super::subject::{ExchangeLayout, KeyWindow, SourceSummary, Subject, TopicLayout};
use crate::engine::{Reply, ResultColumn, Row, RowEvent, RowStream, Status, event_channel};
use crate::error::{Error, Result};
use crate::format::{Format, Layout};
use crate::log::embedded::EmbeddedLog;
use crate::log::{Log, Records, TopicPartition, TopicSpec, for_each_fetch};
use crate::sql;
use crate::sql::ast::{
    ColumnRole, ExprKind, Ident, Literal, ParsedStatement, Properties, Query, SourceKind, Statement, Type,
};
use crate::types::{SqlType, Value};

pub fn new_fake(properties: &BTreeMap<String, String>) -> Result<Box<dyn Subject>> {
    match properties.get("broken") {
        Some(_) => Err(Error::statement("broken is no property")),
        None => Ok(Box::new(Fake::new())),
    }
}

struct Fake {
    log: Arc<EmbeddedLog>,
    sources: Vec<(SourceSummary, TopicLayout)>,
    /// (from, to, how many of each partition were copied)
    copies: Vec<(String, String, BTreeMap<u32, i64>)>,
}

fn property<'a>(properties: &'a Properties, name: &str) -> Option<&'a str> {
    properties.iter().find(|(property, _)| property.text == name).map(|(_, value)| match value {
        Literal::String(text) | Literal::Number(text) => text.as_str(),
        _ => "",
    })
}

fn sql_type(ty: &Type) -> SqlType {
    match ty {
        Type::Bigint => SqlType::Bigint,
        Type::Double => SqlType::Double,
        Type::Decimal { precision, scale } => SqlType::Decimal { precision: *precision, scale: *scale },
        _ => SqlType::String,
    }
}

impl Fake {
    fn new() -> Self {
        Fake { log: Arc::new(EmbeddedLog::in_memory()), sources: Vec::new(), copies: Vec::new() }
    }

    fn find(&self, name: &Ident) -> Result<(SourceSummary, TopicLayout)> {
        let found = self.sources.iter().find(|(source, _)| source.name == name.text).cloned();
        found.ok_or_else(|| Error::statement(format!("{} does not exist", name.text)))
    }

    fn create(&mut self, statement: Statement) -> Result<()> {
        let Statement::CreateSource { kind, name, columns, properties, is_source, .. } = statement else {
            return Ok(());
        };
        if property(&properties, "VALUE_FORMAT") == Some("AVRO") {
            return Err(Error::not_supported("format AVRO", "use JSON"));
        }
        let topic = property(&properties, "KAFKA_TOPIC").unwrap_or(&name.text).to_owned();
        let part = |format, is_key: bool| Layout {
            format,
            delimiter: ',',
            columns: columns
                .iter()
                .filter(|column| (column.role != ColumnRole::Value) == is_key)
                .map(|column| (column.name.text.clone(), sql_type(&column.ty)))
                .collect(),
            wrapped: !is_key,
        };
        let (key, value) = (part(Format::Kafka, true), part(Format::Json, false));
        let text = |columns: &[(String, SqlType)], mark: &'static str| {
            columns.iter().map(move |(name, ty)| format!("`{name}` {ty}{mark}")).collect::<Vec<_>>()
        };
        let schema = [text(&key.columns, " KEY"), text(&value.columns, "")].concat().join(", ");
        let window_type = property(&properties, "WINDOW_TYPE").map(str::to_owned);
        let window = match window_type.as_deref() {
            None => None,
            Some("SESSION") => Some(KeyWindow::Session),
            Some(_) => Some(KeyWindow::Time { size_ms: 10 }),
        };
        let summary = SourceSummary {
            name: name.text,
            kind,
            topic,
            key_format: "KAFKA".into(),
            value_format: "JSON".into(),
            key_features: vec!["UNWRAP_SINGLES".into()],
            value_features: vec![],
            window_type,
            is_source,
            schema,
        };
        self.sources.push((summary, TopicLayout { key, value, window }));
        Ok(())
    }

    fn create_copy(&mut self, kind: SourceKind, name: Ident, query: &Query) -> Result<()> {
        let (from, layout) = self.find(only_source(query)?)?;
        let partitions = self.log.partitions(&from.topic).unwrap_or(1);
        self.log.create_topic(&TopicSpec {
            name: name.text.clone(),
            partitions,
            replicas: None,
            configs: BTreeMap::new(),
        })?;
        self.copies.push((from.topic.clone(), name.text.clone(), BTreeMap::new()));
        let summary = SourceSummary { kind, topic: name.text.clone(), name: name.text, ..from };
        self.sources.push((summary, layout));
        Ok(())
    }

    fn select(&self, query: &Query) -> Result<RowStream> {
        let (source, layout) = self.find(only_source(query)?)?;
        let mut columns = layout.key.columns.clone();
        columns.extend(layout.value.columns.clone());
        let (sender, events) = event_channel(4, usize::MAX);
        let mut rows = Vec::new();
        for partition in 0..self.log.partitions(&source.topic).unwrap_or(0) {
            let place = TopicPartition { topic: source.topic.clone(), partition };
            for_each_fetch(&*self.log, &place, None, None, &mut |records| {
                for row in 0..records.len() {
                    let key = Value::String(String::from_utf8_lossy(records.key(row).unwrap_or(b"")).into());
                    let json =
                        Json::parse(std::str::from_utf8(records.value(row).unwrap_or(b"null")).unwrap()).unwrap();
                    if json == Json::string("poison") {
                        sender.send(RowEvent::Failed(Error::statement("the query fails"))).unwrap();
                    }
                    let field = |(name, _): &(String, SqlType)| match json.get(name) {
                        Some(Json::Number(text)) => Value::Bigint(text.parse().unwrap()),
                        Some(Json::String(text)) => Value::String(text.clone()),
                        _ => Value::Null,
                    };
                    let values = std::iter::once(key).chain(layout.value.columns.iter().map(field)).collect();
                    rows.push(Row { values, tombstone: json.is_null() });
                }
                Ok(())
            })?;
        }
        sender.send(RowEvent::Rows(rows)).unwrap();
        sender.send(RowEvent::End("Query Completed".into())).unwrap();
        let columns = columns.into_iter().map(|(name, ty)| ResultColumn::new(name, ty)).collect();
        Ok(RowStream { columns, query_id: None, events, on_drop: None })
    }
}

impl Subject for Fake {
    fn execute(&mut self, statement: &str) -> Result<Answer> {
        let ParsedStatement { statement, .. } = sql::parse(statement)?.remove(0);
        match statement {
            Statement::CreateSource { .. } => self.create(statement)?,
            Statement::CreateAs { kind, name, query, .. } => self.create_copy(kind, name, &query)?,
            Statement::Select(query) => return self.select(&query).map(|rows| Answer::from(Reply::Rows(rows))),
            Statement::InsertValues { target, columns, values } => {
                let (source, layout) = self.find(&target)?;
                let mut records = Records::default();
                let text = |i: usize| match &values[i].kind {
                    ExprKind::String(text) => Json::string(text),
                    ExprKind::Int(value) => Json::number(value),
                    _ => Json::Null,
                };
                let at = |name: &str| columns.iter().position(|column| column.text == name).map(text);
                let fields =
                    layout.value.columns.iter().map(|(name, _)| (name.clone(), at(name).unwrap_or(Json::Null)));
                let value = Json::Object(fields.collect()).to_string();
                let key = at(&layout.key.columns[0].0).map(|key| key.plain());
                let time = at("ROWTIME").and_then(|time| time.as_i64()).unwrap_or(0);
                records.push(key.as_deref().map(str::as_bytes), Some(value.as_bytes()), time);
                self.log.append(&TopicPartition { topic: source.topic, partition: 0 }, &records)?;
            }
            Statement::Terminate(_) => panic!("the fake panics"),
            Statement::Pause(_) => return Err(Error::internal("the fake has a defect")),
            _ => return Err(Error::not_supported("this statement", "it is a fake")),
        }
        Ok(Reply::Done(Status::default()).into())
    }

    fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }

    fn settle(&mut self) -> Result<()> {
        for (from, to, copied) in &mut self.copies {
            for partition in 0..self.log.partitions(from).unwrap_or(0) {
                let mut records = Records::default();
                let position = copied.entry(partition).or_default();
                self.log.fetch(&TopicPartition { topic: from.clone(), partition }, *position, 1 << 20, &mut records)?;
                *position = records.next_offset;
                if (0..records.len()).any(|row| records.value(row) == Some(b"\"poison\"")) {
                    return Err(Error::world("the query stopped"));
                }
                self.log.append(&TopicPartition { topic: to.clone(), partition }, &records)?;
            }
        }
        Ok(())
    }

    fn source(&self, name: &str) -> Option<SourceSummary> {
        self.find(&Ident::new(name)).ok().map(|(source, _)| source)
    }

    fn exchanges(&self) -> Vec<ExchangeLayout> {
        Vec::new()
    }

    fn layouts(&self, topic: &str) -> Option<TopicLayout> {
        self.sources.iter().find(|(source, _)| source.topic == topic).map(|(_, layout)| layout.clone())
    }
}

fn only_source(query: &Query) -> Result<&Ident> {
    query.from.first.name().ok_or_else(|| Error::statement("a query in FROM"))
}

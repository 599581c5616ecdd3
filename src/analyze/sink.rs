//! CREATE ... AS SELECT and INSERT INTO ... SELECT: the source that a query's rows go to.

use std::collections::BTreeMap;

use crate::analyze::builder::Target;
use crate::analyze::properties::{Place, With};
use crate::analyze::query::{Analyzed, analyze};
use crate::analyze::source::{key_layout, timestamp_column, value_layout, versions_retention_ms, wrapping};
use crate::catalog::{Catalog, Column, ColumnRole, Source, SourceKind, SourceWindow};
use crate::error::{Error, Result};
use crate::expr::Typed;
use crate::format::Format;
use crate::messages;
use crate::plan::{Plan, Project, Rekey, ResultKind, Step};
use crate::sql::ast;

/// A persistent query and where its rows go.
#[derive(Debug, Clone)]
pub struct Sink {
    pub analyzed: Analyzed,
    pub source: Source,
    pub with: With,
    pub role: Role,
}

/// What a query is to the stream or table that its rows go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// CREATE ... AS SELECT: it makes it.
    Maker,
    /// INSERT INTO ... SELECT: one of those that write to it.
    Feeder,
}

/// Analyzes CREATE STREAM | TABLE name WITH (...) AS query. The query id is set by the caller.
pub fn create_as(
    kind: SourceKind,
    name: &ast::Ident,
    properties: &ast::Properties,
    query: &ast::Query,
    statement: &str,
    catalog: &Catalog,
    settings: &BTreeMap<String, String>,
) -> Result<Sink> {
    let with = With::read(properties, Place::CreateAs)?;
    if query.limit.is_some() {
        return Err(messages::sinks::create_as_with_limit().at(name.at));
    }
    let analyzed = analyze(query, catalog, Target::Persistent, settings)?;
    let produces = match analyzed.plan.result {
        ResultKind::Stream => SourceKind::Stream,
        ResultKind::Table { .. } => SourceKind::Table,
    };
    if produces != kind {
        return Err(messages::sinks::result_of_other_kind(produces).at(name.at));
    }
    let columns = columns(&analyzed.plan);
    let from = analyzed.first();
    let key_format = key_format(&with, from, analyzed.keyless, settings)?;
    let value_format = with.value_format.unwrap_or(from.value.format);
    let inherited = |own: Option<char>, format: Format, from: &crate::format::Layout| {
        own.or((format == Format::Delimited && from.format == format).then_some(from.delimiter))
    };
    let key = key_layout(key_format, inherited(with.key_delimiter, key_format, &from.key), &columns)
        .map_err(|error| about_key_format(error, &columns, query))?;
    let delimiter = inherited(with.value_delimiter, value_format, &from.value);
    let wrap = wrapping(&with, value_format, &columns, settings);
    let value = value_layout(value_format, delimiter, wrap, &columns)?;
    let prefix = settings.get("ksql.output.topic.name.prefix").map_or("", String::as_str);
    let topic = with.topic.clone().unwrap_or_else(|| format!("{prefix}{}", name.text));
    // What replaces itself is judged where the old one is known.
    if !analyzed.reads(&name.text) && reads_topic(&analyzed, &topic) {
        return Err(messages::sinks::creates_what_it_reads(&name.text, &topic).at(name.at));
    }
    let source = Source {
        name: name.text.clone(),
        kind,
        topic,
        timestamp: timestamp_column(&with, &columns)?,
        versions_retention_ms: versions_retention_ms(&with, kind, sink_window(&analyzed))?,
        window: sink_window(&analyzed),
        columns,
        key,
        value,
        wrap_single_value: wrap,
        is_source: false,
        statement: statement.to_string(),
        query_id: None,
    };
    Ok(Sink { analyzed, source, with, role: Role::Maker })
}

/// Analyzes INSERT INTO target query.
pub fn insert_select(
    target: &ast::Ident,
    properties: &ast::Properties,
    query: &ast::Query,
    catalog: &Catalog,
    settings: &BTreeMap<String, String>,
) -> Result<Sink> {
    let with = With::read(properties, Place::Insert)?;
    if query.limit.is_some() {
        return Err(messages::sinks::insert_select_with_limit());
    }
    let sink = catalog.expect_source(&target.text).map_err(|error| error.at(target.at))?;
    if sink.is_source {
        return Err(messages::sinks::insert_into_read_only(&sink.name, sink.kind).at(target.at));
    }
    if let (SourceKind::Table, Some(maker)) = (sink.kind, &sink.query_id) {
        return Err(messages::sinks::insert_into_made_table(&sink.name, maker).at(target.at));
    }
    let mut analyzed = analyze(query, catalog, Target::Persistent, settings)?;
    if reads_topic(&analyzed, &sink.topic) {
        return Err(messages::sinks::inserts_into_what_it_reads(&sink.name).at(target.at));
    }
    check_result(sink, &analyzed)?;
    widen(&mut analyzed, sink)?;
    Ok(Sink { source: Source::clone(sink), analyzed, with, role: Role::Feeder })
}

/// Keys of several columns need a format that holds them.
fn about_key_format(error: Error, columns: &[Column], query: &ast::Query) -> Error {
    let several = columns.iter().filter(|column| column.role == ColumnRole::Key).count() > 1;
    match query.group_by.first().or(query.partition_by.first()) {
        Some(first) if several => messages::sinks::about_key_of_several(error).at(first.at),
        _ => error,
    }
}

/// Whether a query that writes to the topic would get its own rows: each would be written again, for ever.
fn reads_topic(analyzed: &Analyzed, topic: &str) -> bool {
    analyzed.sources.iter().any(|source| source.topic == topic)
}

/// A stream takes rows, a table the changes of a table whose keys have the same windows.
fn check_result(sink: &Source, analyzed: &Analyzed) -> Result<()> {
    match (sink.kind, analyzed.plan.result) {
        (SourceKind::Stream, ResultKind::Stream) => Ok(()),
        (SourceKind::Stream, ResultKind::Table { .. }) => Err(messages::sinks::insert_table_into_stream(&sink.name)),
        (SourceKind::Table, ResultKind::Stream) => Err(messages::sinks::insert_stream_into_table(&sink.name)),
        (SourceKind::Table, ResultKind::Table { windowed }) if windowed == sink.window => Ok(()),
        (SourceKind::Table, ResultKind::Table { .. }) => Err(messages::sinks::insert_of_other_windows(&sink.name)),
    }
}

/// Casts the query's columns to the target's where that is an implicit widening; else says how they differ.
fn widen(analyzed: &mut Analyzed, sink: &Source) -> Result<()> {
    let given = &analyzed.plan.schema;
    let wanted: Vec<&Column> =
        sink.columns.iter().filter(|column| matches!(column.role, ColumnRole::Key | ColumnRole::Value)).collect();
    let mismatch = || {
        let given = given.columns.iter().map(|column| (column.name.as_str(), &column.ty));
        messages::sinks::schema_mismatch(given, &sink.schema_text())
    };
    let same_names = given.columns.len() == wanted.len()
        && given.keys == sink.key_columns().count()
        && given.columns.iter().zip(&wanted).all(|(given, wanted)| given.name == wanted.name);
    if !same_names {
        return Err(mismatch());
    }
    let keys = given.keys;
    if given.columns[..keys].iter().zip(&wanted).any(|(given, wanted)| given.ty != wanted.ty) {
        return Err(mismatch());
    }
    let mut values = Vec::new();
    for (index, wanted) in wanted.iter().enumerate().skip(keys) {
        let column = Typed::column(index, given.columns[index].ty.clone());
        values.push(column.coerce(&wanted.ty).map_err(|_| mismatch())?);
    }
    if given.columns.iter().zip(&wanted).all(|(given, wanted)| given.ty == wanted.ty) {
        return Ok(());
    }
    let project = Project {
        keys: (0..keys).map(|index| Typed::column(index, given.columns[index].ty.clone())).collect(),
        values,
        names: wanted.iter().map(|column| column.name.clone()).collect(),
        rekey: Rekey::Keep,
    };
    for (column, wanted) in analyzed.plan.schema.columns.iter_mut().zip(&wanted) {
        column.ty = wanted.ty.clone();
    }
    if let Some(stage) = analyzed.plan.stages.last_mut() {
        stage.steps.push(Step::Project(project));
    }
    Ok(())
}

fn columns(plan: &Plan) -> Vec<Column> {
    plan.schema
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| Column {
            name: column.name.clone(),
            ty: column.ty.clone(),
            role: if index < plan.schema.keys { ColumnRole::Key } else { ColumnRole::Value },
        })
        .collect()
}

fn key_format(with: &With, from: &Source, keyless: bool, settings: &BTreeMap<String, String>) -> Result<Format> {
    if keyless {
        return match with.key_format {
            None | Some(Format::None) => Ok(Format::None),
            Some(format) => Err(messages::sinks::key_format_without_key(format.name())),
        };
    }
    if let Some(format) = with.key_format {
        return Ok(format);
    }
    if from.key.format != Format::None {
        return Ok(from.key.format);
    }
    match settings.get("ksql.persistence.default.format.key") {
        Some(name) => Format::from_name(name),
        None => Ok(Format::Kafka),
    }
}

fn sink_window(analyzed: &Analyzed) -> Option<SourceWindow> {
    match analyzed.plan.result {
        ResultKind::Table { windowed } => windowed,
        ResultKind::Stream => analyzed.window,
    }
}

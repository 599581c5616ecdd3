//! ASSERT of SQL test files: the next record of a topic, and what a source looks like.

use super::codec::{PartFormat, field_value, split_delimited};
use super::compare::compare;
use super::drive::{Collector, Drive};
use super::json::Json;
use super::record::{LogRecord, split_window};
use super::schema::same_schema;
use super::subject::{SourceSummary, TopicLayout};
use super::verdict::Miss;
use crate::format::Layout;
use crate::sql::ast::{ColumnDef, ColumnRole, Expr, ExprKind, Ident, Literal, Properties, SourceKind, UnaryOp};
use crate::sql::format;
use crate::types::SqlType;

/// A record as a row: name, type and value of each column.
struct Row {
    keys: Vec<(String, SqlType, Json)>,
    /// None: a tombstone.
    values: Option<Vec<(String, SqlType, Json)>>,
    pseudo: Vec<(String, SqlType, Json)>,
}

/// ASSERT VALUES: the next unread record of the source's topic has these values in these columns.
pub fn values(
    drive: &Drive<'_>,
    unread: &mut Collector,
    source: &Ident,
    columns: &[Ident],
    values: &[Expr],
) -> Result<(), Miss> {
    let (source, layout) = find_source(drive, source)?;
    let names = names_or(columns, || all_columns(&layout));
    let expected = stated(&names, values)?;
    let judge = |row: &Row| match &row.values {
        None => Err("it is a tombstone".to_owned()),
        Some(values) => compare_columns(&expected, &[&row.keys, values, &row.pseudo]),
    };
    check_next(unread, &source, &layout, &expected, judge)
}

/// ASSERT NULL VALUES: the next unread record of the source's topic is a tombstone with this key.
pub fn null_values(
    drive: &Drive<'_>,
    unread: &mut Collector,
    source: &Ident,
    columns: &[Ident],
    key: &[Expr],
) -> Result<(), Miss> {
    let (source, layout) = find_source(drive, source)?;
    let names = names_or(columns, || layout.key.columns.iter().map(|(name, _)| name.clone()).collect());
    let expected = stated(&names, key)?;
    let judge = |row: &Row| match &row.values {
        Some(_) => Err("it is no tombstone".to_owned()),
        None => compare_columns(&expected, &[&row.keys, &row.pseudo]),
    };
    check_next(unread, &source, &layout, &expected, judge)
}

fn find_source(drive: &Drive<'_>, name: &Ident) -> Result<(SourceSummary, TopicLayout), Miss> {
    let source = drive.subject.source(&name.text).ok_or_else(|| Miss::fail(format!("{} does not exist", name.text)))?;
    let layout = drive.subject.layouts(&source.topic);
    let layout = layout.ok_or_else(|| Miss::error(format!("the formats of topic {} are not known", source.topic)))?;
    Ok((source, layout))
}

fn names_or(columns: &[Ident], all: impl FnOnce() -> Vec<String>) -> Vec<String> {
    if columns.is_empty() { all() } else { columns.iter().map(|column| column.text.clone()).collect() }
}

fn all_columns(layout: &TopicLayout) -> Vec<String> {
    layout.key.columns.iter().chain(&layout.value.columns).map(|(name, _)| name.clone()).collect()
}

type Stated = Vec<(String, Json)>;

fn stated(names: &[String], values: &[Expr]) -> Result<Stated, Miss> {
    if names.len() != values.len() {
        return Err(Miss::fail(format!("{} values for {} columns", values.len(), names.len())));
    }
    names.iter().zip(values).map(|(name, value)| Ok((name.clone(), literal(value)?))).collect()
}

/// Takes the next record and judges it.
fn check_next(
    unread: &mut Collector,
    source: &SourceSummary,
    layout: &TopicLayout,
    expected: &Stated,
    judge: impl Fn(&Row) -> Result<(), String>,
) -> Result<(), Miss> {
    let fits = |record: &LogRecord| read_row(record, layout).is_ok_and(|row| judge(&row).is_ok());
    let expected = || expected.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    let Some(record) = unread.next(&source.topic, fits) else {
        return Err(Miss::fail(format!("{} has no more records\n  expected: {}", source.name, expected())));
    };
    let place =
        format!("the next record of {} (partition {}, offset {})", source.name, record.partition, record.offset);
    let row = read_row(&record, layout)
        .map_err(|error| Miss::fail(format!("{place} can't be read: {error}\n  expected: {}", expected())))?;
    judge(&row).map_err(|mark| {
        Miss::fail(format!("{place} differs\n  > {mark}\n  expected: {}\n  actual:   {}", expected(), row.line()))
    })
}

impl Row {
    fn line(&self) -> String {
        let values = self.values.iter().flatten();
        let all = self.keys.iter().chain(values).chain(&self.pseudo);
        let mut words: Vec<_> = all.map(|(name, _, value)| format!("{name}={value}")).collect();
        if self.values.is_none() {
            words.push("(tombstone)".to_owned());
        }
        words.join(" ")
    }
}

fn compare_columns(expected: &Stated, columns: &[&Vec<(String, SqlType, Json)>]) -> Result<(), String> {
    for (name, expected) in expected {
        let column = columns.iter().flat_map(|columns| columns.iter()).find(|(column, ..)| column == name);
        let (_, ty, actual) = column.ok_or_else(|| format!("there is no column {name}"))?;
        compare(name, &coerce(expected, ty), actual, Some(ty)).map_err(|difference| difference.to_string())?;
    }
    Ok(())
}

/// A literal as INSERT VALUES would store it: numbers become text where a STRING is wanted, and the other way round.
fn coerce(expected: &Json, ty: &SqlType) -> Json {
    match (expected, ty) {
        (Json::Number(_) | Json::Bool(_), SqlType::String) => Json::String(expected.plain()),
        (Json::String(text), SqlType::Int | SqlType::Bigint | SqlType::Double) if text.parse::<f64>().is_ok() => {
            Json::number(text)
        }
        _ => expected.clone(),
    }
}

fn read_row(record: &LogRecord, layout: &TopicLayout) -> Result<Row, String> {
    let (key, window) = match &record.key {
        None => (None, None),
        Some(key) => split_window(key, layout.window).map(|(key, window)| (Some(key), window))?,
    };
    let bigint = |name: &str, value: i64| (name.to_owned(), SqlType::Bigint, Json::number(value));
    let mut pseudo = vec![
        bigint("ROWTIME", record.timestamp),
        ("ROWPARTITION".to_owned(), SqlType::Int, Json::number(record.partition)),
        bigint("ROWOFFSET", record.offset),
    ];
    if let Some(window) = window {
        pseudo.extend([bigint("WINDOWSTART", window.start), bigint("WINDOWEND", window.end)]);
    }
    let values = match &record.value {
        None => None,
        Some(value) => Some(read_columns(Some(value), &layout.value)?),
    };
    Ok(Row { keys: read_columns(key, &layout.key)?, values, pseudo })
}

/// The columns of a key or value; all null when there are no bytes.
fn read_columns(bytes: Option<&[u8]>, layout: &Layout) -> Result<Vec<(String, SqlType, Json)>, String> {
    let decoded = PartFormat::of_layout(layout).decode(bytes)?;
    let fields = match (&decoded, layout.format) {
        (Json::Null, _) => vec![Json::Null; layout.columns.len()],
        (Json::String(text), crate::format::Format::Delimited) => {
            let fields = split_delimited(text, layout.delimiter).ok_or_else(|| format!("no DELIMITED text: {text}"))?;
            fields.iter().zip(&layout.columns).map(|(field, (_, ty))| field_value(field, ty)).collect()
        }
        (Json::Object(fields), crate::format::Format::Json) if layout.wrapped || layout.columns.len() > 1 => {
            let find = |name: &String| {
                let named = |field: &&(String, Json)| field.0 == *name || field.0.to_uppercase() == *name;
                fields.iter().rev().find(named).map_or(Json::Null, |(_, value)| value.clone())
            };
            layout.columns.iter().map(|(name, _)| find(name)).collect()
        }
        _ => vec![decoded],
    };
    match fields.len() == layout.columns.len() {
        true => {
            Ok(layout.columns.iter().zip(fields).map(|((name, ty), value)| (name.clone(), ty.clone(), value)).collect())
        }
        false => Err(format!("{} fields for {} columns", fields.len(), layout.columns.len())),
    }
}

/// A literal's value. What would have to be computed is refused.
fn literal(expr: &Expr) -> Result<Json, Miss> {
    let all = |exprs: &[Expr]| exprs.iter().map(literal).collect::<Result<Vec<_>, _>>();
    Ok(match &expr.kind {
        ExprKind::Null => Json::Null,
        ExprKind::Boolean(value) => Json::Bool(*value),
        ExprKind::Int(value) => Json::number(value),
        ExprKind::Bigint(value) => Json::number(value),
        ExprKind::Decimal(text) => Json::number(text),
        ExprKind::Double(value) => Json::Number(format!("{value:?}")),
        ExprKind::String(text) => Json::string(text),
        ExprKind::Array(items) => Json::Array(all(items)?),
        ExprKind::Map(entries) => {
            let entry = |(key, value): &(Expr, Expr)| Ok((literal(key)?.plain(), literal(value)?));
            Json::Object(entries.iter().map(entry).collect::<Result<_, Miss>>()?)
        }
        ExprKind::Struct(fields) => {
            let field = |(name, value): &(Ident, Expr)| Ok((name.text.clone(), literal(value)?));
            Json::Object(fields.iter().map(field).collect::<Result<_, Miss>>()?)
        }
        ExprKind::Cast { operand, .. } => literal(operand)?,
        ExprKind::Unary { op: UnaryOp::Plus, operand } => literal(operand)?,
        ExprKind::Unary { op: UnaryOp::Minus, operand } => match literal(operand)? {
            Json::Number(text) => Json::Number(text.strip_prefix('-').map_or(format!("-{text}"), str::to_owned)),
            other => return Err(Miss::error(format!("-{other} is no number"))),
        },
        _ => return Err(Miss::error("values of an ASSERT are literals; expressions are not supported")),
    })
}

/// ASSERT STREAM or TABLE: the source has this kind, and where stated these columns and properties.
pub fn source(
    drive: &Drive<'_>,
    kind: SourceKind,
    name: &Ident,
    columns: &[ColumnDef],
    properties: &Properties,
) -> Result<(), Miss> {
    let Some(actual) = drive.subject.source(&name.text) else {
        return Err(Miss::fail(format!("{} does not exist", name.text)));
    };
    if kind != actual.kind {
        return Err(differs("the kind", &name.text, format!("{kind:?}"), format!("{:?}", actual.kind)));
    }
    let schema = columns.iter().map(column_text).collect::<Vec<_>>().join(", ");
    if !columns.is_empty() && !same_schema(&schema, &actual.schema) {
        return Err(differs("the schema", &name.text, schema, actual.schema));
    }
    properties.iter().try_for_each(|(property, value)| check_property(&actual, &property.text, &literal_text(value)))
}

fn differs(what: &str, name: &str, expected: String, actual: String) -> Miss {
    Miss::fail(format!("{what} of {name} differs\n  expected: {expected}\n  actual:   {actual}"))
}

fn check_property(source: &SourceSummary, property: &str, expected: &str) -> Result<(), Miss> {
    let actuals = match property {
        "KAFKA_TOPIC" if source.topic == expected => return Ok(()),
        "KAFKA_TOPIC" => vec![&source.topic],
        "KEY_FORMAT" => vec![&source.key_format],
        "VALUE_FORMAT" => vec![&source.value_format],
        "FORMAT" => vec![&source.key_format, &source.value_format],
        "WINDOW_TYPE" => source.window_type.iter().collect(),
        other => return Err(Miss::error(format!("{other} in an ASSERT is not supported"))),
    };
    let none = "none".to_owned();
    let actuals = if actuals.is_empty() { vec![&none] } else { actuals };
    match actuals.iter().find(|actual| property == "KAFKA_TOPIC" || !actual.eq_ignore_ascii_case(expected)) {
        Some(actual) => Err(differs(property, &source.name, expected.to_owned(), (*actual).clone())),
        None => Ok(()),
    }
}

fn literal_text(literal: &Literal) -> String {
    match literal {
        Literal::Null => "NULL".to_owned(),
        Literal::Boolean(value) => value.to_string(),
        Literal::Number(text) | Literal::String(text) => text.clone(),
    }
}

fn column_text(column: &ColumnDef) -> String {
    let role = match &column.role {
        ColumnRole::Value => String::new(),
        ColumnRole::Key | ColumnRole::PrimaryKey => " KEY".to_owned(),
        ColumnRole::Headers => " HEADERS".to_owned(),
        ColumnRole::Header(name) => format!(" HEADER('{name}')"),
    };
    format!("`{}` {}{role}", column.name.text, format::ty(&column.ty))
}

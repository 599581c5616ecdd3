//! CREATE STREAM | TABLE over a topic: from what was written to a [`Source`].

use std::collections::BTreeMap;

use crate::analyze::properties::{Place, WindowType, With};
use crate::catalog::{Catalog, Column, ColumnRole, Source, SourceKind, SourceWindow, TimestampColumn};
use crate::error::Result;
use crate::expr;
use crate::format::{self, Format, Layout, Part};
use crate::messages;
use crate::sql::ast;
use crate::types::SqlType;

/// Columns that every source has without declaring them.
pub const PSEUDO_COLUMNS: &[&str] = &["ROWTIME", "ROWPARTITION", "ROWOFFSET"];
/// Columns that windowed sources have besides.
pub const WINDOW_COLUMNS: &[&str] = &["WINDOWSTART", "WINDOWEND"];

/// How long the versions of a table's rows are kept. Errors: what is made has none.
pub(super) fn versions_retention_ms(
    with: &With,
    kind: SourceKind,
    window: Option<SourceWindow>,
) -> Result<Option<i64>> {
    if with.versions_retention_ms.is_some() && (kind == SourceKind::Stream || window.is_some()) {
        return Err(messages::sources::no_versions(window.is_some()));
    }
    Ok(with.versions_retention_ms)
}

/// A CREATE STREAM | TABLE, checked.
pub struct CreateSource<'a> {
    pub kind: SourceKind,
    pub is_source: bool,
    pub name: &'a ast::Ident,
    pub columns: &'a [ast::ColumnDef],
    pub properties: &'a ast::Properties,
    pub statement: &'a str,
}

impl CreateSource<'_> {
    /// The source it makes, and its WITH clause. `settings` are the session's properties.
    pub fn analyze(&self, catalog: &Catalog, settings: &BTreeMap<String, String>) -> Result<(Source, With)> {
        let with = With::read(self.properties, Place::Create)?;
        let topic = with.topic.clone().ok_or_else(messages::sources::no_topic)?;
        let columns = self.columns(catalog)?;
        let (key_format, value_format) = formats(&with, settings, &columns)?;
        if columns.is_empty() {
            return Err(messages::sources::no_columns());
        }
        let key = key_layout(key_format, with.key_delimiter, &columns)?;
        let wrap = wrapping(&with, value_format, &columns, settings);
        let value = value_layout(value_format, with.value_delimiter, wrap, &columns)?;
        let window = window(&with)?;
        if window.is_some() && key.columns.is_empty() {
            return Err(messages::sources::windowed_without_key());
        }
        let source = Source {
            name: self.name.text.clone(),
            kind: self.kind,
            topic,
            timestamp: timestamp_column(&with, &columns)?,
            versions_retention_ms: versions_retention_ms(&with, self.kind, window)?,
            window,
            columns,
            key,
            value,
            wrap_single_value: wrap,
            is_source: self.is_source,
            statement: self.statement.to_string(),
            query_id: None,
        };
        Ok((source, with))
    }

    fn columns(&self, catalog: &Catalog) -> Result<Vec<Column>> {
        let mut columns: Vec<Column> = Vec::with_capacity(self.columns.len());
        for definition in self.columns {
            let name = &definition.name;
            if is_pseudo_column(&name.text) {
                return Err(messages::sources::reserved_column(&name.text).at(name.at));
            }
            if columns.iter().any(|column| column.name == name.text) {
                return Err(messages::sources::duplicate_column(&name.text).at(name.at));
            }
            let ty = expr::to_sql_type(&definition.ty, &|name| catalog.custom_type(name).cloned())
                .map_err(|error| error.at(name.at))?;
            let role = self.role(definition, &ty)?;
            check_headers(&columns, &role).map_err(|error| error.at(name.at))?;
            columns.push(Column { name: name.text.clone(), role, ty });
        }
        if self.kind == SourceKind::Table && !columns.iter().any(|column| column.role == ColumnRole::Key) {
            return Err(messages::sources::no_primary_key());
        }
        // Keys first, whatever the order they were written in; headers stay among the values.
        let (keys, mut rest): (Vec<_>, Vec<_>) = columns.into_iter().partition(|column| column.role == ColumnRole::Key);
        let mut columns = keys;
        columns.append(&mut rest);
        Ok(columns)
    }

    fn role(&self, definition: &ast::ColumnDef, ty: &SqlType) -> Result<ColumnRole> {
        let name = &definition.name;
        match (&definition.role, self.kind) {
            (ast::ColumnRole::Value, _) => Ok(ColumnRole::Value),
            (ast::ColumnRole::Key, SourceKind::Stream) | (ast::ColumnRole::PrimaryKey, SourceKind::Table) => {
                Ok(ColumnRole::Key)
            }
            (ast::ColumnRole::Key, SourceKind::Table) => {
                Err(messages::sources::key_of_other_kind(&name.text, self.kind).at(name.at))
            }
            (ast::ColumnRole::PrimaryKey, SourceKind::Stream) => {
                Err(messages::sources::key_of_other_kind(&name.text, self.kind).at(name.at))
            }
            (ast::ColumnRole::Headers, _) => {
                if *ty == headers_type() {
                    Ok(ColumnRole::Headers)
                } else {
                    Err(messages::sources::type_of_headers(ty).at(name.at))
                }
            }
            (ast::ColumnRole::Header(header), _) => {
                if *ty == SqlType::Bytes {
                    Ok(ColumnRole::Header(header.clone()))
                } else {
                    Err(messages::sources::type_of_header(header, ty).at(name.at))
                }
            }
        }
    }
}

/// A source has all headers in one column, or some of them, each in one of its own.
fn check_headers(before: &[Column], role: &ColumnRole) -> Result<()> {
    let Some(there) = before.iter().find(|column| match (&column.role, role) {
        (ColumnRole::Headers, ColumnRole::Headers | ColumnRole::Header(_)) => true,
        (ColumnRole::Header(_), ColumnRole::Headers) => true,
        (ColumnRole::Header(one), ColumnRole::Header(other)) => one == other,
        _ => false,
    }) else {
        return Ok(());
    };
    let header = |role: &ColumnRole| match role {
        ColumnRole::Header(key) => Some(key.clone()),
        _ => None,
    };
    Err(messages::sources::headers_twice(&there.name, header(&there.role).as_deref(), header(role).as_deref()))
}

/// The type of a HEADERS column.
pub fn headers_type() -> SqlType {
    SqlType::Array(Box::new(SqlType::Struct(vec![
        ("KEY".to_string(), SqlType::String),
        ("VALUE".to_string(), SqlType::Bytes),
    ])))
}

pub fn is_pseudo_column(name: &str) -> bool {
    PSEUDO_COLUMNS.contains(&name) || WINDOW_COLUMNS.contains(&name)
}

fn formats(with: &With, settings: &BTreeMap<String, String>, columns: &[Column]) -> Result<(Format, Format)> {
    let has_key = columns.iter().any(|column| column.role == ColumnRole::Key);
    let default_key = match settings.get("ksql.persistence.default.format.key") {
        Some(name) => Format::from_name(name)?,
        None => Format::Kafka,
    };
    let key = with.key_format.unwrap_or(if has_key { default_key } else { Format::None });
    let value = match (with.value_format, settings.get("ksql.persistence.default.format.value")) {
        (Some(format), _) => format,
        (None, Some(name)) => Format::from_name(name)?,
        (None, None) => {
            return Err(messages::properties::no_value_format());
        }
    };
    Ok((key, value))
}

/// Whether a single value column is wrapped: by WITH, else by the setting where the format leaves a choice.
pub fn wrapping(with: &With, format: Format, columns: &[Column], settings: &BTreeMap<String, String>) -> Option<bool> {
    let single = columns.iter().filter(|column| column.role == ColumnRole::Value).count() == 1;
    let default = settings.get("ksql.persistence.wrap.single.values").filter(|text| !text.is_empty());
    let default = default.filter(|_| single && format == Format::Json).map(|text| text == "true");
    with.wrap_single_value.or(default)
}

/// The layout of keys: one column bare, several wrapped.
pub fn key_layout(format: Format, delimiter: Option<char>, columns: &[Column]) -> Result<Layout> {
    let columns: Vec<(String, SqlType)> = columns
        .iter()
        .filter(|column| column.role == ColumnRole::Key)
        .map(|column| (column.name.clone(), column.ty.clone()))
        .collect();
    if let Some((name, ty)) = columns.iter().find(|(_, ty)| contains_map(ty)) {
        return Err(messages::keys::map_in_key(Some(name), ty));
    }
    let layout = Layout { format, delimiter: delimiter.unwrap_or(','), wrapped: columns.len() > 1, columns };
    check_delimiter(format, delimiter, "KEY")?;
    if !layout.columns.is_empty() {
        format::check(&layout, Part::Key)?;
    }
    Ok(layout)
}

/// The layout of values. `wrap` is what WITH or a setting says of a single column.
pub fn value_layout(format: Format, delimiter: Option<char>, wrap: Option<bool>, columns: &[Column]) -> Result<Layout> {
    let columns: Vec<(String, SqlType)> = columns
        .iter()
        .filter(|column| column.role == ColumnRole::Value)
        .map(|column| (column.name.clone(), column.ty.clone()))
        .collect();
    if let Some(wrap) = wrap {
        if columns.len() != 1 {
            return Err(messages::properties::wraps_several_columns());
        }
        if matches!(format, Format::Kafka | Format::Delimited | Format::None) && wrap {
            return Err(messages::properties::format_never_wraps(format.name()));
        }
    }
    let wrapped = match format {
        Format::Json => wrap.unwrap_or(true) || columns.len() > 1,
        Format::Kafka | Format::Delimited | Format::None => columns.len() > 1,
    };
    check_delimiter(format, delimiter, "VALUE")?;
    let layout = Layout { format, delimiter: delimiter.unwrap_or(','), columns, wrapped };
    format::check(&layout, Part::Value)?;
    Ok(layout)
}

fn check_delimiter(format: Format, delimiter: Option<char>, part: &str) -> Result<()> {
    match delimiter {
        Some(_) if format != Format::Delimited => Err(messages::properties::delimiter_without_delimited(part)),
        _ => Ok(()),
    }
}

pub(super) fn contains_map(ty: &SqlType) -> bool {
    match ty {
        SqlType::Map(_) => true,
        SqlType::Array(item) => contains_map(item),
        SqlType::Struct(fields) => fields.iter().any(|(_, ty)| contains_map(ty)),
        _ => false,
    }
}

/// The column that supplies ROWTIME, checked.
pub fn timestamp_column(with: &With, columns: &[Column]) -> Result<Option<TimestampColumn>> {
    row_time_column(with, columns).map_err(|error| error.at(with.at("TIMESTAMP")))
}

fn row_time_column(with: &With, columns: &[Column]) -> Result<Option<TimestampColumn>> {
    let Some(name) = &with.timestamp else {
        return match &with.timestamp_format {
            Some(_) => Err(messages::sources::timestamp_format_alone()),
            None => Ok(None),
        };
    };
    let column = columns
        .iter()
        .find(|column| column.name == *name && matches!(column.role, ColumnRole::Key | ColumnRole::Value))
        .ok_or_else(|| {
            messages::sources::unknown_timestamp_column(name, columns.iter().map(|column| column.name.as_str()))
        })?;
    match (&column.ty, &with.timestamp_format) {
        (SqlType::String, Some(pattern)) => {
            expr::functions::dates::Pattern::new(pattern)
                .and_then(|pattern| pattern.check_reads())
                .map_err(|error| messages::sources::timestamp_format(pattern, &error))?;
        }
        (SqlType::Bigint | SqlType::Timestamp, None) => {}
        (SqlType::String, None) => {
            return Err(messages::sources::timestamp_without_format(name));
        }
        (ty, _) => {
            return Err(messages::sources::type_of_timestamp(name, ty));
        }
    }
    Ok(Some(TimestampColumn { name: name.clone(), format: with.timestamp_format.clone() }))
}

fn window(with: &With) -> Result<Option<SourceWindow>> {
    match (with.window_type, with.window_size_ms) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(messages::properties::window_size_without_type()),
        (Some(WindowType::Session), None) => Ok(Some(SourceWindow::Session)),
        (Some(WindowType::Session), Some(_)) => Err(messages::properties::window_size_of_sessions()),
        (Some(_), None) => Err(messages::properties::no_window_size()),
        (Some(kind), Some(size_ms)) => Ok(Some(SourceWindow::Time { size_ms, hopping: kind == WindowType::Hopping })),
    }
}

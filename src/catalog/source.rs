//! A stream or a table: a name, columns, and the topic behind it.

use crate::format::Layout;
use crate::types::SqlType;

pub use crate::sql::ast::SourceKind;

/// A stream or table over a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub name: String,
    /// A stream or a table.
    pub kind: SourceKind,
    /// Where its records lie.
    pub topic: String,
    /// Key columns first, in their order, then value columns (headers among them) in theirs.
    pub columns: Vec<Column>,
    /// How keys are read and written, and their columns.
    pub key: Layout,
    /// How values are read and written, and their columns.
    pub value: Layout,
    /// Whether WITH named the wrapping of a single value column (`WRAP_SINGLE_VALUE`), and how.
    pub wrap_single_value: Option<bool>,
    /// Where ROWTIME comes from; None: from the record's timestamp.
    pub timestamp: Option<TimestampColumn>,
    /// Of a table: how long stream-table joins keep the versions of its rows, in its stream time; at least 1. None: they
    /// keep the newest row.
    pub versions_retention_ms: Option<i64>,
    /// The keys on the topic carry a window.
    pub window: Option<SourceWindow>,
    /// CREATE SOURCE ...: read-only.
    pub is_source: bool,
    /// The statement that made it.
    pub statement: String,
    /// Made by a query (CREATE ... AS SELECT): its id.
    pub query_id: Option<String>,
}

/// A column as it was declared, or as a query made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub ty: SqlType,
    /// Whether it is of the key, of the value, or of the headers.
    pub role: ColumnRole,
}

/// What a column is of a record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ColumnRole {
    Key,
    Value,
    /// All headers of the record: ARRAY<STRUCT<KEY STRING, VALUE BYTES>>.
    Headers,
    /// The last header of that name: BYTES.
    Header(String),
}

/// The column that rows have their time of.
#[derive(Debug, Clone, PartialEq)]
pub struct TimestampColumn {
    pub name: String,
    /// Pattern of a STRING column.
    pub format: Option<String>,
}

/// How the window is kept in a windowed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SourceWindow {
    /// The start stands behind the key; the end is `size_ms` later. `hopping` only tells what was declared.
    Time {
        /// From a window's start to its end, which is exclusive.
        size_ms: i64,
        /// Declared HOPPING, not TUMBLING.
        hopping: bool,
    },
    /// End and start stand behind the key.
    Session,
}

impl Source {
    /// In the order of the key.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.role == ColumnRole::Key)
    }

    /// Columns kept in the record's value: no keys, no headers.
    pub fn value_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.role == ColumnRole::Value)
    }

    /// `ID INTEGER KEY, V STRING` in the short names of types, as DESCRIBE has it.
    pub fn schema_text(&self) -> String {
        let primary = if self.kind == SourceKind::Table { " PRIMARY KEY" } else { " KEY" };
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let role = match &column.role {
                    ColumnRole::Key => primary.to_string(),
                    ColumnRole::Value => String::new(),
                    ColumnRole::Headers => " HEADERS".to_string(),
                    ColumnRole::Header(name) => format!(" HEADER('{name}')"),
                };
                format!("`{}` {}{role}", column.name, column.ty)
            })
            .collect();
        columns.join(", ")
    }
}

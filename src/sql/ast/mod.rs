//! The syntax tree of Millpond's dialect of SQL (ksqlDB's language and its extensions).
//!
//! It says what was written, not what it means: names are unresolved, types may be aliases.
//! Identifiers are already folded: unquoted ones are upper case, quoted ones as written.

mod children;
mod expression;
mod query;
mod statement;

pub use expression::{BinaryOp, Expr, ExprKind, UnaryOp};
pub use query::{
    CommonTable, Emit, FromItem, FromRows, Join, JoinKind, Query, Relation, SelectItem, SortKey, Window, WindowKind,
    Within,
};
pub use statement::{
    ColumnDef, ColumnRole, Elsewhere, Explained, IfExists, Literal, ParsedStatement, Properties, Show, SourceKind,
    Statement,
};

/// Where something stands in the statement's text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Location {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// An identifier after folding. `quoted` tells whether it was written in back-ticks or double quotes;
/// it doesn't take part in equality.
#[derive(Debug, Clone, Eq)]
pub struct Ident {
    /// In capitals unless it was quoted.
    pub text: String,
    /// By back-ticks or double quotes.
    pub quoted: bool,
    pub at: Location,
}

impl Ident {
    /// An identifier that was not read from a text.
    pub fn new(text: impl Into<String>) -> Self {
        Ident { text: text.into(), quoted: false, at: Location::default() }
    }
}

impl PartialEq for Ident {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::hash::Hash for Ident {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// A type as written. `Custom` is an alias made by CREATE TYPE.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Boolean,
    Int,
    Bigint,
    Double,
    Decimal { precision: u32, scale: u32 },
    String,
    Bytes,
    Time,
    Date,
    Timestamp,
    Array(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Struct(Vec<(Ident, Type)>),
    Custom(Ident),
}

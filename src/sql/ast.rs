//! The syntax tree of Millpond's dialect of SQL (ksqlDB's language and its extensions).
//!
//! It says what was written, not what it means: names are unresolved, types may be aliases.
//! Identifiers are already folded: unquoted ones are upper case, quoted ones as written.

use std::time::Duration;

/// Where something stands in the statement's text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Location {
    pub line: u32,
    pub column: u32,
}

/// An identifier after folding. `quoted` tells whether it was written in back-ticks or double quotes;
/// it doesn't take part in equality.
#[derive(Debug, Clone, Eq)]
pub struct Ident {
    pub text: String,
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

/// An expression and where it begins. Equality ignores the place.
#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: ExprKind,
    pub at: Location,
}

impl Expr {
    pub fn new(kind: ExprKind, at: Location) -> Self {
        Expr { kind, at }
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Null,
    Boolean(bool),
    /// A whole number that fits 32 bits.
    Int(i32),
    /// A whole number that fits 64 bits but not 32.
    Bigint(i64),
    /// `1.5`: the text as written; precision and scale follow from it.
    Decimal(String),
    /// `1e3`
    Double(f64),
    String(String),
    Column {
        source: Option<Ident>,
        name: Ident,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    Between {
        operand: Box<Expr>,
        negated: bool,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    InList {
        operand: Box<Expr>,
        negated: bool,
        list: Vec<Expr>,
    },
    Like {
        operand: Box<Expr>,
        negated: bool,
        pattern: Box<Expr>,
        escape: Option<char>,
    },
    /// `operand` is there in the simple form, `CASE x WHEN 1 THEN ...`.
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        operand: Box<Expr>,
        ty: Type,
    },
    /// `base[index]`
    Subscript {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// `base->field`
    Field {
        base: Box<Expr>,
        field: Ident,
    },
    Array(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Struct(Vec<(Ident, Expr)>),
    /// `name(args)`. `COUNT(*)` and `COUNT()` both have no args.
    Call {
        name: Ident,
        args: Vec<Expr>,
    },
    Lambda {
        params: Vec<Ident>,
        body: Box<Expr>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    Minus,
    Plus,
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    IsDistinct,
    IsNotDistinct,
    /// `||`
    Concat,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    Stream,
    Table,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    pub name: Ident,
    pub ty: Type,
    pub role: ColumnRole,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ColumnRole {
    Value,
    Key,
    PrimaryKey,
    /// `HEADERS`
    Headers,
    /// `HEADER('name')`
    Header(String),
}

/// `WITH (NAME = literal, ...)`, names in upper case.
pub type Properties = Vec<(Ident, Literal)>;

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// Any number, as written.
    Number(String),
    String(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub items: Vec<SelectItem>,
    pub from: Relation,
    pub window: Option<Window>,
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub partition_by: Vec<Expr>,
    pub having: Option<Expr>,
    pub emit: Option<Emit>,
    pub limit: Option<u64>,
}

/// One item of a SELECT list. Equality ignores the place.
#[derive(Debug, Clone)]
pub enum SelectItem {
    /// `*` or `source.*`
    Star {
        source: Option<Ident>,
        at: Location,
    },
    /// `expression->*`
    StructStar(Expr),
    Expr {
        expr: Expr,
        alias: Option<Ident>,
    },
}

impl PartialEq for SelectItem {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (SelectItem::Star { source: left, .. }, SelectItem::Star { source: right, .. }) => left == right,
            (SelectItem::StructStar(left), SelectItem::StructStar(right)) => left == right,
            (SelectItem::Expr { expr: left, alias: l }, SelectItem::Expr { expr: right, alias: r }) => {
                left == right && l == r
            }
            _ => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub first: NamedSource,
    pub joins: Vec<Join>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NamedSource {
    pub name: Ident,
    pub alias: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub kind: JoinKind,
    pub source: NamedSource,
    pub within: Option<Within>,
    pub on: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Within {
    pub before: Duration,
    pub after: Duration,
    pub grace: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub kind: WindowKind,
    pub retention: Option<Duration>,
    pub grace: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    Tumbling { size: Duration },
    Hopping { size: Duration, advance: Duration },
    Session { gap: Duration },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    Changes,
    Final,
}

/// One statement, where it begins, and its own text (variables already put in, without the `;`).
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedStatement {
    pub statement: Statement,
    pub text: String,
    pub at: Location,
}

/// `CREATE [OR REPLACE] ... [IF NOT EXISTS]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    Fail,
    Replace,
    /// CREATE ... IF NOT EXISTS, DROP ... IF EXISTS
    Skip,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    CreateSource {
        kind: SourceKind,
        /// `CREATE SOURCE STREAM | TABLE`: read-only.
        is_source: bool,
        if_exists: IfExists,
        name: Ident,
        columns: Vec<ColumnDef>,
        properties: Properties,
    },
    CreateAs {
        kind: SourceKind,
        if_exists: IfExists,
        name: Ident,
        properties: Properties,
        query: Query,
    },
    InsertSelect {
        target: Ident,
        properties: Properties,
        query: Query,
    },
    InsertValues {
        target: Ident,
        /// Empty: all columns in their order.
        columns: Vec<Ident>,
        values: Vec<Expr>,
    },
    /// A SELECT of its own: a push query when it has EMIT, else a pull query.
    Select(Query),
    AlterSource {
        kind: SourceKind,
        name: Ident,
        add: Vec<(Ident, Type)>,
    },
    DropSource {
        kind: SourceKind,
        if_exists: IfExists,
        name: Ident,
        delete_topic: bool,
    },
    CreateType {
        if_exists: IfExists,
        name: Ident,
        ty: Type,
    },
    DropType {
        if_exists: IfExists,
        name: Ident,
    },
    /// None: ALL
    Terminate(Option<Ident>),
    Pause(Option<Ident>),
    Resume(Option<Ident>),
    Explain(Explained),
    Show(Show),
    Describe {
        name: Ident,
        extended: bool,
    },
    DescribeAll {
        kind: SourceKind,
        extended: bool,
    },
    DescribeFunction(Ident),
    Print {
        topic: Ident,
        from_beginning: bool,
        interval: Option<u64>,
        limit: Option<u64>,
    },
    Set {
        name: String,
        value: String,
    },
    Unset {
        name: String,
    },
    Define {
        name: Ident,
        value: String,
    },
    Undefine {
        name: Ident,
    },
    RunScript(String),
    /// None: SPOOL OFF
    Spool(Option<String>),
    AssertTopic {
        exists: bool,
        topic: Ident,
        properties: Properties,
        timeout: Option<Duration>,
    },
    AssertSchema {
        exists: bool,
        subject: Option<Ident>,
        id: Option<i64>,
        timeout: Option<Duration>,
    },
    /// For the test runner: a record that must come next on the source's topic.
    AssertValues {
        source: Ident,
        columns: Vec<Ident>,
        values: Vec<Expr>,
    },
    /// For the test runner: a tombstone that must come next.
    AssertNullValues {
        source: Ident,
        columns: Vec<Ident>,
        key: Vec<Expr>,
    },
    /// For the test runner: what a source must look like.
    AssertSource {
        kind: SourceKind,
        name: Ident,
        columns: Vec<ColumnDef>,
        properties: Properties,
    },
    /// The language has it; Millpond doesn't run it yet. The engine answers with a `not supported` error.
    NotSupported {
        what: String,
        hint: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Explained {
    QueryId(Ident),
    Statement(Box<ParsedStatement>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Show {
    Streams { extended: bool },
    Tables { extended: bool },
    Topics { all: bool, extended: bool },
    Queries { extended: bool },
    Functions,
    Properties,
    Variables,
    Types,
    Connectors,
}

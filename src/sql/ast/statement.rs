//! Statements and what definitions are made of.

use std::time::Duration;

use super::{Expr, Ident, Location, Query, Type};

/// What a CREATE makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SourceKind {
    Stream,
    Table,
}

/// A column of a CREATE or an ALTER.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    pub name: Ident,
    pub ty: Type,
    pub role: ColumnRole,
}

/// Where a column is of a record.
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

/// The value of a property in WITH.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// Any number, as written.
    Number(String),
    String(String),
}

/// One statement, where it begins, and its own text (variables already put in, without the `;`).
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedStatement {
    pub statement: Statement,
    /// As it was written, without the semicolon.
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

/// One statement, of any kind.
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
    /// DELETE FROM target WHERE filter
    DeleteRow {
        target: Ident,
        filter: Expr,
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
    NotSupported(Elsewhere),
}

/// A statement of ksqlDB, or another SQL, that nothing answers here; shown by its first words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Elsewhere {
    AlterSystem,
    /// One about connectors; its first words.
    Connectors(&'static str),
    /// EXPLAIN ANALYZE of a statement: only a query that runs has something to tell.
    Analyzed,
}

impl std::fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Elsewhere::AlterSystem => "ALTER SYSTEM",
            Elsewhere::Connectors(words) => words,
            Elsewhere::Analyzed => "EXPLAIN ANALYZE of a statement",
        })
    }
}

impl Statement {
    /// Whether what is known suffices to carry it out: it tells of the catalog, or changes the session. SHOW TOPICS asks the
    /// log by itself.
    pub fn is_of_what_is_known(&self) -> bool {
        matches!(
            self,
            Statement::Show(_)
                | Statement::Describe { .. }
                | Statement::DescribeAll { .. }
                | Statement::DescribeFunction(_)
                | Statement::Explain(_)
                | Statement::Set { .. }
                | Statement::Unset { .. }
                | Statement::Define { .. }
                | Statement::Undefine { .. }
        )
    }

    /// Whether it is a command of the command log.
    pub fn changes_what_exists(&self) -> bool {
        matches!(
            self,
            Statement::CreateSource { .. }
                | Statement::CreateAs { .. }
                | Statement::InsertSelect { .. }
                | Statement::AlterSource { .. }
                | Statement::DropSource { .. }
                | Statement::CreateType { .. }
                | Statement::DropType { .. }
                | Statement::Terminate(_)
                | Statement::Pause(_)
                | Statement::Resume(_)
        )
    }
}

/// What EXPLAIN tells of.
#[derive(Debug, Clone, PartialEq)]
pub enum Explained {
    QueryId(Ident),
    /// EXPLAIN ANALYZE: what has passed through its steps.
    Running(Ident),
    Statement(Box<ParsedStatement>),
}

/// What SHOW or LIST lists.
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

//! Statements.

use std::time::Duration;

use super::query;
use super::{columns, expression, identifier, list, properties, span, string, ty};
use crate::sql::ast::{Explained, Expr, Ident, IfExists, Show, SourceKind, Statement, Type};

pub(super) fn text(statement: &Statement) -> String {
    match statement {
        Statement::CreateSource { .. }
        | Statement::CreateAs { .. }
        | Statement::CreateType { .. }
        | Statement::AlterSource { .. }
        | Statement::DropSource { .. }
        | Statement::DropType { .. } => definition(statement),
        Statement::InsertSelect { target, properties: with, query: select } => {
            format!("INSERT INTO {}{} {}", identifier(&target.text), properties(with), query::text(select))
        }
        Statement::InsertValues { target, columns, values } => {
            let columns = names(columns);
            format!("INSERT INTO {}{columns} VALUES ({})", identifier(&target.text), list(values, expression))
        }
        Statement::DeleteRow { target, filter } => {
            format!("DELETE FROM {} WHERE {}", identifier(&target.text), expression(filter))
        }
        Statement::Select(select) => query::text(select),
        Statement::AssertTopic { .. }
        | Statement::AssertSchema { .. }
        | Statement::AssertValues { .. }
        | Statement::AssertNullValues { .. }
        | Statement::AssertSource { .. } => assertion(statement),
        _ => session(statement),
    }
}

fn definition(statement: &Statement) -> String {
    match statement {
        Statement::CreateSource { kind, is_source, if_exists, name, columns: defs, properties: with } => {
            let (replace, skip) = create_words(*if_exists);
            let source = if *is_source { "SOURCE " } else { "" };
            let name = identifier(&name.text);
            format!("CREATE {replace}{source}{} {skip}{name}{}{}", kind_word(*kind), columns(defs), properties(with))
        }
        Statement::CreateAs { kind, if_exists, name, properties: with, query: select } => {
            let (replace, skip) = create_words(*if_exists);
            let head = format!("CREATE {replace}{} {skip}{}", kind_word(*kind), identifier(&name.text));
            format!("{head}{} AS {}", properties(with), query::text(select))
        }
        Statement::CreateType { if_exists, name, ty: of } => {
            format!("CREATE TYPE {}{} AS {}", create_words(*if_exists).1, identifier(&name.text), ty(of))
        }
        Statement::AlterSource { kind, name, add } => {
            let one = |(name, of): &(Ident, Type)| format!("ADD COLUMN {} {}", identifier(&name.text), ty(of));
            format!("ALTER {} {} {}", kind_word(*kind), identifier(&name.text), list(add, one))
        }
        Statement::DropSource { kind, if_exists, name, delete_topic } => {
            let delete = if *delete_topic { " DELETE TOPIC" } else { "" };
            format!("DROP {} {}{}{delete}", kind_word(*kind), drop_words(*if_exists), identifier(&name.text))
        }
        Statement::DropType { if_exists, name } => {
            format!("DROP TYPE {}{}", drop_words(*if_exists), identifier(&name.text))
        }
        _ => String::new(),
    }
}

fn assertion(statement: &Statement) -> String {
    match statement {
        Statement::AssertTopic { exists, topic, properties: with, timeout } => {
            let topic = super::back_ticked(&topic.text);
            format!("ASSERT {}TOPIC {topic}{}{}", not_exists(*exists), properties(with), timeout_words(*timeout))
        }
        Statement::AssertSchema { exists, subject, id, timeout } => {
            let subject = subject.as_ref().map(|name| format!(" SUBJECT {}", super::back_ticked(&name.text)));
            let id = id.map(|id| format!(" ID {id}")).unwrap_or_default();
            let subject = subject.unwrap_or_default();
            format!("ASSERT {}SCHEMA{subject}{id}{}", not_exists(*exists), timeout_words(*timeout))
        }
        Statement::AssertValues { source, columns, values } => {
            let columns = names(columns);
            format!("ASSERT VALUES {}{columns} VALUES ({})", identifier(&source.text), exprs(values))
        }
        Statement::AssertNullValues { source, columns, key } => {
            format!("ASSERT NULL VALUES {}{} KEY ({})", identifier(&source.text), names(columns), exprs(key))
        }
        Statement::AssertSource { kind, name, columns: defs, properties: with } => {
            let name = identifier(&name.text);
            format!("ASSERT {} {name}{}{}", kind_word(*kind), columns(defs), properties(with))
        }
        _ => String::new(),
    }
}

fn session(statement: &Statement) -> String {
    match statement {
        Statement::Terminate(id) => format!("TERMINATE {}", or_all(id.as_ref())),
        Statement::Pause(id) => format!("PAUSE {}", or_all(id.as_ref())),
        Statement::Resume(id) => format!("RESUME {}", or_all(id.as_ref())),
        Statement::Explain(Explained::QueryId(id)) => format!("EXPLAIN {}", identifier(&id.text)),
        Statement::Explain(Explained::Running(id)) => format!("EXPLAIN ANALYZE {}", identifier(&id.text)),
        Statement::Explain(Explained::Statement(inner)) => format!("EXPLAIN {}", text(&inner.statement)),
        Statement::Show(what) => show(what),
        Statement::Describe { name, extended } => {
            format!("DESCRIBE {}{}", identifier(&name.text), extended_word(*extended))
        }
        Statement::DescribeAll { kind, extended } => {
            format!("DESCRIBE {}S{}", kind_word(*kind), extended_word(*extended))
        }
        Statement::DescribeFunction(name) => format!("DESCRIBE FUNCTION {}", identifier(&name.text)),
        Statement::Print { topic, from_beginning, interval, limit } => {
            let from = if *from_beginning { " FROM BEGINNING" } else { "" };
            let interval = interval.map(|every| format!(" INTERVAL {every}")).unwrap_or_default();
            let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
            format!("PRINT {}{from}{interval}{limit}", super::back_ticked(&topic.text))
        }
        Statement::Set { name, value } => format!("SET {} = {}", string(name), string(value)),
        Statement::Unset { name } => format!("UNSET {}", string(name)),
        Statement::Define { name, value } => format!("DEFINE {} = {}", identifier(&name.text), string(value)),
        Statement::Undefine { name } => format!("UNDEFINE {}", identifier(&name.text)),
        Statement::RunScript(path) => format!("RUN SCRIPT {}", string(path)),
        Statement::Spool(None) => "SPOOL OFF".to_owned(),
        Statement::Spool(Some(path)) => format!("SPOOL {}", string(path)),
        Statement::NotSupported(statement) => statement.to_string(),
        _ => String::new(),
    }
}

fn show(show: &Show) -> String {
    let (what, extended) = match show {
        Show::Streams { extended } => ("STREAMS", *extended),
        Show::Tables { extended } => ("TABLES", *extended),
        Show::Topics { all: false, extended } => ("TOPICS", *extended),
        Show::Topics { all: true, extended } => ("ALL TOPICS", *extended),
        Show::Queries { extended } => ("QUERIES", *extended),
        Show::Functions => ("FUNCTIONS", false),
        Show::Properties => ("PROPERTIES", false),
        Show::Variables => ("VARIABLES", false),
        Show::Types => ("TYPES", false),
        Show::Connectors => ("CONNECTORS", false),
    };
    format!("SHOW {what}{}", extended_word(extended))
}

fn kind_word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "STREAM",
        SourceKind::Table => "TABLE",
    }
}

/// What stands before the kind, and what stands after it.
fn create_words(if_exists: IfExists) -> (&'static str, &'static str) {
    match if_exists {
        IfExists::Fail => ("", ""),
        IfExists::Replace => ("OR REPLACE ", ""),
        IfExists::Skip => ("", "IF NOT EXISTS "),
    }
}

fn drop_words(if_exists: IfExists) -> &'static str {
    if if_exists == IfExists::Skip { "IF EXISTS " } else { "" }
}

fn extended_word(extended: bool) -> &'static str {
    if extended { " EXTENDED" } else { "" }
}

fn not_exists(exists: bool) -> &'static str {
    if exists { "" } else { "NOT EXISTS " }
}

fn timeout_words(timeout: Option<Duration>) -> String {
    timeout.map(|timeout| format!(" TIMEOUT {}", span(timeout))).unwrap_or_default()
}

fn or_all(id: Option<&Ident>) -> String {
    id.map_or_else(|| "ALL".to_owned(), |id| identifier(&id.text))
}

/// `(a, b)` with a space before it, or nothing.
fn names(columns: &[Ident]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    format!(" ({})", list(columns, |name| identifier(&name.text)))
}

fn exprs(values: &[Expr]) -> String {
    list(values, expression)
}

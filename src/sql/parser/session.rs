//! Statements about queries, things and the session: SHOW, DESCRIBE, EXPLAIN, PRINT, SET, DEFINE and their kin.

use super::Parser;
use crate::error::Result;
use crate::messages::syntax::Meant;
use crate::sql::ast::{Elsewhere, Explained, Ident, Show, SourceKind, Statement};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    /// `TERMINATE | PAUSE | RESUME {id | ALL}`
    pub(super) fn of_query(&mut self) -> Result<Option<Ident>> {
        self.advance();
        if self.eat_word("ALL") {
            return Ok(None);
        }
        if self.is_word("QUERY") && self.identifier_at(1).is_some() {
            self.advance();
        }
        self.identifier("a query's id or ALL").map(Some)
    }

    pub(super) fn explain(&mut self) -> Result<Statement> {
        self.expect_word("EXPLAIN")?;
        if self.word_at(0) == Some("ANALYZE") && self.peek_at(1).kind != Kind::End {
            self.advance();
            if matches!(self.word_at(0), Some("SELECT" | "CREATE" | "INSERT")) {
                self.skip_rest();
                return Ok(Statement::NotSupported(Elsewhere::Analyzed));
            }
            return Ok(Statement::Explain(Explained::Running(self.identifier("the id of a query that runs")?)));
        }
        let is_statement = match self.word_at(0) {
            Some("SELECT" | "CREATE" | "INSERT") => true,
            Some(_) => self.peek_at(1).kind != Kind::End,
            None => false,
        };
        if is_statement {
            return Ok(Statement::Explain(Explained::Statement(Box::new(self.parsed_statement()?))));
        }
        let id = self.identifier("a query's id or a statement")?;
        Ok(Statement::Explain(Explained::QueryId(id)))
    }

    pub(super) fn show(&mut self) -> Result<Statement> {
        self.advance();
        if self.eat_words(&["ALL", "TOPICS"]) {
            let extended = self.eat_word("EXTENDED");
            return Ok(Statement::Show(Show::Topics { all: true, extended }));
        }
        if self.eat_words(&["CONNECTOR", "PLUGINS"]) {
            return Ok(self.connectors("SHOW CONNECTOR PLUGINS"));
        }
        if matches!(self.word_at(0), Some("SOURCE" | "SINK")) && self.word_at(1) == Some("CONNECTORS") {
            self.advance();
        }
        let what = self.word_at(0).unwrap_or_default().to_owned();
        let extended = self.word_at(1) == Some("EXTENDED");
        let (show, may_extend) = match what.as_str() {
            "STREAMS" => (Show::Streams { extended }, true),
            "TABLES" => (Show::Tables { extended }, true),
            "TOPICS" => (Show::Topics { all: false, extended }, true),
            "QUERIES" => (Show::Queries { extended }, true),
            "FUNCTIONS" => (Show::Functions, false),
            "PROPERTIES" => (Show::Properties, false),
            "VARIABLES" => (Show::Variables, false),
            "TYPES" => (Show::Types, false),
            "CONNECTORS" => (Show::Connectors, false),
            _ => {
                let expected = "STREAMS, TABLES, TOPICS, ALL TOPICS, QUERIES, FUNCTIONS, PROPERTIES, VARIABLES, TYPES \
                                or CONNECTORS";
                return Err(self.unexpected(expected));
            }
        };
        self.next += if may_extend && extended { 2 } else { 1 };
        Ok(Statement::Show(show))
    }

    pub(super) fn describe_statement(&mut self) -> Result<Statement> {
        self.expect_word("DESCRIBE")?;
        let names_something = self.peek_at(1).kind != Kind::End;
        if names_something && self.eat_word("FUNCTION") {
            return Ok(Statement::DescribeFunction(self.identifier("a function's name")?));
        }
        if names_something && self.is_word("CONNECTOR") {
            return Ok(self.connectors("DESCRIBE CONNECTOR"));
        }
        let kind = match self.word_at(0) {
            Some("STREAMS") => Some(SourceKind::Stream),
            Some("TABLES") => Some(SourceKind::Table),
            _ => None,
        };
        if let Some(kind) = kind {
            self.advance();
            return Ok(Statement::DescribeAll { kind, extended: self.eat_word("EXTENDED") });
        }
        if self.is_word("EXTENDED") && self.word_at(1) != Some("EXTENDED") && self.identifier_at(1).is_some() {
            let name = self.peek_at(1).range.clone();
            return Err(self.meant("the name of a stream or table", Meant::ExtendedLast(&self.text[name])));
        }
        let name = self.identifier("the name of a stream or table, STREAMS, TABLES or FUNCTION")?;
        Ok(Statement::Describe { name, extended: self.eat_word("EXTENDED") })
    }

    pub(super) fn print(&mut self) -> Result<Statement> {
        self.expect_word("PRINT")?;
        let topic = self.topic()?;
        let from_beginning = self.eat_word("FROM");
        if from_beginning {
            self.expect_word("BEGINNING")?;
        }
        let every = self.eat_word("INTERVAL") || self.eat_word("SAMPLE");
        let interval = if every { Some(self.whole("a number of records")?) } else { None };
        let limit = if self.eat_word("LIMIT") { Some(self.whole("a number of records")?) } else { None };
        Ok(Statement::Print { topic, from_beginning, interval, limit })
    }

    /// A topic's name, its case kept: quoted, a string, or written plainly, dots and dashes among it.
    pub(super) fn topic(&mut self) -> Result<Ident> {
        let at = self.at();
        let quoted = match &self.peek().kind {
            Kind::Quoted(text) | Kind::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        if let Some(text) = quoted {
            self.advance();
            return Ok(Ident { text, quoted: true, at });
        }
        let start = self.peek().range.start;
        let mut end = start;
        let belongs = |kind: &Kind| matches!(kind, Kind::Word(_) | Kind::Number(_) | Kind::Symbol("-" | "."));
        while self.peek().range.start == end && belongs(&self.peek().kind) {
            end = self.peek().range.end;
            self.advance();
        }
        if start == end {
            return Err(self.unexpected("a topic's name"));
        }
        Ok(Ident { text: self.text[start..end].to_owned(), quoted: true, at })
    }

    pub(super) fn set(&mut self) -> Result<Statement> {
        self.expect_word("SET")?;
        let name = self.property_name()?;
        self.expect_symbol("=")?;
        Ok(Statement::Set { name, value: self.string("the property's value")? })
    }

    pub(super) fn unset(&mut self) -> Result<Statement> {
        self.expect_word("UNSET")?;
        Ok(Statement::Unset { name: self.property_name()? })
    }

    fn property_name(&mut self) -> Result<String> {
        self.string("the property's name")
            .map_err(|_| self.meant("the property's name in single quotes", Meant::PropertyInQuotes))
    }

    pub(super) fn define(&mut self) -> Result<Statement> {
        self.expect_word("DEFINE")?;
        let name = self.identifier("the variable's name")?;
        self.expect_symbol("=")?;
        Ok(Statement::Define { name, value: self.string("the variable's value")? })
    }

    pub(super) fn undefine(&mut self) -> Result<Statement> {
        self.expect_word("UNDEFINE")?;
        Ok(Statement::Undefine { name: self.identifier("the variable's name")? })
    }

    pub(super) fn run_script(&mut self) -> Result<Statement> {
        self.expect_words(&["RUN", "SCRIPT"])?;
        self.string("the script's path").map(Statement::RunScript)
    }

    pub(super) fn spool(&mut self) -> Result<Statement> {
        self.expect_word("SPOOL")?;
        if self.eat_word("OFF") {
            return Ok(Statement::Spool(None));
        }
        self.string("OFF or a file's path").map(|path| Statement::Spool(Some(path)))
    }
}

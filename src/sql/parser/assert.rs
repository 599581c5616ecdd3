//! ASSERT: about topics and schemas for everybody, about records and sources for the test runner.

use std::time::Duration;

use super::Parser;
use crate::error::Result;
use crate::messages;
use crate::sql::ast::{Ident, Statement};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    pub(super) fn assert(&mut self) -> Result<Statement> {
        self.expect_word("ASSERT")?;
        if self.eat_word("VALUES") {
            return self.assert_values();
        }
        if self.eat_words(&["NULL", "VALUES"]) {
            return self.assert_null_values();
        }
        let exists = !self.eat_words(&["NOT", "EXISTS"]);
        if self.eat_word("TOPIC") {
            return self.assert_topic(exists);
        }
        if self.eat_word("SCHEMA") {
            return self.assert_schema(exists);
        }
        if !exists {
            return Err(self.unexpected("TOPIC or SCHEMA"));
        }
        self.assert_source()
    }

    fn assert_values(&mut self) -> Result<Statement> {
        let source = self.identifier("the name of a stream or table")?;
        let columns = self.column_names()?;
        self.expect_word("VALUES")?;
        let values = self.values(columns.len(), "value")?;
        Ok(Statement::AssertValues { source, columns, values })
    }

    fn assert_null_values(&mut self) -> Result<Statement> {
        let source = self.identifier("the name of a stream or table")?;
        let columns = self.column_names()?;
        self.expect_word("KEY")?;
        let key = self.values(columns.len(), "key value")?;
        Ok(Statement::AssertNullValues { source, columns, key })
    }

    fn assert_source(&mut self) -> Result<Statement> {
        let expected = "VALUES, NULL VALUES, TOPIC, SCHEMA, NOT EXISTS, STREAM or TABLE";
        let kind = self.source_kind().ok_or_else(|| self.unexpected(expected))?;
        let name = self.identifier("the name of a stream or table")?;
        let columns = if self.is_symbol("(") { self.parenthesised(Self::column)? } else { Vec::new() };
        Ok(Statement::AssertSource { kind, name, columns, properties: self.with_properties()? })
    }

    fn assert_topic(&mut self, exists: bool) -> Result<Statement> {
        let topic = self.topic()?;
        let properties = self.with_properties()?;
        Ok(Statement::AssertTopic { exists, topic, properties, timeout: self.timeout()? })
    }

    fn assert_schema(&mut self, exists: bool) -> Result<Statement> {
        let at = self.at();
        let subject: Option<Ident> = if self.eat_word("SUBJECT") { Some(self.topic()?) } else { None };
        let id = if self.eat_word("ID") { Some(self.schema_id()?) } else { None };
        if subject.is_none() && id.is_none() {
            return Err(messages::syntax::schema_without_subject().at(at));
        }
        Ok(Statement::AssertSchema { exists, subject, id, timeout: self.timeout()? })
    }

    fn schema_id(&mut self) -> Result<i64> {
        // A number in quotes is taken, too: variables are often put in so.
        if let Kind::Text(text) = &self.peek().kind
            && let Ok(id) = text.parse()
        {
            self.advance();
            return Ok(id);
        }
        self.whole("a schema's id")
    }

    fn timeout(&mut self) -> Result<Option<Duration>> {
        if self.eat_word("TIMEOUT") { self.span().map(Some) } else { Ok(None) }
    }
}

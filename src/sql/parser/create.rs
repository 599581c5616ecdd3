//! Statements that define, change, fill and drop things: CREATE, ALTER, DROP, INSERT.

use super::Parser;
use crate::error::Result;
use crate::messages;
use crate::sql::ast::{ColumnDef, ColumnRole, Elsewhere, Ident, IfExists, SourceKind, Statement};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    pub(super) fn create(&mut self) -> Result<Statement> {
        self.expect_word("CREATE")?;
        let replace = self.eat_words(&["OR", "REPLACE"]);
        if self.is_connector() {
            return Ok(self.connectors("CREATE CONNECTOR"));
        }
        if !replace && self.eat_word("TYPE") {
            return self.create_type();
        }
        let is_source = self.eat_word("SOURCE");
        let Some(kind) = self.source_kind() else {
            return Err(self.unexpected(if is_source { "STREAM or TABLE" } else { "STREAM, TABLE or TYPE" }));
        };
        let if_exists = self.if_not_exists(replace)?;
        let name = self.identifier(&format!("the {}'s name", lower(kind)))?;
        let columns = if self.eat_empty_parentheses() {
            Vec::new()
        } else if self.is_symbol("(") {
            self.parenthesised(Self::column)?
        } else {
            Vec::new()
        };
        let properties = self.with_properties()?;
        if columns.is_empty() && !is_source && self.eat_word("AS") {
            let query = self.query()?;
            return Ok(Statement::CreateAs { kind, if_exists, name, properties, query });
        }
        if self.is_word("AS") {
            return Err(messages::syntax::columns_before_as(is_source).at(self.at()));
        }
        Ok(Statement::CreateSource { kind, is_source, if_exists, name, columns, properties })
    }

    fn if_not_exists(&mut self, replace: bool) -> Result<IfExists> {
        let at = self.at();
        let skip = self.eat_words(&["IF", "NOT", "EXISTS"]);
        match (replace, skip) {
            (true, true) => Err(messages::syntax::replace_and_if_not_exists().at(at)),
            (true, false) => Ok(IfExists::Replace),
            (false, true) => Ok(IfExists::Skip),
            (false, false) => Ok(IfExists::Fail),
        }
    }

    pub(super) fn source_kind(&mut self) -> Option<SourceKind> {
        if self.eat_word("STREAM") {
            Some(SourceKind::Stream)
        } else if self.eat_word("TABLE") {
            Some(SourceKind::Table)
        } else {
            None
        }
    }

    fn eat_empty_parentheses(&mut self) -> bool {
        let found = self.is_symbol("(") && self.is_symbol_at(1, ")");
        if found {
            self.next += 2;
        }
        found
    }

    /// `name type [PRIMARY KEY | KEY | HEADERS | HEADER('name')]`
    pub(super) fn column(&mut self) -> Result<ColumnDef> {
        let (name, ty) = self.name_and_type()?;
        let role = if self.eat_words(&["PRIMARY", "KEY"]) {
            ColumnRole::PrimaryKey
        } else if self.eat_word("KEY") {
            ColumnRole::Key
        } else if self.eat_word("HEADERS") {
            ColumnRole::Headers
        } else if self.eat_word("HEADER") {
            self.expect_symbol("(")?;
            let header = self.string("the header's name")?;
            self.expect_symbol(")")?;
            ColumnRole::Header(header)
        } else if self.is_words(&["NOT", "NULL"]) || self.is_word("DEFAULT") {
            let what = if self.is_word("DEFAULT") { "DEFAULT" } else { "NOT NULL" };
            return Err(messages::other_sql::column_option(what).at(self.at()));
        } else if matches!(self.peek().kind, Kind::Symbol("," | ")")) {
            ColumnRole::Value
        } else {
            return Err(self.unexpected("KEY, PRIMARY KEY, HEADERS, HEADER('name'), `,` or `)`"));
        };
        Ok(ColumnDef { name, ty, role })
    }

    fn create_type(&mut self) -> Result<Statement> {
        let if_exists = self.if_not_exists(false)?;
        let name = self.identifier("the type's name")?;
        self.expect_word("AS")?;
        Ok(Statement::CreateType { if_exists, name, ty: self.ty()? })
    }

    fn if_exists(&mut self) -> IfExists {
        if self.eat_words(&["IF", "EXISTS"]) { IfExists::Skip } else { IfExists::Fail }
    }

    pub(super) fn drop_statement(&mut self) -> Result<Statement> {
        self.expect_word("DROP")?;
        if self.is_word("CONNECTOR") {
            return Ok(self.connectors("DROP CONNECTOR"));
        }
        if self.eat_word("TYPE") {
            let if_exists = self.if_exists();
            return Ok(Statement::DropType { if_exists, name: self.identifier("the type's name")? });
        }
        let kind = self.source_kind().ok_or_else(|| self.unexpected("STREAM, TABLE or TYPE"))?;
        let if_exists = self.if_exists();
        let name = self.identifier(&format!("the {}'s name", lower(kind)))?;
        let delete_topic = self.eat_word("DELETE");
        if delete_topic {
            self.expect_word("TOPIC")?;
        }
        Ok(Statement::DropSource { kind, if_exists, name, delete_topic })
    }

    pub(super) fn alter(&mut self) -> Result<Statement> {
        self.expect_word("ALTER")?;
        if self.is_word("SYSTEM") {
            self.skip_rest();
            return Ok(Statement::NotSupported(Elsewhere::AlterSystem));
        }
        let kind = self.source_kind().ok_or_else(|| self.unexpected("STREAM or TABLE"))?;
        let name = self.identifier(&format!("the {}'s name", lower(kind)))?;
        if let Some(word @ ("DROP" | "RENAME" | "ALTER" | "SET")) = self.word_at(0) {
            return Err(messages::other_sql::alter_with(word).at(self.at()));
        }
        let add = self.list(|parser| {
            parser.expect_word("ADD")?;
            // COLUMN may be a column's name, too.
            if parser.is_word("COLUMN") && parser.identifier_at(1).is_some() && parser.identifier_at(2).is_some() {
                parser.advance();
            }
            parser.name_and_type()
        })?;
        Ok(Statement::AlterSource { kind, name, add })
    }

    pub(super) fn insert(&mut self) -> Result<Statement> {
        self.expect_words(&["INSERT", "INTO"])?;
        let target = self.identifier("the name of a stream or table")?;
        // WITH begins properties, or a query that has names for others.
        let properties = if self.is_symbol_at(1, "(") { self.with_properties()? } else { Vec::new() };
        if self.is_word("SELECT") || self.is_word("WITH") {
            return Ok(Statement::InsertSelect { target, properties, query: self.query()? });
        }
        if !properties.is_empty() {
            return Err(self.unexpected("SELECT"));
        }
        let columns = self.column_names()?;
        if self.is_word("SELECT") {
            return Err(messages::other_sql::columns_before_select().at(self.at()));
        }
        if !self.eat_word("VALUES") {
            let expected = if columns.is_empty() { "`(`, VALUES or SELECT" } else { "VALUES" };
            return Err(self.unexpected(expected));
        }
        let values = self.values(columns.len(), "value")?;
        Ok(Statement::InsertValues { target, columns, values })
    }

    pub(super) fn delete(&mut self) -> Result<Statement> {
        self.expect_words(&["DELETE", "FROM"])?;
        let target = self.identifier("the name of a table")?;
        self.expect_word("WHERE")?;
        Ok(Statement::DeleteRow { target, filter: self.expression()? })
    }

    /// `[(column, ...)]`
    pub(super) fn column_names(&mut self) -> Result<Vec<Ident>> {
        if !self.is_symbol("(") {
            return Ok(Vec::new());
        }
        self.parenthesised(|parser| parser.identifier("a column's name"))
    }

    /// `(value, ...)`, as many as there are columns if those are named.
    pub(super) fn values(&mut self, columns: usize, what: &str) -> Result<Vec<crate::sql::ast::Expr>> {
        let at = self.at();
        let values = self.parenthesised(Self::expression)?;
        if columns > 0 && columns != values.len() {
            return Err(messages::syntax::count_of_values(columns, values.len(), what).at(at));
        }
        if self.is_symbol(",") {
            return Err(messages::other_sql::several_rows().at(self.at()));
        }
        Ok(values)
    }

    fn is_connector(&self) -> bool {
        let after = if matches!(self.word_at(0), Some("SOURCE" | "SINK")) { 1 } else { 0 };
        self.word_at(after) == Some("CONNECTOR")
    }

    /// Connectors are somebody else's program; the rest of the statement is passed over.
    pub(super) fn connectors(&mut self, what: &'static str) -> Statement {
        self.skip_rest();
        Statement::NotSupported(Elsewhere::Connectors(what))
    }

    pub(super) fn skip_rest(&mut self) {
        self.next = self.tokens.len() - 1;
    }
}

fn lower(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "stream",
        SourceKind::Table => "table",
    }
}

//! Which statement it is.

use super::{END_OF_STATEMENT, Parser};
use crate::error::{Error, Result};
use crate::messages;
use crate::sql::ast::{Location, ParsedStatement, Statement};

/// The words a statement can begin with.
pub(super) const BEGINNINGS: &[&str] = &[
    "SELECT",
    "WITH",
    "CREATE",
    "INSERT",
    "DELETE",
    "DROP",
    "ALTER",
    "SHOW",
    "LIST",
    "DESCRIBE",
    "EXPLAIN",
    "PRINT",
    "TERMINATE",
    "PAUSE",
    "RESUME",
    "SET",
    "UNSET",
    "DEFINE",
    "UNDEFINE",
    "RUN",
    "SPOOL",
    "ASSERT",
];

/// One statement without its `;`, which begins at `at` in a larger text.
pub(crate) fn parse_one(text: &str, at: Location) -> Result<ParsedStatement> {
    let mut parser = Parser::new(text, at)?;
    let statement = parser.parsed_statement()?;
    parser.end(END_OF_STATEMENT)?;
    Ok(statement)
}

impl Parser<'_> {
    /// A statement with its text, which goes to the end of what there is.
    pub(super) fn parsed_statement(&mut self) -> Result<ParsedStatement> {
        let at = self.at();
        let start = self.peek().range.start;
        let statement = self.nested(Self::statement)?;
        let end = self.tokens[self.next.saturating_sub(1)].range.end.max(start);
        Ok(ParsedStatement { statement, text: self.text[start..end].to_owned(), at })
    }

    fn statement(&mut self) -> Result<Statement> {
        let word = self.word_at(0).unwrap_or_default().to_owned();
        match word.as_str() {
            "SELECT" | "WITH" => Ok(Statement::Select(self.query()?)),
            "CREATE" => self.create(),
            "INSERT" => self.insert(),
            "DELETE" => self.delete(),
            "DROP" => self.drop_statement(),
            "ALTER" => self.alter(),
            "SHOW" | "LIST" => self.show(),
            "DESCRIBE" => self.describe_statement(),
            "EXPLAIN" => self.explain(),
            "PRINT" => self.print(),
            "TERMINATE" => self.of_query().map(Statement::Terminate),
            "PAUSE" => self.of_query().map(Statement::Pause),
            "RESUME" => self.of_query().map(Statement::Resume),
            "SET" => self.set(),
            "UNSET" => self.unset(),
            "DEFINE" => self.define(),
            "UNDEFINE" => self.undefine(),
            "RUN" => self.run_script(),
            "SPOOL" => self.spool(),
            "ASSERT" => self.assert(),
            _ => Err(self.no_statement(&word)),
        }
    }

    fn no_statement(&self, word: &str) -> Error {
        match messages::other_sql::statement_of_other_sql(word) {
            Some(error) => error.at(self.at()),
            None => self.unexpected(&format!("a statement: {}", BEGINNINGS.join(", "))),
        }
    }
}

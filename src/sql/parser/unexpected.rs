//! The error for a token that can't stand where it stands: what was found, what was expected, what was likely meant.

use super::statement::BEGINNINGS;
use super::{END_OF_STATEMENT, Parser};
use crate::error::Error;
use crate::messages;
use crate::messages::syntax::{Found, Meant};
use crate::sql::keywords;
use crate::sql::lexer::Kind;

/// What may follow an alias within a query, one a word.
const CLAUSES: &str = "FROM WINDOW WHERE GROUP PARTITION HAVING EMIT LIMIT JOIN INNER LEFT RIGHT FULL WITHIN ON AS";

impl Parser<'_> {
    /// The error for the token that stands next. Capitals in `expected` are keywords that could stand here.
    pub(super) fn unexpected(&self, expected: &str) -> Error {
        messages::syntax::unexpected(expected, &self.found(), self.likely_meant(expected)).at(self.at())
    }

    /// The same where it is known what was meant.
    pub(super) fn meant(&self, expected: &str, meant: Meant) -> Error {
        messages::syntax::unexpected(expected, &self.found(), Some(meant)).at(self.at())
    }

    /// The next token as it is written.
    pub(super) fn written(&self) -> &str {
        &self.text[self.peek().range.clone()]
    }

    fn likely_meant<'a>(&'a self, expected: &str) -> Option<Meant<'a>> {
        let behind_comma = self.next > 0 && self.tokens[self.next - 1].kind == Kind::Symbol(",");
        let begins_clause = match self.word_at(0) {
            Some("FROM" | "WHERE" | "HAVING" | "LIMIT") => true,
            Some("GROUP" | "PARTITION") => self.word_at(1) == Some("BY"),
            _ => self.is_symbol(")"),
        };
        if behind_comma && begins_clause {
            return Some(Meant::NoComma);
        }
        if expected.starts_with("a string in single quotes") && self.word_at(0).is_some() {
            return Some(Meant::Quoted(self.written()));
        }
        if let Some(word) = self.word_at(0)
            && let Some(meant) = self.meant_by_word(word, expected)
        {
            return Some(meant);
        }
        if self.bare_alias.is_some_and(|alias| alias + 1 == self.next)
            && let Kind::Word(alias) = &self.tokens[self.next - 1].kind
        {
            return meant_by_alias(alias).or_else(|| self.missing_comma(expected));
        }
        match self.peek().kind {
            Kind::Quoted(ref text) if text.is_empty() => Some(Meant::NoEmptyName),
            Kind::Other => meant_by_other(self.written()),
            _ => self.missing_comma(expected),
        }
    }

    /// Where a list could go on, something stands that could be its next item.
    fn missing_comma(&self, expected: &str) -> Option<Meant<'_>> {
        let is_item = self.identifier_at(0).is_some() || matches!(self.peek().kind, Kind::Number(_) | Kind::Text(_));
        (expected.contains("`,`") && is_item).then(|| Meant::Comma(self.written()))
    }

    fn meant_by_word<'a>(&'a self, word: &'a str, expected: &str) -> Option<Meant<'a>> {
        if expected == END_OF_STATEMENT && BEGINNINGS.contains(&word) {
            return Some(Meant::Semicolon(word));
        }
        let is_keyword = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        let mut keywords = expected.split(|ch: char| !ch.is_ascii_alphanumeric()).filter(is_keyword).peekable();
        // What is expected without a keyword or a symbol is a name or an expression; a type's name is rarely meant.
        let name_expected = keywords.peek().is_none() && !expected.starts_with(['`', '(']) && expected != "a type";
        if let Some(near) = Meant::keyword(word, keywords) {
            return Some(near);
        }
        let is_reserved = name_expected && keywords::is_reserved(word);
        is_reserved.then(|| Meant::Name { keyword: word, written: self.written() })
    }

    fn found(&self) -> String {
        let what = match self.peek().kind {
            Kind::End => Found::End,
            Kind::Text(_) => Found::Text,
            Kind::Number(_) => Found::Number,
            Kind::Quoted(_) => Found::Name,
            _ => Found::Other,
        };
        messages::syntax::found(&what, self.written())
    }
}

/// What no token of the language is.
fn meant_by_other(written: &str) -> Option<Meant<'_>> {
    match written {
        "==" => Some(Meant::Equal),
        "&&" => Some(Meant::And),
        "::" => Some(Meant::Cast),
        _ if written.starts_with('$') => Some(Meant::Variable),
        _ if written.chars().any(|ch| ch.is_alphabetic()) => Some(Meant::NameWithLetters),
        _ => None,
    }
}

/// A word that was taken for an alias may be a misspelt keyword, or the next statement's first.
fn meant_by_alias(alias: &str) -> Option<Meant<'_>> {
    if BEGINNINGS.contains(&alias) {
        return Some(Meant::Semicolon(alias));
    }
    Meant::keyword_not_alias(alias, CLAUSES.split(' '))
}

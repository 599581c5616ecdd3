//! The error for a token that can't stand where it stands: what was found, what was expected, what was likely meant.

use super::statement::BEGINNINGS;
use super::{END_OF_STATEMENT, Parser};
use crate::error::Error;
use crate::nearest::nearest;
use crate::sql::keywords;
use crate::sql::lexer::Kind;

/// What may follow an alias within a query, one a word.
const CLAUSES: &str = "FROM WINDOW WHERE GROUP PARTITION HAVING EMIT LIMIT JOIN INNER LEFT RIGHT FULL WITHIN ON AS";

impl Parser<'_> {
    /// The error for the token that stands next. Capitals in `expected` are keywords that could stand here.
    pub(super) fn unexpected(&self, expected: &str) -> Error {
        let error = Error::statement(format!("expected {expected}, found {}", self.describe(self.next))).at(self.at());
        match self.hint_for(expected) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The next token as it is written.
    pub(super) fn written(&self) -> &str {
        &self.text[self.peek().range.clone()]
    }

    fn hint_for(&self, expected: &str) -> Option<String> {
        let behind_comma = self.next > 0 && self.tokens[self.next - 1].kind == Kind::Symbol(",");
        let begins_clause = match self.word_at(0) {
            Some("FROM" | "WHERE" | "HAVING" | "LIMIT") => true,
            Some("GROUP" | "PARTITION") => self.word_at(1) == Some("BY"),
            _ => self.is_symbol(")"),
        };
        if behind_comma && begins_clause {
            return Some("Is the `,` before it one too many?".to_owned());
        }
        if expected.starts_with("a string in single quotes") && self.word_at(0).is_some() {
            return Some(format!("Write '{}', in single quotes.", self.written()));
        }
        if let Some(word) = self.word_at(0)
            && let Some(hint) = self.hint_for_word(word, expected)
        {
            return Some(hint);
        }
        if self.bare_alias.is_some_and(|alias| alias + 1 == self.next)
            && let Kind::Word(alias) = &self.tokens[self.next - 1].kind
        {
            return hint_for_alias(alias).or_else(|| self.missing_comma(expected));
        }
        match self.peek().kind {
            Kind::Quoted(ref text) if text.is_empty() => Some("A name can't be empty.".to_owned()),
            Kind::Other => self.hint_for_other(),
            _ => self.missing_comma(expected),
        }
    }

    /// Where a list could go on, something stands that could be its next item.
    fn missing_comma(&self, expected: &str) -> Option<String> {
        let is_item = self.identifier_at(0).is_some() || matches!(self.peek().kind, Kind::Number(_) | Kind::Text(_));
        (expected.contains("`,`") && is_item).then(|| format!("Is a `,` missing before {}?", self.written()))
    }

    fn hint_for_word(&self, word: &str, expected: &str) -> Option<String> {
        if expected == END_OF_STATEMENT && BEGINNINGS.contains(&word) {
            return Some(missing_semicolon(word));
        }
        let is_keyword = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        let mut keywords = expected.split(|ch: char| !ch.is_ascii_alphanumeric()).filter(is_keyword).peekable();
        // What is expected without a keyword or a symbol is a name or an expression; a type's name is rarely meant.
        let name_expected = keywords.peek().is_none() && !expected.starts_with(['`', '(']) && expected != "a type";
        if let Some(near) = nearest(word, keywords) {
            return Some(format!("Did you mean {near}?"));
        }
        if !name_expected || !keywords::is_reserved(word) {
            return None;
        }
        let written = &self.text[self.peek().range.clone()];
        Some(format!("{word} is a keyword: to use it as a name write `{written}` in back-ticks."))
    }

    fn hint_for_other(&self) -> Option<String> {
        let written = &self.text[self.peek().range.clone()];
        let hint = match written {
            "==" => "Equality is written with one =.",
            "&&" => "Write AND.",
            "::" => "Write CAST(expression AS type).",
            _ if written.starts_with('$') => "A variable is written ${name} and set by DEFINE name = '...';",
            _ if written.chars().any(|ch| ch.is_alphabetic()) => {
                "A name with letters beyond A to Z must be put in back-ticks."
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn describe(&self, index: usize) -> String {
        /// Longer tokens are shown by their beginning.
        const CHARS_MAX: usize = 40;
        let token = &self.tokens[index];
        let written = &self.text[token.range.clone()];
        let mut shown: String = written.chars().take(CHARS_MAX).collect();
        if shown.len() < written.len() {
            shown.push_str("...");
        }
        match token.kind {
            Kind::End => "the end of the statement".to_owned(),
            Kind::Text(_) => format!("the string {shown}"),
            Kind::Number(_) => format!("the number {shown}"),
            Kind::Quoted(_) => format!("the name {shown}"),
            _ => format!("`{shown}`"),
        }
    }
}

/// A word that was taken for an alias may be a misspelt keyword, or the next statement's first.
fn hint_for_alias(alias: &str) -> Option<String> {
    if BEGINNINGS.contains(&alias) {
        return Some(missing_semicolon(alias));
    }
    nearest(alias, CLAUSES.split(' ')).map(|near| format!("Did you mean {near}, not {alias}?"))
}

fn missing_semicolon(word: &str) -> String {
    format!("Is a `;` missing before {word}?")
}

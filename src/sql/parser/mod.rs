//! One statement's tokens to its syntax tree, by recursive descent: a file for each part of the grammar.

mod assert;
mod constructor;
mod create;
mod expression;
mod query;
mod session;
mod statement;
mod types;
mod unexpected;

use super::ast::{Expr, Ident, Literal, Location, Properties, Type};
use super::keywords;
use super::lexer::{Kind, Token, lex};
use crate::error::{Error, Result};
use crate::messages;

pub(super) use expression::{BINARY, binding};
pub(super) use query::UNITS;
pub(super) use statement::parse_one;

/// The longest statement that is read.
pub const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// How deep expressions, types and statements may nest.
pub const NESTING_MAX: usize = 100;

/// How deep queries may nest in queries: each takes more of the stack than a level of anything else.
pub const QUERY_NESTING_MAX: usize = 20;

/// How high an expression's tree may be: every level of nesting and every operator in a row (`a OR b OR ...`) adds one.
/// Whoever walks the tree recurses as deep.
pub const TREE_HEIGHT_MAX: usize = 200;

/// The whole text as one expression.
pub(super) fn parse_expression(text: &str) -> Result<Expr> {
    let mut parser = Parser::new(text, Location { line: 1, column: 1 })?;
    let expr = parser.expression()?;
    parser.end("an operator or the end of the expression")?;
    Ok(expr)
}

/// Where the names of a statement begin, in bytes: the words that aren't keywords where they stand.
pub(super) fn names_in(text: &str, at: Location) -> Result<Vec<usize>> {
    let mut parser = Parser::new(text, at)?;
    parser.parsed_statement()?;
    parser.end(END_OF_STATEMENT)?;
    Ok(parser.names)
}

/// The whole text as one type.
pub(super) fn parse_type(text: &str) -> Result<Type> {
    let mut parser = Parser::new(text, Location { line: 1, column: 1 })?;
    let ty = parser.ty()?;
    parser.end("the end of the type")?;
    Ok(ty)
}

/// An error when a statement is longer than any is read: before its tokens are looked at, which takes memory.
pub(super) fn check_length(statement: &str, at: Location) -> Result<()> {
    if statement.len() > STATEMENT_BYTES_MAX {
        return Err(messages::syntax::statement_too_long(statement.len(), STATEMENT_BYTES_MAX).at(at));
    }
    Ok(())
}

/// What is expected when a statement is complete.
const END_OF_STATEMENT: &str = "the end of the statement";

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Index of the next token. The last token, `Kind::End`, is never passed.
    next: usize,
    depth: usize,
    /// How many queries are under way within others.
    queries: usize,
    /// The height of the tallest expression finished since the innermost unfinished one began.
    height: usize,
    /// The token that was last taken as an alias without AS: it may be a misspelt keyword.
    bare_alias: Option<usize>,
    /// Where the identifiers begin that were read. One that was read again is there twice.
    names: Vec<usize>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, base: Location) -> Result<Self> {
        check_length(text, base)?;
        let tokens = lex(text, base)?;
        Ok(Parser { text, tokens, next: 0, depth: 0, queries: 0, height: 0, bare_alias: None, names: Vec::new() })
    }

    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        &self.tokens[(self.next + ahead).min(self.tokens.len() - 1)]
    }

    fn at(&self) -> Location {
        self.peek().at
    }

    fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    /// The unquoted word at some distance, in upper case.
    fn word_at(&self, ahead: usize) -> Option<&str> {
        match &self.peek_at(ahead).kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is_word(&self, word: &str) -> bool {
        self.word_at(0) == Some(word)
    }

    /// Whether these words stand next, unquoted.
    fn is_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.word_at(ahead) == Some(word))
    }

    fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = self.is_words(words);
        if found {
            self.next += words.len();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.eat_words(&[word])
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected(word)) }
    }

    fn expect_words(&mut self, words: &[&str]) -> Result<()> {
        words.iter().try_for_each(|word| self.expect_word(word))
    }

    fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead).kind, Kind::Symbol(found) if found == symbol)
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_at(0, symbol)
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn end(&self, expected: &str) -> Result<()> {
        if self.peek().kind == Kind::End { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// An identifier at some distance.
    fn identifier_at(&self, ahead: usize) -> Option<Ident> {
        let token = self.peek_at(ahead);
        match &token.kind {
            Kind::Word(word) if !keywords::is_reserved(word) => {
                Some(Ident { text: word.clone(), quoted: false, at: token.at })
            }
            Kind::Quoted(text) if !text.is_empty() => Some(Ident { text: text.clone(), quoted: true, at: token.at }),
            _ => None,
        }
    }

    /// An identifier; `what` says what it would name.
    fn identifier(&mut self, what: &str) -> Result<Ident> {
        let ident = self.identifier_at(0).ok_or_else(|| self.unexpected(what))?;
        self.names.push(self.peek().range.start);
        self.advance();
        Ok(ident)
    }

    /// `[AS] alias`
    fn alias(&mut self) -> Result<Option<Ident>> {
        if self.eat_word("AS") {
            return self.identifier("an alias").map(Some);
        }
        let bare = match &self.peek().kind {
            Kind::Word(word) => keywords::may_be_bare_alias(word),
            Kind::Quoted(_) => true,
            _ => false,
        };
        // EMIT, WINDOW and the like may be names, but here they go on with the query: as aliases they need AS.
        if !bare {
            return Ok(None);
        }
        self.bare_alias = Some(self.next);
        self.identifier("an alias").map(Some)
    }

    /// A string in single quotes; `what` says what it would be.
    fn string(&mut self, what: &str) -> Result<String> {
        let Kind::Text(text) = &self.peek().kind else {
            return Err(self.unexpected(&format!("{what} in single quotes")));
        };
        let text = text.clone();
        self.advance();
        Ok(text)
    }

    /// A whole number, not negative; `what` says what it would be.
    fn whole<T: std::str::FromStr>(&mut self, what: &str) -> Result<T> {
        let Kind::Number(number) = &self.peek().kind else { return Err(self.unexpected(what)) };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let value = number.parse().ok().filter(|_| digits);
        let value = value.ok_or_else(|| {
            let error = match digits {
                true => messages::syntax::number_too_large(number, what),
                false => messages::syntax::not_whole(number, what),
            };
            error.at(self.at())
        })?;
        self.advance();
        Ok(value)
    }

    /// One or more of something, separated by commas.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `( item, ... )`
    fn parenthesised<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_symbol("(")?;
        let items = self.list(item)?;
        if self.eat_symbol(")") { Ok(items) } else { Err(self.unexpected("`,` or `)`")) }
    }

    /// `[WITH (NAME = literal, ...)]`
    fn with_properties(&mut self) -> Result<Properties> {
        if !self.eat_word("WITH") {
            return Ok(Vec::new());
        }
        self.parenthesised(|parser| {
            let at = parser.at();
            let name = match &parser.peek().kind {
                Kind::Text(name) => Some(name.to_ascii_uppercase()),
                _ => parser.identifier_at(0).map(|name| name.text.to_ascii_uppercase()),
            };
            let text = name.ok_or_else(|| parser.unexpected("a property's name"))?;
            parser.names.push(parser.peek().range.start);
            parser.advance();
            parser.expect_symbol("=")?;
            Ok((Ident { text, quoted: false, at }, parser.literal()?))
        })
    }

    fn literal(&mut self) -> Result<Literal> {
        let minus = self.eat_symbol("-");
        let literal = match &self.peek().kind {
            Kind::Number(number) => Literal::Number(if minus { format!("-{number}") } else { number.clone() }),
            _ if minus => return Err(self.unexpected("a number")),
            Kind::Text(text) => Literal::String(text.clone()),
            Kind::Word(word) => match word.as_str() {
                "TRUE" => Literal::Boolean(true),
                "FALSE" => Literal::Boolean(false),
                "NULL" => Literal::Null,
                _ => return Err(self.unexpected("a string in single quotes, a number, TRUE, FALSE or NULL")),
            },
            _ => return Err(self.unexpected("a string in single quotes, a number, TRUE, FALSE or NULL")),
        };
        self.advance();
        Ok(literal)
    }

    /// Goes one level deeper, unless that is too deep; whoever enters leaves by taking one from `depth`.
    fn enter(&mut self) -> Result<()> {
        if self.depth >= NESTING_MAX {
            return Err(self.too_deep());
        }
        self.depth += 1;
        Ok(())
    }

    /// Runs one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.enter()?;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn too_deep(&self) -> Error {
        messages::syntax::too_deep(NESTING_MAX, TREE_HEIGHT_MAX).at(self.at())
    }
}

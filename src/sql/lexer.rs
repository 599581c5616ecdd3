//! Text to tokens with byte ranges and places, by sqlparser's tokenizer. The only file that sees sqlparser.
//!
//! Expressions and types are parsed by our own small parser over these tokens rather than by sqlparser's: its tree
//! keeps no place for many nodes, and ksqlDB's `->`, `:=`, `=>` and predicates would each need a hook around it.

use std::ops::Range;

use sqlparser::dialect::Dialect;
use sqlparser::tokenizer::{Token as RawToken, Tokenizer, Whitespace};

use super::ast::Location;
use crate::error::{Error, Result};
use crate::messages;

/// ksqlDB's lexical rules, as far as sqlparser's tokenizer asks for them.
#[derive(Debug)]
struct Lexical;

impl Dialect for Lexical {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_ascii_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_ascii_alphanumeric() || ch == '_' || ch == '@'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`' || ch == '"'
    }

    /// Identifiers may start with a digit.
    fn supports_numeric_prefix(&self) -> bool {
        true
    }

    /// Without this `$$` would begin a quoted string.
    fn supports_dollar_placeholder(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// An unquoted word, in upper case.
    Word(String),
    /// A word in back-ticks or double quotes, without them.
    Quoted(String),
    /// Digits, perhaps with a point and an exponent, as written.
    Number(String),
    /// A string in single quotes, without them.
    Text(String),
    /// Punctuation of the language.
    Symbol(&'static str),
    /// What the language doesn't have.
    Other,
    Comment,
    /// After the last token.
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
    pub at: Location,
}

/// What is left when a quote or a comment doesn't end: it runs from `range.start` to the end of the text.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub range: Range<usize>,
    pub error: Error,
}

/// The tokens of a text, comments among them, white space not. `base` is where the text begins.
pub(super) fn scan(text: &str, base: Location) -> (Vec<Token>, Option<Unfinished>) {
    let mut raw = Vec::new();
    let failure = Tokenizer::new(&Lexical, text).tokenize_with_location_into_buf(&mut raw).err();
    let mut cursor = Cursor { text, byte: 0, line: 1, column: 1 };
    let mut tokens = Vec::with_capacity(raw.len() / 2);
    for item in raw {
        let start = cursor.byte;
        let at = cursor.location(base);
        cursor.advance_to(item.span.end.line, item.span.end.column);
        push(&mut tokens, item.token, text, start..cursor.byte, at);
    }
    let unfinished = failure.map(|failure| Unfinished {
        range: cursor.byte..text.len(),
        error: messages::syntax::unfinished(&text[cursor.byte..], &failure.message).at(cursor.location(base)),
    });
    (tokens, unfinished)
}

/// The tokens of one statement without comments, ended by `Kind::End`.
pub(super) fn lex(text: &str, base: Location) -> Result<Vec<Token>> {
    let (mut tokens, unfinished) = scan(text, base);
    if let Some(unfinished) = unfinished {
        return Err(unfinished.error);
    }
    tokens.retain(|token| token.kind != Kind::Comment);
    let mut cursor = Cursor { text, byte: 0, line: 1, column: 1 };
    cursor.advance_to(u64::MAX, 0);
    let at = cursor.location(base);
    tokens.push(Token { kind: Kind::End, range: text.len()..text.len(), at });
    Ok(tokens)
}

/// Walks the text by characters and counts as the tokenizer does.
struct Cursor<'a> {
    text: &'a str,
    byte: usize,
    line: u64,
    column: u64,
}

impl Cursor<'_> {
    fn advance_to(&mut self, line: u64, column: u64) {
        for ch in self.text[self.byte..].chars() {
            if (self.line, self.column) >= (line, column) {
                break;
            }
            self.byte += ch.len_utf8();
            if ch == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
    }

    fn location(&self, base: Location) -> Location {
        let line = u32::try_from(self.line).unwrap_or(u32::MAX);
        let column = u32::try_from(self.column).unwrap_or(u32::MAX);
        let column = if line == 1 { base.column.saturating_add(column - 1) } else { column };
        Location { line: base.line.saturating_add(line - 1), column }
    }
}

fn push(tokens: &mut Vec<Token>, raw: RawToken, text: &str, range: Range<usize>, at: Location) {
    let written = &text[range.clone()];
    let kind = match raw {
        RawToken::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => Kind::Comment,
        RawToken::Whitespace(_) => return,
        RawToken::Word(word) if word.quote_style.is_some() => Kind::Quoted(word.value),
        // `0x1` is a hexadecimal number to the tokenizer and an identifier to ksqlDB; so is `1L`.
        RawToken::Word(_) | RawToken::HexStringLiteral(_) | RawToken::Number(_, true) if is_word(written) => {
            Kind::Word(written.to_ascii_uppercase())
        }
        RawToken::Number(number, false) => Kind::Number(number),
        RawToken::SingleQuotedString(value) => Kind::Text(value),
        // Types nest: `ARRAY<ARRAY<INT>>`.
        RawToken::ShiftRight => {
            let second = Location { column: at.column.saturating_add(1), ..at };
            tokens.push(Token { kind: Kind::Symbol(">"), range: range.start..range.start + 1, at });
            tokens.push(Token { kind: Kind::Symbol(">"), range: range.start + 1..range.end, at: second });
            return;
        }
        _ => symbol(written).map_or(Kind::Other, Kind::Symbol),
    };
    tokens.push(Token { kind, range, at });
}

fn is_word(written: &str) -> bool {
    written.chars().all(|ch| Lexical.is_identifier_part(ch))
}

fn symbol(written: &str) -> Option<&'static str> {
    const SYMBOLS: &[&str] = &[
        "(", ")", "[", "]", ",", ".", ";", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "||", "->", "=>",
        ":=",
    ];
    if written == "!=" {
        return Some("<>");
    }
    SYMBOLS.iter().find(|symbol| **symbol == written).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        scan(text, Location { line: 1, column: 1 }).0.into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn words_numbers_and_strings() {
        let word = |text: &str| Kind::Word(text.to_owned());
        assert_eq!(kinds("ab `c``d` \"e\""), [word("AB"), Kind::Quoted("c`d".into()), Kind::Quoted("e".into())]);
        assert_eq!(kinds("1R 0x1f 2L _x a@b"), [word("1R"), word("0X1F"), word("2L"), word("_X"), word("A@B")]);
        assert_eq!(kinds("'it''s \\'"), [Kind::Text("it's \\".into())]);
        for number in ["1", "1.5", ".5", "5.", "1e3", "1.5E-3"] {
            assert_eq!(kinds(number), [Kind::Number(number.into())], "{number}");
        }
    }

    #[test]
    fn the_place_counts_characters_from_one() {
        let (tokens, unfinished) = scan("a\n  'é😀' b", Location { line: 3, column: 5 });
        assert!(unfinished.is_none());
        let places: Vec<_> = tokens.iter().map(|token| (token.at.line, token.at.column)).collect();
        assert_eq!(places, [(3, 5), (4, 3), (4, 8)]);
        assert_eq!(tokens[2].range, 13..14);
    }

    #[test]
    fn an_open_quote_is_told_with_its_place() {
        for (text, mark) in [("a 'b", "'"), ("a `b", "`"), ("a \"b", "\""), ("a /* b", "*/")] {
            let error = lex(text, Location { line: 1, column: 1 }).unwrap_err();
            assert_eq!(error.at, Some(Location { line: 1, column: 3 }));
            assert!(error.what.contains(mark), "{}", error.what);
        }
    }
}

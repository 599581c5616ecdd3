//! What each part of a text is, for colouring it while it is typed. Never fails: half a statement is what it sees most.

use std::ops::Range;

use super::ast::Location;
use super::keywords::KEYWORDS;
use super::lexer::{Kind, scan};

/// What a token is to the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenClass {
    Keyword,
    /// A name, quoted or not.
    Identifier,
    /// A name right before `(`.
    Function,
    Number,
    String,
    Comment,
    /// Operators and punctuation.
    Symbol,
    /// What the language doesn't have.
    Other,
}

/// The tokens of a text in order, with their byte ranges; white space lies between them.
/// What follows an open quote or comment is one token to the end.
pub fn tokens(text: &str) -> Vec<(Range<usize>, TokenClass)> {
    let (tokens, unfinished) = scan(text, Location { line: 1, column: 1 });
    let mut out = Vec::with_capacity(tokens.len() + 1);
    for (index, token) in tokens.iter().enumerate() {
        let before_call = tokens.get(index + 1).is_some_and(|next| next.kind == Kind::Symbol("("));
        let class = match &token.kind {
            Kind::Word(word) if KEYWORDS.binary_search(&word.as_str()).is_ok() => TokenClass::Keyword,
            Kind::Word(_) if before_call => TokenClass::Function,
            Kind::Word(_) | Kind::Quoted(_) => TokenClass::Identifier,
            Kind::Number(_) => TokenClass::Number,
            Kind::Text(_) => TokenClass::String,
            Kind::Comment => TokenClass::Comment,
            Kind::Symbol(_) => TokenClass::Symbol,
            Kind::Other | Kind::End => TokenClass::Other,
        };
        out.push((token.range.clone(), class));
    }
    if let Some(unfinished) = unfinished {
        let class = match text[unfinished.range.clone()].chars().next() {
            Some('\'') => TokenClass::String,
            Some('`' | '"') => TokenClass::Identifier,
            Some('/') => TokenClass::Comment,
            _ => TokenClass::Other,
        };
        out.push((unfinished.range, class));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_typed_statement_has_its_classes() {
        let text = "SELECT ucase(name), 1 -- c\nFROM `x` WHERE a = 'op";
        let shown: Vec<_> = tokens(text).into_iter().map(|(range, class)| (&text[range], class)).collect();
        use TokenClass::*;
        let expected = [
            ("SELECT", Keyword),
            ("ucase", Function),
            ("(", Symbol),
            ("name", Identifier),
            (")", Symbol),
            (",", Symbol),
            ("1", Number),
            ("-- c\n", Comment),
            ("FROM", Keyword),
            ("`x`", Identifier),
            ("WHERE", Keyword),
            ("a", Identifier),
            ("=", Symbol),
            ("'op", String),
        ];
        assert_eq!(shown, expected);
    }
}

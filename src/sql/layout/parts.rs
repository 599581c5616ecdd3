//! Tokens with the comments around them.

use std::collections::BTreeSet;

use crate::sql::keywords::KEYWORDS;
use crate::sql::lexer::{Kind, Token};

/// A token, and what of the text around it stays.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub kind: Kind,
    /// As it is printed.
    pub text: String,
    /// It names something, whatever the word means elsewhere.
    pub is_name: bool,
    /// Comments before it, each on lines of its own (or, of `/* */`, on its line).
    pub before: Vec<Comment>,
    /// A comment behind it on its line.
    pub behind: Option<String>,
    /// An empty line stands right before it.
    pub blank_before: bool,
    /// No white space stands before it.
    pub adjoins: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub text: String,
    pub blank_before: bool,
    /// It goes on in the line of the token behind it.
    pub inline: bool,
}

impl Item {
    pub fn ends_statement(&self) -> bool {
        self.is(";")
    }

    pub fn is(&self, symbol: &str) -> bool {
        matches!(self.kind, Kind::Symbol(found) if found == symbol)
    }

    /// A keyword, where it is one.
    pub fn keyword(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) if !self.is_name => Some(word),
            _ => None,
        }
    }

    pub fn is_keyword(&self, word: &str) -> bool {
        self.keyword() == Some(word)
    }
}

/// The items of a text; the last has no text, if comments stand at the text's end.
pub(super) fn items(text: &str, tokens: &[Token], names: &BTreeSet<usize>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::with_capacity(tokens.len());
    let mut before: Vec<Comment> = Vec::new();
    let mut end = 0;
    for (number, token) in tokens.iter().enumerate() {
        let gap = &text[end..token.range.start];
        let lines = gap.matches('\n').count() + ends_line(text, end);
        let written = &text[token.range.clone()];
        end = token.range.end;
        if token.kind == Kind::Comment {
            let next = tokens.get(number + 1);
            let gap_behind = &text[end..next.map_or(text.len(), |next| next.range.start)];
            let ends = written.starts_with("--") || gap_behind.contains('\n') || next.is_none();
            match items.last_mut() {
                Some(item) if lines == 0 && ends && before.is_empty() && item.behind.is_none() => {
                    item.behind = Some(tidy(written));
                }
                _ => before.push(Comment { text: tidy(written), blank_before: lines > 1, inline: !ends }),
            }
            continue;
        }
        let is_name = names.contains(&token.range.start);
        let is_keyword = |word: &String| !is_name && KEYWORDS.binary_search(&word.as_str()).is_ok();
        let text = match &token.kind {
            Kind::Word(word) if is_keyword(word) => word.clone(),
            _ => written.to_owned(),
        };
        let adjoins = gap.is_empty() && before.is_empty() && number > 0;
        let before = std::mem::take(&mut before);
        let kind = token.kind.clone();
        items.push(Item { kind, text, is_name, before, behind: None, blank_before: lines > 1, adjoins });
    }
    if !before.is_empty() {
        let (kind, text) = (Kind::End, String::new());
        items.push(Item { kind, text, is_name: false, before, behind: None, blank_before: false, adjoins: false });
    }
    items
}

/// A comment `-- ...` has the end of its line in it.
fn ends_line(text: &str, end: usize) -> usize {
    usize::from(end > 0 && text.as_bytes()[end - 1] == b'\n')
}

/// A comment without white space at the ends of its lines.
fn tidy(comment: &str) -> String {
    comment.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

//! Cuts a text into statements without understanding them, so that a statement may be half typed or wrong.

use std::ops::Range;

use super::ast::Location;

/// The statements of a text, each from its first word to before its `;` (comments within it kept), and where it
/// begins. `rest` is what follows the last `;`: empty unless a statement is unfinished there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    pub statements: Vec<(String, Location)>,
    pub rest: String,
}

/// What one piece of a text is, for those who only need quotes and comments told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Plain,
    /// `'...'`, `"..."` or `` `...` ``
    Quoted,
    Comment,
    Semicolon,
}

/// The pieces of a text in order, without gaps. A quote or block comment that isn't closed reaches to the end.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = (Piece, Range<usize>, Closed)> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let (piece, length, closed) = next_piece(rest);
        let range = start..start + length;
        start = range.end;
        Some((piece, range, closed))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    Yes,
    No,
}

fn next_piece(rest: &str) -> (Piece, usize, Closed) {
    let bytes = rest.as_bytes();
    match bytes[0] {
        b';' => (Piece::Semicolon, 1, Closed::Yes),
        quote @ (b'\'' | b'"' | b'`') => match memchr::memchr(quote, &bytes[1..]) {
            // A doubled quote is two quoted pieces in a row, which is as good.
            Some(end) => (Piece::Quoted, end + 2, Closed::Yes),
            None => (Piece::Quoted, bytes.len(), Closed::No),
        },
        b'-' if bytes.get(1) == Some(&b'-') => {
            (Piece::Comment, memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1), Closed::Yes)
        }
        b'/' if bytes.get(1) == Some(&b'*') => match memchr::memmem::find(&bytes[2..], b"*/") {
            Some(end) => (Piece::Comment, end + 4, Closed::Yes),
            None => (Piece::Comment, bytes.len(), Closed::No),
        },
        _ => {
            let special = |(i, byte): (usize, &u8)| match byte {
                b';' | b'\'' | b'"' | b'`' => true,
                b'-' => bytes.get(i + 1) == Some(&b'-'),
                b'/' => bytes.get(i + 1) == Some(&b'*'),
                _ => false,
            };
            let end = bytes.iter().enumerate().skip(1).position(special).map_or(bytes.len(), |end| end + 1);
            (Piece::Plain, end, Closed::Yes)
        }
    }
}

/// Cuts at every `;` outside quotes and comments. A piece of comments alone is no statement.
pub fn split(text: &str) -> Split {
    let mut out = Split::default();
    let mut place = Place::default();
    let mut open: Option<(usize, Location)> = None;
    for (piece, range, closed) in pieces(text) {
        match piece {
            Piece::Semicolon => {
                if let Some((start, at)) = open.take() {
                    out.statements.push((text[start..range.start].trim_end().to_owned(), at));
                }
            }
            Piece::Comment if closed == Closed::Yes => {}
            _ if open.is_none() => {
                let blank = text[range.clone()].len() - text[range.clone()].trim_start().len();
                if blank < range.len() {
                    let start = range.start + blank;
                    open = Some((start, place.advance(text, start)));
                }
            }
            _ => {}
        }
    }
    out.rest = open.map_or_else(String::new, |(start, _)| text[start..].to_owned());
    out
}

/// The statements of a text with the bytes that they are at, the unfinished one at its end included.
pub(super) fn ranges(text: &str) -> Vec<(&str, Range<usize>)> {
    let mut ranges = Vec::new();
    let mut open: Option<usize> = None;
    let mut end = 0;
    for (piece, range, _) in pieces(text) {
        match piece {
            Piece::Semicolon => ranges.extend(open.take().map(|start| start..end)),
            Piece::Comment => {}
            Piece::Plain | Piece::Quoted => {
                let written = &text[range.clone()];
                if written.trim().is_empty() {
                    continue;
                }
                open.get_or_insert(range.start + written.len() - written.trim_start().len());
                end = range.start + written.trim_end().len();
            }
        }
    }
    ranges.extend(open.map(|start| start..end));
    ranges.into_iter().map(|range| (&text[range.clone()], range)).collect()
}

/// Where the unfinished statement of a text begins, if there is one.
pub(super) fn rest_location(text: &str, rest: &str) -> Location {
    Place::default().advance(text, text.len() - rest.len())
}

/// A directive comment of the test runner, `--@name: value` or `--@name`, one a line.
///
/// The name is given as written and without `@`, the value trimmed.
pub fn directives(text: &str) -> Vec<(Location, String, String)> {
    let mut place = Place::default();
    let comments = pieces(text).filter(|(piece, ..)| *piece == Piece::Comment);
    comments
        .filter_map(|(_, range, _)| {
            let body = text[range.clone()].strip_prefix("--@")?;
            let (name, value) = body.split_once(':').unwrap_or((body, ""));
            Some((place.advance(text, range.start), name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// Counts lines and columns on the way through a text, once.
pub(super) struct Place {
    byte: usize,
    at: Location,
}

impl Default for Place {
    fn default() -> Self {
        Place { byte: 0, at: Location { line: 1, column: 1 } }
    }
}

impl Place {
    /// The place of a byte that isn't before the last one asked for.
    pub(super) fn advance(&mut self, text: &str, byte: usize) -> Location {
        for ch in text[self.byte..byte].chars() {
            if ch == '\n' {
                self.at = Location { line: self.at.line.saturating_add(1), column: 1 };
            } else {
                self.at.column = self.at.column.saturating_add(1);
            }
        }
        self.byte = byte;
        self.at
    }
}

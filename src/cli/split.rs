//! Cuts a text into statements at `;`, outside quotes and comments.

/// A statement and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Without leading white space and comments, without the `;`.
    pub text: &'a str,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// What a text holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Pieces<'a> {
    pub complete: Vec<Piece<'a>>,
    /// What stands behind the last `;`, unless it is white space and comments only.
    pub rest: Option<Piece<'a>>,
}

/// Cuts a text. Never fails: what is not a statement is told by the parser.
pub fn split(text: &str) -> Pieces<'_> {
    let mut complete = Vec::new();
    let mut start = None;
    let mut at = 0;
    while at < text.len() {
        let (kind, end) = token(text, at);
        match kind {
            Token::Blank => {}
            Token::Semicolon => {
                if let Some(start) = start.take() {
                    complete.push(piece(text, start, at));
                }
            }
            Token::Other => {
                start.get_or_insert(at);
            }
        }
        at = end;
    }
    Pieces { complete, rest: start.map(|start| piece(text, start, text.len())) }
}

fn piece(text: &str, start: usize, end: usize) -> Piece<'_> {
    let before = &text[..start];
    let line = before.bytes().filter(|&byte| byte == b'\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
    Piece { text: text[start..end].trim_end(), line, column }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// White space or a comment.
    Blank,
    Semicolon,
    /// A quoted text, or one character.
    Other,
}

/// The token at `at`, and where it ends.
fn token(text: &str, at: usize) -> (Token, usize) {
    let rest = &text[at..];
    let until = |closing: &str, from: usize| {
        rest.get(from..).and_then(|tail| tail.find(closing)).map_or(text.len(), |i| at + from + i + closing.len())
    };
    match rest.as_bytes() {
        [b'-', b'-', ..] => (Token::Blank, until("\n", 2)),
        [b'/', b'*', ..] => (Token::Blank, until("*/", 2)),
        // A doubled quote inside is two quoted texts side by side: the same cut.
        [b'\'', ..] => (Token::Other, until("'", 1)),
        [b'"', ..] => (Token::Other, until("\"", 1)),
        [b'`', ..] => (Token::Other, until("`", 1)),
        [b';', ..] => (Token::Semicolon, at + 1),
        _ => match rest.chars().next() {
            Some(c) if c.is_whitespace() => (Token::Blank, at + c.len_utf8()),
            c => (Token::Other, at + c.map_or(1, char::len_utf8)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> (Vec<&str>, Option<&str>) {
        let pieces = split(text);
        (pieces.complete.iter().map(|piece| piece.text).collect(), pieces.rest.map(|rest| rest.text))
    }

    #[test]
    fn cuts_outside_quotes_and_comments() {
        assert_eq!(texts("a; b;"), (vec!["a", "b"], None));
        assert_eq!(texts("a 'x;''y' ; `b;c`"), (vec!["a 'x;''y'"], Some("`b;c`")));
        assert_eq!(texts("-- no; \n a /* ; */ b; -- end;"), (vec!["a /* ; */ b"], None));
        assert_eq!(texts(";;"), (vec![], None));
        assert_eq!(texts("a 'open; b"), (vec![], Some("a 'open; b")));
        assert_eq!(texts("a /* open; b"), (vec![], Some("a /* open; b")));
        assert_eq!(texts(""), (vec![], None));
    }

    #[test]
    fn tells_where_statements_begin() {
        let pieces = split("SHOW TOPICS;\n  -- c\n 한 SHOW X; y");
        let places: Vec<_> =
            pieces.complete.iter().chain(&pieces.rest).map(|piece| (piece.line, piece.column)).collect();
        assert_eq!(places, [(1, 1), (3, 2), (3, 12)]);
    }
}

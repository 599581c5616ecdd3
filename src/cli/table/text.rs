//! Text in cells of a terminal: Hangul and most emoji take two.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cuts a text to a width; `...` tells that something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let dots = width.min(3);
    let mut left = width - dots;
    let mut end = String::new();
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        end.push(c);
    }
    end + &"...".as_bytes()[..dots].iter().map(|&dot| char::from(dot)).collect::<String>()
}

/// Control characters would tear the table, or worse; they are shown as escapes. Line breaks stay.
pub(super) fn printable(text: &str) -> String {
    if !text.chars().any(|c| c.is_control() && c != '\n') {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// Breaks a text into lines of at most `width` cells: between words, unless that leaves a line half empty.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for part in text.split('\n') {
        let mut line = String::new();
        for c in part.chars() {
            // Of the whole line: the characters of one emoji together are as wide as the first of them.
            line.push(c);
            if line.width() <= width || line.len() == c.len_utf8() {
                continue;
            }
            line.pop();
            let rest = match line.rfind(' ') {
                Some(space) if c != ' ' && line[..space].width() > width / 2 => line.split_off(space + 1),
                _ => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest).trim_end().to_owned());
            if c != ' ' {
                line.push(c);
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_where_that_costs_little() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one two", 3), ["one", "two"]);
        assert_eq!(wrap("a bcdefghij", 5), ["a bcd", "efghi", "j"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("가나다", 1), ["가", "나", "다"]);
        let family = "a 👩\u{200d}👩\u{200d}👧 b";
        assert_eq!(wrap(family, family.width()), [family]);
    }

    #[test]
    fn cutting_never_splits_a_wide_character() {
        assert_eq!(cut("가나다라마", 7), "가나...");
        assert_eq!(cut("가나다라마", 6), "가...");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 2), "..");
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable("a\u{1b}[31m\tb"), "a\\u{1b}[31m\\tb");
    }
}

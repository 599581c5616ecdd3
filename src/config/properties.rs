//! Java's `.properties` files: `key = value` lines, as ksqlDB's and Kafka's own configuration is written.

use crate::error::Result;
use crate::messages;
use crate::sql::ast::Location;

/// One entry, with the line it begins in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    pub name: String,
    pub value: String,
    /// From 1.
    pub line: u32,
}

/// Reads the entries of a file, in its order.
///
/// A line that ends in an odd number of backslashes goes on in the next one, whose leading blanks don't count. `#` and `!`
/// begin a comment line. Key and value are separated by `=`, `:` or blanks. Escapes: `\t`, `\n`, `\r`, `\f`, `\uXXXX`; a
/// backslash before any other character is left out.
///
/// Errors: a `\u` without four hexadecimal digits.
pub fn parse(text: &str) -> Result<Vec<Property>> {
    let mut properties = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let mut logical = first.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while goes_on(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start());
        }
        let line = index as u32 + 1;
        let (name, value) = split(&logical);
        let unescaped = |text: &str| unescape(text).map_err(|error| error.at(Location { line, column: 1 }));
        properties.push(Property { name: unescaped(name)?, value: unescaped(value)?, line });
    }
    Ok(properties)
}

fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value as they stand, escapes and all.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
        escaped = c == '\\' && !escaped;
        ends
    });
    let Some(end) = end else { return (line, "") };
    let rest = line[end..].trim_start();
    (&line[..end], rest.strip_prefix(['=', ':']).map_or(rest, str::trim_start))
}

fn unescape(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => {}
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                let unit = code.ok_or_else(|| messages::settings::no_character(&digits))?;
                out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|property| (property.name, property.value)).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    /// The rules of java.util.Properties.load, one by one.
    #[test]
    fn reads_what_java_reads() {
        assert_eq!(pairs("a=b"), [pair("a", "b")]);
        assert_eq!(pairs("a = b c "), [pair("a", "b c ")]);
        assert_eq!(pairs("a:b"), [pair("a", "b")]);
        assert_eq!(pairs("a b"), [pair("a", "b")]);
        assert_eq!(pairs("a"), [pair("a", "")]);
        assert_eq!(pairs("a=b=c:d"), [pair("a", "b=c:d")]);
        assert_eq!(pairs("  # note\n! note\n\n   \na=1\r\nb=2"), [pair("a", "1"), pair("b", "2")]);
        assert_eq!(pairs("a=1,\\\n    2\nb=3"), [pair("a", "1,2"), pair("b", "3")]);
        assert_eq!(pairs("a=\\\\\nb=1"), [pair("a", "\\"), pair("b", "1")]);
        assert_eq!(pairs("a\\=b\\ c=d"), [pair("a=b c", "d")]);
        assert_eq!(pairs("a=\\u00e9\\tx\\q"), [pair("a", "é\txq")]);
        assert_eq!(pairs("a=1\\"), [pair("a", "1")]);
    }

    #[test]
    fn tells_the_line_of_a_bad_escape() {
        let error = parse("a=1\nb=\\u12").unwrap_err();
        assert_eq!(error.at, Some(Location { line: 2, column: 1 }));
        assert_eq!(parse("\n\na=1").unwrap()[0].line, 3);
    }
}

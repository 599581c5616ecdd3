//! CSV records to JSON objects, by the header's names.
//!
//! Own reading instead of a library's, since it matters here whether a field was quoted: `12` is a number, `"12"` a
//! text. A field becomes a number, true or false only if its text is that of the JSON value, so that nothing is lost:
//! `0012` stays a text.

use std::ops::Range;

use crate::error::Error;

use super::key::KeyWriter;
use super::record::{Draft, Shape, Taken};
use super::time::parse_timestamp;

/// Makes records of CSV lines.
pub struct Csv {
    delimiter: u8,
    null: Option<Vec<u8>>,
    /// `{"a":`, `,"b":`, ...: what stands before each value.
    prefixes: Vec<Vec<u8>>,
    key_field: Option<usize>,
    time_field: Option<usize>,
    key: KeyWriter,
    fields: Vec<Field>,
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    /// In the line; without quotes.
    at: Range<usize>,
    quoted: Quoted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoted {
    No,
    Plain,
    /// Has doubled quotes inside.
    Doubled,
}

impl Csv {
    /// `key` and `time` are names of the header. An error if they or the header are wrong.
    pub fn new(
        header: &[u8],
        delimiter: u8,
        null: Option<Vec<u8>>,
        key: Option<&str>,
        time: Option<&str>,
        key_writer: KeyWriter,
    ) -> Result<Self, Error> {
        let header = trim_line(header.strip_prefix(b"\xef\xbb\xbf").unwrap_or(header));
        let wrong = |what: &str| Error::world(format!("line 1: {what}")).hint("the first line names the fields");
        let mut fields = Vec::new();
        cut(header, delimiter, &mut fields).map_err(|fault| wrong(fault.text()))?;
        let mut names = Vec::with_capacity(fields.len());
        for (i, field) in fields.iter().enumerate() {
            let text = String::from_utf8(plain(header, field)).map_err(|_| wrong("the header is not UTF-8"))?;
            let name = if text.is_empty() { format!("column_{}", i + 1) } else { text };
            if names.contains(&name) {
                return Err(wrong(&format!("the header has '{name}' twice")));
            }
            names.push(name);
        }
        let find = |wanted: Option<&str>| match wanted {
            None => Ok(None),
            Some(wanted) => match names.iter().position(|name| name == wanted) {
                Some(at) => Ok(Some(at)),
                None => Err(Error::world(format!("the header has no field '{wanted}'"))
                    .hint(format!("it has {}", names.join(", ")))),
            },
        };
        let (key_field, time_field) = (find(key)?, find(time)?);
        let prefixes = names.iter().enumerate().map(|(i, name)| {
            let mut prefix = vec![if i == 0 { b'{' } else { b',' }];
            put_string(name.as_bytes(), &mut prefix);
            prefix.push(b':');
            prefix
        });
        let prefixes = prefixes.collect();
        let scratch = Vec::new();
        Ok(Csv { delimiter, null, prefixes, key_field, time_field, key: key_writer, fields, scratch })
    }

    fn is_null(&self, line: &[u8], field: &Field) -> bool {
        field.quoted == Quoted::No && (field.at.is_empty() || self.null.as_deref() == Some(&line[field.at.clone()]))
    }

    fn put_key(&mut self, line: &[u8], draft: &mut Draft) -> Result<(), String> {
        let Some(field) = self.key_field.map(|at| &self.fields[at]) else { return Ok(()) };
        draft.key_null = self.is_null(line, field);
        if draft.key_null {
            return Ok(());
        }
        let text = match field.quoted {
            Quoted::Doubled => {
                self.scratch = plain(line, field);
                self.scratch.as_slice()
            }
            _ => &line[field.at.clone()],
        };
        if self.key.is_json() && field.quoted != Quoted::No {
            put_string(text, &mut draft.key);
            return Ok(());
        }
        self.key.put(text, &mut draft.key)
    }

    fn put_time(&self, line: &[u8], draft: &mut Draft) -> Result<(), String> {
        let Some(field) = self.time_field.map(|at| &self.fields[at]) else { return Ok(()) };
        let text = &line[field.at.clone()];
        draft.timestamp = parse_timestamp(text);
        match draft.timestamp {
            Some(timestamp) if timestamp >= 0 => Ok(()),
            _ => Err(format!("'{}' is no time (epoch milliseconds or ISO 8601)", String::from_utf8_lossy(text))),
        }
    }

    fn put_values(&self, line: &[u8], out: &mut Vec<u8>) {
        out.reserve(line.len() + self.prefixes.iter().map(Vec::len).sum::<usize>() + 16);
        for (field, prefix) in self.fields.iter().zip(&self.prefixes) {
            out.extend_from_slice(prefix);
            let text = &line[field.at.clone()];
            match field.quoted {
                Quoted::No if self.is_null(line, field) => out.extend_from_slice(b"null"),
                Quoted::No => put_plain(text, out),
                Quoted::Plain => put_string(text, out),
                Quoted::Doubled => put_string(&plain(line, field), out),
            }
        }
        out.push(b'}');
    }
}

impl Shape for Csv {
    fn take(&mut self, line: &[u8], draft: &mut Draft) -> Taken {
        let line = trim_line(line);
        if line.is_empty() {
            return Taken::Nothing;
        }
        match cut(line, self.delimiter, &mut self.fields) {
            Ok(()) => {}
            Err(Fault::Open) => return Taken::Unfinished(Fault::Open.text()),
            Err(fault) => return Taken::Bad(fault.text().to_owned()),
        }
        if self.fields.len() != self.prefixes.len() {
            return Taken::Bad(format!("{} fields where the header has {}", self.fields.len(), self.prefixes.len()));
        }
        if simdutf8::basic::from_utf8(line).is_err() {
            return Taken::Bad("the line is not UTF-8".to_owned());
        }
        let parts = self.put_key(line, draft).and_then(|()| self.put_time(line, draft));
        if let Err(what) = parts {
            return Taken::Bad(what);
        }
        self.put_values(line, &mut draft.value);
        Taken::Record
    }
}

fn trim_line(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Open,
    BehindQuote,
}

impl Fault {
    fn text(self) -> &'static str {
        match self {
            Fault::Open => "a quote is never closed",
            Fault::BehindQuote => "text behind a closing quote",
        }
    }
}

/// Cuts a record into fields.
fn cut(line: &[u8], delimiter: u8, fields: &mut Vec<Field>) -> Result<(), Fault> {
    fields.clear();
    if memchr::memchr(b'"', line).is_none() {
        let mut start = 0;
        for at in memchr::memchr_iter(delimiter, line) {
            fields.push(Field { at: start..at, quoted: Quoted::No });
            start = at + 1;
        }
        fields.push(Field { at: start..line.len(), quoted: Quoted::No });
        return Ok(());
    }
    let mut start = 0;
    loop {
        let (field, end) = if line.get(start) == Some(&b'"') {
            quoted_field(line, start + 1)?
        } else {
            let end = memchr::memchr(delimiter, &line[start..]).map_or(line.len(), |at| start + at);
            (Field { at: start..end, quoted: Quoted::No }, end)
        };
        fields.push(field);
        match line.get(end) {
            None => return Ok(()),
            Some(&byte) if byte == delimiter => start = end + 1,
            Some(_) => return Err(Fault::BehindQuote),
        }
    }
}

/// A field whose opening quote stands before `start`; also where it ends, closing quote included.
fn quoted_field(line: &[u8], start: usize) -> Result<(Field, usize), Fault> {
    let mut quoted = Quoted::Plain;
    let mut at = start;
    loop {
        at += memchr::memchr(b'"', &line[at..]).ok_or(Fault::Open)?;
        if line.get(at + 1) != Some(&b'"') {
            return Ok((Field { at: start..at, quoted }, at + 1));
        }
        quoted = Quoted::Doubled;
        at += 2;
    }
}

/// The field's text with doubled quotes made single.
fn plain(line: &[u8], field: &Field) -> Vec<u8> {
    let text = &line[field.at.clone()];
    if field.quoted != Quoted::Doubled {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut quote = false;
    for &byte in text {
        quote = byte == b'"' && !quote;
        if !quote {
            out.push(byte);
        }
    }
    out
}

/// An unquoted text: as it stands if it is a JSON number, true or false, else as a string.
pub(super) fn put_plain(text: &[u8], out: &mut Vec<u8>) {
    if is_number(text) || text == b"true" || text == b"false" {
        out.extend_from_slice(text);
    } else {
        put_string(text, out);
    }
}

/// By JSON's grammar: no leading zeros, no `+`, no `.5`.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let len = digits(fraction);
        if len == 0 {
            return false;
        }
        rest = &fraction[len..];
    }
    match rest {
        [] => true,
        [b'e' | b'E', exponent @ ..] => {
            let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        _ => false,
    }
}

/// Appends a JSON string; the text must be UTF-8 for it to be JSON.
pub(super) fn put_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut start = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[start..at]);
        start = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&text[start..]);
    out.push(b'"');
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;

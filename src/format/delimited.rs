//! DELIMITED: one line of separated fields, quoted as commons-csv does. Doesn't know nested types.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::BooleanBuffer;

use super::builder::{Column, Values};
use super::text::push_text;
use super::{
    BATCH_BYTES_MAX, BadRow, Decoded, Decoder, Encoded, Encoder, Layout, Part, encode_rows, null_rows, part_of, shown,
};
use crate::log::{Records, Span};
use crate::types::{SqlType, Value};

pub(super) struct DelimitedDecoder {
    delimiter: String,
    /// All columns; fields nobody wants are counted, not read.
    columns: Vec<(String, Option<Column>)>,
    wanted: Vec<usize>,
    fields: Fields,
}

impl DelimitedDecoder {
    pub fn new(layout: &Layout, wanted: &[usize]) -> Self {
        let column = |(i, (name, ty)): (usize, &(String, SqlType))| {
            (format!("`{name}` {ty}"), wanted.contains(&i).then(|| Column::new(ty)))
        };
        DelimitedDecoder {
            delimiter: layout.delimiter.to_string(),
            columns: layout.columns.iter().enumerate().map(column).collect(),
            wanted: wanted.to_vec(),
            fields: Fields::default(),
        }
    }

    fn row(&mut self, bytes: &[u8]) -> Result<(), String> {
        // As Java does: what isn't UTF-8 becomes the replacement character.
        self.fields.read(&String::from_utf8_lossy(bytes), &self.delimiter)?;
        if self.fields.len() != self.columns.len() {
            return Err(format!("found {} fields for {} columns", self.fields.len(), self.columns.len()));
        }
        for (i, (name, column)) in self.columns.iter_mut().enumerate() {
            let Some(column) = column else { continue };
            match (self.fields.get(i), &mut column.values) {
                ("", _) => column.push_null(),
                (text, Values::Boolean(values)) => {
                    values.append(text.eq_ignore_ascii_case("true"));
                    column.nulls.append_non_null();
                }
                (text, _) => push_text(column, text).map_err(|found| format!("column {name}: found {found}"))?,
            }
        }
        Ok(())
    }

    fn columns(&mut self) -> impl Iterator<Item = &mut Column> {
        self.columns.iter_mut().filter_map(|(_, column)| column.as_mut())
    }
}

impl Decoder for DelimitedDecoder {
    fn decode(&mut self, records: &Records, part: Part) -> Decoded {
        let mut nulls = Vec::new();
        let mut bad = Vec::new();
        let too_large = records.data.len() > BATCH_BYTES_MAX;
        for row in 0..records.len() {
            let read = match part_of(records, part, row) {
                None => {
                    nulls.push(row);
                    self.columns().for_each(Column::push_null);
                    continue;
                }
                Some(_) if too_large => Err("the batch is too large".to_string()),
                Some(bytes) => self.row(bytes),
            };
            if let Err(reason) = read {
                bad.push(BadRow { row, reason });
                self.columns().for_each(|column| {
                    column.truncate(row);
                    column.push_null();
                });
            }
        }
        let mut finish =
            |i: &usize| self.columns.get_mut(*i).and_then(|(_, column)| column.as_mut()).map(Column::finish);
        let columns = self.wanted.iter().filter_map(&mut finish).collect();
        Decoded { columns, nulls: null_rows(&nulls, records.len()), bad }
    }
}

/// The fields of a line, one after another in one buffer.
#[derive(Debug, Default)]
struct Fields {
    text: String,
    ends: Vec<usize>,
}

impl Fields {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    /// Reads the first line of a text that isn't empty.
    fn read(&mut self, text: &str, delimiter: &str) -> Result<(), String> {
        self.text.clear();
        self.ends.clear();
        let mut rest = text.trim_start_matches(['\r', '\n']);
        if rest.is_empty() {
            return Err("there are no fields in the record".to_string());
        }
        loop {
            rest = match rest.strip_prefix('"') {
                Some(quoted) => self.quoted(quoted, delimiter)?,
                None => self.plain(rest, delimiter),
            };
            self.ends.push(self.text.len());
            match rest.strip_prefix(delimiter) {
                Some(next) => rest = next,
                None => return Ok(()),
            }
        }
    }

    /// A field without quotes; gives what follows it. Quotes inside it are characters like others.
    fn plain<'a>(&mut self, rest: &'a str, delimiter: &str) -> &'a str {
        let line = rest.find(['\r', '\n']).map_or(rest, |end| &rest[..end]);
        let field = line.find(delimiter).map_or(line, |end| &line[..end]);
        self.text.push_str(field);
        &rest[field.len()..]
    }

    /// A field after its opening quote; gives what follows it. A doubled quote stands for one.
    fn quoted<'a>(&mut self, mut rest: &'a str, delimiter: &str) -> Result<&'a str, String> {
        loop {
            let Some(quote) = rest.find('"') else {
                return Err(format!("the quoted field {} has no end", shown(rest)));
            };
            self.text.push_str(&rest[..quote]);
            rest = &rest[quote + 1..];
            let Some(next) = rest.strip_prefix('"') else { break };
            self.text.push('"');
            rest = next;
        }
        // Blanks between the closing quote and the delimiter are nobody's.
        while !rest.is_empty() && !rest.starts_with(delimiter) && !rest.starts_with(['\r', '\n']) {
            match rest.strip_prefix(char::is_whitespace) {
                Some(next) => rest = next,
                None => return Err(format!("found {} between a closing quote and the delimiter", shown(rest))),
            }
        }
        Ok(rest)
    }
}

pub(super) struct DelimitedEncoder {
    delimiter: String,
    types: Vec<SqlType>,
    field: String,
    line: String,
}

impl DelimitedEncoder {
    pub fn new(layout: &Layout) -> Self {
        DelimitedEncoder {
            delimiter: layout.delimiter.to_string(),
            types: layout.columns.iter().map(|(_, ty)| ty.clone()).collect(),
            field: String::new(),
            line: String::new(),
        }
    }

    fn row(&mut self, columns: &[ArrayRef], row: usize) {
        self.line.clear();
        for (i, (column, ty)) in columns.iter().zip(&self.types).enumerate() {
            if i > 0 {
                self.line.push_str(&self.delimiter);
            }
            if column.is_null(row) {
                continue;
            }
            self.field.clear();
            write_field(&mut self.field, &Value::from_array(column, row, ty));
            if needs_quotes(&self.field, i == 0, &self.delimiter) {
                self.line.push('"');
                self.line.push_str(&self.field.replace('"', "\"\""));
                self.line.push('"');
            } else {
                self.line.push_str(&self.field);
            }
        }
    }
}

/// Dates and times as numbers; all else as a terminal shows it.
fn write_field(out: &mut String, value: &Value) {
    // Writing to a string can't fail.
    let _ = match value {
        Value::Time(number) | Value::Date(number) => write!(out, "{number}"),
        Value::Timestamp(number) => write!(out, "{number}"),
        other => write!(out, "{other}"),
    };
}

/// The "minimal" rule of commons-csv: quotes where the field could be misread, and, carefully, where a line begins with
/// anything but a letter or digit, or a field with a character up to `#`.
fn needs_quotes(field: &str, first: bool, delimiter: &str) -> bool {
    let (Some(begin), Some(end)) = (field.bytes().next(), field.bytes().last()) else { return first };
    (first && !begin.is_ascii_alphanumeric())
        || begin <= b'#'
        || end <= b' '
        || field.contains(['\r', '\n', '"'])
        || field.contains(delimiter)
}

impl Encoder for DelimitedEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        nulls: Option<&BooleanBuffer>,
        data: &mut Vec<u8>,
        spans: &mut Vec<Span>,
    ) -> Vec<BadRow> {
        encode_rows(rows, nulls, data, spans, |row, data| {
            self.row(columns, row);
            data.bytes(self.line.as_bytes());
            Encoded::Bytes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_fields() {
        type Row<'a> = (&'a str, &'a str, Result<&'a [&'a str], ()>);
        let table: [Row; 16] = [
            ("a,b", ",", Ok(&["a", "b"])),
            ("a,", ",", Ok(&["a", ""])),
            (",", ",", Ok(&["", ""])),
            ("\"a,b\",c", ",", Ok(&["a,b", "c"])),
            ("\"a\"\"b\"", ",", Ok(&["a\"b"])),
            ("\"a\" \t,b", ",", Ok(&["a", "b"])),
            ("a\"b,c", ",", Ok(&["a\"b", "c"])),
            (" a , b ", ",", Ok(&[" a ", " b "])),
            ("a,b\r\nc,d,e", ",", Ok(&["a", "b"])),
            ("\n\na", ",", Ok(&["a"])),
            ("\"a\nb\"", ",", Ok(&["a\nb"])),
            ("äöé", "ö", Ok(&["ä", "é"])),
            ("\"a\"x,b", ",", Err(())),
            ("\"a", ",", Err(())),
            ("", ",", Err(())),
            ("\r\n", ",", Err(())),
        ];
        for (line, delimiter, expected) in table {
            let mut fields = Fields::default();
            let read = fields.read(line, delimiter).map_err(|_| ());
            let list: Vec<&str> = (0..fields.len()).map(|i| fields.get(i)).collect();
            assert_eq!(read.map(|()| list), expected.map(<[&str]>::to_vec), "{line:?}");
        }
    }

    #[test]
    fn fields_are_quoted_where_they_could_be_misread() {
        let table = [
            ("a", true, false),
            ("-1", true, true),
            ("-1", false, false),
            ("", true, true),
            ("", false, false),
            ("#a", false, true),
            (" a", false, true),
            ("a ", false, true),
            ("a b", false, false),
            ("a,b", false, true),
            ("a\"b", false, true),
            ("a\nb", false, true),
            ("é", true, true),
            ("é", false, false),
        ];
        for (field, first, quotes) in table {
            assert_eq!(needs_quotes(field, first, ","), quotes, "{field:?}");
        }
    }
}

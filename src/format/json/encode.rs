//! The encoder of JSON records: row by row from the columns, with names that were rendered beforehand.
//!
//! Names, texts and numbers are copied in pieces of a fixed size, whatever their length (`appender`).

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType, TimestampMillisecondType,
    i256,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::digits::{is_stop, stops, write_integer};
use crate::appender::{Appender, PIECE, chunk, copy_part};
use crate::format::{BadRow, Encoded, Encoder, KeyedRows, Layout, encode_rows};
use crate::log::Span;
use crate::types::{SqlType, decimal, text};

pub(in crate::format) struct JsonEncoder {
    members: Vec<Member>,
    /// The only column stands for itself.
    bare: bool,
    scratch: String,
}

/// A member of an object: what stands before its value, and what its type is.
struct Member {
    lead: Lead,
    ty: SqlType,
    /// Of a STRUCT.
    members: Vec<Member>,
    /// Of an ARRAY or MAP.
    item: Option<Box<Member>>,
}

/// The brace or comma before a member, and its name: `{"name":`.
struct Lead {
    pieces: Vec<[u8; PIECE]>,
    len: usize,
}

impl Lead {
    fn new(text: &str) -> Lead {
        let mut pieces = vec![[0; PIECE]; text.len().div_ceil(PIECE)];
        pieces.as_flattened_mut()[..text.len()].copy_from_slice(text.as_bytes());
        Lead { pieces, len: text.len() }
    }
}

impl Member {
    /// Those of an object, in their order.
    fn all<'a>(columns: impl IntoIterator<Item = &'a (String, SqlType)>) -> Vec<Member> {
        let member = |(index, (name, ty)): (usize, &'a (String, SqlType))| {
            let mut lead = String::from(if index == 0 { "{" } else { "," });
            text::write_json_string(&mut lead, name);
            lead.push(':');
            Member::new(&lead, ty)
        };
        columns.into_iter().enumerate().map(member).collect()
    }

    fn new(lead: &str, ty: &SqlType) -> Member {
        let members = match ty {
            SqlType::Struct(fields) => Member::all(fields),
            _ => Vec::new(),
        };
        let item = match ty {
            SqlType::Array(item) | SqlType::Map(item) => Some(Box::new(Member::new("", item))),
            _ => None,
        };
        Member { lead: Lead::new(lead), ty: ty.clone(), members, item }
    }
}

/// A column of a batch, ready to be written.
struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: CellValues<'a>,
}

enum CellValues<'a> {
    Boolean(&'a BooleanArray),
    Int(&'a [i32]),
    Bigint(&'a [i64]),
    Double(&'a [f64]),
    Decimal(&'a [i256], u32),
    String(&'a StringArray),
    /// In none of its texts is anything to be escaped.
    Plain(&'a StringArray),
    Bytes(&'a BinaryArray),
    Array(&'a [i32], Box<Cells<'a>>),
    Map(&'a [i32], &'a StringArray, Box<Cells<'a>>),
    Struct(Vec<(&'a Lead, Cells<'a>)>),
}

impl<'a> Cells<'a> {
    /// `None`: the column is not of the member's type.
    fn new(column: &'a dyn Array, member: &'a Member) -> Option<Cells<'a>> {
        let values = match &member.ty {
            SqlType::Boolean => CellValues::Boolean(column.as_boolean_opt()?),
            SqlType::Int => CellValues::Int(column.as_primitive_opt::<Int32Type>()?.values()),
            SqlType::Date => CellValues::Int(column.as_primitive_opt::<Date32Type>()?.values()),
            SqlType::Time => CellValues::Int(column.as_primitive_opt::<Time32MillisecondType>()?.values()),
            SqlType::Bigint => CellValues::Bigint(column.as_primitive_opt::<Int64Type>()?.values()),
            SqlType::Timestamp => CellValues::Bigint(column.as_primitive_opt::<TimestampMillisecondType>()?.values()),
            SqlType::Double => CellValues::Double(column.as_primitive_opt::<Float64Type>()?.values()),
            SqlType::Decimal { scale, .. } => {
                CellValues::Decimal(column.as_primitive_opt::<Decimal256Type>()?.values(), *scale)
            }
            SqlType::String => {
                let texts = column.as_string_opt()?;
                if is_plain(texts) { CellValues::Plain(texts) } else { CellValues::String(texts) }
            }
            SqlType::Bytes => CellValues::Bytes(column.as_binary_opt()?),
            SqlType::Array(_) => {
                let list = column.as_list_opt::<i32>()?;
                let items = Cells::new(list.values(), member.item.as_ref()?)?;
                CellValues::Array(list.value_offsets(), Box::new(items))
            }
            SqlType::Map(_) => {
                let map = column.as_map_opt()?;
                let values = Cells::new(map.values(), member.item.as_ref()?)?;
                CellValues::Map(map.value_offsets(), map.keys().as_string_opt()?, Box::new(values))
            }
            SqlType::Struct(_) => CellValues::Struct(members(column.as_struct_opt()?.columns(), &member.members)?),
        };
        Some(Cells { nulls: column.nulls(), values })
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Appender, scratch: &mut String) {
        if self.is_null(row) {
            return out.bytes(b"null");
        }
        match &self.values {
            CellValues::Plain(values) => write_plain(values, row, out),
            CellValues::String(values) => write_string(values, row, out),
            CellValues::Bigint(values) => write_integer(values[row], out),
            CellValues::Int(values) => write_integer(i64::from(values[row]), out),
            _ => self.write_other(row, out, scratch),
        }
    }

    /// What isn't on the hottest path.
    #[inline(never)]
    fn write_other(&self, row: usize, out: &mut Appender, scratch: &mut String) {
        match &self.values {
            CellValues::Plain(_) | CellValues::String(_) | CellValues::Bigint(_) | CellValues::Int(_) => {
                self.write(row, out, scratch);
            }
            CellValues::Boolean(values) => out.bytes(if values.value(row) { b"true" } else { b"false" }),
            CellValues::Double(values) => write_double(values[row], out, scratch),
            CellValues::Decimal(values, scale) => out.bytes(decimal::to_text(values[row], *scale).as_bytes()),
            CellValues::Bytes(values) => {
                scratch.clear();
                BASE64.encode_string(values.value(row), scratch);
                out.byte(b'"');
                out.bytes(scratch.as_bytes());
                out.byte(b'"');
            }
            CellValues::Struct(members) => write_object(members, row, out, scratch),
            CellValues::Array(offsets, items) => {
                out.byte(b'[');
                for item in offsets[row]..offsets[row + 1] {
                    if item > offsets[row] {
                        out.byte(b',');
                    }
                    items.write(item as usize, out, scratch);
                }
                out.byte(b']');
            }
            CellValues::Map(offsets, keys, values) => {
                out.byte(b'{');
                for entry in offsets[row]..offsets[row + 1] {
                    if entry > offsets[row] {
                        out.byte(b',');
                    }
                    write_string(keys, entry as usize, out);
                    out.byte(b':');
                    values.write(entry as usize, out, scratch);
                }
                out.byte(b'}');
            }
        }
    }
}

fn members<'a>(columns: &'a [ArrayRef], of: &'a [Member]) -> Option<Vec<(&'a Lead, Cells<'a>)>> {
    if columns.len() != of.len() {
        return None;
    }
    let cells = |(column, member): (&'a ArrayRef, &'a Member)| Some((&member.lead, Cells::new(column, member)?));
    columns.iter().zip(of).map(cells).collect()
}

#[inline]
fn write_object(members: &[(&Lead, Cells)], row: usize, out: &mut Appender, scratch: &mut String) {
    if members.is_empty() {
        out.byte(b'{');
    }
    for (lead, cells) in members {
        out.pieces(&lead.pieces, lead.len);
        cells.write(row, out, scratch);
    }
    out.byte(b'}');
}

/// As Jackson writes doubles: Java's text, in quotes where JSON has no such number.
fn write_double(number: f64, out: &mut Appender, scratch: &mut String) {
    scratch.clear();
    text::write_double(scratch, number);
    if number.is_finite() {
        return out.bytes(scratch.as_bytes());
    }
    out.byte(b'"');
    out.bytes(scratch.as_bytes());
    out.byte(b'"');
}

/// Whether nothing in a column's texts has to be escaped: they are looked at all at once, and then only copied.
fn is_plain(texts: &StringArray) -> bool {
    let offsets = texts.value_offsets();
    let bounds = offsets.first().zip(offsets.last()).map(|(first, last)| *first as usize..*last as usize);
    let all = &texts.value_data()[bounds.unwrap_or_default()];
    let (pieces, rest) = all.as_chunks::<PIECE>();
    pieces.iter().all(|piece| stops(piece).0 == 0) && !rest.iter().any(|byte| is_stop(*byte))
}

/// A string in quotes that has nothing to escape.
#[inline]
fn write_plain(texts: &StringArray, row: usize, out: &mut Appender) {
    let offsets = texts.value_offsets();
    let (start, len) = (offsets[row] as usize, (offsets[row + 1] - offsets[row]) as usize);
    let room = out.room(len + 2);
    room[0] = b'"';
    copy_part(texts.value_data(), start, len, &mut room[1..]);
    room[len + 1] = b'"';
    out.advance(len + 2);
}

/// A string in quotes. It is copied a piece at a time, and looked at for what has to be escaped.
#[inline]
fn write_string(texts: &StringArray, row: usize, out: &mut Appender) {
    let (offsets, all) = (texts.value_offsets(), texts.value_data());
    let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
    let len = end - start;
    let room = out.room(len + 2);
    room[0] = b'"';
    let mut at = 0;
    while at < len {
        let (Some(from), Some(to)) = (chunk(all, start + at), room[at + 1..].first_chunk_mut::<PIECE>()) else {
            return write_checked(&all[start..end], out);
        };
        *to = *from;
        let found = stops(from).0;
        // Of the last piece only what is in the string counts.
        let beyond = PIECE.saturating_sub(len - at) as u32;
        if found << beyond != 0 {
            return write_checked(&all[start..end], out);
        }
        at += PIECE;
    }
    room[len + 1] = b'"';
    out.advance(len + 2);
}

/// A string with something to escape, or one that there is nothing behind.
#[cold]
#[inline(never)]
fn write_checked(text: &[u8], out: &mut Appender) {
    out.byte(b'"');
    let mut done = 0;
    while let Some(next) = text[done..].iter().position(|byte| is_stop(*byte)) {
        let stop = done + next;
        out.bytes(&text[done..stop]);
        match text[stop] {
            b'"' => out.bytes(b"\\\""),
            b'\\' => out.bytes(b"\\\\"),
            0x08 => out.bytes(b"\\b"),
            b'\t' => out.bytes(b"\\t"),
            b'\n' => out.bytes(b"\\n"),
            0x0c => out.bytes(b"\\f"),
            b'\r' => out.bytes(b"\\r"),
            control => out.bytes(format!("\\u{control:04X}").as_bytes()),
        }
        done = stop + 1;
    }
    out.bytes(&text[done..]);
    out.byte(b'"');
}

impl JsonEncoder {
    pub fn new(layout: &Layout) -> Self {
        JsonEncoder {
            members: Member::all(&layout.columns),
            bare: layout.columns.len() == 1 && !layout.wrapped,
            scratch: String::new(),
        }
    }
}

impl Encoder for JsonEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        nulls: Option<&BooleanBuffer>,
        data: &mut Vec<u8>,
        spans: &mut Vec<Span>,
    ) -> Vec<BadRow> {
        let Some(cells) = members(columns, &self.members) else {
            spans.resize(spans.len() + rows, Span::NULL);
            return other_columns(rows);
        };
        let (record, scratch) = (Record::new(&cells, self.bare), &mut self.scratch);
        encode_rows(rows, nulls, data, spans, |row, data| record.write(row, data, scratch))
    }

    fn encode_values(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        nulls: Option<&BooleanBuffer>,
        into: &mut KeyedRows<'_>,
    ) -> Vec<BadRow> {
        let Some(cells) = members(columns, &self.members) else { return other_columns(rows) };
        let (record, scratch) = (Record::new(&cells, self.bare), &mut self.scratch);
        let mut bad = Vec::new();
        for row in 0..rows {
            let is_null = nulls.is_some_and(|nulls| nulls.value(row));
            let failed = into.write(row, |out| match is_null {
                true => Encoded::Null,
                false => record.write(row, out, scratch),
            });
            bad.extend(failed.map(|reason| BadRow { row, reason }));
        }
        bad
    }
}

fn other_columns(rows: usize) -> Vec<BadRow> {
    let reason = "the columns are not those of the format's layout";
    (0..rows).map(|row| BadRow { row, reason: reason.to_string() }).collect()
}

/// The columns of a batch as records.
struct Record<'a> {
    members: &'a [(&'a Lead, Cells<'a>)],
    /// The only one, if it stands for itself.
    bare: Option<&'a Cells<'a>>,
}

impl<'a> Record<'a> {
    fn new(members: &'a [(&'a Lead, Cells<'a>)], bare: bool) -> Record<'a> {
        Record { members, bare: members.first().filter(|_| bare).map(|(_, cells)| cells) }
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Appender, scratch: &mut String) -> Encoded {
        match self.bare {
            Some(cells) if cells.is_null(row) => return Encoded::Null,
            Some(cells) => cells.write(row, out, scratch),
            None => write_object(self.members, row, out, scratch),
        }
        Encoded::Bytes
    }
}

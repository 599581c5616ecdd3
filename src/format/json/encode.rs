//! The encoder of JSON records: row by row from the columns, with names that were rendered beforehand.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType, TimestampMillisecondType,
    i256,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::digits::{is_stop, stops};
use crate::format::{BadRow, Encoded, Encoder, Layout, encode_rows};
use crate::log::Span;
use crate::types::{SqlType, decimal, text};

pub(in crate::format) struct JsonEncoder {
    members: Vec<Member>,
    /// The only column stands for itself.
    bare: bool,
    scratch: String,
}

/// A member of an object: `"name":` and what its type is.
struct Member {
    name: Vec<u8>,
    ty: SqlType,
    /// Of a STRUCT.
    members: Vec<Member>,
    /// Of an ARRAY or MAP.
    item: Option<Box<Member>>,
}

impl Member {
    fn new(name: &str, ty: &SqlType) -> Member {
        let mut quoted = String::new();
        text::write_json_string(&mut quoted, name);
        quoted.push(':');
        let members = match ty {
            SqlType::Struct(fields) => fields.iter().map(|(name, ty)| Member::new(name, ty)).collect(),
            _ => Vec::new(),
        };
        let item = match ty {
            SqlType::Array(item) | SqlType::Map(item) => Some(Box::new(Member::new("", item))),
            _ => None,
        };
        Member { name: quoted.into_bytes(), ty: ty.clone(), members, item }
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
    Bytes(&'a BinaryArray),
    Array(&'a [i32], Box<Cells<'a>>),
    Map(&'a [i32], &'a StringArray, Box<Cells<'a>>),
    Struct(Vec<(&'a [u8], Cells<'a>)>),
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
            SqlType::String => CellValues::String(column.as_string_opt()?),
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

    fn write(&self, row: usize, out: &mut Vec<u8>, scratch: &mut String) {
        if self.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match &self.values {
            CellValues::Boolean(values) => out.extend_from_slice(if values.value(row) { b"true" } else { b"false" }),
            CellValues::Int(values) => out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes()),
            CellValues::Bigint(values) => out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes()),
            CellValues::Double(values) => write_double(values[row], out, scratch),
            CellValues::Decimal(values, scale) => {
                out.extend_from_slice(decimal::to_text(values[row], *scale).as_bytes());
            }
            CellValues::String(values) => write_string(values.value(row).as_bytes(), out),
            CellValues::Bytes(values) => {
                scratch.clear();
                BASE64.encode_string(values.value(row), scratch);
                out.push(b'"');
                out.extend_from_slice(scratch.as_bytes());
                out.push(b'"');
            }
            CellValues::Struct(members) => write_object(members, row, out, scratch),
            CellValues::Array(..) | CellValues::Map(..) => self.write_items(row, out, scratch),
        }
    }

    fn write_items(&self, row: usize, out: &mut Vec<u8>, scratch: &mut String) {
        match &self.values {
            CellValues::Array(offsets, items) => {
                out.push(b'[');
                for item in offsets[row]..offsets[row + 1] {
                    if item > offsets[row] {
                        out.push(b',');
                    }
                    items.write(item as usize, out, scratch);
                }
                out.push(b']');
            }
            CellValues::Map(offsets, keys, values) => {
                out.push(b'{');
                for entry in offsets[row]..offsets[row + 1] {
                    if entry > offsets[row] {
                        out.push(b',');
                    }
                    write_string(keys.value(entry as usize).as_bytes(), out);
                    out.push(b':');
                    values.write(entry as usize, out, scratch);
                }
                out.push(b'}');
            }
            _ => {}
        }
    }
}

fn members<'a>(columns: &'a [ArrayRef], of: &'a [Member]) -> Option<Vec<(&'a [u8], Cells<'a>)>> {
    if columns.len() != of.len() {
        return None;
    }
    let cells = |(column, member): (&'a ArrayRef, &'a Member)| Some((&member.name[..], Cells::new(column, member)?));
    columns.iter().zip(of).map(cells).collect()
}

fn write_object(members: &[(&[u8], Cells)], row: usize, out: &mut Vec<u8>, scratch: &mut String) {
    out.push(b'{');
    for (i, (name, cells)) in members.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        cells.write(row, out, scratch);
    }
    out.push(b'}');
}

/// As Jackson writes doubles: Java's text, in quotes where JSON has no such number.
fn write_double(number: f64, out: &mut Vec<u8>, scratch: &mut String) {
    scratch.clear();
    text::write_double(scratch, number);
    if number.is_finite() {
        return out.extend_from_slice(scratch.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(scratch.as_bytes());
    out.push(b'"');
}

/// A string in quotes. Many bytes at a time are looked at for what has to be escaped.
#[inline]
fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        if stops(chunk).0 != 0 {
            break;
        }
        at += 32;
    }
    match text[at..].iter().position(|byte| is_stop(*byte)) {
        None => out.extend_from_slice(text),
        Some(stop) => write_escaped(text, at + stop, out),
    }
    out.push(b'"');
}

/// The rest of a string that has something to escape at `stop`.
#[cold]
fn write_escaped(text: &[u8], mut stop: usize, out: &mut Vec<u8>) {
    let mut done = 0;
    loop {
        out.extend_from_slice(&text[done..stop]);
        match text[stop] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            control => out.extend_from_slice(format!("\\u{control:04X}").as_bytes()),
        }
        done = stop + 1;
        match text[done..].iter().position(|byte| is_stop(*byte)) {
            Some(next) => stop = done + next,
            None => return out.extend_from_slice(&text[done..]),
        }
    }
}

impl JsonEncoder {
    pub fn new(layout: &Layout) -> Self {
        JsonEncoder {
            members: layout.columns.iter().map(|(name, ty)| Member::new(name, ty)).collect(),
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
            let reason = "the columns are not those of the format's layout";
            return (0..rows).map(|row| BadRow { row, reason: reason.to_string() }).collect();
        };
        let bare = cells.first().filter(|_| self.bare).map(|(_, cells)| cells);
        encode_rows(rows, nulls, data, spans, |row, data| {
            match bare {
                Some(cells) if cells.is_null(row) => return Encoded::Null,
                Some(cells) => cells.write(row, data, &mut self.scratch),
                None => write_object(&cells, row, data, &mut self.scratch),
            }
            Encoded::Bytes
        })
    }
}

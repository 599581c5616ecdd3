//! Functions on text (and those that take BYTES in the same way).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::Int32Type;

use super::define::{BYTES, INT, STRING, array, map};
use super::kernel::{Get, Out, known};
use super::{Function, ScalarCall, units};
use crate::expr::eval::nulls;

const CATEGORY: &str = "STRING";

pub(super) fn entries() -> Vec<Function> {
    let mut all = whole();
    all.extend([concat(), concat_ws(), replace(), chr()]);
    all.extend(pads());
    all.extend(splits());
    all
}

fn whole() -> Vec<Function> {
    let text = ("text", &STRING, "a text");
    vec![
        Function::scalar("UCASE", CATEGORY, "The text in capitals.")
            .over(&[text], STRING, |call| change_case(call, <[u8]>::make_ascii_uppercase, |text| text.to_uppercase()))
            .examples(&[("UCASE('straße')", "STRASSE")]),
        Function::scalar("LCASE", CATEGORY, "The text in small letters.")
            .over(&[text], STRING, |call| change_case(call, <[u8]>::make_ascii_lowercase, |text| text.to_lowercase()))
            .examples(&[("LCASE('ABC')", "abc")]),
        Function::scalar("TRIM", CATEGORY, "The text without blanks and control characters at both ends.")
            .over(&[text], STRING, |call| {
                let text = call.texts(0);
                call.collect_text(|row| Ok(text.get(row).map(|text| text.trim_matches(|c: char| c <= ' '))))
            })
            .examples(&[("TRIM('  a b ')", "a b")]),
        Function::scalar("INITCAP", CATEGORY, "Each word with a capital first letter and small ones after it.")
            .over(&[text], STRING, |call| map_text(call, initcap))
            .examples(&[("INITCAP('the QUICK fox')", "The Quick Fox")]),
        Function::scalar("LEN", CATEGORY, "The length in UTF-16 units, or of BYTES in bytes.")
            .over(&[text], INT, |call| {
                let text = call.texts(0);
                if text.value_data().is_ascii() {
                    let lengths = text.offsets().windows(2).map(|ends| ends[1] - ends[0]).collect();
                    return Arc::new(Int32Array::new(lengths, text.nulls().cloned()));
                }
                call.collect::<Int32Type>(|row| Ok(Some(units::len(known!(text.get(row))) as i32)))
            })
            .over(&[("bytes", &BYTES, "bytes")], INT, |call| {
                let bytes = call.bytes(0);
                call.collect::<Int32Type>(|row| Ok(Some(known!(bytes.get(row)).len() as i32)))
            })
            .examples(&[("LEN('hello')", "5"), ("LEN(CAST(NULL AS STRING))", "null")]),
        Function::scalar("MD5", CATEGORY, "The MD5 digest of the text's UTF-8, in small hexadecimal digits.")
            .over(&[text], STRING, |call| map_text(call, md5))
            .examples(&[("MD5('')", "d41d8cd98f00b204e9800998ecf8427e")]),
    ]
}

/// `ascii` works on all texts at once: what is ASCII keeps its length.
fn change_case(call: &mut ScalarCall<'_>, ascii: fn(&mut [u8]), other: fn(&str) -> String) -> ArrayRef {
    let text = call.texts(0);
    let (first, last) = (text.value_offsets()[0] as usize, text.value_offsets()[text.len()] as usize);
    let bytes = &text.value_data()[first..last];
    if !bytes.is_ascii() {
        return map_text(call, other);
    }
    let mut changed = bytes.to_vec();
    ascii(&mut changed);
    let offsets = OffsetBuffer::from_lengths(text.offsets().windows(2).map(|ends| (ends[1] - ends[0]) as usize));
    match StringArray::try_new(offsets, changed.into(), text.nulls().cloned()) {
        Ok(array) => Arc::new(array),
        Err(_) => map_text(call, other),
    }
}

fn map_text(call: &mut ScalarCall<'_>, f: impl Fn(&str) -> String) -> ArrayRef {
    let text = call.texts(0);
    call.collect_text(|row| Ok(text.get(row).map(&f)))
}

pub(super) fn initcap_with_blanks() -> Function {
    Function::scalar("INITCAP", CATEGORY, "Each word with a capital first letter and small ones after it.")
        .over(&[("text", &STRING, "a text")], STRING, |call| map_text(call, capitalised))
        .examples(&[("INITCAP('  the QUICK fox')", "  The Quick Fox")])
}

/// Blanks before the first word get lost, as in the original.
fn initcap(text: &str) -> String {
    capitalised(text.trim_start())
}

fn capitalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut starts = true;
    for c in text.chars() {
        if starts {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        starts = c.is_whitespace();
    }
    out
}

fn md5(text: &str) -> String {
    use md5::{Digest, Md5};
    let digest = Md5::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn concat() -> Function {
    Function::scalar("CONCAT", CATEGORY, "The texts, or bytes, one after another; NULLs are left out.")
        .nulls("NULLs are left out.")
        .variadic(&[("texts", &STRING, "what to put together")], STRING, |call| {
            let texts: Vec<_> = (0..call.args.len()).map(|arg| call.texts(arg)).collect();
            call.write_texts(|row, out| {
                texts.iter().filter_map(|text| text.get(row)).for_each(|text| out.push_str(text));
                Ok(Some(()))
            })
        })
        .variadic(&[("bytes", &BYTES, "what to put together")], BYTES, |call| {
            let parts: Vec<_> = (0..call.args.len()).map(|arg| call.bytes(arg)).collect();
            call.collect_bytes(|row| {
                Ok(Some(parts.iter().filter_map(|part| part.get(row)).flatten().copied().collect::<Vec<u8>>()))
            })
        })
        .examples(&[("CONCAT('a', NULL, 'b')", "ab"), ("'a' || 'b'", "ab")])
}

fn concat_ws() -> Function {
    let separator = "what stands between them";
    Function::scalar("CONCAT_WS", CATEGORY, "The texts, or bytes, with a separator between them; NULLs are left out.")
        .nulls("NULL when the separator is; other NULLs are left out.")
        .variadic(
            &[("separator", &STRING, separator), ("first", &STRING, "a part"), ("others", &STRING, "more parts")],
            STRING,
            |call| {
                let texts: Vec<_> = (0..call.args.len()).map(|arg| call.texts(arg)).collect();
                call.write_texts(|row, out| {
                    let separator = known!(texts[0].get(row));
                    for (i, part) in texts[1..].iter().filter_map(|text| text.get(row)).enumerate() {
                        out.push_str(if i > 0 { separator } else { "" });
                        out.push_str(part);
                    }
                    Ok(Some(()))
                })
            },
        )
        .variadic(
            &[("separator", &BYTES, separator), ("first", &BYTES, "a part"), ("others", &BYTES, "more parts")],
            BYTES,
            |call| {
                let bytes: Vec<_> = (0..call.args.len()).map(|arg| call.bytes(arg)).collect();
                call.collect_bytes(|row| {
                    let separator = known!(bytes[0].get(row));
                    let parts: Vec<_> = bytes[1..].iter().filter_map(|part| part.get(row)).collect();
                    Ok(Some(parts.join(separator)))
                })
            },
        )
        .examples(&[("CONCAT_WS('-', 'a', NULL, 'b')", "a-b")])
}

fn replace() -> Function {
    Function::scalar("REPLACE", CATEGORY, "The text with every occurrence of one part replaced by another.")
        .over(
            &[("text", &STRING, "a text"), ("from", &STRING, "what to replace"), ("to", &STRING, "what to put there")],
            STRING,
            |call| {
                let (text, from, to) = (call.texts(0), call.texts(1), call.texts(2));
                call.write_texts(|row, out| {
                    let (text, from, to) = (known!(text.get(row)), known!(from.get(row)), known!(to.get(row)));
                    let mut rest = 0;
                    for (at, found) in text.match_indices(from) {
                        out.push_str(&text[rest..at]);
                        out.push_str(to);
                        rest = at + found.len();
                    }
                    out.push_str(&text[rest..]);
                    Ok(Some(()))
                })
            },
        )
        .examples(&[("REPLACE('a-b-c', '-', '+')", "a+b+c")])
}

fn chr() -> Function {
    Function::scalar("CHR", CATEGORY, "The character with that Unicode number, also as text: '\\u0041'.")
        .over(&[("number", &INT, "a Unicode code point")], STRING, |call| {
            let number = call.ints(0);
            call.collect_text(|row| {
                let number = known!(number.get(row));
                Ok(u32::try_from(number).ok().and_then(char::from_u32).map(String::from))
            })
        })
        .over(&[("text", &STRING, "one or two \\u escapes")], STRING, |call| {
            let text = call.texts(0);
            call.collect_text(|row| Ok(unescape(known!(text.get(row)))))
        })
        .examples(&[("CHR(75)", "K"), ("CHR('\\u004b')", "K")])
}

/// UTF-16 units written as `\uXXXX`.
fn unescape(text: &str) -> Option<String> {
    if text.len() < 6 || !text.is_ascii() || !text.starts_with("\\u") {
        return None;
    }
    let mut found = Vec::new();
    for part in text.split("\\u").skip(1) {
        found.push(u16::from_str_radix(part.get(..4)?, 16).ok()?);
    }
    String::from_utf16(&found).ok()
}

fn pads() -> Vec<Function> {
    let entry = |name, description, call_text, call_bytes, examples| {
        let length = ("length", &INT, "how long the result is");
        Function::scalar(name, CATEGORY, description)
            .over(&[("text", &STRING, "a text"), length, ("padding", &STRING, "what fills up")], STRING, call_text)
            .over(&[("bytes", &BYTES, "bytes"), length, ("padding", &BYTES, "what fills up")], BYTES, call_bytes)
            .examples(examples)
    };
    vec![
        entry(
            "LPAD",
            "The text filled up at its left, or cut, to that length.",
            |call| pad_text(call, Side::Left),
            |call| pad_bytes(call, Side::Left),
            &[("LPAD('foo', 7, 'Bar')", "BarBfoo"), ("LPAD('foo', 2, 'x')", "fo")],
        ),
        entry(
            "RPAD",
            "The text filled up at its right, or cut, to that length.",
            |call| pad_text(call, Side::Right),
            |call| pad_bytes(call, Side::Right),
            &[("RPAD('foo', 7, 'Bar')", "fooBarB")],
        ),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The longest result of a pad function: a larger one is a mistake, and would take the process's memory.
const PADDED_UNITS_MAX: usize = 64 << 20;

fn pad<U: Copy>(items: &[U], length: i32, padding: &[U], side: Side) -> Out<Vec<U>> {
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    if padding.is_empty() {
        return Ok(None);
    }
    if length > PADDED_UNITS_MAX {
        return Err(format!("padding to {length} is too long"));
    }
    if items.len() >= length {
        return Ok(Some(items[..length].to_vec()));
    }
    let fill = padding.iter().copied().cycle().take(length - items.len());
    Ok(Some(match side {
        Side::Left => fill.chain(items.iter().copied()).collect(),
        Side::Right => items.iter().copied().chain(fill).collect(),
    }))
}

fn pad_text(call: &mut ScalarCall<'_>, side: Side) -> ArrayRef {
    let (text, length, padding) = (call.texts(0), call.ints(1), call.texts(2));
    call.collect_text(|row| {
        let items: Vec<u16> = known!(text.get(row)).encode_utf16().collect();
        let length = known!(length.get(row));
        let padding: Vec<u16> = known!(padding.get(row)).encode_utf16().collect();
        Ok(pad(&items, length, &padding, side)?.map(|padded| String::from_utf16_lossy(&padded)))
    })
}

fn pad_bytes(call: &mut ScalarCall<'_>, side: Side) -> ArrayRef {
    let (bytes, length, padding) = (call.bytes(0), call.ints(1), call.bytes(2));
    call.collect_bytes(|row| pad(known!(bytes.get(row)), known!(length.get(row)), known!(padding.get(row)), side))
}

fn splits() -> Vec<Function> {
    vec![
        Function::scalar(
            "SPLIT",
            CATEGORY,
            "The pieces of a text between its delimiters; without delimiter, its characters.",
        )
        .over(&[("text", &STRING, "a text"), ("delimiter", &STRING, "what separates")], array(STRING), |call| {
            let (text, delimiter) = (call.texts(0), call.texts(1));
            call.collect_text_lists(|row| {
                let (text, delimiter) = (known!(text.get(row)), known!(delimiter.get(row)));
                Ok(Some(pieces(text, delimiter)))
            })
        })
        .over(&[("bytes", &BYTES, "bytes"), ("delimiter", &BYTES, "what separates")], array(BYTES), split_bytes)
        .examples(&[("SPLIT('a,b,', ',')", "[a, b, ]"), ("SPLIT('abc', '')", "[a, b, c]")]),
        Function::scalar("SPLIT_TO_MAP", CATEGORY, "The entries of a text such as 'a:1/b:2'.")
            .over(
                &[
                    ("text", &STRING, "a text"),
                    ("entries", &STRING, "what separates entries"),
                    ("values", &STRING, "what separates a key from its value"),
                ],
                map(STRING),
                split_to_map,
            )
            .examples(&[("SPLIT_TO_MAP('a:1/b:2', '/', ':')", "{a=1, b=2}")]),
    ]
}

fn pieces<'a>(text: &'a str, delimiter: &str) -> Vec<&'a str> {
    if delimiter.is_empty() {
        return text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
    }
    text.split(delimiter).collect()
}

fn split_bytes(call: &mut ScalarCall<'_>) -> ArrayRef {
    use crate::types::{Value, values_to_array};
    let (bytes, delimiter) = (call.bytes(0), call.bytes(1));
    let rows: Vec<Value> = (0..call.rows)
        .map(|row| match (bytes.get(row), delimiter.get(row)) {
            (Some(bytes), Some(delimiter)) => Value::Array(
                byte_pieces(bytes, delimiter).into_iter().map(|piece| Value::Bytes(piece.into())).collect(),
            ),
            _ => Value::Null,
        })
        .collect();
    values_to_array(&rows, call.returns)
}

fn byte_pieces<'a>(bytes: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    if delimiter.is_empty() {
        return bytes.chunks(1).collect();
    }
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, delimiter) {
        out.push(&rest[..at]);
        rest = &rest[at + delimiter.len()..];
    }
    out.push(rest);
    out
}

fn split_to_map(call: &mut ScalarCall<'_>) -> ArrayRef {
    use crate::types::{Value, values_to_array};
    if call.args.iter().any(|arg| arg.null_count() == arg.len()) {
        return nulls(call.returns, call.rows);
    }
    let (text, entries, values) = (call.texts(0), call.texts(1), call.texts(2));
    let rows: Vec<Value> = (0..call.rows)
        .map(|row| match (text.get(row), entries.get(row), values.get(row)) {
            (Some(text), Some(entry), Some(value)) if !entry.is_empty() && !value.is_empty() && entry != value => {
                Value::Map(entries_of(text, entry, value))
            }
            _ => Value::Null,
        })
        .collect();
    values_to_array(&rows, call.returns)
}

/// The last of duplicate keys wins; of a value only what stands before a second delimiter is kept.
fn entries_of(text: &str, entry: &str, delimiter: &str) -> Vec<(String, crate::types::Value)> {
    use crate::types::Value;
    let mut out: Vec<(String, Value)> = Vec::new();
    for part in text.split(entry) {
        let mut sides = part.split(delimiter);
        if let (Some(key), Some(value)) = (sides.next(), sides.next()) {
            let value = Value::String(value.into());
            match out.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) => *known = value,
                None => out.push((key.into(), value)),
            }
        }
    }
    out
}

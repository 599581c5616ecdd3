//! Functions on text (and those that take BYTES in the same way).

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, GenericByteArray, Int32Array, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{ByteArrayType, Int32Type};

use super::define::{BYTES, INT, STRING};
use super::kernel::{Out, known};
use super::needle::Needle;
use super::{Function, ScalarCall, units};

const CATEGORY: &str = "STRING";

pub(super) fn entries() -> Vec<Function> {
    let mut all = whole();
    all.extend([concat(), concat_ws(), replace(), chr()]);
    all.extend(pads());
    all
}

fn whole() -> Vec<Function> {
    let text = ("text", &STRING, "a text");
    vec![
        Function::scalar("UCASE", CATEGORY, "The text in capitals.")
            .over(&[text], STRING, |call| change_case(call, str::make_ascii_uppercase, |text| text.to_uppercase()))
            .examples(&[("UCASE('straße')", "STRASSE")]),
        Function::scalar("LCASE", CATEGORY, "The text in small letters.")
            .over(&[text], STRING, |call| change_case(call, str::make_ascii_lowercase, |text| text.to_lowercase()))
            .examples(&[("LCASE('ABC')", "abc")]),
        Function::scalar("TRIM", CATEGORY, "The text without blanks and control characters at both ends.")
            .over(&[text], STRING, |call| {
                let text = call.texts(0);
                call.collect_text(|row| Ok(text.get(row).map(trimmed)))
            })
            .examples(&[("TRIM('  a b ')", "a b")]),
        Function::scalar("INITCAP", CATEGORY, "Each word with a capital first letter and small ones after it.")
            .over(&[text], STRING, |call| map_text(call, initcap))
            .examples(&[("INITCAP('the QUICK fox')", "The Quick Fox")]),
        Function::scalar("LEN", CATEGORY, "The length in UTF-16 units, or of BYTES in bytes.")
            .over(&[text], INT, length)
            .over(&[("bytes", &BYTES, "bytes")], INT, |call| {
                let bytes = call.bytes(0);
                if let Some(column) = bytes.column() {
                    return lengths(column);
                }
                call.collect::<Int32Type>(|row| Ok(Some(known!(bytes.get(row)).len() as i32)))
            })
            .examples(&[("LEN('hello')", "5"), ("LEN(CAST(NULL AS STRING))", "null")]),
        Function::scalar("MD5", CATEGORY, "The MD5 digest of the text's UTF-8, in small hexadecimal digits.")
            .over(&[text], STRING, |call| map_text(call, md5))
            .examples(&[("MD5('')", "d41d8cd98f00b204e9800998ecf8427e")]),
    ]
}

/// Blanks and control characters are single bytes, and no byte of another character is as small.
fn trimmed(text: &str) -> &str {
    let is_kept = |byte: &u8| *byte > b' ';
    let Some(first) = text.bytes().position(|byte| is_kept(&byte)) else { return "" };
    let last = text.as_bytes().iter().rposition(is_kept).unwrap_or(first);
    &text[first..=last]
}

/// The bytes of all texts of a column.
fn all_bytes(text: &StringArray) -> &[u8] {
    let offsets = text.value_offsets();
    &text.value_data()[offsets[0] as usize..offsets[text.len()] as usize]
}

/// In bytes.
fn lengths<T: ByteArrayType<Offset = i32>>(column: &GenericByteArray<T>) -> ArrayRef {
    let lengths = column.offsets().windows(2).map(|ends| ends[1] - ends[0]).collect();
    Arc::new(Int32Array::new(lengths, column.nulls().cloned()))
}

fn length(call: &mut ScalarCall<'_>) -> ArrayRef {
    let text = call.texts(0);
    if let Some(column) = text.column()
        && all_bytes(column).is_ascii()
    {
        return lengths(column);
    }
    call.collect::<Int32Type>(|row| Ok(Some(units::len(known!(text.get(row))) as i32)))
}

/// `ascii` works on all texts at once: what is ASCII keeps its length, and what isn't is worked on by `other`.
fn change_case(call: &mut ScalarCall<'_>, ascii: fn(&mut str), other: fn(&str) -> String) -> ArrayRef {
    let text = call.texts(0);
    if let Some(column) = text.column()
        && let Ok(all) = std::str::from_utf8(all_bytes(column))
    {
        let mut changed = all.to_string();
        ascii(&mut changed);
        if !all.is_ascii() {
            return change_each(call, column, &changed, other);
        }
        let lengths = column.offsets().windows(2).map(|ends| (ends[1] - ends[0]) as usize);
        let offsets = OffsetBuffer::from_lengths(lengths);
        if let Ok(array) = StringArray::try_new(offsets, changed.into_bytes().into(), column.nulls().cloned()) {
            return Arc::new(array);
        }
    }
    map_text(call, other)
}

/// `changed` has all texts of the column with their ASCII changed.
fn change_each(call: &mut ScalarCall<'_>, column: &StringArray, changed: &str, other: fn(&str) -> String) -> ArrayRef {
    let offsets = column.value_offsets();
    let place = |row: usize| (offsets[row] - offsets[0]) as usize;
    call.collect_text(|row| {
        if column.is_null(row) {
            return Ok(None);
        }
        let text = &changed[place(row)..place(row + 1)];
        Ok(Some(if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(other(column.value(row))) }))
    })
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
    super::bytes::to_hex(&Md5::digest(text.as_bytes()))
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
                let parts: Vec<_> = parts.iter().filter_map(|part| part.get(row)).collect();
                Ok(Some(parts.concat()))
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
            replace_all,
        )
        .examples(&[("REPLACE('a-b-c', '-', '+')", "a+b+c")])
}

fn replace_all(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, from, to) = (call.texts(0), call.texts(1), call.texts(2));
    let mut needle = Needle::default();
    call.write_texts(|row, out| {
        let (text, from, to) = (known!(text.get(row)), known!(from.get(row)), known!(to.get(row)));
        let mut rest = 0;
        let mut replace = |at: usize| {
            out.push_str(&text[rest..at]);
            out.push_str(to);
            rest = at + from.len();
        };
        if from.is_empty() {
            text.match_indices(from).for_each(|(at, _)| replace(at));
        } else {
            needle.of(from).find_iter(text.as_bytes()).for_each(replace);
        }
        out.push_str(&text[rest..]);
        Ok(Some(()))
    })
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
        let (text, length, padding) = (known!(text.get(row)), known!(length.get(row)), known!(padding.get(row)));
        if text.is_ascii() && padding.is_ascii() {
            let padded = known!(pad(text.as_bytes(), length, padding.as_bytes(), side)?);
            return Ok(String::from_utf8(padded).ok());
        }
        let (items, padding): (Vec<u16>, Vec<u16>) = (text.encode_utf16().collect(), padding.encode_utf16().collect());
        Ok(pad(&items, length, &padding, side)?.map(|padded| String::from_utf16_lossy(&padded)))
    })
}

fn pad_bytes(call: &mut ScalarCall<'_>, side: Side) -> ArrayRef {
    let (bytes, length, padding) = (call.bytes(0), call.ints(1), call.bytes(2));
    call.collect_bytes(|row| pad(known!(bytes.get(row)), known!(length.get(row)), known!(padding.get(row)), side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_blanks_and_control_characters() {
        let table = [("", ""), (" \t", ""), ("a", "a"), (" a b\u{1}", "a b"), ("\u{a0}é ", "\u{a0}é"), ("\0", "")];
        for (text, expected) in table {
            assert_eq!(trimmed(text), expected, "{text:?}");
        }
    }
}

//! Texts and bytes cut into pieces: SPLIT, SPLIT_TO_MAP.

use std::borrow::Cow;

use arrow::array::ArrayRef;

use super::define::{BYTES, STRING, array, map};
use super::kernel::known;
use super::needle::Needle;
use super::{Function, ScalarCall};

const CATEGORY: &str = "STRING";

pub(super) fn entries() -> Vec<Function> {
    vec![
        Function::scalar(
            "SPLIT",
            CATEGORY,
            "The pieces of a text between its delimiters; without delimiter, its characters.",
        )
        .over(&[("text", &STRING, "a text"), ("delimiter", &STRING, "what separates")], array(STRING), |call| {
            let (text, delimiter) = (call.texts(0), call.texts(1));
            let mut needle = Needle::default();
            call.write_lists(|row, out| {
                let (text, delimiter) = (known!(text.get(row)), known!(delimiter.get(row)));
                pieces(text, delimiter, &mut needle, |piece| out.append_value(piece));
                Ok(Some(()))
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

fn pieces<'a>(text: &'a str, delimiter: &'a str, needle: &mut Needle<'a>, mut push: impl FnMut(&'a str)) {
    if delimiter.is_empty() {
        return text.char_indices().for_each(|(at, c)| push(&text[at..at + c.len_utf8()]));
    }
    let mut rest = 0;
    let mut cut = |at: usize| {
        push(&text[rest..at]);
        rest = at + delimiter.len();
    };
    match delimiter.as_bytes() {
        [byte] => memchr::memchr_iter(*byte, text.as_bytes()).for_each(&mut cut),
        _ => needle.of(delimiter).find_iter(text.as_bytes()).for_each(&mut cut),
    }
    push(&text[rest..]);
}

fn split_bytes(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (bytes, delimiter) = (call.bytes(0), call.bytes(1));
    call.write_byte_lists(|row, out| {
        let (mut rest, delimiter) = (known!(bytes.get(row)), known!(delimiter.get(row)));
        if delimiter.is_empty() {
            rest.chunks(1).for_each(|byte| out.append_value(byte));
            return Ok(Some(()));
        }
        while let Some(at) = memchr::memmem::find(rest, delimiter) {
            out.append_value(&rest[..at]);
            rest = &rest[at + delimiter.len()..];
        }
        out.append_value(rest);
        Ok(Some(()))
    })
}

fn split_to_map(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, entries, values) = (call.texts(0), call.texts(1), call.texts(2));
    call.write_text_maps(|row, out| {
        let (text, entry, value) = (known!(text.get(row)), known!(entries.get(row)), known!(values.get(row)));
        if entry.is_empty() || value.is_empty() || entry == value {
            return Ok(None);
        }
        entries_of(text, entry, value, out);
        Ok(Some(()))
    })
}

/// The last of duplicate keys wins; of a value only what stands before a second delimiter is kept.
fn entries_of<'a>(text: &'a str, entry: &str, delimiter: &str, out: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>) {
    for part in text.split(entry) {
        let mut sides = part.split(delimiter);
        if let (Some(key), Some(value)) = (sides.next(), sides.next()) {
            match out.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) => *known = value.into(),
                None => out.push((key.into(), value.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_texts() {
        let table: [(&str, &str, &[&str]); 8] = [
            ("a,b,", ",", &["a", "b", ""]),
            ("", ",", &[""]),
            ("a--b-c", "--", &["a", "b-c"]),
            ("aaa", "aa", &["", "a"]),
            ("été", "é", &["", "t", ""]),
            ("é📷", "", &["é", "📷"]),
            ("", "", &[]),
            ("ab", "abc", &["ab"]),
        ];
        let mut needle = Needle::default();
        for (text, delimiter, expected) in table {
            let mut got = Vec::new();
            pieces(text, delimiter, &mut needle, |piece| got.push(piece));
            assert_eq!(got, expected, "{text:?} at {delimiter:?}");
        }
    }
}

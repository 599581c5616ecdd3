//! Functions between bytes, texts and numbers: ENCODE, TO_BYTES, FROM_BYTES, UUID and their kin.

use std::borrow::Cow;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::define::{BIGINT, BYTES, DOUBLE, INT, P, STRING};
use super::kernel::{Get, Out, known};
use super::{Function, ParamType, ScalarCall, ScalarFn};

const CATEGORY: &str = "STRING";
const ENCODING: &str = "hex, utf8, ascii or base64";

pub(super) fn entries() -> Vec<Function> {
    let order = "BIG_ENDIAN (unless given) or LITTLE_ENDIAN";
    let number = |name, description, ty: &ParamType, call: ScalarFn, example| {
        Function::scalar(name, CATEGORY, description)
            .over(&[("bytes", &BYTES, "bytes")], ty.clone(), call)
            .over(&[("bytes", &BYTES, "bytes"), ("order", &STRING, order)], ty.clone(), call)
            .examples(example)
    };
    vec![
        encode(),
        to_bytes(),
        from_bytes(),
        number(
            "INT_FROM_BYTES",
            "The INTEGER in 4 bytes.",
            &INT,
            |call| numbers::<Int32Type, 4>(call, i32::from_be_bytes),
            &[("INT_FROM_BYTES(TO_BYTES('000007E5', 'hex'))", "2021")],
        ),
        number(
            "BIGINT_FROM_BYTES",
            "The BIGINT in 8 bytes.",
            &BIGINT,
            |call| numbers::<Int64Type, 8>(call, i64::from_be_bytes),
            &[("BIGINT_FROM_BYTES(TO_BYTES('0100000000000000', 'hex'), 'LITTLE_ENDIAN')", "1")],
        ),
        number(
            "DOUBLE_FROM_BYTES",
            "The DOUBLE in 8 bytes.",
            &DOUBLE,
            |call| numbers::<Float64Type, 8>(call, f64::from_be_bytes),
            &[("DOUBLE_FROM_BYTES(TO_BYTES('3FF0000000000000', 'hex'))", "1.0")],
        ),
        uuid(),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Hex,
    Utf8,
    Ascii,
    Base64,
}

impl Encoding {
    fn parse(name: &str) -> Result<Encoding, String> {
        match name.to_ascii_lowercase().as_str() {
            "hex" => Ok(Encoding::Hex),
            "utf8" => Ok(Encoding::Utf8),
            "ascii" => Ok(Encoding::Ascii),
            "base64" => Ok(Encoding::Base64),
            _ => Err(format!("Unknown encoding '{name}': it must be {ENCODING}")),
        }
    }

    fn decode(self, text: &str) -> Result<Vec<u8>, String> {
        match self {
            Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
            Encoding::Ascii => Ok(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect()),
            Encoding::Base64 => STANDARD.decode(text).map_err(|error| format!("'{text}' is not base64: {error}")),
            Encoding::Hex => from_hex(text).ok_or_else(|| format!("'{text}' is not hexadecimal")),
        }
    }

    /// Bytes that are no text become U+FFFD.
    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Encoding::Ascii => bytes.iter().map(|b| if b.is_ascii() { *b as char } else { '\u{fffd}' }).collect(),
            Encoding::Base64 => STANDARD.encode(bytes),
            Encoding::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Hexadecimal digits as ENCODE takes them: also `0x12`, where a first 0 may be missing, and `X'12'`.
fn hex_digits(text: &str) -> Cow<'_, str> {
    if let Some(digits) = text.strip_prefix("0x") {
        return if digits.len().is_multiple_of(2) { digits.into() } else { format!("0{digits}").into() };
    }
    let quoted = text.strip_prefix(['X', 'x']).and_then(|rest| rest.strip_prefix('\'')?.strip_suffix('\''));
    quoted.unwrap_or(text).into()
}

fn encode() -> Function {
    Function::scalar("ENCODE", CATEGORY, "A text in one encoding as text in another.")
        .over(&[("text", &STRING, "a text"), ("from", &STRING, ENCODING), ("to", &STRING, ENCODING)], STRING, |call| {
            let (text, from, to) = (call.texts(0), call.texts(1), call.texts(2));
            call.collect_text(|row| {
                let (text, from, to) = (known!(text.get(row)), known!(from.get(row)), known!(to.get(row)));
                let (from, to) = (Encoding::parse(from)?, Encoding::parse(to)?);
                if from == to {
                    return Err("ENCODE needs two different encodings".into());
                }
                let text = if from == Encoding::Hex { hex_digits(text) } else { text.into() };
                Ok(Some(to.encode(&from.decode(&text)?)))
            })
        })
        .examples(&[("ENCODE('Example!', 'utf8', 'hex')", "4578616d706c6521"), ("ENCODE('0x41', 'hex', 'ascii')", "A")])
}

fn to_bytes() -> Function {
    Function::scalar("TO_BYTES", CATEGORY, "The bytes that a text stands for in an encoding.")
        .over(&[("text", &STRING, "a text"), ("encoding", &STRING, ENCODING)], BYTES, |call| {
            let (text, encoding) = (call.texts(0), call.texts(1));
            call.collect_bytes(|row| {
                Encoding::parse(known!(encoding.get(row)))?.decode(known!(text.get(row))).map(Some)
            })
        })
        .examples(&[("LEN(TO_BYTES('ä', 'utf8'))", "2")])
}

fn from_bytes() -> Function {
    Function::scalar("FROM_BYTES", CATEGORY, "The text of bytes in an encoding.")
        .over(&[("bytes", &BYTES, "bytes"), ("encoding", &STRING, ENCODING)], STRING, |call| {
            let (bytes, encoding) = (call.bytes(0), call.texts(1));
            call.collect_text(|row| {
                let encoding = Encoding::parse(known!(encoding.get(row)))?;
                let text = encoding.encode(known!(bytes.get(row)));
                // Capitals here, small letters from ENCODE: the original's difference.
                Ok(Some(if encoding == Encoding::Hex { text.to_uppercase() } else { text }))
            })
        })
        .examples(&[
            ("FROM_BYTES(TO_BYTES('ab', 'ascii'), 'base64')", "YWI="),
            ("FROM_BYTES(TO_BYTES('zz', 'ascii'), 'hex')", "7A7A"),
        ])
}

fn is_little(order: Option<&StringArray>, row: usize) -> Out<bool> {
    let Some(order) = order else { return Ok(Some(false)) };
    match known!(order.get(row)) {
        "BIG_ENDIAN" => Ok(Some(false)),
        "LITTLE_ENDIAN" => Ok(Some(true)),
        other => Err(format!("Byte order must be BIG_ENDIAN or LITTLE_ENDIAN, not '{other}'")),
    }
}

fn numbers<T: arrow::datatypes::ArrowPrimitiveType, const N: usize>(
    call: &mut ScalarCall<'_>,
    from: fn([u8; N]) -> T::Native,
) -> ArrayRef {
    let bytes = call.bytes(0);
    let order = (call.args.len() > 1).then(|| call.texts(1));
    call.collect::<T>(|row| {
        let given = known!(bytes.get(row));
        let mut bytes: [u8; N] = given.try_into().map_err(|_| format!("{N} bytes are needed, not {}", given.len()))?;
        if known!(is_little(order, row)?) {
            bytes.reverse();
        }
        Ok(Some(from(bytes)))
    })
}

fn uuid() -> Function {
    let bytes: P<'_> = ("bytes", &BYTES, "16 bytes");
    Function::scalar("UUID", CATEGORY, "A random UUID for each row, or 16 bytes as a UUID.")
        .over(&[], STRING, |call| call.collect_text(|_| Ok(Some(uuid::Uuid::new_v4().to_string()))))
        .over(&[bytes], STRING, |call| {
            let bytes = call.bytes(0);
            call.collect_text(|row| Ok(uuid::Uuid::from_slice(known!(bytes.get(row))).ok().map(|id| id.to_string())))
        })
        .examples(&[(
            "UUID(TO_BYTES('00112233445566778899aabbccddeeff', 'hex'))",
            "00112233-4455-6677-8899-aabbccddeeff",
        )])
}

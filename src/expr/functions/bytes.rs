//! BYTES and texts that stand for them: encodings, numbers, UUIDs. Doesn't know how formats write BYTES.

use arrow::array::ArrayRef;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::define::{BIGINT, BYTES, DOUBLE, INT, STRING};
use super::kernel::{Out, known};
use super::{Function, ParamType, ScalarCall, ScalarFn};

const CATEGORY: &str = "BYTES";

/// What lacks its padding is read, too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn entries() -> Vec<Function> {
    let encoding = ("encoding", &STRING, "hex, utf8, ascii or base64");
    vec![
        Function::scalar("TO_BYTES", CATEGORY, "The bytes that a text stands for in an encoding.")
            .over(&[("text", &STRING, "a text"), encoding], BYTES, to_bytes)
            .examples(&[("TO_BYTES('6869', 'hex')", "aGk="), ("TO_BYTES('hi', 'utf8')", "aGk=")]),
        Function::scalar(
            "FROM_BYTES",
            CATEGORY,
            "Bytes as text in an encoding. Hexadecimal digits are capitals; what isn't UTF-8 or ASCII becomes U+FFFD.",
        )
        .over(&[("bytes", &BYTES, "bytes"), encoding], STRING, from_bytes)
        .examples(&[("FROM_BYTES(TO_BYTES('o', 'utf8'), 'hex')", "6F")]),
        Function::scalar(
            "ENCODE",
            CATEGORY,
            "A text from one encoding into another. Hexadecimal digits may be given as 0x.. or X'..'; those given back \
             are small.",
        )
        .over(
            &[
                ("text", &STRING, "a text"),
                ("input", &STRING, "its encoding: hex, utf8, ascii or base64"),
                ("output", &STRING, "another encoding"),
            ],
            STRING,
            encode,
        )
        .examples(&[("ENCODE('hi', 'utf8', 'base64')", "aGk="), ("ENCODE('0x6F', 'hex', 'ascii')", "o")]),
        from_number("INT_FROM_BYTES", "The INT that 4 bytes are.", INT, |call| {
            numbers::<4, Int32Type>(call, i32::from_be_bytes)
        })
        .examples(&[("INT_FROM_BYTES(TO_BYTES('000007E5', 'hex'))", "2021")]),
        from_number("BIGINT_FROM_BYTES", "The BIGINT that 8 bytes are.", BIGINT, |call| {
            numbers::<8, Int64Type>(call, i64::from_be_bytes)
        })
        .examples(&[("BIGINT_FROM_BYTES(TO_BYTES('0100000000000000', 'hex'), 'LITTLE_ENDIAN')", "1")]),
        from_number("DOUBLE_FROM_BYTES", "The DOUBLE that 8 bytes are, in IEEE 754.", DOUBLE, |call| {
            numbers::<8, Float64Type>(call, f64::from_be_bytes)
        })
        .examples(&[("DOUBLE_FROM_BYTES(TO_BYTES('3FF8000000000000', 'hex'))", "1.5")]),
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
    /// By its name, in any case.
    fn named(name: &str) -> Result<Encoding, String> {
        let known = [
            ("hex", Encoding::Hex),
            ("utf8", Encoding::Utf8),
            ("ascii", Encoding::Ascii),
            ("base64", Encoding::Base64),
        ];
        let found = known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found
            .map(|(_, encoding)| encoding)
            .ok_or_else(|| format!("Unknown encoding '{name}': known are hex, utf8, ascii and base64"))
    }

    /// The bytes that a text stands for. In ASCII, what it lacks becomes `?`.
    fn read(self, text: &str) -> Result<Vec<u8>, String> {
        match self {
            Encoding::Hex => from_hex(text).ok_or_else(|| format!("'{text}' isn't hexadecimal")),
            Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
            Encoding::Ascii => Ok(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect()),
            Encoding::Base64 => BASE64.decode(text).map_err(|error| format!("'{text}' isn't base64: {error}")),
        }
    }

    /// Bytes as text; hexadecimal digits small.
    fn write(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => to_hex(bytes),
            Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Encoding::Ascii => bytes
                .iter()
                .map(|byte| if byte.is_ascii() { *byte as char } else { char::REPLACEMENT_CHARACTER })
                .collect(),
            Encoding::Base64 => BASE64.encode(bytes),
        }
    }
}

/// Small hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)] as char);
        out.push(DIGITS[usize::from(byte & 15)] as char);
    }
    out
}

/// Pairs of hexadecimal digits.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
            _ => None,
        })
        .collect()
}

/// Hexadecimal digits, bare or as a literal of SQL (`X'..'`) or of C (`0x..`, where the first digit may be alone).
fn from_hex_literal(text: &str) -> Option<Vec<u8>> {
    if let Some(digits) = text.strip_prefix("0x") {
        let is_odd = digits.len() % 2 == 1;
        return if is_odd { from_hex(&format!("0{digits}")) } else { from_hex(digits) };
    }
    match text.strip_prefix(['X', 'x']) {
        Some(quoted) => from_hex(quoted.strip_prefix('\'')?.strip_suffix('\'')?),
        None => from_hex(text),
    }
}

fn to_bytes(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, encoding) = (call.texts(0), call.texts(1));
    call.collect_bytes(|row| {
        let (text, encoding) = (known!(text.get(row)), known!(encoding.get(row)));
        Encoding::named(encoding)?.read(text).map(Some)
    })
}

fn from_bytes(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (bytes, encoding) = (call.bytes(0), call.texts(1));
    call.collect_text(|row| {
        let (bytes, encoding) = (known!(bytes.get(row)), known!(encoding.get(row)));
        let encoding = Encoding::named(encoding)?;
        let text = encoding.write(bytes);
        Ok(Some(if encoding == Encoding::Hex { text.to_ascii_uppercase() } else { text }))
    })
}

fn encode(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, input, output) = (call.texts(0), call.texts(1), call.texts(2));
    call.collect_text(|row| {
        let (text, input, output) = (known!(text.get(row)), known!(input.get(row)), known!(output.get(row)));
        recode(text, Encoding::named(input)?, Encoding::named(output)?).map(Some)
    })
}

fn recode(text: &str, input: Encoding, output: Encoding) -> Result<String, String> {
    if input == output {
        return Err("ENCODE needs two different encodings".into());
    }
    let bytes = match input {
        Encoding::Hex => from_hex_literal(text).ok_or_else(|| format!("'{text}' isn't hexadecimal"))?,
        _ => input.read(text)?,
    };
    Ok(output.write(&bytes))
}

fn from_number(name: &'static str, description: &'static str, returns: ParamType, call: ScalarFn) -> Function {
    let bytes = ("bytes", &BYTES, "bytes");
    let order = ("order", &STRING, "BIG_ENDIAN, which holds when it isn't given, or LITTLE_ENDIAN");
    Function::scalar(name, CATEGORY, description).over(&[bytes], returns.clone(), call).over(
        &[bytes, order],
        returns,
        call,
    )
}

fn numbers<const SIZE: usize, T: arrow::datatypes::ArrowPrimitiveType>(
    call: &mut ScalarCall<'_>,
    read: fn([u8; SIZE]) -> T::Native,
) -> ArrayRef {
    let bytes = call.bytes(0);
    let order = (call.args.len() > 1).then(|| call.texts(1));
    call.collect::<T>(|row| {
        let bytes = known!(bytes.get(row));
        let order = match order {
            Some(order) => known!(order.get(row)),
            None => "BIG_ENDIAN",
        };
        in_big_endian::<SIZE>(bytes, order).map(|bytes| bytes.map(read))
    })
}

fn in_big_endian<const SIZE: usize>(bytes: &[u8], order: &str) -> Out<[u8; SIZE]> {
    let wrong_size = |_| format!("{SIZE} bytes are needed, not {}", bytes.len());
    let mut bytes: [u8; SIZE] = bytes.try_into().map_err(wrong_size)?;
    if order.eq_ignore_ascii_case("LITTLE_ENDIAN") {
        bytes.reverse();
    } else if !order.eq_ignore_ascii_case("BIG_ENDIAN") {
        return Err(format!("Unknown byte order '{order}': known are BIG_ENDIAN and LITTLE_ENDIAN"));
    }
    Ok(Some(bytes))
}

fn uuid() -> Function {
    Function::scalar("UUID", "STRING", "A new random UUID for each row, or the one that 16 bytes are.")
        .over(&[], STRING, |call| call.collect_text(|_| Ok(Some(::uuid::Uuid::new_v4().to_string()))))
        .over(&[("bytes", &BYTES, "16 bytes; NULL comes of any other length")], STRING, |call| {
            let bytes = call.bytes(0);
            call.collect_text(|row| {
                Ok(::uuid::Uuid::from_slice(known!(bytes.get(row))).ok().map(|uuid| uuid.to_string()))
            })
        })
        .examples(&[
            ("LEN(UUID())", "36"),
            ("UUID(TO_BYTES('237e9877e79b12d4a765321741963000', 'hex'))", "237e9877-e79b-12d4-a765-321741963000"),
        ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes() {
        use Encoding::{Ascii, Base64, Hex, Utf8};
        let table = [
            ("c3A4", Hex, Utf8, Ok("ä")),
            ("c3", Hex, Utf8, Ok("\u{fffd}")),
            ("c3A4", Hex, Ascii, Ok("\u{fffd}\u{fffd}")),
            ("X'41'", Hex, Ascii, Ok("A")),
            ("x'41'", Hex, Ascii, Ok("A")),
            ("0x141", Hex, Ascii, Ok("\u{1}A")),
            ("0x", Hex, Base64, Ok("")),
            ("", Hex, Utf8, Ok("")),
            ("141", Hex, Utf8, Err(())),
            ("X'141'", Hex, Utf8, Err(())),
            ("X'41", Hex, Utf8, Err(())),
            ("X'", Hex, Utf8, Err(())),
            ("X", Hex, Utf8, Err(())),
            ("0x0x", Hex, Utf8, Err(())),
            ("äö", Hex, Utf8, Err(())),
            ("ä😀b", Ascii, Utf8, Ok("??b")),
            ("ä", Utf8, Hex, Ok("c3a4")),
            ("TWFu", Base64, Ascii, Ok("Man")),
            ("TWE=", Base64, Ascii, Ok("Ma")),
            ("TWE", Base64, Ascii, Ok("Ma")),
            ("T*E=", Base64, Ascii, Err(())),
            ("a", Utf8, Utf8, Err(())),
        ];
        for (text, input, output, expected) in table {
            let got = recode(text, input, output).map_err(drop);
            assert_eq!(got, expected.map(String::from), "{text} {input:?} {output:?}");
        }
    }

    #[test]
    fn encodings_have_names_in_any_case() {
        assert_eq!(Encoding::named("Base64"), Ok(Encoding::Base64));
        assert!(Encoding::named("utf-8").is_err());
    }

    #[test]
    fn byte_orders() {
        assert_eq!(in_big_endian(&[1, 2, 3, 4], "big_endian"), Ok(Some([1, 2, 3, 4])));
        assert_eq!(in_big_endian(&[1, 2, 3, 4], "LITTLE_ENDIAN"), Ok(Some([4, 3, 2, 1])));
        assert!(in_big_endian::<4>(&[1, 2, 3], "BIG_ENDIAN").is_err());
        assert!(in_big_endian::<1>(&[1], "MIDDLE_ENDIAN").is_err());
    }
}

//! What the text of a JSON number means to a type, as Java's BigDecimal and Jackson have it.

use crate::types::decimal::Digits;

/// The low 64 bits of the whole part: fractions are cut off, too large a number wraps around.
pub(super) fn to_long(text: &[u8]) -> Option<i64> {
    if let Ok(number) = lexical_core::parse::<i64>(text) {
        return Some(number);
    }
    let number = Digits::parse(text)?;
    let mut size = 0u64;
    // Behind 64 zeros all 64 bits are zero (each brings a factor two).
    let whole = usize::try_from(number.point).unwrap_or(0);
    if whole < number.digits.len() + 64 {
        for i in 0..whole {
            let digit = number.digits.get(i).copied().unwrap_or(0);
            size = size.wrapping_mul(10).wrapping_add(u64::from(digit));
        }
    }
    Some(if number.negative { size.wrapping_neg() as i64 } else { size as i64 })
}

pub(super) fn to_double(text: &[u8]) -> Option<f64> {
    lexical_core::parse::<f64>(text).ok()
}

/// The number as a STRING: whole ones as they are, others as `BigDecimal.toString` writes them, keeping every zero.
pub(super) fn to_string(text: &str, out: &mut Vec<u8>) {
    if !text.contains(['.', 'e', 'E']) {
        out.extend_from_slice(if text == "-0" { b"0" } else { text.as_bytes() });
        return;
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // Exponents beyond this have no meaning as numbers; they stay as they are written.
    let Some(exponent) = exponent.parse::<i64>().ok().filter(|e| e.abs() < i64::from(i32::MAX)) else {
        out.extend_from_slice(text.as_bytes());
        return;
    };
    let digits = format!("{whole}{fraction}");
    let scale = fraction.len() as i64 - exponent;
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    // Zero has no sign there.
    out.extend_from_slice(if digits == "0" { b"" } else { sign.as_bytes() });
    write_unscaled(digits, scale, out);
}

/// Java's layout: plain where the point is not behind the digits and not more than six zeros before them.
fn write_unscaled(digits: &str, scale: i64, out: &mut Vec<u8>) {
    let count = digits.len() as i64;
    let adjusted = count - 1 - scale;
    if scale == 0 {
        out.extend_from_slice(digits.as_bytes());
    } else if scale > 0 && adjusted >= -6 {
        match usize::try_from(count - scale) {
            Ok(whole) if whole > 0 => {
                out.extend_from_slice(&digits.as_bytes()[..whole]);
                out.push(b'.');
                out.extend_from_slice(&digits.as_bytes()[whole..]);
            }
            _ => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + (scale - count).max(0) as usize, b'0');
                out.extend_from_slice(digits.as_bytes());
            }
        }
    } else {
        out.extend_from_slice(&digits.as_bytes()[..1]);
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits.as_bytes()[1..]);
        }
        if adjusted != 0 {
            out.extend_from_slice(format!("E{adjusted:+}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_parts_wrap_as_in_java() {
        let table = [
            ("0", 0),
            ("-0.9", 0),
            ("1.9", 1),
            ("-1.9", -1),
            ("1e3", 1000),
            ("12345e-2", 123),
            ("1e-400", 0),
            ("9223372036854775807", i64::MAX),
            ("9223372036854775808", i64::MIN),
            ("18446744073709551617", 1),
            ("1e19", 10_000_000_000_000_000_000u64 as i64),
            ("1e64", 0),
            ("1e63", 1i64 << 63),
            ("1e400", 0),
            ("-1e999999999999", 0),
        ];
        for (text, expected) in table {
            assert_eq!(to_long(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn numbers_become_strings_as_big_decimals_do() {
        let table = [
            ("1", "1"),
            ("-0", "0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.50", "1.50"),
            ("-0.0", "0.0"),
            ("1e5", "1E+5"),
            ("1.5e5", "1.5E+5"),
            ("12e0", "12"),
            ("1.25E2", "125"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("123e-2", "1.23"),
            ("12.5e-8", "1.25E-7"),
            ("0e3", "0E+3"),
            ("1e99999999999", "1e99999999999"),
        ];
        for (text, expected) in table {
            let mut out = Vec::new();
            to_string(text, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text}");
        }
    }
}

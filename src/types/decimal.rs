//! Text of decimals: plain digits, never an exponent on the way out. Doesn't know arithmetic on them.

use std::fmt;

use arrow::datatypes::i256;

use super::DECIMAL_PRECISION_MAX;

/// Why a text is not a DECIMAL(p, s).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecimalError {
    /// Not a number.
    Malformed,
    /// More digits before the point than the type has.
    Overflow { digits_max: u32 },
    /// Digits beyond the scale that are not zero.
    Inexact { scale: u32 },
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecimalError::Malformed => f.write_str("not a decimal number"),
            DecimalError::Overflow { digits_max } => {
                write!(f, "numeric field overflow: the absolute value must be less than 10^{digits_max}")
            }
            DecimalError::Inexact { scale } => {
                write!(f, "doesn't fit without rounding: there are more than {scale} digits after the point")
            }
        }
    }
}

/// `-0.05` for unscaled -5 and scale 2: all digits of the scale, no exponent.
pub fn to_text(unscaled: i256, scale: u32) -> String {
    let digits = match unscaled.to_i128() {
        Some(small) => small.unsigned_abs().to_string(),
        None => unscaled.to_string().trim_start_matches('-').to_string(),
    };
    let scale = scale as usize;
    let mut text = String::with_capacity(digits.len().max(scale) + 3);
    if unscaled.is_negative() {
        text.push('-');
    }
    if scale == 0 {
        text.push_str(&digits);
        return text;
    }
    let whole = digits.len().saturating_sub(scale);
    text.push_str(if whole == 0 { "0" } else { &digits[..whole] });
    text.push('.');
    for _ in digits.len()..scale {
        text.push('0');
    }
    text.push_str(&digits[whole..]);
    text
}

/// A number as digits and a power of ten: value = 0.d1d2d3... × 10^`point`, no leading or trailing zeros.
/// Zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    pub negative: bool,
    pub digits: Vec<u8>,
    /// Place of the point, counted from the first digit.
    pub point: i64,
}

impl Digits {
    /// Reads `[+-] digits [. digits] [e [+-] digits]` with at least one digit before the exponent, as Java's BigDecimal
    /// does. Exponents beyond 10^9 saturate (a value out of every type's range).
    pub fn parse(text: &[u8]) -> Option<Digits> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let mantissa_end = rest.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(rest.len());
        let exponent = match rest.get(mantissa_end + 1..) {
            None => 0,
            Some(exponent) => parse_exponent(exponent)?,
        };
        let mantissa = &rest[..mantissa_end];
        let point_at = mantissa.iter().position(|b| *b == b'.').unwrap_or(mantissa.len());
        let mut digits = Vec::with_capacity(mantissa.len());
        for (i, byte) in mantissa.iter().enumerate() {
            match byte {
                b'0'..=b'9' => digits.push(byte - b'0'),
                b'.' if i == point_at => {}
                _ => return None,
            }
        }
        if digits.is_empty() {
            return None;
        }
        let zeros = digits.iter().take_while(|d| **d == 0).count();
        digits.drain(..zeros);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let point = if digits.is_empty() { 0 } else { point_at as i64 - zeros as i64 + exponent };
        Some(Digits { negative, digits, point })
    }
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0i64, |n, d| (n * 10 + i64::from(d - b'0')).min(1_000_000_000));
    Some(if negative { -size } else { size })
}

/// The unscaled value of a text as a DECIMAL(precision, scale). It must fit exactly: nothing is rounded.
pub fn parse(text: &[u8], precision: u32, scale: u32) -> Result<i256, DecimalError> {
    let number = Digits::parse(text).ok_or(DecimalError::Malformed)?;
    if number.digits.is_empty() {
        return Ok(i256::ZERO);
    }
    let digits_max = precision.min(DECIMAL_PRECISION_MAX).saturating_sub(scale);
    if number.point > i64::from(digits_max) {
        return Err(DecimalError::Overflow { digits_max });
    }
    let zeros = number.point + i64::from(scale) - number.digits.len() as i64;
    if zeros < 0 {
        return Err(DecimalError::Inexact { scale });
    }
    let mut unscaled = i256::ZERO;
    let padding = std::iter::repeat_n(0u8, zeros as usize);
    let all: Vec<u8> = number.digits.iter().copied().chain(padding).collect();
    for chunk in all.chunks(18) {
        let part = chunk.iter().fold(0i128, |n, d| n * 10 + i128::from(*d));
        let shift = i256::from_i128(10i128.pow(chunk.len() as u32));
        unscaled = unscaled.wrapping_mul(shift).wrapping_add(i256::from_i128(part));
    }
    Ok(if number.negative { unscaled.wrapping_neg() } else { unscaled })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_plain_digits() {
        let table = [
            (0i128, 0u32, "0"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (12345, 2, "123.45"),
            (-12345, 5, "-0.12345"),
            (7, 0, "7"),
        ];
        for (unscaled, scale, text) in table {
            assert_eq!(to_text(i256::from_i128(unscaled), scale), text);
        }
        let big = i256::from_string("-1234567890123456789012345678901234567890123456789").unwrap();
        assert_eq!(to_text(big, 9), "-1234567890123456789012345678901234567890.123456789");
    }

    #[test]
    fn reads_what_fits_exactly() {
        let table = [
            ("10", 6u32, 4u32, Ok(100_000i128)),
            ("0.0001", 6, 4, Ok(1)),
            (".12", 6, 4, Ok(1200)),
            ("+1.", 6, 4, Ok(10_000)),
            ("-1.50000", 6, 4, Ok(-15_000)),
            ("1e1", 6, 4, Ok(100_000)),
            ("12E-1", 6, 4, Ok(12_000)),
            ("000099.99", 4, 2, Ok(9999)),
            ("-0", 4, 2, Ok(0)),
            ("0e999999999999", 4, 2, Ok(0)),
            ("100", 4, 2, Err(DecimalError::Overflow { digits_max: 2 })),
            ("1e99999999999999999999", 4, 2, Err(DecimalError::Overflow { digits_max: 2 })),
            ("1.001", 4, 2, Err(DecimalError::Inexact { scale: 2 })),
            ("1e-99999999999999999999", 4, 2, Err(DecimalError::Inexact { scale: 2 })),
            ("", 4, 2, Err(DecimalError::Malformed)),
            (".", 4, 2, Err(DecimalError::Malformed)),
            ("1.2.3", 4, 2, Err(DecimalError::Malformed)),
            ("1e", 4, 2, Err(DecimalError::Malformed)),
            ("e1", 4, 2, Err(DecimalError::Malformed)),
            (" 1", 4, 2, Err(DecimalError::Malformed)),
            ("--1", 4, 2, Err(DecimalError::Malformed)),
        ];
        for (text, precision, scale, expected) in table {
            assert_eq!(parse(text.as_bytes(), precision, scale), expected.map(i256::from_i128), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(digits in "[1-9][0-9]{0,75}", negative: bool, scale in 0u32..=76) {
            let text = format!("{}{digits}", if negative { "-" } else { "" });
            let unscaled = i256::from_string(&text).unwrap();
            proptest::prop_assert_eq!(parse(to_text(unscaled, scale).as_bytes(), 76, scale), Ok(unscaled));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, precision in 1u32..=76, scale in 0u32..=76) {
            let _ = parse(&bytes, precision, scale.min(precision));
        }
    }
}

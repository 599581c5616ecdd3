//! Exact decimal numbers as an unscaled `i256` and a scale: text, rescaling, the types of results.
//! Doesn't know Arrow arrays.

use arrow::datatypes::i256;

use crate::types::decimal::to_text;
use crate::types::{DECIMAL_PRECISION_MAX, SqlType};

/// Precision and scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub precision: u32,
    pub scale: u32,
}

impl Shape {
    /// The decimal shape an integer or decimal type counts as.
    pub fn of(ty: &SqlType) -> Option<Shape> {
        match ty {
            SqlType::Int => Some(Shape { precision: 10, scale: 0 }),
            SqlType::Bigint => Some(Shape { precision: 19, scale: 0 }),
            SqlType::Decimal { precision, scale } => Some(Shape { precision: *precision, scale: *scale }),
            _ => None,
        }
    }

    /// Capped at the digits an Arrow decimal holds: a value that needs more fails its row.
    pub fn ty(self) -> SqlType {
        let precision = self.precision.clamp(1, DECIMAL_PRECISION_MAX);
        SqlType::Decimal { precision, scale: self.scale.min(precision) }
    }

    fn integer_digits(self) -> u32 {
        self.precision.saturating_sub(self.scale)
    }

    /// The smallest shape that holds both.
    pub fn union(self, other: Shape) -> Shape {
        let scale = self.scale.max(other.scale);
        Shape { precision: self.integer_digits().max(other.integer_digits()) + scale, scale }
    }

    /// Every value of `self` is one of `other`.
    pub fn fits(self, other: Shape) -> bool {
        self.scale <= other.scale && self.integer_digits() <= other.integer_digits()
    }

    pub fn sum(self, other: Shape) -> Shape {
        let union = self.union(other);
        Shape { precision: union.precision + 1, ..union }
    }

    pub fn product(self, other: Shape) -> Shape {
        Shape { precision: self.precision + other.precision + 1, scale: self.scale + other.scale }
    }

    pub fn quotient(self, other: Shape) -> Shape {
        let scale = (self.scale + other.precision + 1).max(6);
        Shape { precision: self.integer_digits() + other.scale + scale, scale }
    }

    pub fn remainder(self, other: Shape) -> Shape {
        let scale = self.scale.max(other.scale);
        Shape { precision: self.integer_digits().min(other.integer_digits()) + scale, scale }
    }
}

/// What rescaling does with digits that don't fit behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    HalfUp,
    Down,
    /// The digits must be zeros.
    Unnecessary,
}

/// 10 to the power of `exponent`; `None` beyond 76, which no `i256` holds.
pub(super) fn pow10(exponent: u32) -> Option<i256> {
    if exponent > 76 {
        return None;
    }
    i256::from_i128(10).checked_pow(exponent)
}

/// `unscaled` has at most `precision` digits.
pub(super) fn fits(unscaled: i256, precision: u32) -> bool {
    match pow10(precision) {
        Some(bound) => unscaled < bound && unscaled > bound.wrapping_neg(),
        None => true,
    }
}

/// The same number with another scale; `None` when it overflows or would have to be rounded but mustn't.
pub(super) fn rescale(unscaled: i256, from: u32, to: u32, rounding: Rounding) -> Option<i256> {
    if to >= from {
        return unscaled.checked_mul(pow10(to - from)?);
    }
    match pow10(from - to) {
        Some(divisor) => divide(unscaled, divisor, rounding),
        None => Some(i256::ZERO),
    }
}

/// Integer division with rounding of the quotient; `divisor` isn't 0.
pub(super) fn divide(dividend: i256, divisor: i256, rounding: Rounding) -> Option<i256> {
    let quotient = dividend.checked_div(divisor)?;
    let remainder = dividend.checked_rem(divisor)?;
    if remainder == i256::ZERO || rounding == Rounding::Down {
        return Some(quotient);
    }
    if rounding == Rounding::Unnecessary {
        return None;
    }
    let half = absolute(remainder) >= absolute(divisor).wrapping_sub(absolute(remainder));
    let away = if (dividend < i256::ZERO) == (divisor < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
    if half { quotient.checked_add(away) } else { Some(quotient) }
}

fn absolute(value: i256) -> i256 {
    if value < i256::ZERO { value.wrapping_neg() } else { value }
}

/// A number from text such as `-12.50` or `1.2E3`: unscaled value and scale. Nothing else is accepted.
pub(super) fn parse(text: &str) -> Option<(i256, u32)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first()? {
        b'-' => (true, &mantissa[1..]),
        b'+' => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut unscaled = i256::ZERO;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        let digit = i256::from_i128(i128::from(byte - b'0'));
        unscaled = unscaled.checked_mul(i256::from_i128(10))?.checked_add(digit)?;
    }
    let unscaled = if negative { unscaled.wrapping_neg() } else { unscaled };
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if scale >= 0 {
        return Some((unscaled, scale as u32));
    }
    Some((unscaled.checked_mul(pow10(scale.unsigned_abs())?)?, 0))
}

/// The shape of a number as written: `0.005` has 4 digits, 3 of them behind the point.
pub(super) fn shape_of_text(text: &str) -> Shape {
    let digits = text.trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let scale = fraction.len() as u32;
    Shape { precision: (whole.len() as u32).max(1) + scale, scale }
}

/// The nearest DOUBLE.
pub(super) fn to_double(unscaled: i256, scale: u32) -> f64 {
    // Through text: a quotient of two rounded doubles could be off by one in the last place.
    match unscaled.to_i128() {
        Some(small) if scale == 0 && small.unsigned_abs() < 1 << 53 => small as f64,
        Some(small) if scale <= 22 && small.unsigned_abs() < 1 << 53 => small as f64 / 10f64.powi(scale as i32),
        _ => to_text(unscaled, scale).parse().unwrap_or(f64::NAN),
    }
}

/// A DOUBLE as a decimal of that scale, by its shortest text, half up.
pub(super) fn from_double(value: f64, scale: u32) -> Option<i256> {
    if !value.is_finite() {
        return None;
    }
    let (unscaled, from) = parse(ryu::Buffer::new().format_finite(value))?;
    rescale(unscaled, from, scale, Rounding::HalfUp)
}

/// The low 64 bits of the number's whole part, as Java's `BigDecimal.longValue`.
pub(super) fn to_i64_wrapping(unscaled: i256, scale: u32) -> i64 {
    let whole = rescale(unscaled, scale, 0, Rounding::Down).unwrap_or(i256::ZERO);
    let (low, _) = whole.to_parts();
    low as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> (i256, u32) {
        parse(text).unwrap()
    }

    #[test]
    fn text_goes_both_ways() {
        for text in ["0", "-1", "10.50", "0.005", "-0.10", "123456789012345678901234567890.123456789"] {
            let (unscaled, scale) = number(text);
            assert_eq!(to_text(unscaled, scale), text);
        }
        assert_eq!(number("1.25E1"), (i256::from_i128(125), 1));
        assert_eq!(number("2e3"), (i256::from_i128(2000), 0));
        assert_eq!(parse("1.2.3"), None);
        assert_eq!(parse(""), None);
        assert_eq!(parse("abc"), None);
    }

    #[test]
    fn half_up_goes_away_from_zero() {
        for (text, scale, expected) in
            [("1.25", 1, "1.3"), ("-1.25", 1, "-1.3"), ("1.24", 1, "1.2"), ("0.99", 1, "1.0"), ("0.5", 0, "1")]
        {
            let (unscaled, from) = number(text);
            assert_eq!(to_text(rescale(unscaled, from, scale, Rounding::HalfUp).unwrap(), scale), expected);
        }
        assert_eq!(rescale(i256::from_i128(125), 2, 1, Rounding::Unnecessary), None);
        assert_eq!(rescale(i256::from_i128(120), 2, 1, Rounding::Unnecessary), Some(i256::from_i128(12)));
    }

    #[test]
    fn shapes_of_results() {
        let a = Shape { precision: 4, scale: 2 };
        let b = Shape { precision: 2, scale: 1 };
        assert_eq!(a.sum(b), Shape { precision: 5, scale: 2 });
        assert_eq!(a.product(b), Shape { precision: 7, scale: 3 });
        assert_eq!(a.quotient(b), Shape { precision: 9, scale: 6 });
        assert_eq!(a.remainder(b), Shape { precision: 3, scale: 2 });
        assert_eq!(shape_of_text("0.005"), Shape { precision: 4, scale: 3 });
        assert_eq!(shape_of_text("12.5"), Shape { precision: 3, scale: 1 });
    }
}

//! DOUBLEs rounded to a number of digits behind the point.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Float64Type;

use super::ScalarCall;
use super::kernel::known;
use super::math::{Whole, to_digits};
use crate::expr::decimal;

/// As many digits behind the point as are rounded to without looking at the decimal text: the power of ten is exact.
const QUICK_DIGITS_MAX: i32 = 15;

/// Rounds doubles to a number of digits behind the point where their product with a power of ten says to which side,
/// whatever the product's error. Of a text such as 1.005 it doesn't.
#[derive(Debug, Clone, Copy)]
struct Quick {
    /// The power of ten.
    unit: f64,
    whole: Whole,
}

impl Quick {
    /// `None` where every text has to be looked at.
    fn new(digits: i32, whole: Whole) -> Option<Quick> {
        let is_known = matches!(whole, Whole::Nearest | Whole::TowardsZero);
        (is_known && (0..=QUICK_DIGITS_MAX).contains(&digits)).then(|| Quick { unit: 10f64.powi(digits), whole })
    }

    /// `None` where the text has to be looked at.
    #[inline]
    fn round(self, value: f64) -> Option<f64> {
        // Beyond it a quotient of two whole numbers isn't the nearest double. NaN isn't below it.
        const SCALED_MAX: f64 = (1u64 << 50) as f64;
        // Added and taken away again it leaves a whole number, the nearest, where there is no instruction for that.
        const TO_WHOLE: f64 = 1.5 * (1u64 << 52) as f64;
        let scaled = value * self.unit;
        let size = scaled.abs();
        // The text is within half a place of the double, the product rounds by half a place: four times both.
        let error = size * (8.0 * f64::EPSILON);
        let (rounded, is_clear) = if self.whole == Whole::Nearest {
            let nearest = (scaled + TO_WHOLE) - TO_WHOLE;
            (nearest, (scaled - nearest).abs() + error < 0.5)
        } else {
            let whole = scaled as i64 as f64;
            let behind = (scaled - whole).abs();
            (whole, behind > error && behind + error < 1.0)
        };
        // Decimals have no negative zero.
        (size < SCALED_MAX && is_clear).then_some(rounded / self.unit + 0.0)
    }
}

/// Through the shortest decimal text of the double, so that 1.005 is what it looks like. `None` when its digits are too
/// many.
fn text_to_digits(value: f64, digits: i32, whole: Whole) -> Option<f64> {
    if !value.is_finite() {
        return Some(value);
    }
    // Numbers beyond an i256's digits have nothing behind the point to round.
    let Some((unscaled, scale)) = decimal::parse(ryu::Buffer::new().format_finite(value)) else { return Some(value) };
    to_digits(unscaled, scale, digits, whole).map(|rounded| decimal::to_double(rounded, scale))
}

/// ROUND and TRUNC of (DOUBLE, INT).
pub(super) fn double_to_digits(call: &mut ScalarCall<'_>, whole: Whole) -> ArrayRef {
    let (values, digits) = (call.doubles(0), call.ints(1));
    if let Some(column) = values.column()
        && let Some(digits) = call.args.constant(1).and_then(|_| digits.get(0))
        && let Some(quick) = Quick::new(digits, whole)
    {
        return column_to_digits(column, quick, digits);
    }
    call.collect::<Float64Type>(|row| {
        let (value, digits) = (known!(values.get(row)), known!(digits.get(row)));
        let quick = Quick::new(digits, whole).and_then(|quick| quick.round(value));
        Ok(quick.or_else(|| text_to_digits(value, digits, whole)))
    })
}

/// Most values the quick way, then those whose text has to be looked at.
fn column_to_digits(column: &Float64Array, quick: Quick, digits: i32) -> ArrayRef {
    let mut slow = Vec::new();
    let mut rounded: Vec<f64> = Vec::with_capacity(column.len());
    for (row, value) in column.values().iter().enumerate() {
        rounded.push(quick.round(*value).unwrap_or_else(|| {
            slow.push(row);
            *value
        }));
    }
    let mut absent = Vec::new();
    for row in slow {
        match text_to_digits(rounded[row], digits, quick.whole) {
            Some(value) => rounded[row] = value,
            None => absent.push(row),
        }
    }
    let mut nulls = column.nulls().cloned();
    if !absent.is_empty() {
        let mut known = vec![true; column.len()];
        absent.into_iter().for_each(|row| known[row] = false);
        nulls = NullBuffer::union(nulls.as_ref(), Some(&known.into()));
    }
    Arc::new(Float64Array::new(rounded.into(), nulls))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(value: f64, digits: i32) -> bool {
        [Whole::Nearest, Whole::TowardsZero].into_iter().all(|whole| {
            let quick = Quick::new(digits, whole).and_then(|quick| quick.round(value));
            let slow = text_to_digits(value, digits, whole);
            quick.is_none_or(|quick| slow.map(f64::to_bits) == Some(quick.to_bits()))
        })
    }

    proptest::proptest! {
        #[test]
        fn quick_rounding_is_that_of_the_text(unscaled in -100_000_000_i64..100_000_000, scale in 0..8, digits in 0..6) {
            proptest::prop_assert!(agree(unscaled as f64 / 10f64.powi(scale), digits));
        }

        #[test]
        fn quick_rounding_of_any_double(value in proptest::num::f64::ANY, near in -1e12..1e12, digits in 0..16) {
            proptest::prop_assert!(agree(value, digits) && agree(near, digits));
        }
    }

    #[test]
    fn quick_rounding_leaves_halves_to_the_text() {
        let quick = |value: f64, digits, whole| Quick::new(digits, whole).and_then(|quick| quick.round(value));
        for (value, digits) in [(1.005, 2), (2.5, 0), (-2.5, 0), (0.125, 2), (1e300, 2), (4_503_599_627_370_496.5, 1)] {
            assert_eq!(quick(value, digits, Whole::Nearest), None, "{value}");
        }
        assert_eq!(quick(f64::NAN, 2, Whole::Nearest), None);
        assert_eq!(quick(-0.001, 2, Whole::Nearest).map(f64::to_bits), Some(0.0_f64.to_bits()));
        assert_eq!(quick(2.675_1, 2, Whole::Nearest), Some(2.68));
        assert_eq!(quick(-2.679, 2, Whole::TowardsZero), Some(-2.67));
    }
}

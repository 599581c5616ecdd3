//! Functions on numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, Decimal256Type, Float64Type, Int32Type, Int64Type, i256};

use super::define::{BIGINT, DOUBLE, INT};
use super::double_digits::double_to_digits;
use super::kernel::known;
use super::{Function, ParamType, ScalarCall, ScalarFn};
use crate::expr::decimal::{self, Rounding, Shape, pow10, rescale};
use crate::types::SqlType;

const CATEGORY: &str = "MATHEMATICAL";

pub(super) fn entries() -> Vec<Function> {
    let mut all = vec![abs(), ceil(), floor(), round(), trunc(), sign()];
    all.extend(trigonometry());
    all.extend(logarithms());
    all
}

/// DOUBLE to DOUBLE. Other numbers widen to it.
macro_rules! unary {
    ($name:literal, $description:literal, $f:expr, $examples:expr) => {
        Function::scalar($name, CATEGORY, $description)
            .over(&[("value", &DOUBLE, "a number")], DOUBLE, |call| map::<Float64Type, Float64Type>(call, $f))
            .examples($examples)
    };
}

fn trigonometry() -> Vec<Function> {
    vec![
        unary!("ACOS", "The arc cosine, in radians.", f64::acos, &[("ACOS(1)", "0.0")]),
        unary!("ASIN", "The arc sine, in radians.", f64::asin, &[("ASIN(0)", "0.0")]),
        unary!("ATAN", "The arc tangent, in radians.", f64::atan, &[("ATAN(0)", "0.0")]),
        unary!("SIN", "The sine of an angle in radians.", f64::sin, &[("SIN(0)", "0.0")]),
        unary!("COS", "The cosine of an angle in radians.", f64::cos, &[("COS(0)", "1.0")]),
        unary!("TAN", "The tangent of an angle in radians.", f64::tan, &[("TAN(0)", "0.0")]),
        unary!("SINH", "The hyperbolic sine.", f64::sinh, &[("SINH(0)", "0.0")]),
        unary!("COSH", "The hyperbolic cosine.", f64::cosh, &[("COSH(0)", "1.0")]),
        unary!("TANH", "The hyperbolic tangent.", f64::tanh, &[("TANH(0)", "0.0")]),
        unary!("COT", "The cotangent of an angle in radians.", |x: f64| 1.0 / x.tan(), &[("COT(0)", "Infinity")]),
        unary!(
            "DEGREES",
            "An angle in radians as degrees.",
            |x: f64| x * (180.0 / std::f64::consts::PI),
            &[("DEGREES(PI())", "180.0")]
        ),
        unary!(
            "RADIANS",
            "An angle in degrees as radians.",
            |x: f64| x / 180.0 * std::f64::consts::PI,
            &[("RADIANS(0)", "0.0")]
        ),
        Function::scalar("ATAN2", CATEGORY, "The angle of the point (x, y), in radians.")
            .over(&[("y", &DOUBLE, "ordinate"), ("x", &DOUBLE, "abscissa")], DOUBLE, |call| binary(call, f64::atan2))
            .examples(&[("ATAN2(0, 0)", "0.0")]),
        Function::scalar("PI", CATEGORY, "The ratio of a circle's circumference to its diameter.")
            .over(&[], DOUBLE, |call| Arc::new(Float64Array::from(vec![std::f64::consts::PI; call.rows])))
            .examples(&[("PI()", "3.141592653589793")]),
    ]
}

fn logarithms() -> Vec<Function> {
    vec![
        unary!("CBRT", "The cube root.", f64::cbrt, &[("CBRT(27)", "3.0")]),
        unary!("SQRT", "The square root; NaN of a negative number.", f64::sqrt, &[("SQRT(9)", "3.0")]),
        unary!("EXP", "e to the power of the value.", f64::exp, &[("EXP(0)", "1.0")]),
        unary!("LN", "The natural logarithm.", f64::ln, &[("LN(1)", "0.0"), ("LN(0)", "-Infinity")]),
        unary!(
            "LOG",
            "The natural logarithm; with two arguments, the logarithm to a base.",
            f64::ln,
            &[("LOG(1)", "0.0"), ("LOG(2, 8)", "3.0")]
        )
        .over(&[("base", &DOUBLE, "the base"), ("value", &DOUBLE, "a number")], DOUBLE, |call| binary(call, log)),
        Function::scalar("POWER", CATEGORY, "The base to the power of the exponent.")
            .over(&[("base", &DOUBLE, "the base"), ("exponent", &DOUBLE, "the exponent")], DOUBLE, |call| {
                binary(call, f64::powf)
            })
            .examples(&[("POWER(2, 10)", "1024.0")]),
        Function::scalar("RANDOM", CATEGORY, "A number from 0 up to, not including, 1; another one for each row.")
            .examples(&[("RANDOM() BETWEEN 0 AND 1", "true")])
            .over(&[], DOUBLE, |call| {
                Arc::new((0..call.rows).map(|_| Some(fastrand::f64())).collect::<Float64Array>())
            }),
    ]
}

pub(super) fn log_of_ten() -> Function {
    unary!(
        "LOG",
        "The logarithm to base 10; with two arguments, the logarithm to a base.",
        f64::log10,
        &[("LOG(1000)", "3.0"), ("LOG(2, 8)", "3.0")]
    )
    .over(&[("base", &DOUBLE, "the base"), ("value", &DOUBLE, "a number")], DOUBLE, |call| binary(call, log))
}

fn log(base: f64, value: f64) -> f64 {
    if base <= 0.0 || base == 1.0 {
        return f64::NAN;
    }
    value.ln() / base.ln()
}

fn map<From: ArrowPrimitiveType, To: ArrowPrimitiveType>(
    call: &ScalarCall<'_>,
    f: impl Fn(From::Native) -> To::Native,
) -> ArrayRef {
    let result: PrimitiveArray<To> = call.args[0].as_primitive::<From>().unary(f);
    Arc::new(result)
}

fn binary(call: &mut ScalarCall<'_>, f: impl Fn(f64, f64) -> f64) -> ArrayRef {
    let (a, b) = (call.doubles(0), call.doubles(1));
    call.collect::<Float64Type>(|row| Ok(Some(f(known!(a.get(row)), known!(b.get(row))))))
}

/// The same overloads that keep their type: INT, BIGINT, DOUBLE, DECIMAL.
fn keeps_type(function: Function, int: ScalarFn, bigint: ScalarFn, double: ScalarFn, decimal: ScalarFn) -> Function {
    function
        .over(&[("value", &INT, "a number")], INT, int)
        .over(&[("value", &BIGINT, "a number")], BIGINT, bigint)
        .over(&[("value", &DOUBLE, "a number")], DOUBLE, double)
        .computed(&[("value", &ParamType::Decimal, "a number")], |types| Ok(types[0].clone()), decimal)
}

fn abs() -> Function {
    keeps_type(
        Function::scalar("ABS", CATEGORY, "The value without its sign."),
        |call| map::<Int32Type, Int32Type>(call, i32::wrapping_abs),
        |call| map::<Int64Type, Int64Type>(call, i64::wrapping_abs),
        |call| map::<Float64Type, Float64Type>(call, f64::abs),
        |call| decimals(call, |value, _, _| Some(if value < i256::ZERO { value.wrapping_neg() } else { value })),
    )
    .examples(&[("ABS(-3)", "3"), ("ABS(-1.50)", "1.50")])
}

fn ceil() -> Function {
    keeps_type(
        Function::scalar("CEIL", CATEGORY, "The smallest whole number that is not below the value."),
        |call| call.args[0].clone(),
        |call| call.args[0].clone(),
        |call| map::<Float64Type, Float64Type>(call, f64::ceil),
        |call| decimals(call, |value, scale, _| to_whole(value, scale, Whole::Up)),
    )
    .examples(&[("CEIL(CAST(1.2 AS DOUBLE))", "2.0"), ("CEIL(-1.50)", "-1.00")])
}

fn floor() -> Function {
    keeps_type(
        Function::scalar("FLOOR", CATEGORY, "The largest whole number that is not above the value."),
        |call| call.args[0].clone(),
        |call| call.args[0].clone(),
        |call| map::<Float64Type, Float64Type>(call, f64::floor),
        |call| decimals(call, |value, scale, _| to_whole(value, scale, Whole::Down)),
    )
    .examples(&[("FLOOR(CAST(1.8 AS DOUBLE))", "1.0"), ("FLOOR(-1.50)", "-2.00")])
}

/// Which whole number, or number of fewer digits, a number becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Up,
    Down,
    /// To the nearest; half way, towards plus infinity.
    Nearest,
    TowardsZero,
}

/// A multiple of `unit`.
fn to_multiple(value: i256, unit: i256, whole: Whole) -> Option<i256> {
    let remainder = value.checked_rem(unit)?;
    let down = if remainder < i256::ZERO {
        value.checked_sub(remainder)?.checked_sub(unit)?
    } else {
        value.checked_sub(remainder)?
    };
    let above = value.checked_sub(down)?;
    match whole {
        Whole::Down => Some(down),
        Whole::Up if above == i256::ZERO => Some(down),
        Whole::Up => down.checked_add(unit),
        Whole::Nearest if above.checked_mul(i256::from_i128(2))? >= unit => down.checked_add(unit),
        Whole::Nearest => Some(down),
        Whole::TowardsZero => value.checked_sub(remainder),
    }
}

fn to_whole(value: i256, scale: u32, whole: Whole) -> Option<i256> {
    to_multiple(value, pow10(scale)?, whole)
}

/// With `digits` digits behind the point (negative: before it), in the same scale.
pub(super) fn to_digits(value: i256, scale: u32, digits: i32, whole: Whole) -> Option<i256> {
    let drop = i64::from(scale) - i64::from(digits);
    match u32::try_from(drop) {
        Err(_) | Ok(0) => Some(value),
        Ok(drop) => match pow10(drop) {
            Some(unit) => to_multiple(value, unit, whole),
            None => Some(i256::ZERO),
        },
    }
}

/// A DECIMAL function that keeps precision and scale: f(value, scale, row).
fn decimals(call: &mut ScalarCall<'_>, f: impl Fn(i256, u32, usize) -> Option<i256>) -> ArrayRef {
    let Some(Shape { precision, scale }) = Shape::of(call.returns) else { return call.args[0].clone() };
    let values = call.numbers::<Decimal256Type>(0);
    call.collect::<Decimal256Type>(|row| {
        let value = f(known!(values.get(row)), scale, row).filter(|value| decimal::fits(*value, precision));
        value.map(Some).ok_or_else(|| "Numeric field overflow".into())
    })
}

/// A DECIMAL without its digits behind the point.
fn whole_decimal(types: &[SqlType]) -> Result<SqlType, String> {
    let shape = Shape::of(&types[0]).ok_or("a DECIMAL is needed")?;
    Ok(Shape { precision: shape.precision - shape.scale, scale: 0 }.ty())
}

fn round_decimal(call: &mut ScalarCall<'_>, whole: Whole) -> ArrayRef {
    let scale = Shape::of(&call.arg_types[0]).map_or(0, |shape| shape.scale);
    let precision = Shape::of(call.returns).map_or(0, |shape| shape.precision);
    let values = call.numbers::<Decimal256Type>(0);
    call.collect::<Decimal256Type>(|row| {
        let value = to_whole(known!(values.get(row)), scale, whole);
        let value = value.and_then(|value| rescale(value, scale, 0, Rounding::Down));
        value.filter(|value| decimal::fits(*value, precision)).map(Some).ok_or_else(|| "Numeric field overflow".into())
    })
}

fn decimal_to_digits(call: &mut ScalarCall<'_>, whole: Whole) -> ArrayRef {
    let digits = call.ints(1);
    let is_known = |row: usize| digits.get(row);
    let Some(Shape { precision, scale }) = Shape::of(call.returns) else { return call.args[0].clone() };
    let values = call.numbers::<Decimal256Type>(0);
    call.collect::<Decimal256Type>(|row| {
        let (value, digits) = (known!(values.get(row)), known!(is_known(row)));
        let value = to_digits(value, scale, digits, whole).filter(|value| decimal::fits(*value, precision));
        value.map(Some).ok_or_else(|| "Numeric field overflow".into())
    })
}

fn round() -> Function {
    Function::scalar(
        "ROUND",
        CATEGORY,
        "The nearest whole number, or number with that many digits behind the point. Half way goes up.",
    )
    .over(&[("value", &INT, "a number")], BIGINT, |call| map::<Int32Type, Int64Type>(call, i64::from))
    .over(&[("value", &BIGINT, "a number")], BIGINT, |call| call.args[0].clone())
    .over(&[("value", &DOUBLE, "a number")], BIGINT, |call| map::<Float64Type, Int64Type>(call, nearest))
    .over(&[("value", &DOUBLE, "a number"), ("digits", &INT, "digits behind the point")], DOUBLE, |call| {
        double_to_digits(call, Whole::Nearest)
    })
    .computed(&[("value", &ParamType::Decimal, "a number")], whole_decimal, |call| round_decimal(call, Whole::Nearest))
    .computed(
        &[("value", &ParamType::Decimal, "a number"), ("digits", &INT, "digits behind the point")],
        |types| Ok(types[0].clone()),
        |call| decimal_to_digits(call, Whole::Nearest),
    )
    .examples(&[("ROUND(CAST(-1.5 AS DOUBLE))", "-1"), ("ROUND(2.345, 2)", "2.350"), ("ROUND(1.5)", "2")])
}

fn nearest(value: f64) -> i64 {
    let floor = value.floor();
    (if value - floor >= 0.5 { floor + 1.0 } else { floor }) as i64
}

fn trunc() -> Function {
    Function::scalar(
        "TRUNC",
        CATEGORY,
        "The value without its digits behind the point, or without those after the given number.",
    )
    .over(&[("value", &INT, "a number")], BIGINT, |call| map::<Int32Type, Int64Type>(call, i64::from))
    .over(&[("value", &BIGINT, "a number")], BIGINT, |call| call.args[0].clone())
    .over(&[("value", &DOUBLE, "a number")], BIGINT, |call| map::<Float64Type, Int64Type>(call, |value| value as i64))
    .over(&[("value", &DOUBLE, "a number"), ("digits", &INT, "digits behind the point")], DOUBLE, |call| {
        double_to_digits(call, Whole::TowardsZero)
    })
    .computed(&[("value", &ParamType::Decimal, "a number")], whole_decimal, |call| {
        round_decimal(call, Whole::TowardsZero)
    })
    .computed(
        &[("value", &ParamType::Decimal, "a number"), ("digits", &INT, "digits behind the point")],
        |types| Ok(types[0].clone()),
        |call| decimal_to_digits(call, Whole::TowardsZero),
    )
    .examples(&[("TRUNC(CAST(-1.7 AS DOUBLE))", "-1"), ("TRUNC(2.349, 1)", "2.300")])
}

fn sign() -> Function {
    Function::scalar("SIGN", CATEGORY, "-1, 0 or 1, as the value is negative, zero or positive.")
        .over(&[("value", &INT, "a number")], INT, |call| map::<Int32Type, Int32Type>(call, i32::signum))
        .over(&[("value", &BIGINT, "a number")], INT, |call| map::<Int64Type, Int32Type>(call, |v| v.signum() as i32))
        .over(&[("value", &DOUBLE, "a number")], INT, |call| {
            map::<Float64Type, Int32Type>(call, |v| i32::from(v > 0.0) - i32::from(v < 0.0))
        })
        .examples(&[("SIGN(-7)", "-1")])
}

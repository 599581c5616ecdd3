//! Functions that choose among their arguments: COALESCE, IFNULL, NULLIF, GREATEST, LEAST, AS_VALUE, ELT, FIELD.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, Scalar};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{interleave, is_not_null};
use arrow::datatypes::{Decimal256Type, Int32Type};

use super::define::{BIGINT, BYTES, DATE, DOUBLE, INT, STRING, T, TIME, TIMESTAMP};
use super::kernel::known;
use super::order::compare;
use super::{Function, Implementation, ParamType, Returns, ScalarCall, ScalarFn};
use crate::expr::coerce::common;
use crate::expr::eval::{compare_decimals, equality, nulls};
use crate::types::SqlType;

pub(super) fn entries() -> Vec<Function> {
    vec![
        Function::scalar("COALESCE", "CONDITIONAL", "The first of its arguments that is not NULL.")
            .nulls("NULL when all are.")
            .variadic(
                &[("first", &T, "a value"), ("others", &T, "values to take when those before are NULL")],
                T,
                coalesce,
            )
            .examples(&[("COALESCE(NULL, 'a', 'b')", "a")]),
        Function::scalar("IFNULL", "CONDITIONAL", "The value, or the alternative when the value is NULL.")
            .nulls("NULL when both are.")
            .over(&[("value", &T, "a value"), ("alternative", &T, "what stands for NULL")], T, coalesce)
            .examples(&[("IFNULL(CAST(NULL AS INT), 7)", "7")]),
        Function::scalar("NULLIF", "CONDITIONAL", "NULL when both arguments are equal, else the first.")
            .nulls("NULL when the first is; a second one that is NULL equals nothing.")
            .over(&[("value", &T, "a value"), ("other", &T, "the value that becomes NULL")], T, nullif)
            .examples(&[("NULLIF(1, 1)", "null"), ("NULLIF('a', 'b')", "a")]),
        extreme("GREATEST", "The largest of its arguments; NULLs don't count.", greatest)
            .examples(&[("GREATEST(3, 9, 4)", "9")]),
        extreme("LEAST", "The smallest of its arguments; NULLs don't count.", least)
            .examples(&[("LEAST('b', 'a', 'c')", "a")]),
        Function::scalar("AS_VALUE", "OTHER", "Its argument: copies a key column into the value of the result.")
            .examples(&[("AS_VALUE(1)", "1")])
            .over(&[("key", &T, "a key column")], T, |call| call.args[0].clone()),
        Function::scalar("ELT", "STRING", "The nth of the texts, counted from 1; NULL when there is none.")
            .nulls("NULL when the number is, or the chosen text.")
            .variadic(&[("n", &INT, "which text"), ("texts", &STRING, "the texts")], STRING, elt)
            .examples(&[("ELT(2, 'a', 'b')", "b"), ("ELT(3, 'a', 'b')", "null")]),
        Function::scalar(
            "FIELD",
            "STRING",
            "The place of a text among the others, counted from 1; 0 when it isn't there.",
        )
        .nulls("0 when the first is NULL; others that are NULL match nothing.")
        .variadic(&[("text", &STRING, "the text to find"), ("texts", &STRING, "where to look")], INT, field)
        .examples(&[("FIELD('b', 'a', 'b')", "2"), ("FIELD('x', 'a', 'b')", "0")]),
    ]
}

fn extreme(name: &'static str, description: &'static str, call: ScalarFn) -> Function {
    let mut function =
        Function::scalar(name, "CONDITIONAL", description).nulls("NULL when all are; else NULLs are left out.");
    for ty in [INT, BIGINT, DOUBLE, STRING, BYTES, DATE, TIME, TIMESTAMP] {
        function = function.variadic(&[("first", &ty, "a value"), ("others", &ty, "more values")], ty.clone(), call);
    }
    let decimal = ParamType::Decimal;
    function.overload(
        &[("first", &decimal, "a value"), ("others", &decimal, "more values")],
        Some(1),
        Returns::Computed(|types| {
            let first = types.first().cloned().ok_or("at least one argument is needed")?;
            types
                .iter()
                .skip(1)
                .try_fold(first, |so_far, ty| common(&so_far, ty))
                .ok_or_else(|| "no common type".into())
        }),
        Implementation::Scalar(call),
    )
}

/// For each row the argument (if any) its result is taken from.
fn choose(call: &ScalarCall<'_>, args: &[ArrayRef], which: impl Fn(usize) -> Option<usize>) -> ArrayRef {
    let absent = nulls(call.returns, 1);
    let mut arrays: Vec<&dyn Array> = args.iter().map(AsRef::as_ref).collect();
    let nowhere = arrays.len();
    arrays.push(absent.as_ref());
    let sources: Vec<(usize, usize)> =
        (0..call.rows).map(|row| which(row).map_or((nowhere, 0), |arg| (arg, row))).collect();
    interleave(&arrays, &sources).unwrap_or_else(|_| nulls(call.returns, call.rows))
}

/// Argument by argument, as long as there are NULLs.
fn coalesce(call: &mut ScalarCall<'_>) -> ArrayRef {
    let mut known = call.args[0].clone();
    for arg in 1..call.args.len() {
        if known.null_count() == 0 {
            break;
        }
        let filled = is_not_null(&known).and_then(|is_known| match call.args.constant(arg) {
            Some(value) => zip(&is_known, &known, &Scalar::new(value)),
            None => zip(&is_known, &known, &call.args[arg]),
        });
        known = filled.unwrap_or_else(|_| nulls(call.returns, call.rows));
    }
    known
}

fn nullif(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (a, b) = (&call.args[0], &call.args[1]);
    let same = equality(a.as_ref(), b.as_ref());
    choose(call, std::slice::from_ref(a), |row| (!same(row, row)).then_some(0))
}

fn greatest(call: &mut ScalarCall<'_>) -> ArrayRef {
    extreme_of(call, Ordering::Greater)
}

fn least(call: &mut ScalarCall<'_>) -> ArrayRef {
    extreme_of(call, Ordering::Less)
}

fn extreme_of(call: &mut ScalarCall<'_>, wanted: Ordering) -> ArrayRef {
    if let SqlType::Decimal { .. } = call.returns {
        return extreme_decimal(call, wanted);
    }
    let args = call.args.columns();
    choose(call, &args, |row| {
        let mut best: Option<usize> = None;
        for (i, arg) in args.iter().enumerate() {
            let is_better = |best: usize| compare(arg.as_ref(), row, args[best].as_ref(), row) == wanted;
            if arg.is_valid(row) && best.is_none_or(is_better) {
                best = Some(i);
            }
        }
        best
    })
}

/// The arguments may differ in scale: the result has the widest.
fn extreme_decimal(call: &mut ScalarCall<'_>, wanted: Ordering) -> ArrayRef {
    use crate::expr::decimal::{Rounding, Shape, rescale};
    let scales: Vec<u32> = call.arg_types.iter().map(|ty| Shape::of(ty).map_or(0, |shape| shape.scale)).collect();
    let scale = Shape::of(call.returns).map_or(0, |shape| shape.scale);
    let args: Vec<_> = (0..call.args.len()).map(|arg| call.numbers::<Decimal256Type>(arg)).collect();
    call.collect::<Decimal256Type>(|row| {
        let values = args.iter().zip(&scales).filter_map(|(arg, scale)| arg.get(row).map(|value| (value, *scale)));
        let best = values.reduce(|best, next| if compare_decimals(next, best) == wanted { next } else { best });
        let (value, from) = known!(best);
        rescale(value, from, scale, Rounding::Unnecessary).map(Some).ok_or_else(|| "Numeric field overflow".into())
    })
}

fn elt(call: &mut ScalarCall<'_>) -> ArrayRef {
    let n = call.ints(0);
    let texts = &call.args.columns()[1..];
    choose(call, texts, |row| {
        let n = usize::try_from(n.get(row)?).ok()?;
        (n >= 1 && n <= texts.len()).then(|| n - 1)
    })
}

fn field(call: &mut ScalarCall<'_>) -> ArrayRef {
    let text = call.texts(0);
    let others: Vec<_> = (1..call.args.len()).map(|arg| call.texts(arg)).collect();
    call.collect::<Int32Type>(|row| {
        let Some(text) = text.get(row) else { return Ok(Some(0)) };
        let place = others.iter().position(|other| other.get(row) == Some(text));
        Ok(Some(place.map_or(0, |place| place as i32 + 1)))
    })
}

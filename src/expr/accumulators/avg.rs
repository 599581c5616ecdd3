//! AVG.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type};

use super::numeric::{Kernel, Numeric};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::types::SqlType;

/// AVG(x) of INT, BIGINT and DOUBLE as DOUBLE; 0 without rows. The sum of integers is kept in 64 bits and wraps.
pub(crate) fn avg(call: &AggregateCall) -> Made {
    let ty = arg(call, 0)?;
    Ok(match ty {
        SqlType::Int => Box::new(Numeric::new(AvgOfIntegers::<Int32Type>(std::marker::PhantomData), SqlType::Double)),
        SqlType::Bigint => {
            Box::new(Numeric::new(AvgOfIntegers::<Int64Type>(std::marker::PhantomData), SqlType::Double))
        }
        SqlType::Double => Box::new(Numeric::new(AvgOfDoubles, SqlType::Double)),
        _ => return Err(bad_type(call, ty)),
    })
}

struct AvgOfIntegers<T>(std::marker::PhantomData<fn() -> T>);

struct AvgOfDoubles;

fn quotient(sum: f64, count: i64) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

impl<T: ArrowPrimitiveType> Kernel for AvgOfIntegers<T>
where
    T::Native: Into<i64>,
{
    type In = T;
    type Out = Float64Type;
    type State = (i64, i64);

    const NAME: &'static str = "AVG";
    const CAN_UNDO: bool = true;

    fn init(&self) -> (i64, i64) {
        (0, 0)
    }

    #[inline]
    fn add(&self, state: &mut (i64, i64), value: T::Native) {
        *state = (state.0.wrapping_add(value.into()), state.1 + 1);
    }

    fn remove(&self, state: &mut (i64, i64), value: T::Native) {
        *state = (state.0.wrapping_sub(value.into()), state.1 - 1);
    }

    fn merge(&self, from: &(i64, i64), into: &mut (i64, i64)) {
        *into = (from.0.wrapping_add(into.0), from.1 + into.1);
    }

    fn result(&self, state: &(i64, i64)) -> Option<f64> {
        Some(quotient(state.0 as f64, state.1))
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Bigint, SqlType::Bigint]
    }

    fn save(&self, states: &mut dyn Iterator<Item = (i64, i64)>) -> Vec<ArrayRef> {
        let (sums, counts): (Vec<i64>, Vec<i64>) = states.unzip();
        vec![Arc::new(Int64Array::from(sums)), Arc::new(Int64Array::from(counts))]
    }

    fn load(&self, columns: &[ArrayRef], row: usize) -> (i64, i64) {
        (columns[0].as_primitive::<Int64Type>().value(row), columns[1].as_primitive::<Int64Type>().value(row))
    }
}

impl Kernel for AvgOfDoubles {
    type In = Float64Type;
    type Out = Float64Type;
    type State = (f64, i64);

    const NAME: &'static str = "AVG";
    const CAN_UNDO: bool = true;

    fn init(&self) -> (f64, i64) {
        (0.0, 0)
    }

    #[inline]
    fn add(&self, state: &mut (f64, i64), value: f64) {
        *state = (state.0 + value, state.1 + 1);
    }

    fn remove(&self, state: &mut (f64, i64), value: f64) {
        *state = (state.0 - value, state.1 - 1);
    }

    fn merge(&self, from: &(f64, i64), into: &mut (f64, i64)) {
        *into = (from.0 + into.0, from.1 + into.1);
    }

    fn result(&self, state: &(f64, i64)) -> Option<f64> {
        Some(quotient(state.0, state.1))
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Double, SqlType::Bigint]
    }

    fn save(&self, states: &mut dyn Iterator<Item = (f64, i64)>) -> Vec<ArrayRef> {
        let (sums, counts): (Vec<f64>, Vec<i64>) = states.unzip();
        vec![Arc::new(Float64Array::from(sums)), Arc::new(Int64Array::from(counts))]
    }

    fn load(&self, columns: &[ArrayRef], row: usize) -> (f64, i64) {
        (columns[0].as_primitive::<Float64Type>().value(row), columns[1].as_primitive::<Int64Type>().value(row))
    }
}

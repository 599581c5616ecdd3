//! STDDEV_SAMP and STDDEV_SAMPLE.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type};

use super::numeric::{Kernel, Numeric};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::Accumulator;
use crate::expr::accumulator::AggregateCall;
use crate::types::SqlType;

/// STDDEV_SAMP(x): the sample variance (as ksqlDB has it, in spite of its name); 0 with less than two rows.
pub(crate) fn stddev_samp(call: &AggregateCall) -> Made {
    make(call, Root::Variance)
}

/// STDDEV_SAMPLE(x): the sample standard deviation; 0 with less than two rows.
pub(crate) fn stddev_sample(call: &AggregateCall) -> Made {
    make(call, Root::Deviation)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Variance,
    Deviation,
}

fn make(call: &AggregateCall, root: Root) -> Made {
    let ty = arg(call, 0)?;
    Ok(match ty {
        SqlType::Int => numeric::<Int32Type>(root),
        SqlType::Bigint => numeric::<Int64Type>(root),
        SqlType::Double => numeric::<Float64Type>(root),
        _ => return Err(bad_type(call, ty)),
    })
}

fn numeric<T: ArrowPrimitiveType>(root: Root) -> Box<dyn Accumulator>
where
    T::Native: AsDouble,
{
    Box::new(Numeric::new(Variance::<T> { root, of: PhantomData }, SqlType::Double))
}

/// A number as a double, the nearest one.
pub(super) trait AsDouble {
    fn to_double(self) -> f64;
}

impl AsDouble for i32 {
    fn to_double(self) -> f64 {
        f64::from(self)
    }
}

impl AsDouble for i64 {
    fn to_double(self) -> f64 {
        self as f64
    }
}

impl AsDouble for f64 {
    fn to_double(self) -> f64 {
        self
    }
}

struct Variance<T> {
    root: Root,
    of: PhantomData<fn() -> T>,
}

/// Rows, their sum, and the sum of squared distances from the mean (Youngs and Cramer's update, which can be undone).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: i64,
    sum: f64,
    squares: f64,
}

impl<T: ArrowPrimitiveType> Kernel for Variance<T>
where
    T::Native: AsDouble,
{
    type In = T;
    type Out = Float64Type;
    type State = Moments;

    const NAME: &'static str = "STDDEV";
    const CAN_UNDO: bool = true;

    fn init(&self) -> Moments {
        Moments::default()
    }

    #[inline]
    fn add(&self, state: &mut Moments, value: T::Native) {
        let value = value.to_double();
        state.count += 1;
        state.sum += value;
        if state.count > 1 {
            let n = state.count as f64;
            let distance = n * value - state.sum;
            state.squares += distance * distance / (n * (n - 1.0));
        }
    }

    fn remove(&self, state: &mut Moments, value: T::Native) {
        let value = value.to_double();
        if state.count > 1 {
            let n = state.count as f64;
            let distance = n * value - state.sum;
            state.squares -= distance * distance / (n * (n - 1.0));
        }
        state.count -= 1;
        state.sum -= value;
        if state.count <= 1 {
            state.squares = 0.0;
        }
    }

    fn merge(&self, from: &Moments, into: &mut Moments) {
        if from.count == 0 || into.count == 0 {
            if into.count == 0 {
                *into = *from;
            }
            return;
        }
        let (m, n) = (from.count as f64, into.count as f64);
        let distance = from.sum / m - into.sum / n;
        into.squares += from.squares + distance * distance * m * n / (m + n);
        into.count += from.count;
        into.sum += from.sum;
    }

    fn result(&self, state: &Moments) -> Option<f64> {
        if state.count < 2 {
            return Some(0.0);
        }
        let variance = state.squares.max(0.0) / (state.count - 1) as f64;
        Some(if self.root == Root::Variance { variance } else { variance.sqrt() })
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Bigint, SqlType::Double, SqlType::Double]
    }

    fn save(&self, states: &mut dyn Iterator<Item = Moments>) -> Vec<ArrayRef> {
        let states: Vec<Moments> = states.collect();
        vec![
            Arc::new(Int64Array::from_iter_values(states.iter().map(|state| state.count))),
            Arc::new(Float64Array::from_iter_values(states.iter().map(|state| state.sum))),
            Arc::new(Float64Array::from_iter_values(states.iter().map(|state| state.squares))),
        ]
    }

    fn load(&self, columns: &[ArrayRef], row: usize) -> Moments {
        Moments {
            count: columns[0].as_primitive::<Int64Type>().value(row),
            sum: columns[1].as_primitive::<Float64Type>().value(row),
            squares: columns[2].as_primitive::<Float64Type>().value(row),
        }
    }
}

//! SUM of integers that doesn't wrap.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal256Array};
use arrow::datatypes::{ArrowPrimitiveType, Decimal256Type, Int32Type, Int64Type, i256};

use super::numeric::{Kernel, Numeric};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::types::SqlType;

/// SUM(x) of INT and BIGINT, kept in 128 bits, which the sum of no number of rows that can be counted outgrows. It is NULL
/// while it doesn't fit its type, and right again when it does.
pub(crate) fn exact_sum(call: &AggregateCall) -> Made {
    let ty = arg(call, 0)?;
    Ok(match ty {
        SqlType::Int => Box::new(Numeric::new(ExactSum::<Int32Type>(std::marker::PhantomData), ty.clone())),
        SqlType::Bigint => Box::new(Numeric::new(ExactSum::<Int64Type>(std::marker::PhantomData), ty.clone())),
        _ => return Err(bad_type(call, ty)),
    })
}

struct ExactSum<T>(std::marker::PhantomData<fn() -> T>);

impl<T: ArrowPrimitiveType> Kernel for ExactSum<T>
where
    T::Native: Into<i64> + TryFrom<i128>,
{
    type In = T;
    type Out = T;
    type State = i128;

    const NAME: &'static str = "SUM";
    const CAN_UNDO: bool = true;

    fn init(&self) -> i128 {
        0
    }

    #[inline]
    fn add(&self, state: &mut i128, value: T::Native) {
        *state += i128::from(value.into());
    }

    fn remove(&self, state: &mut i128, value: T::Native) {
        *state -= i128::from(value.into());
    }

    fn merge(&self, from: &i128, into: &mut i128) {
        *into += *from;
    }

    #[inline]
    fn fits(&self, state: &i128) -> bool {
        self.result(state).is_some()
    }

    fn result(&self, state: &i128) -> Option<T::Native> {
        T::Native::try_from(*state).ok()
    }

    /// DECIMAL(38, 0).
    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Decimal { precision: 38, scale: 0 }]
    }

    fn save(&self, states: &mut dyn Iterator<Item = i128>) -> Vec<ArrayRef> {
        let sums = Decimal256Array::from_iter_values(states.map(i256::from_i128));
        vec![Arc::new(sums.with_data_type(SqlType::Decimal { precision: 38, scale: 0 }.to_arrow()))]
    }

    fn load(&self, columns: &[ArrayRef], row: usize) -> i128 {
        columns[0].as_primitive::<Decimal256Type>().value(row).to_i128().unwrap_or_default()
    }
}

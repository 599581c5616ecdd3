//! SUM.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, Decimal256Type, Float64Type, Int32Type, Int64Type, i256};

use super::numeric::{Kernel, Numeric};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::types::SqlType;

/// SUM(x) of INT, BIGINT (both wrap), DOUBLE and DECIMAL (a row that would overflow is left out); 0 without rows.
pub(crate) fn sum(call: &AggregateCall) -> Made {
    let ty = arg(call, 0)?;
    Ok(match ty {
        SqlType::Int => Box::new(Numeric::new(Sum::<Int32Type> { bound: None, ty: ty.clone() }, ty.clone())),
        SqlType::Bigint => Box::new(Numeric::new(Sum::<Int64Type> { bound: None, ty: ty.clone() }, ty.clone())),
        SqlType::Double => Box::new(Numeric::new(Sum::<Float64Type> { bound: None, ty: ty.clone() }, ty.clone())),
        SqlType::Decimal { precision, .. } => {
            let bound = Some(i256::from_i128(10).wrapping_pow(*precision));
            Box::new(Numeric::new(Sum::<Decimal256Type> { bound, ty: ty.clone() }, ty.clone()))
        }
        _ => return Err(bad_type(call, ty)),
    })
}

struct Sum<T: ArrowPrimitiveType> {
    /// The sum stays below it, and above its negative.
    bound: Option<T::Native>,
    ty: SqlType,
}

impl<T: ArrowPrimitiveType> Sum<T>
where
    T::Native: ArrowNativeTypeOp,
{
    fn set(&self, state: &mut T::Native, next: T::Native) -> bool {
        if let Some(bound) = self.bound
            && (next.is_ge(bound) || next.is_le(bound.neg_wrapping()))
        {
            return false;
        }
        *state = next;
        true
    }
}

impl<T: ArrowPrimitiveType> Kernel for Sum<T>
where
    T::Native: ArrowNativeTypeOp,
{
    type In = T;
    type Out = T;
    type State = T::Native;

    const NAME: &'static str = "SUM";
    const CAN_UNDO: bool = true;

    fn init(&self) -> T::Native {
        T::Native::ZERO
    }

    #[inline]
    fn add(&self, state: &mut T::Native, value: T::Native) -> bool {
        self.set(state, state.add_wrapping(value))
    }

    fn remove(&self, state: &mut T::Native, value: T::Native) -> bool {
        self.set(state, state.sub_wrapping(value))
    }

    fn merge(&self, from: &T::Native, into: &mut T::Native) {
        self.set(into, from.add_wrapping(*into));
    }

    fn result(&self, state: &T::Native) -> Option<T::Native> {
        Some(*state)
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![self.ty.clone()]
    }

    fn save(&self, states: &mut dyn Iterator<Item = T::Native>) -> Vec<ArrayRef> {
        vec![Arc::new(PrimitiveArray::<T>::from_iter_values(states).with_data_type(self.ty.to_arrow()))]
    }

    fn load(&self, columns: &[ArrayRef], row: usize) -> T::Native {
        columns[0].as_primitive::<T>().value(row)
    }
}

//! SUM.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, Decimal256Type, Float64Type, Int32Type, Int64Type, i256};

use super::numeric::{Kernel, Numeric};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::types::SqlType;

/// SUM(x) of INT, BIGINT (both wrap), DOUBLE and DECIMAL; 0 without rows. A DECIMAL's sum is kept exactly, in 256 bits: it is
/// NULL while it doesn't fit its type, and right again when it does. One that outgrows 256 bits is NULL for good.
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
    /// A sum below it, and above its negative, fits its type. None: any does.
    bound: Option<T::Native>,
    ty: SqlType,
}

impl<T: ArrowPrimitiveType> Sum<T>
where
    T::Native: ArrowNativeTypeOp,
{
    /// Stands for a sum that outgrew its bits. No sum that is known can be it: the bounds are well within.
    const LOST: T::Native = T::Native::MIN_TOTAL_ORDER;

    /// What became of a bounded sum; what is added to or taken from a lost one is lost as well.
    fn exact<E>(parts: [T::Native; 2], next: Result<T::Native, E>) -> T::Native {
        match next {
            Ok(next) if !parts.iter().any(|part| part.is_eq(Self::LOST)) => next,
            _ => Self::LOST,
        }
    }

    #[inline]
    fn plus(&self, left: T::Native, right: T::Native) -> T::Native {
        match self.bound {
            None => left.add_wrapping(right),
            Some(_) => Self::exact([left, right], left.add_checked(right)),
        }
    }

    #[inline]
    fn minus(&self, left: T::Native, right: T::Native) -> T::Native {
        match self.bound {
            None => left.sub_wrapping(right),
            Some(_) => Self::exact([left, right], left.sub_checked(right)),
        }
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
    fn add(&self, state: &mut T::Native, value: T::Native) {
        *state = self.plus(*state, value);
    }

    fn remove(&self, state: &mut T::Native, value: T::Native) {
        *state = self.minus(*state, value);
    }

    fn merge(&self, from: &T::Native, into: &mut T::Native) {
        *into = self.plus(*from, *into);
    }

    #[inline]
    fn fits(&self, state: &T::Native) -> bool {
        self.bound.is_none_or(|bound| state.is_lt(bound) && state.is_gt(bound.neg_wrapping()))
    }

    fn result(&self, state: &T::Native) -> Option<T::Native> {
        self.fits(state).then_some(*state)
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

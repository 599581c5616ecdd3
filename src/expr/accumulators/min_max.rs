//! MIN and MAX.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

use super::cells::compare_cells;
use super::composite::{Composite, Grouped};
use super::numeric::{Kernel, Numeric};
use super::ranked::{Choice, Ranked};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::{take_cell, write_cell};
use crate::types::SqlType;

/// MIN(x): NULL until there is a value.
pub(crate) fn min(call: &AggregateCall) -> Made {
    extreme(call, Ordering::Less)
}

/// MAX(x): NULL until there is a value. NaN is above every number.
pub(crate) fn max(call: &AggregateCall) -> Made {
    extreme(call, Ordering::Greater)
}

fn extreme(call: &AggregateCall, wins: Ordering) -> Made {
    let ty = arg(call, 0)?.clone();
    if call.retracts && !matches!(ty, SqlType::Boolean | SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_)) {
        let choice = if wins == Ordering::Less { Choice::Least } else { Choice::Greatest };
        return Ok(Box::new(Grouped::new(Ranked::new(&call.args[..1], ty, choice))));
    }
    Ok(match ty {
        SqlType::Int => numbers::<Int32Type>(wins, ty),
        SqlType::Bigint => numbers::<Int64Type>(wins, ty),
        SqlType::Double => numbers::<Float64Type>(wins, ty),
        SqlType::Decimal { .. } => numbers::<Decimal256Type>(wins, ty),
        SqlType::Date => numbers::<Date32Type>(wins, ty),
        SqlType::Time => numbers::<Time32MillisecondType>(wins, ty),
        SqlType::Timestamp => numbers::<TimestampMillisecondType>(wins, ty),
        SqlType::String | SqlType::Bytes => Box::new(Grouped::new(ExtremeBytes { wins, ty })),
        _ => return Err(bad_type(call, &ty)),
    })
}

fn numbers<T: ArrowPrimitiveType>(wins: Ordering, ty: SqlType) -> Box<dyn crate::expr::accumulator::Accumulator>
where
    T::Native: ArrowNativeTypeOp,
{
    Box::new(Numeric::new(Extreme::<T> { wins, ty: ty.clone(), of: std::marker::PhantomData }, ty))
}

struct Extreme<T> {
    /// How a value must compare to the one held to replace it.
    wins: Ordering,
    ty: SqlType,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Kernel for Extreme<T>
where
    T::Native: ArrowNativeTypeOp,
{
    type In = T;
    type Out = T;
    type State = Option<T::Native>;

    const NAME: &'static str = "MIN or MAX";
    const CAN_UNDO: bool = false;

    fn init(&self) -> Self::State {
        None
    }

    #[inline]
    fn add(&self, state: &mut Self::State, value: T::Native) {
        if state.is_none_or(|held| value.compare(held) == self.wins) {
            *state = Some(value);
        }
    }

    fn remove(&self, _state: &mut Self::State, _value: T::Native) {}

    fn merge(&self, from: &Self::State, into: &mut Self::State) {
        if let Some(value) = *from {
            self.add(into, value);
        }
    }

    fn result(&self, state: &Self::State) -> Option<T::Native> {
        *state
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![self.ty.clone()]
    }

    fn save(&self, states: &mut dyn Iterator<Item = Self::State>) -> Vec<ArrayRef> {
        vec![Arc::new(states.collect::<PrimitiveArray<T>>().with_data_type(self.ty.to_arrow()))]
    }

    fn load(&self, columns: &[ArrayRef], row: usize) -> Self::State {
        let column = columns[0].as_primitive::<T>();
        column.is_valid(row).then(|| column.value(row))
    }
}

/// Of STRING and BYTES: a group holds a cell, or nothing.
struct ExtremeBytes {
    wins: Ordering,
    ty: SqlType,
}

impl ExtremeBytes {
    fn offer(&self, group: &mut Vec<u8>, cell: &[u8]) {
        if group.is_empty() || compare_cells(&self.ty, cell, group) == self.wins {
            group.clear();
            group.extend_from_slice(cell);
        }
    }
}

impl Composite for ExtremeBytes {
    type Group = Vec<u8>;

    const CAN_UNDO: bool = false;

    fn returns(&self) -> &SqlType {
        &self.ty
    }

    fn add(&mut self, group: &mut Vec<u8>, args: &[ArrayRef], row: usize) -> Result<(), String> {
        if args[0].is_valid(row) {
            let mut cell = Vec::new();
            write_cell(&args[0], row, &mut cell);
            self.offer(group, &cell);
        }
        Ok(())
    }

    fn merge(&mut self, from: &Vec<u8>, into: &mut Vec<u8>) {
        if !from.is_empty() {
            self.offer(into, from);
        }
    }

    fn result(&self, group: &Vec<u8>, out: &mut Vec<u8>) {
        if group.is_empty() {
            out.push(0);
        } else {
            out.extend_from_slice(group);
        }
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![self.ty.clone()]
    }

    fn save(&self, group: &Vec<u8>, out: &mut Vec<u8>) {
        self.result(group, out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Vec<u8>> {
        let cell = take_cell(&self.ty, cells)?;
        Some(if cell == [0] { Vec::new() } else { cell.to_vec() })
    }

    fn heap(&self, group: &Vec<u8>) -> usize {
        group.capacity()
    }
}

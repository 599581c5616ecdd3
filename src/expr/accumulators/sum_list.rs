//! SUM_LIST.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};

use super::composite::{Composite, Grouped};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::take_array;
use crate::types::SqlType;

/// SUM_LIST(array) of INT, BIGINT or DOUBLE: the sum of all items, NULL items left out; integers wrap.
pub(crate) fn sum_list(call: &AggregateCall) -> Made {
    let ty = arg(call, 0)?;
    match ty {
        SqlType::Array(item) if matches!(**item, SqlType::Int | SqlType::Bigint | SqlType::Double) => {
            Ok(Box::new(Grouped::new(SumList { item: (**item).clone() })))
        }
        _ => Err(bad_type(call, ty)),
    }
}

struct SumList {
    item: SqlType,
}

/// The sum of integers or of doubles, by the item's type.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    integers: i64,
    doubles: f64,
}

impl SumList {
    /// The sum of one row's array.
    fn of_row(args: &[ArrayRef], row: usize) -> Sum {
        let mut sum = Sum::default();
        if args[0].is_null(row) {
            return sum;
        }
        let items = args[0].as_list::<i32>().value(row);
        if let Some(items) = items.as_primitive_opt::<Int32Type>() {
            items.iter().flatten().for_each(|item| sum.integers = sum.integers.wrapping_add(i64::from(item)));
        } else if let Some(items) = items.as_primitive_opt::<Int64Type>() {
            items.iter().flatten().for_each(|item| sum.integers = sum.integers.wrapping_add(item));
        } else if let Some(items) = items.as_primitive_opt::<Float64Type>() {
            items.iter().flatten().for_each(|item| sum.doubles += item);
        }
        sum
    }
}

impl Composite for SumList {
    type Group = Sum;

    const CAN_UNDO: bool = true;

    fn returns(&self) -> &SqlType {
        &self.item
    }

    fn add(&mut self, group: &mut Sum, args: &[ArrayRef], row: usize) -> Result<(), String> {
        self.merge(&Self::of_row(args, row), group);
        Ok(())
    }

    fn remove(&mut self, group: &mut Sum, args: &[ArrayRef], row: usize) {
        let sum = Self::of_row(args, row);
        group.integers = group.integers.wrapping_sub(sum.integers);
        group.doubles -= sum.doubles;
    }

    fn merge(&mut self, from: &Sum, into: &mut Sum) {
        into.integers = into.integers.wrapping_add(from.integers);
        into.doubles += from.doubles;
    }

    fn result(&self, group: &Sum, out: &mut Vec<u8>) {
        out.push(1);
        match self.item {
            SqlType::Int => out.extend_from_slice(&(group.integers as i32).to_le_bytes()),
            SqlType::Bigint => out.extend_from_slice(&group.integers.to_le_bytes()),
            _ => out.extend_from_slice(&group.doubles.to_bits().to_le_bytes()),
        }
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![self.item.clone()]
    }

    fn save(&self, group: &Sum, out: &mut Vec<u8>) {
        self.result(group, out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Sum> {
        let mut sum = Sum::default();
        if take_array::<1>(cells)? == [1] {
            match self.item {
                SqlType::Int => sum.integers = i64::from(i32::from_le_bytes(take_array(cells)?)),
                SqlType::Bigint => sum.integers = i64::from_le_bytes(take_array(cells)?),
                _ => sum.doubles = f64::from_le_bytes(take_array(cells)?),
            }
        }
        Some(sum)
    }

    fn heap(&self, _group: &Sum) -> usize {
        0
    }
}

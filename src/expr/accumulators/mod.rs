//! The aggregates of the language, as accumulators. Doesn't know keys or windows.
//!
//! Numbers are folded by [`numeric::Numeric`], one monomorphic loop a type; everything that holds values of any type is
//! a [`composite::Composite`], whose groups hold cells (see `state::codec`).

mod attr;
mod avg;
mod bag;
mod cells;
mod collect;
mod composite;
mod correlation;
mod count;
mod count_distinct;
mod counted;
mod current;
mod distinct_cells;
mod exact_sum;
mod histogram;
mod list;
mod min_max;
mod numeric;
mod offset;
mod picked;
mod ranked;
mod sum;
mod sum_list;
mod topk;
mod variance;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::expr::accumulator::{Accumulator, AggregateCall, BuildAccumulator};
use crate::messages;
use crate::types::{SqlType, Value};

pub(crate) use attr::attr;
pub(crate) use avg::avg;
pub(crate) use collect::{collect_list, collect_set};
pub(crate) use correlation::correlation;
pub(crate) use count::count;
pub(crate) use count_distinct::count_distinct;
pub(crate) use exact_sum::exact_sum;
pub(crate) use histogram::histogram;
pub(crate) use min_max::{max, min};
pub(crate) use offset::{earliest_by_offset, latest_by_offset};
pub(crate) use sum::sum;
pub(crate) use sum_list::sum_list;
pub(crate) use topk::{topk, topk_item, topkdistinct};
pub(crate) use variance::{stddev_samp, stddev_sample};

/// The accumulator of a call with its DISTINCT and FILTER. Errors: what the aggregate can't be asked for.
pub(crate) fn build(make: BuildAccumulator, call: &AggregateCall) -> Made {
    let mut made = make(call)?;
    if call.distinct {
        made = Box::new(picked::Picked::new(made, picked::Different::new(arg(call, 0)?.clone())));
    }
    if call.filtered {
        made = Box::new(picked::Picked::new(made, picked::Passing));
    }
    Ok(made)
}

/// What a constructor gives.
type Made = Result<Box<dyn Accumulator>>;

/// The type of a call's argument.
fn arg(call: &AggregateCall, index: usize) -> Result<&SqlType> {
    call.args
        .get(index)
        .ok_or_else(|| Error::internal(format!("{} was called without argument {}", call.name, index + 1)))
}

/// The error for an argument of a type without an overload.
fn bad_type(call: &AggregateCall, ty: &SqlType) -> Error {
    messages::functions::aggregate_of_type(call.name, ty)
}

/// A constant argument that says how many values are kept.
fn positive(call: &AggregateCall, value: &Value) -> Result<usize> {
    let number = match value {
        Value::Int(number) => i64::from(*number),
        Value::Bigint(number) => *number,
        _ => 0,
    };
    usize::try_from(number)
        .ok()
        .filter(|&n| n > 0 && n <= ITEMS_MAX)
        .ok_or_else(|| messages::functions::aggregate_count(call.name, ITEMS_MAX))
}

/// The most values that TOPK, TOPKDISTINCT and *_BY_OFFSET keep a group.
const ITEMS_MAX: usize = 1_000_000;

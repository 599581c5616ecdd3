//! CORRELATION.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};

use super::composite::{Composite, Grouped};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::{take_array, take_cell};
use crate::types::SqlType;

/// CORRELATION(x, y): Pearson's, over the rows where neither is NULL; NaN with less than two or without variance.
pub(crate) fn correlation(call: &AggregateCall) -> Made {
    for index in 0..2 {
        let ty = arg(call, index)?;
        if !matches!(ty, SqlType::Int | SqlType::Bigint | SqlType::Double) {
            return Err(bad_type(call, ty));
        }
    }
    Ok(Box::new(Grouped::new(Correlation)))
}

struct Correlation;

/// n and the sums of x, y, x², y² and xy.
type Sums = [f64; 6];

/// One row's part of the sums.
fn sums(args: &[ArrayRef], row: usize) -> Option<Sums> {
    let (x, y) = (number(&args[0], row)?, number(&args[1], row)?);
    Some([1.0, x, y, x * x, y * y, x * y])
}

fn number(column: &ArrayRef, row: usize) -> Option<f64> {
    if column.is_null(row) {
        return None;
    }
    if let Some(column) = column.as_primitive_opt::<Float64Type>() {
        Some(column.value(row))
    } else if let Some(column) = column.as_primitive_opt::<Int64Type>() {
        Some(column.value(row) as f64)
    } else {
        column.as_primitive_opt::<Int32Type>().map(|column| f64::from(column.value(row)))
    }
}

impl Composite for Correlation {
    type Group = Sums;

    const CAN_UNDO: bool = true;

    fn returns(&self) -> &SqlType {
        &SqlType::Double
    }

    fn add(&mut self, group: &mut Sums, args: &[ArrayRef], row: usize) -> Result<(), String> {
        if let Some(part) = sums(args, row) {
            self.merge(&part, group);
        }
        Ok(())
    }

    fn remove(&mut self, group: &mut Sums, args: &[ArrayRef], row: usize) {
        if let Some(part) = sums(args, row) {
            group.iter_mut().zip(part).for_each(|(sum, part)| *sum -= part);
        }
    }

    fn merge(&mut self, from: &Sums, into: &mut Sums) {
        into.iter_mut().zip(from).for_each(|(sum, part)| *sum += part);
    }

    fn result(&self, group: &Sums, out: &mut Vec<u8>) {
        let [n, x, y, xx, yy, xy] = *group;
        let below = (n * xx - x * x).max(0.0).sqrt() * (n * yy - y * y).max(0.0).sqrt();
        let result = if n < 2.0 || below == 0.0 { f64::NAN } else { (n * xy - x * y) / below };
        out.push(1);
        out.extend_from_slice(&result.to_bits().to_le_bytes());
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Double; 6]
    }

    fn save(&self, group: &Sums, out: &mut Vec<u8>) {
        for sum in group {
            out.push(1);
            out.extend_from_slice(&sum.to_bits().to_le_bytes());
        }
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Sums> {
        let mut group = Sums::default();
        for sum in &mut group {
            let mut value = take_cell(&SqlType::Double, cells)?.get(1..)?;
            *sum = f64::from_le_bytes(take_array(&mut value)?);
        }
        Some(group)
    }

    fn heap(&self, _group: &Sums) -> usize {
        0
    }
}

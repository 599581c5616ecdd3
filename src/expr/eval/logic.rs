//! AND, OR, NOT, CASE: what they don't select isn't run, so that its errors are never seen.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::interleave;

use super::bind::Plan;
use super::compare::{finish, finish_known};
use super::{Column, Failures, Rows, either, is_failed, nulls, pick};
use crate::expr::EvalErrors;
use crate::expr::typed::Nulls;
use crate::types::SqlType;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connective {
    And,
    Or,
}

/// Truth values, FALSE where there is none because the row failed.
struct Truths {
    values: BooleanBuffer,
    failed: Option<BooleanBuffer>,
    /// Rows without a truth value, where that is no failure; their value is FALSE.
    unknown: Option<BooleanBuffer>,
}

impl Truths {
    /// Rows of `wanted` whose value is NULL fail, or are unknown.
    fn of(
        column: Column,
        wanted: Option<&BooleanBuffer>,
        mode: Nulls,
        rows: Rows<'_>,
        errors: &mut EvalErrors,
    ) -> Truths {
        let column = column.expand(rows.count);
        let array = column.array.as_boolean();
        let Some(nulls) = array.nulls() else {
            return Truths { values: array.values().clone(), failed: column.failed, unknown: None };
        };
        if mode == Nulls::Unknown {
            let unknown = match &column.failed {
                Some(failed) => &!nulls.inner() & &!failed,
                None => !nulls.inner(),
            };
            return Truths { values: array.values() & nulls.inner(), failed: column.failed, unknown: Some(unknown) };
        }
        let mut failures = Failures::new(rows, errors);
        for row in 0..rows.count {
            let is_wanted = wanted.is_none_or(|wanted| wanted.value(row));
            if nulls.is_null(row) && is_wanted && !is_failed(&column.failed, row) {
                failures.fail(row, "NULL as a truth value");
            }
        }
        let failed = either(column.failed.clone(), failures.into_mask());
        Truths { values: array.values() & nulls.inner(), failed, unknown: None }
    }

    /// Rows that are FALSE.
    fn untrue(&self) -> BooleanBuffer {
        match &self.unknown {
            Some(unknown) => &!&self.values & &!unknown,
            None => !&self.values,
        }
    }

    fn without_failed(&self, values: BooleanBuffer) -> BooleanBuffer {
        match &self.failed {
            Some(failed) => &values & &!failed,
            None => values,
        }
    }
}

pub(super) fn and_or(
    left: &Plan,
    right: &Plan,
    (connective, mode): (Connective, Nulls),
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Column {
    let first = Truths::of(left.run(rows, errors), None, mode, rows, errors);
    let undecided = match connective {
        Connective::And => first.without_failed(!&first.untrue()),
        Connective::Or => first.without_failed(!&first.values),
    };
    if undecided.count_set_bits() == 0 {
        return finish(first.values, first.failed);
    }
    let second = truths_of_selected(right, &undecided, mode, rows, errors);
    if mode == Nulls::Unknown {
        let (is_true, is_false) = match connective {
            Connective::And => {
                (&(&first.values & &second.values) & &undecided, &first.untrue() | &(&undecided & &second.untrue()))
            }
            Connective::Or => {
                (&first.values | &(&undecided & &second.values), &(&first.untrue() & &second.untrue()) & &undecided)
            }
        };
        return finish_known(is_true.clone(), &(&is_true | &is_false), either(first.failed, second.failed));
    }
    let decided_true = match connective {
        Connective::And => BooleanBuffer::new_unset(rows.count),
        Connective::Or => first.values,
    };
    finish(&decided_true | &(&undecided & &second.values), either(first.failed, second.failed))
}

pub(super) fn not(operand: &Plan, mode: Nulls, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let truths = Truths::of(operand.run(rows, errors), None, mode, rows, errors);
    match truths.unknown {
        Some(unknown) => finish_known(!&truths.values, &!&unknown, truths.failed),
        None => finish(!&truths.values, truths.failed),
    }
}

/// The plan's truth values for the selected rows; anything elsewhere, but never failed there.
fn truths_of_selected(
    plan: &Plan,
    selected: &BooleanBuffer,
    mode: Nulls,
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Truths {
    if plan.infallible || selected.count_set_bits() == rows.count {
        let mut truths = Truths::of(plan.run(rows, errors), Some(selected), mode, rows, errors);
        truths.failed = truths.failed.map(|failed| &failed & selected);
        return truths;
    }
    let subset = Subset::new(plan, selected, rows);
    let truths = Truths::of(plan.run(subset.rows(), errors), None, mode, subset.rows(), errors);
    let spread = |bits: Option<BooleanBuffer>| bits.map(|bits| subset.spread(&bits, rows.count));
    Truths {
        values: subset.spread(&truths.values, rows.count),
        failed: spread(truths.failed),
        unknown: spread(truths.unknown),
    }
}

/// Some rows of a batch, with the columns one plan needs.
struct Subset {
    columns: Vec<ArrayRef>,
    params: Vec<ArrayRef>,
    /// Numbers of the rows in the batch they were taken from.
    picked: Vec<u32>,
    origin: Vec<u32>,
}

impl Subset {
    fn new(plan: &Plan, selected: &BooleanBuffer, rows: Rows<'_>) -> Subset {
        let picked: Vec<u32> = selected.set_indices().map(|row| row as u32).collect();
        let entries = UInt32Array::from(picked.clone());
        let mut columns = rows.columns.to_vec();
        for index in &plan.columns {
            columns[*index] = pick(&columns[*index], &entries);
        }
        let params = rows.params.iter().map(|param| pick(param, &entries)).collect();
        let origin = picked.iter().map(|row| rows.row(*row as usize) as u32).collect();
        Subset { columns, params, picked, origin }
    }

    fn rows(&self) -> Rows<'_> {
        Rows { columns: &self.columns, params: &self.params, count: self.picked.len(), origin: Some(&self.origin) }
    }

    /// The bits at the places of the batch the rows were taken from.
    fn spread(&self, bits: &BooleanBuffer, count: usize) -> BooleanBuffer {
        let mut spread = vec![false; count];
        for (i, row) in self.picked.iter().enumerate() {
            spread[*row as usize] = bits.value(i);
        }
        BooleanBuffer::from(spread)
    }
}

pub(super) fn case(
    branches: &[(Plan, Plan)],
    otherwise: Option<&Plan>,
    (ty, mode): (&SqlType, Nulls),
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Column {
    let mut remaining = BooleanBuffer::new_set(rows.count);
    let mut failed: Option<BooleanBuffer> = None;
    let mut results = Results { arrays: vec![nulls(ty, 1)], sources: vec![(0, 0); rows.count], failed: None };
    for (when, then) in branches {
        if remaining.count_set_bits() == 0 {
            break;
        }
        let truths = truths_of_selected(when, &remaining, mode, rows, errors);
        let matched = &remaining & &truths.without_failed(truths.values.clone());
        remaining = truths.without_failed(&remaining & &!&matched);
        failed = either(failed, truths.failed);
        results.take(then, &matched, rows, errors);
    }
    if let Some(otherwise) = otherwise {
        results.take(otherwise, &remaining, rows, errors);
    }
    let arrays: Vec<&dyn Array> = results.arrays.iter().map(AsRef::as_ref).collect();
    // All branches have the type of the whole.
    let array = interleave(&arrays, &results.sources).unwrap_or_else(|_| nulls(ty, rows.count));
    Column::rows(array).with_failed(failed).with_failed(results.failed)
}

/// Where each row's result lies: which array, which entry.
struct Results {
    arrays: Vec<ArrayRef>,
    sources: Vec<(usize, usize)>,
    failed: Option<BooleanBuffer>,
}

impl Results {
    fn take(&mut self, plan: &Plan, selected: &BooleanBuffer, rows: Rows<'_>, errors: &mut EvalErrors) {
        let count = selected.count_set_bits();
        if count == 0 {
            return;
        }
        let slot = self.arrays.len();
        if plan.infallible || count == rows.count {
            let column = plan.run(rows, errors);
            for row in selected.set_indices() {
                self.sources[row] = (slot, column.at(row));
            }
            self.failed = either(self.failed.take(), column.failed);
            self.arrays.push(column.array);
            return;
        }
        let subset = Subset::new(plan, selected, rows);
        let column = plan.run(subset.rows(), errors);
        for (i, row) in subset.picked.iter().enumerate() {
            self.sources[*row as usize] = (slot, column.at(i));
        }
        let failed = column.failed.map(|failed| subset.spread(&failed, rows.count));
        self.failed = either(self.failed.take(), failed);
        self.arrays.push(column.array);
    }
}

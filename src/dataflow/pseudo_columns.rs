//! Row times and bounds of windows as columns, for a query that reads what another one gives.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};

use crate::dataflow::Batch;
use crate::dataflow::operator::{Context, Node, Operator};
use crate::error::{Error, Result};
use crate::plan;

/// Adds the columns of [`plan::PseudoColumns`].
pub(super) struct PseudoColumns {
    windowed: bool,
}

impl PseudoColumns {
    pub fn new(spec: &plan::PseudoColumns) -> Self {
        PseudoColumns { windowed: spec.windowed }
    }
}

impl Operator for PseudoColumns {
    fn push(&mut self, mut batch: Batch, out: &mut Vec<Batch>, _context: &mut Context) -> Result<()> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::new(batch.row_time.clone(), None))];
        if self.windowed {
            let Some(window) = &batch.window else {
                return Err(Error::internal("rows of a windowed query have no windows"));
            };
            for bound in [&window.start, &window.end] {
                columns.push(Arc::new(Int64Array::new(bound.clone(), None)));
            }
        }
        if let Some(old) = &mut batch.old {
            old.columns.extend(columns.iter().cloned());
        }
        batch.columns.append(&mut columns);
        out.push(batch);
        Ok(())
    }
}

impl Node for PseudoColumns {}

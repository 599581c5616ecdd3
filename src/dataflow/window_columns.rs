//! Adds the bounds of an aggregation's windows as columns, so that expressions can read them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};

use crate::dataflow::Batch;
use crate::dataflow::aggregate::Aggregate;
use crate::dataflow::operator::{Context, Node, Operator};
use crate::error::Result;
use crate::log::Records;
use crate::state::snapshots::Pieces;

/// A windowed aggregate, with the bounds of its windows among its value columns.
pub(super) struct WindowColumns {
    pub inner: Aggregate,
}

impl WindowColumns {
    fn add(batches: &mut [Batch]) {
        for batch in batches {
            let Some(window) = &batch.window else { continue };
            let bounds: [ArrayRef; 2] = [
                Arc::new(Int64Array::new(window.start.clone(), None)),
                Arc::new(Int64Array::new(window.end.clone(), None)),
            ];
            batch.columns.extend(bounds.iter().cloned());
            if let Some(old) = &mut batch.old {
                old.columns.extend(bounds);
            }
        }
    }
}

impl Operator for WindowColumns {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let before = out.len();
        self.inner.push(batch, out, context)?;
        Self::add(&mut out[before..]);
        Ok(())
    }
}

impl Node for WindowColumns {
    fn keeps_state(&self) -> bool {
        true
    }

    fn resume(&mut self, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let before = out.len();
        self.inner.resume(out, context)?;
        Self::add(&mut out[before..]);
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let before = out.len();
        self.inner.flush(out, context)?;
        Self::add(&mut out[before..]);
        Ok(())
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.inner.changes(into)
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        self.inner.restore(records)
    }

    fn state(&self) -> Option<&dyn Pieces> {
        self.inner.state()
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        self.inner.state_mut()
    }

    fn pending_bytes(&self) -> usize {
        self.inner.pending_bytes()
    }

    fn state_bytes(&self) -> usize {
        self.inner.state_bytes()
    }
}

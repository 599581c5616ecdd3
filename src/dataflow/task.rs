//! One stage for one partition: a chain of operators, owned by one thread at a time.

use arrow::array::{ArrayRef, Int64Array};
use std::sync::Arc;

use crate::dataflow::Batch;
use crate::dataflow::aggregate::{Aggregate, AggregateInput, AggregateSpec};
use crate::dataflow::filter::{StreamFilter, TableFilter};
use crate::dataflow::flat_map::FlatMap;
use crate::dataflow::operator::{Context, Operator};
use crate::dataflow::project::Project;
use crate::error::Result;
use crate::log::Records;
use crate::plan::{self, Step};

/// The operators of a stage, and what they share.
pub struct Task {
    chain: Vec<Box<dyn Operator>>,
    pub context: Context,
}

impl Task {
    pub fn new(steps: &[Step], caching: bool) -> Result<Self> {
        let mut chain = Vec::with_capacity(steps.len());
        for step in steps {
            chain.push(operator(step)?);
        }
        Ok(Task { chain, context: Context { caching, ..Context::default() } })
    }

    /// Sends a batch through the chain; what comes out is appended to `out`.
    pub fn push(&mut self, batch: Batch, out: &mut Vec<Batch>) -> Result<()> {
        self.push_from(0, vec![batch], out)
    }

    fn push_from(&mut self, first: usize, mut batches: Vec<Batch>, out: &mut Vec<Batch>) -> Result<()> {
        for operator in &mut self.chain[first..] {
            let mut next = Vec::new();
            for batch in batches {
                operator.push(batch, &mut next, &mut self.context)?;
            }
            batches = next;
        }
        out.append(&mut batches);
        Ok(())
    }

    /// What the operators held back, through the rest of the chain.
    pub fn flush(&mut self, out: &mut Vec<Batch>) -> Result<()> {
        for index in 0..self.chain.len() {
            let mut held = Vec::new();
            self.chain[index].flush(&mut held, &mut self.context)?;
            if !held.is_empty() {
                self.push_from(index + 1, held, out)?;
            }
        }
        Ok(())
    }

    /// The state's changes since the last commit.
    pub fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.chain.iter_mut().try_for_each(|operator| operator.changes(into))
    }

    pub fn restore(&mut self, records: &Records) -> Result<()> {
        self.chain.iter_mut().try_for_each(|operator| operator.restore(records))
    }

    pub fn state_bytes(&self) -> usize {
        self.chain.iter().map(|operator| operator.state_bytes()).sum()
    }
}

fn operator(step: &Step) -> Result<Box<dyn Operator>> {
    Ok(match step {
        Step::Filter { predicate, table: false, .. } => Box::new(StreamFilter::new(predicate)?),
        Step::Filter { predicate, table: true, .. } => Box::new(TableFilter::new(predicate)?),
        Step::Project(project) => Box::new(Project::new(project)?),
        Step::FlatMap { calls } => Box::new(FlatMap::new(calls)?),
        Step::Aggregate(aggregate) => aggregation(aggregate)?,
    })
}

fn aggregation(spec: &plan::Aggregate) -> Result<Box<dyn Operator>> {
    let calls = spec
        .calls
        .iter()
        .map(|call| Ok(AggregateInput { accumulator: (call.build)(&call.call)?, args: call.args.clone() }))
        .collect::<Result<Vec<_>>>()?;
    let aggregate = Aggregate::new(AggregateSpec {
        key_types: spec.key_types.clone(),
        calls,
        window: spec.window,
        emit_final: spec.emit_final,
        table_input: spec.table_input,
    })?;
    Ok(if spec.window.is_some() { Box::new(WindowColumns { inner: aggregate }) } else { Box::new(aggregate) })
}

/// Adds the bounds of an aggregation's windows as columns, so that expressions can read them.
struct WindowColumns {
    inner: Aggregate,
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

    fn state_bytes(&self) -> usize {
        self.inner.state_bytes()
    }
}

//! One stage for one partition: a chain of operators, owned by one thread at a time.

use arrow::array::{ArrayRef, Int64Array};
use std::sync::Arc;

use crate::dataflow::Batch;
use crate::dataflow::aggregate::{Aggregate, AggregateInput, AggregateSpec};
use crate::dataflow::filter::{StreamFilter, TableFilter};
use crate::dataflow::flat_map::FlatMap;
use crate::dataflow::operator::{Context, Operator, Refused};
use crate::dataflow::project::Project;
use crate::error::Result;
use crate::log::Records;
use crate::plan::{self, Step};
use crate::state::snapshots::Pieces;

/// The operators of a stage, and what they share.
pub struct Task {
    chain: Vec<Box<dyn Operator>>,
    /// A batch may be refused as a whole: no operator with state comes before the one that multiplies rows.
    may_refuse: bool,
    pub context: Context,
}

/// Takes the batches that come out of a task, each before the next is made.
pub type Outlet<'a> = &'a mut dyn FnMut(Batch, &mut Context) -> Result<()>;

impl Task {
    /// `cache_bytes_max`: what it may hold back; 0: nothing.
    pub fn new(steps: &[Step], cache_bytes_max: usize) -> Result<Self> {
        let mut chain = Vec::with_capacity(steps.len());
        for step in steps {
            chain.push(operator(step)?);
        }
        let first = steps.iter().find(|step| matches!(step, Step::FlatMap { .. } | Step::Aggregate(_)));
        let may_refuse = matches!(first, Some(Step::FlatMap { .. }));
        Ok(Task { chain, may_refuse, context: Context { cache_bytes_max, ..Context::default() } })
    }

    /// Sends a batch through the chain.
    pub fn push(&mut self, batch: Batch, outlet: Outlet<'_>) -> Result<()> {
        drive(&mut self.chain, batch, &mut self.context, outlet)
    }

    /// Sends a batch through the chain unless it becomes more than `bytes_max` bytes and has more than one row: then
    /// nothing was done, and no error told.
    pub fn push_within(&mut self, bytes_max: usize, batch: Batch, outlet: Outlet<'_>) -> Result<Option<Refused>> {
        if self.may_refuse {
            self.context.fan_out_bytes_max = Some(bytes_max);
        }
        self.push(batch, outlet)?;
        self.context.fan_out_bytes_max = None;
        Ok(self.context.refused.take())
    }

    /// What the operators held back, through the rest of the chain.
    pub fn flush(&mut self, outlet: Outlet<'_>) -> Result<()> {
        for index in 0..self.chain.len() {
            let mut held = Vec::new();
            self.chain[index].flush(&mut held, &mut self.context)?;
            for batch in held {
                drive(&mut self.chain[index + 1..], batch, &mut self.context, outlet)?;
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

    /// The state of its operator that has one.
    pub fn state(&self) -> Option<&dyn Pieces> {
        self.chain.iter().find_map(|operator| operator.state())
    }

    pub fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        self.chain.iter_mut().find_map(|operator| operator.state_mut())
    }

    /// Bytes that a commit would add to those that wait already, about.
    pub fn pending_bytes(&self) -> usize {
        self.chain.iter().map(|operator| operator.pending_bytes()).sum()
    }

    pub fn state_bytes(&self) -> usize {
        self.chain.iter().map(|operator| operator.state_bytes()).sum()
    }
}

/// Drives a batch through the operators, depth first: what one makes goes to the end before it makes more.
fn drive(chain: &mut [Box<dyn Operator>], batch: Batch, context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
    if cfg!(debug_assertions) {
        batch.check()?;
    }
    let Some((operator, rest)) = chain.split_first_mut() else { return outlet(batch, context) };
    let mut made = Vec::new();
    operator.push(batch, &mut made, context)?;
    while !made.is_empty() {
        for batch in made.drain(..) {
            drive(rest, batch, context, outlet)?;
        }
        operator.resume(&mut made, context)?;
    }
    Ok(())
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

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;
    use crate::dataflow::Origin;

    #[test]
    fn a_batch_whose_columns_have_other_lengths_goes_nowhere() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = |rows: usize| Batch {
            rows,
            columns: vec![column.clone()],
            keys: 0,
            row_time: vec![0; rows].into(),
            window: None,
            tombstone: None,
            null_key: None,
            old: None,
            headers: None,
            origin: Origin::default(),
        };
        let mut rows = Vec::new();
        let mut push = |batch: Batch| {
            Task::new(&[], 0)?.push(batch, &mut |batch, _| {
                rows.push(batch.rows);
                Ok(())
            })
        };
        push(batch(2)).unwrap();
        assert!(push(batch(3)).is_err());
        assert_eq!(rows, [2]);
    }
}

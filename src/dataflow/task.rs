//! One stage for one partition: operators and joins, owned by one thread at a time.

use std::sync::Arc;

use crate::dataflow::Batch;
use crate::dataflow::flow::Flow;
use crate::dataflow::meter::Meter;
use crate::dataflow::operator::{Context, Node, Refused};
use crate::error::{Error, Result};
use crate::plan::{Stage, StageInput, Step};

/// The operators of a stage, and what they share.
pub struct Task {
    flow: Flow,
    /// A batch may be refused as a whole: no operator with state comes before the one that multiplies rows.
    may_refuse: bool,
    pub context: Context,
}

/// Takes the batches that come out of a task, each before the next is made.
pub type Outlet<'a> = &'a mut dyn FnMut(Batch, &mut Context) -> Result<()>;

impl Task {
    /// `cache_bytes_max`: what it may hold back; 0: nothing.
    pub fn new(stage: &Stage, cache_bytes_max: usize) -> Result<Self> {
        let first = stage.steps.iter().find(|step| matches!(step, Step::FlatMap { .. } | Step::Aggregate(_)));
        let meet = matches!(stage.input, StageInput::Join(_) | StageInput::Union(_));
        let may_refuse = !meet && matches!(first, Some(Step::FlatMap { .. }));
        let context = Context { cache_bytes_max, ..Context::default() };
        Ok(Task { flow: Flow::new(stage, &mut 0)?, may_refuse, context })
    }

    /// Sends a batch of its only input through the operators.
    pub fn push(&mut self, batch: Batch, outlet: Outlet<'_>) -> Result<()> {
        self.push_all(vec![Some(batch)], outlet)
    }

    /// Sends a batch of one of its inputs through the operators.
    pub fn push_input(&mut self, input: usize, batch: Batch, outlet: Outlet<'_>) -> Result<()> {
        let mut inputs = vec![None; input];
        inputs.push(Some(batch));
        self.push_all(inputs, outlet)
    }

    /// Sends what came of each of its inputs, in the order of the plan, through the operators.
    pub fn push_all(&mut self, mut inputs: Vec<Option<Batch>>, outlet: Outlet<'_>) -> Result<()> {
        self.flow.run(&mut inputs, &mut self.context, outlet)?;
        match inputs.iter().any(Option::is_some) {
            true => Err(Error::internal("a task got more inputs than it has")),
            false => Ok(()),
        }
    }

    /// Sends a batch through the operators unless it becomes more than `bytes_max` bytes and has more than one row: then
    /// nothing was done, and no error told.
    pub fn push_within(&mut self, bytes_max: usize, batch: Batch, outlet: Outlet<'_>) -> Result<Option<Refused>> {
        if self.may_refuse {
            self.context.fan_out_bytes_max = Some(bytes_max);
        }
        self.push(batch, outlet)?;
        self.context.fan_out_bytes_max = None;
        Ok(self.context.refused.take())
    }

    /// What the operators held back, through those behind them.
    pub fn flush(&mut self, outlet: Outlet<'_>) -> Result<()> {
        self.flow.flush(&mut self.context, outlet)
    }

    /// Those of its parts that keep state, in the order of [`Stage::states`].
    pub fn states(&self) -> Vec<&dyn Node> {
        let mut states = Vec::new();
        self.flow.states(&mut states);
        states
    }

    pub fn states_mut(&mut self) -> Vec<&mut dyn Node> {
        let mut states = Vec::new();
        self.flow.states_mut(&mut states);
        states
    }

    /// Bytes that a commit would add to those that wait already, about.
    pub fn pending_bytes(&self) -> usize {
        self.states().iter().map(|state| state.pending_bytes()).sum()
    }

    /// The meters of its operators, in the order of [`Meters`](crate::dataflow::meter::Meters), to be replaced by others.
    pub fn meters_mut(&mut self) -> Vec<&mut Arc<Meter>> {
        let mut meters = Vec::new();
        self.flow.meters_mut(&mut meters);
        meters
    }

    /// The meters of its inputs, in the order of the plan.
    pub fn input_meters(&self) -> Vec<Arc<Meter>> {
        let mut meters = Vec::new();
        self.flow.input_meters(&mut meters);
        meters
    }

    /// The bytes of state that its operators hold, in that order.
    pub fn state_bytes_by_operator(&self) -> Vec<usize> {
        let mut bytes = Vec::new();
        self.flow.state_bytes(&mut bytes);
        bytes
    }

    /// Changes of state so far; `None`: some part doesn't count them.
    pub fn state_changes(&self) -> Option<u64> {
        self.states().iter().map(|state| state.state_changes()).sum()
    }

    pub fn state_bytes(&self) -> usize {
        self.states().iter().map(|state| state.state_bytes()).sum()
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;
    use crate::dataflow::Origin;
    use crate::format::{Format, Layout};
    use crate::plan::Exchange;

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
            order: None,
        };
        let key = Layout { format: Format::Kafka, delimiter: ',', columns: Vec::new(), wrapped: false };
        let input = StageInput::Exchange(Exchange { from: 0, key, types: Vec::new() });
        let stage = Stage { input, steps: Vec::new() };
        let mut rows = Vec::new();
        let mut push = |batch: Batch| {
            Task::new(&stage, 0)?.push(batch, &mut |batch, _| {
                rows.push(batch.rows);
                Ok(())
            })
        };
        push(batch(2)).unwrap();
        assert!(push(batch(3)).is_err());
        assert_eq!(rows, [2]);
    }
}

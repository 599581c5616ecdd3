//! The way of batches through the operators of a task: chains, and joins where two of them meet.

use crate::dataflow::Batch;
use crate::dataflow::aggregate::{Aggregate, AggregateInput, AggregateSpec};
use crate::dataflow::filter::{StreamFilter, TableFilter};
use crate::dataflow::flat_map::FlatMap;
use crate::dataflow::join::{ForeignKeyResults, ForeignKeys, ManyToManyResults, join};
use crate::dataflow::operator::{Context, JoinOperator, Node, Operator, Sides};
use crate::dataflow::project::Project;
use crate::dataflow::task::Outlet;
use crate::dataflow::window_columns::WindowColumns;
use crate::error::Result;
use crate::expr;
use crate::plan::{self, Stage, StageInput, Step};

/// A stage, or a side of a join in it.
pub(super) struct Flow {
    from: From,
    chain: Vec<Box<dyn Operator>>,
}

enum From {
    /// Number of the task's input.
    Input(usize),
    Join(Box<Meeting>),
}

struct Meeting {
    left: Flow,
    right: Flow,
    join: Box<dyn JoinOperator>,
}

impl Flow {
    /// `inputs`: counts the task's inputs, in the order of the plan.
    pub fn new(stage: &Stage, inputs: &mut usize) -> Result<Flow> {
        let from = match &stage.input {
            StageInput::Scan(_) | StageInput::Exchange(_) => {
                *inputs += 1;
                From::Input(*inputs - 1)
            }
            StageInput::Join(plan) => {
                let left = Flow::new(&plan.left, inputs)?;
                let right = Flow::new(&plan.right, inputs)?;
                From::Join(Box::new(Meeting { left, right, join: join(plan)? }))
            }
        };
        Ok(Flow { from, chain: stage.steps.iter().map(operator).collect::<Result<_>>()? })
    }

    /// Takes its inputs' batches.
    pub fn run(&mut self, inputs: &mut [Option<Batch>], context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
        let Flow { from, chain } = self;
        match from {
            From::Input(index) => match inputs.get_mut(*index).and_then(Option::take) {
                Some(batch) => drive(chain, batch, context, outlet),
                None => Ok(()),
            },
            From::Join(meeting) => {
                meeting.run(inputs, context, &mut |batch, context| drive(chain, batch, context, outlet))
            }
        }
    }

    /// What operators held back; first those of the sides, since it goes through those behind them.
    pub fn flush(&mut self, context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
        let Flow { from, chain } = self;
        if let From::Join(meeting) = from {
            meeting.flush(context, &mut |batch, context| drive(chain, batch, context, outlet))?;
        }
        for index in 0..chain.len() {
            let mut held = Vec::new();
            chain[index].flush(&mut held, context)?;
            for batch in held {
                drive(&mut chain[index + 1..], batch, context, outlet)?;
            }
        }
        Ok(())
    }

    /// The parts that keep state: the sides', the join, then those behind it.
    pub fn states<'a>(&'a self, into: &mut Vec<&'a dyn Node>) {
        if let From::Join(meeting) = &self.from {
            meeting.left.states(into);
            meeting.right.states(into);
            into.push(&*meeting.join);
        }
        into.extend(self.chain.iter().filter(|node| node.keeps_state()).map(|node| &**node as &dyn Node));
    }

    pub fn states_mut<'a>(&'a mut self, into: &mut Vec<&'a mut dyn Node>) {
        if let From::Join(meeting) = &mut self.from {
            let Meeting { left, right, join } = &mut **meeting;
            left.states_mut(into);
            right.states_mut(into);
            into.push(&mut **join);
        }
        let keeping = self.chain.iter_mut().filter(|node| node.keeps_state());
        into.extend(keeping.map(|node| &mut **node as &mut dyn Node));
    }
}

impl Meeting {
    fn run(&mut self, inputs: &mut [Option<Batch>], context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
        let Meeting { left, right, join } = self;
        // The right side is no join: it gives at most as many rows as it takes.
        let mut waiting = Vec::new();
        right.run(inputs, context, &mut |batch, _| {
            waiting.push(batch);
            Ok(())
        })?;
        let mut waiting = Batch::concat(waiting)?;
        left.run(inputs, context, &mut |batch, context| {
            let before = waiting.take().map(|rows| rows.split_at_order(batch.order.as_ref())).transpose()?;
            let (before, behind) = before.unwrap_or_default();
            waiting = behind;
            meet(&mut **join, Sides { left: Some(batch), right: before }, context, outlet)
        })?;
        match waiting {
            Some(_) => meet(&mut **join, Sides { left: None, right: waiting }, context, outlet),
            None => Ok(()),
        }
    }

    fn flush(&mut self, context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
        let Meeting { left, right, join } = self;
        left.flush(context, &mut |batch, context| {
            meet(&mut **join, Sides { left: Some(batch), right: None }, context, outlet)
        })?;
        right.flush(context, &mut |batch, context| {
            meet(&mut **join, Sides { left: None, right: Some(batch) }, context, outlet)
        })?;
        let mut held = Vec::new();
        join.flush(&mut held, context)?;
        held.into_iter().try_for_each(|batch| outlet(batch, context))
    }
}

/// Drives what came of both sides through a join; what it makes goes to the end before it makes more.
fn meet(join: &mut dyn JoinOperator, sides: Sides, context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
    if cfg!(debug_assertions) {
        [&sides.left, &sides.right].into_iter().flatten().try_for_each(Batch::check)?;
    }
    let mut made = Vec::new();
    join.push(sides, &mut made, context)?;
    while !made.is_empty() {
        made.drain(..).try_for_each(|batch| outlet(batch, context))?;
        join.resume(&mut made, context)?;
    }
    Ok(())
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
        Step::ForeignKey(keys) => Box::new(ForeignKeys::new(keys)?),
        Step::ForeignKeyResult(result) => Box::new(ForeignKeyResults::new(result)),
        Step::ManyToManyResult(result) => Box::new(ManyToManyResults::new(result)),
    })
}

fn aggregation(spec: &plan::Aggregate) -> Result<Box<dyn Operator>> {
    let calls = spec
        .calls
        .iter()
        .map(|call| {
            Ok(AggregateInput { accumulator: expr::build_aggregate(call.build, &call.call)?, args: call.args.clone() })
        })
        .collect::<Result<Vec<_>>>()?;
    let aggregate = Aggregate::new(AggregateSpec {
        key_types: spec.key_types.clone(),
        calls,
        window: spec.window,
        emit_final: spec.emit_final,
        distinct: spec.distinct,
        table_input: spec.table_input,
    })?;
    Ok(if spec.window.is_some() { Box::new(WindowColumns { inner: aggregate }) } else { Box::new(aggregate) })
}

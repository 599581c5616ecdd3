//! The way of batches through the operators of a task: chains, and joins where two of them meet.

use std::sync::Arc;

use crate::dataflow::Batch;
use crate::dataflow::aggregate::{Aggregate, AggregateInput, AggregateSpec};
use crate::dataflow::filter::{StreamFilter, TableFilter};
use crate::dataflow::flat_map::FlatMap;
use crate::dataflow::join::{ForeignKeyResults, ForeignKeys, ManyToManyResults, join};
use crate::dataflow::meter::Meter;
use crate::dataflow::operator::{Context, JoinOperator, Node, Operator, Sides};
use crate::dataflow::project::Project;
use crate::dataflow::pseudo_columns::PseudoColumns;
use crate::dataflow::task::Outlet;
use crate::dataflow::window_columns::WindowColumns;
use crate::error::Result;
use crate::expr;
use crate::plan::{self, Stage, StageInput, Step};

/// A stage, or a side of a join in it.
pub(super) struct Flow {
    from: From,
    /// Of what it begins with; a join has its own.
    meter: Arc<Meter>,
    chain: Vec<Link>,
}

struct Link {
    operator: Box<dyn Operator>,
    meter: Arc<Meter>,
}

enum From {
    /// Number of the task's input.
    Input(usize),
    Join(Box<Meeting>),
    Union(Vec<Flow>),
}

struct Meeting {
    left: Flow,
    right: Flow,
    join: Joint,
}

struct Joint {
    operator: Box<dyn JoinOperator>,
    meter: Arc<Meter>,
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
                From::Join(Box::new(Meeting {
                    left,
                    right,
                    join: Joint { operator: join(plan)?, meter: Arc::default() },
                }))
            }
            StageInput::Union(sides) => {
                From::Union(sides.iter().map(|side| Flow::new(side, inputs)).collect::<Result<_>>()?)
            }
        };
        let link = |step: &Step| Ok(Link { operator: operator(step)?, meter: Arc::default() });
        Ok(Flow { from, meter: Arc::default(), chain: stage.steps.iter().map(link).collect::<Result<_>>()? })
    }

    /// Takes its inputs' batches.
    pub fn run(&mut self, inputs: &mut [Option<Batch>], context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
        let Flow { from, meter, chain } = self;
        match from {
            From::Input(index) => match inputs.get_mut(*index).and_then(Option::take) {
                Some(batch) => {
                    meter.rows_out(batch.rows);
                    drive(chain, batch, context, outlet)
                }
                None => Ok(()),
            },
            From::Join(meeting) => {
                meeting.run(inputs, context, &mut |batch, context| drive(chain, batch, context, outlet))
            }
            From::Union(sides) => {
                let mut came = Vec::new();
                for side in sides {
                    side.run(inputs, context, &mut |batch, _| {
                        came.push(batch);
                        Ok(())
                    })?;
                }
                match meter.time(|| Batch::in_order(came))? {
                    Some(batch) => {
                        meter.rows_in(batch.rows);
                        meter.rows_out(batch.rows);
                        drive(chain, batch, context, outlet)
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// What operators held back; first those of the sides, since it goes through those behind them.
    pub fn flush(&mut self, context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
        let Flow { from, chain, .. } = self;
        match from {
            From::Input(_) => {}
            From::Join(meeting) => {
                meeting.flush(context, &mut |batch, context| drive(chain, batch, context, outlet))?;
            }
            From::Union(sides) => {
                for side in sides {
                    side.flush(context, &mut |batch, context| drive(chain, batch, context, outlet))?;
                }
            }
        }
        for index in 0..chain.len() {
            let mut held = Vec::new();
            let Link { operator, meter } = &mut chain[index];
            let meter = meter.clone();
            meter.time(|| operator.flush(&mut held, context))?;
            for batch in held {
                meter.rows_out(batch.rows);
                drive(&mut chain[index + 1..], batch, context, outlet)?;
            }
        }
        Ok(())
    }

    /// The parts that keep state: the sides', the join, then those behind it.
    pub fn states<'a>(&'a self, into: &mut Vec<&'a dyn Node>) {
        match &self.from {
            From::Input(_) => {}
            From::Join(meeting) => {
                meeting.left.states(into);
                meeting.right.states(into);
                into.push(&*meeting.join.operator);
            }
            From::Union(sides) => sides.iter().for_each(|side| side.states(into)),
        }
        let nodes = self.chain.iter().map(|link| &*link.operator);
        into.extend(nodes.filter(|node| node.keeps_state()).map(|node| node as &dyn Node));
    }

    pub fn states_mut<'a>(&'a mut self, into: &mut Vec<&'a mut dyn Node>) {
        match &mut self.from {
            From::Input(_) => {}
            From::Join(meeting) => {
                let Meeting { left, right, join } = &mut **meeting;
                left.states_mut(into);
                right.states_mut(into);
                into.push(&mut *join.operator);
            }
            From::Union(sides) => sides.iter_mut().for_each(|side| side.states_mut(into)),
        }
        let keeping = self.chain.iter_mut().filter(|link| link.operator.keeps_state());
        into.extend(keeping.map(|link| &mut *link.operator as &mut dyn Node));
    }

    /// The meters of its parts, in the order of [`Meters`](crate::dataflow::meter::Meters).
    pub fn meters_mut<'a>(&'a mut self, into: &mut Vec<&'a mut Arc<Meter>>) {
        match &mut self.from {
            From::Input(_) => into.push(&mut self.meter),
            From::Join(meeting) => {
                let Meeting { left, right, join } = &mut **meeting;
                left.meters_mut(into);
                right.meters_mut(into);
                into.push(&mut join.meter);
            }
            From::Union(sides) => {
                sides.iter_mut().for_each(|side| side.meters_mut(into));
                into.push(&mut self.meter);
            }
        }
        into.extend(self.chain.iter_mut().map(|link| &mut link.meter));
    }

    /// The meters of its inputs.
    pub fn input_meters(&self, into: &mut Vec<Arc<Meter>>) {
        match &self.from {
            From::Input(_) => into.push(self.meter.clone()),
            From::Join(meeting) => {
                meeting.left.input_meters(into);
                meeting.right.input_meters(into);
            }
            From::Union(sides) => sides.iter().for_each(|side| side.input_meters(into)),
        }
    }

    /// The bytes of state that its parts hold, in that order.
    pub fn state_bytes(&self, into: &mut Vec<usize>) {
        let own = match &self.from {
            From::Input(_) => 0,
            From::Join(meeting) => {
                meeting.left.state_bytes(into);
                meeting.right.state_bytes(into);
                meeting.join.operator.state_bytes()
            }
            From::Union(sides) => {
                sides.iter().for_each(|side| side.state_bytes(into));
                0
            }
        };
        into.push(own);
        into.extend(self.chain.iter().map(|link| link.operator.state_bytes()));
    }
}

impl Meeting {
    fn run(&mut self, inputs: &mut [Option<Batch>], context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
        let Meeting { left, right, join } = self;
        // What the right side gives of the round's rows is at hand as a whole; only a query in FROM gives more than it takes.
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
            meet(join, Sides { left: Some(batch), right: before }, context, outlet)
        })?;
        match waiting {
            Some(_) => meet(join, Sides { left: None, right: waiting }, context, outlet),
            None => Ok(()),
        }
    }

    fn flush(&mut self, context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
        let Meeting { left, right, join } = self;
        left.flush(context, &mut |batch, context| {
            meet(join, Sides { left: Some(batch), right: None }, context, outlet)
        })?;
        right.flush(context, &mut |batch, context| {
            meet(join, Sides { left: None, right: Some(batch) }, context, outlet)
        })?;
        let mut held = Vec::new();
        let Joint { operator, meter } = join;
        meter.time(|| operator.flush(&mut held, context))?;
        held.into_iter().try_for_each(|batch| {
            meter.rows_out(batch.rows);
            outlet(batch, context)
        })
    }
}

/// Drives what came of both sides through a join; what it makes goes to the end before it makes more.
fn meet(Joint { operator, meter }: &mut Joint, sides: Sides, context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
    if cfg!(debug_assertions) {
        [&sides.left, &sides.right].into_iter().flatten().try_for_each(Batch::check)?;
    }
    let mut made = Vec::new();
    meter.rows_in([&sides.left, &sides.right].into_iter().flatten().map(|batch| batch.rows).sum());
    meter.time(|| operator.push(sides, &mut made, context))?;
    while !made.is_empty() {
        made.drain(..).try_for_each(|batch| {
            meter.rows_out(batch.rows);
            outlet(batch, context)
        })?;
        meter.time(|| operator.resume(&mut made, context))?;
    }
    Ok(())
}

/// Drives a batch through the operators, depth first: what one makes goes to the end before it makes more.
fn drive(chain: &mut [Link], batch: Batch, context: &mut Context, outlet: Outlet<'_>) -> Result<()> {
    if cfg!(debug_assertions) {
        batch.check()?;
    }
    let Some((Link { operator, meter }, rest)) = chain.split_first_mut() else { return outlet(batch, context) };
    let mut made = Vec::new();
    meter.rows_in(batch.rows);
    meter.time(|| operator.push(batch, &mut made, context))?;
    while !made.is_empty() {
        for batch in made.drain(..) {
            meter.rows_out(batch.rows);
            drive(rest, batch, context, outlet)?;
        }
        meter.time(|| operator.resume(&mut made, context))?;
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
        Step::PseudoColumns(pseudo) => Box::new(PseudoColumns::new(pseudo)),
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

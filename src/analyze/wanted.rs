//! Which columns of the sources are read at all: only those are decoded.

use crate::expr::{self, Typed};
use crate::plan::{
    ForeignKeyResult, Join, JoinMethod, MESSAGE_TYPES, ManyToManyResult, PAIR_TYPES, Plan, Stage, StageInput, Step,
};

/// Columns of some output that are read behind it; None: all.
type Read = Option<Vec<usize>>;

/// Marks the columns of the scans that some step reads.
pub(crate) fn mark_wanted(plan: &mut Plan) {
    // What is read of columns that only pass through is known from the steps behind them: go backwards.
    let mut of_stages: Vec<Read> = vec![None; plan.stages.len()];
    for index in (0..plan.stages.len()).rev() {
        let read = of_stages[index].take();
        mark_side(&mut plan.stages[index], read, &mut of_stages);
    }
}

/// `read`: columns of what the stage gives. What it reads of other stages goes to `of_stages`.
fn mark_side(stage: &mut Stage, read: Read, of_stages: &mut [Read]) {
    drop_unread(stage, &read);
    let read = stage.steps.iter().rev().fold(read, |read, step| Some(wanted_by(step, read)));
    match &mut stage.input {
        StageInput::Scan(scan) => {
            for column in read.unwrap_or_else(|| (0..scan.wanted.len()).collect()) {
                if let Some(wanted) = scan.wanted.get_mut(column) {
                    *wanted = true;
                }
            }
        }
        StageInput::Exchange(exchange) => {
            of_stages[exchange.from] = with_keys(read, exchange.key.columns.len());
        }
        StageInput::Join(join) => {
            let (left, right) = wanted_of_sides(join, read);
            mark_side(&mut join.left, left, of_stages);
            mark_side(&mut join.right, right, of_stages);
        }
    }
}

/// A stage or side that ends with a projection doesn't give what nobody reads: it would travel, and lie in the state of a
/// join. (Within a stage columns are passed on at no cost.)
fn drop_unread(stage: &mut Stage, read: &Read) {
    let (Some(Step::Project(project)), Some(read)) = (stage.steps.last_mut(), read) else { return };
    let keys = project.keys.len();
    for (index, value) in project.values.iter_mut().enumerate() {
        if let Some(ty) = value.ty().filter(|_| !read.contains(&(keys + index))) {
            *value = Typed::unread(ty.clone());
        }
    }
}

/// Of each step of a plan, in the order of [`Plan::steps`]: the columns of its output that are read behind it.
pub fn outputs_read(plan: &Plan) -> Vec<Read> {
    let mut of_stages: Vec<Read> = vec![None; plan.stages.len()];
    let mut all: Vec<Vec<Read>> = Vec::with_capacity(plan.stages.len());
    for (index, stage) in plan.stages.iter().enumerate().rev() {
        let read = of_stages[index].take();
        all.push(outputs_of_side(stage, read, &mut of_stages));
    }
    all.into_iter().rev().flatten().collect()
}

fn outputs_of_side(stage: &Stage, mut read: Read, of_stages: &mut [Read]) -> Vec<Read> {
    let mut own = Vec::with_capacity(stage.steps.len());
    for step in stage.steps.iter().rev() {
        let wanted = wanted_by(step, read.clone());
        own.push(read.replace(wanted));
    }
    own.reverse();
    match &stage.input {
        StageInput::Scan(_) => own,
        StageInput::Exchange(exchange) => {
            of_stages[exchange.from] = with_keys(read, exchange.key.columns.len());
            own
        }
        StageInput::Join(join) => {
            let (left, right) = wanted_of_sides(join, read);
            let left = outputs_of_side(&join.left, left, of_stages);
            [left, outputs_of_side(&join.right, right, of_stages), own].concat()
        }
    }
}

/// Keys are read wherever rows go by them.
fn with_keys(read: Read, keys: usize) -> Read {
    read.map(|read| sorted((0..keys).chain(read).collect()))
}

/// Columns of a join's sides that are needed for the columns `read` of what it gives.
fn wanted_of_sides(join: &Join, read: Read) -> (Read, Read) {
    let Some(mut read) = read else { return (None, None) };
    read.extend(join.condition.iter().flat_map(Typed::columns));
    let keys = join.key_types.len();
    if let JoinMethod::ForeignKey { left_keys } = join.method {
        // The left side's own key stands before its values, the right side's key before its own; then comes the message.
        let values = join.left_types.len() - MESSAGE_TYPES.len();
        let message = keys + values..keys + join.left_types.len();
        let left = read.iter().filter(|column| **column < values).map(|column| keys + column);
        let left = sorted((0..keys + left_keys).chain(left).chain(message).collect());
        let of_right = values..values + keys + join.right_types.len();
        let right = read.iter().filter(|column| of_right.contains(column)).map(|column| column - values);
        return (Some(left), with_keys(Some(right.collect()), keys));
    }
    if let JoinMethod::ManyToMany { left_keys, right_keys } = join.method {
        // Both keys stand before both sides' values; of each side the key stands before its values, then comes the message.
        let both = left_keys + right_keys;
        let left_values = join.left_types.len() - left_keys - MESSAGE_TYPES.len();
        let right_values = join.right_types.len() - right_keys - MESSAGE_TYPES.len();
        let side = |own: usize, values: std::ops::Range<usize>| {
            let read = read.iter().filter(|column| values.contains(column)).map(|column| column - values.start);
            let message = keys + own + values.len()..keys + own + values.len() + MESSAGE_TYPES.len();
            sorted((0..keys + own).chain(read.map(|column| keys + own + column)).chain(message).collect())
        };
        let left = side(left_keys, both..both + left_values);
        let right = side(right_keys, both + left_values..both + left_values + right_values);
        return (Some(left), Some(right));
    }
    let values_of_left = keys + join.left_types.len();
    let (left, right): (Vec<usize>, Vec<usize>) = read.into_iter().partition(|column| *column < values_of_left);
    let right = right.into_iter().map(|column| column - join.left_types.len()).collect();
    (with_keys(Some(left), keys), with_keys(Some(right), keys))
}

/// Columns of a step's input that are needed for the columns `later` (None: all) of its output.
fn wanted_by(step: &Step, later: Read) -> Vec<usize> {
    sorted(match step {
        Step::Filter { predicate, .. } => {
            let mut columns = predicate.columns();
            columns.extend(later.unwrap_or_default());
            columns
        }
        Step::Project(project) => {
            let keys = project.keys.len();
            let needed = |index: &usize| later.as_ref().is_none_or(|later| later.contains(&(keys + index)));
            let values = (0..project.values.len()).filter(needed).flat_map(|index| project.values[index].columns());
            project.keys.iter().flat_map(Typed::columns).chain(values).collect()
        }
        Step::FlatMap { calls } => {
            let mut columns: Vec<usize> = calls.iter().flat_map(expr::TableCall::columns).collect();
            columns.extend(later.unwrap_or_default());
            columns
        }
        Step::ForeignKey(foreign) => {
            let keys = foreign.keys.len();
            let through = |column: usize| column.checked_sub(keys).filter(|column| *column < foreign.columns);
            let through: Vec<usize> = match later {
                Some(later) => later.into_iter().filter_map(through).collect(),
                None => (0..foreign.columns).collect(),
            };
            foreign.keys.iter().flat_map(Typed::columns).chain(through).collect()
        }
        Step::ForeignKeyResult(ForeignKeyResult { key_types, value_types }) => {
            of_messages(key_types.len(), value_types.len(), MESSAGE_TYPES.len(), later)
        }
        Step::ManyToManyResult(ManyToManyResult { key_types, value_types }) => {
            of_messages(key_types.len(), value_types.len(), PAIR_TYPES.len(), later)
        }
        Step::Aggregate(aggregate) => {
            let keys = 0..aggregate.key_types.len();
            keys.chain(aggregate.calls.iter().flat_map(|call| call.args.iter().copied())).collect()
        }
    })
}

/// Columns of messages that are needed for the columns `later` (None: all) of the rows that they tell of.
fn of_messages(keys: usize, values: usize, own: usize, later: Read) -> Vec<usize> {
    let own = keys + values..keys + values + own;
    (0..keys).chain(later.unwrap_or_else(|| (keys..keys + values).collect())).chain(own).collect()
}

fn sorted(mut columns: Vec<usize>) -> Vec<usize> {
    columns.sort_unstable();
    columns.dedup();
    columns
}

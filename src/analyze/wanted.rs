//! Which columns of a source are read at all: only those are decoded.

use crate::expr::{self, Typed};
use crate::plan::{Plan, StageInput, Step};

/// Marks the columns of the scan that some step before the first full projection reads.
pub(super) fn mark_wanted(plan: &mut Plan) {
    // What is read of a rekey's pass-through columns is known from the steps behind it: go backwards.
    let mut later: Option<Vec<usize>> = None;
    let steps: Vec<&Step> = plan.stages.iter().flat_map(|stage| &stage.steps).collect();
    for step in steps.iter().rev() {
        later = Some(wanted_by(step, later));
    }
    let Some(StageInput::Scan(scan)) = plan.stages.first_mut().map(|stage| &mut stage.input) else { return };
    for column in later.unwrap_or_default() {
        if let Some(wanted) = scan.wanted.get_mut(column) {
            *wanted = true;
        }
    }
}

/// Of each step of a plan, in the order of its stages: the columns of its output that are read behind it (None: all).
pub fn outputs_read(plan: &Plan) -> Vec<Option<Vec<usize>>> {
    let mut read = Vec::new();
    let mut later: Option<Vec<usize>> = None;
    let steps: Vec<&Step> = plan.stages.iter().flat_map(|stage| &stage.steps).collect();
    for step in steps.iter().rev() {
        let wanted = wanted_by(step, later.clone());
        read.push(later.replace(wanted));
    }
    read.reverse();
    read
}

/// Columns of a step's input that are needed for the columns `later` (None: all) of its output.
fn wanted_by(step: &Step, later: Option<Vec<usize>>) -> Vec<usize> {
    let mut wanted: Vec<usize> = match step {
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
        Step::Aggregate(aggregate) => {
            let keys = 0..aggregate.key_types.len();
            keys.chain(aggregate.calls.iter().flat_map(|call| call.args.iter().copied())).collect()
        }
    };
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

//! Before a round: which rows of inputs that meet are taken in it, and in which order.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::layout::StageLayout;
use super::merge::{Head, places, takes};
use super::reader::Reader;
use super::stage::{Entry, Round, StageTask};
use crate::error::Result;
use crate::plan::{Plan, Step};

/// Whether rows of several inputs meet: those of a join, and behind an exchange in memory those of several partitions. Where a
/// row may become very many, rows are pushed as few as fit instead, partition by partition. Rows that come to several inputs are
/// handed to them when they are lined up.
pub(super) fn is_needed(plan: &Plan, layout: &[StageLayout], shared: bool) -> bool {
    let exchanged = layout.len() > 1 && layout[0].partitions > 1 && !shared;
    let multiplies = plan.steps().any(|step| matches!(step, Step::FlatMap { .. }));
    plan.joins() || reads_twice(plan) || (exchanged && !multiplies)
}

/// Whether a topic has one reading end for several inputs.
fn reads_twice(plan: &Plan) -> bool {
    let mut topics: Vec<&str> = plan.scans().map(|scan| scan.source.topic.as_str()).collect();
    topics.sort_unstable();
    topics.windows(2).any(|two| two[0] == two[1])
}

/// Gets rows to hand of all inputs and grants them to their tasks. Inputs that meet in a task are taken together, and those of
/// tasks that share a topic; where rows are handed over in memory, all of the query's are.
pub(super) fn line_up(stages: &mut [Vec<StageTask>], layout: &[StageLayout], round: &Round<'_>) -> Result<()> {
    let look_ahead = |reader: &mut Reader| reader.look_ahead(round);
    let mut tasks: Vec<&mut StageTask> = stages.iter_mut().flatten().collect();
    let fetching = tasks.iter().filter(|task| task.readers().any(|reader| reader.may_fetch(round))).count();
    match fetching < 2 {
        // A single task's rows had better stay with the thread that goes on with them.
        true => tasks.iter_mut().try_for_each(|task| task.readers_mut().try_for_each(look_ahead))?,
        false => tasks.par_iter_mut().try_for_each(|task| task.readers_mut().try_for_each(look_ahead))?,
    }
    let handed_over = |entry: &Entry| matches!(entry, Entry::HandedOver);
    if tasks.iter().any(|task| task.entries.iter().any(handed_over)) {
        let mut all: Vec<&mut Reader> = tasks.into_iter().flat_map(|task| task.readers_mut()).collect();
        return grant(&mut all, round);
    }
    let mut together: BTreeMap<(&str, u32), Vec<&mut Reader>> = BTreeMap::new();
    for (tasks, stage) in stages.iter_mut().zip(layout) {
        for task in tasks {
            together.entry((&stage.lead, task.partition)).or_default().extend(task.readers_mut());
        }
    }
    together.values_mut().try_for_each(|readers| grant(readers, round))
}

/// Grants rows of inputs that meet. Of rows of one time those of tables are first: what was written to a table in the same
/// millisecond as a stream's row is there for it.
fn grant(readers: &mut [&mut Reader], round: &Round<'_>) -> Result<()> {
    readers.sort_by_key(|reader| !reader.input.is_table());
    let heads = readers.iter().map(|reader| reader.head(round.port, round)).collect::<Result<Vec<Head<'_>>>>()?;
    let takes = takes(&heads);
    readers.iter_mut().zip(takes).for_each(|(reader, rows)| reader.grant(rows));
    let times: Vec<&[i64]> = readers.iter().map(|reader| reader.granted_times()).collect();
    // Rows of one input meet nobody, unless they come to several.
    let shared = readers.iter().any(|reader| reader.input.is_shared());
    if !shared && times.iter().filter(|times| !times.is_empty()).count() < 2 {
        return Ok(());
    }
    let places = places(&times);
    readers.iter_mut().zip(places).for_each(|(reader, places)| reader.set_places(places));
    Ok(())
}

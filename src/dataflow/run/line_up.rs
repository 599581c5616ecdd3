//! Before a round: which rows of inputs that meet are taken in it, and in which order.

use rayon::prelude::*;

use super::layout::StageLayout;
use super::merge::{Head, places, takes};
use super::reader::Reader;
use super::stage::{Round, StageTask};
use crate::error::Result;
use crate::plan::{Plan, Step};

/// Whether rows of several inputs meet: those of a join, and behind an exchange in memory those of several partitions. Where a
/// row may become very many, rows are pushed as few as fit instead, partition by partition.
pub(super) fn is_needed(plan: &Plan, layout: &[StageLayout], shared: bool) -> bool {
    let exchanged = layout.len() > 1 && layout[0].partitions > 1 && !shared;
    let multiplies = plan.steps().any(|step| matches!(step, Step::FlatMap { .. }));
    plan.joins() || (exchanged && !multiplies)
}

/// Gets rows to hand of all inputs and grants them to their tasks. Inputs that meet in a task are taken together; where rows
/// are handed over in memory, all of the query's are.
pub(super) fn line_up(stages: &mut [Vec<StageTask>], round: &Round<'_>) -> Result<()> {
    let look_ahead = |reader: &mut Reader| reader.look_ahead(round);
    let mut tasks: Vec<&mut StageTask> = stages.iter_mut().flatten().collect();
    let fetching = tasks.iter().filter(|task| task.readers().any(|reader| reader.may_fetch(round))).count();
    match fetching < 2 {
        // A single task's rows had better stay with the thread that goes on with them.
        true => tasks.iter_mut().try_for_each(|task| task.readers_mut().try_for_each(look_ahead))?,
        false => tasks.par_iter_mut().try_for_each(|task| task.readers_mut().try_for_each(look_ahead))?,
    }
    let in_memory = tasks.iter().any(|task| task.readers.iter().any(Option::is_none));
    if in_memory {
        let mut all: Vec<&mut Reader> = tasks.into_iter().flat_map(|task| task.readers_mut()).collect();
        return grant(&mut all, round);
    }
    tasks.into_iter().try_for_each(|task| grant(&mut task.readers_mut().collect::<Vec<_>>(), round))
}

/// Grants rows of inputs that meet. Of rows of one time those of tables are first: what was written to a table in the same
/// millisecond as a stream's row is there for it.
fn grant(readers: &mut [&mut Reader], round: &Round<'_>) -> Result<()> {
    readers.sort_by_key(|reader| !reader.input.is_table());
    let heads = readers.iter().map(|reader| reader.head(round.port, round)).collect::<Result<Vec<Head<'_>>>>()?;
    let takes = takes(&heads);
    readers.iter_mut().zip(takes).for_each(|(reader, rows)| reader.grant(rows));
    let times: Vec<&[i64]> = readers.iter().map(|reader| reader.granted_times()).collect();
    // Rows of one input meet nobody.
    if times.iter().filter(|times| !times.is_empty()).count() < 2 {
        return Ok(());
    }
    let places = places(&times);
    readers.iter_mut().zip(places).for_each(|(reader, places)| reader.set_places(places));
    Ok(())
}

//! A query among those that go on together.

use std::collections::BTreeMap;

use super::alone::{Alone, Query};
use super::client::{Client, LIMIT_REACHED};
use crate::catalog::SourceKind;
use crate::dataflow::{Batch, Task};
use crate::engine::warning::warning;
use crate::error::{Error, Result};
use crate::expr::Pinned;
use crate::plan::{Scan, StageInput, Step};

/// A query whose rows come from a reader that others have theirs from, too. It has no state but what it has seen.
pub struct Listener {
    pub query: Query,
    pub client: Client,
    task: Task,
    wanted: Vec<bool>,
    /// Of partitions that it had read further than the reader has: its rows begin at these offsets.
    from: BTreeMap<u32, i64>,
}

/// What a query reads that may go on together with others: a single stream, through steps without state.
pub fn shared_scan(query: &Query) -> Option<&Scan> {
    let [stage] = query.spec.plan.stages.as_slice() else { return None };
    match &stage.input {
        StageInput::Scan(scan) if scan.source.kind == SourceKind::Stream && !query.spec.plan.keeps_state() => {
            Some(scan)
        }
        _ => None,
    }
}

/// The rows that may pass the query's first condition.
pub fn pinned(query: &Query) -> Option<Pinned> {
    match query.spec.plan.stages.first()?.steps.first()? {
        Step::Filter { predicate, .. } => predicate.pinned(),
        _ => None,
    }
}

impl Listener {
    /// `from`: by partition, where it has read further than the reader.
    ///
    /// Errors: a defect of the plan; the query is given back.
    pub fn new(alone: Alone, from: BTreeMap<u32, i64>) -> std::result::Result<Listener, (Box<Alone>, Error)> {
        let Some(scan) = shared_scan(&alone.query) else {
            return Err((Box::new(alone), Error::internal("a query goes on with others that can't")));
        };
        let wanted = scan.wanted.clone();
        match Task::new(&alone.query.spec.plan.stages[0], 0) {
            Ok(task) => Ok(Listener { query: alone.query, client: alone.client, task, wanted, from }),
            Err(error) => Err((Box::new(alone), error)),
        }
    }

    /// Takes rows that the reader has read: those with these numbers, or all.
    ///
    /// Errors: a step of the query fails as a whole.
    pub fn push(&mut self, batch: &Batch, rows: Option<&[u32]>) -> Result<()> {
        let all: Vec<u32>;
        let rows = match (rows, self.begins_in(batch)) {
            (rows, None) => rows,
            (rows, Some(first)) => {
                let is_new = |row: &u32| batch.origin.place(*row as usize).is_none_or(|(_, offset)| offset >= first);
                let rows = rows.map_or_else(|| (0..batch.rows as u32).collect(), <[u32]>::to_vec);
                all = rows.into_iter().filter(is_new).collect();
                Some(all.as_slice())
            }
        };
        let batch = match rows {
            Some([]) => return Ok(()),
            Some(rows) => batch.narrowed(&self.wanted).take(rows)?,
            None => batch.narrowed(&self.wanted),
        };
        let client = &mut self.client;
        self.task.push(batch, &mut |batch, _| {
            client.take(&batch);
            Ok(())
        })?;
        let context = &mut self.task.context;
        let (bad, errors) = (std::mem::take(&mut context.bad), std::mem::take(&mut context.errors));
        if let Some(text) = warning(bad, 0, &errors) {
            self.client.warn(text);
        }
        if self.client.has_enough() {
            self.client.end(LIMIT_REACHED);
        }
        Ok(())
    }

    /// The first offset that it hasn't had yet, if the batch may have rows before it.
    fn begins_in(&mut self, batch: &Batch) -> Option<i64> {
        if self.from.is_empty() || batch.rows == 0 {
            return None;
        }
        let (place, offset) = batch.origin.place(0)?;
        let first = *self.from.get(&place.partition)?;
        if offset >= first {
            self.from.remove(&place.partition);
            return None;
        }
        Some(first)
    }
}

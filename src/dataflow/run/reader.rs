//! The reading end of a source's partition.

use std::sync::Arc;

use super::ahead::Turn;
use super::input::{Input, SourceInput};
use super::open::Committed;
use super::snapshots::{Held, Keeper, PartSnapshot};
use super::spec::{RunSpec, Start};
use super::stage::Round;
use crate::dataflow::meter::Meter;
use crate::dataflow::operator::{ErrorKind, ProcessingError};
use crate::dataflow::{Batch, Context};
use crate::error::{Error, Result};
use crate::log::{Log, LogError, RecordMeta, Records, TopicPartition, for_each_fetch};
use crate::messages;
use crate::plan::{Stage, Step};
use crate::state::snapshots::Span;

/// The reading end of a source's partition.
pub(super) struct Reader {
    pub input: Input,
    pub place: TopicPartition,
    pub position: i64,
    /// Read up to here and no further.
    pub end: Option<i64>,
    /// Records of the last batch, and of the whole round.
    pub rows: usize,
    pub round_rows: usize,
    /// The position once these are done.
    pub next_position: i64,
    /// What was fetched is kept until all of it was pushed: the task may take less than it was offered.
    keeps_fetched: bool,
    pub rest: Option<Rest>,
    /// Its rows wait for those of other inputs.
    pub turn: Turn,
    /// It begins at the end of its partition, and no commit has recorded where that was.
    pub begins_at_end: bool,
    /// Of what it reads and decodes.
    pub meter: Arc<Meter>,
}

/// An input of the query's that has its rows from a reading end that others have theirs from, too.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub stage: usize,
    pub input: usize,
    /// The columns of the scan that it reads.
    pub wanted: Vec<bool>,
    /// It looks at the rows that are replaced.
    pub with_old: bool,
}

impl Use {
    /// What it has of a batch: the columns that it reads, as if it had read them by itself.
    pub fn narrowed(&self, batch: &Batch) -> Batch {
        let narrowed = batch.narrowed(&self.wanted);
        Batch { old: narrowed.old.filter(|_| self.with_old), ..narrowed }
    }
}

/// Fetched records that were not all pushed yet.
pub(super) struct Rest {
    /// The part that was offered last, and the bytes of all.
    pub records: Records,
    pub all: Vec<RecordMeta>,
    /// The first that was not pushed.
    first: usize,
    /// Where to go on behind them.
    next_position: i64,
}

/// Whether the steps make several rows of one.
fn multiplies(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::FlatMap { .. }))
}

impl Reader {
    pub fn open(
        input: Input,
        spec: &RunSpec,
        stage: &Stage,
        place: TopicPartition,
        committed: &Committed,
        lined_up: bool,
    ) -> Result<Reader> {
        // A table is its whole topic, wherever its readers start; an exchange loses nothing.
        let from_now = spec.start == Start::Latest && input.is_stream();
        let position = committed.positions.get(&place).copied();
        let begins_at_end = position.is_none() && from_now && spec.durable;
        let position = match (position, committed.ends.get(&place)) {
            (Some(position), _) => position,
            (None, Some((first, next))) => {
                if from_now {
                    *next
                } else {
                    *first
                }
            }
            (None, None) => return Err(Error::internal("a partition is opened that was not looked at")),
        };
        let keeps_fetched =
            multiplies(&stage.steps) || input.records_max() < usize::MAX || (lined_up && input.keeps_rows());
        let next_position = position;
        Ok(Reader {
            input,
            place,
            position,
            end: None,
            rows: 0,
            round_rows: 0,
            next_position,
            keeps_fetched,
            rest: None,
            turn: Turn::default(),
            begins_at_end,
            meter: Arc::default(),
        })
    }

    /// Reads from here on; for one that has read nothing yet.
    pub fn go_to(&mut self, position: i64) {
        (self.position, self.next_position) = (position, position);
    }

    /// The batch of the next records, `rows_max` at most, of each source over the topic; None, or nothing: there is nothing to
    /// read, or no row of it is left. They come again until they are `done`.
    pub fn read(&mut self, rows_max: usize, round: &Round<'_>, context: &mut Context) -> Result<Vec<Option<Batch>>> {
        let meter = self.meter.clone();
        let batches = meter.time(|| self.read_next(rows_max, round, context));
        meter.rows_in(self.rows);
        batches
    }

    fn read_next(&mut self, rows_max: usize, round: &Round<'_>, context: &mut Context) -> Result<Vec<Option<Batch>>> {
        self.rows = 0;
        let rows_max = rows_max.min(self.input.records_max());
        if self.rest.is_none() {
            if self.end.is_some_and(|end| self.position >= end) {
                return Ok(Vec::new());
            }
            let mut records = round.buffers.lock().pop().unwrap_or_default();
            if let Err(error) = round.port.fetch(&self.place, self.position, round.bytes_max, &mut records) {
                round.buffers.lock().push(records);
                return self.skip_removed(error, context).map(|()| Vec::new());
            }
            self.next_position = self.position.max(records.next_offset);
            if let Some(end) = self.end
                && self.next_position > end
            {
                records.meta.retain(|meta| meta.offset < end);
                self.next_position = end;
            }
            if records.len() <= rows_max && !self.keeps_fetched {
                self.rows = records.len();
                let batches = self.input.read(&mut records, context, round.old_rows);
                round.buffers.lock().push(records);
                return batches;
            }
            let all = std::mem::take(&mut records.meta);
            self.rest = Some(Rest { records, all, first: 0, next_position: self.next_position });
        }
        let Some(rest) = &mut self.rest else { return Ok(Vec::new()) };
        let end = rest.all.len().min(rest.first + rows_max);
        rest.records.meta.clear();
        rest.records.meta.extend_from_slice(&rest.all[rest.first..end]);
        self.rows = end - rest.first;
        self.next_position = rest.all.get(end).map_or(rest.next_position, |meta| meta.offset);
        self.input.read(&mut rest.records, context, round.old_rows)
    }

    /// What `read` gave last was pushed.
    pub fn done(&mut self, round: &Round<'_>) {
        self.position = self.next_position;
        let Some(rest) = &mut self.rest else { return };
        rest.first += self.rows;
        if rest.first == rest.all.len()
            && let Some(Rest { mut records, all, .. }) = self.rest.take()
        {
            records.meta = all;
            round.buffers.lock().push(records);
        }
    }

    /// Whether what was fetched is of batches that are pushed one by one, and there are more of them.
    pub fn has_more_batches(&self) -> bool {
        self.rest.is_some() && self.input.records_max() < usize::MAX
    }

    /// Bytes of what was fetched and not pushed yet.
    pub fn fetched_bytes(&self) -> usize {
        let of_rest = |rest: &Rest| rest.records.data.capacity() + rest.all.capacity() * size_of::<RecordMeta>();
        self.rest.as_ref().map_or(0, of_rest) + self.ahead_bytes()
    }

    /// Where records were removed before they were read (retention, `topic empty`), goes on behind them and says so.
    fn skip_removed(&mut self, error: LogError, context: &mut Context) -> Result<()> {
        let LogError::OffsetOutOfRange { first, .. } = error else { return Err(error.into()) };
        if first <= self.position {
            return Err(messages::cluster::topic_not_the_same(&error.to_string()));
        }
        context.bad_record(ProcessingError {
            kind: ErrorKind::Removed,
            reason: format!(
                "the records from offset {} up to {first} were removed from the topic before they were read",
                self.position
            ),
            topic: Some(self.place.topic.clone()),
            partition: Some(self.place.partition),
            offset: Some(self.position),
            row_time: None,
            record: None,
        });
        self.next_position = first;
        self.rows = 1;
        Ok(())
    }

    /// A table's rows up to the position come from its own topic: that is their changelog.
    pub fn restore(
        &mut self,
        log: &dyn Log,
        keeper: Option<&Keeper<'_>>,
        heard: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        let tables = self.input.sources_mut().iter_mut().filter(|source| source.table().is_some());
        let mut before = 0;
        for SourceInput { scan: table, number, snapshot, .. } in tables {
            let mut from = None;
            if let Some(keeper) = keeper {
                let has = Span { first: log.offsets(&self.place)?.0, end: self.position };
                let name = match number {
                    0 => format!("rows-{}", self.place.partition),
                    _ => format!("rows-{number}-{}", self.place.partition),
                };
                let mut part = PartSnapshot::new(log, name, &self.place, Held::ByReader);
                from = part.restore(keeper, has, table)?;
                *snapshot = Some(part);
            }
            heard(before + table.state_bytes())?;
            for_each_fetch(log, &self.place, from, Some(self.position), &mut |records| {
                table.restore(records)?;
                heard(before + table.state_bytes())
            })?;
            before += table.state_bytes();
        }
        Ok(())
    }

    /// The offset from which on a restart needs the tables' topic uncompacted.
    pub fn held_from(&self) -> i64 {
        let snapshots = self.input.sources().iter().filter_map(|source| source.snapshot.as_ref());
        snapshots.filter_map(PartSnapshot::needs_from).fold(self.position, i64::min)
    }
}

//! Rows that were decoded before their turn has come: where rows of several inputs meet, their times say how many of each
//! may be taken.

use std::time::Instant;

use arrow::buffer::ScalarBuffer;

use super::merge::Head;
use super::port::Port;
use super::reader::Reader;
use super::stage::Round;
use crate::dataflow::operator::ProcessingError;
use crate::dataflow::{Batch, Context};
use crate::error::{Error, Result};
use crate::time::now;

/// Rows at hand.
pub(super) struct Ahead {
    batch: Batch,
    /// Of the rows' records, once only some of the rows were taken.
    offsets: Option<Vec<i64>>,
    /// The first that was not taken.
    first: usize,
    /// They are of one record: taken together or not at all.
    whole: bool,
    bytes: usize,
}

/// What is known of the rows to come.
#[derive(Default)]
pub(super) struct Turn {
    ahead: Option<Ahead>,
    /// Told of records that the position isn't behind yet.
    errors: Vec<ProcessingError>,
    /// The rows that may be taken now, and their places among those of the other inputs.
    granted: usize,
    places: Option<Vec<u64>>,
    /// Since when nothing is at hand.
    empty_since: Option<Instant>,
}

impl Ahead {
    /// Offset of the first row that was not taken.
    fn next_offset(&mut self) -> Result<i64> {
        if self.offsets.is_none() {
            self.offsets = self.batch.origin.places(self.batch.rows).map(|(_, offsets)| offsets);
        }
        let offset = self.offsets.as_ref().and_then(|offsets| offsets.get(self.first));
        offset.copied().ok_or_else(|| Error::internal("a row of a source without its offset"))
    }
}

impl Reader {
    /// Whether `look_ahead` will find something to fetch, as far as that is known.
    pub fn may_fetch(&self, round: &Round<'_>) -> bool {
        let end = round.port.end(&self.place);
        self.turn.ahead.is_none() && end.is_ok_and(|end| end.is_none_or(|end| self.position < end))
    }

    /// Gets rows to hand unless some are.
    pub fn look_ahead(&mut self, round: &Round<'_>) -> Result<()> {
        self.round_rows = 0;
        (self.turn.granted, self.turn.places) = (0, None);
        if self.turn.ahead.is_some() {
            return Ok(());
        }
        let mut context = Context::default();
        let batch = self.read(usize::MAX, round, &mut context)?;
        let bad = context.errors.len();
        self.turn.errors.append(&mut context.errors);
        let Some(batch) = batch else {
            // Nothing is left of what was read, if anything was. What is bad counts when it is told of.
            self.done(round);
            self.round_rows = self.rows.saturating_sub(bad);
            self.turn.empty_since.get_or_insert_with(now);
            return Ok(());
        };
        let bytes = batch.slice_bytes(0, batch.rows);
        self.turn.empty_since = None;
        self.turn.ahead = Some(Ahead { batch, offsets: None, first: 0, whole: self.input.is_exchange(), bytes });
        Ok(())
    }

    /// What is at hand, and whether more is to be waited for: it is known to be there, or an input that has nothing is given
    /// some time.
    pub fn head(&self, port: &Port, round: &Round<'_>) -> Result<Head<'_>> {
        let behind = |from: i64| -> Result<bool> {
            if self.end.is_some_and(|end| from >= end) {
                return Ok(false);
            }
            Ok(port.end(&self.place)?.is_none_or(|end| from < end))
        };
        let Some(ahead) = &self.turn.ahead else {
            let idle = self.turn.empty_since.is_some_and(|since| since.elapsed() < round.idle_max);
            let ended = self.end.is_some_and(|end| self.position >= end);
            return Ok(Head { times: &[], more: behind(self.position)? || (idle && !ended), whole: false });
        };
        let rows = (ahead.batch.rows - ahead.first).min(if ahead.whole { usize::MAX } else { round.rows_max });
        let all = ahead.first + rows == ahead.batch.rows;
        let times = &ahead.batch.row_time[ahead.first..ahead.first + rows];
        Ok(Head { times, more: !all || behind(self.next_position)?, whole: ahead.whole })
    }

    /// So many rows may be taken.
    pub fn grant(&mut self, rows: usize) {
        self.turn.granted = rows;
    }

    /// Row times of those that may be taken.
    pub fn granted_times(&self) -> &[i64] {
        match &self.turn.ahead {
            Some(ahead) => &ahead.batch.row_time[ahead.first..ahead.first + self.turn.granted],
            None => &[],
        }
    }

    /// Their places among the rows of the other inputs.
    pub fn set_places(&mut self, places: Vec<u64>) {
        self.turn.places = Some(places);
    }

    /// The rows that may be taken; the position is behind them then.
    pub fn take_granted(&mut self, round: &Round<'_>, context: &mut Context) -> Result<Option<Batch>> {
        let rows = std::mem::take(&mut self.turn.granted);
        let mut taken = None;
        if let Some(ahead) = self.turn.ahead.as_mut().filter(|_| rows > 0) {
            let mut batch = ahead.batch.slice(ahead.first, rows)?;
            batch.order = self.turn.places.take().map(ScalarBuffer::from);
            ahead.first += rows;
            self.round_rows += rows;
            let rest = match ahead.first < ahead.batch.rows {
                true => Some(ahead.next_offset()?),
                false => None,
            };
            self.replace_rows(&mut batch)?;
            match rest {
                Some(next) => self.position = next,
                None => {
                    self.turn.ahead = None;
                    self.done(round);
                }
            }
            taken = Some(batch);
        }
        for error in self.turn.errors.extract_if(.., |error| error.offset.is_none_or(|at| at < self.position)) {
            context.bad_record(error);
            self.round_rows += 1;
        }
        Ok(taken)
    }

    /// Of a table whose replaced rows are wanted: puts these rows into it, and the ones they replace beside them. Not before
    /// their turn: the table is what was read up to the position.
    fn replace_rows(&mut self, batch: &mut Batch) -> Result<()> {
        let Some(rest) = self.rest.as_ref().filter(|_| self.input.table().is_some()) else { return Ok(()) };
        let Some((_, offsets)) = batch.origin.places(batch.rows) else {
            return Err(Error::internal("rows of a table without their offsets"));
        };
        let metas = offsets.iter().map(|offset| {
            let found = rest.all.binary_search_by_key(offset, |meta| meta.offset);
            found.map(|at| rest.all[at]).map_err(|_| Error::internal("a row of no record"))
        });
        let metas = metas.collect::<Result<Vec<_>>>()?;
        if let (Some(rest), Some(table)) = (&mut self.rest, self.input.table_mut()) {
            rest.records.meta.clear();
            rest.records.meta.extend(metas);
            table.replace(&rest.records, batch)?;
        }
        Ok(())
    }

    /// Bytes of the rows at hand.
    pub fn ahead_bytes(&self) -> usize {
        self.turn.ahead.as_ref().map_or(0, |ahead| ahead.bytes)
    }
}

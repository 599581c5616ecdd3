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
    /// Of each source over the topic what its records became.
    sources: Vec<Option<SourceRows>>,
    /// Where these are several.
    records: Option<GoodRecords>,
    /// The first row that was not taken; of several sources the first such record.
    first: usize,
    /// They are of one record: taken together or not at all.
    whole: bool,
    bytes: usize,
}

struct SourceRows {
    batch: Batch,
    /// Of the rows' records, once they are asked for.
    offsets: Option<Vec<i64>>,
}

/// The records of which some source has a row. A record comes to all sources at one place, that of its oldest row.
struct GoodRecords {
    times: Vec<i64>,
    offsets: Vec<i64>,
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

impl SourceRows {
    fn offsets(&mut self) -> Result<&[i64]> {
        if self.offsets.is_none() {
            self.offsets = self.batch.origin.places(self.batch.rows).map(|(_, offsets)| offsets);
        }
        self.offsets.as_deref().ok_or_else(|| Error::internal("rows of a source without their offsets"))
    }
}

impl GoodRecords {
    fn of(sources: &mut [Option<SourceRows>]) -> Result<GoodRecords> {
        let mut all: Vec<(i64, i64)> = Vec::new();
        for rows in sources.iter_mut().flatten() {
            let times = rows.batch.row_time.clone();
            all.extend(rows.offsets()?.iter().copied().zip(times.iter().copied()));
        }
        all.sort_unstable();
        all.dedup_by_key(|(offset, _)| *offset);
        let (offsets, times) = all.into_iter().unzip();
        Ok(GoodRecords { times, offsets })
    }
}

impl Ahead {
    /// `batches`: of each source.
    fn new(batches: Vec<Option<Batch>>, whole: bool) -> Result<Ahead> {
        let bytes = batches.iter().flatten().map(|batch| batch.slice_bytes(0, batch.rows)).sum();
        let of_source = |batch: Option<Batch>| batch.map(|batch| SourceRows { batch, offsets: None });
        let mut sources: Vec<_> = batches.into_iter().map(of_source).collect();
        let records = if sources.len() > 1 { Some(GoodRecords::of(&mut sources)?) } else { None };
        Ok(Ahead { sources, records, first: 0, whole, bytes })
    }

    /// Times of the rows that were not taken; of several sources those of the records.
    fn times(&self) -> &[i64] {
        let times = match (&self.records, self.sources.first()) {
            (Some(records), _) => records.times.as_slice(),
            (None, Some(Some(rows))) => &rows.batch.row_time,
            (None, _) => &[],
        };
        &times[self.first..]
    }

    /// Offset of the first row that was not taken; None: all were.
    fn next_offset(&mut self) -> Result<Option<i64>> {
        if self.times().is_empty() {
            return Ok(None);
        }
        let offsets = match (&self.records, self.sources.first_mut()) {
            (Some(records), _) => records.offsets.as_slice(),
            (None, Some(Some(rows))) => rows.offsets()?,
            (None, _) => &[],
        };
        let offset = offsets.get(self.first).copied();
        offset.ok_or_else(|| Error::internal("a row of a source without its offset")).map(Some)
    }

    /// The next rows (of several sources, those of so many records), of each source. `places`: theirs among the rows of other
    /// inputs.
    fn take(&mut self, count: usize, places: Option<Vec<u64>>) -> Result<Vec<Option<Batch>>> {
        let (first, end) = (self.first, self.first + count);
        self.first = end;
        let Ahead { sources, records, .. } = self;
        let Some(records) = records else {
            let Some(Some(rows)) = sources.first() else { return Ok(Vec::new()) };
            let order = places.map(ScalarBuffer::from);
            return Ok(vec![Some(Batch { order, ..rows.batch.slice(first, count)? })]);
        };
        let taken = &records.offsets[first..end];
        let mut batches = Vec::with_capacity(sources.len());
        for rows in sources.iter_mut() {
            let Some(rows) = rows else {
                batches.push(None);
                continue;
            };
            let offsets = rows.offsets()?;
            let from = taken.first().map_or(0, |first| offsets.partition_point(|offset| offset < first));
            let to = taken.last().map_or(0, |last| offsets.partition_point(|offset| offset <= last));
            if from >= to {
                batches.push(None);
                continue;
            }
            let order = places.as_ref().map(|places| {
                let mut records = taken.iter().zip(places);
                let place = |offset: &i64| records.find(|(record, _)| *record == offset).map(|(_, place)| *place);
                offsets[from..to].iter().filter_map(place).collect::<Vec<u64>>().into()
            });
            batches.push(Some(Batch { order, ..rows.batch.slice(from, to - from)? }));
        }
        Ok(batches)
    }
}

/// How many records these errors tell of, without those with one of the offsets of `counted`.
fn records_told(errors: &[ProcessingError], counted: &[i64]) -> usize {
    let mut offsets: Vec<Option<i64>> = errors.iter().map(|error| error.offset).collect();
    offsets.sort_unstable();
    offsets.dedup();
    offsets.iter().filter(|offset| offset.is_none_or(|offset| counted.binary_search(&offset).is_err())).count()
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
        let batches = self.read(usize::MAX, round, &mut context)?;
        let bad = records_told(&context.errors, &[]);
        self.turn.errors.append(&mut context.errors);
        if batches.iter().all(Option::is_none) {
            // Nothing is left of what was read, if anything was. What is bad counts when it is told of.
            self.done(round);
            self.round_rows = self.rows.saturating_sub(bad);
            self.turn.empty_since.get_or_insert_with(now);
            return Ok(());
        }
        self.turn.empty_since = None;
        self.turn.ahead = Some(Ahead::new(batches, self.input.is_exchange())?);
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
        let ended = |from: i64| self.end.is_some_and(|end| from >= end);
        let Some(ahead) = &self.turn.ahead else {
            let idle = self.turn.empty_since.is_some_and(|since| since.elapsed() < round.idle_max);
            return Ok(Head {
                times: &[],
                more: behind(self.position)? || (idle && !ended(self.position)),
                whole: false,
            });
        };
        let all = ahead.times();
        let rows = all.len().min(if ahead.whole { usize::MAX } else { round.rows_max });
        // Once the last of them is taken its time begins, and not before: until then nothing goes behind it.
        let idle = !round.idle_max.is_zero() && !ended(self.next_position);
        let more = rows < all.len() || behind(self.next_position)? || idle;
        Ok(Head { times: &all[..rows], more, whole: ahead.whole })
    }

    /// So many rows may be taken.
    pub fn grant(&mut self, rows: usize) {
        self.turn.granted = rows;
    }

    /// Row times of those that may be taken.
    pub fn granted_times(&self) -> &[i64] {
        match &self.turn.ahead {
            Some(ahead) => &ahead.times()[..self.turn.granted],
            None => &[],
        }
    }

    /// Their places among the rows of the other inputs.
    pub fn set_places(&mut self, places: Vec<u64>) {
        self.turn.places = Some(places);
    }

    /// The rows that may be taken, of each source over the topic; the position is behind them then.
    pub fn take_granted(&mut self, round: &Round<'_>, context: &mut Context) -> Result<Vec<Option<Batch>>> {
        let rows = std::mem::take(&mut self.turn.granted);
        let (mut taken, mut counted) = (Vec::new(), Vec::new());
        if let Some(ahead) = self.turn.ahead.as_mut().filter(|_| rows > 0) {
            taken = ahead.take(rows, self.turn.places.take())?;
            self.round_rows += rows;
            if let Some(records) = &ahead.records {
                counted.extend_from_slice(&records.offsets[..ahead.first]);
            }
            let rest = ahead.next_offset()?;
            for (source, batch) in taken.iter_mut().enumerate() {
                if let Some(batch) = batch {
                    self.replace_rows(source, batch)?;
                }
            }
            match rest {
                Some(next) => self.position = next,
                None => {
                    self.turn.ahead = None;
                    self.done(round);
                }
            }
        }
        let told = self.turn.errors.extract_if(.., |error| error.offset.is_none_or(|at| at < self.position));
        let told: Vec<ProcessingError> = told.collect();
        self.round_rows += records_told(&told, &counted);
        told.into_iter().for_each(|error| context.bad_record(error));
        Ok(taken)
    }

    /// Of a table whose replaced rows are wanted: puts these rows into it, and the ones they replace beside them. Not before
    /// their turn: the table is what was read up to the position.
    fn replace_rows(&mut self, source: usize, batch: &mut Batch) -> Result<()> {
        let Some(source) = self.input.sources_mut().get_mut(source).filter(|source| source.table().is_some()) else {
            return Ok(());
        };
        let Some(rest) = &mut self.rest else { return Err(Error::internal("a table's records are gone too early")) };
        let Some((_, offsets)) = batch.origin.places(batch.rows) else {
            return Err(Error::internal("rows of a table without their offsets"));
        };
        let metas = offsets.iter().map(|offset| {
            let found = rest.all.binary_search_by_key(offset, |meta| meta.offset);
            found.map(|at| rest.all[at]).map_err(|_| Error::internal("a row of no record"))
        });
        let metas = metas.collect::<Result<Vec<_>>>()?;
        rest.records.meta.clear();
        rest.records.meta.extend(metas);
        source.scan.replace(&rest.records, batch)
    }

    /// Bytes of the rows at hand.
    pub fn ahead_bytes(&self) -> usize {
        self.turn.ahead.as_ref().map_or(0, |ahead| ahead.bytes)
    }
}

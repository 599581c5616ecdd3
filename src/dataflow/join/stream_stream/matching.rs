//! Which rows meet: the state of both sides, and the loop over rows in their order.

use std::cmp::Reverse;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use super::list::List;
use super::side::{Fresh, Side};
use super::spec::{Hand, Spec, Unmatched};
use super::work::{Due, Made, Part, Probe, Work};
use crate::dataflow::batch::arrow_error;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::keys::{JoinKeys, Tombstones, keyed_rows};
use crate::dataflow::{Batch, Context};
use crate::error::Result;
use crate::state::NO_KEY;
use crate::types::SqlType;

pub(super) struct State {
    pub spec: Spec,
    /// Whether a match counts at once or when the condition was looked at.
    pub decides: Decides,
    /// Of both sides.
    pub keys: JoinKeys,
    /// The rows that are kept, by number of key: those of the left side, those of the right.
    pub lists: Vec<[List; 2]>,
    /// Bytes that the lists hold beside.
    pub list_bytes: usize,
    pub sides: [Side; 2],
    /// The greatest row time of all rows.
    pub stream_time: i64,
    /// Times have gone on since the last commit.
    pub moved: bool,
}

/// What makes two rows of one key, whose times fit, a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decides {
    Times,
    /// What is collected are candidates.
    Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    /// As much was made as fits: go on with more room.
    Full,
}

impl State {
    pub fn new(spec: Spec, decides: Decides, key_types: &[SqlType], left: &[SqlType], right: &[SqlType]) -> State {
        State {
            spec,
            decides,
            keys: JoinKeys::new(key_types),
            lists: Vec::new(),
            list_bytes: 0,
            sides: [Side::new(left, spec.retention), Side::new(right, spec.retention)],
            stream_time: i64::MIN,
            moved: false,
        }
    }

    /// Whether anybody asks which rows are settled.
    pub fn marks(&self, hand: Hand) -> bool {
        match (self.spec.unmatched(hand), self.decides) {
            (Unmatched::Dropped, _) | (Unmatched::AtOnce, Decides::Times) => false,
            (Unmatched::AtOnce, Decides::Condition) | (Unmatched::AtClose, _) => true,
        }
    }

    /// Whether a side's rows are given when nothing matches them.
    pub fn given_alone(&self, hand: Hand) -> bool {
        self.spec.unmatched(hand) != Unmatched::Dropped
    }

    /// Makes room in the lists for all keys.
    pub fn fit_lists(&mut self) {
        if self.lists.len() < self.keys.capacity() {
            self.lists.resize_with(self.keys.capacity(), Default::default);
        }
    }

    /// Takes a batch in: its rows get keys and numbers, and are among the side's columns.
    pub fn take_in(&mut self, hand: Hand, batch: Option<Batch>) -> Result<(Part, Vec<ArrayRef>)> {
        let Some(batch) = batch.filter(|batch| batch.rows > 0) else {
            return Ok((Part { guests: self.sides[hand as usize].end(), ..Part::default() }, Vec::new()));
        };
        let rows = keyed_rows(&batch, Tombstones::Ignore);
        let meeting = self.keys.columns(&batch)?;
        let ids = self.keys.intern(&batch, &rows)?;
        self.fit_lists();
        let mut part =
            Part { times: batch.row_time.clone(), places: batch.order.clone().unwrap_or_default(), ..Part::default() };
        let kept = self.kept(hand, &batch.row_time, &rows);
        if rows.len() == batch.rows && !kept.contains(&false) {
            self.take_all_in(hand, &batch, &mut part, ids)?;
        } else {
            self.take_some_in(hand, &batch, &mut part, (rows, ids, kept))?;
        }
        part.batch = Some(batch);
        Ok((part, meeting))
    }

    /// Takes rows in that are all kept; `ids`: the numbers of their keys.
    fn take_all_in(&mut self, hand: Hand, batch: &Batch, part: &mut Part, ids: Vec<u32>) -> Result<()> {
        ids.iter().for_each(|key| self.keys.retain(*key));
        let marks = self.marks(hand);
        let side = &mut self.sides[hand as usize];
        let (columns, bytes) = (batch.value_columns(), batch.slice_bytes(0, batch.rows));
        let first = side.append(&Fresh { columns, keys: &ids, times: &batch.row_time, bytes })?;
        part.numbers = (first..first + batch.rows as u64).collect();
        part.keys = ids;
        part.guests = side.end();
        if marks {
            side.mark_until(part.guests);
        }
        Ok(())
    }

    /// Takes some rows in (`rows`: their numbers in the batch, those of their keys, and whether they are kept).
    fn take_some_in(
        &mut self,
        hand: Hand,
        batch: &Batch,
        part: &mut Part,
        (rows, ids, kept): (Vec<u32>, Vec<u32>, Vec<bool>),
    ) -> Result<()> {
        part.keys = vec![NO_KEY; batch.rows];
        part.numbers = vec![NO_ROW; batch.rows];
        let (mut fresh, mut guests) = (Picked::default(), Picked::default());
        for ((&row, &key), kept) in rows.iter().zip(&ids).zip(kept) {
            part.keys[row as usize] = key;
            let picked = if kept { &mut fresh } else { &mut guests };
            picked.rows.push(row);
            picked.keys.push(key);
            picked.times.push(batch.row_time[row as usize]);
        }
        fresh.keys.iter().for_each(|key| self.keys.retain(*key));
        let side = &mut self.sides[hand as usize];
        let bytes = batch.slice_bytes(0, batch.rows) / batch.rows * fresh.rows.len();
        let columns = fresh.columns(batch)?;
        let first = side.append(&Fresh { columns: &columns, keys: &fresh.keys, times: &fresh.times, bytes })?;
        fresh.number(first, &mut part.numbers);
        part.guests = side.end();
        if !guests.rows.is_empty() {
            side.columns.append_apart(&guests.columns(batch)?, guests.rows.len());
            guests.number(part.guests, &mut part.numbers);
        }
        if self.marks(hand) {
            let side = &mut self.sides[hand as usize];
            side.mark_until(part.guests + guests.rows.len() as u64);
        }
        Ok(())
    }

    /// For each of these rows: whether it is kept when it comes, or is too old.
    fn kept(&self, hand: Hand, times: &[i64], rows: &[u32]) -> Vec<bool> {
        let mut observed = self.sides[hand as usize].observed;
        let kept = |row: &u32| {
            let time = times[*row as usize];
            observed = observed.max(time);
            time >= observed.saturating_sub(self.spec.retention)
        };
        rows.iter().map(kept).collect()
    }

    /// Collects what is made of the rows, until there is enough.
    pub fn collect(&mut self, work: &mut Work, made: &mut Made, context: &mut Context) -> Progress {
        loop {
            while let Some(&due) = work.due.get(work.due_at) {
                if made.is_full() {
                    return Progress::Full;
                }
                work.due_at += 1;
                self.give_due(due, work, made);
            }
            if made.is_full() {
                return Progress::Full;
            }
            if let Some(probe) = work.probe.take()
                && self.take_turn(probe, work, made, context) == Progress::Full
            {
                return Progress::Full;
            }
            let Some((hand, row)) = work.next() else { return Progress::Done };
            match self.begin(hand, row, work) {
                // Mostly nothing comes between a row and those that it meets.
                Some(probe) if work.nothing_due() => {
                    if self.take_turn(probe, work, made, context) == Progress::Full {
                        return Progress::Full;
                    }
                }
                probe => work.probe = probe,
            }
        }
    }

    /// A row meets those of the other side, as far as there is room for what it makes; then others meet it.
    #[inline]
    fn take_turn(&mut self, mut probe: Probe, work: &mut Work, made: &mut Made, context: &mut Context) -> Progress {
        if self.meet(&mut probe, work, made) == Progress::Full {
            work.probe = Some(probe);
            return Progress::Full;
        }
        self.arrive(&probe, work, made, context);
        Progress::Done
    }

    /// A row comes: time goes on, and the row is to meet others.
    #[inline]
    fn begin(&mut self, hand: Hand, row: usize, work: &mut Work) -> Option<Probe> {
        let mut probe = None;
        let part = work.part(hand);
        let (time, key, number) = (part.times[row], part.keys[row], part.numbers[row]);
        if key != NO_KEY {
            let (side, other) = (hand as usize, hand.other() as usize);
            self.sides[side].observed = self.sides[side].observed.max(time);
            self.moved = true;
            let (first, last) = self.spec.span(hand, time);
            let first = first.max(self.sides[other].limit(self.spec.retention));
            let from = self.lists[key as usize][other].position(first);
            probe = Some(Probe { hand, row, time, key, number, from, last, found: 0 });
        }
        if time > self.stream_time {
            self.stream_time = time;
            self.moved = true;
            self.close(work);
        }
        probe
    }

    /// The rows of the other side that fit, from where the probe stands.
    fn meet(&mut self, probe: &mut Probe, work: &Work, made: &mut Made) -> Progress {
        let State { lists, sides, decides, spec, .. } = self;
        let other = probe.hand.other();
        let settles = *decides == Decides::Times && spec.unmatched(other) == Unmatched::AtClose;
        let key = work.key_place(probe.hand, probe.row);
        for entry in lists[probe.key as usize][other as usize].rest(probe.from) {
            if entry.0 > probe.last {
                break;
            }
            if made.is_full() {
                return Progress::Full;
            }
            made.pair(probe, *entry, key, work.place);
            probe.from += 1;
            probe.found += 1;
            if settles {
                sides[other as usize].settle(entry.1);
            }
        }
        Progress::Done
    }

    /// A row has met all that were there: from now on others meet it.
    #[inline]
    fn arrive(&mut self, probe: &Probe, work: &Work, made: &mut Made, context: &mut Context) {
        let &Probe { hand, row, time, key, number, found, .. } = probe;
        let part = work.part(hand);
        let kept = number < part.guests;
        if kept {
            let limit = self.sides[hand as usize].limit(self.spec.retention);
            let list = &mut self.lists[key as usize][hand as usize];
            self.list_bytes = self.list_bytes.wrapping_add_signed(list.insert(time, number, limit));
        }
        let open = time.saturating_add(self.spec.ahead(hand)) >= self.stream_time;
        // Where a condition decides, nobody knows yet whether it has a match.
        let unmatched = found == 0 || self.decides == Decides::Condition;
        let side = &mut self.sides[hand as usize];
        match self.spec.unmatched(hand) {
            Unmatched::AtClose if open && unmatched => side.waiting.push(Reverse((time, number))),
            Unmatched::AtClose | Unmatched::AtOnce if unmatched => {
                made.alone(hand, (time, number), work.key_place(hand, row), work.place);
            }
            Unmatched::Dropped if !kept && found == 0 => {
                if let Some(batch) = &part.batch {
                    let (observed, retention) = (side.observed, self.spec.retention);
                    context.late_row(batch, row, || {
                        format!(
                            "the join keeps rows for {retention} ms, and its side is at {observed}: no row can match it"
                        )
                    });
                }
            }
            Unmatched::AtClose | Unmatched::AtOnce | Unmatched::Dropped => {}
        }
        if self.decides == Decides::Times && self.marks(hand) && !(open && unmatched) {
            self.sides[hand as usize].settle(number);
        }
    }

    /// After stream time went on: the rows that waited and are given alone now.
    fn close(&mut self, work: &mut Work) {
        let due = |side: &Side, hand: Hand| {
            side.waiting.peek().is_some_and(|Reverse(entry)| self.spec.close(hand, entry.0) < self.stream_time)
        };
        if !Hand::BOTH.iter().any(|hand| due(&self.sides[*hand as usize], *hand)) {
            return;
        }
        work.due.clear();
        work.due_at = 0;
        for hand in Hand::BOTH {
            let side = &mut self.sides[hand as usize];
            while let Some(Reverse(entry)) = side.waiting.peek().copied() {
                if self.spec.close(hand, entry.0) >= self.stream_time {
                    break;
                }
                side.waiting.pop();
                if !side.is_settled(entry.1) {
                    work.due.push(Due { hand, entry, key: side.key(entry.1) });
                }
            }
        }
        let keys = &self.keys;
        // Kafka Streams' order: time, the right side first, the key's bytes.
        work.due.sort_unstable_by(|a, b| {
            let side = (b.hand as usize).cmp(&(a.hand as usize));
            a.entry
                .0
                .cmp(&b.entry.0)
                .then(side)
                .then_with(|| keys.compare(a.key, b.key))
                .then(a.entry.1.cmp(&b.entry.1))
        });
    }

    fn give_due(&mut self, due: Due, work: &Work, made: &mut Made) {
        let key = (work.key_places() + made.due.len()) as u32;
        made.due.push(due.key);
        made.alone(due.hand, due.entry, key, work.place);
        if self.decides == Decides::Times {
            self.sides[due.hand as usize].close(due.entry.1);
        }
    }

    /// After a push: drops what has expired, and what was there for the push only.
    pub fn end(&mut self, work: &Work) {
        let State { keys, lists, list_bytes, sides, spec, .. } = self;
        for hand in Hand::BOTH {
            let side = &mut sides[hand as usize];
            side.cut(work.part(hand).guests);
            let limit = side.limit(spec.retention);
            side.expire(limit, |key| {
                // In a short list they stay until it grows, or its key goes: nobody finds them.
                let list = &mut lists[key as usize][hand as usize];
                if list.is_long() {
                    *list_bytes -= list.expire(limit);
                }
                keys.release(key);
            });
        }
        keys.sweep_with(|key| {
            for list in lists.get_mut(key as usize).into_iter().flatten() {
                *list_bytes -= list.clear();
            }
        });
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let sides: usize = self.sides.iter().map(Side::bytes).sum();
        let lists = self.lists.capacity() * size_of::<[List; 2]>() + self.list_bytes;
        sides + lists + self.keys.bytes()
    }
}

/// Some rows of a batch.
#[derive(Default)]
struct Picked {
    rows: Vec<u32>,
    keys: Vec<u32>,
    times: Vec<i64>,
}

impl Picked {
    /// Their value columns.
    fn columns(&self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        if self.rows.len() == batch.rows {
            return Ok(batch.value_columns().to_vec());
        }
        let rows = UInt32Array::from(self.rows.clone());
        batch.value_columns().iter().map(|column| take(column, &rows, None).map_err(arrow_error)).collect()
    }

    /// Writes their numbers down.
    fn number(&self, first: u64, numbers: &mut [u64]) {
        self.rows.iter().zip(first..).for_each(|(row, number)| numbers[*row as usize] = number);
    }
}

//! The second part: the rows of both tables by what they meet by.
//!
//! Its changelog is that of two tables (see `table_rows`): 0 the left rows, 1 the right ones, each by its own key, with what
//! they meet by, the values and the version as columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Int64Type;

use crate::dataflow::batch::arrow_error;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::condition::Condition;
use crate::dataflow::join::foreign_key::{Subscriptions, Tells, message_columns};
use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::join::order::in_order;
use crate::dataflow::join::pieces::TableState;
use crate::dataflow::join::table_rows::{Arrivals, TableRow, TableRows, by_table, restore};
use crate::dataflow::operator::{Context, JoinOperator, Node, Sides};
use crate::dataflow::regroup::any_null;
use crate::dataflow::{Batch, Origin};
use crate::error::{Error, Result};
use crate::log::Records;
use crate::plan::{Join, JoinKind, MESSAGE_TYPES};
use crate::state::NO_KEY;
use crate::state::snapshots::Pieces;
use crate::types::SqlType;

/// What is made at once, at least one row: a row may meet very many.
const GIVEN_ROWS_MAX: usize = 1 << 14;
const GIVEN_BYTES_MAX: usize = 8 << 20;

/// The operator. Both sides: messages of `ForeignKeys`.
pub struct ManyToManyJoin {
    /// What rows meet by.
    met: JoinKeys,
    /// The left table's rows, the right one's.
    sides: [Side; 2],
    /// Rows were restored of which it isn't known yet what they meet.
    unlinked: bool,
    condition: Option<Condition>,
    /// What is made at once.
    pub(super) given_rows_max: usize,
    work: Option<Work>,
}

/// The rows of one table.
struct Side {
    keys: JoinKeys,
    rows: TableRows,
    subscriptions: Subscriptions,
    alone: Alone,
}

/// What a row gives that meets none of the other table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Nothing,
    Itself,
}

/// What came, and how far it is worked off.
struct Work {
    came: [Option<Came>; 2],
    order: Vec<(usize, usize)>,
    /// The next of `order`.
    next: usize,
    fan_out: Option<FanOut>,
}

/// Messages of one side.
struct Came {
    batch: Batch,
    arrivals: Arrivals,
    /// Of each arrival the number of what it meets others by; `NO_KEY`: it is null.
    met: Vec<u32>,
    tells: Vec<Tells>,
}

/// A row whose pairs are being told of.
struct FanOut {
    side: usize,
    key: u32,
    /// The row as it is; of one that goes, as it was.
    number: u64,
    /// Row time of the change.
    time: i64,
    met: u32,
    there: There,
    /// Whether the other table's rows are alone from now on; None: that doesn't change, or gives nothing.
    others_alone: Option<There>,
    place: Option<u64>,
    /// The next of the other table's rows; behind the last pair, of those whose being alone changes.
    at: usize,
}

/// Whether a pair is there from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Yes,
    No,
}

/// Pairs to be told of, and rows alone; of both tables numbers of keys and of rows (`NO_KEY`, `NO_ROW`: the other one is alone).
#[derive(Default)]
struct Given {
    keys: [Vec<u32>; 2],
    rows: [Vec<u64>; 2],
    there: Vec<There>,
    times: Vec<i64>,
    places: Vec<Option<u64>>,
    /// Of rows alone that go, and weren't kept: their version is that of the message, which is the one before's no more.
    outdated: Vec<usize>,
}

impl Given {
    /// `side`, `key`, `row`: of the row that is alone, or no longer.
    fn push_alone(&mut self, side: usize, (key, row): (u32, u64), there: There, time: i64, place: Option<u64>) {
        self.keys[side].push(key);
        self.rows[side].push(row);
        self.keys[1 - side].push(NO_KEY);
        self.rows[1 - side].push(NO_ROW);
        self.there.push(there);
        self.times.push(time);
        self.places.push(place);
    }
}

/// What a message makes of a row that meets others.
struct Taken {
    row: TableRow,
    there: There,
    /// It is the first one of its table that they meet, or was the last one: they are alone from now on, or no longer.
    others_alone: Option<There>,
}

impl Side {
    /// `types`: of its messages, behind what they meet by; `keys` of them are the table's key.
    fn new(tag: u8, met: &[SqlType], types: &[SqlType], keys: usize, alone: Alone) -> Result<Side> {
        let values = types.len().checked_sub(MESSAGE_TYPES.len()).filter(|values| keys <= *values);
        let Some(values) = values.filter(|values| types[*values..] == MESSAGE_TYPES) else {
            return Err(Error::internal("a side of a many-to-many join has no messages"));
        };
        let columns: Vec<SqlType> = [met, &types[keys..values], &MESSAGE_TYPES[..1]].concat();
        Ok(Side {
            keys: JoinKeys::new(&types[..keys]),
            rows: TableRows::new(tag, &columns),
            subscriptions: Subscriptions::default(),
            alone,
        })
    }

    /// Messages, as rows by their own key.
    fn came(&mut self, batch: Batch, met_keys: &mut JoinKeys) -> Result<Came> {
        let (_, numbers) = message_columns(&batch)?;
        let tells = numbers.iter().map(|number| Tells::of(*number)).collect::<Result<_>>()?;
        let keyed: Vec<u32> =
            (!&any_null(batch.key_columns(), batch.rows)).set_indices().map(|row| row as u32).collect();
        let mut met = vec![NO_KEY; batch.rows];
        let ids = met_keys.intern(&batch, &keyed)?;
        keyed.iter().zip(ids).for_each(|(row, id)| met[*row as usize] = id);
        let own_keys = self.keys.types().len();
        let (own, values) = batch.value_columns().split_at(own_keys);
        // What the message tells is no part of the row.
        let values = &values[..values.len() - 1];
        let columns = [own, batch.key_columns(), values].concat();
        let rows = Batch { columns, keys: own_keys, null_key: None, tombstone: None, ..batch };
        let arrivals = self.rows.arrive(&mut self.keys, &rows)?;
        match arrivals.rows.len() == rows.rows {
            true => Ok(Came { batch: rows, arrivals, met, tells }),
            false => Err(Error::internal("a many-to-many join got a row without key")),
        }
    }

    /// Takes a message in; what becomes of the row's pairs, if anything.
    fn take(&mut self, came: &Came, at: usize, met_keys: &mut JoinKeys) -> Option<Taken> {
        let (key, met, tells) = (came.arrivals.ids[at], came.met[at], came.tells[at]);
        match tells {
            Tells::Changed | Tells::New | Tells::Came if met != NO_KEY => {
                let row = came.arrivals.row(came.arrivals.rows[at]);
                self.rows.set(&mut self.keys, key, row);
                let first = self.subscriptions.count(met) == 0;
                self.subscriptions.subscribe(key, met, met_keys);
                Some(Taken { row, there: There::Yes, others_alone: first.then_some(There::No) })
            }
            Tells::Left | Tells::Deleted if met != NO_KEY && self.subscriptions.of(key) == met => {
                let row = self.rows.get(key);
                self.rows.remove(&mut self.keys, key);
                self.subscriptions.unsubscribe(key, met_keys);
                let last = self.subscriptions.count(met) == 0;
                Some(Taken { row, there: There::No, others_alone: last.then_some(There::Yes) })
            }
            _ => None,
        }
    }

    /// The values of rows, and their versions.
    fn pick(&self, rows: &[u64], met: usize) -> Result<(Vec<ArrayRef>, ArrayRef)> {
        let mut columns = self.rows.pick(rows)?;
        let versions = columns.pop().ok_or_else(|| Error::internal("a row of a many-to-many join has no version"))?;
        Ok((columns.split_off(met), versions))
    }

    /// Finds what restored rows meet by.
    fn link(&mut self, met_keys: &mut JoinKeys) -> Result<()> {
        let ids = self.rows.ids();
        if ids.is_empty() {
            return Ok(());
        }
        let numbers: Vec<u64> = ids.iter().map(|id| self.rows.get(*id).number).collect();
        let mut columns = self.rows.pick(&numbers)?;
        columns.truncate(met_keys.types().len());
        let rows: Vec<u32> = (0..ids.len() as u32).collect();
        let met = met_keys.intern_columns(&columns, &rows)?;
        for (key, met) in ids.into_iter().zip(met) {
            self.subscriptions.subscribe(key, met, met_keys);
        }
        Ok(())
    }
}

impl ManyToManyJoin {
    pub fn new(plan: &Join, left_keys: usize, right_keys: usize) -> Result<ManyToManyJoin> {
        let condition = Condition::of(plan)?;
        if plan.kind != JoinKind::Inner && condition.is_some() {
            return Err(Error::internal("an outer many-to-many join has a condition"));
        }
        let [left, right] = match plan.kind {
            JoinKind::Inner => [Alone::Nothing; 2],
            JoinKind::Left => [Alone::Itself, Alone::Nothing],
            JoinKind::Right => [Alone::Nothing, Alone::Itself],
            JoinKind::Full => [Alone::Itself; 2],
        };
        Ok(ManyToManyJoin {
            met: JoinKeys::new(&plan.key_types),
            sides: [
                Side::new(0, &plan.key_types, &plan.left_types, left_keys, left)?,
                Side::new(1, &plan.key_types, &plan.right_types, right_keys, right)?,
            ],
            unlinked: false,
            condition,
            given_rows_max: GIVEN_ROWS_MAX,
            work: None,
        })
    }

    /// Works on until all is worked off or as much is made as may be at once.
    fn go_on(&mut self, mut work: Work, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut given = Given::default();
        let bytes = self.sides.iter().map(|side| side.rows.row_bytes()).sum::<usize>();
        let rows_max = self.given_rows_max.min(GIVEN_BYTES_MAX / bytes.max(1)).max(1);
        while given.there.len() < rows_max {
            if let Some(fan_out) = work.fan_out.take() {
                work.fan_out = self.fan_out(fan_out, &mut given, rows_max);
                continue;
            }
            let Some(&(side, at)) = work.order.get(work.next) else { break };
            work.next += 1;
            let Some(came) = &work.came[side] else { continue };
            work.fan_out = self.take(came, side, at, &mut given);
        }
        out.extend(self.messages(&given, context)?);
        if work.fan_out.is_some() || work.next < work.order.len() {
            self.work = Some(work);
            return Ok(());
        }
        for side in &mut self.sides {
            side.rows.compact()?;
            side.keys.sweep();
        }
        self.met.sweep();
        Ok(())
    }

    /// Takes a message in, and tells of its row if that is alone; gives what is to be told of its pairs.
    fn take(&mut self, came: &Came, side: usize, at: usize, given: &mut Given) -> Option<FanOut> {
        let (key, met, number) = (came.arrivals.ids[at], came.met[at], came.arrivals.rows[at]);
        let time = came.batch.row_time[number as usize];
        let place = came.batch.order.as_ref().map(|order| order[number as usize]);
        let alone = self.sides[side].alone == Alone::Itself;
        if met == NO_KEY {
            if alone {
                let there = match came.tells[at] {
                    Tells::Left | Tells::Deleted => There::No,
                    Tells::Changed | Tells::New | Tells::Came => There::Yes,
                };
                if there == There::No {
                    given.outdated.push(given.there.len());
                }
                given.push_alone(side, (key, came.arrivals.row(number).number), there, time, place);
            }
            return None;
        }
        let Taken { row, there, others_alone } = self.sides[side].take(came, at, &mut self.met)?;
        let others = &self.sides[1 - side];
        if others.subscriptions.count(met) == 0 {
            if alone {
                given.push_alone(side, (key, row.number), there, time, place);
            }
            return None;
        }
        let others_alone = others_alone.filter(|_| others.alone == Alone::Itself);
        Some(FanOut { side, key, number: row.number, time, met, there, others_alone, place, at: 0 })
    }

    /// Tells of the row's pairs, and of those that are alone from now on or no longer, as many as may be; gives what is left to be
    /// told.
    fn fan_out(&mut self, mut row: FanOut, given: &mut Given, rows_max: usize) -> Option<FanOut> {
        let side = &mut self.sides[1 - row.side];
        let others = side.subscriptions.settled(row.met, &side.keys);
        let all = if row.others_alone.is_some() { 2 * others.len() } else { others.len() };
        let to = all.min(row.at + rows_max - given.there.len());
        for at in row.at..to {
            let key = others[at % others.len()];
            let other = side.rows.get(key);
            if let Some(there) = row.others_alone.filter(|_| at >= others.len()) {
                given.push_alone(1 - row.side, (key, other.number), there, row.time.max(other.time), row.place);
                continue;
            }
            given.keys[row.side].push(row.key);
            given.rows[row.side].push(row.number);
            given.keys[1 - row.side].push(key);
            given.rows[1 - row.side].push(other.number);
            given.there.push(row.there);
            given.times.push(row.time.max(other.time));
            given.places.push(row.place);
        }
        row.at = to;
        (to < all).then_some(row)
    }

    fn messages(&mut self, given: &Given, context: &mut Context) -> Result<Option<Batch>> {
        let rows = given.there.len();
        if rows == 0 {
            return Ok(None);
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (side, keys) in self.sides.iter().zip(&given.keys) {
            columns.extend(key_columns(&side.keys, keys)?);
        }
        let keys = columns.len();
        let met = self.met.types().len();
        let [(left, left_versions), (right, right_versions)] =
            [self.sides[0].pick(&given.rows[0], met)?, self.sides[1].pick(&given.rows[1], met)?];
        columns.extend(left.into_iter().chain(right));
        let mut batch = Batch {
            rows,
            columns,
            keys,
            row_time: given.times.clone().into(),
            window: None,
            tombstone: None,
            null_key: None,
            old: None,
            headers: None,
            origin: Origin::default(),
            order: given.places.iter().copied().collect::<Option<Vec<u64>>>().map(Into::into),
        };
        let mut there: Vec<bool> = given.there.iter().map(|there| *there == There::Yes).collect();
        if let Some(condition) = &mut self.condition {
            let pairs: Vec<u32> = (0..rows as u32).filter(|row| there[*row as usize]).collect();
            let matches = condition.matches(&batch.take(&pairs)?, context);
            pairs.iter().zip(&matches).for_each(|(row, matches)| there[*row as usize] = matches);
        }
        // Of a pair that isn't there only the key counts.
        if there.contains(&false) {
            let picked: UInt32Array = there.iter().zip(0..).map(|(there, row)| there.then_some(row)).collect();
            for column in &mut batch.columns[keys..] {
                *column = take(column, &picked, None).map_err(arrow_error)?;
            }
        }
        batch.columns.extend(given.versions([left_versions, right_versions])?);
        batch.columns.push(Arc::new(there.iter().map(|there| i32::from(*there)).collect::<Int32Array>()));
        Ok(Some(batch))
    }
}

/// The columns of keys; of `NO_KEY` nulls.
fn key_columns(keys: &JoinKeys, ids: &[u32]) -> Result<Vec<ArrayRef>> {
    if !ids.contains(&NO_KEY) {
        return Ok(keys.columns_of(ids));
    }
    let there: Vec<u32> = ids.iter().copied().filter(|id| *id != NO_KEY).collect();
    let mut next = 0..;
    let picked: UInt32Array = ids.iter().map(|id| if *id == NO_KEY { None } else { next.next() }).collect();
    keys.columns_of(&there).iter().map(|column| take(column, &picked, None).map_err(arrow_error)).collect()
}

impl Given {
    /// The versions that go with it, made of those of both sides' rows: a row alone tells its own one twice.
    fn versions(&self, [left, right]: [ArrayRef; 2]) -> Result<[ArrayRef; 2]> {
        if !self.keys.iter().any(|keys| keys.contains(&NO_KEY)) {
            return Ok([left, right]);
        }
        let numbers = |column: &ArrayRef| column.as_primitive_opt::<Int64Type>().cloned();
        let (Some(left), Some(right)) = (numbers(&left), numbers(&right)) else {
            return Err(Error::internal("a row of a many-to-many join has no version"));
        };
        let mut outdated = self.outdated.iter().peekable();
        let version = |own: &Int64Array, other: &Int64Array, row: usize, less: i64| match own.is_valid(row) {
            true => own.value(row) - less,
            false => other.value(row) - less,
        };
        let (mut lefts, mut rights) = (Vec::with_capacity(left.len()), Vec::with_capacity(left.len()));
        for row in 0..left.len() {
            let less = i64::from(outdated.next_if_eq(&&row).is_some());
            lefts.push(version(&left, &right, row, less));
            rights.push(version(&right, &left, row, less));
        }
        Ok([Arc::new(Int64Array::from(lefts)), Arc::new(Int64Array::from(rights))])
    }
}

impl JoinOperator for ManyToManyJoin {
    fn push(&mut self, sides: Sides, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        if self.work.is_some() {
            return Err(Error::internal("a many-to-many join got a batch before it was done with the one before"));
        }
        let ManyToManyJoin { met, sides: own, .. } = self;
        if std::mem::take(&mut self.unlinked) {
            own.iter_mut().try_for_each(|side| side.link(met))?;
        }
        let [left, right] = own;
        let came = [
            sides.left.map(|batch| left.came(batch, met)).transpose()?,
            sides.right.map(|batch| right.came(batch, met)).transpose()?,
        ];
        let batch = |side: usize| came[side].as_ref().map(|came: &Came| &came.batch);
        let rows = |side: usize| came[side].as_ref().map_or(&[][..], |came: &Came| came.arrivals.rows.as_slice());
        let order = in_order([batch(0), batch(1)], [rows(0), rows(1)]).collect();
        self.go_on(Work { came, order, next: 0, fan_out: None }, out, context)
    }
}

impl TableState for ManyToManyJoin {
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)> {
        self.sides.iter().map(|side| (&side.rows, &side.keys)).collect()
    }
}

impl Node for ManyToManyJoin {
    fn keeps_state(&self) -> bool {
        true
    }

    fn resume(&mut self, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        match self.work.take() {
            Some(work) => self.go_on(work, out, context),
            None => Ok(()),
        }
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.sides.iter_mut().try_for_each(|side| side.rows.write_changes(&mut side.keys, into))
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        self.unlinked = true;
        let parts = by_table([&self.sides[0].rows, &self.sides[1].rows], records)?;
        let mut sides = self.sides.iter_mut().zip(&parts);
        sides.try_for_each(|(side, records)| restore(&mut [&mut side.rows], &mut side.keys, records))
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        self.sides.iter().map(|side| side.rows.pending_bytes(&side.keys)).sum()
    }

    fn state_bytes(&self) -> usize {
        let side = |side: &Side| side.rows.bytes() + side.keys.bytes() + side.subscriptions.bytes();
        self.met.bytes() + self.sides.iter().map(side).sum::<usize>()
    }
}

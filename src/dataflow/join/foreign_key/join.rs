//! The second part: left rows and the right row of their foreign key.
//!
//! Its changelog is that of two tables (see `table_rows`): 0 the right one; 1 the left rows by their own key, whose columns are
//! the foreign key, the left values and the version.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, UInt32Array};
use arrow::compute::take;

use super::subscriptions::Subscriptions;
use super::{NO_RESULT, Tells, message_columns};
use crate::dataflow::batch::arrow_error;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::condition::Condition;
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

/// What is made at once, at least one row: a right row may have very many left ones.
const GIVEN_ROWS_MAX: usize = 1 << 14;
const GIVEN_BYTES_MAX: usize = 8 << 20;

/// The operator. Left: messages of [`super::ForeignKeys`]; right: the changes of the right table.
pub struct ForeignKeyJoin {
    foreign_keys: JoinKeys,
    right: TableRows,
    left_keys: JoinKeys,
    left: TableRows,
    subscriptions: Subscriptions,
    /// Rows were restored whose subscriptions aren't known yet.
    unlinked: bool,
    /// How many of the left values are the left key.
    left_key_columns: usize,
    kind: Kind,
    condition: Option<Condition>,
    /// What is made at once.
    pub(super) given_rows_max: usize,
    work: Option<Work>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
}

/// What came, and how far it is worked off.
struct Work {
    left: Option<LeftRows>,
    right: Option<(Batch, Arrivals)>,
    order: Vec<(usize, usize)>,
    /// The next of `order`.
    next: usize,
    /// The one before has a right row that not all left rows have been told of: the next of them.
    fan_out: Option<usize>,
}

/// Messages of the left side.
struct LeftRows {
    batch: Batch,
    arrivals: Arrivals,
    /// Of each arrival the foreign key's number; `NO_KEY`: it is null.
    foreign: Vec<u32>,
    tells: Vec<Tells>,
}

/// Messages to be given.
#[derive(Default)]
struct Given {
    /// Numbers of the left keys.
    keys: Vec<u32>,
    left: Vec<u64>,
    right: Vec<u64>,
    tells: Vec<Tells>,
    /// Row time with a matching right row, and without.
    joined_times: Vec<i64>,
    alone_times: Vec<i64>,
    places: Vec<Option<u64>>,
}

impl Given {
    fn push(&mut self, key: u32, (left, own_time): (u64, i64), right: TableRow, tells: Tells, place: Option<u64>) {
        self.keys.push(key);
        self.left.push(left);
        // Who goes has no result, but the right row's time counts.
        let farewell = matches!(tells, Tells::Left | Tells::Deleted);
        self.right.push(if farewell { NO_ROW } else { right.number });
        self.tells.push(tells);
        self.joined_times.push(own_time.max(right.time));
        self.alone_times.push(if farewell { own_time.max(right.time) } else { own_time });
        self.places.push(place);
    }
}

impl ForeignKeyJoin {
    pub fn new(plan: &Join, left_keys: usize) -> Result<ForeignKeyJoin> {
        let kind = match plan.kind {
            JoinKind::Inner => Kind::Inner,
            JoinKind::Left => Kind::Left,
            JoinKind::Right | JoinKind::Full => {
                return Err(Error::internal("a join by a foreign key is an inner or a left one"));
            }
        };
        let values = plan.left_types.len().checked_sub(MESSAGE_TYPES.len()).filter(|values| left_keys <= *values);
        let Some(values) = values.filter(|values| plan.left_types[*values..] == MESSAGE_TYPES) else {
            return Err(Error::internal("a foreign key join's left side has no messages"));
        };
        let values = &plan.left_types[left_keys..values];
        let left_types: Vec<SqlType> = [&plan.key_types, values, &MESSAGE_TYPES[..1]].concat();
        Ok(ForeignKeyJoin {
            foreign_keys: JoinKeys::new(&plan.key_types),
            right: TableRows::new(0, &plan.right_types),
            left_keys: JoinKeys::new(&plan.left_types[..left_keys]),
            left: TableRows::new(1, &left_types),
            subscriptions: Subscriptions::default(),
            unlinked: false,
            left_key_columns: left_keys,
            kind,
            condition: Condition::of(plan)?,
            given_rows_max: GIVEN_ROWS_MAX,
            work: None,
        })
    }

    /// The left side's messages, as rows by the left key.
    fn left_rows(&mut self, batch: Batch) -> Result<LeftRows> {
        let (_, numbers) = message_columns(&batch)?;
        let tells = numbers.iter().map(|number| Tells::of(*number)).collect::<Result<_>>()?;
        let null = any_null(batch.key_columns(), batch.rows);
        let keyed: Vec<u32> = (!&null).set_indices().map(|row| row as u32).collect();
        let mut foreign = vec![NO_KEY; batch.rows];
        let ids = self.foreign_keys.intern(&batch, &keyed)?;
        keyed.iter().zip(ids).for_each(|(row, id)| foreign[*row as usize] = id);
        let (own, values) = batch.value_columns().split_at(self.left_key_columns);
        // What the message tells is no part of the row.
        let values = &values[..values.len() - 1];
        let rows = Batch {
            columns: [own, batch.key_columns(), values].concat(),
            keys: self.left_key_columns,
            null_key: None,
            tombstone: None,
            ..batch
        };
        let arrivals = self.left.arrive(&mut self.left_keys, &rows)?;
        if arrivals.rows.len() != rows.rows {
            return Err(Error::internal("a foreign key join got a left row without key"));
        }
        Ok(LeftRows { batch: rows, arrivals, foreign, tells })
    }

    /// Works on until all is worked off or as much is made as may be at once.
    fn go_on(&mut self, mut work: Work, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut given = Given::default();
        let bytes = (self.left.row_bytes() + self.right.row_bytes()).max(1);
        let rows_max = self.given_rows_max.min(GIVEN_BYTES_MAX / bytes).max(1);
        while given.keys.len() < rows_max {
            if work.fan_out.is_some() {
                self.fan_out(&mut work, &mut given, rows_max);
                continue;
            }
            let Some(&(side, at)) = work.order.get(work.next) else { break };
            work.next += 1;
            if side == 0 {
                self.take_left(&work, at, &mut given);
            } else {
                self.take_right(&mut work, at);
            }
        }
        let placed = [work.left.as_ref().map(|left| &left.batch), work.right.as_ref().map(|(batch, _)| batch)];
        let placed = placed.into_iter().flatten().all(|batch| batch.order.is_some());
        out.extend(self.messages(&given, placed, context)?);
        if work.fan_out.is_some() || work.next < work.order.len() {
            self.work = Some(work);
            return Ok(());
        }
        self.left.compact()?;
        self.right.compact()?;
        self.left_keys.sweep();
        self.foreign_keys.sweep();
        Ok(())
    }

    fn take_left(&mut self, work: &Work, at: usize, given: &mut Given) {
        let Some(LeftRows { batch, arrivals, foreign, tells }) = &work.left else { return };
        let (key, foreign, tells) = (arrivals.ids[at], foreign[at], tells[at]);
        let row = arrivals.row(arrivals.rows[at]);
        match tells {
            Tells::Changed | Tells::New | Tells::Came if foreign != NO_KEY => {
                self.left.set(&mut self.left_keys, key, row);
                self.subscriptions.subscribe(key, foreign, &mut self.foreign_keys);
            }
            Tells::Left | Tells::Deleted if foreign != NO_KEY && self.subscriptions.of(key) == foreign => {
                self.left.remove(&mut self.left_keys, key);
                self.subscriptions.unsubscribe(key, &mut self.foreign_keys);
            }
            _ => {}
        }
        let place = batch.order.as_ref().map(|order| order[arrivals.rows[at] as usize]);
        given.push(key, (row.number, row.time), self.right.get(foreign), tells, place);
    }

    fn take_right(&mut self, work: &mut Work, at: usize) {
        let Some((_, arrivals)) = &work.right else { return };
        let after = arrivals.row(arrivals.rows[at]);
        let before = self.right.set(&mut self.foreign_keys, arrivals.ids[at], after);
        if before.is_there() || after.is_there() {
            work.fan_out = Some(0);
        }
    }

    /// Tells left rows of the right row that was taken last.
    fn fan_out(&mut self, work: &mut Work, given: &mut Given, rows_max: usize) {
        let (Some(from), Some((batch, arrivals))) = (work.fan_out, &work.right) else { return };
        let (_, at) = work.order[work.next - 1];
        let (foreign, row) = (arrivals.ids[at], arrivals.rows[at] as usize);
        let (time, place) = (batch.row_time[row], batch.order.as_ref().map(|order| order[row]));
        let right = self.right.get(foreign);
        let subscribed = self.subscriptions.settled(foreign, &self.left_keys);
        let to = subscribed.len().min(from + rows_max - given.keys.len());
        for &key in &subscribed[from..to] {
            let left = self.left.get(key);
            given.push(key, (left.number, time.max(left.time)), right, Tells::Changed, place);
        }
        work.fan_out = (to < subscribed.len()).then_some(to);
    }

    fn messages(&mut self, given: &Given, placed: bool, context: &mut Context) -> Result<Option<Batch>> {
        let rows = given.keys.len();
        if rows == 0 {
            return Ok(None);
        }
        let mut left = self.left.pick(&given.left)?;
        let versions = left.pop();
        let values = left.split_off(self.foreign_keys.types().len());
        let mut columns = [self.left_keys.columns_of(&given.keys), values].concat();
        let first_right = columns.len();
        let foreign = left;
        let mut matches: Vec<bool> = given.right.iter().map(|right| *right != NO_ROW).collect();
        columns.extend(where_true(&foreign, &matches)?);
        columns.extend(self.right.pick(&given.right)?);
        let place = |places: &[Option<u64>]| places.iter().copied().collect::<Option<Vec<u64>>>();
        let mut batch = Batch {
            rows,
            columns,
            keys: self.left_key_columns,
            row_time: given.alone_times.clone().into(),
            window: None,
            tombstone: None,
            null_key: None,
            old: None,
            headers: None,
            origin: Origin::default(),
            order: if placed { place(&given.places).map(Into::into) } else { None },
        };
        if let Some(condition) = &mut self.condition {
            let pairs: Vec<u32> = (0..rows as u32).filter(|row| matches[*row as usize]).collect();
            let kept = condition.matches(&batch.take(&pairs)?, context);
            pairs.iter().zip(&kept).for_each(|(row, kept)| matches[*row as usize] = kept);
            let right = where_true(&batch.columns[first_right..], &matches)?;
            batch.columns.truncate(first_right);
            batch.columns.extend(right);
        }
        let times = |at: usize| if matches[at] { given.joined_times[at] } else { given.alone_times[at] };
        batch.row_time = (0..rows).map(times).collect::<Vec<_>>().into();
        let none = |at: usize| {
            matches!(given.tells[at], Tells::Left | Tells::Deleted) || (!matches[at] && self.kind == Kind::Inner)
        };
        let tells = |at: usize| given.tells[at].number() + if none(at) { NO_RESULT } else { 0 };
        batch.columns.extend(versions);
        batch.columns.push(Arc::new((0..rows).map(tells).collect::<Int32Array>()));
        Ok(Some(batch))
    }

    /// Finds the subscriptions of restored rows.
    fn link(&mut self) -> Result<()> {
        self.unlinked = false;
        let ids = self.left.ids();
        let numbers: Vec<u64> = ids.iter().map(|id| self.left.get(*id).number).collect();
        let mut columns = self.left.pick(&numbers)?;
        columns.truncate(self.foreign_keys.types().len());
        let rows: Vec<u32> = (0..ids.len() as u32).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let foreign = self.foreign_keys.intern_columns(&columns, &rows)?;
        for (left, foreign) in ids.into_iter().zip(foreign) {
            self.subscriptions.subscribe(left, foreign, &mut self.foreign_keys);
        }
        Ok(())
    }
}

/// The columns, null in rows that aren't marked.
fn where_true(columns: &[ArrayRef], marks: &[bool]) -> Result<Vec<ArrayRef>> {
    if marks.iter().all(|mark| *mark) {
        return Ok(columns.to_vec());
    }
    let rows: UInt32Array = marks.iter().zip(0..).map(|(mark, row)| mark.then_some(row)).collect();
    columns.iter().map(|column| take(column, &rows, None).map_err(arrow_error)).collect()
}

impl JoinOperator for ForeignKeyJoin {
    fn push(&mut self, sides: Sides, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        if self.work.is_some() {
            return Err(Error::internal("a foreign key join got a batch before it was done with the one before"));
        }
        if self.unlinked {
            self.link()?;
        }
        let left = sides.left.map(|batch| self.left_rows(batch)).transpose()?;
        let right = match sides.right {
            Some(batch) => {
                let arrivals = self.right.arrive(&mut self.foreign_keys, &batch)?;
                Some((batch, arrivals))
            }
            None => None,
        };
        let batches = [left.as_ref().map(|left| &left.batch), right.as_ref().map(|(batch, _)| batch)];
        let left_rows = left.as_ref().map_or(&[][..], |left| &left.arrivals.rows);
        let right_rows = right.as_ref().map_or(&[][..], |(_, arrivals)| &arrivals.rows);
        let order = in_order(batches, [left_rows, right_rows]).collect();
        self.go_on(Work { left, right, order, next: 0, fan_out: None }, out, context)
    }
}

impl TableState for ForeignKeyJoin {
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)> {
        vec![(&self.right, &self.foreign_keys), (&self.left, &self.left_keys)]
    }
}

impl Node for ForeignKeyJoin {
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
        self.right.write_changes(&mut self.foreign_keys, into)?;
        self.left.write_changes(&mut self.left_keys, into)
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        self.unlinked = true;
        let [right, left] = by_table([&self.right, &self.left], records)?;
        restore(&mut [&mut self.right], &mut self.foreign_keys, &right)?;
        restore(&mut [&mut self.left], &mut self.left_keys, &left)
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        self.right.pending_bytes(&self.foreign_keys) + self.left.pending_bytes(&self.left_keys)
    }

    fn state_bytes(&self) -> usize {
        let keys = self.foreign_keys.bytes() + self.left_keys.bytes();
        self.right.bytes() + self.left.bytes() + keys + self.subscriptions.bytes()
    }
}

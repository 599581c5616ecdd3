//! The current rows of a table in a join: one a key, in columns. Don't know what meets them.
//!
//! Their changelog is for ever (`VERSION` says which format a value has). A record's key is a byte that tells the tables of an
//! operator apart, and the key (`JoinKeys::write`). Its value is the version, the row time (i64, little-endian) and the value
//! columns, each a cell (`state::codec`) or a byte 2 for a column that nobody reads. A tombstone deletes. Records come in
//! their order; only the last of a key counts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, NullArray, new_null_array};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use crate::dataflow::Batch;
use crate::dataflow::changelog::{damaged, take_version};
use crate::dataflow::join::columns::{Columns, NO_ROW};
use crate::dataflow::join::keys::{JoinKeys, Tombstones, keyed_rows};
use crate::dataflow::join::pieces::put_record;
use crate::error::{Error, Result};
use crate::log::Records;
use crate::state::NO_KEY;
use crate::state::codec::{CellColumn, take_array, write_cell};
use crate::types::SqlType;

const VERSION: u8 = 1;

/// In the place of a cell: nobody reads the column.
const UNREAD: u8 = 2;

/// Has changed since the last commit.
const CHANGED: u8 = 1;
/// The changelog has a row of it.
const PERSISTED: u8 = 2;

/// Rows that nobody needs any more are dropped when they are as many as the others. In a table of fewer bytes than these, which
/// stays in the processor's cache, they may be so many times as many: the others are copied less often.
const SMALL_BYTES: usize = 1 << 20;
const SMALL_DEAD_ROWS_MIN: usize = 4096;
const SMALL_DEAD_TIMES: usize = 2;

/// Rows that are written to the changelog, or read from it, at once.
const CHUNK_ROWS: usize = 1 << 12;

/// Bytes of a changelog record beside its key and cells, about.
const RECORD_BYTES: usize = 32;

/// The row of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableRow {
    /// Of its value columns; `NO_ROW`: there is no row.
    pub number: u64,
    /// Row time, ms; before all times where there is no row.
    pub time: i64,
}

impl TableRow {
    pub const NONE: TableRow = TableRow { number: NO_ROW, time: i64::MIN };

    pub fn is_there(self) -> bool {
        self.number != NO_ROW
    }
}

#[derive(Debug)]
pub(super) struct TableRows {
    /// Tells it from the other tables of its operator.
    tag: u8,
    types: Vec<SqlType>,
    columns: Columns,
    /// Of the rows in `columns`, the number of the key; `NO_KEY`: it has none.
    owners: Vec<u32>,
    /// By the key's number.
    current: Vec<TableRow>,
    flags: Vec<u8>,
    /// Keys with `CHANGED`; they are users of their keys.
    changed: Vec<u32>,
    live: usize,
    /// The greatest row time, ms.
    time_max: i64,
    /// Rows picked since it was put together.
    picks: usize,
    /// Rows and tombstones that have arrived.
    changes_taken: u64,
}

/// A batch of a table's changes on its way into the table.
#[derive(Default)]
pub(super) struct Arrivals {
    /// The batch's rows that count, and the numbers of their keys.
    pub rows: Vec<u32>,
    pub ids: Vec<u32>,
    /// Number of the value columns of the batch's first row.
    first: u64,
    times: ScalarBuffer<i64>,
    tombstone: Option<BooleanBuffer>,
}

impl Arrivals {
    /// Row time of a row of the batch.
    #[inline]
    pub fn time(&self, row: u32) -> i64 {
        self.times[row as usize]
    }

    /// What a row of the batch makes the current row of its key.
    #[inline]
    pub fn row(&self, row: u32) -> TableRow {
        match &self.tombstone {
            Some(tombstone) if tombstone.value(row as usize) => TableRow::NONE,
            _ => TableRow { number: self.first + u64::from(row), time: self.times[row as usize] },
        }
    }
}

impl TableRows {
    /// A table without rows, with these value columns.
    pub fn new(tag: u8, types: &[SqlType]) -> TableRows {
        TableRows {
            tag,
            types: types.to_vec(),
            columns: Columns::new(types),
            owners: Vec::new(),
            current: Vec::new(),
            flags: Vec::new(),
            changed: Vec::new(),
            live: 0,
            time_max: 0,
            picks: 0,
            changes_taken: 0,
        }
    }

    /// Takes the values of a batch in; no key has them yet. Rows without key are ignored.
    pub fn arrive(&mut self, keys: &mut JoinKeys, batch: &Batch) -> Result<Arrivals> {
        if batch.value_columns().len() != self.types.len() {
            return Err(Error::internal("rows came to a join with other columns"));
        }
        let rows = keyed_rows(batch, Tombstones::Count);
        let ids = keys.intern(batch, &rows)?;
        let first = self.columns.append(batch.value_columns(), batch.rows)?;
        self.changes_taken += ids.len() as u64;
        self.owners.resize(first as usize + batch.rows, NO_KEY);
        rows.iter().zip(&ids).for_each(|(row, id)| self.owners[first as usize + *row as usize] = *id);
        self.reserve(&ids);
        let (times, tombstone) = (batch.row_time.clone(), batch.tombstone.clone());
        Ok(Arrivals { rows, ids, first, times, tombstone })
    }

    /// Gives these keys new rows: one of `columns` each.
    pub fn put(&mut self, keys: &mut JoinKeys, ids: &[u32], columns: &[ArrayRef], time: i64) -> Result<()> {
        let first = self.columns.append(columns, ids.len())?;
        self.owners.extend(ids);
        self.reserve(ids);
        for (id, number) in ids.iter().zip(first..) {
            self.set(keys, *id, TableRow { number, time });
        }
        Ok(())
    }

    /// Takes the row of a key away, if it has one.
    pub fn remove(&mut self, keys: &mut JoinKeys, id: u32) {
        if self.get(id).is_there() {
            self.set(keys, id, TableRow::NONE);
        }
    }

    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// Types of the value columns.
    pub fn types(&self) -> &[SqlType] {
        &self.types
    }

    /// How many keys have a row.
    pub fn len(&self) -> usize {
        self.live
    }

    /// The keys that have a row.
    pub fn ids(&self) -> Vec<u32> {
        self.current.iter().zip(0..).filter(|(row, _)| row.is_there()).map(|(_, id)| id).collect()
    }

    /// Bytes of a row's columns, about.
    pub fn row_bytes(&self) -> usize {
        self.columns.bytes() / self.columns.len().max(1)
    }

    /// Makes room for these keys.
    fn reserve(&mut self, ids: &[u32]) {
        let room = ids.iter().max().map_or(0, |id| *id as usize + 1);
        if room > self.current.len() {
            self.current.resize(room, TableRow::NONE);
            self.flags.resize(room, 0);
        }
    }

    /// The row of a key; of `NO_KEY` none.
    #[inline]
    pub fn get(&self, id: u32) -> TableRow {
        if id == NO_KEY {
            return TableRow::NONE;
        }
        self.current.get(id as usize).copied().unwrap_or(TableRow::NONE)
    }

    /// Sets the row of a key that has arrived; gives the one before.
    #[inline(always)]
    pub fn set(&mut self, keys: &mut JoinKeys, id: u32, row: TableRow) -> TableRow {
        let before = self.replace(keys, id, row);
        if self.flags[id as usize] & CHANGED == 0 && (before.is_there() || row.is_there()) {
            self.mark(keys, id);
        }
        before
    }

    /// The same, where the changelog has the row already.
    #[inline(always)]
    fn replace(&mut self, keys: &mut JoinKeys, id: u32, row: TableRow) -> TableRow {
        let before = std::mem::replace(&mut self.current[id as usize], row);
        self.time_max = self.time_max.max(row.time);
        if before.is_there() != row.is_there() {
            self.come_or_go(keys, id, row);
        }
        before
    }

    /// A key gets a row, or has none any more.
    #[cold]
    fn come_or_go(&mut self, keys: &mut JoinKeys, id: u32, row: TableRow) {
        match row.is_there() {
            true => {
                keys.retain(id);
                self.live += 1;
            }
            false => {
                keys.release(id);
                self.live -= 1;
            }
        }
    }

    /// Notes that the key has changed.
    #[cold]
    fn mark(&mut self, keys: &mut JoinKeys, id: u32) {
        self.flags[id as usize] |= CHANGED;
        keys.retain(id);
        self.changed.push(id);
    }

    /// The value columns of rows by number; of `NO_ROW` nulls.
    pub fn pick(&self, rows: &[u64]) -> Result<Vec<ArrayRef>> {
        if self.columns.is_empty() {
            // No row has told yet which columns are read.
            return Ok(self.types.iter().map(|ty| new_null_array(&ty.to_arrow(), rows.len())).collect());
        }
        self.columns.pick(rows)
    }

    /// Notes that so many rows were picked. A few times as many as the table has pay for putting it together, so that the next
    /// are picked faster: a table that changes little.
    pub fn picked(&mut self, rows: usize) -> Result<()> {
        self.picks += rows;
        if self.picks / 4 < self.columns.len() {
            return Ok(());
        }
        self.picks = 0;
        self.columns.join_all()
    }

    /// Drops the values of rows that are no longer current, once they are many.
    pub fn compact(&mut self) -> Result<()> {
        let dead = self.columns.len() - self.live;
        if dead == 0 || dead < self.live {
            return Ok(());
        }
        let small = self.columns.bytes() < SMALL_BYTES;
        if small && (dead < SMALL_DEAD_ROWS_MIN || dead / SMALL_DEAD_TIMES < self.live) {
            return Ok(());
        }
        debug_assert_eq!(self.owners.len(), self.columns.len(), "each row has its key's number");
        let (mut kept, mut owners) = (Vec::with_capacity(self.live), Vec::with_capacity(self.live));
        // Rows that lie together stay together.
        for (number, &id) in (0..).zip(&self.owners) {
            if id != NO_KEY && self.current[id as usize].number == number {
                kept.push(number);
                owners.push(id);
            }
        }
        self.columns.keep(&kept)?;
        owners.iter().zip(0..).for_each(|(id, number)| self.current[*id as usize].number = number);
        self.owners = owners;
        Ok(())
    }

    /// Appends the records of what changed since the last call.
    pub fn write_changes(&mut self, keys: &mut JoinKeys, into: &mut Records) -> Result<()> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        // What grows step by step is copied, and takes twice the memory.
        into.data.reserve(self.pending_bytes(keys));
        into.meta.reserve(self.changed.len());
        for ids in std::mem::take(&mut self.changed).chunks(CHUNK_ROWS) {
            let rows: Vec<u64> = ids.iter().map(|id| self.get(*id).number).collect();
            let columns = self.pick(&rows)?;
            for (at, &id) in ids.iter().enumerate() {
                self.encode_key(keys, id, &mut key);
                let row = self.get(id);
                let flags = &mut self.flags[id as usize];
                let persisted = std::mem::replace(flags, if row.is_there() { PERSISTED } else { 0 }) & PERSISTED != 0;
                if row.is_there() {
                    encode_row(row.time, &columns, at, &mut value);
                    into.push(Some(&key), Some(&value), row.time.max(0));
                } else if persisted {
                    into.push(Some(&key), None, self.time_max);
                }
                keys.release(id);
            }
        }
        keys.sweep();
        Ok(())
    }

    /// Appends the records of rows to a piece of a snapshot, those of the keys from the number `from` on, until it has about
    /// `bytes_max` bytes more; gives the number of the key to go on with, none after the last.
    pub fn write_piece(
        &self,
        keys: &JoinKeys,
        from: usize,
        bytes_max: usize,
        into: &mut Vec<u8>,
    ) -> Result<Option<usize>> {
        let limit = into.len() + bytes_max;
        let at_once = (bytes_max / self.row_bytes().max(1)).clamp(1, CHUNK_ROWS);
        let (mut key, mut value, mut next) = (Vec::new(), Vec::new(), from);
        while next < self.current.len() && (next == from || into.len() < limit) {
            let end = (next + at_once).min(self.current.len());
            let ids: Vec<u32> = (next as u32..end as u32).filter(|id| self.get(*id).is_there()).collect();
            let columns = self.pick(&ids.iter().map(|id| self.get(*id).number).collect::<Vec<_>>())?;
            for (at, &id) in ids.iter().enumerate() {
                self.encode_key(keys, id, &mut key);
                encode_row(self.get(id).time, &columns, at, &mut value);
                put_record(&key, &value, into);
            }
            next = end;
        }
        Ok((next < self.current.len()).then_some(next))
    }

    /// The key of a record.
    fn encode_key(&self, keys: &JoinKeys, id: u32, key: &mut Vec<u8>) {
        key.clear();
        key.push(self.tag);
        keys.write(id, key);
    }

    /// How many changes have arrived.
    pub fn changes_taken(&self) -> u64 {
        self.changes_taken
    }

    /// Bytes of the records that `write_changes` would give, about.
    pub fn pending_bytes(&self, keys: &JoinKeys) -> usize {
        self.changed.len() * (RECORD_BYTES + keys.key_bytes() + self.row_bytes())
    }

    /// Bytes held, about; the keys not counted.
    pub fn bytes(&self) -> usize {
        self.columns.bytes()
            + self.current.capacity() * size_of::<TableRow>()
            + self.owners.capacity() * size_of::<u32>()
            + self.flags.capacity()
            + self.changed.capacity() * size_of::<u32>()
    }
}

/// The value of a record of a row of these columns.
fn encode_row(time: i64, columns: &[ArrayRef], at: usize, value: &mut Vec<u8>) {
    value.clear();
    value.push(VERSION);
    value.extend_from_slice(&time.to_le_bytes());
    columns.iter().for_each(|column| match column.data_type() {
        DataType::Null => value.push(UNREAD),
        _ => write_cell(column, at, value),
    });
}

/// Takes changelog records of an operator's tables in, in their order.
///
/// Errors: a record is none of theirs.
pub(super) fn restore(tables: &mut [&mut TableRows], keys: &mut JoinKeys, records: &Records) -> Result<()> {
    let mut restored: Vec<Restored> = tables.iter().map(|table| Restored::new(&table.types)).collect();
    for record in 0..records.len() {
        let (tag, key) = records.key(record).and_then(<[u8]>::split_first).ok_or_else(damaged)?;
        let at = tables.iter().position(|table| table.tag == *tag).ok_or_else(damaged)?;
        let id = keys.intern_bytes(key).ok_or_else(damaged)?;
        restored[at].push(id, records.value(record))?;
        if restored[at].ids.len() >= CHUNK_ROWS {
            restored[at].settle(tables[at], keys)?;
        }
    }
    for (table, mut restored) in tables.iter_mut().zip(restored) {
        restored.settle(table, keys)?;
        table.compact()?;
    }
    keys.sweep();
    Ok(())
}

/// The records of each of these tables; for tables whose keys are of several kinds.
///
/// Errors: a record is of none of them.
pub(super) fn by_table<const N: usize>(tables: [&TableRows; N], records: &Records) -> Result<[Records; N]> {
    let mut parts = [(); N].map(|()| Records::default());
    for record in 0..records.len() {
        let tag = records.key(record).and_then(<[u8]>::first).ok_or_else(damaged)?;
        let at = tables.iter().position(|table| table.tag == *tag).ok_or_else(damaged)?;
        parts[at].push(records.key(record), records.value(record), records.meta[record].timestamp);
    }
    Ok(parts)
}

/// Rows read from records that aren't in the table yet.
struct Restored {
    types: Vec<SqlType>,
    cells: Vec<CellColumn>,
    /// Columns of which no row had a cell.
    unread: Vec<bool>,
    rows: usize,
    /// The records' keys; row times of those that aren't tombstones.
    ids: Vec<(u32, Option<i64>)>,
}

impl Restored {
    fn new(types: &[SqlType]) -> Restored {
        let cells = types.iter().map(CellColumn::new).collect();
        Restored { types: types.to_vec(), cells, unread: vec![true; types.len()], rows: 0, ids: Vec::new() }
    }

    fn push(&mut self, id: u32, value: Option<&[u8]>) -> Result<()> {
        let Some(mut value) = value else {
            self.ids.push((id, None));
            return Ok(());
        };
        take_version(&mut value, VERSION)?;
        let time = take_array(&mut value).map(i64::from_le_bytes).ok_or_else(damaged)?;
        for (cells, unread) in self.cells.iter_mut().zip(&mut self.unread) {
            if let Some((&UNREAD, rest)) = value.split_first() {
                value = rest;
                cells.push_null();
            } else {
                *unread = false;
                cells.push(&mut value).ok_or_else(damaged)?;
            }
        }
        self.rows += 1;
        self.ids.push((id, Some(time)));
        if value.is_empty() { Ok(()) } else { Err(damaged()) }
    }

    /// Puts the rows into the table.
    fn settle(&mut self, table: &mut TableRows, keys: &mut JoinKeys) -> Result<()> {
        let Restored { types, cells, unread, rows, ids } = self;
        let full = std::mem::replace(cells, types.iter().map(CellColumn::new).collect());
        let columns = full.into_iter().zip(&*unread).map(|(cells, unread)| match unread {
            true => Arc::new(NullArray::new(*rows)) as ArrayRef,
            false => cells.finish(),
        });
        let mut number = table.columns.append(&columns.collect::<Vec<_>>(), *rows)?;
        table.owners.extend(ids.iter().filter(|(_, time)| time.is_some()).map(|(id, _)| *id));
        table.reserve(&ids.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for (id, time) in ids.drain(..) {
            let row = match time {
                Some(time) => {
                    number += 1;
                    TableRow { number: number - 1, time }
                }
                None => TableRow::NONE,
            };
            table.replace(keys, id, row);
            table.flags[id as usize] = if row.is_there() { PERSISTED } else { 0 };
        }
        unread.fill(true);
        *rows = 0;
        Ok(())
    }
}

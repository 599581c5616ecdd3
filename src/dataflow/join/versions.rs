//! The versions of a table's rows: of each key, which row was valid when.
//!
//! A version is valid from its row time on until the next one's; a deletion is a version without row. Versions take their places by
//! row time, in whatever order they come; one that comes later with the same time replaces the one before. They are kept as
//! rows of a table (`table_rows`), with the tag 2: the key is the row's key and the version's row time (BIGINT), the columns are the
//! value columns and a BOOLEAN, TRUE where the row was deleted then. This is for ever.
//!
//! A version expires when the table's stream time (its greatest row time) is `retention_ms` beyond the time at which the
//! next one took its place; a deletion when it is that much older than stream time itself. The last version before that edge
//! is kept: it is still valid there, and rows that are older meet it, too. What has expired is met by nobody, whenever it is
//! dropped.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::Int64Type;

use crate::dataflow::Batch;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::keys::{JoinKeys, keyless};
use crate::dataflow::join::table_rows::{Arrivals, TableRow, TableRows};
use crate::error::{Error, Result};
use crate::state::NO_KEY;
use crate::types::SqlType;

/// Tag of their table.
const TAG: u8 = 2;

/// Which version is valid when.
pub(super) struct Versions {
    /// Of the versions: the row's key and the time.
    pub keys: JoinKeys,
    /// By the number of the row's key, by time. A key with versions has one user for them.
    lists: Vec<Vec<Version>>,
    /// Times at which versions begin, with the number of the row's key: those before them expire then.
    due: BinaryHeap<Reverse<(i64, u32)>>,
    stream_time: i64,
    retention_ms: i64,
    /// Versions were restored that are in no list yet.
    unlinked: bool,
}

#[derive(Debug, Clone, Copy)]
struct Version {
    time: i64,
    /// Number of its key.
    id: u32,
    deleted: bool,
}

/// The table's rows and the numbers of their keys.
pub(super) struct Place<'a> {
    pub table: &'a mut TableRows,
    pub keys: &'a mut JoinKeys,
}

impl Versions {
    /// Without versions; and the table that has their rows. `retention_ms` is at least 1.
    pub fn new(key_types: &[SqlType], value_types: &[SqlType], retention_ms: i64) -> (Versions, TableRows) {
        let versions = Versions {
            keys: JoinKeys::new(&[key_types, &[SqlType::Bigint]].concat()),
            lists: Vec::new(),
            due: BinaryHeap::new(),
            stream_time: i64::MIN,
            retention_ms: retention_ms.max(1),
            unlinked: false,
        };
        (versions, TableRows::new(TAG, &[value_types, &[SqlType::Boolean]].concat()))
    }

    /// Takes a batch of the table's changes in, as versions that nobody has yet.
    pub fn arrive(&mut self, table: &mut TableRows, batch: &Batch) -> Result<Arrivals> {
        if batch.window.is_some() {
            return Err(Error::internal("a table with windows has no versions"));
        }
        let times: ArrayRef = Arc::new(Int64Array::new(batch.row_time.clone(), None));
        let deleted: ArrayRef = match &batch.tombstone {
            Some(tombstone) => Arc::new(BooleanArray::new(tombstone.clone(), None)),
            None => Arc::new(BooleanArray::from(vec![false; batch.rows])),
        };
        let versions = Batch {
            columns: [batch.key_columns(), &[times], batch.value_columns(), &[deleted]].concat(),
            keys: batch.keys + 1,
            null_key: Some(keyless(batch)),
            tombstone: None,
            old: None,
            ..batch.clone()
        };
        table.arrive(&mut self.keys, &versions)
    }

    /// Takes a version that has arrived to its place: of the row's key `key`, with the key number `id`.
    pub fn take(&mut self, place: &mut Place, key: u32, id: u32, row: TableRow, deleted: bool) {
        self.stream_time = self.stream_time.max(row.time);
        self.expire(place, key);
        place.table.set(&mut self.keys, id, row);
        self.list(place.keys, key, Version { time: row.time, id, deleted });
        self.expire(place, key);
    }

    fn list(&mut self, keys: &mut JoinKeys, key: u32, version: Version) {
        if self.lists.len() <= key as usize {
            self.lists.resize_with(key as usize + 1, Vec::new);
        }
        let list = &mut self.lists[key as usize];
        if list.is_empty() {
            keys.retain(key);
        }
        let at = list.partition_point(|other| other.time < version.time);
        match list.get_mut(at).filter(|other| other.time == version.time) {
            Some(other) => *other = version,
            None => {
                list.insert(at, version);
                self.due.push(Reverse((version.time, key)));
            }
        }
    }

    /// Before this time only the versions that were still valid then are kept.
    fn edge(&self) -> i64 {
        self.stream_time.saturating_sub(self.retention_ms)
    }

    /// Drops what has expired of a key.
    fn expire(&mut self, place: &mut Place, key: u32) {
        let edge = self.edge();
        let Some(list) = self.lists.get_mut(key as usize) else { return };
        let begun = list.partition_point(|version| version.time <= edge);
        let Some(last) = list[..begun].last() else { return };
        let expired = if last.deleted { begun } else { begun - 1 };
        for version in list.drain(..expired) {
            place.table.remove(&mut self.keys, version.id);
        }
        if list.is_empty() && expired > 0 {
            *list = Vec::new();
            place.keys.release(key);
        }
    }

    /// Drops what has expired of all keys.
    pub fn expire_due(&mut self, place: &mut Place) {
        let edge = self.edge();
        while let Some(&Reverse((time, key))) = self.due.peek()
            && time <= edge
        {
            self.due.pop();
            self.expire(place, key);
        }
        self.keys.sweep();
    }

    /// Number of the row that was valid at a time; `NO_ROW`: none was, or it has expired.
    pub fn valid_at(&self, table: &TableRows, key: u32, time: i64) -> u64 {
        if key == NO_KEY {
            return NO_ROW;
        }
        let list = self.lists.get(key as usize).map_or(&[][..], Vec::as_slice);
        let begun = list.partition_point(|version| version.time <= time);
        let expired = list.get(begun).is_some_and(|next| next.time <= self.edge());
        match list[..begun].last() {
            Some(version) if !version.deleted && !expired => table.get(version.id).number,
            _ => NO_ROW,
        }
    }

    /// Records were restored.
    pub fn restored(&mut self) {
        self.unlinked = true;
    }

    /// Lists the versions that were restored.
    pub fn link(&mut self, place: &mut Place) -> Result<()> {
        if !std::mem::take(&mut self.unlinked) {
            return Ok(());
        }
        let ids = place.table.ids();
        if ids.is_empty() {
            return Ok(());
        }
        let mut columns = self.keys.columns_of(&ids);
        let times = columns.pop();
        let rows: Vec<u32> = (0..ids.len() as u32).collect();
        let owners = place.keys.intern_columns(&columns, &rows)?;
        let numbers: Vec<u64> = ids.iter().map(|id| place.table.get(*id).number).collect();
        let deleted = place.table.pick(&numbers)?.pop();
        let times = times.as_ref().and_then(|times| times.as_primitive_opt::<Int64Type>());
        let deleted = deleted.as_ref().and_then(|deleted| deleted.as_boolean_opt());
        let Some((times, deleted)) = times.zip(deleted) else {
            return Err(Error::world("a record of a table's versions can't be read")
                .hint("the changelog topic holds records that this query did not write"));
        };
        for (at, (id, key)) in ids.into_iter().zip(owners).enumerate() {
            let (time, deleted) = (times.value(at), deleted.value(at));
            self.stream_time = self.stream_time.max(time);
            self.list(place.keys, key, Version { time, id, deleted });
        }
        Ok(())
    }

    /// Bytes held, about; the rows not counted.
    pub fn bytes(&self) -> usize {
        let lists: usize = self.due.len() * size_of::<Version>() + self.lists.capacity() * size_of::<Vec<Version>>();
        self.keys.bytes() + lists + self.due.capacity() * size_of::<Reverse<(i64, u32)>>()
    }
}

//! The keys of rows that meet, as numbers. Where rows have windows, the bounds are part of the key.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::buffer::BooleanBuffer;

use crate::dataflow::Batch;
use crate::dataflow::operator::{Context, ErrorKind};
use crate::dataflow::regroup::{all_null, any_null};
use crate::error::{Error, Result};
use crate::state::{Keys, NO_KEY};
use crate::types::SqlType;

/// Before the bytes of a key (see `state::Keys`): whether the window's start and end are two BIGINT columns behind the key's own.
const PLAIN: u8 = 0;
const WINDOWED: u8 = 1;

/// Interned keys. Whether they have windows is known from the first row or record.
#[derive(Debug)]
pub(super) struct JoinKeys {
    types: Vec<SqlType>,
    keys: Keys,
    windowed: Option<bool>,
}

impl JoinKeys {
    pub fn new(types: &[SqlType]) -> JoinKeys {
        JoinKeys { types: types.to_vec(), keys: Keys::new(types.to_vec()), windowed: None }
    }

    /// The numbers of these rows' keys, in which not all is null; new ones have no user yet.
    pub fn intern(&mut self, batch: &Batch, rows: &[u32]) -> Result<Vec<u32>> {
        let columns = self.columns(batch)?;
        let mut ids = Vec::new();
        self.keys.intern(&columns, rows, &mut ids);
        Ok(ids)
    }

    /// The numbers of the keys in these columns, which are whole and have no windows; new ones have no user yet.
    pub fn intern_columns(&mut self, columns: &[ArrayRef], rows: &[u32]) -> Result<Vec<u32>> {
        self.check(columns, false)?;
        let mut ids = Vec::new();
        self.keys.intern(columns, rows, &mut ids);
        Ok(ids)
    }

    /// Types of the key's columns.
    pub fn types(&self) -> &[SqlType] {
        &self.types
    }

    /// The numbers of these rows' keys, which are whole; `NO_KEY` for those that have none. Where the keys have no windows, those
    /// of the rows are no matter.
    pub fn find(&mut self, batch: &Batch, rows: &[u32]) -> Result<Vec<u32>> {
        let columns = match self.windowed {
            None => return Ok(vec![NO_KEY; rows.len()]),
            Some(true) => self.columns(batch)?,
            Some(false) => {
                self.check(batch.key_columns(), false)?;
                batch.key_columns().to_vec()
            }
        };
        let mut ids = Vec::new();
        self.keys.find(&columns, rows, &mut ids);
        Ok(ids)
    }

    /// The columns by which rows meet: the key's, and of windowed rows the windows' start and end behind them.
    pub fn columns(&mut self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        self.check(batch.key_columns(), batch.window.is_some())?;
        let mut columns = batch.key_columns().to_vec();
        if let Some(window) = &batch.window {
            columns.push(Arc::new(Int64Array::new(window.start.clone(), None)));
            columns.push(Arc::new(Int64Array::new(window.end.clone(), None)));
        }
        Ok(columns)
    }

    fn check(&mut self, columns: &[ArrayRef], windowed: bool) -> Result<()> {
        let fit = columns.iter().zip(&self.types).all(|(column, ty)| *column.data_type() == ty.to_arrow());
        if columns.len() != self.types.len() || !fit {
            return Err(Error::internal("rows came to a join with keys of other types"));
        }
        if !self.have_windows(windowed) {
            return Err(Error::internal("rows with windows can't meet rows without"));
        }
        Ok(())
    }

    /// Whether keys with windows (without) fit those that came before.
    fn have_windows(&mut self, windowed: bool) -> bool {
        if self.windowed.is_none() && windowed {
            self.keys = Keys::new([self.types.as_slice(), &[SqlType::Bigint, SqlType::Bigint]].concat());
        }
        *self.windowed.get_or_insert(windowed) == windowed
    }

    /// Such columns of the keys with these numbers: with the windows, where keys have them.
    pub fn columns_of(&self, ids: &[u32]) -> Vec<ArrayRef> {
        self.keys.columns(ids)
    }

    /// Whether rows have windows; not as long as there was none.
    pub fn windowed(&self) -> bool {
        self.windowed == Some(true)
    }

    /// One more than the highest number given out.
    pub fn capacity(&self) -> usize {
        self.keys.capacity()
    }

    /// Compares the bytes of two keys.
    pub fn compare(&self, a: u32, b: u32) -> Ordering {
        self.keys.compare(a, b)
    }

    /// Appends a key's bytes, as they stand in changelogs.
    pub fn write(&self, id: u32, out: &mut Vec<u8>) {
        out.push(if self.windowed() { WINDOWED } else { PLAIN });
        self.keys.write(id, out);
    }

    /// The number of the key with these bytes. None: they are no key of these rows.
    pub fn intern_bytes(&mut self, bytes: &[u8]) -> Option<u32> {
        let (&kind, key) = bytes.split_first()?;
        let fits = matches!(kind, PLAIN | WINDOWED) && self.have_windows(kind == WINDOWED);
        fits.then(|| self.keys.intern_bytes(key)).flatten()
    }

    pub fn retain(&mut self, id: u32) {
        self.keys.retain(id);
    }

    pub fn release(&mut self, id: u32) {
        self.keys.release(id);
    }

    /// Forgets the keys without users; their numbers may be given out again.
    pub fn sweep(&mut self) {
        self.sweep_with(|_| {});
    }

    /// The same; calls `gone` with each number.
    pub fn sweep_with(&mut self, gone: impl FnMut(u32)) {
        self.keys.sweep(gone);
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.keys.bytes()
    }

    /// Bytes of one key, about.
    pub fn key_bytes(&self) -> usize {
        self.keys.bytes() / self.keys.capacity().max(1)
    }
}

/// Whether rows without value count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tombstones {
    /// Of a table: they delete.
    Count,
    /// Of a stream.
    Ignore,
}

/// Tells of a stream's rows that are left out for want of a key, though their side is given in any case (LEFT, RIGHT, FULL). Of
/// those that only make pairs nobody misses one: NULL equals nothing.
pub(super) fn tell_of_keyless(batch: &Batch, context: &mut Context) {
    let mut keyless = any_null(batch.key_columns(), batch.rows);
    if let Some(null_key) = &batch.null_key {
        keyless = &keyless | null_key;
    }
    if let Some(tombstone) = &batch.tombstone {
        keyless = &keyless & &!tombstone;
    }
    if keyless.count_set_bits() == 0 {
        return;
    }
    let reason = || "what the row is joined by is NULL: it was left out; COALESCE gives it a key".to_owned();
    let reasons = keyless.set_indices().map(|row| (row, reason()));
    context.bad_rows(batch, ErrorKind::Processing, keyless.set_indices(), reasons);
}

/// The rows without key. Of several columns some may be null.
pub(super) fn keyless(batch: &Batch) -> BooleanBuffer {
    let keyless = all_null(batch.key_columns(), batch.rows);
    match &batch.null_key {
        Some(null_key) => &keyless | null_key,
        None => keyless,
    }
}

/// The rows that a join takes: those that have a key.
pub(super) fn keyed_rows(batch: &Batch, tombstones: Tombstones) -> Vec<u32> {
    let mut ignored = keyless(batch);
    if let Some(tombstone) = batch.tombstone.as_ref().filter(|_| tombstones == Tombstones::Ignore) {
        ignored = &ignored | tombstone;
    }
    match ignored.count_set_bits() {
        0 => (0..batch.rows as u32).collect(),
        _ => (!&ignored).set_indices().map(|row| row as u32).collect(),
    }
}

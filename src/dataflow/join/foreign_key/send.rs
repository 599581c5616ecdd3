//! The first part: a table's changes as messages to the partition of the foreign key.
//!
//! Its changelog is for ever: one record, whose key is a byte 0 and whose value is a version byte and the last version
//! given (i64, little-endian).

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, UInt32Array};
use arrow::compute::{concat, take};

use super::Tells;
use crate::dataflow::Batch;
use crate::dataflow::batch::arrow_error;
use crate::dataflow::changelog::{damaged, take_version};
use crate::dataflow::evaluate::{Over, report};
use crate::dataflow::join::keys::{Tombstones, keyed_rows};
use crate::dataflow::operator::{Context, Node, Operator};
use crate::dataflow::regroup::{any_null, same_rows};
use crate::error::{Error, Result};
use crate::expr::{EvalErrors, Evaluator, Input, compile};
use crate::log::Records;
use crate::plan::ForeignKey;
use crate::state::codec::take_array;

const VERSION: u8 = 1;
const KEY: &[u8] = &[0];

/// Bytes of its changelog record, about.
const RECORD_BYTES: usize = 48;

/// The operator. Takes a table's changes with the rows that they replace; gives for each one message, or two when the foreign
/// key changes: the row leaves the old one, then it comes to the new one. A row whose foreign key has a NULL is sent
/// without key. Rows without key of their own are ignored.
pub struct ForeignKeys {
    keys: Vec<Evaluator>,
    /// The last one given.
    version: i64,
    committed: i64,
}

/// The messages of a batch.
#[derive(Default)]
struct Messages {
    /// The batch's row of each.
    rows: Vec<u32>,
    tells: Vec<Tells>,
    versions: Vec<i64>,
}

impl Messages {
    fn push(&mut self, row: u32, tells: Tells, version: i64) {
        self.rows.push(row);
        self.tells.push(tells);
        self.versions.push(version);
    }

    /// Whether it goes to the foreign key of the row that is replaced, and without values.
    fn is_farewell(&self, at: usize) -> bool {
        matches!(self.tells[at], Tells::Left | Tells::Deleted)
    }
}

impl ForeignKeys {
    pub fn new(plan: &ForeignKey) -> Result<ForeignKeys> {
        let keys = plan.keys.iter().map(compile).collect::<Result<_>>()?;
        Ok(ForeignKeys { keys, version: 0, committed: 0 })
    }

    fn evaluate(&mut self, batch: &Batch, over: Over, context: &mut Context) -> Vec<ArrayRef> {
        let mut errors = EvalErrors::default();
        let columns = over.columns(batch);
        let input = Input { columns: &columns, rows: batch.rows };
        let keys = self.keys.iter_mut().map(|key| key.evaluate(input, &mut errors)).collect();
        report(errors, batch, over, context);
        keys
    }

    fn messages(&mut self, batch: &Batch, same: &[bool]) -> Messages {
        let (was, is) = (Over::Old.present(batch), Over::Values.present(batch));
        let mut messages = Messages::default();
        for row in keyed_rows(batch, Tombstones::Count) {
            let at = row as usize;
            let version = self.version + 1;
            match (was.value(at), is.value(at)) {
                (false, false) => continue,
                (false, true) => messages.push(row, Tells::New, version),
                (true, false) => messages.push(row, Tells::Deleted, version),
                (true, true) if same[at] => messages.push(row, Tells::Changed, version),
                (true, true) => {
                    messages.push(row, Tells::Left, version);
                    messages.push(row, Tells::Came, version);
                }
            }
            self.version = version;
        }
        messages
    }
}

fn give(batch: &Batch, now: &[ArrayRef], before: &[ArrayRef], messages: &Messages) -> Result<Batch> {
    let count = messages.rows.len();
    let mut given = batch.take(&messages.rows)?;
    let keyed: UInt32Array = (0..count)
        .map(|at| messages.rows[at] + if messages.is_farewell(at) { batch.rows as u32 } else { 0 })
        .collect::<Vec<_>>()
        .into();
    let valued: UInt32Array = (0..count).map(|at| (!messages.is_farewell(at)).then(|| messages.rows[at])).collect();
    let mut columns = Vec::with_capacity(now.len() + batch.columns.len() + 2);
    for (now, before) in now.iter().zip(before) {
        let both = concat(&[now.as_ref(), before.as_ref()]).map_err(arrow_error)?;
        columns.push(take(&both, &keyed, None).map_err(arrow_error)?);
    }
    columns.extend(given.key_columns().iter().cloned());
    for column in batch.value_columns() {
        columns.push(take(column, &valued, None).map_err(arrow_error)?);
    }
    columns.push(Arc::new(Int64Array::from(messages.versions.clone())));
    columns.push(Arc::new(messages.tells.iter().map(|tells| tells.number()).collect::<Int32Array>()));
    let null_key = any_null(&columns[..now.len()], count);
    given.keys = now.len();
    given.columns = columns;
    given.null_key = (null_key.count_set_bits() > 0).then_some(null_key);
    (given.tombstone, given.old, given.headers) = (None, None, None);
    Ok(given)
}

impl Operator for ForeignKeys {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        if batch.old.is_none() {
            return Err(Error::internal("a foreign key join needs the rows that the left table's changes replace"));
        }
        if batch.window.is_some() {
            return Err(Error::internal("a windowed table came to a foreign key join"));
        }
        let now = self.evaluate(&batch, Over::Values, context);
        let before = self.evaluate(&batch, Over::Old, context);
        let messages = self.messages(&batch, &same_rows(&now, &before)?);
        if !messages.rows.is_empty() {
            out.push(give(&batch, &now, &before, &messages)?);
        }
        Ok(())
    }
}

impl Node for ForeignKeys {
    fn keeps_state(&self) -> bool {
        true
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        if self.version != self.committed {
            let value = [&[VERSION][..], &self.version.to_le_bytes()].concat();
            into.push(Some(KEY), Some(&value), 0);
            self.committed = self.version;
        }
        Ok(())
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        for record in 0..records.len() {
            let (Some(KEY), Some(mut value)) = (records.key(record), records.value(record)) else {
                return Err(damaged());
            };
            take_version(&mut value, VERSION)?;
            let version = take_array(&mut value).map(i64::from_le_bytes).filter(|_| value.is_empty());
            self.version = version.ok_or_else(damaged)?;
            self.committed = self.version;
        }
        Ok(())
    }

    fn pending_bytes(&self) -> usize {
        if self.version == self.committed { 0 } else { RECORD_BYTES }
    }

    fn state_bytes(&self) -> usize {
        size_of::<ForeignKeys>()
    }
}

//! A query that is run over what its topics have now, and gives what it comes to: of a table's changes the last row of each key.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};

use super::alone::Opened;
use super::client::Client;
use crate::dataflow::{Batch, Run};
use crate::engine::Row;
use crate::engine::rows::{Kept, rows};
use crate::error::{Error, Result};
use crate::plan::{ResultKind, Schema};
use crate::state::MemoryShare;
use crate::types::{SqlType, Value, values_to_array};

/// The rows that a query has come to.
pub(super) struct Settled {
    schema: Schema,
    kept: Kept,
    /// Of a table: where the row of each key is.
    places: Option<HashMap<OwnedRow, usize>>,
    converter: Option<RowConverter>,
    /// Rows that are alike are given once.
    distinct: bool,
}

/// How a query's reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settling {
    Settled,
    /// The client is.
    Gone,
}

impl Settled {
    pub fn new(schema: Schema, result: ResultKind, distinct: bool, memory: MemoryShare) -> Settled {
        let places = matches!(result, ResultKind::Table { .. }).then(HashMap::new);
        Settled { schema, kept: Kept::new(memory), places, converter: None, distinct }
    }

    /// Runs the query to its end, or until its client is gone, and gives the client its rows. Tells what went wrong.
    ///
    /// Errors: what a step of the query meets; the rows outgrow the memory.
    pub fn drive(mut self, opened: &mut Opened, client: &mut Client) -> Result<()> {
        if self.read(&mut opened.run, client)? == Settling::Gone {
            return Ok(());
        }
        client.take_rows(self.into_rows()?);
        if let Some(warning) = opened.bad.since(&mut opened.run) {
            client.warn(warning);
        }
        client.end("Query Completed");
        Ok(())
    }

    /// Runs a query to where it is to stop.
    ///
    /// Errors: what a step of the query meets; the rows outgrow the memory.
    pub fn read(&mut self, run: &mut Run, client: &Client) -> Result<Settling> {
        loop {
            let read = run.step()?;
            if read == 0 {
                // What caching holds back.
                run.commit()?;
            }
            for batch in run.take_rows() {
                self.take(&batch)?;
            }
            if client.is_gone() {
                return Ok(Settling::Gone);
            }
            if read == 0 && run.at_end()? {
                return Ok(Settling::Settled);
            }
        }
    }

    /// What the query has come to.
    pub fn into_rows(self) -> Result<Vec<Row>> {
        let mut rows = self.kept.into_rows();
        if self.distinct {
            let mut seen = HashSet::new();
            let types: Vec<&SqlType> =
                self.schema.columns[self.schema.keys..].iter().map(|column| &column.ty).collect();
            let keys = keys_of(&rows, &types)?;
            let mut keys = keys.iter();
            rows.retain(|_| keys.next().is_none_or(|key| seen.insert(key.owned())));
        }
        Ok(rows)
    }

    fn take(&mut self, batch: &Batch) -> Result<()> {
        let mut rows = rows(batch, &self.schema);
        let Some(places) = &mut self.places else {
            // Of a stream: a record without a value is no row.
            rows.retain(|row| !row.tombstone);
            return self.kept.add(rows);
        };
        let mut key: Vec<ArrayRef> = batch.key_columns().to_vec();
        if let Some(window) = &batch.window {
            key.extend(
                [&window.start, &window.end]
                    .map(|times| -> ArrayRef { Arc::new(Int64Array::new(times.clone(), None)) }),
            );
        }
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => {
                let fields = key.iter().map(|column| SortField::new(column.data_type().clone())).collect();
                none.insert(RowConverter::new(fields).map_err(unlike)?)
            }
        };
        let keys = converter.convert_columns(&key).map_err(unlike)?;
        for (number, row) in rows.into_iter().enumerate() {
            let key = keys.row(number).owned();
            if row.tombstone {
                if let Some(place) = places.remove(&key) {
                    self.kept.remove(place);
                }
                continue;
            }
            match places.get(&key) {
                Some(place) => self.kept.replace(*place, row)?,
                None => {
                    places.insert(key, self.kept.places());
                    self.kept.add(vec![row])?;
                }
            }
        }
        Ok(())
    }
}

/// What tells rows apart.
fn keys_of(rows: &[Row], types: &[&SqlType]) -> Result<Rows> {
    let column = |(index, ty): (usize, &&SqlType)| {
        let values: Vec<Value> = rows.iter().map(|row| row.values[index].clone()).collect();
        values_to_array(&values, ty)
    };
    let columns: Vec<ArrayRef> = types.iter().enumerate().map(column).collect();
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    RowConverter::new(fields).and_then(|converter| converter.convert_columns(&columns)).map_err(unlike)
}

fn unlike(error: ArrowError) -> Error {
    Error::world(format!("rows can't be told apart: {error}"))
}

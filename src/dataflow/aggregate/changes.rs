//! Output rows under construction: which group, and where its values before and after lie.

use std::sync::Arc;

use arrow::array::{Array, ArrayBuilder, ArrayRef, AsArray, BinaryBuilder, UInt32Array, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, take};

use crate::dataflow::aggregate::groups::{Groups, NONE, Slot};
use crate::dataflow::{Batch, OldRows, Origin, WindowBounds};
use crate::error::{Error, Result};

/// Results in chunks, numbered through.
#[derive(Default)]
pub(super) struct Values {
    /// Per chunk a column a call.
    chunks: Vec<Vec<ArrayRef>>,
    len: u32,
    bytes: usize,
    data_bytes: usize,
}

impl Values {
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the values themselves, whatever room their buffers have.
    pub(super) fn data_bytes(&self) -> usize {
        self.data_bytes
    }

    /// Adds a chunk of `rows` rows; gives the number of its first row.
    pub(super) fn push(&mut self, columns: Vec<ArrayRef>, rows: usize) -> u32 {
        let start = self.len;
        self.len += rows as u32;
        if rows > 0 {
            self.bytes += columns.iter().map(|column| column.get_array_memory_size()).sum::<usize>();
            self.data_bytes += columns
                .iter()
                .map(|column| column.to_data().get_slice_memory_size().unwrap_or_default())
                .sum::<usize>();
            self.chunks.push(columns);
        }
        start
    }

    /// The column of a call at these rows; NULL for `NONE`.
    fn gather(&self, call: usize, at: &[u32], groups: &Groups) -> Result<ArrayRef> {
        if at.iter().all(|&row| row == NONE) {
            let ty = groups.calls[call].accumulator.returns().to_arrow();
            return Ok(new_null_array(&ty, at.len()));
        }
        let chunks: Vec<&dyn Array> = self.chunks.iter().map(|chunk| chunk[call].as_ref()).collect();
        let all = match chunks.as_slice() {
            [_] => self.chunks[0][call].clone(),
            chunks => concat(chunks).map_err(arrow_failed)?,
        };
        if at.len() == all.len() && at.iter().enumerate().all(|(i, &row)| row == i as u32) {
            return Ok(all);
        }
        let at: UInt32Array = at.iter().map(|&row| (row != NONE).then_some(row)).collect();
        take(&all, &at, None).map_err(arrow_failed)
    }
}

fn arrow_failed(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("an aggregate's rows could not be put together: {error}"))
}

/// Output rows.
#[derive(Default)]
pub(super) struct Changes {
    pub values: Values,
    /// Where each row's new values are; `NONE`: a tombstone.
    new: Vec<u32>,
    /// Where the values are that it replaces.
    old: Vec<u32>,
    keys: Vec<u32>,
    time: Vec<i64>,
    start: Vec<i64>,
    end: Vec<i64>,
    /// The place of the row that they are made of now, and of each (see [`Batch::order`]).
    place: Option<u64>,
    order: Vec<u64>,
    /// The headers column and row of what they are made of now.
    made_of: Option<(ArrayRef, usize)>,
    /// Of each row so far, up to the last that has some.
    headers: BinaryBuilder,
}

/// What the output carries beside the values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub windowed: bool,
    pub old_rows: bool,
}

impl Changes {
    /// No rows yet, of these values.
    pub(super) fn with(values: Values) -> Self {
        Changes { values, ..Changes::default() }
    }

    /// What is added from now on is made of this row.
    pub(super) fn of_row(&mut self, batch: &Batch, row: u32) {
        self.at_place(batch.order.as_ref().map(|order| order[row as usize]));
        self.made_of = batch.headers.as_ref().map(|headers| (headers.clone(), row as usize));
    }

    /// The headers of the row that what is added is made of.
    pub(super) fn headers(&self) -> Option<&[u8]> {
        let (headers, row) = self.made_of.as_ref()?;
        headers.is_valid(*row).then(|| headers.as_binary::<i32>().value(*row))
    }

    /// What is added from now on has this place.
    pub(super) fn at_place(&mut self, place: Option<u64>) {
        self.place = place;
    }

    /// Adds a row of the group with the values `new` (`NONE`: a tombstone) instead of `old`.
    pub(super) fn push(&mut self, group: &Slot, time: i64, new: u32, old: u32) {
        self.new.push(new);
        self.old.push(old);
        self.keys.push(group.key);
        self.time.push(time);
        self.start.push(group.start);
        self.end.push(group.end);
        self.order.extend(self.place);
        if let Some((headers, row)) = self.made_of.take() {
            self.give_headers(headers.is_valid(row).then(|| headers.as_binary::<i32>().value(row)));
            self.made_of = Some((headers, row));
        }
    }

    /// Gives headers to the row added last.
    pub(super) fn give_headers(&mut self, headers: Option<&[u8]>) {
        let Some(headers) = headers else { return };
        self.headers.append_nulls(self.new.len() - 1 - self.headers.len());
        self.headers.append_value(headers);
    }

    fn headers_of(&mut self, rows: usize) -> Option<ArrayRef> {
        if self.headers.is_empty() {
            return None;
        }
        self.headers.append_nulls(rows - self.headers.len());
        Some(Arc::new(self.headers.finish()))
    }

    /// The rows as a batch; nothing when there are none.
    pub(super) fn finish(mut self, groups: &Groups, shape: Shape, out: &mut Vec<Batch>) -> Result<()> {
        let rows = self.new.len();
        if rows == 0 {
            return Ok(());
        }
        let headers = self.headers_of(rows);
        let mut columns = groups.keys.columns(&self.keys);
        let keys = columns.len();
        let mut old = Vec::new();
        for call in 0..groups.calls.len() {
            columns.push(self.values.gather(call, &self.new, groups)?);
            if shape.old_rows {
                old.push(self.values.gather(call, &self.old, groups)?);
            }
        }
        let present = || BooleanBuffer::collect_bool(rows, |row| self.old[row] != NONE);
        let tombstone = self.new.contains(&NONE);
        let tombstone = tombstone.then(|| BooleanBuffer::collect_bool(rows, |row| self.new[row] == NONE));
        out.push(Batch {
            rows,
            columns,
            keys,
            old: shape.old_rows.then(|| OldRows { columns: old, present: present() }),
            tombstone,
            row_time: self.time.into(),
            window: shape.windowed.then(|| WindowBounds { start: self.start.into(), end: self.end.into() }),
            null_key: None,
            headers,
            origin: Origin::default(),
            order: (self.order.len() == rows).then(|| self.order.into()),
        });
        Ok(())
    }
}

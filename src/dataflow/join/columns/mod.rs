//! Rows kept in columns: appended by the batch, picked by number. Doesn't know keys or times.

mod fixed;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, NullArray, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::DataType;

use crate::dataflow::batch::arrow_error;
use crate::error::{Error, Result};
use crate::types::SqlType;
use fixed::{FixedColumn, fixed_column};

/// Stands for no row: its columns are null.
pub const NO_ROW: u64 = u64::MAX;

/// Rows by number: the first row ever appended is 0. A column that nobody reads comes as an Arrow `Null` array, and goes so.
///
/// Values of a fixed width are copied to the end of their column. What else there is in a batch lies as it came, joined to the
/// ones before it whenever these have grown to its size: a row is copied as often as the logarithm of the number of rows.
#[derive(Debug)]
pub struct Columns {
    types: Vec<DataType>,
    /// Columns that have held something else than nulls of the type `Null`.
    read: Vec<bool>,
    /// There was a row: it tells which columns are read.
    seen: bool,
    /// By column: of those that have values of a fixed width.
    fixed: Vec<Option<Box<dyn FixedColumn>>>,
    /// Number of the first row that the fixed columns have.
    fixed_from: u64,
    chunks: VecDeque<Chunk>,
    next: u64,
}

#[derive(Debug)]
struct Chunk {
    first: u64,
    rows: usize,
    /// By column; none of those of a fixed width.
    columns: Vec<Option<ArrayRef>>,
    /// Bytes held, about.
    bytes: usize,
    /// Later chunks are not joined to it.
    sealed: bool,
}

impl Chunk {
    fn new(first: u64, rows: usize, columns: Vec<Option<ArrayRef>>) -> Chunk {
        let bytes = columns.iter().flatten().map(|column| column.get_array_memory_size()).sum();
        Chunk { first, rows, columns, bytes, sealed: false }
    }

    fn end(&self) -> u64 {
        self.first + self.rows as u64
    }

    /// Whether so many rows behind it are joined to it.
    fn takes(&self, rows: usize) -> bool {
        !self.sealed && self.rows < (rows * 2).min(CHUNK_ROWS_MAX)
    }
}

/// A chunk as large as this is left alone.
const CHUNK_ROWS_MAX: usize = 1 << 16;

/// More rows than these are never joined at once: it would take long.
const JOINED_ROWS_MAX: usize = 1 << 17;

impl Columns {
    pub fn new(types: &[SqlType]) -> Columns {
        Columns {
            types: types.iter().map(SqlType::to_arrow).collect(),
            read: vec![false; types.len()],
            seen: false,
            fixed: types.iter().map(fixed_column).collect(),
            fixed_from: 0,
            chunks: VecDeque::new(),
            next: 0,
        }
    }

    /// Without rows; the first that is appended gets this number.
    pub fn starting_at(types: &[SqlType], number: u64) -> Columns {
        Columns { next: number, fixed_from: number, ..Columns::new(types) }
    }

    /// Appends rows; gives the number of the first.
    pub fn append(&mut self, columns: &[ArrayRef], rows: usize) -> Result<u64> {
        let first = self.append_apart(columns, rows);
        if rows > 0 {
            self.join_last()?;
        }
        Ok(first)
    }

    /// Appends rows without joining them to those before; gives the number of the first. They can be taken back by [`cut`].
    ///
    /// [`cut`]: Columns::cut
    pub fn append_apart(&mut self, columns: &[ArrayRef], rows: usize) -> u64 {
        let first = self.next;
        if rows == 0 {
            return first;
        }
        self.seen = true;
        let before = (first - self.fixed_from) as usize;
        for (at, column) in columns.iter().enumerate() {
            let unread = column.data_type() == &DataType::Null;
            let was_read = self.read[at];
            self.read[at] |= !unread;
            match &mut self.fixed[at] {
                Some(fixed) if !unread => {
                    if !was_read && before > 0 {
                        fixed.append_nulls(before);
                    }
                    fixed.append(column);
                }
                Some(fixed) if was_read => fixed.append_nulls(rows),
                _ => {}
            }
        }
        let varying = |(column, fixed): (&ArrayRef, &Option<_>)| fixed.is_none().then(|| column.clone());
        let varying = columns.iter().zip(&self.fixed).map(varying).collect();
        self.chunks.push_back(Chunk::new(first, rows, varying));
        self.next += rows as u64;
        first
    }

    /// Takes the rows from this number on back, which were appended apart.
    pub fn cut(&mut self, from: u64) {
        while self.chunks.back().is_some_and(|chunk| chunk.first >= from) {
            self.chunks.pop_back();
            self.next = from;
        }
        let rows = (self.next - self.fixed_from) as usize;
        self.fixed_read().for_each(|fixed| fixed.truncate(rows));
    }

    /// The columns of a fixed width that are read: the others have no rows.
    fn fixed_read(&mut self) -> impl Iterator<Item = &mut Box<dyn FixedColumn>> {
        self.fixed.iter_mut().zip(&self.read).filter(|(_, read)| **read).filter_map(|(fixed, _)| fixed.as_mut())
    }

    /// Rows that are appended from now on are never joined to those before, which can be forgotten without them.
    pub fn seal(&mut self) {
        if let Some(last) = self.chunks.back_mut() {
            last.sealed = true;
        }
    }

    /// Forgets the rows before this number, up to which the columns are sealed; the others keep their numbers.
    pub fn forget(&mut self, before: u64) {
        while self.chunks.front().is_some_and(|chunk| chunk.end() <= before) {
            self.chunks.pop_front();
        }
        let rows = self.chunks.front().map_or(self.next, |chunk| chunk.first) - self.fixed_from;
        // They all have the same rows, so as many go of each.
        let gone = self.fixed_read().map(|fixed| fixed.forget(rows as usize)).max();
        self.fixed_from += gone.unwrap_or(0) as u64;
    }

    /// Joins chunks at the end so that each is at least twice as large as the next.
    fn join_last(&mut self) -> Result<()> {
        let mut from = self.chunks.len() - 1;
        let mut rows = self.chunks[from].rows;
        while from > 0 && self.chunks[from - 1].takes(rows) {
            from -= 1;
            rows += self.chunks[from].rows;
        }
        match from + 1 == self.chunks.len() {
            true => Ok(()),
            false => self.join_from(from),
        }
    }

    /// Joins this chunk and those behind it.
    fn join_from(&mut self, from: usize) -> Result<()> {
        let first = self.chunks[from].first;
        let parts: Vec<Chunk> = self.chunks.drain(from..).collect();
        let column = |at: usize| -> Result<Option<ArrayRef>> {
            let typed: Vec<ArrayRef> = parts.iter().filter_map(|part| self.typed(at, part)).collect();
            let typed: Vec<&dyn Array> = typed.iter().map(AsRef::as_ref).collect();
            if typed.is_empty() { Ok(None) } else { concat(&typed).map(Some).map_err(arrow_error) }
        };
        let columns = (0..self.types.len()).map(column).collect::<Result<_>>()?;
        let rows = parts.iter().map(|part| part.rows).sum();
        self.chunks.push_back(Chunk::new(first, rows, columns));
        Ok(())
    }

    /// A column of a chunk as it is to be given: of its type, if anything of it was ever there.
    fn typed(&self, at: usize, chunk: &Chunk) -> Option<ArrayRef> {
        let column = chunk.columns[at].as_ref()?;
        Some(match self.read[at] && column.data_type() == &DataType::Null {
            true => new_null_array(&self.types[at], column.len()),
            false => column.clone(),
        })
    }

    /// The columns of rows by number; of [`NO_ROW`] nulls. As long as there was no row ever, nobody knows which columns are
    /// read: then all have their types.
    pub fn pick(&self, rows: &[u64]) -> Result<Vec<ArrayRef>> {
        let any_absent = rows.contains(&NO_ROW);
        let any_varying = self.fixed.iter().zip(&self.read).any(|(fixed, read)| *read && fixed.is_none());
        let found = if any_varying { self.find(rows, any_absent) } else { Found::Nowhere };
        let column = |at: usize| match &self.fixed[at] {
            _ if !self.read[at] => Ok(self.nulls(at, rows.len())),
            Some(fixed) => Ok(fixed.pick(rows, self.fixed_from, any_absent)),
            None => self.pick_varying(at, &found, rows.len()),
        };
        (0..self.types.len()).map(column).collect()
    }

    /// Where rows lie in the chunks.
    fn find(&self, rows: &[u64], any_absent: bool) -> Found<'_> {
        let wanted = Wanted::of(rows, any_absent);
        if wanted.first == NO_ROW {
            return Found::Nowhere;
        }
        let (first, last) = (self.chunk_of(wanted.first), self.chunk_of(wanted.last));
        let chunks: Vec<&Chunk> = self.chunks.range(first..=last).collect();
        if let [chunk] = chunks[..] {
            return Found::InOne(chunk, chunk.places(rows, &wanted));
        }
        let places = places(&chunks, rows, &wanted);
        Found::InSeveral { chunks, places, any_absent }
    }

    /// The values of a column without fixed width.
    fn pick_varying(&self, at: usize, found: &Found, rows: usize) -> Result<ArrayRef> {
        let column = |chunk: &Chunk| {
            self.typed(at, chunk)
                .ok_or_else(|| Error::internal("a column that isn't kept by the batch was looked for in one"))
        };
        match found {
            Found::Nowhere => Ok(self.nulls(at, rows)),
            Found::InOne(chunk, places) => take(&column(chunk)?, places, None).map_err(arrow_error),
            Found::InSeveral { chunks, places, any_absent } => {
                let mut parts: Vec<ArrayRef> = chunks.iter().map(|chunk| column(chunk)).collect::<Result<_>>()?;
                if *any_absent {
                    // An array of a single null behind the chunks stands for no row. Where it isn't needed nulls needn't be
                    // looked for.
                    parts.push(new_null_array(&self.types[at], 1));
                }
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                interleave(&parts, places).map_err(arrow_error)
            }
        }
    }

    /// Which chunk has the row.
    fn chunk_of(&self, row: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk.first <= row).saturating_sub(1)
    }

    fn nulls(&self, at: usize, rows: usize) -> ArrayRef {
        match self.read[at] || !self.seen {
            true => new_null_array(&self.types[at], rows),
            false => Arc::new(NullArray::new(rows)),
        }
    }

    /// Joins all chunks, unless they are large together: rows are picked from one faster than from several.
    pub fn join_all(&mut self) -> Result<()> {
        let may_join = self.chunks.len() > 1 && self.chunks.iter().all(|chunk| !chunk.sealed);
        match may_join && self.len() <= JOINED_ROWS_MAX {
            true => self.join_from(0),
            false => Ok(()),
        }
    }

    /// Keeps only these rows, which are numbered anew from 0 in the order in which they are named.
    pub fn keep(&mut self, rows: &[u64]) -> Result<()> {
        let columns = self.pick(rows)?;
        self.chunks.clear();
        (self.next, self.fixed_from) = (0, 0);
        self.fixed_read().for_each(|fixed| fixed.truncate(0));
        self.append(&columns, rows.len()).map(|_| ())
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.rows).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let fixed: usize = self.fixed.iter().flatten().map(|fixed| fixed.bytes()).sum();
        fixed + self.chunks.iter().map(|chunk| chunk.bytes).sum::<usize>()
    }
}

/// Where rows lie that are to be picked.
enum Found<'a> {
    /// None of them is there.
    Nowhere,
    InOne(&'a Chunk, UInt32Array),
    /// Chunk and place of each; behind the chunks for no row, if there is any such.
    InSeveral {
        chunks: Vec<&'a Chunk>,
        places: Vec<(usize, usize)>,
        any_absent: bool,
    },
}

/// What is known of rows that are to be picked.
struct Wanted {
    /// The least number and the greatest; [`NO_ROW`] and 0: no row is there.
    first: u64,
    last: u64,
    /// [`NO_ROW`] is among them.
    any_absent: bool,
}

impl Wanted {
    fn of(rows: &[u64], any_absent: bool) -> Wanted {
        let mut wanted = Wanted { first: NO_ROW, last: 0, any_absent };
        for &row in rows {
            // `NO_ROW` is greater than all numbers.
            wanted.first = wanted.first.min(row);
            wanted.last = wanted.last.max(if row == NO_ROW { 0 } else { row });
        }
        wanted
    }
}

impl Chunk {
    /// Where rows lie that are all in it, or nowhere.
    fn places(&self, rows: &[u64], wanted: &Wanted) -> UInt32Array {
        let place = |row: &u64| row.wrapping_sub(self.first) as u32;
        let places = rows.iter().map(place).collect::<Vec<u32>>().into();
        let nulls = wanted.any_absent.then(|| NullBuffer::from_iter(rows.iter().map(|row| *row != NO_ROW)));
        UInt32Array::new(places, nulls)
    }
}

/// Chunk of each row and place in it; behind the chunks for no row.
fn places(chunks: &[&Chunk], rows: &[u64], wanted: &Wanted) -> Vec<(usize, usize)> {
    // Of stretches of this many rows, the chunk where each begins: the row's isn't far behind it.
    let shift = ((wanted.last - wanted.first).max(1).ilog2() + 1).saturating_sub(STRETCHES_BITS);
    let stretches = ((wanted.last - wanted.first) >> shift) as usize + 1;
    let mut begins = Vec::with_capacity(stretches);
    let mut at = 0;
    for stretch in 0..stretches as u64 {
        while chunks[at].end() <= wanted.first + (stretch << shift) {
            at += 1;
        }
        begins.push(at);
    }
    let spans: Vec<(u64, u64)> = chunks.iter().map(|chunk| (chunk.first, chunk.end())).collect();
    let place = |row: &u64| {
        if *row == NO_ROW {
            return (chunks.len(), 0);
        }
        let mut at = begins[((*row - wanted.first) >> shift) as usize];
        while spans[at].1 <= *row {
            at += 1;
        }
        (at, (*row - spans[at].0) as usize)
    };
    rows.iter().map(place).collect()
}

/// At most two to this power of stretches.
const STRETCHES_BITS: u32 = 9;

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn texts(values: &[Option<String>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    /// Against a list of the test's own, whatever the batches.
    #[test]
    fn rows_are_found_by_number() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut columns = Columns::new(&[SqlType::String, SqlType::Bigint, SqlType::Bigint]);
        let mut model: Vec<Option<String>> = Vec::new();
        // Of the last column, which nobody reads in the first rounds.
        let mut numbers: Vec<Option<i64>> = Vec::new();
        for round in 0..400 {
            let rows = random.usize(0..if round % 50 == 0 { 2000 } else { 12 });
            let value = |random: &mut fastrand::Rng| random.bool().then(|| random.u32(..).to_string());
            let values: Vec<Option<String>> = (0..rows).map(|_| value(&mut random)).collect();
            let unread: ArrayRef = Arc::new(NullArray::new(rows));
            let lengths = values.iter().map(|value| value.as_ref().map(|text| text.len() as i64));
            let lengths: Int64Array = if round < 7 { vec![None; rows].into() } else { lengths.collect() };
            numbers.extend(lengths.iter());
            let last: ArrayRef = if round < 7 { unread.clone() } else { Arc::new(lengths) };
            assert_eq!(columns.append(&[texts(&values), unread, last], rows).unwrap(), model.len() as u64);
            model.extend(values);
            let some = |random: &mut fastrand::Rng| match random.u8(0..4) {
                0 => NO_ROW,
                _ => random.u64(0..model.len().max(1) as u64),
            };
            let wanted: Vec<u64> = (0..random.usize(0..30)).map(|_| some(&mut random)).collect();
            if model.is_empty() {
                continue;
            }
            if random.u8(0..8) == 0 {
                columns.join_all().unwrap();
                assert_eq!(columns.chunks.len(), 1);
            }
            let found = columns.pick(&wanted).unwrap();
            let expected: Vec<Option<String>> =
                wanted.iter().map(|row| model.get(*row as usize).cloned().flatten()).collect();
            assert_eq!(found[0].as_string::<i32>(), texts(&expected).as_string::<i32>());
            assert_eq!(found[1].data_type(), &DataType::Null);
            match columns.read[2] {
                true => {
                    let expected = wanted.iter().map(|row| numbers.get(*row as usize).copied().flatten());
                    assert_eq!(found[2].as_primitive::<Int64Type>(), &expected.collect::<Int64Array>());
                }
                false => assert_eq!(found[2].data_type(), &DataType::Null),
            }
            assert!(columns.chunks.len() < 20, "{} chunks", columns.chunks.len());
            if round % 100 == 99 {
                let kept: Vec<u64> = (0..model.len() as u64).filter(|_| random.bool()).collect();
                columns.keep(&kept).unwrap();
                model = kept.iter().map(|row| model[*row as usize].clone()).collect();
                numbers = kept.iter().map(|row| numbers[*row as usize]).collect();
                assert_eq!(columns.len(), model.len());
            }
        }
    }

    /// Against a list of the test's own: rows that are there for a moment, and rows that are forgotten.
    #[test]
    fn rows_keep_their_numbers_when_others_go() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut columns = Columns::starting_at(&[SqlType::String, SqlType::Bigint], 100);
        let with_lengths = |values: &[Option<String>]| -> [ArrayRef; 2] {
            let lengths = values.iter().map(|value| value.as_ref().map(|text| text.len() as i64));
            [texts(values), Arc::new(lengths.collect::<Int64Array>())]
        };
        assert_eq!(columns.pick(&[NO_ROW]).unwrap()[0].data_type(), &DataType::Utf8);
        let (mut model, mut kept, mut sealed): (Vec<Option<String>>, usize, Vec<usize>) = (Vec::new(), 0, Vec::new());
        for _ in 0..2000 {
            let rows = random.usize(0..9);
            let values: Vec<Option<String>> = (0..rows).map(|_| Some(random.u32(..).to_string())).collect();
            assert_eq!(columns.append(&with_lengths(&values), rows).unwrap(), 100 + model.len() as u64);
            model.extend(values);
            let guests = vec![Some("guest".to_owned()); random.usize(0..3)];
            let first = columns.append_apart(&with_lengths(&guests), guests.len());
            assert_eq!(first, 100 + model.len() as u64);
            let wanted: Vec<usize> = (0..20).map(|_| random.usize(kept..=model.len() + guests.len())).collect();
            let there = |at: &usize| *at < model.len() + guests.len();
            let numbers: Vec<u64> = wanted.iter().map(|at| if there(at) { 100 + *at as u64 } else { NO_ROW }).collect();
            let value = |at: &usize| model.iter().chain(&guests).nth(*at).cloned().flatten();
            let expected: Vec<Option<String>> = wanted.iter().map(value).collect();
            assert_eq!(columns.pick(&numbers).unwrap(), with_lengths(&expected));
            columns.cut(first);
            if random.u8(0..8) == 0 {
                columns.join_all().unwrap();
            }
            if random.u8(0..8) == 0 {
                columns.seal();
                sealed.push(model.len());
            }
            if random.u8(0..30) == 0 && !sealed.is_empty() {
                kept = sealed[random.usize(0..sealed.len())].max(kept);
                columns.forget(100 + kept as u64);
                assert_eq!(columns.len(), model.len() - kept);
            }
        }
        assert!(kept > 1000);
    }
}

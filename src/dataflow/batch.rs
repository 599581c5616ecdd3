//! What flows between operators: rows in columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, Int64Array, NullArray, UInt32Array, UInt64Array,
    new_null_array,
};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::{FilterBuilder, concat, take};
use arrow::datatypes::{DataType, Int64Type, UInt64Type};

use crate::dataflow::Origin;
use crate::error::{Error, Result};

/// Rows of one partition, in order. Which column is which is known from the plan's schema of the step that made it:
/// first the key columns, then the value columns (pseudo columns that are used are among the value columns).
///
/// Invariants, checked by [`Batch::check`] in debug builds: all columns and buffers have `rows` entries; a stream's
/// batch has no `old`; a window is there for all rows or none.
#[derive(Debug, Clone)]
pub struct Batch {
    pub rows: usize,
    /// Key columns, then value columns.
    pub columns: Vec<ArrayRef>,
    /// How many of the columns are the key.
    pub keys: usize,
    /// Row time, ms since 1970 UTC.
    pub row_time: ScalarBuffer<i64>,
    /// Window bounds in ms of a windowed key; the end of a time window is exclusive, of a session inclusive.
    pub window: Option<WindowBounds>,
    /// Rows whose value is null: for a table a deletion (tombstone), for a stream a record without value.
    /// Their value columns are null. None: no such row.
    pub tombstone: Option<BooleanBuffer>,
    /// Rows whose key is null as a whole (no key bytes). None: no such row.
    pub null_key: Option<BooleanBuffer>,
    /// For the changes of a table: the row that each row replaces.
    pub old: Option<OldRows>,
    /// Headers of the records (Kafka's encoding, see `log::RecordMeta`), as Binary; None: no row has any.
    pub headers: Option<ArrayRef>,
    /// The records that the rows were made of.
    pub origin: Origin,
    /// Of rows that meet those of other inputs: the places of their records in the order in which all inputs are taken,
    /// never falling; the rows of one record share its place. They count within a round. None: rows of one input only.
    pub order: Option<ScalarBuffer<u64>>,
}

#[derive(Debug, Clone)]
pub struct WindowBounds {
    pub start: ScalarBuffer<i64>,
    pub end: ScalarBuffer<i64>,
}

/// The rows that the rows of a batch replace.
#[derive(Debug, Clone)]
pub struct OldRows {
    /// Value columns of the old rows, as many as the batch has.
    pub columns: Vec<ArrayRef>,
    /// Whether there was an old row.
    pub present: BooleanBuffer,
}

impl Batch {
    /// Key columns.
    pub fn key_columns(&self) -> &[ArrayRef] {
        &self.columns[..self.keys]
    }

    /// Value columns.
    pub fn value_columns(&self) -> &[ArrayRef] {
        &self.columns[self.keys..]
    }
}

impl Batch {
    /// Errors: a column or a mark has not as many entries as the batch has rows; a defect of the operator that made it.
    pub fn check(&self) -> Result<()> {
        let old = self.old.as_ref();
        let marks = [&self.tombstone, &self.null_key].into_iter().flatten().chain(old.map(|old| &old.present));
        let columns = self.columns.iter().chain(old.iter().flat_map(|old| &old.columns)).chain(&self.headers);
        let times = self.window.iter().flat_map(|window| [&window.start, &window.end]).chain([&self.row_time]);
        let lens = marks.map(BooleanBuffer::len).chain(columns.map(|column| column.len()));
        let lens = lens.chain(self.order.iter().map(|order| order.len()));
        match lens.chain(times.map(|times| times.len())).find(|len| *len != self.rows) {
            Some(len) => Err(Error::internal(format!("a batch of {} rows has a column or mark of {len}", self.rows))),
            None if self.keys > self.columns.len() => Err(Error::internal("a batch has fewer columns than keys")),
            None => Ok(()),
        }
    }

    /// Bytes of these rows' columns, about: of a part of an array the part alone.
    pub fn slice_bytes(&self, first: usize, rows: usize) -> usize {
        self.columns.iter().map(|column| array_bytes(&*column.slice(first, rows))).sum::<usize>() + rows * 8
    }

    /// The rows where `keep` is true.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Batch> {
        let origin = self.origin.filter(keep);
        // Which rows pass is worked out once for all columns.
        let keep = FilterBuilder::new(keep).optimize().build();
        let times = |times: &ScalarBuffer<i64>| -> Result<ScalarBuffer<i64>> {
            let passed = keep.filter(&Int64Array::new(times.clone(), None)).map_err(arrow_error)?;
            Ok(passed.as_primitive::<Int64Type>().values().clone())
        };
        let marks = |marks: &BooleanBuffer| -> Result<BooleanBuffer> {
            let passed = keep.filter(&BooleanArray::new(marks.clone(), None)).map_err(arrow_error)?;
            Ok(passed.as_boolean().values().clone())
        };
        let places = |places: &ScalarBuffer<u64>| -> Result<ScalarBuffer<u64>> {
            let passed = keep.filter(&UInt64Array::new(places.clone(), None)).map_err(arrow_error)?;
            Ok(passed.as_primitive::<UInt64Type>().values().clone())
        };
        self.pick(keep.count(), origin, &|column| keep.filter(column), &times, &marks, &places)
    }

    /// The same rows with only the columns that are wanted; in place of each other one stands an Arrow `Null` column.
    pub fn narrowed(&self, wanted: &[bool]) -> Batch {
        let unread: ArrayRef = Arc::new(NullArray::new(self.rows));
        let narrow = |columns: &[ArrayRef], wanted: &[bool]| {
            let column = |(column, wanted): (&ArrayRef, &bool)| if *wanted { column.clone() } else { unread.clone() };
            columns.iter().zip(wanted).map(column).collect::<Vec<_>>()
        };
        let old = self
            .old
            .as_ref()
            .map(|old| OldRows { columns: narrow(&old.columns, &wanted[self.keys..]), present: old.present.clone() });
        Batch { columns: narrow(&self.columns, wanted), old, ..self.clone() }
    }

    /// Rows by number, in that order; a row may be taken any number of times.
    pub fn take(&self, rows: &[u32]) -> Result<Batch> {
        let indices = UInt32Array::from(rows.to_vec());
        self.pick(
            rows.len(),
            self.origin.take(&indices),
            &|column| take(column, &indices, None),
            &|times| Ok(rows.iter().map(|&row| times[row as usize]).collect::<Vec<_>>().into()),
            &|marks| Ok(BooleanBuffer::collect_bool(rows.len(), |i| marks.value(rows[i] as usize))),
            &|places| Ok(rows.iter().map(|&row| places[row as usize]).collect::<Vec<_>>().into()),
        )
    }

    /// The rows from `first` on, `rows` of them; nothing is copied.
    pub fn slice(&self, first: usize, rows: usize) -> Result<Batch> {
        if rows == self.rows {
            return Ok(self.clone());
        }
        let numbers = UInt32Array::from_iter_values(first as u32..(first + rows) as u32);
        self.pick(
            rows,
            self.origin.take(&numbers),
            &|column| Ok(column.slice(first, rows)),
            &|times| Ok(times.slice(first, rows)),
            &|marks| Ok(marks.slice(first, rows)),
            &|places| Ok(places.slice(first, rows)),
        )
    }

    /// The rows whose place in the order of all inputs is not behind the last of `order`, and the others. Where rows have no
    /// places, all of them are before.
    pub fn split_at_order(self, order: Option<&ScalarBuffer<u64>>) -> Result<(Option<Batch>, Option<Batch>)> {
        let (Some(own), Some(last)) = (&self.order, order.and_then(|order| order.last())) else {
            return Ok((Some(self), None));
        };
        let before = own.partition_point(|place| place < last);
        Ok(match before {
            0 => (None, Some(self)),
            all if all == self.rows => (Some(self), None),
            _ => (Some(self.slice(0, before)?), Some(self.slice(before, self.rows - before)?)),
        })
    }

    /// The rows of all batches one behind the other; None: there are none. Where they come from is lost, if there are several
    /// batches.
    pub fn concat(mut batches: Vec<Batch>) -> Result<Option<Batch>> {
        if batches.len() < 2 {
            return Ok(batches.pop());
        }
        let rows = batches.iter().map(|batch| batch.rows).sum();
        let first = &batches[0];
        let column = |get: &dyn Fn(&Batch) -> Option<ArrayRef>, empty: DataType| -> Result<Option<ArrayRef>> {
            if batches.iter().all(|batch| get(batch).is_none()) {
                return Ok(None);
            }
            let mut parts: Vec<ArrayRef> =
                batches.iter().map(|b| get(b).unwrap_or_else(|| new_null_array(&empty, b.rows))).collect();
            // A column that nobody reads may be a `Null` one in some batches, and one of nulls in others.
            let read = parts.iter().map(|part| part.data_type()).find(|ty| **ty != DataType::Null).cloned();
            if let Some(ty) = read {
                let unread = parts.iter_mut().filter(|part| *part.data_type() == DataType::Null);
                unread.for_each(|part| *part = new_null_array(&ty, part.len()));
            }
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            concat(&parts).map(Some).map_err(arrow_error)
        };
        let index = |columns: &dyn Fn(&Batch) -> Option<&[ArrayRef]>, like: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
            let all = (0..like.len()).map(|at| {
                let get = |batch: &Batch| columns(batch).and_then(|columns| columns.get(at).cloned());
                column(&get, like[at].data_type().clone())
            });
            let all: Vec<Option<ArrayRef>> = all.collect::<Result<_>>()?;
            Ok(all.into_iter().flatten().collect())
        };
        let times = |get: &dyn Fn(&Batch) -> Option<&ScalarBuffer<i64>>| -> Option<ScalarBuffer<i64>> {
            let parts: Vec<&ScalarBuffer<i64>> = batches.iter().map(get).collect::<Option<_>>()?;
            Some(parts.into_iter().flat_map(|part| part.iter().copied()).collect::<Vec<i64>>().into())
        };
        let marks = |get: &dyn Fn(&Batch) -> Option<&BooleanBuffer>| -> Option<BooleanBuffer> {
            if batches.iter().all(|batch| get(batch).is_none()) {
                return None;
            }
            let mut all = BooleanBufferBuilder::new(rows);
            for batch in &batches {
                match get(batch) {
                    Some(marks) => all.append_buffer(marks),
                    None => all.append_n(batch.rows, false),
                }
            }
            Some(all.finish())
        };
        let places: Option<Vec<&ScalarBuffer<u64>>> = batches.iter().map(|batch| batch.order.as_ref()).collect();
        let windows = times(&|batch| batch.window.as_ref().map(|window| &window.start))
            .zip(times(&|batch| batch.window.as_ref().map(|window| &window.end)));
        let with_old = batches.iter().find_map(|batch| batch.old.as_ref());
        let old = match (with_old, marks(&|batch| batch.old.as_ref().map(|old| &old.present))) {
            (Some(like), Some(present)) => {
                let columns = index(&|batch| batch.old.as_ref().map(|old| old.columns.as_slice()), &like.columns)?;
                Some(OldRows { columns, present })
            }
            _ => None,
        };
        Ok(Some(Batch {
            rows,
            columns: index(&|batch| Some(&batch.columns), &first.columns)?,
            keys: first.keys,
            row_time: times(&|batch| Some(&batch.row_time)).unwrap_or_default(),
            window: windows.map(|(start, end)| WindowBounds { start, end }),
            tombstone: marks(&|batch| batch.tombstone.as_ref()),
            null_key: marks(&|batch| batch.null_key.as_ref()),
            old,
            headers: column(&|batch| batch.headers.clone(), DataType::Binary)?,
            origin: Origin::default(),
            order: places
                .map(|parts| parts.into_iter().flat_map(|part| part.iter().copied()).collect::<Vec<_>>().into()),
        }))
    }

    /// The rows of all batches as one, in the order of their places; None: there are none.
    pub fn in_order(batches: Vec<Batch>) -> Result<Option<Batch>> {
        let Some(batch) = Batch::concat(batches)? else { return Ok(None) };
        match &batch.order {
            Some(order) if !order.is_sorted() => {
                let mut rows: Vec<u32> = (0..batch.rows as u32).collect();
                rows.sort_by_key(|row| order[*row as usize]);
                batch.take(&rows).map(Some)
            }
            _ => Ok(Some(batch)),
        }
    }

    fn pick(
        &self,
        rows: usize,
        origin: Origin,
        column: &dyn Fn(&ArrayRef) -> arrow::error::Result<ArrayRef>,
        times: &dyn Fn(&ScalarBuffer<i64>) -> Result<ScalarBuffer<i64>>,
        marks: &dyn Fn(&BooleanBuffer) -> Result<BooleanBuffer>,
        places: &dyn Fn(&ScalarBuffer<u64>) -> Result<ScalarBuffer<u64>>,
    ) -> Result<Batch> {
        let all = |columns: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
            columns.iter().map(|array| column(array).map_err(arrow_error)).collect()
        };
        let old = match &self.old {
            Some(old) => Some(OldRows { columns: all(&old.columns)?, present: marks(&old.present)? }),
            None => None,
        };
        let window = match &self.window {
            Some(window) => Some(WindowBounds { start: times(&window.start)?, end: times(&window.end)? }),
            None => None,
        };
        Ok(Batch {
            rows,
            columns: all(&self.columns)?,
            keys: self.keys,
            row_time: times(&self.row_time)?,
            window,
            tombstone: self.tombstone.as_ref().map(marks).transpose()?,
            null_key: self.null_key.as_ref().map(marks).transpose()?,
            old,
            headers: self.headers.as_ref().map(|headers| column(headers).map_err(arrow_error)).transpose()?,
            origin,
            order: self.order.as_ref().map(places).transpose()?,
        })
    }
}

/// Bytes of an array, about; of a slice the slice's alone (Arrow's own measure takes the whole of a list's items).
fn array_bytes(array: &dyn Array) -> usize {
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets()) + rows * 4,
        DataType::Binary => span(array.as_binary::<i32>().value_offsets()) + rows * 4,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let first = list.value_offsets()[0] as usize;
            array_bytes(&*list.values().slice(first, span(list.value_offsets()))) + rows * 4
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let first = map.value_offsets()[0] as usize;
            array_bytes(&map.entries().slice(first, span(map.value_offsets()))) + rows * 4
        }
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| array_bytes(&**column)).sum(),
        DataType::Null => 0,
        fixed => rows * fixed.primitive_width().unwrap_or(1),
    }
}

/// What lies between the first and the last of a list's offsets.
fn span(offsets: &[i32]) -> usize {
    (offsets[offsets.len() - 1] - offsets[0]) as usize
}

pub(super) fn arrow_error(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("columns that don't fit: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ListArray, StringArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn batch(columns: Vec<ArrayRef>, rows: usize) -> Batch {
        Batch {
            rows,
            columns,
            keys: 1,
            row_time: vec![0; rows].into(),
            window: None,
            tombstone: None,
            null_key: None,
            old: None,
            headers: None,
            origin: crate::dataflow::Origin::default(),
            order: None,
        }
    }

    #[test]
    fn a_column_of_another_length_is_found() {
        let column = |rows: i64| -> ArrayRef { Arc::new((0..rows).collect::<Int64Array>()) };
        let good = batch(vec![column(3), column(3)], 3);
        good.check().unwrap();
        assert!(batch(vec![column(3), column(2)], 3).check().is_err());
        assert!(batch(Vec::new(), 3).check().is_err());
        let marks = |rows: usize| Some(BooleanBuffer::new_set(rows));
        assert!(Batch { tombstone: marks(2), ..good.clone() }.check().is_err());
        assert!(Batch { null_key: marks(4), ..good.clone() }.check().is_err());
        assert!(Batch { row_time: vec![0; 4].into(), ..good.clone() }.check().is_err());
        let old = |rows: usize| OldRows { columns: vec![column(3)], present: BooleanBuffer::new_set(rows) };
        assert!(Batch { old: Some(old(2)), ..good.clone() }.check().is_err());
        Batch { old: Some(old(3)), ..good }.check().unwrap();
    }

    /// A join whose table is empty yet doesn't know that nobody reads a column, the one of another partition does.
    #[test]
    fn a_column_that_nobody_reads_can_be_put_together() {
        let unread = |rows: usize| batch(vec![new_null_array(&DataType::Null, rows)], rows);
        let nulls = |rows: usize| batch(vec![new_null_array(&DataType::Utf8, rows)], rows);
        let text = batch(vec![Arc::new(StringArray::from(vec!["a"]))], 1);
        let all = Batch::concat(vec![unread(2), nulls(1), text.clone(), unread(1)]).unwrap().unwrap();
        all.check().unwrap();
        assert_eq!(all.columns[0].as_string::<i32>(), &StringArray::from(vec![None, None, None, Some("a"), None]));
        let old = |of: Batch| {
            let old = OldRows { columns: of.columns.clone(), present: BooleanBuffer::new_set(of.rows) };
            Batch { old: Some(old), ..of }
        };
        let all = Batch::concat(vec![old(unread(1)), old(text), nulls(1)]).unwrap().unwrap();
        let columns = all.old.unwrap().columns;
        assert_eq!(columns[0].as_string::<i32>(), &StringArray::from(vec![None, Some("a"), None]));
        let all = Batch::concat(vec![unread(1), unread(2)]).unwrap().unwrap();
        assert_eq!((all.columns[0].data_type(), all.columns[0].len()), (&DataType::Null, 3));
    }

    #[test]
    fn a_part_has_the_bytes_of_its_part() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "1000 bytes and so on", ""]));
        let items = [Some(vec![Some(1)]), Some(vec![Some(2); 1000]), None];
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(items));
        let batch = batch(vec![text, list], 3);
        // Text and its offset, items and their offset, row time.
        assert_eq!(batch.slice_bytes(0, 1), 1 + 4 + 4 + 4 + 8);
        assert_eq!(batch.slice_bytes(1, 1), 20 + 4 + 4000 + 4 + 8);
        assert_eq!(batch.slice_bytes(2, 1), 4 + 4 + 8);
        assert_eq!(batch.slice_bytes(0, 3), (0..3).map(|row| batch.slice_bytes(row, 1)).sum::<usize>());
    }
}

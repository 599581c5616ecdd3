//! A column of values of one width, as it grows: picked by number without a look for the batch that a row came in.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

use crate::dataflow::join::columns::NO_ROW;
use crate::types::SqlType;

/// Values in the order of their rows; a row's place is its distance from the first one kept.
pub(super) trait FixedColumn: Debug + Send {
    /// Appends the values of a column of its type.
    fn append(&mut self, column: &dyn Array);

    /// Appends so many nulls.
    fn append_nulls(&mut self, rows: usize);

    /// The values of the rows with these numbers, the first kept row having the number `first`; of [`NO_ROW`] nulls, if it is
    /// among them (`any_absent`).
    fn pick(&self, rows: &[u64], first: u64, any_absent: bool) -> ArrayRef;

    /// Keeps only so many rows.
    fn truncate(&mut self, rows: usize);

    /// Gives memory of the first `rows` rows back, as far as that is cheap; how many are gone, the others' places begin there.
    fn forget(&mut self, rows: usize) -> usize;

    /// Bytes held, about.
    fn bytes(&self) -> usize;
}

/// A column of this type, without rows; `None`: its values have no fixed width.
pub(super) fn fixed_column(ty: &SqlType) -> Option<Box<dyn FixedColumn>> {
    Some(match ty {
        SqlType::Int => Values::<Int32Type>::boxed(ty),
        SqlType::Bigint => Values::<Int64Type>::boxed(ty),
        SqlType::Double => Values::<Float64Type>::boxed(ty),
        SqlType::Date => Values::<Date32Type>::boxed(ty),
        SqlType::Time => Values::<Time32MillisecondType>::boxed(ty),
        SqlType::Timestamp => Values::<TimestampMillisecondType>::boxed(ty),
        SqlType::Decimal { .. } => Values::<Decimal256Type>::boxed(ty),
        SqlType::Boolean
        | SqlType::String
        | SqlType::Bytes
        | SqlType::Array(_)
        | SqlType::Map(_)
        | SqlType::Struct(_) => return None,
    })
}

#[derive(Debug)]
struct Values<T: ArrowPrimitiveType + Debug> {
    ty: DataType,
    values: Blocks<T::Native>,
    /// Whether each is there; none as long as all are.
    valid: Option<Blocks<bool>>,
}

impl<T: ArrowPrimitiveType + Debug> Values<T> {
    fn boxed(ty: &SqlType) -> Box<dyn FixedColumn> {
        Box::new(Values::<T> { ty: ty.to_arrow(), values: Blocks::default(), valid: None })
    }

    /// From now on nulls are told apart.
    fn valid(&mut self) -> &mut Blocks<bool> {
        let rows = self.values.len;
        self.valid.get_or_insert_with(|| {
            let mut valid = Blocks::default();
            valid.extend(rows, |_| true);
            valid
        })
    }
}

impl<T: ArrowPrimitiveType + Debug> FixedColumn for Values<T> {
    fn append(&mut self, column: &dyn Array) {
        let column = column.as_primitive::<T>();
        if column.null_count() > 0 || self.valid.is_some() {
            self.valid().extend(column.len(), |at| column.is_valid(at));
        }
        self.values.extend_from_slice(column.values());
    }

    fn append_nulls(&mut self, rows: usize) {
        self.valid().extend(rows, |_| false);
        self.values.extend(rows, |_| T::Native::default());
    }

    fn pick(&self, rows: &[u64], first: u64, any_absent: bool) -> ArrayRef {
        let values = self.values.pick(rows, first, any_absent);
        let valid = match &self.valid {
            Some(valid) => Some(NullBuffer::from(valid.pick(rows, first, any_absent))),
            None => any_absent.then(|| NullBuffer::from_iter(rows.iter().map(|row| *row != NO_ROW))),
        };
        let valid = valid.filter(|valid| valid.null_count() > 0);
        Arc::new(PrimitiveArray::<T>::new(values.into(), valid).with_data_type(self.ty.clone()))
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        if let Some(valid) = &mut self.valid {
            valid.truncate(rows);
        }
    }

    fn forget(&mut self, rows: usize) -> usize {
        if let Some(valid) = &mut self.valid {
            valid.forget(rows);
        }
        self.values.forget(rows)
    }

    fn bytes(&self) -> usize {
        self.values.bytes() + self.valid.as_ref().map_or(0, Blocks::bytes)
    }
}

/// Rows of a block, to the power of two: large enough that most tables are in one, small enough to be copied when it grows.
const BLOCK_BITS: u32 = 16;
const BLOCK_ROWS: usize = 1 << BLOCK_BITS;

/// A list that never moves more than a block: all but the last are full.
#[derive(Debug)]
struct Blocks<V> {
    blocks: VecDeque<Vec<V>>,
    len: usize,
}

impl<V> Default for Blocks<V> {
    fn default() -> Self {
        Blocks { blocks: VecDeque::new(), len: 0 }
    }
}

impl<V: Copy + Default> Blocks<V> {
    /// The last block, if it has room, and how much; a new one otherwise.
    fn last(&mut self) -> (&mut Vec<V>, usize) {
        if self.len == self.blocks.len() * BLOCK_ROWS {
            self.blocks.push_back(Vec::new());
        }
        let at = self.blocks.len() - 1;
        let block = &mut self.blocks[at];
        let room = BLOCK_ROWS - block.len();
        (block, room)
    }

    fn extend_from_slice(&mut self, mut values: &[V]) {
        while !values.is_empty() {
            let (block, room) = self.last();
            let (now, later) = values.split_at(room.min(values.len()));
            block.extend_from_slice(now);
            self.len += now.len();
            values = later;
        }
    }

    /// Appends so many values, by their place among them.
    fn extend(&mut self, count: usize, value: impl Fn(usize) -> V) {
        let mut done = 0;
        while done < count {
            let (block, room) = self.last();
            let now = room.min(count - done);
            block.extend((done..done + now).map(&value));
            self.len += now;
            done += now;
        }
    }

    /// As [`FixedColumn::pick`]; no row's value is the default.
    fn pick(&self, rows: &[u64], first: u64, any_absent: bool) -> Vec<V> {
        if any_absent {
            return rows.iter().map(|row| self.get(row.wrapping_sub(first)).unwrap_or_default()).collect();
        }
        if let [block] = self.blocks.as_slices().0
            && self.blocks.len() == 1
        {
            return rows.iter().map(|row| block[(row - first) as usize]).collect();
        }
        let blocks: Vec<&[V]> = self.blocks.iter().map(Vec::as_slice).collect();
        let value = |place: u64| blocks[(place >> BLOCK_BITS) as usize][place as usize % BLOCK_ROWS];
        rows.iter().map(|row| value(row - first)).collect()
    }

    fn get(&self, place: u64) -> Option<V> {
        let block = self.blocks.get(usize::try_from(place >> BLOCK_BITS).ok()?)?;
        block.get(place as usize % BLOCK_ROWS).copied()
    }

    fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.blocks.truncate(self.len.div_ceil(BLOCK_ROWS));
        if let Some(last) = self.blocks.back_mut()
            && !self.len.is_multiple_of(BLOCK_ROWS)
        {
            last.truncate(self.len % BLOCK_ROWS);
        }
    }

    /// Drops blocks that have only the first `count` values; of a single block its front, once that is the greater part.
    fn forget(&mut self, count: usize) -> usize {
        let whole = (count / BLOCK_ROWS).min(self.blocks.len());
        self.blocks.drain(..whole);
        let mut gone = (whole * BLOCK_ROWS).min(self.len);
        let rest = count.min(self.len) - gone;
        if let [block] = self.blocks.make_contiguous()
            && rest > block.len() / 2
        {
            block.drain(..rest);
            block.shrink_to(2 * block.len());
            gone += rest;
        }
        self.len -= gone;
        gone
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.capacity() * size_of::<V>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal256Array, Int64Array};

    use super::*;

    /// Against a list of the test's own: values and nulls that come in any portions, over several blocks, some taken back, the
    /// first ones forgotten.
    #[test]
    fn values_are_found_by_number() {
        let mut random = fastrand::Rng::with_seed(3);
        for round in 0..30 {
            let nulls = round % 3 > 0;
            let mut column = fixed_column(&SqlType::Bigint).unwrap();
            let mut model: VecDeque<Option<i64>> = VecDeque::new();
            let mut first = random.u64(0..1000);
            for _ in 0..40 {
                let most = if random.u8(0..6) == 0 { BLOCK_ROWS * 2 } else { 300 };
                let rows = random.usize(0..most);
                if nulls && random.u8(0..5) == 0 {
                    column.append_nulls(rows);
                    model.extend(vec![None; rows]);
                } else {
                    let value = |random: &mut fastrand::Rng| (!nulls || random.bool()).then(|| random.i64(..));
                    let values: Vec<Option<i64>> = (0..rows).map(|_| value(&mut random)).collect();
                    column.append(&Int64Array::from(values.clone()));
                    model.extend(values);
                }
                match random.u8(0..4) {
                    0 => {
                        let kept = model.len() - random.usize(0..=model.len().min(rows));
                        column.truncate(kept);
                        model.truncate(kept);
                    }
                    1 => {
                        let asked = random.usize(0..=model.len());
                        let gone = column.forget(asked);
                        assert!(gone <= asked);
                        assert!(asked - gone <= BLOCK_ROWS.max(model.len() - gone), "{asked} {gone}");
                        model.drain(..gone);
                        first += gone as u64;
                    }
                    _ => {}
                }
                let absent = random.bool() || model.is_empty();
                let some = |random: &mut fastrand::Rng| match absent && random.bool() || model.is_empty() {
                    true => NO_ROW,
                    false => first + random.u64(0..model.len() as u64),
                };
                let wanted: Vec<u64> = (0..200).map(|_| some(&mut random)).collect();
                let expected =
                    wanted.iter().map(|row| if *row == NO_ROW { None } else { model[(row - first) as usize] });
                let found = column.pick(&wanted, first, absent);
                assert_eq!(found.as_primitive::<Int64Type>(), &expected.collect::<Int64Array>());
            }
        }
    }

    #[test]
    fn a_decimal_keeps_its_scale() {
        let mut column = fixed_column(&SqlType::Decimal { precision: 9, scale: 4 }).unwrap();
        let values = Decimal256Array::from(vec![Some(7.into()), None]).with_precision_and_scale(9, 4).unwrap();
        column.append(&values);
        assert_eq!(column.pick(&[0, 1], 0, false).as_primitive::<Decimal256Type>(), &values);
    }
}

//! What function bodies share: typed views of arguments and loops that collect a column row by row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder, ListArray, MapArray,
    PrimitiveArray, PrimitiveBuilder, StringArray, StringBuilder,
};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type};

use crate::expr::functions::ScalarCall;

/// A row's result: a value, NULL, or the reason why it failed.
pub(super) type Out<T> = Result<Option<T>, String>;

/// The value of an `Option`, or NULL as the row's result.
macro_rules! known {
    ($value:expr) => {
        match $value {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}
pub(super) use known;

/// An entry, `None` where it is NULL.
pub(super) trait Get<'a> {
    type Item;
    fn get(&'a self, row: usize) -> Option<Self::Item>;
}

macro_rules! get {
    ($array:ty, $item:ty) => {
        impl<'a> Get<'a> for $array {
            type Item = $item;
            fn get(&'a self, row: usize) -> Option<$item> {
                self.is_valid(row).then(|| self.value(row))
            }
        }
    };
}
get!(StringArray, &'a str);
get!(BinaryArray, &'a [u8]);
get!(BooleanArray, bool);

impl<'a, T: ArrowPrimitiveType> Get<'a> for PrimitiveArray<T> {
    type Item = T::Native;
    fn get(&'a self, row: usize) -> Option<T::Native> {
        self.is_valid(row).then(|| self.value(row))
    }
}

/// The arguments as arrays of their types. The overload has settled them: another type is a defect of its entry.
impl<'a> ScalarCall<'a> {
    pub(super) fn texts(&self, arg: usize) -> &'a StringArray {
        self.args[arg].as_string()
    }

    pub(super) fn bytes(&self, arg: usize) -> &'a BinaryArray {
        self.args[arg].as_binary()
    }

    pub(super) fn booleans(&self, arg: usize) -> &'a BooleanArray {
        self.args[arg].as_boolean()
    }

    pub(super) fn numbers<T: ArrowPrimitiveType>(&self, arg: usize) -> &'a PrimitiveArray<T> {
        self.args[arg].as_primitive()
    }

    pub(super) fn ints(&self, arg: usize) -> &'a PrimitiveArray<Int32Type> {
        self.numbers(arg)
    }

    pub(super) fn bigints(&self, arg: usize) -> &'a PrimitiveArray<Int64Type> {
        self.numbers(arg)
    }

    pub(super) fn doubles(&self, arg: usize) -> &'a PrimitiveArray<Float64Type> {
        self.numbers(arg)
    }

    pub(super) fn list(&self, arg: usize) -> &'a ListArray {
        self.args[arg].as_list()
    }

    pub(super) fn map(&self, arg: usize) -> &'a MapArray {
        self.args[arg].as_map()
    }

    fn take<T>(&mut self, row: usize, out: Out<T>) -> Option<T> {
        match out {
            Ok(value) => value,
            Err(reason) => {
                self.errors.push(row, reason);
                None
            }
        }
    }

    /// A STRING column.
    pub(super) fn collect_text<S: AsRef<str>>(&mut self, mut f: impl FnMut(usize) -> Out<S>) -> ArrayRef {
        let mut out = StringBuilder::with_capacity(self.rows, self.rows * 8);
        for row in 0..self.rows {
            out.append_option(self.take(row, f(row)));
        }
        Arc::new(out.finish())
    }

    /// A STRING column: `f` appends a row's text to a buffer, which is empty then.
    pub(super) fn write_texts(&mut self, mut f: impl FnMut(usize, &mut String) -> Out<()>) -> ArrayRef {
        let mut out = StringBuilder::with_capacity(self.rows, self.rows * 8);
        let mut text = String::new();
        for row in 0..self.rows {
            text.clear();
            let written = f(row, &mut text);
            out.append_option(self.take(row, written).map(|()| text.as_str()));
        }
        Arc::new(out.finish())
    }

    /// A BYTES column.
    pub(super) fn collect_bytes<S: AsRef<[u8]>>(&mut self, mut f: impl FnMut(usize) -> Out<S>) -> ArrayRef {
        let mut out = BinaryBuilder::new();
        for row in 0..self.rows {
            out.append_option(self.take(row, f(row)));
        }
        Arc::new(out.finish())
    }

    pub(super) fn collect_booleans(&mut self, mut f: impl FnMut(usize) -> Out<bool>) -> ArrayRef {
        let mut out = BooleanBuilder::with_capacity(self.rows);
        for row in 0..self.rows {
            out.append_option(self.take(row, f(row)));
        }
        Arc::new(out.finish())
    }

    /// A column of numbers, dates, times or timestamps, of the type that the call returns.
    pub(super) fn collect<T: ArrowPrimitiveType>(&mut self, mut f: impl FnMut(usize) -> Out<T::Native>) -> ArrayRef {
        let mut out = PrimitiveBuilder::<T>::with_capacity(self.rows).with_data_type(self.returns.to_arrow());
        for row in 0..self.rows {
            out.append_option(self.take(row, f(row)));
        }
        Arc::new(out.finish())
    }

    /// A column of arrays of texts.
    pub(super) fn collect_text_lists<S: AsRef<str>>(&mut self, mut f: impl FnMut(usize) -> Out<Vec<S>>) -> ArrayRef {
        let mut items = StringBuilder::new();
        let (mut lengths, mut valid) = (Vec::with_capacity(self.rows), Vec::with_capacity(self.rows));
        for row in 0..self.rows {
            let list = self.take(row, f(row));
            valid.push(list.is_some());
            let list = list.unwrap_or_default();
            lengths.push(list.len());
            for item in list {
                items.append_value(item);
            }
        }
        crate::expr::eval::values::list_array(
            arrow::buffer::OffsetBuffer::from_lengths(lengths),
            Arc::new(items.finish()),
            Some(valid.into()),
            &crate::types::SqlType::String,
        )
    }
}

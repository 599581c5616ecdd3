//! What function bodies share: typed views of arguments and loops that collect a column row by row.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder,
    GenericByteBuilder, ListArray, MapArray, NullBufferBuilder, PrimitiveArray, PrimitiveBuilder, StringArray,
    StringBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{ArrowPrimitiveType, ByteArrayType, Float64Type, Int32Type, Int64Type};

use super::args::Values;
use crate::expr::eval::values::{list_array, map_array};
use crate::expr::functions::ScalarCall;
use crate::types::SqlType;

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

/// The arguments by their types. The overload has settled them: another type is a defect of its entry.
impl<'a> ScalarCall<'a> {
    pub(super) fn texts(&self, arg: usize) -> Values<'a, StringArray> {
        self.args.values(arg, |array| array.as_string())
    }

    pub(super) fn bytes(&self, arg: usize) -> Values<'a, BinaryArray> {
        self.args.values(arg, |array| array.as_binary())
    }

    pub(super) fn booleans(&self, arg: usize) -> Values<'a, BooleanArray> {
        self.args.values(arg, |array| array.as_boolean())
    }

    pub(super) fn numbers<T: ArrowPrimitiveType>(&self, arg: usize) -> Values<'a, PrimitiveArray<T>> {
        self.args.values(arg, |array| array.as_primitive())
    }

    pub(super) fn ints(&self, arg: usize) -> Values<'a, PrimitiveArray<Int32Type>> {
        self.numbers(arg)
    }

    pub(super) fn bigints(&self, arg: usize) -> Values<'a, PrimitiveArray<Int64Type>> {
        self.numbers(arg)
    }

    pub(super) fn doubles(&self, arg: usize) -> Values<'a, PrimitiveArray<Float64Type>> {
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

    /// A STRING column: `f` writes a row's text in pieces, and none before it is known that there is one.
    pub(super) fn write_texts(&mut self, mut f: impl FnMut(usize, &mut Pieces<'_>) -> Out<()>) -> ArrayRef {
        let mut out = StringBuilder::with_capacity(self.rows, self.rows * 8);
        for row in 0..self.rows {
            let written = f(row, &mut Pieces(&mut out));
            match self.take(row, written) {
                // What was written since the row before is the row's value.
                Some(()) => out.append_value(""),
                None => out.append_null(),
            }
        }
        Arc::new(out.finish())
    }

    /// A STRING column: `f` appends a row's text to a buffer, which is empty then.
    pub(super) fn buffer_texts(&mut self, mut f: impl FnMut(usize, &mut String) -> Out<()>) -> ArrayRef {
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

    /// A column of arrays of texts: `f` appends a row's elements, and none before it is known that there is an array.
    pub(super) fn write_lists(&mut self, f: impl FnMut(usize, &mut StringBuilder) -> Out<()>) -> ArrayRef {
        self.lists(&SqlType::String, f)
    }

    /// The same of BYTES.
    pub(super) fn write_byte_lists(&mut self, f: impl FnMut(usize, &mut BinaryBuilder) -> Out<()>) -> ArrayRef {
        self.lists(&SqlType::Bytes, f)
    }

    fn lists<T: ByteArrayType<Offset = i32>>(
        &mut self,
        item: &SqlType,
        mut f: impl FnMut(usize, &mut GenericByteBuilder<T>) -> Out<()>,
    ) -> ArrayRef {
        let mut items = GenericByteBuilder::<T>::with_capacity(self.rows * 4, self.rows * 32);
        let (mut offsets, mut valid) = (Vec::with_capacity(self.rows + 1), NullBufferBuilder::new(self.rows));
        offsets.push(0);
        for row in 0..self.rows {
            let written = f(row, &mut items);
            valid.append(self.take(row, written).is_some());
            offsets.push(items.len());
        }
        let lengths = offsets.windows(2).map(|ends| ends[1] - ends[0]);
        list_array(OffsetBuffer::from_lengths(lengths), Arc::new(items.finish()), valid.finish(), item)
    }

    /// A column of maps of texts: `f` appends a row's entries to a list, which is empty then.
    pub(super) fn write_text_maps<'t>(
        &mut self,
        mut f: impl FnMut(usize, &mut Vec<(Cow<'t, str>, Cow<'t, str>)>) -> Out<()>,
    ) -> ArrayRef {
        let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
        let (mut lengths, mut valid) = (Vec::with_capacity(self.rows), NullBufferBuilder::new(self.rows));
        let mut entries = Vec::new();
        for row in 0..self.rows {
            entries.clear();
            let written = f(row, &mut entries);
            let is_known = self.take(row, written).is_some();
            valid.append(is_known);
            lengths.push(if is_known { entries.len() } else { 0 });
            for (key, value) in entries.drain(..).filter(|_| is_known) {
                keys.append_value(key);
                values.append_value(value);
            }
        }
        let offsets = OffsetBuffer::from_lengths(lengths);
        map_array(offsets, Arc::new(keys.finish()), Arc::new(values.finish()), valid.finish(), &SqlType::String)
    }

    /// A column of arrays of texts.
    pub(super) fn collect_text_lists<S: AsRef<str>>(&mut self, mut f: impl FnMut(usize) -> Out<Vec<S>>) -> ArrayRef {
        self.write_lists(|row, out| {
            known!(f(row)?).iter().for_each(|item| out.append_value(item));
            Ok(Some(()))
        })
    }
}

/// The text of a row under construction.
pub(super) struct Pieces<'a>(&'a mut StringBuilder);

impl Pieces<'_> {
    pub fn push_str(&mut self, piece: &str) {
        // A builder takes all that is written to it.
        let _ = self.0.write_str(piece);
    }
}

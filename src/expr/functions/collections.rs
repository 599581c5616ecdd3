//! Functions on arrays.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, ListArray};
use arrow::buffer::{BooleanBuffer, OffsetBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int32Type, Int64Type};

use super::define::{BIGINT, BOOLEAN, INT, STRING, T, array};
use super::kernel::{Get, Out, known};
use super::lists::{Lists, range};
use super::order::compare;
use super::{Function, ScalarCall};
use crate::expr::eval::values::list_array;
use crate::expr::eval::{equality, pick, write_text};
use crate::types::SqlType;

const CATEGORY: &str = "COLLECTION";

pub(super) fn entries() -> Vec<Function> {
    let mut all = questions();
    all.extend(sets());
    all.extend(changes());
    all.push(generate_series());
    all
}

fn questions() -> Vec<Function> {
    let list = array(T);
    let arg = ("array", &list, "an array");
    vec![
        Function::scalar("ARRAY_LENGTH", CATEGORY, "The number of elements.")
            .over(&[arg], INT, |call| {
                let list = call.list(0);
                call.collect::<Int32Type>(|row| Ok(range(list, row).map(|entries| entries.len() as i32)))
            })
            .examples(&[("ARRAY_LENGTH(ARRAY[1, 2, 3])", "3")]),
        Function::scalar("ARRAY_CONTAINS", CATEGORY, "Whether a value is among the elements.")
            .nulls("false for a NULL array; a NULL can be looked for.")
            .over(&[arg, ("value", &T, "what to look for")], BOOLEAN, contains)
            .examples(&[("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "true"), ("ARRAY_CONTAINS(ARRAY['a'], 'b')", "false")]),
        Function::scalar("ARRAY_MAX", CATEGORY, "The largest element; NULLs don't count.")
            .over(&[arg], T, |call| extreme(call, Ordering::Greater))
            .examples(&[("ARRAY_MAX(ARRAY[1, NULL, 3, 2])", "3")]),
        Function::scalar("ARRAY_MIN", CATEGORY, "The smallest element; NULLs don't count.")
            .over(&[arg], T, |call| extreme(call, Ordering::Less))
            .examples(&[("ARRAY_MIN(ARRAY['b', 'a'])", "a")]),
        Function::scalar(
            "ARRAY_JOIN",
            CATEGORY,
            "The elements as one text, with a delimiter (a comma unless given) between them.",
        )
        .nulls("NULL when the array is; NULL items are written `null`, a NULL delimiter is an empty one.")
        .over(&[arg], STRING, join)
        .over(&[arg, ("delimiter", &STRING, "what stands between the elements")], STRING, join)
        .examples(&[("ARRAY_JOIN(ARRAY[1, NULL, 3])", "1,null,3"), ("ARRAY_JOIN(ARRAY['a', 'b'], '-')", "a-b")]),
    ]
}

fn contains(call: &mut ScalarCall<'_>) -> ArrayRef {
    let list = call.list(0);
    let found = match (call.args.constant(1), list.values().data_type()) {
        (Some(value), DataType::Int32) => contains_number::<Int32Type>(list, value),
        (Some(value), DataType::Int64) => contains_number::<Int64Type>(list, value),
        (Some(value), DataType::Float64) => contains_number::<Float64Type>(list, value),
        _ => None,
    };
    let found = found.unwrap_or_else(|| {
        let is_same = same_as(list.values(), call, 1);
        BooleanBuffer::collect_bool(call.rows, |row| {
            range(list, row).is_some_and(|mut entries| entries.any(|entry| is_same(entry, row)))
        })
    });
    Arc::new(BooleanArray::new(found, None))
}

/// One number in arrays without NULLs.
fn contains_number<N: ArrowPrimitiveType>(list: &ListArray, value: &ArrayRef) -> Option<BooleanBuffer> {
    let (numbers, value) = (list.values().as_primitive::<N>(), value.as_primitive::<N>().get(0)?);
    if numbers.null_count() > 0 {
        return None;
    }
    Some(BooleanBuffer::collect_bool(list.len(), |row| {
        range(list, row).is_some_and(|entries| numbers.values()[entries].contains(&value))
    }))
}

/// Whether an entry of `values` is the argument's value in a row.
fn same_as<'a>(values: &'a ArrayRef, call: &ScalarCall<'a>, arg: usize) -> Box<dyn Fn(usize, usize) -> bool + 'a> {
    match call.args.constant(arg) {
        Some(value) => {
            let same = equality(values.as_ref(), value.as_ref());
            Box::new(move |entry, _| same(entry, 0))
        }
        None => equality(values.as_ref(), call.args[arg].as_ref()),
    }
}

fn extreme(call: &mut ScalarCall<'_>, wanted: Ordering) -> ArrayRef {
    let list = call.list(0);
    let values = list.values();
    let best = (0..call.rows).map(|row| {
        range(list, row)?.filter(|entry| values.is_valid(*entry)).reduce(|best, entry| {
            if compare(values.as_ref(), entry, values.as_ref(), best) == wanted { entry } else { best }
        })
    });
    pick(values, &best.map(|entry| entry.map(|entry| entry as u32)).collect())
}

fn join(call: &mut ScalarCall<'_>) -> ArrayRef {
    let list = call.list(0);
    let delimiters = (call.args.len() > 1).then(|| call.texts(1));
    let item = match &call.arg_types[0] {
        SqlType::Array(item) => (**item).clone(),
        other => other.clone(),
    };
    call.buffer_texts(|row, out| {
        let entries = known!(range(list, row));
        if !(item.is_numeric() || matches!(item, SqlType::Boolean | SqlType::String)) {
            return Err(format!("ARRAY_JOIN takes no elements of type {item}"));
        }
        let delimiter = delimiters.map_or(",", |array| array.get(row).unwrap_or(""));
        for (i, entry) in entries.enumerate() {
            out.push_str(if i > 0 { delimiter } else { "" });
            write_text(list.values(), &item, entry, out);
        }
        Ok(Some(()))
    })
}

/// Elements of both arrays for a row: (which array, which entry).
type Elements = Vec<(usize, usize)>;

fn sets() -> Vec<Function> {
    let list = array(T);
    let pair = [("left", &list, "an array"), ("right", &list, "an array")];
    vec![
        Function::scalar("ARRAY_DISTINCT", CATEGORY, "The array without repeated elements.")
            .over(&[("array", &list, "an array")], list.clone(), |call| {
                combine(call, |lists, row| distinct(lists, lists.of(0, row)?))
            })
            .examples(&[("ARRAY_DISTINCT(ARRAY[1, 1, 2, 1])", "[1, 2]")]),
        Function::scalar("ARRAY_UNION", CATEGORY, "The distinct elements of both arrays.")
            .over(&pair, list.clone(), |call| {
                combine(call, |lists, row| distinct(lists, [lists.of(0, row)?, lists.of(1, row)?].concat()))
            })
            .examples(&[("ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3])", "[1, 2, 3]")]),
        Function::scalar("ARRAY_INTERSECT", CATEGORY, "The distinct elements that both arrays have.")
            .over(&pair, list.clone(), |call| combine(call, |lists, row| filtered(lists, row, true)))
            .examples(&[("ARRAY_INTERSECT(ARRAY[1, 2, 3], ARRAY[3, 1])", "[1, 3]")]),
        Function::scalar("ARRAY_EXCEPT", CATEGORY, "The distinct elements of the first array that the second hasn't.")
            .over(&pair, list.clone(), |call| combine(call, |lists, row| filtered(lists, row, false)))
            .examples(&[("ARRAY_EXCEPT(ARRAY[1, 2, 3, 2], ARRAY[3])", "[1, 2]")]),
        Function::scalar("ARRAY_CONCAT", CATEGORY, "The elements of the first array, then those of the second.")
            .nulls("NULL when both are; one that is NULL is as if empty.")
            .over(&pair, list.clone(), |call| {
                combine(call, |lists, row| match (lists.of(0, row), lists.of(1, row)) {
                    (None, None) => None,
                    (a, b) => Some([a.unwrap_or_default(), b.unwrap_or_default()].concat()),
                })
            })
            .examples(&[("ARRAY_CONCAT(ARRAY[1], ARRAY[1, 2])", "[1, 1, 2]")]),
    ]
}

/// The array arguments of a call.
struct Arrays<'a> {
    lists: Vec<&'a ListArray>,
    /// Of each two of them, whether their elements are the same.
    equality: Vec<Vec<Equality<'a>>>,
}

type Equality<'a> = Box<dyn Fn(usize, usize) -> bool + 'a>;

impl<'a> Arrays<'a> {
    fn new(call: &ScalarCall<'a>) -> Self {
        let lists: Vec<&'a ListArray> = (0..call.args.len()).map(|arg| call.list(arg)).collect();
        let with = |a: &'a ListArray| {
            lists.iter().map(|b: &&'a ListArray| equality(a.values().as_ref(), b.values().as_ref())).collect()
        };
        let equality = lists.iter().map(|a| with(a)).collect();
        Arrays { lists, equality }
    }

    fn of(&self, arg: usize, row: usize) -> Option<Elements> {
        Some(range(self.lists[arg], row)?.map(|entry| (arg, entry)).collect())
    }

    fn same(&self, a: (usize, usize), b: (usize, usize)) -> bool {
        self.equality[a.0][b.0](a.1, b.1)
    }
}

fn combine(call: &mut ScalarCall<'_>, f: impl Fn(&Arrays<'_>, usize) -> Option<Elements>) -> ArrayRef {
    let arrays = Arrays::new(call);
    let mut out = Lists::default();
    for row in 0..call.rows {
        out.push(f(&arrays, row));
    }
    let columns: Vec<&dyn Array> = arrays.lists.iter().map(|list| list.values().as_ref()).collect();
    out.finish(&columns, call.returns)
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that `combine` takes")]
fn distinct(arrays: &Arrays<'_>, elements: Elements) -> Option<Elements> {
    let mut out: Elements = Vec::with_capacity(elements.len());
    for element in elements {
        if !out.iter().any(|known| arrays.same(*known, element)) {
            out.push(element);
        }
    }
    Some(out)
}

fn filtered(arrays: &Arrays<'_>, row: usize, in_both: bool) -> Option<Elements> {
    let (left, right) = (arrays.of(0, row)?, arrays.of(1, row)?);
    let is_in = |element: &(usize, usize)| right.iter().any(|other| arrays.same(*element, *other));
    distinct(arrays, left.into_iter().filter(|element| is_in(element) == in_both).collect())
}

fn changes() -> Vec<Function> {
    let list = array(T);
    let arg = ("array", &list, "an array");
    vec![
        Function::scalar("ARRAY_REMOVE", CATEGORY, "The array without the elements that equal a value.")
            .nulls("NULL when the array is; a NULL can be removed.")
            .over(&[arg, ("value", &T, "what to leave out")], list.clone(), |call| {
                let list = call.list(0);
                let is_same = same_as(list.values(), call, 1);
                rebuild(call, |row| Some(range(list, row)?.filter(|entry| !is_same(*entry, row)).collect()))
            })
            .examples(&[("ARRAY_REMOVE(ARRAY[1, 2, 1], 1)", "[2]")]),
        Function::scalar(
            "ARRAY_SORT",
            CATEGORY,
            "The array in ascending ('ASC') or descending ('DESC') order, NULLs last.",
        )
        .over(&[arg], list.clone(), sort)
        .over(&[arg, ("direction", &STRING, "ASC or DESC")], list.clone(), sort)
        .examples(&[
            ("ARRAY_SORT(ARRAY[2, NULL, 1])", "[1, 2, null]"),
            ("ARRAY_SORT(ARRAY['a', 'b'], 'DESC')", "[b, a]"),
        ]),
        Function::scalar(
            "SLICE",
            CATEGORY,
            "The elements from one place to another, both counted from 1 and included.",
        )
        .nulls("NULL when the array is; a bound that is NULL is open.")
        .over(
            &[arg, ("from", &INT, "the first place; NULL: 1"), ("to", &INT, "the last place; NULL: the end")],
            list.clone(),
            |call| {
                let (list, from, to) = (call.list(0), call.ints(1), call.ints(2));
                rebuild(call, |row| slice(range(list, row)?, from.get(row), to.get(row)))
            },
        )
        .examples(&[("SLICE(ARRAY['a', 'b', 'c', 'd'], 2, 3)", "[b, c]")]),
    ]
}

/// Arrays of entries of the first argument's elements.
fn rebuild(call: &mut ScalarCall<'_>, f: impl Fn(usize) -> Option<Vec<usize>>) -> ArrayRef {
    let list = call.list(0);
    let mut out = Lists::default();
    for row in 0..call.rows {
        out.push(f(row).map(|entries| entries.into_iter().map(|entry| (0, entry))));
    }
    out.finish(&[list.values().as_ref()], call.returns)
}

fn sort(call: &mut ScalarCall<'_>) -> ArrayRef {
    let list = call.list(0);
    let values = list.values();
    let directions = (call.args.len() > 1).then(|| call.texts(1));
    rebuild(call, |row| {
        let direction = directions.map_or(Some("ASC"), |array| array.get(row))?.to_ascii_uppercase();
        let descending = match direction.as_str() {
            "ASC" | "ASCENDING" => false,
            "DESC" | "DESCENDING" => true,
            _ => return None,
        };
        let (mut known, absent): (Vec<usize>, Vec<usize>) =
            range(list, row)?.partition(|entry| values.is_valid(*entry));
        known.sort_by(|a, b| {
            let order = compare(values.as_ref(), *a, values.as_ref(), *b);
            if descending { order.reverse() } else { order }
        });
        known.extend(absent);
        Some(known)
    })
}

/// NULL when it begins or ends outside of the array.
fn slice(entries: std::ops::Range<usize>, from: Option<i32>, to: Option<i32>) -> Option<Vec<usize>> {
    let len = i64::try_from(entries.len()).ok()?;
    let from = i64::from(from.unwrap_or(1)) - 1;
    let to = to.map_or(len, i64::from);
    if from < 0 || to > len || from > to {
        return None;
    }
    Some((entries.start + from as usize..entries.start + to as usize).collect())
}

/// The most elements of GENERATE_SERIES: more would take the process's memory.
const SERIES_MAX: u64 = 10_000_000;

fn generate_series() -> Function {
    let step = ("step", &INT, "the difference of neighbours");
    let (first, last) = ("the first number", "the last number");
    Function::scalar("GENERATE_SERIES", CATEGORY, "The whole numbers from one to another, both included.")
        .over(&[("start", &INT, first), ("end", &INT, last)], array(INT), series)
        .over(&[("start", &INT, first), ("end", &INT, last), step], array(INT), series)
        .over(&[("start", &BIGINT, first), ("end", &BIGINT, last)], array(BIGINT), series)
        .over(&[("start", &BIGINT, first), ("end", &BIGINT, last), step], array(BIGINT), series)
        .examples(&[("GENERATE_SERIES(1, 4)", "[1, 2, 3, 4]"), ("GENERATE_SERIES(5, 1, -2)", "[5, 3, 1]")])
}

fn series(call: &mut ScalarCall<'_>) -> ArrayRef {
    let is_int = call.arg_types[0] == SqlType::Int;
    let starts_and_ends = |arg: usize| (is_int.then(|| call.ints(arg)), (!is_int).then(|| call.bigints(arg)));
    let args = [starts_and_ends(0), starts_and_ends(1)];
    let bound = |arg: usize, row: usize| match args[arg] {
        (Some(ints), _) => ints.get(row).map(i64::from),
        (None, bigints) => bigints?.get(row),
    };
    let mut all: Vec<i64> = Vec::new();
    let (mut lengths, mut valid) = (Vec::with_capacity(call.rows), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let step = if call.args.len() > 2 { call.ints(2).get(row).map(Some) } else { Some(None) };
        let numbers = match (bound(0, row), bound(1, row), step) {
            (Some(start), Some(end), Some(step)) => steps(start, end, step.map(i64::from)),
            _ => Ok(None),
        };
        let numbers = numbers.unwrap_or_else(|reason| {
            call.errors.push(row, reason);
            None
        });
        valid.push(numbers.is_some());
        let before = all.len();
        all.extend(numbers.into_iter().flatten());
        lengths.push(all.len() - before);
    }
    let (values, item): (ArrayRef, _) = if is_int {
        (Arc::new(all.into_iter().map(|n| n as i32).collect::<Int32Array>()), SqlType::Int)
    } else {
        (Arc::new(Int64Array::from(all)), SqlType::Bigint)
    };
    list_array(OffsetBuffer::from_lengths(lengths), values, Some(valid.into()), &item)
}

fn steps(start: i64, end: i64, step: Option<i64>) -> Out<impl Iterator<Item = i64>> {
    let step = step.unwrap_or(if end > start { 1 } else { -1 });
    if step == 0 || (end > start && step < 0) || (end < start && step > 0) {
        return Err("GENERATE_SERIES step has the wrong sign or is 0".into());
    }
    let count = start.abs_diff(end) / step.unsigned_abs();
    if count >= SERIES_MAX {
        return Err(format!("GENERATE_SERIES gives at most {SERIES_MAX} elements"));
    }
    Ok(Some((0..=count as i64).map(move |i| start + i * step)))
}

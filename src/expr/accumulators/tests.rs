//! Every accumulator against a plain list of its rows, through random updates, undos, merges, resets and restores.

mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal256Array, Float64Array, Int32Array,
    Int64Array, StringArray, Time32MillisecondArray, TimestampMillisecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, i256};
use arrow::util::display::array_value_to_string;

use super::*;
use crate::expr::EvalErrors;

/// A column of this type. Equal numbers give equal values and greater ones greater values, from -5 to 100.
fn column(ty: &SqlType, numbers: &[Option<i64>]) -> ArrayRef {
    let numbers = || numbers.iter().copied();
    let ints = || numbers().map(|n| n.map(|n| n as i32));
    match ty {
        SqlType::Boolean => Arc::new(numbers().map(|n| n.map(|n| n > 20)).collect::<BooleanArray>()),
        SqlType::Int => Arc::new(ints().collect::<Int32Array>()),
        SqlType::Bigint => Arc::new(numbers().collect::<Int64Array>()),
        SqlType::Double => Arc::new(numbers().map(|n| n.map(|n| n as f64 * 0.5)).collect::<Float64Array>()),
        SqlType::Decimal { .. } => {
            let values = numbers().map(|n| n.map(|n| i256::from_i128(i128::from(n)))).collect::<Decimal256Array>();
            Arc::new(values.with_data_type(ty.to_arrow()))
        }
        SqlType::String => Arc::new(numbers().map(|n| n.map(|n| format!("s{:03}", n + 5))).collect::<StringArray>()),
        SqlType::Bytes => Arc::new(numbers().map(|n| n.map(|n| vec![n as u8, 7])).collect::<BinaryArray>()),
        SqlType::Date => Arc::new(ints().collect::<Date32Array>()),
        SqlType::Time => Arc::new(ints().map(|n| n.map(|n| n + 5)).collect::<Time32MillisecondArray>()),
        SqlType::Timestamp => Arc::new(numbers().collect::<TimestampMillisecondArray>()),
        // The number, a NULL, and the number once more.
        SqlType::Array(item) => {
            let mut builder = crate::state::codec::CellColumn::new(ty);
            for n in numbers() {
                let mut cell = vec![0];
                if let Some(n) = n {
                    cell = vec![1, 3];
                    for item_n in [Some(n), None, Some(n)] {
                        crate::state::codec::write_cell(&column(item, &[item_n]), 0, &mut cell);
                    }
                }
                builder.push(&mut cell.as_slice()).unwrap();
            }
            builder.finish()
        }
        SqlType::Map(_) | SqlType::Struct(_) => unreachable!("no test has a column of it"),
    }
}

/// One value in words; a MAP by its keys' order.
fn text(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    if let Some(map) = array.as_map_opt() {
        let entries = map.value(row);
        let mut entries: Vec<String> = (0..entries.len())
            .map(|i| format!("{}={}", text(entries.column(0), i), text(entries.column(1), i)))
            .collect();
        entries.sort();
        return entries.join(",");
    }
    array_value_to_string(array, row).unwrap()
}

fn one(ty: &SqlType, n: Option<i64>) -> String {
    text(&column(ty, &[n]), 0)
}

fn list(ty: &SqlType, numbers: &[Option<i64>]) -> String {
    let items = column(ty, numbers);
    let words = |i| if items.is_null(i) { String::new() } else { text(&items, i) };
    format!("[{}]", (0..numbers.len()).map(words).collect::<Vec<_>>().join(", "))
}

#[derive(Debug)]
enum Expected {
    Text(String),
    About(f64),
}

/// A group's rows: number and arrival.
type Rows = [(Option<i64>, usize)];

struct Check {
    name: &'static str,
    /// Types of the columns; all are made from the same number.
    types: Vec<SqlType>,
    init: Vec<Value>,
    limit: Option<usize>,
    ways: Ways,
    make: fn(&AggregateCall) -> Made,
    expected: Box<dyn Fn(&Rows) -> Expected>,
}

/// How an aggregate is called.
#[derive(Debug, Clone, Copy, Default)]
struct Ways {
    retracts: bool,
    distinct: bool,
    /// Rows whose number is a multiple of three count.
    filtered: bool,
}

const GROUPS: usize = 5;

/// Runs of each check.
const SEEDS: u64 = 15;

impl Check {
    fn accumulator(&self) -> Box<dyn Accumulator> {
        let call = AggregateCall {
            name: self.name,
            args: self.types.clone(),
            init: self.init.clone(),
            collect_limit: self.limit,
            retracts: self.ways.retracts,
            distinct: self.ways.distinct,
            filtered: self.ways.filtered,
        };
        let mut accumulator = build(self.make, &call).unwrap();
        accumulator.resize(GROUPS);
        accumulator
    }

    fn assert(&self, got: &ArrayRef, at: usize, rows: &Rows, what: &str) {
        assert!(got.len() > at, "{}", self.name);
        match (self.expected)(rows) {
            Expected::Text(expected) => assert_eq!(text(got, at), expected, "{} {what} {rows:?}", self.name),
            Expected::About(expected) => {
                let got = got.as_primitive::<Float64Type>().value(at);
                let near = (got - expected).abs() <= 1e-7 * expected.abs().max(1.0);
                assert!(near || (got.is_nan() && expected.is_nan()), "{} {what}: {got}, not {expected}", self.name);
            }
        }
    }

    fn run(&self, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut accumulator = self.accumulator();
        let mut model: Vec<Vec<(Option<i64>, usize)>> = vec![Vec::new(); GROUPS];
        let mut arrival = 0;
        for _ in 0..60 {
            match random.u8(0..10) {
                0..=4 => {
                    let numbers: Vec<_> =
                        (0..random.usize(1..12)).map(|_| (random.u8(0..5) > 0).then(|| random.i64(-5..40))).collect();
                    self.update(&mut *accumulator, &mut model, &numbers, &mut arrival, &mut random);
                }
                5 | 6 if accumulator.can_undo() => self.undo(&mut *accumulator, &mut model, &mut random),
                7 => {
                    let (from, into) = (random.usize(0..GROUPS), random.usize(0..GROUPS));
                    if from != into {
                        accumulator.merge(from as u32, into as u32);
                        self.assert(&accumulator.emit(&[from as u32]), 0, &model[from], "kept by merge");
                        accumulator.reset(from as u32);
                        let mut all = std::mem::take(&mut model[from]);
                        all.append(&mut model[into]);
                        model[into] = all;
                    }
                }
                8 => accumulator = self.restored(&*accumulator, &mut random),
                _ => {
                    let group = random.usize(0..GROUPS);
                    accumulator.reset(group as u32);
                    model[group].clear();
                }
            }
            let all: Vec<u32> = (0..GROUPS as u32).rev().collect();
            let got = accumulator.emit(&all);
            assert_eq!(got.data_type(), &accumulator.returns().to_arrow(), "{}", self.name);
            for (at, &group) in all.iter().enumerate() {
                self.assert(&got, at, &model[group as usize], "emit");
            }
        }
    }

    /// The argument columns of rows with these numbers, which have these keys.
    fn args(&self, numbers: &[Option<i64>], keys: &[usize]) -> Vec<ArrayRef> {
        let mut args: Vec<ArrayRef> = self.types.iter().map(|ty| column(ty, numbers)).collect();
        if self.has_keys() {
            args.push(Arc::new(keys.iter().map(|&key| Some(key as i64)).collect::<Int64Array>()));
        }
        if self.ways.filtered {
            args.push(Arc::new(numbers.iter().map(|number| number.map(|n| n % 3 == 0)).collect::<BooleanArray>()));
        }
        args
    }

    fn has_keys(&self) -> bool {
        self.ways.retracts && self.name.ends_with("_BY_OFFSET")
    }

    fn update(
        &self,
        accumulator: &mut dyn Accumulator,
        model: &mut [Vec<(Option<i64>, usize)>],
        numbers: &[Option<i64>],
        arrival: &mut usize,
        random: &mut fastrand::Rng,
    ) {
        let mut errors = EvalErrors::default();
        // Not every row of the batch.
        let rows: Vec<u32> = (0..numbers.len() as u32).filter(|_| random.u8(0..5) > 0).collect();
        let groups: Vec<u32> = rows.iter().map(|_| random.u32(0..GROUPS as u32)).collect();
        let mut keys = vec![0; numbers.len()];
        rows.iter().enumerate().for_each(|(i, &row)| keys[row as usize] = *arrival + i);
        let args = self.args(numbers, &keys);
        let each = random.bool().then(|| accumulator.update_each(&args, &rows, &groups, &mut errors));
        if each.is_none() {
            accumulator.update(&args, &rows, &groups, &mut errors);
        }
        for (i, (&row, &group)) in rows.iter().zip(&groups).enumerate() {
            let rows = &mut model[group as usize];
            rows.push((numbers[row as usize], *arrival));
            *arrival += 1;
            if let Some(each) = &each {
                self.assert(each, i, rows, "update_each");
            }
        }
        assert!(errors.is_empty());
    }

    fn undo(
        &self,
        accumulator: &mut dyn Accumulator,
        model: &mut [Vec<(Option<i64>, usize)>],
        random: &mut fastrand::Rng,
    ) {
        let group = random.usize(0..GROUPS);
        if model[group].is_empty() {
            return;
        }
        let chosen = random.usize(0..model[group].len());
        let number = model[group][chosen].0;
        // Without a key the last of equal ones goes.
        let last = model[group].iter().rposition(|row| row.0 == number).unwrap();
        let (_, key) = model[group].remove(if self.has_keys() { chosen } else { last });
        accumulator.undo(&self.args(&[None, number], &[0, key]), &[1], &[group as u32], &mut EvalErrors::default());
    }

    fn restored(&self, old: &dyn Accumulator, random: &mut fastrand::Rng) -> Box<dyn Accumulator> {
        let mut new = self.accumulator();
        let mut groups: Vec<u32> = (0..GROUPS as u32).collect();
        random.shuffle(&mut groups);
        let state = old.state(&groups);
        let types: Vec<_> = state.iter().map(|column| column.data_type().clone()).collect();
        assert_eq!(types, old.state_types().iter().map(SqlType::to_arrow).collect::<Vec<_>>(), "{}", self.name);
        let rows: Vec<u32> = (0..GROUPS as u32).collect();
        new.restore(&state, &rows, &groups);
        new
    }
}

fn check(
    name: &'static str,
    types: &[SqlType],
    init: &[Value],
    make: fn(&AggregateCall) -> Made,
    expected: impl Fn(&Rows) -> Expected + 'static,
) {
    check_called(Ways::default(), name, types, init, make, expected);
}

fn check_called(
    ways: Ways,
    name: &'static str,
    types: &[SqlType],
    init: &[Value],
    make: fn(&AggregateCall) -> Made,
    expected: impl Fn(&Rows) -> Expected + 'static,
) {
    let (types, init) = (types.to_vec(), init.to_vec());
    let check = Check { name, types, init, limit: None, ways, make, expected: Box::new(expected) };
    assert!(!ways.retracts || check.accumulator().can_undo(), "{name}");
    (0..SEEDS).for_each(|seed| check.run(seed));
}

fn present(rows: &Rows) -> Vec<i64> {
    rows.iter().filter_map(|row| row.0).collect()
}

fn words(text: String) -> Expected {
    Expected::Text(text)
}

const DECIMAL: SqlType = SqlType::Decimal { precision: 9, scale: 2 };

fn ordered_types() -> Vec<SqlType> {
    use SqlType::*;
    vec![Int, Bigint, Double, DECIMAL, String, Bytes, Date, Time, Timestamp]
}

fn numbers() -> [SqlType; 3] {
    [SqlType::Int, SqlType::Bigint, SqlType::Double]
}

#[test]
fn count_counts() {
    for ty in ordered_types() {
        check("COUNT", &[ty], &[], count, |rows| words(present(rows).len().to_string()));
    }
    check("COUNT", &[], &[], count, |rows| words(rows.len().to_string()));
}

#[test]
fn sum_and_avg() {
    for ty in [SqlType::Int, SqlType::Bigint, SqlType::Double, DECIMAL] {
        let of = ty.clone();
        check("SUM", &[ty], &[], sum, move |rows| words(one(&of, Some(present(rows).iter().sum()))));
    }
    for ty in numbers() {
        let unit = if ty == SqlType::Double { 0.5 } else { 1.0 };
        check("AVG", &[ty], &[], avg, move |rows| {
            let numbers = present(rows);
            let sum = numbers.iter().sum::<i64>() as f64 * unit;
            Expected::About(if numbers.is_empty() { 0.0 } else { sum / numbers.len() as f64 })
        });
    }
    for item in numbers() {
        let of = item.clone();
        check("SUM_LIST", &[SqlType::Array(Box::new(item))], &[], sum_list, move |rows| {
            words(one(&of, Some(present(rows).iter().sum::<i64>() * 2)))
        });
    }
}

#[test]
fn min_and_max() {
    for ty in ordered_types() {
        let (of, of_max) = (ty.clone(), ty.clone());
        check("MIN", std::slice::from_ref(&ty), &[], min, move |rows| words(one(&of, present(rows).into_iter().min())));
        check("MAX", &[ty], &[], max, move |rows| words(one(&of_max, present(rows).into_iter().max())));
    }
}

#[test]
fn collections() {
    for ty in ordered_types() {
        let of = ty.clone();
        check("COLLECT_LIST", std::slice::from_ref(&ty), &[], collect_list, move |rows| {
            words(list(&of, &rows.iter().map(|row| row.0).collect::<Vec<_>>()))
        });
        let of = ty.clone();
        check("COLLECT_SET", &[ty], &[], collect_set, move |rows| words(list(&of, &distinct(rows))));
    }
    let limited = |name, make: fn(&AggregateCall) -> Made, values: fn(&Rows) -> Vec<Option<i64>>| {
        let expected = move |rows: &Rows| {
            let values: Vec<_> = values(rows).into_iter().take(4).collect();
            words(list(&SqlType::Int, &values))
        };
        for retracts in [false, true] {
            let (ways, expected) = (Ways { retracts, ..Ways::default() }, Box::new(expected));
            let check = Check { name, types: vec![SqlType::Int], init: vec![], limit: Some(4), ways, make, expected };
            (0..SEEDS).for_each(|seed| check.run(seed));
        }
    };
    limited("COLLECT_SET", collect_set, distinct);
}

fn distinct(rows: &Rows) -> Vec<Option<i64>> {
    let mut seen = Vec::new();
    for row in rows {
        if !seen.contains(&row.0) {
            seen.push(row.0);
        }
    }
    seen
}

#[test]
fn collect_list_stops_at_its_limit() {
    let call = AggregateCall {
        name: "COLLECT_LIST",
        args: vec![SqlType::Int],
        init: vec![],
        collect_limit: Some(2),
        ..AggregateCall::default()
    };
    let mut accumulator = collect_list(&call).unwrap();
    accumulator.resize(2);
    let args = [column(&SqlType::Int, &[Some(1), None, Some(3)])];
    accumulator.update(&args, &[0, 1, 2, 2], &[0, 0, 0, 1], &mut EvalErrors::default());
    assert_eq!(text(&accumulator.emit(&[0]), 0), "[1, ]");
    accumulator.merge(1, 0);
    assert_eq!(text(&accumulator.emit(&[0]), 0), "[3, 1]");
}

#[test]
fn by_offset() {
    for ty in [SqlType::Int, SqlType::Boolean, SqlType::String, SqlType::Array(Box::new(SqlType::Int))] {
        for ignore in [true, false] {
            let arrivals = move |rows: &Rows| {
                let mut rows: Vec<_> = rows.iter().filter(|row| !ignore || row.0.is_some()).collect();
                rows.sort_by_key(|row| row.1);
                rows.into_iter().map(|row| row.0).collect::<Vec<_>>()
            };
            let init = if ignore { vec![] } else { vec![Value::Boolean(false)] };
            let types = std::slice::from_ref(&ty);
            let of = ty.clone();
            check("EARLIEST_BY_OFFSET", types, &init, earliest_by_offset, move |rows| {
                words(one(&of, arrivals(rows).first().copied().flatten()))
            });
            let of = ty.clone();
            check("LATEST_BY_OFFSET", types, &init, latest_by_offset, move |rows| {
                words(one(&of, arrivals(rows).last().copied().flatten()))
            });
            let init = [Value::Int(3), Value::Boolean(ignore)];
            let of = ty.clone();
            check("EARLIEST_BY_OFFSET", types, &init, earliest_by_offset, move |rows| {
                words(list(&of, &arrivals(rows).into_iter().take(3).collect::<Vec<_>>()))
            });
            let of = ty.clone();
            check("LATEST_BY_OFFSET", types, &init, latest_by_offset, move |rows| {
                let all = arrivals(rows);
                words(list(&of, &all[all.len().saturating_sub(3)..]))
            });
        }
    }
}

#[test]
fn greatest() {
    let top = |rows: &Rows, distinct: bool| {
        let mut numbers = present(rows);
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        if distinct {
            numbers.dedup();
        }
        numbers.into_iter().take(3).map(Some).collect::<Vec<_>>()
    };
    for ty in [SqlType::Int, SqlType::Bigint, SqlType::Double, SqlType::String] {
        let of = ty.clone();
        check("TOPK", &[ty], &[Value::Int(3)], topk, move |rows| words(list(&of, &top(rows, false))));
    }
    for ty in ordered_types() {
        let of = ty.clone();
        check("TOPKDISTINCT", &[ty], &[Value::Int(3)], topkdistinct, move |rows| words(list(&of, &top(rows, true))));
    }
    let types = [SqlType::Int, SqlType::String];
    check("TOPK", &types, &[Value::Int(3)], topk, move |rows| {
        let item =
            |n: &Option<i64>| format!("{{sort_col: {}, col0: {}}}", one(&SqlType::Int, *n), one(&SqlType::String, *n));
        words(format!("[{}]", top(rows, false).iter().map(item).collect::<Vec<_>>().join(", ")))
    });
}

/// Of equal ones the earlier comes first, and its other columns with it.
#[test]
fn topk_keeps_arrival_among_equals() {
    let args = vec![SqlType::Int, SqlType::Boolean];
    let call = AggregateCall { name: "TOPK", args, init: vec![Value::Int(2)], ..AggregateCall::default() };
    let mut accumulator = topk(&call).unwrap();
    accumulator.resize(1);
    let columns = [
        column(&SqlType::Int, &[Some(5), Some(5), Some(5), None]),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None])) as ArrayRef,
    ];
    accumulator.update(&columns, &[0, 1, 2, 3], &[0; 4], &mut EvalErrors::default());
    assert_eq!(text(&accumulator.emit(&[0]), 0), "[{sort_col: 5, col0: true}, {sort_col: 5, col0: }]");
}

#[test]
fn counted_values() {
    check("COUNT_DISTINCT", &[SqlType::String], &[], count_distinct, |rows| {
        words(distinct(rows).into_iter().flatten().count().to_string())
    });
    check("HISTOGRAM", &[SqlType::String], &[], histogram, |rows| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(one(&SqlType::String, row.0)).or_default() += 1);
        words(counts.iter().map(|(key, count)| format!("{key}={count}")).collect::<Vec<_>>().join(","))
    });
    for ty in ordered_types() {
        let of = ty.clone();
        check("ATTR", &[ty], &[], attr, move |rows| {
            words(one(&of, if let [only] = distinct(rows)[..] { only } else { None }))
        });
    }
}

#[test]
fn histogram_stops_at_a_thousand() {
    let call = AggregateCall { name: "HISTOGRAM", args: vec![SqlType::String], ..AggregateCall::default() };
    let mut accumulator = histogram(&call).unwrap();
    accumulator.resize(1);
    let keys: ArrayRef = Arc::new((0..1500).map(|i| Some(i.to_string())).collect::<StringArray>());
    let rows: Vec<u32> = (0..1500).chain(0..1500).collect();
    accumulator.update(&[keys], &rows, &[0; 3000], &mut EvalErrors::default());
    let result = accumulator.emit(&[0]);
    let entries = result.as_map().value(0);
    assert_eq!(entries.len(), 1000);
    assert!(entries.column(1).as_primitive::<Int64Type>().values().iter().all(|&count| count == 2));
}

#[test]
fn statistics() {
    for ty in numbers() {
        let unit = if ty == SqlType::Double { 0.5 } else { 1.0 };
        let variance = move |rows: &Rows| {
            let values: Vec<f64> = present(rows).iter().map(|&n| n as f64 * unit).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            if values.len() < 2 { 0.0 } else { squares / (values.len() - 1) as f64 }
        };
        let types = std::slice::from_ref(&ty);
        check("STDDEV_SAMP", types, &[], stddev_samp, move |rows| Expected::About(variance(rows)));
        check("STDDEV_SAMPLE", types, &[], stddev_sample, move |rows| Expected::About(variance(rows).sqrt()));
        // With itself a column correlates wholly.
        check("CORRELATION", &[ty.clone(), ty.clone()], &[], correlation, |rows| {
            let mut numbers = present(rows);
            numbers.dedup();
            Expected::About(if numbers.len() < 2 { f64::NAN } else { 1.0 })
        });
    }
}

#[test]
fn correlation_of_two_columns() {
    let call = AggregateCall { name: "CORRELATION", args: vec![SqlType::Double; 2], ..AggregateCall::default() };
    let mut accumulator = correlation(&call).unwrap();
    accumulator.resize(1);
    let x = [Some(1.0), Some(2.0), None, Some(4.0), Some(9.0)];
    let y = [Some(2.0), Some(1.0), Some(7.0), Some(3.0), None];
    let args: [ArrayRef; 2] = [Arc::new(Float64Array::from(x.to_vec())), Arc::new(Float64Array::from(y.to_vec()))];
    accumulator.update(&args, &[0, 1, 2, 3, 4], &[0; 5], &mut EvalErrors::default());
    // Pairs (1,2), (2,1), (4,3): covariance 2, variances 14/3 and 2.
    let expected = 2.0 / (14.0f64 / 3.0 * 2.0).sqrt();
    let got = accumulator.emit(&[0]).as_primitive::<Float64Type>().value(0);
    assert!((got - expected).abs() < 1e-12, "{got}");
}

#[test]
fn integers_wrap_and_decimals_do_not() {
    let make = |ty: SqlType| {
        let call = AggregateCall { name: "SUM", args: vec![ty], ..AggregateCall::default() };
        let mut accumulator = sum(&call).unwrap();
        accumulator.resize(1);
        accumulator
    };
    let mut errors = EvalErrors::default();
    let mut ints = make(SqlType::Int);
    let column: ArrayRef = Arc::new(Int32Array::from(vec![i32::MAX, 1]));
    ints.update(&[column], &[0, 1], &[0, 0], &mut errors);
    assert_eq!(ints.emit(&[0]).as_primitive::<Int32Type>().value(0), i32::MIN);
    assert!(errors.is_empty());
    let ty = SqlType::Decimal { precision: 3, scale: 1 };
    let mut decimals = make(ty.clone());
    let column = cast(&Int64Array::from(vec![99, 1, -99, -99]), &ty.to_arrow()).unwrap();
    let after = decimals.update_each(&[column], &[0, 1, 2, 3], &[0; 4], &mut errors);
    let after: Vec<String> = (0..4).map(|row| text(&after, row)).collect();
    assert_eq!(after, ["99.0", "null", "1.0", "-98.0"], "99.0 + 1.0 has no place in DECIMAL(3, 1)");
    assert_eq!(errors.errors.iter().map(|error| error.row).collect::<Vec<_>>(), [1]);
}

fn decimal_sum(precision: u32, groups: usize) -> (Box<dyn Accumulator>, SqlType) {
    let ty = SqlType::Decimal { precision, scale: 2 };
    let call = AggregateCall { name: "SUM", args: vec![ty.clone()], ..AggregateCall::default() };
    let mut accumulator = sum(&call).unwrap();
    accumulator.resize(groups);
    (accumulator, ty)
}

/// Rows that took a sum beyond its type count all the same: taken out again, they leave what the others come to.
#[test]
fn a_decimal_sum_is_right_again_when_what_was_too_much_goes() {
    let (mut decimals, ty) = decimal_sum(4, 1);
    let column = cast(&Float64Array::from(vec![99.0, 99.0, 0.5]), &ty.to_arrow()).unwrap();
    let args = [column];
    let mut errors = EvalErrors::default();
    decimals.update(&args, &[0, 1], &[0; 2], &mut errors);
    assert_eq!(text(&decimals.emit(&[0]), 0), "null");
    assert_eq!(errors.failed_rows().collect::<Vec<_>>(), [1]);
    decimals.undo(&args, &[1], &[0], &mut errors);
    decimals.update(&args, &[2], &[0], &mut errors);
    assert_eq!(text(&decimals.emit(&[0]), 0), "99.50");
    assert_eq!(errors.failed_rows().count(), 1);
}

/// The row that joins two sessions is told of, even one that has no value itself, and a restart knows the sum as it is.
#[test]
fn decimal_sums_that_are_too_much_together_are_told_and_kept() {
    let (mut decimals, ty) = decimal_sum(4, 2);
    let column = cast(&Float64Array::from(vec![Some(99.0), Some(98.0), None]), &ty.to_arrow()).unwrap();
    let args = [column];
    let mut errors = EvalErrors::default();
    decimals.update(&args, &[0, 1], &[0, 1], &mut errors);
    assert!(errors.is_empty());
    decimals.merge(0, 1);
    decimals.update(&args, &[2], &[1], &mut errors);
    assert_eq!(text(&decimals.emit(&[1]), 0), "null");
    assert_eq!(errors.failed_rows().collect::<Vec<_>>(), [2]);
    let (mut restored, _) = decimal_sum(4, 1);
    restored.restore(&decimals.state(&[1]), &[0], &[0]);
    restored.undo(&args, &[0], &[0], &mut errors);
    assert_eq!(text(&restored.emit(&[0]), 0), "98.00");
}

/// Beyond 256 bits nothing is known of a sum, and it never looks as if something were.
#[test]
fn a_decimal_sum_beyond_all_bits_stays_unknown() {
    let (mut decimals, ty) = decimal_sum(76, 2);
    let greatest = i256::from_i128(10).wrapping_pow(76) - i256::ONE;
    let column = Decimal256Array::from_iter_values([greatest]).with_data_type(ty.to_arrow());
    let args: [ArrayRef; 1] = [Arc::new(column)];
    let mut errors = EvalErrors::default();
    for rows in 1..30 {
        decimals.update(&args, &[0], &[0], &mut errors);
        assert_eq!(text(&decimals.emit(&[0]), 0) == "null", rows > 1, "{rows} rows");
    }
    decimals.update(&args, &[0], &[1], &mut errors);
    decimals.merge(0, 1);
    (0..30).for_each(|_| decimals.undo(&args, &[0], &[1], &mut errors));
    assert_eq!(text(&decimals.emit(&[1]), 0), "null");
}

#[test]
fn wrong_constants_are_told() {
    let call = |name, init: &[Value]| AggregateCall {
        name,
        args: vec![SqlType::Int],
        init: init.to_vec(),
        ..AggregateCall::default()
    };
    assert!(topk(&call("TOPK", &[Value::Int(0)])).is_err());
    assert!(topk(&call("TOPK", &[])).is_err());
    assert!(latest_by_offset(&call("LATEST_BY_OFFSET", &[Value::Int(-1)])).is_err());
    assert!(latest_by_offset(&call("LATEST_BY_OFFSET", &[Value::Boolean(true), Value::Int(1)])).is_err());
    let mut text = call("SUM", &[]);
    text.args = vec![SqlType::String];
    assert!(sum(&text).is_err());
}

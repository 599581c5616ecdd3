//! What rows are taken out of again, and calls with DISTINCT and FILTER.

use super::*;

const TABLE: Ways = Ways { retracts: true, distinct: false, filtered: false };

#[test]
fn extremes_of_tables() {
    for ty in ordered_types() {
        let (of, of_max) = (ty.clone(), ty.clone());
        let types = std::slice::from_ref(&ty);
        check_called(TABLE, "MIN", types, &[], min, move |rows| words(one(&of, present(rows).into_iter().min())));
        check_called(TABLE, "MAX", types, &[], max, move |rows| words(one(&of_max, present(rows).into_iter().max())));
    }
}

#[test]
fn greatest_of_tables() {
    let top = |rows: &Rows, distinct: bool| {
        let mut numbers = present(rows);
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        if distinct {
            numbers.dedup();
        }
        numbers.into_iter().take(3).map(Some).collect::<Vec<_>>()
    };
    let k = [Value::Int(3)];
    for ty in [SqlType::Int, SqlType::Bigint, SqlType::Double, SqlType::String] {
        let of = ty.clone();
        check_called(TABLE, "TOPK", &[ty], &k, topk, move |rows| words(list(&of, &top(rows, false))));
    }
    for ty in ordered_types() {
        let of = ty.clone();
        check_called(TABLE, "TOPKDISTINCT", &[ty], &k, topkdistinct, move |rows| words(list(&of, &top(rows, true))));
    }
    check_called(TABLE, "TOPK", &[SqlType::Int, SqlType::String], &k, topk, move |rows| {
        let item =
            |n: &Option<i64>| format!("{{sort_col: {}, col0: {}}}", one(&SqlType::Int, *n), one(&SqlType::String, *n));
        words(format!("[{}]", top(rows, false).iter().map(item).collect::<Vec<_>>().join(", ")))
    });
}

#[test]
fn sets_of_tables() {
    for ty in ordered_types() {
        let of = ty.clone();
        check_called(TABLE, "COLLECT_SET", &[ty], &[], collect_set, move |rows| words(list(&of, &distinct(rows))));
    }
}

#[test]
fn by_offset_of_tables() {
    for ty in [SqlType::Int, SqlType::Boolean, SqlType::String, SqlType::Array(Box::new(SqlType::Int))] {
        for ignore in [true, false] {
            let arrivals = move |rows: &Rows| {
                let mut rows: Vec<_> = rows.iter().filter(|row| !ignore || row.0.is_some()).collect();
                rows.sort_by_key(|row| row.1);
                rows.into_iter().map(|row| row.0).collect::<Vec<_>>()
            };
            let (one_of, n) = ([Value::Boolean(ignore)], [Value::Int(3), Value::Boolean(ignore)]);
            let types = std::slice::from_ref(&ty);
            let of = ty.clone();
            check_called(TABLE, "EARLIEST_BY_OFFSET", types, &one_of, earliest_by_offset, move |rows| {
                words(one(&of, arrivals(rows).first().copied().flatten()))
            });
            let of = ty.clone();
            check_called(TABLE, "LATEST_BY_OFFSET", types, &one_of, latest_by_offset, move |rows| {
                words(one(&of, arrivals(rows).last().copied().flatten()))
            });
            let of = ty.clone();
            check_called(TABLE, "EARLIEST_BY_OFFSET", types, &n, earliest_by_offset, move |rows| {
                words(list(&of, &arrivals(rows).into_iter().take(3).collect::<Vec<_>>()))
            });
            let of = ty.clone();
            check_called(TABLE, "LATEST_BY_OFFSET", types, &n, latest_by_offset, move |rows| {
                let all = arrivals(rows);
                words(list(&of, &all[all.len().saturating_sub(3)..]))
            });
        }
    }
}

/// The numbers that count.
fn counting(ways: Ways, rows: &Rows) -> Vec<Option<i64>> {
    let passes = |number: &Option<i64>| !ways.filtered || number.is_some_and(|n| n % 3 == 0);
    let rows: Vec<(Option<i64>, usize)> = rows.iter().copied().filter(|row| passes(&row.0)).collect();
    if ways.distinct { distinct(&rows) } else { rows.into_iter().map(|row| row.0).collect() }
}

#[test]
fn distinct_and_filtered_calls() {
    for (distinct, filtered) in [(true, false), (false, true), (true, true)] {
        for retracts in [false, true] {
            let ways = Ways { retracts, distinct, filtered };
            let numbers = move |rows: &Rows| counting(ways, rows).into_iter().flatten().collect::<Vec<i64>>();
            for ty in ordered_types() {
                let types = std::slice::from_ref(&ty);
                check_called(ways, "COUNT", types, &[], count, move |rows| words(numbers(rows).len().to_string()));
                let of = ty.clone();
                check_called(ways, "COLLECT_LIST", types, &[], collect_list, move |rows| {
                    words(list(&of, &counting(ways, rows)))
                });
                let of = ty.clone();
                check_called(ways, "MAX", types, &[], max, move |rows| {
                    words(one(&of, numbers(rows).into_iter().max()))
                });
            }
            for ty in [SqlType::Int, SqlType::Bigint, SqlType::Double, DECIMAL] {
                let of = ty.clone();
                check_called(ways, "SUM", &[ty], &[], sum, move |rows| {
                    words(one(&of, Some(numbers(rows).into_iter().sum())))
                });
            }
            check_called(ways, "AVG", &[SqlType::Bigint], &[], avg, move |rows| {
                let numbers = numbers(rows);
                let sum = numbers.iter().sum::<i64>() as f64;
                Expected::About(if numbers.is_empty() { 0.0 } else { sum / numbers.len() as f64 })
            });
        }
    }
}

#[test]
fn a_sum_that_does_not_wrap() {
    for ty in [SqlType::Int, SqlType::Bigint] {
        for ways in [Ways::default(), TABLE] {
            let of = ty.clone();
            check_called(ways, "SUM", std::slice::from_ref(&ty), &[], exact_sum, move |rows| {
                words(one(&of, Some(present(rows).iter().sum())))
            });
        }
    }
    let call = AggregateCall { name: "SUM", args: vec![SqlType::Bigint], ..AggregateCall::default() };
    let mut accumulator = exact_sum(&call).unwrap();
    accumulator.resize(1);
    let args: [ArrayRef; 1] = [Arc::new(Int64Array::from(vec![i64::MAX, 1]))];
    let mut errors = EvalErrors::default();
    accumulator.update(&args, &[0, 1], &[0, 0], &mut errors);
    assert_eq!(text(&accumulator.emit(&[0]), 0), "null");
    assert_eq!(errors.errors.len(), 1);
    accumulator.undo(&args, &[1], &[0], &mut errors);
    assert_eq!(text(&accumulator.emit(&[0]), 0), i64::MAX.to_string());
    assert_eq!(errors.errors.len(), 1);
}

/// The bytes of a COUNT(DISTINCT x) as they lie in changelogs: values and counts, then the count.
#[test]
fn the_state_of_distinct_values_is_written_so() {
    let call = AggregateCall { name: "COUNT", args: vec![SqlType::Int], distinct: true, ..AggregateCall::default() };
    let mut accumulator = build(count, &call).unwrap();
    accumulator.resize(1);
    let numbers = column(&SqlType::Int, &[Some(7), None, Some(7)]);
    accumulator.update(&[numbers], &[0, 1, 2], &[0; 3], &mut EvalErrors::default());
    let mut bytes = Vec::new();
    accumulator.state(&[0]).iter().for_each(|column| crate::state::codec::write_cell(column, 0, &mut bytes));
    let values: &[u8] = &[1, 2, 1, 7, 0, 0, 0, 0];
    let counts: &[u8] = &[1, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0];
    let count: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(bytes, [values, counts, count].concat());
}

/// As before, of LATEST_BY_OFFSET of a table: arrivals, values, keys.
#[test]
fn the_state_of_a_tables_latest_is_written_so() {
    let call = AggregateCall {
        name: "LATEST_BY_OFFSET",
        args: vec![SqlType::Int],
        retracts: true,
        ..AggregateCall::default()
    };
    let mut accumulator = build(latest_by_offset, &call).unwrap();
    accumulator.resize(1);
    let args = [column(&SqlType::Int, &[Some(7), Some(9)]), column(&SqlType::String, &[Some(1), Some(2)])];
    let mut errors = EvalErrors::default();
    accumulator.update(&args, &[0, 1], &[0, 0], &mut errors);
    accumulator.undo(&args, &[0], &[0], &mut errors);
    let mut bytes = Vec::new();
    accumulator.state(&[0]).iter().for_each(|column| crate::state::codec::write_cell(column, 0, &mut bytes));
    let arrivals: &[u8] = &[1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
    let values: &[u8] = &[1, 1, 1, 9, 0, 0, 0];
    // The key's cell: a marker, its length, the text.
    let keys: &[u8] = &[1, 1, 1, 6, 1, 4, b's', b'0', b'0', b'7'];
    assert_eq!(bytes, [arrivals, values, keys].concat());
}

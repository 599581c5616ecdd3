//! Table entries of the aggregates. Their work is done in `expr::accumulators`.

use crate::expr::accumulator::BuildAccumulator;
use crate::expr::accumulators as made;
use crate::expr::functions::{Function, FunctionKind, Implementation, Overload, Param, ParamType, Returns};
use crate::types::SqlType;

const CATEGORY: &str = "AGGREGATE";

/// How many of a call's `args` arguments are constants, from the end: k of TOPK, n and ignoreNulls of *_BY_OFFSET.
pub fn constant_arguments(name: &str, args: usize) -> usize {
    match name {
        "TOPK" | "TOPKDISTINCT" => 1.min(args),
        "EARLIEST_BY_OFFSET" | "LATEST_BY_OFFSET" => args.saturating_sub(1),
        _ => 0,
    }
}

pub(super) fn entries() -> Vec<Function> {
    let mut all = counts_and_sums();
    all.extend(extremes());
    all.extend(collections());
    all.extend(by_offset());
    all.extend(statistics());
    all
}

fn function(name: &'static str, description: &'static str, overloads: Vec<Overload>) -> Function {
    Function { overloads, ..Function::new(name, FunctionKind::Aggregate, CATEGORY, description) }
}

fn param(name: &'static str, ty: ParamType, description: &'static str) -> Param {
    Param { name, ty, description }
}

fn overload(params: Vec<Param>, returns: Returns, make: BuildAccumulator) -> Overload {
    Overload { params, variadic: None, returns, call: Implementation::Aggregate(make) }
}

fn is(ty: &SqlType) -> ParamType {
    ParamType::Is(ty.clone())
}

/// One overload a type, which gives that type.
fn same(types: &[SqlType], make: BuildAccumulator) -> Vec<Overload> {
    types.iter().map(|ty| overload(vec![param("val", is(ty), "the value")], Returns::Is(is(ty)), make)).collect()
}

/// One overload a type, which gives `returns`.
fn giving(types: &[SqlType], returns: &SqlType, make: BuildAccumulator) -> Vec<Overload> {
    types.iter().map(|ty| overload(vec![param("val", is(ty), "the value")], Returns::Is(is(returns)), make)).collect()
}

/// Any DECIMAL, which gives the same one.
fn decimal(make: BuildAccumulator) -> Overload {
    overload(vec![param("val", ParamType::Decimal, "the value")], Returns::Computed(first), make)
}

fn first(args: &[SqlType]) -> Result<SqlType, String> {
    args.first().cloned().ok_or_else(|| "a value is missing".to_owned())
}

const NUMBERS: [SqlType; 3] = [SqlType::Int, SqlType::Bigint, SqlType::Double];

fn counts_and_sums() -> Vec<Function> {
    let any = |name| param(name, ParamType::Any, "the value");
    let lists = NUMBERS.map(|ty| {
        let list = ParamType::Array(Box::new(is(&ty)));
        overload(vec![param("list", list, "the lists whose items are added up")], Returns::Is(is(&ty)), made::sum_list)
    });
    let mut sums = same(&NUMBERS, made::sum);
    sums.push(decimal(made::sum));
    vec![
        function(
            "COUNT",
            "Number of rows whose value is not NULL; COUNT(*) counts all rows.",
            vec![overload(vec![any("val")], Returns::Is(is(&SqlType::Bigint)), made::count)],
        ).nulls("NULLs are not counted.").examples(&[("COUNT(x) of 'a', NULL, 'b'", "2"), ("COUNT(*) of 'a', NULL, 'b'", "3")]),
        function(
            "COUNT_DISTINCT",
            "Number of different values, NULL not counted. Exact up to 1024, above that within about 1 %.",
            vec![overload(vec![any("val")], Returns::Is(is(&SqlType::Bigint)), made::count_distinct)],
        ).examples(&[("COUNT_DISTINCT(x) of 1, 2, 2, NULL", "2")]),
        function(
            "SUM",
            "Sum of the values; 0 when there are none. Integers wrap; a DECIMAL that doesn't fit is NULL until it does.",
            sums,
        ).examples(&[("SUM(x) of 1, 2, NULL", "3"), ("SUM(x) of 1.50, -0.25", "1.25")]),
        function("SUM_LIST", "Sum of the items of all lists.", lists.into()).examples(&[("SUM_LIST(x) of ARRAY[1, 2], ARRAY[3, NULL]", "6")]),
        function("AVG", "Mean of the values; 0 when there are none.", giving(&NUMBERS, &SqlType::Double, made::avg)).examples(&[("AVG(x) of 1, 2", "1.5")]),
    ]
}

fn extremes() -> Vec<Function> {
    let ordered = [
        SqlType::Int,
        SqlType::Bigint,
        SqlType::Double,
        SqlType::String,
        SqlType::Bytes,
        SqlType::Date,
        SqlType::Time,
        SqlType::Timestamp,
    ];
    let with_decimal = |make: BuildAccumulator| {
        let mut overloads = same(&ordered, make);
        overloads.push(decimal(make));
        overloads
    };
    let k = || param("k", is(&SqlType::Int), "how many values to keep, a constant");
    let topk = NUMBERS.into_iter().chain([SqlType::String]).map(|ty| Overload {
        params: vec![
            param("sort_col", is(&ty), "the value to sort by"),
            param("other_cols", ParamType::Any, "columns that come along"),
            k(),
        ],
        variadic: Some(1),
        returns: Returns::Computed(topk_returns),
        call: Implementation::Aggregate(made::topk),
    });
    let distinct = overload(
        vec![param("val", ParamType::Generic("T"), "the value"), k()],
        Returns::Is(ParamType::Array(Box::new(ParamType::Generic("T")))),
        made::topkdistinct,
    );
    vec![
        function("MIN", "Least value; NULL when there is none.", with_decimal(made::min))
            .examples(&[("MIN(x) of 3, 1, 2", "1"), ("MIN(x) of 'b', 'a'", "a")]),
        function("MAX", "Greatest value; NULL when there is none.", with_decimal(made::max))
            .examples(&[("MAX(x) of 3, 1, NULL", "3")]),
        function("TOPK", "The k greatest values, greatest first.", topk.collect())
            .nulls("Rows whose first value is NULL are left out.")
            .examples(&[("TOPK(x, 2) of 1, 3, 3, 2", "[3, 3]")]),
        function("TOPKDISTINCT", "The k greatest different values, greatest first.", vec![distinct])
            .examples(&[("TOPKDISTINCT(x, 2) of 1, 3, 3, 2", "[3, 2]")]),
    ]
}

/// `args` are the types of all arguments, the constant k last.
fn topk_returns(args: &[SqlType]) -> Result<SqlType, String> {
    match args {
        [columns @ .., _k] if !columns.is_empty() => Ok(SqlType::Array(Box::new(made::topk_item(columns)))),
        _ => Err("a value and k are needed".to_owned()),
    }
}

fn collections() -> Vec<Function> {
    let value = || vec![param("val", ParamType::Generic("T"), "the value")];
    let list = || Returns::Is(ParamType::Array(Box::new(ParamType::Generic("T"))));
    vec![
        function(
            "COLLECT_LIST",
            "All values, NULLs too, in order of arrival.",
            vec![overload(value(), list(), made::collect_list)],
        )
        .nulls("NULLs are kept.")
        .examples(&[("COLLECT_LIST(x) of 1, NULL, 1", "[1, null, 1]")]),
        function(
            "COLLECT_SET",
            "The different values in order of arrival.",
            vec![overload(value(), list(), made::collect_set)],
        )
        .nulls("One NULL is kept.")
        .examples(&[("COLLECT_SET(x) of 2, 1, 2", "[2, 1]")]),
        function(
            "HISTOGRAM",
            "How often each value came, of the first 1000 different ones.",
            giving(&[SqlType::String], &SqlType::Map(Box::new(SqlType::Bigint)), made::histogram),
        )
        .nulls("NULLs are counted under the key `null`.")
        .examples(&[("HISTOGRAM(x) of 'a', 'b', 'a'", "{a=2, b=1}")]),
        function(
            "ATTR",
            "The value when all rows have the same one, else NULL.",
            vec![overload(value(), Returns::Is(ParamType::Generic("T")), made::attr)],
        )
        .nulls("NULL is a value like others.")
        .examples(&[("ATTR(x) of 'a', 'a'", "a"), ("ATTR(x) of 'a', 'b'", "null")]),
    ]
}

fn by_offset() -> Vec<Function> {
    let overloads = |make: BuildAccumulator| {
        let value = || param("val", ParamType::Generic("T"), "the value");
        let n = || param("n", is(&SqlType::Int), "how many values to keep, a constant");
        let ignore = || param("ignoreNulls", is(&SqlType::Boolean), "whether NULLs are left out, a constant (true)");
        let one = || Returns::Is(ParamType::Generic("T"));
        let list = || Returns::Is(ParamType::Array(Box::new(ParamType::Generic("T"))));
        vec![
            overload(vec![value()], one(), make),
            overload(vec![value(), ignore()], one(), make),
            overload(vec![value(), n()], list(), make),
            overload(vec![value(), n(), ignore()], list(), make),
        ]
    };
    vec![
        function(
            "EARLIEST_BY_OFFSET",
            "The first value, or the first n, in order of arrival.",
            overloads(made::earliest_by_offset),
        )
        .nulls("NULLs are left out, unless ignoreNulls is false.")
        .examples(&[("EARLIEST_BY_OFFSET(x) of 1, 2, 3", "1"), ("EARLIEST_BY_OFFSET(x, 2) of 1, 2, 3", "[1, 2]")]),
        function(
            "LATEST_BY_OFFSET",
            "The last value, or the last n, in order of arrival.",
            overloads(made::latest_by_offset),
        )
        .nulls("NULLs are left out, unless ignoreNulls is false.")
        .examples(&[
            ("LATEST_BY_OFFSET(x) of 1, 2, NULL", "2"),
            ("LATEST_BY_OFFSET(x, false) of 1, 2, NULL", "null"),
            ("LATEST_BY_OFFSET(x, 2) of 1, 2, 3", "[2, 3]"),
        ]),
    ]
}

fn statistics() -> Vec<Function> {
    let pairs = NUMBERS.map(|ty| {
        let params = vec![param("x", is(&ty), "one value"), param("y", is(&ty), "the other value")];
        overload(params, Returns::Is(is(&SqlType::Double)), made::correlation)
    });
    vec![
        function(
            "STDDEV_SAMP",
            "Sample variance, as ksqlDB has it; STDDEV_SAMPLE is the standard deviation.",
            giving(&NUMBERS, &SqlType::Double, made::stddev_samp),
        )
        .examples(&[("STDDEV_SAMP(x) of 10, 14", "8.0")]),
        function(
            "STDDEV_SAMPLE",
            "Sample standard deviation.",
            giving(&NUMBERS, &SqlType::Double, made::stddev_sample),
        )
        .examples(&[("STDDEV_SAMPLE(x) of 1, 5, 9", "4.0")]),
        function("CORRELATION", "Pearson's correlation of two values.", pairs.into())
            .nulls("Pairs with a NULL are left out.")
            .examples(&[("CORRELATION(x, y) of (0, 5), (2, 3)", "-1.0")]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 18 of the language, each with at least one overload.
    #[test]
    fn all_aggregates_are_there() {
        let mut names: Vec<_> = entries().iter().map(|function| function.name).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "ATTR",
                "AVG",
                "COLLECT_LIST",
                "COLLECT_SET",
                "CORRELATION",
                "COUNT",
                "COUNT_DISTINCT",
                "EARLIEST_BY_OFFSET",
                "HISTOGRAM",
                "LATEST_BY_OFFSET",
                "MAX",
                "MIN",
                "STDDEV_SAMP",
                "STDDEV_SAMPLE",
                "SUM",
                "SUM_LIST",
                "TOPK",
                "TOPKDISTINCT"
            ]
        );
        assert!(entries().iter().all(|function| !function.overloads.is_empty()));
    }
}

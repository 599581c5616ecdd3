//! The rules of values: arithmetic, comparison, logic, casts, access, construction.

use super::{Table, booleans, ints, one, strings};
use crate::types::{SqlType, Value};

fn expect(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, one(text), expected))
        .filter(|(_, got, expected)| got != *expected)
        .map(|(text, got, expected)| format!("{text}: {got}, not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arithmetic() {
    expect(&[
        ("2147483647 + 1", "-2147483648"),
        ("2147483648 + 1", "2147483649"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("1 / 0", "failed, null"),
        ("1 % 0", "failed, null"),
        ("1e0 / 0", "Infinity"),
        ("1.50 + 0.005", "1.505"),
        ("1.5 * 2", "3.0"),
        ("1.0 / 4.0", "0.250000"),
        ("1.0 / 3.0", "failed, null"),
        ("1.0 / 0.0", "failed, null"),
        ("7.5 % 2", "1.5"),
        ("'a' + 'b'", "ab"),
        ("2 + 3 * 4", "14"),
        ("-(-3)", "3"),
    ]);
}

#[test]
fn types_of_arithmetic() {
    let table =
        Table::default().with("D", "DECIMAL(4, 2)", vec![]).with("L", "BIGINT", vec![]).with("I", "INT", vec![]);
    for (text, ty) in [
        ("D + D", "DECIMAL(5, 2)"),
        ("D * D", "DECIMAL(9, 4)"),
        // scale max(6, 2 + 4 + 1), precision 4 - 2 + 2 + 7
        ("D / D", "DECIMAL(11, 7)"),
        ("D % D", "DECIMAL(4, 2)"),
        // INT counts as DECIMAL(10, 0)
        ("D + I", "DECIMAL(13, 2)"),
        ("I + L", "BIGINT"),
        ("I + 1", "INTEGER"),
        ("D + 1e0", "DOUBLE"),
        ("0.005", "DECIMAL(4, 3)"),
    ] {
        assert_eq!(table.check(text).unwrap().known_type().unwrap().to_string(), ty, "{text}");
    }
}

#[test]
fn null_operands_fail_their_row() {
    let table = Table::default().with("A", "INT", ints(&[Some(1), None, Some(3)]));
    assert_eq!(table.run("A + 1"), (ints(&[Some(2), None, Some(4)]), vec![1]));
    assert_eq!(table.run("-A"), (ints(&[Some(-1), None, Some(-3)]), vec![1]));
    // What fails makes all around it NULL, but an argument that fails is an ordinary NULL.
    assert_eq!(table.run("NOT (A + 1 = 2)"), (booleans(&[Some(false), None, Some(true)]), vec![1]));
    assert_eq!(table.run("IFNULL(A + 1, 0)"), (ints(&[Some(2), Some(0), Some(4)]), vec![1]));
}

#[test]
fn comparisons_have_two_values() {
    let table = Table::default().with("A", "INT", ints(&[Some(1), None, None])).with(
        "B",
        "INT",
        ints(&[Some(1), Some(1), None]),
    );
    for (text, expected) in [
        ("A = B", [true, false, false]),
        ("A <> B", [false, false, false]),
        ("NOT (A = B)", [false, true, true]),
        ("A < B", [false, false, false]),
        ("A <= B", [true, false, false]),
        ("A IS DISTINCT FROM B", [false, true, false]),
        ("A IS NOT DISTINCT FROM B", [true, false, true]),
        ("A IS NULL", [false, true, true]),
        ("A BETWEEN 0 AND 2", [true, false, false]),
        ("A NOT BETWEEN 0 AND 2", [false, true, true]),
        ("A IN (1, NULL)", [true, false, false]),
        ("A NOT IN (2, NULL)", [true, true, true]),
    ] {
        let expected: Vec<_> = expected.iter().map(|value| Value::Boolean(*value)).collect();
        assert_eq!(table.run(text), (expected, vec![]), "{text}");
    }
}

#[test]
fn comparable_types() {
    expect(&[
        ("1 = 1.0", "true"),
        ("1.10 = 1.1", "true"),
        ("2 > 1.5e0", "true"),
        ("CAST('2020-01-02' AS DATE) = '2020-01-02'", "true"),
        ("CAST('2020-01-02' AS DATE) < CAST('2020-01-02T00:00:01' AS TIMESTAMP)", "true"),
        ("CAST('10:00' AS TIME) > '09:59:59'", "true"),
        ("ARRAY[1, 2] = ARRAY[1, 2]", "true"),
        ("MAP('a' := 1, 'b' := 2) = MAP('b' := 2, 'a' := 1)", "true"),
        ("STRUCT(a := 1) = STRUCT(a := 2)", "false"),
        ("CAST('0' AS DOUBLE) = -0e0", "true"),
        ("0e0 / 0 = 0e0 / 0", "false"),
        // Bytes are signed: 0x80 comes before 0x7F.
        ("TO_BYTES('80', 'hex') < TO_BYTES('7F', 'hex')", "true"),
        ("5 IN (1, '5', 6.5)", "true"),
        ("true IN ('ye')", "true"),
        ("'b' BETWEEN 'a' AND 'c'", "true"),
    ]);
}

#[test]
fn logic_evaluates_what_it_selects() {
    let table = Table::default().with("A", "INT", ints(&[Some(0), Some(2), None])).with(
        "B",
        "BOOLEAN",
        booleans(&[Some(true), Some(false), None]),
    );
    assert_eq!(table.run("A <> 0 AND 4 / A = 2"), (booleans(&[Some(false), Some(true), Some(false)]), vec![]));
    assert_eq!(table.run("A = 0 OR 4 / A = 2"), (booleans(&[Some(true), Some(true), None]), vec![2]));
    assert_eq!(table.run("4 / A = 2"), (booleans(&[None, Some(true), None]), vec![0, 2]));
    // Nor does it matter that a side had to be widened.
    assert_eq!(table.run("NOT (4 / A = 2e0)"), (booleans(&[None, Some(false), None]), vec![0, 2]));
    assert_eq!(table.run("4 / A IN (2, 3000000000)"), (booleans(&[None, Some(true), None]), vec![0, 2]));
    assert_eq!(table.run("ARRAY[1, 2][4 / A] IS NULL"), (booleans(&[None, Some(false), None]), vec![0, 2]));
    // A NULL truth value fails, unless what stands before it has decided.
    assert_eq!(table.run("NOT B"), (booleans(&[Some(false), Some(true), None]), vec![2]));
    assert_eq!(table.run("A IS NULL OR B"), (booleans(&[Some(true), Some(false), Some(true)]), vec![]));
    assert_eq!(table.run("B OR A IS NULL"), (booleans(&[Some(true), Some(false), None]), vec![2]));
    assert_eq!(
        table.run("CASE WHEN A = 0 THEN -1 WHEN A IS NULL THEN NULL ELSE 4 / A END"),
        (ints(&[Some(-1), Some(2), None]), vec![])
    );
    assert_eq!(table.run("CASE A WHEN 2 THEN 'two' END"), (strings(&[None, Some("two"), None]), vec![]));
}

#[test]
fn filters_drop_null_and_failed_rows() {
    let table = Table::default().with("A", "INT", ints(&[Some(0), Some(2), None, Some(4)]));
    let typed = table.check("4 / A >= 1").unwrap();
    let mut errors = super::EvalErrors::default();
    let columns = [table.columns[0].2.clone()];
    let input = super::Input { columns: &columns, rows: 4 };
    let kept = super::compile(&typed).unwrap().filter(input, &mut errors);
    assert_eq!(kept.set_indices().collect::<Vec<_>>(), vec![1, 3]);
    let mut failed: Vec<usize> = errors.failed_rows().collect();
    failed.sort_unstable();
    // Division by zero, and by NULL.
    assert_eq!(failed, vec![0, 2]);
}

#[test]
fn casts() {
    expect(&[
        ("CAST(4294967297 AS INT)", "1"),
        ("CAST(-1.9 AS INT)", "-1"),
        ("CAST(1e30 AS INT)", "2147483647"),
        ("CAST(1.25 AS DECIMAL(2, 1))", "1.3"),
        ("CAST(99.99 AS DECIMAL(3, 1))", "failed, null"),
        ("CAST(10 AS DECIMAL(2, 1))", "failed, null"),
        ("CAST('Y' AS BOOLEAN)", "true"),
        ("CAST('tr' AS BOOLEAN)", "true"),
        ("CAST('on' AS BOOLEAN)", "false"),
        ("CAST(' 12 ' AS INT)", "12"),
        ("CAST('1.5' AS INT)", "failed, null"),
        ("CAST('NaN' AS DOUBLE)", "failed, null"),
        ("CAST('0.99' AS DECIMAL(2, 1))", "1.0"),
        ("CAST(1e10 AS STRING)", "1.0E10"),
        ("CAST(1.10 AS STRING)", "1.10"),
        ("CAST(true AS STRING)", "true"),
        ("CAST(ARRAY[1, NULL] AS STRING)", "[1, null]"),
        ("CAST(MAP('a' := 1) AS STRING)", "{a=1}"),
        ("CAST(STRUCT(a := 1, b := 'x') AS STRING)", "Struct{A=1,B=x}"),
        ("CAST(ARRAY[1, 2] AS ARRAY<STRING>)", "[1, 2]"),
        ("CAST(ARRAY['1', 'x'] AS ARRAY<INT>)", "failed, null"),
        ("CAST(STRUCT(a := 1, b := 2) AS STRUCT<B STRING, C INT>)", "{B=2, C=null}"),
        ("CAST('2020' AS DATE)", "2020-01-01"),
        ("CAST('2020-02-03T04:05' AS TIMESTAMP)", "2020-02-03T04:05:00.000"),
        ("CAST(CAST('2020-02-03T04:05:06.789' AS TIMESTAMP) AS STRING)", "2020-02-03T04:05:06.789"),
        ("CAST(CAST('2020-02-03T04:05' AS TIMESTAMP) AS DATE)", "2020-02-03"),
        ("CAST(CAST('04:05:06' AS TIME) AS STRING)", "04:05:06"),
        ("CAST(NULL AS STRING)", "null"),
        ("CAST(NULL AS STRUCT<F0 INT>)", "null"),
        ("CAST(1 / 0 AS STRING) IS NULL", "failed, true"),
    ]);
}

#[test]
fn parts_of_values() {
    expect(&[
        ("ARRAY[1, 2, 3][1]", "1"),
        ("ARRAY[1, 2, 3][-1]", "3"),
        ("ARRAY[1, 2, 3][0]", "null"),
        ("ARRAY[1, 2, 3][4]", "null"),
        ("ARRAY[1, 2, 3][-4]", "null"),
        ("MAP('a' := 1)['a']", "1"),
        ("MAP('a' := 1)['b']", "null"),
        ("STRUCT(a := 1, `b` := 'x')->`b`", "x"),
        ("CAST(NULL AS STRUCT<A STRUCT<B INT>>)->A->B", "null"),
        ("MAP('a' := 1, 'a' := 2)['a']", "2"),
        ("ARRAY[1, 2.5]", "[1.0, 2.5]"),
        ("ARRAY[STRUCT(x := 1), STRUCT(y := 2)]", "[{X=1, Y=null}, {X=null, Y=2}]"),
    ]);
}

#[test]
fn like() {
    expect(&[
        ("'abc' LIKE 'a%'", "true"),
        ("'abc' LIKE 'A%'", "false"),
        ("'abc' LIKE 'a_c'", "true"),
        ("'abc' LIKE 'b'", "false"),
        ("'a%c' LIKE 'a!%c' ESCAPE '!'", "true"),
        ("'abc' LIKE 'a!%c' ESCAPE '!'", "false"),
        ("'a.c' LIKE 'a.c'", "true"),
        ("'abc' LIKE 'a.c'", "false"),
        ("'a\nb' LIKE 'a%'", "false"),
        ("'abc' NOT LIKE 'x%'", "true"),
    ]);
    let table = Table::default().with("S", "STRING", strings(&[Some("abc"), None, Some("xbc")])).with(
        "P",
        "STRING",
        strings(&[Some("a%"), Some("%"), None]),
    );
    assert_eq!(table.run("S LIKE P"), (booleans(&[Some(true), None, None]), vec![1, 2]));
}

#[test]
fn what_is_empty_has_the_type_of_its_place() {
    let lists = vec![Value::Array(vec![]), Value::Array(vec![Value::Int(1)]), Value::Null];
    let table = Table::default().with("L", "ARRAY<INT>", lists);
    assert_eq!(table.texts("CAST(ARRAY[] AS ARRAY<INT>)"), ["[]", "[]", "[]"]);
    assert_eq!(table.texts("CAST(MAP() AS MAP<STRING, ARRAY<DATE>>)"), ["{}", "{}", "{}"]);
    assert_eq!(table.texts("IFNULL(L, ARRAY[])"), ["[]", "[1]", "[]"]);
    assert_eq!(table.texts("CASE WHEN L[1] = 1 THEN ARRAY[] ELSE L END"), ["[]", "[]", "null"]);
    assert_eq!(table.texts("ARRAY[L, ARRAY[]]"), ["[[], []]", "[[1], []]", "[null, []]"]);
    assert_eq!(table.run("L = ARRAY[]").0, booleans(&[Some(true), Some(false), Some(false)]));
    assert_eq!(table.run("MAP() <> MAP('a' := 1)").0, booleans(&[Some(true); 3]));
    assert_eq!(table.run("ARRAY[] IS NOT DISTINCT FROM L").0, booleans(&[Some(true), Some(false), Some(false)]));
    assert_eq!(table.texts("ARRAY_LENGTH(ARRAY[])"), ["0", "0", "0"]);
    let list = SqlType::Array(Box::new(SqlType::Bigint));
    let empty = crate::expr::constant(&crate::sql::parse_expression("ARRAY[]").unwrap(), Some(&list), &|_| None);
    assert_eq!(empty.unwrap(), Value::Array(vec![]));
}

#[test]
fn system_times_take_text() {
    let times = vec![Value::Bigint(0), Value::Bigint(1_514_764_800_000)];
    let table = Table::default().with("ROWTIME", "BIGINT", times);
    assert_eq!(table.run("ROWTIME >= '2018'").0, booleans(&[Some(false), Some(true)]));
    assert_eq!(table.run("ROWTIME BETWEEN '1970-01-01T01:00+0100' AND '1971'").0, booleans(&[Some(true), Some(false)]));
    assert!(table.check("ROWTIME > 'soon'").unwrap_err().what.contains("Failed to parse timestamp"));
}

#[test]
fn lambdas_see_columns_and_nest() {
    let lists = vec![
        Value::Array(vec![Value::Int(1), Value::Int(2)]),
        Value::Null,
        Value::Array(vec![]),
        Value::Array(vec![Value::Int(5), Value::Null]),
    ];
    let table = Table::default().with("L", "ARRAY<INT>", lists).with(
        "N",
        "INT",
        ints(&[Some(10), Some(20), Some(30), Some(40)]),
    );
    assert_eq!(table.texts("TRANSFORM(L, x => IFNULL(x, 0) + N)"), ["[11, 12]", "null", "[]", "[45, 40]"]);
    assert_eq!(table.run("TRANSFORM(L, x => x + N)").1, vec![3]);
    // The call fails with its lambda; what the lambda makes good itself is reported, and the call goes on.
    assert_eq!(table.texts("TRANSFORM(L, x => x + N)"), ["[11, 12]", "null", "[]", "null"]);
    assert_eq!(table.texts("TRANSFORM(L, x => IFNULL(x + N, 0))"), ["[11, 12]", "null", "[]", "[45, 0]"]);
    assert_eq!(table.run("TRANSFORM(L, x => IFNULL(x + N, 0))").1, vec![3]);
    assert_eq!(table.texts("REDUCE(L, '', (s, x) => s + CAST(x + N AS STRING))"), ["1112", "", "", "45"]);
    assert_eq!(table.texts("FILTER(L, x => x > 1)"), ["[2]", "null", "[]", "[5]"]);
    assert_eq!(table.texts("REDUCE(L, N, (s, x) => s + IFNULL(x, 1))"), ["13", "20", "30", "46"]);
    assert_eq!(
        table.texts("TRANSFORM(L, x => REDUCE(L, 0, (s, y) => s + IFNULL(y, 0) * IFNULL(x, 0) + N))"),
        ["[23, 26]", "null", "[]", "[105, 80]"]
    );
}

#[test]
fn columns_can_be_renumbered() {
    let table = Table::default().with("A", "INT", ints(&[Some(1)])).with("B", "INT", ints(&[Some(2)]));
    let mut typed = table.check("B + A * B").unwrap();
    assert_eq!(typed.columns(), vec![0, 1]);
    typed.map_columns(&|column| column + 3);
    assert_eq!(typed.columns(), vec![3, 4]);
    assert!(!typed.is_constant());
    assert!(table.check("1 + LEN('a')").unwrap().is_constant());
}

#[test]
fn constants_for_insert() {
    let value = |text: &str, ty: SqlType| {
        crate::expr::constant(&crate::sql::parse_expression(text).unwrap(), Some(&ty), &|_| None)
    };
    assert_eq!(value("1", SqlType::Bigint).unwrap(), Value::Bigint(1));
    assert_eq!(value("'12'", SqlType::Int).unwrap(), Value::Int(12));
    assert_eq!(value("5", SqlType::String).unwrap(), Value::String("5".into()));
    assert_eq!(value("'1970-01-02'", SqlType::Date).unwrap(), Value::Date(1));
    assert_eq!(value("'AQI='", SqlType::Bytes).unwrap(), Value::Bytes(vec![1, 2]));
    assert_eq!(value("NULL", SqlType::Int).unwrap(), Value::Null);
    assert_eq!(value("UCASE('a')", SqlType::String).unwrap(), Value::String("A".into()));
    let list = SqlType::Array(Box::new(SqlType::Bigint));
    assert_eq!(value("ARRAY[1, NULL]", list).unwrap(), Value::Array(vec![Value::Bigint(1), Value::Null]));
    let decimal = SqlType::Decimal { precision: 4, scale: 2 };
    assert_eq!(value("1.5", decimal.clone()).unwrap().to_string(), "1.50");
    assert!(value("1.555", decimal).is_err());
    assert!(value("'x'", SqlType::Int).unwrap_err().what.contains("invalid input syntax for type INTEGER: \"x\""));
    assert!(value("A", SqlType::Int).is_err());
    assert!(value("1 / 0", SqlType::Int).is_err());
}

#[test]
fn evaluators_go_to_other_threads() {
    fn is_send<T: Send>() {}
    is_send::<crate::expr::Evaluator>();
    is_send::<crate::expr::TableEvaluator>();
    is_send::<crate::expr::Typed>();
}

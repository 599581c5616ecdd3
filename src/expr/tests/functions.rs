//! Functions at their edges: what examples in the table don't show.

use super::{Table, ints, one, strings};

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
fn numbers() {
    expect(&[
        ("ABS(CAST(-2147483647 - 1 AS INT))", "-2147483648"),
        ("ROUND(1.5e0)", "2"),
        ("ROUND(-1.5e0)", "-1"),
        ("ROUND(-2.5)", "-2"),
        ("ROUND(1.005e0, 2)", "1.01"),
        ("ROUND(1234.5e0, -2)", "1200.0"),
        ("ROUND(9.9)", "failed, null"),
        ("TRUNC(-1234.56, -2)", "-1200.00"),
        ("CEIL(9.9)", "failed, null"),
        ("CEIL(1.2)", "2.0"),
        ("SQRT(-1)", "NaN"),
        ("LOG(1, 2)", "NaN"),
        ("LOG(2, 0)", "-Infinity"),
        ("POWER(10, 400)", "Infinity"),
        ("SIGN(-0.5e0)", "-1"),
        ("GREATEST(1.5, 2.25)", "2.25"),
        ("LEAST(NULL, 3, NULL, 2)", "2"),
        ("GEO_DISTANCE(37.4439, -122.1663, 51, 0)", "8682.459061368269"),
        ("GEO_DISTANCE(91, 0, 0, 0)", "failed, null"),
    ]);
}

#[test]
fn texts() {
    expect(&[
        ("LEN('a😀')", "3"),
        ("SUBSTRING('a😀b', 4)", "b"),
        ("SUBSTRING('abc', 0, 2)", "ab"),
        ("SUBSTRING('abc', -5, 2)", "ab"),
        ("SUBSTRING('abc', 2, -1)", ""),
        ("SUBSTRING('abc', 9)", ""),
        ("CONCAT(CAST(NULL AS STRING), NULL)", ""),
        ("CONCAT_WS(CAST(NULL AS STRING), 'a', 'b')", "null"),
        ("LPAD('foo', -1, 'x')", "null"),
        ("LPAD('foo', 5, '')", "null"),
        ("RPAD('foo', 0, 'x')", ""),
        ("INSTR('corporate floor', 'or', 4)", "5"),
        ("INSTR('corporate floor', 'or', -4)", "5"),
        ("INSTR('short', 'or', -4)", "0"),
        ("INSTR('abc', 'x')", "0"),
        ("INSTR('abc', 'a', 10)", "0"),
        ("INITCAP('the   Quick br0wn fOx')", "The   Quick Br0wn Fox"),
        ("SPLIT(',a,,', ',')", "[, a, , ]"),
        ("SPLIT_TO_MAP('a:1//b:2:3/x', '/', ':')", "{a=1, b=2}"),
        ("SPLIT_TO_MAP('a:1', ':', ':')", "null"),
        ("CHR('\\ud820\\udeb8')", "\u{182b8}"),
        ("CHR('75')", "null"),
        ("CHR(1114112)", "null"),
        ("MASK('AbC 1', 'U', NULL, '0', '_')", "UbU_0"),
        ("MASK_LEFT('abc', -1)", "failed, null"),
        ("MASK_KEEP_LEFT('abc', 9)", "abc"),
        ("REGEXP_EXTRACT('(.*) (.*)', 'agavra', 2)", "null"),
        ("REGEXP_EXTRACT('a', 'a', 1)", "null"),
        ("REGEXP_EXTRACT('(', 'a')", "failed, null"),
        ("REGEXP_EXTRACT_ALL('x', 'abc')", "[]"),
        ("REGEXP_SPLIT_TO_ARRAY('xax', 'x')", "[, a, ]"),
        ("REGEXP_SPLIT_TO_ARRAY('abc', '')", "[a, b, c]"),
        ("REGEXP_REPLACE('abc', 'b', '\\$')", "a$c"),
        ("TRIM('  ')", ""),
        ("REPLACE('aaa', 'aa', 'b')", "ba"),
    ]);
}

#[test]
fn json_and_bytes() {
    expect(&[
        (r#"EXTRACTJSONFIELD('{"a": null}', '$.a')"#, "null"),
        (r#"EXTRACTJSONFIELD('{"a": 1}', '$.b') IS NULL"#, "true"),
        (r#"EXTRACTJSONFIELD('{"a": null}', '$.a') IS NULL"#, "false"),
        ("EXTRACTJSONFIELD('abc', '$.a')", "failed, null"),
        ("JSON_ARRAY_LENGTH('{}')", "null"),
        ("JSON_ARRAY_LENGTH('')", "null"),
        ("JSON_ARRAY_CONTAINS('[1.0]', 1)", "false"),
        ("JSON_ARRAY_CONTAINS('[null]', NULL)", "true"),
        ("JSON_ARRAY_CONTAINS('oops', 1)", "false"),
        ("JSON_ITEMS('{}')", "failed, null"),
        ("JSON_KEYS('[]')", "null"),
        (r#"JSON_CONCAT('{"a": 1}', '{"a": 2}')"#, r#"{"a":2}"#),
        ("JSON_CONCAT('[1]', NULL)", "null"),
        ("TO_JSON_STRING(1.10)", "1.10"),
        ("TO_JSON_STRING(FROM_DAYS(0))", "\"1970-01-01\""),
        ("TO_JSON_STRING(MAP('b' := 'x\"y', 'a' := NULL))", r#"{"a":null,"b":"x\"y"}"#),
        ("ENCODE('X''4578''', 'hex', 'ascii')", "Ex"),
        ("ENCODE('0x541', 'hex', 'ascii')", "\u{5}A"),
        ("ENCODE('541', 'hex', 'ascii')", "failed, null"),
        ("ENCODE('Ελ', 'ascii', 'hex')", "3f3f"),
        ("ENCODE('a', 'utf8', 'utf8')", "failed, null"),
        ("INT_FROM_BYTES(TO_BYTES('00', 'hex'))", "failed, null"),
        ("UUID(TO_BYTES('00', 'hex'))", "null"),
        ("URL_EXTRACT_PATH('http://www.test.com?query#fragment')", ""),
        ("URL_EXTRACT_PORT('http://test@confluent.io')", "null"),
        ("URL_EXTRACT_PROTOCOL('www.confluent.io')", "null"),
        ("URL_EXTRACT_HOST('http://a b')", "failed, null"),
        ("URL_EXTRACT_PARAMETER('http://a?flag&x=1', 'flag')", ""),
        ("URL_EXTRACT_PARAMETER('http://a?x=1', 'y')", "null"),
        ("URL_DECODE_PARAM('%zz')", "failed, null"),
    ]);
}

#[test]
fn collections() {
    expect(&[
        ("ARRAY_CONTAINS(CAST(NULL AS ARRAY<INT>), 1)", "false"),
        ("ARRAY_CONTAINS(ARRAY[1, NULL], CAST(NULL AS INT))", "true"),
        ("ARRAY_DISTINCT(ARRAY[1, NULL, 1, NULL])", "[1, null]"),
        ("ARRAY_UNION(ARRAY[1], CAST(NULL AS ARRAY<INT>))", "null"),
        ("ARRAY_CONCAT(ARRAY[1], CAST(NULL AS ARRAY<INT>))", "[1]"),
        ("ARRAY_JOIN(ARRAY[true, NULL], CAST(NULL AS STRING))", "truenull"),
        ("ARRAY_JOIN(ARRAY[ARRAY[1]])", "failed, null"),
        ("ARRAY_MAX(ARRAY[CAST(NULL AS INT)])", "null"),
        ("ARRAY_REMOVE(ARRAY[1, NULL], CAST(NULL AS INT))", "[1]"),
        ("ARRAY_SORT(ARRAY[3, NULL, 1], 'descending')", "[3, 1, null]"),
        ("ARRAY_SORT(ARRAY[3, 1], 'up')", "null"),
        ("ARRAY_SORT(ARRAY['foo', 'fo', 'Food', 'food'])", "[Food, fo, foo, food]"),
        ("SLICE(ARRAY[1, 2, 3], NULL, 2)", "[1, 2]"),
        ("SLICE(ARRAY[1, 2, 3], 2, 5)", "null"),
        ("GENERATE_SERIES(3, 1)", "[3, 2, 1]"),
        ("GENERATE_SERIES(3, 3)", "[3]"),
        ("GENERATE_SERIES(1, 5, -1)", "failed, null"),
        ("AS_MAP(ARRAY['a', 'b'], ARRAY[1])", "{a=1, b=null}"),
        ("MAP_UNION(MAP('a' := 1), CAST(NULL AS MAP<STRING, INT>))", "{a=1}"),
        ("ENTRIES(MAP('b' := 1, 'a' := 2), true)", "[{K=a, V=2}, {K=b, V=1}]"),
        ("TRANSFORM(MAP('a' := 1, 'b' := 2), (k, v) => 'x', (k, v) => v)", "failed, null"),
        ("REDUCE(ARRAY[1], CAST(NULL AS INT), (s, x) => 1)", "null"),
        ("REDUCE(CAST(NULL AS ARRAY<INT>), 5, (s, x) => s + x)", "5"),
        ("REDUCE(MAP('a' := 1, 'b' := 2), 0, (s, k, v) => s + v)", "3"),
        ("FIELD(CAST(NULL AS STRING), 'a')", "0"),
        ("NULLIF(ARRAY[1], ARRAY[1])", "null"),
    ]);
}

#[test]
fn dates() {
    expect(&[
        ("PARSE_TIMESTAMP('2021-02-31', 'yyyy-MM-dd')", "2021-02-28T00:00:00.000"),
        ("PARSE_TIMESTAMP('2021-13-01', 'yyyy-MM-dd')", "failed, null"),
        ("PARSE_TIMESTAMP('2021-01-01x', 'yyyy-MM-dd')", "failed, null"),
        (
            "PARSE_TIMESTAMP('2021-01-01T10:00:00.123456789Z', 'yyyy-MM-dd''T''HH:mm:ss.SSSSSSSSSX')",
            "2021-01-01T10:00:00.123",
        ),
        ("PARSE_TIMESTAMP('2021-07-01 10:00', 'yyyy-MM-dd HH:mm', 'America/New_York')", "2021-07-01T14:00:00.000"),
        ("PARSE_TIMESTAMP('2021-07-01 10:00 +0200', 'yyyy-MM-dd HH:mm Z')", "2021-07-01T08:00:00.000"),
        ("PARSE_TIMESTAMP('21-7-1', 'yy-M-d')", "2021-07-01T00:00:00.000"),
        ("PARSE_TIMESTAMP('2021-07-01', 'yyyy-MM-dd[ HH:mm]')", "2021-07-01T00:00:00.000"),
        ("PARSE_TIMESTAMP('2021-07-01 08:30', 'yyyy-MM-dd[ HH:mm]')", "2021-07-01T08:30:00.000"),
        ("PARSE_TIMESTAMP('12 am', 'h a')", "1970-01-01T00:00:00.000"),
        ("PARSE_TIMESTAMP('x', 'b')", "failed, null"),
        (
            "FORMAT_TIMESTAMP(FROM_UNIXTIME(1625130000000), 'EEEE, d MMMM uuuu h:mm:ss.SSS a XXX', 'Asia/Kolkata')",
            "Thursday, 1 July 2021 2:30:00.000 PM +05:30",
        ),
        ("FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'yyyy', 'Nowhere')", "failed, null"),
        ("FORMAT_TIMESTAMP(FROM_UNIXTIME(-1), 'yyyyMMdd DDD Q')", "19691231 365 4"),
        ("FORMAT_DATE(FROM_DAYS(0), 'HH')", "failed, null"),
        ("FORMAT_TIME(CAST('01:02' AS TIME), 'yyyy')", "failed, null"),
        ("FORMAT_DATE(FROM_DAYS(-1), 'dd-MM-yyyy''Sophia''')", "31-12-1969Sophia"),
        ("PARSE_DATE('2018-05-11Lit', 'yyyy-MM-dd''Lit''')", "2018-05-11"),
        ("PARSE_DATE('JAN-2022', 'MMM-yyyy')", "2022-01-01"),
        ("PARSE_DATE('2022-13-01', 'yyyy-MM-dd')", "2023-01-01"),
        ("PARSE_DATE('2004', 'yyyy-MM-dd')", "failed, null"),
        ("PARSE_DATE('2022-01-01 05', 'yyyy-MM-dd HH')", "failed, null"),
        ("PARSE_TIME('2022', 'yyyy')", "failed, null"),
        ("DATETOSTRING(CAST(NULL AS INT), 'yyyy')", "failed, null"),
        ("TIMEADD(HOURS, 25, CAST('23:30' AS TIME)) = '00:30'", "true"),
        ("DATEADD(HOURS, 23, FROM_DAYS(0))", "1970-01-01"),
        ("DATEADD(DAYS, 1, '2020-02-28')", "2020-02-29"),
        ("UNIX_TIMESTAMP() > 1600000000000", "true"),
        ("CONVERT_TZ('2021-07-01T10:00', 'Europe/Zurich', 'UTC')", "2021-07-01T08:00:00.000"),
    ]);
}

#[test]
fn a_failed_argument_is_null_and_only_its_row_suffers() {
    let table = Table::default().with("S", "STRING", strings(&[Some("2003-12-24"), Some("2004"), None]));
    let (values, failed) =
        table.run("COALESCE(PARSE_DATE(S, 'yyyy-MM-dd'), PARSE_DATE(CONCAT(S, '-01-01'), 'yyyy-MM-dd'))");
    let texts: Vec<_> = values.iter().map(ToString::to_string).collect();
    // The second argument is worked out for every row: the NULL text gives '-01-01', which is no date.
    assert_eq!(texts, ["2003-12-24", "2004-01-01", "null"]);
    assert_eq!(failed, vec![1, 2]);
    let table = Table::default().with("N", "INT", ints(&[Some(1), None]));
    assert_eq!(table.texts("COALESCE(N, 7)"), ["1", "7"]);
}

/// Columns of ASCII are worked on at once: they give what their rows give one by one, also in part.
#[test]
fn texts_of_columns() {
    let ascii = strings(&[Some(" Ab "), None, Some(""), Some("xbY-b\u{1}")]);
    let others = strings(&[Some("Straße"), None, Some("b😀b"), Some("É b")]);
    let cases: [(&str, [&str; 4], [&str; 4]); 9] = [
        ("UCASE(S)", [" AB ", "null", "", "XBY-B\u{1}"], ["STRASSE", "null", "B😀B", "É B"]),
        ("LCASE(S)", [" ab ", "null", "", "xby-b\u{1}"], ["straße", "null", "b😀b", "é b"]),
        ("TRIM(S)", ["Ab", "null", "", "xbY-b"], ["Straße", "null", "b😀b", "É b"]),
        ("LEN(S)", ["4", "null", "0", "6"], ["6", "null", "4", "3"]),
        (
            "CONCAT(S, '+', S)",
            [" Ab + Ab ", "+", "+", "xbY-b\u{1}+xbY-b\u{1}"],
            ["Straße+Straße", "+", "b😀b+b😀b", "É b+É b"],
        ),
        ("CONCAT_WS('+', S, NULL, 'z')", [" Ab +z", "z", "+z", "xbY-b\u{1}+z"], ["Straße+z", "z", "b😀b+z", "É b+z"]),
        ("REPLACE(S, 'b', '<>')", [" A<> ", "null", "", "x<>Y-<>\u{1}"], ["Straße", "null", "<>😀<>", "É <>"]),
        (
            "REPLACE(S, '', '.')",
            [". .A.b. .", "null", ".", ".x.b.Y.-.b.\u{1}."],
            [".S.t.r.a.ß.e.", "null", ".b.😀.b.", ".É. .b."],
        ),
        ("INSTR(S, 'b')", ["3", "0", "0", "2"], ["0", "0", "1", "3"]),
    ];
    for (texts, of) in [(ascii, 0), (others, 1)] {
        let table = Table::default().with("S", "STRING", texts);
        for (text, ascii, others) in &cases {
            let expected = if of == 0 { ascii } else { others };
            assert_eq!(table.texts(text), *expected, "{text}");
            let typed = table.check(text).unwrap();
            let part = [table.arrays()[0].slice(1, 3)];
            let input = crate::expr::Input { columns: &part, rows: 3 };
            let got = crate::expr::compile(&typed).unwrap().evaluate(input, &mut crate::expr::EvalErrors::default());
            let got: Vec<String> =
                (0..3).map(|row| crate::types::Value::from_array(&got, row, typed.ty().unwrap()).to_string()).collect();
            assert_eq!(got, expected[1..], "{text} of a part");
        }
    }
}

/// An argument that is the same for all rows goes other ways than a column of it.
#[test]
fn constants_and_columns_agree() {
    let table = Table::default()
        .with("S", "STRING", strings(&[Some("item=7, New"), None, Some(""), Some("été, item=12"), Some("a,\n,📷")]))
        .with("PATTERN", "STRING", strings(&[Some("item=([0-9]+)"); 5]))
        .with("COMMA", "STRING", strings(&[Some(","); 5]))
        .with("FORM", "STRING", strings(&[Some("%item_%"); 5]))
        .with("TWO", "INT", ints(&[Some(2); 5]))
        .with("MINUS_TWO", "INT", ints(&[Some(-2); 5]))
        .with("N", "INT", ints(&[Some(1), None, Some(2), Some(3), Some(2)]));
    let cases = [
        ("REGEXP_EXTRACT('item=([0-9]+)', S, 1)", "REGEXP_EXTRACT(PATTERN, S, 1)"),
        ("REGEXP_EXTRACT('item=([0-9]+)', S)", "REGEXP_EXTRACT(PATTERN, S)"),
        ("REGEXP_EXTRACT_ALL('item=([0-9]+)', S, 1)", "REGEXP_EXTRACT_ALL(PATTERN, S, 1)"),
        ("REGEXP_REPLACE(S, 'item=([0-9]+)', '<$1>')", "REGEXP_REPLACE(S, PATTERN, '<$1>')"),
        ("REGEXP_SPLIT_TO_ARRAY(S, ',')", "REGEXP_SPLIT_TO_ARRAY(S, COMMA)"),
        ("SPLIT(S, ',')", "SPLIT(S, COMMA)"),
        ("REPLACE(S, ',', ';')", "REPLACE(S, COMMA, ';')"),
        ("INSTR(S, ',')", "INSTR(S, COMMA)"),
        ("SUBSTRING(S, 2)", "SUBSTRING(S, TWO)"),
        ("SUBSTRING(S, 2, 2)", "SUBSTRING(S, TWO, TWO)"),
        ("SUBSTRING(S, -2, 2)", "SUBSTRING(S, MINUS_TWO, TWO)"),
        ("LPAD(S, 2, ',')", "LPAD(S, TWO, COMMA)"),
        ("CONCAT(S, ',')", "CONCAT(S, COMMA)"),
        ("COALESCE(S, ',')", "COALESCE(S, COMMA)"),
        ("COALESCE(N, 2)", "COALESCE(N, TWO)"),
        ("NULLIF(N, 2)", "NULLIF(N, TWO)"),
        ("GREATEST(N, 2)", "GREATEST(N, TWO)"),
        ("ELT(2, S, ',')", "ELT(TWO, S, COMMA)"),
        ("ARRAY_CONTAINS(ARRAY[N, 3], 2)", "ARRAY_CONTAINS(ARRAY[N, 3], TWO)"),
        ("ARRAY_CONTAINS(ARRAY[1, N + 1], 2)", "ARRAY_CONTAINS(ARRAY[1, N + 1], TWO)"),
        ("ARRAY_CONTAINS(ARRAY[S], ',')", "ARRAY_CONTAINS(ARRAY[S], COMMA)"),
        ("ARRAY_REMOVE(ARRAY[N, 3], 2)", "ARRAY_REMOVE(ARRAY[N, 3], TWO)"),
        ("JSON_ARRAY_CONTAINS('[1, 2]', 2)", "JSON_ARRAY_CONTAINS('[1, 2]', TWO)"),
        ("GENERATE_SERIES(N, 2)", "GENERATE_SERIES(N, TWO)"),
        ("ROUND(N / 3e0, 2)", "ROUND(N / 3e0, TWO)"),
        ("S LIKE '%item_%'", "S LIKE FORM"),
    ];
    for (constant, column) in cases {
        assert_eq!(table.run(constant), table.run(column), "{constant}");
    }
}

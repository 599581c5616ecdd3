//! Every statement of the language, by what the formatter makes of its tree; and expressions by their shape.

use super::super::ast::*;
use super::super::*;

fn formatted(text: &str) -> String {
    let parsed = parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
    assert_eq!(parsed.len(), 1, "{text}");
    format::statement(&parsed[0].statement)
}

/// What is written, and how it is written back; an empty string means just so.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "create stream S1 (id int key, `Val` varchar, m map<string, array<double>>, d decimal(10,2)) with (kafka_topic='t', value_format='json', partitions=3);",
        "CREATE STREAM S1 (ID INTEGER KEY, `Val` STRING, M MAP<STRING, ARRAY<DOUBLE>>, D DECIMAL(10, 2)) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='json', PARTITIONS=3)",
    ),
    ("CREATE OR REPLACE TABLE T (K STRING PRIMARY KEY, V BIGINT) WITH (KAFKA_TOPIC='t')", ""),
    ("CREATE SOURCE TABLE IF NOT EXISTS T (K STRING PRIMARY KEY) WITH (A=TRUE, B=NULL, C=-1.5)", ""),
    ("CREATE STREAM S WITH (KAFKA_TOPIC='t')", ""),
    ("CREATE STREAM S (H ARRAY<STRUCT<KEY STRING, VALUE BYTES>> HEADERS, A BYTES HEADER('it''s')) WITH (X='1')", ""),
    (
        "create stream s (k varchar(string) key, v dec(3)) with (\"kafka_topic\"='t')",
        "CREATE STREAM S (K STRING KEY, V DECIMAL(3, 0)) WITH (KAFKA_TOPIC='t')",
    ),
    ("CREATE STREAM O WITH (PARTITIONS=1) AS SELECT * FROM S WHERE A > 1 PARTITION BY B EMIT CHANGES", ""),
    ("CREATE TABLE IF NOT EXISTS O AS SELECT A, COUNT(*) AS N FROM S GROUP BY A HAVING COUNT(*) > 1", ""),
    ("INSERT INTO S WITH (QUERY_ID='q') SELECT A FROM T EMIT CHANGES", ""),
    ("INSERT INTO S SELECT * FROM T", ""),
    ("INSERT INTO S VALUES (1, 'it''s', NULL, ARRAY[1, 2], MAP('a' := 1), STRUCT(X := 1))", ""),
    ("INSERT INTO `test` (ROWTIME, `@key`, `id!`) VALUES (1234, 'key', -10)", ""),
    (
        "select a.x b, c->d->e from s1 a join s2 as c within 1 hour grace period 10 seconds on a.id=c.id left outer join t on t.id = a.id emit changes limit 3",
        "SELECT A.X AS B, C->D->E FROM S1 AS A INNER JOIN S2 AS C WITHIN 1 HOUR GRACE PERIOD 10 SECONDS ON A.ID = C.ID LEFT OUTER JOIN T ON T.ID = A.ID EMIT CHANGES LIMIT 3",
    ),
    ("SELECT A.*, B->* FROM S RIGHT OUTER JOIN T WITHIN (1 MINUTE, 2 DAYS) ON X = Y FULL OUTER JOIN U ON X = Y", ""),
    (
        "SELECT a FROM s WINDOW w HOPPING (SIZE 1 DAY, ADVANCE BY 12 HOURS, RETENTION 7 DAYS, GRACE PERIOD 0 SECONDS) GROUP BY (a, b)",
        "SELECT A FROM S WINDOW HOPPING (SIZE 1 DAY, ADVANCE BY 12 HOURS, RETENTION 7 DAYS, GRACE PERIOD 0 SECONDS) GROUP BY A, B",
    ),
    ("SELECT A FROM S WINDOW TUMBLING (SIZE 1500 MILLISECONDS) GROUP BY (A + B) * C, D EMIT FINAL", ""),
    ("SELECT A FROM S WINDOW SESSION (90 MINUTES, GRACE PERIOD 1 DAY) WHERE A GROUP BY A", ""),
    (
        "SELECT key, value, date, time, timestamp, window, type, grace, emit, topic, stream, table FROM table table WINDOW SESSION (1 SECOND)",
        "SELECT KEY, VALUE, DATE, TIME, TIMESTAMP, WINDOW, TYPE, GRACE, EMIT, TOPIC, STREAM, TABLE FROM TABLE AS TABLE WINDOW SESSION (1 SECOND)",
    ),
    ("SELECT 1R AS 2R, date(x) FROM 3S", "SELECT `1R` AS `2R`, DATE(X) FROM `3S`"),
    (
        "ALTER STREAM S ADD COLUMN A INT, ADD B STRUCT<C INT>",
        "ALTER STREAM S ADD COLUMN A INTEGER, ADD COLUMN B STRUCT<C INTEGER>",
    ),
    ("ALTER SYSTEM 'a'='b'", "ALTER SYSTEM"),
    ("DROP STREAM IF EXISTS S DELETE TOPIC", ""),
    ("DROP TABLE T", ""),
    ("CREATE TYPE IF NOT EXISTS ADDRESS AS STRUCT<N INTEGER, O OTHER>", ""),
    ("DROP TYPE IF EXISTS ADDRESS", ""),
    ("TERMINATE ALL", ""),
    ("TERMINATE csas_o_1", "TERMINATE CSAS_O_1"),
    ("TERMINATE QUERY Q", "TERMINATE Q"),
    ("DELETE FROM T WHERE A = 1 AND B = 'x'", ""),
    ("PAUSE ALL", ""),
    ("RESUME CTAS_O_1", ""),
    ("EXPLAIN CTAS_O_1", ""),
    ("EXPLAIN ANALYZE CTAS_O_1", ""),
    ("EXPLAIN ANALYZE", ""),
    ("EXPLAIN SELECT A FROM S EMIT CHANGES", ""),
    ("EXPLAIN CREATE TABLE T AS SELECT A, COUNT(*) FROM S GROUP BY A", ""),
    ("LIST STREAMS EXTENDED", "SHOW STREAMS EXTENDED"),
    ("SHOW TABLES", ""),
    ("SHOW ALL TOPICS EXTENDED", ""),
    ("SHOW TOPICS", ""),
    ("SHOW QUERIES EXTENDED", ""),
    ("SHOW FUNCTIONS", ""),
    ("SHOW PROPERTIES", ""),
    ("SHOW VARIABLES", ""),
    ("SHOW TYPES", ""),
    ("LIST SOURCE CONNECTORS", "SHOW CONNECTORS"),
    ("SHOW CONNECTOR PLUGINS", ""),
    ("DESCRIBE S EXTENDED", ""),
    ("DESCRIBE STREAMS EXTENDED", ""),
    ("DESCRIBE TABLES", ""),
    ("DESCRIBE FUNCTION ucase", "DESCRIBE FUNCTION UCASE"),
    ("DESCRIBE CONNECTOR c", "DESCRIBE CONNECTOR"),
    ("CREATE SOURCE CONNECTOR IF NOT EXISTS c WITH ('a'='b')", "CREATE CONNECTOR"),
    ("DROP CONNECTOR c", "DROP CONNECTOR"),
    ("PRINT my-Topic.v1 FROM BEGINNING SAMPLE 2 LIMIT 3", "PRINT `my-Topic.v1` FROM BEGINNING INTERVAL 2 LIMIT 3"),
    ("PRINT 'a b'", "PRINT `a b`"),
    ("PRINT `from` LIMIT 1", ""),
    ("SET 'auto.offset.reset' = 'earliest'", ""),
    ("UNSET 'auto.offset.reset'", ""),
    ("DEFINE x='''quoted'''", "DEFINE X = '''quoted'''"),
    ("UNDEFINE X", ""),
    ("RUN SCRIPT '/a/b.sql'", ""),
    ("SPOOL '/a/b'", ""),
    ("SPOOL OFF", ""),
    (
        "ASSERT TOPIC t WITH (PARTITIONS=3) TIMEOUT 10 SECONDS",
        "ASSERT TOPIC `t` WITH (PARTITIONS=3) TIMEOUT 10 SECONDS",
    ),
    ("ASSERT NOT EXISTS TOPIC `t`", ""),
    ("ASSERT NOT EXISTS SCHEMA SUBJECT `s-value` ID 3 TIMEOUT 1 MINUTE", ""),
    ("ASSERT SCHEMA ID 3", ""),
    ("ASSERT VALUES S (A, B) VALUES (1, 'x')", ""),
    ("ASSERT NULL VALUES S (K) KEY (1)", ""),
    ("ASSERT TABLE T (K INTEGER PRIMARY KEY) WITH (KAFKA_TOPIC='t')", ""),
];

#[test]
fn every_statement_is_read_and_written() {
    for (text, expected) in STATEMENTS {
        let expected = if expected.is_empty() { text } else { expected };
        assert_eq!(formatted(text), *expected);
    }
}

/// What is written, and the same with every operator's operands in parentheses.
const SHAPES: &[(&str, &str)] = &[
    ("a OR b AND NOT c = d || e + f * -g->h[1]", "a OR (b AND (NOT (c = (d || (e + (f * (-(((g)->h)[1]))))))))"),
    ("a + b - c * d / e % f", "(a + b) - (((c * d) / e) % f)"),
    ("NOT a IS NULL AND b IS NOT NULL", "(NOT (a IS NULL)) AND (b IS NOT NULL)"),
    ("a BETWEEN b + 1 AND c AND d", "(a BETWEEN (b + 1) AND c) AND d"),
    ("a NOT IN (1, 2) OR a NOT LIKE 'x%' ESCAPE '!'", "(a NOT IN (1, 2)) OR (a NOT LIKE 'x%' ESCAPE '!')"),
    ("a IS DISTINCT FROM b OR a IS NOT DISTINCT FROM b", "(a IS DISTINCT FROM b) OR (a IS NOT DISTINCT FROM b)"),
    ("a -5", "a - (5)"),
    ("a->b->c[1]->d", "(((a->b)->c)[1])->d"),
    ("x => x + 1", "x => (x + 1)"),
    ("f(a, (x, y) => x || y)", "f(a, (x, y) => (x || y))"),
    ("CASE WHEN a THEN b ELSE c END + 1", "(CASE WHEN a THEN b ELSE c END) + 1"),
    ("a != b", "a <> b"),
];

#[test]
fn operators_bind_as_they_should() {
    for (text, shape) in SHAPES {
        assert_eq!(parse_expression(text).unwrap(), parse_expression(shape).unwrap(), "{text}");
    }
}

#[test]
fn literals() {
    let decimal = |text: &str| ExprKind::Decimal(text.to_owned());
    for (text, kind) in [
        ("2147483647", ExprKind::Int(i32::MAX)),
        ("2147483648", ExprKind::Bigint(2_147_483_648)),
        ("-2147483648", ExprKind::Int(i32::MIN)),
        ("- 5", ExprKind::Int(-5)),
        ("-9223372036854775808", ExprKind::Bigint(i64::MIN)),
        ("007", ExprKind::Int(7)),
        ("0.005", decimal("0.005")),
        ("-1.50", decimal("-1.50")),
        (".5", decimal(".5")),
        ("DECIMAL '12'", decimal("12")),
        ("decimal '-1.5'", decimal("-1.5")),
        ("1e3", ExprKind::Double(1000.0)),
        ("-1.5E-3", ExprKind::Double(-0.0015)),
        ("'it''s'", ExprKind::String("it's".to_owned())),
        ("true", ExprKind::Boolean(true)),
        ("Null", ExprKind::Null),
        ("COUNT(*)", ExprKind::Call { name: Ident::new("COUNT"), args: vec![] }),
        ("count()", ExprKind::Call { name: Ident::new("COUNT"), args: vec![] }),
        ("\"a\".`b`", ExprKind::Column { source: Some(Ident::new("a")), name: Ident::new("b") }),
    ] {
        assert_eq!(parse_expression(text).unwrap().kind, kind, "{text}");
    }
}

#[test]
fn every_expression_has_its_place() {
    let expr = parse_expression("  a +\n (b * c)").unwrap();
    assert_eq!(expr.at, Location { line: 1, column: 3 });
    let ExprKind::Binary { right, .. } = expr.kind else { panic!() };
    assert_eq!(right.at, Location { line: 2, column: 3 });
}

//! What a person is told: where, what was found and expected, and how to mend it.

use super::*;

/// Text, place, words of the message, words of the hint (empty: no matter).
type Case = (&'static str, (u32, u32), &'static str, &'static str);

const WRONG: &[Case] = &[
    ("SELCT a FROM s", (1, 1), "found `SELCT`", "Did you mean SELECT?"),
    ("SELECT a\nFORM s", (2, 6), "expected `,` or FROM, found `s`", "Did you mean FROM, not FORM?"),
    ("SELECT a FROM s WHER a = 1", (1, 22), "found `a`", "Did you mean WHERE, not WHER?"),
    ("SELECT a FROM s EMIT CHANGE", (1, 22), "expected CHANGES or FINAL, found `CHANGE`", "Did you mean CHANGES?"),
    ("SELECT a FROM s GROUP BY a HAVNG b", (1, 28), "found `HAVNG`", ""),
    ("SELECT a FROM", (1, 14), "expected the name of a stream or table, found the end of the statement", ""),
    ("SELECT from FROM s", (1, 8), "expected an expression, found `from`", "back-ticks"),
    ("SELECT a FROM s LIMIT -1", (1, 23), "expected a number of rows, found `-`", ""),
    ("SELECT a FROM s LIMIT 1.5", (1, 23), "1.5 isn't a whole number", ""),
    ("SELECT a FROM s WHERE a == 1", (1, 25), "found `==`", "one ="),
    ("SELECT a FROM s WHERE a IS 1", (1, 28), "expected NULL, NOT NULL", ""),
    ("SELECT a::INT FROM s", (1, 9), "found `::`", "CAST"),
    ("SELECT größe FROM s", (1, 10), "found `ö`", "back-ticks"),
    ("SELECT a FROM s EMIT CHANGES WHERE a", (1, 30), "WHERE can't stand here", "The order is"),
    ("SELECT 99999999999999999999 FROM s", (1, 8), "beyond the range of BIGINT", "DECIMAL"),
    ("SELECT 1e999 FROM s", (1, 8), "beyond the range of DOUBLE", ""),
    ("SELECT a FROM s WINDOW TUMBLING (SIZE 1 WEEK)", (1, 41), "found `WEEK`", "7 DAYS"),
    ("SELECT a FROM s WINDOW TUMBLING (SIZE 1 MONTH)", (1, 41), "found `MONTH`", "DAYS"),
    ("SELECT a FROM s WINDOW TUMBLING (SIZE 1 SECNDS)", (1, 41), "found `SECNDS`", "Did you mean SECONDS?"),
    ("SELECT a FROM s WINDOW TUMBLING (1 SECOND)", (1, 34), "expected SIZE, found the number 1", ""),
    ("SELECT a FROM s WINDOW TUMBLIN (SIZE 1 SECOND)", (1, 24), "found `TUMBLIN`", "Did you mean TUMBLING?"),
    ("SELECT a FROM s WINDOW TUMBLING (SIZE 99999999999999999 DAYS)", (1, 39), "too long", ""),
    ("SELECT a FROM s JOIN t", (1, 23), "expected WITHIN or ON", ""),
    ("SELECT a FROM s JOIN t ON a = b WITHIN 1 HOUR", (1, 33), "WITHIN can't stand here", "before ON"),
    (
        "SELECT a FROM s WINDOW TUMBLING (SIZE 1 DAY) LEFT JOIN t ON a = b",
        (1, 46),
        "LEFT can't stand here",
        "Joins belong to FROM",
    ),
    ("SELECT a FROM s WHERE a = 1 JOIN t ON a = b", (1, 29), "JOIN can't stand here", "Joins belong to FROM"),
    ("SELECT a FROM x.y", (1, 16), "found `.`", "no schemas"),
    ("CREATE STRAEM s (a INT) WITH ()", (1, 8), "found `STRAEM`", "Did you mean STREAM?"),
    ("CREATE STREAM s (a INT KY)", (1, 24), "found `KY`", "Did you mean KEY?"),
    ("CREATE STREAM s (a)", (1, 19), "expected the type of A", ""),
    (
        "CREATE STREAM s (a DECIMAL(2, 3))",
        (1, 27),
        "DECIMAL precision must be >= scale: DECIMAL(2,3)",
        "DECIMAL(10, 2)",
    ),
    ("CREATE STREAM s (a ARRAY)", (1, 25), "expected `<`", "ARRAY<type>"),
    ("CREATE STREAM s (a INT) AS SELECT 1 FROM t", (1, 25), "columns can't be listed", ""),
    ("CREATE STREAM s WITH (a=b)", (1, 25), "expected a string in single quotes", ""),
    ("CREATE OR REPLACE STREAM IF NOT EXISTS s", (1, 26), "exclude each other", ""),
    ("CREATE STREAM select (a INT)", (1, 15), "found `select`", "`select` in back-ticks"),
    ("INSERT INTO s (a, b) VALUES (1)", (1, 29), "2 columns but 1 values", ""),
    ("INSERT INTO s VALUE (1)", (1, 15), "found `VALUE`", "Did you mean VALUES?"),
    ("SET auto.offset.reset = 'earliest'", (1, 5), "in single quotes", "SET 'auto.offset.reset'"),
    ("SELECT a FROM s WINDOW HOPPING (SIZE 1 DAY) GROUP BY a", (1, 43), "found `)`", "ADVANCE BY 10 MINUTES"),
    ("DESCRIBE EXTENDED s", (1, 10), "found `EXTENDED`", "DESCRIBE s EXTENDED;"),
    ("SHOW STREMS", (1, 6), "found `STREMS`", "Did you mean STREAMS?"),
    ("SELECT 'it FROM s", (1, 8), "no closing quote", ""),
    ("SELECT a /* b FROM s", (1, 10), "no closing */", ""),
    ("SELECT ${x} FROM s", (1, 8), "found `$`", "DEFINE"),
    ("SHOW TABLES; SHOW\n  TABLE", (2, 3), "found `TABLE`", "Did you mean TABLES?"),
    ("SELECT x->* + 1 FROM s", (1, 13), "expected `,` or FROM, found `+`", ""),
    ("SELECT (a FROM s", (1, 11), "expected `)`, found `FROM`", ""),
    (
        "SELECT a FROM s SHOW TABLES",
        (1, 22),
        "expected the end of the statement, found `TABLES`",
        "Is a `;` missing before SHOW?",
    ),
    (
        "SHOW TABLES CREATE STREAM s (a INT)",
        (1, 13),
        "expected the end of the statement",
        "Is a `;` missing before CREATE?",
    ),
    ("SELECT x FROM s WHERE x IN ()", (1, 29), "expected an expression, found `)`", ""),
    ("CREATE TYPE t AS STRUCT<a INT", (1, 30), "expected `,` or `>`", ""),
    ("ASSERT SCHEMA TIMEOUT 1 SECOND", (1, 15), "needs a SUBJECT, an ID or both", ""),
    ("SELECT * FROM (s)", (1, 16), "expected a query: SELECT", ""),
    ("SELECT * FROM (SELECT a FROM s", (1, 31), "expected `)`", ""),
    ("WITH x AS SELECT a FROM s SELECT * FROM x", (1, 11), "expected `(` and a query", ""),
    ("SELECT a FROM s UNION ALL (SELECT a FROM t)", (1, 27), "expected SELECT", "Leave out the parentheses"),
    ("SELECT a FROM s EMIT CHANGES UNION ALL SELECT a FROM t", (1, 30), "UNION can't stand here", "The order is"),
    ("SELECT `` FROM s", (1, 8), "found the name ``", "can't be empty"),
];

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    for (text, place, what, hint) in WRONG {
        let error = error(text);
        let shown = error.render(text);
        assert_eq!(error.audience, Audience::Statement, "{shown}");
        assert_eq!(error.at.map(|at| (at.line, at.column)), Some(*place), "{shown}");
        assert!(error.what.contains(what), "{shown}");
        assert!(error.hint.unwrap_or_default().contains(hint), "{shown}");
    }
}

/// Parts of SQL that aren't there: text, what is told, and where.
const ABSENT: &[(&str, &str, u32)] = &[
    ("SELECT * FROM s WHERE a IN (SELECT b FROM t)", "a subquery is not supported", 28),
    ("SELECT (SELECT 1 FROM s) FROM s", "a subquery is not supported", 9),
    ("SELECT a FROM s WHERE EXISTS (SELECT 1 FROM t)", "a subquery is not supported", 23),
    ("SELECT TOP 5 a FROM s", "TOP is not supported", 8),
    ("SELECT a FROM s UNION SELECT b FROM t", "UNION without ALL is not supported", 17),
    ("SELECT a FROM s INTERSECT SELECT b FROM t", "INTERSECT is not supported", 17),
    ("WITH RECURSIVE x AS (SELECT 1 FROM s) SELECT * FROM x", "WITH RECURSIVE is not supported", 6),
    ("WITH x (a) AS (SELECT 1 FROM s) SELECT * FROM x", "a list of columns behind a name of WITH is not supported", 8),
    ("SELECT a FROM s LIMIT 1 OFFSET 2", "OFFSET is not supported", 25),
    ("SELECT SUM(a) OVER (PARTITION BY b) FROM s", "OVER is not supported", 15),
    ("SELECT * FROM a, b", "a list of sources in FROM is not supported", 16),
    ("SELECT * FROM a CROSS JOIN b", "a CROSS JOIN is not supported", 17),
    ("SELECT * FROM EXPLODE(a)", "a table function in FROM is not supported", 22),
    ("SELECT a AT TIME ZONE 'UTC' FROM s", "AT TIME ZONE is not supported", 10),
    ("SELECT * FROM a JOIN b USING (id)", "USING is not supported", 24),
    ("UPDATE t SET a = 1", "UPDATE is not supported", 1),
    ("INSERT INTO t VALUES (1), (2)", "more than one row in VALUES is not supported", 25),
    ("INSERT INTO t (a) SELECT a FROM s", "a list of columns before SELECT is not supported", 19),
    ("CREATE STREAM s (a INT NOT NULL)", "NOT NULL is not supported", 24),
    ("ALTER STREAM s DROP COLUMN a", "ALTER ... DROP is not supported", 16),
];

#[test]
fn what_is_not_there_says_so() {
    for (text, what, column) in ABSENT {
        let error = error(text);
        let shown = error.render(text);
        assert_eq!(error.audience, Audience::NotSupported, "{shown}");
        assert_eq!(error.what, *what, "{shown}");
        assert_eq!(error.at.map(|at| at.column), Some(*column), "{shown}");
        assert!(error.hint.is_some(), "{shown}");
    }
}

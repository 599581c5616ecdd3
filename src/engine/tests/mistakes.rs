//! What people who are new to the language write, and what they are told: where, and how to mend it.

use super::*;

const THERE: &[&str] = &[
    "CREATE STREAM orders (id INT KEY, customer STRING, price DOUBLE, addr STRUCT<city STRING, zip INT>) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);",
    "CREATE TABLE customers (name STRING PRIMARY KEY, city STRING) WITH (KAFKA_TOPIC='customers', VALUE_FORMAT='JSON', PARTITIONS=1);",
];

/// A statement, the column that the caret points at, and a part of the hint.
const MISTAKES: &[(&str, u32, &str)] = &[
    ("SELEC * FROM orders EMIT CHANGES;", 1, "Did you mean SELECT?"),
    ("SELECT * FORM orders EMIT CHANGES;", 10, "Did you mean FROM?"),
    ("SELECT id customer price FROM orders EMIT CHANGES;", 20, "Is a `,` missing before price?"),
    ("SELECT id, FROM orders EMIT CHANGES;", 12, "Is the `,` before it one too many?"),
    ("SELECT id, custommer FROM orders EMIT CHANGES;", 12, "Did you mean CUSTOMER?"),
    ("SELECT id, nobody FROM orders EMIT CHANGES;", 12, "There are ID, CUSTOMER, PRICE, ADDR"),
    ("SELECT id FROM ordrs EMIT CHANGES;", 16, "Did you mean ORDERS?"),
    ("SELECT id FROM orders WHERE customer = \"bob\" EMIT CHANGES;", 40, "text stands in single quotes: 'bob'"),
    ("SELECT id FROM orders WHERE customer = bob EMIT CHANGES;", 40, "Text stands in single quotes"),
    ("SELECT id FROM orders WHERE price = customer EMIT CHANGES;", 29, "CAST(CUSTOMER AS DOUBLE)"),
    ("SELECT id FROM orders WHERE price EMIT CHANGES;", 29, "PRICE = ..."),
    ("SELECT id FROM orders WHERE customer = NULL EMIT CHANGES;", 29, "IS NULL"),
    ("SELECT id FROM orders WHERE id = 1 AND EMIT CHANGES;", 40, ""),
    ("SELECT id FROM orders WHERE COUNT(*) > 1 EMIT CHANGES;", 29, "HAVING"),
    ("SELECT id FROM orders EMIT CHANGE;", 28, "Did you mean CHANGES?"),
    ("SELECT UCAS(customer) FROM orders EMIT CHANGES;", 8, "Did you mean UCASE?"),
    ("SELECT LEN(price) FROM orders EMIT CHANGES;", 8, "LEN(text STRING)"),
    ("SELECT id + addr FROM orders EMIT CHANGES;", 8, "arithmetic needs numbers"),
    ("SELECT addr.city FROM orders EMIT CHANGES;", 8, "ADDR->FIELD"),
    ("SELECT addr->cty FROM orders EMIT CHANGES;", 14, "Did you mean CITY?"),
    ("SELECT CAST(id AS TEXT) FROM orders EMIT CHANGES;", 19, "write STRING"),
    ("CREATE TABLE t AS SELECT customer, price FROM orders GROUP BY customer;", 63, "for example COUNT(*)"),
    (
        "CREATE TABLE t AS SELECT customer, price, COUNT(*) AS n FROM orders GROUP BY customer;",
        36,
        "either add the column(s)",
    ),
    ("CREATE TABLE t AS SELECT customer, COUNT(*) AS n FROM orders;", 26, "add GROUP BY"),
    (
        "CREATE STREAM x (id INT KEY name STRING) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
        29,
        "Is a `,` missing before name?",
    ),
    (
        "CREATE STREAM x (id INT KEY, group STRING) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
        30,
        "back-ticks",
    ),
    (
        "CREATE STREAM x (id INT KEY, n FLOTE) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
        32,
        "SHOW TYPES",
    ),
    (
        "CREATE STREAM x (id INT KEY, n FLOAT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
        32,
        "write DOUBLE",
    ),
    (
        "CREATE STREAM x (id INT KEY, n INT) WITH (KAFKA_TOPC='x', VALUE_FORMAT='JSON');",
        43,
        "Did you mean KAFKA_TOPIC?",
    ),
    (
        "CREATE STREAM x (id INT KEY, n INT) WITH (KAFKA_TOPIC=x, VALUE_FORMAT='JSON');",
        55,
        "Write 'x', in single quotes.",
    ),
    ("CREATE STREAM x (id INT KEY, n INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSN');", 60, "Did you mean JSON?"),
    (
        "CREATE STREAM x (id INT PRIMARY KEY, n INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
        18,
        "Streams have KEYs",
    ),
    (
        "SELECT customer, COUNT(*) FROM orders WINDOW TUMBLING (1 HOUR) GROUP BY customer EMIT CHANGES;",
        56,
        "TUMBLING (SIZE 1",
    ),
    (
        "SELECT customer, COUNT(*) FROM orders WINDOW TUMBLING (SIZE 1 HOURR) GROUP BY customer EMIT CHANGES;",
        63,
        "Did you mean HOUR",
    ),
    (
        "SELECT customer, COUNT(*) FROM orders GROUP BY customer WINDOW TUMBLING (SIZE 1 HOUR) EMIT CHANGES;",
        57,
        "The order is FROM",
    ),
    ("SELECT id FROM orders o JOIN customers c ON o.price = c.name EMIT CHANGES;", 45, "CAST(O.PRICE AS STRING)"),
    ("SET 'auto.offset.rest' = 'earliest';", 1, "auto.offset.reset"),
    ("DROP TABLE orders;", 1, "DROP STREAM ORDERS;"),
    ("SHOW STREEMS;", 6, "Did you mean STREAMS?"),
    ("INSERT INTO orders VALUES (1, 'a');", 1, "INSERT INTO ORDERS (ID, ...)"),
];

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let mut t = Terminal::stepped();
    THERE.iter().for_each(|statement| drop(t.done(statement)));
    for (statement, column, hint) in MISTAKES {
        let error = match t.run(statement) {
            Err(error) => error,
            Ok(reply) => panic!("{statement}: {reply:?}"),
        };
        let shown = error.render(statement);
        // Where nothing is said, the whole statement is meant.
        assert_eq!(error.at.map_or(1, |at| at.column), *column, "{shown}");
        assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{shown}");
    }
}

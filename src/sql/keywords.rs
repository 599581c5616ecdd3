//! The words of the language.

/// Every keyword, in order: for completion and highlighting.
pub const KEYWORDS: &[&str] = &[
    "ADD",
    "ADVANCE",
    "ALL",
    "ALTER",
    "AND",
    "ARRAY",
    "AS",
    "ASC",
    "ASSERT",
    "BEGINNING",
    "BETWEEN",
    "BIGINT",
    "BOOLEAN",
    "BY",
    "BYTES",
    "CASE",
    "CAST",
    "CHANGES",
    "COLUMN",
    "CONNECTOR",
    "CONNECTORS",
    "CREATE",
    "DATE",
    "DAY",
    "DAYS",
    "DECIMAL",
    "DEFINE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DOUBLE",
    "DROP",
    "ELSE",
    "EMIT",
    "END",
    "ESCAPE",
    "EXISTS",
    "EXPLAIN",
    "EXTENDED",
    "FALSE",
    "FILTER",
    "FINAL",
    "FIRST",
    "FROM",
    "FULL",
    "FUNCTION",
    "FUNCTIONS",
    "GRACE",
    "GROUP",
    "HAVING",
    "HEADER",
    "HEADERS",
    "HOPPING",
    "HOUR",
    "HOURS",
    "ID",
    "IF",
    "IN",
    "INNER",
    "INSERT",
    "INT",
    "INTEGER",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LAST",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LIST",
    "MAP",
    "MILLISECOND",
    "MILLISECONDS",
    "MINUTE",
    "MINUTES",
    "NOT",
    "NULL",
    "NULLS",
    "OFF",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "PARTITION",
    "PAUSE",
    "PERIOD",
    "PRIMARY",
    "PRINT",
    "PROPERTIES",
    "QUERIES",
    "REPLACE",
    "RESUME",
    "RETENTION",
    "RIGHT",
    "RUN",
    "SAMPLE",
    "SCHEMA",
    "SCRIPT",
    "SECOND",
    "SECONDS",
    "SELECT",
    "SESSION",
    "SET",
    "SHOW",
    "SINK",
    "SIZE",
    "SOURCE",
    "SPOOL",
    "STREAM",
    "STREAMS",
    "STRING",
    "STRUCT",
    "SUBJECT",
    "SYSTEM",
    "TABLE",
    "TABLES",
    "TERMINATE",
    "THEN",
    "TIME",
    "TIMEOUT",
    "TIMESTAMP",
    "TOPIC",
    "TOPICS",
    "TRUE",
    "TUMBLING",
    "TYPE",
    "TYPES",
    "UNDEFINE",
    "UNION",
    "UNSET",
    "VALUES",
    "VARCHAR",
    "VARIABLES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
];

/// The words that can't be identifiers unless quoted.
const RESERVED: &[&str] = &[
    "AND", "AS", "BETWEEN", "BY", "CASE", "CAST", "CREATE", "DISTINCT", "DROP", "ELSE", "END", "EXISTS", "FALSE",
    "FROM", "FULL", "GROUP", "HAVING", "IN", "INNER", "INSERT", "INTO", "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "NOT",
    "NULL", "ON", "OR", "OUTER", "RIGHT", "SELECT", "THEN", "TRUE", "VALUES", "WHEN", "WHERE", "WITH", "WITHIN",
];

/// Words that go on with the query where an alias without AS could stand, though they may be identifiers elsewhere.
const NOT_AN_ALIAS: &[&str] = &[
    "CROSS",
    "EMIT",
    "EXCEPT",
    "GRACE",
    "INTERSECT",
    "MINUS",
    "NATURAL",
    "OFFSET",
    "ORDER",
    "PARTITION",
    "UNION",
    "USING",
    "WINDOW",
];

/// Words that may be names but begin something else in some places. The formatter quotes them everywhere.
const AMBIGUOUS: &[&str] = &[
    "ALL",
    "ARRAY",
    "COLUMN",
    "CONNECTOR",
    "DEC",
    "DECIMAL",
    "FUNCTION",
    "MAP",
    "QUERY",
    "STREAMS",
    "STRUCT",
    "TABLES",
];

/// Whether the text reads as itself when written as an identifier without quotes, wherever it stands.
pub(super) fn is_plain_identifier(text: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'@';
    text.bytes().next().is_some_and(|first| first.is_ascii_uppercase() || first == b'_')
        && text.bytes().all(part)
        && !is_reserved(text)
        && AMBIGUOUS.binary_search(&text).is_err()
}

/// Whether the upper-case word can only be an identifier when quoted.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// Whether the upper-case word may stand as an alias without AS.
pub(super) fn may_be_bare_alias(word: &str) -> bool {
    !is_reserved(word) && NOT_AN_ALIAS.binary_search(&word).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_without_repeats() {
        for list in [KEYWORDS, RESERVED, NOT_AN_ALIAS, AMBIGUOUS] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}

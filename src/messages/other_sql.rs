//! What other SQL, or ksqlDB, has and nothing runs here.

use super::not_supported;
use crate::error::Error;
use crate::sql::ast::Elsewhere;

/// `word`: what a statement of other SQL begins with. None: nobody's.
pub fn statement_of_other_sql(word: &str) -> Option<Error> {
    let hint = match word {
        "UPDATE" | "MERGE" | "UPSERT" => "INSERT INTO a table with the key of a row replaces that row.",
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" => "Every query commits by itself, exactly once.",
        "GRANT" | "REVOKE" => "Rights are given by the server's configuration.",
        "USE" => "There are no databases: names are in one flat space.",
        "TRUNCATE" => "Empty the topic: millpond topic empty NAME.",
        _ => return None,
    };
    Some(not_supported(word, hint))
}

/// `word`: what a clause of other SQL begins with. None: nobody's.
pub fn clause_of_other_sql(word: &str) -> Option<Error> {
    let hint = match word {
        "INTERSECT" | "EXCEPT" => "Join the streams or tables, and say in ON and WHERE which rows stay.",
        "OFFSET" => "LIMIT alone is there.",
        _ => return None,
    };
    Some(not_supported(word, hint))
}

/// A statement of ksqlDB that isn't run here.
pub fn elsewhere(statement: &Elsewhere) -> Error {
    let hint = match statement {
        Elsewhere::AlterSystem => "Set it for a session with SET 'name' = 'value'; or for all by --set when starting.",
        Elsewhere::Analyzed => "Give the id of a query that runs: SHOW QUERIES; lists them.",
        Elsewhere::Connectors(_) => {
            "Bring data in with `millpond topic produce`, or run Kafka Connect beside the cluster."
        }
    };
    not_supported(statement, hint)
}

pub fn column_option(option: &str) -> Error {
    not_supported(option, "Every column may be NULL; filter with WHERE.")
}

/// ALTER of a source with another word than ADD.
pub fn alter_with(word: &str) -> Error {
    not_supported(format!("ALTER ... {word}"), "Columns can only be added: ADD COLUMN name type.")
}

pub fn columns_before_select() -> Error {
    not_supported(
        "a list of columns before SELECT",
        "Leave the columns out: the names and the order of the SELECT list decide.",
    )
}

pub fn several_rows() -> Error {
    not_supported("more than one row in VALUES", "Write one INSERT INTO ... VALUES for each row.")
}

pub fn at_time_zone() -> Error {
    not_supported(
        "AT TIME ZONE",
        "Convert with CONVERT_TZ(timestamp, from, to), or format with FORMAT_TIMESTAMP(timestamp, format, zone).",
    )
}

pub fn over() -> Error {
    not_supported("OVER", "Aggregate with GROUP BY and a WINDOW clause.")
}

pub fn subquery() -> Error {
    not_supported(
        "a subquery",
        "Give the inner SELECT a name first: CREATE STREAM or TABLE ... AS SELECT ...; then read from that.",
    )
}

pub fn union_without_all() -> Error {
    not_supported(
        "UNION without ALL",
        "Write UNION ALL: to leave out rows that are there twice, all rows would have to be kept for ever.",
    )
}

pub fn with_recursive() -> Error {
    not_supported("WITH RECURSIVE", "A query can't read what it gives; read a stream that another query writes to.")
}

pub fn columns_of_with() -> Error {
    not_supported(
        "a list of columns behind a name of WITH",
        "Name the columns in the query: SELECT expression AS name.",
    )
}

pub fn top() -> Error {
    not_supported("TOP", "Write LIMIT and the number at the query's end.")
}

pub fn using() -> Error {
    not_supported("USING", "Write ON a.id = b.id.")
}

pub fn several_sources() -> Error {
    not_supported(
        "a list of sources in FROM",
        "Write FROM a JOIN b ON a.id = b.id; between two streams WITHIN 1 HOUR stands before ON.",
    )
}

pub fn table_function_in_from() -> Error {
    not_supported(
        "a table function in FROM",
        "Table functions stand in the SELECT list: SELECT EXPLODE(list) FROM source.",
    )
}

/// `kind`: CROSS or NATURAL.
pub fn join_of_kind(kind: &str) -> Error {
    not_supported(format!("a {kind} JOIN"), "Write JOIN ... ON left = right.")
}

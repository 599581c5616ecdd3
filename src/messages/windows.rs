//! WINDOW, its bounds, EMIT FINAL, and what has windows.

use super::{not_supported, statement};
use crate::error::Error;

pub fn window_of_table() -> Error {
    statement("WINDOW clause is only supported for streams.").hint("tables have no windows")
}

pub fn window_without_group_by() -> Error {
    statement("WINDOW clause requires a GROUP BY clause.")
        .hint("a window has groups: WINDOW ... GROUP BY what makes one")
}

pub fn final_without_window() -> Error {
    statement("EMIT FINAL is only supported for windowed aggregations.")
        .hint("a group is final when its window has closed: add WINDOW TUMBLING (SIZE ...), or write EMIT CHANGES")
}

pub fn advance(advance_ms: i64, size_ms: i64) -> Error {
    statement(format!(
        "The hopping window's ADVANCE BY must be longer than zero and at most its SIZE; it is {advance_ms} ms of {size_ms} ms."
    ))
    .hint("as in WINDOW HOPPING (SIZE 10 MINUTES, ADVANCE BY 1 MINUTE)")
}

pub fn empty() -> Error {
    statement("A window must be longer than zero.").hint("as in WINDOW TUMBLING (SIZE 10 MINUTES)")
}

/// `least_ms`: the size and the grace period together.
pub fn retention(retention_ms: i64, least_ms: i64) -> Error {
    statement(format!(
        "The window's RETENTION of {retention_ms} ms is shorter than its size and grace period together, {least_ms} ms."
    ))
    .hint("make RETENTION longer, or GRACE PERIOD shorter")
}

/// `windows_max`: the most that one row may be in.
pub fn too_many_of_a_row(windows_max: i64) -> Error {
    not_supported(
        format!("a hopping window whose rows are in more than {windows_max} windows"),
        "use a greater ADVANCE BY",
    )
}

/// A window's spans that can't be.
pub fn spans() -> Error {
    statement(
        "A window's size and advance must be above zero, the advance at most the size, and the grace not negative.",
    )
    .hint("as in WINDOW HOPPING (SIZE 10 MINUTES, ADVANCE BY 1 MINUTE)")
}

pub fn bounds_and_rows() -> Error {
    not_supported("a condition on both a window's bounds and the rows in it", "say it in HAVING")
}

pub fn query_on_windowed_table() -> Error {
    statement("KSQL does not support persistent queries on windowed tables.").hint(
        "declare a windowed STREAM over its topic and query that; only joins by key and window take windowed tables",
    )
}

//! GROUP BY, HAVING and the aggregates' calls.

use super::{not_supported, statement};
use crate::error::Error;

pub fn no_group_by() -> Error {
    statement("Use of aggregate functions requires a GROUP BY clause.")
        .hint("add GROUP BY with the expressions that make a group")
}

pub fn group_by_without_aggregate() -> Error {
    statement("GROUP BY requires aggregate functions in either the SELECT or HAVING clause.")
        .hint("for example COUNT(*); SELECT without GROUP BY, where rows aren't to be counted or summed")
}

pub fn group_by_aggregate() -> Error {
    statement("GROUP BY does not support aggregate functions.")
        .hint("group by what the rows have; to group by a result, read this query in another one's FROM")
}

pub fn group_by_bounds_alone() -> Error {
    statement("GROUP BY has the window's bounds alone.")
        .hint("each group is one of a window anyway; name what else makes a group")
}

pub fn ungrouped_column(name: &str) -> Error {
    statement(format!("Non-aggregate SELECT expression(s) not part of GROUP BY: {name}"))
        .hint("either add the column(s) to the GROUP BY or remove them from the SELECT")
}

pub fn having_without_group_by() -> Error {
    statement("HAVING requires a GROUP BY clause.").hint("a condition on rows goes into WHERE")
}

pub fn nested(name: &str) -> Error {
    statement(format!("Aggregate functions can not be nested: {name}"))
        .hint("aggregate in a query of its own and read that one: FROM (SELECT ... GROUP BY ...)")
}

/// The aggregate has no place in this clause.
pub fn not_allowed(clause: &str) -> Error {
    statement(format!("Aggregate functions are not allowed in {clause}.")).hint(match clause {
        "WHERE" => "WHERE judges rows before they are grouped; HAVING, behind GROUP BY, judges the groups",
        _ => "aggregate in a query of its own and read that one: FROM (SELECT ... GROUP BY ...)",
    })
}

/// `COUNT()` and its like take ROWTIME, which these rows don't have.
pub fn no_argument_over_table_query(name: &str) -> Error {
    not_supported(
        format!("{name}() of a query that gives a table"),
        "name the column; without one it would be ROWTIME, which such rows don't have",
    )
}

pub fn no_distinct(name: &str) -> Error {
    statement(format!("{name} does not take DISTINCT.")).hint("aggregates of one value do, those by offset excepted")
}

pub fn distinct_of_nothing() -> Error {
    statement("DISTINCT needs a value.").hint("name it: COUNT(DISTINCT column)")
}

/// The aggregate can't take back a row that a table replaces.
pub fn not_over_tables(name: &str) -> Error {
    let error = statement(format!(
        "The aggregation function {name} cannot be applied to a table source, only to a stream source."
    ));
    match name {
        "COUNT_DISTINCT" => error.hint("its count can't be taken back; COUNT(DISTINCT x) is exact and can"),
        _ => error.hint("it can't take back the rows that a table replaces; a STREAM over the table's topic has them as rows of their own"),
    }
}

/// The same of one that nobody names any more.
pub fn some_not_over_tables() -> Error {
    statement("The aggregation function cannot be applied to a table source, only to a stream source.")
        .hint("all but COUNT_DISTINCT can")
}

/// `why`: what is wrong with the parameter.
pub fn parameter_not_constant(why: &str) -> Error {
    statement(format!("Parameter must be a constant: {why}")).hint("write its value: TOPK(PRICE, 3)")
}

pub fn distinct_of_groups() -> Error {
    not_supported("SELECT DISTINCT with GROUP BY or aggregates", "each group is there once already")
}

pub fn distinct_of_table() -> Error {
    not_supported(
        "SELECT DISTINCT of a table's rows",
        "count the rows that are alike: SELECT a, COUNT(*) AS n FROM ... GROUP BY a HAVING COUNT(*) > 0",
    )
}

pub fn distinct_in_windows() -> Error {
    not_supported("SELECT DISTINCT in windows that overlap or grow", "use a TUMBLING window")
}

pub fn distinct_map(column: &str) -> Error {
    not_supported(format!("SELECT DISTINCT with `{column}`, a MAP,"), "compare a text of it: TO_JSON_STRING")
}

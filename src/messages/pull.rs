//! Pull queries and the order of their rows.

use super::statement;
use crate::error::Error;

const PUSH: &str = "add EMIT CHANGES if you want a push query";

pub fn limit_disabled() -> Error {
    statement("LIMIT clause in pull queries is currently disabled: ksql.query.pull.limit.clause.enabled is false.")
        .hint(PUSH)
}

pub fn too_many_rows() -> Error {
    statement("The query gives more rows than pull.rows.max allows.").hint("ask for fewer with WHERE or LIMIT")
}

pub fn several_ranges() -> Error {
    statement(
        "A comparison condition on the key column cannot be combined with other comparisons where \
         ksql.query.pull.table.scan.enabled is false.",
    )
    .hint("compare the whole key with =, or bound it on one side only")
}

pub fn scan_disabled() -> Error {
    statement("The pull query needs a table scan, which ksql.query.pull.table.scan.enabled=false forbids.")
        .hint("compare the whole key with = in WHERE")
}

/// A column that push queries alone have.
pub fn column(name: &str, clause: &str) -> Error {
    statement(format!("Pull queries don't support the following columns in {clause} clauses: `{name}`")).hint(PUSH)
}

pub fn null_key(column: &str) -> Error {
    statement(format!("Primary key columns can not be NULL: ({column} = null)"))
        .hint("no row has such a key; leave the condition out for all rows")
}

pub fn not_queryable(table: &str) -> Error {
    statement(format!(
        "The `{table}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_{table} AS SELECT * FROM {table}'."
    ))
    .hint(PUSH)
}

pub fn partition_by() -> Error {
    statement("Pull queries don't support PARTITION BY clauses.")
        .hint("its rows come in no partitions; ORDER BY sorts them")
}

/// `clause`: SELECT DISTINCT or UNION ALL.
pub fn order_by_expression(clause: &str) -> Error {
    statement(format!("Rows of {clause} are sorted by columns of the result."))
        .hint("name one of its columns, or give its number: ORDER BY 1")
}

/// `columns`: of types that have no order.
pub fn no_order(columns: &[&str]) -> Error {
    statement(format!("There is no order of the values of {}.", columns.join(", ")))
        .hint("sort by something in them: a field, an element, a length")
}

pub fn order_by_unknown(name: &str) -> Error {
    statement(format!("The result has no column {name}."))
        .hint("name one of the SELECT list, or give its number: ORDER BY 1")
}

pub fn order_by_number(columns: usize) -> Error {
    statement(format!("The result has the columns 1 to {columns}.")).hint("ORDER BY 1 sorts by the first")
}

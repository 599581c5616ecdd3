//! Persistent queries: their ids, how they begin, and what stops one that runs.

use super::{did_you_mean, not_supported, statement};
use crate::error::Error;

/// `there`: the ids of the queries that are.
pub fn unknown<'a>(id: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    listed(statement(format!("Unknown queryId: {id}")), id, there)
}

/// The same of EXPLAIN.
pub fn unknown_to_explain<'a>(id: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    listed(statement(format!("Query with id:{id} does not exist")), id, there)
}

fn listed<'a>(error: Error, id: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    let error = did_you_mean(error, id, there);
    if error.hint.is_some() { error } else { error.hint("SHOW QUERIES; lists them") }
}

pub fn id_exists(id: &str) -> Error {
    statement(format!("Query ID '{id}' already exists."))
        .hint(format!("give it another one in WITH (QUERY_ID='...'), or TERMINATE {id}; first"))
}

/// Of a query that another process works on.
pub fn not_run_here(id: &str) -> Error {
    statement(format!("Query {id} isn't run by this process.")).hint(format!("EXPLAIN {id}; tells its steps"))
}

pub fn not_a_query() -> Error {
    statement("Only queries can be explained.")
        .hint("EXPLAIN a SELECT, CREATE ... AS SELECT, INSERT INTO ... SELECT, or a query's id")
}

/// A query that begins at the latest offset and reads a topic as both.
pub fn latest_of_stream_and_table(topic: &str, stream: &str, table: &str) -> Error {
    not_supported(
        format!(
            "a query that begins at the latest offset and reads topic '{topic}' as stream {stream} and as table {table}"
        ),
        "SET 'auto.offset.reset' = 'earliest'; or make a copy of one of them: CREATE STREAM | TABLE ... AS SELECT * FROM it",
    )
}

/// The topic of a table has got partitions since the query began to write it.
pub fn partitions_of_sink(topic: &str, table: &str, partitions: u32, began: u32) -> Error {
    statement(format!(
        "topic '{topic}' has {partitions} partitions now; the keys of table {table} were placed among {began}, and each would be in two of them"
    ))
    .hint(format!("DROP TABLE {table} DELETE TOPIC; and create it anew, with PARTITIONS = {partitions}"))
}

/// A topic that the query reads has got partitions since the query keeps state.
pub fn partitions_of_state(topic: &str, partitions: u32, began: u32) -> Error {
    statement(format!(
        "topic '{topic}' has {partitions} partitions now; the query's state is laid out for {began}, and keys would be counted in two places"
    ))
    .hint("DROP what the query makes and create it anew: it reads the topic from its beginning")
}

/// `topic`: that of the state.
pub fn state_gone(topic: &str) -> Error {
    statement(format!("the query's state is gone: its topic '{topic}' was deleted"))
        .hint("DROP what the query makes and create it anew: it reads its source from the beginning")
}

/// `place`: the record's topic, partition and offset, where known; `why`: as the processing log would say it; `setting`: the one
/// by which the query stops.
pub fn bad_record(place: Option<(&str, u32, i64)>, why: &str, setting: &str) -> Error {
    let place = match place {
        Some((topic, partition, offset)) => format!("topic {topic}, partition {partition}, offset {offset}: "),
        None => String::new(),
    };
    statement(format!("{place}{why}"))
        .hint(format!("the query has {setting} = true: without it, it would skip such records"))
}

/// A commit that would be more than the log takes.
pub fn commit_too_large(partition_bytes_max: usize) -> Error {
    statement(format!("one commit would write more than {} MB to one partition", partition_bytes_max >> 20))
        .hint("commit more often (commit.interval.ms), spread the keys over more partitions, or collect shorter lists")
}

/// All in bytes. `held`: by all queries together.
pub fn memory(more: usize, held: usize, bytes_max: usize) -> Error {
    let size = |bytes: usize| match bytes {
        0..0x10_0000 => format!("{} KB", bytes.div_ceil(1 << 10)),
        _ => format!("{} MB", bytes >> 20),
    };
    statement(format!(
        "the memory for all queries together, {}, is not enough: {} are held, and the query needs {} more",
        size(bytes_max),
        size(held),
        size(more)
    ))
    .hint("start with a larger --memory, end other queries, group by fewer keys or keep windows for a shorter time; then RESUME it")
}

/// `busy`: the ids of queries that read more and more.
pub fn restless(busy: &[&str]) -> Error {
    statement(format!("Queries do not come to rest: {} read more and more.", busy.join(", ")))
        .hint("what one writes comes back to it, perhaps by way of others")
}

//! The log that isn't there or says no: what the writer of a statement can do about it.

use super::world;
use crate::error::Error;
use crate::log::LogError;

/// What helps where the log's own words don't say it.
pub fn hint(error: &LogError) -> Option<&'static str> {
    match error {
        LogError::UnknownTopic(_) => Some("create it, or DROP what reads or writes it"),
        LogError::Unavailable(_) => Some("is the address right (bootstrap.servers), and do the brokers run?"),
        LogError::Denied(_) => Some("give this user the right by an ACL, or log in as another (sasl.*, ssl.*)"),
        LogError::RecordTooLarge { .. } => {
            Some("raise it: `millpond topic alter TOPIC --config max.message.bytes=...`")
        }
        LogError::Fenced(_) => Some(
            "another process has this one's data folder, or this one was away for longer than session.timeout.ms or transaction.timeout.ms",
        ),
        _ => None,
    }
}

/// `why`: what the log says of it.
pub fn out_of_reach(why: &str) -> Error {
    world(why).hint("nothing was done; try again when the cluster answers")
}

/// Whether a statement is carried out isn't known; `why`: what the log said last.
pub fn statement_in_doubt(why: &str) -> Error {
    world(format!(
        "The cluster didn't say whether it has the statement, so it isn't known whether it is carried out: {why}"
    ))
    .hint("SHOW and DESCRIBE tell when the cluster answers again; the statement can be given again then")
}

/// `error`: why.
pub fn nothing_changed(error: &Error) -> Error {
    let hint = error.hint.clone().unwrap_or_else(|| "try again when the cluster answers".to_owned());
    world(format!("Nothing was changed: {}", error.what)).hint(hint)
}

pub fn catalog_changes_all_the_time() -> Error {
    world("Other processes of the service change the catalog all the time.").hint("try again")
}

/// `query`: one that has ended here.
pub fn others_at_work(query: &str, topic: &str) -> Error {
    world(format!(
        "Other processes of the service are still at work on query {query}, which has ended and wrote to topic '{topic}'."
    ))
    .hint("try again in a moment")
}

/// DELETE TOPIC on a cluster that gives topics no ids.
pub fn topic_without_id(topic: &str) -> Error {
    world(format!("topic '{topic}' can't be deleted with it: the cluster gives topics no ids"))
        .hint("leave out DELETE TOPIC, and use `millpond topic delete`")
}

/// A topic that a query has read, and that is another one of its name now.
pub fn topic_replaced(topic: &str, has_state: bool) -> Error {
    world(format!("topic '{topic}' was deleted and created again: it is another topic now")).hint(match has_state {
        true => "DROP what the query makes and create it anew: its state is of the old topic",
        false => "the query begins in it as a new one does",
    })
}

/// `why`: what the log says of it.
pub fn topic_not_the_same(why: &str) -> Error {
    world(format!("{why}: the topic is not the one that the query has read so far"))
        .hint("DROP the query's stream or table and create it anew")
}

/// The topic that a query writes to.
pub fn sink_deleted(topic: &str) -> Error {
    world(format!("topic '{topic}', which the query writes to, was deleted"))
        .hint("create it anew with as many partitions, or DROP the query's stream or table")
}

/// A transaction of somebody else is open in the partition.
pub fn transaction_open(topic: &str, partition: u32, position: i64, end: i64) -> Error {
    world(format!(
        "{topic}-{partition} can be read up to offset {position} only, not to {end}: a transaction is open there"
    ))
    .hint("the cluster ends it after its producer's transaction.timeout.ms")
}

/// A pull query asks a table whose rows are read back after a start.
pub fn rows_not_there_yet(table: &str) -> Error {
    world(format!("the rows of {table} are still being read back"))
        .hint("try again in a moment; SHOW QUERIES tells how its query is")
}

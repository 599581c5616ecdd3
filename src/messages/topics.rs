//! Topics: those that statements name, and what the commands on topics refuse.

use super::statement;
use crate::error::Error;
use crate::nearest::nearest;

/// PRINT of a topic that isn't there; `there`: those that are.
pub fn unknown<'a>(topic: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    let error = statement(format!("Could not find topic '{topic}', or the user does not have permission."));
    match nearest(topic, there) {
        Some(other) => error.hint(format!("Did you mean '{other}'? Topic names are case-sensitive.")),
        None => error.hint("SHOW TOPICS; lists what there is"),
    }
}

/// The topic of a declared source.
pub fn missing(topic: &str) -> Error {
    statement(format!("Kafka topic does not exist: {topic}"))
        .hint("add PARTITIONS = n to the WITH clause to make it, or `millpond topic create`")
}

/// What a WITH clause asks of a topic that is there, and what that has.
#[derive(Default)]
pub struct Differences {
    pub partitions: Option<(u32, u32)>,
    pub replicas: Option<(u32, u16)>,
}

impl Differences {
    pub fn any(&self) -> bool {
        self.partitions.is_some() || self.replicas.is_some()
    }
}

pub fn exists_otherwise(topic: &str, differences: &Differences) -> Error {
    let partitions = differences.partitions.map(|(asked, there)| format!("{asked} partitions (topic has {there})"));
    let replicas = differences.replicas.map(|(asked, there)| format!("{asked} replication factor (topic has {there})"));
    let expected: Vec<String> = partitions.into_iter().chain(replicas).collect();
    statement(format!(
        "A Kafka topic with the name '{topic}' already exists, with different partition/replica configuration than required. KSQL expects {}.",
        expected.join(", and ")
    ))
    .hint("leave them out to take the topic as it is, or give KAFKA_TOPIC another name")
}

pub fn retention_of_table() -> Error {
    statement("Invalid config variable in the WITH clause: RETENTION_MS. Non-windowed tables do not support retention.")
        .hint("each key's last row is kept; DELETE or a record without value removes one")
}

pub fn replicas(asked: u32) -> Error {
    statement(format!("No cluster has {asked} brokers for REPLICAS.")).hint("REPLICAS=3 keeps three copies")
}

/// ASSERT TOPIC with another property.
pub fn asserted_property(name: &str) -> Error {
    statement(format!("Cannot assert unknown topic property: {name}.")).hint("PARTITIONS and REPLICAS can be asserted")
}

pub fn asserted_count(name: &str) -> Error {
    statement(format!("{name} must be a whole number.")).hint(format!("as in WITH ({name}=3)"))
}

/// ASSERT NOT EXISTS TOPIC of one that is there.
pub fn asserted_absent(topic: &str) -> Error {
    statement(format!("Topic {topic} exists."))
}

/// ASSERT TOPIC of one that isn't there.
pub fn asserted_present(topic: &str) -> Error {
    statement(format!("Topic {topic} does not exist."))
}

/// ASSERT TOPIC of one that is otherwise. `config`: partitions or replicas.
pub fn asserted_config(topic: &str, config: &str, expected: u32, found: u32) -> Error {
    statement(format!(
        "Mismatched configuration for topic {topic}: For config {config}, expected {expected} got {found}"
    ))
}

/// A change of one of the engine's own topics.
pub fn own(topic: &str) -> Error {
    statement(format!("Topic '{topic}' holds what queries rely on: it can be read, not changed."))
        .hint("DROP the stream or table of the query; its topics go with it")
}

/// `users`: as `stream S` or `query CSAS_S_1`.
pub fn in_use(topic: &str, users: &[String]) -> Error {
    statement(format!("Topic '{topic}' is used by {}.", users.join(", ")))
        .hint("DROP ... DELETE TOPIC them first; --force deletes it all the same")
}

/// Records for a topic that only the query `query` writes.
pub fn written_by_query(topic: &str, table: &str, query: &str) -> Error {
    statement(format!("Topic '{topic}' holds the table {table}, which query {query} makes: it takes no other records."))
        .hint(format!("write into a topic that the query reads, or a single row by INSERT INTO {table} VALUES (...)"))
}

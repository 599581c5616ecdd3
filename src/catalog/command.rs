//! The command log: every change of the catalog is one command in one topic, replayed at start.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::log::{Log, LogError, Records, TopicPartition, TopicSpec};

/// The topic of the command log.
pub const COMMAND_TOPIC: &str = "_confluent-ksql-default__command_topic";

/// The format of a command's bytes that this version writes. Older ones are read.
const VERSION: u32 = 1;

/// Bytes fetched at a time when the commands are replayed.
const FETCH_BYTES_MAX: usize = 1 << 20;

/// A statement that changed the catalog.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Command {
    pub version: u32,
    /// Variables already put in.
    pub statement: String,
    /// Session properties that were in force.
    pub properties: BTreeMap<String, String>,
    /// The query it started: the id is part of what was promised, so it is not made anew at replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
}

impl Command {
    pub fn new(statement: String, properties: BTreeMap<String, String>, query_id: Option<String>) -> Self {
        Command { version: VERSION, statement, properties, query_id }
    }
}

/// The commands in their topic.
pub struct CommandLog {
    log: Arc<dyn Log>,
    partition: TopicPartition,
}

impl CommandLog {
    /// Opens the command log; makes its topic when it is not there.
    pub fn open(log: Arc<dyn Log>) -> Result<Self> {
        let spec = TopicSpec {
            name: COMMAND_TOPIC.to_string(),
            partitions: 1,
            replicas: None,
            configs: BTreeMap::from([("retention.ms".to_string(), "-1".to_string())]),
        };
        match log.create_topic(&spec) {
            Ok(()) | Err(LogError::TopicExists(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(CommandLog { log, partition: TopicPartition { topic: COMMAND_TOPIC.to_string(), partition: 0 } })
    }

    /// The offset that the next command gets: the number in the ids of queries.
    pub fn next_offset(&self) -> Result<i64> {
        Ok(self.log.offsets(&self.partition)?.1)
    }

    /// Appends a command; it is durable as the log's policy says.
    pub fn append(&self, command: &Command, wall_time: i64) -> Result<i64> {
        let value = serde_json::to_vec(command).map_err(|error| Error::internal(error.to_string()))?;
        let mut records = Records::default();
        records.push(None, Some(&value), wall_time);
        Ok(self.log.append(&self.partition, &records)?)
    }

    /// All commands in order, with their offsets; one that can't be read is given as the reason why.
    pub fn replay(&self) -> Result<Vec<(i64, Result<Command, String>)>> {
        let (mut position, end) = self.log.offsets(&self.partition)?;
        let mut commands = Vec::new();
        let mut records = Records::default();
        while position < end {
            self.log.fetch(&self.partition, position, FETCH_BYTES_MAX, &mut records)?;
            for row in 0..records.len() {
                let command = decode(records.value(row).unwrap_or_default());
                commands.push((records.meta[row].offset, command));
            }
            if records.next_offset <= position {
                break;
            }
            position = records.next_offset;
        }
        Ok(commands)
    }
}

fn decode(bytes: &[u8]) -> Result<Command, String> {
    let command: Command = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if command.version > VERSION {
        return Err(format!("written by a newer version (command format {})", command.version));
    }
    Ok(command)
}

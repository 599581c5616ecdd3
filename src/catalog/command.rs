//! The command log: every change of the catalog is one command in one topic, replayed at start.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::log::{Log, LogError, Records, TopicPartition};

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
    /// The topic that goes with what it drops. By its id: what is created later under the name is not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<DeletedTopic>,
    /// Where it started a query that makes a table: what the table's topic held then. Older commands don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundRecords>,
}

/// Records that a query's topic held when the query began: others', such as those of a dropped table of the same name.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FoundRecords {
    /// As `TopicId` shows itself: what is created later under the topic's name holds none of them.
    pub topic_id: String,
    /// The offset behind them, by partition.
    pub ends: Vec<i64>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DeletedTopic {
    pub name: String,
    /// As `TopicId` shows itself.
    pub id: String,
}

impl Command {
    pub fn new(statement: String, properties: BTreeMap<String, String>, query_id: Option<String>) -> Self {
        Command { version: VERSION, statement, properties, query_id, deletes: None, found: None }
    }
}

/// The commands in their topic.
pub struct CommandLog {
    log: Arc<dyn Log>,
    partition: TopicPartition,
}

impl CommandLog {
    /// The commands in this topic; one that isn't there has none.
    pub fn new(log: Arc<dyn Log>, topic: String) -> Self {
        CommandLog { log, partition: TopicPartition { topic, partition: 0 } }
    }

    /// The offset that the next command gets: the number in the ids of queries.
    pub fn next_offset(&self) -> Result<i64> {
        Ok(self.ends()?.1)
    }

    /// Tells this history of commands from any other, as that of a log that was begun anew in the same folder: when its
    /// first command was given, and which it was. Empty before the first one.
    pub fn history(&self) -> Result<String> {
        let (first, end) = self.ends()?;
        let mut records = Records::default();
        if first < end {
            self.log.fetch(&self.partition, first, 1, &mut records)?;
        }
        let Some(meta) = records.meta.first() else { return Ok(String::new()) };
        let command = crc32c::crc32c(records.value(0).unwrap_or_default());
        Ok(format!("{} {} {command:08x}", meta.offset, meta.timestamp))
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
        let (mut position, end) = self.ends()?;
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

    /// (first offset, next offset); a topic that isn't there is empty.
    fn ends(&self) -> Result<(i64, i64)> {
        match self.log.offsets(&self.partition) {
            Err(LogError::UnknownTopic(_)) => Ok((0, 0)),
            ends => Ok(ends?),
        }
    }
}

fn decode(bytes: &[u8]) -> Result<Command, String> {
    let command: Command = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if command.version > VERSION {
        return Err(format!("written by a newer version (command format {})", command.version));
    }
    Ok(command)
}

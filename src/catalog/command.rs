//! The command log: every change of the catalog is one command in one topic, replayed at start.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::Chain;
use crate::error::{Error, Result};
use crate::log::{Log, LogError, Records, Remedy, TopicPartition};

/// The format of a command's bytes that this version writes. Older ones are read.
const VERSION: u32 = 1;

/// Bytes fetched at a time when the commands are replayed.
const FETCH_BYTES_MAX: usize = 1 << 20;

/// A statement that changed the catalog.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Command {
    /// Of the format; a newer one than is known is refused.
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
    /// Where it started a query that makes a table: how many partitions the table's topic had. Older commands don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink_partitions: Option<u32>,
    /// Where several processes write commands: what it was judged on. It counts only if it finds that (see [`Chain`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
}

/// The state of the catalog that a command was judged on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Judged {
    /// Tells the statement from any other: by it its writer finds the command, where the answer was lost.
    pub statement_id: String,
    /// The offset of the last command that counted; -1: none did.
    pub behind: i64,
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
    /// Of this version.
    pub fn new(statement: String, properties: BTreeMap<String, String>, query_id: Option<String>) -> Self {
        Command {
            version: VERSION,
            statement,
            properties,
            query_id,
            deletes: None,
            found: None,
            sink_partitions: None,
            judged: None,
        }
    }
}

/// The commands in their topic.
pub struct CommandLog {
    log: Arc<dyn Log>,
    partition: TopicPartition,
}

impl CommandLog {
    /// The commands in this topic. One that isn't there has none, and must be made before the first is appended.
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
    ///
    /// Errors: of the log's; only with some is it sure that the command isn't there (see [`is_refusal`]).
    pub fn append(&self, command: &Command, wall_time: i64) -> Result<i64, LogError> {
        let value = serde_json::to_vec(command).map_err(|error| LogError::Invalid(error.to_string()))?;
        let mut records = Records::default();
        records.push(None, Some(&value), wall_time);
        self.log.append(&self.partition, &records)
    }

    /// The topic that holds the commands.
    pub fn topic(&self) -> &str {
        &self.partition.topic
    }

    /// All commands that are there, in their order; and where they end.
    pub fn replay(&self) -> Result<(Vec<ReadCommand>, Chain)> {
        let mut chain = Chain::from(self.ends()?.0);
        let commands = self.read_on(&mut chain)?;
        Ok((commands, chain))
    }

    /// The commands behind those that the chain has, up to the end that is there now.
    ///
    /// Errors: the topic can't be read, or has less than what was read of it before. Then the chain is as it was.
    pub fn read_on(&self, chain: &mut Chain) -> Result<Vec<ReadCommand>> {
        let mut commands = Vec::new();
        let mut read_to = *chain;
        let mut records = Records::default();
        loop {
            let from = read_to.next;
            match self.log.fetch(&self.partition, from, FETCH_BYTES_MAX, &mut records) {
                Ok(()) => {}
                Err(LogError::UnknownTopic(_)) if from == 0 => return Ok(commands),
                Err(error @ (LogError::UnknownTopic(_) | LogError::OffsetOutOfRange { .. })) => {
                    return Err(self.cut(from, &error));
                }
                Err(error) => return Err(error.into()),
            }
            for row in 0..records.len() {
                let (offset, read) = (records.meta[row].offset, decode(records.value(row).unwrap_or_default()));
                let counts = read_to.take(offset, read.judged.as_ref());
                commands.push(ReadCommand { offset, counts, ..read });
            }
            if records.next_offset <= from {
                *chain = read_to;
                return Ok(commands);
            }
            read_to.next = records.next_offset;
        }
    }

    fn cut(&self, known: i64, error: &LogError) -> Error {
        Error::world(format!(
            "the command topic was read up to offset {known}, and isn't there any more up to that: {error}"
        ))
        .hint("was it deleted or emptied? What it holds now is read by a process that starts anew")
    }

    /// (first offset, next offset); a topic that isn't there is empty.
    fn ends(&self) -> Result<(i64, i64)> {
        match self.log.offsets(&self.partition) {
            Err(LogError::UnknownTopic(_)) => Ok((0, 0)),
            ends => Ok(ends?),
        }
    }
}

/// Whether nothing was appended, and nothing comes later of it: the log refused. Else the answer may have been lost.
pub fn is_refusal(error: &LogError) -> bool {
    error.remedy() == Remedy::Mend
}

/// A command as it stands in the log.
#[derive(Debug)]
pub struct ReadCommand {
    /// Where it stands in the command topic.
    pub offset: i64,
    /// Whether it is a change of the catalog: one that was judged on another catalog than it found is none.
    pub counts: bool,
    pub judged: Option<Judged>,
    /// Or the reason why it can't be read.
    pub command: Result<Command, String>,
}

fn decode(bytes: &[u8]) -> ReadCommand {
    /// What commands of all versions have. Whether a command counts must not depend on who reads it.
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(default)]
        judged: Option<Judged>,
    }
    let judged = serde_json::from_slice(bytes).ok().and_then(|head: Head| head.judged);
    ReadCommand { offset: 0, counts: false, judged, command: decode_command(bytes) }
}

fn decode_command(bytes: &[u8]) -> Result<Command, String> {
    let command: Command = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if command.version > VERSION {
        return Err(format!("written by a newer version (command format {})", command.version));
    }
    Ok(command)
}

//! What goes over the folder's socket, and between a terminal and a server: paths, requests and answers. Both sides are of the same version (the first request
//! makes sure), so nothing here needs to stay compatible.
//!
//! | path | request | answer |
//! | --- | --- | --- |
//! | GET /info | | [`Info`] (ksqlDB's, and ours beside it) |
//! | GET /millpond/names | | array of names |
//! | GET /millpond/layouts | | object of topics and their layouts |
//! | POST /millpond/users | a topic's name | [`TopicUsers`](crate::engine::TopicUsers) |
//! | POST /millpond/groups | a group's name or null | [`GroupStanding`](crate::engine::GroupStanding)s, or an error |
//! | POST /millpond/reset | [`ResetCall`] | null, or an error |
//! | POST /millpond/await | an offset of the command log, a time | whether that command is carried out by then, or an error |
//! | POST /millpond/insert | [`InsertCall`] | null, or an error |
//! | POST /millpond/statement | [`StatementCall`] | lines of JSON: [`StatementAnswer`]; when that is rows, [`RowLine`]s |
//! | POST /millpond/log | [`LogCall`] | [`LogAnswer`] |
//! | POST /millpond/fetch | [`FetchCall`] | records (see [`super::binary`]) |
//! | POST /millpond/append | head [`AppendHead`], records | [`LogAnswer::Offset`] |
//! | POST /millpond/commit | head [`CommitHead`], records per append | [`LogAnswer::Done`] |
//! | POST /millpond/watch | array of topics | a byte per ring, until one side closes |
//!
//! An error of the log is a 409 with a [`LogError`](crate::log::LogError); an error of a statement is part of its
//! answer. Any other status is a defect or a limit, with a text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Holder, ServerInfo};
use crate::engine::{ResultColumn, Session, Status, Told, Trial};
use crate::error::Error;
use crate::log::{Durability, GroupDescription, TopicDescription, TopicPartition, TopicSpec, TopicSummary};

pub const INFO: &str = "/info";
pub const NAMES: &str = "/millpond/names";
pub const LAYOUTS: &str = "/millpond/layouts";
pub const USERS: &str = "/millpond/users";
pub const GROUPS: &str = "/millpond/groups";
pub const RESET: &str = "/millpond/reset";
pub const AWAIT: &str = "/millpond/await";
pub const INSERT: &str = "/millpond/insert";
pub const STATEMENT: &str = "/millpond/statement";
pub const LOG: &str = "/millpond/log";
pub const FETCH: &str = "/millpond/fetch";
pub const APPEND: &str = "/millpond/append";
pub const COMMIT: &str = "/millpond/commit";
pub const WATCH: &str = "/millpond/watch";

/// Calls that may be made twice. Only they go over connections that were kept: that the owner has closed one can't be told
/// from a call that broke, and then they are made again.
pub const REPEATABLE: [&str; 3] = [INFO, NAMES, FETCH];
/// The largest request; bounds an append and a transaction, too.
pub const REQUEST_BYTES_MAX: usize = 64 << 20;
/// The most that one fetch asks for; a larger record comes all the same.
pub const FETCH_BYTES_MAX: usize = 16 << 20;
/// Chunks of an answer that may wait for a slow client.
pub const CHUNKS_MAX: usize = 4;
/// The most connections at once; more wait. A push query and a watched set of topics keep one each.
pub const CONNECTIONS_MAX: usize = 256;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Info {
    #[serde(rename = "KsqlServerInfo")]
    pub server: ServerInfo,
    #[serde(rename = "MillpondInfo")]
    pub owner: OwnerInfo,
}

/// The process that holds the folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwnerInfo {
    pub version: String,
    pub pid: u32,
    pub durability: Durability,
    #[serde(flatten)]
    pub holder: Holder,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ResetCall {
    pub group: String,
    pub positions: Vec<(TopicPartition, i64)>,
    pub trial: Trial,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct InsertCall {
    pub target: String,
    /// JSON objects.
    pub rows: Vec<String>,
    pub properties: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct StatementCall {
    pub session: Session,
    pub statement: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct StatementAnswer {
    /// As the statement left it.
    pub session: Session,
    pub reply: ReplyHead,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyHead {
    Done(Status),
    Facts(Told),
    Rows { columns: Vec<ResultColumn>, query_id: Option<String> },
    Failed(Error),
}

/// A line of an answer with rows. Values are as [`super::value`] writes them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowLine {
    Rows {
        rows: Vec<Vec<serde_json::Value>>,
        /// Which of the rows are tombstones.
        tombstones: Vec<usize>,
    },
    Line(String),
    Warning(String),
    End(String),
    Failed(Error),
    /// The query is over and said nothing more. Without one of the last three, the connection broke.
    Closed,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum LogCall {
    CreateTopic(TopicSpec),
    AlterTopic { topic: String, partitions: Option<u32>, configs: Vec<(String, Option<String>)> },
    EmptyTopic(String),
    DeleteRecords { partition: TopicPartition, below: i64 },
    DeleteTopic(String),
    Topics,
    Summaries,
    DescribeTopic(String),
    Partitions(String),
    Offsets(TopicPartition),
    OffsetsOf(Vec<TopicPartition>),
    OffsetForTime { partition: TopicPartition, timestamp: i64 },
    Positions(String),
    Groups,
    DeleteGroup(String),
    DescribeGroups(Vec<String>),
    AlterPositions { group: String, positions: Vec<(TopicPartition, i64)> },
    Sync,
    Warnings,
}

impl LogCall {
    /// Whether it changes nothing when it is made twice.
    pub fn is_repeatable(&self) -> bool {
        match self {
            LogCall::AlterTopic { .. }
            | LogCall::DeleteRecords { .. }
            | LogCall::Topics
            | LogCall::Summaries
            | LogCall::DescribeTopic(_)
            | LogCall::Partitions(_)
            | LogCall::Offsets(_)
            | LogCall::OffsetsOf(_)
            | LogCall::OffsetForTime { .. }
            | LogCall::Positions(_)
            | LogCall::Groups
            | LogCall::DeleteGroup(_)
            | LogCall::DescribeGroups(_)
            | LogCall::AlterPositions { .. }
            | LogCall::Sync
            | LogCall::Warnings => true,
            LogCall::CreateTopic(_) | LogCall::EmptyTopic(_) | LogCall::DeleteTopic(_) => false,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub enum LogAnswer {
    Done,
    Names(Vec<String>),
    Summaries(Vec<TopicSummary>),
    Description(TopicDescription),
    Partitions(Option<u32>),
    Offsets(i64, i64),
    ManyOffsets(Vec<(TopicPartition, (i64, i64))>),
    Offset(i64),
    Positions(Vec<(TopicPartition, i64)>),
    GroupDescriptions(Vec<GroupDescription>),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct FetchCall {
    pub partition: TopicPartition,
    pub from: i64,
    pub bytes_max: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct AppendHead {
    pub partition: TopicPartition,
}

/// A whole transaction.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct CommitHead {
    /// Where each of the records that follow goes.
    pub appends: Vec<TopicPartition>,
    /// By group.
    pub positions: BTreeMap<String, Vec<(TopicPartition, i64)>>,
}

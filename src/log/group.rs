//! Groups as people see them.

use super::TopicPartition;

/// A group as it is now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GroupDescription {
    /// Name of the group.
    pub name: String,
    /// What its members are doing.
    pub state: GroupState,
    /// Who is at work in it.
    pub members: Vec<GroupMember>,
}

impl GroupDescription {
    /// Of a group that isn't there.
    pub(crate) fn unknown(name: &str) -> GroupDescription {
        GroupDescription { name: name.to_owned(), state: GroupState::Dead, members: Vec::new() }
    }
}

/// What the members of a group are doing, in Kafka's words, which `Display` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum GroupState {
    /// Nobody is at work; there may be positions.
    Empty,
    /// They come and go, and give back what they have.
    PreparingRebalance,
    /// They wait for what they are given.
    CompletingRebalance,
    /// Each has its partitions.
    Stable,
    /// There is no such group.
    Dead,
    /// The cluster has a word for it that isn't known here.
    Unknown,
}

impl std::fmt::Display for GroupState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
            GroupState::Unknown => "Unknown",
        })
    }
}

/// A member of a group at work.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GroupMember {
    /// Given by the group.
    pub id: String,
    /// What the client calls itself (`client.id`).
    pub client: String,
    /// Where it is.
    pub host: String,
    /// What it has.
    pub partitions: Vec<TopicPartition>,
}

//! Taking part in a group: what a query at work asks of a log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{LogError, Records, Signal, TopicPartition, Transaction};

/// What a query, in one process, wants of a log.
#[derive(Clone)]
pub struct MemberSpec {
    /// One for each stage of the query: the group shares out the partitions of their lead topics.
    pub stages: Vec<StageTopics>,
    /// None: for a reader, which gets all partitions and commits nothing.
    pub group: Option<GroupSpec>,
    /// Rung when [`Member::poll`] or a fetch may have something new.
    pub signal: Arc<Signal>,
}

/// The topics that a stage reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageTopics {
    /// Its partitions are shared out.
    pub lead: String,
    /// Who has partition i of the lead has partition i of these, too.
    pub followers: Vec<String>,
}

/// A group, and this member of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// Name of the group.
    pub id: String,
    /// Of the producer. Two members with the same one fence each other: the later one is right. It stays with a data
    /// folder and a query, so that a restarted process ends what the one before left open.
    pub transactional_id: String,
    /// A name for this member that outlives the process (Kafka's `group.instance.id`): restarted within the session
    /// timeout, it gets its partitions back at once, without a rebalance. A member without one gets them when the session
    /// of its former self has timed out, but its partitions go to others as soon as it leaves; those of a named one
    /// when its session has timed out.
    pub instance_id: Option<String>,
    /// What the member tells of itself to whoever describes the group, behind the client's name (`client.id`).
    pub about: Option<String>,
    /// How results become visible.
    pub delivery: Delivery,
}

/// How a member's transactions become visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Appends and positions as one.
    ExactlyOnce,
    /// Appends as they are made, each at least once; then, at the commit, the positions.
    AtLeastOnce,
}

/// A change of what a member has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These partitions of lead topics are the member's from now on: to be read from the group's positions. None at all where
    /// the others have them.
    Given(Vec<TopicPartition>),
    /// To be given up soon: commit what was done for them, or drop it, then call [`Member::give_up`]. Until then they
    /// are still the member's, and the group waits.
    Revoked(Vec<TopicPartition>),
    /// No longer the member's, and maybe another's already: what isn't committed is void. [`Member::give_up`] is called
    /// all the same.
    Lost(Vec<TopicPartition>),
}

/// A member of a group, or a lone reader. The group's other members are other processes (or queries of this one).
///
/// # Invariants
///
/// - A partition has one owner: it is given to a member only after the one before gave it up or was thrown out, and a
///   transaction of a member that was thrown out since it began doesn't commit (upheld by the group's generation, which
///   is taken when a transaction begins).
/// - One transaction at a time.
///
/// Dropped, it leaves the group; one with an `instance_id` keeps its place until its session times out.
pub trait Member: Send + Sync {
    /// What changed since the last call. Never waits (the spec's signal is there to wait for). To be called every few
    /// seconds at least: a member that doesn't for `max.poll.interval.ms` is thrown out.
    fn poll(&self) -> Result<Vec<Change>, LogError>;

    /// Ends the ownership of partitions that were revoked or lost, and closes their reading ends and those of their followers:
    /// no fetch of them may be under way. The group waits until all that were asked for together are given up.
    fn give_up(&self, partitions: &[TopicPartition]) -> Result<(), LogError>;

    /// Like [`Log::fetch`](super::Log::fetch), but gives what has arrived and never waits for more: nothing doesn't mean
    /// that there is nothing. `into.next_offset` is never below `from`. Reads any partition of any topic, ahead as well:
    /// go on where the last fetch of it ended. May be called from several threads for different partitions.
    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError>;

    /// The end of a partition as last seen by a fetch of it; what lies between is lag. None: not fetched yet.
    fn end(&self, partition: &TopicPartition) -> Option<i64>;

    /// Begins a transaction. One that can't commit any more because the group changed fails with
    /// [`Remedy::Redo`](super::Remedy::Redo) at the latest at its commit: drop it, go back to the committed positions (and
    /// the state of that commit) of the partitions that are still the member's, and do it again.
    /// A member whose producer was fenced, or doesn't know how its last commit ended, takes a new one: that ends what the
    /// former one left open, and may take some seconds.
    /// Only positions of the member's own group can be set.
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError>;

    /// The group's committed positions of these partitions; those without one are left out. Waits for transactions under
    /// way that would change them: those of a member that was thrown out end when they time out.
    fn positions(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogError>;
}

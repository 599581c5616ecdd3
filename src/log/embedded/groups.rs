//! Who is at work in the groups, and positions that are set from outside them.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::Inner;
use super::commit::EmbeddedTransaction;
use crate::log::{GroupDescription, GroupMember, GroupState, LogError, TopicPartition};

/// The members of all groups, in this process: there is no other.
#[derive(Debug, Default)]
pub(super) struct Members {
    by_group: Mutex<BTreeMap<String, BTreeMap<u64, Vec<TopicPartition>>>>,
    next: std::sync::atomic::AtomicU64,
}

impl Members {
    /// Gives the member's number.
    pub(super) fn join(&self, group: &str) -> u64 {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.by_group.lock().entry(group.to_owned()).or_default().insert(number, Vec::new());
        number
    }

    pub(super) fn give(&self, group: &str, number: u64, partitions: &[TopicPartition]) {
        let mut groups = self.by_group.lock();
        if let Some(has) = groups.get_mut(group).and_then(|members| members.get_mut(&number)) {
            has.extend_from_slice(partitions);
        }
    }

    pub(super) fn leave(&self, group: &str, number: u64) {
        let mut groups = self.by_group.lock();
        if let Some(members) = groups.get_mut(group) {
            members.remove(&number);
            if members.is_empty() {
                groups.remove(group);
            }
        }
    }

    fn of(&self, group: &str) -> Vec<GroupMember> {
        let groups = self.by_group.lock();
        let member = |(number, partitions): (&u64, &Vec<TopicPartition>)| GroupMember {
            id: format!("member-{number}"),
            client: "millpond".to_owned(),
            host: format!("process {}", std::process::id()),
            partitions: partitions.clone(),
        };
        groups.get(group).into_iter().flatten().map(member).collect()
    }
}

impl Inner {
    pub(super) fn describe_group(&self, name: &str) -> GroupDescription {
        let members = self.members.of(name);
        let state = match members.is_empty() {
            false => GroupState::Stable,
            true if self.catalog.has_group(name) => GroupState::Empty,
            true => GroupState::Dead,
        };
        GroupDescription { name: name.to_owned(), state, members }
    }

    pub(super) fn alter_positions(
        &self,
        group: &str,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), LogError> {
        // Nobody joins until they are set.
        let members = self.members.by_group.lock();
        if let Some(at_work) = members.get(group) {
            return Err(LogError::GroupAtWork { group: group.to_owned(), members: at_work.len() });
        }
        if positions.is_empty() {
            return Ok(());
        }
        let mut transaction = EmbeddedTransaction::new(self);
        for (place, offset) in positions {
            transaction.position(group, place, *offset)?;
        }
        transaction.finish().map(|_| ())
    }
}

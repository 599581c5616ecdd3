//! Groups: what people and the engine ask a cluster to change, and what it says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::CALL_TIMEOUT;
use super::cluster::{Cluster, of_these_topics};
use super::native::{Code, Failure, PartitionList, Position};
use crate::log::{GroupDescription, GroupMember, LogError, TopicPartition};
use crate::time;

/// How long to wait before asking again for positions that a transaction is about to change.
const UNSTABLE_POLL: Duration = Duration::from_millis(20);

impl Cluster {
    pub(super) fn groups(&self) -> Result<Vec<String>, LogError> {
        let found = self.patiently(|| self.client.groups(CALL_TIMEOUT));
        found.map_err(|failure| super::errors::log_error("listing groups", None, failure))
    }

    /// In the order asked for.
    pub(super) fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError> {
        let asked: BTreeSet<String> = groups.iter().cloned().collect();
        let asked: Vec<String> = asked.into_iter().collect();
        let found = self
            .patiently(|| self.client.describe_groups(&asked, CALL_TIMEOUT))
            .map_err(|failure| group_failed("describing", &groups.join(", "), failure))?;
        let by_name: BTreeMap<String, GroupDescription> =
            found.into_iter().map(|group| (group.name.clone(), group)).collect();
        let unknown = |name: &String| GroupDescription::unknown(name);
        Ok(groups.iter().map(|name| by_name.get(name).cloned().unwrap_or_else(|| unknown(name))).collect())
    }

    pub(super) fn group_members(&self, group: &str) -> Result<Vec<GroupMember>, LogError> {
        let groups = self.describe_groups(&[group.to_owned()])?;
        Ok(groups.into_iter().flat_map(|group| group.members).collect())
    }

    /// The cluster refuses while somebody is at work in the group.
    pub(super) fn alter_positions(
        &self,
        group: &str,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), LogError> {
        if positions.is_empty() {
            return Ok(());
        }
        positions.keys().try_for_each(|place| self.check(place))?;
        let list: Vec<_> = positions.iter().map(|(place, offset)| (place, *offset)).collect();
        let altered = PartitionList::new(&list)
            .and_then(|list| self.patiently(|| self.client.alter_group_positions(group, &list, CALL_TIMEOUT)));
        altered.map_err(|failure| match failure.code {
            // To the cluster an outsider is a member that it doesn't know.
            Code::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID | Code::RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP => {
                LogError::GroupAtWork { group: group.to_owned(), members: self.members_at_work(group) }
            }
            _ => group_failed("setting positions of", group, failure),
        })
    }

    /// At least one, when the group isn't described as it was a moment ago.
    fn members_at_work(&self, group: &str) -> usize {
        self.group_members(group).map_or(1, |members| members.len().max(1))
    }

    pub(super) fn delete_group(&self, group: &str) -> Result<(), LogError> {
        match self.patiently(|| self.client.delete_group(group, CALL_TIMEOUT)) {
            Err(failure) if failure.code == Code::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => Ok(()),
            outcome => outcome.map_err(|failure| group_failed("deleting", group, failure)),
        }
    }

    /// Of some partitions, or all, without those of topics that are gone. Waits for transactions under way that would change them.
    pub(super) fn group_positions(
        &self,
        group: &str,
        places: Option<&PartitionList>,
    ) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        of_these_topics(self.stored_positions(group, places)?, |topic| self.topic_id(topic))
    }

    fn stored_positions(
        &self,
        group: &str,
        places: Option<&PartitionList>,
    ) -> Result<BTreeMap<TopicPartition, Position>, LogError> {
        let started = time::now();
        let client = self.positions_client(group)?;
        loop {
            match self.patiently(|| client.group_positions(group, places, CALL_TIMEOUT)) {
                Err(failure) if unstable(&failure) && started.elapsed() < CALL_TIMEOUT => {
                    std::thread::sleep(UNSTABLE_POLL);
                }
                Err(failure) if failure.code == Code::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => {
                    return Ok(BTreeMap::new());
                }
                outcome => return outcome.map_err(|failure| group_failed("asking for positions of", group, failure)),
            }
        }
    }
}

fn unstable(failure: &Failure) -> bool {
    failure.code == Code::RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT
}

fn group_failed(doing: &str, group: &str, failure: Failure) -> LogError {
    super::errors::log_error(&format!("{doing} group '{group}'"), None, failure)
}

//! Which process has which partitions of each query, as their groups tell, and whom a pull query is to ask. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Process;
use crate::log::{GroupDescription, GroupState, TopicPartition};

/// The partitions of a query, as its group shares them out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    /// Of lead topics, by the process that has them. Processes that can't be reached aren't told of.
    pub by_process: BTreeMap<Process, BTreeSet<TopicPartition>>,
    /// Who has each partition of the last stage.
    pub owners: Vec<Option<Process>>,
}

impl Shares {
    /// `lead`: the topic whose `count` partitions are those of the last stage. While the members of the group come and go, a
    /// partition is still that of whoever had it `before`: most stay where they are.
    pub fn told(group: &GroupDescription, lead: &str, count: u32, before: Option<&Shares>) -> Shares {
        let mut shares = Shares { by_process: BTreeMap::new(), owners: vec![None; count as usize] };
        let mut given = BTreeSet::new();
        for member in &group.members {
            let process = Process::of_client(&member.client);
            for place in &member.partitions {
                given.insert(place.clone());
                if let Some(process) = &process {
                    shares.put(place.clone(), process, lead);
                }
            }
            if let Some(process) = process {
                shares.by_process.entry(process).or_default();
            }
        }
        if group.state == GroupState::Stable {
            return shares;
        }
        for (process, places) in before.iter().flat_map(|before| &before.by_process) {
            for place in places.iter().filter(|place| !given.contains(place)) {
                shares.put(place.clone(), process, lead);
            }
        }
        shares
    }

    fn put(&mut self, place: TopicPartition, process: &Process, lead: &str) {
        if place.topic == lead
            && let Some(owner) = self.owners.get_mut(place.partition as usize)
        {
            *owner = Some(process.clone());
        }
        self.by_process.entry(process.clone()).or_default().insert(place);
    }

    /// Who has a partition of the topic that the last stage writes: who has the stage's of that number. So a key's rows are with
    /// the process that makes them, where the two have the same number of partitions.
    pub fn owner(&self, partition: u32) -> Option<&Process> {
        let count = self.owners.len().max(1);
        self.owners.get(partition as usize % count)?.as_ref()
    }
}

/// Who answers for partitions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// This process.
    pub here: Vec<u32>,
    /// Others.
    pub there: BTreeMap<Process, Vec<u32>>,
}

/// Each partition is asked of the process that has it, if that answers as far as it is known; else this process answers.
pub fn route(
    partitions: impl IntoIterator<Item = u32>,
    shares: &Shares,
    own: &str,
    answers: impl Fn(&Process) -> bool,
) -> Routes {
    let mut routes = Routes::default();
    for partition in partitions {
        match shares.owner(partition) {
            Some(owner) if owner.id != own && answers(owner) => {
                routes.there.entry(owner.clone()).or_default().push(partition);
            }
            _ => routes.here.push(partition),
        }
    }
    routes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::GroupMember;

    fn process(id: &str) -> Process {
        Process { id: id.to_owned(), url: format!("http://{id}:8088") }
    }

    fn place(topic: &str, partition: u32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }

    fn group(state: GroupState, members: &[(&str, &[u32])]) -> GroupDescription {
        let member = |(client, partitions): &(&str, &[u32])| GroupMember {
            id: format!("{client}-1"),
            client: (*client).to_owned(),
            host: "/127.0.0.1".to_owned(),
            partitions: partitions.iter().map(|partition| place("lead", *partition)).collect(),
        };
        GroupDescription { name: "g".to_owned(), state, members: members.iter().map(member).collect() }
    }

    fn told(state: GroupState, members: &[(&str, &[u32])], before: Option<&Shares>) -> Shares {
        Shares::told(&group(state, members), "lead", 3, before)
    }

    const A: &str = "millpond#a@http://a:8088";
    const B: &str = "millpond#b@http://b:8088";

    #[test]
    fn a_group_says_who_has_what() {
        let shares = told(GroupState::Stable, &[(A, &[0, 2]), (B, &[]), ("millpond", &[1])], None);
        assert_eq!(shares.owners, [Some(process("a")), None, Some(process("a"))]);
        let of_b = &shares.by_process[&process("b")];
        assert!(of_b.is_empty(), "it is there all the same");
        assert_eq!(shares.by_process.len(), 2, "nobody can ask the third");
        // Of another stage.
        let other = Shares::told(&group(GroupState::Stable, &[(A, &[0])]), "other", 1, None);
        assert_eq!((other.owners, other.by_process[&process("a")].len()), (vec![None], 1));
    }

    #[test]
    fn while_members_come_and_go_what_was_known_holds_until_another_has_it() {
        let before = told(GroupState::Stable, &[(A, &[0, 1, 2])], None);
        for state in [GroupState::PreparingRebalance, GroupState::CompletingRebalance] {
            assert_eq!(told(state, &[(A, &[]), (B, &[])], Some(&before)).owners, before.owners);
            let moved = told(state, &[(A, &[0]), (B, &[2])], Some(&before));
            assert_eq!(moved.owners, [Some(process("a")), Some(process("a")), Some(process("b"))]);
            assert_eq!(moved.by_process[&process("a")], BTreeSet::from([place("lead", 0), place("lead", 1)]));
        }
        assert_eq!(told(GroupState::Stable, &[(B, &[1])], Some(&before)).owners, [None, Some(process("b")), None]);
        assert_eq!(told(GroupState::Empty, &[], None).owners, [None, None, None]);
    }

    #[test]
    fn a_partition_is_asked_of_who_has_it_and_answers() {
        let shares = told(GroupState::Stable, &[(A, &[0]), (B, &[1])], None);
        let all = |own: &str, answers: fn(&Process) -> bool| route(0..3, &shares, own, answers);
        let there = |partition| BTreeMap::from([(process("b"), vec![partition])]);
        assert_eq!(all("a", |_| true), Routes { here: vec![0, 2], there: there(1) });
        assert_eq!(all("a", |_| false), Routes { here: vec![0, 1, 2], there: BTreeMap::new() });
        let all_there = BTreeMap::from([(process("a"), vec![0]), (process("b"), vec![1])]);
        assert_eq!(all("c", |_| true), Routes { here: vec![2], there: all_there });
        assert_eq!(route([1], &shares, "a", |_| true), Routes { here: vec![], there: there(1) });
        // The table's topic has more partitions than the stage that writes it, or nothing is known of the stage.
        assert_eq!(route([4], &shares, "a", |_| true), Routes { here: vec![], there: there(4) });
        assert_eq!(route([4], &Shares::default(), "a", |_| true), Routes { here: vec![4], there: BTreeMap::new() });
    }
}

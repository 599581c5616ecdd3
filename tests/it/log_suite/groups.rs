//! Groups are described, and told to read from elsewhere.

use std::collections::BTreeMap;

use millpond::log::{Delivery, GroupState, Log, LogError};

use super::members::{await_share, spec};
use super::{Case, at, eventually, numbered, topic};
use crate::kafka_broker::fresh;

pub const CASES: &[Case] = &[
    ("a group is described as its members come and go", described),
    ("positions are set where nobody is at work", altered),
];

fn state(log: &dyn Log, group: &str) -> GroupState {
    log.describe_groups(&[group.to_owned()]).unwrap()[0].state
}

fn described(log: &dyn Log) {
    let source = topic(log, "described", 2, &[]);
    let (group, nobody) = (fresh("described"), fresh("nobody"));
    assert_eq!(state(log, &group), GroupState::Dead);
    let member = log.join(&spec(&source, &group, Delivery::ExactlyOnce)).unwrap();
    await_share(&*member, &mut Vec::new(), 2);
    eventually("a stable group", || (state(log, &group) == GroupState::Stable).then_some(()));
    let asked = [nobody.clone(), group.clone(), nobody.clone()];
    let groups = log.describe_groups(&asked).unwrap();
    assert_eq!(groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>(), asked);
    assert_eq!((groups[0].state, groups[0].members.len()), (GroupState::Dead, 0));
    let [only] = groups[1].members.as_slice() else { panic!("{groups:?}") };
    let mut partitions = only.partitions.clone();
    partitions.sort();
    assert_eq!(partitions, [at(&source, 0), at(&source, 1)]);
    assert_eq!(only.client, "millpond");
    assert!(!only.id.is_empty() && !only.host.is_empty(), "{only:?}");
    assert_eq!(log.group_members(&group).unwrap(), groups[1].members);
    let mut transaction = member.begin().unwrap();
    transaction.set_position(&group, &at(&source, 0), 0).unwrap();
    transaction.commit().unwrap();
    drop(member);
    eventually("the member's leave", || log.group_members(&group).unwrap().is_empty().then_some(()));
    assert_eq!(state(log, &group), GroupState::Empty);
    log.delete_group(&group).unwrap();
    eventually("the end of the group", || (state(log, &group) == GroupState::Dead).then_some(()));
}

fn altered(log: &dyn Log) {
    let source = topic(log, "altered", 3, &[]);
    let group = fresh("altered");
    log.append(&at(&source, 0), &numbered(0..5)).unwrap();
    let place = |partition| at(&source, partition);
    log.alter_positions(&group, &BTreeMap::from([(place(0), 4), (place(1), 0)])).unwrap();
    assert_eq!(log.positions(&group).unwrap(), BTreeMap::from([(place(0), 4), (place(1), 0)]));
    // Those that aren't named stay.
    log.alter_positions(&group, &BTreeMap::from([(place(0), 2), (place(2), 0)])).unwrap();
    let expected = BTreeMap::from([(place(0), 2), (place(1), 0), (place(2), 0)]);
    assert_eq!(log.positions(&group).unwrap(), expected);
    let error = log.alter_positions(&group, &BTreeMap::from([(place(0), 0), (place(3), 0)])).unwrap_err();
    assert!(matches!(error, LogError::UnknownPartition { partition: 3, .. }), "{error:?}");
    let error = log.alter_positions(&group, &BTreeMap::from([(at("no-such-topic", 0), 0)])).unwrap_err();
    assert!(matches!(error, LogError::UnknownTopic(_)), "{error:?}");
    let member = log.join(&spec(&source, &group, Delivery::ExactlyOnce)).unwrap();
    await_share(&*member, &mut Vec::new(), 3);
    let error = log.alter_positions(&group, &BTreeMap::from([(place(0), 0)])).unwrap_err();
    assert!(matches!(&error, LogError::GroupAtWork { members: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("NON_EMPTY_GROUP"), "{error}");
    assert_eq!(log.positions(&group).unwrap(), expected);
    drop(member);
    eventually("the member's leave", || log.group_members(&group).unwrap().is_empty().then_some(()));
    log.alter_positions(&group, &BTreeMap::from([(place(0), 0)])).unwrap();
    assert_eq!(log.positions(&group).unwrap()[&place(0)], 0);
    log.delete_group(&group).unwrap();
}

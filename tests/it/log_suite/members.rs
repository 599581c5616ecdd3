//! A member alone in its group, and readers without one.

use std::sync::Arc;
use std::time::Duration;

use millpond::log::{
    Change, Delivery, GroupSpec, Log, LogError, Member, MemberSpec, Records, Remedy, Signal, StageTopics,
    TopicPartition,
};

use super::{Case, at, eventually, holds, numbered, strings, topic, values};
use crate::kafka_broker::fresh;

pub const CASES: &[Case] = &[
    ("a member reads, writes and commits", works),
    ("positions of a member are its group's alone", own_group),
    ("at least once: positions follow the records", at_least_once),
    ("a reader without a group commits nothing", lone),
];

pub fn spec(lead: &str, group: &str, delivery: Delivery) -> MemberSpec {
    let group = GroupSpec {
        id: group.to_owned(),
        transactional_id: format!("{group}-producer"),
        instance_id: None,
        about: None,
        delivery,
    };
    MemberSpec {
        stages: vec![StageTopics { lead: lead.to_owned(), followers: Vec::new() }],
        group: Some(group),
        signal: Arc::new(Signal::default()),
    }
}

/// Polls until the member has these partitions of a topic, giving up what it is asked for.
pub fn await_share(member: &dyn Member, has: &mut Vec<TopicPartition>, count: usize) {
    eventually("the member's share", || {
        let changes = match member.poll() {
            Ok(changes) => changes,
            Err(error) if error.remedy() == Remedy::Retry => return None,
            Err(error) => panic!("{error}"),
        };
        for change in changes {
            match change {
                Change::Given(given) => has.extend(given),
                Change::Revoked(gone) | Change::Lost(gone) => {
                    has.retain(|place| !gone.contains(place));
                    member.give_up(&gone).unwrap();
                }
            }
        }
        (has.len() == count).then_some(())
    });
    has.sort();
}

/// Fetches until `count` records have come; gives their values and the offset to go on from.
pub fn fetched(
    member: &dyn Member,
    signal: &Signal,
    place: &TopicPartition,
    from: i64,
    count: usize,
) -> (Vec<String>, i64) {
    let mut records = Records::default();
    let mut found = Vec::new();
    let mut next = from;
    eventually("records", || {
        member.fetch(place, next, 1 << 20, &mut records).unwrap();
        assert!(records.next_offset >= next);
        next = records.next_offset;
        found.extend((0..records.len()).map(|row| String::from_utf8(records.value(row).unwrap().to_vec()).unwrap()));
        if found.len() < count {
            signal.wait(Duration::from_millis(100));
        }
        (found.len() >= count).then_some(())
    });
    (found, next)
}

fn works(log: &dyn Log) {
    let (source, sink) = (topic(log, "source", 3, &[]), topic(log, "sink", 1, &[]));
    let group = fresh("works");
    for partition in 0..3 {
        log.append(&at(&source, partition), &numbered(0..10)).unwrap();
    }
    let spec = spec(&source, &group, Delivery::ExactlyOnce);
    let member = log.join(&spec).unwrap();
    let mut has = Vec::new();
    await_share(&*member, &mut has, 3);
    assert_eq!(has, [at(&source, 0), at(&source, 1), at(&source, 2)]);
    assert!(member.positions(&has).unwrap().is_empty());
    let (found, next) = fetched(&*member, &spec.signal, &at(&source, 1), 0, 10);
    assert_eq!((found, next), (strings(0..10), 10));
    assert_eq!(member.end(&at(&source, 1)), Some(10));
    let mut transaction = member.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(0..4)).unwrap();
    transaction.set_position(&group, &at(&source, 1), next).unwrap();
    assert!(values(log, &at(&sink, 0)).is_empty());
    transaction.commit().unwrap();
    holds(log, &at(&sink, 0), &strings(0..4));
    let positions: Vec<_> = member.positions(&has).unwrap().into_iter().collect();
    assert_eq!(positions, [(at(&source, 1), 10)]);
    // Dropped, nothing of it was.
    let mut transaction = member.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(50..60)).unwrap();
    transaction.set_position(&group, &at(&source, 1), 0).unwrap();
    drop(transaction);
    assert_eq!(member.positions(&has).unwrap()[&at(&source, 1)], 10);
    holds(log, &at(&sink, 0), &strings(0..4));
    // What comes later arrives; another member of the same group goes on from there.
    log.append(&at(&source, 1), &numbered(10..12)).unwrap();
    assert_eq!(fetched(&*member, &spec.signal, &at(&source, 1), next, 2).0, strings(10..12));
    drop(member);
    let member = log.join(&spec).unwrap();
    await_share(&*member, &mut Vec::new(), 3);
    assert_eq!(member.positions(&has).unwrap()[&at(&source, 1)], 10);
}

fn own_group(log: &dyn Log) {
    let source = topic(log, "own", 1, &[]);
    let group = fresh("own");
    let member = log.join(&spec(&source, &group, Delivery::ExactlyOnce)).unwrap();
    await_share(&*member, &mut Vec::new(), 1);
    let mut transaction = member.begin().unwrap();
    let outcome = transaction.set_position("another-group", &at(&source, 0), 0);
    assert!(matches!(outcome, Err(LogError::Invalid(_))), "{outcome:?}");
}

fn at_least_once(log: &dyn Log) {
    let (source, sink) = (topic(log, "alo", 1, &[]), topic(log, "alo-sink", 1, &[]));
    let group = fresh("alo");
    let member = log.join(&spec(&source, &group, Delivery::AtLeastOnce)).unwrap();
    await_share(&*member, &mut Vec::new(), 1);
    let mut transaction = member.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(0..100)).unwrap();
    transaction.set_position(&group, &at(&source, 0), 0).unwrap();
    transaction.commit().unwrap();
    holds(log, &at(&sink, 0), &strings(0..100));
    assert_eq!(log.positions(&group).unwrap()[&at(&source, 0)], 0);
}

fn lone(log: &dyn Log) {
    let source = topic(log, "lone", 2, &[]);
    log.append(&at(&source, 0), &numbered(0..3)).unwrap();
    let spec = MemberSpec { group: None, ..spec(&source, "no-group", Delivery::ExactlyOnce) };
    let member = log.join(&spec).unwrap();
    assert_eq!(member.poll().unwrap(), [Change::Given(vec![at(&source, 0), at(&source, 1)])]);
    assert_eq!(fetched(&*member, &spec.signal, &at(&source, 0), 1, 2).0, strings(1..3));
    assert!(matches!(member.begin(), Err(LogError::Invalid(_))));
    log.alter_topic(&source, Some(3), &[]).unwrap();
    eventually("the new partition", || (member.poll().unwrap() == [Change::Given(vec![at(&source, 2)])]).then_some(()));
}

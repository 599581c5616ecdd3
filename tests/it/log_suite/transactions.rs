//! Transactions are seen whole or not at all, positions with them.

use millpond::log::Log;

use super::{Case, at, eventually, holds, numbered, strings, topic, values};
use crate::kafka_broker::fresh;

pub const CASES: &[Case] = &[
    ("a transaction is seen whole or not at all", whole),
    ("a dropped transaction never was", dropped),
    ("positions come with their transaction", positions),
    ("transactions go side by side", side_by_side),
];

fn whole(log: &dyn Log) {
    let topic = topic(log, "whole", 2, &[]);
    let mut transaction = log.begin().unwrap();
    transaction.append(&at(&topic, 0), &numbered(0..3)).unwrap();
    transaction.append(&at(&topic, 1), &numbered(3..5)).unwrap();
    transaction.append(&at(&topic, 0), &numbered(5..6)).unwrap();
    for partition in 0..2 {
        assert!(values(log, &at(&topic, partition)).is_empty());
    }
    transaction.commit().unwrap();
    holds(log, &at(&topic, 0), &["v0", "v1", "v2", "v5"].map(str::to_owned));
    holds(log, &at(&topic, 1), &strings(3..5));
}

fn dropped(log: &dyn Log) {
    let topic = topic(log, "dropped", 1, &[]);
    log.append(&at(&topic, 0), &numbered(0..2)).unwrap();
    let mut transaction = log.begin().unwrap();
    transaction.append(&at(&topic, 0), &numbered(100..2_000)).unwrap();
    transaction.set_position("a-group-of-nobody", &at(&topic, 0), 1).unwrap();
    drop(transaction);
    holds(log, &at(&topic, 0), &strings(0..2));
    assert!(!log.positions("a-group-of-nobody").unwrap().contains_key(&at(&topic, 0)));
    let mut transaction = log.begin().unwrap();
    transaction.append(&at(&topic, 0), &numbered(2..4)).unwrap();
    transaction.commit().unwrap();
    drop(log.begin().unwrap());
    log.append(&at(&topic, 0), &numbered(4..5)).unwrap();
    holds(log, &at(&topic, 0), &strings(0..5));
}

fn positions(log: &dyn Log) {
    let topic = topic(log, "positions", 2, &[]);
    let group = fresh("group");
    log.append(&at(&topic, 0), &numbered(0..5)).unwrap();
    assert!(log.positions(&group).unwrap().is_empty());
    let mut transaction = log.begin().unwrap();
    transaction.set_position(&group, &at(&topic, 0), 3).unwrap();
    transaction.set_position(&group, &at(&topic, 1), 0).unwrap();
    assert!(log.positions(&group).unwrap().is_empty());
    transaction.commit().unwrap();
    let found: Vec<_> = log.positions(&group).unwrap().into_iter().collect();
    assert_eq!(found, [(at(&topic, 0), 3), (at(&topic, 1), 0)]);
    assert!(log.groups().unwrap().contains(&group));
    let mut transaction = log.begin().unwrap();
    transaction.set_position(&group, &at(&topic, 0), 5).unwrap();
    transaction.commit().unwrap();
    assert_eq!(log.positions(&group).unwrap()[&at(&topic, 0)], 5);
    log.delete_group(&group).unwrap();
    assert!(log.positions(&group).unwrap().is_empty());
    assert!(!log.groups().unwrap().contains(&group));
}

fn side_by_side(log: &dyn Log) {
    let topic = topic(log, "side", 1, &[]);
    let mut first = log.begin().unwrap();
    let mut second = log.begin().unwrap();
    first.append(&at(&topic, 0), &numbered(0..1)).unwrap();
    second.append(&at(&topic, 0), &numbered(1..2)).unwrap();
    second.commit().unwrap();
    first.commit().unwrap();
    let mut found = eventually("both", || Some(values(log, &at(&topic, 0))).filter(|found| found.len() == 2));
    found.sort();
    assert_eq!(found, strings(0..2));
}

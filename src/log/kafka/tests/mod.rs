//! Clients that fail, on librdkafka's own imitation of a cluster: what fails there can't be made to fail on a real one.

mod fading_broker;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::member::GroupedMember;
use super::*;
use crate::log::{Change, Delivery, GroupSpec, StageTopics};
use fading_broker::FadingBroker;

const TOPIC: &str = "t";

/// A cluster with one topic of one partition.
fn cluster() -> (MockCluster<'static, DefaultProducerContext>, KafkaLog) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let log = KafkaLog::open(&KafkaConfig::new(&cluster.bootstrap_servers()).unwrap()).unwrap();
    (cluster, log)
}

fn place() -> TopicPartition {
    TopicPartition { topic: TOPIC.to_owned(), partition: 0 }
}

fn record(value: &str) -> Records {
    let mut records = Records::default();
    records.push(None, Some(value.as_bytes()), 1);
    records
}

#[test]
fn an_appender_that_has_failed_is_replaced() {
    let (_cluster, log) = cluster();
    assert_eq!(log.append(&place(), &record("a")).unwrap(), 0);
    log.appender.lock().as_ref().unwrap().client.fail_for_test();
    assert_eq!(log.append(&place(), &record("b")).unwrap(), 1);
}

#[test]
fn a_topic_that_cannot_be_described_hides_no_other() {
    let (cluster, log) = cluster();
    cluster.create_topic("leaderless", 2, 1).unwrap();
    cluster.partition_leader("leaderless", 1, None).unwrap();
    log.append(&place(), &record("a")).unwrap();
    let topics = log.summaries().unwrap();
    let told: Vec<_> = topics.iter().map(|topic| (topic.name.as_str(), topic.partitions, topic.records)).collect();
    assert_eq!(told, [("leaderless", Some(2), None), (TOPIC, Some(1), Some(1))]);
}

#[test]
fn what_brokers_take_in_no_request_is_not_sent() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let mut config = KafkaConfig::new(&cluster.bootstrap_servers()).unwrap();
    config.set("producer.max.request.size", "2000000").unwrap();
    let log = KafkaLog::open(&config).unwrap();
    let error = log.append(&place(), &record(&"x".repeat(2_000_000))).unwrap_err();
    let said = error.to_string();
    for text in ["2000000 bytes for topic 't'", "socket.request.max.bytes", "(MESSAGE_TOO_LARGE)"] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert_eq!(log.append(&place(), &record("a")).unwrap(), 0);
}

fn member(log: &KafkaLog, delivery: Delivery) -> GroupedMember {
    let group =
        GroupSpec { id: "g".to_owned(), transactional_id: "g-1".to_owned(), instance_id: None, about: None, delivery };
    let spec = MemberSpec {
        stages: vec![StageTopics { lead: TOPIC.to_owned(), followers: Vec::new() }],
        group: Some(group.clone()),
        signal: Arc::default(),
    };
    let member = GroupedMember::join(&log.cluster, &spec, &group).unwrap();
    let started = crate::time::now();
    while !member.poll().unwrap().iter().any(|change| matches!(change, Change::Given(given) if !given.is_empty())) {
        assert!(started.elapsed() < Duration::from_secs(60), "no partition came");
        spec.signal.wait(Duration::from_millis(100));
    }
    member
}

fn commit(member: &GroupedMember, value: &str, offset: i64) -> Result<(), LogError> {
    let mut transaction = member.begin()?;
    transaction.append(&place(), &record(value))?;
    transaction.set_position("g", &place(), offset)?;
    transaction.commit()
}

#[test]
fn a_writer_that_has_failed_is_replaced() {
    let (_cluster, log) = cluster();
    let member = member(&log, Delivery::AtLeastOnce);
    commit(&member, "a", 1).unwrap();
    let mut transaction = member.begin().unwrap();
    transaction.append(&place(), &record("b")).unwrap();
    member.fail_producer_for_test();
    // Whether or not these records have gone out before.
    drop(transaction.commit());
    commit(&member, "c", 3).unwrap();
}

/// What a producer left open is ended by its successor: nobody waits for a timeout with the question where to go on.
#[test]
fn a_producer_that_cannot_be_used_is_replaced_before_positions_are_asked_for() {
    let (_cluster, log) = cluster();
    let member = member(&log, Delivery::ExactlyOnce);
    commit(&member, "a", 1).unwrap();
    assert!(member.producer_is_usable_for_test());
    member.fail_producer_for_test();
    assert!(!member.producer_is_usable_for_test());
    // The imitation doesn't tell the ids of topics, which positions go with.
    drop(member.positions(&[place()]));
    assert!(member.producer_is_usable_for_test());
}

/// librdkafka lets go of all brokers then, and doesn't find them again by itself.
#[test]
fn clients_that_were_told_of_no_broker_find_them_again() {
    let broker = FadingBroker::start();
    let log = KafkaLog::open(&KafkaConfig::new(&broker.bootstrap()).unwrap()).unwrap();
    let reader = log.cluster.new_client(ClientKind::Consumer, Role::Reader).unwrap();
    for client in [&log.cluster.client, &reader] {
        let started = crate::time::now();
        let ask = || {
            assert!(started.elapsed() < Duration::from_secs(60), "nobody answers");
            client.metadata(Duration::from_secs(1))
        };
        while ask().is_err() {}
        let before = broker.faded();
        broker.set_fading(true);
        while broker.faded() == before {
            // The answer itself is good.
            drop(ask());
        }
        broker.set_fading(false);
        while ask().is_err() {}
    }
}

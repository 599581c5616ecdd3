//! What only a cluster can show: other clients, several members, fencing.

use std::collections::BTreeMap;
use std::time::Duration;

use millpond::log::kafka::{KafkaConfig, KafkaLog};
use millpond::log::partitioner::partition_for;
use millpond::log::{Change, Delivery, Log, LogError, Records, Remedy, TopicPartition, TopicSpec};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::members::{await_share, fetched, spec};
use super::{at, eventually, holds, numbered, strings, topic, values};
use crate::kafka_broker::{self, fresh};

const LONG: Duration = Duration::from_secs(30);

fn foreign(settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka_broker::bootstrap());
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, value: &str) {
    producer
        .send(BaseRecord::<str, str>::to(topic).partition(partition).payload(value))
        .map_err(|(error, _)| error)
        .unwrap();
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn aborted_records_of_another_client_are_hidden() {
    let log = kafka_broker::log();
    let topic = topic(&log, "foreign", 1, &[]);
    let id = fresh("foreign");
    let producer: BaseProducer = foreign(&[("transactional.id", &id)]).create().unwrap();
    producer.init_transactions(LONG).unwrap();
    let round = |values: &[&str], commit: bool| {
        producer.begin_transaction().unwrap();
        values.iter().for_each(|value| send(&producer, &topic, 0, value));
        producer.flush(LONG).unwrap();
        match commit {
            true => producer.commit_transaction(LONG).unwrap(),
            false => producer.abort_transaction(LONG).unwrap(),
        }
    };
    round(&["no"], false);
    round(&["v0", "v1"], true);
    round(&["no", "no"], false);
    // Offsets: no, marker, v0, v1, marker, no, no, marker. The last one is there some time after the call.
    eventually("the end behind the last marker", || (log.offsets(&at(&topic, 0)).unwrap() == (0, 8)).then_some(()));
    holds(&log, &at(&topic, 0), &["v0", "v1"].map(str::to_owned));
    let mut records = Records::default();
    log.fetch(&at(&topic, 0), 5, 1 << 20, &mut records).unwrap();
    assert_eq!((records.len(), records.next_offset), (0, 8));
    // An open transaction hides what comes after it.
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, "v2");
    producer.flush(LONG).unwrap();
    log.append(&at(&topic, 0), &numbered(3..4)).unwrap();
    assert_eq!(log.offsets(&at(&topic, 0)).unwrap(), (0, 8));
    holds(&log, &at(&topic, 0), &["v0", "v1"].map(str::to_owned));
    producer.commit_transaction(LONG).unwrap();
    holds(&log, &at(&topic, 0), &strings(0..4));
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn other_clients_and_we_read_each_other() {
    let log = kafka_broker::log();
    const PARTITIONS: u32 = 7;
    let topic = topic(&log, "exchange", PARTITIONS, &[]);
    // Java's own partitioner, by librdkafka.
    let producer: BaseProducer = foreign(&[("partitioner", "murmur2_random")]).create().unwrap();
    let keys: Vec<String> = (0..200).map(|i| format!("clé-{i}")).collect();
    for key in &keys {
        let headers = OwnedHeaders::new().insert(Header { key: "from", value: Some("afar") });
        let record = BaseRecord::to(&topic).key(key).payload(key).timestamp(77).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(LONG).unwrap();
    let mut count = 0;
    for partition in 0..PARTITIONS {
        let (mut next, end) = log.offsets(&at(&topic, partition)).unwrap();
        let mut records = Records::default();
        while next < end {
            log.fetch(&at(&topic, partition), next, 1 << 20, &mut records).unwrap();
            for row in 0..records.len() {
                assert_eq!(partition_for(records.key(row).unwrap(), PARTITIONS), partition);
                assert_eq!(records.meta[row].timestamp, 77);
                let header = &records.headers(row)[0];
                assert_eq!((header.key.as_str(), header.value.as_deref()), ("from", Some(b"afar".as_slice())));
                count += 1;
            }
            next = records.next_offset;
        }
    }
    assert_eq!(count, keys.len());
    // And the other way round.
    let topic = super::topic(&log, "exchange-back", 1, &[]);
    let headers = [millpond::log::Header { key: "h".into(), value: Some(b"1".to_vec()) }];
    let mut written = Records::default();
    written.push_with_headers(Some(b"k"), Some(b"v"), 1, &headers);
    written.push(Some(b"k"), None, 2);
    let mut transaction = log.begin().unwrap();
    transaction.append(&at(&topic, 0), &written).unwrap();
    transaction.commit().unwrap();
    let settings = [("group.id", "anyone"), ("auto.offset.reset", "earliest"), ("isolation.level", "read_committed")];
    let consumer: BaseConsumer = foreign(&settings).create().unwrap();
    consumer.subscribe(&[&topic]).unwrap();
    let next = || loop {
        if let Some(message) = consumer.poll(LONG) {
            break message.unwrap().detach();
        }
    };
    let (first, second) = (next(), next());
    assert_eq!(
        (first.key(), first.payload(), first.timestamp().to_millis()),
        (Some(&b"k"[..]), Some(&b"v"[..]), Some(1))
    );
    assert_eq!(first.headers().unwrap().get(0).value, Some(b"1".as_slice()));
    assert_eq!((second.key(), second.payload()), (Some(&b"k"[..]), None));
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn members_share_and_nothing_is_done_twice() {
    let log = kafka_broker::log();
    let source = topic(&log, "share", 4, &[]);
    let group = fresh("share");
    for partition in 0..4 {
        log.append(&at(&source, partition), &numbered(0..5)).unwrap();
    }
    let one = spec(&source, &group, Delivery::ExactlyOnce);
    let mut other = one.clone();
    other.group.as_mut().unwrap().transactional_id.push_str("-2");
    other.signal = Default::default();
    let first = log.join(&one).unwrap();
    let mut firsts = Vec::new();
    await_share(&*first, &mut firsts, 4);
    fetched(&*first, &one.signal, &at(&source, 3), 0, 5);
    let second = log.join(&other).unwrap();
    let mut seconds: Vec<TopicPartition> = Vec::new();
    // The first is asked for two; until it gives them up the second has none of them, and the first may commit for them.
    let asked = eventually("the request", || {
        for change in second.poll().unwrap() {
            assert!(matches!(&change, Change::Given(given) if given.is_empty()), "{change:?}");
        }
        let change = first.poll().unwrap().into_iter().next()?;
        let Change::Revoked(asked) = change else { panic!("{change:?}") };
        Some(asked)
    });
    assert_eq!(asked.len(), 2);
    let mut transaction = first.begin().unwrap();
    for place in &asked {
        transaction.set_position(&group, place, 5).unwrap();
    }
    transaction.commit().unwrap();
    first.give_up(&asked).unwrap();
    firsts.retain(|place| !asked.contains(place));
    eventually("two members", || {
        for change in first.poll().unwrap() {
            assert!(matches!(&change, Change::Given(given) if given.is_empty()), "{change:?}");
        }
        for change in second.poll().unwrap() {
            match change {
                Change::Given(given) => seconds.extend(given),
                other => panic!("{other:?}"),
            }
        }
        (seconds.len() == 2).then_some(())
    });
    seconds.sort();
    assert_eq!(seconds, asked);
    assert_eq!(second.positions(&seconds).unwrap().into_values().collect::<Vec<_>>(), [5, 5]);
    assert_eq!(log.group_members(&group).unwrap().len(), 2);
    // What was given up can't be committed any more.
    let mut transaction = first.begin().unwrap();
    transaction.set_position(&group, &asked[0], 0).unwrap();
    let error = transaction.commit().unwrap_err();
    assert_eq!(error.remedy(), Remedy::Redo, "{error}");
    let mut transaction = first.begin().unwrap();
    transaction.set_position(&group, &firsts[0], 2).unwrap();
    transaction.commit().unwrap();
    // A group with members takes positions from them alone.
    let mut outsider = log.begin().unwrap();
    outsider.set_position(&group, &asked[0], 0).unwrap();
    let error = outsider.commit().unwrap_err();
    assert!(error.to_string().contains("NON_EMPTY_GROUP"), "{error}");
    assert_eq!(log.positions(&group).unwrap()[&asked[0]], 5);
    // Who leaves leaves all to the other.
    drop(first);
    await_share(&*second, &mut seconds, 4);
}

/// Brokers make topics that are asked for, unless told otherwise.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_deleted_topic_is_not_made_again_by_who_wrote_to_it() {
    let log = kafka_broker::log();
    let name = topic(&log, "deleted", 1, &[]);
    log.append(&at(&name, 0), &numbered(0..1)).unwrap();
    kafka_broker::log().delete_topic(&name).unwrap();
    // As far as this client knows it is there still.
    assert!(log.append(&at(&name, 0), &numbered(1..2)).is_err());
    let error = kafka_broker::log().describe_topic(&name).unwrap_err();
    assert!(matches!(error, LogError::UnknownTopic(_)), "{error}");
}

/// Also when what was read of the old one is committed after that, as by a member that hasn't noticed.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn positions_of_a_topic_are_not_those_of_another_of_its_name() {
    let log = kafka_broker::log();
    for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
        let source = topic(&log, "again", 1, &[]);
        log.append(&at(&source, 0), &numbered(0..5)).unwrap();
        let group = fresh("again");
        let member = log.join(&spec(&source, &group, delivery)).unwrap();
        await_share(&*member, &mut Vec::new(), 1);
        let commit = |offset| {
            let mut transaction = member.begin().unwrap();
            transaction.set_position(&group, &at(&source, 0), offset).unwrap();
            transaction.commit()
        };
        let positions = || member.positions(&[at(&source, 0)]).unwrap();
        assert!(positions().is_empty());
        commit(4).unwrap();
        assert_eq!(positions(), BTreeMap::from([(at(&source, 0), 4)]));
        assert_eq!(log.positions(&group).unwrap(), positions());

        log.delete_topic(&source).unwrap();
        super::create(&log, &source, 1, &[]);
        log.append(&at(&source, 0), &numbered(0..9)).unwrap();
        eventually("a commit of what was read before", || commit(5).ok());
        assert!(positions().is_empty());
        assert!(log.positions(&group).unwrap().is_empty());
        // Asked for anew, they are the new topic's.
        commit(6).unwrap();
        assert_eq!(positions(), BTreeMap::from([(at(&source, 0), 6)]));
    }
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn the_later_producer_of_an_id_is_right() {
    let log = kafka_broker::log();
    let (source, sink) = (topic(&log, "fenced", 1, &[]), topic(&log, "fenced-sink", 1, &[]));
    let group = fresh("fenced");
    let one = spec(&source, &group, Delivery::ExactlyOnce);
    let first = log.join(&one).unwrap();
    await_share(&*first, &mut Vec::new(), 1);
    let mut transaction = first.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(100..110)).unwrap();
    transaction.set_position(&group, &at(&source, 0), 0).unwrap();
    // The same transactional id, as of a process that was started in the place of one thought dead.
    let mut again = one.clone();
    again.signal = Default::default();
    let second = log.join(&again).unwrap();
    let error = transaction.commit().unwrap_err();
    assert!(matches!(error, LogError::Fenced(_)), "{error}");
    assert_eq!(error.remedy(), Remedy::Redo, "{error}");
    drop(first);
    await_share(&*second, &mut Vec::new(), 1);
    assert!(second.positions(&[at(&source, 0)]).unwrap().is_empty());
    let mut transaction = second.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(0..2)).unwrap();
    transaction.set_position(&group, &at(&source, 0), 0).unwrap();
    transaction.commit().unwrap();
    holds(&log, &at(&sink, 0), &strings(0..2));
    // A member whose producer was fenced has a new one at its next transaction.
    let third = log.join(&again).unwrap();
    let mut transaction = second.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(100..110)).unwrap();
    let error = transaction.commit().unwrap_err();
    assert!(matches!(error, LogError::Fenced(_)), "{error}");
    let mut transaction = second.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(2..3)).unwrap();
    transaction.commit().unwrap();
    drop(third);
    holds(&log, &at(&sink, 0), &strings(0..3));
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_member_that_froze_is_thrown_out_and_its_work_is_void() {
    let bootstrap = kafka_broker::bootstrap();
    let mut config = KafkaConfig::new(bootstrap).unwrap();
    for (name, value) in
        [("session.timeout.ms", "1000"), ("heartbeat.interval.ms", "200"), ("max.poll.interval.ms", "1500")]
    {
        config.set(&format!("consumer.{name}"), value).unwrap();
    }
    let log = KafkaLog::open(&config).unwrap();
    let (source, sink) = (topic(&log, "frozen", 1, &[]), topic(&log, "frozen-sink", 1, &[]));
    let group = fresh("frozen");
    let member = log.join(&spec(&source, &group, Delivery::ExactlyOnce)).unwrap();
    await_share(&*member, &mut Vec::new(), 1);
    let mut transaction = member.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(0..3)).unwrap();
    transaction.set_position(&group, &at(&source, 0), 3).unwrap();
    // It doesn't poll meanwhile.
    eventually("the group without it", || log.group_members(&group).unwrap().is_empty().then_some(()));
    let error = transaction.commit().unwrap_err();
    assert_eq!(error.remedy(), Remedy::Redo, "{error}");
    assert!(log.positions(&group).unwrap().is_empty());
    assert!(values(&log, &at(&sink, 0)).is_empty());
    let lost = eventually("the loss", || {
        let change = member.poll().unwrap().into_iter().next()?;
        let Change::Lost(lost) = change else { panic!("{change:?}") };
        Some(lost)
    });
    assert_eq!(lost, [at(&source, 0)]);
    member.give_up(&lost).unwrap();
    // It is a member again by itself.
    await_share(&*member, &mut Vec::new(), 1);
    let mut transaction = member.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(0..3)).unwrap();
    transaction.set_position(&group, &at(&source, 0), 3).unwrap();
    transaction.commit().unwrap();
    holds(&log, &at(&sink, 0), &strings(0..3));
    assert_eq!(log.positions(&group).unwrap()[&at(&source, 0)], 3);
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn at_least_once_shows_records_before_their_positions() {
    let log = kafka_broker::log();
    let (source, sink) = (topic(&log, "early", 1, &[]), topic(&log, "early-sink", 1, &[]));
    let group = fresh("early");
    let member = log.join(&spec(&source, &group, Delivery::AtLeastOnce)).unwrap();
    await_share(&*member, &mut Vec::new(), 1);
    let mut transaction = member.begin().unwrap();
    transaction.append(&at(&sink, 0), &numbered(0..3)).unwrap();
    transaction.set_position(&group, &at(&source, 0), 3).unwrap();
    eventually("the records", || (values(&log, &at(&sink, 0)).len() == 3).then_some(()));
    drop(transaction);
    holds(&log, &at(&sink, 0), &strings(0..3));
    assert!(log.positions(&group).unwrap().is_empty());
}

/// As the state of a group that collects much.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn the_largest_record_that_is_written_can_be_read() {
    const BYTES: usize = 103_000_000;
    let log = kafka_broker::log();
    let large = topic(&log, "large", 1, &[("max.message.bytes", "1073741824")]);
    let mut random = fastrand::Rng::with_seed(7);
    let mut value = vec![0; BYTES];
    // What can't be compressed.
    random.fill(&mut value);
    let mut written = Records::default();
    written.push(None, Some(&value), 1);
    log.append(&at(&large, 0), &written).unwrap();
    let mut read = Records::default();
    log.fetch(&at(&large, 0), 0, 1 << 20, &mut read).unwrap();
    assert!(read.value(0) == Some(value.as_slice()), "another record");
    value.resize(BYTES + 2_000_000, 0);
    written.clear();
    written.push(None, Some(&value), 1);
    let error = log.append(&at(&large, 0), &written).unwrap_err();
    assert!(error.to_string().contains("socket.request.max.bytes"), "{error}");
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn compaction_leaves_the_last_of_each_key() {
    let log = kafka_broker::log();
    let configs = [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.01")];
    let topic = topic(&log, "compacted", 1, &configs);
    for round in 0..5 {
        let mut records = Records::default();
        for key in 0..10 {
            records.push(Some(format!("k{key}").as_bytes()), Some(format!("v{round}").as_bytes()), round * 1_000);
        }
        log.append(&at(&topic, 0), &records).unwrap();
    }
    // Only closed segments are compacted: one closes when something more comes that is later, by the records' times.
    let mut extra = 0;
    let left = eventually("compaction", || {
        let mut records = Records::default();
        extra += 1;
        records.push(Some(b"extra"), Some(b"v4"), 10_000 * extra);
        log.append(&at(&topic, 0), &records).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let left = values(&log, &at(&topic, 0));
        (!left.contains(&"v0".to_owned()) && !left.contains(&"v3".to_owned())).then_some(left)
    });
    assert!(left.len() <= 10 + extra as usize, "{left:?}");
    eventually("the end", || (log.offsets(&at(&topic, 0)).unwrap().1 == 50 + extra).then_some(()));
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn refusals_have_kafkas_names() {
    let log = kafka_broker::log();
    let spec = |name: &str, partitions, replicas| TopicSpec {
        name: name.to_owned(),
        partitions,
        replicas,
        configs: Default::default(),
    };
    for (spec, expected) in [
        (spec(&fresh("replicas"), 1, Some(99)), "INVALID_REPLICATION_FACTOR"),
        (spec("no spaces allowed", 1, None), "INVALID_TOPIC_EXCEPTION"),
        (
            TopicSpec { configs: [("no.such".to_owned(), "1".to_owned())].into(), ..spec(&fresh("config"), 1, None) },
            "INVALID_CONFIG",
        ),
    ] {
        let error = log.create_topic(&spec).unwrap_err();
        assert!(matches!(&error, LogError::Cluster { error, .. } if error == expected), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(log.partitions(&spec.name), None);
    }
    let topic = topic(&log, "small", 1, &[("max.message.bytes", "5000")]);
    let mut large = Records::default();
    // Doesn't get smaller by compression.
    let mut random = 1u64;
    let mut byte = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 56) as u8
    };
    let bytes: Vec<u8> = (0..20_000).map(|_| byte()).collect();
    large.push(None, Some(&bytes), 1);
    let too_large = |error: LogError| {
        assert!(matches!(&error, LogError::RecordTooLarge { bytes: 20_000, limit: 5_000, .. }), "{error:?}");
        assert_eq!(error.remedy(), Remedy::Mend);
    };
    too_large(log.append(&at(&topic, 0), &large).unwrap_err());
    let mut transaction = log.begin().unwrap();
    transaction.append(&at(&topic, 0), &large).unwrap();
    too_large(transaction.commit().unwrap_err());
    log.append(&at(&topic, 0), &numbered(0..1)).unwrap();
    holds(&log, &at(&topic, 0), &strings(0..1));
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_cluster_that_is_not_there_is_said_not_to_be() {
    // Nobody listens on port 1.
    let config = KafkaConfig::new("127.0.0.1:1").unwrap();
    let Err(error) = KafkaLog::open(&config) else { panic!("there is no cluster") };
    assert_eq!(error.remedy(), Remedy::Retry);
    assert!(error.to_string().contains("127.0.0.1:1") && error.to_string().contains("refused"), "{error}");
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_member_leaves_though_it_never_gave_up_what_it_was_asked_for() {
    let log = kafka_broker::log();
    let source = topic(&log, "leaves", 2, &[]);
    let group = fresh("leaves");
    let one = spec(&source, &group, Delivery::AtLeastOnce);
    let first = log.join(&one).unwrap();
    await_share(&*first, &mut Vec::new(), 2);
    let second = log.join(&spec(&source, &group, Delivery::AtLeastOnce)).unwrap();
    eventually("the request", || {
        second.poll().unwrap();
        first.poll().unwrap().iter().any(|change| matches!(change, Change::Revoked(_))).then_some(())
    });
    drop(first);
    await_share(&*second, &mut Vec::new(), 2);
}

//! Topics are made, described, changed and deleted.

use std::collections::BTreeMap;

use millpond::log::{Log, LogError, Records, TopicSpec};

use super::{Case, at, create, numbered, strings, topic, values};

pub const CASES: &[Case] = &[
    ("topics are made and described", made),
    ("topics are altered", altered),
    ("topics are emptied, offsets go on", emptied),
    ("a topic is deleted under its reader", deleted),
    ("what isn't there is said not to be", missing),
];

fn made(log: &dyn Log) {
    let topic = topic(log, "made", 3, &[("segment.bytes", "1048576")]);
    assert_eq!(log.partitions(&topic), Some(3));
    assert!(log.topics().contains(&topic));
    log.append(&at(&topic, 2), &numbered(0..5)).unwrap();
    let described = log.describe_topic(&topic).unwrap();
    let offsets: Vec<_> = described.partitions.iter().map(|part| (part.first_offset, part.next_offset)).collect();
    assert_eq!(offsets, [(0, 0), (0, 0), (0, 5)]);
    assert!(!described.internal);
    let both = log.offsets_of(&[at(&topic, 2), at(&topic, 0), at(&topic, 2)]).unwrap();
    assert_eq!(both, BTreeMap::from([(at(&topic, 0), (0, 0)), (at(&topic, 2), (0, 5))]));
    let error = log.offsets_of(&[at(&topic, 0), at(&topic, 3)]).unwrap_err();
    assert!(matches!(error, LogError::UnknownPartition { partition: 3, .. }), "{error:?}");
    assert!(log.offsets_of(&[]).unwrap().is_empty());
    let config = |name: &str| described.configs.iter().find(|config| config.name == name).cloned().unwrap();
    assert_eq!((config("segment.bytes").value.as_str(), config("segment.bytes").is_default), ("1048576", false));
    assert_eq!((config("cleanup.policy").value.as_str(), config("cleanup.policy").is_default), ("delete", true));
    let again = TopicSpec { name: topic.clone(), partitions: 1, replicas: None, configs: BTreeMap::new() };
    let error = log.create_topic(&again).unwrap_err();
    assert!(matches!(&error, LogError::TopicExists(name) if *name == topic), "{error}");
    assert!(error.to_string().contains("TOPIC_ALREADY_EXISTS"), "{error}");
}

fn altered(log: &dyn Log) {
    let topic = topic(log, "altered", 2, &[("segment.bytes", "1048576")]);
    let set = [("max.message.bytes".to_owned(), Some("2000000".to_owned()))];
    log.alter_topic(&topic, Some(4), &set).unwrap();
    assert_eq!(log.partitions(&topic), Some(4));
    log.append(&at(&topic, 3), &numbered(0..1)).unwrap();
    let config = |name: &str| {
        let configs = log.describe_topic(&topic).unwrap().configs;
        configs.into_iter().find(|config| config.name == name).map(|config| (config.value, config.is_default)).unwrap()
    };
    assert_eq!(config("max.message.bytes"), ("2000000".to_owned(), false));
    // What wasn't named stays.
    assert_eq!(config("segment.bytes"), ("1048576".to_owned(), false));
    log.alter_topic(&topic, None, &[("segment.bytes".to_owned(), None)]).unwrap();
    assert!(config("segment.bytes").1);
    assert!(log.alter_topic(&topic, Some(1), &[]).is_err());
    assert!(log.alter_topic(&topic, None, &[("no.such.config".to_owned(), Some("1".to_owned()))]).is_err());
    assert_eq!(log.partitions(&topic), Some(4));
}

fn emptied(log: &dyn Log) {
    let topic = topic(log, "emptied", 2, &[]);
    log.append(&at(&topic, 0), &numbered(0..3)).unwrap();
    log.empty_topic(&topic).unwrap();
    assert_eq!(log.offsets(&at(&topic, 0)).unwrap(), (3, 3));
    assert_eq!(log.append(&at(&topic, 0), &numbered(3..5)).unwrap(), 3);
    assert_eq!(values(log, &at(&topic, 0)), strings(3..5));
}

fn deleted(log: &dyn Log) {
    let topic = topic(log, "deleted", 1, &[]);
    log.append(&at(&topic, 0), &numbered(0..3)).unwrap();
    assert_eq!(values(log, &at(&topic, 0)), strings(0..3));
    let id = log.topic_id(&topic).unwrap();
    log.delete_topic(&topic).unwrap();
    assert_eq!(log.partitions(&topic), None);
    assert!(matches!(log.topic_id(&topic), Err(LogError::UnknownTopic(_))));
    assert!(!log.topics().contains(&topic));
    let outcome = log.fetch(&at(&topic, 0), 3, 1 << 20, &mut Records::default());
    assert!(matches!(outcome, Err(LogError::UnknownTopic(_))), "{outcome:?}");
    // Another one of the same name begins anew.
    create(log, &topic, 1, &[]);
    assert_ne!(log.topic_id(&topic).unwrap(), id);
    assert_eq!(log.append(&at(&topic, 0), &numbered(7..9)).unwrap(), 0);
    assert_eq!(values(log, &at(&topic, 0)), strings(7..9));
}

fn missing(log: &dyn Log) {
    let topic = topic(log, "missing", 1, &[]);
    let unknown_topic = |error: LogError| assert!(matches!(error, LogError::UnknownTopic(_)), "{error:?}");
    let unknown_partition =
        |error: LogError| assert!(matches!(error, LogError::UnknownPartition { partition: 1, .. }), "{error:?}");
    let records = numbered(0..1);
    assert_eq!(log.partitions("no-such-topic"), None);
    unknown_topic(log.offsets(&at("no-such-topic", 0)).unwrap_err());
    unknown_topic(log.append(&at("no-such-topic", 0), &records).unwrap_err());
    unknown_topic(log.fetch(&at("no-such-topic", 0), 0, 1, &mut Records::default()).unwrap_err());
    unknown_topic(log.delete_topic("no-such-topic").unwrap_err());
    unknown_topic(log.describe_topic("no-such-topic").unwrap_err());
    unknown_partition(log.offsets(&at(&topic, 1)).unwrap_err());
    unknown_partition(log.append(&at(&topic, 1), &records).unwrap_err());
    unknown_partition(log.fetch(&at(&topic, 1), 0, 1, &mut Records::default()).unwrap_err());
}

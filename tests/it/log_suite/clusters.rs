//! Clusters of a test's own: with TLS, passwords and rights; and brokers that go away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millpond::log::kafka::{KafkaConfig, KafkaLog};
use millpond::log::{Delivery, Log, LogError, Member, Records, Remedy, Signal};

use super::members::{await_share, spec};
use super::{at, eventually, numbered, strings, topic, values};
use crate::kafka_broker::{self, Cluster, fresh};

fn open(cluster: &Cluster, settings: &[(&str, &str)]) -> Result<KafkaLog, LogError> {
    let mut config = KafkaConfig::new(&cluster.value("KAFKA_BOOTSTRAP")).unwrap();
    settings.iter().try_for_each(|(name, value)| config.set(name, value).map(drop))?;
    KafkaLog::open(&config)
}

/// With the names that a Java client's file has.
#[test]
#[cfg_attr(feature = "tls", ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README")]
#[cfg_attr(not(feature = "tls"), ignore = "built without TLS")]
fn tls_and_passwords_and_rights() {
    let cluster = kafka_broker::start("sasl", &["--sasl"]);
    let login = |user: &str, password: &str| {
        format!(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{user}\" password=\"{password}\";"
        )
    };
    let authority = cluster.value("KAFKA_CA");
    let as_user = |login: &str| {
        let settings = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.jaas.config", login),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", &authority),
        ];
        open(&cluster, &settings)
    };
    let (user, password) = (cluster.value("KAFKA_SASL_USERNAME"), cluster.value("KAFKA_SASL_PASSWORD"));
    let log = as_user(&login(&user, &password)).unwrap();
    let topic = topic(&log, "secret", 1, &[]);
    let mut transaction = log.begin().unwrap();
    transaction.append(&at(&topic, 0), &numbered(0..3)).unwrap();
    transaction.commit().unwrap();
    super::holds(&log, &at(&topic, 0), &strings(0..3));
    // A wrong password is said to be one.
    let Err(error) = as_user(&login(&user, "wrong")) else { panic!("anybody is let in") };
    assert!(error.to_string().to_lowercase().contains("authentication failed"), "{error}");
    // Who has no rights is told by Kafka's name; the topic isn't there for them.
    let guest = as_user(&login("guest", "guest")).unwrap();
    let denied = |error: LogError| {
        assert!(matches!(error, LogError::Denied(_) | LogError::UnknownTopic(_)), "{error:?}");
        assert_eq!(error.remedy(), Remedy::Mend);
        error.to_string()
    };
    let spec = millpond::log::TopicSpec {
        name: fresh("forbidden"),
        partitions: 1,
        replicas: None,
        configs: Default::default(),
    };
    let said = denied(guest.create_topic(&spec).unwrap_err());
    assert!(said.contains("TOPIC_AUTHORIZATION_FAILED") || said.contains("CLUSTER_AUTHORIZATION_FAILED"), "{said}");
    denied(guest.append(&at(&topic, 0), &numbered(0..1)).unwrap_err());
    denied(guest.fetch(&at(&topic, 0), 0, 1 << 20, &mut Records::default()).unwrap_err());
    let said = denied(guest.begin().map(|_| ()).unwrap_err());
    assert!(said.contains("TRANSACTIONAL_ID_AUTHORIZATION_FAILED"), "{said}");
}

/// Ends the copying when the test fails meanwhile.
#[derive(Default)]
struct StopAtPanic(Arc<AtomicBool>);

impl Drop for StopAtPanic {
    fn drop(&mut self) {
        self.0.store(std::thread::panicking(), Ordering::Relaxed);
    }
}

/// Copies what comes to partition 0 of `source` to `sink`, as a query would: exactly once, again after each abort.
fn copy(log: &KafkaLog, source: &str, sink: &str, group: &str, until: usize, stop: &AtomicBool) {
    let spec = spec(source, group, Delivery::ExactlyOnce);
    let mut copied = 0;
    while copied < until && !stop.load(Ordering::Relaxed) {
        let member = match log.join(&spec) {
            Ok(member) => member,
            Err(error) => {
                assert_ne!(error.remedy(), Remedy::Mend, "{error}");
                continue;
            }
        };
        copied = copy_as(&*member, &spec.signal, [source, sink, group], until, stop);
    }
}

/// As one member, until it must join anew or all is copied. Gives how many are.
fn copy_as(
    member: &dyn Member,
    signal: &Signal,
    [source, sink, group]: [&str; 3],
    until: usize,
    stop: &AtomicBool,
) -> usize {
    let place = at(source, 0);
    await_share(member, &mut Vec::new(), 1);
    let committed = || -> Result<i64, LogError> {
        Ok(member.positions(std::slice::from_ref(&place))?.get(&place).copied().unwrap_or(0))
    };
    let again = |error: &LogError| match error.remedy() {
        Remedy::Mend => panic!("{error}"),
        remedy => remedy,
    };
    let mut next = loop {
        match committed() {
            Ok(next) => break next,
            Err(error) if again(&error) == Remedy::Retry => {}
            Err(_) => return 0,
        }
    };
    let mut records = Records::default();
    while (next as usize) < until && !stop.load(Ordering::Relaxed) {
        // Asked to give up, or thrown out: it leaves and comes again.
        match member.poll() {
            Ok(changes) if changes.is_empty() => {}
            Err(error) if again(&error) == Remedy::Retry => {}
            _ => return 0,
        }
        let mut step = || -> Result<i64, LogError> {
            member.fetch(&place, next, 1 << 16, &mut records)?;
            if records.is_empty() {
                signal.wait(Duration::from_millis(50));
                return Ok(next);
            }
            let mut transaction = member.begin()?;
            transaction.append(&at(sink, 0), &records)?;
            transaction.set_position(group, &place, records.next_offset)?;
            transaction.commit()?;
            Ok(records.next_offset)
        };
        match step() {
            Ok(position) => next = position,
            Err(error) => {
                again(&error);
                match committed() {
                    Ok(position) => next = position,
                    Err(_) => return 0,
                }
            }
        }
    }
    next as usize
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_broker_goes_and_comes_and_nothing_is_lost_or_done_twice() {
    let cluster = kafka_broker::start("restart", &[]);
    let log = open(&cluster, &[]).unwrap();
    let (source, sink) = (topic(&log, "up", 1, &[]), topic(&log, "down", 1, &[]));
    const COUNT: i64 = 300;
    std::thread::scope(|scope| {
        let stop = StopAtPanic::default();
        let flag = Arc::clone(&stop.0);
        let (log, source, sink) = (&log, &source, &sink);
        scope.spawn(move || copy(log, source, sink, "restarted", COUNT as usize, &flag));
        for i in 0..COUNT {
            eventually("an append", || match log.append(&at(source, 0), &numbered(i..i + 1)) {
                Ok(_) => Some(()),
                Err(error) => {
                    assert_eq!(error.remedy(), Remedy::Retry, "{error}");
                    None
                }
            });
            match i {
                100 => cluster.run(&["restart"]),
                200 => {
                    cluster.run(&["kill", "1"]);
                    cluster.run(&["restart", "1"]);
                }
                _ => {}
            }
        }
    });
    assert_eq!(values(&log, &at(&source, 0)), strings(0..COUNT));
    super::holds(&log, &at(&sink, 0), &strings(0..COUNT));
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_leader_is_killed_and_nothing_is_lost_or_done_twice() {
    let cluster = kafka_broker::start("three", &["--brokers", "3"]);
    crate::kafka_topics::a_sink_has_as_many_replicas_as_its_source(&cluster);
    let log = open(&cluster, &[]).unwrap();
    let create = |name: &str| {
        let name = fresh(name);
        let configs = [("retention.ms", "-1"), ("min.insync.replicas", "2")];
        let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        log.create_topic(&millpond::log::TopicSpec { name: name.clone(), partitions: 1, replicas: Some(3), configs })
            .unwrap();
        name
    };
    let (source, sink) = (create("up"), create("down"));
    let replication = log.describe_topic(&source).unwrap().partitions[0].replication.clone().unwrap();
    assert_eq!(replication.replicas.len(), 3);
    let leader = replication.leader.unwrap().to_string();
    const COUNT: i64 = 200;
    std::thread::scope(|scope| {
        let stop = StopAtPanic::default();
        let flag = Arc::clone(&stop.0);
        let (log, source, sink) = (&log, &source, &sink);
        scope.spawn(move || copy(log, source, sink, "led", COUNT as usize, &flag));
        for i in 0..COUNT {
            eventually("an append", || match log.append(&at(source, 0), &numbered(i..i + 1)) {
                Ok(_) => Some(()),
                Err(error) => {
                    assert_eq!(error.remedy(), Remedy::Retry, "{error}");
                    None
                }
            });
            if i == 100 {
                cluster.run(&["kill", &leader]);
            }
        }
    });
    assert_eq!(values(&log, &at(&source, 0)), strings(0..COUNT));
    super::holds(&log, &at(&sink, 0), &strings(0..COUNT));
    let replication = log.describe_topic(&source).unwrap().partitions[0].replication.clone().unwrap();
    assert_eq!(replication.in_sync.len(), 2, "{replication:?}");
}

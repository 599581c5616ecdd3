//! Settings of the clients: librdkafka's, under its names or those of Kafka's Java clients.

use std::collections::BTreeMap;
use std::time::Duration;

use super::java_names::{self, Meaning};
use super::native::{Conf, ConfProblem};
use crate::log::LogError;
use crate::nearest::nearest;

/// How to reach a cluster, and with which settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Of all clients.
    common: BTreeMap<String, String>,
    producer: BTreeMap<String, String>,
    consumer: BTreeMap<String, String>,
}

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role<'a> {
    /// Appends outside transactions, and admin calls.
    Appender,
    /// At-least-once writes of a member.
    Writer,
    /// Transactions of this id.
    Transactional(&'a str),
    /// Reads partitions by hand.
    Reader,
    /// Is a member of a group, under a name of its own if given.
    Member { group: &'a str, instance: Option<&'a str> },
}

/// Settings that are Millpond's to decide, and why.
const OURS: &[(&str, &str)] = &[
    (
        "auto.offset.reset",
        "by it readers learn that records are gone; where a new query begins to read is the queries' own setting (SET 'auto.offset.reset', or ksql.streams.auto.offset.reset without `consumer.`)",
    ),
    ("enable.auto.commit", "positions are committed with the results"),
    ("enable.auto.offset.store", "positions are committed with the results"),
    ("enable.idempotence", "without it a retry could write a record twice"),
    ("enable.partition.eof", "readers depend on it"),
    ("group.id", "each query has a group of its own, named after the service id and the query"),
    ("group.protocol", "members give partitions back one by one (cooperative-sticky)"),
    ("isolation.level", "only committed records are read"),
    ("partition.assignment.strategy", "members give partitions back one by one (cooperative-sticky)"),
    ("partitioner", "keys are placed by murmur2, as Kafka's own clients place them"),
    ("transactional.id", "it stays with the data folder"),
    ("delivery.report.only.error", "delivery reports are Millpond's own affair"),
];

const TRANSACTION_TIMEOUT_MS: &str = "10000";

impl KafkaConfig {
    /// Of a cluster whose brokers can be found at `bootstrap`: `host:port`, several with commas between.
    pub fn new(bootstrap: &str) -> Result<KafkaConfig, LogError> {
        let mut config = KafkaConfig { common: BTreeMap::new(), producer: BTreeMap::new(), consumer: BTreeMap::new() };
        config.set("bootstrap.servers", bootstrap)?;
        Ok(config)
    }

    /// Sets one. `producer.` and `consumer.` before the name mean those clients alone; `ksql.streams.` before it is left
    /// out. An unknown name, a value that can't be, and what is Millpond's to decide are errors.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), LogError> {
        let bare = name.strip_prefix("ksql.streams.").unwrap_or(name);
        let (target, bare) = match bare.split_once('.') {
            Some(("producer", rest)) => (&mut self.producer, rest),
            Some(("consumer", rest)) => (&mut self.consumer, rest),
            _ => (&mut self.common, bare),
        };
        let mut set = |known: &str, value: &str| {
            if let Some((_, reason)) = OURS.iter().find(|(ours, _)| *ours == known) {
                return Err(LogError::Invalid(format!("setting {name} can't be changed: {reason}")));
            }
            check(name, known, value)?;
            target.insert(known.to_owned(), value.to_owned());
            Ok(())
        };
        match java_names::meaning(bare, value) {
            Meaning::Same => set(bare, value),
            Meaning::Settings(settings) => settings.iter().try_for_each(|(known, value)| set(known, value)),
            Meaning::Refused(hint) => Err(LogError::Invalid(format!("setting {name} is not supported: {hint}"))),
        }
    }

    /// The address of the brokers.
    pub fn bootstrap(&self) -> &str {
        self.common.get("bootstrap.servers").map_or("", String::as_str)
    }

    /// How long a transaction may take (`transaction.timeout.ms`).
    pub(super) fn transaction_timeout(&self) -> Duration {
        let name = "transaction.timeout.ms";
        let set = self.producer.get(name).or_else(|| self.common.get(name));
        // What librdkafka took is a number.
        Duration::from_millis(set.map_or(TRANSACTION_TIMEOUT_MS, String::as_str).parse().unwrap_or(0))
    }

    pub(super) fn conf(&self, role: Role<'_>) -> Result<Conf, LogError> {
        let mut settings: BTreeMap<&str, String> = BTreeMap::new();
        settings.extend(
            RECONNECTS
                .iter()
                .chain([&NO_TOPIC_BY_CHANCE])
                .chain(defaults(role))
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let own = match role {
            Role::Appender | Role::Writer | Role::Transactional(_) => &self.producer,
            Role::Reader | Role::Member { .. } => &self.consumer,
        };
        for (name, value) in self.common.iter().chain(own) {
            settings.insert(name, value.clone());
        }
        match role {
            Role::Appender => {}
            Role::Writer => {
                settings.insert("delivery.report.only.error", "true".to_owned());
            }
            Role::Transactional(id) => {
                settings.insert("delivery.report.only.error", "true".to_owned());
                settings.insert("transactional.id", id.to_owned());
            }
            Role::Reader => {}
            Role::Member { group, instance } => {
                settings.insert("group.id", group.to_owned());
                if let Some(instance) = instance {
                    settings.insert("group.instance.id", instance.to_owned());
                }
            }
        }
        let mut conf = Conf::new();
        for (name, value) in &settings {
            conf.set(name, value).map_err(|problem| invalid(name, name, value, problem))?;
        }
        Ok(conf)
    }
}

/// Topics are made on purpose only: else who has written to one that was deleted makes it again by asking for it.
const NO_TOPIC_BY_CHANCE: (&str, &str) = ("allow.auto.create.topics", "false");

/// What brings clients back after all brokers were away. With librdkafka 2.12's connections on demand a client may never connect
/// again, and what waits for it (a commit) waits for ever; and a call that waits for a certain broker asks for a connection
/// thousands of times a second.
const RECONNECTS: [(&str, &str); 2] = [("enable.sparse.connections", "false"), ("reconnect.backoff.max.ms", "2000")];

/// Ours, unless set otherwise; `OURS` can't be.
fn defaults(role: Role<'_>) -> &'static [(&'static str, &'static str)] {
    match role {
        Role::Appender => &[
            ("client.id", "millpond"),
            ("enable.idempotence", "true"),
            ("compression.type", "lz4"),
            // One record alone goes at once.
            ("linger.ms", "1"),
            ("message.max.bytes", MESSAGE_BYTES_MAX),
            ("message.timeout.ms", "30000"),
            ("queue.buffering.max.messages", "500000"),
            ("topic.metadata.refresh.sparse", "true"),
        ],
        Role::Writer | Role::Transactional(_) => &[
            ("client.id", "millpond"),
            ("enable.idempotence", "true"),
            ("compression.type", "lz4"),
            ("linger.ms", "5"),
            ("batch.num.messages", "100000"),
            ("message.max.bytes", MESSAGE_BYTES_MAX),
            ("queue.buffering.max.messages", "1000000"),
            // What a process leaves open when it dies blocks readers no longer than this.
            ("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS),
            // The next transaction is refused for some ms, until the markers of the last are written.
            ("retry.backoff.ms", "10"),
        ],
        Role::Reader => &[
            ("client.id", "millpond"),
            ("isolation.level", "read_committed"),
            ("enable.auto.commit", "false"),
            ("enable.partition.eof", "true"),
            // Where the offset isn't there, say so.
            ("auto.offset.reset", "error"),
            // Of each partition, ahead of its reader.
            ("queued.max.messages.kbytes", "8192"),
            // When that is full: how soon to look again whether there is room.
            ("fetch.queue.backoff.ms", "5"),
            // A partition that joins the others waits until their fetch is answered.
            ("fetch.wait.max.ms", "50"),
            ("check.crcs", "false"),
            ("topic.metadata.propagation.max.ms", "5000"),
        ],
        Role::Member { .. } => &[
            ("client.id", "millpond"),
            ("isolation.level", "read_committed"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            // A process that died is found out within this.
            ("session.timeout.ms", "10000"),
            // By it members learn that the group shares out anew, and one that leaves waits for them.
            ("heartbeat.interval.ms", "1000"),
        ],
    }
}

/// What librdkafka's own list leaves out: other names, and settings without a default.
const ALSO_KNOWN: &[&str] = &[
    "acks",
    "batch.size",
    "bootstrap.servers",
    "compression.type",
    "delivery.timeout.ms",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "request.timeout.ms",
    "retries",
    "sasl.mechanism",
    "sasl.password",
    "sasl.username",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
];

/// What a record may be is the topic's to say (`max.message.bytes`), not the client's.
const MESSAGE_BYTES_MAX: &str = "1000000000";

fn check(name: &str, known: &str, value: &str) -> Result<(), LogError> {
    Conf::new().set(known, value).map_err(|problem| invalid(name, known, value, problem))
}

fn invalid(name: &str, known: &str, value: &str, problem: ConfProblem) -> LogError {
    LogError::Invalid(match problem {
        ConfProblem::Value(reason) => format!("setting {name} can't be '{value}': {reason}"),
        ConfProblem::UnknownName => {
            let known_names = Conf::names();
            let mut names: Vec<&str> = known_names.iter().map(String::as_str).collect();
            java_names::names().chain(ALSO_KNOWN.iter().copied()).for_each(|name| names.push(name));
            nearest(known, names).map_or_else(
                || format!("unknown setting '{name}'"),
                |near| format!("unknown setting '{name}' (did you mean {near}?)"),
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<KafkaConfig, String> {
        let mut config = KafkaConfig::new("localhost:9092").unwrap();
        config.set(name, value).map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn every_role_has_settings_that_librdkafka_takes() {
        let config = KafkaConfig::new("localhost:9092").unwrap();
        let roles = [
            Role::Appender,
            Role::Writer,
            Role::Transactional("t"),
            Role::Reader,
            Role::Member { group: "g", instance: Some("i") },
        ];
        for role in roles {
            assert!(config.conf(role).is_ok(), "{role:?}");
        }
    }

    #[test]
    fn settings_go_to_the_clients_that_are_meant() {
        assert_eq!(set("ksql.streams.producer.acks", "all").unwrap().producer["acks"], "all");
        assert_eq!(set("consumer.session.timeout.ms", "6000").unwrap().consumer["session.timeout.ms"], "6000");
        assert_eq!(set("socket.keepalive.enable", "true").unwrap().common["socket.keepalive.enable"], "true");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (name, value, expected) in [
            ("bootstrap.sever", "x", "unknown setting 'bootstrap.sever' (did you mean bootstrap.servers?)"),
            (
                "consumer.session.timeout.sm",
                "1",
                "unknown setting 'consumer.session.timeout.sm' (did you mean session.timeout.ms?)",
            ),
            ("wibble", "1", "unknown setting 'wibble'"),
            (
                "isolation.level",
                "read_uncommitted",
                "setting isolation.level can't be changed: only committed records are read",
            ),
            (
                "max.poll.records",
                "500",
                "setting max.poll.records is not supported: batches go by bytes; set fetch.max.bytes",
            ),
        ] {
            assert_eq!(set(name, value).unwrap_err(), expected);
        }
        for name in ["consumer.auto.offset.reset", "ksql.streams.consumer.auto.offset.reset", "auto.offset.reset"] {
            let error = set(name, "earliest").unwrap_err();
            assert!(error.starts_with(&format!("setting {name} can't be changed: ")), "{error}");
            assert!(error.contains("SET 'auto.offset.reset'"), "{error}");
        }
        let error = set("session.timeout.ms", "soon").unwrap_err();
        assert!(error.starts_with("setting session.timeout.ms can't be 'soon': "), "{error}");
    }
}

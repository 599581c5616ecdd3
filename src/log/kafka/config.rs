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
    /// Asks and changes what the cluster has besides records.
    Admin,
    /// Asks for positions of groups; this is the first it asks for.
    ///
    /// A consumer of that group which never joins it: when librdkafka 2.12 is told that another broker keeps a group's positions, as
    /// when a group is new or moves, it notes that in the client's own group, whether it has one or not, and without one crashes.
    Positions(&'a str),
    /// Appends outside transactions.
    Appender,
    /// At-least-once writes of a member.
    Writer,
    /// Transactions of this id.
    Transactional(&'a str),
    /// Reads partitions by hand.
    Reader,
    /// Is a member of a group, under a name of its own if given; `about`: what stands behind the client's name.
    Member { group: &'a str, instance: Option<&'a str>, about: Option<&'a str> },
}

/// Settings that are Millpond's to decide: what they are here, where a file may say the same, and why.
const OURS: &[(&str, &str, &str)] = &[
    (
        "auto.offset.reset",
        "error",
        "by it readers learn that records are gone; where a new query begins to read is the queries' own setting (SET 'auto.offset.reset', or ksql.streams.auto.offset.reset without `consumer.`)",
    ),
    ("enable.auto.commit", "false", "positions are committed with the results"),
    ("enable.auto.offset.store", "false", "positions are committed with the results"),
    ("enable.idempotence", "true", "without it a retry could write a record twice"),
    ("enable.partition.eof", "true", "readers depend on it"),
    ("group.id", "", "each query has a group of its own, named after the service id and the query"),
    ("group.protocol", "classic", "members give partitions back one by one (cooperative-sticky)"),
    ("isolation.level", "read_committed", "only committed records are read"),
    (
        "partition.assignment.strategy",
        "cooperative-sticky",
        "members give partitions back one by one (cooperative-sticky)",
    ),
    ("partitioner", "murmur2_random", "keys are placed by murmur2, as Kafka's own clients place them"),
    ("transactional.id", "", "it stays with the data folder"),
    ("delivery.report.only.error", "true", "delivery reports are Millpond's own affair"),
];

const TRANSACTION_TIMEOUT_MS: &str = "10000";

/// The clients that a setting is for, if it names them, and its own name.
fn of_role(name: &str) -> (Option<&'static str>, &str) {
    let bare = name.strip_prefix("ksql.streams.").unwrap_or(name);
    // Kafka Streams has several consumers; the one that reads sources is `main`.
    let prefixes = [("producer.", "producer"), ("consumer.", "consumer"), ("main.consumer.", "consumer")];
    let found = prefixes.iter().find_map(|(prefix, role)| Some((Some(*role), bare.strip_prefix(prefix)?)));
    found.unwrap_or((None, bare))
}

impl KafkaConfig {
    /// Of a cluster whose brokers can be found at `bootstrap`: `host:port`, several with commas between.
    pub fn new(bootstrap: &str) -> Result<KafkaConfig, LogError> {
        let mut config = KafkaConfig { common: BTreeMap::new(), producer: BTreeMap::new(), consumer: BTreeMap::new() };
        config.set("bootstrap.servers", bootstrap)?;
        Ok(config)
    }

    /// Sets one. `producer.` and `consumer.` before the name mean those clients alone; `ksql.streams.` before it is left
    /// out. Gives why it has no effect here, if it has none. An unknown name, a value that can't be, and what is Millpond's to
    /// decide otherwise are errors.
    pub fn set(&mut self, name: &str, value: &str) -> Result<Option<String>, LogError> {
        let (role, bare) = of_role(name);
        let target = match role {
            Some("producer") => &mut self.producer,
            Some(_) => &mut self.consumer,
            None => &mut self.common,
        };
        let mut set = |known: &str, value: &str| {
            if let Some((_, here, reason)) = OURS.iter().find(|(ours, ..)| *ours == known) {
                return match value == *here {
                    true => Ok(()),
                    false => Err(LogError::Invalid(format!("setting {name} can't be changed: {reason}"))),
                };
            }
            check(name, known, value)?;
            target.insert(known.to_owned(), value.to_owned());
            Ok(())
        };
        match java_names::meaning(bare, value) {
            Meaning::Same => set(bare, value)?,
            Meaning::Settings(settings) => settings.iter().try_for_each(|(known, value)| set(known, value))?,
            Meaning::Refused(hint) => {
                return Err(LogError::Invalid(format!("setting {name} is not supported: {hint}")));
            }
            Meaning::Idle(why) => return Ok(Some(why.to_owned())),
        }
        Ok(None)
    }

    /// Whether it is a setting of Kafka's clients, under this name or with a client before it.
    pub(crate) fn knows(name: &str) -> bool {
        let (_, bare) = of_role(name);
        java_names::names().any(|known| known == bare)
            || !matches!(Conf::new().set(bare, ""), Err(ConfProblem::UnknownName))
    }

    /// The names that there are, without clients before them.
    pub(crate) fn names() -> Vec<String> {
        let others = java_names::names().chain(ALSO_KNOWN.iter().copied()).map(str::to_owned);
        Conf::names().into_iter().chain(others).collect()
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

    /// Within a transaction nothing is waited for longer than for the transaction itself; librdkafka refuses more.
    fn fit_transaction(&self, settings: &mut BTreeMap<&str, String>) {
        let longest = self.transaction_timeout().as_millis();
        for name in ["delivery.timeout.ms", "message.timeout.ms", "socket.timeout.ms"] {
            if settings.get(name).and_then(|value| value.parse().ok()).is_some_and(|value: u128| value > longest) {
                // It takes the transaction's then.
                settings.remove(name);
            }
        }
    }

    /// The largest record that is sent (`message.max.bytes`).
    pub(super) fn sent_bytes_max(&self) -> usize {
        let name = "message.max.bytes";
        let set = self.producer.get(name).or_else(|| self.common.get(name));
        // What librdkafka took is a number.
        set.map_or(MESSAGE_BYTES_MAX, String::as_str).parse().unwrap_or(usize::MAX)
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
            Role::Admin | Role::Appender | Role::Writer | Role::Transactional(_) => &self.producer,
            Role::Positions(_) | Role::Reader | Role::Member { .. } => &self.consumer,
        };
        for (name, value) in self.common.iter().chain(own) {
            settings.insert(name, value.clone());
        }
        match role {
            Role::Admin | Role::Appender => {}
            Role::Writer => {
                settings.insert("delivery.report.only.error", "true".to_owned());
            }
            Role::Transactional(id) => {
                settings.insert("delivery.report.only.error", "true".to_owned());
                settings.insert("transactional.id", id.to_owned());
                self.fit_transaction(&mut settings);
            }
            Role::Reader => {}
            Role::Positions(group) => {
                settings.insert("group.id", group.to_owned());
            }
            Role::Member { group, instance, about } => {
                settings.insert("group.id", group.to_owned());
                if let (Some(about), Some(name)) = (about, settings.get_mut("client.id")) {
                    name.push_str(about);
                }
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
/// thousands of times a second. That a broker is tried again and again is also how one that isn't tried any more is found out
/// (`native/brokers`).
const RECONNECTS: [(&str, &str); 2] = [("enable.sparse.connections", "false"), ("reconnect.backoff.max.ms", "2000")];

/// Ours, unless set otherwise; `OURS` can't be.
fn defaults(role: Role<'_>) -> &'static [(&'static str, &'static str)] {
    match role {
        Role::Admin => &[("client.id", "millpond")],
        Role::Positions(_) => &[("client.id", "millpond"), ("enable.auto.commit", "false")],
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
            // A record that was written must be readable, whatever its size.
            ("receive.message.max.bytes", "2147483647"),
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

/// What a record may be is the topic's to say (`max.message.bytes`), not the client's; but brokers close the connection of who sends
/// more than `socket.request.max.bytes` at once, by default 104857600, and the record would be sent again and again.
const MESSAGE_BYTES_MAX: &str = "104000000";

fn check(name: &str, known: &str, value: &str) -> Result<(), LogError> {
    Conf::new().set(known, value).map_err(|problem| invalid(name, known, value, problem))
}

fn invalid(name: &str, known: &str, value: &str, problem: ConfProblem) -> LogError {
    LogError::Invalid(match problem {
        ConfProblem::Value(reason) => format!("setting {name} can't be '{value}': {reason}"),
        ConfProblem::UnknownName => {
            let names = KafkaConfig::names();
            nearest(known, names.iter().map(String::as_str)).map_or_else(
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
            Role::Admin,
            Role::Positions("g"),
            Role::Appender,
            Role::Writer,
            Role::Transactional("t"),
            Role::Reader,
            Role::Member { group: "g", instance: Some("i"), about: Some("#1@http://localhost:8088") },
        ];
        for role in roles {
            assert!(config.conf(role).is_ok(), "{role:?}");
        }
    }

    /// As Kafka's own default of two minutes, and of two minutes more.
    #[test]
    fn timeouts_longer_than_a_transaction_do_not_stop_it() {
        let mut config = KafkaConfig::new("localhost:9092").unwrap();
        for (name, value) in [
            ("producer.delivery.timeout.ms", "120000"),
            ("message.timeout.ms", "240000"),
            ("socket.timeout.ms", "60000"),
        ] {
            config.set(name, value).unwrap();
        }
        let create = |config: &KafkaConfig, role| {
            let conf = config.conf(role).unwrap();
            super::super::native::Client::new(super::super::native::ClientKind::Producer, conf).map(drop)
        };
        create(&config, Role::Transactional("t")).unwrap();
        create(&config, Role::Writer).unwrap();
        create(&config, Role::Appender).unwrap();
        // What fits stays.
        config.set("producer.transaction.timeout.ms", "300000").unwrap();
        create(&config, Role::Transactional("t")).unwrap();
    }

    #[test]
    fn what_is_so_here_anyway_may_be_said() {
        for (name, value) in [
            ("producer.enable.idempotence", "true"),
            ("consumer.isolation.level", "read_committed"),
            ("ksql.streams.consumer.enable.auto.commit", "false"),
        ] {
            assert_eq!(set(name, value).map(|config| config == KafkaConfig::new("localhost:9092").unwrap()), Ok(true));
        }
        let mut config = KafkaConfig::new("localhost:9092").unwrap();
        assert!(
            config.set("ksql.streams.producer.max.block.ms", "1").unwrap().unwrap().contains("delivery.timeout.ms")
        );
        assert_eq!(config.set("main.consumer.session.timeout.ms", "7000").unwrap(), None);
        assert_eq!(config.consumer["session.timeout.ms"], "7000");
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
                "partitioner.class",
                "x",
                "setting partitioner.class is not supported: keys are placed by murmur2, as Kafka's own clients place them",
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

//! What a process is told of its surroundings: the command line's `--bootstrap-servers` and a file in ksqlDB's own names.

pub(crate) mod foreign;
pub mod properties;

use std::collections::BTreeMap;
use std::path::Path;

use crate::catalog::Service;
use crate::engine::settings;
use crate::error::{Error, Result};
use crate::log::TopicSpec;
use crate::log::kafka::KafkaConfig;
use crate::messages;
use crate::sql::ast::Location;

/// How a process is set up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// None: the topics are in the data folder's own log.
    pub kafka: Option<KafkaConfig>,
    pub service: Service,
    pub internal_topics: InternalTopics,
    pub queries: QueryLimits,
    /// What a session begins with, by short names; checked.
    pub properties: BTreeMap<String, String>,
    /// `ksql.advertised.listener`: where other processes of the service reach a server.
    pub advertised: Option<String>,
    /// Settings of the file that have no effect here, and why.
    pub without_effect: Vec<(String, String)>,
}

/// What a setting comes to that is of a program Millpond takes the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// As it stands.
    Same,
    /// Another setting, and its value.
    Becomes(&'static str, String),
    /// As `Becomes`, where the file doesn't set that one itself.
    Default(&'static str, String),
    /// Nothing here; why.
    Idle(&'static str),
    /// It would have to do something that it can't; what to do instead.
    Refused(&'static str),
}

/// Millpond's own topics on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InternalTopics {
    /// `ksql.internal.topic.replicas`; None: as the cluster has it by default.
    pub replicas: Option<u16>,
    /// `ksql.internal.topic.min.insync.replicas`
    pub min_insync_replicas: Option<u16>,
}

/// Queries of a server's clients at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueryLimits {
    /// `ksql.max.push.queries`
    pub push_max: Option<usize>,
    /// `ksql.query.pull.max.concurrent.requests`; None: any number.
    pub pull_max: Option<usize>,
    /// `ksql.query.pull.max.qps`: that begin in a second; None: any number.
    pub pull_a_second_max: Option<usize>,
}

impl InternalTopics {
    /// The topic as this says.
    pub(crate) fn apply(self, mut spec: TopicSpec) -> TopicSpec {
        spec.replicas = self.replicas;
        if let Some(replicas) = self.min_insync_replicas {
            spec.configs.insert("min.insync.replicas".to_owned(), replicas.to_string());
        }
        spec
    }
}

const SERVICE_ID: &str = "ksql.service.id";
const REPLICAS: &str = "ksql.internal.topic.replicas";
const MIN_INSYNC_REPLICAS: &str = "ksql.internal.topic.min.insync.replicas";
const BOOTSTRAP: &str = "bootstrap.servers";
const PUSH_MAX: &str = "ksql.max.push.queries";
const PULL_MAX: &str = "ksql.query.pull.max.concurrent.requests";
const PULL_A_SECOND_MAX: &str = "ksql.query.pull.max.qps";
const ADVERTISED: &str = "ksql.advertised.listener";
const OURS: [&str; 7] = [SERVICE_ID, REPLICAS, MIN_INSYNC_REPLICAS, PUSH_MAX, PULL_MAX, PULL_A_SECOND_MAX, ADVERTISED];

impl Config {
    /// From a file of ksqlDB's settings (if given) and the brokers' address, which wins over the file's.
    ///
    /// Errors: the file can't be read, or has a setting that isn't known or a value that can't be, with its line.
    pub fn load(file: Option<&Path>, bootstrap: Option<&str>) -> Result<Config> {
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Error::world(format!("cannot read {}: {error}", path.display())))?,
        };
        Config::parse(&text, bootstrap).map_err(|error| match file {
            Some(path) => Error { what: format!("{}: {}", path.display(), error.what), ..error },
            None => error,
        })
    }

    fn parse(text: &str, bootstrap: Option<&str>) -> Result<Config> {
        let entries = properties::parse(text)?;
        let in_file =
            entries.iter().rev().find(|entry| bare(&entry.name) == BOOTSTRAP).map(|entry| entry.value.as_str());
        let kafka = bootstrap.or(in_file).map(KafkaConfig::new).transpose()?;
        let mut config = Config { kafka, ..Config::default() };
        let is_set = |name: &str| entries.iter().any(|entry| entry.name == name);
        for entry in entries.iter().filter(|entry| bare(&entry.name) != BOOTSTRAP) {
            let at = Location { line: entry.line, column: 1 };
            let meaning = config.meaning(&entry.name, &entry.value);
            let set = match meaning {
                Meaning::Same => config.set(&entry.name, &entry.value),
                Meaning::Becomes(name, value) => config.set(name, &value),
                Meaning::Default(name, _) if is_set(name) => Ok(None),
                Meaning::Default(name, value) => config.set(name, &value),
                Meaning::Idle(why) => Ok(Some(why.to_owned())),
                Meaning::Refused(hint) => Err(foreign::refusal(&entry.name, &entry.value, hint)),
            };
            if let Some(why) = set.map_err(|error| error.at(at))? {
                config.without_effect.push((entry.name.clone(), why));
            }
        }
        Ok(config)
    }

    /// What has no effect here, for people: a line for each reason, with the settings that it holds for.
    pub fn notices(&self) -> Vec<String> {
        let mut notices: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, why) in &self.without_effect {
            match notices.iter_mut().find(|(other, _)| other == why) {
                Some((_, names)) => names.push(name),
                None => notices.push((why, vec![name])),
            }
        }
        let line = |(why, names): (&str, Vec<&str>)| format!("no effect here: {}: {why}", names.join(", "));
        notices.into_iter().map(line).collect()
    }

    /// What a setting comes to, where it is another program's.
    fn meaning(&self, name: &str, value: &str) -> Meaning {
        let of_clients = self.kafka.is_some() && KafkaConfig::knows(bare(name));
        match foreign::meaning(bare(name), value) {
            Some(meaning @ Meaning::Becomes(..)) => meaning,
            Some(meaning) if !of_clients && settings::find(name).is_err() && !OURS.contains(&name) => meaning,
            _ => Meaning::Same,
        }
    }

    /// Sets one. Gives why it has no effect, if it has none.
    fn set(&mut self, name: &str, value: &str) -> Result<Option<String>> {
        match name {
            SERVICE_ID => self.service = Service::new(value)?,
            REPLICAS => self.internal_topics.replicas = Some(count(name, value)?),
            MIN_INSYNC_REPLICAS => self.internal_topics.min_insync_replicas = Some(count(name, value)?),
            PUSH_MAX => self.queries.push_max = Some(count(name, value)?),
            PULL_MAX => self.queries.pull_max = Some(count(name, value)?),
            PULL_A_SECOND_MAX => self.queries.pull_a_second_max = Some(count(name, value)?),
            ADVERTISED => self.advertised = Some(value.to_owned()),
            _ if settings::find(name).is_ok() => {
                settings::set(&mut self.properties, name, value)?;
            }
            _ if !KafkaConfig::knows(bare(name)) => return Err(unknown(name)),
            _ => match &mut self.kafka {
                Some(kafka) => return Ok(kafka.set(name, value)?),
                None => {
                    return Err(messages::settings::no_cluster(name));
                }
            },
        }
        Ok(None)
    }
}

fn unknown(name: &str) -> Error {
    let clients = KafkaConfig::names();
    let settings = settings::SETTINGS.iter().map(|setting| setting.name).chain(OURS).chain(foreign::names());
    let mut known: Vec<&str> = settings.collect();
    known.extend(clients.iter().map(String::as_str));
    // A client before the name says nothing of what was meant.
    let (_, of_client) =
        bare(name).split_once("producer.").or(bare(name).split_once("consumer.")).unwrap_or(("", bare(name)));
    messages::settings::unknown_setting(name, of_client, known)
}

fn bare(name: &str) -> &str {
    name.strip_prefix("ksql.streams.").unwrap_or(name)
}

fn count<N: std::str::FromStr + Default + PartialOrd>(name: &str, value: &str) -> Result<N> {
    let count = value.parse().ok().filter(|count| *count > N::default());
    count.ok_or_else(|| messages::settings::invalid_count(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ksqldb_server_file_is_understood() {
        let text = "\
            bootstrap.servers=broker-1:9092,broker-2:9092\n\
            ksql.service.id=shop_\n\
            ksql.streams.processing.guarantee=at_least_once\n\
            ksql.streams.auto.offset.reset=latest\n\
            ksql.internal.topic.replicas=3\n\
            security.protocol=SASL_SSL\n\
            ksql.streams.producer.compression.type=zstd\n";
        let config = Config::parse(text, None).unwrap();
        assert_eq!(config.kafka.as_ref().unwrap().bootstrap(), "broker-1:9092,broker-2:9092");
        assert_eq!(config.service.id(), "shop_");
        assert_eq!(config.internal_topics, InternalTopics { replicas: Some(3), min_insync_replicas: None });
        assert_eq!(config.properties["processing.guarantee"], "at_least_once");
        assert_eq!(config.properties["auto.offset.reset"], "latest");
        assert_eq!(Config::parse(text, Some("other:1")).unwrap().kafka.unwrap().bootstrap(), "other:1");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = |text: &str| Config::parse(text, Some("b:1")).unwrap_err();
        assert_eq!(error("\nksql.servce.id=x").at, Some(Location { line: 2, column: 1 }));
        assert!(error("ksql.servce.id=x").to_string().contains("ksql.service.id"));
        assert!(error("secrity.protocol=SSL").to_string().contains("security.protocol"));
        assert!(error("ksql.internal.topic.replicas=0").to_string().contains("from 1 on"));
        let error = Config::parse("acks=all", None).unwrap_err();
        assert!(error.to_string().contains("bootstrap.servers"));
    }

    /// A file as a server in production has it.
    #[test]
    fn a_file_of_a_server_is_taken_as_it_is() {
        let config = Config::parse(include_str!("tests/production.properties"), None).unwrap();
        assert_eq!(config.service.id(), "shop_orders_");
        assert_eq!(config.advertised.as_deref(), Some("https://ksql-1.shop.example:8088"));
        // What the file says of Kafka Streams' own topics counts where it doesn't say it of ksqlDB's.
        assert_eq!(config.internal_topics, InternalTopics { replicas: Some(3), min_insync_replicas: Some(2) });
        for (name, value) in [
            ("processing.guarantee", "exactly_once_v2"),
            ("commit.interval.ms", "500"),
            ("cache.max.bytes.buffering", "33554432"),
            ("auto.offset.reset", "earliest"),
            ("ksql.query.pull.table.scan.enabled", "false"),
            ("ksql.output.topic.name.prefix", "shop."),
        ] {
            assert_eq!(config.properties.get(name).map(String::as_str), Some(value), "{name}");
        }
        let told = |name: &str| config.without_effect.iter().filter(|(other, _)| other == name).count();
        for name in [
            "listeners",
            "ksql.schema.registry.url",
            "ksql.logging.processing.topic.auto.create",
            "ksql.streams.num.stream.threads",
            "ksql.streams.num.standby.replicas",
            "ksql.streams.state.dir",
            "ksql.streams.topic.segment.bytes",
            "ksql.streams.producer.max.block.ms",
            "ksql.streams.producer.interceptor.classes",
            "authentication.method",
        ] {
            assert_eq!(told(name), 1, "{name}");
        }
        for name in ["ksql.streams.producer.acks", "ksql.streams.replication.factor", "ksql.service.id"] {
            assert_eq!(told(name), 0, "{name}");
        }
        let notices = config.notices();
        let server = "no effect here: listeners, ksql.internal.listener, ";
        assert_eq!(notices.iter().filter(|line| line.starts_with(server)).count(), 1, "{notices:#?}");
        assert!(notices.len() < 25, "{notices:#?}");
    }

    #[test]
    fn replicas_of_kafka_streams_are_those_of_the_services_topics() {
        let text = "ksql.streams.replication.factor=3\nksql.streams.topic.min.insync.replicas=2";
        let config = Config::parse(text, None).unwrap();
        assert_eq!(config.internal_topics, InternalTopics { replicas: Some(3), min_insync_replicas: Some(2) });
        let config = Config::parse("replication.factor=-1", None).unwrap();
        assert_eq!(config.internal_topics, InternalTopics::default());
    }

    #[test]
    fn what_would_change_results_is_refused() {
        let error = |text: &str| Config::parse(text, Some("b:1")).unwrap_err().to_string();
        assert!(error("ksql.queries.file=/etc/q.sql").contains("millpond run"));
        assert!(error("ksql.cast.strings.preserve.nulls=false").contains("COALESCE"));
        assert!(error("ksql.streams.consumer.auto.offset.reset=latest").contains("SET 'auto.offset.reset'"));
        assert!(error("listenrs=x").contains("listeners"));
        assert!(error("ksql.streams.num.stream.thread=x").contains("num.stream.threads"));
        // librdkafka's own, though Kafka Streams' settings of topics begin so.
        let config = Config::parse("topic.metadata.refresh.interval.ms=5000", Some("b:1")).unwrap();
        assert!(config.without_effect.is_empty());
    }

    #[test]
    fn without_a_cluster_the_log_is_the_folders_own() {
        assert_eq!(Config::load(None, None).unwrap(), Config::default());
    }
}

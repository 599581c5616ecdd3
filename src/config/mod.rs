//! What a process is told of its surroundings: the command line's `--bootstrap-servers` and a file in ksqlDB's own names.

pub mod properties;

use std::collections::BTreeMap;
use std::path::Path;

use crate::catalog::Service;
use crate::engine::settings;
use crate::error::{Error, Result};
use crate::log::TopicSpec;
use crate::log::kafka::KafkaConfig;
use crate::nearest::nearest;
use crate::sql::ast::Location;

/// How a process is set up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// None: the topics are in the data folder's own log.
    pub kafka: Option<KafkaConfig>,
    pub service: Service,
    pub internal_topics: InternalTopics,
    /// What a session begins with, by short names; checked.
    pub properties: BTreeMap<String, String>,
}

/// Millpond's own topics on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InternalTopics {
    /// `ksql.internal.topic.replicas`; None: as the cluster has it by default.
    pub replicas: Option<u16>,
    /// `ksql.internal.topic.min.insync.replicas`
    pub min_insync_replicas: Option<u16>,
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
const OURS: [&str; 3] = [SERVICE_ID, REPLICAS, MIN_INSYNC_REPLICAS];

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
        for entry in &entries {
            if bare(&entry.name) != BOOTSTRAP {
                let at = Location { line: entry.line, column: 1 };
                config.set(&entry.name, &entry.value).map_err(|error| error.at(at))?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            SERVICE_ID => self.service = Service::new(value)?,
            REPLICAS => self.internal_topics.replicas = Some(count(name, value)?),
            MIN_INSYNC_REPLICAS => self.internal_topics.min_insync_replicas = Some(count(name, value)?),
            _ if settings::find(name).is_ok() => {
                settings::set(&mut self.properties, name, value)?;
            }
            _ if name.starts_with("ksql.") && !name.starts_with("ksql.streams.") => {
                let known = settings::SETTINGS.iter().map(|setting| setting.name).chain(OURS);
                let error = Error::statement(format!("Unknown setting: {name}"));
                return Err(match nearest(name, known) {
                    Some(other) => error.hint(format!("Did you mean {other}?")),
                    None => error.hint("SHOW PROPERTIES; lists those of queries"),
                });
            }
            _ => match &mut self.kafka {
                Some(kafka) => kafka.set(name, value)?,
                None => {
                    return Err(Error::statement(format!(
                        "{name} is a setting of Kafka clients, and no cluster is named."
                    ))
                    .hint("add bootstrap.servers, or give --bootstrap-servers"));
                }
            },
        }
        Ok(())
    }
}

fn bare(name: &str) -> &str {
    name.strip_prefix("ksql.streams.").unwrap_or(name)
}

fn count(name: &str, value: &str) -> Result<u16> {
    let count = value.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| Error::statement(format!("Invalid value '{value}' for {name}: expected a number from 1 on.")))
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

    #[test]
    fn without_a_cluster_the_log_is_the_folders_own() {
        assert_eq!(Config::load(None, None).unwrap(), Config::default());
    }
}

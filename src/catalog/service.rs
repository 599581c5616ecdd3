//! The names of a service's own topics and groups: several services may share a cluster.

use crate::error::Result;
use crate::messages;

/// All processes with one id share a catalog, and the work of its queries. The names are ksqlDB's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    id: String,
}

impl Default for Service {
    fn default() -> Self {
        Service { id: "default_".to_owned() }
    }
}

/// What Kafka allows in the name of a topic, less what we put around the id.
const ID_LEN_MAX: usize = 80;

impl Service {
    /// The service of this id (`ksql.service.id`).
    ///
    /// Errors: it can't be a part of a topic's name.
    pub fn new(id: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if id.is_empty() || id.len() > ID_LEN_MAX || !id.chars().all(allowed) {
            return Err(messages::settings::service_id(id, ID_LEN_MAX));
        }
        Ok(Service { id: id.to_owned() })
    }

    /// As `ksql.service.id` says it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The topic of the command log.
    pub fn command_topic(&self) -> String {
        format!("_confluent-ksql-{}_command_topic", self.id)
    }

    /// The topic of the processing log.
    pub fn processing_log_topic(&self) -> String {
        format!("{}ksql_processing_log", self.id)
    }

    /// The group of a query's positions, and the prefix of its internal topics.
    pub fn query_group(&self, query_id: &str) -> String {
        format!("_confluent-ksql-{}query_{query_id}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ksqlDB names them.
    #[test]
    fn names_are_made_of_the_id() {
        let default = Service::default();
        assert_eq!(default.command_topic(), "_confluent-ksql-default__command_topic");
        assert_eq!(default.processing_log_topic(), "default_ksql_processing_log");
        assert_eq!(default.query_group("CTAS_T_3"), "_confluent-ksql-default_query_CTAS_T_3");
        assert_eq!(Service::new("pay.eu-1_").unwrap().query_group("Q"), "_confluent-ksql-pay.eu-1_query_Q");
    }

    #[test]
    fn an_id_must_fit_into_a_topics_name() {
        for id in ["", "a b", "ü", "a/b", &"x".repeat(81)] {
            assert!(Service::new(id).is_err(), "{id}");
        }
    }
}

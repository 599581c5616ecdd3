//! The settings of ksqlDB and Kafka Streams that aren't Millpond's: what each comes to in a file that was written for those.

use super::Meaning::{self, Idle, Refused};
use crate::error::Error;
use crate::messages;

const SERVER: &str = "what the server does is said by the options of `millpond server`";
const STREAMS: &str = "of Kafka Streams' own workings";
const PROCESSING_LOG: &str = "what can't be processed goes to the topic <ksql.service.id>ksql_processing_log, which is made with the service's other topics";
const REGISTRY: &str = "formats that need a schema registry aren't there yet";
const CONNECT: &str = "there are no connectors yet";
const JAVA: &str = "classes of Java's can't be loaded";
const PEERS: &str = "servers of a service always tell each other that they are there";
const PULL: &str = "a pull query is answered by the process that has the key, with the rows that are committed; by any other where that one doesn't answer";
const METRICS: &str = "there are no metrics of Java's";
const OWN_TOPICS: &str = "the service's own topics are made with the configs that they need";
const LIMITS: &str = "there is no such limit here";
const OF_SERVER: &str = "a server has it from its --config-file";
const ON: &str = "it is always so here";

/// How a name is compared with one of the table.
#[derive(Debug, Clone, Copy)]
enum Name {
    Is(&'static str),
    Begins(&'static str),
}

use Name::{Begins, Is};

/// A name, and what it comes to with a value.
type Entry = (Name, fn(&str) -> Meaning);

/// By names without `ksql.streams.`; of several that fit the first counts.
const TABLE: &[Entry] = &[
    // Where a value means what is so here anyway, or can't be so here, and the difference is in the results.
    (Is("ksql.nested.error.set.null"), |value| {
        only(
            "true",
            value,
            "what fails within an expression is NULL there, and the rest of the expression goes on with that",
        )
    }),
    (Is("ksql.cast.strings.preserve.nulls"), |value| {
        only("true", value, "CAST(NULL AS STRING) is NULL; COALESCE(CAST(x AS STRING), 'null') gives the text")
    }),
    (Is("ksql.create.or.replace.enabled"), |value| only("true", value, "CREATE OR REPLACE is always allowed")),
    (Is("ksql.lambdas.enabled"), |value| only("true", value, "lambdas are always allowed")),
    (Is("ksql.headers.columns.enabled"), |_| Idle(ON)),
    (Is("ksql.suppress.enabled"), |_| Idle(ON)),
    (Is("ksql.queries.file"), |_| Refused("`millpond run FILE` runs a file of queries without a terminal")),
    (Is("processing.guarantee"), guarantee),
    (Is("statestore.cache.max.bytes"), |value| Meaning::Becomes("cache.max.bytes.buffering", value.to_owned())),
    (Is("replication.factor"), |value| internal("ksql.internal.topic.replicas", value)),
    (Is("topic.min.insync.replicas"), |value| internal("ksql.internal.topic.min.insync.replicas", value)),
    (Is("topics.min.insync.replicas"), |value| internal("ksql.internal.topic.min.insync.replicas", value)),
    (Begins("topic."), |_| Idle(OWN_TOPICS)),
    (Begins("topics."), |_| Idle(OWN_TOPICS)),
    // The server.
    (Is("listeners"), |_| Idle(SERVER)),
    (Begins("ksql.internal.listener"), |_| Idle(SERVER)),
    (Begins("ksql.internal.ssl."), |_| Idle(SERVER)),
    (Begins("ksql.ssl.keystore.alias."), |_| Idle(SERVER)),
    (Is("ssl.client.auth"), |_| Idle(SERVER)),
    (Is("ssl.client.authentication"), |_| Idle(SERVER)),
    (Begins("ssl.keystore.reload"), |_| Idle(SERVER)),
    (Begins("ssl.keystore.watch"), |_| Idle(SERVER)),
    (Begins("authentication."), |_| Idle(SERVER)),
    (Begins("access.control."), |_| Idle(SERVER)),
    (Is("response.http.headers.config"), |_| Idle(SERVER)),
    (Begins("ksql.authentication."), |_| Idle(SERVER)),
    (Begins("ksql.security."), |_| Idle(SERVER)),
    (Begins("ksql.server."), |_| Idle(SERVER)),
    (Begins("ksql.heartbeat."), |_| Idle(PEERS)),
    (Begins("ksql.lag.reporting."), |_| Idle(PEERS)),
    (Is("ksql.worker.pool.size"), |_| Idle(SERVER)),
    (Is("ksql.verticle.instances"), |_| Idle(SERVER)),
    (Is("ksql.idle.connection.timeout.seconds"), |_| Idle(SERVER)),
    (Is("ksql.max.push.queries"), |_| Idle(OF_SERVER)),
    (Is("ksql.query.pull.max.concurrent.requests"), |_| Idle(OF_SERVER)),
    (Is("ksql.query.pull.max.qps"), |_| Idle(OF_SERVER)),
    (Begins("ksql.websocket."), |_| Idle(SERVER)),
    (Begins("ksql.properties.overrides."), |_| Idle(SERVER)),
    (Begins("ui."), |_| Idle(SERVER)),
    // What isn't there (yet).
    (Begins("ksql.schema.registry."), |_| Idle(REGISTRY)),
    (Begins("ksql.connect."), |_| Idle(CONNECT)),
    (Is("ksql.extension.dir"), |_| Idle(JAVA)),
    (Begins("ksql.udf"), |_| Idle(JAVA)),
    (Begins("ksql.functions."), |_| Idle(JAVA)),
    (Begins("ksql.plugins."), |_| Idle(STREAMS)),
    (Begins("ksql.logging."), |_| Idle(PROCESSING_LOG)),
    (Is("ksql.access.validator.enable"), |_| Idle("the cluster itself says what isn't allowed")),
    (Begins("ksql.hidden.topics"), |_| Idle("topics aren't hidden; ACLs of the cluster say who may read them")),
    (Begins("ksql.readonly.topics"), |_| Idle("ACLs of the cluster say who may write to topics")),
    (Is("ksql.metastore.backup.location"), |_| Idle("the command topic is the only copy")),
    (Is("ksql.persistence.ensure.topics"), |_| Idle(OWN_TOPICS)),
    (Begins("ksql.query.persistent.max."), |_| Idle("--memory bounds what all queries hold together")),
    (Begins("ksql.query.persistent."), |_| Idle(LIMITS)),
    (Begins("ksql.query.transient."), |_| Idle(LIMITS)),
    (Begins("ksql.transient."), |_| Idle(STREAMS)),
    (Begins("ksql.query.pull."), |_| Idle(PULL)),
    (Begins("ksql.query.push."), |_| Idle(PULL)),
    (Begins("ksql.query.retry."), |_| Idle("a query that is blocked tries again within ten seconds")),
    (Begins("ksql.query.status."), |_| Idle("a query shows what it does at the moment")),
    (Begins("ksql.query."), |_| Idle(LIMITS)),
    (Begins("ksql.error.classifier."), |_| Idle("errors are told apart by what they are")),
    (Is("ksql.fail.on.production.error"), |_| {
        Idle("a record that its topic doesn't take is told of in the processing log")
    }),
    (Begins("ksql.assert."), |_| Idle("ASSERT has a TIMEOUT of its own")),
    (Begins("ksql.admin."), |_| Idle("calls to the cluster have bounds of their own")),
    (Begins("ksql.runtime."), |_| Idle(STREAMS)),
    (Begins("ksql.metrics."), |_| Idle(METRICS)),
    (Begins("ksql.metadata."), |_| Idle(METRICS)),
    (Begins("metrics."), |_| Idle(METRICS)),
    (Is("metric.reporters"), |_| Idle(METRICS)),
    (Begins("confluent."), |_| Idle(METRICS)),
    // Kafka Streams.
    (Is("num.stream.threads"), |_| Idle("a process uses all cores that it is given")),
    (Is("num.standby.replicas"), |_| {
        Idle("a partition that moves has its state from the changelog, or from a snapshot in the data folder")
    }),
    (Is("state.dir"), |_| Idle("state is in the data folder: --data-dir")),
    (Is("acceptable.recovery.lag"), |_| Idle(STREAMS)),
    (Is("application.id"), |_| Idle("the groups of queries are named by ksql.service.id")),
    (Is("application.server"), |_| Idle(SERVER)),
    (Is("buffered.records.per.partition"), |_| Idle("batches go by bytes")),
    (Is("built.in.metrics.version"), |_| Idle(METRICS)),
    (Begins("default.deserialization."), |_| Idle("a record that can't be read is told of in the processing log")),
    (Begins("deserialization.exception."), |_| Idle("a record that can't be read is told of in the processing log")),
    (Begins("default.production."), |_| Idle("a record that its topic doesn't take is told of in the processing log")),
    (Begins("production.exception."), |_| {
        Idle("a record that its topic doesn't take is told of in the processing log")
    }),
    (Is("default.timestamp.extractor"), |_| Idle("TIMESTAMP in the WITH clause says where a record's time is")),
    (Begins("default."), |_| Idle(STREAMS)),
    (Begins("log.summary."), |_| Idle(STREAMS)),
    (Is("max.task.idle.ms"), |_| Idle(STREAMS)),
    (Is("max.warmup.replicas"), |_| Idle(STREAMS)),
    (Is("poll.ms"), |_| Idle(STREAMS)),
    (Is("probing.rebalance.interval.ms"), |_| Idle(STREAMS)),
    (Begins("rack.aware."), |_| Idle(STREAMS)),
    (Begins("repartition.purge."), |_| Idle(STREAMS)),
    (Begins("rocksdb."), |_| Idle(STREAMS)),
    (Is("security.providers"), |_| Idle(JAVA)),
    (Is("shutdown.timeout.ms"), |_| Idle(STREAMS)),
    (Begins("state.cleanup."), |_| Idle(STREAMS)),
    (Begins("task."), |_| Idle(STREAMS)),
    (Is("topology.optimization"), |_| Idle(STREAMS)),
    (Is("upgrade.from"), |_| Idle(STREAMS)),
    (Is("windowstore.changelog.additional.retention.ms"), |_| Idle("changelogs don't expire by time")),
    // Clients that Kafka Streams has besides.
    (Begins("restore.consumer."), |_| Idle(STREAMS)),
    (Begins("global.consumer."), |_| Idle(STREAMS)),
    (Begins("admin."), |_| Idle(STREAMS)),
];

/// What a setting of this name, without `ksql.streams.`, comes to. None: neither ksqlDB nor Kafka Streams has it, or it is one of
/// ours or of Kafka's clients.
pub(crate) fn meaning(name: &str, value: &str) -> Option<Meaning> {
    let fits = |known: &Name| match known {
        Is(known) => name == *known,
        Begins(known) => name.starts_with(known),
    };
    TABLE
        .iter()
        .find(|(known, _)| fits(known))
        .map(|(_, meaning)| meaning(value))
        .filter(|meaning| *meaning != Meaning::Same)
}

/// Whole names, for the nearest of an unknown one.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter_map(|(name, _)| match name {
        Is(name) => Some(*name),
        Begins(_) => None,
    })
}

/// Why a setting that can't be so here is refused.
pub(crate) fn refusal(name: &str, value: &str, hint: &'static str) -> Error {
    messages::settings::refused(name, value, hint)
}

/// Only what is so here anyway.
fn only(here: &str, value: &str, otherwise: &'static str) -> Meaning {
    match value.trim().eq_ignore_ascii_case(here) {
        true => Idle(ON),
        false => Refused(otherwise),
    }
}

/// Names of before ksqlDB 0.29.
fn guarantee(value: &str) -> Meaning {
    match value.trim().to_ascii_lowercase().as_str() {
        "exactly_once" | "exactly_once_beta" => Meaning::Becomes("processing.guarantee", "exactly_once_v2".to_owned()),
        _ => Meaning::Same,
    }
}

/// -1 is what the brokers have by default.
fn internal(ours: &'static str, value: &str) -> Meaning {
    match value.trim() {
        "-1" => Idle("it is what the cluster has by default"),
        value => Meaning::Default(ours, value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_hides_another() {
        for (index, (name, _)) in TABLE.iter().enumerate() {
            let (Is(text) | Begins(text)) = name;
            let hidden = TABLE[..index].iter().find(|(before, _)| match before {
                Is(before) => matches!(name, Is(_)) && before == text,
                Begins(before) => text.starts_with(before),
            });
            assert!(hidden.is_none(), "{name:?} is hidden by {:?}", hidden.map(|(name, _)| name));
        }
    }

    #[test]
    fn values_decide_where_they_matter() {
        assert_eq!(meaning("processing.guarantee", "at_least_once"), None);
        let exactly = Meaning::Becomes("processing.guarantee", "exactly_once_v2".to_owned());
        assert_eq!(meaning("processing.guarantee", "exactly_once"), Some(exactly));
        assert!(matches!(meaning("ksql.nested.error.set.null", "false"), Some(Refused(_))));
        assert!(matches!(meaning("ksql.nested.error.set.null", "true"), Some(Idle(_))));
        assert!(matches!(meaning("replication.factor", "-1"), Some(Idle(_))));
        assert_eq!(meaning("wibble", "1"), None);
    }
}

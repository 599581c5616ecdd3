//! Engines on a Kafka cluster as the subjects of tests: their queries have threads, members of groups and transactions as those
//! of a process at work have, and every record is waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::answer::Answer;
use super::engine_subject::EngineSubject;
use super::subject::{ExchangeLayout, SourceSummary, Subject, TopicLayout};
use crate::engine::{Engine, Options};
use crate::error::Result;
use crate::log::kafka::{KafkaConfig, KafkaLog};
use crate::log::{Log, PrefixedLog};

/// A cluster that tests are run on, each with topics and groups of its own.
pub struct TestCluster {
    log: Arc<dyn Log>,
    options: Options,
    /// Of this run: others may be under way on the cluster.
    prefix: String,
    next: AtomicUsize,
}

impl TestCluster {
    /// `options`: of each test's engine.
    ///
    /// Errors: the cluster doesn't answer.
    pub fn open(kafka: &KafkaConfig, options: Options) -> Result<Self> {
        let run: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
        let prefix = format!("millpond-test-{run}");
        Ok(TestCluster { log: Arc::new(KafkaLog::open(kafka)?), options, prefix, next: AtomicUsize::new(0) })
    }

    /// An engine for one test, where there is nothing yet.
    pub fn subject(&self, properties: &BTreeMap<String, String>) -> Result<ClusterSubject> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Tests' records are of 1970, which a cluster's topics would have expired long ago.
        let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let log = PrefixedLog::new(self.log.clone(), &format!("{}-{number}-", self.prefix), configs);
        let cleared = Cleared(Arc::new(log));
        let mut properties = properties.clone();
        // The test waits for the commit of each of its records.
        properties.entry("commit.interval.ms".to_owned()).or_insert_with(|| "0".to_owned());
        let engine = Engine::on_cluster(cleared.0.clone(), self.options.clone())?;
        Ok(ClusterSubject { engine: EngineSubject::over(engine, &properties), _cleared: cleared })
    }
}

/// What a test makes is removed behind it.
struct Cleared(Arc<dyn Log>);

impl Drop for Cleared {
    fn drop(&mut self) {
        let log = &self.0;
        let topics = log.topics().into_iter().map(|topic| log.delete_topic(&topic));
        let groups = log.groups().map(|groups| groups.into_iter().map(|group| log.delete_group(&group)).collect());
        let groups: Vec<_> = groups.unwrap_or_else(|error| vec![Err(error)]);
        for error in topics.chain(groups).filter_map(std::result::Result::err) {
            eprintln!("warning: a test left something on the cluster: {error}");
        }
    }
}

/// An engine for one test.
pub struct ClusterSubject {
    engine: EngineSubject,
    /// Dropped last.
    _cleared: Cleared,
}

impl Drop for ClusterSubject {
    fn drop(&mut self) {
        // A group with members can't be removed.
        self.engine.shutdown();
    }
}

impl Subject for ClusterSubject {
    fn execute(&mut self, statement: &str) -> Result<Answer> {
        self.engine.execute(statement)
    }

    fn log(&self) -> Arc<dyn Log> {
        self.engine.log()
    }

    fn settle(&mut self) -> Result<()> {
        self.engine.await_queries()
    }

    fn source(&self, name: &str) -> Option<SourceSummary> {
        self.engine.source(name)
    }

    fn layouts(&self, topic: &str) -> Option<TopicLayout> {
        self.engine.layouts(topic)
    }

    fn exchanges(&self) -> Vec<ExchangeLayout> {
        self.engine.exchanges()
    }
}

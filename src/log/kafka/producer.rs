//! Sending records.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::cluster::Cluster;
use super::config::Role;
use super::errors::{log_error, may_retry};
use super::native::{Client, ClientKind, Code, Delivery, Failure, Topic};
use crate::log::{LogError, Records, TopicPartition};
use crate::time;

/// How long to wait for what a former producer of the same transactional id left open.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);
/// What librdkafka counts besides key and value, without headers.
const RECORD_OVERHEAD_MAX: usize = 100;
/// How long at a time to wait for reports.
const REPORT_WAIT: Duration = Duration::from_millis(10);

pub(super) struct Producer {
    pub cluster: Arc<Cluster>,
    pub client: Arc<Client>,
    /// Of one that makes transactions.
    transactional_id: Option<String>,
    topics: Mutex<HashMap<String, Arc<Topic>>>,
    /// A transaction is open.
    busy: AtomicBool,
    /// It can't be used any more.
    broken: AtomicBool,
}

impl Producer {
    pub(super) fn new(cluster: &Arc<Cluster>, client: &Arc<Client>) -> Producer {
        Producer {
            cluster: Arc::clone(cluster),
            client: Arc::clone(client),
            transactional_id: None,
            topics: Mutex::default(),
            busy: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        }
    }

    /// Takes over from former producers of this id.
    pub(super) fn transactional(cluster: &Arc<Cluster>, id: &str) -> Result<Producer, LogError> {
        let client = cluster.new_client(ClientKind::Producer, Role::Transactional(id))?;
        let started = time::now();
        loop {
            match client.init_transactions(INIT_TIMEOUT.saturating_sub(started.elapsed())) {
                Ok(()) => {
                    return Ok(Producer { transactional_id: Some(id.to_owned()), ..Producer::new(cluster, &client) });
                }
                Err(failure) if may_retry(&failure) && started.elapsed() < INIT_TIMEOUT => {}
                Err(failure) => return Err(log_error(&format!("starting producer '{id}'"), None, failure)),
            }
        }
    }

    /// Without transactions; failures are told by a flush.
    pub(super) fn writer(cluster: &Arc<Cluster>) -> Result<Producer, LogError> {
        let client = cluster.new_client(ClientKind::Producer, Role::Writer)?;
        Ok(Producer::new(cluster, &client))
    }

    /// Sends what isn't part of a transaction, one append after the other.
    pub(super) fn appender(cluster: &Arc<Cluster>) -> Result<Producer, LogError> {
        let client = cluster.new_client(ClientKind::Producer, Role::Appender)?;
        Ok(Producer::new(cluster, &client))
    }

    /// One that isn't can't send any more, ever: another takes its place.
    pub(super) fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::Acquire) && !self.client.has_failed()
    }

    pub(super) fn break_down(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// One transaction at a time.
    pub(super) fn take(&self) -> Result<(), LogError> {
        if !self.is_usable() {
            return Err(LogError::Fenced("the producer is out of use since an earlier failure".to_owned()));
        }
        match self.busy.swap(true, Ordering::AcqRel) {
            true => Err(LogError::Invalid("a transaction is open already".to_owned())),
            false => Ok(()),
        }
    }

    pub(super) fn release(&self) {
        self.busy.store(false, Ordering::Release);
    }

    /// Hands records over; they are sent meanwhile.
    pub(super) fn send(
        &self,
        place: &TopicPartition,
        records: &Records,
        delivery: Option<&Delivery>,
    ) -> Result<(), LogError> {
        self.cluster.check(place)?;
        self.topic(&place.topic)?
            .send(place.partition, records, delivery)
            .map_err(|failure| self.failed(Some(&place.topic), failure))
    }

    fn topic(&self, name: &str) -> Result<Arc<Topic>, LogError> {
        let mut topics = self.topics.lock();
        if let Some(topic) = topics.get(name) {
            return Ok(Arc::clone(topic));
        }
        let topic = Topic::new(&self.client, name).map_err(|failure| self.failed(Some(name), failure))?;
        Ok(Arc::clone(topics.entry(name.to_owned()).or_insert(Arc::new(topic))))
    }

    /// Sends records and waits until the cluster has them all. Gives the offset of the first.
    pub(super) fn append(&self, place: &TopicPartition, records: &Records) -> Result<i64, LogError> {
        // On the heap, where it stays: librdkafka has its address until the last report.
        let delivery = Box::new(Delivery::new());
        let sent = self.send(place, records, Some(&delivery));
        // Each record is reported on: delivered, refused, or timed out.
        while !delivery.is_complete() {
            self.client.serve(REPORT_WAIT);
        }
        sent?;
        delivery.outcome().map_err(|failure| self.failed(Some(&place.topic), failure))
    }

    /// The error; of a record that is too large, with the limit.
    pub(super) fn failed(&self, topic: Option<&str>, failure: Failure) -> LogError {
        let record = failure.record.clone();
        let topic = record.as_ref().map(|record| record.topic.as_str()).or(topic);
        match (failure.code, &record) {
            (Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Some(record))
                if record.bytes + RECORD_OVERHEAD_MAX > self.cluster.config.sent_bytes_max() =>
            {
                LogError::Cluster {
                    error: "MESSAGE_TOO_LARGE".to_owned(),
                    what: format!(
                        "a record of {} bytes for topic '{}' is not sent, since it is larger than producer.message.max.bytes = {}: brokers take no request beyond their socket.request.max.bytes (raise both, or collect less in one group)",
                        record.bytes,
                        record.topic,
                        self.cluster.config.sent_bytes_max()
                    ),
                }
            }
            (Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Some(record)) => self
                .too_large(&record.topic, record.bytes)
                .unwrap_or_else(|| log_error("writing topic", topic, failure)),
            _ if topic.is_some() => self.cluster.failed("writing topic", topic, self.client.explain(failure)),
            _ => self.cluster.failed("writing", None, self.client.explain(failure)),
        }
    }

    /// The error of a transaction that writes to these topics: the cluster doesn't say which of them it is about, or
    /// whether it is the producer's own id.
    pub(super) fn transaction_failed(&self, topics: &BTreeSet<String>, failure: Failure) -> LogError {
        if failure.record.is_some() {
            return self.failed(None, failure);
        }
        let id = self.transactional_id.as_deref().unwrap_or_default();
        let doing = match topics.is_empty() {
            true => format!("committing as producer '{id}'"),
            false => {
                let topics: Vec<String> = topics.iter().map(|topic| format!("'{topic}'")).collect();
                format!("committing to {} as producer '{id}'", topics.join(", "))
            }
        };
        self.cluster.failed(&doing, None, self.client.explain(failure))
    }

    fn too_large(&self, topic: &str, bytes: usize) -> Option<LogError> {
        let limit: usize = self.cluster.config(topic, "max.message.bytes")?.parse().ok()?;
        Some(match bytes > limit {
            true => LogError::RecordTooLarge { topic: topic.to_owned(), bytes, limit },
            // The cluster counts batches; librdkafka doesn't make them smaller for one topic.
            false => LogError::Cluster {
                error: "MESSAGE_TOO_LARGE".to_owned(),
                what: format!(
                    "a batch of records is larger than max.message.bytes = {limit} of topic '{topic}': raise that, or set producer.batch.size below it"
                ),
            },
        })
    }
}

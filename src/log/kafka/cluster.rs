//! What is known of the cluster, and the client that it is asked by.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::CALL_TIMEOUT;
use super::config::{KafkaConfig, Role};
use super::errors::log_error;
use super::native::{Client, ClientKind, Code, Failure, Metadata, PartitionList, Position, Seen, TopicMetadata};
use crate::log::{LogError, TopicId, TopicPartition};
use crate::time;

/// The background asks again when what is known is this old and somebody looked at it.
pub(super) const AGE_TO_REFRESH: Duration = Duration::from_secs(2);
/// Who looks at it when it is older than this waits for a new answer.
const AGE_MAX: Duration = Duration::from_secs(10);
/// How long to wait for that, and not to ask again when none came.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_secs(1);

pub(super) const FIRST: i64 = -2;
pub(super) const END: i64 = -1;

pub(super) struct Cluster {
    pub config: KafkaConfig,
    /// Sends no records: a producer that has failed would be of no use for anything any more.
    pub client: Arc<Client>,
    /// Made when it is needed first.
    positions_client: Mutex<Option<Arc<Client>>>,
    /// All that there are, this one included.
    clients: Mutex<Vec<Weak<Client>>>,
    known: Mutex<Known>,
    ids: Mutex<BTreeMap<String, (Instant, KnownId)>>,
    looked_at: AtomicBool,
}

/// What the cluster said when it was asked for a topic's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownId {
    NoTopic,
    /// None: its brokers give topics none.
    Id(Option<TopicId>),
}

#[derive(Default)]
struct Known {
    metadata: Metadata,
    /// None: never, or it must be asked anew.
    at: Option<Instant>,
    /// The last asking got no answer.
    failed: Option<(Instant, Failure)>,
}

impl KnownId {
    fn found(self, topic: &str) -> Result<Option<TopicId>, LogError> {
        match self {
            KnownId::NoTopic => Err(LogError::UnknownTopic(topic.to_owned())),
            KnownId::Id(id) => Ok(id),
        }
    }
}

impl Cluster {
    pub(super) fn new(config: KafkaConfig) -> Result<Cluster, LogError> {
        let client = super::client(&config, ClientKind::Producer, Role::Admin)?;
        let clients = Mutex::new(vec![Arc::downgrade(&client)]);
        let (known, ids, looked_at) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        let positions_client = Mutex::default();
        Ok(Cluster { config, client, positions_client, clients, known, ids, looked_at })
    }

    /// The client that asks for positions of groups.
    pub(super) fn positions_client(&self, group: &str) -> Result<Arc<Client>, LogError> {
        let mut client = self.positions_client.lock();
        match &*client {
            Some(client) => Ok(Arc::clone(client)),
            None => Ok(Arc::clone(client.insert(self.new_client(ClientKind::Idle, Role::Positions(group))?))),
        }
    }

    /// A client of its own for a role.
    pub(super) fn new_client(&self, kind: ClientKind, role: Role<'_>) -> Result<Arc<Client>, LogError> {
        let client = super::client(&self.config, kind, role)?;
        self.clients.lock().push(Arc::downgrade(&client));
        Ok(client)
    }

    /// For the background: none of the clients stays without a broker to turn to.
    pub(super) fn find_brokers_again(&self) {
        let clients: Vec<Arc<Client>> = {
            let mut clients = self.clients.lock();
            clients.retain(|client| client.strong_count() > 0);
            clients.iter().filter_map(Weak::upgrade).collect()
        };
        clients.iter().for_each(|client| client.find_brokers_again());
    }

    /// Fails when the cluster doesn't answer.
    pub(super) fn find(&self, timeout: Duration) -> Result<(), LogError> {
        let found = self.client.metadata(timeout);
        self.learn(found)
            .map_err(|failure| log_error(&format!("looking for {}", self.config.bootstrap()), None, failure))
    }

    fn learn(&self, found: Result<Metadata, Failure>) -> Result<(), Failure> {
        let mut known = self.known.lock();
        match found {
            Ok(metadata) => {
                *known = Known { metadata, at: Some(time::now()), failed: None };
                Ok(())
            }
            Err(failure) => {
                known.failed = Some((time::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// Asks now, unless the cluster didn't answer just before.
    pub(super) fn refresh(&self) -> Result<(), Failure> {
        let failed_at = self.known.lock().failed.as_ref().map(|(at, _)| *at);
        match failed_at.is_some_and(|at| at.elapsed() < ASK_AGAIN) {
            true => Err(self.client.explain(Failure::new(Code::RD_KAFKA_RESP_ERR__TRANSPORT, "no answer"))),
            false => self.learn(self.client.metadata(REFRESH_TIMEOUT)),
        }
    }

    /// Why the cluster didn't answer when it was asked last; None: it did.
    pub(super) fn out_of_reach(&self) -> Option<String> {
        // Who wants to know wants to hear of the next answer, too.
        self.looked_at.store(true, Ordering::Relaxed);
        let (_, failure) = self.known.lock().failed.clone()?;
        Some(log_error(&format!("looking for {}", self.config.bootstrap()), None, failure).to_string())
    }

    /// Fails when the cluster didn't answer and still doesn't. Calls are made behind this: with no broker to be had, librdkafka
    /// looks for one without a pause until a call times out.
    pub(super) fn reach(&self) -> Result<(), Failure> {
        let failed = self.known.lock().failed.is_some();
        match failed {
            true => self.refresh(),
            false => Ok(()),
        }
    }

    /// As `patiently`, of a cluster that is within reach.
    pub(super) fn patiently<T>(&self, mut call: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        patiently(|| self.reach().and_then(|()| call()))
    }

    /// For the background: asks when what is known is old and in use.
    pub(super) fn refresh_when_old(&self) {
        let old = self.known.lock().at.is_none_or(|at| at.elapsed() >= AGE_TO_REFRESH);
        if old && self.looked_at.swap(false, Ordering::Relaxed) {
            // Nobody waits for it: who does is told by a call of its own.
            drop(self.refresh());
        }
    }

    /// What is known is no longer so.
    pub(super) fn forget(&self) {
        self.known.lock().at = None;
        self.ids.lock().clear();
    }

    fn look<T>(&self, look: impl Fn(&Metadata) -> T) -> (T, Option<Duration>) {
        self.looked_at.store(true, Ordering::Relaxed);
        let known = self.known.lock();
        (look(&known.metadata), known.at.map(|at| at.elapsed()))
    }

    /// Names in order, as last known.
    pub(super) fn topics(&self) -> Vec<String> {
        let names = |metadata: &Metadata| -> Vec<String> {
            metadata.iter().filter(|(_, topic)| topic.is_ok()).map(|(name, _)| name.clone()).collect()
        };
        // A list is asked for by people and at start, not in a loop.
        match self.refresh() {
            Ok(()) | Err(_) => self.look(names).0,
        }
    }

    /// All topics as they are now; None: one that can't be looked at.
    pub(super) fn all_topics(&self) -> Result<Vec<(String, Option<TopicMetadata>)>, LogError> {
        self.refresh().map_err(|failure| log_error("listing topics", None, failure))?;
        let topic = |(name, topic): (&String, &Result<TopicMetadata, Code>)| match topic {
            Ok(topic) => Some((name.clone(), Some(topic.clone()))),
            Err(Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => None,
            Err(_) => Some((name.clone(), None)),
        };
        Ok(self.look(|metadata| metadata.iter().filter_map(topic).collect()).0)
    }

    pub(super) fn partitions(&self, topic: &str) -> Option<u32> {
        self.count(topic).ok()
    }

    /// How many partitions a topic has; each append and each new reading end asks for it.
    fn count(&self, topic: &str) -> Result<u32, LogError> {
        let count = |topic: &Result<TopicMetadata, Code>| Some(topic.as_ref().ok()?.partitions.len() as u32);
        match self.look(|metadata| metadata.get(topic).and_then(count)) {
            (Some(count), Some(age)) if age < AGE_MAX => Ok(count),
            _ => Ok(self.topic(topic)?.partitions.len() as u32),
        }
    }

    /// Of a topic that isn't known, the cluster is asked.
    pub(super) fn topic(&self, name: &str) -> Result<TopicMetadata, LogError> {
        let (found, age) = self.look(|metadata| metadata.get(name).cloned());
        if let (Some(Ok(topic)), Some(age)) = (&found, age)
            && age < AGE_MAX
        {
            return Ok(topic.clone());
        }
        let refreshed = self.refresh();
        match (self.look(|metadata| metadata.get(name).cloned()).0, refreshed) {
            (Some(Ok(topic)), _) => Ok(topic),
            (_, Err(failure)) => Err(log_error("looking for topic", Some(name), failure)),
            (None, Ok(())) => Err(LogError::UnknownTopic(name.to_owned())),
            (Some(Err(code)), Ok(())) => {
                Err(log_error("looking at topic", Some(name), Failure::new(code, String::new())))
            }
        }
    }

    /// The identity of the topic, some seconds old at most. None: the brokers give topics none.
    pub(super) fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, LogError> {
        let last = self.ids.lock().get(topic).copied();
        let younger_than = |age: Duration| last.filter(|(asked, _)| asked.elapsed() < age).map(|(_, id)| id);
        if let Some(known) = younger_than(AGE_TO_REFRESH) {
            return known.found(topic);
        }
        match (self.fresh_topic_id(topic), younger_than(AGE_MAX)) {
            (Err(LogError::Unavailable(_)), Some(known)) => known.found(topic),
            (asked, _) => asked,
        }
    }

    /// The identity of the topic, as it is now.
    pub(super) fn fresh_topic_id(&self, topic: &str) -> Result<Option<TopicId>, LogError> {
        let asked = self.reach().and_then(|()| self.client.topic_id(topic, REFRESH_TIMEOUT));
        let known = match asked {
            Ok(id) => KnownId::Id(id),
            Err(failure) => match log_error("asking for the id of topic", Some(topic), failure) {
                LogError::UnknownTopic(_) => KnownId::NoTopic,
                // It isn't known, which is another thing than that there is none.
                error => return Err(error),
            },
        };
        self.ids.lock().insert(topic.to_owned(), (time::now(), known));
        known.found(topic)
    }

    /// Something looks as if another topic had the name now: the next look asks.
    pub(super) fn doubt_id(&self, topic: &str) {
        self.ids.lock().remove(topic);
    }

    /// Fails unless there is such a partition.
    pub(super) fn check(&self, place: &TopicPartition) -> Result<(), LogError> {
        match place.partition < self.count(&place.topic)? {
            true => Ok(()),
            false => Err(LogError::UnknownPartition { topic: place.topic.clone(), partition: place.partition }),
        }
    }

    /// All partitions of a topic.
    pub(super) fn places(&self, topic: &str) -> Result<Vec<TopicPartition>, LogError> {
        let count = self.count(topic)?;
        Ok((0..count).map(|partition| TopicPartition { topic: topic.to_owned(), partition }).collect())
    }

    /// (first offset, next offset) of a partition, as readers of committed records see them.
    pub(super) fn offsets(&self, place: &TopicPartition) -> Result<(i64, i64), LogError> {
        Ok((self.offset(place, FIRST)?, self.offset(place, END)?))
    }

    /// The next offset of a partition, open transactions included.
    pub(super) fn end_of_all(&self, place: &TopicPartition) -> Result<i64, LogError> {
        self.one_offset(place, END, Seen::All)
    }

    /// As `offsets`, of many: two calls a topic, each of which asks all brokers that have some of them at once.
    pub(super) fn offsets_of(
        &self,
        places: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, (i64, i64)>, LogError> {
        let mut by_topic: BTreeMap<&str, Vec<TopicPartition>> = BTreeMap::new();
        for place in places {
            self.check(place)?;
            by_topic.entry(&place.topic).or_default().push(place.clone());
        }
        let mut offsets = BTreeMap::new();
        for mut places in by_topic.into_values() {
            places.sort();
            places.dedup();
            let firsts = self.list_offsets(&places, FIRST, Seen::Committed)?;
            let nexts = self.list_offsets(&places, END, Seen::Committed)?;
            for ((place, first), (_, next)) in firsts.into_iter().zip(nexts) {
                offsets.insert(place, (first, next));
            }
            if let Some(place) = places.into_iter().find(|place| !offsets.contains_key(place)) {
                return Err(LogError::Unavailable(format!("{}-{} has no offsets now", place.topic, place.partition)));
            }
        }
        Ok(offsets)
    }

    /// One of `FIRST`, `END`, or a time.
    pub(super) fn offset(&self, place: &TopicPartition, spec: i64) -> Result<i64, LogError> {
        self.one_offset(place, spec, Seen::Committed)
    }

    fn one_offset(&self, place: &TopicPartition, spec: i64, seen: Seen) -> Result<i64, LogError> {
        self.check(place)?;
        let found = self.list_offsets(std::slice::from_ref(place), spec, seen)?;
        found
            .first()
            .map(|(_, offset)| *offset)
            .ok_or_else(|| LogError::Unavailable(format!("{}-{} has no offsets now", place.topic, place.partition)))
    }

    /// In the order of the partitions' names and numbers.
    pub(super) fn list_offsets(
        &self,
        places: &[TopicPartition],
        spec: i64,
        seen: Seen,
    ) -> Result<Vec<(TopicPartition, i64)>, LogError> {
        self.list_offsets_within(CALL_TIMEOUT, places, spec, seen)
    }

    pub(super) fn list_offsets_within(
        &self,
        timeout: Duration,
        places: &[TopicPartition],
        spec: i64,
        seen: Seen,
    ) -> Result<Vec<(TopicPartition, i64)>, LogError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let topic = places[0].topic.as_str();
        let asked: Vec<_> = places.iter().map(|place| (place, spec)).collect();
        let offsets = PartitionList::new(&asked).and_then(|asked| {
            patiently(|| {
                let found = self.reach().and_then(|()| self.client.list_offsets(&asked, seen, timeout));
                found.map_err(|failure| self.may_pass(topic, failure))
            })
        });
        let offsets = offsets.map_err(|failure| self.failed("asking for offsets of topic", Some(topic), failure))?;
        Ok(offsets.into_iter().collect())
    }

    /// A broker that has just started knows of topics before it serves them, and librdkafka asks it by what it knew before:
    /// the failure, as one that passes where the topic is there by a fresh look.
    fn may_pass(&self, topic: &str, failure: Failure) -> Failure {
        let unknown = failure.code == Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if !unknown && !will_pass(&failure) {
            return failure;
        }
        match self.learn(self.client.metadata(REFRESH_TIMEOUT)) {
            Ok(()) if unknown && self.look(|metadata| metadata.get(topic).is_some_and(Result::is_ok)).0 => {
                Failure { code: Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ..failure }
            }
            _ => failure,
        }
    }

    /// The error; what is known is asked anew when the cluster says otherwise.
    pub(super) fn failed(&self, doing: &str, topic: Option<&str>, failure: Failure) -> LogError {
        let error = log_error(doing, topic, failure);
        if matches!(error, LogError::UnknownTopic(_)) {
            self.forget();
        }
        error
    }
}

/// Leaves out the positions of topics that are gone, though others may have their names.
pub(super) fn of_these_topics(
    positions: BTreeMap<TopicPartition, Position>,
    id: impl Fn(&str) -> Result<Option<TopicId>, LogError>,
) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
    let mut ids: BTreeMap<String, KnownId> = BTreeMap::new();
    for place in positions.iter().filter(|(_, position)| position.topic_id.is_some()).map(|(place, _)| place) {
        if !ids.contains_key(&place.topic) {
            let known = match id(&place.topic) {
                Ok(id) => KnownId::Id(id),
                Err(LogError::UnknownTopic(_)) => KnownId::NoTopic,
                Err(error) => return Err(error),
            };
            ids.insert(place.topic.clone(), known);
        }
    }
    let is_of = |place: &TopicPartition, position: &Position| match ids.get(&place.topic) {
        Some(known) => position.topic_id.is_none_or(|of| *known == KnownId::Id(Some(of))),
        None => true,
    };
    let kept = positions.into_iter().filter(|(place, position)| is_of(place, position));
    Ok(kept.map(|(place, position)| (place, position.offset)).collect())
}

/// Makes a call again while the cluster is about to change its mind: a topic that was just made isn't known to all
/// brokers, a leader moves.
pub(super) fn patiently<T>(mut call: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_millis(20);
    let started = time::now();
    loop {
        match call() {
            Err(failure) if will_pass(&failure) && started.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            outcome => return outcome,
        }
    }
}

fn will_pass(failure: &Failure) -> bool {
    matches!(
        failure.code,
        Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
            | Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
            | Code::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH
            | Code::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH
            | Code::RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE
            // librdkafka knows of no leader.
            | Code::RD_KAFKA_RESP_ERR__NOENT
            | Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR
            | Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE
            | Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_topics_that_are_gone_are_left_out() {
        let place = |topic: &str, partition| TopicPartition { topic: topic.to_owned(), partition };
        let id = |byte| Some(TopicId([byte; 16]));
        let at = |offset, topic_id| Position { offset, topic_id };
        let positions = BTreeMap::from([
            (place("same", 0), at(1, id(1))),
            (place("again", 0), at(2, id(2))),
            // Partitions that were opened after it was made again.
            (place("again", 1), at(3, id(3))),
            (place("gone", 0), at(4, id(4))),
            (place("by others", 0), at(5, None)),
            (place("without ids", 0), at(6, id(6))),
        ]);
        let now = |topic: &str| match topic {
            "same" => Ok(id(1)),
            "again" => Ok(id(3)),
            "without ids" => Ok(None),
            "gone" => Err(LogError::UnknownTopic(topic.to_owned())),
            _ => panic!("{topic} needn't be asked for"),
        };
        let kept = of_these_topics(positions.clone(), now).unwrap();
        assert_eq!(kept, BTreeMap::from([(place("same", 0), 1), (place("again", 1), 3), (place("by others", 0), 5)]));
        // Not known is not gone.
        let silent = |_: &str| Err(LogError::Unavailable("said so".to_owned()));
        assert!(of_these_topics(positions, silent).is_err());
    }
}

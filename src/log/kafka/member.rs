//! Members of groups: a consumer that is given partitions, a client that reads them, a producer of transactions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::CALL_TIMEOUT;
use super::cluster::{Cluster, of_these_topics};
use super::config::Role;
use super::errors::log_error;
use super::native::{ClientKind, Code, Failure, GroupConsumer, GroupEvent, GroupMetadata, PartitionList};
use super::producer::Producer;
use super::reader::Lane;
use super::transaction::{KafkaTransaction, Scope, WriterTransaction};
use crate::log::{
    Change, Delivery, GroupSpec, LogError, Member, MemberSpec, Records, Signal, StageTopics, TopicId, TopicPartition,
    Transaction,
};

/// A member of a group of the cluster's.
pub(super) struct GroupedMember {
    group: GroupSpec,
    stages: Vec<StageTopics>,
    consumer: GroupConsumer,
    lane: Lane,
    cluster: Arc<Cluster>,
    producer: Mutex<Arc<Producer>>,
    share: Mutex<Share>,
    /// The topic that each partition was one of when it was asked where to go on: what is read and committed since is of that.
    topic_ids: Mutex<BTreeMap<TopicPartition, Option<TopicId>>>,
    /// Came behind changes that were given first.
    failed: Mutex<Option<LogError>>,
    signal: Arc<Signal>,
}

/// What the member has.
#[derive(Default)]
struct Share {
    owned: BTreeSet<TopicPartition>,
    /// Asked back by the group, which waits for them all.
    revoked: Option<Revoked>,
}

struct Revoked {
    all: Vec<TopicPartition>,
    left: BTreeSet<TopicPartition>,
}

impl GroupedMember {
    pub(super) fn join(
        cluster: &Arc<Cluster>,
        spec: &MemberSpec,
        group: &GroupSpec,
    ) -> Result<GroupedMember, LogError> {
        let leads: BTreeSet<String> = spec.stages.iter().map(|stage| stage.lead.clone()).collect();
        leads.iter().try_for_each(|topic| cluster.topic(topic).map(|_| ()))?;
        // The producer first: it ends what its predecessor left open, and positions wait for that.
        let producer = producer(cluster, group)?;
        let role =
            Role::Member { group: &group.id, instance: group.instance_id.as_deref(), about: group.about.as_deref() };
        let client = cluster.new_client(ClientKind::Consumer, role)?;
        let leads: Vec<String> = leads.into_iter().collect();
        let consumer = GroupConsumer::subscribe(client, &leads, &spec.signal)
            .map_err(|failure| failed("joining", &group.id, failure))?;
        Ok(GroupedMember {
            group: group.clone(),
            stages: spec.stages.clone(),
            consumer,
            lane: Lane::new(cluster, Some(Arc::clone(&spec.signal))),
            cluster: Arc::clone(cluster),
            producer: Mutex::new(Arc::new(producer)),
            share: Mutex::default(),
            topic_ids: Mutex::default(),
            failed: Mutex::default(),
            signal: Arc::clone(&spec.signal),
        })
    }

    /// One that can be used.
    fn producer(&self) -> Result<Arc<Producer>, LogError> {
        let mut current = self.producer.lock();
        if !current.is_usable() {
            *current = Arc::new(producer(&self.cluster, &self.group)?);
        }
        Ok(Arc::clone(&current))
    }

    #[cfg(test)]
    pub(super) fn fail_producer_for_test(&self) {
        self.producer.lock().client.fail_for_test();
    }

    #[cfg(test)]
    pub(super) fn producer_is_usable_for_test(&self) -> bool {
        self.producer.lock().is_usable()
    }

    pub(super) fn check_group(&self, group: &str) -> Result<(), LogError> {
        match group == self.group.id {
            true => Ok(()),
            false => Err(LogError::Invalid(format!(
                "a member of group '{}' can't set positions of '{group}'",
                self.group.id
            ))),
        }
    }

    /// Who commits positions of these partitions now; an error when one of them isn't (or is no longer) the member's.
    pub(super) fn generation<'p>(
        &self,
        mut places: impl Iterator<Item = &'p TopicPartition>,
    ) -> Result<GroupMetadata, LogError> {
        let share = self.share.lock();
        if let Some(place) = places.find(|place| !self.has(&share, place)) {
            return Err(LogError::Aborted(format!(
                "{}-{} is not this member's in group '{}'",
                place.topic, place.partition, self.group.id
            )));
        }
        self.consumer
            .metadata()
            .ok_or_else(|| LogError::Aborted(format!("this process is not in group '{}' now", self.group.id)))
    }

    /// Partitions of lead topics, and those that follow them.
    fn has(&self, share: &Share, place: &TopicPartition) -> bool {
        share.owned.contains(place)
            || self.stages.iter().filter(|stage| stage.followers.contains(&place.topic)).any(|stage| {
                share.owned.contains(&TopicPartition { topic: stage.lead.clone(), partition: place.partition })
            })
    }

    pub(super) fn commit_positions(&self, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        if positions.is_empty() {
            return Ok(());
        }
        self.generation(positions.keys())?;
        self.labelled(positions)
            .and_then(|list| self.consumer.commit(&list))
            .map_err(|failure| failed("committing positions of", &self.group.id, failure))
    }

    /// Positions with the topics that they are of, as those were when the group was asked for the positions before.
    pub(super) fn labelled(&self, positions: &BTreeMap<TopicPartition, i64>) -> Result<PartitionList, Failure> {
        let ids = self.topic_ids.lock();
        let list: Vec<_> =
            positions.iter().map(|(place, offset)| (place, *offset, ids.get(place).copied().flatten())).collect();
        PartitionList::of_positions(&list)
    }

    fn take_in(&self, event: GroupEvent) -> Result<Option<Change>, LogError> {
        let mut share = self.share.lock();
        match event {
            GroupEvent::Assigned(places) => {
                self.consumer.accept(&places).map_err(|failure| failed("in", &self.group.id, failure))?;
                share.owned.extend(places.iter().cloned());
                Ok(Some(Change::Given(places)))
            }
            GroupEvent::Revoked(places) | GroupEvent::Lost(places) if places.is_empty() => {
                self.consumer.give_back(&places).map_err(|failure| failed("in", &self.group.id, failure))?;
                Ok(None)
            }
            GroupEvent::Revoked(places) => {
                share.revoked = Some(Revoked { left: places.iter().cloned().collect(), all: places.clone() });
                Ok(Some(Change::Revoked(places)))
            }
            GroupEvent::Lost(places) => {
                for place in &places {
                    share.owned.remove(place);
                }
                share.revoked = Some(Revoked { left: places.iter().cloned().collect(), all: places.clone() });
                Ok(Some(Change::Lost(places)))
            }
            GroupEvent::Failed(failure) => match is_passing(&failure) {
                true => Ok(None),
                false => Err(failed("in", &self.group.id, failure)),
            },
        }
    }
}

/// Changes up to the first failure. One that comes behind changes is kept in `failed` for the next call: they have happened, and
/// nobody else tells of them.
fn until_failure(
    failed: &mut Option<LogError>,
    mut next: impl FnMut() -> Option<Result<Option<Change>, LogError>>,
) -> Result<Vec<Change>, LogError> {
    if let Some(error) = failed.take() {
        return Err(error);
    }
    let mut changes = Vec::new();
    while let Some(outcome) = next() {
        match outcome {
            Ok(change) => changes.extend(change),
            Err(error) if changes.is_empty() => return Err(error),
            Err(error) => {
                *failed = Some(error);
                break;
            }
        }
    }
    Ok(changes)
}

fn producer(cluster: &Arc<Cluster>, group: &GroupSpec) -> Result<Producer, LogError> {
    match group.delivery {
        Delivery::ExactlyOnce => Producer::transactional(cluster, &group.transactional_id),
        Delivery::AtLeastOnce => Producer::writer(cluster),
    }
}

/// librdkafka goes on by itself, and what it means for the member comes as an event of its own.
fn is_passing(failure: &Failure) -> bool {
    !failure.fatal
        && matches!(
            failure.code,
            Code::RD_KAFKA_RESP_ERR__TRANSPORT
                | Code::RD_KAFKA_RESP_ERR__RESOLVE
                | Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
                | Code::RD_KAFKA_RESP_ERR__TIMED_OUT
                | Code::RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED
                | Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR
                | Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE
                | Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS
        )
}

fn failed(doing: &str, group: &str, failure: Failure) -> LogError {
    if let Some(topic) = failure.topic.clone() {
        return log_error("reading topic", Some(&topic), failure);
    }
    log_error(&format!("{doing} group '{group}'"), None, failure)
}

impl Member for GroupedMember {
    fn poll(&self) -> Result<Vec<Change>, LogError> {
        let mut failed = self.failed.lock();
        let changes = until_failure(&mut failed, || self.consumer.poll().map(|event| self.take_in(event)))?;
        if failed.is_some() {
            // The next poll must not wait for another event.
            self.signal.ring();
        }
        Ok(changes)
    }

    fn give_up(&self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        let mut share = self.share.lock();
        let mut closed = partitions.to_vec();
        for place in partitions {
            share.owned.remove(place);
            let stages = self.stages.iter().filter(|stage| stage.lead == place.topic);
            closed.extend(
                stages
                    .flat_map(|stage| &stage.followers)
                    .map(|follower| TopicPartition { topic: follower.clone(), partition: place.partition }),
            );
        }
        self.lane.close(&closed);
        let Some(revoked) = &mut share.revoked else { return Ok(()) };
        for place in partitions {
            revoked.left.remove(place);
        }
        match share.revoked.take_if(|revoked| revoked.left.is_empty()) {
            Some(revoked) => {
                self.consumer.give_back(&revoked.all).map_err(|failure| failed("in", &self.group.id, failure))
            }
            None => Ok(()),
        }
    }

    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        self.lane.fetch(partition, from, bytes_max, Duration::ZERO, into)
    }

    fn end(&self, partition: &TopicPartition) -> Option<i64> {
        self.lane.seen_end(partition)
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        match self.group.delivery {
            Delivery::ExactlyOnce => Ok(Box::new(KafkaTransaction::begin(self.producer()?, Scope::Member(self))?)),
            Delivery::AtLeastOnce => Ok(Box::new(WriterTransaction::begin(self.producer()?, self)?)),
        }
    }

    fn positions(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        // What one left open that can't be used any more keeps positions from being told until it times out; its successor ends it.
        self.producer()?;
        let mut ids: BTreeMap<&str, Option<TopicId>> = BTreeMap::new();
        for place in partitions {
            if !ids.contains_key(place.topic.as_str()) {
                ids.insert(&place.topic, self.cluster.fresh_topic_id(&place.topic)?);
            }
        }
        let asked: Vec<_> = partitions.iter().map(|place| (place, 0)).collect();
        let positions = PartitionList::new(&asked).and_then(|list| {
            self.consumer.committed(&list, CALL_TIMEOUT)?;
            list.positions()
        });
        let mut positions = positions.map_err(|failure| failed("asking for positions of", &self.group.id, failure))?;
        positions.retain(|_, position| position.offset >= 0);
        let id = |topic: &str| ids.get(topic).copied().flatten();
        self.topic_ids.lock().extend(partitions.iter().map(|place| (place.clone(), id(&place.topic))));
        of_these_topics(positions, |topic| Ok(id(topic)))
    }
}

/// A reader without a group.
pub(super) struct LoneReader {
    cluster: Arc<Cluster>,
    leads: BTreeSet<String>,
    lane: Lane,
    given: Mutex<BTreeSet<TopicPartition>>,
}

impl LoneReader {
    pub(super) fn new(cluster: &Arc<Cluster>, spec: &MemberSpec) -> LoneReader {
        LoneReader {
            cluster: Arc::clone(cluster),
            leads: spec.stages.iter().map(|stage| stage.lead.clone()).collect(),
            lane: Lane::new(cluster, Some(Arc::clone(&spec.signal))),
            given: Mutex::default(),
        }
    }
}

impl Member for LoneReader {
    /// All partitions at once, and those that a topic gets later.
    fn poll(&self) -> Result<Vec<Change>, LogError> {
        let mut given = self.given.lock();
        let mut fresh = Vec::new();
        for topic in &self.leads {
            fresh.extend(self.cluster.places(topic)?.into_iter().filter(|place| given.insert(place.clone())));
        }
        Ok(Some(fresh).filter(|fresh| !fresh.is_empty()).map(Change::Given).into_iter().collect())
    }

    fn give_up(&self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        self.lane.close(partitions);
        Ok(())
    }

    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        self.lane.fetch(partition, from, bytes_max, Duration::ZERO, into)
    }

    fn end(&self, partition: &TopicPartition) -> Option<i64> {
        self.lane.seen_end(partition)
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        Err(LogError::Invalid("a reader without a group commits nothing".to_owned()))
    }

    fn positions(&self, _: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        Ok(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_before_a_failure_are_given_and_the_failure_follows() {
        let given = |partition| Change::Given(vec![TopicPartition { topic: "t".to_owned(), partition }]);
        let failure = || LogError::Unavailable("said so".to_owned());
        let mut events = vec![
            Ok(Some(given(0))),
            Ok(None),
            Ok(Some(given(1))),
            Err(failure()),
            Ok(Some(given(2))),
            Err(failure()),
            Err(failure()),
        ]
        .into_iter();
        let mut failed = None;
        let mut poll = || until_failure(&mut failed, || events.next()).map_err(|error| error.to_string());
        let said = failure().to_string();
        assert_eq!(poll(), Ok(vec![given(0), given(1)]));
        assert_eq!(poll(), Err(said.clone()));
        assert_eq!(poll(), Ok(vec![given(2)]));
        assert_eq!(poll(), Err(said.clone()));
        assert_eq!(poll(), Err(said));
        assert_eq!(poll(), Ok(Vec::new()));
    }
}

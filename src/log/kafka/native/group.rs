//! A member of a consumer group, for what it is given only: its partitions are paused, the records are read by others.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::bindings as sys;

use super::{Client, Code, Failure, GroupMetadata, PartitionList, Queue, code, list, millis, text};
use crate::log::{Signal, TopicPartition};
use crate::time;

pub(in crate::log::kafka) struct GroupConsumer {
    client: Arc<Client>,
    queue: Queue,
    /// Revoked or lost, and not given back yet: librdkafka waits for that, for ever if need be.
    asked_back: Mutex<Option<Vec<TopicPartition>>>,
}

/// How long to wait for the group's farewell.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_POLL: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(in crate::log::kafka) enum GroupEvent {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    /// Thrown out of the group.
    Lost(Vec<TopicPartition>),
    Failed(Failure),
}

impl GroupConsumer {
    /// Takes part in the group of the client's settings.
    pub(in crate::log::kafka) fn subscribe(
        client: Arc<Client>,
        topics: &[String],
        signal: &Arc<Signal>,
    ) -> Result<GroupConsumer, Failure> {
        let no_group = || Failure::new(Code::RD_KAFKA_RESP_ERR__INVALID_ARG, "the consumer has no group.id");
        // SAFETY: alive. The client's own events (errors) come into the consumer's queue, too.
        Failure::check(unsafe { sys::rd_kafka_poll_set_consumer(client.ptr()) })?;
        let mut queue = Queue::of_consumer(&client).ok_or_else(no_group)?;
        queue.ring(signal);
        let topics = PartitionList::of_topics(topics)?;
        // SAFETY: alive; the list is copied.
        Failure::check(unsafe { sys::rd_kafka_subscribe(client.ptr(), topics.ptr()) })?;
        Ok(GroupConsumer { client, queue, asked_back: Mutex::default() })
    }

    /// What happened, if something did.
    pub(in crate::log::kafka) fn poll(&self) -> Option<GroupEvent> {
        self.next(Duration::ZERO)
    }

    fn next(&self, timeout: Duration) -> Option<GroupEvent> {
        loop {
            let event = self.queue.poll(timeout)?;
            // SAFETY: the event is alive; what it has is copied.
            unsafe {
                let code = code::code(code::raw::rd_kafka_event_error(event.ptr()));
                match sys::rd_kafka_event_type(event.ptr()) {
                    sys::RD_KAFKA_EVENT_REBALANCE => {
                        let places = list::places(sys::rd_kafka_event_topic_partition_list(event.ptr()));
                        if code != Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
                            *self.asked_back.lock() = Some(places.clone());
                        }
                        return Some(match code {
                            Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => GroupEvent::Assigned(places),
                            _ if sys::rd_kafka_assignment_lost(self.client.ptr()) != 0 => GroupEvent::Lost(places),
                            _ => GroupEvent::Revoked(places),
                        });
                    }
                    sys::RD_KAFKA_EVENT_ERROR => {
                        let mut failure = Failure::new(code, text(sys::rd_kafka_event_error_string(event.ptr())));
                        failure.fatal = sys::rd_kafka_event_error_is_fatal(event.ptr()) != 0;
                        let place = sys::rd_kafka_event_topic_partition(event.ptr());
                        if !place.is_null() {
                            failure.topic = Some(text((*place).topic));
                            sys::rd_kafka_topic_partition_destroy(place);
                        }
                        return Some(GroupEvent::Failed(self.client.explain(failure)));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Takes partitions that were assigned. Nothing is fetched for them.
    pub(in crate::log::kafka) fn accept(&self, places: &[TopicPartition]) -> Result<(), Failure> {
        let list = self.list(places)?;
        // SAFETY: alive; the list is copied. Paused before they are assigned, they are never fetched.
        unsafe {
            Failure::check(sys::rd_kafka_pause_partitions(self.client.ptr(), list.ptr()))?;
            Failure::take(sys::rd_kafka_incremental_assign(self.client.ptr(), list.ptr()))
        }
    }

    /// Gives back partitions that were revoked or lost.
    pub(in crate::log::kafka) fn give_back(&self, places: &[TopicPartition]) -> Result<(), Failure> {
        *self.asked_back.lock() = None;
        let list = self.list(places)?;
        // SAFETY: alive; the list is copied.
        Failure::take(unsafe { sys::rd_kafka_incremental_unassign(self.client.ptr(), list.ptr()) })
    }

    fn list(&self, places: &[TopicPartition]) -> Result<PartitionList, Failure> {
        // Any offset that needn't be asked from the cluster: they are paused.
        PartitionList::new(&places.iter().map(|place| (place, 0)).collect::<Vec<_>>())
    }

    /// Who this member is in the group now. None: not (yet) in it.
    pub(in crate::log::kafka) fn metadata(&self) -> Option<GroupMetadata> {
        GroupMetadata::of(&self.client)
    }

    /// Commits positions; waits until that is done.
    pub(in crate::log::kafka) fn commit(&self, positions: &PartitionList) -> Result<(), Failure> {
        // SAFETY: alive; the outcome of each partition is written into the list.
        code::check_number(unsafe { code::raw::rd_kafka_commit(self.client.ptr(), positions.ptr(), 0) })
            .map_err(|failure| self.client.explain(failure))?;
        positions.positions().map(|_| ())
    }

    /// Writes the committed positions into the list; a negative one stands for none.
    pub(in crate::log::kafka) fn committed(&self, places: &PartitionList, timeout: Duration) -> Result<(), Failure> {
        // SAFETY: alive; writes into the list.
        code::check_number(unsafe { code::raw::rd_kafka_committed(self.client.ptr(), places.ptr(), millis(timeout)) })
            .map_err(|failure| self.client.explain(failure))
    }
}

impl Drop for GroupConsumer {
    /// Leaves the group: gives back what it has when it is asked for that. Where the group doesn't answer, its session
    /// times out.
    fn drop(&mut self) {
        let asked_back = self.asked_back.lock().take();
        if let Some(places) = asked_back {
            drop(self.give_back(&places));
        }
        // SAFETY: alive. What is left to be done comes as events.
        let closing = unsafe { sys::rd_kafka_consumer_close_queue(self.client.ptr(), self.queue.ptr()) };
        if Failure::take(closing).is_err() {
            return;
        }
        let started = time::now();
        // SAFETY: alive.
        while unsafe { sys::rd_kafka_consumer_closed(self.client.ptr()) } == 0 && started.elapsed() < CLOSE_TIMEOUT {
            match self.next(CLOSE_POLL) {
                Some(GroupEvent::Assigned(places)) => drop(self.accept(&places)),
                Some(GroupEvent::Revoked(places) | GroupEvent::Lost(places)) => drop(self.give_back(&places)),
                Some(GroupEvent::Failed(_)) | None => {}
            }
        }
    }
}

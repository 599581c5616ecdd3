//! Reading partitions: open reading ends, each going on where the last fetch ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::cluster::{Cluster, END};
use super::config::Role;
use super::native::{Client, ClientKind, Code, Failure, PartitionConsumer};
use crate::log::{LogError, Records, Signal, TopicPartition};
use crate::time;

/// How long a fetch waits for records that are known to be there.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long at a time, before it is looked at anew whether there is something to wait for.
const FETCH_WAIT: Duration = Duration::from_millis(500);
/// A reading end that nobody used for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(3);
/// So many can read one partition at different places without getting in each other's way.
const LANES: usize = 3;

/// Reading ends on one client, at most one a partition.
pub(super) struct Lane {
    cluster: Arc<Cluster>,
    client: Mutex<Option<Arc<Client>>>,
    open: Mutex<HashMap<TopicPartition, Slot>>,
    /// Rung when something arrives.
    signal: Option<Arc<Signal>>,
}

type Slot = Arc<Mutex<Option<ReadingEnd>>>;

struct ReadingEnd {
    consumer: PartitionConsumer,
    next: i64,
    used: Instant,
}

impl Lane {
    pub(super) fn new(cluster: &Arc<Cluster>, signal: Option<Arc<Signal>>) -> Lane {
        Lane { cluster: Arc::clone(cluster), client: Mutex::default(), open: Mutex::default(), signal }
    }

    fn client(&self) -> Result<Arc<Client>, LogError> {
        let mut client = self.client.lock();
        match &*client {
            Some(client) => Ok(Arc::clone(client)),
            None => {
                let new = self.cluster.new_client(ClientKind::Consumer, Role::Reader)?;
                *client = Some(Arc::clone(&new));
                Ok(new)
            }
        }
    }

    fn slot(&self, place: &TopicPartition) -> Slot {
        let mut open = self.open.lock();
        match open.get(place) {
            Some(slot) => Arc::clone(slot),
            None => Arc::clone(open.entry(place.clone()).or_default()),
        }
    }

    /// Replaces the content of `into` by what has arrived from `from` on; waits for at most `timeout` for the first.
    pub(super) fn fetch(
        &self,
        place: &TopicPartition,
        from: i64,
        bytes_max: usize,
        timeout: Duration,
        into: &mut Records,
    ) -> Result<(), LogError> {
        let slot = self.slot(place);
        let mut end = slot.lock();
        self.fetch_from(&mut end, place, from, bytes_max, timeout, into)
    }

    fn fetch_from(
        &self,
        end: &mut Option<ReadingEnd>,
        place: &TopicPartition,
        from: i64,
        bytes_max: usize,
        timeout: Duration,
        into: &mut Records,
    ) -> Result<(), LogError> {
        into.clear();
        into.next_offset = from;
        // The old one first: there can't be two.
        if end.as_ref().is_some_and(|end| end.next != from) {
            *end = None;
        }
        let reading = match end {
            Some(reading) => reading,
            None => {
                self.cluster.check(place)?;
                if from < 0 {
                    let (first, next) = self.cluster.offsets(place)?;
                    return Err(out_of_range(place, from, first, next));
                }
                let consumer = PartitionConsumer::start(&self.client()?, place, from, self.signal.as_ref())
                    .map_err(|failure| self.cluster.failed("reading topic", Some(&place.topic), failure))?;
                end.insert(ReadingEnd { consumer, next: from, used: time::now() })
            }
        };
        match reading.consumer.take(timeout, bytes_max.max(1), into) {
            Ok(fetched) => {
                let behind_last = into.meta.last().map(|meta| meta.offset + 1);
                into.next_offset = from.max(behind_last.unwrap_or(from)).max(fetched.position.unwrap_or(from));
                reading.next = into.next_offset;
                reading.used = time::now();
                // What was read isn't there (any more).
                if self.seen_end(place).is_some_and(|seen| seen < into.next_offset) {
                    self.cluster.doubt_id(&place.topic);
                }
                Ok(())
            }
            Err(failure) => {
                *end = None;
                self.failed(place, from, failure)
            }
        }
    }

    /// The error of a reading end; none when a new one will do: a broker that is new as leader may not know yet how far
    /// its log goes.
    fn failed(&self, place: &TopicPartition, from: i64, failure: Failure) -> Result<(), LogError> {
        if !matches!(
            failure.code,
            Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET | Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE
        ) {
            return Err(self.cluster.failed("reading topic", Some(&place.topic), failure));
        }
        self.cluster.doubt_id(&place.topic);
        let (first, next) = self.cluster.offsets(place)?;
        if !(first..=next).contains(&from) {
            return Err(out_of_range(place, from, first, next));
        }
        if let Some(signal) = &self.signal {
            // Nothing else would wake who waits for it.
            signal.ring();
        }
        Ok(())
    }

    /// The end as the last fetch saw it.
    pub(super) fn seen_end(&self, place: &TopicPartition) -> Option<i64> {
        let client = self.client.lock().clone()?;
        client.seen_end(place)
    }

    pub(super) fn close(&self, places: &[TopicPartition]) {
        let closed: Vec<Slot> = {
            let mut open = self.open.lock();
            places.iter().filter_map(|place| open.remove(place)).collect()
        };
        drop(closed);
    }

    /// Closes what nobody uses.
    fn close_idle(&self) {
        let open: Vec<Slot> = self.open.lock().values().cloned().collect();
        for slot in open {
            if let Some(mut end) = slot.try_lock()
                && end.as_ref().is_some_and(|end| end.used.elapsed() >= IDLE_MAX)
            {
                *end = None;
            }
        }
    }
}

/// The reading ends of [`Log::fetch`](crate::log::Log::fetch): whoever goes on where a fetch ended gets that end again.
pub(super) struct Readers {
    cluster: Arc<Cluster>,
    lanes: [Lane; LANES],
}

impl Readers {
    pub(super) fn new(cluster: Arc<Cluster>) -> Readers {
        let lanes = std::array::from_fn(|_| Lane::new(&cluster, None));
        Readers { cluster, lanes }
    }

    /// Waits until records that are committed have arrived, so that none means that there are none.
    pub(super) fn fetch(
        &self,
        place: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        let slots: Vec<Slot> = self.lanes.iter().map(|lane| lane.slot(place)).collect();
        let (lane, mut end) = choose(&slots, from);
        let lane = &self.lanes[lane];
        let started = time::now();
        let mut at = from;
        let mut timeout = Duration::ZERO;
        loop {
            lane.fetch_from(&mut end, place, at, bytes_max, timeout, into)?;
            at = into.next_offset;
            if !into.is_empty() {
                return Ok(());
            }
            let next = self.cluster.offset(place, END)?;
            if at > next {
                let (first, next) = self.cluster.offsets(place)?;
                return Err(out_of_range(place, from, first, next));
            }
            if at == next {
                return Ok(());
            }
            if started.elapsed() >= FETCH_TIMEOUT {
                return Err(LogError::Unavailable(format!(
                    "no records of {}-{} came from offset {at} on, though it goes up to {next}",
                    place.topic, place.partition
                )));
            }
            timeout = FETCH_WAIT;
        }
    }

    pub(super) fn close_idle(&self) {
        self.lanes.iter().for_each(Lane::close_idle);
    }
}

fn out_of_range(place: &TopicPartition, asked: i64, first: i64, next: i64) -> LogError {
    LogError::OffsetOutOfRange { topic: place.topic.clone(), partition: place.partition, asked, first, next }
}

/// The lane whose reading end is at `from`; else one that has none at this partition; else one that nobody uses now.
fn choose(slots: &[Slot], from: i64) -> (usize, MutexGuard<'_, Option<ReadingEnd>>) {
    let mut free = None;
    let mut idle = None;
    for (lane, slot) in slots.iter().enumerate() {
        let Some(end) = slot.try_lock() else { continue };
        match &*end {
            Some(reading) if reading.next == from => return (lane, end),
            None if free.is_none() => free = Some((lane, end)),
            Some(_) if idle.is_none() => idle = Some((lane, end)),
            _ => {}
        }
    }
    free.or(idle).unwrap_or_else(|| (0, slots[0].lock()))
}

//! Lists of partitions with an offset each.

use std::collections::BTreeMap;

use rdkafka::bindings as sys;

use super::{Code, Failure, c_string, items, text};
use crate::log::TopicPartition;

/// `RD_KAFKA_PARTITION_UA` (not in the bindings).
const ANY_PARTITION: i32 = -1;

pub(in crate::log::kafka) struct PartitionList(*mut sys::rd_kafka_topic_partition_list_t);

// SAFETY: a plain value of its own.
unsafe impl Send for PartitionList {}
// SAFETY: only read once it is made.
unsafe impl Sync for PartitionList {}

impl PartitionList {
    pub(in crate::log::kafka) fn new(places: &[(&TopicPartition, i64)]) -> Result<PartitionList, Failure> {
        // SAFETY: gives an object of our own.
        let list = PartitionList(unsafe { sys::rd_kafka_topic_partition_list_new(places.len() as i32) });
        for (place, offset) in places {
            let topic = c_string(&place.topic)?;
            // SAFETY: the list is ours; the name is copied; the item is valid until the next change of the list.
            unsafe {
                let item = sys::rd_kafka_topic_partition_list_add(list.0, topic.as_ptr(), place.partition as i32);
                (*item).offset = *offset;
            }
        }
        Ok(list)
    }

    /// Topics, for a subscription.
    pub(super) fn of_topics(topics: &[String]) -> Result<PartitionList, Failure> {
        // SAFETY: as in `new`.
        let list = PartitionList(unsafe { sys::rd_kafka_topic_partition_list_new(topics.len() as i32) });
        for topic in topics {
            let topic = c_string(topic)?;
            // SAFETY: as in `new`.
            unsafe { sys::rd_kafka_topic_partition_list_add(list.0, topic.as_ptr(), ANY_PARTITION) };
        }
        Ok(list)
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.0
    }

    /// What a call wrote into the list, or the first error in it.
    pub(in crate::log::kafka) fn offsets(&self) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        // SAFETY: ours, and not null.
        unsafe { read(self.0) }
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0) };
    }
}

/// A copy of a list, or the first error in it.
///
/// # Safety
/// Null, or alive for this call.
pub(super) unsafe fn read(
    list: *const sys::rd_kafka_topic_partition_list_t,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let mut places = BTreeMap::new();
    if list.is_null() {
        return Ok(places);
    }
    // SAFETY: by this function's contract.
    unsafe {
        for item in items((*list).elems.cast_const(), (*list).cnt as usize) {
            let topic = text(item.topic);
            if item.err != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                let what = format!("{topic}-{}: {}", item.partition, super::describe(item.err));
                return Err(Failure::new(item.err, what));
            }
            places.insert(TopicPartition { topic, partition: item.partition as u32 }, item.offset);
        }
    }
    Ok(places)
}

/// The partitions of a list, whatever errors are in it.
///
/// # Safety
/// Null, or alive for this call.
pub(super) unsafe fn places(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<TopicPartition> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: by this function's contract.
    unsafe {
        items((*list).elems.cast_const(), (*list).cnt as usize)
            .iter()
            .map(|item| TopicPartition { topic: text(item.topic), partition: item.partition as u32 })
            .collect()
    }
}

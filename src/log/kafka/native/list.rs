//! Lists of partitions with an offset each.

use std::collections::BTreeMap;
use std::ptr;

use rdkafka::bindings as sys;

use super::{Code, Failure, addresses, c_string, code, items, text};
use crate::log::{TopicId, TopicPartition};

/// `RD_KAFKA_PARTITION_UA` (not in the bindings).
const ANY_PARTITION: i32 = -1;

/// Before the topic's id in a position's metadata.
const LABEL: &str = "topic-id=";

/// What a group has of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log::kafka) struct Position {
    pub offset: i64,
    /// The topic that the records before it are of. None: who set it didn't say.
    pub topic_id: Option<TopicId>,
}

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

    /// Positions, each with the topic that it is of, where that is known: kept with the position as its metadata.
    pub(in crate::log::kafka) fn of_positions(
        positions: &[(&TopicPartition, i64, Option<TopicId>)],
    ) -> Result<PartitionList, Failure> {
        let places: Vec<_> = positions.iter().map(|(place, offset, _)| (*place, *offset)).collect();
        let list = PartitionList::new(&places)?;
        for (index, (_, _, topic_id)) in positions.iter().enumerate() {
            let Some(label) = topic_id.map(label) else { continue };
            // SAFETY: the list is ours and has an item for each position; the memory is of librdkafka's allocator, which frees it
            // with the list, and as long as is said beside it.
            unsafe {
                let copy = sys::rd_kafka_mem_malloc(ptr::null_mut(), label.len());
                if copy.is_null() {
                    return Err(Failure::new(Code::RD_KAFKA_RESP_ERR__FAIL, "no memory for positions"));
                }
                ptr::copy_nonoverlapping(label.as_ptr(), copy.cast::<u8>(), label.len());
                let item = (*list.0).elems.add(index);
                (*item).metadata = copy;
                (*item).metadata_size = label.len();
            }
        }
        Ok(list)
    }

    /// The positions that a call wrote into the list, or the first error in it.
    pub(in crate::log::kafka) fn positions(&self) -> Result<BTreeMap<TopicPartition, Position>, Failure> {
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

/// The metadata of a position that is of this topic.
fn label(topic_id: TopicId) -> String {
    format!("{LABEL}{topic_id}")
}

/// None: somebody else has set the position, and no topic is named.
fn labelled(metadata: &[u8]) -> Option<TopicId> {
    std::str::from_utf8(metadata).ok()?.strip_prefix(LABEL)?.parse().ok()
}

/// A copy of a list, or the first error in it.
///
/// # Safety
/// Null, or alive for this call.
pub(super) unsafe fn read(
    list: *const sys::rd_kafka_topic_partition_list_t,
) -> Result<BTreeMap<TopicPartition, Position>, Failure> {
    let mut positions = BTreeMap::new();
    if list.is_null() {
        return Ok(positions);
    }
    // SAFETY: by this function's contract; metadata is as long as is said beside it.
    unsafe {
        for item in addresses((*list).elems.cast_const(), (*list).cnt as usize) {
            let place = place(item);
            code::check(&raw const (*item).err).map_err(|failure| {
                let what = format!("{}-{}: {}", place.topic, place.partition, failure.text);
                Failure { text: what, ..failure }
            })?;
            let metadata = items((*item).metadata.cast_const().cast::<u8>(), (*item).metadata_size);
            positions.insert(place, Position { offset: (*item).offset, topic_id: labelled(metadata) });
        }
    }
    Ok(positions)
}

/// # Safety
/// An item that lives for this call.
unsafe fn place(item: *const sys::rd_kafka_topic_partition_t) -> TopicPartition {
    // SAFETY: by this function's contract.
    unsafe { TopicPartition { topic: text((*item).topic), partition: (*item).partition as u32 } }
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
    unsafe { addresses((*list).elems.cast_const(), (*list).cnt as usize).map(|item| place(item)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_keeps_the_topic_that_it_is_of() {
        let id = TopicId([7; 16]);
        let places = ["a", "b"].map(|topic| TopicPartition { topic: topic.to_owned(), partition: 3 });
        let list = PartitionList::of_positions(&[(&places[0], 5, Some(id)), (&places[1], 6, None)]).unwrap();
        let positions = list.positions().unwrap();
        assert_eq!(positions[&places[0]], Position { offset: 5, topic_id: Some(id) });
        assert_eq!(positions[&places[1]], Position { offset: 6, topic_id: None });
        assert_eq!(label(id), "topic-id=07070707-0707-0707-0707-070707070707");
        for other in ["", "topic-id=7", "something else"] {
            assert_eq!(labelled(other.as_bytes()), None);
        }
    }
}

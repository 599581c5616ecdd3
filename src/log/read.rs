//! Reading a partition from one offset to another.

use super::{Log, LogError, Records, TopicPartition};
use crate::error::{Error, Result};

/// Bytes fetched at a time.
const BYTES_MAX: usize = 4 << 20;

/// Calls `take` with all records of a partition from the offset `start` (or its first), up to `end` (or what is there).
/// Gives the offset to go on from.
pub(crate) fn for_each_fetch(
    log: &dyn Log,
    place: &TopicPartition,
    start: Option<i64>,
    end: Option<i64>,
    take: &mut dyn FnMut(&Records) -> Result<()>,
) -> Result<i64> {
    let (first, next) = log.offsets(place)?;
    let mut position = start.unwrap_or(first).max(first);
    let end = end.unwrap_or(next);
    let mut records = Records::default();
    while position < end {
        log.fetch(place, position, BYTES_MAX, &mut records)?;
        records.meta.retain(|meta| meta.offset < end);
        take(&records)?;
        if records.next_offset <= position {
            return Err(Error::world(format!(
                "nothing is there from offset {position} of {}-{} on, though it went up to {end}",
                place.topic, place.partition
            )));
        }
        // What came with it from behind the end was left out, and is for the next to read.
        position = records.next_offset.min(end);
    }
    Ok(position)
}

/// Whether there are records, or may come some, from one offset to another.
pub(crate) fn has_records(log: &dyn Log, place: &TopicPartition, mut from: i64, to: i64) -> Result<bool, LogError> {
    let mut records = Records::default();
    while from < to {
        log.fetch(place, from, 1, &mut records)?;
        // Stored batches come whole: they can begin before what was asked for.
        if let Some(first) = records.meta.iter().find(|meta| meta.offset >= from) {
            return Ok(first.offset < to);
        }
        if records.next_offset <= from {
            // A transaction under way: what comes of it isn't known.
            return Ok(true);
        }
        from = records.next_offset;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::log::TopicSpec;
    use crate::log::embedded::EmbeddedLog;

    #[test]
    fn goes_on_where_it_was_told_to_end() {
        let log = EmbeddedLog::in_memory();
        let configs = BTreeMap::new();
        log.create_topic(&TopicSpec { name: "t".into(), partitions: 1, replicas: None, configs }).unwrap();
        let place = TopicPartition { topic: "t".into(), partition: 0 };
        // One stored batch, which a fetch gives as a whole.
        let mut records = Records::default();
        (0..5u8).for_each(|value| records.push(None, Some(&[value]), 0));
        log.append(&place, &records).unwrap();
        let (mut taken, mut position) = (Vec::new(), 0);
        for end in [2, 2, 4, 5] {
            position = for_each_fetch(&log, &place, Some(position), Some(end), &mut |records| {
                taken.extend(records.meta.iter().map(|meta| meta.offset));
                Ok(())
            })
            .unwrap();
            assert_eq!(position, end);
        }
        assert_eq!(taken, [0, 1, 2, 3, 4]);
    }
}

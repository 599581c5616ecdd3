//! Reading a partition from one offset to another.

use super::{Log, Records, TopicPartition};
use crate::error::Result;

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
            break;
        }
        position = records.next_offset;
    }
    Ok(position)
}

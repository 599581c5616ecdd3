//! What of a partition is due to go: pure decisions from what is there to what to do.

use super::config::TopicConfigs;
use super::topic::{PartitionState, Segment};

/// The offset below which retention removes everything, if there is something to remove: whole segments from the front,
/// by the time of their records and by the partition's size, and nothing from `held` on.
pub(super) fn retained_from(state: &PartitionState, configs: &TopicConfigs, now: i64, held: i64) -> Option<i64> {
    if !configs.delete {
        return None;
    }
    let mut bytes = state.bytes();
    let mut first = None;
    for (i, segment) in state.segments.iter().enumerate() {
        let info = &segment.info;
        let is_last = i + 1 == state.segments.len();
        let expired = configs.retention_ms >= 0 && info.max_timestamp < now.saturating_sub(configs.retention_ms);
        let over = configs.retention_bytes >= 0 && !is_last && bytes - info.size >= configs.retention_bytes as u64;
        if !(expired || over) || info.next > held {
            break;
        }
        bytes -= info.size;
        first = Some(info.next);
    }
    first
}

/// Segments to be cleaned together, and those that make one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cleaning {
    /// How many segments from the front.
    pub segments: usize,
    /// Ranges of these.
    pub groups: Vec<std::ops::Range<usize>>,
}

/// Whether, and what, to compact: closed segments from the front, none that reaches beyond `held`.
pub(super) fn cleaning(state: &PartitionState, configs: &TopicConfigs, now: i64, held: i64) -> Option<Cleaning> {
    if !configs.compact {
        return None;
    }
    let settled_before = now.saturating_sub(configs.min_compaction_lag_ms);
    let closed = |(i, segment): &(usize, &Segment)| {
        let is_last = i + 1 == state.segments.len();
        let lags = configs.min_compaction_lag_ms > 0 && segment.info.max_timestamp > settled_before;
        (!is_last || is_closed(segment, configs, now)) && segment.info.next <= held && !lags
    };
    let segments = state.segments.iter().enumerate().take_while(closed).count();
    let section = &state.segments[..segments];
    let bytes = |clean: bool| -> u64 {
        let segments = section.iter().filter(|segment| (segment.info.cleaned >= 0) == clean);
        segments.map(|segment| segment.info.size).sum()
    };
    let (clean, dirty) = (bytes(true), bytes(false));
    let dirty_enough = dirty > 0
        && u128::from(dirty) * 1000 >= u128::from(configs.min_cleanable_dirty_ratio) * u128::from(clean + dirty);
    let lags_too_long = section
        .iter()
        .find(|segment| segment.info.cleaned < 0)
        .is_some_and(|segment| segment.info.max_timestamp < now.saturating_sub(configs.max_compaction_lag_ms));
    let tombstones_due =
        section.iter().any(|segment| segment.info.tombstones > 0 && drops_tombstones(segment, configs, now));
    if !dirty_enough && !lags_too_long && !tombstones_due {
        return None;
    }
    Some(Cleaning { segments, groups: groups(section, configs, now) })
}

/// Takes no more records.
pub(super) fn is_closed(segment: &Segment, configs: &TopicConfigs, now: i64) -> bool {
    segment.sealed || segment.info.cleaned >= 0 || now.saturating_sub(segment.info.created) >= configs.segment_ms
}

/// The tombstones of this segment were there long enough for every reader to see them.
pub(super) fn drops_tombstones(segment: &Segment, configs: &TopicConfigs, now: i64) -> bool {
    segment.info.cleaned >= 0 && segment.info.cleaned.saturating_add(configs.delete_retention_ms) <= now
}

/// Neighbours that fit into one segment. A segment whose tombstones wait for their end is left to itself: in a common
/// file with younger ones they would wait again.
fn groups(section: &[Segment], configs: &TopicConfigs, now: i64) -> Vec<std::ops::Range<usize>> {
    #[derive(PartialEq)]
    enum Kind {
        Dirty,
        Settled,
        Waiting,
    }
    let kind = |segment: &Segment| match segment.info.cleaned >= 0 {
        false => Kind::Dirty,
        true if segment.info.tombstones == 0 || drops_tombstones(segment, configs, now) => Kind::Settled,
        true => Kind::Waiting,
    };
    let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (i, segment) in section.iter().enumerate() {
        bytes += segment.info.size;
        match groups.last_mut() {
            Some(group)
                if bytes <= configs.segment_bytes
                    && kind(segment) != Kind::Waiting
                    && kind(segment) == kind(&section[group.start]) =>
            {
                group.end = i + 1;
            }
            _ => {
                groups.push(i..i + 1);
                bytes = segment.info.size;
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::journal::SegmentInfo;
    use super::*;

    /// Segments of ten offsets: (bytes, latest time, cleaned, tombstones).
    fn state(segments: &[(u64, i64, i64, u64)]) -> PartitionState {
        let segment = |(i, &(size, max_timestamp, cleaned, tombstones)): (usize, &(u64, i64, i64, u64))| {
            let base = i as i64 * 10;
            let (generation, next, created) = (0, base + 10, 0);
            Segment::new(SegmentInfo { base, generation, size, next, max_timestamp, created, cleaned, tombstones })
        };
        let next = segments.len() as i64 * 10;
        PartitionState { first: 0, next, segments: segments.iter().enumerate().map(segment).collect() }
    }

    fn configs(pairs: &[(&str, &str)]) -> TopicConfigs {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TopicConfigs::parse(&pairs).unwrap()
    }

    /// So many segments, all into one.
    fn alone(segments: usize) -> Cleaning {
        Cleaning { segments, groups: std::iter::once(0..segments).collect() }
    }

    #[test]
    fn retention_goes_by_time_and_by_size_from_the_front() {
        let state = state(&[(100, 5, -1, 0), (100, 3, -1, 0), (100, 50, -1, 0), (100, 1, -1, 0)]);
        let keep = |pairs: &[(&str, &str)], now, held| retained_from(&state, &configs(pairs), now, held);
        assert_eq!(keep(&[], i64::MAX, i64::MAX), None);
        assert_eq!(keep(&[("retention.ms", "10")], 15, i64::MAX), None);
        assert_eq!(keep(&[("retention.ms", "10")], 16, i64::MAX), Some(20));
        assert_eq!(keep(&[("retention.ms", "10")], 60, i64::MAX), Some(20));
        assert_eq!(keep(&[("retention.ms", "10")], 61, i64::MAX), Some(40));
        assert_eq!(keep(&[("retention.ms", "10")], 61, 39), Some(30));
        assert_eq!(keep(&[("retention.ms", "10"), ("cleanup.policy", "compact")], 61, i64::MAX), None);
        assert_eq!(keep(&[("retention.bytes", "250")], 0, i64::MAX), Some(10));
        assert_eq!(keep(&[("retention.bytes", "0")], 0, i64::MAX), Some(30));
        assert_eq!(keep(&[("retention.bytes", "0")], 0, 10), Some(10));
    }

    #[test]
    fn compaction_waits_for_enough_dirt_and_spares_what_is_held() {
        let compact = [("cleanup.policy", "compact"), ("segment.bytes", "150"), ("delete.retention.ms", "100")];
        let configs = configs(&compact);
        let cleaned = |segments: &[(u64, i64, i64, u64)], now, held| cleaning(&state(segments), &configs, now, held);
        let dirty = (50, 0, -1, 0);
        assert_eq!(cleaned(&[dirty], 1, i64::MAX), None);
        let all = Cleaning { segments: 4, groups: vec![0..3, 3..4] };
        assert_eq!(cleaned(&[dirty; 5], 1, i64::MAX), Some(all));
        assert_eq!(cleaned(&[dirty; 5], 1, 19), Some(alone(1)));
        assert_eq!(cleaned(&[(100, 0, 5, 0), dirty, dirty], 1, i64::MAX), None);
        let both = Cleaning { segments: 3, groups: vec![0..1, 1..3] };
        assert_eq!(cleaned(&[(100, 0, 5, 0), dirty, dirty, dirty], 1, i64::MAX), Some(both));
        let waiting = [(10, 0, 5, 0), (10, 0, 6, 1), (10, 0, 7, 0), dirty];
        assert_eq!(cleaned(&waiting, 105, i64::MAX), None);
        assert_eq!(cleaned(&waiting, 106, i64::MAX), Some(alone(3)));
    }
}

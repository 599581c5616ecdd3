//! Whether a state comes back from its snapshot: a pure decision.

use super::Identity;
use super::file::{Content, Header};

/// What a topic has of a partition: (first offset, the offset behind the last that counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: i64,
    pub end: i64,
}

/// How old a snapshot may be: where nothing holds back the compaction of its topic, a tombstone that came since goes some time,
/// and the snapshot would keep its key alive for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// Wall time, ms.
    pub now_ms: i64,
    /// How long tombstones stay.
    pub kept_ms: i64,
}

impl Age {
    /// Half of the time is left for the reading, and for clocks that differ.
    fn allows(self, begun_ms: i64) -> bool {
        (0..=self.kept_ms / 2).contains(&self.now_ms.saturating_sub(begun_ms))
    }
}

/// How a state comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The snapshot is loaded, then the topic is applied from this offset on.
    UseSnapshot { from: i64 },
    /// The topic is applied from its first offset on.
    ReplayAll(Reason),
}

/// Why a snapshot isn't used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is none.
    Missing,
    /// Torn, or changed since it was written.
    Damaged,
    /// Written by a newer version.
    NewerFormat(u8),
    /// Of another state, topic or log.
    Foreign,
    /// It has changes that the topic doesn't have: they were never committed, or lost with the power.
    AheadOfTopic,
    /// Records were removed from the topic's front since (retention, `topic empty`): what they said no longer holds.
    HistoryRemoved,
    /// Tombstones that came since may be gone.
    TooOld,
}

/// Decides from what the file is, what it should be one of, what the topic has, and how old it may be (None: as old as it
/// likes).
pub(super) fn decide(file: &Content, expected: &Identity, has: Span, age: Option<Age>) -> Recovery {
    let header = match file {
        Content::Missing => return Recovery::ReplayAll(Reason::Missing),
        Content::Damaged => return Recovery::ReplayAll(Reason::Damaged),
        Content::Newer(version) => return Recovery::ReplayAll(Reason::NewerFormat(*version)),
        Content::Whole { header, .. } => header,
    };
    match refused(header, expected, has, age) {
        Some(reason) => Recovery::ReplayAll(reason),
        None => Recovery::UseSnapshot { from: header.from },
    }
}

fn refused(header: &Header, expected: &Identity, has: Span, age: Option<Age>) -> Option<Reason> {
    if header.of != *expected {
        return Some(Reason::Foreign);
    }
    if header.from < header.first || header.upto < header.from {
        return Some(Reason::Damaged);
    }
    if header.upto > has.end {
        return Some(Reason::AheadOfTopic);
    }
    if header.first != has.first {
        return Some(Reason::HistoryRemoved);
    }
    if age.is_some_and(|age| !age.allows(header.begun_ms)) {
        return Some(Reason::TooOld);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::TopicPartition;

    fn identity() -> Identity {
        Identity {
            layout: "l".to_owned(),
            owner: "q".to_owned(),
            place: TopicPartition { topic: "t".to_owned(), partition: 3 },
            topic_id: "7".to_owned(),
            history: "h".to_owned(),
        }
    }

    fn whole(of: Identity, first: i64, from: i64, upto: i64) -> Content {
        Content::Whole { header: Header { of, first, from, upto, begun_ms: 1_000 }, bytes: 100 }
    }

    #[test]
    fn only_a_good_file_of_this_state_within_its_topic_is_used() {
        let all = |reason| Recovery::ReplayAll(reason);
        let span = |first, end| Span { first, end };
        let of = identity;
        let table = [
            (Content::Missing, span(0, 100), all(Reason::Missing)),
            (Content::Damaged, span(0, 100), all(Reason::Damaged)),
            (Content::Newer(9), span(0, 100), all(Reason::NewerFormat(9))),
            (whole(of(), 0, 40, 60), span(0, 100), Recovery::UseSnapshot { from: 40 }),
            (whole(of(), 0, 40, 60), span(0, 60), Recovery::UseSnapshot { from: 40 }),
            (whole(of(), 0, 0, 0), span(0, 0), Recovery::UseSnapshot { from: 0 }),
            (whole(of(), 0, 40, 60), span(0, 59), all(Reason::AheadOfTopic)),
            (whole(of(), 0, 40, 60), span(0, 0), all(Reason::AheadOfTopic)),
            (whole(of(), 0, 40, 60), span(1, 100), all(Reason::HistoryRemoved)),
            (whole(of(), 0, 40, 60), span(60, 60), all(Reason::HistoryRemoved)),
            (whole(of(), 5, 40, 60), span(5, 100), Recovery::UseSnapshot { from: 40 }),
            (whole(of(), 5, 40, 60), span(0, 100), all(Reason::HistoryRemoved)),
            (whole(of(), 5, 4, 60), span(5, 100), all(Reason::Damaged)),
            (whole(of(), 0, 40, 39), span(0, 100), all(Reason::Damaged)),
            (whole(Identity { layout: "m".to_owned(), ..of() }, 0, 40, 60), span(0, 100), all(Reason::Foreign)),
            (whole(Identity { owner: "r".to_owned(), ..of() }, 0, 40, 60), span(0, 100), all(Reason::Foreign)),
            (whole(Identity { topic_id: "8".to_owned(), ..of() }, 0, 40, 60), span(0, 100), all(Reason::Foreign)),
            (whole(Identity { history: "i".to_owned(), ..of() }, 0, 40, 60), span(0, 100), all(Reason::Foreign)),
            (
                whole(Identity { place: TopicPartition { partition: 2, ..of().place }, ..of() }, 0, 40, 60),
                span(0, 100),
                all(Reason::Foreign),
            ),
        ];
        for (file, has, expected) in table {
            assert_eq!(decide(&file, &identity(), has, None), expected, "{file:?} {has:?}");
            let fresh = Age { now_ms: 1_000, kept_ms: 60 };
            assert_eq!(decide(&file, &identity(), has, Some(fresh)), expected, "{file:?} {has:?}");
        }
    }

    #[test]
    fn a_snapshot_that_tombstones_may_be_missing_behind_is_not_used() {
        let file = whole(identity(), 0, 40, 60);
        let use_it = Recovery::UseSnapshot { from: 40 };
        let too_old = Recovery::ReplayAll(Reason::TooOld);
        for (now_ms, expected) in
            [(1_000, use_it), (1_030, use_it), (1_031, too_old), (i64::MAX, too_old), (999, too_old)]
        {
            let age = Age { now_ms, kept_ms: 60 };
            assert_eq!(decide(&file, &identity(), Span { first: 0, end: 100 }, Some(age)), expected, "{now_ms}");
        }
    }
}

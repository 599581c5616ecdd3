//! Whether a state comes back from its snapshot: a pure decision.

use super::Identity;
use super::file::{Content, Header};

/// What a topic has of a partition: (first offset, the offset behind the last that counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: i64,
    pub end: i64,
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
}

/// Decides from what the file is, what it should be one of, and what the topic has.
pub(super) fn decide(file: &Content, expected: &Identity, has: Span) -> Recovery {
    let header = match file {
        Content::Missing => return Recovery::ReplayAll(Reason::Missing),
        Content::Damaged => return Recovery::ReplayAll(Reason::Damaged),
        Content::Newer(version) => return Recovery::ReplayAll(Reason::NewerFormat(*version)),
        Content::Whole { header, .. } => header,
    };
    match refused(header, expected, has) {
        Some(reason) => Recovery::ReplayAll(reason),
        None => Recovery::UseSnapshot { from: header.from },
    }
}

fn refused(header: &Header, expected: &Identity, has: Span) -> Option<Reason> {
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
        Content::Whole { header: Header { of, first, from, upto }, bytes: 100 }
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
            assert_eq!(decide(&file, &identity(), has), expected, "{file:?} {has:?}");
        }
    }
}

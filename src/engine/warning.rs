//! What a reader's query tells of the records that it can't show as they are: it has no processing log.

use crate::dataflow::{ErrorKind, ProcessingError};

/// A line for people about so many bad records and late rows, with the first of each; None when there are none.
pub(super) fn warning(bad: u64, late: u64, errors: &[ProcessingError]) -> Option<String> {
    let told = [
        (bad, if bad == 1 { "record had an error" } else { "records had errors" }, false),
        (late, if late == 1 { "row came too late for a window" } else { "rows came too late for their windows" }, true),
    ];
    let mut parts = Vec::new();
    for (count, what, is_late) in told {
        if count == 0 {
            continue;
        }
        let first = errors.iter().find(|error| (error.kind == ErrorKind::Late) == is_late);
        let first = first.map(|error| format!(", {}{}", if count == 1 { "" } else { "the first " }, told_of(error)));
        parts.push(format!("{count} {what}{}", first.unwrap_or_default()));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// `at topic T, partition 0, offset 17: reason`, as much of the place as is known.
fn told_of(error: &ProcessingError) -> String {
    let place = [
        error.topic.as_ref().map(|topic| format!("topic {topic}")),
        error.partition.map(|partition| format!("partition {partition}")),
        error.offset.map(|offset| format!("offset {offset}")),
    ];
    let place: Vec<String> = place.into_iter().flatten().collect();
    match place.is_empty() {
        true => format!("in a row made of several records: {}", error.reason),
        false => format!("at {}: {}", place.join(", "), error.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, offset: Option<i64>, reason: &str) -> ProcessingError {
        ProcessingError {
            kind,
            reason: reason.to_string(),
            topic: offset.map(|_| "bids".to_string()),
            partition: offset.map(|_| 2),
            offset,
            row_time: Some(5),
            record: None,
        }
    }

    #[test]
    fn tells_counts_and_the_first_of_each() {
        let errors = [
            error(ErrorKind::Late, Some(3), "closed"),
            error(ErrorKind::Deserialization, Some(17), "no JSON"),
            error(ErrorKind::Processing, None, "division by zero"),
        ];
        assert_eq!(warning(0, 0, &[]), None);
        let one = "1 record had an error, at topic bids, partition 2, offset 17: no JSON";
        assert_eq!(warning(1, 0, &errors).as_deref(), Some(one));
        let both = "2 records had errors, the first at topic bids, partition 2, offset 17: no JSON; \
                    1 row came too late for a window, at topic bids, partition 2, offset 3: closed";
        assert_eq!(warning(2, 1, &errors).as_deref(), Some(both));
        let made = "1 record had an error, in a row made of several records: division by zero";
        assert_eq!(warning(1, 0, &errors[2..]).as_deref(), Some(made));
    }
}

//! Records that are older than their topic keeps them: they are written, and told of.

use super::spec::Counters;
use crate::dataflow::sink::Staged;
use crate::log::Tell;
use crate::types::text::iso_timestamp;

/// How long the sink's topic keeps its records.
#[derive(Clone)]
pub struct Keeping {
    /// `retention.ms` of the topic, which counts from the records' own time.
    pub retention_ms: i64,
    /// Called once, with a line for people.
    pub tell: Option<Tell>,
}

impl Keeping {
    /// Tells of the first record that is past its time; of those that follow nothing is said.
    pub(super) fn look_at(
        &self,
        (query, topic): (&str, &str),
        staged: &[(u32, Staged)],
        wall_time: i64,
        counters: &Counters,
    ) {
        if counters.expiring.get().is_some() {
            return;
        }
        let Some(row_time) = oldest(staged).filter(|time| *time < wall_time.saturating_sub(self.retention_ms)) else {
            return;
        };
        let text = format!(
            "query {query} writes records of {} to topic '{topic}', which keeps them for {} ms (retention.ms): they are \
             soon deleted; `millpond topic alter {topic} --config retention.ms=-1` keeps them",
            iso_timestamp(row_time),
            self.retention_ms
        );
        if counters.expiring.set(text.clone()).is_ok()
            && let Some(tell) = &self.tell
        {
            tell(&text);
        }
    }
}

fn oldest(staged: &[(u32, Staged)]) -> Option<i64> {
    staged.iter().filter_map(|(_, staged)| staged.oldest()).min()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::log::Records;

    const DAY_MS: i64 = 86_400_000;
    const NOW: i64 = 1_700_000_000_000;

    fn records(times: &[i64]) -> Vec<(u32, Staged)> {
        let one = |time: &i64| {
            let mut records = Records::default();
            records.push(None, Some(b"v"), *time);
            (0, Staged::Records(records))
        };
        times.iter().map(one).collect()
    }

    #[test]
    fn what_is_not_kept_is_told_of_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = {
            let told = Arc::clone(&told);
            move |text: &str| told.lock().push(text.to_owned())
        };
        let keeping = Keeping { retention_ms: DAY_MS, tell: Some(Arc::new(tell)) };
        let counters = Counters::default();
        let look = |times: &[i64]| {
            keeping.look_at(("CSAS_O_1", "O"), &records(times), NOW, &counters);
            told.lock().len()
        };
        assert_eq!(look(&[]), 0);
        assert_eq!(look(&[NOW, NOW - DAY_MS]), 0);
        assert_eq!(look(&[NOW, NOW - DAY_MS - 1, NOW]), 1);
        assert_eq!(look(&[0]), 1);
        let text = told.lock()[0].clone();
        assert!(text.contains("query CSAS_O_1") && text.contains("2023-11-13T22:13:19.999"), "{text}");
        assert_eq!(counters.expiring.get(), Some(&text));
    }
}

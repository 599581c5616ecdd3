//! Commits of the query that keeps a view. A reader sees all of a commit or nothing of it, and waits for none: a large one is taken
//! in in steps, each under the lock, and until the rows have all of it, readers of keys look into the commit itself first. So it
//! counts from one moment on, in all partitions. Readers of all rows begin between commits.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::RwLockWriteGuard;

use super::rows::{Rows, window_start};
use super::{View, bytes};
use crate::catalog::SourceWindow;
use crate::error::Result;
use crate::log::Records;

/// Records that are taken in while readers wait.
const STEP_RECORDS: usize = 256;

/// A commit's records to one partition, while the rows don't have all of them.
pub(super) struct Pending {
    records: Vec<Records>,
    /// Of each key the last record: the number of its records, and its own among them.
    newest: HashTable<(u32, u32)>,
    hasher: RandomState,
    /// Starts of the windows that the records are in.
    pub starts: BTreeSet<i64>,
    /// Whole keys of the sessions that they are.
    pub sessions: BTreeSet<Vec<u8>>,
    /// Windows that began before this go with the commit.
    first_kept: i64,
}

impl Pending {
    fn new(commit: &[&Records], rows: &Rows, retention_ms: Option<i64>) -> Pending {
        let count = commit.iter().map(|records| records.len()).sum();
        let mut pending = Pending {
            records: commit.iter().map(|records| (*records).clone()).collect(),
            newest: HashTable::with_capacity(count),
            hasher: RandomState::default(),
            starts: BTreeSet::new(),
            sessions: BTreeSet::new(),
            first_kept: i64::MIN,
        };
        let mut stream_time = rows.stream_time;
        for (number, records) in commit.iter().enumerate() {
            for (row, meta) in records.meta.iter().enumerate() {
                let Some(key) = records.key(row) else { continue };
                stream_time = stream_time.max(meta.timestamp);
                pending.note(key, (number as u32, row as u32), rows.window);
            }
        }
        if let Some(retention_ms) = retention_ms {
            pending.first_kept = stream_time.saturating_sub(retention_ms);
        }
        pending
    }

    fn note(&mut self, key: &[u8], place: (u32, u32), window: Option<SourceWindow>) {
        let (hash, records, hasher) = (self.hasher.hash_one(key), &self.records, &self.hasher);
        let same = |other: &(u32, u32)| key_at(records, *other) == Some(key);
        match self.newest.find_mut(hash, same) {
            Some(other) => *other = place,
            None => {
                self.newest
                    .insert_unique(hash, place, |other| hasher.hash_one(key_at(records, *other).unwrap_or_default()));
                if window.is_some() {
                    self.starts.insert(window_start(key, window));
                }
                if window == Some(SourceWindow::Session) {
                    self.sessions.insert(key.to_vec());
                }
            }
        }
    }

    /// What the commit makes of the row of a whole key: value and row time, or that it goes. None: it leaves it as it is.
    pub fn get(&self, start: i64, whole: &[u8]) -> Option<Option<(&[u8], i64)>> {
        if start < self.first_kept {
            return Some(None);
        }
        let same = |place: &(u32, u32)| key_at(&self.records, *place) == Some(whole);
        let (number, row) = *self.newest.find(self.hasher.hash_one(whole), same)?;
        let (records, row) = (&self.records[number as usize], row as usize);
        Some(records.value(row).map(|value| (value, records.meta[row].timestamp)))
    }
}

fn key_at(records: &[Records], (number, row): (u32, u32)) -> Option<&[u8]> {
    records[number as usize].key(row as usize)
}

/// A commit's records, by partition.
type Commit<'a> = BTreeMap<usize, Vec<&'a Records>>;

impl View {
    /// Takes in the records of a commit of the query that keeps the view, each with their partition. Errors: the memory is
    /// not enough for them; they are taken in nonetheless, since they are committed.
    pub fn apply<'a>(&self, commit: impl IntoIterator<Item = (u32, &'a Records)>) -> Result<()> {
        let mut by_partition = Commit::new();
        for (partition, records) in commit {
            by_partition.entry(partition as usize).or_default().push(records);
        }
        let _changing = self.changing.lock();
        let count: usize = by_partition.values().flatten().map(|records| records.len()).sum();
        let comes_next = || {
            let partitions = self.partitions.read();
            let mut all = partitions.iter().enumerate();
            all.all(|(partition, rows)| {
                by_partition.get(&partition).is_none_or(|commit| self.comes_next(partition, rows, commit))
            })
        };
        match count > STEP_RECORDS && comes_next() {
            true => self.take_in_stepwise(&by_partition),
            false => self.take_in_at_once(&by_partition),
        }
        let partitions = self.partitions.read();
        self.memory.set(bytes(&partitions))
    }

    /// Whether the commit is what comes next in the topic: nobody else wrote behind it, nor before it what isn't taken in yet, and
    /// it wasn't read from the topic already. Else the topic says what comes in which order.
    fn comes_next(&self, partition: usize, rows: &Rows, commit: &[&Records]) -> bool {
        let Some(log) = &self.log else { return true };
        let is_end = || log.offsets(&self.place(partition)).is_ok_and(|(_, end)| end == rows.next + len(commit));
        !rows.ahead && is_end()
    }

    fn take_in_at_once(&self, commit: &Commit<'_>) {
        let mut partitions = self.partitions.write();
        for (partition, rows) in partitions.iter_mut().enumerate() {
            if let Some(commit) = commit.get(&partition) {
                match &self.log {
                    Some(log) if !self.comes_next(partition, rows, commit) => {
                        self.read_on(&**log, partition, None, rows)
                    }
                    _ => {
                        commit.iter().for_each(|records| rows.apply(records, self.retention_ms));
                        rows.next += len(commit);
                    }
                }
            }
            // A query makes one commit after another: this was the one that may have been read already.
            rows.ahead = false;
        }
    }

    fn take_in_stepwise(&self, commit: &Commit<'_>) {
        self.announce(commit);
        for (partition, commit) in commit {
            for records in commit {
                let mut taken = 0;
                while taken < records.len() {
                    taken = self.take_in_some(*partition, records, taken);
                }
            }
        }
        let mut over: Vec<Option<Pending>> = Vec::new();
        let mut partitions = self.partitions.write();
        for (partition, rows) in partitions.iter_mut().enumerate() {
            if let Some(commit) = commit.get(&partition) {
                rows.next += len(commit);
            }
            rows.ahead = false;
            over.push(rows.pending.take());
        }
        drop(partitions);
    }

    /// From here on the commit counts.
    fn announce(&self, commit: &Commit<'_>) {
        let pending: Vec<(usize, Pending)> = {
            let partitions = self.partitions.read();
            let of = |(partition, commit): (&usize, &Vec<&Records>)| {
                let rows = partitions.get(*partition)?;
                Some((*partition, Pending::new(commit, rows, self.retention_ms)))
            };
            commit.iter().filter_map(of).collect()
        };
        let mut partitions = self.partitions.write();
        pending.into_iter().for_each(|(partition, pending)| partitions[partition].pending = Some(pending));
    }

    /// A step: some records from the n-th on. Gives the number of the next.
    fn take_in_some(&self, partition: usize, records: &Records, from: usize) -> usize {
        let to = (from + STEP_RECORDS).min(records.len());
        let mut partitions = self.partitions.write();
        if let Some(rows) = partitions.get_mut(partition) {
            rows.apply_some(records, from..to);
            if let Some(retention_ms) = self.retention_ms.filter(|_| to == records.len()) {
                rows.expire(retention_ms);
            }
        }
        // To those who wait, if there are any.
        RwLockWriteGuard::unlock_fair(partitions);
        to
    }
}

fn len(commit: &[&Records]) -> i64 {
    commit.iter().map(|records| records.len() as i64).sum()
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::super::scan::Parts;
    use super::super::{ALL_STARTS, Starts};
    use super::*;

    const WINDOWS: [Option<SourceWindow>; 3] =
        [None, Some(SourceWindow::Time { size_ms: 10, hopping: false }), Some(SourceWindow::Session)];

    fn whole(key: u8, start: i64, window: Option<SourceWindow>, random: &mut fastrand::Rng) -> Vec<u8> {
        let end = start + random.i64(0..3);
        match window {
            None => vec![key],
            Some(SourceWindow::Time { .. }) => [&[key][..], &start.to_be_bytes()].concat(),
            Some(SourceWindow::Session) => [&[key][..], &end.to_be_bytes(), &start.to_be_bytes()].concat(),
        }
    }

    fn random_records(window: Option<SourceWindow>, random: &mut fastrand::Rng, time: &mut i64) -> Records {
        let mut records = Records::default();
        for _ in 0..random.usize(0..12) {
            *time += random.i64(0..4);
            let start = (*time / 10 - random.i64(0..2)).max(0) * 10;
            let key = whole(random.u8(b'a'..b'e'), start, window, random);
            let value = (random.u8(0..4) > 0).then(|| random.u64(..).to_le_bytes());
            records.push(Some(&key), value.as_ref().map(|value| &value[..]), *time);
        }
        records
    }

    /// Keys, values and times of the rows of all keys.
    fn seen(rows: &Rows, starts: Starts) -> Vec<(Vec<u8>, Vec<u8>, i64)> {
        let mut parts = Parts::default();
        (b'a'..b'e').for_each(|key| rows.copy_key(&[key], starts, &mut parts));
        let of = |records: &Records| -> Vec<_> {
            let bytes = |bytes: Option<&[u8]>| bytes.unwrap().to_vec();
            let row = |row| (bytes(records.key(row)), bytes(records.value(row)), records.meta[row].timestamp);
            (0..records.len()).map(row).collect()
        };
        parts.parts.iter().flat_map(of).collect()
    }

    /// However much of a commit the rows have, who asks for keys gets what they are behind all of it.
    #[test]
    fn a_commit_counts_as_a_whole_while_it_is_taken_in() {
        let mut random = fastrand::Rng::with_seed(31);
        for round in 0..600 {
            let window = WINDOWS[round % 3];
            let retention_ms = [None, Some(25)][random.usize(0..2)].filter(|_| window.is_some());
            let (mut rows, mut expected, mut time) = (Rows::new(window), Rows::new(window), 0);
            for _ in 0..random.usize(1..6) {
                let commit: Vec<Records> =
                    (0..random.usize(1..3)).map(|_| random_records(window, &mut random, &mut time)).collect();
                commit.iter().for_each(|records| expected.apply(records, retention_ms));
                let first = Bound::Included(random.i64(0..=time));
                let starts = [ALL_STARTS, (first, Bound::Unbounded), (Bound::Unbounded, first)][random.usize(0..3)];
                let wanted = seen(&expected, starts);
                let all: Vec<&Records> = commit.iter().collect();
                rows.pending = Some(Pending::new(&all, &rows, retention_ms));
                assert_eq!(seen(&rows, starts), wanted, "before the first step");
                for records in &commit {
                    let mut from = 0;
                    while from < records.len() {
                        let to = (from + random.usize(1..4)).min(records.len());
                        rows.apply_some(records, from..to);
                        assert_eq!(seen(&rows, starts), wanted, "{to} of {}", records.len());
                        from = to;
                    }
                    if let Some(retention_ms) = retention_ms {
                        rows.expire(retention_ms);
                    }
                }
                rows.pending = None;
                assert_eq!(seen(&rows, starts), wanted, "behind the last step");
            }
        }
    }
}

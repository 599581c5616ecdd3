//! Copying rows out in bounded steps, all as they were when it began: what changes meanwhile is taken from what the rows
//! keep of before (`Before`). So a reader of a large table has one version of it, and no commit waits for more than a step.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

use parking_lot::{Mutex, RwLock};

use super::follow::is_wanted;
use super::rows::{Before, Rows, window_start};
use super::{Starts, Wanted};
use crate::catalog::SourceWindow;
use crate::log::Records;
use crate::state::snapshots::Mark;

/// Rows looked at, and about the bytes copied, while commits wait.
const STEP_ROWS_MAX: usize = 4096;
const STEP_BYTES_MAX: usize = 256 << 10;

/// Bytes of one part: the places within `Records` end at 4 GiB.
const PART_BYTES_MAX: usize = 1 << 30;

/// Which rows of a partition.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub window: Option<SourceWindow>,
    pub starts: Starts,
    /// At most so many of each partition: the first by window start and key.
    pub rows_max: Option<usize>,
}

/// Rows that are copied: all, in parts, or only the first of them.
pub(super) enum Copied {
    All(Parts),
    /// By window start and key; how many at most.
    First(BTreeMap<(i64, Vec<u8>), (Vec<u8>, i64)>, usize),
}

pub(super) struct Parts {
    pub parts: Vec<Records>,
    pub bytes_max: usize,
}

/// The rows were replaced meanwhile: it begins anew.
struct Replaced;

/// The chosen rows of each wanted partition, ordered by window start and key (within a part).
pub(super) fn scan(
    partitions: &RwLock<Vec<Rows>>,
    changing: &Mutex<()>,
    id: u64,
    (wanted, choice): (Wanted<'_>, Choice),
) -> Vec<(usize, Vec<Records>)> {
    loop {
        let scanned: Vec<usize> = {
            // Not in the middle of a commit.
            let _changing = changing.lock();
            let mut partitions = partitions.write();
            let wanted = partitions.iter_mut().enumerate().filter(|(partition, _)| is_wanted(wanted, *partition));
            let begin = |(partition, rows): (usize, &mut Rows)| {
                rows.scans.push((id, Before::default()));
                partition
            };
            wanted.map(begin).collect()
        };
        let copied: Result<Vec<Copied>, Replaced> =
            scanned.iter().map(|partition| copy_stepwise(partitions, *partition, id, choice)).collect();
        let befores: Option<Vec<Before>> = {
            let mut partitions = partitions.write();
            let before = |partition: &usize| {
                let scans = &mut partitions.get_mut(*partition)?.scans;
                let at = scans.iter().position(|(scan, _)| *scan == id)?;
                Some(scans.swap_remove(at).1)
            };
            // Of each, also behind one that was replaced.
            let befores: Vec<Option<Before>> = scanned.iter().map(before).collect();
            befores.into_iter().collect()
        };
        if let (Ok(copied), Some(befores)) = (copied, befores) {
            let rows = copied.into_iter().zip(befores).map(|(copied, before)| copied.with(&before, choice));
            return scanned.into_iter().zip(rows).collect();
        }
    }
}

fn copy_stepwise(
    partitions: &RwLock<Vec<Rows>>,
    partition: usize,
    id: u64,
    choice: Choice,
) -> Result<Copied, Replaced> {
    let mut copied = Copied::new(choice.rows_max);
    let mut next = Some(Mark::START);
    while let Some(mark) = next {
        let partitions = partitions.read();
        let Some(rows) = partitions.get(partition) else { break };
        let Some((_, before)) = rows.scans.iter().find(|(scan, _)| *scan == id) else { return Err(Replaced) };
        next = copied.step(rows, before, mark, choice.starts, STEP_ROWS_MAX);
    }
    Ok(copied)
}

impl Copied {
    pub fn new(rows_max: Option<usize>) -> Copied {
        match rows_max {
            Some(rows_max) => Copied::First(BTreeMap::new(), rows_max),
            None => Copied::All(Parts::default()),
        }
    }

    /// Of `rows_max` rows from `mark` on, and not too many bytes, copies those didn't change since the beginning. Gives where to go on.
    pub fn step(&mut self, rows: &Rows, before: &Before, mark: Mark, starts: Starts, rows_max: usize) -> Option<Mark> {
        let (mut seen, mut bytes) = (0, 0);
        let first = match starts.0 {
            Bound::Included(first) => first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => i64::MIN,
        };
        let all = rows.generations.range(first.max(mark.generation)..);
        for (&generation, store) in all.take_while(|(generation, _)| starts.contains(generation)) {
            // The generation that the mark stands in may be gone since.
            let from = if generation == mark.generation { mark.index } else { 0 };
            for (index, row) in store.slots(from) {
                if seen >= rows_max || bytes >= STEP_BYTES_MAX {
                    return Some(Mark { generation, index });
                }
                seen += 1;
                if let Some((key, value, row_time)) = row
                    && !before.changed.contains_key(key)
                {
                    bytes += key.len() + value.len();
                    self.push(generation, key, value, row_time);
                }
            }
            if seen >= rows_max {
                return generation.checked_add(1).map(|generation| Mark { generation, index: 0 });
            }
        }
        None
    }

    fn push(&mut self, start: i64, key: &[u8], value: &[u8], row_time: i64) {
        match self {
            Copied::All(parts) => parts.push(key, value, row_time),
            Copied::First(rows, rows_max) => {
                let last = rows.last_key_value().filter(|_| rows.len() >= *rows_max);
                if last.is_some_and(|((last_start, last_key), _)| (*last_start, last_key.as_slice()) < (start, key)) {
                    return;
                }
                rows.insert((start, key.to_vec()), (value.to_vec(), row_time));
                if rows.len() > *rows_max {
                    rows.pop_last();
                }
            }
        }
    }

    /// Adds what has changed since the beginning as it was then, and puts all in order.
    pub fn with(mut self, before: &Before, choice: Choice) -> Vec<Records> {
        for (start, store) in before.dropped.iter().filter(|(start, _)| choice.starts.contains(start)) {
            for (key, value, row_time) in store.iter().filter(|(key, ..)| !before.changed.contains_key(*key)) {
                self.push(*start, key, value, row_time);
            }
        }
        for (key, row) in &before.changed {
            let start = window_start(key, choice.window);
            if let Some((value, row_time)) = row.as_ref().filter(|_| choice.starts.contains(&start)) {
                self.push(start, key, value, *row_time);
            }
        }
        match self {
            Copied::All(mut parts) => {
                parts.parts.iter_mut().for_each(|part| put_in_order(part, choice.window));
                parts.parts
            }
            Copied::First(rows, _) => {
                let mut parts = Parts::default();
                for ((_, key), (value, row_time)) in &rows {
                    parts.push(key, value, *row_time);
                }
                parts.parts
            }
        }
    }
}

/// By window start and key. A row that was copied before it changed, or before its window was dropped, is there twice.
fn put_in_order(records: &mut Records, window: Option<SourceWindow>) {
    let Records { meta, data, .. } = records;
    let key = |meta: &crate::log::RecordMeta| &data[meta.key.start as usize..][..meta.key.len as usize];
    meta.sort_by(|a, b| (window_start(key(a), window), key(a)).cmp(&(window_start(key(b), window), key(b))));
    meta.dedup_by(|a, b| key(a) == key(b));
}

impl Default for Parts {
    fn default() -> Parts {
        Parts { parts: vec![Records::default()], bytes_max: PART_BYTES_MAX }
    }
}

impl Parts {
    pub fn push(&mut self, key: &[u8], value: &[u8], row_time: i64) {
        let bytes = key.len() + value.len();
        match self.parts.last_mut().filter(|last| last.is_empty() || last.data.len() + bytes <= self.bytes_max) {
            Some(last) => last.push(Some(key), Some(value), row_time),
            None => {
                let mut part = Records::default();
                part.push(Some(key), Some(value), row_time);
                self.parts.push(part);
            }
        }
    }
}

//! The rows of one partition of a table, and what readers who are still copying them need of those that changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Range, RangeBounds};
use std::sync::Arc;
use std::time::Instant;

use super::Starts;
use super::commit::Pending;
use super::scan::Parts;
use crate::catalog::SourceWindow;
use crate::dataflow::split_window;
use crate::error::Result;
use crate::log::Records;
use crate::state::RowStore;
use crate::state::codec::take_array;
use crate::state::snapshots::{Mark, Pieces};

/// End and start of a session stand behind its key.
const SESSION_BYTES: usize = 16;

/// Rows of one window stand together, under its start, so that it is dropped whole; a table without windows has one
/// generation, 0.
pub(super) struct Rows {
    pub generations: BTreeMap<i64, RowStore>,
    /// The greatest row time seen.
    pub stream_time: i64,
    pub window: Option<SourceWindow>,
    /// Offset behind the last record taken in.
    pub next: i64,
    /// Rows were read from the topic ahead of what the query has told: its next commit may be among them.
    pub ahead: bool,
    /// The topic could not be read when rows were missing: they have to be taken in anew.
    pub stale: bool,
    /// When a reader asked for them last, where readers bring them up to date. None: they were never read.
    pub asked: Option<Instant>,
    /// Whole keys of sessions, ordered: a key's sessions stand together. Empty where windows aren't sessions.
    pub sessions: BTreeSet<Vec<u8>>,
    /// A commit that is being taken in: what it says counts already.
    pub pending: Option<Pending>,
    /// By the readers that are copying: what it has of the rows as they were when they began.
    pub scans: Vec<(u64, Before)>,
}

/// What was there before, of all that changed since a reader began.
#[derive(Default)]
pub(super) struct Before {
    /// By whole keys, window included: the row; None: there was none.
    pub changed: HashMap<Vec<u8>, Option<(Vec<u8>, i64)>>,
    /// Windows that were dropped, with their starts.
    pub dropped: Vec<(i64, Arc<RowStore>)>,
}

impl Rows {
    pub fn new(window: Option<SourceWindow>) -> Rows {
        Rows {
            generations: BTreeMap::new(),
            stream_time: i64::MIN,
            window,
            next: 0,
            ahead: false,
            stale: false,
            asked: None,
            sessions: BTreeSet::new(),
            pending: None,
            scans: Vec::new(),
        }
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        // Of a set's entry: its bytes, the vector and about as much again.
        let sessions =
            self.sessions.first().map_or(0, |key| (key.len() + 2 * size_of::<Vec<u8>>()) * self.sessions.len());
        self.generations.values().map(RowStore::bytes).sum::<usize>() + sessions
    }

    pub fn get(&self, generation: i64, key: &[u8]) -> Option<(&[u8], i64)> {
        self.generations.get(&generation)?.get(key)
    }

    /// Takes records in; windows that began longer than `retention_ms` ago go.
    pub fn apply(&mut self, records: &Records, retention_ms: Option<i64>) {
        self.apply_some(records, 0..records.len());
        if let Some(retention_ms) = retention_ms {
            self.expire(retention_ms);
        }
    }

    /// Takes some of the records in; windows stay.
    pub fn apply_some(&mut self, records: &Records, range: Range<usize>) {
        for row in range {
            let meta = &records.meta[row];
            let Some(key) = records.key(row) else { continue };
            let generation = window_start(key, self.window);
            self.stream_time = self.stream_time.max(meta.timestamp);
            self.keep_before(generation, key);
            match records.value(row) {
                Some(value) => {
                    self.generations.entry(generation).or_default().put(key, value, meta.timestamp);
                    self.note_session(key);
                }
                None => self.remove(generation, key),
            }
        }
    }

    /// The row of a whole key, as the newest commit has it.
    fn newest(&self, generation: i64, whole: &[u8]) -> Option<(&[u8], i64)> {
        match self.pending.as_ref().and_then(|pending| pending.get(generation, whole)) {
            Some(row) => row,
            None => self.get(generation, whole),
        }
    }

    /// Copies the rows of a key (without window), in all windows that begin within `starts`.
    pub fn copy_key(&self, key: &[u8], starts: Starts, into: &mut Parts) {
        match self.window {
            Some(SourceWindow::Session) => {
                let first = [key, &[0; SESSION_BYTES]].concat();
                let last = [key, &[0xff; SESSION_BYTES]].concat();
                let mut same: BTreeSet<&Vec<u8>> = self.sessions.range(first.clone()..=last.clone()).collect();
                same.extend(
                    self.pending.iter().flat_map(|pending| pending.sessions.range(first.clone()..=last.clone())),
                );
                for whole in same.into_iter().filter(|whole| whole.len() == key.len() + SESSION_BYTES) {
                    let start = window_start(whole, self.window);
                    if let Some((value, row_time)) = self.newest(start, whole).filter(|_| starts.contains(&start)) {
                        into.push(whole, value, row_time);
                    }
                }
            }
            Some(SourceWindow::Time { .. }) => {
                let mut push = |start: i64| {
                    let whole = [key, &start.to_be_bytes()].concat();
                    if let Some((value, row_time)) = self.newest(start, &whole) {
                        into.push(&whole, value, row_time);
                    }
                };
                match &self.pending {
                    None => self.generations.range(starts).for_each(|(start, _)| push(*start)),
                    Some(pending) => {
                        let mut all: BTreeSet<i64> = self.generations.range(starts).map(|(start, _)| *start).collect();
                        all.extend(pending.starts.range(starts));
                        all.into_iter().for_each(push);
                    }
                }
            }
            None => {
                if let Some((value, row_time)) = self.newest(0, key) {
                    into.push(key, value, row_time);
                }
            }
        }
    }

    fn keep_before(&mut self, generation: i64, key: &[u8]) {
        for at in 0..self.scans.len() {
            if !self.scans[at].1.changed.contains_key(key) {
                let before = self.get(generation, key).map(|(value, row_time)| (value.to_vec(), row_time));
                self.scans[at].1.changed.insert(key.to_vec(), before);
            }
        }
    }

    fn note_session(&mut self, key: &[u8]) {
        if self.window == Some(SourceWindow::Session) && !self.sessions.contains(key) {
            self.sessions.insert(key.to_vec());
        }
    }

    fn remove(&mut self, generation: i64, key: &[u8]) {
        self.sessions.remove(key);
        if let Some(rows) = self.generations.get_mut(&generation) {
            rows.remove(key);
            if rows.is_empty() {
                self.generations.remove(&generation);
            }
        }
    }

    /// Drops the windows that began longer ago than they are kept.
    pub fn expire(&mut self, retention_ms: i64) {
        let first_kept = self.stream_time.saturating_sub(retention_ms);
        while let Some(oldest) = self.generations.first_entry()
            && *oldest.key() < first_kept
        {
            let (start, rows) = oldest.remove_entry();
            if !self.sessions.is_empty() {
                for (key, ..) in rows.iter() {
                    self.sessions.remove(key);
                }
            }
            if !self.scans.is_empty() {
                let rows = Arc::new(rows);
                self.scans.iter_mut().for_each(|(_, before)| before.dropped.push((start, Arc::clone(&rows))));
            }
        }
    }
}

/// Start of the window that a whole key has; 0 without windows.
pub(super) fn window_start(key: &[u8], window: Option<SourceWindow>) -> i64 {
    window.and_then(|window| split_window(key, window)).map_or(0, |(start, _)| start)
}

/// A piece: stream time (i64), then generations: window start (i64) and rows (see `RowStore`).
impl Pieces for Rows {
    fn layout(&self) -> String {
        format!("view 1: {:?}", self.window)
    }

    fn rows(&self) -> usize {
        self.generations.values().map(RowStore::len).sum()
    }

    fn piece(&self, from: Mark, bytes_max: usize, into: &mut Vec<u8>) -> Result<Option<Mark>> {
        let limit = into.len() + bytes_max;
        into.extend_from_slice(&self.stream_time.to_le_bytes());
        let mut next = Some(from);
        while let Some(mark) = next
            && into.len() < limit
        {
            let Some((&generation, rows)) = self.generations.range(mark.generation..).next() else { break };
            // The generation that the mark stands in may be gone since.
            let index = if generation == mark.generation { mark.index } else { 0 };
            into.extend_from_slice(&generation.to_le_bytes());
            next = match rows.write_rows(index, limit.saturating_sub(into.len()), into) {
                Some(index) => Some(Mark { generation, index }),
                None => generation.checked_add(1).map(|generation| Mark { generation, index: 0 }),
            };
        }
        Ok(next.filter(|mark| self.generations.range(mark.generation..).next().is_some()))
    }

    fn load(&mut self, mut piece: &[u8]) -> Option<()> {
        self.stream_time = self.stream_time.max(i64::from_le_bytes(take_array(&mut piece)?));
        while !piece.is_empty() {
            let generation = i64::from_le_bytes(take_array(&mut piece)?);
            let rows = self.generations.entry(generation).or_default();
            rows.read_rows(&mut piece)?;
            if self.window == Some(SourceWindow::Session) {
                self.sessions.extend(rows.iter().map(|(key, ..)| key.to_vec()));
            }
            if rows.is_empty() {
                self.generations.remove(&generation);
            }
        }
        Some(())
    }
}

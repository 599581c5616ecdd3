//! The committed rows of a table, for pull queries: a fold of its topic, changed at each commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Once};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

use crate::catalog::{Source, SourceWindow};
use crate::dataflow::split_window;
use crate::error::{Error, Result};
use crate::log::{Log, Records, Signal, TopicId, TopicPartition, for_each_fetch};
use crate::state::{MemoryBudget, MemoryShare, RowStore};
use crate::threads::side_by_side;

/// How long a reader waits for rows that are being read back.
const LOAD_WAIT_MAX: Duration = Duration::from_secs(10);

/// The newest committed record of each key, by partition. A commit's records are taken in under one lock, so that a
/// reader sees all of a commit or nothing of it; it holds the lock only while it copies rows out.
pub struct View {
    pub source: Arc<Source>,
    /// How long after its start a window's rows are kept, ms of stream time; None: for ever.
    retention_ms: Option<i64>,
    partitions: RwLock<Vec<Rows>>,
    loaded: Mutex<bool>,
    loaded_now: Condvar,
    /// Of a table that no query makes (SOURCE TABLE): how far its topic was read. Readers bring it up to date.
    followed: Option<Mutex<Vec<i64>>>,
    /// What its rows hold of the process's memory.
    memory: MemoryShare,
    /// What the rows were read from.
    extent: Mutex<Extent>,
    /// Rung when the topic gets records or is changed.
    changed: Arc<Signal>,
    watched: Once,
}

/// What of a topic is there: another topic under the name, or records removed from its front, and rows have to go.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extent {
    topic: Option<TopicId>,
    /// First offset of each partition.
    firsts: Vec<i64>,
}

/// The rows of one partition. Rows of one window stand together, under its start, so that it is dropped whole; a table
/// without windows has one generation, 0.
struct Rows {
    generations: BTreeMap<i64, RowStore>,
    /// The greatest row time seen.
    stream_time: i64,
}

/// Rows copied out of a view, or a part of them.
pub struct ViewRows {
    pub partition: u32,
    pub records: Records,
}

/// Bytes of one part: the places within `Records` end at 4 GiB.
const PART_BYTES_MAX: usize = 1 << 30;

/// Rows that are copied, in parts.
struct Parts {
    parts: Vec<Records>,
    bytes_max: usize,
}

impl Parts {
    fn push(&mut self, key: &[u8], value: &[u8], row_time: i64) {
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

/// Bounds of the windows to look at, by their starts.
pub type Starts = (std::ops::Bound<i64>, std::ops::Bound<i64>);

/// All windows.
pub const ALL_STARTS: Starts = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);

impl View {
    fn empty(source: Arc<Source>, partitions: u32, retention_ms: Option<i64>, memory: MemoryShare) -> View {
        View {
            partitions: RwLock::new((0..partitions).map(|_| Rows::default()).collect()),
            source,
            retention_ms,
            loaded: Mutex::new(true),
            loaded_now: Condvar::new(),
            followed: None,
            memory,
            extent: Mutex::default(),
            changed: Arc::default(),
            watched: Once::new(),
        }
    }

    /// A view of a table that a query keeps: its start loads what the topic has, its commits change it. `retention_ms`:
    /// of a windowed table, how long its windows are kept.
    pub fn of_query(
        source: Arc<Source>,
        partitions: u32,
        retention_ms: Option<i64>,
        memory: &Arc<MemoryBudget>,
    ) -> View {
        View { loaded: Mutex::new(false), ..View::empty(source, partitions, retention_ms, memory.share()) }
    }

    /// Takes in what the table's topic has, once. Partitions side by side. After each fetch `go_on` says whether to.
    pub(crate) fn load(&self, log: &dyn Log, go_on: &(dyn Fn() -> Result<()> + Sync)) -> Result<()> {
        *self.loaded.lock() = false;
        self.watched.call_once(|| log.watch(std::slice::from_ref(&self.source.topic), &self.changed));
        let mut extent = self.extent.lock();
        *extent = self.extent_now(log)?;
        let mut partitions = self.partitions.write();
        partitions.iter_mut().for_each(|rows| *rows = Rows::default());
        self.memory.set(0)?;
        side_by_side(partitions.iter_mut().enumerate().collect(), &|(partition, rows)| {
            self.read(log, partition, None, rows, go_on).map(|_| ())
        })?;
        drop(partitions);
        drop(extent);
        *self.loaded.lock() = true;
        self.loaded_now.notify_all();
        Ok(())
    }

    /// Whether the rows are there that were there before the process was.
    pub(crate) fn is_loaded(&self) -> bool {
        *self.loaded.lock()
    }

    /// Waits until the rows are there that were there before the process was.
    fn wait_until_loaded(&self) -> Result<()> {
        let mut loaded = self.loaded.lock();
        self.loaded_now.wait_while_for(&mut loaded, |loaded| !*loaded, LOAD_WAIT_MAX);
        if *loaded {
            return Ok(());
        }
        Err(Error::world(format!("the rows of {} are still being read back", self.source.name))
            .hint("try again in a moment; SHOW QUERIES tells how its query is"))
    }

    /// A view of a topic that others write: `catch_up` reads what is new.
    pub fn follow(source: Arc<Source>, partitions: u32, memory: &Arc<MemoryBudget>) -> View {
        let followed = Some(Mutex::new(vec![0; partitions as usize]));
        View { followed, ..View::empty(source, partitions, None, memory.share()) }
    }

    /// Before rows are read: takes in what a followed topic has now; where a query keeps the view, waits until it is loaded.
    ///
    /// Errors: the topic can't be read, or the memory is not enough; then a followed view begins anew the next time.
    pub fn catch_up(&self, log: &dyn Log) -> Result<()> {
        let Some(followed) = &self.followed else {
            self.wait_until_loaded()?;
            return self.drop_removed(log);
        };
        let mut extent = self.extent.lock();
        let now = self.extent_now(log)?;
        let mut partitions = self.partitions.write();
        let mut followed = followed.lock();
        for (partition, (position, rows)) in followed.iter_mut().zip(partitions.iter_mut()).enumerate() {
            if now.differs(&extent, partition) {
                (*position, *rows) = (0, Rows::default());
            }
            let read = self.read(log, partition, Some(*position), rows, &|| Ok(()));
            match read {
                Ok(next) => *position = next,
                Err(error) => {
                    partitions.iter_mut().for_each(|rows| *rows = Rows::default());
                    followed.fill(0);
                    self.memory.set(0)?;
                    return Err(error);
                }
            }
        }
        *extent = now;
        self.memory.set(bytes(&partitions))
    }

    /// Where records were removed from the topic (`topic empty`, retention), or another topic has its name: takes in anew
    /// what it has. A commit that is taken in after that once more changes nothing.
    fn drop_removed(&self, log: &dyn Log) -> Result<()> {
        let mut extent = self.extent.lock();
        if !self.changed.wait(Duration::ZERO) {
            return Ok(());
        }
        let renewed = self.extent_now(log).and_then(|now| {
            if now == *extent {
                return Ok(());
            }
            let mut partitions = self.partitions.write();
            for (partition, rows) in partitions.iter_mut().enumerate() {
                if now.differs(&extent, partition) {
                    *rows = Rows::default();
                    self.read(log, partition, None, rows, &|| Ok(()))?;
                }
            }
            *extent = now;
            self.memory.set(bytes(&partitions))
        });
        if renewed.is_err() {
            // The next reader looks again.
            self.changed.ring();
        }
        renewed
    }

    fn extent_now(&self, log: &dyn Log) -> Result<Extent> {
        let topic = log.topic_id(&self.source.topic);
        let place = |partition: usize| TopicPartition { topic: self.source.topic.clone(), partition: partition as u32 };
        let partitions = self.partitions.read().len();
        let firsts = (0..partitions).map(|partition| Ok(log.offsets(&place(partition))?.0)).collect::<Result<_>>()?;
        Ok(Extent { topic, firsts })
    }

    fn read(
        &self,
        log: &dyn Log,
        partition: usize,
        from: Option<i64>,
        rows: &mut Rows,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<i64> {
        let place = TopicPartition { topic: self.source.topic.clone(), partition: partition as u32 };
        let mut counted = rows.bytes();
        for_each_fetch(log, &place, from, None, &mut |records| {
            self.apply_to(rows, records);
            let bytes = rows.bytes();
            self.memory.grow(bytes.saturating_sub(counted))?;
            counted = counted.max(bytes);
            go_on()
        })
    }

    /// Takes in the records of a commit, each with their partition. Errors: the memory is not enough for them; they are
    /// taken in nonetheless, since they are committed.
    pub fn apply<'a>(&self, commit: impl IntoIterator<Item = (u32, &'a Records)>) -> Result<()> {
        let mut partitions = self.partitions.write();
        for (partition, records) in commit {
            if let Some(rows) = partitions.get_mut(partition as usize) {
                self.apply_to(rows, records);
            }
        }
        self.memory.set(bytes(&partitions))
    }

    fn apply_to(&self, rows: &mut Rows, records: &Records) {
        for (row, meta) in records.meta.iter().enumerate() {
            let Some(key) = records.key(row) else { continue };
            let generation = self.window_start(key);
            rows.stream_time = rows.stream_time.max(meta.timestamp);
            match records.value(row) {
                Some(value) => rows.generations.entry(generation).or_default().put(key, value, meta.timestamp),
                None => rows.remove(generation, key),
            }
        }
        if let Some(retention_ms) = self.retention_ms {
            rows.expire(retention_ms);
        }
    }

    fn window_start(&self, key: &[u8]) -> i64 {
        self.source.window.and_then(|window| split_window(key, window)).map_or(0, |(start, _)| start)
    }

    /// Rows whose window begins within `starts` and whose whole key (window included) passes, as records ordered by
    /// window start and key.
    pub fn scan(&self, starts: Starts, keep: &dyn Fn(&[u8]) -> bool) -> Vec<ViewRows> {
        self.copy(&|rows, parts| {
            for generation in rows.within(starts) {
                let mut found: Vec<(&[u8], &[u8], i64)> = generation.iter().filter(|(key, ..)| keep(key)).collect();
                found.sort_unstable_by_key(|(key, ..)| *key);
                for (key, value, row_time) in found {
                    parts.push(key, value, row_time);
                }
            }
        })
    }

    /// The rows of these keys (without windows), in all windows that begin within `starts`.
    pub fn get(&self, starts: Starts, keys: &[Vec<u8>]) -> Vec<ViewRows> {
        if self.source.window == Some(SourceWindow::Session) {
            // A session's end stands in the key, too: it is not known.
            return self
                .scan(starts, &|key| key.len() >= 16 && keys.iter().any(|wanted| key[..key.len() - 16] == wanted[..]));
        }
        self.copy(&|rows, parts| {
            for key in keys {
                for (start, generation) in rows.generations.range(starts) {
                    let mut whole = key.clone();
                    if self.source.window.is_some() {
                        whole.extend_from_slice(&start.to_be_bytes());
                    }
                    if let Some((value, row_time)) = generation.get(&whole) {
                        parts.push(&whole, value, row_time);
                    }
                }
            }
        })
    }

    /// At least one part a partition, in order.
    fn copy(&self, copy: &dyn Fn(&Rows, &mut Parts)) -> Vec<ViewRows> {
        let partition = |(partition, rows): (usize, &Rows)| {
            let mut copied = Parts { parts: vec![Records::default()], bytes_max: PART_BYTES_MAX };
            copy(rows, &mut copied);
            copied.parts.into_iter().map(move |records| ViewRows { partition: partition as u32, records })
        };
        self.partitions.read().iter().enumerate().flat_map(partition).collect()
    }

    /// Bytes that it has of the process's memory.
    pub fn bytes(&self) -> usize {
        self.memory.bytes()
    }
}

/// Bytes held, about.
fn bytes(partitions: &[Rows]) -> usize {
    partitions.iter().map(Rows::bytes).sum()
}

impl Default for Rows {
    fn default() -> Self {
        Rows { generations: BTreeMap::new(), stream_time: i64::MIN }
    }
}

impl Extent {
    /// Whether the rows of a partition that were read from `other` are not those of this one.
    fn differs(&self, other: &Extent, partition: usize) -> bool {
        self.topic != other.topic || self.firsts.get(partition) != other.firsts.get(partition)
    }
}

impl Rows {
    /// Bytes held, about.
    fn bytes(&self) -> usize {
        self.generations.values().map(RowStore::bytes).sum()
    }

    fn within(&self, starts: Starts) -> impl Iterator<Item = &RowStore> {
        self.generations.range(starts).map(|(_, generation)| generation)
    }

    fn remove(&mut self, generation: i64, key: &[u8]) {
        if let Some(rows) = self.generations.get_mut(&generation) {
            rows.remove(key);
            if rows.is_empty() {
                self.generations.remove(&generation);
            }
        }
    }

    /// Drops the windows that began longer ago than they are kept.
    fn expire(&mut self, retention_ms: i64) {
        let first_kept = self.stream_time.saturating_sub(retention_ms);
        while let Some(oldest) = self.generations.first_entry()
            && *oldest.key() < first_kept
        {
            oldest.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::*;
    use crate::catalog::SourceKind;
    use crate::format::{Format, Layout};
    use crate::types::SqlType;

    fn windowed(retention_ms: Option<i64>) -> View {
        let layout = |name: &str| Layout {
            format: Format::Kafka,
            delimiter: ',',
            columns: vec![(name.to_string(), SqlType::String)],
            wrapped: false,
        };
        let source = Source {
            name: "T".to_string(),
            kind: SourceKind::Table,
            topic: "t".to_string(),
            columns: Vec::new(),
            key: layout("K"),
            value: layout("V"),
            wrap_single_value: None,
            timestamp: None,
            window: Some(SourceWindow::Time { size_ms: 10, hopping: false }),
            is_source: false,
            statement: String::new(),
            query_id: None,
        };
        View::empty(Arc::new(source), 1, retention_ms, MemoryBudget::unlimited().share())
    }

    fn put(view: &View, key: &str, start: i64, value: Option<&str>, row_time: i64) {
        let mut records = Records::default();
        let key = [key.as_bytes(), &start.to_be_bytes()].concat();
        records.push(Some(&key), value.map(str::as_bytes), row_time);
        view.apply([(0, &records)]).unwrap();
    }

    fn values(rows: &[ViewRows]) -> Vec<String> {
        let records = &rows[0].records;
        (0..records.len()).map(|row| String::from_utf8(records.value(row).unwrap().to_vec()).unwrap()).collect()
    }

    #[test]
    fn finds_the_windows_of_a_key() {
        let view = windowed(None);
        for start in [0, 10, 20] {
            put(&view, "a", start, Some(&format!("a{start}")), start);
            put(&view, "b", start, Some(&format!("b{start}")), start);
        }
        put(&view, "a", 10, None, 25);
        let a = [b"a".to_vec()];
        assert_eq!(values(&view.get(ALL_STARTS, &a)), ["a0", "a20"]);
        assert_eq!(values(&view.get((Bound::Included(10), Bound::Unbounded), &a)), ["a20"]);
        assert_eq!(values(&view.scan((Bound::Unbounded, Bound::Excluded(20)), &|_| true)), ["a0", "b0", "b10"]);
    }

    #[test]
    fn many_rows_come_in_parts() {
        let mut copied = Parts { parts: vec![Records::default()], bytes_max: 10 };
        for (key, value) in [("a", "123456"), ("b", "12"), ("c", "1"), ("d", "a row of its own, too long"), ("e", "")] {
            copied.push(key.as_bytes(), value.as_bytes(), 0);
        }
        let keys = |part: &Records| (0..part.len()).map(|row| part.key(row).unwrap()[0] as char).collect::<String>();
        assert_eq!(copied.parts.iter().map(keys).collect::<Vec<_>>(), ["ab", "c", "d", "e"]);
    }

    #[test]
    fn windows_are_dropped_when_their_time_is_over() {
        let view = windowed(Some(15));
        put(&view, "a", 0, Some("a0"), 5);
        put(&view, "a", 10, Some("a10"), 15);
        assert_eq!(values(&view.scan(ALL_STARTS, &|_| true)), ["a0", "a10"]);
        put(&view, "a", 20, Some("a20"), 25);
        assert_eq!(values(&view.scan(ALL_STARTS, &|_| true)), ["a10", "a20"]);
    }
}

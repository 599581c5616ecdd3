//! The committed rows of a table, for pull queries: a fold of its topic, changed at each commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Once};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

use crate::catalog::{FoundRecords, Source, SourceWindow};
use crate::dataflow::split_window;
use crate::error::{Error, Result};
use crate::log::{Log, Records, Signal, TopicId, TopicPartition, for_each_fetch};
use crate::state::codec::take_array;
use crate::state::snapshots::{Mark, Pieces};
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
    /// Records of the topic that aren't the query's.
    found: Option<FoundRecords>,
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
    window: Option<SourceWindow>,
    /// Offset behind the last record taken in, if nobody but the query writes to the topic.
    next: i64,
}

/// Brings the rows of a partition, which are empty, to those of a snapshot, and gives the offset to go on from; none: the
/// topic's first.
pub(crate) type Restore<'a> = &'a (dyn Fn(u32, &mut dyn Pieces) -> Result<Option<i64>> + Sync);

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
            found: None,
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

    /// Leaves out what the topic held when the query began.
    pub(crate) fn after(self, found: Option<FoundRecords>) -> View {
        View { found, ..self }
    }

    /// The first offset of the query's own records; None: the topic's first.
    fn own_from(&self, log: &dyn Log, partition: usize) -> Option<i64> {
        let found = self.found.as_ref()?;
        let id = log.topic_id(&self.source.topic)?;
        (id.to_string() == found.topic_id).then(|| found.ends.get(partition).copied()).flatten()
    }

    /// Takes in what the table's topic has, once; what `restore` knows of it need not be read. Partitions side by side.
    /// After each fetch `go_on` says whether to.
    pub(crate) fn load(
        &self,
        log: &dyn Log,
        go_on: &(dyn Fn() -> Result<()> + Sync),
        restore: Restore<'_>,
    ) -> Result<()> {
        *self.loaded.lock() = false;
        self.watched.call_once(|| log.watch(std::slice::from_ref(&self.source.topic), &self.changed));
        let mut extent = self.extent.lock();
        *extent = self.extent_now(log)?;
        let mut partitions = self.partitions.write();
        partitions.iter_mut().for_each(|rows| *rows = Rows { window: self.source.window, ..Rows::default() });
        self.memory.set(0)?;
        side_by_side(partitions.iter_mut().enumerate().collect(), &|(partition, rows)| {
            let from = restore(partition as u32, rows)?.or_else(|| self.own_from(log, partition));
            self.memory.grow(rows.bytes())?;
            rows.next = self.read(log, partition, from, rows, go_on)?;
            Ok(())
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
                    *rows = Rows { window: self.source.window, ..Rows::default() };
                    rows.next = self.read(log, partition, self.own_from(log, partition), rows, &|| Ok(()))?;
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
                rows.next += records.len() as i64;
            }
        }
        self.memory.set(bytes(&partitions))
    }

    /// Shows the rows of a partition and the offset up to which they are the topic's, if nobody else writes to it.
    pub(crate) fn look_at<T>(&self, partition: u32, look: impl FnOnce(&dyn Pieces, i64) -> T) -> Option<T> {
        self.partitions.read().get(partition as usize).map(|rows| look(rows, rows.next))
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
        Rows { generations: BTreeMap::new(), stream_time: i64::MIN, window: None, next: 0 }
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

/// A piece: stream time (i64), then generations: window start (i64) and rows (see `RowStore`).
impl Pieces for Rows {
    fn layout(&self) -> String {
        format!("view 1: {:?}", self.window)
    }

    fn rows(&self) -> usize {
        self.generations.values().map(RowStore::len).sum()
    }

    fn piece(&self, from: Mark, bytes_max: usize, into: &mut Vec<u8>) -> Option<Mark> {
        let limit = into.len() + bytes_max;
        into.extend_from_slice(&self.stream_time.to_le_bytes());
        let mut next = Some(from);
        while let Some(mark) = next
            && into.len() < limit
        {
            let (&generation, rows) = self.generations.range(mark.generation..).next()?;
            // The generation that the mark stands in may be gone since.
            let index = if generation == mark.generation { mark.index } else { 0 };
            into.extend_from_slice(&generation.to_le_bytes());
            next = match rows.write_rows(index, limit.saturating_sub(into.len()), into) {
                Some(index) => Some(Mark { generation, index }),
                None => generation.checked_add(1).map(|generation| Mark { generation, index: 0 }),
            };
        }
        next.filter(|mark| self.generations.range(mark.generation..).next().is_some())
    }

    fn load(&mut self, mut piece: &[u8]) -> Option<()> {
        self.stream_time = self.stream_time.max(i64::from_le_bytes(take_array(&mut piece)?));
        while !piece.is_empty() {
            let generation = i64::from_le_bytes(take_array(&mut piece)?);
            let rows = self.generations.entry(generation).or_default();
            rows.read_rows(&mut piece)?;
            if rows.is_empty() {
                self.generations.remove(&generation);
            }
        }
        Some(())
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

    /// Records of a few keys in windows that come and go.
    fn random_records(random: &mut fastrand::Rng, time: &mut i64) -> Records {
        let mut records = Records::default();
        for _ in 0..random.usize(0..8) {
            *time += random.i64(0..4);
            let start = (*time / 10 - random.i64(0..2)).max(0) * 10;
            let key = [&[random.u8(b'a'..b'f')][..], &start.to_be_bytes()].concat();
            let value = (random.u8(0..4) > 0).then(|| time.to_le_bytes());
            records.push(Some(&key), value.as_ref().map(|value| &value[..]), *time);
        }
        records
    }

    fn whole(rows: &Rows) -> BTreeMap<(i64, Vec<u8>), (Vec<u8>, i64)> {
        let generations = rows.generations.iter();
        let all = generations.flat_map(|(&start, rows)| rows.iter().map(move |row| (start, row)));
        all.map(|(start, (key, value, time))| ((start, key.to_vec()), (value.to_vec(), time))).collect()
    }

    /// Pieces of a snapshot that are taken while windows are changed, made and dropped.
    #[test]
    fn a_snapshot_and_what_came_since_is_the_whole() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..300 {
            let view = windowed(Some(25));
            let (mut rows, mut loaded, mut all) = (Rows::default(), Rows::default(), Vec::new());
            let mut time = 0;
            let mut take = |rows: &mut Rows, all: &mut Vec<Records>, random: &mut fastrand::Rng| {
                let records = random_records(random, &mut time);
                view.apply_to(rows, &records);
                all.push(records);
            };
            (0..random.usize(0..20)).for_each(|_| take(&mut rows, &mut all, &mut random));
            let from = all.len();
            let mut next = Some(Mark::START);
            while let Some(mark) = next {
                let mut piece = Vec::new();
                next = rows.piece(mark, random.usize(1..120), &mut piece);
                loaded.load(&piece).unwrap();
                (0..random.usize(0..3)).for_each(|_| take(&mut rows, &mut all, &mut random));
            }
            all[from..].iter().for_each(|records| view.apply_to(&mut loaded, records));
            let mut replayed = Rows::default();
            all.iter().for_each(|records| view.apply_to(&mut replayed, records));
            assert_eq!(whole(&rows), whole(&replayed));
            assert_eq!(whole(&loaded), whole(&replayed));
            assert_eq!(loaded.stream_time, replayed.stream_time);
        }
    }
}

//! The committed rows of a table, for pull queries: a fold of its topic, changed at each commit.

mod commit;
mod follow;
mod rows;
mod scan;
mod together;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

use crate::catalog::{FoundRecords, Source};
use crate::error::Result;
use crate::log::{Log, Records, Signal, TopicId, TopicPartition, for_each_fetch};
use crate::messages;
use crate::state::snapshots::Pieces;
use crate::state::{MemoryBudget, MemoryShare};
use crate::threads::side_by_side;
use follow::{Asked, is_wanted};
use rows::Rows;
use scan::{Choice, Parts};
use together::Together;

/// How often the ends of a topic's partitions are looked at until they hold still.
const ENDS_ATTEMPTS_MAX: usize = 100;

/// How long a reader waits for rows that are being read back.
const LOAD_WAIT_MAX: Duration = Duration::from_secs(10);

/// The newest committed record of each key, by partition, in the order of the topic. A reader sees all of a commit or nothing of
/// it ([`commit`]). It holds the lock for the keys it asks for, or for some rows at a time; then what changes meanwhile is kept for
/// it as it was.
pub struct View {
    pub source: Arc<Source>,
    /// How long after its start a window's rows are kept, ms of stream time; None: for ever.
    retention_ms: Option<i64>,
    partitions: RwLock<Vec<Rows>>,
    /// Held by whoever changes the rows in several steps, and by those who need them between such changes. Before the lock of the
    /// partitions, behind that of the extent.
    changing: Mutex<()>,
    loaded: Mutex<bool>,
    loaded_now: Condvar,
    kept_by: KeptBy,
    /// What its rows hold of the process's memory.
    memory: MemoryShare,
    /// What the rows were read from.
    extent: Mutex<Extent>,
    /// Readers that bring the rows up to date at one time, and the number of the rows' beginning.
    reading: Together<Asked, Result<u64>>,
    /// Rung when the topic gets records or is changed.
    changed: Arc<Signal>,
    watched: Once,
    /// Where others write to the topic, too: the log that says in which order.
    log: Option<Arc<dyn Log>>,
    next_scan: AtomicU64,
    /// How often rows of the topic were dropped, to be read anew from its beginning.
    beginnings: AtomicU64,
    /// Records of the topic that aren't the query's.
    found: Option<FoundRecords>,
}

/// Who takes in what the topic gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeptBy {
    /// The query that makes the table, with each commit.
    Query,
    /// Nobody makes the table (SOURCE TABLE): readers bring the rows up to date.
    Readers,
}

/// What of a topic is there: another topic under the name, or records removed from its front, and rows have to go.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extent {
    topic: Option<TopicId>,
    /// First offset of each partition.
    firsts: Vec<i64>,
}

/// Brings the rows of a partition, which are empty, to those of a snapshot, and gives the offset to go on from; none: the
/// topic's first.
pub(crate) type Restore<'a> = &'a (dyn Fn(u32, &mut dyn Pieces) -> Result<Option<i64>> + Sync);

/// Rows copied out of a view, or a part of them. Each partition gives at least one.
pub struct ViewRows {
    pub partition: u32,
    pub records: Records,
}

/// Partitions to look at; None: all.
pub type Wanted<'a> = Option<&'a [u32]>;

/// Bounds of the windows to look at, by their starts.
pub type Starts = (std::ops::Bound<i64>, std::ops::Bound<i64>);

/// All windows.
pub const ALL_STARTS: Starts = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);

impl View {
    fn empty(source: Arc<Source>, partitions: u32, retention_ms: Option<i64>, memory: MemoryShare) -> View {
        View {
            partitions: RwLock::new((0..partitions).map(|_| Rows::new(source.window)).collect()),
            source,
            retention_ms,
            changing: Mutex::default(),
            loaded: Mutex::new(true),
            loaded_now: Condvar::new(),
            kept_by: KeptBy::Query,
            memory,
            extent: Mutex::default(),
            reading: Together::default(),
            changed: Arc::default(),
            watched: Once::new(),
            log: None,
            next_scan: AtomicU64::new(0),
            beginnings: AtomicU64::new(0),
            found: None,
        }
    }

    /// Takes records in in the order that they have in this log, which others write to as well (INSERT VALUES). Where the log
    /// doesn't show commits at once, the order is that in which they are told.
    #[must_use]
    pub fn in_order_of(self, log: Arc<dyn Log>) -> View {
        View { log: Some(log).filter(|log| log.shows_commits_at_once()), ..self }
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
    #[must_use]
    pub(crate) fn after(self, found: Option<FoundRecords>) -> View {
        View { found, ..self }
    }

    /// The first offset of the query's own records; None: the topic's first.
    fn own_from(&self, log: &dyn Log, partition: usize) -> Result<Option<i64>> {
        let Some(found) = &self.found else { return Ok(None) };
        let id = log.topic_id(&self.source.topic)?;
        let is_that = id.is_some_and(|id| id.to_string() == found.topic_id);
        Ok(is_that.then(|| found.ends.get(partition).copied()).flatten())
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
        let _changing = self.changing.lock();
        let mut partitions = self.partitions.write();
        self.begin_anew(&mut partitions);
        self.memory.set(0)?;
        side_by_side(partitions.iter_mut().enumerate().collect(), &|(partition, rows)| {
            let from = restore(partition as u32, rows)?;
            self.memory.grow(rows.bytes())?;
            rows.next = self.read(log, partition, from, None, rows, go_on)?;
            Ok(())
        })?;
        // Before anybody looks at the rows again: what is inserted into rows that aren't loaded is left to the load.
        *self.loaded.lock() = true;
        drop(partitions);
        drop(extent);
        self.loaded_now.notify_all();
        Ok(())
    }

    /// Whether the rows are there that were there before the process was.
    pub(crate) fn is_loaded(&self) -> bool {
        *self.loaded.lock()
    }

    /// Waits until the rows are there that were there before the process was. Gives the number of their beginning.
    fn wait_until_loaded(&self) -> Result<u64> {
        let mut loaded = self.loaded.lock();
        self.loaded_now.wait_while_for(&mut loaded, |loaded| !*loaded, LOAD_WAIT_MAX);
        if *loaded {
            return Ok(self.beginnings.load(Ordering::Acquire));
        }
        Err(messages::cluster::rows_not_there_yet(&self.source.name))
    }

    /// A view of a topic that others write: its readers take in what is new.
    pub fn follow(source: Arc<Source>, partitions: u32, retention_ms: Option<i64>, memory: &Arc<MemoryBudget>) -> View {
        View { kept_by: KeptBy::Readers, ..View::empty(source, partitions, retention_ms, memory.share()) }
    }

    /// Calls `read`, which reads rows of the wanted partitions, when all are there that were committed when this was asked: takes
    /// in what a followed topic has now in these partitions; where a query keeps the view, waits until it is loaded. Where the rows
    /// began anew under `read`, and so weren't all there, it is called again.
    ///
    /// Errors: the topic can't be read, or the memory is not enough (then a followed view begins anew the next time); those of
    /// `read`.
    pub fn caught_up<T>(&self, log: &dyn Log, wanted: Wanted<'_>, mut read: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            let beginning = self.catch_up(log, wanted)?;
            let answer = read()?;
            if self.beginnings.load(Ordering::Acquire) == beginning {
                return Ok(answer);
            }
        }
    }

    /// As [`View::caught_up`], if nothing has to be waited for; None: it has.
    ///
    /// Errors: those of `read`.
    pub fn caught_up_at_once<T>(&self, log: &dyn Log, read: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        let beginning = self.beginnings.load(Ordering::Acquire);
        if !self.is_caught_up(log) {
            return Ok(None);
        }
        let answer = read()?;
        Ok(Some(answer).filter(|_| self.beginnings.load(Ordering::Acquire) == beginning))
    }

    /// Whether a query keeps the rows and all are there, as far as that can be told without waiting.
    fn is_caught_up(&self, log: &dyn Log) -> bool {
        let (Some(loaded), Some(extent)) = (self.loaded.try_lock().map(|loaded| *loaded), self.extent.try_lock())
        else {
            return false;
        };
        if self.kept_by == KeptBy::Readers || !loaded {
            return false;
        }
        if !self.changed.wait(Duration::ZERO) {
            return true;
        }
        let stale = || self.partitions.read().iter().any(|rows| rows.stale);
        let is_that = self.extent_now(log).is_ok_and(|now| now == *extent) && !stale();
        if !is_that {
            // For who can wait.
            self.changed.ring();
        }
        is_that
    }

    /// Gives the number of the rows' beginning: as long as it is that, no row of those that were there is missing.
    fn catch_up(&self, log: &dyn Log, wanted: Wanted<'_>) -> Result<u64> {
        if self.kept_by == KeptBy::Query {
            let beginning = self.wait_until_loaded()?;
            self.drop_removed(log)?;
            return Ok(beginning);
        }
        self.reading.ask(|asked| asked.add(wanted), |asked| self.read_asked(log, asked.as_wanted()))
    }

    /// Under the lock of the partitions.
    fn begin_anew(&self, partitions: &mut [Rows]) {
        partitions.iter_mut().for_each(|rows| *rows = Rows::new(self.source.window));
        self.beginnings.fetch_add(1, Ordering::AcqRel);
    }

    /// Where records were removed from the topic (`topic empty`, retention), or another topic has its name: takes in anew
    /// what it has, while the query goes on.
    fn drop_removed(&self, log: &dyn Log) -> Result<()> {
        let mut extent = self.extent.lock();
        if !self.changed.wait(Duration::ZERO) {
            return Ok(());
        }
        let renewed = self.extent_now(log).and_then(|now| self.renew(log, &extent, now));
        match renewed {
            Ok(now) => {
                *extent = now;
                self.memory.set(bytes(&self.partitions.read()))
            }
            Err(error) => {
                // The next reader looks again.
                self.changed.ring();
                self.memory.set(bytes(&self.partitions.read())).and(Err(error))
            }
        }
    }

    fn renew(&self, log: &dyn Log, before: &Extent, now: Extent) -> Result<Extent> {
        let stale: Vec<bool> = self.partitions.read().iter().map(|rows| rows.stale).collect();
        let mut renewed = Vec::new();
        for (partition, stale) in stale.into_iter().enumerate() {
            if stale || now.differs(before, partition) {
                let mut rows = Rows::new(self.source.window);
                rows.next = self.read(log, partition, None, None, &mut rows, &|| Ok(()))?;
                renewed.push((partition, rows));
            }
        }
        if !renewed.is_empty() {
            let _changing = self.changing.lock();
            let mut partitions = self.partitions.write();
            renewed.into_iter().for_each(|(partition, rows)| partitions[partition] = rows);
            // Of a commit that was made meanwhile, all.
            self.read_ahead(log, &mut partitions);
        }
        Ok(now)
    }

    /// First and next offsets of partitions, in their order, at one moment: of no commit only a part lies below the next ones. A log that
    /// doesn't show commits at once shows their parts one by one, whenever it is asked.
    fn offsets(&self, log: &dyn Log, partitions: &[usize]) -> Result<Vec<(i64, i64)>> {
        let places: Vec<_> = partitions.iter().map(|partition| self.place(*partition)).collect();
        let look = || -> Result<Vec<(i64, i64)>> { Ok(log.offsets_of(&places)?.into_values().collect()) };
        let mut offsets = look()?;
        let attempts_max = if log.shows_commits_at_once() { ENDS_ATTEMPTS_MAX } else { 0 };
        for _ in 0..attempts_max {
            let before = std::mem::replace(&mut offsets, look()?);
            if before == offsets {
                break;
            }
        }
        Ok(offsets)
    }

    fn extent_now(&self, log: &dyn Log) -> Result<Extent> {
        let topic = log.topic_id(&self.source.topic)?;
        let partitions = self.partitions.read().len();
        let firsts =
            (0..partitions).map(|partition| Ok(log.offsets(&self.place(partition))?.0)).collect::<Result<_>>()?;
        Ok(Extent { topic, firsts })
    }

    fn read(
        &self,
        log: &dyn Log,
        partition: usize,
        from: Option<i64>,
        end: Option<i64>,
        rows: &mut Rows,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<i64> {
        let place = self.place(partition);
        let from = from.max(self.own_from(log, partition)?);
        let mut counted = rows.bytes();
        for_each_fetch(log, &place, from, end, &mut |records| {
            rows.apply(records, self.retention_ms);
            let bytes = rows.bytes();
            self.memory.grow(bytes.saturating_sub(counted))?;
            counted = counted.max(bytes);
            go_on()
        })
    }

    /// Takes in records that were written beside the query, from `offset` on. A view that readers bring up to date is left
    /// to them. Errors as of `apply`.
    pub fn inserted(&self, partition: u32, offset: i64, records: &Records) -> Result<()> {
        if self.kept_by == KeptBy::Readers {
            return Ok(());
        }
        let _changing = self.changing.lock();
        let mut partitions = self.partitions.write();
        if !self.is_loaded() {
            return Ok(());
        }
        let Some(rows) = partitions.get_mut(partition as usize) else { return Ok(()) };
        match (&self.log, offset.cmp(&rows.next)) {
            // Read from the topic already, with what came before it.
            (_, std::cmp::Ordering::Less) => {}
            (Some(log), std::cmp::Ordering::Greater) => {
                self.read_ahead(&**log, &mut partitions);
            }
            _ => {
                rows.apply(records, self.retention_ms);
                rows.next = offset + records.len() as i64;
            }
        }
        self.memory.set(bytes(&partitions))
    }

    /// Takes in what the topic has, which may be a commit that the query is about to tell of: all of that, or nothing.
    fn read_ahead(&self, log: &dyn Log, partitions: &mut [Rows]) {
        let offsets = self.offsets(log, &(0..partitions.len()).collect::<Vec<_>>());
        for (partition, rows) in partitions.iter_mut().enumerate() {
            rows.ahead = true;
            match &offsets {
                Ok(offsets) => self.read_on(log, partition, Some(offsets[partition].1), rows),
                Err(_) => self.outdated(rows),
            }
        }
    }

    /// Takes in what the topic has behind what is there.
    fn read_on(&self, log: &dyn Log, partition: usize, end: Option<i64>, rows: &mut Rows) {
        let from = rows.next;
        let read = for_each_fetch(log, &self.place(partition), Some(from), end, &mut |records| {
            rows.apply(records, self.retention_ms);
            Ok(())
        });
        match read {
            Ok(next) => rows.next = next,
            Err(_) => self.outdated(rows),
        }
    }

    /// The topic can't be read: the next reader takes in all of it anew.
    fn outdated(&self, rows: &mut Rows) {
        rows.stale = true;
        self.changed.ring();
    }

    fn place(&self, partition: usize) -> TopicPartition {
        TopicPartition { topic: self.source.topic.clone(), partition: partition as u32 }
    }

    /// Shows the rows of a partition and the offset up to which they are the topic's, if nobody else writes to it.
    pub(crate) fn look_at<T>(&self, partition: u32, look: impl FnOnce(&dyn Pieces, i64) -> T) -> Option<T> {
        let _changing = self.changing.lock();
        self.partitions.read().get(partition as usize).map(|rows| look(rows, rows.next))
    }

    /// Rows of the wanted partitions whose window begins within `starts`, as records ordered by window start and key; of each
    /// partition the first `rows_max`. All are of the same moment, and commits go on beside it.
    pub fn scan(&self, wanted: Wanted<'_>, starts: Starts, rows_max: Option<usize>) -> Vec<ViewRows> {
        let id = self.next_scan.fetch_add(1, Ordering::Relaxed);
        let choice = Choice { window: self.source.window, starts, rows_max };
        let copied = scan::scan(&self.partitions, &self.changing, id, (wanted, choice)).into_iter();
        let of_partition = |(partition, parts): (usize, Vec<Records>)| {
            parts.into_iter().map(move |records| ViewRows { partition: partition as u32, records })
        };
        copied.flat_map(of_partition).collect()
    }

    /// The rows of these keys (without windows) in the wanted partitions, in all windows that begin within `starts`.
    pub fn get(&self, wanted: Wanted<'_>, starts: Starts, keys: &[Vec<u8>]) -> Vec<ViewRows> {
        let partitions = self.partitions.read();
        let of_partition = |(partition, rows): (usize, &Rows)| {
            let mut copied = Parts::default();
            keys.iter().for_each(|key| rows.copy_key(key, starts, &mut copied));
            copied.parts.into_iter().map(move |records| ViewRows { partition: partition as u32, records })
        };
        let all = partitions.iter().enumerate();
        all.filter(|(partition, _)| is_wanted(wanted, *partition)).flat_map(of_partition).collect()
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

impl Extent {
    /// Whether the rows of a partition that were read from `other` are not those of this one.
    fn differs(&self, other: &Extent, partition: usize) -> bool {
        self.topic != other.topic || self.firsts.get(partition) != other.firsts.get(partition)
    }
}

#[cfg(test)]
mod tests;

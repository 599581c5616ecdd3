//! Opening: what the journal and the durable marks say about what is there, and what has to be cut.

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64};

use parking_lot::Mutex;

use super::catalog::Catalog;
use super::commit::Writer;
use super::journal::{self, Append, Entry, Found, JournalContent, JournalWriter, Mark, Marks};
use super::space::Space;
use super::topic::{TOPICS_FOLDER, folder_name};
use super::{EmbeddedOptions, Inner, io_error};
use crate::log::LogError;
use crate::log::kafka_batch::{BatchHeader, HEADER_LEN};
use crate::storage::{Storage, read_all, write_whole};

const FORMAT_VERSION: u32 = 1;
const FORMAT_FILE: &str = "format";
const FORMAT_WORDS: &str = "millpond log format ";

/// What opening a log had to repair. All zero and empty after a clean close, and after the end of the process alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Commits and changes whose data had not reached the disk when the power was lost, and all after the first of them.
    pub commits_cut: usize,
    /// Bytes at the end of the journal that were no whole record.
    pub journal_bytes_cut: u64,
    /// Why the first commit was cut.
    pub reason: Option<String>,
}

impl RecoveryReport {
    /// A line for people; None: nothing was cut.
    pub fn warning(&self) -> Option<String> {
        if *self == RecoveryReport::default() {
            return None;
        }
        let mut cut = Vec::new();
        if self.commits_cut > 0 {
            cut.push(match self.commits_cut {
                1 => "the last commit".to_owned(),
                commits => format!("the last {commits} commits"),
            });
        }
        if self.journal_bytes_cut > 0 {
            cut.push(format!("{} bytes of an unfinished one", self.journal_bytes_cut));
        }
        let reason = self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        Some(format!("opening the log had to cut {}, which had not reached the disk{reason}", cut.join(" and ")))
    }
}

impl Inner {
    pub(super) fn open(
        storage: Box<dyn Storage>,
        options: EmbeddedOptions,
        in_memory: bool,
    ) -> Result<Inner, LogError> {
        let is_new = check_format(&*storage)?;
        let mut marks =
            Marks::open(&*storage).map_err(|error| io_error("can't read the durable marks".to_owned(), error))?;
        let opened = match newest_journal(&*storage)? {
            Some(number) => open_journal(&*storage, number, &mut marks)?,
            None if is_new || marks.newest == Mark::default() => new_journal(&*storage, &mut marks)?,
            None => return Err(damaged(journal::FOLDER, 0, "the journal is missing")),
        };
        remove_strangers(&*storage, &opened)?;
        let roll_at = options.journal_bytes_max.max(4 * opened.checkpoint_bytes);
        let writer = Writer {
            journal: opened.writer,
            dirty: opened.dirty,
            dirty_folders: opened.dirty_folders,
            garbage: Vec::new(),
            poison: None,
            unsynced: Default::default(),
            space: Space::new(options.disk_free_min_bytes),
        };
        let inner = Inner {
            storage,
            options,
            catalog: opened.catalog,
            writer: Mutex::new(writer),
            marks: Mutex::new(marks),
            roll_at: AtomicU64::new(roll_at),
            flush_ms_min: AtomicI64::new(i64::MAX),
            watchers: Default::default(),
            members: Default::default(),
            maintaining: Mutex::default(),
            failures: Default::default(),
            closing: Default::default(),
            swept: Default::default(),
            buffers: Mutex::default(),
            report: opened.report,
            in_memory,
        };
        inner.find_flush_ms_min();
        Ok(inner)
    }
}

struct Opened {
    catalog: Catalog,
    writer: JournalWriter,
    report: RecoveryReport,
    checkpoint_bytes: u64,
    /// What was committed after the newest mark: on disk only when the next sync has been there.
    dirty: std::collections::HashSet<(u64, u32, i64, u32)>,
    dirty_folders: std::collections::HashSet<(u64, u32)>,
}

fn damaged(file: &str, position: u64, reason: &str) -> LogError {
    LogError::Damaged { file: file.to_owned(), position, reason: reason.to_owned() }
}

/// Reads the format's version, or writes it into an empty folder. Tells whether it did.
fn check_format(storage: &dyn Storage) -> Result<bool, LogError> {
    let failed = |error| io_error("can't read or write the format of the log".to_owned(), error);
    let text = match read_all(storage, FORMAT_FILE) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !storage.list(journal::FOLDER).map_err(failed)?.is_empty() {
                return Err(damaged(FORMAT_FILE, 0, "the file is missing"));
            }
            let text = format!("{FORMAT_WORDS}{FORMAT_VERSION}\n");
            write_whole(storage, "", FORMAT_FILE, text.as_bytes()).map_err(failed)?;
            return Ok(true);
        }
        Err(error) => return Err(failed(error)),
    };
    match text.strip_prefix(FORMAT_WORDS).and_then(|rest| rest.trim().parse::<u32>().ok()) {
        Some(FORMAT_VERSION) => Ok(false),
        Some(found) if found > FORMAT_VERSION => Err(LogError::NewerFormat { found, known: FORMAT_VERSION }),
        _ => Err(damaged(FORMAT_FILE, 0, "not the format of a log")),
    }
}

fn newest_journal(storage: &dyn Storage) -> Result<Option<u64>, LogError> {
    let names = storage.list(journal::FOLDER);
    let names = names.map_err(|error| io_error("can't list the journal".to_owned(), error))?;
    Ok(names.iter().filter_map(|name| journal::number_of(name)).max())
}

fn new_journal(storage: &dyn Storage, marks: &mut Marks) -> Result<Opened, LogError> {
    let (bytes, writer) = journal::checkpoint(1, 1, &[]);
    let failed = |error| io_error("can't begin the journal".to_owned(), error);
    write_whole(storage, journal::FOLDER, &journal::file_name(1), &bytes).map_err(failed)?;
    storage.sync_folder("").map_err(failed)?;
    marks.write(storage, Mark { number: 1, position: bytes.len() as u64 }).map_err(failed)?;
    let catalog = Catalog::default();
    let _ = catalog.apply(&Entry::Header { next_topic_id: 1, checkpoint_end: 0 });
    Ok(Opened {
        catalog,
        writer,
        report: RecoveryReport::default(),
        checkpoint_bytes: bytes.len() as u64,
        dirty: Default::default(),
        dirty_folders: Default::default(),
    })
}

fn open_journal(storage: &dyn Storage, number: u64, marks: &mut Marks) -> Result<Opened, LogError> {
    let path = journal::path(number);
    let bytes = read_all(storage, &path).map_err(|error| io_error(format!("can't read {path}"), error))?;
    let content = journal::read(&bytes, number);
    drop(bytes);
    if content.unreadable {
        return Err(damaged(&path, content.end, "a record that this version can't read"));
    }
    let Some(Entry::Header { checkpoint_end, .. }) = content.records.first().map(|found| &found.entry) else {
        return Err(damaged(&path, content.end, "no journal, or its first record is damaged"));
    };
    let checkpoint_end = *checkpoint_end;
    let floor = durable_floor(marks.newest, number, checkpoint_end, &path)?;
    if content.end < floor {
        return Err(damaged(&path, content.end, "a record that was on disk is damaged or missing"));
    }
    let (catalog, kept, reason) = replay(storage, &content, floor, &path)?;
    let end = content.records[kept - 1].end;
    let report = RecoveryReport {
        commits_cut: content.records.len() - kept,
        journal_bytes_cut: content.size - content.end,
        reason,
    };
    if end < content.size {
        let cut = storage.truncate(&path, end).and_then(|()| storage.sync(&path));
        cut.map_err(|error| io_error(format!("can't cut {path}"), error))?;
    }
    let writer = JournalWriter::new(number, end, content.records[kept - 1].chain);
    let mut opened = Opened {
        catalog,
        writer,
        report,
        checkpoint_bytes: checkpoint_end,
        dirty: Default::default(),
        dirty_folders: Default::default(),
    };
    opened.mark_unsynced(&content.records[..kept], marks.newest.position.max(checkpoint_end));
    Ok(opened)
}

/// Up to where the journal is known to be on disk.
fn durable_floor(mark: Mark, number: u64, checkpoint_end: u64, path: &str) -> Result<u64, LogError> {
    match mark.number.cmp(&number) {
        // A journal gets its name only when its checkpoint is on disk.
        std::cmp::Ordering::Less => Ok(checkpoint_end),
        std::cmp::Ordering::Equal => Ok(mark.position.max(checkpoint_end)),
        std::cmp::Ordering::Greater => {
            Err(damaged(path, 0, &format!("the journal after it, number {}, is missing", mark.number)))
        }
    }
}

impl Opened {
    fn mark_unsynced(&mut self, records: &[Found], from: u64) {
        for found in records.iter().filter(|found| found.end > from) {
            let Entry::Commit { appends, .. } = &found.entry else { continue };
            for append in appends {
                // Generations don't matter: appends go to files that compaction hasn't touched.
                self.dirty.insert((append.topic, append.partition, append.segment, 0));
                self.dirty_folders.insert((append.topic, append.partition));
            }
        }
    }
}

/// Applies the records, as many as have all their data. Beyond `floor` that is looked at; gives the catalog, the number
/// of records kept, and why the others weren't.
fn replay(
    storage: &dyn Storage,
    content: &JournalContent,
    floor: u64,
    path: &str,
) -> Result<(Catalog, usize, Option<String>), LogError> {
    let mut keep = content.records.len();
    let mut reason = None;
    loop {
        let (catalog, tail) = apply_all(&content.records[..keep], floor, path)?;
        // A segment that a later record dropped needn't be there any more.
        let broken = tail.iter().find_map(|added| Some((added.record, verify(storage, &catalog, added).err()?)));
        match broken {
            None => return Ok((catalog, keep, reason)),
            Some((record, why)) => {
                keep = record;
                reason = Some(why);
            }
        }
    }
}

/// Bytes that a commit added to a segment.
struct Added<'a> {
    /// Which record of the journal.
    record: usize,
    append: &'a Append,
    start: u64,
    first_offset: i64,
    generation: u32,
}

fn apply_all<'a>(records: &'a [Found], floor: u64, path: &str) -> Result<(Catalog, Vec<Added<'a>>), LogError> {
    let catalog = Catalog::default();
    let mut tail = Vec::new();
    for (record, found) in records.iter().enumerate() {
        if let Entry::Commit { appends, .. } = &found.entry
            && found.end > floor
        {
            let mut last: Option<&Append> = None;
            for append in appends {
                let same = last.filter(|last| (last.topic, last.partition) == (append.topic, append.partition));
                tail.extend(added(&catalog, record, append, same));
                last = Some(append);
            }
        }
        catalog.apply(&found.entry).map_err(|reason| damaged(path, found.start, reason))?;
    }
    Ok((catalog, tail))
}

/// Where the bytes of an append lie, by what was there before it.
fn added<'a>(catalog: &Catalog, record: usize, append: &'a Append, before: Option<&Append>) -> Option<Added<'a>> {
    let (_, partition) = catalog.find(append.topic, append.partition).ok()?;
    let state = partition.state.read();
    let last = state.segments.last().filter(|_| append.created.is_none());
    Some(Added {
        record,
        append,
        start: last.map_or(0, |last| last.info.size),
        first_offset: before.map_or(state.next, |before| before.next),
        generation: last.map_or(0, |last| last.info.generation),
    })
}

/// Checks that a commit's data is whole, if its segment is still part of the log.
fn verify(storage: &dyn Storage, catalog: &Catalog, added: &Added<'_>) -> Result<(), String> {
    let Ok((topic, partition)) = catalog.find(added.append.topic, added.append.partition) else { return Ok(()) };
    let is_there = partition
        .state
        .read()
        .segments
        .iter()
        .any(|segment| (segment.info.base, segment.info.generation) == (added.append.segment, added.generation));
    if !is_there {
        return Ok(());
    }
    let path = topic.segment_path(partition.number, added.append.segment, added.generation);
    let bad = |position: u64, reason: &str| Err(format!("{path} at byte {position}: {reason}"));
    let (mut position, mut next, mut checksum) = (added.start, added.first_offset, 0);
    let mut batch = vec![0; HEADER_LEN];
    while position < added.append.size {
        batch.resize(HEADER_LEN, 0);
        match storage.read_at(&path, position, &mut batch) {
            Ok(HEADER_LEN) => {}
            Ok(_) => return bad(position, "the file ends before its committed end"),
            Err(error) => return bad(position, &error.to_string()),
        }
        let header = match BatchHeader::read(&batch).and_then(|header| header.check_seal().map(|()| header)) {
            Ok(header) => header,
            Err(reason) => return bad(position, reason),
        };
        if header.base_offset != next || header.size as u64 > added.append.size - position {
            return bad(position, "not the batch that was committed");
        }
        checksum = crc32c::crc32c_append(checksum, &batch);
        batch.resize(header.size, 0);
        match storage.read_at(&path, position, &mut batch) {
            Ok(read) if read == header.size => {}
            _ => return bad(position, "the file ends before its committed end"),
        }
        if let Err(reason) = header.check_crc(&batch) {
            return bad(position, reason);
        }
        position += header.size as u64;
        next = header.next_offset();
    }
    match (checksum, next) == (added.append.checksum, added.append.next) {
        true => Ok(()),
        false => bad(added.start, "not the batches that were committed"),
    }
}

/// Removes journals and topic folders that are left over.
fn remove_strangers(storage: &dyn Storage, opened: &Opened) -> Result<(), LogError> {
    let failed = |error| io_error("can't tidy the folder of the log".to_owned(), error);
    let current = journal::file_name(opened.writer.number);
    for name in storage.list(journal::FOLDER).map_err(failed)? {
        if name != current {
            storage.remove(&format!("{}/{name}", journal::FOLDER)).map_err(failed)?;
        }
    }
    let topics = opened.catalog.all_topics();
    let known: std::collections::HashSet<String> =
        topics.iter().map(|topic| folder_name(&topic.name, topic.id)).collect();
    for name in storage.list(TOPICS_FOLDER).map_err(failed)? {
        if !known.contains(&name) {
            storage.remove_folder(&format!("{TOPICS_FOLDER}/{name}")).map_err(failed)?;
        }
    }
    Ok(())
}

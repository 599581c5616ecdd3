//! Records to the partitions of a topic, in batches; and not faster than asked.

use std::time::{Duration, Instant};

use crate::cli::interrupt::Watch;
use crate::log::partitioner::partition_for;
use crate::log::{Log, LogError, Records, TopicPartition};

use super::marks::Marks;
use super::report::Ending;

/// A batch goes to the log when it has so many bytes, or when there is nothing else to do.
const BATCH_BYTES: usize = 512 << 10;
/// Waiting batches of all partitions together.
const BATCHES_BYTES_MAX: usize = 64 << 20;
/// Kafka's default of `max.message.bytes`, for a topic that doesn't tell.
const RECORD_BYTES_MAX_DEFAULT: usize = 1_048_588;
/// What the record-batch format needs beside key and value.
const RECORD_BYTES_EXTRA: usize = 128;
const SLEEP_MAX: Duration = Duration::from_millis(50);
/// Shorter waits are put off: so many records go at once.
const AHEAD_MIN: Duration = Duration::from_millis(1);

/// Writes to one topic. What is pushed lies in batches until `flush` or until a batch is full.
pub struct TopicWriter<'l> {
    log: &'l dyn Log,
    places: Vec<TopicPartition>,
    batches: Vec<Records>,
    /// All go here.
    fixed: Option<usize>,
    /// Where records without key go until the batch is gone.
    turn: usize,
    waiting_bytes: usize,
    record_bytes_max: usize,
    /// Where another process, which may end at any moment, does the writing.
    marks: Option<Marks>,
    pushed: u64,
    written: u64,
}

impl<'l> TopicWriter<'l> {
    pub fn new(log: &'l dyn Log, topic: &str, partition: Option<u32>) -> Result<Self, LogError> {
        let count = log.partitions(topic).ok_or_else(|| LogError::UnknownTopic(topic.to_owned()))?;
        if let Some(partition) = partition.filter(|&partition| partition >= count) {
            return Err(LogError::UnknownPartition { topic: topic.to_owned(), partition });
        }
        let configs = log.describe_topic(topic)?.configs;
        let limit = configs.iter().find(|config| config.name == "max.message.bytes");
        let limit = limit.and_then(|config| config.value.parse().ok()).unwrap_or(RECORD_BYTES_MAX_DEFAULT);
        let place = |partition| TopicPartition { topic: topic.to_owned(), partition };
        Ok(TopicWriter {
            log,
            places: (0..count).map(place).collect(),
            batches: vec![Records::default(); count as usize],
            fixed: partition.map(|partition| partition as usize),
            turn: 0,
            waiting_bytes: 0,
            record_bytes_max: limit.saturating_sub(RECORD_BYTES_EXTRA),
            marks: None,
            pushed: 0,
            written: 0,
        })
    }

    /// For a log of another process: appends whose answer is lost are looked for in the log, and made again if they aren't
    /// there.
    #[must_use]
    pub fn marked(self) -> Self {
        TopicWriter { marks: Some(Marks::new()), ..self }
    }

    /// Takes its marks out of the log again.
    pub fn close(self) {
        if let Some(marks) = &self.marks {
            marks.remove(self.log);
        }
    }

    /// The most bytes of key and value together.
    pub fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Records that the log has acknowledged.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn push(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, timestamp: i64) -> Result<(), LogError> {
        let to = match (self.fixed, key) {
            (Some(fixed), _) => fixed,
            (None, Some(key)) => partition_for(key, self.places.len() as u32) as usize,
            (None, None) => self.turn,
        };
        let bytes = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        if !self.batches[to].is_empty() && self.batches[to].data.len() + bytes > BATCH_BYTES.min(self.record_bytes_max)
        {
            self.flush_one(to)?;
        }
        self.batches[to].push(key, value, timestamp);
        self.pushed += 1;
        self.waiting_bytes += bytes;
        if self.waiting_bytes > BATCHES_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes all that waits.
    pub fn flush(&mut self) -> Result<(), LogError> {
        for at in 0..self.batches.len() {
            self.flush_one(at)?;
        }
        Ok(())
    }

    fn flush_one(&mut self, at: usize) -> Result<(), LogError> {
        let batch = &mut self.batches[at];
        if batch.is_empty() {
            return Ok(());
        }
        let count = batch.len() as u64;
        let result = match &mut self.marks {
            Some(marks) => marks.append(self.log, &self.places[at], batch),
            None => self.log.append(&self.places[at], batch).map(|_| ()),
        };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(batch.data.len());
        // A batch that was refused is gone, too: written again later it would stand behind others.
        batch.clear();
        result?;
        self.written += count;
        if at == self.turn {
            self.turn = (self.turn + 1) % self.batches.len();
        }
        Ok(())
    }
}

/// Keeps to a rate.
pub struct Pace {
    rate: Option<f64>,
    started: Instant,
    sent: u64,
}

impl Pace {
    /// `rate`: records a second; none: as fast as it goes.
    pub fn new(rate: Option<f64>) -> Self {
        Pace { rate, started: crate::time::now(), sent: 0 }
    }

    /// Waits until the next record is due, with all that came before it written.
    pub fn wait(&self, writer: &mut TopicWriter<'_>, watch: &Watch) -> Result<Ending, LogError> {
        let Some(rate) = self.rate else { return Ok(Ending::Complete) };
        let due = Duration::try_from_secs_f64(self.sent as f64 / rate).unwrap_or(Duration::MAX);
        let mut ahead = due.saturating_sub(self.started.elapsed());
        if ahead < AHEAD_MIN {
            return Ok(Ending::Complete);
        }
        writer.flush()?;
        while !ahead.is_zero() {
            if watch.caught() {
                return Ok(Ending::Interrupted);
            }
            std::thread::sleep(ahead.min(SLEEP_MAX));
            ahead = due.saturating_sub(self.started.elapsed());
        }
        Ok(Ending::Complete)
    }

    pub fn sent(&mut self) {
        self.sent += 1;
    }
}

//! `millpond datagen`: made-up records, the same for the same seed.

mod nexmark;
mod pageviews;
mod people;
mod users;

use std::collections::BTreeMap;

use clap::ValueEnum;
use fastrand::Rng;

use super::args::DatagenOptions;
use super::connect::Connected;
use super::exit::Stop;
use super::interrupt::Watch;
use super::output::{Output, OutputFormat};
use super::produce;
use super::produce::{Ending, Pace, Report, TopicWriter, check_no_table_of_query, now_ms};
use crate::log::{LogError, TopicSpec, create_if_missing};
use crate::sql::KEYWORDS;

/// What is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// People with job titles, by id
    People,
    /// Who looked at which page, by time of view
    Pageviews,
    /// Users that pageviews mention, by id; they change
    Users,
    /// Bids of an auction site, by auction
    Nexmark,
}

impl Kind {
    /// The topic, unless another is asked for.
    fn topic(self) -> &'static str {
        match self {
            Kind::People => "people",
            Kind::Pageviews => "pageviews",
            Kind::Users => "users",
            Kind::Nexmark => "bids",
        }
    }

    /// The columns of the CREATE STREAM that fits.
    fn columns(self) -> &'static str {
        match self {
            Kind::People => people::COLUMNS,
            Kind::Pageviews => pageviews::COLUMNS,
            Kind::Users => users::COLUMNS,
            Kind::Nexmark => nexmark::COLUMNS,
        }
    }

    /// Records a second when neither a rate nor a count is asked for.
    fn rate_default(self) -> f64 {
        match self {
            Kind::Nexmark => 1000.0,
            _ => 10.0,
        }
    }

    /// Records a second of event time when they come as fast as they can.
    fn event_rate_default(self) -> f64 {
        match self {
            Kind::Nexmark => 10_000.0,
            _ => 10.0,
        }
    }
}

/// One record: key text and JSON value.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Made {
    key: String,
    value: String,
}

/// Makes up records one after another.
struct Generator {
    kind: Kind,
    rng: Rng,
    count: u64,
    /// Time of the first, ms.
    start: i64,
    /// Milliseconds from one to the next.
    step: f64,
}

impl Generator {
    fn new(kind: Kind, seed: u64, start: i64, rate: f64) -> Self {
        Generator { kind, rng: Rng::with_seed(seed), count: 0, start, step: 1000.0 / rate }
    }

    /// The next record into `made`; gives its time.
    fn next(&mut self, made: &mut Made) -> i64 {
        made.key.clear();
        made.value.clear();
        let time = self.start + (self.count as f64 * self.step) as i64;
        match self.kind {
            Kind::People => people::make(&mut self.rng, self.count, made),
            Kind::Pageviews => pageviews::make(&mut self.rng, time, made),
            Kind::Users => users::make(&mut self.rng, time, made),
            Kind::Nexmark => nexmark::make(&mut self.rng, self.count, time, made),
        }
        self.count += 1;
        time
    }
}

pub fn command(options: &DatagenOptions, engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    let watch = Watch::new();
    let topic = options.topic.clone().unwrap_or_else(|| options.kind.topic().to_owned());
    check_no_table_of_query(&topic, engine)?;
    let spec =
        TopicSpec { name: topic.clone(), partitions: options.partitions, replicas: None, configs: BTreeMap::new() };
    create_if_missing(engine.log.as_ref(), &spec)?;
    if out.format == OutputFormat::Tabular {
        out.line(&create_stream(options.kind, &topic))?;
        std::io::Write::flush(out)?;
    }
    let rate = match (options.rate, options.count) {
        (None, None) => Some(options.kind.rate_default()),
        (rate, _) => rate,
    };
    let mut writer = produce::writer(engine, &topic, None)?;
    let mut report = Report::new(&topic, None, options.count);
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let start = options.start.unwrap_or_else(now_ms);
    let event_rate = rate.unwrap_or(options.kind.event_rate_default());
    let mut generator = Generator::new(options.kind, seed, start, event_rate);
    let count = options.count.unwrap_or(u64::MAX);
    let result = generate(&mut generator, count, &mut Pace::new(rate), &watch, &mut writer, &mut report);
    let flushed = writer.flush();
    report.finish(writer.written(), engine.log.durability(), out)?;
    writer.close();
    let ending = result?;
    flushed?;
    report.exit(ending, options.count.is_none())
}

fn generate(
    generator: &mut Generator,
    count: u64,
    pace: &mut Pace,
    watch: &Watch,
    writer: &mut TopicWriter<'_>,
    report: &mut Report,
) -> Result<Ending, LogError> {
    let mut made = Made::default();
    for i in 0..count {
        if pace.wait(writer, watch)? == Ending::Interrupted || watch.caught() {
            return Ok(Ending::Interrupted);
        }
        let time = generator.next(&mut made);
        writer.push(Some(made.key.as_bytes()), Some(made.value.as_bytes()), time)?;
        pace.sent();
        report.tick(i + 1);
    }
    Ok(Ending::Complete)
}

/// The statement that makes a stream of the topic.
fn create_stream(kind: Kind, topic: &str) -> String {
    let is_plain = topic.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && topic.starts_with(|c: char| c.is_ascii_alphabetic())
        && !KEYWORDS.contains(&topic.to_ascii_uppercase().as_str());
    let name = if is_plain { topic.to_owned() } else { format!("`{topic}`") };
    let timestamp = match kind {
        Kind::Nexmark => ", TIMESTAMP='date_time'",
        _ => "",
    };
    format!(
        "CREATE STREAM {name} ({columns})\n  WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON'{timestamp});",
        columns = kind.columns(),
    )
}

#[cfg(test)]
mod tests;

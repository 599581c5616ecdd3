//! What is said while records are written and after: progress, bad lines, rate, what the writes survive.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::cli::exit::{Exit, Stop, complain};
use crate::cli::output::{Output, OutputFormat};
use crate::log::Durability;

use super::input::Meter;

/// Beyond these, bad lines are only counted.
const BAD_SHOWN_MAX: u64 = 20;
const TICK_RECORDS: u64 = 4096;

/// How writing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Complete,
    Interrupted,
}

pub struct Report {
    topic: String,
    started: Instant,
    bad: u64,
    bar: ProgressBar,
    meter: Option<Meter>,
}

impl Report {
    pub fn new(topic: &str, meter: Option<&Meter>, count: Option<u64>) -> Self {
        let meter = meter.cloned();
        let bar = bar(meter.as_ref().and_then(|meter| meter.bytes), count);
        Report { topic: topic.to_owned(), started: crate::time::now(), bad: 0, bar, meter }
    }

    /// After each record: shows the first ones, then one now and then.
    pub fn tick(&mut self, records: u64) {
        if records < TICK_RECORDS || records.is_multiple_of(TICK_RECORDS) {
            self.progress(records);
        }
    }

    pub fn progress(&mut self, records: u64) {
        if self.bar.is_hidden() {
            return;
        }
        match &self.meter {
            Some(meter) if meter.bytes.is_some() => self.bar.set_position(meter.read()),
            _ => self.bar.set_position(records),
        }
        self.bar.set_message(format!("{records} records"));
    }

    /// A line that is left out.
    pub fn bad(&mut self, line: u64, what: &str) {
        self.bad += 1;
        self.bar.suspend(|| match self.bad {
            ..=BAD_SHOWN_MAX => complain(&format!("line {line}: {what}")),
            bad if bad == BAD_SHOWN_MAX + 1 => complain("further bad lines are only counted"),
            _ => {}
        });
    }

    /// The last words.
    pub fn finish(&self, records: u64, durability: Durability, out: &mut Output) -> Result<(), Stop> {
        self.bar.finish_and_clear();
        let seconds = self.started.elapsed().max(Duration::from_millis(1)).as_secs_f64();
        let rate = (records as f64 / seconds).round() as u64;
        let (survives, in_words) = match durability {
            Durability::Process => ("process", "the end of the process, not yet loss of power"),
            Durability::Power => ("power", "loss of power"),
            Durability::Replicas => ("replicas", "the end of a broker, where the topic has replicas on others"),
        };
        match out.format {
            OutputFormat::Json => {
                let line = serde_json::json!({
                    "topic": self.topic,
                    "records": records,
                    "bad_lines": self.bad,
                    "seconds": (seconds * 1000.0).round() / 1000.0,
                    "records_per_second": rate,
                    "survives": survives,
                });
                out.line(&line.to_string())?;
            }
            OutputFormat::Tabular => {
                let bad = match self.bad {
                    0 => String::new(),
                    1 => ", 1 bad line left out".to_owned(),
                    bad => format!(", {bad} bad lines left out"),
                };
                out.line(&format!(
                    "{records} records written to topic {} in {seconds:.2} s ({rate} records/s){bad}.\n\
                     What is written survives {in_words}.",
                    self.topic
                ))?;
            }
        }
        out.flush()?;
        Ok(())
    }

    /// The exit code; from a terminal or a pipe, Ctrl-C is the way to end.
    pub fn exit(&self, ending: Ending, endless: bool) -> Result<(), Stop> {
        match ending {
            Ending::Interrupted if !endless => Err(Stop::Said(Exit::Interrupted)),
            _ if self.bad > 0 => Err(Stop::Said(Exit::BadInput)),
            _ => Ok(()),
        }
    }
}

fn bar(bytes: Option<u64>, count: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match (bytes, count) {
        (Some(bytes), _) => (ProgressBar::new(bytes), "{bar:30} {bytes}/{total_bytes} {msg} {elapsed} (eta {eta})"),
        (None, Some(count)) => (ProgressBar::new(count), "{bar:30} {pos}/{len} {elapsed} (eta {eta})"),
        (None, None) => (ProgressBar::new_spinner(), "{spinner} {pos} records {elapsed} ({per_sec})"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.with_key("rate", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let _ = write!(to, "{:.0}/s", state.per_sec());
        })),
        Err(_) => bar,
    }
}

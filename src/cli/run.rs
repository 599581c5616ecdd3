//! `millpond run`: a file of queries as a job.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::engine::QueryProgress;
use crate::error::Error;
use crate::log::Signal;

use super::args::{Common, RunOptions};
use super::connect::{self, Connection, JobSpec, OwnedJob};
use super::exit::{Stop, complain, describe};
use super::interrupt::Watch;
use super::output::{Output, OutputFormat};
use super::patience::Patience;
use super::shell::read_script;

const TICK: Duration = Duration::from_millis(250);
/// Between lines where there is no terminal.
const LINES_EVERY: Duration = Duration::from_secs(10);
/// States with a reason are longer; they don't move the numbers of the others.
const STATE_WIDTH_MAX: usize = 10;

pub fn command(options: &RunOptions, common: &Common, connection: &Connection, out: &mut Output) -> Result<(), Stop> {
    let signal = Arc::new(Signal::default());
    let watch = Watch::ringing(&signal);
    let spec = JobSpec {
        name: options.file.display().to_string(),
        text: read_script(&options.file)?,
        properties: connection.config.properties.clone(),
        variables: common.define.iter().cloned().collect(),
        until_end: options.until_end,
    };
    let patience = Patience {
        longest: Patience::longest(connection),
        signal,
        given_up: &|| watch.caught(),
        tell: &|text| complain(&format!("warning: {}: {text}", spec.name)),
    };
    let mut job = connect::start_job(connection, &spec, &patience).map_err(|error| in_file(&spec, &error))?;
    follow(&mut job, &watch, &spec, out)
}

/// An error with its place in the file.
fn in_file(spec: &JobSpec, error: &Error) -> Stop {
    complain(&format!("{}: {}", spec.name, describe(error, &spec.text)));
    Stop::Said(error.audience.into())
}

/// Shows the job's progress until it ends or is told to, and stops it.
fn follow(job: &mut OwnedJob, watch: &Watch, spec: &JobSpec, out: &mut Output) -> Result<(), Stop> {
    let mut board = Board::new(out.format);
    board.greet(job.job.progress().len(), spec);
    let ended = loop {
        if let Some(ended) = job.job.wait(TICK) {
            break ended;
        }
        if watch.caught() {
            board.note("stopping: committing what is done");
            break Ok(());
        }
        if let Err(stop) = board.show(&job.job.progress(), out) {
            // Nobody sees it any more: the job ends as if told to.
            job.stop()?;
            return Err(stop);
        }
    };
    let stopped = job.stop();
    board.finish(&job.job.progress(), out)?;
    ended.and(stopped).map_err(|error| in_file(spec, &error))
}

/// Where progress is shown: lines that are redrawn on a terminal, plain lines elsewhere.
struct Board {
    format: OutputFormat,
    bars: Option<MultiProgress>,
    lines: Vec<ProgressBar>,
    shown_at: Option<Instant>,
    rates: Rates,
    states: Vec<String>,
}

impl Board {
    fn new(format: OutputFormat) -> Self {
        let terminal = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        Board {
            format,
            bars: terminal.then(MultiProgress::new),
            lines: Vec::new(),
            shown_at: None,
            rates: Rates::default(),
            states: Vec::new(),
        }
    }

    fn show(&mut self, queries: &[QueryProgress], out: &mut Output) -> Result<(), Stop> {
        let now = crate::time::now();
        if let Some(bars) = &self.bars {
            while self.lines.len() < queries.len() {
                let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
                self.lines.push(bars.add(ProgressBar::new_spinner().with_style(style)));
            }
            let mut texts = texts(queries, &self.rates.of(queries, now)).into_iter();
            // Of a query that was dropped meanwhile nothing stays.
            self.lines.iter().for_each(|line| line.set_message(texts.next().unwrap_or_default()));
            return Ok(());
        }
        let states: Vec<_> = queries.iter().map(|query| query.state.to_string()).collect();
        let due = self.shown_at.is_none_or(|shown_at| now - shown_at >= LINES_EVERY) || states != self.states;
        if due {
            self.states = states;
            self.print(queries, now, out)?;
        }
        Ok(())
    }

    fn print(&mut self, queries: &[QueryProgress], now: Instant, out: &mut Output) -> Result<(), Stop> {
        self.shown_at = Some(now);
        let rates = self.rates.of(queries, now);
        let lines = match self.format {
            OutputFormat::Tabular => texts(queries, &rates),
            OutputFormat::Json => queries.iter().zip(rates).map(|(query, rate)| json(query, rate)).collect(),
        };
        for line in lines {
            out.line(&line)?;
        }
        out.flush()?;
        Ok(())
    }

    /// On a terminal only: nothing may come for long.
    fn greet(&self, queries: usize, spec: &JobSpec) {
        if let Some(bars) = &self.bars {
            let ends =
                if spec.until_end { "ends when all that is there is done" } else { "Ctrl-C commits and ends it" };
            let noun = if queries == 1 { "query" } else { "queries" };
            bars.suspend(|| complain(&format!("{}: {queries} {noun}; {ends}", spec.name)));
        }
    }

    fn note(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| complain(text)),
            None => complain(text),
        }
    }

    /// The last numbers stay.
    fn finish(&mut self, queries: &[QueryProgress], out: &mut Output) -> Result<(), Stop> {
        self.lines.iter().for_each(ProgressBar::finish_and_clear);
        self.print(queries, crate::time::now(), out)
    }
}

/// A line a query; the numbers stand below each other.
fn texts(queries: &[QueryProgress], rates: &[u64]) -> Vec<String> {
    let names = queries.iter().map(|query| query.id.len()).max().unwrap_or(0);
    let states: Vec<String> = queries.iter().map(|query| query.state.to_string()).collect();
    let state_width = states.iter().map(String::len).max().unwrap_or(0).min(STATE_WIDTH_MAX);
    let numbers: Vec<[u64; 6]> = queries
        .iter()
        .zip(rates)
        .map(|(query, &rate)| [query.rows_in, query.rows_out, query.late, query.bad, query.lag, rate])
        .collect();
    let width = |i: usize| numbers.iter().map(|row| row[i].to_string().len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |i: usize| {
        let mut line = format!("{:names$}  {:state_width$}", queries[i].id, states[i]);
        for (name, (number, width)) in
            ["in", "out", "late", "bad", "lag", ""].iter().zip(numbers[i].iter().zip(&widths))
        {
            line.push_str(&format!("  {name}{}{number:>width$}", if name.is_empty() { "" } else { " " }));
        }
        line + " rows/s"
    };
    (0..queries.len()).map(line).collect()
}

fn json(query: &QueryProgress, rate: u64) -> String {
    serde_json::json!({
        "query": query.id,
        "state": query.state.to_string(),
        "rows_in": query.rows_in,
        "rows_out": query.rows_out,
        "late": query.late,
        "bad": query.bad,
        "lag": query.lag,
        "rows_per_second": rate,
    })
    .to_string()
}

/// Rows in a second, of the last few looks.
#[derive(Default)]
struct Rates {
    looks: std::collections::VecDeque<(Instant, Vec<u64>)>,
}

const LOOKS_MAX: usize = 8;

impl Rates {
    fn of(&mut self, queries: &[QueryProgress], now: Instant) -> Vec<u64> {
        let counts: Vec<u64> = queries.iter().map(|query| query.rows_in).collect();
        let rates = match self.looks.front() {
            None => vec![0; counts.len()],
            Some((then, before)) => {
                let seconds = (now - *then).as_secs_f64().max(0.001);
                let rate = |(i, &count): (usize, &u64)| {
                    let rows = count.saturating_sub(before.get(i).copied().unwrap_or(0));
                    (rows as f64 / seconds).round() as u64
                };
                counts.iter().enumerate().map(rate).collect()
            }
        };
        self.looks.push_back((now, counts));
        if self.looks.len() > LOOKS_MAX {
            self.looks.pop_front();
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_below_each_other() {
        let query = |id: &str, rows_in, state| QueryProgress {
            id: id.into(),
            rows_in,
            rows_out: 1,
            late: 0,
            bad: 0,
            lag: 0,
            state,
        };
        let queries = [
            query("CTAS_A_1", 12345, crate::engine::QueryState::Running),
            query("Q", 7, crate::engine::QueryState::Blocked("the disk is full".into())),
        ];
        assert_eq!(
            texts(&queries, &[100, 0]),
            [
                "CTAS_A_1  RUNNING     in 12345  out 1  late 0  bad 0  lag 0  100 rows/s",
                "Q         BLOCKED: the disk is full  in     7  out 1  late 0  bad 0  lag 0    0 rows/s",
            ]
        );
    }

    #[test]
    fn rates_are_of_the_last_looks() {
        let query = |rows_in| QueryProgress {
            id: "Q".into(),
            rows_in,
            rows_out: 0,
            late: 0,
            bad: 0,
            lag: 0,
            state: crate::engine::QueryState::Running,
        };
        let mut rates = Rates::default();
        let start = crate::time::now();
        assert_eq!(rates.of(&[query(0)], start), [0]);
        assert_eq!(rates.of(&[query(100)], start + Duration::from_secs(1)), [100]);
        for second in 2..20 {
            let found = rates.of(&[query(100)], start + Duration::from_secs(second));
            if second > 10 {
                assert_eq!(found, [0]);
            }
        }
    }
}

//! `topic produce`: lines of a file or of stdin become records.

mod csv;
mod input;
mod jsonl;
mod key;
mod lines;
mod marks;
mod record;
mod report;
mod time;
mod writer;

pub use key::KeyFormat;
pub use report::{Ending, Report};
pub use time::parse_timestamp;
pub use writer::{Pace, TopicWriter};

use std::path::Path;

use super::args::{LineFormat, ProduceOptions};
use super::connect::Connected;
use super::exit::{Exit, Stop};
use super::interrupt::Watch;
use super::output::Output;
use crate::error::Error;
use crate::log::LogError;
use crate::messages;
use csv::Csv;
use input::Input;
use jsonl::Jsonl;
use key::KeyWriter;
use lines::{LineReader, Next};
use record::{Draft, Raw, Shape, Taken};

pub fn command(options: &ProduceOptions, engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    let format = format_of(options)?;
    check_no_table_of_query(&options.topic, engine)?;
    let watch = Watch::new();
    let mut writer = writer(engine, &options.topic, options.partition)?;
    let input = Input::open(options.file.as_deref())?;
    let mut lines = LineReader::new(input.chunks, writer.record_bytes_max());
    let mut report = Report::new(&options.topic, Some(&input.meter), options.limit);
    let ending = shape_of(format, options, &mut lines, &watch).and_then(|shape| match shape {
        None => Ok(Ending::Complete),
        Some(shape) => Pump { options, watch: &watch, writer: &mut writer, report: &mut report }.run(shape, &mut lines),
    });
    // What came before a failure is written and counted, too.
    let flushed = writer.flush();
    let done = match ending {
        Err(_) if writer.pushed() == 0 => Ok(()),
        _ => report.finish(writer.written(), engine.log.durability(), out),
    };
    writer.close();
    let ending = ending?;
    flushed?;
    done?;
    report.exit(ending, options.file.is_none() || is_stdin(options.file.as_deref()))
}

/// An error for the topic of a table that a query makes: the query is its only writer, and what it keeps of the table for
/// pull queries is what it wrote itself.
pub fn check_no_table_of_query(topic: &str, engine: &Connected) -> Result<(), Stop> {
    match engine.face.topic_users(topic)?.table {
        None => Ok(()),
        Some((table, query)) => Err(messages::topics::written_by_query(topic, &table, &query).into()),
    }
}

/// Writes to a topic in the way that suits who holds the folder.
pub fn writer<'l>(engine: &'l Connected, topic: &str, partition: Option<u32>) -> Result<TopicWriter<'l>, LogError> {
    let writer = TopicWriter::new(engine.log.as_ref(), topic, partition)?;
    Ok(if engine.owner { writer } else { writer.marked() })
}

fn is_stdin(file: Option<&Path>) -> bool {
    file.is_none_or(|file| file == Path::new("-"))
}

/// The format that was asked for, or the one the file's name tells.
fn format_of(options: &ProduceOptions) -> Result<LineFormat, Stop> {
    let name = options.file.as_ref().and_then(|file| file.file_name()).and_then(|name| name.to_str()).unwrap_or("");
    let name = name.to_ascii_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let by_name = match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("csv") => LineFormat::Csv,
        Some("tsv") => LineFormat::Tsv,
        Some("jsonl" | "ndjson" | "json") => LineFormat::Jsonl,
        _ => LineFormat::Raw,
    };
    let format = options.format.unwrap_or(by_name);
    let wrong = |what: &str| Err(Stop::Usage(what.to_owned()));
    match format {
        LineFormat::Raw if options.key.is_some() || options.timestamp.is_some() => {
            wrong("--key and --timestamp name a field: raw lines have none; give --format csv or jsonl")
        }
        LineFormat::Csv | LineFormat::Tsv | LineFormat::Jsonl if options.key_separator.is_some() => {
            wrong("--key-separator is for raw lines: give --key FIELD, or --format raw")
        }
        LineFormat::Raw | LineFormat::Jsonl if options.delimiter.is_some() => wrong("--delimiter is for --format csv"),
        LineFormat::Jsonl if options.null.is_some() => wrong("--null is for --format csv and raw"),
        _ => Ok(format),
    }
}

/// What makes records of lines; reads the header where there is one. `None`: the input has no line at all.
fn shape_of(
    format: LineFormat,
    options: &ProduceOptions,
    lines: &mut LineReader,
    watch: &Watch,
) -> Result<Option<Box<dyn Shape>>, Stop> {
    let key = KeyWriter::new(options.key_format);
    let null = options.null.clone().map(String::into_bytes);
    let delimiter = match (format, options.delimiter) {
        (_, Some(delimiter)) => delimiter,
        (LineFormat::Tsv, None) => b'\t',
        _ => b',',
    };
    Ok(Some(match format {
        LineFormat::Raw => Box::new(Raw::new(options.key_separator.clone(), key, null)),
        LineFormat::Jsonl => Box::new(Jsonl::new(options.key.clone(), options.timestamp.clone(), key)),
        LineFormat::Csv | LineFormat::Tsv => {
            if !header(lines, watch)? {
                return Ok(None);
            }
            let (key_field, time_field) = (options.key.as_deref(), options.timestamp.as_deref());
            Box::new(Csv::new(lines.record(), delimiter, null, key_field, time_field, key)?)
        }
    }))
}

/// Reads the first line that is not blank. Tells whether there is one.
fn header(lines: &mut LineReader, watch: &Watch) -> Result<bool, Stop> {
    let mut next = lines.advance()?;
    loop {
        next = match next {
            Next::Record if lines.record().trim_ascii().is_empty() => lines.advance()?,
            Next::Record => return Ok(true),
            Next::End => return Ok(false),
            Next::Idle if watch.caught() => return Ok(false),
            Next::Idle => {
                lines.wait();
                lines.resume()?
            }
            Next::TooLong => return Err(Error::world("the header line is too long").into()),
        };
    }
}

/// Moves records from the lines to the topic.
struct Pump<'a, 'l> {
    options: &'a ProduceOptions,
    watch: &'a Watch,
    writer: &'a mut TopicWriter<'l>,
    report: &'a mut Report,
}

impl Pump<'_, '_> {
    fn run(&mut self, mut shape: Box<dyn Shape>, lines: &mut LineReader) -> Result<Ending, Stop> {
        let mut pace = Pace::new(self.options.rate);
        let mut draft = Draft::default();
        let mut next = lines.advance()?;
        loop {
            match next {
                Next::End => return Ok(Ending::Complete),
                Next::Idle => match self.more(lines)? {
                    Next::Idle => return Ok(Ending::Interrupted),
                    come => {
                        next = come;
                        continue;
                    }
                },
                Next::TooLong => self.bad(lines.line(), "the line is longer than max.message.bytes of the topic")?,
                Next::Record => {
                    if self.options.limit.is_some_and(|limit| self.writer.pushed() >= limit) {
                        return Ok(Ending::Complete);
                    }
                    draft.clear();
                    match shape.take(lines.record(), &mut draft) {
                        Taken::Record => {
                            if self.push(&draft, lines.line(), &mut pace)? == Ending::Interrupted {
                                return Ok(Ending::Interrupted);
                            }
                        }
                        Taken::Nothing => {}
                        // The end may come long after the line: here it ends the record, not the input.
                        Taken::Unfinished(what) => match self.extended(lines)? {
                            Next::Idle => return Ok(Ending::Interrupted),
                            Next::End | Next::TooLong => {
                                lines.reject();
                                self.bad(lines.line(), what)?;
                            }
                            Next::Record => {
                                next = Next::Record;
                                continue;
                            }
                        },
                        Taken::Bad(what) => self.bad(lines.line(), &what)?,
                    }
                }
            }
            next = lines.advance()?;
        }
    }

    /// Makes an unfinished record longer by a line, however long that takes. `Idle`: Ctrl-C came first.
    fn extended(&mut self, lines: &mut LineReader) -> Result<Next, Stop> {
        match lines.extend()? {
            Next::Idle => self.more(lines),
            next => Ok(next),
        }
    }

    /// Writes what there is and waits for more input. `Idle`: Ctrl-C came first.
    fn more(&mut self, lines: &mut LineReader) -> Result<Next, Stop> {
        loop {
            self.writer.flush()?;
            self.report.progress(self.writer.pushed());
            if self.watch.caught() {
                return Ok(Next::Idle);
            }
            lines.wait();
            match lines.resume()? {
                Next::Idle => {}
                next => return Ok(next),
            }
        }
    }

    fn push(&mut self, draft: &Draft, line: u64, pace: &mut Pace) -> Result<Ending, Stop> {
        let bytes = draft.bytes();
        if bytes > self.writer.record_bytes_max() {
            let limit = self.writer.record_bytes_max();
            self.bad(line, &format!("a record of {bytes} bytes is longer than max.message.bytes allows ({limit})"))?;
            return Ok(Ending::Complete);
        }
        let ending = pace.wait(self.writer, self.watch)?;
        if ending == Ending::Complete {
            let timestamp = draft.timestamp.or(self.options.time).unwrap_or_else(now_ms);
            self.writer.push(draft.key(), draft.value(), timestamp)?;
            pace.sent();
            self.report.tick(self.writer.pushed());
            if self.writer.pushed().is_multiple_of(INTERRUPT_RECORDS) && self.watch.caught() {
                return Ok(Ending::Interrupted);
            }
        }
        Ok(ending)
    }

    fn bad(&mut self, line: u64, what: &str) -> Result<(), Stop> {
        self.report.bad(line, what);
        if self.options.strict {
            // It is said already, and what came before it is written.
            return Err(Stop::Said(Exit::BadInput));
        }
        Ok(())
    }
}

/// How often a fast input looks whether Ctrl-C was pressed.
const INTERRUPT_RECORDS: u64 = 1024;

/// The wall clock: the time of records that bring none.
pub fn now_ms() -> i64 {
    crate::time::wall_time_ms()
}

#[cfg(test)]
mod tests;

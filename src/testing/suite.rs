//! All tests under some paths: found, run on all cores, reported in the order of the files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::case::{Case, read_cases};
use super::subject::NewSubject;
use super::verdict::{Kind, Status, Verdict};
use super::{json_case, sql_test};
use crate::error::{Error, Result};

/// Statements nest: the parser of a deep expression needs room.
const STACK_BYTES: usize = 16 << 20;

/// How long no verdict may come before the user is told which test is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many cases of one kind there are, and how many pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub total: usize,
}

/// What became of all cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub passed: usize,
    pub failed: usize,
    pub errors: usize,
    /// Cases that expect outputs.
    pub outputs: Tally,
    /// Cases that expect a rejection.
    pub rejections: Tally,
}

impl Summary {
    fn count(&mut self, verdict: &Verdict) {
        let passes = verdict.status == Status::Pass;
        match verdict.status {
            Status::Pass => self.passed += 1,
            Status::Fail => self.failed += 1,
            Status::Error => self.errors += 1,
        }
        let tally = match verdict.kind {
            Kind::Outputs => &mut self.outputs,
            Kind::Rejection => &mut self.rejections,
        };
        tally.total += 1;
        tally.passed += usize::from(passes);
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary { passed, failed, errors, outputs, rejections } = self;
        write!(
            f,
            "{passed} passed, {failed} failed, {errors} errors (outputs: {} of {} passed; rejections: {} of {})",
            outputs.passed, outputs.total, rejections.passed, rejections.total
        )
    }
}

/// One test of a file.
struct Test {
    file: String,
    name: String,
    body: Body,
}

enum Body {
    Json(Box<Case>),
    Sql(sql_test::SqlTest),
    /// Why it can't be run.
    Unreadable(String),
}

/// Tests that are to be run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Suite<'a> {
    /// Files, or folders with all `.json` and `.sql` files below them.
    pub paths: &'a [PathBuf],
    /// Names of tests, alone or behind their file's (`FILE: NAME`, as in the verdicts). Empty: all.
    pub only: &'a [String],
    /// Becomes a file with one JSON object a test:
    /// `{"file", "name", "expects": "outputs|rejection", "status": "pass|fail|error", "detail"}`.
    pub report: Option<&'a Path>,
    /// Tests under way at once; 0: as many as the machine has cores.
    pub side_by_side: usize,
}

impl Suite<'_> {
    /// Runs the tests, each on an engine of its own, and prints verdicts and a summary to `out`.
    pub fn run(&self, new_subject: NewSubject<'_>, out: &mut dyn Write) -> Result<Summary> {
        let mut tests = Vec::new();
        for file in find_files(self.paths)? {
            read_tests(&file, &mut tests);
        }
        self.select(&mut tests)?;
        run(&tests, self.report, self.side_by_side, new_subject, out)
    }

    /// A name that no test has is an error: nothing would be tested, and nobody would know.
    fn select(&self, tests: &mut Vec<Test>) -> Result<()> {
        if self.only.is_empty() {
            return Ok(());
        }
        let is_named = |test: &Test, name: &str| test.name == name || format!("{}: {}", test.file, test.name) == name;
        if let Some(name) = self.only.iter().find(|name| !tests.iter().any(|test| is_named(test, name))) {
            return Err(Error::world(format!("there is no test named '{name}'"))
                .hint("names are those in the verdicts, with or without the file's before it"));
        }
        tests.retain(|test| self.only.iter().any(|name| is_named(test, name)));
        Ok(())
    }
}

fn run(
    tests: &[Test],
    report: Option<&Path>,
    side_by_side: usize,
    new_subject: NewSubject<'_>,
    out: &mut dyn Write,
) -> Result<Summary> {
    let mut report = match report {
        None => None,
        Some(path) => Some(BufWriter::new(fs::File::create(path).map_err(|error| io_error(path, &error))?)),
    };
    let mut summary = Summary::default();
    let mut result = Ok(());
    in_order(tests, side_by_side, new_subject, |test, verdict| {
        summary.count(verdict);
        if result.is_ok() {
            result = print(test, verdict, out, report.as_mut().map(|report| report as &mut dyn Write));
        }
    })?;
    let written =
        result.and_then(|()| report.as_mut().map_or(Ok(()), Write::flush)).and_then(|()| writeln!(out, "{summary}"));
    written.map_err(|error| Error::world(format!("verdicts can't be written: {error}")))?;
    Ok(summary)
}

/// Runs the tests in parallel and hands on the verdicts in the order of the tests.
fn in_order(
    tests: &[Test],
    side_by_side: usize,
    new_subject: NewSubject<'_>,
    mut each: impl FnMut(&Test, &Verdict),
) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(side_by_side)
        .stack_size(STACK_BYTES)
        .thread_name(|i| format!("test-{i}"))
        .build()
        .map_err(|error| Error::world(format!("no threads: {error}")))?;
    // Room for all: each test sends once.
    let (sender, receiver) = mpsc::sync_channel(tests.len());
    let mut next = 0;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            pool.install(|| {
                // A test at a time: some take a hundred times as long as others.
                tests.par_iter().enumerate().with_max_len(1).for_each_with(sender, |sender, (index, test)| {
                    // The receiver lives until all have sent.
                    let _ = sender.send((index, run_test(test, new_subject)));
                });
            });
        });
        let mut waiting = BTreeMap::new();
        while next < tests.len() {
            match receiver.recv_timeout(PATIENCE) {
                Ok((index, verdict)) => drop(waiting.insert(index, verdict)),
                // A test can't be stopped from outside; at least it is known which one it is.
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("no verdict for {PATIENCE:?}; waiting for {}: {}", tests[next].file, tests[next].name);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(verdict) = waiting.remove(&next) {
                each(&tests[next], &verdict);
                next += 1;
            }
        }
    });
    match next == tests.len() {
        true => Ok(()),
        false => Err(Error::internal(format!("{} tests came to no verdict", tests.len() - next))),
    }
}

fn run_test(test: &Test, new_subject: NewSubject<'_>) -> Verdict {
    let kind = match &test.body {
        Body::Json(case) if case.rejection.is_some() => Kind::Rejection,
        Body::Sql(test) if test.expects_error() => Kind::Rejection,
        _ => Kind::Outputs,
    };
    let ran = catch_unwind(AssertUnwindSafe(|| match &test.body {
        Body::Json(case) => json_case::run(case, new_subject),
        Body::Sql(test) => sql_test::run(test, new_subject),
        Body::Unreadable(reason) => Verdict { kind, status: Status::Error, detail: reason.clone() },
    }));
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Verdict { kind, status: Status::Error, detail: format!("panic: {}", text.unwrap_or("without a message")) }
    })
}

fn print(test: &Test, verdict: &Verdict, out: &mut dyn Write, report: Option<&mut dyn Write>) -> std::io::Result<()> {
    writeln!(out, "{:<5} {}: {}", verdict.status.word(), test.file, test.name)?;
    if verdict.status != Status::Pass {
        for line in verdict.detail.lines() {
            writeln!(out, "        {line}")?;
        }
    }
    if let Some(report) = report {
        let line = serde_json::json!({
            "file": test.file,
            "name": test.name,
            "expects": verdict.kind.word(),
            "status": verdict.status.word(),
            "detail": verdict.detail,
        });
        writeln!(report, "{line}")?;
    }
    Ok(())
}

fn io_error(path: &Path, error: &std::io::Error) -> Error {
    Error::world(format!("{}: {error}", path.display()))
}

/// The test files of the paths: those named, and below folders all that end in `.json` or `.sql`, sorted.
fn find_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| io_error(path, &error))?;
        if metadata.is_dir() {
            walk(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    match files.is_empty() {
        true => Err(Error::world("there are no test files").hint("give .sql or .json files, or folders with some")),
        false => Ok(files),
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| io_error(folder, &error))?;
    let mut entries: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()
        .map_err(|error| io_error(folder, &error))?;
    entries.sort();
    for entry in entries {
        // What a link points to is not walked: it could lead back here.
        if entry.is_dir() && !entry.is_symlink() {
            walk(&entry, files)?;
        } else if is_sql(&entry) || has_extension(&entry, "json") {
            files.push(entry);
        }
    }
    Ok(())
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn is_sql(path: &Path) -> bool {
    has_extension(path, "sql")
}

fn read_tests(path: &Path, tests: &mut Vec<Test>) {
    let file = path.display().to_string();
    let unreadable = |reason: String| Test {
        file: file.clone(),
        name: "(the whole file)".to_owned(),
        body: Body::Unreadable(reason),
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return tests.push(unreadable(format!("the file can't be read: {error}"))),
    };
    if is_sql(path) {
        match sql_test::read_tests(&text) {
            Err(error) => tests.push(unreadable(error)),
            Ok(found) => tests.extend(found.into_iter().map(|test| Test {
                file: file.clone(),
                name: test.name.clone(),
                body: Body::Sql(test),
            })),
        }
        return;
    }
    match read_cases(&text) {
        Err(error) => tests.push(unreadable(error)),
        Ok(cases) => tests.extend(cases.into_iter().map(|(name, case)| Test {
            file: file.clone(),
            name,
            body: match case {
                Ok(case) => Body::Json(Box::new(case)),
                Err(reason) => Body::Unreadable(format!("the case can't be read: {reason}")),
            },
        })),
    }
}

//! Mutates statements of a corpus and looks for panics, hangs, stack overflows and texts that don't survive being printed.
//!
//! The test's process drives another one, this very test with `MILLPOND_FUZZ_WORKER` set, so that whatever ends the worker is
//! a finding: its input is kept in a file. Inputs that give an answer of a new kind (another statement, another message) join
//! the corpus while it runs.
//!
//! A few seconds with the other tests; for longer: `MILLPOND_FUZZ_CPU_MINUTES=30 MILLPOND_FUZZ_SEED=7 cargo test --test it
//! fuzz -- --nocapture`. Findings are in `MILLPOND_FUZZ_FINDINGS`, else in a folder of the system's temporary ones.

mod check;
mod mutate;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use check::Subject;
use mutate::Mutator;

/// Longer than anything may take: a second, of code that was made to be fast.
const HANG: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });
/// Inputs that a worker keeps beside those of the corpus.
const KEPT_MAX: usize = 4000;

const THIS_TEST: &str = "fuzz::no_text_ends_the_process_or_takes_a_second";

struct Options {
    cpu_minutes: f64,
    seed: u64,
    findings: PathBuf,
}

fn variable<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    match std::env::var(format!("MILLPOND_FUZZ_{name}")) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("MILLPOND_FUZZ_{name}={value}")),
        Err(_) => otherwise,
    }
}

#[test]
fn no_text_ends_the_process_or_takes_a_second() {
    // A folder that is kept: findings are to be looked at.
    let findings = std::env::temp_dir().join(format!("millpond-fuzz-{}", std::process::id()));
    let options = Options {
        cpu_minutes: variable("CPU_MINUTES", 0.15),
        seed: variable("SEED", 1),
        findings: variable("FINDINGS", findings),
    };
    if std::env::var("MILLPOND_FUZZ_WORKER").is_ok() { work(options) } else { drive(&options) }
}

/// Starts workers until the time is over; one that dies leaves a finding.
fn drive(options: &Options) {
    fs::create_dir_all(&options.findings).unwrap();
    let current = options.findings.join("current.sql");
    let (mut minutes, mut seed, mut executions, mut findings) = (0.0, options.seed, 0, Vec::new());
    while minutes < options.cpu_minutes {
        let _ = fs::remove_file(options.findings.join("done"));
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", THIS_TEST, "--nocapture"])
            .env("MILLPOND_FUZZ_WORKER", "1")
            .env("MILLPOND_FUZZ_SEED", seed.to_string())
            .env("MILLPOND_FUZZ_CPU_MINUTES", (options.cpu_minutes - minutes).to_string())
            .env("MILLPOND_FUZZ_FINDINGS", &options.findings)
            .output()
            .unwrap();
        let done = fs::read_to_string(options.findings.join("done")).unwrap_or_default();
        let mut numbers = done.split_whitespace().map(|number| number.parse::<f64>().unwrap());
        minutes += numbers.next().unwrap_or(0.05);
        executions += numbers.next().unwrap_or_default() as u64;
        if !output.status.success() {
            let kept = options.findings.join(format!("finding-{seed}.sql"));
            let _ = fs::copy(&current, &kept);
            findings.push(format!("{}: {}\n{}", kept.display(), output.status, last_lines(&output.stderr)));
        }
        seed += 1;
    }
    println!("{minutes:.1} CPU minutes, {executions} executions, {} findings", findings.len());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    // It got beyond what it was given.
    assert!(executions > corpus(options).len() as u64, "{executions} executions");
    if std::env::var("MILLPOND_FUZZ_FINDINGS").is_err() {
        fs::remove_dir_all(&options.findings).unwrap();
    }
}

fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// Tells of an input that takes too long, from another thread: who hangs can't.
struct Watch {
    start: Instant,
    /// Milliseconds since the start at which the current input was begun; 0: none is at work.
    begun: AtomicU64,
}

impl Watch {
    fn begin(&self) {
        self.begun.store((self.start.elapsed().as_millis() as u64).max(1), Ordering::Relaxed);
    }

    fn end(&self) {
        self.begun.store(0, Ordering::Relaxed);
    }

    fn look(&self) {
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let begun = self.begun.load(Ordering::Relaxed);
            if begun > 0 && self.start.elapsed() > Duration::from_millis(begun) + HANG && cpu_time() > HANG {
                // Another process may have had the core: only what was worked counts.
                let worked = cpu_time();
                std::thread::sleep(HANG);
                if self.begun.load(Ordering::Relaxed) == begun && cpu_time() - worked > HANG / 2 {
                    eprintln!("hangs");
                    std::process::abort();
                }
            }
        }
    }
}

fn work(options: Options) {
    let watch = Arc::new(Watch { start: Instant::now(), begun: AtomicU64::new(0) });
    let watched = watch.clone();
    std::thread::spawn(move || watched.look());
    // What a thread has by default: a stack that ends is a finding.
    let run = std::thread::Builder::new().stack_size(2 << 20);
    run.spawn(move || fuzz(&options, &watch)).unwrap().join().unwrap();
}

fn fuzz(options: &Options, watch: &Watch) {
    let mut texts = corpus(options);
    let mut mutator = Mutator::new(options.seed);
    let mut subject = Subject::new();
    let mut seen: HashSet<String> = HashSet::new();
    let current = options.findings.join("current.sql");
    let done = options.findings.join("done");
    let mut executions = 0_u64;
    let all = texts.len();
    loop {
        let number = executions as usize;
        let text = if number < all { texts[number].clone() } else { mutator.mutate(&texts) };
        fs::write(&current, &text).unwrap();
        watch.begin();
        let answer = subject.check(&text);
        watch.end();
        executions += 1;
        if number >= all && texts.len() < all + KEPT_MAX && text.len() < 4000 && seen.insert(answer) {
            texts.push(text);
        }
        if executions.is_multiple_of(100) {
            let minutes = cpu_time().as_secs_f64() / 60.0;
            fs::write(&done, format!("{minutes} {executions}")).unwrap();
            if minutes >= options.cpu_minutes {
                return;
            }
        }
    }
}

/// The project's queries, statements of all kinds, and what is nested deeply: 100,000 levels where there is time for them.
fn corpus(options: &Options) -> Vec<String> {
    let levels: &[usize] = if options.cpu_minutes < 1.0 { &[1000, 18] } else { &[100_000, 95, 45, 18] };
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = files(&project.join("queries"));
    texts.extend(files(&project.join("tests/it/fuzz/corpus")));
    texts.extend(mutate::deep(levels));
    texts
}

/// The texts of a folder's `.sql` files, in the order of their names.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What this process has worked.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or_default();
    // utime and stime, in hundredths of a second.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

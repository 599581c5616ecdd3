//! Mutates statements of a corpus and looks for panics, hangs, stack overflows and texts that don't survive being printed.
//!
//! One process drives another that does the work, so that whatever ends the worker is a finding: its input is kept in a file.
//! Inputs that give an answer of a new kind (another statement, another message) join the corpus while it runs.

mod check;
mod mutate;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use check::Subject;
use mutate::Mutator;

/// Longer than anything may take.
const HANG: Duration = Duration::from_secs(1);
/// Inputs that a worker keeps beside those of the corpus.
const KEPT_MAX: usize = 4000;

struct Options {
    cpu_minutes: f64,
    seed: u64,
    corpus: PathBuf,
    findings: PathBuf,
    worker: bool,
}

fn options() -> Result<Options, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (corpus, findings) = (here.join("corpus"), std::env::temp_dir().join("millpond-fuzz"));
    let mut options = Options { cpu_minutes: 1.0, seed: 1, corpus, findings, worker: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--cpu-minutes" => options.cpu_minutes = value()?.parse().map_err(|_| "a number of minutes")?,
            "--seed" => options.seed = value()?.parse().map_err(|_| "a whole number")?,
            "--corpus" => options.corpus = value()?.into(),
            "--findings" => options.findings = value()?.into(),
            "--worker" => options.worker = true,
            _ => return Err(format!("unknown option {arg}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(what) => {
            eprintln!("{what}\noptions: --cpu-minutes N --seed N --corpus FOLDER --findings FOLDER");
            return ExitCode::from(2);
        }
    };
    if options.worker { work(&options) } else { drive(&options) }
}

/// Starts workers until the time is over; one that dies leaves a finding.
fn drive(options: &Options) -> ExitCode {
    fs::create_dir_all(&options.findings).expect("the folder of the findings");
    let current = options.findings.join("current.sql");
    let (mut minutes, mut seed, mut executions, mut findings) = (0.0, options.seed, 0, 0);
    while minutes < options.cpu_minutes {
        let _ = fs::remove_file(options.findings.join("done"));
        let status = Command::new(std::env::current_exe().expect("this program"))
            .args(["--worker", "--seed", &seed.to_string()])
            .args(["--cpu-minutes", &(options.cpu_minutes - minutes).to_string()])
            .args([Path::new("--corpus"), &options.corpus, Path::new("--findings"), &options.findings])
            .status()
            .expect("a worker");
        let done = fs::read_to_string(options.findings.join("done")).unwrap_or_default();
        let mut numbers = done.split_whitespace().map(|number| number.parse::<f64>().unwrap_or_default());
        minutes += numbers.next().unwrap_or(0.05);
        executions += numbers.next().unwrap_or_default() as u64;
        if !status.success() {
            findings += 1;
            let kept = options.findings.join(format!("finding-{seed}.sql"));
            let _ = fs::copy(&current, &kept);
            println!("finding ({status}): {}", kept.display());
        }
        seed += 1;
    }
    println!("{minutes:.1} CPU minutes, {executions} executions, {findings} findings");
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Milliseconds since the worker began at which the current input was begun; 0: none is at work.
static BEGUN: AtomicU64 = AtomicU64::new(0);

fn work(options: &Options) -> ExitCode {
    let start = Instant::now();
    // Who hangs can't tell it: another thread does.
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let begun = BEGUN.load(Ordering::Relaxed);
            if begun > 0 && start.elapsed() > Duration::from_millis(begun) + HANG && cpu_time() > HANG {
                // Another process may have had the core: only what was worked counts.
                let worked = cpu_time();
                std::thread::sleep(HANG);
                if BEGUN.load(Ordering::Relaxed) == begun && cpu_time() - worked > HANG / 2 {
                    eprintln!("hangs");
                    std::process::abort();
                }
            }
        }
    });
    // What a thread has by default: a stack that ends is a finding.
    let run = std::thread::Builder::new().stack_size(2 << 20);
    let (options_of_worker, start) = (options.clone_for_worker(), start);
    match run.spawn(move || fuzz(&options_of_worker, start)).expect("a thread").join() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

impl Options {
    fn clone_for_worker(&self) -> Options {
        Options { corpus: self.corpus.clone(), findings: self.findings.clone(), ..*self }
    }
}

fn fuzz(options: &Options, start: Instant) {
    let mut texts: Vec<String> = files(&options.corpus);
    texts.extend(mutate::deep());
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
        fs::write(&current, &text).expect("the current input is kept");
        BEGUN.store((start.elapsed().as_millis() as u64).max(1), Ordering::Relaxed);
        let answer = subject.check(&text);
        BEGUN.store(0, Ordering::Relaxed);
        executions += 1;
        if number >= all && texts.len() < all + KEPT_MAX && text.len() < 4000 && seen.insert(answer) {
            texts.push(text);
        }
        if executions.is_multiple_of(100) {
            let minutes = cpu_time().as_secs_f64() / 60.0;
            fs::write(&done, format!("{minutes} {executions}")).expect("the counts are kept");
            if minutes >= options.cpu_minutes {
                println!("{executions} executions, {} kinds of answers", seen.len());
                return;
            }
        }
    }
}

/// The texts of a folder's files, in the order of their names.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).expect("a text")).collect()
}

/// What this process has worked.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or_default();
    // utime and stime, in hundredths of a second.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

//! Work beside its bound, in turn, so that both see the same machine; what counts is the CPU time of the whole process,
//! the median over the rounds.

use std::time::Duration;

/// Rounds of work and bound, after one that isn't counted, unless told otherwise.
const ROUNDS: usize = 15;

/// One line of the table: work and bound do the same to the same rows.
pub struct Entry {
    pub name: &'static str,
    /// What the bound is.
    pub bound_name: &'static str,
    /// The ratio that must be reached, and the one that is aimed at.
    pub floor: f64,
    pub aim: f64,
    /// Rows and bytes that a round goes over.
    pub rows: usize,
    pub bytes: usize,
    pub work: Box<dyn FnMut()>,
    /// Takes away what the work left on disk; its time doesn't count.
    pub after: Box<dyn FnMut()>,
    pub bound: Box<dyn FnMut()>,
}

/// What the command line asks for: words that choose works by their names, and `--rounds=N`.
pub struct Asked {
    words: Vec<String>,
    rounds: usize,
}

impl Asked {
    pub fn of_command_line() -> Asked {
        Asked {
            words: std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect(),
            rounds: std::env::args().find_map(|word| word.strip_prefix("--rounds=")?.parse().ok()).unwrap_or(ROUNDS),
        }
    }

    pub fn chooses(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }
}

pub fn print_head() {
    println!("{:<28} {:>6}  {:<46} {:>18} {:>18}", "work", "ratio", "bound and aim", "work", "bound");
}

/// Measures the entry, unless it isn't asked for, and prints its line.
pub fn measure(entry: &mut Entry, asked: &Asked) {
    if !asked.chooses(entry.name) {
        return;
    }
    let rounds = asked.rounds;
    let (mut works, mut bounds) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let work = cpu_time_of(&mut entry.work);
        (entry.after)();
        let bound = cpu_time_of(&mut entry.bound);
        if round > 0 {
            works.push(work);
            bounds.push(bound);
        }
    }
    let (work, bound) = (median(works), median(bounds));
    let ratio = bound.as_secs_f64() / work.as_secs_f64();
    let target = format!("(bound: {}, at least {}, aim {})", entry.bound_name, entry.floor, entry.aim);
    let short = if ratio < entry.floor { "  below the floor" } else { "" };
    println!(
        "{:<28} {ratio:>6.2}  {target:<46} {:>18} {:>18}{short}",
        entry.name,
        speed(entry, work),
        speed(entry, bound)
    );
}

/// Rows and bytes a CPU-second.
fn speed(entry: &Entry, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    format!("{:.2} M/s {:.2} GB/s", entry.rows as f64 / seconds / 1e6, entry.bytes as f64 / seconds / 1e9)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn cpu_time_of(run: &mut dyn FnMut()) -> Duration {
    let start = cpu_time();
    run();
    cpu_time() - start
}

/// CPU time of all threads of this process so far.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub fn cpu_time() -> Duration {
    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
    }
    const PROCESS_CPU_TIME: i32 = if cfg!(target_os = "linux") { 2 } else { 12 };
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the struct is the C library's on 64-bit systems, and lives through the call.
    let status = unsafe { clock_gettime(PROCESS_CPU_TIME, &mut time) };
    assert_eq!(status, 0, "the clock of the process can be read");
    Duration::new(time.seconds as u64, time.nanoseconds as u32)
}

/// Elsewhere the time on the wall.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub fn cpu_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

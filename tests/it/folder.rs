//! Data folders with the inputs that `queries/` and `examples/` read, filled by the binary as a person would.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use millpond::engine::Job;
use millpond::{Engine, Options};

/// A run that takes longer than this has got stuck.
const RUN_MAX: Duration = Duration::from_secs(600);

/// A topic and what goes into it.
#[derive(Debug, Clone)]
pub struct Input {
    pub topic: &'static str,
    pub file: PathBuf,
    /// Of `topic produce`.
    pub flags: &'static [&'static str],
    /// Where a query doesn't ask for another number.
    pub partitions: u32,
    /// The first line is a header.
    has_header: bool,
}

impl Input {
    /// The inputs that a query's `-- Input:` can name.
    pub fn named(name: &str) -> Input {
        let example = |path: &str| package().join("examples").join(path);
        let flights = example("flights/flights.csv.gz");
        match name {
            "flights" => Input::flights(flights),
            "departures" => Input {
                topic: "departures",
                flags: &["--null", "NA", "--key", "origin", "--timestamp", "time_hour"],
                ..Input::flights(flights)
            },
            "broken" => Input {
                topic: "broken",
                file: example("flights/broken.jsonl"),
                flags: &["--format", "raw"],
                partitions: 1,
                has_header: false,
            },
            // Rows of a table are there before the first flight.
            "planes" => Input::table(
                "planes",
                example("flights/planes.csv.gz"),
                &["--key", "tailnum", "--null", "NA", "--time", "2013-01-01"],
            ),
            "airlines" => Input::table(
                "airlines",
                example("flights/airlines.csv"),
                &["--key", "carrier", "--null", "NA", "--time", "2013-01-01"],
            ),
            "airports" => Input::table(
                "airports",
                example("flights/airports.csv.gz"),
                &["--key", "faa", "--null", "NA", "--time", "2013-01-01"],
            ),
            "weather" => Input::table(
                "weather",
                example("flights/weather.csv.gz"),
                &["--key", "origin", "--null", "NA", "--timestamp", "time_hour"],
            ),
            "people" => Input {
                topic: "people",
                file: example("people/people.jsonl"),
                flags: &["--key", "id"],
                partitions: 4,
                has_header: false,
            },
            "numbers" => Input {
                topic: "numbers",
                file: example("people/numbers.txt"),
                flags: &["--key-separator", ":"],
                partitions: 8,
                has_header: false,
            },
            other => panic!("no input is called {other}"),
        }
    }

    /// Flights from a file in the manner of the shipped one.
    pub fn flights(file: PathBuf) -> Input {
        Input {
            topic: "flights",
            file,
            flags: &["--null", "NA", "--key", "tailnum", "--timestamp", "time_hour"],
            partitions: 4,
            has_header: true,
        }
    }

    /// What flights are joined with: as many partitions.
    pub fn table(topic: &'static str, file: PathBuf, flags: &'static [&'static str]) -> Input {
        Input { topic, file, flags, partitions: 4, has_header: true }
    }

    /// The same input as two files in `folder`, the first with the first half of the lines.
    pub fn halves(&self, folder: &Path) -> [Input; 2] {
        let lines = self.lines();
        let (header, rows) = lines.split_at(usize::from(self.has_header));
        let (first, second) = rows.split_at(rows.len() / 2);
        [("first", first), ("second", second)].map(|(name, rows)| {
            let stored = self.file.file_name().unwrap().to_str().unwrap().trim_end_matches(".gz");
            let file = folder.join(format!("{name}-{stored}"));
            let text: String = header.iter().chain(rows).map(|line| format!("{line}\n")).collect();
            std::fs::File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
            Input { file, ..self.clone() }
        })
    }

    fn lines(&self) -> Vec<String> {
        let file = std::fs::File::open(&self.file).unwrap_or_else(|error| panic!("{}: {error}", self.file.display()));
        let is_gzip = self.file.extension().is_some_and(|extension| extension == "gz");
        let reader: Box<dyn std::io::Read> =
            if is_gzip { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
        BufReader::new(reader).lines().map(Result::unwrap).collect()
    }
}

/// The package's own folder.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A data folder that goes when it is dropped.
pub struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    /// An empty one, with the topic of an input.
    pub fn with_topic(input: &Input, partitions: u32) -> Folder {
        let folder = Folder { folder: tempfile::tempdir().unwrap() };
        folder.create(input, partitions);
        folder
    }

    /// Makes the topic of an input.
    pub fn create(&self, input: &Input, partitions: u32) {
        let partitions = partitions.to_string();
        self.millpond(&["topic", "create", input.topic, "--partitions", &partitions, "--config", "retention.ms=-1"]);
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn produce(&self, input: &Input) {
        let mut arguments = vec!["topic", "produce", input.topic, "--file", input.file.to_str().unwrap()];
        arguments.extend(input.flags);
        self.millpond(&arguments);
    }

    /// Runs the binary on the folder; gives what it printed.
    pub fn millpond(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millpond"));
        let output = command.arg("--data-dir").arg(self.path()).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "millpond {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Takes the folder. Between fork and exec, a child process of another test holds our files, too, the lock among
    /// them: hence the patience.
    pub fn open(&self) -> Engine {
        let mut patience = 500;
        loop {
            match Engine::try_open(&self.path(), Options::default()).unwrap() {
                Some(engine) => return engine,
                None if patience > 0 => patience -= 1,
                None => panic!("the folder is held by another process"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a script through all that is there and gives the engine, its queries done.
    pub fn run_to_end(&self, script: &str) -> Engine {
        let engine = self.open();
        let none = BTreeMap::new();
        let job = Job::start(&engine, script, &none, &none, true).unwrap();
        let ended = job.wait(RUN_MAX);
        assert!(ended.is_some(), "the job got stuck: {:?}", job.progress());
        ended.unwrap().unwrap();
        engine
    }

    /// Runs a script and stops it, wherever it is, as soon as it has read something.
    pub fn run_a_moment(&self, script: &str) {
        let engine = self.open();
        let none = BTreeMap::new();
        let mut job = Job::start(&engine, script, &none, &none, false).unwrap();
        for _ in 0..10_000 {
            if let Some(ended) = job.wait(Duration::from_millis(1)) {
                ended.unwrap();
            }
            if job.progress().iter().any(|query| query.rows_in > 0) {
                break;
            }
        }
        assert!(job.progress().iter().any(|query| query.rows_in > 0), "nothing was read: {:?}", job.progress());
        job.stop().unwrap();
    }
}

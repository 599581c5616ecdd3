//! The command line: every command and option, and the text of `--help`.

mod group;
mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::settings::{self, Effect};

pub use group::{GroupCommand, ResetOptions, ResetTo, TopicChoice};
pub use server::{AccessCommand, AccessEntry, ServerOptions, with_server};

use super::connect::{Connection, Purpose};
use super::datagen::Kind;
use super::exit::Stop;
use super::output::OutputFormat;
use super::produce::KeyFormat;
use crate::config::Config;
use crate::server::client::Address;

const EXAMPLES: &str = "\
Examples:
  millpond                                                  a terminal on the default data folder
  millpond --data-dir D -e \"SHOW STREAMS;\"                  run statements; -f FILE takes them from a file
  millpond -e \"SELECT * FROM t;\" --output json              one JSON object a row
  millpond topic create flights --partitions 4 --config retention.ms=-1 --if-not-exists
  millpond topic produce flights --file flights.csv.gz --format csv --null NA --key tailnum --timestamp time_hour
  millpond topic produce lines --key-separator : --rate 100 raw lines from stdin
  millpond topic consume flights --from-beginning --until-end --output json
  millpond topic list | describe T | alter T | empty T | delete T
  millpond group list | describe G | reset G --to earliest --dry-run
  millpond datagen people --rate 5                          also pageviews, users, nexmark
  millpond run queries.sql                                  a job, until SIGTERM or Ctrl-C
  millpond run queries.sql --until-end --set processing.guarantee=at_least_once
  millpond server --listen 127.0.0.1:8088                   ksqlDB's HTTP API
  millpond http://localhost:8088                            a terminal on that server; --server URL with any command
  millpond access user ann --role admin --file access       then: millpond server --listen 0.0.0.0:8088 --access access
  millpond test tests/ --report report.jsonl
  millpond fmt queries/*.sql                                --check changes nothing and tells which would change

One process holds a data folder and runs its queries; every other command on that folder attaches to it,
but for run and server, which work on a folder that they hold.

Exit codes:
  0    all went well (also: stopped by Ctrl-C or SIGTERM where that is the way to stop)
  1    a statement or a test failed
  2    the command line is wrong
  3    the environment: folder, rights, disk, a file or topic that is not there
  4    a defect of millpond
  5    some input lines were bad and left out; all others are written
  130  stopped by Ctrl-C before the work was done";

/// A streaming database: continuous SQL over durable topics, in one binary. Without a command: a terminal.
#[derive(Debug, Parser)]
#[command(name = "millpond", version, after_help = EXAMPLES, args_conflicts_with_subcommands = false)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    /// Statements to run, in order; stops at the first that fails. May be given more than once
    #[arg(short = 'e', long = "execute", value_name = "SQL", allow_hyphen_values = true)]
    pub execute: Vec<String>,
    /// File of statements to run (`-`: stdin); runs after those of -e
    #[arg(short = 'f', long = "file", value_name = "FILE", id = "script")]
    pub file: Vec<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Above the options that stand before or after any command.
const COMMON: &str = "Common options";

/// Options that stand before or after any command.
#[derive(Debug, Args)]
pub struct Common {
    /// Folder of topics, catalog and state; of a process on a cluster, its own [default: `millpond` in the platform's data
    /// folder; on a cluster `services/<service id>` in that]
    #[arg(long, global = true, help_heading = COMMON, value_name = "DIR", env = "MILLPOND_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// The topics are on this Kafka cluster: HOST:PORT of some of its brokers, with commas between
    #[arg(long, global = true, help_heading = COMMON, value_name = "HOST:PORT,...", env = "MILLPOND_BOOTSTRAP_SERVERS")]
    pub bootstrap_servers: Option<String>,
    /// Settings in ksqlDB's names: bootstrap.servers, ksql.service.id, ksql.streams.*, and those of Kafka's clients
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Works on a server instead of a data folder: http://HOST:PORT, or https
    #[arg(long, global = true, help_heading = COMMON, value_name = "URL", env = "MILLPOND_SERVER")]
    pub server: Option<String>,
    /// Who asks the server; the password is in MILLPOND_PASSWORD, or in --password-file
    #[arg(long, global = true, help_heading = COMMON, value_name = "NAME", requires = "server")]
    pub user: Option<String>,
    /// The password of --user, on the first line of a file
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// A token instead of a user, on the first line of a file
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE", conflicts_with = "user", requires = "server")]
    pub token_file: Option<PathBuf>,
    /// Certificates in PEM that are trusted when the server's is checked, instead of the system's
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE", requires = "server")]
    pub tls_ca: Option<PathBuf>,
    /// Memory for all queries together, e.g. 512MB or 4GB; a query that needs more than is left stops with the reason
    #[arg(long, global = true, help_heading = COMMON, value_name = "SIZE", value_parser = parse_size)]
    pub memory: Option<u64>,
    /// Takes a snapshot of a query's state after so many changes of it, whatever its size (for tests)
    #[arg(long, global = true, help_heading = COMMON, value_name = "N", hide = true)]
    pub snapshot_records: Option<u64>,
    /// How results are shown
    #[arg(long, global = true, help_heading = COMMON, value_name = "FORMAT", default_value = "tabular", ignore_case = true)]
    pub output: OutputFormat,
    /// Sets a property, as SET does. May be given more than once
    #[arg(long, global = true, help_heading = COMMON, value_name = "K=V", value_parser = parse_setting)]
    pub set: Vec<(String, String)>,
    /// Defines a variable for ${K}, as DEFINE does. May be given more than once
    #[arg(short = 'd', long, global = true, help_heading = COMMON, value_name = "K=V", value_parser = parse_pair)]
    pub define: Vec<(String, String)>,
}

impl Common {
    /// The properties that a session begins with.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        for (name, value) in &self.set {
            // Only what can be set comes out of the command line.
            let _ = settings::set(&mut properties, name, value);
        }
        properties
    }

    /// The folder or server that is asked for.
    pub fn connection(&self, purpose: Purpose) -> Result<Connection, Stop> {
        let mut config = Config::load(self.config_file.as_deref(), self.bootstrap_servers.as_deref())?;
        for (name, value) in &self.set {
            // Only what can be set comes out of the command line.
            if let Ok(Effect::None(why)) = settings::set(&mut config.properties, name, value) {
                config.without_effect.push((name.clone(), why.to_owned()));
            }
        }
        let data_dir = match &self.data_dir {
            Some(data_dir) => data_dir.clone(),
            None => {
                let platform = dirs::data_dir().ok_or_else(|| {
                    Stop::Usage("this platform has no data folder: give one with --data-dir".to_owned())
                })?;
                let millpond = platform.join("millpond");
                // What a process keeps of a cluster lies apart from the topics of the folder's own log.
                if config.kafka.is_some() { millpond.join("services").join(config.service.id()) } else { millpond }
            }
        };
        let server = match &self.server {
            Some(_) if config.kafka.is_some() => {
                return Err(Stop::Usage("a server has its own log: --server goes without a cluster".to_owned()));
            }
            Some(url) => Some(Address::new(url, self.tls_ca.as_deref(), self.credentials()?.as_ref())?),
            None => None,
        };
        Ok(Connection {
            data_dir,
            server,
            memory_bytes_max: self.memory,
            snapshot_records: self.snapshot_records,
            purpose,
            config,
        })
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create, fill, read, list, describe, alter, empty and delete topics
    #[command(subcommand)]
    Topic(TopicCommand),
    /// List, describe and reset groups of consumers, those of persistent queries too
    #[command(subcommand)]
    Group(GroupCommand),
    /// Writes made-up records into a topic and prints the CREATE STREAM that fits
    Datagen(DatagenOptions),
    /// Runs a file of definitions and persistent queries as a job
    Run(RunOptions),
    /// Serves ksqlDB's HTTP API until SIGTERM or Ctrl-C; runs the folder's queries
    Server(ServerOptions),
    /// Writes the file of who may do what on a server
    #[command(subcommand)]
    Access(AccessCommand),
    /// Runs tests of SQL: no data folder, time from the records; with --bootstrap-servers on that cluster
    Test(TestOptions),
    /// Lays out files of statements, comments kept; the files are changed
    Fmt(FmtOptions),
}

#[derive(Debug, Subcommand)]
pub enum TopicCommand {
    /// Creates a topic
    Create(CreateOptions),
    /// Writes lines of a file or of stdin as records
    Produce(ProduceOptions),
    /// Shows records; follows the topic until Ctrl-C
    Consume(ConsumeOptions),
    /// Lists the topics
    #[command(visible_alias = "ls")]
    List {
        /// Also millpond's own topics
        #[arg(long)]
        all: bool,
    },
    /// Shows partitions with first and next offset, records, bytes, leader and replicas; configs
    Describe { topic: String },
    /// Adds partitions, sets or resets configs
    Alter(AlterOptions),
    /// Removes all records; offsets go on from where they were
    Empty { topic: String },
    /// Removes a topic with all its records
    Delete {
        topic: String,
        /// No error when there is no such topic
        #[arg(long)]
        if_exists: bool,
        /// Also when a stream, a table or a query uses it
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub struct CreateOptions {
    pub topic: String,
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub partitions: u32,
    /// Copies of each record, on as many brokers [default: as the cluster has it]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub replicas: Option<u16>,
    /// A config by Kafka's name, e.g. retention.ms=-1. May be given more than once
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    pub config: Vec<(String, String)>,
    /// No error when the topic is there already
    #[arg(long)]
    pub if_not_exists: bool,
}

#[derive(Debug, Args)]
pub struct AlterOptions {
    pub topic: String,
    /// The new number of partitions; it can only grow
    #[arg(long, short, value_parser = clap::value_parser!(u32).range(1..))]
    pub partitions: Option<u32>,
    /// Sets a config. May be given more than once
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    pub config: Vec<(String, String)>,
    /// Sets a config back to its default. May be given more than once
    #[arg(long, value_name = "K")]
    pub delete_config: Vec<String>,
}

/// How lines are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LineFormat {
    /// A header line, then a JSON object a line: numbers, true and false as such, empty as null, quoted as text
    Csv,
    /// As csv, with tabs
    Tsv,
    /// One JSON value a line, kept byte for byte
    Jsonl,
    /// The line is the value
    Raw,
}

#[derive(Debug, Args)]
pub struct ProduceOptions {
    pub topic: String,
    /// File to read, also .gz and .zst; `-` or nothing: stdin
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How lines are read [default: by the file's name; raw]
    #[arg(long)]
    pub format: Option<LineFormat>,
    /// The word that stands for null beside the empty field (csv); a raw value that equals it is a tombstone
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub null: Option<String>,
    /// The separator of csv [default: `,`; tsv: tab]
    #[arg(long, value_name = "CHAR", allow_hyphen_values = true, value_parser = parse_delimiter)]
    pub delimiter: Option<u8>,
    /// The field that is the record's key; it stays in the value
    #[arg(long, value_name = "FIELD")]
    pub key: Option<String>,
    /// How the key is written
    #[arg(long, value_name = "FORMAT", default_value = "string")]
    pub key_format: KeyFormat,
    /// Raw lines: the key stands before the first of these
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "key")]
    pub key_separator: Option<String>,
    /// The field that is the record's time: epoch milliseconds or ISO 8601 [default: now]
    #[arg(long, value_name = "FIELD")]
    pub timestamp: Option<String>,
    /// All records have this time: epoch milliseconds or ISO 8601. A table that a stream of old events is joined with needs
    /// one before theirs
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "timestamp")]
    pub time: Option<i64>,
    /// Writes to this partition only [default: by the key; without key in turn, a batch at a time]
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// At most so many records a second
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Stops after so many records
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Stops at the first bad line
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ConsumeOptions {
    pub topic: String,
    /// Starts with the first record [default: with the next one that is written]
    #[arg(long)]
    pub from_beginning: bool,
    /// Ends at what is there now
    #[arg(long)]
    pub until_end: bool,
    /// Goes on where this group stopped, and keeps its positions
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Starts at this offset, or at `earliest` or `latest`
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parse_offset, conflicts_with = "from_beginning")]
    pub offset: Option<StartOffset>,
    /// Stops after so many records
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// Where a reader starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOffset {
    Earliest,
    Latest,
    At(i64),
}

#[derive(Debug, Args)]
pub struct DatagenOptions {
    pub kind: Kind,
    /// Records a second [default: 10, nexmark 1000; with --count as fast as it goes]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Stops after so many records [default: at Ctrl-C]
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// The topic; made when it is not there [default: the kind's name]
    #[arg(long, value_name = "NAME")]
    pub topic: Option<String>,
    /// Partitions of a topic that is made
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub partitions: u32,
    /// The same seed gives the same records
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Time of the first record: epoch milliseconds or ISO 8601 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub start: Option<i64>,
}

#[derive(Debug, Args)]
pub struct RunOptions {
    /// File of SET, definitions and persistent queries
    pub file: PathBuf,
    /// Ends when all that is in the sources now is done and committed
    #[arg(long)]
    pub until_end: bool,
}

#[derive(Debug, Args)]
pub struct TestOptions {
    /// SQL test files, JSON cases, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only the test of this name; `FILE: NAME` where several files have it. May be given more than once
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Each test's statements go as HTTP requests to a server of their own, and what it answers is judged
    #[arg(long)]
    pub over_http: bool,
    /// Writes a JSON line a case to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct FmtOptions {
    /// Files of statements (`-`: stdin, laid out to stdout)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Change nothing: name the files that would change, and fail if there are any
    #[arg(long)]
    pub check: bool,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// A setting that there is, with a value that it takes.
fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = parse_pair(text)?;
    match settings::effect(&name, &value) {
        Ok(_) => Ok((name, value)),
        Err(error) => Err(error.hint.iter().fold(error.what, |what, hint| format!("{what} ({hint})"))),
    }
}

/// `1000`, `64k`, `512MB`, `4GiB`: powers of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err("expected a number and a unit: KB, MB, GB".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "expected a number and a unit, as 512MB".to_owned())?;
    let bytes = number * f64::from(1u32 << 10).powi(shift / 10);
    if bytes < 1.0 || bytes > u64::MAX as f64 {
        return Err("out of range".to_owned());
    }
    Ok(bytes as u64)
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("expected a number above 0".to_owned()),
    }
}

fn parse_offset(text: &str) -> Result<StartOffset, String> {
    match text.to_ascii_lowercase().as_str() {
        "earliest" => Ok(StartOffset::Earliest),
        "latest" => Ok(StartOffset::Latest),
        text => match text.parse::<i64>() {
            Ok(offset) if offset >= 0 => Ok(StartOffset::At(offset)),
            _ => Err("expected an offset from 0 on, `earliest` or `latest`".to_owned()),
        },
    }
}

fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" | "TAB" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
            _ => Err("expected one ASCII character or `tab`".to_owned()),
        },
    }
}

fn parse_time(text: &str) -> Result<i64, String> {
    super::produce::parse_timestamp(text.as_bytes())
        .ok_or_else(|| "expected epoch milliseconds or ISO 8601, as 2013-01-01T10:00:00Z".to_owned())
}

#[cfg(test)]
mod tests;

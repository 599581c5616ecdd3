//! Bad input and a bad environment: each a clear error with its documented exit code, or a counted record in the
//! processing log; and what can go on goes on.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{Ended, Running, millpond, on, run, run_ok, skipped};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const WORLD: i32 = 3;
const BAD_INPUT: i32 = 5;

/// A folder for a test; its data folder isn't made yet.
fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("data");
    (place, folder)
}

/// What all of these errors have in common: the code, the words, no trace of a panic.
#[track_caller]
fn fails(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}` is missing: {ended:#?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
}

/// Feeds lines to `topic produce`.
fn produce(folder: &Path, topic: &str, lines: &str, options: &[&str]) -> Ended {
    let mut args = vec!["topic", "produce", topic];
    args.extend(options);
    let mut command = on(folder, &args);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // It may stop before it has read all.
    let _ = child.stdin.take().expect("piped").write_all(lines.as_bytes());
    child.wait_with_output().expect("it ends").into()
}

/// The rows of a query, as JSON objects.
fn rows(folder: &Path, sql: &str) -> Vec<Value> {
    let out = run_ok(folder, &["--output", "json", "-e", sql]);
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

fn job(folder: &Path, sql: &str) -> Ended {
    let script = folder.with_extension("sql");
    fs::write(&script, sql).expect("the script can be written");
    run(folder, &["run", script.to_str().expect("UTF-8"), "--until-end"])
}

const COPY: &str = "CREATE STREAM s (id STRING KEY, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');
    CREATE STREAM o WITH (KAFKA_TOPIC='o') AS SELECT id, v FROM s;";

#[test]
fn bad_records_are_in_the_processing_log_and_the_others_go_on() {
    let (_place, folder) = place();
    run_ok(&folder, &["topic", "create", "t"]);
    let lines = ["{\"v\":1}", "{\"v\":", "{\"v\":\"x\"}", "[1]", "no json", "{\"v\":{}}", "{\"w\":1}", "{\"v\":2}"];
    assert_eq!(produce(&folder, "t", &lines.join("\n"), &[]).code, Some(0));
    let ended = job(&folder, COPY);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("in 8  out 3  late 0  bad 5"), "{ended:#?}");

    let out: Vec<Value> = rows(&folder, "SELECT v FROM o;").iter().map(|row| row["V"].clone()).collect();
    assert_eq!(out, [Value::from(1), Value::Null, Value::from(2)]);
    let bad = rows(&folder, "SELECT * FROM KSQL_PROCESSING_LOG;");
    let place = |row: &Value| (row["RECORD_OFFSET"].as_i64().unwrap(), row["RECORD"].as_str().unwrap().to_owned());
    let places: Vec<_> = bad.iter().map(place).collect();
    assert_eq!(places, [1, 2, 3, 4, 5].map(|at: usize| (at as i64, lines[at].to_owned())));
    for row in &bad {
        assert_eq!((row["TOPIC"].as_str(), row["PARTITION_ID"].as_i64()), (Some("t"), Some(0)));
        assert_eq!(row["TYPE"], "DESERIALIZATION");
        assert!(row["LOGGER"].as_str().unwrap().contains("CSAS_O"), "{row}");
        assert!(!row["MESSAGE"].as_str().unwrap().is_empty());
    }
    let printed = run_ok(&folder, &["-e", "PRINT default_ksql_processing_log FROM BEGINNING LIMIT 5;"]);
    assert_eq!(printed.matches("rowtime: ").count(), 5, "{printed}");
}

#[test]
fn no_bad_record_is_only_counted() {
    let (_place, folder) = place();
    run_ok(&folder, &["topic", "create", "t"]);
    let lines: Vec<String> = (0..5000).map(|n| format!("bad {n}")).collect();
    produce(&folder, "t", &lines.join("\n"), &[]);
    let ended = job(&folder, COPY);
    assert!(ended.stdout.contains("bad 5000"), "{ended:#?}");
    let mut found: Vec<String> = rows(&folder, "SELECT record FROM KSQL_PROCESSING_LOG;")
        .iter()
        .map(|row| row["RECORD"].as_str().unwrap().to_owned())
        .collect();
    let mut lines = lines;
    found.sort();
    lines.sort();
    assert!(found == lines, "{} entries of {}", found.len(), lines.len());
}

#[test]
fn a_late_row_is_in_the_processing_log() {
    let (_place, folder) = place();
    run_ok(&folder, &["topic", "create", "t"]);
    let line = |time: i64| format!("{{\"id\":\"a\",\"v\":1,\"time\":{time}}}\n");
    let lines: String = [1_000, 500_000, 2_000, 500_001].map(line).concat();
    produce(&folder, "t", &lines, &["--format", "jsonl", "--key", "id", "--timestamp", "time"]);
    let ended = job(
        &folder,
        "CREATE STREAM s (id STRING KEY, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');
         CREATE TABLE c AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 0 SECONDS)
           GROUP BY id;",
    );
    assert!(
        ended.stdout.contains("in 4  out 2  late 1  bad 0") || ended.stdout.contains("out 3  late 1"),
        "{ended:#?}"
    );
    let late = rows(&folder, "SELECT type, record_time FROM KSQL_PROCESSING_LOG;");
    assert_eq!(late.len(), 1, "{late:?}");
    assert_eq!((late[0]["TYPE"].as_str(), late[0]["RECORD_TIME"].as_i64()), (Some("LATE"), Some(2_000)));
}

#[test]
fn bad_lines_are_left_out_by_number() {
    let (_place, folder) = place();
    run_ok(&folder, &["topic", "create", "t"]);
    let ended = produce(&folder, "t", "{\"a\":1}\n{\"a\":\n{\"a\":2}\nnonsense\n", &["--format", "jsonl"]);
    fails(&ended, BAD_INPUT, &["line 2", "line 4"]);
    assert!(ended.stdout.contains("2 records written") && ended.stdout.contains("2 bad lines left out"), "{ended:#?}");

    let long = format!("short\n{}\nshort again\n", "x".repeat(3_000_000));
    let ended = produce(&folder, "t", &long, &[]);
    fails(&ended, BAD_INPUT, &["line 2", "max.message.bytes"]);
    assert!(ended.stdout.contains("2 records written"), "{ended:#?}");

    let ended = produce(&folder, "t", "{\"a\":1}\nnonsense\n{\"a\":2}\n", &["--format", "jsonl", "--strict"]);
    fails(&ended, BAD_INPUT, &["line 2"]);
    assert!(ended.stdout.contains("1 records written"), "{ended:#?}");
    let described = run_ok(&folder, &["topic", "describe", "t"]);
    assert!(described.contains("5 records"), "{described}");
}

#[test]
fn what_is_not_there_is_named() {
    let (_place, folder) = place();
    run_ok(&folder, &["topic", "create", "orders"]);
    let create = "CREATE STREAM s (id STRING KEY, amount INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');";
    run_ok(&folder, &["-e", create]);
    fails(&run(&folder, &["-e", "SELECT amuont FROM s;"]), FAILED, &["line 1:8", "AMUONT", "^"]);
    fails(&run(&folder, &["-e", "SELECT * FROM nowhere;"]), FAILED, &["line 1:15", "NOWHERE", "^"]);
    fails(&run(&folder, &["-e", "SELEC * FROM s;"]), FAILED, &["line 1:1"]);
    let elsewhere = create.replace("'orders'", "'order'").replace("STREAM s", "STREAM s2");
    fails(&run(&folder, &["-e", &elsewhere]), FAILED, &["order", "Hint:"]);
    fails(&run(&folder, &["topic", "consume", "order"]), WORLD, &["'order' does not exist", "Hint:"]);
    fails(&produce(&folder, "order", "a\n", &[]), WORLD, &["'order' does not exist"]);
    fails(&run(&folder, &["topic", "produce", "orders", "--file", "/no/such/file"]), WORLD, &["/no/such/file"]);
    fails(&run(&folder, &["-f", "/no/such/file"]), WORLD, &["/no/such/file"]);
    fails(&run(&folder, &["run", "/no/such/file"]), WORLD, &["/no/such/file"]);
    fails(&run(&folder, &["topic", "conssume", "orders"]), USAGE, &["conssume"]);
    fails(&run(&folder, &["--set", "nonsense"]), USAGE, &["nonsense"]);
    for command in [&["-e", "SHOW STREAMS;"][..], &["run", "nothing.sql"]] {
        let arguments = [&["--set", "commit.interval=5"], command].concat();
        fails(&run(&folder, &arguments), USAGE, &["Unknown property", "Did you mean commit.interval.ms?"]);
    }
    let ended = job(&folder, "SELECT * FROM s EMIT CHANGES;");
    fails(&ended, FAILED, &["no place in a job", "Hint:"]);
    // All that is as if nothing had happened.
    assert_eq!(produce(&folder, "orders", "{\"amount\":3}\n", &[]).code, Some(0));
    assert_eq!(rows(&folder, "SELECT amount FROM s;"), [serde_json::json!({"AMOUNT": 3})]);
}

/// A folder with two topics and some records, and nobody on it.
fn filled() -> (TempDir, PathBuf) {
    let (place, folder) = place();
    for topic in ["t", "u"] {
        run_ok(&folder, &["topic", "create", topic]);
        assert_eq!(produce(&folder, topic, "{\"v\":1}\n{\"v\":2}\n", &[]).code, Some(0));
    }
    (place, folder)
}

/// The files below the folder whose paths hold these words.
fn files(folder: &Path, words: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("it can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if words.iter().all(|word| path.to_string_lossy().contains(word)) {
                found.push(path);
            }
        }
    }
    found
}

fn only(mut files: Vec<PathBuf>) -> PathBuf {
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn cut(file: &Path, bytes: u64) {
    let file = fs::OpenOptions::new().write(true).open(file).expect("it opens");
    let length = file.metadata().expect("its length").len();
    file.set_len(length - bytes).expect("it is cut");
}

#[test]
fn a_cut_segment_is_refused_and_the_others_go_on() {
    let (_place, folder) = filled();
    cut(&only(files(&folder, &["topics/t~", ".log"])), 3);
    let consume = |topic| run(&folder, &["topic", "consume", topic, "--from-beginning", "--until-end"]);
    fails(&consume("t"), WORLD, &["damaged", "t~"]);
    assert_eq!(consume("u").code, Some(0));
    assert_eq!(produce(&folder, "u", "{\"v\":3}\n", &[]).code, Some(0));
    // A job says so and ends: waiting doesn't mend it.
    fails(&job(&folder, COPY), WORLD, &["damaged", "t~"]);
    let other = COPY.replace("'t'", "'u'").replace("STREAM s ", "STREAM s2 ").replace("STREAM o ", "STREAM o2 ");
    let other = other.replace("'o'", "'o2'").replace("FROM s", "FROM s2");
    fs::write(folder.with_extension("sql"), &other).expect("the script can be written");
    let ended = run(&folder, &["run", folder.with_extension("sql").to_str().unwrap(), "--until-end"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_cut_journal_is_refused() {
    let (_place, folder) = filled();
    cut(&only(files(&folder, &[".journal"])), 3);
    fails(&run(&folder, &["topic", "list"]), WORLD, &["damaged", ".journal"]);
    fails(&run(&folder, &["-e", "SHOW TOPICS;"]), WORLD, &["damaged", ".journal"]);
    fails(&job(&folder, COPY), WORLD, &["damaged", ".journal"]);
}

#[test]
fn a_strange_file_in_the_folder_is_no_obstacle() {
    let (_place, folder) = filled();
    let topic = only(files(&folder, &["topics/t~", ".log"]));
    let log = topic.ancestors().nth(4).expect("the log's folder").to_owned();
    for strange in [folder.join("notes.txt"), log.join("notes.txt"), topic.with_file_name("notes.log")] {
        fs::write(strange, "not ours").expect("it is written");
    }
    let listed = run_ok(&folder, &["topic", "list"]);
    assert!(listed.contains("| t ") && listed.contains("| u "), "{listed}");
    assert_eq!(job(&folder, COPY).code, Some(0));
    assert_eq!(rows(&folder, "SELECT * FROM o;").len(), 2);
    assert!(folder.join("notes.txt").exists());
}

#[test]
fn a_newer_folder_is_refused_unchanged() {
    let (_place, folder) = filled();
    let format = only(files(&folder, &["/format"]));
    let newer = fs::read_to_string(&format).expect("text").replace(" 1", " 99");
    fs::write(&format, &newer).expect("it is written");
    for args in [&["topic", "list"][..], &["-e", "SHOW TOPICS;"]] {
        fails(&run(&folder, args), WORLD, &["99", "newer"]);
    }
    fails(&job(&folder, COPY), WORLD, &["99", "newer"]);
    assert_eq!(fs::read_to_string(&format).expect("text"), newer);
    fs::write(&format, newer.replace(" 99", " 1")).expect("it is written");
    assert!(run_ok(&folder, &["topic", "list"]).contains("| t "));
}

#[test]
fn a_held_folder_says_by_whom_and_others_attach() {
    let (_place, folder) = filled();
    let datagen = || Running::start(on(&folder, &["datagen", "users", "--rate", "20"]));
    let mut owner = datagen();
    let until = Instant::now() + Duration::from_secs(20);
    // Who asks too early holds the folder itself for a moment, and the owner-to-be attaches to it.
    std::thread::sleep(Duration::from_millis(500));
    while !run(&folder, &["topic", "list"]).stdout.contains("users") || owner.0.try_wait().expect("its state").is_some()
    {
        assert!(Instant::now() < until, "the owner makes its topic");
        owner = datagen();
        std::thread::sleep(Duration::from_millis(500));
    }
    let pid = owner.0.id().to_string();
    fails(&job(&folder, COPY), WORLD, &["held by process", &pid, "Hint:"]);
    assert_eq!(produce(&folder, "t", "{\"v\":3}\n", &[]).code, Some(0));
    owner.kill();
    // The socket that the killed process left is no obstacle.
    assert_eq!(job(&folder, COPY).code, Some(0));
    assert_eq!(rows(&folder, "SELECT * FROM o;").len(), 3);
}

#[test]
fn a_file_is_no_data_folder() {
    let (_place, folder) = place();
    fs::write(&folder, "a file").expect("it is written");
    let name = folder.to_string_lossy().into_owned();
    fails(&run(&folder, &["topic", "list"]), WORLD, &[&name]);
    fails(&job(&folder, COPY), WORLD, &[&name]);
    fails(&run(&folder.join("below"), &["topic", "list"]), WORLD, &[&name]);
}

#[test]
fn a_folder_without_rights_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let (place, folder) = filled();
    let name = folder.to_string_lossy().into_owned();
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("rights");
    // Root may do everything: then somebody else tries.
    let as_other = |args: &[&str]| -> Ended {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(millpond());
            command
        } else {
            Command::new(millpond())
        };
        command.arg("--data-dir").arg(&folder).args(args).stdin(Stdio::null());
        command.output().expect("setpriv (util-linux) is there").into()
    };
    allow(place.path(), 0o755);
    allow(&folder, 0o000);
    fails(&as_other(&["topic", "list"]), WORLD, &["Permission denied", &name]);
    if is_root() {
        // It may be read, but not written.
        allow(&folder, 0o755);
        fails(&as_other(&["topic", "list"]), WORLD, &["Permission denied", &name]);
        fails(&as_other(&["-e", "SHOW TOPICS;"]), WORLD, &["Permission denied", &name]);
    }
    allow(&folder, 0o755);
    assert!(run_ok(&folder, &["topic", "list"]).contains("| t "));
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.starts_with(b"0\n"))
}

/// A file system in memory of so many MB, as long as this lives.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None: this process may not mount.
    pub fn mount(at: &Path, megabytes: u32) -> Option<SmallDisk> {
        fs::create_dir_all(at).expect("a folder");
        SmallDisk::call(at, &format!("size={megabytes}m")).then(|| SmallDisk(at.to_owned()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    fn resize(&self, megabytes: u32) {
        assert!(SmallDisk::call(&self.0, &format!("remount,size={megabytes}m")), "it can be resized");
    }

    fn call(at: &Path, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_writing_until_there_is_room() {
    let (place, _) = place();
    // 256 MB are kept free.
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), 264) else {
        skipped("a_full_disk_stops_writing_until_there_is_room: this process may not mount a file system");
        return;
    };
    let folder = disk.0.join("data");
    run_ok(&folder, &["topic", "create", "t", "--partitions", "2"]);
    let lines: String =
        (0..60_000).map(|n| format!("{{\"id\":\"{}\",\"v\":{n}}}\n", format!("{n:06}").repeat(20))).collect();
    let ended = produce(&folder, "t", &lines, &["--format", "jsonl", "--key", "id"]);
    fails(&ended, WORLD, &["takes no writes", "bytes left"]);
    let written: u64 = ended.stdout.split(' ').next().and_then(|word| word.parse().ok()).expect("a count");
    assert!(written > 0 && written < 60_000, "{ended:#?}");

    // A job on it waits, says why, and goes on when there is room: nothing is lost or there twice.
    let script = place.path().join("job.sql");
    fs::write(&script, COPY).expect("the script can be written");
    disk.resize(266);
    let mut command = on(&folder, &["run", script.to_str().unwrap(), "--until-end"]);
    let (said, heard) = (place.path().join("said"), place.path().join("said"));
    command.stdout(fs::File::create(said).expect("a file"));
    let mut running = Running::start(command);
    let until = Instant::now() + Duration::from_secs(60);
    while !fs::read_to_string(&heard).unwrap_or_default().contains("BLOCKED: the log takes no writes") {
        assert!(Instant::now() < until, "{:?}", fs::read_to_string(&heard));
        assert!(running.0.try_wait().expect("its state").is_none(), "{:?}", fs::read_to_string(&heard));
        std::thread::sleep(Duration::from_millis(50));
    }
    disk.resize(400);
    while running.0.try_wait().expect("its state").is_none() {
        assert!(Instant::now() < until, "{:?}", fs::read_to_string(&heard));
        std::thread::sleep(Duration::from_millis(50));
    }
    let said = fs::read_to_string(&heard).expect("text");
    assert!(said.contains(&format!("FINISHED  in {written}  out {written} ")), "{written}: {said}");
    let described = run_ok(&folder, &["topic", "describe", "o"]);
    assert!(described.contains(&format!("{written} records")), "{described}");
}

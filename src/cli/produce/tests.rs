use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;

use crate::cli::args::{Cli, Command, TopicCommand};
use crate::cli::fake::{FakeLog, MAX_MESSAGE_BYTES, connected};
use crate::cli::output::OutputFormat;
use crate::log::partitioner::partition_for;

use super::*;

fn options(line: &str) -> ProduceOptions {
    let cli = Cli::try_parse_from(format!("millpond topic produce {line}").split_whitespace()).unwrap();
    match cli.command {
        Some(Command::Topic(TopicCommand::Produce(options))) => options,
        other => panic!("{other:?}"),
    }
}

/// Writes `bytes` to a file of this name and produces it into topic `t`. Gives the summary as JSON.
fn produce(name: &str, bytes: &[u8], flags: &str, log: &Arc<FakeLog>) -> (serde_json::Value, Result<(), Stop>) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let mut options = options(&format!("t {flags}"));
    options.file = Some(path);
    let (engine, _) = connected(log);
    let (mut out, memory) = Output::into_memory(OutputFormat::Json, None);
    let result = command(&options, &engine, &mut out);
    (serde_json::from_str(&memory.text()).unwrap_or_default(), result)
}

#[test]
fn csv_goes_to_the_partitions_of_its_keys() {
    let log = FakeLog::with_topic("t", 3);
    let text = "k,n,at\na,1,1000\nb,NA,2000\n\"a\n2\",3,3000\n";
    let (summary, result) = produce("x.csv", text.as_bytes(), "--null NA --key k --timestamp at", &log);
    result.unwrap();
    assert_eq!((&summary["records"], &summary["bad_lines"]), (&3.into(), &0.into()));
    for (key, expected) in [
        ("a", ("a", r#"{"k":"a","n":1,"at":1000}"#, 1000)),
        ("b", ("b", r#"{"k":"b","n":null,"at":2000}"#, 2000)),
        ("a\n2", ("a\n2", r#"{"k":"a\n2","n":3,"at":3000}"#, 3000)),
    ] {
        let partition = partition_for(key.as_bytes(), 3) as usize;
        let expected = (expected.0.to_owned(), expected.1.to_owned(), expected.2);
        assert!(log.texts("t", partition).contains(&expected), "{key:?}");
    }
}

#[test]
fn all_records_may_have_one_time() {
    let log = FakeLog::with_topic("t", 1);
    produce("x.csv", b"k\na\nb\n", "--key k --time 2013-01-01", &log).1.unwrap();
    let times: Vec<i64> = log.texts("t", 0).into_iter().map(|(.., time)| time).collect();
    assert_eq!(times, [1_356_998_400_000; 2]);
    let both = "millpond topic produce t --time 5 --timestamp at".split_whitespace();
    assert!(Cli::try_parse_from(both).is_err());
}

#[test]
fn packed_files_are_unpacked() {
    use std::io::Write;
    let text = "{\"a\":1}\n{\"a\":2}";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    for (name, bytes) in [
        ("x.jsonl.gz", gz.finish().unwrap()),
        ("x.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
        ("x.jsonl", text.as_bytes().to_vec()),
    ] {
        let log = FakeLog::with_topic("t", 1);
        produce(name, &bytes, "--timestamp a", &log).1.unwrap();
        let expected = [("-".to_owned(), "{\"a\":1}".to_owned(), 1), ("-".to_owned(), "{\"a\":2}".to_owned(), 2)];
        assert_eq!(log.texts("t", 0), expected, "{name}");
    }
}

#[test]
fn bad_lines_are_left_out_and_counted() {
    let log = FakeLog::with_topic("t", 1);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_MESSAGE_BYTES));
    let text = format!("{{\"a\":1}}\n{{\"a\":\nnope\n{long}\n\n{{\"a\":2}}\n");
    let (summary, result) = produce("x.jsonl", text.as_bytes(), "", &log);
    assert!(matches!(result, Err(Stop::Said(Exit::BadInput))));
    assert_eq!((&summary["records"], &summary["bad_lines"]), (&2.into(), &3.into()));
    let strict = FakeLog::with_topic("t", 1);
    let (summary, result) = produce("x.jsonl", text.as_bytes(), "--strict", &strict);
    assert!(matches!(result, Err(Stop::Said(Exit::BadInput))));
    assert_eq!((&summary["records"], &summary["bad_lines"]), (&1.into(), &1.into()));
}

#[test]
fn an_unclosed_quote_costs_one_line() {
    let log = FakeLog::with_topic("t", 1);
    let (summary, _) = produce("x.csv", b"a,b\n1,2\n\"open,3\n4,5\n6,7\n", "", &log);
    assert_eq!((&summary["records"], &summary["bad_lines"]), (&3.into(), &1.into()));
    let values: Vec<_> = log.texts("t", 0).into_iter().map(|(_, value, _)| value).collect();
    assert_eq!(values, [r#"{"a":1,"b":2}"#, r#"{"a":4,"b":5}"#, r#"{"a":6,"b":7}"#]);
}

/// The end of a slow input comes while a quote is open: the lines behind the quote are read again.
#[cfg(unix)]
#[test]
fn an_unclosed_quote_at_a_slow_end_costs_one_line() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("x.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let written = pipe.clone();
    let slow = std::thread::spawn(move || {
        let mut pipe = std::fs::File::options().write(true).open(written).unwrap();
        pipe.write_all(b"a,b\n1,2\n\"open,3\n4,5\n6,7\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
    });
    let log = FakeLog::with_topic("t", 1);
    let mut options = options("t");
    options.file = Some(pipe);
    let (engine, _) = connected(&log);
    let (mut out, memory) = Output::into_memory(OutputFormat::Json, None);
    assert!(command(&options, &engine, &mut out).is_err());
    slow.join().unwrap();
    let summary: serde_json::Value = serde_json::from_str(&memory.text()).unwrap();
    assert_eq!((&summary["records"], &summary["bad_lines"]), (&3.into(), &1.into()));
}

#[test]
fn raw_lines_have_their_key_before_the_separator() {
    let log = FakeLog::with_topic("t", 1);
    let (summary, _) = produce("x.txt", b"k1:v:1\r\nno separator\nk2:-\n:", "--key-separator : --null -", &log);
    assert_eq!((&summary["records"], &summary["bad_lines"]), (&3.into(), &1.into()));
    let found: Vec<_> = log.texts("t", 0).into_iter().map(|(key, value, _)| (key, value)).collect();
    let expected = [("k1", "v:1"), ("k2", "-"), ("", "")];
    assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn records_without_key_go_in_turn_a_batch_at_a_time() {
    let log = FakeLog::with_topic("t", 3);
    let mut writer = TopicWriter::new(log.as_ref(), "t", None).unwrap();
    for batch in 0..4 {
        for _ in 0..2 {
            writer.push(None, Some(batch.to_string().as_bytes()), 0).unwrap();
        }
        writer.flush().unwrap();
    }
    assert_eq!(*log.appends.lock(), 4);
    let values = |partition| log.texts("t", partition).into_iter().map(|(_, value, _)| value).collect::<String>();
    assert_eq!((values(0), values(1), values(2)), ("0033".into(), "11".into(), "22".into()));
}

#[test]
fn full_batches_go_by_themselves() {
    let log = FakeLog::with_topic("t", 1);
    let mut writer = TopicWriter::new(log.as_ref(), "t", Some(0)).unwrap();
    for _ in 0..10 {
        writer.push(Some(b"k"), Some(&[b'x'; 400]), 0).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!((writer.written(), *log.appends.lock()), (10, 5));
}

#[test]
fn options_must_fit_together() {
    for line in [
        "t --key k",
        "t --timestamp k",
        "t --file x.csv --key-separator :",
        "t --file x.jsonl --delimiter ;",
        "t --file x.jsonl --null NA",
    ] {
        assert!(matches!(format_of(&options(line)), Err(Stop::Usage(_))), "{line}");
    }
    for (line, expected) in [
        ("t", LineFormat::Raw),
        ("t --file X.CSV.GZ", LineFormat::Csv),
        ("t --file a.ndjson.zst", LineFormat::Jsonl),
        ("t --file a.tsv", LineFormat::Tsv),
        ("t --file a.csv --format raw", LineFormat::Raw),
        ("t --file - --format jsonl --key k", LineFormat::Jsonl),
    ] {
        assert_eq!(format_of(&options(line)).unwrap(), expected, "{line}");
    }
}

#[test]
fn a_missing_topic_partition_or_file_is_the_worlds() {
    let log = FakeLog::with_topic("t", 1);
    let (engine, _) = connected(&log);
    let (mut out, _) = Output::into_memory(OutputFormat::Json, None);
    for line in ["x --file x.csv", "t --partition 1 --file x.csv", "t --file not-there.csv", "t --file /"] {
        let result = command(&options(line), &engine, &mut out);
        assert_eq!(result.unwrap_err().report(), Exit::World, "{line}");
    }
}

use std::sync::Arc;

use clap::Parser;

use crate::cli::args::{Cli, Command};
use crate::cli::exit::Exit;
use crate::cli::fake::{FakeLog, connected};
use crate::log::Records;

use super::*;

fn at(partition: u32) -> TopicPartition {
    TopicPartition { topic: "t".into(), partition }
}

/// Topic `t` of two partitions with 5 and 3 records, and groups `g` and `query_Q` that have read some.
fn log() -> Arc<FakeLog> {
    let log = FakeLog::with_topic("t", 2);
    for (partition, count) in [(0, 5), (1, 3)] {
        let mut records = Records::default();
        (0..count).for_each(|i| records.push(None, Some(b"v"), i));
        log.append(&at(partition), &records).unwrap();
    }
    log.alter_positions("g", &BTreeMap::from([(at(0), 4)])).unwrap();
    log.alter_positions("query_Q", &BTreeMap::from([(at(0), 2), (at(1), 3)])).unwrap();
    log
}

/// Runs `millpond group <line>`; gives its output.
fn group(log: &Arc<FakeLog>, line: &str) -> (String, Result<(), Stop>) {
    let cli = Cli::try_parse_from(format!("millpond group {line}").split_whitespace()).unwrap();
    let Some(Command::Group(options)) = cli.command else { panic!("{line}") };
    let (engine, _) = connected(log);
    let (mut out, memory) = Output::into_memory(cli.common.output, None);
    let result = command(&options, &engine, &mut out);
    (memory.text(), result)
}

fn json(log: &Arc<FakeLog>, line: &str) -> Vec<serde_json::Value> {
    let (text, result) = group(log, &format!("{line} --output json"));
    result.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn groups_are_listed_with_whose_they_are() {
    let log = log();
    log.alter_positions("_millpond-producer-1", &BTreeMap::from([(at(0), 1)])).unwrap();
    let names = |line: &str| -> Vec<String> {
        json(&log, line).iter().map(|group| group["group"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("list"), ["g", "query_Q"]);
    assert_eq!(names("list --all"), ["_millpond-producer-1", "g", "query_Q"]);
    let listed = json(&log, "list");
    assert_eq!((&listed[0]["kind"], &listed[0]["state"]), (&"consumer".into(), &"Empty".into()));
    assert_eq!((&listed[1]["kind"], &listed[1]["query"]), (&"query".into(), &"QUERY_Q".into()));
    let (text, _) = group(&log, "list");
    assert!(text.contains("| query_Q | Empty |       0 | query QUERY_Q |"), "{text}");
}

#[test]
fn a_group_tells_how_far_it_has_read() {
    let log = log();
    let described = &json(&log, "describe g")[0];
    let partition = &described["partitions"][0];
    assert_eq!(described["partitions"].as_array().unwrap().len(), 1);
    assert_eq!((&partition["committed"], &partition["end"], &partition["lag"]), (&4.into(), &5.into(), &1.into()));
    // Of a query also what it has not read yet.
    let described = &json(&log, "describe query_new")[0];
    assert_eq!(described["partitions"][1]["committed"], serde_json::Value::Null);
    assert_eq!(described["partitions"][1]["end"], 3);
    for line in ["describe G", "reset G --to earliest"] {
        let error = group(&log, line).1.unwrap_err();
        let Stop::Error(error) = error else { panic!("{error:?}") };
        assert!(error.to_string().contains("there is no group 'G' (Did you mean g?)"), "{error}");
    }
}

#[test]
fn a_group_is_reset() {
    let log = log();
    let positions = |name: &str| log.positions(name).unwrap().into_values().collect::<Vec<_>>();
    let shown = json(&log, "reset query_Q --to earliest --dry-run");
    assert_eq!(
        (&shown[1]["from"], &shown[1]["to"], &shown[1]["status"]),
        (&3.into(), &0.into(), &"would be set".into())
    );
    assert_eq!(positions("query_Q"), [2, 3]);
    assert_eq!(json(&log, "reset query_Q --to earliest").len(), 2);
    assert_eq!(positions("query_Q"), [0, 0]);
    // A consumer's: only what it has read, unless a topic is given.
    json(&log, "reset g --to latest");
    assert_eq!(positions("g"), [5]);
    json(&log, "reset g --to-offset 2 --topic t:1");
    assert_eq!(positions("g"), [5, 2]);
    json(&log, "reset other --to earliest --topic t");
    assert_eq!(positions("other"), [0, 0]);
}

#[test]
fn what_cannot_be_reset_stays_as_it_is() {
    let log = log();
    log.alter_positions("query_BUSY", &BTreeMap::from([(at(0), 1)])).unwrap();
    for (line, exit) in [
        ("reset g --to-offset 6", Exit::World),
        ("reset g --to-offset 1 --topic t:0,2", Exit::World),
        ("reset g --to earliest --topic tt", Exit::World),
        ("reset nobody --to earliest", Exit::World),
        ("reset query_BUSY --to earliest", Exit::Failed),
        ("reset query_BUSY --to-offset 99", Exit::Failed),
    ] {
        let (text, result) = group(&log, line);
        assert_eq!((text.as_str(), result.unwrap_err().report()), ("", exit), "{line}");
    }
    assert_eq!(log.positions("g").unwrap(), BTreeMap::from([(at(0), 4)]));
    assert_eq!(log.positions("query_BUSY").unwrap(), BTreeMap::from([(at(0), 1)]));
    for line in [
        "millpond group reset g",
        "millpond group reset g --to earliest --to-offset 1",
        "millpond group reset g --to middle",
        "millpond group reset g --to-offset -1",
        "millpond group reset g --to earliest --topic t:x",
    ] {
        assert!(Cli::try_parse_from(line.split_whitespace()).is_err(), "{line}");
    }
}

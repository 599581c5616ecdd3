use clap::Parser;

use crate::cli::args::{Cli, Command};
use crate::cli::exit::Exit;
use crate::cli::fake::{FakeLog, connected};

use super::*;

/// Runs `millpond <line>` on a log that has topic `t` with two partitions and `_own`. Gives its output.
fn topic(line: &str) -> (String, Result<(), Stop>) {
    let log = FakeLog::with_topic("t", 2);
    let own = TopicSpec { name: "_own".into(), partitions: 1, replicas: None, configs: BTreeMap::new() };
    log.create_topic(&own).unwrap();
    log.create_topic(&TopicSpec { name: "used".into(), ..own }).unwrap();
    let cli = Cli::try_parse_from(format!("millpond {line}").split_whitespace()).unwrap();
    let Some(Command::Topic(options)) = cli.command else { panic!("{line}") };
    let (engine, _) = connected(&log);
    let (mut out, memory) = Output::into_memory(cli.common.output, None);
    let result = command(&options, &engine, &mut out);
    (memory.text(), result)
}

#[test]
fn topics_are_told() {
    let (text, _) = topic("topic list");
    assert!(text.contains("| t     |          2 |       0 |     0 |") && !text.contains("_own"), "{text}");
    assert_eq!(topic("topic list --all --output json").0.lines().count(), 3);
    let line = topic("topic describe t --output json").0;
    let described: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(described["partitions"][1]["next_offset"], 0);
    assert_eq!(described["configs"]["max.message.bytes"], "1000");
}

#[test]
fn a_misspelt_topic_is_told_from_one_that_is_not_there() {
    let hint = |line: &str| match topic(line).1.unwrap_err() {
        Stop::Error(error) => error.hint.unwrap(),
        other => panic!("{line}: {other:?}"),
    };
    for command in ["consume", "describe", "empty", "delete", "produce"] {
        let hint = hint(&format!("topic {command} USED"));
        assert!(hint.starts_with("Did you mean used?"), "{command}: {hint}");
    }
    assert_eq!(hint("topic consume nothing"), "`millpond topic create nothing` makes it");
    assert_eq!(topic("topic delete USED --if-exists").0, "Topic USED not there\n");
}

#[test]
fn commands_tell_what_they_did_and_what_went_wrong() {
    assert_eq!(topic("topic create x --output json").0, "{\"topic\":\"x\",\"status\":\"created\"}\n");
    assert_eq!(topic("topic create t --if-not-exists").0, "Topic t already there\n");
    assert_eq!(topic("topic delete t").0, "Topic t deleted\n");
    assert_eq!(topic("topic delete x --if-exists").0, "Topic x not there\n");
    for (line, exit) in [
        ("topic create t", Exit::World),
        ("topic delete x", Exit::World),
        ("topic describe x", Exit::World),
        ("topic alter t", Exit::Usage),
        ("topic alter t --config nonsense=1", Exit::Usage),
    ] {
        assert_eq!(topic(line).1.unwrap_err().report(), exit, "{line}");
    }
}

#[test]
fn what_is_used_is_not_deleted_nor_written_to_by_mistake() {
    let refusal = |line: &str| match topic(line).1 {
        Err(Stop::Error(error)) => error.to_string(),
        other => panic!("{line}: {other:?}"),
    };
    let told = refusal("topic delete used");
    assert!(told.contains("table T, query CTAS_T_1") && told.contains("--force"), "{told}");
    assert_eq!(topic("topic delete used --force").0, "Topic used deleted\n");
    assert_eq!(topic("topic delete used2 --if-exists").0, "Topic used2 not there\n");
    let told = refusal("topic produce used --file /dev/null");
    assert!(told.contains("table T") && told.contains("CTAS_T_1") && told.contains("INSERT INTO T VALUES"), "{told}");
}

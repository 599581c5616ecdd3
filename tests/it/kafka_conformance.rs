//! A sample of the conformance cases on a Kafka cluster: those that pass on the engine in memory, every so many by name, must
//! pass there, too, where queries have threads, members of groups, and transactions.

use std::path::{Path, PathBuf};

use crate::binary::{Ended, run};
use crate::kafka_broker;
use crate::outside;

/// How many; `MILLPOND_KAFKA_CASES` says otherwise, 0: all, which takes a while:
/// `MILLPOND_KAFKA_CASES=0 MILLPOND_CONFORMANCE=FOLDER cargo test --test it kafka_conformance -- --ignored`.
const CASES: usize = 40;

/// The last line of what `millpond test` prints.
fn test(folder: &Path, args: &[&str]) -> Ended {
    run(folder, &[&["test"], args].concat())
}

#[test]
#[ignore = "needs a Kafka broker and the conformance cases: see README"]
fn cases_that_pass_in_memory_pass_on_kafka() {
    let cases = outside::path("MILLPOND_CONFORMANCE").expect("the cases, or nobody asks for this test");
    let bootstrap = kafka_broker::bootstrap();
    let wanted = std::env::var("MILLPOND_KAFKA_CASES").map_or(CASES, |cases| cases.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let (report, parts) = (folder.path().join("report.jsonl"), [cases.join("query"), cases.join("rest")]);
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let mut args: Vec<String> = parts.iter().map(text).collect();
    let in_memory = [vec!["--report".to_owned(), text(&report)], args.clone()].concat();
    test(folder.path(), &in_memory.iter().map(String::as_str).collect::<Vec<_>>());
    let report = std::fs::read_to_string(report).unwrap();
    let mut passing: Vec<String> = report
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        // A statement that is rejected has no records to compare.
        .filter(|case| case["status"] == "pass" && case["expects"] == "outputs")
        .map(|case| format!("{}: {}", case["file"].as_str().unwrap(), case["name"].as_str().unwrap()))
        .collect();
    passing.sort();
    let every = passing.len().checked_div(wanted).unwrap_or(1).max(1);
    let sample: Vec<&String> = passing.iter().step_by(every).collect();
    assert!(sample.len() >= wanted, "{} cases of {}", sample.len(), passing.len());
    args.extend(["--bootstrap-servers".to_owned(), bootstrap.to_owned()]);
    args.extend(sample.iter().flat_map(|name| ["--only".to_owned(), (*name).clone()]));
    let ended = test(folder.path(), &args.iter().map(String::as_str).collect::<Vec<_>>());
    let misses: Vec<&str> = ended.stdout.lines().filter(|line| !line.starts_with("pass ")).collect();
    assert_eq!(ended.code, Some(0), "{}\n{}", misses.join("\n"), ended.stderr);
    assert!(ended.stdout.contains(&format!("{} passed, 0 failed, 0 errors", sample.len())), "{}", misses.join("\n"));
}

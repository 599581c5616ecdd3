//! How many of the conformance cases pass, by area: `tests/conformance.txt` has the counts, and none may fall.
//! `MILLPOND_WRITE_COUNTS=1` writes them down.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::binary::run;
use crate::outside;

/// By part and kind: how many pass, of how many.
type Counts = BTreeMap<String, (usize, usize)>;

/// The area of a case of part `query`: what the cases' own description counts by.
fn area(case: &Value) -> &'static str {
    let text = case.to_string().to_uppercase();
    let mut statements = case["statements"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if ["AVRO", "PROTOBUF", "JSON_SR", "SCHEMA_ID"].iter().any(|word| text.contains(word)) {
        return "formats";
    }
    let joins = |statement: &str| {
        statement.to_uppercase().split(|ch: char| !ch.is_alphanumeric() && ch != '_').any(|word| word == "JOIN")
    };
    if statements.any(joins) { "joins" } else { "language" }
}

/// The areas of a folder's cases, by file and name.
fn areas(folder: &Path) -> BTreeMap<(String, String), &'static str> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for case in file["tests"].as_array().unwrap() {
            found.insert((path.to_str().unwrap().to_owned(), case["name"].as_str().unwrap().to_owned()), area(case));
        }
    }
    found
}

/// Adds up what `millpond test` reports.
fn count(args: &[&str], part: &dyn Fn(&Value) -> String, counts: &mut Counts) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.jsonl");
    run(folder.path(), &[&["test", "--report", report.to_str().unwrap()], args].concat());
    for line in std::fs::read_to_string(report).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let kind = if case["expects"] == "outputs" { "outputs" } else { "rejections" };
        let (passed, total) = counts.entry(format!("{} {kind}", part(&case))).or_default();
        *passed += usize::from(case["status"] == "pass");
        *total += 1;
    }
}

#[test]
fn no_area_passes_fewer_cases_than_recorded() {
    let Some(cases) = outside::path("MILLPOND_CONFORMANCE") else { return };
    let (query, rest) = (cases.join("query"), cases.join("rest"));
    let areas = areas(&query);
    let text = |field: &Value| field.as_str().unwrap().to_owned();
    let area_of = |case: &Value| areas[&(text(&case["file"]), text(&case["name"]))].to_owned();
    let mut counts = Counts::new();
    count(&[query.to_str().unwrap()], &area_of, &mut counts);
    count(&[rest.to_str().unwrap()], &|_| "rest".to_owned(), &mut counts);
    count(&["--over-http", rest.to_str().unwrap()], &|_| "rest-over-http".to_owned(), &mut counts);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance.txt");
    if std::env::var("MILLPOND_WRITE_COUNTS").is_ok() {
        let lines = counts.iter().map(|(part, (passed, total))| format!("{part} {passed} of {total}\n"));
        std::fs::write(&file, lines.collect::<String>()).unwrap();
    }
    let mut fell = Vec::new();
    for line in std::fs::read_to_string(&file).unwrap().lines() {
        let [area, kind, passed, "of", total] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (now, of) = counts.remove(&format!("{area} {kind}")).unwrap_or_default();
        println!("{area} {kind}: {now} of {of} pass, {passed} of {total} recorded");
        if now < passed.parse::<usize>().unwrap() || of != total.parse::<usize>().unwrap() {
            fell.push(format!("{area} {kind}: {now} of {of}, recorded are {passed} of {total}"));
        }
    }
    assert!(fell.is_empty(), "{}", fell.join("\n"));
    assert!(counts.is_empty(), "not in {}: {counts:?}", file.display());
}

#[test]
fn a_case_counts_for_the_area_that_its_text_names() {
    let case = |text: &str| area(&serde_json::from_str(text).unwrap());
    assert_eq!(case(r#"{"statements": ["SELECT * FROM a;"]}"#), "language");
    assert_eq!(case(r#"{"statements": ["SELECT * FROM a", "SELECT * FROM a left join b ON a.x = b.x;"]}"#), "joins");
    assert_eq!(case(r#"{"statements": ["SELECT ARRAY_JOIN(a) FROM joined;"]}"#), "language");
    assert_eq!(case(r#"{"statements": ["SELECT * FROM a JOIN b"], "topics": [{"format": "avro"}]}"#), "formats");
}

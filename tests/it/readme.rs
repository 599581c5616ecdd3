//! What the README and the documents give to be pasted works.

use crate::binary::{Ended, millpond};
use crate::kafka_broker;

#[test]
fn the_test_of_sql_passes() {
    the_test_of_sql_passes_on(&[]);
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn the_test_of_sql_passes_on_kafka() {
    the_test_of_sql_passes_on(&["--bootstrap-servers", kafka_broker::bootstrap()]);
}

/// And fails when it expects something else.
fn the_test_of_sql_passes_on(where_to: &[&str]) {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, from) = readme.split_once("cat > titles.sql <<'SQL'\n").unwrap();
    let (sql, _) = from.split_once("\nSQL\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let test = |name: &str, sql: &str| -> Ended {
        let file = folder.path().join(name);
        std::fs::write(&file, sql).unwrap();
        std::process::Command::new(millpond()).arg("test").args(where_to).arg(file).output().unwrap().into()
    };
    let passed = test("titles.sql", sql);
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(passed.stdout.contains("1 passed"), "{passed:?}");
    assert_eq!(test("wrong.sql", &sql.replace("('Baker', 2)", "('Baker', 3)")).code, Some(1));
}

/// The examples of a document pass, all of them.
#[test]
fn the_examples_of_joins_pass() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/joins.md")).unwrap();
    let examples: Vec<&str> = document.split("```sql\n--@test:").skip(1).collect();
    let folder = tempfile::tempdir().unwrap();
    for (number, example) in examples.iter().enumerate() {
        let (sql, _) = example.split_once("\n```").unwrap();
        std::fs::write(folder.path().join(format!("{number}.sql")), format!("--@test:{sql}\n")).unwrap();
    }
    let passed: Ended = std::process::Command::new(millpond()).arg("test").arg(folder.path()).output().unwrap().into();
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(passed.stdout.contains(&format!("{} passed", examples.len())) && examples.len() > 7, "{passed:?}");
}

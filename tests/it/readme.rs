//! What the README gives to be pasted works.

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

//! ON with more than one condition.

use super::*;
use crate::expr::Typed;

/// A side of a join, without its new key: its source's name.
fn source(side: &Stage) -> &str {
    match &side.input {
        StageInput::Scan(scan) => &scan.source.name,
        other => panic!("{other:?}"),
    }
}

/// The columns that the last join's condition reads, as S1.A for a source's value column and `key` for the key. None: there is no
/// condition.
fn read(from: &str) -> Option<Vec<String>> {
    let analyzed = persistent(&format!("SELECT * FROM {from}"));
    let join = join_of(&analyzed.plan);
    let of_side = |side: &Stage| match side.steps.last() {
        Some(Step::Project(project)) => project.names[project.keys.len()..].to_vec(),
        other => panic!("{} {other:?}", source(side)),
    };
    let names = [vec!["key".to_string()], of_side(&join.left), of_side(&join.right)].concat();
    let columns = join.condition.as_ref().map(Typed::columns)?;
    let mut read: Vec<String> = columns.into_iter().map(|column| names[column].clone()).collect();
    read.sort();
    read.dedup();
    Some(read)
}

#[test]
fn one_equality_leads_and_the_rest_is_asked_of_pairs() {
    let with = |on: &str| read(&format!("S1 JOIN S2 WITHIN 1 HOUR ON {on}"));
    assert_eq!(with("S1.id = S2.id"), None);
    let one = Some(vec!["S1_V".to_string(), "S2_V".to_string()]);
    assert_eq!(with("S1.id = S2.id AND S1.v > S2.v"), one);
    assert_eq!(with("S1.v > S2.v AND S1.id = S2.id"), one);
    // Of one side, an OR within, an equality without two sides.
    let several = with("(a = 1 OR b <> 2) AND txt LIKE 'x%' AND S1.id = S2.id AND S1.v = S1.a").unwrap();
    assert_eq!(several, ["S1_A", "S1_TXT", "S1_V", "S2_B"]);
    // What the key has is read of the key.
    assert_eq!(with("S1.id = S2.id AND S1.id + S2.id < b"), Some(vec!["S2_B".to_string(), "key".to_string()]));
}

#[test]
fn the_first_equality_leads() {
    let with = |from: &str| shapes(&format!("SELECT * FROM {from}"));
    let by_a = ["S1!", "(<0 KAFKA INNER S2)"];
    assert_eq!(with("S1 JOIN S2 WITHIN 1 HOUR ON S1.v < S2.v AND S1.a = S2.id AND S1.id = S2.b"), by_a);
    let further = read("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id AND S2.b = S1.a");
    assert_eq!(further, Some(vec!["S1_A".to_string(), "S2_B".to_string()]));
    // A table has its key: only an equality with it can lead.
    assert_eq!(with("S1 JOIN T1 ON S1.v = T1.v AND S1.id = T1.id"), ["(S1 INNER T1)"]);
    assert_eq!(with("T1 JOIN T2 ON T1.v = T2.v AND T2.id = T1.id"), ["(T1 INNER T2)"]);
}

/// What only the condition reads is decoded and kept.
#[test]
fn what_a_condition_reads_is_wanted() {
    let analyzed =
        persistent("SELECT S1.id, a FROM S1 LEFT JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id AND txt <> 'x' AND b > 1");
    let scans: Vec<Vec<&str>> = analyzed.plan.scans().map(wanted).collect();
    assert_eq!(scans, [vec!["ID", "A", "TXT"], vec!["ID", "B"]]);
}

/// It reads the left table's key and values, then the right table's.
#[test]
fn a_foreign_key_join_asks_where_both_rows_are() {
    let analyzed = persistent("SELECT T1.id, T2.v FROM T1 JOIN T2 ON T1.v > T2.v AND T1.id <> T2.id AND f = T2.id");
    let stage = &analyzed.plan.stages[analyzed.plan.stages.len() - 2];
    let StageInput::Join(join) = &stage.input else { panic!("{stage:?}") };
    assert_eq!(join.method, JoinMethod::ForeignKey { left_keys: 1 });
    let mut columns = join.condition.as_ref().map(Typed::columns).unwrap();
    columns.sort_unstable();
    // T1's key, then ID V F and the three pseudo columns; T2's ID, V.
    assert_eq!(columns, [0, 2, 7, 8]);
    let scans: Vec<Vec<&str>> = analyzed.plan.scans().map(wanted).collect();
    assert_eq!(scans, [vec!["ID", "V", "F"], vec!["ID", "V"]]);
}

#[test]
fn an_equality_must_lead() {
    let with = |from: &str| refused(&format!("SELECT * FROM {from}"));
    let none = "none of the conditions is an equality of an expression of each side. Got";
    let cases = [
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id < S2.id AND a = 1", none),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S1.a AND S1.v > S2.v", none),
        (
            "S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id OR S1.a = S2.b",
            "(rows meet by an equality: ON left.column = right.column AND (... OR ...)",
        ),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.v AND a = b", "types don't match. Got S1.ID{INTEGER} = S2.V{BIGINT}."),
        (
            "S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id AND a + b",
            "Type error in ON expression: should evaluate to boolean but is INTEGER",
        ),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id AND nothing > 1", "Column 'NOTHING' cannot be resolved."),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id AND COUNT(a) > 1", "Aggregate functions are not allowed in ON."),
        (
            "S1 JOIN T1 ON S1.id = T1.id AND T2.v > 1 JOIN T2 ON S1.id = T2.id",
            "`T2` is joined later. Got T2.V > 1. (it is for the ON of T2, or for WHERE)",
        ),
        ("S1 JOIN T1 ON S1.a = T1.f AND S1.v = T1.v", "require to join on the table's primary key. Got S1.A = T1.F."),
        (
            "T1 FULL JOIN T2 ON T1.id = T2.id AND T1.v > T2.v",
            "a FULL OUTER JOIN of tables takes the equality of their keys only",
        ),
    ];
    for (from, reason) in cases {
        let told = with(from);
        assert!(told.contains(reason), "{from}: {told}");
    }
}

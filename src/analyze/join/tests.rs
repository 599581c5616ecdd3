//! Names, keys, rules and the stages of joins.

mod conditions;

use std::collections::BTreeMap;

use crate::analyze::query::{Analyzed, analyze};
use crate::analyze::{CreateSource, Target};
use crate::catalog::Catalog;
use crate::error::Result;
use crate::plan::{
    Exchange, Join, JoinKind, JoinMethod, Plan, Project, Rekey, ResultKind, Scan, Stage, StageInput, Step,
};
use crate::sql::ast::Statement;
use crate::sql::parse;
use crate::types::SqlType;

/// Streams S1, S2, S3 (keys of KAFKA), D (of DELIMITED), N (none), TWO (of two columns); tables T1, T2, T3, DT, TT2; windowed
/// streams W1, W2 (tumbling), W5 (of another size), WS (sessions).
fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let mut create = |kind: &str, name: &str, columns: &str, with: &str| {
        add(
            &mut catalog,
            &format!("CREATE {kind} {name} ({columns}) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON'{with});"),
        );
    };
    create("STREAM", "S1", "id INT KEY, v BIGINT, a INT, txt STRING, m MAP<STRING, INT>", "");
    create("STREAM", "S2", "id INT KEY, v BIGINT, b INT, m MAP<STRING, INT>", "");
    create("STREAM", "S3", "id INT KEY, v BIGINT, c INT", "");
    create("STREAM", "D", "id INT KEY, v BIGINT", ", KEY_FORMAT='DELIMITED'");
    create("STREAM", "N", "id INT, v BIGINT", "");
    create("STREAM", "TWO", "id INT KEY, id2 INT KEY, v BIGINT", ", KEY_FORMAT='JSON'");
    create("STREAM", "K", "id INT KEY, v BIGINT", "");
    create("TABLE", "T1", "id INT PRIMARY KEY, v BIGINT, f INT", "");
    create("TABLE", "T2", "id INT PRIMARY KEY, v BIGINT", "");
    create("TABLE", "T3", "id INT PRIMARY KEY, v BIGINT", "");
    create("TABLE", "DT", "id INT PRIMARY KEY, w BIGINT", ", KEY_FORMAT='DELIMITED'");
    create("TABLE", "TT2", "id INT PRIMARY KEY, id2 INT PRIMARY KEY, f INT", ", KEY_FORMAT='JSON'");
    create("STREAM", "W1", "id INT KEY, v BIGINT", ", WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 SECOND'");
    create("STREAM", "W2", "id INT KEY, v BIGINT", ", WINDOW_TYPE='HOPPING', WINDOW_SIZE='1 SECOND'");
    create("STREAM", "W5", "id INT KEY, v BIGINT", ", WINDOW_TYPE='TUMBLING', WINDOW_SIZE='5 SECONDS'");
    create("STREAM", "WS", "id INT KEY, v BIGINT", ", WINDOW_TYPE='SESSION'");
    for (name, kind) in [("WT1", "TUMBLING"), ("WT2", "TUMBLING"), ("HT", "HOPPING")] {
        let window = format!(", WINDOW_TYPE='{kind}', WINDOW_SIZE='1 SECOND'");
        create("TABLE", name, "id INT PRIMARY KEY, v BIGINT", &window);
    }
    catalog
}

fn add(catalog: &mut Catalog, text: &str) {
    let parsed = parse(text).unwrap().remove(0);
    let Statement::CreateSource { kind, is_source, name, columns, properties, .. } = &parsed.statement else {
        panic!("{text}")
    };
    let statement = parsed.text.as_str();
    let create = CreateSource { kind: *kind, is_source: *is_source, name, columns, properties, statement };
    catalog.put_source(create.analyze(catalog, &BTreeMap::new()).unwrap().0);
}

/// What a query means.
fn built(query: &str, target: Target) -> Result<Analyzed> {
    built_on(&catalog(), query, target)
}

fn built_on(catalog: &Catalog, query: &str, target: Target) -> Result<Analyzed> {
    let parsed = parse(&format!("{query};")).unwrap().remove(0);
    let Statement::Select(query) = &parsed.statement else { panic!("no SELECT") };
    let settings = BTreeMap::new();
    analyze(query, catalog, target, &settings)
}

fn persistent(query: &str) -> Analyzed {
    built(query, Target::Persistent).unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// The names of the result's columns, the key's before a bar.
fn columns(query: &str) -> String {
    let schema = persistent(query).plan.schema;
    let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
    format!("{} | {}", names[..schema.keys].join(" "), names[schema.keys..].join(" "))
}

fn refused(query: &str) -> String {
    match built(query, Target::Persistent) {
        Ok(_) => panic!("{query} is taken"),
        Err(error) => error.to_string(),
    }
}

/// A stage as text: `S1` is its scan, `<0` an exchange from stage 0, `!` a new key, `(x INNER y)` a join.
fn shape(stage: &Stage) -> String {
    let input = match &stage.input {
        StageInput::Scan(scan) => scan.source.name.clone(),
        StageInput::Exchange(Exchange { from, key, .. }) => format!("<{from} {}", key.format.name()),
        StageInput::Union(_) => panic!("a union"),
        StageInput::Join(join) => {
            let kind = match join.kind {
                JoinKind::Inner => "INNER",
                JoinKind::Left => "LEFT",
                JoinKind::Right => "RIGHT",
                JoinKind::Full => "FULL",
            };
            format!("({} {kind} {})", shape(&join.left), shape(&join.right))
        }
    };
    let makes_key = |step: &Step| matches!(step, Step::Project(project) if project.rekey != Rekey::Keep);
    let aggregates = |step: &Step| matches!(step, Step::Aggregate(_));
    let new_key = if stage.steps.iter().any(makes_key) { "!" } else { "" };
    let groups = if stage.steps.iter().any(aggregates) { "#" } else { "" };
    format!("{input}{new_key}{groups}")
}

fn shapes(query: &str) -> Vec<String> {
    persistent(query).plan.stages.iter().map(shape).collect()
}

/// The first join of a plan's last stage.
fn join_of(plan: &Plan) -> &Join {
    match plan.stages.last().map(|stage| &stage.input) {
        Some(StageInput::Join(join)) => join,
        other => panic!("{other:?}"),
    }
}

fn wanted(scan: &Scan) -> Vec<&str> {
    let columns = scan.source.columns.iter().zip(&scan.wanted).filter(|(_, wanted)| **wanted);
    columns.map(|(column, _)| column.name.as_str()).collect()
}

#[test]
fn columns_are_named_after_their_sources_where_several_have_them() {
    let joined = "FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id";
    assert_eq!(columns(&format!("SELECT S1.id, S1.v, S2.v, a, b {joined}")), "S1_ID | S1_V S2_V A B");
    assert_eq!(columns(&format!("SELECT S1.id AS k, S1.v AS x, a AS y {joined}")), "K | X Y");
    assert_eq!(columns(&format!("SELECT S1.id, S1.rowtime, a + 1 {joined}")), "S1_ID | S1_ROWTIME KSQL_COL_0");
    let renamed = "FROM S3 AS l JOIN T1 r ON l.id = r.id";
    assert_eq!(columns(&format!("SELECT * {renamed}")), "L_ID | L_V L_C R_ID R_V R_F");
    assert_eq!(columns(&format!("SELECT r.*, l.c {renamed}")), "R_ID | R_V R_F C");
    assert_eq!(columns(&format!("SELECT r.v, l.* {renamed}")), "L_ID | R_V L_V L_C");
}

#[test]
fn names_that_stand_for_nothing_or_too_much_are_refused() {
    let with = |item: &str| refused(&format!("SELECT {item} FROM S1 x JOIN S2 WITHIN 1 HOUR ON x.id = S2.id"));
    assert!(with("v").contains("Column 'V' is ambiguous. (Could be X.V or S2.V.)"), "{}", with("v"));
    assert!(with("vv, x.id").contains("Column 'VV' cannot be resolved. (Did you mean V?)"), "{}", with("vv"));
    assert!(with("x.vv").contains("Column 'X.VV' cannot be resolved. (Did you mean V?)"), "{}", with("x.vv"));
    assert!(with("S1.v").contains("'S1' is not a valid stream/table name or alias. (S1 is known as X here.)"));
    assert!(
        with("z.*").contains("'Z' is not a valid stream/table name or alias. (FROM has X and S2.)"),
        "{}",
        with("z.*")
    );
    // The plan's own names are nobody's to write.
    assert!(with("x_v").contains("Column 'X_V' cannot be resolved."));
    assert!(with("rowoffset").contains("Column 'ROWOFFSET' is ambiguous."));
    let clause = |clause: &str| {
        refused(&format!("SELECT x.id, COUNT(*) FROM S1 x JOIN S2 WITHIN 1 HOUR ON x.id = S2.id {clause}"))
    };
    for ambiguous in ["WHERE v > 1 GROUP BY x.id", "GROUP BY id", "GROUP BY x.id HAVING SUM(v) > 1"] {
        assert!(clause(ambiguous).contains("is ambiguous."), "{ambiguous}: {}", clause(ambiguous));
    }
    let taken = refused("SELECT * FROM S1 x JOIN S2 x WITHIN 1 HOUR ON x.id = x.id");
    assert!(taken.contains("There are two sources with the name or alias 'X'."), "{taken}");
}

/// `X` with the column `V_ID` and `X_V` with the column `ID` would have one name in the plan.
#[test]
fn names_of_the_plan_are_told_apart() {
    let mut catalog = catalog();
    add(&mut catalog, "CREATE STREAM C (id INT KEY, v_id STRING) WITH (KAFKA_TOPIC='C', VALUE_FORMAT='JSON');");
    for (item, ty) in [("x.v_id", SqlType::String), ("x_v.id", SqlType::Int)] {
        let query = format!("SELECT x.id AS k, {item} AS y FROM C x JOIN T1 x_v ON x.id = x_v.id");
        let analyzed = built_on(&catalog, &query, Target::Persistent).unwrap();
        assert_eq!(analyzed.plan.schema.columns[1].ty, ty, "{item}");
    }
}

#[test]
fn lambda_parameters_are_no_columns() {
    let analyzed =
        persistent("SELECT S1.id, TRANSFORM(ARRAY[a], v => v + 1) AS l FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id");
    let scans: Vec<Vec<&str>> = analyzed.plan.scans().map(wanted).collect();
    assert_eq!(scans, [vec!["ID", "A"], vec!["ID"]]);
}

/// Each of the equated columns stands for the key; the first in FROM that is in the SELECT list is it.
#[test]
fn the_key_is_the_first_equated_column_that_is_selected() {
    let with =
        |items: &str, join: &str| columns(&format!("SELECT {items} FROM S1 {join} S2 WITHIN 1 HOUR ON S2.id = S1.id"));
    for join in ["JOIN", "LEFT JOIN", "RIGHT JOIN"] {
        assert_eq!(with("a, S2.id, S1.id", join), "S1_ID | A S2_ID");
        assert_eq!(with("a, S2.id", join), "S2_ID | A");
        assert_eq!(with("a, S2.id AS k", join), "K | A");
    }
    assert_eq!(with("a, ROWKEY, S1.id", "FULL JOIN"), "ROWKEY | A S1_ID");
    assert_eq!(with("*", "FULL JOIN"), "ROWKEY | S1_ID S1_V S1_A S1_TXT S1_M S2_ID S2_V S2_B S2_M");
    let expressions = "FROM S1 JOIN S2 WITHIN 1 HOUR ON ABS(S1.id) = ABS(S2.id)";
    assert_eq!(columns(&format!("SELECT ROWKEY AS k, a {expressions}")), "K | A");
    let one = "FROM S1 JOIN S2 WITHIN 1 HOUR ON ABS(S1.id) = S2.id";
    assert_eq!(columns(&format!("SELECT S1.id, S2.id, a {one}")), "S2_ID | S1_ID A");
}

#[test]
fn a_key_that_is_not_selected_is_asked_for() {
    let missing = |from: &str| refused(&format!("SELECT a FROM S1 {from}"));
    let two = missing("JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id");
    assert!(
        two.contains("must include the join expressions S1.ID or S2.ID in its projection (eg, SELECT S1.ID...)"),
        "{two}"
    );
    let three = missing("JOIN T1 ON S1.id = T1.id LEFT JOIN T2 ON S1.id = T2.id");
    assert!(three.contains("the join expressions S1.ID, T1.ID or T2.ID in its"), "{three}");
    let made = missing("FULL JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id");
    assert!(made.contains("must include the join expression ROWKEY in its projection"), "{made}");
    assert!(made.contains("ROWKEY was added as a synthetic key column"), "{made}");
    // A reader is asked for nothing.
    assert!(built("SELECT a FROM S1 FULL JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id", Target::Transient).is_ok());
    let twice = refused("SELECT S1.id, S1.id AS again, a FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id");
    assert!(twice.contains("(`S1_ID`) more than once"), "{twice}");
}

/// By one more condition the same key; by another one only what that one equates.
#[test]
fn keys_of_chains() {
    let with = |items: &str, from: &str| columns(&format!("SELECT {items} FROM S1 {from}"));
    let same = "JOIN T1 ON S1.id = T1.id JOIN T2 ON T1.id = T2.id";
    assert_eq!(with("T2.id, a", same), "T2_ID | A");
    assert_eq!(with("T2.id, a, T1.id", same), "T1_ID | T2_ID A");
    let other = "JOIN T1 ON S1.a = T1.id JOIN T2 ON S1.id = T2.id";
    assert_eq!(with("T1.id, S1.id, a", other), "S1_ID | T1_ID A");
    assert!(refused(&format!("SELECT T1.id, a FROM S1 {other}")).contains("expressions S1.ID or T2.ID"));
    let through = "JOIN S2 WITHIN 1 HOUR ON S1.id = ABS(S2.b) JOIN S3 WITHIN 1 HOUR ON ABS(S2.b) = ABS(S3.c)";
    assert_eq!(with("S1.id, b", through), "S1_ID | B");
    let made = "JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id FULL JOIN S3 WITHIN 1 HOUR ON S2.id = S3.id";
    assert_eq!(with("ROWKEY, b", made), "ROWKEY | B");
}

#[test]
fn a_made_key_gets_out_of_the_way() {
    let mut catalog = catalog();
    add(&mut catalog, "CREATE STREAM R (ROWKEY INT KEY, v INT) WITH (KAFKA_TOPIC='R', VALUE_FORMAT='JSON');");
    let query = "SELECT ROWKEY_1, ROWKEY FROM S1 FULL JOIN R WITHIN 1 HOUR ON S1.id = R.ROWKEY";
    let analyzed = built_on(&catalog, query, Target::Persistent).unwrap();
    let names: Vec<&str> = analyzed.plan.schema.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, analyzed.plan.schema.keys), (vec!["ROWKEY_1", "ROWKEY"], 1));
}

/// Only rows whose key changes travel; where both do, to the leftmost source's format.
#[test]
fn sides_are_brought_to_one_place() {
    let with = |from: &str| shapes(&format!("SELECT * FROM {from}"));
    assert_eq!(with("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id"), ["(S1 INNER S2)"]);
    assert_eq!(with("S1 JOIN S2 WITHIN 1 HOUR ON S1.a = S2.id"), ["S1!", "(<0 KAFKA INNER S2)"]);
    assert_eq!(with("S1 LEFT JOIN S2 WITHIN 1 HOUR ON S1.id = S2.b"), ["S2!", "(S1 LEFT <0 KAFKA)"]);
    assert_eq!(with("S1 JOIN S2 WITHIN 1 HOUR ON S1.a = S2.b"), ["S1!", "S2!", "(<0 KAFKA INNER <1 KAFKA)"]);
    assert_eq!(with("D JOIN S2 WITHIN 1 HOUR ON D.id + 1 = S2.b"), ["D!", "S2!", "(<0 DELIMITED INNER <1 DELIMITED)"]);
    assert_eq!(with("N JOIN D WITHIN 1 HOUR ON N.id = D.id"), ["N!", "(<0 DELIMITED INNER D)"]);
    assert_eq!(with("TWO JOIN S1 WITHIN 1 HOUR ON TWO.id = S1.id"), ["TWO!", "(<0 KAFKA INNER S1)"]);
    assert_eq!(with("S1 JOIN T1 ON S1.a = T1.id"), ["S1!", "(<0 KAFKA INNER T1)"]);
    // No new key, but its bytes are others: the right side's rows lie elsewhere.
    assert_eq!(with("D JOIN S1 WITHIN 1 HOUR ON D.id = S1.id"), ["S1", "(D INNER <0 DELIMITED)"]);
    assert_eq!(with("T1 LEFT JOIN DT ON T1.id = DT.id"), ["DT", "(T1 LEFT <0 KAFKA)"]);
    assert_eq!(with("S1 JOIN DT ON S1.a = DT.id"), ["S1!", "(<0 DELIMITED INNER DT)"]);
}

#[test]
fn chains_stay_in_a_stage_while_the_key_does() {
    let with = |from: &str| shapes(&format!("SELECT * FROM {from}"));
    assert_eq!(with("S1 JOIN T1 ON S1.id = T1.id JOIN T2 ON S1.id = T2.id"), ["((S1 INNER T1) INNER T2)"]);
    assert_eq!(with("T1 JOIN T2 ON T1.id = T2.id FULL JOIN T3 ON T2.id = T3.id"), ["((T1 INNER T2) FULL T3)"]);
    assert_eq!(
        with("S1 JOIN T1 ON S1.a = T1.id LEFT JOIN T2 ON S1.id = T2.id"),
        ["S1!", "(<0 KAFKA INNER T1)!", "(<1 KAFKA LEFT T2)"]
    );
    // What is NULL in rows without a match is no key of theirs.
    assert_eq!(
        with("S1 LEFT JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id JOIN T1 ON S1.id = T1.id"),
        ["((S1 LEFT S2) INNER T1)"]
    );
    assert_eq!(
        with("S1 LEFT JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id JOIN T1 ON S2.id = T1.id"),
        ["(S1 LEFT S2)!", "(<0 KAFKA INNER T1)"]
    );
    assert_eq!(
        with("S1 RIGHT JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id JOIN T1 ON S1.id = T1.id"),
        ["(S1 RIGHT S2)!", "(<0 KAFKA INNER T1)"]
    );
    assert_eq!(
        with("S1 FULL JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id FULL JOIN S3 WITHIN 1 HOUR ON S1.id = S3.id"),
        ["(S1 FULL S2)!", "(<0 KAFKA FULL S3)"]
    );
}

#[test]
fn spans_and_grace_are_milliseconds() {
    let method = |within: &str| {
        let analyzed = persistent(&format!("SELECT S1.id, a FROM S1 JOIN S2 WITHIN {within} ON S1.id = S2.id"));
        join_of(&analyzed.plan).method.clone()
    };
    let of = |before_ms, after_ms, grace_ms| JoinMethod::StreamStream { before_ms, after_ms, grace_ms };
    assert_eq!(method("2 SECONDS"), of(2000, 2000, None));
    assert_eq!(method("(1 MINUTE, 0 SECONDS) GRACE PERIOD 1 HOUR"), of(60_000, 0, Some(3_600_000)));
}

#[test]
fn kinds_that_cannot_be_joined_are_refused_with_the_way_out() {
    let with = |from: &str| refused(&format!("SELECT * FROM {from}"));
    let cases = [
        ("S1 JOIN S2 ON S1.id = S2.id", "Stream-Stream joins must have a WITHIN clause"),
        ("S1 JOIN T1 WITHIN 1 HOUR ON S1.id = T1.id", "provided for a Stream-Table join"),
        ("T1 JOIN T2 WITHIN 1 HOUR ON T1.id = T2.id", "provided for a Table-Table join"),
        ("S1 RIGHT JOIN T1 ON S1.id = T1.id", "right-outer join not supported for stream-table join"),
        ("S1 FULL JOIN T1 ON S1.id = T1.id", "full-outer join not supported for stream-table join"),
        ("T1 JOIN S1 ON T1.id = S1.id", "begin FROM with the stream: S1 JOIN T1"),
        ("S1 JOIN T1 ON S1.a = T1.f", "require to join on the table's primary key. Got S1.A = T1.F."),
        ("S1 JOIN T1 ON S1.a = T1.id + 1", "require to join on the table's primary key"),
        ("S1 JOIN TT2 ON S1.a = TT2.id", "require to join on the table's primary key"),
        (
            "T1 JOIN T2 ON T1.id = CAST(T2.v AS INT)",
            "of the right input table. Got T1.ID = CAST(T2.V AS INTEGER). (the table whose key it is comes behind: T2 JOIN T1)",
        ),
        ("T1 LEFT JOIN T2 ON T1.v = T2.v AND T1.f < T2.id", "takes one equality only"),
        ("T1 JOIN TT2 ON T1.id = TT2.id", "require to join on the primary key of the right input table"),
        ("T1 FULL JOIN T2 ON T1.f = T2.id", "FULL OUTER JOIN on a foreign key is not supported"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.v", "Got S1.ID{INTEGER} = S2.V{BIGINT}. (CAST(S1.ID AS BIGINT))"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.v = S2.b", "(CAST(S2.B AS BIGINT))"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.txt = S2.b", "(CAST(S2.B AS STRING))"),
        ("S2 JOIN S1 WITHIN 1 HOUR ON S1.txt = S2.b", "(CAST(S2.B AS STRING))"),
        ("S1 JOIN T1 ON S1.v = T1.id", "(CAST(S1.V AS INTEGER); a table's key can't be cast)"),
        ("T1 JOIN T2 ON T2.id = T1.v", "(CAST(T1.V AS INTEGER); a table's key can't be cast)"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S2.v = S1.id", "Got S2.V{BIGINT} = S1.ID{INTEGER}."),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.m = S2.m", "Map keys, including types that contain maps, are not supported"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id OR a = b", "conditions that OR joins can't lead"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id < S2.id", "only an equality of two expressions joins. Got S1.ID < S2.ID."),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = 1", "'1' in join 'S1.ID = 1'. Each side"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id + S2.id = S2.b", "Each side of the join comparison must contain"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S1.a", "expected to reference the source (`S2`)"),
        ("S1 JOIN T1 ON S1.id = T2.id JOIN T2 ON S1.id = T2.id", "expected to reference the source (`T1`)"),
        ("S1 JOIN S2 WITHIN 1 HOUR ON COUNT(S1.id) = S2.id", "Aggregate functions are not allowed in ON."),
        ("S1 JOIN S2 WITHIN 1 HOUR ON x.id = id", "'X' is not a valid stream/table name or alias."),
        ("S1 JOIN S1 WITHIN 1 HOUR ON S1.id = S1.id", "the name or alias 'S1'. (give one of them an alias: S1 other"),
        ("S1 x JOIN S2 x WITHIN 1 HOUR ON x.id = x.id", "the name or alias 'X'. (give one of them another alias"),
        ("S1 JOIN NOBODY ON S1.id = NOBODY.id", "NOBODY does not exist."),
    ];
    for (from, reason) in cases {
        let told = with(from);
        assert!(told.contains(reason), "{from}: {told}");
    }
}

#[test]
fn windows_meet_windows_of_their_size() {
    let with = |left: &str, right: &str| format!("SELECT * FROM {left} l JOIN {right} r WITHIN 1 HOUR ON l.id = r.id");
    for (left, right, reason) in [
        (
            "W1",
            "S1",
            "Can not join windowed source to non-windowed source.\n`W1` is TUMBLING windowed\n`S1` is not windowed",
        ),
        ("W1", "WS", "Can not join sources with windows of different kinds."),
        ("W1", "W5", "Implicit repartitioning of windowed sources is not supported. (the windows must have one size"),
    ] {
        let told = refused(&with(left, right));
        assert!(told.contains(reason), "{told}");
    }
    let rekeyed = refused("SELECT * FROM W1 JOIN W2 WITHIN 1 HOUR ON W1.id = W2.id + 1");
    assert!(rekeyed.contains("Implicit repartitioning of windowed sources"), "{rekeyed}");
    let columns = columns(&with("W1", "W2"));
    assert_eq!(columns, "L_ID | L_WINDOWSTART L_WINDOWEND L_V R_ID R_WINDOWSTART R_WINDOWEND R_V");
    assert!(persistent(&with("W1", "W2")).window.is_some());
    assert!(persistent(&with("S1", "S2")).window.is_none());
}

#[test]
fn windowed_tables_and_tables_for_windowed_rows() {
    let with = |left: &str, right: &str| format!("SELECT * FROM {left} l JOIN {right} r ON l.id = r.id");
    assert_eq!(columns(&with("WT1", "WT2")), "L_ID | L_WINDOWSTART L_WINDOWEND L_V R_ID R_WINDOWSTART R_WINDOWEND R_V");
    assert!(matches!(persistent(&with("WT1", "WT2")).plan.result, ResultKind::Table { windowed: Some(_) }));
    assert!(persistent(&with("W1", "WT1")).window.is_some());
    assert_eq!(columns(&with("W1", "T2")), "L_ID | L_WINDOWSTART L_WINDOWEND L_V R_ID R_V");
    assert!(persistent(&with("WS", "T2")).window.is_some());
    for (left, right, reason) in [
        ("WT1", "HT", "windows of different kinds"),
        ("W1", "HT", "windows of different kinds"),
        ("WT1", "T2", "windowed source to non-windowed source"),
        ("T2", "WT1", "windowed source to non-windowed source"),
        ("S1", "WT1", "windowed source to non-windowed source"),
        ("WS", "WT1", "windows of different kinds"),
    ] {
        let told = refused(&with(left, right));
        assert!(told.contains(reason), "{left} {right}: {told}");
    }
    let grouped = refused("SELECT r.v, COUNT(*) AS n FROM WT1 l JOIN WT2 r ON l.id = r.id GROUP BY r.v");
    assert!(grouped.contains("persistent queries on windowed tables"), "{grouped}");
    assert!(refused("SELECT * FROM WT1").contains("persistent queries on windowed tables"));
    let by_value = refused("SELECT * FROM WT1 l JOIN WT2 r ON l.v = r.v");
    assert!(by_value.contains("many-to-many joins of windowed tables are not supported"), "{by_value}");
}

/// Of each source what some clause reads, through joins and exchanges; what isn't read isn't handed on.
#[test]
fn only_what_is_read_is_decoded_and_kept() {
    let analyzed = persistent(
        "SELECT S1.id, SUM(S2.b) AS n FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.a = S2.id WHERE txt = 'x' GROUP BY S1.id",
    );
    let scans: Vec<Vec<&str>> = analyzed.plan.scans().map(wanted).collect();
    assert_eq!(scans, [vec!["ID", "A", "TXT"], vec!["ID", "B"]]);
    let given = |stage: &Stage| match stage.steps.last() {
        Some(Step::Project(Project { values, names, keys, .. })) => {
            let read = values.iter().zip(&names[keys.len()..]).filter(|(value, _)| !value.is_unread());
            read.map(|(_, name)| name.clone()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(given(&analyzed.plan.stages[0]), ["S1_ID", "S1_TXT"]);
    let StageInput::Join(join) = &analyzed.plan.stages[1].input else { panic!("no join") };
    assert_eq!(given(&join.right), ["S2_B"]);
}

/// It is the key in each row: it needn't lie in the join's state a second time.
#[test]
fn the_key_is_not_kept_beside_itself() {
    let values_read = |query: &str| -> (usize, usize) {
        let analyzed = persistent(query);
        let join = join_of(&analyzed.plan);
        let read = |side: &Stage| match side.steps.last() {
            Some(Step::Project(project)) => project.values.iter().filter(|value| !value.is_unread()).count(),
            other => panic!("{other:?}"),
        };
        (read(&join.left), read(&join.right))
    };
    let with =
        |join: &str| format!("SELECT S1.id, S2.id, S1.id + 1 AS x FROM S1 {join} S2 WITHIN 1 HOUR ON S1.id = S2.id");
    assert_eq!(values_read(&with("JOIN")), (0, 0));
    assert_eq!(values_read(&with("LEFT JOIN")), (0, 1));
    // The key is the one in the list; what an expression reads of it may be NULL.
    assert_eq!(values_read(&with("RIGHT JOIN")), (1, 0));
}

#[test]
fn the_time_of_a_joined_row() {
    let analyzed =
        persistent("SELECT S1.id, ROWTIME AS t, a FROM S1 JOIN T1 ON S1.id = T1.id WHERE ROWTIME > '2020-01-01'");
    // A table's row has no say in it.
    let times: Vec<bool> = analyzed.plan.scans().map(|scan| scan.wanted[scan.source.columns.len()]).collect();
    assert_eq!(times, [true, false]);
    let analyzed = persistent(
        "SELECT S1.id, ROWTIME AS t FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id WHERE S2.ROWTIME > '2020'",
    );
    let times: Vec<bool> = analyzed.plan.scans().map(|scan| scan.wanted[scan.source.columns.len()]).collect();
    assert_eq!(times, [true, true]);
}

#[test]
fn clauses_above_a_join_work_on_its_rows() {
    let grouped = |by: &str| {
        shapes(&format!("SELECT {by}, COUNT(*) AS n FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id GROUP BY {by}"))
    };
    // Both are the key that the rows are placed by.
    assert_eq!(grouped("S1.id"), ["(S1 INNER S2)!#"]);
    assert_eq!(grouped("S2.id"), ["(S1 INNER S2)!#"]);
    assert_eq!(grouped("a"), ["(S1 INNER S2)!", "<0 KAFKA#"]);
    let left = shapes("SELECT S2.id, COUNT(*) AS n FROM S1 LEFT JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id GROUP BY S2.id");
    assert_eq!(left, ["(S1 LEFT S2)!", "<0 KAFKA#"]);
    let tables = persistent("SELECT T1.f, COUNT(*) AS n FROM T1 JOIN T2 ON T1.id = T2.id WHERE T1.v > 1 GROUP BY T1.f");
    let mut steps = tables.plan.steps();
    assert!(steps.any(|step| matches!(step, Step::Filter { table: true, .. })));
    assert!(steps.any(|step| matches!(step, Step::Aggregate(aggregate) if aggregate.table_input)));
    assert_eq!(
        columns("SELECT a, S1.id, b FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id PARTITION BY a"),
        "A | S1_ID B"
    );
    assert_eq!(
        columns("SELECT S2.id, b FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id PARTITION BY S2.id"),
        "S2_ID | B"
    );
    let windowed = persistent(
        "SELECT S1.id, COUNT(*) AS n FROM S1 JOIN T1 ON S1.id = T1.id WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY S1.id",
    );
    assert!(matches!(windowed.plan.result, ResultKind::Table { windowed: Some(_) }));
    assert_eq!(
        columns("SELECT S1.id, EXPLODE(ARRAY[a, b]) AS x FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id"),
        "S1_ID | X"
    );
    let table = "SELECT T1.id, EXPLODE(ARRAY[f]) AS x FROM T1 JOIN T2 ON T1.id = T2.id";
    assert!(refused(table).contains("Table source is not supported with table functions"));
    let hours = "FROM S1 JOIN T1 ON S1.id = T1.id WINDOW TUMBLING (SIZE 1 HOUR)";
    let bounds = format!("SELECT S1.id, COUNT(*) AS n, WINDOWSTART AS w, WINDOWEND - 1 AS last {hours} GROUP BY S1.id");
    assert_eq!(columns(&bounds), "S1_ID | N W LAST");
    let chosen = persistent(&format!("SELECT S1.id, COUNT(*) AS n {hours} WHERE WINDOWSTART > 1 GROUP BY S1.id"));
    let last = chosen.plan.steps().filter(|step| matches!(step, Step::Filter { .. } | Step::Aggregate(_))).last();
    assert!(matches!(last, Some(Step::Filter { table: true, name: "WHERE", .. })));
    // Rows have them once they are grouped.
    let before = [
        "SELECT S1.id, WINDOWSTART AS w FROM S1 JOIN T1 ON S1.id = T1.id".to_string(),
        "SELECT S1.id, COUNT(*) AS n, WINDOWEND AS w FROM S1 JOIN T1 ON S1.id = T1.id GROUP BY S1.id".to_string(),
        format!("SELECT S1.id, COUNT(*) AS n, S1.WINDOWEND AS w {hours} GROUP BY S1.id"),
    ];
    for query in before {
        let told = refused(&query);
        assert!(told.contains("cannot be resolved"), "{query}: {told}");
    }
}

#[test]
fn what_a_join_gives_is_a_stream_or_a_table() {
    let result = |from: &str| persistent(&format!("SELECT * FROM {from}")).plan.result;
    assert_eq!(result("S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id"), ResultKind::Stream);
    assert_eq!(result("S1 JOIN T1 ON S1.id = T1.id"), ResultKind::Stream);
    assert_eq!(result("T1 JOIN T2 ON T1.id = T2.id"), ResultKind::Table { windowed: None });
}

/// A foreign key join has the left table's key, whatever else is equal.
#[test]
fn foreign_keys() {
    assert_eq!(columns("SELECT * FROM T1 JOIN T2 ON T1.f = T2.id"), "T1_ID | T1_V T1_F T2_ID T2_V");
    assert_eq!(columns("SELECT f, T1.id AS k, T2.* FROM T1 LEFT JOIN T2 ON T2.id = f"), "K | F T2_ID T2_V");
    assert_eq!(columns("SELECT id2, TT2.id, T1.v FROM TT2 JOIN T1 ON TT2.f + 1 = T1.id"), "TT2_ID ID2 | V");
    assert_eq!(columns("SELECT TT2.id, id2, T2.v FROM TT2 JOIN T2 ON TT2.id = T2.id"), "TT2_ID ID2 | V");
    let one = refused("SELECT f FROM T1 JOIN T2 ON T1.f = T2.id");
    assert!(one.contains("Primary key column missing") && one.contains("(T1). Missing column: T1.ID."), "{one}");
    let two = refused("SELECT TT2.f FROM TT2 JOIN T2 ON TT2.f = T2.id");
    assert!(two.contains("Primary key columns missing") && two.contains("TT2.ID, TT2.ID2."), "{two}");
    // A chain goes on by the left table's key.
    let chain = "T1 JOIN T2 ON T1.f = T2.id LEFT JOIN T3 ON T1.id = T3.id";
    assert_eq!(columns(&format!("SELECT T3.id, T2.id FROM {chain}")), "T3_ID | T2_ID");
    assert!(refused(&format!("SELECT f FROM {chain}")).contains("expressions T1.ID or T3.ID"));
}

/// Wherever one stands in a chain, the rows keep their key: it is named as if the join weren't there.
#[test]
fn foreign_keys_in_chains() {
    let key_first = "T1 JOIN T2 ON T1.id = T2.id JOIN T3 ON T1.f = T3.id";
    assert_eq!(columns(&format!("SELECT * FROM {key_first}")), "T1_ID | T1_V T1_F T2_ID T2_V T3_ID T3_V");
    assert_eq!(columns(&format!("SELECT T3.id, T2.id FROM {key_first}")), "T2_ID | T3_ID");
    let missing = refused(&format!("SELECT T3.id, f FROM {key_first}"));
    assert!(missing.contains("the join expressions T1.ID or T2.ID in"), "{missing}");
    assert_eq!(shapes(&format!("SELECT * FROM {key_first}")), ["(T1 INNER T2)", "(<0 KAFKA INNER T3)", "<1 KAFKA"]);

    let twice = "TT2 JOIN T1 ON TT2.f = T1.id LEFT JOIN T2 ON T1.f = T2.id";
    assert_eq!(columns(&format!("SELECT T2.v, TT2.id AS k, id2 FROM {twice}")), "K ID2 | T2_V");
    let missing = refused(&format!("SELECT id2, T2.v FROM {twice}"));
    assert!(missing.contains("from the left input table (TT2). Missing column: TT2.ID."), "{missing}");
    let stages = ["TT2", "(<0 KAFKA INNER T1)", "<1 JSON", "(<2 KAFKA LEFT T2)", "<3 JSON"];
    assert_eq!(shapes(&format!("SELECT * FROM {twice}")), stages);

    // A key that no column is.
    let made = "T1 FULL JOIN T2 ON T1.id = T2.id LEFT JOIN T3 ON T1.f = T3.id";
    assert_eq!(columns(&format!("SELECT ROWKEY, T3.v FROM {made}")), "ROWKEY | T3_V");
    assert!(refused(&format!("SELECT T1.id, T3.v FROM {made}")).contains("the join expression ROWKEY in"));
    // What is NULL in rows without a match isn't their key, but may be a foreign one.
    let not_its_key = shapes("SELECT * FROM T1 LEFT JOIN T2 ON T1.id = T2.id LEFT JOIN T3 ON T2.id = T3.id");
    assert_eq!(not_its_key, ["(T1 LEFT T2)", "(<0 KAFKA LEFT T3)", "<1 KAFKA"]);
    let only_read = persistent(&format!("SELECT T1.id, T3.v FROM {key_first}"));
    let scans: Vec<Vec<&str>> = only_read.plan.scans().map(wanted).collect();
    assert_eq!(scans, [vec!["ID", "F"], vec!["ID"], vec!["ID", "V"]]);
}

/// Neither side's key: the result has both.
#[test]
fn many_to_many() {
    let both = "T1 JOIN T2 ON T1.v = T2.v";
    assert_eq!(columns(&format!("SELECT * FROM {both}")), "T1_ID T2_ID | T1_V T1_F T2_V");
    assert_eq!(columns(&format!("SELECT T2.id AS b, T1.id AS a, f FROM {both} WHERE f > 1")), "A B | F");
    let stages = ["T1", "T2", "(<0 KAFKA INNER <1 KAFKA)", "<2 JSON"];
    assert_eq!(shapes(&format!("SELECT * FROM {both}")), stages);
    let missing = refused(&format!("SELECT T1.id, f FROM {both}"));
    assert!(missing.contains("a table with both keys. Missing column: T2_ID."), "{missing}");
    let outer = persistent("SELECT T1.id, T2.id, f FROM T1 FULL JOIN T2 ON T1.v = T2.v");
    let kinds: Vec<JoinKind> = outer
        .plan
        .stages
        .iter()
        .filter_map(|stage| match &stage.input {
            StageInput::Join(join) => Some(join.kind),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [JoinKind::Full]);
    // Chains go on from both keys.
    assert_eq!(
        columns(&format!("SELECT T3.v, T2.id, T1.id FROM {both} LEFT JOIN T3 ON f = T3.id")),
        "T1_ID T2_ID | T3_V"
    );
    let after_a_join = "T1 JOIN T2 ON T1.id = T2.id JOIN TT2 ON T1.v + 0 = CAST(TT2.id2 AS BIGINT)";
    assert_eq!(columns(&format!("SELECT T2.id, TT2.id, id2, T1.v AS v FROM {after_a_join}")), "T2_ID TT2_ID ID2 | V");
    let only_read = persistent(&format!("SELECT T1.id, T2.id, f FROM {both} AND T1.id < T2.id"));
    let scans: Vec<Vec<&str>> = only_read.plan.scans().map(wanted).collect();
    assert_eq!(scans, [vec!["ID", "V", "F"], vec!["ID", "V"]]);
}

/// What a query has for itself lies in topics of their own.
#[test]
fn no_two_internal_topics_have_one_name() {
    let froms = [
        "S1 JOIN S2 WITHIN 1 HOUR ON S1.a = S2.b FULL JOIN S3 WITHIN 1 HOUR ON S1.a = S3.c JOIN T1 ON S2.b = T1.id JOIN T2 ON f = T2.id",
        "S1 JOIN S2 WITHIN 1 HOUR ON a = b LEFT JOIN T1 ON S1.id = T1.id LEFT JOIN DT ON f = DT.id",
        "T1 JOIN T2 ON T1.id = T2.id JOIN T3 ON f = T3.id JOIN DT ON T1.id = DT.id",
        "T1 JOIN DT ON T1.id = DT.id JOIN T2 ON f = T2.id LEFT JOIN T3 ON CAST(T2.v AS INT) = T3.id",
        "TT2 JOIN T1 ON TT2.f = T1.id JOIN T2 ON T1.f = T2.id JOIN T3 ON TT2.f = T3.id",
        "T1 JOIN T2 ON T1.v = T2.v JOIN T3 ON T1.v = T3.v JOIN DT ON T1.f = DT.id JOIN TT2 ON T1.f = TT2.id",
        "T1 JOIN T2 x ON T1.f = x.id JOIN T2 y ON T1.v = y.v JOIN T2 z ON x.v = z.v",
    ];
    for from in froms {
        let plan = persistent(&format!("SELECT T1.f, COUNT(*) FROM {from} GROUP BY T1.f")).plan;
        let exchanges: Vec<String> = plan.exchange_names().into_iter().flatten().collect();
        assert_eq!(exchanges.len(), plan.stages.len() - 1, "{from}");
        let mut all = [exchanges, plan.changelog_names().concat()].concat();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "{from}: {all:?}");
    }
}

#[test]
fn the_format_kafka_has_no_room_for_a_join() {
    let mut catalog = catalog();
    add(&mut catalog, "CREATE STREAM KF (id INT KEY, v INT) WITH (KAFKA_TOPIC='KF', VALUE_FORMAT='KAFKA');");
    let query = "SELECT * FROM S1 JOIN KF WITHIN 1 HOUR ON S1.id = KF.id";
    let told = built_on(&catalog, query, Target::Persistent).unwrap_err().to_string();
    let reason = "Source(s) KF are using the 'KAFKA' value format. This format does not yet support JOIN.";
    assert!(told.contains(reason), "{told}");
}

#[test]
fn two_sources_over_one_topic() {
    let mut catalog = catalog();
    let topic = catalog.source("S1").unwrap().topic.clone();
    add(
        &mut catalog,
        &format!("CREATE STREAM AGAIN (id INT KEY, w INT) WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON')"),
    );
    let query = "SELECT * FROM S1 JOIN AGAIN WITHIN 1 HOUR ON S1.id = AGAIN.id";
    let analyzed = built_on(&catalog, query, Target::Persistent).unwrap();
    let scans: Vec<(&str, &str)> =
        analyzed.plan.scans().map(|scan| (scan.source.name.as_str(), scan.source.topic.as_str())).collect();
    assert_eq!(scans, [("S1", topic.as_str()), ("AGAIN", topic.as_str())]);
}

#[test]
fn a_source_joined_with_itself() {
    assert_eq!(columns("SELECT * FROM T1 x LEFT JOIN T1 y ON x.f = y.id"), "X_ID | X_V X_F Y_ID Y_V Y_F");
    assert_eq!(shapes("SELECT x.id, y.id FROM S1 x JOIN S1 y WITHIN 1 HOUR ON x.id = y.id"), ["(S1 INNER S1)"]);
    let analyzed =
        persistent("SELECT y.id, x.v FROM S1 x JOIN S1 y WITHIN 1 HOUR ON x.a = y.id JOIN T1 ON y.id = T1.id");
    let sources: Vec<&str> = analyzed.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(sources, ["S1", "T1"]);
    let scans: Vec<Vec<&str>> = analyzed.plan.scans().map(wanted).collect();
    assert_eq!(scans, [vec!["V", "A"], vec!["ID"], vec!["ID"]]);
}

/// A key that isn't in the SELECT list is missing there.
#[test]
fn a_missing_key_is_told_of_at_the_select_list() {
    for query in [
        "SELECT COUNT(*) AS n FROM S1 GROUP BY id",
        "SELECT v\nFROM T1",
        "SELECT S1.v FROM S1 JOIN S2 WITHIN 1 HOUR ON S1.id = S2.id",
        "SELECT f FROM T1 JOIN T2 ON T1.f = T2.id",
    ] {
        let error = built(query, Target::Persistent).err().unwrap();
        let place = error.at.map(|at| (at.line, at.column));
        assert!(error.what.contains("missing"), "{error}");
        assert_eq!(place, Some((1, 8)), "{query}");
    }
}

//! The layout of texts: written out by hand, and what must hold of every text.

use proptest::prelude::*;

use super::super::format;
use super::*;
use crate::sql::parse;
use crate::sql::tests::generators::statement;

/// Texts and their layout; a layout is its own.
const LAID_OUT: &[(&str, &str)] = &[
    ("select  a,b from s  emit changes ;", "SELECT a, b FROM s EMIT CHANGES;\n"),
    (
        "-- What it is for\n\n\n\ncreate stream o with(kafka_topic='o',partitions=1) as select f.a, count ( * ) as n from s f left outer join t on f.a=t.a where f.b<-1 and not (f.c) group by f.a;select 1 from s",
        "-- What it is for\n\nCREATE STREAM o WITH (kafka_topic='o', partitions=1) AS\n  SELECT f.a, count(*) AS n\n  FROM s f\n  LEFT OUTER JOIN t ON f.a = t.a\n  WHERE f.b < -1 AND NOT (f.c)\n  GROUP BY f.a;\nSELECT 1 FROM s\n",
    ),
    // Comments: before a statement, behind a line, between clauses, within a list, at the end.
    (
        "create table t as -- the table\nselect a, -- the key\n /* how many */ count(*) n\n-- of what\nfrom s group by a; -- done\n-- the end",
        "CREATE TABLE t AS -- the table\n  SELECT\n    a, -- the key\n    /* how many */ count(*) n\n  -- of what\n  FROM s\n  GROUP BY a; -- done\n-- the end\n",
    ),
    // Names that are words of the language keep their case; types are spaced as types.
    (
        "CREATE STREAM s (key string key,time TIMESTAMP , m map < string , array<struct<a int,b dec( 4,2)>>>) WITH (value_format = 'JSON');",
        "CREATE STREAM s (key STRING KEY, time TIMESTAMP, m MAP<STRING, ARRAY<STRUCT<a INT, b dec(4, 2)>>>)\n  WITH (value_format='JSON');\n",
    ),
    ("INSERT INTO s(a,b)VALUES(-1,array [ 1,2 ] [1]);", "INSERT INTO s (a, b) VALUES (-1, ARRAY[1, 2][1]);\n"),
    (
        "SELECT transform(a,(x , y)=>x- -y+ - 1),b -> c[ 1 ] FROM s;",
        "SELECT transform(a, (x, y) => x - -y + -1), b->c[1] FROM s;\n",
    ),
    ("DEFINE  n='x';\nSELECT * FROM ${n}  ;", "DEFINE n = 'x';\nSELECT * FROM ${n};\n"),
    (
        "WITH counts AS (SELECT a, COUNT(*) AS a_rather_long_name_of_a_column FROM s GROUP BY a) SELECT * FROM counts UNION ALL SELECT * FROM (SELECT a FROM x)",
        "WITH counts AS (SELECT a, COUNT(*) AS a_rather_long_name_of_a_column FROM s GROUP BY a)\nSELECT *\nFROM counts\nUNION ALL\nSELECT *\nFROM (SELECT a FROM x)\n",
    ),
    ("", ""),
    ("/* nothing */", "/* nothing */\n"),
];

#[test]
fn texts_are_laid_out() {
    for (text, expected) in LAID_OUT {
        assert_eq!(layout(text).unwrap(), *expected, "{text}");
        assert_eq!(layout(expected).unwrap(), *expected);
    }
}

#[test]
fn what_is_too_long_is_broken() {
    let columns: Vec<String> = (0..20).map(|number| format!("column_{number} STRING")).collect();
    let laid_out = layout(&format!("CREATE STREAM s ({}) WITH (KAFKA_TOPIC='s');", columns.join(","))).unwrap();
    let lines: Vec<&str> = laid_out.lines().collect();
    assert_eq!(
        (lines[0], lines[1], lines[21]),
        ("CREATE STREAM s (", "  column_0 STRING,", ") WITH (KAFKA_TOPIC='s');")
    );
    let conditions: Vec<String> = (0..10).map(|number| format!("column_{number} BETWEEN 1 AND 20")).collect();
    let laid_out = layout(&format!("SELECT a FROM s WHERE {};", conditions.join(" AND "))).unwrap();
    assert!(laid_out.contains("\n  AND column_9 BETWEEN 1 AND 20;"), "{laid_out}");
    assert!(laid_out.lines().all(|line| line.len() <= WIDTH));
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let error = layout("SELECT a FROM s;\n\nSELEC b FROM s;").unwrap_err();
    assert_eq!(error.at.map(|at| (at.line, at.column)), Some((3, 1)));
    let error = layout("SELECT 'a").unwrap_err();
    assert_eq!(error.at.map(|at| (at.line, at.column)), Some((1, 8)));
}

/// What a reader is shown as an example; the corpus of the fuzzer is meant to be odd.
#[test]
fn the_queries_of_the_project_are_laid_out() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["queries", "examples/flights"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let files = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "sql")).collect();
    assert!(files.len() > 2);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(layout(&text).unwrap(), text, "{}: millpond fmt lays it out", file.display());
    }
    // Files that the README has one write.
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let parts: Vec<&str> = readme.split(".sql <<'SQL'\n").skip(1).collect();
    assert!(!parts.is_empty());
    for part in parts {
        let (text, _) = part.split_once("SQL\n").unwrap();
        assert_eq!(layout(text).unwrap(), text, "README.md: millpond fmt lays it out");
    }
}

#[test]
fn filter_is_a_keyword_behind_an_aggregate_and_a_name_elsewhere() {
    let text = "select count(*) filter (where a > 1) as n, filter(m, (k, v) => true) as f from s group by b;";
    let laid_out = layout(text).unwrap();
    assert!(laid_out.contains("count(*) FILTER (WHERE a > 1) AS n"), "{laid_out}");
    assert!(laid_out.contains("filter(m, (k, v) => TRUE) AS f"), "{laid_out}");
}

/// A text with comments and odd white space between its tokens.
fn disturbed(text: &str, gaps: &[u8]) -> String {
    let tokens = scan(text, Location::default()).0;
    let mut out = String::new();
    let mut end = 0;
    for (number, token) in tokens.iter().enumerate() {
        let gap = &text[end..token.range.start];
        out.push_str(match gaps[number % gaps.len()] {
            0 => "\n",
            1 => " -- why\n",
            2 => "\n\n\n  -- because\n  -- of that\n",
            3 => " /* so */ ",
            4 => "\n/* two\n   lines */\n",
            _ => gap,
        });
        // What stood apart stands apart, and what didn't may.
        out.push_str(gap);
        out.push_str(&text[token.range.clone()]);
        end = token.range.end;
    }
    out
}

/// Text with variables isn't parsed, so that no limit of the parser's holds for it.
#[test]
fn what_is_nested_deeply_stays_small() {
    let text = format!("SELECT ${{x}}{}1{} FROM s;", "(".repeat(1000), ")".repeat(1000));
    let laid_out = layout(&text).unwrap();
    assert!(laid_out.len() < 2000 * 63, "{}", laid_out.len());
    assert_eq!(layout(&laid_out).unwrap(), laid_out);
}

/// What stands between tokens.
fn gaps() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(0_u8..12, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_layout_reads_as_its_text_and_is_its_own(tree in statement(), gaps in gaps()) {
        let text = disturbed(&format!("{};", format::statement(&tree)), &gaps);
        // What isn't read isn't laid out.
        if let Ok(read) = parse(&text) {
            let laid_out = layout(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let again = parse(&laid_out).unwrap();
            prop_assert_eq!(again.len(), read.len());
            for (one, other) in again.iter().zip(&read) {
                // An explained statement has its own text in its tree.
                prop_assert_eq!(format::statement(&one.statement), format::statement(&other.statement));
            }
            prop_assert_eq!(layout(&laid_out).unwrap(), laid_out);
        }
    }
}

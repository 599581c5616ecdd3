//! What must hold of every text.

use millpond::engine::Page;
use millpond::internals::{layout, parse, statement_text};
use millpond::{Engine, Face, Options, Reply, Session};

/// What statements are asked of: a small catalog.
pub struct Subject {
    engine: Engine,
    session: Session,
}

const CATALOG: &[&str] = &[
    "CREATE TYPE pair AS STRUCT<a INT, b STRING>;",
    "CREATE STREAM s (k STRING KEY, a INT, b STRING, c DOUBLE, d DECIMAL(6, 2), l ARRAY<INT>, m MAP<STRING, BIGINT>, st STRUCT<x INT, y STRING>) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);",
    "CREATE STREAM r (k STRING KEY, a BIGINT, t TIMESTAMP, raw BYTES) WITH (KAFKA_TOPIC='r', VALUE_FORMAT='JSON', PARTITIONS=2);",
    "CREATE TABLE t (k STRING PRIMARY KEY, a INT, b STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=2);",
    "CREATE TABLE u (id INT PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC='u', VALUE_FORMAT='JSON', PARTITIONS=2);",
];

impl Subject {
    pub fn new() -> Subject {
        let engine = Engine::stepped(Options::default()).expect("an engine in memory");
        let mut session = Session::default();
        for statement in CATALOG {
            engine.execute(&mut session, statement).expect("the catalog");
        }
        Subject { engine, session }
    }

    /// What kind of answer a text gets. Panics where something doesn't hold.
    pub fn check(&mut self, text: &str) -> String {
        let laid_out = layout(text);
        if let Ok(once) = &laid_out {
            assert_eq!(layout(once).as_ref(), Ok(once), "a layout isn't its own");
        }
        let statements = match parse(text) {
            Ok(statements) => statements,
            Err(error) => {
                assert!(!error.render(text).is_empty());
                assert!(error.at.is_some(), "an error without a place: {error}");
                return kind_of(&error.what);
            }
        };
        let mut answer = String::new();
        for parsed in statements {
            let written = statement_text(&parsed.statement);
            let again = parse(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
            assert_eq!(again.len(), 1, "{written}");
            assert_eq!(statement_text(&again[0].statement), written, "printed twice");
            answer.push_str(&self.meaning(&parsed.text));
        }
        answer
    }

    /// What the engine says of a statement; nothing is carried out.
    fn meaning(&mut self, statement: &str) -> String {
        let first = statement.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        if !matches!(first.as_str(), "SELECT" | "WITH" | "CREATE" | "INSERT") {
            return format!("{first};");
        }
        match self.engine.execute(&mut self.session, &format!("EXPLAIN {statement};")) {
            Ok(Reply::Facts(told)) => {
                let Page::Text(text) = told.page() else { return "a table".to_owned() };
                let steps = text.lines().filter_map(|line| line.split_once("[ ")?.1.split(" ]").next());
                steps.collect::<Vec<_>>().join(" ")
            }
            Ok(_) => "something else".to_owned(),
            Err(error) => {
                assert!(error.audience != millpond::error::Audience::Internal, "{error}");
                kind_of(&error.what)
            }
        }
    }
}

/// A message without what it quotes.
fn kind_of(message: &str) -> String {
    message
        .split_whitespace()
        .filter(|word| word.chars().all(|ch| ch.is_ascii_lowercase()))
        .collect::<Vec<_>>()
        .join(" ")
}

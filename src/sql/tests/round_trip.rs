//! What the formatter writes reads as the same tree; and nothing that is read makes the parser panic.

use proptest::prelude::*;

use super::super::ast::*;
use super::super::*;
use super::generators;

/// EXPLAIN carries its statement's text and place, which formatting changes.
fn without_places(mut statement: Statement) -> Statement {
    if let Statement::Explain(Explained::Statement(inner)) = &mut statement {
        inner.text = String::new();
        inner.at = Location { line: 0, column: 0 };
    }
    statement
}

fn assert_round_trip(statement: Statement) {
    let text = format::statement(&statement);
    let mut parsed = parse(&text).unwrap_or_else(|error| panic!("{}\n{statement:?}", error.render(&text)));
    assert_eq!(parsed.len(), 1, "{text}");
    assert_eq!(without_places(parsed.remove(0).statement), without_places(statement), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn statements(statement in generators::statement()) {
        assert_round_trip(statement);
    }

    #[test]
    fn expressions(expr in generators::expr()) {
        let text = format::expression(&expr);
        let parsed = parse_expression(&text);
        prop_assert_eq!(parsed.as_ref(), Ok(&expr), "{}", text);
    }

    #[test]
    fn types(ty in generators::ty()) {
        let text = format::ty(&ty);
        prop_assert_eq!(parse_type(&text), Ok(ty), "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}|[-a-z0-9'\"`$@;/*{}<>=.,()\\[\\]\r\n ]{0,80}") {
        read_every_way(&text);
    }

    #[test]
    fn no_tokens_make_it_panic(words in proptest::collection::vec(word(), 0..30)) {
        read_every_way(&words.join(" "));
        read_every_way(&words.concat());
    }

    /// Statements cut and glued at any place, as they are while somebody types.
    #[test]
    fn no_torn_statement_makes_it_panic(statement in generators::statement(), cut in any::<prop::sample::Index>()) {
        let text = format::statement(&statement);
        let mut cut = cut.index(text.len() + 1);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        read_every_way(&text[..cut]);
        read_every_way(&text[cut..]);
    }
}

fn word() -> impl Strategy<Value = String> {
    let symbols = vec![
        "(", ")", "[", "]", ",", ".", ";", "=", "<>", "<", ">", "->", "=>", ":=", "*", "-", "+", "||", "'a'", "`b`",
        "1", "1.5", "1e3", "--", "/*", "*/", "'", "\"", "${x}", "x", "é", "1x",
    ];
    prop_oneof![
        proptest::sample::select(KEYWORDS).prop_map(str::to_owned),
        proptest::sample::select(symbols).prop_map(str::to_owned),
    ]
}

/// What comes out must be consistent, whatever went in.
fn read_every_way(text: &str) {
    if let Err(error) = parse(text) {
        assert!(!error.render(text).is_empty());
        assert!(error.at.is_some_and(|at| at.line >= 1 && at.column >= 1), "{error:?} in {text:?}");
    }
    let _ = parse_expression(text);
    let _ = parse_type(text);
    let _ = directives(text);
    let _ = substitute(text, &[("x".to_owned(), "1".to_owned())].into());
    let cut = split(text);
    for (statement, at) in &cut.statements {
        assert!(!statement.is_empty() && text.contains(statement.as_str()));
        let _ = parse_statement(statement, *at);
    }
    assert!(text.ends_with(&cut.rest));
    let mut end = 0;
    for (range, _) in tokens(text) {
        assert!(range.start >= end && text.get(range.clone()).is_some());
        end = range.end;
    }
}

#[test]
fn statements_of_the_queries() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|end| end == "sql"));
    let statements: Vec<_> = texts.flat_map(|path| parse(&std::fs::read_to_string(path).unwrap()).unwrap()).collect();
    assert!(!statements.is_empty());
    statements.into_iter().for_each(|parsed| assert_round_trip(parsed.statement));
}

#[test]
fn statements_of_the_conformance_cases() {
    let Some(statements) = super::conformance::statements() else { return };
    let all = statements.len();
    let mut parsed_count = 0;
    for (text, gives_outputs) in statements {
        // That statements of cases with outputs can be read is a test of its own.
        let parsed = match parse(&text) {
            Ok(parsed) => parsed,
            Err(error) => {
                assert!(!gives_outputs, "{}", error.render(&text));
                continue;
            }
        };
        parsed_count += 1;
        for parsed in parsed {
            if !matches!(parsed.statement, Statement::NotSupported { .. }) {
                assert_round_trip(parsed.statement);
            }
        }
    }
    // Most rejections are for what a statement means, not for how it reads.
    assert!(parsed_count * 100 >= all * 98 && all >= 2000, "{parsed_count} of {all} statements were read");
}

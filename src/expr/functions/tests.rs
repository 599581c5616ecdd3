//! Runs the examples of all functions, and checks the table itself.

mod inventory;

use super::{FunctionKind, describe, table};
use crate::expr::{EvalErrors, Input, Rules, Scope, check, compile};
use crate::sql::ast::Ident;
use crate::types::{SqlType, Value};

struct Nothing;

impl Scope for Nothing {
    fn column(&self, _: Option<&Ident>, name: &Ident) -> crate::error::Result<(usize, SqlType)> {
        Err(crate::error::Error::statement(format!("no column {}", name.text)))
    }

    fn custom_type(&self, _: &str) -> Option<SqlType> {
        None
    }
}

/// An expression's value as text, or the error.
fn run(text: &str) -> String {
    run_in(text, &Nothing)
}

fn run_in(text: &str, scope: &dyn Scope) -> String {
    let ast = match crate::sql::parse_expression(text) {
        Ok(ast) => ast,
        Err(error) => return format!("parse error: {error}"),
    };
    let typed = match check(&ast, scope) {
        Ok(typed) => typed,
        Err(error) => return format!("error: {error}"),
    };
    let ty = typed.ty().cloned().unwrap_or(SqlType::String);
    let mut errors = EvalErrors::default();
    let array = compile(&typed).unwrap().evaluate(Input { columns: &[], rows: 2 }, &mut errors);
    assert_eq!(array.data_type(), &ty.to_arrow(), "{text}");
    assert_eq!(array.len(), 2, "{text}");
    match errors.errors.first() {
        Some(error) => format!("failed: {}", error.reason),
        None => Value::from_array(array.as_ref(), 0, &ty).to_string(),
    }
}

#[test]
fn examples_give_what_they_say() {
    let mut wrong = Vec::new();
    for function in table().iter() {
        for (text, expected) in function.examples {
            let got = run(text);
            if got != *expected {
                wrong.push(format!("{text}: {got}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The functions that settings put in the place of others, too.
#[test]
fn examples_of_mended_functions() {
    struct Mended;
    impl Scope for Mended {
        fn column(&self, source: Option<&Ident>, name: &Ident) -> crate::error::Result<(usize, SqlType)> {
            Nothing.column(source, name)
        }

        fn custom_type(&self, _: &str) -> Option<SqlType> {
            None
        }

        fn rules(&self) -> Rules {
            Rules { log_of_ten: true, initcap_blanks: true, ..Rules::default() }
        }
    }
    let scalar = table().mended.iter().filter(|mended| mended.function.kind == FunctionKind::Scalar);
    let examples: Vec<_> = scalar.flat_map(|mended| mended.function.examples).collect();
    assert_eq!(examples.len(), 3);
    for (text, expected) in examples {
        assert_eq!(run_in(text, &Mended), *expected, "{text}");
    }
}

#[test]
fn every_function_is_described() {
    for function in table().iter() {
        assert_eq!(function.name, function.name.to_uppercase());
        assert!(!function.overloads.is_empty(), "{}", function.name);
        assert!(function.description.ends_with('.'), "{}: {}", function.name, function.description);
        assert!(describe(function).contains("Variation"));
        if function.kind == FunctionKind::Scalar {
            let has_chance = matches!(function.name, "RANDOM" | "UUID" | "AS_VALUE" | "UNIX_TIMESTAMP" | "UNIX_DATE");
            assert!(has_chance || !function.examples.is_empty(), "{} has no example", function.name);
        }
    }
}

#[test]
fn no_name_is_given_twice() {
    let mut names: Vec<_> = super::all_entries().iter().map(|function| function.name).collect();
    let given = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), given);
    assert_eq!(table().names().count(), given);
}

#[test]
fn overloads_of_an_entry_differ() {
    for function in table().iter() {
        let signatures: Vec<_> = function.overloads.iter().map(|overload| overload.signature("")).collect();
        for (i, signature) in signatures.iter().enumerate() {
            assert!(!signatures[..i].contains(signature), "{}{signature}", function.name);
        }
    }
}

//! Runs the examples of all functions, and checks the table itself.

mod docs;
mod inventory;
mod nulls;
mod reference;

use super::{FunctionKind, describe, table};
use crate::expr::accumulator::AggregateCall;
use crate::expr::{EvalErrors, Input, Rules, Scope, Typed, check, compile};
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

fn constant(text: &str) -> (Value, SqlType) {
    let typed = check(&crate::sql::parse_expression(text).unwrap(), &Nothing).unwrap();
    let ty = typed.ty().cloned().unwrap_or(SqlType::String);
    let array = compile(&typed).unwrap().evaluate(Input { columns: &[], rows: 1 }, &mut EvalErrors::default());
    (Value::from_array(array.as_ref(), 0, &ty), ty)
}

/// The result of `CALL of row, row, ...`. The first row's types are those of the columns x, y, ...
fn run_aggregate(text: &str) -> String {
    let (call, rows) = text.split_once(" of ").unwrap();
    let rows = inventory::split(rows, ',');
    let cells = |row: &String| match row.strip_prefix('(') {
        Some(row) => inventory::split(row.strip_suffix(')').unwrap(), ','),
        None => vec![row.clone()],
    };
    let rows: Vec<Vec<(Value, SqlType)>> =
        rows.iter().map(|row| cells(row).iter().map(|cell| constant(cell)).collect()).collect();
    let crate::sql::ast::ExprKind::Call { name, args } = crate::sql::parse_expression(call).unwrap().kind else {
        panic!("{call}")
    };
    let (mut typed, mut columns, mut init) = (Vec::new(), Vec::new(), Vec::new());
    for arg in &args {
        let column = ["X", "Y"].iter().position(|name| crate::sql::format::expression(arg) == *name);
        match column {
            Some(column) => {
                let ty = &rows[0][column].1;
                let values: Vec<Value> = rows.iter().map(|row| row[column].0.clone()).collect();
                typed.push(Typed::column(column, ty.clone()));
                columns.push(crate::types::values_to_array(&values, ty));
            }
            None => {
                typed.push(check(arg, &Nothing).unwrap());
                init.push(constant(&crate::sql::format::expression(arg)).0);
            }
        }
    }
    if args.is_empty() {
        typed.push(Typed::column(0, SqlType::Bigint));
        columns.push(crate::types::values_to_array(&vec![Value::Bigint(0); rows.len()], &SqlType::Bigint));
    }
    let resolved = crate::expr::resolve_aggregate(&name.text, &typed, Rules::default()).unwrap();
    let call = AggregateCall { name: resolved.name, args: resolved.columns, init, ..AggregateCall::default() };
    let mut accumulator = crate::expr::build_aggregate(resolved.build, &call).unwrap();
    accumulator.resize(1);
    let numbers: Vec<u32> = (0..rows.len() as u32).collect();
    accumulator.update(&columns, &numbers, &vec![0; rows.len()], &mut EvalErrors::default());
    Value::from_array(accumulator.emit(&[0]).as_ref(), 0, &resolved.returns).to_string()
}

/// The rows of a table function's call.
fn run_table_function(text: &str) -> String {
    let crate::sql::ast::ExprKind::Call { name, args } = crate::sql::parse_expression(text).unwrap().kind else {
        panic!("{text}")
    };
    let typed = args.iter().map(|arg| check(arg, &Nothing).unwrap()).collect();
    let mut evaluator = crate::expr::compile_table_function(&name.text, typed).unwrap();
    let returns = evaluator.returns().clone();
    let result = evaluator.evaluate(Input { columns: &[], rows: 1 }, &mut EvalErrors::default());
    let value = |row: u32| Value::from_array(result.values.as_ref(), row as usize, &returns).to_string();
    (result.offsets[0]..result.offsets[1]).map(value).collect::<Vec<_>>().join("; ")
}

#[test]
fn examples_give_what_they_say() {
    let mut wrong = Vec::new();
    for function in table().iter() {
        for (text, expected) in function.examples {
            let got = match function.kind {
                FunctionKind::Scalar => run(text),
                FunctionKind::Aggregate => run_aggregate(text),
                FunctionKind::Table => run_table_function(text),
            };
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
        assert!(!function.examples.is_empty(), "{} has no example", function.name);
        assert!(function.nulls.ends_with('.'), "{}: {}", function.name, function.nulls);
        for param in function.overloads.iter().flat_map(|overload| &overload.params) {
            assert!(!param.description.is_empty(), "{}: {}", function.name, param.name);
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

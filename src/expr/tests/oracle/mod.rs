//! Columns against a plain interpreter: random expressions of all types over random rows give the values that an evaluation of
//! one row after another gives, and the rows that it reports.
//!
//! The interpreter knows the language's rules and nothing of the product but its syntax: values, decimals, texts of doubles,
//! calendar and base64 are its own. Each seed is one expression; `MILLPOND_EXPRESSIONS=1000000` tries so many.

mod cast;
mod functions;
mod generate;
mod interpret;
mod number;
mod times;
mod tree;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use self::generate::{Make, columns};
use self::interpret::Row;
use self::tree::{Expr, Node};
use self::value::Val;
use super::Table;
use crate::expr::to_sql_type;

type Rows = [BTreeMap<&'static str, Val>];

/// Values, and the rows that are reported.
type Outcome = (Vec<Val>, Vec<usize>);

fn expected(expr: &Expr, rows: &Rows) -> Outcome {
    let (mut values, mut reported) = (Vec::new(), Vec::new());
    for (number, columns) in rows.iter().enumerate() {
        let mut row = Row { columns, params: Vec::new(), reported: false };
        values.push(row.part(expr));
        if row.reported {
            reported.push(number);
        }
    }
    (values, reported)
}

/// The product's; the reason if it refuses the expression or gives it another type.
fn got(expr: &Expr, rows: &Rows) -> Result<Outcome, String> {
    let mut table = Table::default();
    for (name, ty) in columns() {
        let values = rows.iter().map(|row| row[name].to_product(&ty)).collect();
        table = table.with(name, &ty.to_string(), values);
    }
    let text = expr.text();
    let typed = table.check(&text).map_err(|error| error.to_string())?;
    let ty = to_sql_type(&crate::sql::parse_type(&expr.ty.to_string()).unwrap(), &|_| None).unwrap();
    if typed.known_type().unwrap() != &ty {
        return Err(format!("it is {}, not {ty}", typed.known_type().unwrap()));
    }
    let (values, reported) = table.run(&text);
    Ok((values.iter().map(Val::of_product).collect(), reported))
}

fn same(a: &Outcome, b: &Outcome) -> bool {
    a.1 == b.1 && a.0.len() == b.0.len() && a.0.iter().zip(&b.0).all(|(a, b)| a.is(b))
}

/// What is wrong with an expression over these rows.
fn wrong(expr: &Expr, rows: &Rows) -> Option<String> {
    let wanted = expected(expr, rows);
    match got(expr, rows) {
        Err(reason) => Some(reason),
        Ok(got) if same(&wanted, &got) => None,
        Ok(got) => {
            Some(format!("gave {:?}, reported {:?}\n  not {:?}, reported {:?}", got.0, got.1, wanted.0, wanted.1))
        }
    }
}

/// The smallest part that is wrong, over one row if it is wrong there.
fn told(seed: u64, expr: &Expr, rows: &Rows) -> String {
    for part in expr.parts() {
        let mut parts = vec![part];
        // What stands in a lambda may have parts that stand alone.
        while let Some(part) = parts.pop() {
            if !part.stands_alone() {
                parts.extend(part.parts());
            } else if wrong(part, rows).is_some() {
                return told(seed, part, rows);
            }
        }
    }
    let one = rows.iter().find(|row| wrong(expr, std::slice::from_ref(row)).is_some());
    let rows = one.map_or(rows, std::slice::from_ref);
    let text = expr.text();
    let read: Vec<String> = columns()
        .iter()
        .filter(|(name, _)| text.contains(name))
        .map(|(name, _)| format!("{name} {:?}", rows.iter().map(|row| &row[name]).collect::<Vec<_>>()))
        .collect();
    let what = wrong(expr, rows).unwrap_or_default();
    format!("seed {seed}: {text}\n  over {} rows: {}\n  {what}", rows.len(), read.join(", "))
}

/// What was tried: names of functions, how many rows there were, gave a value, were reported.
#[derive(Default)]
struct Tried {
    functions: BTreeSet<&'static str>,
    rows: usize,
    known: usize,
    reported: usize,
}

impl Tried {
    fn note(&mut self, expr: &Expr, outcome: &Outcome) {
        self.rows += outcome.0.len();
        self.known += outcome.0.iter().filter(|value| !value.is_null()).count();
        self.reported += outcome.1.len();
        let mut parts = vec![expr];
        while let Some(part) = parts.pop() {
            if let Node::Call(name, _) = part.node {
                self.functions.insert(name);
            }
            parts.extend(part.parts());
        }
    }
}

#[test]
fn columns_equal_the_plain_evaluation() {
    let count = std::env::var("MILLPOND_EXPRESSIONS").map_or(2000, |count| count.parse().unwrap());
    let first = std::env::var("MILLPOND_EXPRESSIONS_FROM").map_or(1, |first| first.parse().unwrap());
    let (mut tried, mut findings) = (Tried::default(), Vec::new());
    for seed in first..first + count {
        let mut make = Make::new(seed);
        let rows = make.rows();
        let ty = make.ty();
        let expr = make.of(&ty, 1 + (seed % 4) as u32);
        if wrong(&expr, &rows).is_some() {
            findings.push(told(seed, &expr, &rows));
            if findings.len() == 10 {
                break;
            }
        }
        tried.note(&expr, &expected(&expr, &rows));
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    let Tried { functions, rows, known, reported } = &tried;
    println!("{count} expressions, {rows} rows, {known} not NULL, {reported} reported, {} functions", functions.len());
    // What gives nothing but NULLs would agree with anything.
    assert!(known * 2 > *rows, "{known} of {rows} rows gave a value");
    assert!(reported * 50 > *rows, "{reported} of {rows} rows were reported");
    assert!(functions.len() >= 60, "{} functions: {functions:?}", functions.len());
}

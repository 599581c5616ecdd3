//! Expressions over a small table, with expectations derived by hand from the language's rules.

mod errors;
mod functions;
mod numbers;
mod oddities;
mod oracle;
mod pinned;
mod rules;

use arrow::array::ArrayRef;

use super::{EvalErrors, Input, Rules, Scope, Typed, check, compile};
use crate::error::{Error, Result};
use crate::sql::ast::Ident;
use crate::types::{SqlType, Value, values_to_array};

/// Columns with names.
#[derive(Default)]
pub(in crate::expr) struct Table {
    columns: Vec<(String, SqlType, ArrayRef)>,
    rows: usize,
    rules: Rules,
}

impl Table {
    pub fn with(mut self, name: &str, ty: &str, values: Vec<Value>) -> Self {
        let ty = super::to_sql_type(&crate::sql::parse_type(ty).unwrap(), &|_| None).unwrap();
        self.rows = values.len();
        let array = values_to_array(&values, &ty);
        self.columns.push((name.into(), ty, array));
        self
    }

    pub fn check(&self, text: &str) -> Result<Typed> {
        check(&crate::sql::parse_expression(text)?, self)
    }

    pub fn arrays(&self) -> Vec<ArrayRef> {
        self.columns.iter().map(|(.., array)| array.clone()).collect()
    }

    /// The values of an expression, and the rows that failed.
    pub fn run(&self, text: &str) -> (Vec<Value>, Vec<usize>) {
        let typed = self.check(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let ty = typed.known_type().unwrap().clone();
        let columns = self.arrays();
        let mut errors = EvalErrors::default();
        let mut evaluator = compile(&typed).unwrap();
        let array = evaluator.evaluate(Input { columns: &columns, rows: self.rows }, &mut errors);
        assert_eq!(array.data_type(), &ty.to_arrow(), "{text}");
        assert_eq!(array.len(), self.rows, "{text}");
        let values = (0..self.rows).map(|row| Value::from_array(array.as_ref(), row, &ty)).collect();
        let mut failed: Vec<usize> = errors.errors.iter().map(|error| error.row).collect();
        failed.sort_unstable();
        failed.dedup();
        (values, failed)
    }

    /// The texts of an expression's values.
    pub fn texts(&self, text: &str) -> Vec<String> {
        self.run(text).0.iter().map(ToString::to_string).collect()
    }
}

impl Scope for Table {
    fn column(&self, _: Option<&Ident>, name: &Ident) -> Result<(usize, SqlType)> {
        let found = self.columns.iter().position(|(known, ..)| *known == name.text);
        let index = found.ok_or_else(|| Error::statement(format!("Column '{}' cannot be resolved.", name.text)))?;
        Ok((index, self.columns[index].1.clone()))
    }

    fn rules(&self) -> Rules {
        self.rules
    }

    fn custom_type(&self, name: &str) -> Option<SqlType> {
        (name == "ADDRESS").then(|| SqlType::Struct(vec![("CITY".into(), SqlType::String)]))
    }
}

/// One row: an expression without columns.
pub(super) fn one(text: &str) -> String {
    one_under(Rules::default(), text)
}

/// The same under other rules.
pub(super) fn one_under(rules: Rules, text: &str) -> String {
    let table = Table { columns: vec![], rows: 1, rules };
    let (values, failed) = table.run(text);
    if failed.is_empty() { values[0].to_string() } else { format!("failed, {}", values[0]) }
}

pub(super) fn ints(values: &[Option<i32>]) -> Vec<Value> {
    values.iter().map(|value| value.map_or(Value::Null, Value::Int)).collect()
}

pub(super) fn booleans(values: &[Option<bool>]) -> Vec<Value> {
    values.iter().map(|value| value.map_or(Value::Null, Value::Boolean)).collect()
}

pub(super) fn strings(values: &[Option<&str>]) -> Vec<Value> {
    values.iter().map(|value| value.map_or(Value::Null, |text| Value::String(text.into()))).collect()
}

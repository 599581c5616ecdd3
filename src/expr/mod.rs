//! Typed expressions over Arrow batches, and the functions they call. Doesn't know topics.

pub mod functions;

use arrow::array::ArrayRef;

use crate::error::Result;
use crate::sql::ast;
use crate::types::SqlType;

/// What names mean to an expression.
pub trait Scope {
    /// The column that a name stands for: its index among the columns given at evaluation, and its type.
    /// The error says that it is unknown (with what is there) or ambiguous.
    fn column(&self, source: Option<&ast::Ident>, name: &ast::Ident) -> Result<(usize, SqlType)>;
    /// The type behind an alias made by CREATE TYPE.
    fn custom_type(&self, name: &str) -> Option<SqlType>;
}

/// An expression failed for a row: its value there is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    pub row: usize,
    pub reason: String,
}

/// What an evaluation collects besides its result. Bounded: beyond `ERRORS_MAX` only the count goes on.
#[derive(Debug, Default)]
pub struct EvalErrors {
    pub errors: Vec<RowError>,
    pub count: usize,
}

/// Reasons that are kept of one batch.
pub const ERRORS_MAX: usize = 1000;

impl EvalErrors {
    pub fn push(&mut self, row: usize, reason: impl Into<String>) {
        self.count += 1;
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(RowError { row, reason: reason.into() });
        }
    }
}

/// The columns an expression is evaluated over.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub columns: &'a [ArrayRef],
    pub rows: usize,
}

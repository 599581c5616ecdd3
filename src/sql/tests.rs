//! The front end as a whole: every statement, errors, limits, and round trips.

use super::*;
use crate::error::{Audience, Error};

mod conformance;
mod errors;
pub(in crate::sql) mod generators;
mod limits;
mod round_trip;
mod statements;
mod texts;

fn error(text: &str) -> Error {
    match parse(text) {
        Err(error) => error,
        Ok(statements) => panic!("{text} parsed: {statements:?}"),
    }
}

//! The front end as a whole: every statement, errors, limits, and round trips.

use super::*;

mod conformance;
mod generators;
mod round_trip;

fn error(text: &str) -> crate::error::Error {
    match parse(text) {
        Err(error) => error,
        Ok(statements) => panic!("{text} parsed: {statements:?}"),
    }
}

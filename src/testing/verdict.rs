//! What became of a case.

use crate::error::{Audience, Error};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pass,
    /// It ran, and what it gave is not what was expected.
    Fail,
    /// It could not be run: the case can't be read, or something in it is not supported.
    Error,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Error => "error",
        }
    }
}

/// What a case expects: they are counted apart, since an engine that refuses all it doesn't know is right about
/// rejections for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Outputs,
    Rejection,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Outputs => "outputs",
            Kind::Rejection => "rejection",
        }
    }
}

/// Why a case doesn't pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    pub status: Status,
    pub detail: String,
}

impl Miss {
    pub fn fail(detail: impl Into<String>) -> Miss {
        Miss { status: Status::Fail, detail: detail.into() }
    }

    pub fn error(detail: impl Into<String>) -> Miss {
        Miss { status: Status::Error, detail: detail.into() }
    }

    /// An error where none was expected: a wrong answer of the engine, unless it says that it doesn't know this yet or
    /// that something else is broken.
    pub fn unexpected(what: &str, error: &Error) -> Miss {
        let detail = format!("{what}: {error}");
        match error.audience {
            Audience::Statement => Miss::fail(detail),
            Audience::NotSupported | Audience::World | Audience::Internal => Miss::error(detail),
        }
    }
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub kind: Kind,
    pub status: Status,
    /// Why, over several lines. Empty for most that pass.
    pub detail: String,
}

impl Verdict {
    pub fn of(kind: Kind, result: Result<String, Miss>) -> Verdict {
        match result {
            Ok(detail) => Verdict { kind, status: Status::Pass, detail },
            Err(miss) => Verdict { kind, status: miss.status, detail: miss.detail },
        }
    }
}

//! The error that reaches a person: who must act, what happened, how to mend it.

use std::fmt;

use crate::log::{LogError, Remedy};
use crate::messages;
use crate::sql::ast::Location;

/// Who can do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Audience {
    /// The statement is wrong.
    Statement,
    /// The environment: a missing topic, a full disk, rights.
    World,
    /// The language has it, this version doesn't run it.
    NotSupported,
    /// A defect of ours.
    Internal,
}

/// What went wrong, whose it is, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Error {
    /// Who must act.
    pub audience: Audience,
    /// What went wrong, for people.
    pub what: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Where in the statement's text, when known.
    pub at: Option<Location>,
    /// Trying again doesn't help: somebody must mend it first.
    #[serde(default)]
    pub lasting: bool,
    /// The log's: the same again from the last commit may succeed.
    #[serde(default)]
    pub(crate) passing: bool,
}

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without hint and place.
    pub fn new(audience: Audience, what: impl Into<String>) -> Self {
        Error { audience, what: what.into(), hint: None, at: None, lasting: false, passing: false }
    }

    /// A test's: what the writer of a statement is told is made in [`crate::messages`] alone.
    #[cfg(test)]
    pub(crate) fn statement(what: impl Into<String>) -> Self {
        Error::new(Audience::Statement, what)
    }

    /// Something outside is in the way.
    pub fn world(what: impl Into<String>) -> Self {
        Error::new(Audience::World, what)
    }

    /// A defect of Millpond.
    pub fn internal(what: impl Into<String>) -> Self {
        Error::new(Audience::Internal, what)
    }

    /// As [`Error::statement`].
    #[cfg(test)]
    pub(crate) fn not_supported(what: impl fmt::Display, hint: impl Into<String>) -> Self {
        Error::new(Audience::NotSupported, format!("{what} is not supported")).hint(hint)
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the place unless one is known already (the innermost place is the best).
    #[must_use]
    pub fn at(mut self, at: Location) -> Self {
        if at != Location::default() {
            self.at.get_or_insert(at);
        }
        self
    }

    /// The error as several lines: place, text with a caret under the place, hint.
    pub fn render(&self, text: &str) -> String {
        let mut out = String::new();
        if let Some(at) = self.at {
            out.push_str(&format!("line {}:{}: ", at.line, at.column));
        }
        out.push_str(&self.what);
        if let Some(at) = self.at
            && let Some(line) = text.lines().nth(at.line.saturating_sub(1) as usize)
        {
            let before: String = line.chars().take(at.column.saturating_sub(1) as usize).collect();
            let pad = unicode_width::UnicodeWidthStr::width(before.as_str());
            out.push_str(&format!("\n  {line}\n  {}^", " ".repeat(pad)));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("\nHint: {hint}"));
        }
        out
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "line {}:{}: ", at.line, at.column)?;
        }
        f.write_str(&self.what)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        let lasting = matches!(
            error,
            LogError::Damaged { .. }
                | LogError::NewerFormat { .. }
                | LogError::Held(_)
                | LogError::Poisoned(_)
                | LogError::Invalid(_)
        );
        let passing = matches!(error.remedy(), Remedy::Retry | Remedy::Redo);
        let hint = messages::cluster::hint(&error);
        Error { lasting, passing, hint: hint.map(str::to_owned), ..Error::world(error.to_string()) }
    }
}

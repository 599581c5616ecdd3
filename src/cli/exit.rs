//! How a command ends: exit codes, and the ways to get there.

use std::io;
use std::process::ExitCode;

use crate::error::{Audience, Error};
use crate::log::LogError;

/// The exit codes, as `--help` tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    /// A statement or a test failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The environment: folder, rights, disk, a topic that is not there.
    World = 3,
    /// A defect of ours.
    Internal = 4,
    /// Input lines were bad and left out; all others are written.
    BadInput = 5,
    /// Ctrl-C before the work was done.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl From<Audience> for Exit {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Statement | Audience::NotSupported => Exit::Failed,
            Audience::World => Exit::World,
            Audience::Internal => Exit::Internal,
        }
    }
}

/// Why a command stops early.
#[derive(Debug)]
pub enum Stop {
    /// Nobody reads our output any more: end quietly.
    Pipe,
    /// All is said already.
    Said(Exit),
    /// The options don't fit together.
    Usage(String),
    Error(Error),
}

impl Stop {
    /// Says on stderr what is left to say, and gives the exit code.
    pub fn report(self) -> Exit {
        match self {
            Stop::Pipe => Exit::Ok,
            Stop::Said(exit) => exit,
            Stop::Usage(what) => {
                complain(&format!("error: {what}\n\nFor more information, try '--help'."));
                Exit::Usage
            }
            Stop::Error(error) => {
                complain(&describe(&error, ""));
                error.audience.into()
            }
        }
    }
}

/// An error as it is shown to a person: with the place in `text` where that is known.
pub fn describe(error: &Error, text: &str) -> String {
    let rendered = error.render(text);
    match error.audience {
        Audience::Internal => {
            format!("internal error: {rendered}\nThis is a defect of millpond: please report it with the statement.")
        }
        _ => format!("error: {rendered}"),
    }
}

/// Writes a line to stderr.
pub fn complain(line: &str) {
    crate::report::line(line);
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        let hint = match &error {
            LogError::Invalid(what) => return Stop::Usage(what.clone()),
            LogError::TransactionTooLarge { .. } => return Stop::Usage(error.to_string()),
            LogError::UnknownTopic(topic) => Some(format!("`millpond topic create {topic}` makes it")),
            LogError::TopicExists(_) => Some("--if-not-exists lets it be".to_owned()),
            LogError::InDoubt(_) => Some("look whether it is there before you try again".to_owned()),
            LogError::Poisoned(_) => Some("start the process that holds the folder anew".to_owned()),
            _ => None,
        };
        let error = Error::from(error);
        Stop::Error(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }
}

/// Of writing to our output.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::Pipe,
            _ => Stop::Error(Error::world(format!("can't write the output: {error}"))),
        }
    }
}

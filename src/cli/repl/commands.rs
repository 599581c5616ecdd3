//! The commands of the terminal itself: they need no `;` and no engine.

use std::path::PathBuf;

use crate::cli::output::{OutputFormat, Wrap};

pub const HELP: &str = "\
Statements end with `;` and may take several lines. What there is, tell:
  SHOW STREAMS; SHOW TABLES; SHOW TOPICS; SHOW QUERIES; SHOW FUNCTIONS;
  SHOW PROPERTIES; DESCRIBE <name>; DESCRIBE FUNCTION <name>;
  EXPLAIN <query>; PRINT '<topic>' FROM BEGINNING;

Of the terminal itself:
  help                        this text
  output [tabular|json]       how results are shown
  run script '<file>'         runs the statements of a file
  spool '<file>' | spool off  writes what is shown to a file, too
  set cli column-width <n>    width of a column; 0: what fits
  set cli wrap on|off         whether long values go on below or are cut
  connect                     takes the data folder, or attaches to who has it,
                              after the process that had it has ended
  history                     the statements so far
  clear                       clears the screen
  version                     the version of millpond
  exit, quit, Ctrl-D          ends the session; Ctrl-C ends a query that runs";

/// A command of the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Help,
    Exit,
    Clear,
    Connect,
    History,
    Version,
    Output(Option<OutputFormat>),
    RunScript(PathBuf),
    /// None: off.
    Spool(Option<PathBuf>),
    ColumnWidth(usize),
    Wrap(Wrap),
}

impl Command {
    /// Reads a command; `None`: it is something else (a statement). The error says how the command goes.
    pub fn parse(text: &str) -> Option<Result<Command, String>> {
        let text = text.trim().trim_end_matches(';').trim_end();
        let words: Vec<&str> = text.split_whitespace().collect();
        let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let command = match lower.as_slice() {
            ["help" | "?"] => Command::Help,
            ["exit" | "quit"] => Command::Exit,
            ["clear"] => Command::Clear,
            ["connect"] => Command::Connect,
            ["history"] => Command::History,
            ["version"] => Command::Version,
            ["output"] => Command::Output(None),
            ["output", "json"] => Command::Output(Some(OutputFormat::Json)),
            ["output", "tabular"] => Command::Output(Some(OutputFormat::Tabular)),
            ["output", ..] => return Some(Err("output: expected `tabular` or `json`".to_owned())),
            ["run", "script", ..] => return Some(file(text, 2, "run script '<file>'").map(Command::RunScript)),
            ["spool", "off"] => Command::Spool(None),
            ["spool", ..] => {
                let path = file(text, 1, "spool '<file>' or spool off");
                return Some(path.map(|path| Command::Spool(Some(path))));
            }
            ["set", "cli", rest @ ..] => return Some(set_cli(rest)),
            _ => return None,
        };
        Some(Ok(command))
    }
}

fn set_cli(words: &[&str]) -> Result<Command, String> {
    match words {
        ["column-width", width] => match width.parse() {
            Ok(width) if width <= 10_000 => Ok(Command::ColumnWidth(width)),
            _ => Err("set cli column-width: expected a number, 0 for what fits".to_owned()),
        },
        ["wrap", "on" | "true"] => Ok(Command::Wrap(Wrap::On)),
        ["wrap", "off" | "false"] => Ok(Command::Wrap(Wrap::Off)),
        _ => Err("expected `set cli column-width <n>` or `set cli wrap on|off`".to_owned()),
    }
}

/// What stands behind the first `words` words, without quotes.
fn file(text: &str, words: usize, usage: &str) -> Result<PathBuf, String> {
    let mut rest = text;
    for _ in 0..words {
        rest = rest.trim_start();
        rest = &rest[rest.find(char::is_whitespace).unwrap_or(rest.len())..];
    }
    let rest = rest.trim();
    let bare = ['\'', '"'].iter().find_map(|&quote| rest.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(rest);
    if bare.is_empty() { Err(format!("expected {usage}")) } else { Ok(PathBuf::from(bare)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_commands() {
        for (text, expected) in [
            ("help", Some(Command::Help)),
            (" EXIT ; ", Some(Command::Exit)),
            ("quit", Some(Command::Exit)),
            ("Output JSON", Some(Command::Output(Some(OutputFormat::Json)))),
            ("output", Some(Command::Output(None))),
            ("RUN SCRIPT 'a b.sql';", Some(Command::RunScript("a b.sql".into()))),
            ("run script /tmp/x.sql", Some(Command::RunScript("/tmp/x.sql".into()))),
            ("SPOOL \"out.txt\"", Some(Command::Spool(Some("out.txt".into())))),
            ("spool off;", Some(Command::Spool(None))),
            ("set cli column-width 12", Some(Command::ColumnWidth(12))),
            ("SET CLI WRAP OFF", Some(Command::Wrap(Wrap::Off))),
            ("SET 'auto.offset.reset'='earliest';", None),
            ("SHOW STREAMS;", None),
            ("", None),
        ] {
            assert_eq!(Command::parse(text).transpose().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn tells_how_a_command_goes() {
        for text in ["output xml", "run script", "run script ''", "spool", "set cli column-width x", "set cli"] {
            assert!(matches!(Command::parse(text), Some(Err(_))), "{text}");
        }
    }
}

//! What the line editor asks while somebody types: is it complete, what could follow, in which colours.

use std::borrow::Cow;
use std::sync::Arc;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Hinter};

use crate::engine::Face;
use crate::sql::{self, KEYWORDS, TokenClass};

use super::commands::Command;

const KEYWORD: &str = "\x1b[1;34m";
const FUNCTION: &str = "\x1b[33m";
const TEXT: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[36m";
const COMMENT: &str = "\x1b[2m";
const PROMPT: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

#[derive(Helper, Hinter)]
pub struct SqlHelper {
    face: Arc<dyn Face>,
    functions: Vec<String>,
}

impl SqlHelper {
    pub fn new(face: Arc<dyn Face>, functions: Vec<String>) -> Self {
        SqlHelper { face, functions }
    }
}

impl Validator for SqlHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_complete(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// Whether Enter ends the input: a command of the terminal, or statements that all have their `;`.
fn is_complete(input: &str) -> bool {
    Command::parse(input).is_some() || sql::split(input).rest.is_empty()
}

impl Completer for SqlHelper {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, prefix) = word_before(line, pos);
        if prefix.is_empty() {
            return Ok((start, Vec::new()));
        }
        Ok((start, candidates(prefix, &self.face.names(), &self.functions)))
    }
}

/// The part of a word that stands before the cursor.
fn word_before(line: &str, pos: usize) -> (usize, &str) {
    let before = &line[..pos];
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .last()
        .map_or(pos, |(i, _)| i);
    (start, &before[start..])
}

/// Words that begin so, in whatever case; words of the language in the case of what was typed.
fn candidates(prefix: &str, names: &[String], functions: &[String]) -> Vec<String> {
    let upper = prefix.to_uppercase();
    let in_lower = prefix.chars().next().is_some_and(char::is_lowercase);
    let fits = |word: &str| word.to_uppercase().starts_with(&upper);
    let cased = |word: &str| if in_lower { word.to_lowercase() } else { word.to_owned() };
    let mut found: Vec<String> = names.iter().filter(|name| fits(name)).cloned().collect();
    found.extend(KEYWORDS.iter().filter(|word| fits(word)).map(|word| cased(word)));
    found.extend(functions.iter().filter(|name| fits(name)).map(|name| format!("{}(", cased(name))));
    found.sort();
    found.dedup();
    found
}

impl Highlighter for SqlHelper {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        Cow::Owned(coloured(line))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        Cow::Owned(format!("{PROMPT}{prompt}{PLAIN}"))
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

/// The line in colours; without them it is the same text.
fn coloured(line: &str) -> String {
    let mut out = String::with_capacity(line.len() * 2);
    let mut done = 0;
    for (range, class) in sql::tokens(line) {
        out.push_str(&line[done..range.start]);
        done = range.end;
        match colour(class) {
            Some(colour) => out.extend([colour, &line[range], PLAIN]),
            None => out.push_str(&line[range]),
        }
    }
    out.push_str(&line[done..]);
    out
}

fn colour(class: TokenClass) -> Option<&'static str> {
    match class {
        TokenClass::Keyword => Some(KEYWORD),
        TokenClass::Function => Some(FUNCTION),
        TokenClass::Number => Some(NUMBER),
        TokenClass::String => Some(TEXT),
        TokenClass::Comment => Some(COMMENT),
        TokenClass::Identifier | TokenClass::Symbol | TokenClass::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(coloured: &str) -> String {
        [KEYWORD, FUNCTION, TEXT, NUMBER, COMMENT, PLAIN]
            .iter()
            .fold(coloured.to_owned(), |text, code| text.replace(code, ""))
    }

    #[test]
    fn enter_ends_commands_and_whole_statements() {
        for (input, complete) in [
            ("help", true),
            ("SHOW STREAMS", false),
            ("SHOW STREAMS;", true),
            ("SELECT ';", false),
            ("SELECT ';' FROM s\nEMIT CHANGES;", true),
            ("a; b", false),
            ("", true),
            ("set cli wrap off", true),
        ] {
            assert_eq!(is_complete(input), complete, "{input}");
        }
    }

    #[test]
    fn completes_in_the_case_of_the_typed() {
        let names = ["FLIGHTS".to_owned(), "flights-raw".to_owned()];
        let functions = ["FLOOR".to_owned()];
        assert_eq!(candidates("fl", &names, &functions), ["FLIGHTS", "flights-raw", "floor("]);
        assert_eq!(candidates("SEL", &names, &functions), ["SELECT"]);
        assert_eq!(candidates("sel", &names, &functions), ["select"]);
        assert_eq!(word_before("SELECT * FROM fli", 17), (14, "fli"));
        assert_eq!(word_before("PRINT '한국-t", "PRINT '한국-t".len()), (7, "한국-t"));
        assert_eq!(word_before("a ", 2), (2, ""));
    }

    #[test]
    fn colours_change_nothing_but_the_looks() {
        for line in ["SELECT 'a;한' FROM s WHERE x > 12.5 -- why", "/* open", "'open", "a->b[1] 🚀", ""] {
            assert_eq!(plain(&coloured(line)), line);
        }
        assert_eq!(coloured("select 1"), format!("{KEYWORD}select{PLAIN} {NUMBER}1{PLAIN}"));
    }
}

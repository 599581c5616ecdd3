//! What holds of every message: each is made once here, from sample arguments.

use std::path::Path;

use crate::error::{Audience, Error};
use crate::types::SqlType;

/// Lists of calls that make messages.
macro_rules! samples {
    ($($call:expr;)*) => {
        vec![$(Sample { call: stringify!($call), error: $call }),*]
    };
}

mod definitions;
mod expressions;
mod queries;
mod text;
mod work;

/// A message, and the call that makes it.
struct Sample {
    call: &'static str,
    error: Error,
}

const INT: SqlType = SqlType::Int;
const TEXT: SqlType = SqlType::String;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn array() -> SqlType {
    SqlType::Array(Box::new(INT))
}

fn columns() -> Vec<(String, SqlType)> {
    vec![("ID".to_owned(), INT), ("NAME".to_owned(), TEXT)]
}

fn samples() -> Vec<Sample> {
    [definitions::samples, queries::samples, expressions::samples, text::samples, work::samples]
        .into_iter()
        .flat_map(|samples| samples())
        .collect()
}

/// These say in themselves what to do, or there is nothing to do but what the statement's writer knows alone.
const WITHOUT_HINT: [&str; 8] = [
    "expressions::failing_constant(",
    "expressions::type_of_null(",
    "joins::within_of_table(",
    "keys::missing(",
    "keys::missing_of_join(",
    "syntax::unexpected(",
    "syntax::unfinished(",
    "topics::asserted_",
];

/// These show what they are given in another way: in small letters, by the nearest of its columns, by what is meant by it.
const SHOWN_OTHERWISE: [&str; 3] =
    ["functions::ambiguous_overload(", "inserts::unknown_column(", "syntax::unfinished("];

fn is_one_of(call: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| call.starts_with(beginning))
}

/// Brackets that are opened are closed, and quotes of names come in pairs. `->` and comparisons are no brackets.
fn is_balanced(text: &str) -> bool {
    let mut open = Vec::new();
    // What stands in back-ticks is a name, or a symbol.
    for ch in text.split('`').step_by(2).flat_map(str::chars) {
        match ch {
            '(' | '[' | '{' => open.push(ch),
            ')' if open.pop() != Some('(') => return false,
            ']' if open.pop() != Some('[') => return false,
            '}' if open.pop() != Some('{') => return false,
            _ => {}
        }
    }
    let in_pairs = |quote| text.matches(quote).count().is_multiple_of(2);
    open.is_empty() && in_pairs('`') && in_pairs('"')
}

fn complain(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn messages_are_well_formed() {
    // White space too much, what is left of a value printed for programmers, and words of the engine's insides.
    let never = ["  ", " ,", ",.", "\t", "Some(", "None)", "Ok(", "Err(", "Arrow", "DataFusion", "batch", "shard"];
    let mut wrong = Vec::new();
    for Sample { call, error } in samples() {
        for text in [Some(&error.what), error.hint.as_ref()].into_iter().flatten() {
            // What is compared stands below each other.
            let text = text.replace("\n  standing: ", "\n").replace("\n  script:   ", "\n");
            if text.is_empty() || text.trim() != text || text.ends_with([',', ':']) {
                wrong.push(format!("{call} doesn't end or begin well: {text:?}"));
            }
            // What isn't closed is told of with its mark.
            if !is_balanced(&text) && !call.starts_with("syntax::unfinished(") {
                wrong.push(format!("{call} leaves a bracket or quote open: {text:?}"));
            }
            for word in never.into_iter().filter(|word| text.contains(word)) {
                wrong.push(format!("{call} has {word:?}: {text:?}"));
            }
        }
        if error.hint.is_none() && !is_one_of(call, &WITHOUT_HINT) {
            wrong.push(format!("{call} gives no way to mend it"));
        }
        if error.audience == Audience::Internal || error.at.is_some() {
            wrong.push(format!("{call} is for us, or has a place, which is its caller's to add"));
        }
    }
    complain(&wrong);
}

/// A name, type or text that a message is given and doesn't show is one too many, or has another one's place.
#[test]
fn messages_show_what_they_are_given() {
    let mut wrong = Vec::new();
    for Sample { call, error } in samples().iter().filter(|sample| !is_one_of(sample.call, &SHOWN_OTHERWISE)) {
        let said = format!("{} {}", error.what, error.hint.as_deref().unwrap_or_default());
        // Of names that there are only the nearest is told.
        let given = call.split("[\"").next().unwrap_or(call);
        let texts = given.split('"').skip(1).step_by(2);
        wrong.extend(texts.filter(|text| !said.contains(text)).map(|text| format!("{call} lacks {text:?}: {said}")));
    }
    complain(&wrong);
}

fn source_files(folder: &Path, out: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => source_files(&path, out),
            false if path.extension().is_some_and(|ending| ending == "rs") => out.push(path),
            false => {}
        }
    }
}

/// A function that nobody has called here has a message that nobody has looked at.
#[test]
fn every_message_is_among_the_samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/messages");
    let mut files = Vec::new();
    source_files(&folder, &mut files);
    let samples = samples();
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files.iter().filter(|file| file.parent() == Some(folder.as_path())) {
        let module = file.file_stem().unwrap().to_str().unwrap();
        if matches!(module, "mod" | "tests") {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        for name in text.lines().filter_map(|line| line.strip_prefix("pub fn ")) {
            seen += 1;
            let call = format!("{module}::{}(", name.split(['(', '<']).next().unwrap());
            // These make parts of messages.
            if !matches!(call.as_str(), "syntax::found(" | "cluster::hint(")
                && !samples.iter().any(|sample| sample.call.starts_with(&call))
            {
                wrong.push(call);
            }
        }
    }
    complain(&wrong);
    assert!(seen > 300, "{seen} messages were found: does the scan still find them?");
}

/// `Error::statement` and `Error::not_supported` are there in tests alone, so the compiler keeps others from using them. This
/// keeps them from saying the same in a longer way: words that stand beside their check are soon said twice, and differently.
#[test]
fn nobody_else_words_what_a_writer_is_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&folder, &mut files);
    let is_ours = |file: &Path| file.starts_with(folder.join("messages")) || file == folder.join("error.rs");
    let long_ways = [
        "new(Audience::Statement",
        "new(Audience::NotSupported",
        "audience: Audience::Statement",
        "audience: Audience::NotSupported",
    ];
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !is_ours(file)) {
        let text = std::fs::read_to_string(file).unwrap();
        let found = text.lines().enumerate().filter(|(_, line)| long_ways.iter().any(|way| line.contains(way)));
        wrong.extend(found.map(|(number, _)| format!("{}:{}", file.display(), number + 1)));
    }
    complain(&wrong);
}

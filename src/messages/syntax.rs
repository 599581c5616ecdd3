//! What can't be read as a statement: tokens, their order, numbers, depth.

use super::statement;
use crate::error::Error;
use crate::nearest::nearest;

/// A token that can't stand where it stands. `expected`: what can, keywords of it in capitals; `found`: the token as
/// [`found`] shows it; `meant`: what was likely meant.
pub fn unexpected(expected: &str, found: &str, meant: Option<Meant>) -> Error {
    let error = statement(format!("expected {expected}, found {found}"));
    match meant {
        Some(meant) => error.hint(meant.text()),
        None => error,
    }
}

/// What the token is that can't stand there.
pub enum Found {
    End,
    Text,
    Number,
    Name,
    Other,
}

/// A token as the messages show it.
pub fn found(what: &Found, written: &str) -> String {
    /// Longer tokens are shown by their beginning.
    const CHARS_MAX: usize = 40;
    let mut shown: String = written.chars().take(CHARS_MAX).collect();
    if shown.len() < written.len() {
        shown.push_str("...");
    }
    match what {
        Found::End => "the end of the statement".to_owned(),
        Found::Text => format!("the string {shown}"),
        Found::Number => format!("the number {shown}"),
        Found::Name => format!("the name {shown}"),
        Found::Other => format!("`{shown}`"),
    }
}

/// What was likely meant where something can't stand.
pub enum Meant<'a> {
    /// A keyword, misspelt.
    Keyword(String),
    /// A keyword, misspelt, that was taken for an alias.
    KeywordNotAlias(String, &'a str),
    /// A name that is a keyword; as it is written.
    Name {
        keyword: &'a str,
        written: &'a str,
    },
    /// A name of nothing.
    NoEmptyName,
    /// A name with letters beyond A to Z.
    NameWithLetters,
    /// A text that isn't quoted.
    Quoted(&'a str),
    /// An item of a list goes before this one.
    Comma(&'a str),
    /// The list has ended.
    NoComma,
    /// The statement has ended before this word.
    Semicolon(&'a str),
    Equal,
    And,
    Cast,
    Variable,
    UnionWithoutParentheses,
    NameWithoutSchema,
    DaysOfWeek,
    DaysOfMonth,
    /// SIZE before the number, of a window of this kind.
    Size {
        window: &'a str,
        number: &'a str,
    },
    Advance,
    /// EXTENDED behind the name.
    ExtendedLast(&'a str),
    PropertyInQuotes,
    Star,
    StarOfAggregate,
    Decimal,
    Array,
    Map,
    Struct,
}

impl<'w> Meant<'w> {
    /// The keyword that is near to a word.
    pub fn keyword<'a>(word: &str, keywords: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        nearest(word, keywords).map(|near| Meant::Keyword(near.to_owned()))
    }

    /// The same of a word that was taken for an alias.
    pub fn keyword_not_alias<'a>(alias: &'w str, keywords: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        nearest(alias, keywords).map(|near| Meant::KeywordNotAlias(near.to_owned(), alias))
    }

    fn text(&self) -> String {
        let text = match self {
            Meant::Keyword(near) => return format!("Did you mean {near}?"),
            Meant::KeywordNotAlias(near, alias) => return format!("Did you mean {near}, not {alias}?"),
            Meant::Name { keyword, written } => {
                return format!("{keyword} is a keyword: to use it as a name write `{written}` in back-ticks.");
            }
            Meant::Quoted(text) => return format!("Write '{text}', in single quotes."),
            Meant::Comma(item) => return format!("Is a `,` missing before {item}?"),
            Meant::Semicolon(word) => return format!("Is a `;` missing before {word}?"),
            Meant::Size { window, number } => return format!("Write {window} (SIZE {number} ...)."),
            Meant::ExtendedLast(name) => return format!("EXTENDED stands last: DESCRIBE {name} EXTENDED;"),
            Meant::NoEmptyName => "A name can't be empty.",
            Meant::NameWithLetters => "A name with letters beyond A to Z must be put in back-ticks.",
            Meant::NoComma => "Is the `,` before it one too many?",
            Meant::Equal => "Equality is written with one =.",
            Meant::And => "Write AND.",
            Meant::Cast => "Write CAST(expression AS type).",
            Meant::Variable => "A variable is written ${name} and set by DEFINE name = '...';",
            Meant::UnionWithoutParentheses => "Leave out the parentheses: SELECT ... UNION ALL SELECT ...",
            Meant::NameWithoutSchema => "There are no schemas or databases: name the stream or table alone.",
            Meant::DaysOfWeek => "A week is 7 DAYS.",
            Meant::DaysOfMonth => "Months and years differ in length: say how many DAYS.",
            Meant::Advance => "Say how often a window begins: HOPPING (SIZE 1 HOUR, ADVANCE BY 10 MINUTES).",
            Meant::PropertyInQuotes => "Write SET 'auto.offset.reset' = 'earliest';",
            Meant::Star => "`*` stands alone in SELECT *, or in COUNT(*).",
            Meant::StarOfAggregate => "Only aggregates take `*`, as COUNT(*).",
            Meant::Decimal => "Write DECIMAL(precision, scale).",
            Meant::Array => "Write ARRAY<type>.",
            Meant::Map => "Write MAP<STRING, type>.",
            Meant::Struct => "Write STRUCT<field type, ...>.",
        };
        text.to_owned()
    }
}

/// Something that begins and doesn't end. `rest`: the text from its beginning; `why`: what the tokenizer says.
pub fn unfinished(rest: &str, why: &str) -> Error {
    let (what, mark) = match rest.chars().next() {
        Some('\'') => ("this string has no closing quote", "'"),
        Some('`') => ("this identifier has no closing back-tick", "`"),
        Some('"') => ("this identifier has no closing double quote", "\""),
        Some('/') => ("this comment has no closing", "*/"),
        _ => return statement(format!("this can't be read: {why}")),
    };
    let error = statement(format!("{what} {mark}"));
    match mark {
        "'" => error.hint("A quote within the text is written twice: 'it''s'."),
        _ => error.hint(format!("Write {mark} where it ends.")),
    }
}

pub fn statement_too_long(bytes: usize, bytes_max: usize) -> Error {
    statement(format!("the statement is {bytes} bytes long; the most is {bytes_max}"))
        .hint("Split it into several statements.")
}

pub fn too_deep(levels_max: usize, operators_max: usize) -> Error {
    statement(format!(
        "this nests deeper than {levels_max} levels, or has more than {operators_max} operators in a row"
    ))
    .hint("Use IN for a long row of ORs, or do a part of the work in a stream of its own.")
}

pub fn queries_too_deep(levels_max: usize) -> Error {
    statement(format!("queries nest deeper than {levels_max} levels"))
        .hint("Do a part of the work in a stream of its own.")
}

/// `expected`: what the number is.
pub fn number_too_large(number: &str, expected: &str) -> Error {
    statement(format!("{number} is too large: expected {expected}")).hint("Write a smaller number.")
}

/// `expected`: what the number is.
pub fn not_whole(number: &str, expected: &str) -> Error {
    statement(format!("{number} isn't a whole number: expected {expected}")).hint("Write it without a point.")
}

pub fn beyond_bigint(number: &str) -> Error {
    statement(format!("{number} is beyond the range of BIGINT"))
        .hint(format!("Write DECIMAL '{number}' for a number of that many digits."))
}

pub fn beyond_double(number: &str) -> Error {
    statement(format!("{number} is beyond the range of DOUBLE")).hint("The largest is 1.7976931348623157E308.")
}

pub fn not_a_decimal(text: &str) -> Error {
    statement(format!("'{text}' isn't a DECIMAL")).hint("Write it like DECIMAL '1.50'.")
}

pub fn span_too_long() -> Error {
    statement("this span of time is too long").hint("Write a smaller number.")
}

pub fn escape() -> Error {
    statement("ESCAPE takes exactly one character").hint("As in LIKE '10!%' ESCAPE '!'.")
}

/// `clause`: one that other SQL has, too.
pub fn clause_out_of_order(clause: &str) -> Error {
    misplaced(clause)
        .hint("The order is FROM, WINDOW, WHERE, GROUP BY, PARTITION BY, HAVING, UNION ALL, ORDER BY, EMIT, LIMIT.")
}

pub fn join_out_of_order(word: &str) -> Error {
    misplaced(word).hint("Joins belong to FROM: FROM a JOIN b ON a.id = b.id WINDOW ... WHERE ... GROUP BY ...")
}

pub fn within_behind_on() -> Error {
    misplaced("WITHIN").hint("It stands before ON: a JOIN b WITHIN 1 HOUR ON a.id = b.id.")
}

fn misplaced(word: &str) -> Error {
    statement(format!("{word} can't stand here"))
}

/// CREATE with columns, or of a SOURCE, AS SELECT.
pub fn columns_before_as(is_source: bool) -> Error {
    let what = match is_source {
        true => "a SOURCE can't be made AS SELECT",
        false => "columns can't be listed before AS SELECT",
    };
    statement(what).hint("Leave them out: the query gives the columns, and AS in its SELECT list names them.")
}

pub fn replace_and_if_not_exists() -> Error {
    statement("OR REPLACE and IF NOT EXISTS exclude each other").hint("Leave one of them out.")
}

/// `kind`: what a value is of, in words.
pub fn count_of_values(columns: usize, values: usize, kind: &str) -> Error {
    statement(format!("{columns} columns but {values} {kind}s")).hint("Give one value for each column.")
}

pub fn schema_without_subject() -> Error {
    statement("ASSERT SCHEMA needs a SUBJECT, an ID or both").hint("As in ASSERT SCHEMA SUBJECT 'orders-value';")
}

/// `there`: the variables that are.
pub fn undefined_variable<'a>(name: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    statement(format!("the variable ${{{name}}} isn't defined")).hint(match nearest(name, there) {
        Some(near) => format!("Did you mean ${{{near}}}?"),
        None => format!("Set it with DEFINE {name} = '...'; or write $${{{name}}} for the characters themselves."),
    })
}

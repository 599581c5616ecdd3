//! What of ksqlDB's language is here, as a table: `docs/compatibility.md` is made of it. For tests alone.

mod clauses;
mod page;
mod statements;
mod tests;

/// How much of something there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    Partly,
    No,
}

/// One statement, clause or rule.
struct Row {
    what: &'static str,
    answer: Answer,
    /// What is missing, or more than ksqlDB has. Empty: nothing to say.
    word: &'static str,
    /// The test that shows it, as its path in the crate (`it::` for those of tests/it). Empty where there is nothing to show.
    test: &'static str,
}

const fn yes(what: &'static str, word: &'static str, test: &'static str) -> Row {
    Row { what, answer: Answer::Yes, word, test }
}

const fn partly(what: &'static str, word: &'static str, test: &'static str) -> Row {
    Row { what, answer: Answer::Partly, word, test }
}

const fn no(what: &'static str, word: &'static str, test: &'static str) -> Row {
    Row { what, answer: Answer::No, word, test }
}

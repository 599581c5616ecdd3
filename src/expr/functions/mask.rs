//! Functions that hide what a text says but not its form.

use arrow::array::{Array, ArrayRef, StringArray};

use super::define::{INT, P, STRING};
use super::kernel::{Get, known};
use super::{Function, ScalarCall};

const CATEGORY: &str = "STRING";

pub(super) fn entries() -> Vec<Function> {
    let text: P<'_> = ("text", &STRING, "a text");
    let count: P<'_> = ("count", &INT, "how many characters");
    let masks: [P<'_>; 4] = [
        ("upper", &STRING, "what stands for capitals; NULL: they stay"),
        ("lower", &STRING, "what stands for small letters; NULL: they stay"),
        ("digit", &STRING, "what stands for digits; NULL: they stay"),
        ("other", &STRING, "what stands for all else; NULL: it stays"),
    ];
    let with = |first: &[P<'static>]| [first, &masks].concat();
    vec![
        Function::scalar(
            "MASK",
            CATEGORY,
            "The text with X for capitals, x for small letters, n for digits, - for all else.",
        )
        .over(&[text], STRING, |call| mask(call, 1, |_, _| Span::All))
        .over(&with(&[text]), STRING, |call| mask(call, 1, |_, _| Span::All))
        .examples(&[("MASK('My Test $123')", "Xx-Xxxx--nnn")]),
        Function::scalar("MASK_LEFT", CATEGORY, "The text with its first characters masked.")
            .over(&[text, count], STRING, |call| mask(call, 2, |count, _| Span::To(count)))
            .over(&with(&[text, count]), STRING, |call| mask(call, 2, |count, _| Span::To(count)))
            .examples(&[("MASK_LEFT('My Test', 4)", "Xx-Xest")]),
        Function::scalar("MASK_RIGHT", CATEGORY, "The text with its last characters masked.")
            .over(&[text, count], STRING, |call| mask(call, 2, |count, len| Span::From(len.saturating_sub(count))))
            .over(&with(&[text, count]), STRING, |call| {
                mask(call, 2, |count, len| Span::From(len.saturating_sub(count)))
            })
            .examples(&[("MASK_RIGHT('My Test', 4)", "My Xxxx")]),
        Function::scalar("MASK_KEEP_LEFT", CATEGORY, "The text with all but its first characters masked.")
            .over(&[text, count], STRING, |call| mask(call, 2, |count, _| Span::From(count)))
            .over(&with(&[text, count]), STRING, |call| mask(call, 2, |count, _| Span::From(count)))
            .examples(&[("MASK_KEEP_LEFT('My Test', 4)", "My Txxx")]),
        Function::scalar("MASK_KEEP_RIGHT", CATEGORY, "The text with all but its last characters masked.")
            .over(&[text, count], STRING, |call| mask(call, 2, |count, len| Span::To(len.saturating_sub(count))))
            .over(&with(&[text, count]), STRING, |call| mask(call, 2, |count, len| Span::To(len.saturating_sub(count))))
            .examples(&[("MASK_KEEP_RIGHT('My Test', 4)", "Xx-Test")]),
    ]
}

/// Which characters are masked.
enum Span {
    All,
    To(usize),
    From(usize),
}

/// The characters that stand for a class; `None` leaves the class as it is.
struct Masks {
    upper: Option<char>,
    lower: Option<char>,
    digit: Option<char>,
    other: Option<char>,
}

impl Masks {
    /// From four arguments, or the usual ones.
    fn of(args: &[&StringArray], row: usize) -> Result<Masks, String> {
        let [upper, lower, digit, other] = args else {
            return Ok(Masks { upper: Some('X'), lower: Some('x'), digit: Some('n'), other: Some('-') });
        };
        let one = |array: &StringArray| match array.get(row) {
            None => Ok(None),
            Some(text) => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Ok(Some(c)),
                    _ => Err(format!("Invalid mask character '{text}': it must be one character")),
                }
            }
        };
        Ok(Masks { upper: one(upper)?, lower: one(lower)?, digit: one(digit)?, other: one(other)? })
    }

    fn apply(&self, c: char) -> char {
        let mask = if c.is_uppercase() {
            self.upper
        } else if c.is_lowercase() {
            self.lower
        } else if c.is_numeric() {
            self.digit
        } else {
            self.other
        };
        mask.unwrap_or(c)
    }
}

/// `fixed`: the arguments before the mask characters.
fn mask(call: &mut ScalarCall<'_>, fixed: usize, span: fn(usize, usize) -> Span) -> ArrayRef {
    let text = call.texts(0);
    let counts = (fixed > 1).then(|| call.ints(1));
    let masks: Vec<_> = (fixed..call.args.len()).map(|arg| call.texts(arg)).collect();
    call.collect_text(|row| {
        let text = known!(text.get(row));
        let count = match counts {
            Some(counts) if counts.is_null(row) => return Ok(None),
            Some(counts) => counts.value(row),
            None => 0,
        };
        let count =
            usize::try_from(count).map_err(|_| format!("The number of characters can't be negative: {count}"))?;
        let masks = Masks::of(&masks, row)?;
        let span = span(count, text.chars().count());
        let masked = text.chars().enumerate().map(|(i, c)| {
            let is_hidden = match span {
                Span::All => true,
                Span::To(end) => i < end,
                Span::From(start) => i >= start,
            };
            if is_hidden { masks.apply(c) } else { c }
        });
        Ok(Some(masked.collect::<String>()))
    })
}

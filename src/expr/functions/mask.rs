//! Functions that hide a text's characters and keep its form. A character is a code point: one outside the basic plane
//! is masked once.

use std::sync::LazyLock;

use ::regex::Regex;
use arrow::array::{ArrayRef, StringArray};

use super::args::Values;
use super::define::{INT, STRING};
use super::kernel::{Out, known};
use super::{Function, ScalarCall, ScalarFn};

const CATEGORY: &str = "STRING";

pub(super) fn entries() -> Vec<Function> {
    vec![
        masks(&[], "MASK", "The text with letters as X and x, digits as n and all else as -.", |call| {
            mask(call, Part::All)
        })
        .examples(&[
            ("MASK('My Test $123')", "Xx-Xxxx--nnn"),
            ("MASK('My Test $123', '*', NULL, '1', NULL)", "*y *est $111"),
        ]),
        masks(&[COUNT], "MASK_LEFT", "The text with its first characters masked.", |call| mask(call, Part::Left))
            .examples(&[("MASK_LEFT('My Test $123', 4)", "Xx-Xest $123")]),
        masks(&[COUNT], "MASK_RIGHT", "The text with its last characters masked.", |call| mask(call, Part::Right))
            .examples(&[("MASK_RIGHT('My Test $123', 4)", "My Test -nnn")]),
        masks(&[COUNT], "MASK_KEEP_LEFT", "The text with all but its first characters masked.", |call| {
            mask(call, Part::AllButLeft)
        })
        .examples(&[("MASK_KEEP_LEFT('My Test $123', 4)", "My Txxx--nnn")]),
        masks(&[COUNT], "MASK_KEEP_RIGHT", "The text with all but its last characters masked.", |call| {
            mask(call, Part::AllButRight)
        })
        .examples(&[("MASK_KEEP_RIGHT('My Test $123', 4)", "Xx-Xxxx-$123")]),
    ]
}

const COUNT: (&str, &super::ParamType, &str) = ("count", &INT, "how many characters");

fn masks(
    count: &[super::define::P<'static>],
    name: &'static str,
    description: &'static str,
    call: ScalarFn,
) -> Function {
    let mut params = vec![("text", &STRING, "a text")];
    params.extend_from_slice(count);
    let mut with_masks = params.clone();
    with_masks.extend([
        ("upper", &STRING, "the character for capitals; NULL leaves them as they are"),
        ("lower", &STRING, "the character for small letters; NULL leaves them as they are"),
        ("digit", &STRING, "the character for digits; NULL leaves them as they are"),
        ("other", &STRING, "the character for all else; NULL leaves it as it is"),
    ]);
    Function::scalar(name, CATEGORY, description)
        .nulls("NULL when the text is, or the count; a class whose mask is NULL stays as it is.")
        .over(&params, STRING, call)
        .over(&with_masks, STRING, call)
}

/// Which characters are masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Left,
    Right,
    AllButLeft,
    AllButRight,
}

fn mask(call: &mut ScalarCall<'_>, part: Part) -> ArrayRef {
    let text = call.texts(0);
    let count = (part != Part::All).then(|| call.ints(1));
    let first = if part == Part::All { 1 } else { 2 };
    let masks: Vec<Values<'_, StringArray>> = (first..call.args.len()).map(|arg| call.texts(arg)).collect();
    call.collect_text(|row| {
        let text = known!(text.get(row));
        let count = match count {
            Some(count) => known!(count.get(row)),
            None => 0,
        };
        masked(text, part, count, Masks::of(&masks, row)?)
    })
}

fn masked(text: &str, part: Part, count: i32, masks: Masks) -> Out<String> {
    let count = usize::try_from(count).map_err(|_| format!("the count of characters is negative: {count}"))?;
    // Counting is left out where nothing depends on it.
    let from_left = |len: usize| count.min(len);
    let len = || text.chars().count();
    let (from, to) = match part {
        Part::All => (0, usize::MAX),
        Part::Left => (0, count),
        Part::AllButLeft => (count, usize::MAX),
        Part::Right => {
            let len = len();
            (len - from_left(len), usize::MAX)
        }
        Part::AllButRight => {
            let len = len();
            (0, len - from_left(len))
        }
    };
    let apply = |(i, c)| if i >= from && i < to { masks.apply(c) } else { c };
    Ok(Some(text.chars().enumerate().map(apply).collect()))
}

/// What each class of characters becomes; `None` leaves it as it is.
#[derive(Debug, Clone, Copy)]
struct Masks {
    upper: Option<char>,
    lower: Option<char>,
    digit: Option<char>,
    other: Option<char>,
}

impl Masks {
    const DEFAULT: Masks = Masks { upper: Some('X'), lower: Some('x'), digit: Some('n'), other: Some('-') };

    /// A row's masks: upper, lower, digit, other; none were given where there are no arrays.
    fn of(arrays: &[Values<'_, StringArray>], row: usize) -> Result<Masks, String> {
        let [upper, lower, digit, other] = arrays else { return Ok(Masks::DEFAULT) };
        Ok(Masks {
            upper: single(upper.get(row))?,
            lower: single(lower.get(row))?,
            digit: single(digit.get(row))?,
            other: single(other.get(row))?,
        })
    }

    fn apply(self, c: char) -> char {
        let mask = match Class::of(c) {
            Class::Upper => self.upper,
            Class::Lower => self.lower,
            Class::Digit => self.digit,
            Class::Other => self.other,
        };
        mask.unwrap_or(c)
    }
}

fn single(mask: Option<&str>) -> Out<char> {
    let mask = known!(mask);
    let mut chars = mask.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Some(c)),
        _ => Err(format!("a mask must be one character, not '{mask}'")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Upper,
    Lower,
    Digit,
    Other,
}

/// One group for each class that isn't "other": the categories of Unicode, which are narrower than `char::is_uppercase`
/// and its like (Roman numerals are no capitals).
static CLASSES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(?:(\p{Lu})|(\p{Ll})|(\p{Nd}))").ok());

impl Class {
    fn of(c: char) -> Class {
        match c {
            'A'..='Z' => Class::Upper,
            'a'..='z' => Class::Lower,
            '0'..='9' => Class::Digit,
            _ if c.is_ascii() => Class::Other,
            _ => Class::of_wide(c),
        }
    }

    fn of_wide(c: char) -> Class {
        let mut buffer = [0; 4];
        let captures = CLASSES.as_ref().and_then(|classes| classes.captures(c.encode_utf8(&mut buffer)));
        let is = |group| captures.as_ref().is_some_and(|captures| captures.get(group).is_some());
        match () {
            () if is(1) => Class::Upper,
            () if is(2) => Class::Lower,
            () if is(3) => Class::Digit,
            () => Class::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_classes() {
        let table = [
            ('É', Class::Upper),
            ('ß', Class::Lower),
            ('٣', Class::Digit),
            ('½', Class::Other),
            ('Ⅷ', Class::Other),
            ('ª', Class::Other),
            ('ǅ', Class::Other),
            ('水', Class::Other),
            ('_', Class::Other),
            ('𝐀', Class::Upper),
            ('😀', Class::Other),
        ];
        for (c, expected) in table {
            assert_eq!(Class::of(c), expected, "{c}");
        }
    }

    #[test]
    fn masks_a_part() {
        let table = [
            ("aB3😀é", Part::All, 0, "xXn-x"),
            ("", Part::All, 0, ""),
            ("aB3😀é", Part::Left, 0, "aB3😀é"),
            ("aB3😀é", Part::Left, 2, "xX3😀é"),
            ("aB3😀é", Part::Left, 9, "xXn-x"),
            ("aB3😀é", Part::Right, 0, "aB3😀é"),
            ("aB3😀é", Part::Right, 2, "aB3-x"),
            ("aB3😀é", Part::Right, 9, "xXn-x"),
            ("aB3😀é", Part::AllButLeft, 0, "xXn-x"),
            ("aB3😀é", Part::AllButLeft, 2, "aBn-x"),
            ("aB3😀é", Part::AllButLeft, i32::MAX, "aB3😀é"),
            ("aB3😀é", Part::AllButRight, 0, "xXn-x"),
            ("aB3😀é", Part::AllButRight, 2, "xXn😀é"),
            ("aB3😀é", Part::AllButRight, 9, "aB3😀é"),
        ];
        for (text, part, count, expected) in table {
            assert_eq!(masked(text, part, count, Masks::DEFAULT), Ok(Some(expected.into())), "{text} {part:?} {count}");
        }
        assert!(masked("a", Part::Left, -1, Masks::DEFAULT).is_err());
    }

    #[test]
    fn masks_are_single_characters() {
        let masks = [Some("*"), Some("é"), None, Some(""), Some("ab")];
        assert_eq!(
            masks.map(|mask| single(mask).map_err(drop)),
            [Ok(Some('*')), Ok(Some('é')), Ok(None), Err(()), Err(())]
        );
    }
}

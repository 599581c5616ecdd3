//! Where two tokens on one line have a space between them.

use super::parts::Item;
use crate::sql::lexer::Kind;

/// Keywords before a parenthesis that belongs to them, as that of a call does.
const CALLED: &[&str] = &["CAST", "DEC", "DECIMAL", "HEADER", "MAP", "STRING", "STRUCT", "VARCHAR"];

/// Keywords that end an operand: a sign behind them is an operator's.
const OPERANDS: &[&str] = &["END", "FALSE", "NULL", "TRUE"];

/// Keywords before a name whose parenthesis lists columns: it isn't called.
const LISTED: &[&str] = &["EXISTS", "INTO", "STREAM", "TABLE", "VALUES"];

/// What was printed so far, as far as the next space depends on it.
#[derive(Clone, Default)]
pub(super) struct Spacing<'a> {
    last: Option<&'a Item>,
    /// The last token is a sign, if it is a plus or minus.
    signed: bool,
    /// Types in `<` `>` that are open.
    types: usize,
    /// The last token opened or closed a type.
    type_bracket: bool,
    /// Of each open parenthesis: properties are in it, `WITH (NAME='value')`.
    properties: Vec<bool>,
    /// The last token is a name, and a parenthesis behind it would list columns.
    listed: bool,
    /// The last token began a line, or stood behind a comment.
    apart: bool,
}

impl<'a> Spacing<'a> {
    /// Whether a space stands before the token when it goes on in a line.
    pub fn before(&self, right: &Item) -> bool {
        let Some(left) = self.last else { return false };
        let ends = [",", ";", ")"].iter().any(|symbol| right.is(symbol));
        if (left.kind == Kind::Other && !ends) || right.kind == Kind::Other {
            return !right.adjoins;
        }
        // A point that nothing stands before would begin a number.
        if left.is(".") {
            return self.apart;
        }
        if right.is(".") {
            return matches!(left.kind, Kind::Number(_));
        }
        let tight = ["(", "[", "->"].iter().any(|symbol| left.is(symbol));
        if tight || [")", "]", ",", ";", "->"].iter().any(|symbol| right.is(symbol)) {
            return false;
        }
        if self.properties.last() == Some(&true) && (left.is("=") || right.is("=")) {
            return false;
        }
        if self.types > 0 && (left.is("<") && self.type_bracket || right.is("<") || right.is(">")) {
            return false;
        }
        if right.is("<") && begins_type(left) {
            return false;
        }
        if right.is("[") {
            return !is_operand(left) && !left.is_keyword("ARRAY");
        }
        if right.is("(") {
            return !self.is_called(left);
        }
        if self.signed && (left.is("-") || left.is("+")) {
            // Two in a row would begin a comment.
            return right.is("-");
        }
        true
    }

    /// The token was printed. `apart`: it began a line, or stood behind a comment.
    pub fn print(&mut self, item: &'a Item, apart: bool) {
        let opens_type = item.is("<") && self.last.is_some_and(begins_type);
        let closes_type = item.is(">") && self.types > 0;
        self.types = self.types + usize::from(opens_type) - usize::from(closes_type);
        self.type_bracket = opens_type || closes_type;
        if item.is("(") {
            self.properties.push(self.last.is_some_and(|last| last.is_keyword("WITH")));
        } else if item.is(")") {
            self.properties.pop();
        }
        self.signed = !self.last.is_some_and(is_operand);
        let lists = self.last.is_some_and(|last| LISTED.iter().any(|word| last.is_keyword(word)));
        self.listed = item.is_name && lists;
        self.apart = apart;
        self.last = Some(item);
    }

    fn is_called(&self, item: &Item) -> bool {
        match &item.kind {
            Kind::Word(word) if !item.is_name && CALLED.contains(&word.as_str()) => true,
            Kind::Word(_) | Kind::Quoted(_) => item.is_name && !self.listed,
            _ => false,
        }
    }

    /// Characters of these tokens when they go on in a line; more than `most` aren't counted.
    pub fn width(&self, items: &'a [Item], most: usize) -> usize {
        let mut line = self.clone();
        let mut width = 0;
        for item in items {
            let comments: usize = item.before.iter().map(|comment| comment.text.chars().count() + 1).sum();
            width += usize::from(line.before(item) || comments > 0) + comments + item.text.chars().count();
            if width > most {
                break;
            }
            line.print(item, comments > 0);
        }
        width
    }
}

/// Whether `<` behind it begins the parts of a type.
pub(super) fn begins_type(item: &Item) -> bool {
    matches!(&item.kind, Kind::Word(word) if matches!(word.as_str(), "ARRAY" | "MAP" | "STRUCT"))
}

/// Whether something ends with it that an operator may stand behind.
fn is_operand(item: &Item) -> bool {
    match &item.kind {
        Kind::Word(word) => item.is_name || OPERANDS.contains(&word.as_str()),
        Kind::Quoted(_) | Kind::Number(_) | Kind::Text(_) => true,
        Kind::Symbol(symbol) => matches!(*symbol, ")" | "]"),
        Kind::Other | Kind::Comment | Kind::End => false,
    }
}

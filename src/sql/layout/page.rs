//! Statements onto lines.

use super::WIDTH;
use super::parts::{Comment, Item};
use super::spacing::{Spacing, begins_type};

/// A query alone, shorter than this, stays on one line.
const SHORT: usize = 80;

const INDENT: usize = 2;

/// What stands deeper is not indented further: white space would become most of the text.
const INDENT_MAX: usize = WIDTH / 2;

/// What is laid out so far.
#[derive(Default)]
pub(super) struct Page<'a> {
    out: String,
    /// Characters of the line so far.
    column: usize,
    /// The next token begins a line with that indentation.
    fresh: Option<usize>,
    spacing: Spacing<'a>,
    /// A comment `/* */` stands before the next token on its line.
    after_comment: bool,
}

impl<'a> Page<'a> {
    pub fn finish(mut self) -> String {
        let kept = self.out.trim_end().len();
        self.out.truncate(kept);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    /// Adds a statement, its `;` included.
    pub fn statement(&mut self, items: &'a [Item]) {
        let Some(first) = items.first() else { return };
        let blank = first.before.first().map_or(first.blank_before, |comment| comment.blank_before);
        self.line(0, blank && !self.out.is_empty());
        match query_start(items) {
            Some(0) if self.fits_here(items) && self.spacing.width(items, WIDTH) <= SHORT => self.flat(items),
            Some(start) => {
                let (header, query) = items.split_at(start);
                let indent = if start > 0 { INDENT } else { 0 };
                if start > 0 {
                    self.sequence(header, 0);
                    self.line(indent, false);
                }
                self.query(query, indent);
            }
            None => self.sequence(items, 0),
        }
        self.spacing = Spacing::default();
    }

    /// The clauses of a query, each beginning a line.
    fn query(&mut self, items: &'a [Item], indent: usize) {
        let starts = clause_starts(items);
        for (number, start) in starts.iter().enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(items.len());
            if number > 0 {
                self.line(indent, false);
            }
            self.clause(&items[*start..end], indent);
        }
    }

    fn clause(&mut self, items: &'a [Item], indent: usize) {
        // Without the end of the statement: that stays on the line of what is before it.
        let words = clause_words(items);
        let (head, body) = items.split_at(words.min(items.len()));
        if self.fits_here(items) {
            self.flat(items);
            return;
        }
        self.sequence(head, indent);
        let listing = head.last().is_some_and(|item| ["SELECT", "BY", "WITH"].iter().any(|word| item.is_keyword(word)));
        if listing && comma_count(body) > 0 {
            let with = head.first().is_some_and(|item| item.is_keyword("WITH"));
            self.list(body, if with { indent } else { indent + INDENT }, with);
        } else {
            self.sequence(body, indent);
        }
    }

    /// Items between commas, one a line. `first_goes_on`: the first stays on the line.
    fn list(&mut self, items: &'a [Item], indent: usize, first_goes_on: bool) {
        for (number, part) in comma_parts(items).into_iter().enumerate() {
            if number > 0 || !first_goes_on {
                self.line(indent, false);
            }
            self.sequence(part, indent);
        }
    }

    /// Tokens in a row: on the line as far as they fit, else broken in their parentheses, and before AND and OR.
    fn sequence(&mut self, items: &'a [Item], indent: usize) {
        if self.fits_here(items) {
            self.flat(items);
            return;
        }
        let mut at = 0;
        let breaks = logic_breaks(items);
        while at < items.len() {
            if breaks.contains(&at) {
                self.line(indent + INDENT, false);
            }
            let item = &items[at];
            let properties = item.is_keyword("WITH") && items.get(at + 1).is_some_and(|next| next.is("("));
            if properties && at > 0 {
                let close = closing(items, at + 1).unwrap_or(at);
                if !self.fits_here(&items[at..=close]) {
                    self.line(indent + INDENT, false);
                }
            }
            let close = if item.is("(") { closing(items, at) } else { None };
            match close {
                Some(close) if close > at + 1 => {
                    self.group(&items[at..=close], indent);
                    at = close + 1;
                }
                _ => {
                    self.token(item, indent);
                    at += 1;
                }
            }
        }
    }

    /// `( ... )`
    fn group(&mut self, items: &'a [Item], indent: usize) {
        let (open, rest) = (&items[0], &items[1..]);
        let (inner, close) = rest.split_at(rest.len() - 1);
        if self.fits_here(items) {
            self.flat(items);
            return;
        }
        self.token(open, indent);
        match query_start(inner) {
            Some(0) => {
                self.line(indent + INDENT, false);
                self.query(inner, indent + INDENT);
            }
            _ => self.list(inner, indent + INDENT, false),
        }
        self.line(indent, false);
        self.token(&close[0], indent);
    }

    fn flat(&mut self, items: &'a [Item]) {
        for item in items {
            self.token(item, 0);
        }
    }

    /// Whether the tokens fit into what is left of the line, and none of them ends it before the last.
    fn fits_here(&self, items: &'a [Item]) -> bool {
        let Some((first, rest)) = items.split_first() else { return true };
        // What stands before the first or behind the last is on lines of its own in any case.
        let begins_line = self.fresh.is_some() || first.before.iter().all(|comment| comment.inline);
        let within = rest.iter().all(|item| item.before.iter().all(|comment| comment.inline));
        let ended = items[..items.len() - 1].iter().any(|item| item.behind.is_some());
        let used = self.fresh.unwrap_or(self.column);
        begins_line && within && !ended && used + self.spacing.width(items, WIDTH) <= WIDTH
    }

    /// Adds a token with the comments around it.
    fn token(&mut self, item: &'a Item, indent: usize) {
        for comment in &item.before {
            self.comment(comment, indent);
        }
        if item.text.is_empty() {
            return;
        }
        if item.blank_before && !item.before.is_empty() && self.fresh == Some(0) {
            self.blank();
        }
        let after_comment = std::mem::take(&mut self.after_comment);
        let begins_line = self.fresh.is_some();
        match self.fresh.take() {
            Some(indent) => self.start_line(indent),
            None if after_comment || self.spacing.before(item) => self.push(" "),
            None => {}
        }
        self.push(&item.text);
        self.spacing.print(item, begins_line || after_comment);
        if let Some(comment) = &item.behind {
            self.push(" ");
            self.push(comment);
            self.line(indent + if item.ends_statement() { 0 } else { INDENT }, false);
        }
    }

    fn comment(&mut self, comment: &Comment, indent: usize) {
        if comment.inline {
            match self.fresh.take() {
                Some(indent) => self.start_line(indent),
                None => self.push(" "),
            }
            self.push(&comment.text);
            self.after_comment = true;
            return;
        }
        if self.fresh.is_none() {
            self.line(indent + INDENT, false);
        }
        let indent = self.fresh.take().unwrap_or_default();
        if comment.blank_before && indent == 0 {
            self.blank();
        }
        self.start_line(indent);
        self.push(&comment.text);
        self.line(indent, false);
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn start_line(&mut self, indent: usize) {
        self.out.push_str(&" ".repeat(indent));
        self.column = indent;
    }

    /// Ends the line; the next token begins one.
    fn line(&mut self, indent: usize, blank: bool) {
        if self.fresh.is_none() && !self.out.is_empty() {
            let kept = self.out.trim_end_matches(' ').len();
            self.out.truncate(kept);
            self.out.push('\n');
        }
        if blank {
            self.blank();
        }
        self.fresh = Some(indent.min(INDENT_MAX));
    }

    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }
}

/// How many parentheses are open before each item.
fn depths(items: &[Item]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut depth = 0_usize;
    items.iter().enumerate().map(move |(number, item)| {
        if item.is(")") {
            depth = depth.saturating_sub(1);
        }
        let here = depth;
        depth += usize::from(item.is("("));
        (number, here)
    })
}

/// Items outside all parentheses.
fn outside(items: &[Item]) -> impl Iterator<Item = (usize, &Item)> + '_ {
    depths(items).filter(|(_, depth)| *depth == 0).map(|(number, _)| (number, &items[number]))
}

/// Where a query begins: its SELECT, or the WITH that gives names before it.
fn query_start(items: &[Item]) -> Option<usize> {
    let mut words = outside(items);
    let start = words.find(|(number, item)| {
        let names = item.is_keyword("WITH") && items.get(number + 1).is_some_and(|next| !next.is("("));
        item.is_keyword("SELECT") || names
    });
    start.map(|(number, _)| number)
}

/// The parenthesis that closes the one at `open`.
fn closing(items: &[Item], open: usize) -> Option<usize> {
    depths(&items[open..])
        .skip(1)
        .find(|(number, depth)| *depth == 0 && items[open + number].is(")"))
        .map(|(n, _)| open + n)
}

const JOINS: &[&str] = &["INNER", "LEFT", "RIGHT", "FULL", "JOIN", "CROSS", "NATURAL"];

/// Where the clauses of a query begin.
fn clause_starts(items: &[Item]) -> Vec<usize> {
    let mut starts = vec![0];
    let mut joining = false;
    let mut seen_select = items.first().is_some_and(|item| item.is_keyword("SELECT"));
    for (number, item) in outside(items).skip(1) {
        let Some(word) = item.keyword() else {
            joining = false;
            continue;
        };
        let follows = |next: &str| items.get(number + 1).is_some_and(|item| item.is_keyword(next));
        let begins = match word {
            "SELECT" => true,
            "FROM" | "WINDOW" | "WHERE" | "HAVING" | "LIMIT" | "EMIT" => seen_select,
            "GROUP" | "PARTITION" | "ORDER" => follows("BY"),
            "UNION" => true,
            word => JOINS.contains(&word) && seen_select && !joining,
        };
        seen_select |= word == "SELECT";
        // `LEFT OUTER JOIN` is one clause.
        joining = JOINS.contains(&word) && word != "JOIN" || (joining && word == "OUTER");
        if begins {
            starts.push(number);
        }
    }
    starts
}

/// How many words a clause begins with that stay on its first line.
fn clause_words(items: &[Item]) -> usize {
    match items.first().and_then(Item::keyword) {
        Some("GROUP" | "PARTITION" | "UNION") => 2,
        Some(_) => 1,
        None => 0,
    }
}

fn comma_count(items: &[Item]) -> usize {
    list_commas(items).len()
}

/// Commas between the items of a list: outside of parentheses, brackets and types.
fn list_commas(items: &[Item]) -> Vec<usize> {
    let (mut brackets, mut types) = (0_usize, 0_usize);
    let mut commas = Vec::new();
    for (number, depth) in depths(items) {
        let item = &items[number];
        let after_type = number > 0 && begins_type(&items[number - 1]);
        brackets = (brackets + usize::from(item.is("["))).saturating_sub(usize::from(item.is("]")));
        types =
            (types + usize::from(item.is("<") && after_type)).saturating_sub(usize::from(item.is(">") && types > 0));
        if depth == 0 && brackets == 0 && types == 0 && item.is(",") {
            commas.push(number);
        }
    }
    commas
}

/// The parts of a list, each with the comma behind it.
fn comma_parts(items: &[Item]) -> Vec<&[Item]> {
    let mut parts = Vec::new();
    let mut start = 0;
    for comma in list_commas(items) {
        parts.push(&items[start..=comma]);
        start = comma + 1;
    }
    if start < items.len() {
        parts.push(&items[start..]);
    }
    parts
}

/// Where AND and OR stand between conditions; the AND of BETWEEN doesn't.
fn logic_breaks(items: &[Item]) -> Vec<usize> {
    let mut breaks = Vec::new();
    let (mut between, mut cases) = (0_usize, 0_usize);
    for (number, item) in outside(items) {
        match item.keyword() {
            Some("BETWEEN") => between += 1,
            Some("CASE") => cases += 1,
            Some("END") => cases = cases.saturating_sub(1),
            Some("AND") if between > 0 => between -= 1,
            Some("AND" | "OR") if cases == 0 && number > 0 => breaks.push(number),
            _ => {}
        }
    }
    breaks
}

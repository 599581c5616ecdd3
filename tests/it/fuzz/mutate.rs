//! Texts made of others.

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "PARTITION BY",
    "HAVING",
    "EMIT CHANGES",
    "EMIT FINAL",
    "LIMIT 3",
    "JOIN",
    "LEFT JOIN",
    "FULL OUTER JOIN",
    "WITHIN 1 HOUR",
    "GRACE PERIOD 1 DAY",
    "ON",
    "AS",
    "UNION ALL",
    "WITH",
    "WINDOW TUMBLING (SIZE 1 HOUR)",
    "WINDOW SESSION (5 SECONDS)",
    "COUNT(*)",
    "SUM(a)",
    "AND",
    "OR",
    "NOT",
    "NULL",
    "IS NULL",
    "LIKE",
    "BETWEEN",
    "IN",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST(a AS STRING)",
    "CREATE STREAM o AS",
    "CREATE TABLE o AS",
    "INSERT INTO",
    "VALUES",
    "DISTINCT",
    "ARRAY[",
    "MAP(",
    "STRUCT(",
    ":=",
    "=>",
    "->",
    "->*",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "<>",
    ",",
    ";",
    ".",
    "*",
    "+",
    "-",
    "/",
    "%",
    "||",
    "=",
    "'",
    "\"",
    "`",
    "--",
    "/*",
    "*/",
    "${x}",
    "$",
    "0x1",
    "1e400",
    "1.5",
    "99999999999999999999",
    "-1",
    "'text'",
    "''",
    "é",
    "\u{1F600}",
    "\u{0}",
    "\n",
    "\t",
    "TRUE",
    "k",
    "a",
    "b",
    "st->x",
    "l[1]",
    "m['x']",
    "s",
    "r",
    "t",
    "u",
    "pair",
    "ROWTIME",
    "WINDOWSTART",
    "EXPLODE(l)",
    "TRANSFORM(l, x => x + 1)",
    "(SELECT * FROM s)",
    "(SELECT k, COUNT(*) AS n FROM s GROUP BY k) q",
    "DECIMAL(4, 2)",
    "TIMESTAMP",
];

/// Ways to nest: what opens a level, what stands inside, what closes it.
const NESTS: &[(&str, &str, &str)] = &[
    ("(", "1", ")"),
    ("NOT ", "a", ""),
    ("- ", "a", ""),
    ("ARRAY[", "1", "]"),
    ("CASE WHEN TRUE THEN ", "1", " END"),
    ("CAST(", "1", " AS STRUCT<a INT>)"),
    ("x => ", "x", ""),
    ("(SELECT * FROM ", "s", ")"),
    ("WITH q AS (", "SELECT 1", ") "),
    ("EXPLAIN ", "SHOW STREAMS", ""),
    ("ARRAY<", "INT", ">"),
    ("STRUCT<a ", "INT", ">"),
    ("a[", "1", "]"),
    ("", "a", "->b"),
    ("", "a", " + 1"),
    ("", "a", " OR TRUE"),
    ("", "SELECT a FROM s", " UNION ALL SELECT a FROM s"),
];

/// Every way to nest, so many levels deep, in the places where it may stand.
pub fn deep(levels: &[usize]) -> Vec<String> {
    let mut texts = Vec::new();
    let ways = levels.iter().flat_map(|levels| NESTS.iter().map(move |way| (*levels, way)));
    for (levels, (open, middle, close)) in ways {
        let nested = format!("{}{middle}{}", open.repeat(levels), close.repeat(levels));
        for before in ["", "SELECT ", "SELECT * FROM ", "CREATE STREAM x (a "] {
            texts.push(format!("{before}{nested}"));
        }
    }
    texts
}

pub struct Mutator {
    random: fastrand::Rng,
}

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Mutator { random: fastrand::Rng::with_seed(seed) }
    }

    pub fn mutate(&mut self, texts: &[String]) -> String {
        let mut text = self.pick(texts);
        for _ in 0..self.random.usize(1..6) {
            text = self.once(text, texts);
        }
        text
    }

    /// One that isn't huge: those are looked at once.
    fn pick(&mut self, texts: &[String]) -> String {
        for _ in 0..20 {
            let text = &texts[self.random.usize(..texts.len())];
            if text.len() < 10_000 {
                return text.clone();
            }
        }
        String::new()
    }

    fn once(&mut self, text: String, texts: &[String]) -> String {
        let (from, to) = self.range(&text);
        let (before, part, behind) = (&text[..from], &text[from..to], &text[to..]);
        match self.random.u8(..9) {
            0 => format!("{before}{behind}"),
            1 => format!("{before}{part}{part}{behind}"),
            2 | 3 => format!("{before} {} {behind}", WORDS[self.random.usize(..WORDS.len())]),
            4 => {
                let other = self.pick(texts);
                let (from, to) = self.range(&other);
                format!("{before}{}{behind}", &other[from..to])
            }
            5 => {
                let (open, _, close) = NESTS[self.random.usize(..NESTS.len())];
                let times = self.random.usize(1..8);
                format!("{before}{}{part}{}{behind}", open.repeat(times), close.repeat(times))
            }
            6 => format!("{before}{}{behind}", char::from(self.random.u8(1..127))),
            7 => format!("{before}{part} {} {behind}", WORDS[self.random.usize(..WORDS.len())]),
            _ => format!("{before}{}{behind}", part.chars().rev().collect::<String>()),
        }
    }

    /// A part of a text: mostly of some words.
    fn range(&mut self, text: &str) -> (usize, usize) {
        let mut from = self.random.usize(..=text.len());
        let mut to = (from + self.random.usize(..20)).min(text.len());
        if self.random.bool() {
            from = text[..floor(text, from)].rfind(' ').map_or(0, |space| space + 1);
            to = text[floor(text, to)..].find(' ').map_or(text.len(), |space| floor(text, to) + space);
        }
        (floor(text, from), floor(text, to).max(floor(text, from)))
    }
}

fn floor(text: &str, mut byte: usize) -> usize {
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

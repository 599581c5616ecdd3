//! Columns such as a shop's events have: names, titles, addresses of pages, numbers, times, arrays and JSON, one row in
//! twenty NULL. The same in every run.

use arrow::array::ArrayRef;
use fastrand::Rng;
use millpond::internals::values_to_array;
use millpond::types::{SqlType, Value};

pub const BATCHES: usize = 8;
pub const BATCH_ROWS: usize = 8192;

/// How much of the text isn't ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    Ascii,
    /// One text in five has letters with accents, Cyrillic or Chinese ones, or an emoji at its end.
    Mixed,
}

/// Batches of columns by name.
pub struct Columns {
    pub names: Vec<(&'static str, SqlType)>,
    pub batches: Vec<Vec<ArrayRef>>,
}

impl Columns {
    pub fn new(script: Script) -> Columns {
        let mut rng = Rng::with_seed(20_240_229);
        let names = types();
        let mut batch = || {
            let mut values: Vec<Vec<Value>> = vec![Vec::with_capacity(BATCH_ROWS); names.len()];
            for _ in 0..BATCH_ROWS {
                let row = Row { rng: &mut rng, script };
                row.values().into_iter().zip(&mut values).for_each(|(value, column)| column.push(value));
            }
            values.iter().zip(&names).map(|(values, (_, ty))| values_to_array(values, ty)).collect()
        };
        let batches = (0..BATCHES).map(|_| batch()).collect();
        Columns { names, batches }
    }

    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|(known, _)| *known == name)
    }
}

fn types() -> Vec<(&'static str, SqlType)> {
    vec![
        ("NAME", SqlType::String),
        ("CITY", SqlType::String),
        ("TITLE", SqlType::String),
        ("PADDED", SqlType::String),
        ("URL", SqlType::String),
        ("TAGS", SqlType::String),
        ("BODY", SqlType::Bytes),
        ("DIGITS", SqlType::String),
        ("QUANTITY", SqlType::Bigint),
        ("STOCK", SqlType::Bigint),
        ("AMOUNT", SqlType::Double),
        ("PLACED", SqlType::Timestamp),
        ("PLACED_TEXT", SqlType::String),
        ("NUMBERS", SqlType::Array(Box::new(SqlType::Bigint))),
        ("LABELS", SqlType::Array(Box::new(SqlType::String))),
        ("PAYLOAD", SqlType::String),
    ]
}

const FIRST_NAMES: [&str; 12] =
    ["Peter", "Julie", "Saul", "Walter", "Kate", "Deiter", "Mary-Anne", "Luke", "Vicky", "Sarah", "Jo", "Alexandra"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Jones", "Noris", "Fitzgerald", "Li"];
const FULL_NAMES: [&str; 5] = ["Zoë Müller", "Łukasz Wójcik", "Анна Каренина", "王小明", "José Núñez 🎉"];
const CITIES: [&str; 8] = ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Kent"];
const WORDS: [&str; 16] = [
    "vintage",
    "camera",
    "leather",
    "with",
    "case",
    "new",
    "boxed",
    "set",
    "of",
    "original",
    "wireless",
    "headphones",
    "black",
    "XL",
    "2nd",
    "edition",
];
const WIDE_WORDS: [&str; 6] = ["café", "größe", "naïve", "кофе", "限定版", "señor"];

struct Row<'a> {
    rng: &'a mut Rng,
    script: Script,
}

impl Row<'_> {
    /// In the order of `types`.
    fn values(mut self) -> Vec<Value> {
        let (name, title) = (self.name(), self.title());
        let quantity = self.quantity();
        let placed = 1_704_067_200_000 + self.rng.i64(0..366 * 86_400_000);
        let city = CITIES[self.rng.usize(..CITIES.len())].to_string();
        let url = self.url();
        let payload = self.payload(&name, &city, &url, quantity);
        let padded = format!("{}{title}{}", " ".repeat(self.rng.usize(..4)), " ".repeat(self.rng.usize(..4)));
        let body = title.clone().into_bytes();
        let stock = self.rng.i64(0..500);
        let (amount, tags) = (self.rng.f64() * 5000.0, self.words(2, 7).join(","));
        let (numbers, labels) = (self.numbers(), self.words(0, 8).into_iter().map(Value::String).collect());
        vec![
            self.often(95, Value::String(name)),
            self.often(70, Value::String(city)),
            self.often(95, Value::String(title)),
            self.often(95, Value::String(padded)),
            self.often(95, Value::String(url)),
            self.often(95, Value::String(tags)),
            self.often(95, Value::Bytes(body)),
            self.often(95, Value::String(quantity.to_string())),
            self.often(95, Value::Bigint(quantity)),
            self.often(70, Value::Bigint(stock)),
            self.often(95, Value::Double(amount)),
            self.often(95, Value::Timestamp(placed)),
            self.often(95, Value::String(time_text(placed))),
            self.often(95, Value::Array(numbers)),
            self.often(95, Value::Array(labels)),
            self.often(95, Value::String(payload)),
        ]
    }

    /// NULL in the other rows of a hundred.
    fn often(&mut self, percent: u32, value: Value) -> Value {
        if self.rng.u32(..100) < percent { value } else { Value::Null }
    }

    fn is_wide(&mut self) -> bool {
        self.script == Script::Mixed && self.rng.u32(..5) == 0
    }

    fn name(&mut self) -> String {
        if self.is_wide() {
            return FULL_NAMES[self.rng.usize(..FULL_NAMES.len())].into();
        }
        let (first, last) = (self.rng.usize(..FIRST_NAMES.len()), self.rng.usize(..LAST_NAMES.len()));
        format!("{} {}", FIRST_NAMES[first], LAST_NAMES[last])
    }

    /// So many words; of a text that isn't ASCII each third is from another script.
    fn words(&mut self, min: usize, max: usize) -> Vec<String> {
        let is_wide = self.is_wide();
        let word = |rng: &mut Rng| {
            let list: &[&str] = if is_wide && rng.u32(..3) == 0 { &WIDE_WORDS } else { &WORDS };
            list[rng.usize(..list.len())].to_string()
        };
        (0..self.rng.usize(min..=max)).map(|_| word(self.rng)).collect()
    }

    fn title(&mut self) -> String {
        let mut title = self.words(5, 10).join(" ");
        // Long enough that it stands behind what SUBSTRING takes.
        if title.len() > 30 && self.is_wide() {
            title.push_str(" 📷");
        }
        title
    }

    fn url(&mut self) -> String {
        let path = self.words(3, 3).join("/");
        let (item, channel) = (self.rng.u32(1000..2_000_000), self.rng.u32(..10_000));
        format!("https://www.nexmark.com/{path}/item.htm?query=1&item={item}&channel_id={channel}")
    }

    /// From one digit to fourteen, a tenth below zero.
    fn quantity(&mut self) -> i64 {
        let digits = self.rng.u32(1..=14);
        let number = self.rng.i64(0..10_i64.pow(digits));
        if self.rng.u32(..10) == 0 { -number } else { number }
    }

    fn numbers(&mut self) -> Vec<Value> {
        (0..self.rng.usize(..=12)).map(|_| Value::Bigint(self.rng.i64(..50))).collect()
    }

    fn payload(&mut self, name: &str, city: &str, url: &str, id: i64) -> String {
        let (tags, price) = (self.words(1, 4), f64::from(self.rng.u32(100..100_000)) / 100.0);
        let value = serde_json::json!({
            "id": id,
            "channel": "baidu",
            "url": url,
            "user": {"name": name, "city": city, "visits": self.rng.u32(..100), "tags": tags},
            "price": price,
            "open": true,
        });
        value.to_string()
    }
}

fn time_text(ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(ms).expect("a time of 2024");
    time.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

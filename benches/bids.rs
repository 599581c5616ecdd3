//! Nexmark's bids, as JSON of about 250 bytes.

use millpond::internals::{Format, Layout};
use millpond::log::Records;
use millpond::types::SqlType;
use nexmark::EventGenerator;
use nexmark::config::NexmarkConfig;
use nexmark::event::{Bid, Event};

pub const BATCHES: usize = 16;
pub const BATCH_ROWS: usize = 8192;

/// Names as the JSON has them, and types.
pub const COLUMNS: [(&str, SqlType); 7] = [
    ("auction", SqlType::Bigint),
    ("bidder", SqlType::Bigint),
    ("price", SqlType::Bigint),
    ("channel", SqlType::String),
    ("url", SqlType::String),
    ("date_time", SqlType::Bigint),
    ("extra", SqlType::String),
];

/// A batch of bids: as records, and as lines one after another.
pub struct Batch {
    pub records: Records,
    pub lines: Vec<u8>,
}

/// Bids of Nexmark, the same in every run.
pub fn bids(batches: usize) -> Vec<Batch> {
    bids_with(batches, 10_000, |_| ())
}

/// As `bids`, so many events a second of their time, each bid changed by `change`.
pub fn bids_with(batches: usize, events_per_second: usize, mut change: impl FnMut(&mut Bid)) -> Vec<Batch> {
    let config = NexmarkConfig {
        base_time: 1_436_918_400_000,
        first_rate: events_per_second,
        next_rate: events_per_second,
        us_states: ["AZ", "CA", "ID", "OR", "WA", "WY"].map(str::to_string).to_vec(),
        ..NexmarkConfig::default()
    };
    let mut bids = EventGenerator::new(config).filter_map(|event| match event {
        Event::Bid(bid) => Some(bid),
        _ => None,
    });
    let mut batch = || {
        let mut batch = Batch { records: Records::default(), lines: Vec::new() };
        for mut bid in bids.by_ref().take(BATCH_ROWS) {
            change(&mut bid);
            let line = json(&bid);
            batch.records.push(None, Some(line.as_bytes()), bid.date_time as i64);
            batch.lines.extend_from_slice(line.as_bytes());
            batch.lines.push(b'\n');
        }
        batch
    };
    (0..batches).map(|_| batch()).collect()
}

fn json(bid: &Bid) -> String {
    let text = |text: &str| serde_json::to_string(text).expect("a string has a JSON text");
    format!(
        r#"{{"auction":{},"bidder":{},"price":{},"channel":{},"url":{},"date_time":{},"extra":{}}}"#,
        bid.auction,
        bid.bidder,
        bid.price,
        text(&bid.channel),
        text(&bid.url),
        bid.date_time,
        text(&bid.extra),
    )
}

/// The layout of a bid.
pub fn layout() -> Layout {
    Layout {
        format: Format::Json,
        delimiter: ',',
        columns: COLUMNS.iter().map(|(name, ty)| (name.to_uppercase(), ty.clone())).collect(),
        wrapped: true,
    }
}

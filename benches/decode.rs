//! Decoding of Nexmark bids in JSON, beside arrow-json on the same bytes.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_json::ReaderBuilder;
use millpond::format::{self, Decoder, Format, Layout, Part};
use millpond::log::Records;
use millpond::types::SqlType;
use nexmark::EventGenerator;
use nexmark::config::NexmarkConfig;
use nexmark::event::{Bid, Event};

use crate::Entry;

const BATCHES: usize = 16;
const BATCH_ROWS: usize = 8192;

/// Names as the JSON has them, and types.
const COLUMNS: [(&str, SqlType); 7] = [
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
    lines: Vec<u8>,
}

/// Bids of Nexmark, the same in every run.
pub fn bids(batches: usize) -> Vec<Batch> {
    let config = NexmarkConfig {
        base_time: 1_436_918_400_000,
        us_states: ["AZ", "CA", "ID", "OR", "WA", "WY"].map(str::to_string).to_vec(),
        ..NexmarkConfig::default()
    };
    let mut bids = EventGenerator::new(config).filter_map(|event| match event {
        Event::Bid(bid) => Some(bid),
        _ => None,
    });
    let mut batch = || {
        let mut batch = Batch { records: Records::default(), lines: Vec::new() };
        for bid in bids.by_ref().take(BATCH_ROWS) {
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

pub fn entries() -> Vec<Entry> {
    let batches = Rc::new(bids(BATCHES));
    vec![
        entry("decode JSON bid, 7 of 7", &[0, 1, 2, 3, 4, 5, 6], 1.5, 2.0, &batches),
        entry("decode JSON bid, 2 of 7", &[0, 2], 3.0, 5.0, &batches),
    ]
}

fn entry(name: &'static str, wanted: &'static [usize], floor: f64, aim: f64, batches: &Rc<Vec<Batch>>) -> Entry {
    let layout = Layout {
        format: Format::Json,
        delimiter: ',',
        columns: COLUMNS.iter().map(|(name, ty)| (name.to_uppercase(), ty.clone())).collect(),
        wrapped: true,
    };
    let mut decoder = format::decoder(&layout, wanted).expect("JSON has all types");
    assert_same(&mut *decoder, wanted, &batches[0]);
    let (ours, theirs) = (Rc::clone(batches), Rc::clone(batches));
    Entry {
        name,
        bound_name: "arrow-json",
        floor,
        aim,
        rows: batches.iter().map(|batch| batch.records.len()).sum(),
        bytes: batches.iter().map(|batch| batch.records.data.len()).sum(),
        work: Box::new(move || {
            for batch in ours.iter() {
                black_box(decoder.decode(&batch.records, Part::Value));
            }
        }),
        bound: Box::new(move || {
            let mut decoder = arrow_decoder(wanted);
            for batch in theirs.iter() {
                black_box(arrow_columns(&mut decoder, &batch.lines));
            }
        }),
    }
}

/// A ratio of two results that differ would mean nothing.
fn assert_same(decoder: &mut dyn Decoder, wanted: &[usize], batch: &Batch) {
    let decoded = decoder.decode(&batch.records, Part::Value);
    assert!(decoded.bad.is_empty(), "{:?}", decoded.bad.first());
    assert_eq!(decoded.columns, arrow_columns(&mut arrow_decoder(wanted), &batch.lines));
}

fn arrow_decoder(wanted: &[usize]) -> arrow_json::reader::Decoder {
    let field = |i: &usize| {
        let (name, ty) = &COLUMNS[*i];
        let ty = if *ty == SqlType::String { DataType::Utf8 } else { DataType::Int64 };
        Field::new(*name, ty, true)
    };
    let schema = Schema::new(wanted.iter().map(field).collect::<Vec<_>>());
    ReaderBuilder::new(Arc::new(schema)).with_batch_size(BATCH_ROWS).build_decoder().expect("a decoder")
}

fn arrow_columns(decoder: &mut arrow_json::reader::Decoder, lines: &[u8]) -> Vec<ArrayRef> {
    assert_eq!(decoder.decode(lines).expect("JSON"), lines.len());
    decoder.flush().expect("rows").expect("a batch").columns().to_vec()
}

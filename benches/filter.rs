//! A filter that a fifth of the bids pass, topic to topic, committed.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use millpond::internals::{Part, decoder};

use crate::Entry;
use crate::bids::{BATCHES, Batch, bids, layout};
use crate::query::{self, Query};

const PRICE: usize = 2;

pub const NAME: &str = "filter JSON to JSON";

pub fn entries() -> Vec<Entry> {
    let bids = bids(BATCHES);
    let prices = prices(&bids);
    let price = prices[prices.len() * 4 / 5];
    let passing = prices.iter().filter(|other| **other > price).count() as u64;
    let query = Query {
        name: NAME,
        with: "",
        before: Vec::new(),
        statement: format!("CREATE STREAM DEAR AS SELECT * FROM BIDS WHERE PRICE > {price};"),
        wanted: &[0, 1, 2, 3, 4, 5, 6],
        table: None,
        floor: 0.3,
        aim: 0.4,
        rows_out: Box::new(move |rows| rows == passing),
    };
    vec![query::entry(query, bids, 1)]
}

/// In order.
fn prices(bids: &[Batch]) -> Vec<i64> {
    let mut decoder = decoder(&layout(), &[PRICE]).expect("JSON has all types");
    let mut prices = Vec::new();
    for batch in bids {
        let decoded = decoder.decode(&batch.records, Part::Value);
        prices.extend_from_slice(decoded.columns[0].as_primitive::<Int64Type>().values());
    }
    prices.sort_unstable();
    prices
}

//! Bids joined with a table of 10,000 bidders, topic to topic, committed.
//!
//! Each round the query begins anew and reads the table's topic, too, and writes its rows to the join's changelog. It is to be
//! a small part (2 of 100 records) of half a million; the decoder beside it decodes the table's records, as well.

use millpond::internals::{Format, Layout};
use millpond::types::SqlType;

use crate::Entry;
use crate::bids::{BATCHES, bids_with};
use crate::query::{self, Query, Table};

const BIDDERS: usize = 10_000;

/// The layout of a bidder.
fn layout() -> Layout {
    let columns = ["NAME", "CITY"].map(|name| (name.to_string(), SqlType::String)).to_vec();
    Layout { format: Format::Json, delimiter: ',', columns, wrapped: true }
}

pub const NAME: &str = "stream-table join";

pub fn entries() -> Vec<Entry> {
    // Spread evenly, in no order: a multiplicative hash of the number of the bid.
    let mut number = 0_usize;
    let bids = bids_with(4 * BATCHES, 10_000, |bid| {
        bid.bidder = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % BIDDERS;
        number += 1;
    });
    let rows: u64 = bids.iter().map(|batch| batch.records.len() as u64).sum();
    let table = "CREATE TABLE BIDDERS (ID BIGINT PRIMARY KEY, NAME STRING, CITY STRING) \
                 WITH (KAFKA_TOPIC='bidders', PARTITIONS=1, VALUE_FORMAT='JSON');";
    let insert = |id: usize| {
        format!(
            "INSERT INTO BIDDERS (ROWTIME, ID, NAME, CITY) VALUES (0, {id}, 'bidder number {id}', 'city {}');",
            id % 100
        )
    };
    let before = (0..BIDDERS).map(insert);
    let query = Query {
        name: NAME,
        with: "",
        before: std::iter::once(table.to_string()).chain(before).collect(),
        statement: "CREATE STREAM NAMED AS SELECT BIDDER, AUCTION, PRICE, NAME, CITY \
                    FROM BIDS JOIN BIDDERS ON BIDS.BIDDER = BIDDERS.ID;"
            .to_string(),
        wanted: &[0, 1, 2],
        table: Some(Table { topic: "bidders", layout: layout(), wanted: &[0, 1] }),
        floor: 0.4,
        aim: 0.5,
        rows_out: Box::new(move |found| found == rows),
    };
    vec![query::entry(query, bids, 1)]
}

//! A tumbling count of bids: 10,000 bidders, ten seconds, caching on. The bids come at 100,000 a second of their own time:
//! a window has some 90 of each bidder.

use crate::Entry;
use crate::bids::{BATCHES, bids_with};
use crate::query::{self, Query};

const BIDDERS: usize = 10_000;
const EVENTS_PER_SECOND: usize = 100_000;

pub const NAME: &str = "tumbling count by key";

pub fn entries() -> Vec<Entry> {
    // Spread evenly, in no order: a multiplicative hash of the number of the bid.
    let mut number = 0_usize;
    let bids = bids_with(4 * BATCHES, EVENTS_PER_SECOND, |bid| {
        bid.bidder = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % BIDDERS;
        number += 1;
    });
    let query = |name| Query {
        name,
        with: ", TIMESTAMP='DATE_TIME'",
        before: Vec::new(),
        statement: "CREATE TABLE BIDDERS WITH (KEY_FORMAT='KAFKA') AS SELECT BIDDER, COUNT(*) AS BIDS FROM BIDS \
                    WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 1 MINUTE) GROUP BY BIDDER;"
            .to_string(),
        wanted: &[1, 5],
        table: None,
        floor: 0.5,
        aim: 0.6,
        rows_out: Box::new(|rows| rows >= BIDDERS as u64),
    };
    vec![query::entry(query(NAME), bids, 1)]
}

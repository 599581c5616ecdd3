//! Bids of an auction site, in the shape of the Nexmark benchmark: some auctions and bidders are hot, and new ones come
//! up while old ones close.

use std::fmt::Write;

use fastrand::Rng;

use super::Made;

pub const COLUMNS: &str = "auction_key STRING KEY, auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, \
                           url STRING, date_time BIGINT, extra STRING";

const FIRST_ID: u64 = 1000;
/// A new auction comes up after so many bids, a new bidder after so many.
const BIDS_PER_AUCTION: u64 = 15;
const BIDS_PER_BIDDER: u64 = 46;
/// Auctions that take bids at a time, and bidders that make them.
const AUCTIONS_OPEN: u64 = 100;
const BIDDERS_ACTIVE: u64 = 1000;
/// Half of all bids go to a hot auction; three quarters come from hot bidders.
const HOT_EVERY: u64 = 100;
const CHANNELS: &[&str] = &["Google", "Facebook", "Baidu", "Apple"];
const CHANNELS_COLD: u32 = 10_000;
/// What pads a record to a size like that of the benchmark.
const EXTRA_CHARS: std::ops::Range<usize> = 30..90;

/// Bid number `count` at `time`; its auction is its key.
pub fn make(rng: &mut Rng, count: u64, time: i64, made: &mut Made) {
    let auction = pick(rng, count / BIDS_PER_AUCTION, AUCTIONS_OPEN, 2, 1);
    let bidder = pick(rng, count / BIDS_PER_BIDDER, BIDDERS_ACTIVE, 4, 3);
    // Prices over six powers of ten, small ones as frequent as large ones.
    let price = (10f64.powf(rng.f64() * 6.0) * 100.0).round() as i64;
    // Writing to a string never fails.
    let _ = write!(made.key, "{auction}");
    let _ = write!(made.value, r#"{{"auction":{auction},"bidder":{bidder},"price":{price},"#);
    if rng.bool() {
        let channel = CHANNELS[rng.usize(..CHANNELS.len())];
        let _ = write!(made.value, r#""channel":"{channel}","url":"https://www.nexmark.com/"#);
    } else {
        let channel = rng.u32(..CHANNELS_COLD);
        let _ = write!(made.value, r#""channel":"channel-{channel}","url":"https://www.nexmark.com/"#);
    }
    for i in 0..3 {
        word(rng, 3..6, &mut made.value);
        made.value.push_str(if i < 2 { "/" } else { "/item.htm?query=1" });
    }
    let _ = write!(made.value, r#"","date_time":{time},"extra":""#);
    word(rng, EXTRA_CHARS, &mut made.value);
    made.value.push_str("\"}");
}

/// One of the last `active` of the `known` ids; `hot` of `of` times a hot one.
fn pick(rng: &mut Rng, known: u64, active: u64, of: u8, hot: u8) -> u64 {
    let id =
        if rng.u8(..of) < hot { known / HOT_EVERY * HOT_EVERY } else { rng.u64(known.saturating_sub(active)..=known) };
    FIRST_ID + id
}

fn word(rng: &mut Rng, chars: std::ops::Range<usize>, out: &mut String) {
    for _ in 0..rng.usize(chars) {
        out.push(rng.lowercase());
    }
}

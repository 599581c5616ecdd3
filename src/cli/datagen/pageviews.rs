//! Pageviews: time of view, user, page.

use std::fmt::Write;

use fastrand::Rng;

use super::{Made, users};

pub const COLUMNS: &str = "viewkey STRING KEY, viewtime BIGINT, userid STRING, pageid STRING";

const PAGES: u32 = 99;

/// One view at `time`, which is its key.
pub fn make(rng: &mut Rng, time: i64, made: &mut Made) {
    let user = rng.u32(1..=users::USERS);
    let page = rng.u32(1..=PAGES);
    // Writing to a string never fails.
    let _ = write!(made.key, "{time}");
    let _ = write!(made.value, r#"{{"viewtime":{time},"userid":"User_{user}","pageid":"Page_{page}"}}"#);
}

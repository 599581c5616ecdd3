//! Users: the same few again and again, with other values.

use std::fmt::Write;

use fastrand::Rng;

use super::Made;

pub const COLUMNS: &str = "userid STRING KEY, registertime BIGINT, regionid STRING, gender STRING";

/// How many there are: `User_1`, ...
pub const USERS: u32 = 9;
const REGIONS: u32 = 9;
const GENDERS: &[&str] = &["MALE", "FEMALE", "OTHER"];
/// Users registered at most so long ago.
const REGISTERED_MS_MAX: i64 = 365 * 86_400_000;

/// The state of one user at `time`.
pub fn make(rng: &mut Rng, time: i64, made: &mut Made) {
    let user = rng.u32(1..=USERS);
    let registered = (time - rng.i64(0..REGISTERED_MS_MAX)).max(0);
    let region = rng.u32(1..=REGIONS);
    let gender = GENDERS[rng.usize(..GENDERS.len())];
    // Writing to a string never fails.
    let _ = write!(made.key, "User_{user}");
    let _ = write!(
        made.value,
        r#"{{"registertime":{registered},"userid":"User_{user}","regionid":"Region_{region}","gender":"{gender}"}}"#
    );
}

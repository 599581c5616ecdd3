//! The cause of [`LogError::Io`](super::LogError::Io) as data: the system's error number where there is one (then it is
//! the same error on the other side, of the same machine), else its text.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Cause {
    system: Option<i32>,
    text: String,
}

pub fn serialize<S: Serializer>(cause: &Arc<io::Error>, serializer: S) -> Result<S::Ok, S::Error> {
    Cause { system: cause.raw_os_error(), text: cause.to_string() }.serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<io::Error>, D::Error> {
    let cause = Cause::deserialize(deserializer)?;
    Ok(Arc::new(match cause.system {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::other(cause.text),
    }))
}

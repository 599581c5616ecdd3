//! JSON. Doesn't know records beyond their bytes.
//!
//! Two readers stand behind the decoder. [`read`] goes over the bytes once, guided by the columns, and appends straight
//! to them; it gives up at the first thing that is out of the ordinary. Then the row is cut off again and [`tree`] and
//! [`convert`] read the record a second time, slowly, by the exact rules, and say what is wrong with it, if anything is.

mod brackets;
mod convert;
mod decode;
mod digits;
mod encode;
mod number;
#[cfg(test)]
mod oracle;
mod properties;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod text;
mod tree;

pub(super) use decode::JsonDecoder;
pub(super) use encode::JsonEncoder;

/// Arrays and objects within each other: beyond that a record is bad, so that none can exhaust the stack.
const NESTING_MAX: usize = 256;

//! HISTOGRAM.

use super::composite::Grouped;
use super::counted::{Counted, Counting};
use super::{Made, arg, bad_type};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::{put_bytes, put_len, take_array, take_bytes};
use crate::types::SqlType;

/// Distinct values of a group; new ones beyond it are ignored.
const KEYS_MAX: usize = 1000;

/// HISTOGRAM(x): how often each STRING came. A NULL counts under the key `null`.
pub(crate) fn histogram(call: &AggregateCall) -> Made {
    match arg(call, 0)? {
        SqlType::String => Ok(Box::new(Grouped::new(Counting {
            item: SqlType::String,
            returns: SqlType::Map(Box::new(SqlType::Bigint)),
            values_max: KEYS_MAX,
            result: all,
            scratch: Vec::new(),
        }))),
        other => Err(bad_type(call, other)),
    }
}

/// The MAP of all counts.
fn all(group: &Counted, out: &mut Vec<u8>) {
    out.push(1);
    put_len(out, group.counts.len() as u64);
    for (mut cell, count) in group.values.cells.iter().zip(&group.counts) {
        let key = match take_array::<1>(&mut cell) {
            Some([1]) => take_bytes(&mut cell).unwrap_or_default(),
            _ => b"null",
        };
        put_bytes(out, key);
        out.push(1);
        out.extend_from_slice(&count.to_le_bytes());
    }
}

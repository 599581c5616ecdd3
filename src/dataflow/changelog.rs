//! What the changelog records of all operators have in common.

use crate::error::{Error, Result};
use crate::state::codec::take_array;

/// Takes the version off the front of a record's value. Errors: it is newer than `known`, or not there.
pub(super) fn take_version(value: &mut &[u8], known: u8) -> Result<u8> {
    match take_array::<1>(value) {
        Some([version]) if version > known => {
            Err(Error::world(format!("the state has format {version}, this version reads up to {known}"))
                .hint("it was written by a newer version: use that one"))
        }
        Some([version]) if version > 0 => Ok(version),
        _ => Err(damaged()),
    }
}

/// The error for a record that can't be read.
pub(super) fn damaged() -> Error {
    Error::world("a record of the state's changelog can't be read")
        .hint("the changelog topic holds records that this query did not write")
}

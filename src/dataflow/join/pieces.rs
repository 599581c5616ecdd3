//! The state of joins in pieces, for snapshots.
//!
//! A piece has records as a changelog that begins anew would have them of what is there: of each the key and the value (a
//! length and the bytes of both, see `state::codec`). What they mean is written down where the changelogs are; both formats
//! are for ever, and another one gets another number in the layout.

use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::join::table_rows::TableRows;
use crate::dataflow::operator::Node;
use crate::error::Result;
use crate::log::Records;
use crate::state::codec::{put_bytes, take_bytes};
use crate::state::snapshots::{Mark, Pieces};
use crate::types::SqlType;

pub(super) const VERSION: u8 = 1;

/// Appends a record to a piece.
pub(super) fn put_record(key: &[u8], value: &[u8], into: &mut Vec<u8>) {
    put_bytes(into, key);
    put_bytes(into, value);
}

/// The records of a piece. None: it is none.
pub(super) fn records(mut piece: &[u8]) -> Option<Records> {
    let mut records = Records::default();
    while !piece.is_empty() {
        let (key, value) = (take_bytes(&mut piece)?, take_bytes(&mut piece)?);
        records.push(Some(key), Some(value), 0);
    }
    Some(records)
}

/// Types as a layout names them.
pub(super) fn type_names(types: &[SqlType]) -> String {
    types.iter().map(SqlType::to_string).collect::<Vec<_>>().join(", ")
}

/// A join whose state is the rows of tables.
pub(super) trait TableState: Node {
    /// The tables with their keys, in an order that never changes.
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)>;
}

/// Only between a commit and the next batch: the changelog has all that changed. A mark's generation is the number of the
/// table, its index the number of a key: a key keeps its number as long as it has a row.
impl<T: TableState> Pieces for T {
    fn layout(&self) -> String {
        let table = |(table, keys): (&TableRows, &JoinKeys)| {
            format!("{} by ({}): ({})", table.tag(), type_names(keys.types()), type_names(table.types()))
        };
        let tables: Vec<String> = self.tables().into_iter().map(table).collect();
        format!("tables of a join {VERSION}: {}", tables.join("; "))
    }

    fn rows(&self) -> usize {
        self.tables().into_iter().map(|(table, _)| table.len()).sum()
    }

    fn piece(&self, from: Mark, bytes_max: usize, into: &mut Vec<u8>) -> Result<Option<Mark>> {
        let (tables, number) = (self.tables(), from.generation.max(0));
        let Some((table, keys)) = tables.get(number as usize) else { return Ok(None) };
        let next = table.write_piece(keys, from.index, bytes_max, into)?;
        let next_table = Mark { generation: number + 1, index: 0 };
        Ok(match next {
            Some(index) => Some(Mark { generation: number, index }),
            None => (next_table.generation < tables.len() as i64).then_some(next_table),
        })
    }

    fn load(&mut self, piece: &[u8]) -> Option<()> {
        self.restore(&records(piece)?).ok()
    }
}

//! The decoder of JSON records.

use super::convert;
use super::read::{Object, Shape, read_value};
use super::scan::{Expected, Scan, Step};
use super::tree::{self, Tree};
use crate::format::builder::Column;
use crate::format::{BATCH_BYTES_MAX, BadRow, Decoded, Decoder, Layout, Part, null_rows};
use crate::log::{Records, Span};
use crate::types::SqlType;

pub(in crate::format) struct JsonDecoder {
    /// Names and types of the columns that are read: the wanted ones, and an unwrapped one in any case.
    members: Vec<(String, SqlType)>,
    columns: Vec<Column>,
    document: Document,
    /// Whether what is read is given.
    given: bool,
}

/// Bytes behind a record that are looked at with it: as many as are looked at at once, and no more, so that a text that
/// is cut off isn't taken for one with the records behind it.
const LOOK_AHEAD: usize = 32;

/// What a record's text is.
enum Document {
    /// An object with a property a column.
    Wrapped(Object),
    /// The value of the only column.
    Bare(Shape),
}

/// What became of a record.
enum Read {
    Row,
    Null,
    Bad(String),
}

impl JsonDecoder {
    pub fn new(layout: &Layout, wanted: &[usize]) -> Self {
        let bare = layout.columns.len() == 1 && !layout.wrapped;
        let members: Vec<(String, SqlType)> =
            if bare { layout.columns.clone() } else { wanted.iter().map(|i| layout.columns[*i].clone()).collect() };
        let columns = members.iter().map(|(_, ty)| Column::new(ty)).collect();
        let document = match &members[..] {
            [(_, ty)] if bare => Document::Bare(Shape::new(ty)),
            members => Document::Wrapped(Object::new(members.iter().map(|(name, ty)| (name.as_str(), ty)))),
        };
        JsonDecoder { members, columns, document, given: !(bare && wanted.is_empty()) }
    }

    #[inline]
    fn read(&mut self, wide: &[u8], len: usize, row: usize) -> Read {
        // Bare numbers of records that follow each other would run together.
        let ahead = if matches!(self.document, Document::Bare(_)) { 0 } else { LOOK_AHEAD };
        let mut scan = Scan::new(&wide[..wide.len().min(len + ahead)], len);
        match self.read_fast(&mut scan) {
            Ok(true) if !scan.beyond_ascii || simdutf8::basic::from_utf8(&wide[..len]).is_ok() => Read::Row,
            _ => self.read_slowly(&wide[..len], row),
        }
    }

    /// Appends a row. False: there is none, since the text is `null`.
    #[inline(always)]
    fn read_fast(&mut self, scan: &mut Scan) -> Step<bool> {
        scan.blanks();
        match &mut self.document {
            _ if scan.peek() == b'n' => return Ok(false),
            Document::Wrapped(_) if scan.peek() != b'{' => return Err(Expected("an object")),
            Document::Wrapped(object) => object.read(scan, &mut self.columns, 0)?,
            Document::Bare(shape) => read_value(scan, shape, &mut self.columns[0], 0)?,
        }
        scan.end().map(|()| true)
    }

    /// Cuts off what there is of the row and reads it again.
    #[inline(never)]
    fn read_slowly(&mut self, bytes: &[u8], row: usize) -> Read {
        self.cut(row);
        let read = match tree::document(bytes) {
            Err(reason) => Err(reason),
            Ok(Tree::Null) => {
                self.columns.iter_mut().for_each(Column::push_null);
                return Read::Null;
            }
            Ok(tree) => match (&self.document, &tree) {
                (Document::Bare(_), tree) => {
                    let (name, ty) = &self.members[0];
                    convert::push(tree, ty, &mut self.columns[0], &format!("`{name}`"))
                }
                (Document::Wrapped(_), Tree::Object(members)) => {
                    convert::push_object(members, &self.members, &mut self.columns, "")
                }
                (Document::Wrapped(_), other) => {
                    Err(format!("expected an object with a property for each column, found {}", other.found()))
                }
            },
        };
        match read {
            Ok(()) => Read::Row,
            Err(reason) => {
                self.cut(row);
                self.columns.iter_mut().for_each(Column::push_null);
                Read::Bad(reason)
            }
        }
    }

    fn cut(&mut self, row: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(row));
    }
}

/// Where a part lies; null where the span doesn't lie in the data.
#[inline(always)]
fn place(records: &Records, span: Span) -> Option<(&[u8], usize)> {
    if span.is_null() {
        return None;
    }
    let wide = records.data.get(span.start as usize..)?;
    Some((wide, (span.len as usize).min(wide.len())))
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, records: &Records, part: Part) -> Decoded {
        let mut nulls = Vec::new();
        let mut bad = Vec::new();
        let too_large = records.data.len() > BATCH_BYTES_MAX;
        for (row, meta) in records.meta.iter().enumerate() {
            let span = match part {
                Part::Key => meta.key,
                Part::Value => meta.value,
            };
            let read = match place(records, span) {
                None => {
                    self.columns.iter_mut().for_each(Column::push_null);
                    Read::Null
                }
                Some(_) if too_large => {
                    self.columns.iter_mut().for_each(Column::push_null);
                    Read::Bad("the batch is too large".to_string())
                }
                Some((wide, len)) => self.read(wide, len, row),
            };
            match read {
                Read::Row => {}
                Read::Null => nulls.push(row),
                Read::Bad(reason) => bad.push(BadRow { row, reason }),
            }
        }
        let columns: Vec<_> = self.columns.iter_mut().map(Column::finish).collect();
        Decoded { columns: if self.given { columns } else { Vec::new() }, nulls: null_rows(&nulls, records.len()), bad }
    }
}

//! The fast reader: from bytes straight to the columns, in one go. It stops at what is out of the ordinary (a property
//! twice, a value that doesn't fit); then what it appended for the row has to be cut off, and the slow reader decides.

use super::NESTING_MAX;
use super::number;
use super::properties::Properties;
use super::scan::{Expected, Scan, Step};
use super::text::Text;
use super::tree;
use crate::format::builder::{Column, Texts, Values};
use crate::types::{SqlType, decimal};

/// What the reader knows of a column beside its values: the properties of objects.
#[derive(Debug)]
pub(super) enum Shape {
    Scalar,
    Array(Box<Shape>),
    Map(Box<Shape>),
    Struct(Object),
}

/// An object whose properties go to columns.
#[derive(Debug)]
pub(super) struct Object {
    properties: Properties,
    shapes: Vec<Shape>,
    /// For each column the number of the object that last had it.
    seen: Vec<u64>,
    /// Number of the object at hand.
    number: u64,
}

impl Shape {
    pub fn new(ty: &SqlType) -> Shape {
        match ty {
            SqlType::Array(item) => Shape::Array(Box::new(Shape::new(item))),
            SqlType::Map(value) => Shape::Map(Box::new(Shape::new(value))),
            SqlType::Struct(fields) => Shape::Struct(Object::new(fields.iter().map(|(name, ty)| (name.as_str(), ty)))),
            _ => Shape::Scalar,
        }
    }
}

/// What no guess foresaw; the slow reader finds the words for it.
const ODD: Expected = Expected("what the column takes");

impl Object {
    pub fn new<'a>(columns: impl Iterator<Item = (&'a str, &'a SqlType)>) -> Self {
        let (names, shapes): (Vec<String>, Vec<Shape>) =
            columns.map(|(name, ty)| (name.to_string(), Shape::new(ty))).unzip();
        Object { properties: Properties::new(names), seen: vec![0; shapes.len()], shapes, number: 0 }
    }

    /// Reads an object, the place being at its brace: one value for each column.
    #[inline]
    pub fn read(&mut self, at: &mut Scan, columns: &mut [Column], depth: usize) -> Step {
        if depth >= NESTING_MAX {
            return Err(ODD);
        }
        // A copy of our own can stay in registers. After an error the place doesn't matter.
        let mut scan = *at;
        self.properties.start();
        self.number += 1;
        let mut left = columns.len();
        let mut next = None;
        let mut more = scan.open(b'}');
        while more {
            let target = match next {
                Some(target) => target,
                None => self.properties.take(&mut scan)?.ok_or(ODD)?,
            };
            if scan.peek() <= b' ' {
                scan.blanks();
            }
            match target {
                None => scan.skip(depth + 1)?,
                Some(index) => {
                    if std::mem::replace(&mut self.seen[index], self.number) == self.number {
                        return Err(ODD);
                    }
                    left -= 1;
                    read_value(&mut scan, &mut self.shapes[index], &mut columns[index], depth + 1)?;
                }
            }
            next = self.properties.take_next(&mut scan);
            more = next.is_some() || scan.another(b'}')?;
        }
        if left > 0 {
            self.fill(columns);
        }
        *at = scan;
        Ok(())
    }

    /// NULL for the columns that had no property.
    fn fill(&self, columns: &mut [Column]) {
        for (column, seen) in columns.iter_mut().zip(&self.seen) {
            if *seen != self.number {
                column.push_null();
            }
        }
    }
}

/// Appends the value at the place to its column.
#[inline(always)]
pub(super) fn read_value(scan: &mut Scan, shape: &mut Shape, column: &mut Column, depth: usize) -> Step {
    match (&mut column.values, scan.peek()) {
        (_, b'n') => {
            scan.literal("null")?;
            column.push_null();
            return Ok(());
        }
        (Values::String(texts), b'"') => read_string(scan, texts)?,
        (Values::Bigint(values) | Values::Timestamp(values), b'-' | b'0'..=b'9') => values.push(read_long(scan)?),
        (Values::Int(values), b'-' | b'0'..=b'9') => values.push(read_long(scan)? as i32),
        (Values::Double(values), b'-' | b'0'..=b'9') => {
            values.push(number::to_double(scan.away(Scan::number)?).ok_or(ODD)?);
        }
        _ => return scan.away(|scan| read_other(scan, shape, column, depth)),
    }
    column.nulls.append_non_null();
    Ok(())
}

#[inline(always)]
fn read_long(scan: &mut Scan) -> Step<i64> {
    match scan.integer() {
        Some(value) => Ok(value),
        None => number::to_long(scan.away(Scan::number)?).ok_or(ODD),
    }
}

#[inline(always)]
fn read_string(scan: &mut Scan, texts: &mut Texts) -> Step {
    let text = scan.string()?;
    if text.escaped {
        unescape(text, texts)?;
    } else {
        texts.data.extend_from_slice(text.raw);
    }
    texts.close();
    Ok(())
}

#[cold]
fn unescape(text: Text, texts: &mut Texts) -> Step {
    text.unescape(&mut texts.data).ok_or(ODD)
}

/// What isn't on the hottest path.
#[inline(never)]
fn read_other(scan: &mut Scan, shape: &mut Shape, column: &mut Column, depth: usize) -> Step {
    let is_string = scan.peek() == b'"';
    match (&mut column.values, shape) {
        (Values::Array { offsets, items }, Shape::Array(shape)) => {
            read_array(scan, shape, items, depth)?;
            offsets.push(items.len() as i32);
        }
        (Values::Map { offsets, keys, values }, Shape::Map(shape)) => {
            let start = offsets.last().map_or(0, |end| *end as usize);
            read_map(scan, shape, keys, values, start, depth)?;
            offsets.push(values.len() as i32);
        }
        (Values::Struct(columns), Shape::Struct(object)) if scan.peek() == b'{' => object.read(scan, columns, depth)?,
        (Values::Boolean(values), _) => {
            let value = scan.peek() == b't';
            scan.literal(if value { "true" } else { "false" })?;
            values.append(value);
        }
        (Values::Date(values) | Values::Time(values), _) if !is_string => {
            values.push(i32::try_from(read_long(scan)?).map_err(|_| ODD)?);
        }
        (Values::Decimal { unscaled, precision, scale }, _) if !is_string => {
            unscaled.push(decimal::parse(scan.number()?, *precision, *scale).map_err(|_| ODD)?);
        }
        (Values::String(texts), _) => {
            let value = tree::value(scan, depth).map_err(|_| ODD)?;
            value.write_text(&mut texts.data);
            texts.close();
        }
        // Numbers and bytes in strings.
        _ if is_string => {
            let text = scan.string()?;
            let text = std::str::from_utf8(text.raw).ok().filter(|_| !text.escaped).ok_or(ODD)?;
            return crate::format::text::push_text(column, text).map_err(|_| ODD);
        }
        _ => return Err(ODD),
    }
    column.nulls.append_non_null();
    Ok(())
}

fn read_array(scan: &mut Scan, shape: &mut Shape, items: &mut Column, depth: usize) -> Step {
    if scan.peek() != b'[' || depth >= NESTING_MAX {
        return Err(ODD);
    }
    let mut more = scan.open(b']');
    while more {
        read_value(scan, shape, items, depth + 1)?;
        more = scan.another(b']')?;
    }
    Ok(())
}

/// Entries from index `start` on.
fn read_map(
    scan: &mut Scan,
    shape: &mut Shape,
    keys: &mut Texts,
    values: &mut Column,
    start: usize,
    depth: usize,
) -> Step {
    if scan.peek() != b'{' || depth >= NESTING_MAX {
        return Err(ODD);
    }
    let mut more = scan.open(b'}');
    while more {
        read_string(scan, keys)?;
        scan.colon()?;
        read_value(scan, shape, values, depth + 1)?;
        more = scan.another(b'}')?;
    }
    if has_twins(keys, start) { Err(ODD) } else { Ok(()) }
}

/// Whether a key from index `start` on is there twice: of those the last counts.
fn has_twins(keys: &Texts, start: usize) -> bool {
    let end = keys.len();
    if end - start <= 16 {
        return (start + 1..end).any(|i| (start..i).any(|j| keys.get(i) == keys.get(j)));
    }
    let mut seen = hashbrown::HashSet::with_capacity(end - start);
    (start..end).any(|i| !seen.insert(keys.get(i)))
}

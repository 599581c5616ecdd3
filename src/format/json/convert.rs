//! From a tree to the columns by the exact rules, with words for what doesn't fit.

use std::borrow::Cow;

use super::number;
use super::properties::target_of;
use super::tree::{Tree, last_of_each};
use crate::format::builder::{Column, Values};
use crate::format::text::push_text;
use crate::types::{SqlType, decimal};

/// Names and types of an object's columns.
pub(super) type Members = [(String, SqlType)];

/// Appends one value to each column from an object's members. Of several properties for a column the one with exactly
/// its name counts, else the last whose name in upper case it is. The error says which column found what.
pub(super) fn push_object(
    members: &[(Cow<str>, Tree)],
    of: &Members,
    columns: &mut [Column],
    path: &str,
) -> Result<(), String> {
    let names: Vec<String> = of.iter().map(|(name, _)| name.clone()).collect();
    let mut chosen: Vec<Option<(&Tree, bool)>> = vec![None; of.len()];
    for (name, value) in members {
        let Some(index) = target_of(&names, name) else { continue };
        let exact = names[index] == *name;
        match chosen[index] {
            Some((_, true)) if !exact => {}
            _ => chosen[index] = Some((value, exact)),
        }
    }
    for (((name, ty), column), value) in of.iter().zip(columns).zip(chosen) {
        let path = if path.is_empty() { format!("`{name}`") } else { format!("{path}->`{name}`") };
        push(value.map_or(&Tree::Null, |(value, _)| value), ty, column, &path)?;
    }
    Ok(())
}

/// Appends a value. After an error the column may hold half a row.
pub(super) fn push(value: &Tree, ty: &SqlType, column: &mut Column, path: &str) -> Result<(), String> {
    let wrong = |why: &str| format!("column {path} {ty}: found {}{why}", value.found());
    match (&mut column.values, value) {
        (_, Tree::Null) => {
            column.push_null();
            return Ok(());
        }
        (Values::Boolean(values), Tree::Boolean(value)) => values.append(*value),
        (Values::Int(values), Tree::Number(text)) => values.push(to_long(text).ok_or_else(|| wrong(""))? as i32),
        (Values::Bigint(values) | Values::Timestamp(values), Tree::Number(text)) => {
            values.push(to_long(text).ok_or_else(|| wrong(""))?);
        }
        (Values::Date(values) | Values::Time(values), Tree::Number(text)) => {
            let number = to_long(text).and_then(|number| i32::try_from(number).ok());
            values.push(number.ok_or_else(|| wrong(", which is out of range"))?);
        }
        (Values::Double(values), Tree::Number(text)) => {
            values.push(number::to_double(text.as_bytes()).ok_or_else(|| wrong(""))?);
        }
        (Values::Decimal { unscaled, precision, scale }, Tree::Number(text)) => {
            let parsed = decimal::parse(text.as_bytes(), *precision, *scale);
            unscaled.push(parsed.map_err(|error| wrong(&format!(": {error}")))?);
        }
        (Values::String(texts), _) => {
            value.write_text(&mut texts.data);
            texts.close();
        }
        (Values::Boolean(_), Tree::String(_)) => return Err(wrong("")),
        (Values::Array { .. } | Values::Map { .. } | Values::Struct(_), _) => {
            return push_nested(value, ty, column, path);
        }
        (_, Tree::String(text)) => {
            return push_text(column, text).map_err(|found| format!("column {path} {ty}: found {found}"));
        }
        _ => return Err(wrong("")),
    }
    column.nulls.append_non_null();
    Ok(())
}

fn to_long(text: &str) -> Option<i64> {
    number::to_long(text.as_bytes())
}

fn push_nested(value: &Tree, ty: &SqlType, column: &mut Column, path: &str) -> Result<(), String> {
    match (&mut column.values, value, ty) {
        (Values::Array { offsets, items }, Tree::Array(values), SqlType::Array(item)) => {
            for (i, value) in values.iter().enumerate() {
                push(value, item, items, &format!("{path}[{}]", i + 1))?;
            }
            offsets.push(items.len() as i32);
        }
        (Values::Map { offsets, keys, values }, Tree::Object(members), SqlType::Map(of)) => {
            for (name, value) in last_of_each(members) {
                keys.push(name.as_bytes());
                push(value, of, values, &format!("{path}['{name}']"))?;
            }
            offsets.push(values.len() as i32);
        }
        (Values::Struct(columns), Tree::Object(members), SqlType::Struct(of)) => {
            push_object(members, of, columns, path)?;
        }
        _ => return Err(format!("column {path} {ty}: found {}", value.found())),
    }
    column.nulls.append_non_null();
    Ok(())
}

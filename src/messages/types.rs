//! Types as they are written, and casts.

use super::{not_supported, statement};
use crate::error::Error;
use crate::nearest::nearest;
use crate::types::SqlType;

pub fn map_key(key: &SqlType) -> Error {
    statement(format!("The keys of a MAP must be STRING, not {key}")).hint("write MAP<STRING, type>")
}

pub fn duplicate_field(name: &str) -> Error {
    statement(format!("Duplicate field name in STRUCT: `{name}`")).hint("each field needs a name of its own")
}

/// A type of no such name; the hint is what it is called here.
pub fn unknown(name: &str) -> Error {
    const TYPES: &[&str] = &[
        "BOOLEAN",
        "INT",
        "INTEGER",
        "BIGINT",
        "DOUBLE",
        "DECIMAL",
        "STRING",
        "VARCHAR",
        "BYTES",
        "TIME",
        "DATE",
        "TIMESTAMP",
        "ARRAY",
        "MAP",
        "STRUCT",
    ];
    let upper = name.to_ascii_uppercase();
    let known = match upper.as_str() {
        "TEXT" | "CHAR" | "NVARCHAR" | "UUID" | "JSON" | "JSONB" | "CLOB" => Some("STRING"),
        "FLOAT" | "REAL" | "FLOAT8" => Some("DOUBLE"),
        "NUMERIC" | "NUMBER" | "MONEY" => Some("DECIMAL(precision, scale)"),
        "LONG" | "INT8" => Some("BIGINT"),
        "SMALLINT" | "TINYINT" | "SHORT" | "INT4" => Some("INT"),
        "BOOL" | "BIT" => Some("BOOLEAN"),
        "DATETIME" | "TIMESTAMPTZ" => Some("TIMESTAMP"),
        "BINARY" | "VARBINARY" | "BLOB" | "BYTEA" => Some("BYTES"),
        "LIST" => Some("ARRAY<type>"),
        "OBJECT" | "RECORD" | "ROW" => Some("STRUCT<field type, ...>"),
        _ => nearest(&upper, TYPES.iter().copied()),
    };
    statement(format!("Cannot resolve unknown type or alias: {name}")).hint(match known {
        Some(known) => format!("write {known}"),
        None => "SHOW TYPES lists the aliases".to_owned(),
    })
}

/// A precision of 0, or a scale above the precision.
pub fn decimal_shape(precision: u32, scale: u32) -> Error {
    let least = if precision == 0 { "1" } else { "scale" };
    statement(format!("DECIMAL precision must be >= {least}: DECIMAL({precision},{scale})"))
        .hint("DECIMAL(10, 2) has ten digits, two of them behind the point")
}

pub fn decimal_too_wide(scale: u32, precision_max: u32) -> Error {
    not_supported(
        format!("DECIMAL with more than {precision_max} digits"),
        format!("DECIMAL({precision_max}, {}) is the widest", scale.min(precision_max)),
    )
}

pub fn no_decimal(text: &str, precision_max: u32) -> Error {
    statement(format!("{text} is not a DECIMAL of at most {precision_max} digits"))
        .hint("write fewer digits, or a DOUBLE: 1.5E40")
}

/// A value's type isn't widened to that by itself.
pub fn no_coercion(from: &SqlType, to: &SqlType) -> Error {
    statement(format!("{from} can't become {to} by itself")).hint(format!("CAST(... AS {to})"))
}

pub fn no_cast(from: &SqlType, to: &SqlType) -> Error {
    statement(format!("Cast of {from} to {to} is not supported")).hint(match (from, to) {
        (SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_), _) => "cast what is in it: LIST[1], STRUCT->FIELD",
        _ => "SHOW FUNCTIONS; lists those that make one of the other",
    })
}

pub fn no_exact_boolean_cast(from: &SqlType, to: &SqlType) -> Error {
    not_supported(
        format!("a cast of {from} to {to} with millpond.cast.boolean = exact"),
        "cast each of its parts: TRANSFORM(list, x => CAST(x AS BOOLEAN))",
    )
}

//! What each format can hold, in ksqlDB's words. Doesn't know bytes.

use super::{Format, Layout, Part};
use crate::error::{Error, Result};
use crate::types::SqlType;

/// Whether keys or values can be laid out so. The error names the part, the format, the columns and the reason.
pub fn check(layout: &Layout, part: Part) -> Result<()> {
    if part == Part::Key
        && let Some((name, ty)) = layout.columns.iter().find(|(_, ty)| holds_map(ty))
    {
        return Err(Error::statement(format!(
            "Map keys, including types that contain maps, are not supported as they may lead to unexpected behavior \
             due to inconsistent serialization. Key column name: `{name}`. Column type: {ty}."
        )));
    }
    let Err(reason) = check_columns(layout) else { return Ok(()) };
    let (title, suffix) = match part {
        Part::Key => ("Key", " KEY"),
        Part::Value => ("Value", ""),
    };
    let listed = listed(&layout.columns, suffix);
    let reason = if layout.format == Format::None { none_reason(&listed) } else { reason.what };
    Err(Error::statement(format!(
        "{title} format does not support schema.\nformat: {}\nschema: Persistence{{columns=[{listed}], features=[{}]}}\n\
         reason: {reason}",
        layout.format,
        features(layout, part),
    )))
}

/// What [`check`] says of the columns alone, without naming the part.
pub(super) fn check_columns(layout: &Layout) -> Result<()> {
    let unsupported = |names_column: bool, supports: fn(&SqlType) -> bool| -> Result<()> {
        match layout.columns.iter().find(|(_, ty)| !supports(ty)) {
            None => Ok(()),
            Some((name, ty)) => {
                let column = if names_column { format!(", column: `{name}`") } else { String::new() };
                let what = format!("The '{}' format does not support type '{}'{column}", layout.format, base_type(ty));
                Err(Error::statement(what).hint("JSON supports every type"))
            }
        }
    };
    match layout.format {
        Format::Json => Ok(()),
        Format::None if layout.columns.is_empty() => Ok(()),
        Format::None => Err(Error::statement(none_reason(&listed(&layout.columns, "")))),
        Format::Delimited => {
            unsupported(true, |ty| !matches!(ty, SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_)))
        }
        Format::Kafka if layout.columns.len() > 1 => Err(Error::statement(format!(
            "The 'KAFKA' format only supports a single field. Got: [{}]",
            listed(&layout.columns, "")
        ))
        .hint("use JSON or DELIMITED for several columns")),
        Format::Kafka => unsupported(false, |ty| {
            matches!(ty, SqlType::Int | SqlType::Bigint | SqlType::Double | SqlType::String | SqlType::Bytes)
        }),
    }
}

fn none_reason(listed: &str) -> String {
    format!("The 'NONE' format can only be used when no columns are defined. Got: [{listed}]")
}

fn listed(columns: &[(String, SqlType)], suffix: &str) -> String {
    columns.iter().map(|(name, ty)| format!("`{name}` {ty}{suffix}")).collect::<Vec<_>>().join(", ")
}

fn features(layout: &Layout, part: Part) -> &'static str {
    match part {
        Part::Value if layout.columns.len() == 1 && layout.format == Format::Json && !layout.wrapped => {
            "UNWRAP_SINGLES"
        }
        _ => "",
    }
}

/// The type's name without its parameters.
fn base_type(ty: &SqlType) -> String {
    match ty {
        SqlType::Decimal { .. } => "DECIMAL".to_string(),
        SqlType::Array(_) => "ARRAY".to_string(),
        SqlType::Map(_) => "MAP".to_string(),
        SqlType::Struct(_) => "STRUCT".to_string(),
        other => other.to_string(),
    }
}

fn holds_map(ty: &SqlType) -> bool {
    match ty {
        SqlType::Map(_) => true,
        SqlType::Array(item) => holds_map(item),
        SqlType::Struct(fields) => fields.iter().any(|(_, ty)| holds_map(ty)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(format: Format, columns: &[(&str, SqlType)]) -> Layout {
        let columns = columns.iter().map(|(name, ty)| (name.to_string(), ty.clone())).collect();
        Layout { format, delimiter: ',', columns, wrapped: false }
    }

    fn array() -> SqlType {
        SqlType::Array(Box::new(SqlType::Int))
    }

    fn map() -> SqlType {
        SqlType::Map(Box::new(SqlType::Int))
    }

    #[test]
    fn formats_hold_what_the_matrix_says() {
        use Format::*;
        let scalars = [
            (SqlType::Boolean, [false, true, true]),
            (SqlType::Int, [true, true, true]),
            (SqlType::Bigint, [true, true, true]),
            (SqlType::Double, [true, true, true]),
            (SqlType::Decimal { precision: 4, scale: 2 }, [false, true, true]),
            (SqlType::String, [true, true, true]),
            (SqlType::Bytes, [true, true, true]),
            (SqlType::Time, [false, true, true]),
            (SqlType::Date, [false, true, true]),
            (SqlType::Timestamp, [false, true, true]),
            (array(), [false, false, true]),
            (map(), [false, false, true]),
            (SqlType::Struct(vec![("F".into(), SqlType::Int)]), [false, false, true]),
        ];
        for (ty, expected) in scalars {
            for (format, expected) in [Kafka, Delimited, Json].into_iter().zip(expected) {
                let ok = check(&layout(format, &[("A", ty.clone())]), Part::Value).is_ok();
                assert_eq!(ok, expected, "{format} {ty}");
            }
            assert!(check(&layout(None, &[("A", ty)]), Part::Value).is_err());
        }
        for format in [Kafka, Delimited, Json, None] {
            assert!(check(&layout(format, &[]), Part::Key).is_ok());
        }
    }

    #[test]
    fn messages_name_part_format_column_and_type() {
        let two = [("A", SqlType::Int), ("B", SqlType::String)];
        let table = [
            (layout(Format::Kafka, &two), Part::Value, "only supports a single field. Got: [`A` INTEGER, `B` STRING]"),
            (
                layout(Format::Kafka, &[("K", SqlType::Decimal { precision: 9, scale: 2 })]),
                Part::Key,
                "Key format does not support schema.\nformat: KAFKA\nschema: Persistence{columns=[`K` DECIMAL(9, 2) KEY], \
                 features=[]}\nreason: The 'KAFKA' format does not support type 'DECIMAL'",
            ),
            (
                layout(Format::Delimited, &[("V", array())]),
                Part::Value,
                "reason: The 'DELIMITED' format does not support type 'ARRAY', column: `V`",
            ),
            (
                layout(Format::None, &two[..1]),
                Part::Key,
                "can only be used when no columns are defined. Got: [`A` INTEGER KEY]",
            ),
            (
                layout(Format::Json, &[("M", SqlType::Array(Box::new(map())))]),
                Part::Key,
                "Key column name: `M`. Column type: ARRAY<MAP<STRING, INTEGER>>",
            ),
        ];
        for (layout, part, expected) in table {
            let error = check(&layout, part).unwrap_err();
            assert!(error.what.contains(expected), "{}", error.what);
        }
    }

    #[test]
    fn names_of_formats() {
        assert_eq!(Format::from_name("json").unwrap(), Format::Json);
        assert_eq!(Format::from_name("Delimited").unwrap(), Format::Delimited);
        assert!(Format::from_name("FOO").unwrap_err().what.contains("Unknown format: FOO"));
        for name in ["avro", "PROTOBUF", "PROTOBUF_NOSR", "JSON_SR"] {
            let error = Format::from_name(name).unwrap_err();
            assert_eq!(error.audience, crate::error::Audience::NotSupported);
            assert!(error.hint.is_some());
        }
    }
}

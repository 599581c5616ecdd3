//! What each format can hold, in ksqlDB's words. Doesn't know bytes.

use super::{Format, Layout, Part};
use crate::error::Result;
use crate::messages;
use crate::messages::formats::Shown;
use crate::types::SqlType;

/// Whether keys or values can be laid out so. The error names the part, the format, the columns and the reason.
pub fn check(layout: &Layout, part: Part) -> Result<()> {
    if part == Part::Key
        && let Some((name, ty)) = layout.columns.iter().find(|(_, ty)| holds_map(ty))
    {
        return Err(messages::keys::map_in_key(Some(name), ty));
    }
    let Err(reason) = check_columns(layout) else { return Ok(()) };
    let reason = match layout.format {
        Format::None => messages::formats::none_with_columns(&layout.columns, part == Part::Key),
        _ => reason,
    };
    let shown = Shown {
        format: layout.format.name(),
        is_key: part == Part::Key,
        columns: &layout.columns,
        features: features(layout, part),
    };
    Err(messages::formats::layout(&shown, &reason))
}

/// What [`check`] says of the columns alone, without naming the part.
pub(super) fn check_columns(layout: &Layout) -> Result<()> {
    let unsupported = |names_column: bool, supports: fn(&SqlType) -> bool| -> Result<()> {
        match layout.columns.iter().find(|(_, ty)| !supports(ty)) {
            None => Ok(()),
            Some((name, ty)) => {
                let named = names_column.then_some(name.as_str());
                Err(messages::formats::type_of_column(layout.format.name(), ty, named))
            }
        }
    };
    match layout.format {
        Format::Json => Ok(()),
        Format::None if layout.columns.is_empty() => Ok(()),
        Format::None => Err(messages::formats::none_with_columns(&layout.columns, false)),
        Format::Delimited => {
            unsupported(true, |ty| !matches!(ty, SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_)))
        }
        Format::Kafka if layout.columns.len() > 1 => Err(messages::formats::several_columns_in_kafka(&layout.columns)),
        Format::Kafka => unsupported(false, |ty| {
            matches!(ty, SqlType::Int | SqlType::Bigint | SqlType::Double | SqlType::String | SqlType::Bytes)
        }),
    }
}

fn features(layout: &Layout, part: Part) -> &'static str {
    match part {
        Part::Value if layout.columns.len() == 1 && layout.format == Format::Json && !layout.wrapped => {
            "UNWRAP_SINGLES"
        }
        _ => "",
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

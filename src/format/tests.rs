//! All formats: tables of bytes and values, round trips of random columns, and bytes that mean nothing.

use arrow::array::{Array, ArrayRef};
use proptest::prelude::*;

use super::*;
use crate::types::arrays::tests::{any_scalar_type, any_type, any_value};
use crate::types::{Value, values_to_array};

pub(crate) fn layout(format: Format, columns: &[(&str, SqlType)], wrapped: bool) -> Layout {
    let columns = columns.iter().map(|(name, ty)| (name.to_string(), ty.clone())).collect();
    Layout { format, delimiter: ',', columns, wrapped }
}

/// Records of these values: with a key the values are apart, without one they touch.
pub(crate) fn records(key: Option<&[u8]>, values: &[Option<&[u8]>]) -> Records {
    let mut records = Records::default();
    for value in values {
        records.push(key, *value, 0);
    }
    records
}

/// Rows of values, a reason for the bad ones; `None` for a null row.
pub(crate) type Row = Result<Option<Vec<Value>>, String>;

/// Decodes all columns and turns them into rows, checking what must hold of every result.
pub(crate) fn decode(layout: &Layout, values: &[Option<&[u8]>]) -> Vec<Row> {
    let all: Vec<usize> = (0..layout.columns.len()).collect();
    let mut decoder = decoder(layout, &all).unwrap();
    let decoded = decoder.decode(&records(Some(&[0xff, 0x00]), values), Part::Value);
    let apart = rows(layout, &all, values.len(), &decoded);
    let decoded = decoder.decode(&records(None, values), Part::Value);
    assert_eq!(rows(layout, &all, values.len(), &decoded), apart, "what stands beside a record doesn't matter");
    apart
}

pub(crate) fn rows(layout: &Layout, wanted: &[usize], count: usize, decoded: &Decoded) -> Vec<Row> {
    assert_eq!(decoded.columns.len(), wanted.len());
    for (column, i) in decoded.columns.iter().zip(wanted) {
        assert_eq!(column.len(), count);
        assert_eq!(column.data_type(), &layout.columns[*i].1.to_arrow());
        column.to_data().validate_full().unwrap();
    }
    assert!(decoded.bad.is_sorted_by(|a, b| a.row < b.row));
    (0..count)
        .map(|row| {
            let value = |(column, i): (&ArrayRef, &usize)| Value::from_array(column, row, &layout.columns[*i].1);
            let values: Vec<Value> = decoded.columns.iter().zip(wanted).map(value).collect();
            let null = decoded.nulls.as_ref().is_some_and(|nulls| nulls.value(row));
            let bad = decoded.bad.iter().find(|bad| bad.row == row);
            if null || bad.is_some() {
                assert!(values.iter().all(Value::is_null), "a null row has null columns: {values:?}");
            }
            match bad {
                Some(bad) => Err(bad.reason.clone()),
                None if null => Ok(None),
                None => Ok(Some(values)),
            }
        })
        .collect()
}

/// The bytes of each row; panics when one can't be encoded.
pub(crate) fn encode(layout: &Layout, columns: &[ArrayRef], rows: usize, nulls: &[usize]) -> Vec<Option<Vec<u8>>> {
    let mut data = b"before".to_vec();
    let mut spans = vec![Span::NULL];
    let bad = encoder(layout).unwrap().encode(columns, rows, null_rows(nulls, rows).as_ref(), &mut data, &mut spans);
    assert_eq!(bad, vec![]);
    assert_eq!(spans.len(), rows + 1);
    assert!(data.starts_with(b"before"));
    let records = Records { data, ..Records::default() };
    spans[1..].iter().map(|span| records.bytes(*span).map(<[u8]>::to_vec)).collect()
}

#[test]
fn kafka_has_the_bytes_of_kafkas_serializers() {
    let table: [(SqlType, &[u8], Option<Value>); 9] = [
        (SqlType::Int, &[0, 0, 1, 2], Some(Value::Int(258))),
        (SqlType::Int, &[0xff; 4], Some(Value::Int(-1))),
        (SqlType::Int, &[0; 8], None),
        (SqlType::Bigint, &[0, 0, 0, 0, 0, 0, 1, 0], Some(Value::Bigint(256))),
        (SqlType::Bigint, &[0; 4], None),
        (SqlType::Double, &[0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Some(Value::Double(1.5))),
        (SqlType::String, b"", Some(Value::String(String::new()))),
        (SqlType::String, "hé".as_bytes(), Some(Value::String("hé".into()))),
        (SqlType::Bytes, &[0, 255], Some(Value::Bytes(vec![0, 255]))),
    ];
    for (ty, bytes, expected) in table {
        let layout = layout(Format::Kafka, &[("K", ty.clone())], false);
        let rows = decode(&layout, &[Some(bytes), None, Some(bytes)]);
        assert_eq!(rows[1], Ok(None));
        match expected {
            None => {
                let reason = rows[0].clone().unwrap_err();
                assert!(reason.contains("`K`") && reason.contains(&format!("{} bytes", bytes.len())), "{reason}");
            }
            Some(value) => {
                assert_eq!(rows[2], Ok(Some(vec![value.clone()])));
                let column = values_to_array(&[value, Value::Null], &ty);
                assert_eq!(encode(&layout, &[column], 2, &[]), [Some(bytes.to_vec()), None]);
            }
        }
    }
}

#[test]
fn none_has_no_columns_and_ignores_bytes() {
    let layout = layout(Format::None, &[], false);
    assert_eq!(decode(&layout, &[Some(b"whatever"), None]), [Ok(None), Ok(None)]);
    assert_eq!(encode(&layout, &[], 2, &[]), [None, None]);
}

#[test]
fn without_columns_keys_are_null_and_values_are_rows() {
    let values: [Option<&[u8]>; 3] = [Some(b"{}"), None, Some(b"x")];
    for format in [Format::Json, Format::Kafka, Format::Delimited] {
        let layout = layout(format, &[], true);
        let rows = decode(&layout, &values);
        assert_eq!((&rows[0], &rows[1]), (&Ok(Some(vec![])), &Ok(None)));
        assert_eq!(rows[2].is_err(), format == Format::Json);
        let keys = decoder(&layout, &[]).unwrap().decode(&records(Some(b"k"), &values), Part::Key);
        assert_eq!(keys.nulls.map(|nulls| nulls.count_set_bits()), Some(3));
        assert_eq!(keys.bad, vec![]);
    }
}

#[test]
fn delimited_lines() {
    let columns = [("I", SqlType::Int), ("S", SqlType::String), ("B", SqlType::Boolean)];
    let layout = layout(Format::Delimited, &columns, false);
    let row = |i: i32, s: &str, b: bool| Ok(Some(vec![Value::Int(i), Value::String(s.into()), Value::Boolean(b)]));
    let rows = decode(
        &layout,
        &[
            Some(b"1,a,true"),
            Some(b"\"-2\",\"b,\"\"c\"\"\",TRUE\r\n"),
            Some(b",,"),
            None,
            Some(b"3,d,yes"),
            Some(b"1,a"),
            Some(b"1,a,true,"),
            Some(b"1.5,a,true"),
            Some(b" 1,a,true"),
            Some(b""),
        ],
    );
    assert_eq!(rows[0], row(1, "a", true));
    assert_eq!(rows[1], row(-2, "b,\"c\"", true));
    assert_eq!(rows[2], Ok(Some(vec![Value::Null; 3])));
    assert_eq!(rows[3], Ok(None));
    assert_eq!(rows[4], row(3, "d", false));
    let reason = |row: usize| rows[row].clone().unwrap_err();
    assert_eq!(reason(5), "found 2 fields for 3 columns");
    assert_eq!(reason(6), "found 4 fields for 3 columns");
    assert_eq!(reason(7), "column `I` INTEGER: found the text \"1.5\", which is not an INTEGER");
    assert!(reason(8).contains("\" 1\""));
    assert!(reason(9).contains("no fields"));
}

#[test]
fn delimited_types_and_what_is_written() {
    let decimal = SqlType::Decimal { precision: 6, scale: 4 };
    let table = [
        (SqlType::Double, "12.50", "12.5"),
        (SqlType::Double, "-1", "\"-1.0\""),
        (decimal.clone(), ".12", "0.1200"),
        (decimal, "\"-1\"", "\"-1.0000\""),
        (SqlType::Time, "10", "10"),
        (SqlType::Date, "19358", "19358"),
        (SqlType::Timestamp, "1436918400000", "1436918400000"),
        (SqlType::Bytes, "ew==", "ew=="),
        (SqlType::Boolean, "True", "true"),
        (SqlType::String, "a b", "a b"),
        (SqlType::String, "\"a,b\"", "\"a,b\""),
    ];
    for (ty, line, written) in table {
        let layout = layout(Format::Delimited, &[("V", ty.clone())], false);
        let rows = decode(&layout, &[Some(line.as_bytes())]);
        let value = rows[0].clone().unwrap().unwrap().remove(0);
        assert!(!value.is_null(), "{ty} {line}");
        let out = encode(&layout, &[values_to_array(&[value], &ty)], 1, &[]);
        assert_eq!(String::from_utf8(out[0].clone().unwrap()).unwrap(), written, "{ty}");
    }
}

#[test]
fn another_delimiter() {
    let mut layout = layout(Format::Delimited, &[("A", SqlType::String), ("B", SqlType::Int)], false);
    layout.delimiter = '\t';
    let expected = Ok(Some(vec![Value::String("a,b".into()), Value::Int(1)]));
    assert_eq!(decode(&layout, &[Some(b"a,b\t1")]), [expected]);
    let columns = [
        values_to_array(&[Value::String("a\tb".into())], &SqlType::String),
        values_to_array(&[Value::Null], &SqlType::Int),
    ];
    assert_eq!(encode(&layout, &columns, 1, &[]), [Some(b"\"a\tb\"\t".to_vec())]);
}

/// A layout with values for some rows.
fn any_table(format: Format) -> impl Strategy<Value = (Layout, Vec<Vec<Value>>, Vec<usize>)> {
    let ty = match format {
        Format::Json => any_type().boxed(),
        Format::Kafka => prop_oneof![
            Just(SqlType::Int),
            Just(SqlType::Bigint),
            Just(SqlType::Double),
            Just(SqlType::String),
            Just(SqlType::Bytes)
        ]
        .boxed(),
        _ => any_scalar_type().boxed(),
    };
    let width = if format == Format::Kafka { 1..2 } else { 1..5usize };
    (prop::collection::vec(ty, width), any::<bool>()).prop_flat_map(move |(types, wrapped)| {
        let columns: Vec<(String, SqlType)> =
            types.iter().enumerate().map(|(i, ty)| (format!("C{i}"), ty.clone())).collect();
        let row: Vec<_> = types.iter().map(any_value).collect();
        let wrapped = (wrapped || columns.len() > 1) && format == Format::Json;
        let layout = Layout { format, delimiter: ',', columns, wrapped };
        (Just(layout), prop::collection::vec(row, 0..6), prop::collection::btree_set(0usize..6, 0..3)).prop_map(
            |(layout, rows, nulls)| {
                let nulls = nulls.into_iter().filter(|row| *row < rows.len()).collect();
                (layout, rows, nulls)
            },
        )
    })
}

/// What comes back of a value: formats that have no way to say some things say others.
fn comes_back(layout: &Layout, row: &[Value]) -> Option<Vec<Value>> {
    match layout.format {
        Format::Delimited => Some(
            row.iter()
                .map(|value| match value {
                    Value::String(text) if text.is_empty() => Value::Null,
                    Value::Bytes(bytes) if bytes.is_empty() => Value::Null,
                    other => other.clone(),
                })
                .collect(),
        ),
        _ if !layout.wrapped && row[0].is_null() => None,
        _ => Some(row.to_vec()),
    }
}

fn round_trip(layout: &Layout, table: &[Vec<Value>], nulls: &[usize]) -> Result<(), TestCaseError> {
    let column = |i: usize| {
        let values: Vec<Value> = table.iter().map(|row| row[i].clone()).collect();
        values_to_array(&values, &layout.columns[i].1)
    };
    let columns: Vec<ArrayRef> = (0..layout.columns.len()).map(column).collect();
    let bytes = encode(layout, &columns, table.len(), nulls);
    let bytes: Vec<Option<&[u8]>> = bytes.iter().map(Option::as_deref).collect();
    for (row, read) in decode(layout, &bytes).into_iter().enumerate() {
        let expected = if nulls.contains(&row) { None } else { comes_back(layout, &table[row]) };
        // A single NULL is an empty line, which has no field: not even ksqlDB reads that back.
        if layout.format == Format::Delimited && bytes[row] == Some(b"") {
            prop_assert!(read.is_err());
            continue;
        }
        prop_assert_eq!(read, Ok(expected), "{:?}", bytes[row].map(String::from_utf8_lossy));
    }
    Ok(())
}

proptest! {
    #[test]
    fn json_comes_back((layout, table, nulls) in any_table(Format::Json)) {
        round_trip(&layout, &table, &nulls)?;
    }

    #[test]
    fn delimited_comes_back((layout, table, nulls) in any_table(Format::Delimited)) {
        round_trip(&layout, &table, &nulls)?;
    }

    #[test]
    fn kafka_comes_back((layout, table, nulls) in any_table(Format::Kafka)) {
        round_trip(&layout, &table, &nulls)?;
    }

    #[test]
    fn bytes_that_mean_nothing_cost_only_their_row(
        ((layout, _, _), bytes) in (
            prop_oneof![any_table(Format::Json), any_table(Format::Delimited), any_table(Format::Kafka)],
            prop::collection::vec(prop_oneof![
                any::<Vec<u8>>(),
                "[\\[\\]{}:,\"\\\\tfn0-9eE.u -]{0,30}".prop_map(String::into_bytes),
            ], 0..8),
        ),
    ) {
        let bytes: Vec<Option<&[u8]>> = bytes.iter().map(|bytes| Some(&bytes[..])).collect();
        decode(&layout, &bytes);
    }
}

//! What is defined: streams, tables, types, their WITH clauses and formats, and what queries write to.

use super::{INT, Sample, TEXT, array, columns, strings};
use crate::catalog::SourceKind::{Stream, Table};
use crate::messages::*;
use crate::sql::ast::Literal;
use crate::types::SqlType;

pub(super) fn samples() -> Vec<Sample> {
    let ours = columns();
    samples! {
        definitions::unknown_source("FLIGHT", ["FLIGHTS"]);
        definitions::unknown_source("FLIGHT", ["WHALES"]);
        definitions::exists("FLIGHTS", Stream, Table);
        definitions::replaced_by_other_kind("FLIGHTS", Stream, Table);
        definitions::replaced_without_query("FLIGHTS", Table, "CTAS_FLIGHTS_1");
        definitions::replaced_read_only("FLIGHTS", Stream);
        definitions::replaced_by_its_reader("FLIGHTS");
        definitions::replaced_with_writers("FLIGHTS", &strings(&["INSERTQUERY_1", "INSERTQUERY_2"]));
        definitions::upgrade_of_source("FLIGHTS", Stream, &definitions::Fixed::Topic { from: "old", to: "new" });
        definitions::upgrade_of_source("FLIGHTS", Stream, &definitions::Fixed::Key);
        definitions::upgrade_of_source("FLIGHTS", Stream, &definitions::Fixed::ValueFormat);
        definitions::upgrade_of_source("FLIGHTS", Table, &definitions::Fixed::VersionsRetention);
        definitions::upgrade_of_source("FLIGHTS", Table, &definitions::Fixed::TimestampOrWindow);
        definitions::upgrade_of_source("FLIGHTS", Table, &definitions::Fixed::Columns);
        definitions::upgrade_of_source("FLIGHTS", Table, &definitions::Fixed::Wrapping);
        definitions::upgrade_of_query("FLIGHTS", Stream, "CSAS_FLIGHTS_1", &"joins", true);
        definitions::upgrade_of_query("FLIGHTS", Stream, "CSAS_FLIGHTS_1", &"a change of HAVING", false);
        definitions::dropped_as_other_kind("FLIGHTS", Stream, Table);
        definitions::topic_of_read_only("FLIGHTS", Stream);
        definitions::in_use("FLIGHTS", &strings(&["CSAS_A_1"]), &strings(&["INSERTQUERY_2"]));
        definitions::altered_as_other_kind("FLIGHTS", Stream, Table);
        definitions::altered_made("FLIGHTS");
        definitions::altered_read_only("FLIGHTS", Table);
        definitions::added_column_exists("ID");
        definitions::type_exists("ADDRESS");
        definitions::unknown_type("ADRESS", ["ADDRESS"]);
        definitions::unknown_type("ADDRESS", []);
        sources::no_topic();
        sources::no_columns();
        sources::windowed_without_key();
        sources::reserved_column("ROWTIME");
        sources::duplicate_column("ID");
        sources::no_primary_key();
        sources::key_of_other_kind("ID", Stream);
        sources::key_of_other_kind("ID", Table);
        sources::type_of_headers(&INT);
        sources::type_of_header("trace", &INT);
        sources::headers_twice("H", None, Some("trace"));
        sources::no_versions(true);
        sources::no_versions(false);
        sources::timestamp_format_alone();
        sources::unknown_timestamp_column("TIM", ["TIME"]);
        sources::timestamp_format("yyyz", "unknown letter z");
        sources::timestamp_without_format("TIME");
        sources::type_of_timestamp("TIME", &INT);
        properties::unknown_property("PARTITION", &["PARTITIONS"]);
        properties::unknown_property("QUERY_ID", &["QUERY_ID"]);
        properties::cleanup_policy();
        properties::needs_registry("VALUE_SCHEMA_ID");
        properties::format_twice("KEY_FORMAT");
        properties::invalid_value("KAFKA_TOPIC", &Literal::Null, properties::Expected::Text);
        properties::invalid_value("WRAP_SINGLE_VALUE", &Literal::String("x".into()), properties::Expected::Boolean);
        properties::invalid_value("RETENTION_MS", &Literal::Boolean(true), properties::Expected::WholeNumber);
        properties::invalid_value("RETENTION_MS", &Literal::Number("-1".into()), properties::Expected::Milliseconds);
        properties::invalid_value("REPLICAS", &Literal::Number("0".into()), properties::Expected::Count { max: 9 });
        properties::invalid_value("KEY_DELIMITER", &Literal::Number("0".into()), properties::Expected::Delimiter);
        properties::invalid_value("WINDOW_TYPE", &Literal::Number("0".into()), properties::Expected::WindowType);
        properties::invalid_value("WINDOW_SIZE", &Literal::Number("0".into()), properties::Expected::Duration);
        properties::invalid_value("WINDOW_SIZE", &Literal::String("1 EON".into()), properties::Expected::Unit);
        properties::invalid_value("WINDOW_SIZE", &Literal::Null, properties::Expected::LongerThanZero);
        properties::delimiter("ab");
        properties::delimiter_without_delimited("VALUE");
        properties::reserved_query_id(&["CTAS_", "CSAS_"]);
        properties::query_id_letters("a-b");
        properties::no_value_format();
        properties::wraps_several_columns();
        properties::format_never_wraps("KAFKA");
        properties::window_size_without_type();
        properties::window_size_of_sessions();
        properties::no_window_size();
        formats::unknown("JASON");
        formats::unknown("PARQUET");
        formats::not_here("AVRO");
        formats::layout(
            &formats::Shown { format: "KAFKA", is_key: true, columns: &ours, features: "" },
            &formats::several_columns_in_kafka(&ours)
        );
        formats::layout(
            &formats::Shown { format: "NONE", is_key: false, columns: &ours, features: "UNWRAP_SINGLES" },
            &formats::none_with_columns(&ours, false)
        );
        formats::type_of_column("DELIMITED", &array(), Some("LIST"));
        formats::type_of_column("KAFKA", &SqlType::Map(Box::new(TEXT)), None);
        formats::type_of_column("KAFKA", &SqlType::Struct(columns()), None);
        formats::type_of_column("KAFKA", &SqlType::Decimal { precision: 4, scale: 2 }, None);
        formats::type_of_column("KAFKA", &SqlType::Time, None);
        formats::none_with_columns(&ours, true);
        formats::several_columns_in_kafka(&ours);
        sinks::create_as_with_limit();
        sinks::insert_select_with_limit();
        sinks::result_of_other_kind(Stream);
        sinks::result_of_other_kind(Table);
        sinks::insert_into_read_only("FLIGHTS", Stream);
        sinks::insert_into_made_table("FLIGHTS", "CTAS_FLIGHTS_1");
        sinks::insert_table_into_stream("FLIGHTS");
        sinks::insert_stream_into_table("FLIGHTS");
        sinks::insert_of_other_windows("FLIGHTS");
        sinks::creates_what_it_reads("FLIGHTS", "flights");
        sinks::inserts_into_what_it_reads("FLIGHTS");
        sinks::schema_mismatch([("ID", &INT)], "`ID` STRING");
        sinks::key_format_without_key("JSON");
        sinks::about_key_of_several(formats::several_columns_in_kafka(&ours));
    }
}

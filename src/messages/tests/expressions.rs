//! Expressions, types, calls.

use super::{INT, Sample, TEXT, array, columns, strings};
use crate::messages::*;
use crate::types::SqlType;

pub(super) fn samples() -> Vec<Sample> {
    let int = expressions::Side { text: "ID", ty: &INT };
    let (text, list) = (expressions::Side { text: "NAME", ty: &TEXT }, array());
    let list = expressions::Side { text: "LIST", ty: &list };
    samples! {
        expressions::column_in_constant("NAME");
        expressions::failing_constant("Division by zero");
        expressions::no_common_type(&INT, &TEXT, "NAME");
        expressions::no_value_of_type(&INT, "ten");
        expressions::about_predicate(expressions::no_value_of_type(&INT, "ten"));
        expressions::empty_in();
        expressions::no_timestamp("yesterday");
        expressions::not_comparable(&int, &text, "EQUAL");
        expressions::not_comparable(&text, &int, "EQUAL");
        expressions::not_comparable(&int, &list, "LESS_THAN");
        expressions::not_comparable(&text, &text, "LESS_THAN");
        expressions::compared_with_null("ID", "NULL", "EQUAL");
        expressions::operand("LIKE", &expressions::Needed::String, "ID", &INT);
        expressions::operand("NOT", &expressions::Needed::Boolean, "ID", &INT);
        expressions::operand("A sign", &expressions::Needed::Number, "NAME", &TEXT);
        expressions::operand("[]", &expressions::Needed::ArrayOrMap, "NAME", &TEXT);
        expressions::operand("->", &expressions::Needed::Struct, "NAME", &TEXT);
        expressions::arithmetic_with_null(Some(&INT), None);
        expressions::arithmetic(&INT, &TEXT);
        expressions::array_index(&TEXT);
        expressions::map_key();
        expressions::unknown_field("STREAT", "ADDRESS", &["STREET", "TOWN"]);
        expressions::unknown_field("street", "ADDRESS", &["STREET"]);
        expressions::unknown_field("WHALE", "ADDRESS", &["STREET"]);
        expressions::array_of_nulls();
        expressions::map_of_nulls();
        expressions::null_key_of_map();
        expressions::case_of_nulls();
        expressions::case_of_types("ELSE", "NAME", &TEXT, &INT);
        expressions::type_of_empty(&expressions::Empty::Array);
        expressions::type_of_empty(&expressions::Empty::Map);
        expressions::type_of_empty(&expressions::Empty::Struct);
        expressions::type_of_null();
        expressions::like_pattern("the pattern ends with its escape character");
        expressions::no_such_field(&SqlType::Struct(columns()), "NAMES", ["NAME"]);
        types::map_key(&INT);
        types::duplicate_field("ID");
        types::unknown("TEXT");
        types::unknown("STRNG");
        types::unknown("WHALE");
        types::decimal_shape(0, 0);
        types::decimal_shape(2, 3);
        types::decimal_too_wide(2, 38);
        types::no_decimal("1e99", 38);
        types::no_coercion(&TEXT, &INT);
        types::no_cast(&array(), &INT);
        types::no_cast(&SqlType::Bytes, &INT);
        types::no_exact_boolean_cast(&array(), &SqlType::Boolean);
        functions::unknown("UPPER", Some("UCASE"));
        functions::unknown("WHALE", None);
        functions::no_overload("UCASE", &strings(&["INTEGER"]), &strings(&["UCASE(STRING)"]));
        functions::ambiguous_overload("LEAST", &strings(&["null"]));
        functions::no_result_type("ENTRIES needs a MAP, not INTEGER");
        functions::result_of_nulls();
        functions::aggregate_here("SUM");
        functions::table_function_here("EXPLODE");
        functions::no_table_function("UCASE");
        functions::no_aggregate("UCASE");
        functions::type_of_lambda_parameter("X");
        functions::lambda_here();
        functions::aggregate_of_type("SUM", &TEXT);
        functions::aggregate_count("TOPK", 1000);
        functions::number_and_boolean("LATEST_BY_OFFSET");
        functions::no_k("TOPK");
    }
}

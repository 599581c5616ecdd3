//! What becomes of NULLs is what the table says.

use super::inventory::{Call, SCALARS, listed};
use super::{run, table};
use crate::expr::functions::define::NULL_GIVES_NULL;

/// A value of a type that most functions take.
fn sample(ty: &str) -> String {
    match ty {
        "INT" => "1".into(),
        "STRING" => "'1'".into(),
        "BOOLEAN" => "true".into(),
        "BYTES" => "TO_BYTES('a', 'utf8')".into(),
        "DATE" => "FROM_DAYS(1)".into(),
        "TIME" => "PARSE_TIME('10', 'HH')".into(),
        "TIMESTAMP" => "FROM_UNIXTIME(1)".into(),
        _ if ty.starts_with("DECIMAL") || ty == "BIGINT" || ty == "DOUBLE" => format!("CAST(1 AS {ty})"),
        _ if ty.starts_with("ARRAY<") => format!("ARRAY[{}]", sample(&ty[6..ty.len() - 1])),
        _ if ty.starts_with("MAP<STRING, ") => format!("MAP('1' := {})", sample(&ty[12..ty.len() - 1])),
        "STRUCT<A INT>" => "STRUCT(a := 1)".into(),
        "STRUCT<A TIMESTAMP>" => "STRUCT(a := FROM_UNIXTIME(1))".into(),
        other => other.into(),
    }
}

/// The arguments of a call that are NULL without the result being so.
fn not_null_for(call: &Call) -> Vec<usize> {
    let is_value = |arg: &str| !arg.contains("=>") && super::inventory::argument(arg) != arg;
    let result = |null: usize| {
        let args = call.args.iter().enumerate().map(|(i, arg)| match is_value(arg) {
            true if i == null => format!("CAST(NULL AS {arg})"),
            true => sample(arg),
            false => arg.clone(),
        });
        run(&format!("{}({}) IS NULL", call.name, args.collect::<Vec<_>>().join(", ")))
    };
    (0..call.args.len()).filter(|&null| is_value(&call.args[null]) && result(null) != "true").collect()
}

#[test]
fn nulls_are_handled_as_the_table_says() {
    let calls = listed(SCALARS);
    let mut wrong = Vec::new();
    for function in table().iter() {
        let own = calls.iter().filter(|call| call.name == function.name);
        let others: Vec<String> = own
            .filter(|call| !not_null_for(call).is_empty())
            .map(|call| format!("{} {:?}", call.text(), not_null_for(call)))
            .collect();
        let is_scalar = function.kind == crate::expr::functions::FunctionKind::Scalar;
        let takes = function.overloads.iter().any(|overload| !overload.params.is_empty());
        // Of NULL it makes the text.
        let is_scalar = is_scalar && function.name != "TO_JSON_STRING";
        if is_scalar && takes && (function.nulls == NULL_GIVES_NULL) != others.is_empty() {
            wrong.push(format!("{}: {:?} but {}", function.name, function.nulls, others.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

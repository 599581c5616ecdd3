//! Operators, constructors and literals: what they need, what they were given.

use super::{did_you_mean, names, statement};
use crate::error::Error;
use crate::types::SqlType;

/// A constant's expression names a column.
pub fn column_in_constant(name: &str) -> Error {
    statement(format!("Column '{name}' can't be used here: there is no row to take it from"))
        .hint("text is written in single quotes: 'like this'")
}

/// A constant's expression fails; `why`: as the processing log would say it.
pub fn failing_constant(why: &str) -> Error {
    statement(why)
}

/// Elements of an array, or what IN compares, have no common type; `element`: the one that doesn't fit.
pub fn no_common_type(so_far: &SqlType, ty: &SqlType, element: &str) -> Error {
    statement(format!("operator does not exist: {so_far} = {ty} ({element})"))
        .hint("You might need to add explicit type casts.")
}

/// A text that isn't a value of the type that stands beside it.
pub fn no_value_of_type(ty: &SqlType, text: &str) -> Error {
    statement(format!("invalid input syntax for type {ty}: \"{text}\"."))
        .hint(format!("CAST the others to STRING, or write a value of type {ty}"))
}

/// The same error about what IN compares.
pub fn about_predicate(mut error: Error) -> Error {
    error.what = format!("Invalid Predicate: {}", error.what);
    error
}

pub fn empty_in() -> Error {
    statement("IN needs at least one value").hint("as in NAME IN ('a', 'b')")
}

pub fn no_timestamp(text: &str) -> Error {
    statement(format!("Failed to parse timestamp '{text}'"))
        .hint("write it as yyyy-MM-dd'T'HH:mm:ss.SSS; the end may be left out")
}

/// One side of a comparison.
pub struct Side<'a> {
    pub text: &'a str,
    pub ty: &'a SqlType,
}

/// `operator`: its name, as EQUAL.
pub fn not_comparable(left: &Side, right: &Side, operator: &str) -> Error {
    let error = statement(format!(
        "Cannot compare {} ({}) to {} ({}) with {operator}.",
        left.text, left.ty, right.text, right.ty
    ));
    match (left.ty, right.ty) {
        (SqlType::String, SqlType::String) => error.hint(CAST_ONE),
        (SqlType::String, _) => error.hint(cast_text(left.text, right.ty)),
        (_, SqlType::String) => error.hint(cast_text(right.text, left.ty)),
        _ => error.hint(CAST_ONE),
    }
}

const CAST_ONE: &str = "CAST one of them to the other's type";

fn cast_text(text: &str, ty: &SqlType) -> String {
    format!("CAST one of them: CAST({text} AS {ty}); a number stands without quotes")
}

pub fn compared_with_null(left: &str, right: &str, operator: &str) -> Error {
    statement(format!("Comparison with NULL not supported: {left} {operator} {right}"))
        .hint("IS NULL and IS NOT NULL test for it")
}

/// A type of operand.
pub enum Needed {
    String,
    Boolean,
    Number,
    ArrayOrMap,
    Struct,
}

/// `operator`: as it is written, or what it is called; `operand`: its expression.
pub fn operand(operator: &str, needed: &Needed, operand: &str, ty: &SqlType) -> Error {
    let (needed, hint) = match needed {
        Needed::String => ("STRING", format!("CAST({operand} AS STRING)")),
        Needed::Boolean => ("BOOLEAN", format!("compare it with something: {operand} = ..., or IS NOT NULL")),
        Needed::Number => ("a number", "CAST what is text, as CAST(... AS DOUBLE)".to_owned()),
        Needed::ArrayOrMap => {
            ("an ARRAY or a MAP", "as in LIST[1] or MAP['key']; a STRUCT's field is STRUCT->FIELD".to_owned())
        }
        Needed::Struct => {
            ("a STRUCT", "as in STRUCT->FIELD; a MAP's value is MAP['key'], JSON in a text EXTRACTJSONFIELD".to_owned())
        }
    };
    statement(format!("{operator} needs {needed}, but {operand} is {ty}")).hint(hint)
}

/// `None`: NULL.
pub fn arithmetic_with_null(left: Option<&SqlType>, right: Option<&SqlType>) -> Error {
    let name = |ty: Option<&SqlType>| ty.map_or("null".to_owned(), ToString::to_string);
    statement(format!("Arithmetic on types {} and {} are not supported", name(left), name(right)))
        .hint("NULL in arithmetic always gives NULL")
}

pub fn arithmetic(left: &SqlType, right: &SqlType) -> Error {
    statement(format!("Unsupported arithmetic types. {left} {right}"))
        .hint("arithmetic needs numbers; CAST what is text")
}

pub fn array_index(ty: &SqlType) -> Error {
    statement(format!("An ARRAY's index must be INTEGER, not {ty}"))
        .hint("as in LIST[1], the first; LIST[-1] is the last")
}

pub fn map_key() -> Error {
    statement("A MAP's key must be STRING").hint("as in MAP['key']")
}

/// `fields`: those that the struct has.
pub fn unknown_field(field: &str, base: &str, fields: &[&str]) -> Error {
    let error = statement(format!("Could not find field '{field}' in '{base}'."));
    let mut error = names::did_you_mean(error, field, fields.iter().copied());
    let there = fields.join(", ");
    match error.hint.take() {
        Some(meant) => error.hint(format!("{meant} It has {there}.")),
        None => error.hint(format!("it has {there}")),
    }
}

pub fn array_of_nulls() -> Error {
    statement("Cannot construct an array with all NULL elements.").hint(CAST_NULL)
}

pub fn map_of_nulls() -> Error {
    statement("Cannot construct a map with all NULL values.").hint(CAST_NULL)
}

const CAST_NULL: &str = "As a workaround, you may cast a NULL value to the desired type.";

pub fn null_key_of_map() -> Error {
    statement("The keys of a MAP can't be NULL").hint("as in MAP('key' := value)")
}

pub fn case_of_nulls() -> Error {
    statement("Invalid Case expression. All case branches have NULL type")
        .hint("cast one of them, e.g. CAST(null AS VARCHAR)")
}

/// `clause`: THEN or ELSE; `wanted`: the type of those before.
pub fn case_of_types(clause: &str, expr: &str, ty: &SqlType, wanted: &SqlType) -> Error {
    statement(format!(
        "Invalid Case expression. Type for all 'THEN' clauses should be the same. {clause} expression '{expr}' has type: \
         {ty}. Previous THEN expression(s) type: {wanted}."
    ))
    .hint(format!("CAST(... AS {wanted})"))
}

/// Who holds a value that isn't typed.
pub enum Empty {
    Array,
    Map,
    Struct,
}

pub fn type_of_empty(what: &Empty) -> Error {
    let what = match what {
        Empty::Array => "ARRAY",
        Empty::Map => "MAP",
        Empty::Struct => "STRUCT",
    };
    statement(format!("The type of an empty {what} can't be told from where it stands."))
        .hint("cast it: CAST(ARRAY[] AS ARRAY<INT>), CAST(MAP() AS MAP<STRING, INT>)")
}

pub fn type_of_null() -> Error {
    statement("Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).")
}

/// `why`: what the pattern's parser says.
pub fn like_pattern(why: &str) -> Error {
    statement(why).hint("the escape character stands before %, _ or itself: LIKE '10!%' ESCAPE '!'; a long pattern can be tested in parts, with AND")
}

/// A value's struct has a field that the wanted one hasn't.
pub fn no_such_field<'a>(to: &SqlType, field: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    did_you_mean(statement(format!("{to} has no field `{field}`")), field, there)
}

//! What the check refuses, and what it says.

use super::Table;

#[test]
fn messages() {
    let table = Table::default()
        .with("ID", "INT", vec![])
        .with("S", "STRING", vec![])
        .with("L", "ARRAY<INT>", vec![])
        .with("M", "MAP<STRING, BIGINT>", vec![])
        .with("P", "STRUCT<A INT>", vec![])
        .with("DEC", "DECIMAL(12, 2)", vec![]);
    let cases = [
        ("ID >= 'not an int'", "Cannot compare ID (INTEGER) to 'not an int' (STRING) with GREATER_THAN_OR_EQUAL."),
        ("L < L", "Cannot compare L (ARRAY<INTEGER>) to L (ARRAY<INTEGER>) with LESS_THAN."),
        ("ID = NULL", "Comparison with NULL not supported"),
        ("ID + NULL", "Arithmetic on types INTEGER and null are not supported"),
        ("ID + S", "Unsupported arithmetic types. INTEGER STRING"),
        ("CAST(S AS ARRAY<INT>)", "Cast of STRING to ARRAY<INTEGER> is not supported"),
        ("CASE WHEN ID = 1 THEN NULL ELSE NULL END", "Invalid Case expression. All case branches have NULL type"),
        (
            "CASE WHEN ID = 1 THEN 1 ELSE 'a' END",
            "Invalid Case expression. Type for all 'THEN' clauses should be the same.",
        ),
        ("ARRAY[] IS NULL", "The type of an empty ARRAY can't be told"),
        ("MAP() + 1", "Arithmetic on types null and INTEGER"),
        ("ID = ARRAY[]", "The type of an empty ARRAY can't be told"),
        ("ARRAY[ARRAY[]]", "Cannot construct an array with all NULL elements"),
        ("STRUCT(A := MAP())", "The type of an empty MAP can't be told"),
        ("UCASE(ARRAY[])", "The type of an empty ARRAY can't be told"),
        ("ARRAY[NULL]", "Cannot construct an array with all NULL elements"),
        ("ARRAY[1, 'not a number']", "invalid input syntax for type INTEGER: \"not a number\""),
        ("ID IN (10, 'x')", "Invalid Predicate: invalid input syntax for type INTEGER: \"x\"."),
        ("DEC IN (10, true)", "Invalid Predicate: operator does not exist: DECIMAL(12, 2) = BOOLEAN (true)"),
        ("M IN (10)", "Invalid Predicate: operator does not exist: MAP<STRING, BIGINT> = INTEGER (10)"),
        (
            "M IN (MAP('a' := true))",
            "operator does not exist: MAP<STRING, BIGINT> = MAP<STRING, BOOLEAN> (MAP('a':=true))",
        ),
        ("S AND true", "AND needs BOOLEAN, but S is STRING"),
        ("P->B", "Could not find field 'B' in 'P'."),
        ("ID[1]", "[] needs an ARRAY or a MAP, but ID is INTEGER"),
        ("WONT_FIND_ME(ID)", "Can't find any functions with the name 'WONT_FIND_ME'"),
        ("COALESCE()", "Function 'COALESCE' does not accept parameters ()"),
        ("UCASE(ID)", "Function 'UCASE' does not accept parameters (INTEGER)."),
        (
            "GREATEST(ID, CAST(ID AS BIGINT))",
            "Function 'greatest' cannot be resolved due to ambiguous method parameters (INTEGER, BIGINT).",
        ),
        (
            "GREATEST(NULL, NULL)",
            "Function 'greatest' cannot be resolved due to ambiguous method parameters (null, null).",
        ),
        ("EXPLODE(L)", "The table function EXPLODE can't be used here"),
        ("x => x", "A lambda can only be an argument"),
        ("STRUCT(a := 1, a := 2)", "Duplicate field name"),
        ("NOPE", "Column 'NOPE' cannot be resolved."),
        ("CAST(S AS NOPE)", "Cannot resolve unknown type or alias: NOPE"),
    ];
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        match table.check(text) {
            Ok(typed) => wrong.push(format!("{text}: accepted as {:?}", typed.ty())),
            Err(error) if !error.what.contains(expected) => wrong.push(format!("{text}: {}", error.what)),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unknown_functions_are_told_from_misspelt_ones_and_other_dialects() {
    for (name, meant) in [("UPER", "UCASE"), ("upper", "UCASE"), ("Lenght", "LEN"), ("SUBSTRNG", "SUBSTRING")] {
        let hint = Table::default().check(&format!("{name}('a')")).unwrap_err().hint.unwrap();
        assert!(hint.contains(&format!("mean {meant}?")), "{name}: {hint}");
    }
}

#[test]
fn places_and_hints() {
    let error = Table::default().check("1 + UCAES('a')").unwrap_err();
    assert_eq!(error.at.map(|at| at.column), Some(5));
    assert!(error.hint.unwrap().contains("UCASE"));
    assert_eq!(
        Table::default().check("CAST(NULL AS ADDRESS)->CITY").unwrap().known_type().unwrap().to_string(),
        "STRING"
    );
    assert!(Table::default().check("NULL").unwrap().known_type().is_err());
}

//! Ratios of the functions' speed to a bound measured in the same run: `cargo bench --bench functions [-- WORDS]`.
//!
//! A function is run as a query runs it: as a compiled expression over batches. Before it is measured, its column is
//! compared with its bound's. WORDS choose the functions whose names hold one of them; `--rounds=N` makes it last, for a
//! profiler.

mod bounds;
mod columns;
mod measure;

use std::hint::black_box;
use std::rc::Rc;

use arrow::array::{Array, ArrayRef, Datum, Scalar, StringArray};
use arrow::compute::kernels::{comparison, length, substring};
use arrow::datatypes::DataType;
use millpond::error::{Audience, Error, Result};
use millpond::internals::{EvalErrors, Evaluator, Ident, Input, Scope, check, compile, parse_expression};
use millpond::types::SqlType;

use bounds::Bound;
use columns::{BATCH_ROWS, BATCHES, Columns, Script};
use measure::{Asked, Entry, measure, print_head};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// No function takes more than three times as long as its bound.
const FLOOR: f64 = 0.33;

/// A function and what it is measured beside.
struct Case {
    name: &'static str,
    expression: &'static str,
    /// The columns that the bound takes.
    columns: &'static [&'static str],
    script: Script,
    bound_name: &'static str,
    bound: Bound,
}

impl Case {
    fn new(
        name: &'static str,
        expression: &'static str,
        columns: &'static [&'static str],
        bound_name: &'static str,
        bound: Bound,
    ) -> Case {
        Case { name, expression, columns, script: Script::Ascii, bound_name, bound }
    }

    /// Over texts that aren't all ASCII.
    fn mixed(self) -> Case {
        Case { script: Script::Mixed, ..self }
    }
}

fn main() {
    let asked = Asked::of_command_line();
    let tables = [Script::Ascii, Script::Mixed].map(|script| Rc::new(Columns::new(script)));
    print_head();
    let cases = whole_texts().into_iter().chain(parts()).chain(patterns()).chain(numbers()).chain(others());
    for case in cases.filter(|case| asked.chooses(case.name)) {
        let table = Rc::clone(&tables[usize::from(case.script == Script::Mixed)]);
        measure(&mut entry(case, table), &asked);
    }
}

const LOOP: &str = "a loop";

fn whole_texts() -> Vec<Case> {
    let units = |text: Option<&str>| text.map(|text| text.encode_utf16().count() as i32);
    let arrow_length = |args: &[ArrayRef]| length::length(&args[0]).expect("a STRING column");
    let concat = "CONCAT(NAME, ': ', TITLE)";
    vec![
        Case::new("UCASE", "UCASE(TITLE)", &["TITLE"], LOOP, bounds::texts(str::to_uppercase)),
        Case::new("UCASE, mixed", "UCASE(TITLE)", &["TITLE"], LOOP, bounds::texts(str::to_uppercase)).mixed(),
        Case::new("LCASE", "LCASE(TITLE)", &["TITLE"], LOOP, bounds::texts(str::to_lowercase)),
        Case::new("LCASE, mixed", "LCASE(TITLE)", &["TITLE"], LOOP, bounds::texts(str::to_lowercase)).mixed(),
        Case::new("TRIM", "TRIM(PADDED)", &["PADDED"], LOOP, bounds::trim()),
        Case::new("TRIM, mixed", "TRIM(PADDED)", &["PADDED"], LOOP, bounds::trim()).mixed(),
        // Arrow's length is that in bytes, which no text has to be read for.
        Case::new("LEN, bytes", "LEN(BODY)", &["BODY"], "arrow's length", Box::new(arrow_length)),
        Case::new("LEN", "LEN(TITLE)", &["TITLE"], LOOP, bounds::counts(units)),
        Case::new("LEN, mixed", "LEN(TITLE)", &["TITLE"], LOOP, bounds::counts(units)).mixed(),
        Case::new("CONCAT", concat, &["NAME", "TITLE"], LOOP, bounds::concat(": ")),
        Case::new("CONCAT, mixed", concat, &["NAME", "TITLE"], LOOP, bounds::concat(": ")).mixed(),
        Case::new("COALESCE, text", "COALESCE(CITY, NAME)", &["CITY", "NAME"], "arrow's zip", bounds::coalesce()),
        Case::new(
            "COALESCE, text and literal",
            "COALESCE(CITY, 'unknown')",
            &["CITY"],
            LOOP,
            Box::new(|args| {
                let texts = arrow::array::AsArray::as_string::<i32>(&args[0]).iter();
                std::sync::Arc::new(texts.map(|text| text.or(Some("unknown"))).collect::<StringArray>())
            }),
        ),
    ]
}

fn parts() -> Vec<Case> {
    let bytes = |args: &[ArrayRef]| substring::substring(&args[0], 2, Some(10)).expect("a STRING column");
    let chars = |args: &[ArrayRef]| -> ArrayRef {
        let texts = arrow::array::AsArray::as_string::<i32>(&args[0]);
        std::sync::Arc::new(substring::substring_by_char(texts, 2, Some(10)).expect("a STRING column"))
    };
    let place = |text: Option<&str>| {
        let units = |text: &str, at: usize| text[..at].encode_utf16().count() as i32;
        Some(text.and_then(|text| Some(units(text, text.find("case")?) + 1)).unwrap_or(0))
    };
    let replace = |text: &str| text.replace("new", "used");
    let (instr, replaced, split) = ("INSTR(TITLE, 'case')", "REPLACE(TITLE, 'new', 'used')", "SPLIT(TAGS, ',')");
    let substring = "SUBSTRING(TITLE, 3, 10)";
    vec![
        Case::new("SUBSTRING", substring, &["TITLE"], "arrow's substring", Box::new(bytes)),
        Case::new("SUBSTRING, mixed", substring, &["TITLE"], "arrow's substring_by_char", Box::new(chars)).mixed(),
        Case::new("INSTR", instr, &["TITLE"], LOOP, bounds::counts(place)),
        Case::new("INSTR, mixed", instr, &["TITLE"], LOOP, bounds::counts(place)).mixed(),
        Case::new("REPLACE", replaced, &["TITLE"], LOOP, bounds::texts(replace)),
        Case::new("REPLACE, mixed", replaced, &["TITLE"], LOOP, bounds::texts(replace)).mixed(),
        Case::new("SPLIT", split, &["TAGS"], LOOP, bounds::split(',')),
        Case::new("SPLIT, mixed", split, &["TAGS"], LOOP, bounds::split(',')).mixed(),
    ]
}

fn patterns() -> Vec<Case> {
    let like = |pattern: &'static str| -> Bound {
        let pattern = Scalar::new(StringArray::from(vec![pattern]));
        Box::new(move |args| {
            let (texts, pattern): (&dyn Datum, &dyn Datum) = (&args[0], &pattern);
            std::sync::Arc::new(comparison::like(texts, pattern).expect("a STRING column"))
        })
    };
    let (extract, item) = ("REGEXP_EXTRACT('item=([0-9]+)', URL, 1)", "item=([0-9]+)");
    let begins = "URL LIKE 'https://www.nexmark.com/black/%'";
    let (contains, ends) = ("TITLE LIKE '%headphones%'", "TITLE LIKE '%edition'");
    vec![
        Case::new("REGEXP_EXTRACT", extract, &["URL"], "a loop with regex", bounds::first_group(item)),
        Case::new("REGEXP_EXTRACT, mixed", extract, &["URL"], "a loop with regex", bounds::first_group(item)).mixed(),
        Case::new("LIKE, contains", contains, &["TITLE"], "arrow's like", like("%headphones%")),
        Case::new("LIKE, contains, mixed", contains, &["TITLE"], "arrow's like", like("%headphones%")).mixed(),
        // Of what matches, all is read: % stands for no line end, unlike Arrow's.
        Case::new("LIKE, begins", begins, &["URL"], "arrow's like", like("https://www.nexmark.com/black/%")),
        Case::new("LIKE, ends", ends, &["TITLE"], "arrow's like", like("%edition")),
        Case::new("LIKE, several", "URL LIKE '%new%item=_7%'", &["URL"], "arrow's like", like("%new%item=_7%")),
        Case::new("LIKE, several, mixed", "URL LIKE '%new%item=_7%'", &["URL"], "arrow's like", like("%new%item=_7%"))
            .mixed(),
    ]
}

fn numbers() -> Vec<Case> {
    let (to_bigint, to_text) = (bounds::cast(DataType::Int64), bounds::cast(DataType::Utf8));
    let two_digits = |value: f64| (value * 100.0).round() / 100.0;
    vec![
        Case::new("CAST, text to bigint", "CAST(DIGITS AS BIGINT)", &["DIGITS"], "arrow's cast", to_bigint),
        Case::new("CAST, bigint to text", "CAST(QUANTITY AS STRING)", &["QUANTITY"], "arrow's cast", to_text),
        Case::new("COALESCE, bigint", "COALESCE(STOCK, QUANTITY)", &["STOCK", "QUANTITY"], "arrow's zip", {
            bounds::coalesce()
        }),
        Case::new("ABS, bigint", "ABS(QUANTITY)", &["QUANTITY"], "arrow's unary", bounds::bigints(i64::wrapping_abs)),
        Case::new("ABS, double", "ABS(AMOUNT)", &["AMOUNT"], "arrow's unary", bounds::doubles(f64::abs)),
        Case::new("ROUND", "ROUND(AMOUNT)", &["AMOUNT"], "arrow's unary", bounds::nearest()),
        Case::new("ROUND, 2 digits", "ROUND(AMOUNT, 2)", &["AMOUNT"], "arrow's unary", bounds::doubles(two_digits)),
        Case::new("FLOOR", "FLOOR(AMOUNT)", &["AMOUNT"], "arrow's unary", bounds::doubles(f64::floor)),
    ]
}

fn others() -> Vec<Case> {
    const CHRONO: &str = "a loop with chrono";
    let city = "EXTRACTJSONFIELD(PAYLOAD, '$.user.city')";
    vec![
        Case::new(
            "FORMAT_TIMESTAMP",
            "FORMAT_TIMESTAMP(PLACED, 'yyyy-MM-dd HH:mm:ss.SSS')",
            &["PLACED"],
            CHRONO,
            bounds::format_timestamp("%Y-%m-%d %H:%M:%S%.3f"),
        ),
        Case::new(
            "FORMAT_TIMESTAMP, names",
            "FORMAT_TIMESTAMP(PLACED, 'EEE, d MMM yyyy')",
            &["PLACED"],
            CHRONO,
            bounds::format_timestamp("%a, %-d %b %Y"),
        ),
        Case::new(
            "PARSE_TIMESTAMP",
            "PARSE_TIMESTAMP(PLACED_TEXT, 'yyyy-MM-dd HH:mm:ss.SSS')",
            &["PLACED_TEXT"],
            CHRONO,
            bounds::parse_timestamp("%Y-%m-%d %H:%M:%S%.3f"),
        ),
        Case::new(
            "ARRAY_CONTAINS, bigint",
            "ARRAY_CONTAINS(NUMBERS, CAST(7 AS BIGINT))",
            &["NUMBERS"],
            LOOP,
            bounds::contains_number(7),
        ),
        Case::new(
            "ARRAY_CONTAINS, text",
            "ARRAY_CONTAINS(LABELS, 'camera')",
            &["LABELS"],
            LOOP,
            bounds::contains_text("camera"),
        ),
        Case::new("EXTRACTJSONFIELD", city, &["PAYLOAD"], "a loop with serde_json", bounds::city_of_payload()),
        Case::new("EXTRACTJSONFIELD, mixed", city, &["PAYLOAD"], "a loop with serde_json", bounds::city_of_payload())
            .mixed(),
    ]
}

/// The columns of a query's source.
struct Source(Rc<Columns>);

impl Scope for Source {
    fn column(&self, _source: Option<&Ident>, name: &Ident) -> Result<(usize, SqlType)> {
        let index = self
            .0
            .index(&name.text)
            .ok_or_else(|| Error::new(Audience::Statement, format!("no column {}", name.text)))?;
        Ok((index, self.0.names[index].1.clone()))
    }

    fn custom_type(&self, _name: &str) -> Option<SqlType> {
        None
    }
}

fn entry(case: Case, table: Rc<Columns>) -> Entry {
    let ast = parse_expression(case.expression).expect("an expression");
    let typed = check(&ast, &Source(Rc::clone(&table))).expect("columns and types that fit");
    let mut evaluator = compile(&typed).expect("a plan");
    let indexes: Vec<usize> =
        case.columns.iter().map(|name| table.index(name).expect("a column of the table")).collect();
    let bound_columns = |batch: &Vec<ArrayRef>| indexes.iter().map(|index| batch[*index].clone()).collect();
    let args: Vec<Vec<ArrayRef>> = table.batches.iter().map(bound_columns).collect();
    for (batch, args) in table.batches.iter().zip(&args) {
        assert_same(&case, &evaluate(&mut evaluator, batch), &(case.bound)(args));
    }
    Entry {
        name: case.name,
        bound_name: case.bound_name,
        floor: FLOOR,
        aim: 1.0,
        rows: BATCHES * BATCH_ROWS,
        bytes: args.iter().flatten().map(|column| column.get_buffer_memory_size()).sum(),
        work: Box::new(move || {
            for batch in &table.batches {
                black_box(evaluate(&mut evaluator, batch));
            }
        }),
        after: Box::new(|| ()),
        bound: Box::new(move || {
            for args in &args {
                black_box((case.bound)(args));
            }
        }),
    }
}

fn evaluate(evaluator: &mut Evaluator, batch: &[ArrayRef]) -> ArrayRef {
    evaluator.evaluate(Input { columns: batch, rows: BATCH_ROWS }, &mut EvalErrors::default())
}

/// A ratio of two results that differ would mean nothing.
fn assert_same(case: &Case, work: &ArrayRef, bound: &ArrayRef) {
    assert_eq!(work.len(), bound.len(), "{}", case.name);
    for row in 0..work.len() {
        assert_eq!(&work.slice(row, 1), &bound.slice(row, 1), "{}, row {row}", case.name);
    }
    assert!(work.null_count() < work.len(), "{}: NULL only", case.name);
}

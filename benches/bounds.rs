//! What the functions are measured beside: Arrow's kernel where there is one that does the same, else a plain loop over the
//! same arrays into Arrow's builders, with the libraries that the functions have.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListBuilder, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{CastOptions, cast_with_options, is_not_null};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, TimestampMillisecondType};
use chrono::format::{Item, Parsed, StrftimeItems};

/// A column from the columns that the expression reads.
pub type Bound = Box<dyn Fn(&[ArrayRef]) -> ArrayRef>;

/// A STRING column, text by text.
pub fn texts<S: AsRef<str>>(f: impl Fn(&str) -> S + 'static) -> Bound {
    Box::new(move |args| {
        let texts = args[0].as_string::<i32>();
        let mut out = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
        texts.iter().for_each(|text| out.append_option(text.map(&f)));
        Arc::new(out.finish())
    })
}

pub fn trim() -> Bound {
    Box::new(|args| {
        let texts = args[0].as_string::<i32>().iter();
        Arc::new(texts.map(|text| Some(text?.trim_matches(|c: char| c <= ' '))).collect::<StringArray>())
    })
}

/// Of an INT column for texts.
pub fn counts(f: impl Fn(Option<&str>) -> Option<i32> + 'static) -> Bound {
    Box::new(move |args| Arc::new(args[0].as_string::<i32>().iter().map(&f).collect::<Int32Array>()))
}

/// Two texts with one in between, NULLs left out.
pub fn concat(between: &'static str) -> Bound {
    Box::new(move |args| {
        let (left, right) = (args[0].as_string::<i32>(), args[1].as_string::<i32>());
        let bytes = left.value_data().len() + right.value_data().len() + between.len() * left.len();
        let mut out = StringBuilder::with_capacity(left.len(), bytes);
        for (left, right) in left.iter().zip(right) {
            let mut text = String::from(left.unwrap_or_default());
            text.push_str(between);
            text.push_str(right.unwrap_or_default());
            out.append_value(text);
        }
        Arc::new(out.finish())
    })
}

pub fn split(delimiter: char) -> Bound {
    Box::new(move |args| {
        let item = Field::new_list_field(DataType::Utf8, true);
        let mut out = ListBuilder::new(StringBuilder::new()).with_field(item);
        for text in args[0].as_string::<i32>() {
            if let Some(text) = text {
                text.split(delimiter).for_each(|piece| out.values().append_value(piece));
            }
            out.append(text.is_some());
        }
        Arc::new(out.finish())
    })
}

pub fn first_group(pattern: &str) -> Bound {
    let regex = regex::Regex::new(pattern).expect("a regular expression");
    Box::new(move |args| {
        let group = |text: Option<&str>| Some(regex.captures(text?)?.get(1)?.as_str().to_string());
        Arc::new(args[0].as_string::<i32>().iter().map(group).collect::<StringArray>())
    })
}

/// The first column where it isn't NULL, else the second.
pub fn coalesce() -> Bound {
    Box::new(|args| {
        let known = is_not_null(&args[0]).expect("any column");
        zip(&known, &args[0], &args[1]).expect("columns of one type and length")
    })
}

pub fn cast(to: DataType) -> Bound {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    Box::new(move |args| cast_with_options(&args[0], &to, &options).expect("types that can be cast"))
}

pub fn bigints(f: impl Fn(i64) -> i64 + 'static) -> Bound {
    Box::new(move |args| Arc::new(args[0].as_primitive::<Int64Type>().unary::<_, Int64Type>(&f)))
}

pub fn doubles(f: impl Fn(f64) -> f64 + 'static) -> Bound {
    Box::new(move |args| Arc::new(args[0].as_primitive::<Float64Type>().unary::<_, Float64Type>(&f)))
}

pub fn nearest() -> Bound {
    let round = |value: f64| (value + 0.5).floor() as i64;
    Box::new(move |args| Arc::new(args[0].as_primitive::<Float64Type>().unary::<_, Int64Type>(round)))
}

fn items(pattern: &str) -> Vec<Item<'_>> {
    StrftimeItems::new(pattern).parse().expect("a pattern of chrono's")
}

pub fn format_timestamp(pattern: &'static str) -> Bound {
    use std::fmt::Write;
    let items = items(pattern);
    Box::new(move |args| {
        let times = args[0].as_primitive::<TimestampMillisecondType>();
        let mut out = StringBuilder::with_capacity(times.len(), times.len() * 24);
        for ms in times {
            match ms.and_then(chrono::DateTime::from_timestamp_millis) {
                Some(time) => {
                    write!(out, "{}", time.naive_utc().format_with_items(items.iter())).expect("room in memory");
                    out.append_value("");
                }
                None => out.append_null(),
            }
        }
        Arc::new(out.finish())
    })
}

pub fn parse_timestamp(pattern: &'static str) -> Bound {
    let items = items(pattern);
    Box::new(move |args| {
        let parse = |text: Option<&str>| {
            let mut parsed = Parsed::new();
            chrono::format::parse(&mut parsed, text?, items.iter()).ok()?;
            Some(parsed.to_naive_datetime_with_offset(0).ok()?.and_utc().timestamp_millis())
        };
        Arc::new(args[0].as_string::<i32>().iter().map(parse).collect::<TimestampMillisecondArray>())
    })
}

pub fn contains_number(wanted: i64) -> Bound {
    Box::new(move |args| {
        let lists = args[0].as_list::<i32>();
        let numbers = lists.values().as_primitive::<Int64Type>().values();
        let has = |row: usize| {
            let ends = &lists.value_offsets()[row..];
            lists.is_valid(row) && numbers[ends[0] as usize..ends[1] as usize].contains(&wanted)
        };
        Arc::new((0..lists.len()).map(|row| Some(has(row))).collect::<BooleanArray>())
    })
}

pub fn contains_text(wanted: &'static str) -> Bound {
    Box::new(move |args| {
        let lists = args[0].as_list::<i32>();
        let texts = lists.values().as_string::<i32>();
        let has = |row: usize| {
            let ends = &lists.value_offsets()[row..];
            lists.is_valid(row) && (ends[0]..ends[1]).any(|entry| texts.value(entry as usize) == wanted)
        };
        Arc::new((0..lists.len()).map(|row| Some(has(row))).collect::<BooleanArray>())
    })
}

#[derive(serde::Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    user: User<'a>,
}

#[derive(serde::Deserialize)]
struct User<'a> {
    #[serde(borrow)]
    city: Cow<'a, str>,
}

/// serde_json knows beforehand which fields are wanted, and builds nothing of the others.
pub fn city_of_payload() -> Bound {
    Box::new(|args| {
        let city =
            |text: Option<&'_ str>| Some(serde_json::from_str::<Payload<'_>>(text?).ok()?.user.city.into_owned());
        Arc::new(args[0].as_string::<i32>().iter().map(city).collect::<StringArray>())
    })
}

//! Functions, row by row. An argument that failed is NULL.

use std::cmp::Ordering;

use super::cast::{text, to_base64, widen};
use super::interpret::{Out, Row, equal, order, put};
use super::number::{Decimal, Rounding};
use super::times;
use super::tree::{Expr, Node};
use super::value::{Ty, Val};

/// Why a function gives no value.
enum No {
    /// NULL without an entry in the log.
    Null,
    Fails,
}

type Answer = Result<Val, No>;

/// NULLs are skipped; all NULL is empty.
pub(super) fn concat(parts: &[Val], ty: &Ty) -> Val {
    if *ty == Ty::Bytes {
        return Val::Bytes(parts.iter().flat_map(|part| bytes(part).unwrap_or_default()).collect());
    }
    Val::String(parts.iter().filter_map(string).collect())
}

pub(super) fn call(name: &str, args: &[Expr], ty: &Ty, row: &mut Row<'_>) -> Out {
    if args.iter().any(|arg| matches!(arg.node, Node::Lambda(..))) {
        return higher(name, args, row);
    }
    let mut values = Vec::new();
    for arg in args {
        values.push(if let Node::Unit(unit) = arg.node { Val::text(unit) } else { row.part(arg) });
    }
    match answer(name, &values, args, ty) {
        Ok(value) => Ok(value),
        Err(No::Null) => Ok(Val::Null),
        Err(No::Fails) => Err(row.fail()),
    }
}

fn string(value: &Val) -> Option<String> {
    match value {
        Val::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn bytes(value: &Val) -> Option<Vec<u8>> {
    match value {
        Val::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

fn whole(value: &Val) -> Result<i64, No> {
    match value {
        Val::Int(v) => Ok(i64::from(*v)),
        Val::Bigint(v) | Val::Date(v) | Val::Time(v) | Val::Timestamp(v) => Ok(*v),
        _ => Err(No::Null),
    }
}

fn chars(value: &Val) -> Result<Vec<char>, No> {
    Ok(string(value).ok_or(No::Null)?.chars().collect())
}

fn items(value: &Val) -> Result<&[Val], No> {
    match value {
        Val::Array(items) => Ok(items),
        _ => Err(No::Null),
    }
}

fn entries(value: &Val) -> Result<&[(String, Val)], No> {
    match value {
        Val::Map(entries) => Ok(entries),
        _ => Err(No::Null),
    }
}

fn double(value: &Val, from: &Ty) -> Result<f64, No> {
    match widen(value.clone(), from, &Ty::Double) {
        Val::Double(v) => Ok(v),
        _ => Err(No::Null),
    }
}

fn has(list: &[Val], wanted: &Val) -> bool {
    list.iter().any(|item| equal(item, wanted))
}

fn distinct<'a>(values: impl Iterator<Item = &'a Val>) -> Val {
    let mut out: Vec<Val> = Vec::new();
    for value in values {
        if !has(&out, value) {
            out.push(value.clone());
        }
    }
    Val::Array(out)
}

/// The first that isn't NULL after sorting by `better`.
fn best<'a>(values: impl Iterator<Item = &'a Val>, better: Ordering) -> Val {
    let mut best = Val::Null;
    for value in values.filter(|value| !value.is_null()) {
        if best.is_null() || order(value, &best) == Some(better) {
            best = value.clone();
        }
    }
    best
}

fn answer(name: &str, args: &[Val], exprs: &[Expr], ty: &Ty) -> Answer {
    match name {
        "COALESCE" | "IFNULL" => return Ok(args.iter().find(|arg| !arg.is_null()).cloned().unwrap_or(Val::Null)),
        "NULLIF" => {
            let same = !args[0].is_null() && !args[1].is_null() && equal(&args[0], &args[1]);
            return if same { Err(No::Null) } else { Ok(args[0].clone()) };
        }
        "CONCAT" => return Ok(concat(args, ty)),
        "GREATEST" | "LEAST" => {
            let better = if name == "GREATEST" { Ordering::Greater } else { Ordering::Less };
            let args: Vec<Val> = args.iter().zip(exprs).map(|(arg, expr)| widen(arg.clone(), &expr.ty, ty)).collect();
            return Ok(best(args.iter(), better));
        }
        _ => {}
    }
    let number = matches!(exprs.first().map(|arg| &arg.ty), Some(ty) if ty.is_numeric());
    if number && let Some(answer) = numeric(name, args, exprs, ty) {
        return answer;
    }
    let families = [texts(name, args), lists(name, args), maps(name, args), dates(name, args)];
    families.into_iter().flatten().next().unwrap_or_else(|| panic!("no such function: {name}"))
}

fn fit(number: Option<Decimal>, ty: &Ty) -> Answer {
    let Ty::Decimal(precision, _) = ty else { panic!("{ty} isn't DECIMAL") };
    number.filter(|number| number.fits(*precision)).map(Val::Decimal).ok_or(No::Fails)
}

/// ROUND to whole numbers: ties go up.
fn round(v: f64) -> i64 {
    let floor = v.floor();
    (if v - floor >= 0.5 { floor + 1.0 } else { floor }) as i64
}

fn numeric(name: &str, args: &[Val], exprs: &[Expr], ty: &Ty) -> Option<Answer> {
    let from = &exprs[0].ty;
    if args.iter().any(Val::is_null) && name != "ELT" {
        return Some(Err(No::Null));
    }
    let rounding = match name {
        "ROUND" => Rounding::HalfCeiling,
        "TRUNC" => Rounding::Down,
        "FLOOR" => Rounding::Floor,
        _ => Rounding::Ceiling,
    };
    Some(Ok(match (name, &args[0]) {
        ("ABS", Val::Int(v)) => Val::Int(v.wrapping_abs()),
        ("ABS", Val::Bigint(v)) => Val::Bigint(v.wrapping_abs()),
        ("ABS", Val::Double(v)) => Val::Double(v.abs()),
        ("ABS", Val::Decimal(v)) => Val::Decimal(if v.is_negative() { v.negated() } else { v.clone() }),
        ("SIGN", value) => Val::Int(match value {
            Val::Int(v) => v.signum(),
            Val::Bigint(v) => v.signum() as i32,
            Val::Double(v) => i32::from(*v > 0.0) - i32::from(*v < 0.0),
            other => panic!("SIGN of {other:?}"),
        }),
        ("FLOOR" | "CEIL", Val::Double(v)) => Val::Double(if name == "FLOOR" { v.floor() } else { v.ceil() }),
        ("FLOOR" | "CEIL", Val::Int(_) | Val::Bigint(_)) => args[0].clone(),
        ("FLOOR" | "CEIL", Val::Decimal(v)) => {
            let whole = v.rescaled(0, rounding).and_then(|whole| whole.rescaled(v.scale, rounding));
            return Some(fit(whole, ty));
        }
        ("ROUND" | "TRUNC", Val::Int(v)) => Val::Bigint(i64::from(*v)),
        ("ROUND" | "TRUNC", Val::Bigint(v)) => Val::Bigint(*v),
        ("ROUND", Val::Double(v)) => Val::Bigint(round(*v)),
        ("TRUNC", Val::Double(v)) => Val::Bigint(*v as i64),
        ("ROUND" | "TRUNC", Val::Decimal(v)) => {
            let places = args.get(1).map_or(0, |places| whole(places).unwrap_or_default());
            let keeps_scale = args.len() > 1;
            let rounded = v.rescaled((places as u32).min(v.scale), rounding);
            let scale = if keeps_scale { v.scale } else { 0 };
            return Some(fit(rounded.and_then(|number| number.rescaled(scale, rounding)), ty));
        }
        ("SQRT", value) => Val::Double(double(value, from).ok()?.sqrt()),
        ("GENERATE_SERIES", _) => return Some(series(args)),
        ("FROM_UNIXTIME", Val::Bigint(v)) => Val::Timestamp(*v),
        ("FROM_DAYS", Val::Int(v)) => Val::Date(i64::from(*v)),
        ("ELT", Val::Int(n)) => {
            let found = usize::try_from(*n).ok().filter(|n| *n > 0).and_then(|n| args.get(n));
            found.cloned().unwrap_or(Val::Null)
        }
        ("ELT", _) => Val::Null,
        _ => return None,
    }))
}

/// From the first to the second number; the step's default goes that way.
fn series(args: &[Val]) -> Answer {
    let (first, last) = (whole(&args[0])?, whole(&args[1])?);
    let step = match args.get(2) {
        Some(step) => whole(step)?,
        None if last > first => 1,
        None => -1,
    };
    if step == 0 || (step > 0 && last < first) || (step < 0 && last > first) {
        return Err(No::Fails);
    }
    let mut out = Vec::new();
    let mut next = first;
    while if step > 0 { next <= last } else { next >= last } {
        out.push(if matches!(args[0], Val::Int(_)) { Val::Int(next as i32) } else { Val::Bigint(next) });
        next += step;
    }
    Ok(Val::Array(out))
}

/// Counted from 1, or from the end; cut at the ends.
fn part<T: Clone>(all: &[T], args: &[Val]) -> Result<Vec<T>, No> {
    let count = all.len() as i64;
    let position = whole(&args[1])?;
    let first = match position {
        0 => 0,
        1.. => position - 1,
        _ => (count + position).max(0),
    };
    let length = match args.get(2) {
        Some(length) => whole(length)?.max(0),
        None => count,
    };
    let first = first.min(count) as usize;
    Ok(all[first..(first as i64 + length).min(count) as usize].to_vec())
}

/// Filled on one side to a length, or cut to it.
fn pad<T: Clone>(all: &[T], args: &[Val], filling: &[T], left: bool) -> Result<Vec<T>, No> {
    let length = usize::try_from(whole(&args[1])?).map_err(|_| No::Null)?;
    if filling.is_empty() {
        return Err(No::Null);
    }
    if all.len() >= length {
        return Ok(all[..length].to_vec());
    }
    let filling: Vec<T> = filling.iter().cycle().take(length - all.len()).cloned().collect();
    Ok(if left { [&filling[..], all].concat() } else { [all, &filling[..]].concat() })
}

fn masked(ch: char) -> char {
    match ch {
        ch if ch.is_uppercase() => 'X',
        ch if ch.is_lowercase() => 'x',
        ch if ch.is_ascii_digit() => 'n',
        _ => '-',
    }
}

fn texts(name: &str, args: &[Val]) -> Option<Answer> {
    if name == "FIELD" {
        let place = args[1..].iter().position(|item| !args[0].is_null() && equal(item, &args[0]));
        return Some(Ok(Val::Int(place.map_or(0, |place| place as i32 + 1))));
    }
    if name == "INSTR" {
        let (Ok(text), Ok(part)) = (chars(&args[0]), chars(&args[1])) else { return Some(Ok(Val::Int(0))) };
        // The search begins at the first character: where there is none, nothing is found.
        let place = (0..=text.len()).find(|at| !text.is_empty() && text[*at..].starts_with(&part));
        return Some(Ok(Val::Int(place.map_or(0, |place| place as i32 + 1))));
    }
    TEXTS.contains(&name).then(|| texts_of(name, args))
}

const TEXTS: &[&str] = &[
    "UCASE",
    "LCASE",
    "TRIM",
    "LEN",
    "SUBSTRING",
    "LPAD",
    "RPAD",
    "REPLACE",
    "SPLIT",
    "SPLIT_TO_MAP",
    "CONCAT_WS",
    "MASK",
    "MASK_KEEP_LEFT",
    "TO_BYTES",
    "FROM_BYTES",
];

fn texts_of(name: &str, args: &[Val]) -> Answer {
    let text = || string(&args[0]).ok_or(No::Null);
    let collect = |chars: Vec<char>| Val::String(chars.into_iter().collect());
    Ok(match (name, args[0].clone()) {
        ("UCASE", _) => Val::String(text()?.to_uppercase()),
        ("LCASE", _) => Val::String(text()?.to_lowercase()),
        ("TRIM", _) => Val::String(text()?.trim_matches(|ch| ch <= ' ').to_owned()),
        ("LEN", Val::Bytes(bytes)) => Val::Int(bytes.len() as i32),
        ("LEN", _) => Val::Int(text()?.encode_utf16().count() as i32),
        ("SUBSTRING", Val::Bytes(all)) => Val::Bytes(part(&all, args)?),
        ("SUBSTRING", all) => collect(part(&chars(&all)?, args)?),
        ("LPAD" | "RPAD", Val::Bytes(all)) => {
            Val::Bytes(pad(&all, args, &bytes(&args[2]).ok_or(No::Null)?, name == "LPAD")?)
        }
        ("LPAD" | "RPAD", all) => collect(pad(&chars(&all)?, args, &chars(&args[2])?, name == "LPAD")?),
        ("REPLACE", _) => {
            let (from, to) = (string(&args[1]).ok_or(No::Null)?, string(&args[2]).ok_or(No::Null)?);
            Val::String(text()?.split(&from).collect::<Vec<_>>().join(&to))
        }
        ("SPLIT", _) => {
            let delimiter = string(&args[1]).ok_or(No::Null)?;
            Val::Array(text()?.split(&delimiter).map(Val::text).collect())
        }
        ("SPLIT_TO_MAP", _) => {
            let (between, within) = (string(&args[1]).ok_or(No::Null)?, string(&args[2]).ok_or(No::Null)?);
            let mut out = Vec::new();
            for entry in text()?.split(&between) {
                let parts: Vec<&str> = entry.split(&within).collect();
                if let [key, value, ..] = parts[..] {
                    put(&mut out, key.to_owned(), Val::text(value));
                }
            }
            Val::Map(out)
        }
        ("CONCAT_WS", _) => {
            let between = text()?;
            Val::String(args[1..].iter().filter_map(string).collect::<Vec<_>>().join(&between))
        }
        ("MASK", _) => Val::String(text()?.chars().map(masked).collect()),
        ("MASK_KEEP_LEFT", _) => {
            let kept = whole(&args[1])?;
            let text = text()?;
            if kept < 0 {
                return Err(No::Fails);
            }
            let mask = |(at, ch): (usize, char)| if (at as i64) < kept { ch } else { masked(ch) };
            Val::String(text.chars().enumerate().map(mask).collect())
        }
        ("TO_BYTES", _) => Val::Bytes(text()?.into_bytes()),
        ("FROM_BYTES", Val::Bytes(bytes)) => Val::String(match string(&args[1]).as_deref() {
            Some("hex") => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
            _ => to_base64(&bytes),
        }),
        ("FROM_BYTES", _) => return Err(No::Null),
        (name, value) => panic!("{name} of {value:?}"),
    })
}

fn lists(name: &str, args: &[Val]) -> Option<Answer> {
    Some(match name {
        "ARRAY_CONTAINS" => Ok(Val::Boolean(items(&args[0]).is_ok_and(|items| has(items, &args[1])))),
        "ARRAY_CONCAT" => match (items(&args[0]), items(&args[1])) {
            (Err(no), Err(_)) => Err(no),
            (a, b) => Ok(Val::Array([a.unwrap_or_default(), b.unwrap_or_default()].concat())),
        },
        "ARRAY_JOIN" => items(&args[0]).map(|items| {
            let between = string(&args[1]).unwrap_or_default();
            Val::String(items.iter().map(text).collect::<Vec<_>>().join(&between))
        }),
        "ARRAY_REMOVE" => {
            let keep = |items: &[Val]| items.iter().filter(|item| !equal(item, &args[1])).cloned().collect();
            items(&args[0]).map(|items| Val::Array(keep(items)))
        }
        "ARRAY_SORT" => items(&args[0]).and_then(|items| {
            let direction = if args.len() > 1 { string(&args[1]).ok_or(No::Null)? } else { "ASC".into() };
            let (mut nulls, mut values): (Vec<Val>, Vec<Val>) = items.iter().cloned().partition(Val::is_null);
            values.sort_by(|a, b| order(a, b).unwrap());
            if direction == "DESC" {
                values.reverse();
            }
            values.append(&mut nulls);
            Ok(Val::Array(values))
        }),
        "SLICE" => slice(args),
        "AS_MAP" => as_map(args),
        "ARRAY_LENGTH" => items(&args[0]).map(|items| Val::Int(items.len() as i32)),
        "ARRAY_DISTINCT" => items(&args[0]).map(|items| distinct(items.iter())),
        "ARRAY_MAX" => items(&args[0]).map(|items| best(items.iter(), Ordering::Greater)),
        "ARRAY_MIN" => items(&args[0]).map(|items| best(items.iter(), Ordering::Less)),
        "ARRAY_EXCEPT" | "ARRAY_INTERSECT" | "ARRAY_UNION" => match (items(&args[0]), items(&args[1])) {
            (Ok(a), Ok(b)) => Ok(match name {
                "ARRAY_EXCEPT" => distinct(a.iter().filter(|item| !has(b, item))),
                "ARRAY_INTERSECT" => distinct(a.iter().filter(|item| has(b, item))),
                _ => distinct(a.iter().chain(b)),
            }),
            _ => Err(No::Null),
        },
        _ => return None,
    })
}

/// Both ends included, counted from 1; NULL is an open end; out of range is NULL.
fn slice(args: &[Val]) -> Answer {
    let items = items(&args[0])?;
    let first = whole(&args[1]).unwrap_or(1);
    let last = whole(&args[2]).unwrap_or(items.len() as i64);
    if first < 1 || last < first - 1 || last > items.len() as i64 {
        return Err(No::Null);
    }
    Ok(Val::Array(items[first as usize - 1..last as usize].to_vec()))
}

fn as_map(args: &[Val]) -> Answer {
    let (keys, values) = (items(&args[0])?, items(&args[1])?);
    let mut out = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        let Val::String(key) = key else { return Err(No::Fails) };
        put(&mut out, key.clone(), values.get(place).cloned().unwrap_or(Val::Null));
    }
    Ok(Val::Map(out))
}

fn maps(name: &str, args: &[Val]) -> Option<Answer> {
    Some(match name {
        "MAP_KEYS" => entries(&args[0]).map(|map| Val::Array(map.iter().map(|(key, _)| Val::text(key)).collect())),
        "MAP_VALUES" => entries(&args[0]).map(|map| Val::Array(map.iter().map(|(_, value)| value.clone()).collect())),
        "MAP_UNION" => match (entries(&args[0]), entries(&args[1])) {
            (Err(no), Err(_)) => Err(no),
            (a, b) => {
                let mut out = a.unwrap_or_default().to_vec();
                for (key, value) in b.unwrap_or_default() {
                    put(&mut out, key.clone(), value.clone());
                }
                Ok(Val::Map(out))
            }
        },
        "ENTRIES" => entries(&args[0]).map(|map| {
            let mut map = map.to_vec();
            map.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            let entry = |(key, value)| Val::Struct(vec![("K".into(), Val::String(key)), ("V".into(), value)]);
            Val::Array(map.into_iter().map(entry).collect())
        }),
        _ => return None,
    })
}

fn dates(name: &str, args: &[Val]) -> Option<Answer> {
    let shift = |sign: i64| -> Result<i64, No> {
        let unit = match string(&args[0]).unwrap().as_str() {
            "DAYS" => times::DAY,
            "HOURS" => 3_600_000,
            "MINUTES" => 60_000,
            "SECONDS" => 1000,
            _ => 1,
        };
        Ok(sign * unit * whole(&args[1])?)
    };
    Some(match name {
        "DATEADD" | "DATESUB" => shift(if name == "DATEADD" { 1 } else { -1 })
            .and_then(|shift| Ok(Val::Date((whole(&args[2])? * times::DAY + shift) / times::DAY))),
        "TIMEADD" | "TIMESUB" => shift(if name == "TIMEADD" { 1 } else { -1 })
            .and_then(|shift| Ok(Val::Time((whole(&args[2])? + shift).rem_euclid(times::DAY)))),
        "TIMESTAMPADD" | "TIMESTAMPSUB" => shift(if name == "TIMESTAMPADD" { 1 } else { -1 })
            .and_then(|shift| Ok(Val::Timestamp(whole(&args[2])? + shift))),
        "UNIX_DATE" => whole(&args[0]).map(|days| Val::Int(days as i32)),
        "UNIX_TIMESTAMP" => whole(&args[0]).map(Val::Bigint),
        "FORMAT_DATE" => whole(&args[0]).map(|days| Val::String(times::date_text(days))),
        "FORMAT_TIME" => whole(&args[0]).map(|ms| Val::String(times::time_with_millis(ms))),
        "FORMAT_TIMESTAMP" => whole(&args[0]).map(|ms| Val::String(times::timestamp_text(ms).replace('T', " "))),
        _ => return None,
    })
}

/// TRANSFORM, FILTER and REDUCE: a lambda that fails for one element fails the call.
fn higher(name: &str, args: &[Expr], row: &mut Row<'_>) -> Out {
    let collection = row.part(&args[0]);
    match (name, collection) {
        ("REDUCE", collection) => {
            let state = row.part(&args[1]);
            if state.is_null() {
                return Ok(Val::Null);
            }
            let each: Vec<Vec<Val>> = match collection {
                Val::Array(items) => items.into_iter().map(|item| vec![item]).collect(),
                Val::Map(entries) => entries.into_iter().map(|(key, value)| vec![Val::String(key), value]).collect(),
                _ => return Ok(state),
            };
            each.into_iter()
                .try_fold(state, |state, element| row.apply(&args[2], std::iter::once(state).chain(element).collect()))
        }
        (_, Val::Null) => Ok(Val::Null),
        ("TRANSFORM", Val::Array(items)) => {
            let items = items.into_iter().map(|item| row.apply(&args[1], vec![item])).collect::<Result<_, _>>()?;
            Ok(Val::Array(items))
        }
        ("TRANSFORM", Val::Map(entries)) => {
            let mut out: Vec<(String, Val)> = Vec::new();
            for (key, value) in entries {
                let new_key = row.apply(&args[1], vec![Val::text(&key), value.clone()])?;
                let new_value = row.apply(&args[2], vec![Val::String(key), value])?;
                match new_key {
                    Val::String(key) if !new_value.is_null() && out.iter().all(|(known, _)| *known != key) => {
                        out.push((key, new_value));
                    }
                    _ => return Err(row.fail()),
                }
            }
            Ok(Val::Map(out))
        }
        ("FILTER", Val::Array(items)) => {
            let mut out = Vec::new();
            for item in items {
                if let Val::Boolean(true) = row.apply(&args[1], vec![item.clone()])? {
                    out.push(item);
                }
            }
            Ok(Val::Array(out))
        }
        ("FILTER", Val::Map(entries)) => {
            let mut out = Vec::new();
            for (key, value) in entries {
                if let Val::Boolean(true) = row.apply(&args[1], vec![Val::text(&key), value.clone()])? {
                    out.push((key, value));
                }
            }
            Ok(Val::Map(out))
        }
        (name, collection) => panic!("{name} of {collection:?}"),
    }
}

impl Row<'_> {
    /// The lambda's value.
    fn apply(&mut self, lambda: &Expr, values: Vec<Val>) -> Out {
        let Node::Lambda(names, body) = &lambda.node else { panic!("no lambda: {}", lambda.text()) };
        let outer = self.params.len();
        self.params.extend(names.iter().cloned().zip(values));
        let value = self.value(body);
        self.params.truncate(outer);
        value
    }
}

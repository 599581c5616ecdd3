//! The functions of ksqlDB, written down from its reference: each with its overloads, as the types of a call and of its
//! result. What isn't here is Millpond's own.

use super::Nothing;
use crate::expr::functions::{FunctionKind, table};
use crate::expr::{Rules, Typed, check, resolve_aggregate};
use crate::sql::parse_expression;
use crate::types::SqlType;

/// `NAME(TYPES) : TYPE`; several results of one shape are `NAME : (TYPES) TYPE | (TYPES) TYPE`. Lambdas and units stand as
/// they are written.
pub(super) const SCALARS: &str = "\
ABS : (INT) INT | (BIGINT) BIGINT | (DOUBLE) DOUBLE | (DECIMAL(5,2)) DECIMAL(5,2)
ACOS : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
ASIN : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
ATAN : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
ATAN2 : (INT, INT) DOUBLE | (BIGINT, BIGINT) DOUBLE | (DOUBLE, DOUBLE) DOUBLE
SIN : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
COS : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
TAN : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
SINH : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
COSH : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
TANH : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
COT : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
DEGREES : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
RADIANS : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
CBRT : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
SQRT : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
EXP : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
LN : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
LOG : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
LOG : (INT, INT) DOUBLE | (BIGINT, BIGINT) DOUBLE | (DOUBLE, DOUBLE) DOUBLE | (INT, DOUBLE) DOUBLE
POWER : (INT, INT) DOUBLE | (BIGINT, BIGINT) DOUBLE | (DOUBLE, DOUBLE) DOUBLE | (DOUBLE, INT) DOUBLE
PI : () DOUBLE
RANDOM : () DOUBLE
CEIL : (INT) INT | (BIGINT) BIGINT | (DOUBLE) DOUBLE | (DECIMAL(5,2)) DECIMAL(5,2)
FLOOR : (INT) INT | (BIGINT) BIGINT | (DOUBLE) DOUBLE | (DECIMAL(5,2)) DECIMAL(5,2)
ROUND : (INT) BIGINT | (BIGINT) BIGINT | (DOUBLE) BIGINT | (DOUBLE, INT) DOUBLE
ROUND : (DECIMAL(5,2)) DECIMAL(3,0) | (DECIMAL(5,2), INT) DECIMAL(5,2)
TRUNC : (INT) BIGINT | (BIGINT) BIGINT | (DOUBLE) BIGINT | (DOUBLE, INT) DOUBLE
TRUNC : (DECIMAL(5,2)) DECIMAL(3,0) | (DECIMAL(5,2), INT) DECIMAL(5,2)
SIGN : (INT) INT | (BIGINT) INT | (DOUBLE) INT
GREATEST : (INT) INT | (INT, INT, INT) INT | (BIGINT, BIGINT) BIGINT | (DOUBLE, DOUBLE) DOUBLE
GREATEST : (DECIMAL(5,2), DECIMAL(6,4)) DECIMAL(7,4) | (DECIMAL(5,2), DOUBLE) DOUBLE
GREATEST : (STRING, STRING) STRING | (BYTES, BYTES) BYTES | (DATE, DATE) DATE | (TIME, TIME) TIME
GREATEST : (TIMESTAMP, TIMESTAMP, TIMESTAMP) TIMESTAMP
LEAST : (INT) INT | (INT, INT, INT) INT | (BIGINT, BIGINT) BIGINT | (DOUBLE, DOUBLE) DOUBLE
LEAST : (DECIMAL(5,2), DECIMAL(6,4)) DECIMAL(7,4) | (DECIMAL(5,2), DOUBLE) DOUBLE
LEAST : (STRING, STRING) STRING | (BYTES, BYTES) BYTES | (DATE, DATE) DATE | (TIME, TIME) TIME
LEAST : (TIMESTAMP, TIMESTAMP, TIMESTAMP) TIMESTAMP
GEO_DISTANCE : (DOUBLE, DOUBLE, DOUBLE, DOUBLE) DOUBLE | (DOUBLE, DOUBLE, DOUBLE, DOUBLE, STRING) DOUBLE
ARRAY_CONCAT : (ARRAY<INT>, ARRAY<INT>) ARRAY<INT> | (ARRAY<MAP<STRING, INT>>, ARRAY<MAP<STRING, INT>>) ARRAY<MAP<STRING, INT>>
ARRAY_CONTAINS : (ARRAY<STRING>, STRING) BOOLEAN | (ARRAY<STRUCT<A INT>>, STRUCT<A INT>) BOOLEAN
ARRAY_DISTINCT : (ARRAY<INT>) ARRAY<INT> | (ARRAY<ARRAY<INT>>) ARRAY<ARRAY<INT>>
ARRAY_EXCEPT : (ARRAY<STRING>, ARRAY<STRING>) ARRAY<STRING>
ARRAY_INTERSECT : (ARRAY<STRING>, ARRAY<STRING>) ARRAY<STRING>
ARRAY_UNION : (ARRAY<STRING>, ARRAY<STRING>) ARRAY<STRING>
ARRAY_JOIN : (ARRAY<INT>) STRING | (ARRAY<STRING>, STRING) STRING | (ARRAY<BOOLEAN>, STRING) STRING
ARRAY_JOIN : (ARRAY<DECIMAL(3,1)>, STRING) STRING | (ARRAY<BIGINT>) STRING | (ARRAY<DOUBLE>) STRING
ARRAY_LENGTH : (ARRAY<MAP<STRING, INT>>) INT | (ARRAY<INT>) INT
ARRAY_MAX : (ARRAY<INT>) INT | (ARRAY<BIGINT>) BIGINT | (ARRAY<DOUBLE>) DOUBLE | (ARRAY<STRING>) STRING
ARRAY_MAX : (ARRAY<BOOLEAN>) BOOLEAN | (ARRAY<DECIMAL(5,2)>) DECIMAL(5,2) | (ARRAY<DATE>) DATE
ARRAY_MIN : (ARRAY<INT>) INT | (ARRAY<BIGINT>) BIGINT | (ARRAY<DOUBLE>) DOUBLE | (ARRAY<STRING>) STRING
ARRAY_MIN : (ARRAY<BOOLEAN>) BOOLEAN | (ARRAY<DECIMAL(5,2)>) DECIMAL(5,2) | (ARRAY<DATE>) DATE
ARRAY_REMOVE : (ARRAY<INT>, INT) ARRAY<INT> | (ARRAY<STRING>, STRING) ARRAY<STRING>
ARRAY_SORT : (ARRAY<INT>) ARRAY<INT> | (ARRAY<STRING>, STRING) ARRAY<STRING>
AS_MAP : (ARRAY<STRING>, ARRAY<INT>) MAP<STRING, INT>
ENTRIES : (MAP<STRING, INT>, BOOLEAN) ARRAY<STRUCT<K STRING, V INT>>
ENTRIES : (MAP<STRING, BIGINT>, BOOLEAN) ARRAY<STRUCT<K STRING, V BIGINT>>
ENTRIES : (MAP<STRING, DOUBLE>, BOOLEAN) ARRAY<STRUCT<K STRING, V DOUBLE>>
ENTRIES : (MAP<STRING, BOOLEAN>, BOOLEAN) ARRAY<STRUCT<K STRING, V BOOLEAN>>
ENTRIES : (MAP<STRING, STRING>, BOOLEAN) ARRAY<STRUCT<K STRING, V STRING>>
GENERATE_SERIES : (INT, INT) ARRAY<INT> | (INT, INT, INT) ARRAY<INT>
GENERATE_SERIES : (BIGINT, BIGINT) ARRAY<BIGINT> | (BIGINT, BIGINT, INT) ARRAY<BIGINT>
MAP_KEYS : (MAP<STRING, DOUBLE>) ARRAY<STRING>
MAP_VALUES : (MAP<STRING, DOUBLE>) ARRAY<DOUBLE>
MAP_UNION : (MAP<STRING, INT>, MAP<STRING, INT>) MAP<STRING, INT>
SLICE : (ARRAY<DOUBLE>, INT, INT) ARRAY<DOUBLE>
ELT : (INT, STRING) STRING | (INT, STRING, STRING, STRING) STRING
FIELD : (STRING, STRING) INT | (STRING, STRING, STRING, STRING) INT
FILTER : (ARRAY<INT>, x => x > 1) ARRAY<INT> | (MAP<STRING, INT>, (k, v) => v > 1) MAP<STRING, INT>
TRANSFORM : (ARRAY<INT>, x => x * 1e0) ARRAY<DOUBLE>
TRANSFORM : (MAP<STRING, INT>, (k, v) => UCASE(k), (k, v) => v > 1) MAP<STRING, BOOLEAN>
REDUCE : (ARRAY<INT>, DOUBLE, (s, x) => s + x) DOUBLE | (MAP<STRING, INT>, BIGINT, (s, k, v) => s + v) BIGINT
COALESCE : (INT, INT) INT | (STRING, STRING, STRING) STRING | (ARRAY<INT>, ARRAY<INT>) ARRAY<INT>
IFNULL : (INT, INT) INT | (STRING, STRING) STRING
NULLIF : (INT, INT) INT | (STRING, STRING) STRING
AS_VALUE : (INT) INT | (STRUCT<A INT>) STRUCT<A INT>
CHR : (INT) STRING | (STRING) STRING
CONCAT : (STRING) STRING | (STRING, STRING, STRING) STRING | (BYTES, BYTES) BYTES
CONCAT_WS : (STRING, STRING, STRING) STRING | (STRING, STRING) STRING | (BYTES, BYTES, BYTES) BYTES
ENCODE : (STRING, STRING, STRING) STRING
INITCAP : (STRING) STRING
INSTR : (STRING, STRING) INT | (STRING, STRING, INT) INT | (STRING, STRING, INT, INT) INT
LCASE : (STRING) STRING
UCASE : (STRING) STRING
TRIM : (STRING) STRING
LEN : (STRING) INT | (BYTES) INT
LPAD : (STRING, INT, STRING) STRING | (BYTES, INT, BYTES) BYTES
RPAD : (STRING, INT, STRING) STRING | (BYTES, INT, BYTES) BYTES
MASK : (STRING) STRING | (STRING, STRING, STRING, STRING, STRING) STRING
MASK_LEFT : (STRING, INT) STRING | (STRING, INT, STRING, STRING, STRING, STRING) STRING
MASK_RIGHT : (STRING, INT) STRING | (STRING, INT, STRING, STRING, STRING, STRING) STRING
MASK_KEEP_LEFT : (STRING, INT) STRING | (STRING, INT, STRING, STRING, STRING, STRING) STRING
MASK_KEEP_RIGHT : (STRING, INT) STRING | (STRING, INT, STRING, STRING, STRING, STRING) STRING
MD5 : (STRING) STRING
REPLACE : (STRING, STRING, STRING) STRING
REGEXP_EXTRACT : (STRING, STRING) STRING | (STRING, STRING, INT) STRING
REGEXP_EXTRACT_ALL : (STRING, STRING) ARRAY<STRING> | (STRING, STRING, INT) ARRAY<STRING>
REGEXP_REPLACE : (STRING, STRING, STRING) STRING
REGEXP_SPLIT_TO_ARRAY : (STRING, STRING) ARRAY<STRING>
SPLIT : (STRING, STRING) ARRAY<STRING> | (BYTES, BYTES) ARRAY<BYTES>
SPLIT_TO_MAP : (STRING, STRING, STRING) MAP<STRING, STRING>
SUBSTRING : (STRING, INT) STRING | (STRING, INT, INT) STRING | (BYTES, INT) BYTES | (BYTES, INT, INT) BYTES
UUID : () STRING | (BYTES) STRING
EXTRACTJSONFIELD : (STRING, STRING) STRING
IS_JSON_STRING : (STRING) BOOLEAN
JSON_ARRAY_CONTAINS : (STRING, INT) BOOLEAN | (STRING, BIGINT) BOOLEAN | (STRING, DOUBLE) BOOLEAN
JSON_ARRAY_CONTAINS : (STRING, STRING) BOOLEAN | (STRING, BOOLEAN) BOOLEAN
JSON_ARRAY_LENGTH : (STRING) INT
JSON_CONCAT : (STRING) STRING | (STRING, STRING, STRING) STRING
JSON_ITEMS : (STRING) ARRAY<STRING>
JSON_KEYS : (STRING) ARRAY<STRING>
JSON_RECORDS : (STRING) MAP<STRING, STRING>
TO_JSON_STRING : (INT) STRING | (ARRAY<STRUCT<A TIMESTAMP>>) STRING | (MAP<STRING, BYTES>) STRING | (DECIMAL(5,2)) STRING
TO_BYTES : (STRING, STRING) BYTES
FROM_BYTES : (BYTES, STRING) STRING
INT_FROM_BYTES : (BYTES) INT | (BYTES, STRING) INT
BIGINT_FROM_BYTES : (BYTES) BIGINT | (BYTES, STRING) BIGINT
DOUBLE_FROM_BYTES : (BYTES) DOUBLE | (BYTES, STRING) DOUBLE
URL_ENCODE_PARAM : (STRING) STRING
URL_DECODE_PARAM : (STRING) STRING
URL_EXTRACT_FRAGMENT : (STRING) STRING
URL_EXTRACT_HOST : (STRING) STRING
URL_EXTRACT_PATH : (STRING) STRING
URL_EXTRACT_PROTOCOL : (STRING) STRING
URL_EXTRACT_QUERY : (STRING) STRING
URL_EXTRACT_PORT : (STRING) INT
URL_EXTRACT_PARAMETER : (STRING, STRING) STRING
UNIX_TIMESTAMP : () BIGINT | (TIMESTAMP) BIGINT
UNIX_DATE : () INT | (DATE) INT
FROM_UNIXTIME : (BIGINT) TIMESTAMP
FROM_DAYS : (INT) DATE
FORMAT_TIMESTAMP : (TIMESTAMP, STRING) STRING | (TIMESTAMP, STRING, STRING) STRING
PARSE_TIMESTAMP : (STRING, STRING) TIMESTAMP | (STRING, STRING, STRING) TIMESTAMP
FORMAT_DATE : (DATE, STRING) STRING
FORMAT_TIME : (TIME, STRING) STRING
PARSE_DATE : (STRING, STRING) DATE
PARSE_TIME : (STRING, STRING) TIME
CONVERT_TZ : (TIMESTAMP, STRING, STRING) TIMESTAMP
TIMESTAMPADD : (DAYS, INT, TIMESTAMP) TIMESTAMP | (MILLISECOND, INT, TIMESTAMP) TIMESTAMP
TIMESTAMPSUB : (HOURS, INT, TIMESTAMP) TIMESTAMP
DATEADD : (DAYS, INT, DATE) DATE
DATESUB : (HOUR, INT, DATE) DATE
TIMEADD : (MINUTES, INT, TIME) TIME
TIMESUB : (SECONDS, INT, TIME) TIME
DATETOSTRING : (INT, STRING) STRING
STRINGTODATE : (STRING, STRING) INT
TIMESTAMPTOSTRING : (BIGINT, STRING) STRING | (BIGINT, STRING, STRING) STRING
STRINGTOTIMESTAMP : (STRING, STRING) BIGINT | (STRING, STRING, STRING) BIGINT";

/// Arguments that are cast on the way.
const CASTS: &str = "\
ACOS : (DECIMAL(4,2)) DOUBLE
ATAN2 : (INT, DOUBLE) DOUBLE
SQRT : (DECIMAL(4,2)) DOUBLE
POWER : (INT, DECIMAL(4,2)) DOUBLE
GEO_DISTANCE : (INT, BIGINT, DECIMAL(4,2), DOUBLE) DOUBLE
FORMAT_TIMESTAMP : (STRING, STRING) STRING
FORMAT_DATE : (STRING, STRING) STRING
FORMAT_TIME : (STRING, STRING) STRING
DATEADD : (DAYS, INT, STRING) DATE
UNIX_TIMESTAMP : (STRING) BIGINT
UNIX_DATE : (STRING) INT
FROM_UNIXTIME : (INT) TIMESTAMP
TIMESTAMPTOSTRING : (INT, STRING) STRING
FROM_BYTES : (STRING, STRING) STRING
GENERATE_SERIES : (INT, BIGINT) ARRAY<BIGINT> | (INT, BIGINT, INT) ARRAY<BIGINT>
COALESCE : (BIGINT, INT) BIGINT";

/// Calls that ksqlDB refuses, too.
const REFUSED: &str = "\
ABS(STRING) | ABS() | ABS(INT, INT) | SQRT(STRING) | SIGN(BOOLEAN) | GREATEST() | GREATEST(INT, STRING)
GREATEST(INT, BIGINT) | LEAST(INT, DECIMAL(5,2)) | COALESCE(INT, BIGINT) | COALESCE(INT, STRING) | NULLIF(INT, STRING)
LEN(INT) | UCASE(INT) | SUBSTRING(STRING) | SUBSTRING(STRING, STRING) | CONCAT() | CONCAT(STRING, INT)
MASK(STRING, STRING) | ELT(STRING, STRING) | SPLIT(STRING) | ARRAY_LENGTH(MAP<STRING, INT>) | ARRAY_CONTAINS(ARRAY<INT>, STRING)
ARRAY_UNION(ARRAY<INT>, ARRAY<STRING>) | MAP_UNION(MAP<STRING, INT>, MAP<STRING, STRING>) | ENTRIES(MAP<STRING, INT>)
GENERATE_SERIES(DOUBLE, DOUBLE) | FROM_DAYS(BIGINT) | UNIX_DATE(TIMESTAMP)
PARSE_DATE(STRING) | FORMAT_DATE(TIMESTAMP, STRING) | TIMESTAMPADD(MONTHS, INT, TIMESTAMP) | IFNULL(INT, STRING)
FILTER(ARRAY<INT>, (k, v) => v > 1) | REDUCE(ARRAY<INT>, x => x) | JSON_CONCAT(INT) | URL_EXTRACT_PARAMETER(STRING)";

/// Constants at the end stand as literals.
const AGGREGATES: &str = "\
COUNT : (INT) BIGINT | (ARRAY<INT>) BIGINT | (STRUCT<A INT>) BIGINT | (BYTES) BIGINT
SUM : (INT) INT | (BIGINT) BIGINT | (DOUBLE) DOUBLE | (DECIMAL(5,2)) DECIMAL(5,2)
SUM_LIST : (ARRAY<INT>) INT | (ARRAY<BIGINT>) BIGINT | (ARRAY<DOUBLE>) DOUBLE
AVG : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
MIN : (INT) INT | (BIGINT) BIGINT | (DOUBLE) DOUBLE | (DECIMAL(5,2)) DECIMAL(5,2) | (STRING) STRING | (BYTES) BYTES
MIN : (DATE) DATE | (TIME) TIME | (TIMESTAMP) TIMESTAMP
MAX : (INT) INT | (BIGINT) BIGINT | (DOUBLE) DOUBLE | (DECIMAL(5,2)) DECIMAL(5,2) | (STRING) STRING | (BYTES) BYTES
MAX : (DATE) DATE | (TIME) TIME | (TIMESTAMP) TIMESTAMP
COLLECT_LIST : (INT) ARRAY<INT> | (STRUCT<A INT>) ARRAY<STRUCT<A INT>> | (TIMESTAMP) ARRAY<TIMESTAMP>
COLLECT_SET : (INT) ARRAY<INT> | (MAP<STRING, INT>) ARRAY<MAP<STRING, INT>> | (DECIMAL(5,2)) ARRAY<DECIMAL(5,2)>
COUNT_DISTINCT : (INT) BIGINT | (ARRAY<INT>) BIGINT | (STRING) BIGINT
EARLIEST_BY_OFFSET : (INT) INT | (INT, false) INT | (STRING, 3) ARRAY<STRING> | (STRING, 3, false) ARRAY<STRING>
LATEST_BY_OFFSET : (STRUCT<A INT>) STRUCT<A INT> | (INT, false) INT | (STRING, 3) ARRAY<STRING> | (DATE, 3, true) ARRAY<DATE>
TOPK : (INT, 3) ARRAY<INT> | (BIGINT, 3) ARRAY<BIGINT> | (DOUBLE, 3) ARRAY<DOUBLE> | (STRING, 3) ARRAY<STRING>
TOPK : (INT, STRING, BOOLEAN, 3) ARRAY<STRUCT<`sort_col` INT, `col0` STRING, `col1` BOOLEAN>>
TOPKDISTINCT : (INT, 3) ARRAY<INT> | (STRING, 3) ARRAY<STRING> | (DECIMAL(5,2), 3) ARRAY<DECIMAL(5,2)> | (BYTES, 2) ARRAY<BYTES>
TOPKDISTINCT : (DATE, 3) ARRAY<DATE> | (TIME, 3) ARRAY<TIME> | (TIMESTAMP, 3) ARRAY<TIMESTAMP>
HISTOGRAM : (STRING) MAP<STRING, BIGINT>
ATTR : (INT) INT | (ARRAY<STRING>) ARRAY<STRING>
STDDEV_SAMP : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
STDDEV_SAMPLE : (INT) DOUBLE | (BIGINT) DOUBLE | (DOUBLE) DOUBLE
CORRELATION : (INT, INT) DOUBLE | (BIGINT, BIGINT) DOUBLE | (DOUBLE, DOUBLE) DOUBLE";

/// Aggregates cast nothing.
const AGGREGATES_REFUSED: &str = "\
SUM(STRING) | SUM(INT, INT) | AVG(DECIMAL(5,2)) | AVG(STRING) | MIN(BOOLEAN) | MAX(ARRAY<INT>) | SUM_LIST(ARRAY<STRING>)
HISTOGRAM(INT) | CORRELATION(INT, DOUBLE) | TOPK(DATE, 3) | TOPK(INT) | LATEST_BY_OFFSET(INT, 1, 1) | STDDEV_SAMP(STRING)";

const TABLE_FUNCTIONS: &str = "\
EXPLODE : (ARRAY<INT>) INT | (ARRAY<STRUCT<A INT>>) STRUCT<A INT> | (ARRAY<MAP<STRING, INT>>) MAP<STRING, INT>
CUBE_EXPLODE : (ARRAY<INT>) ARRAY<INT> | (ARRAY<STRING>) ARRAY<STRING>";

/// One call: the function, its arguments as written, the type of its result as written.
pub(super) struct Call {
    pub name: String,
    pub args: Vec<String>,
    returns: String,
}

/// The parts of `text` between `at`s that stand in no bracket.
pub(super) fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut depth, mut last) = (vec![String::new()], 0, ' ');
    for c in text.chars() {
        match c {
            '(' | '<' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            // Not that of `=>` or `v > 1`.
            '>' if last != '=' && last != ' ' => depth -= 1,
            _ => {}
        }
        last = c;
        if c == at && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn call(name: &str, text: &str) -> Call {
    let mut depth = 0;
    let close = text.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    let (args, returns) = text.split_at(close.unwrap());
    Call { name: name.to_owned(), args: split(&args[1..], ','), returns: returns[1..].trim().to_owned() }
}

pub(super) fn listed(text: &str) -> Vec<Call> {
    let calls = |line: &str| {
        let (name, calls) = line.split_once(" : ").unwrap();
        split(calls, '|').into_iter().map(|text| call(name, &text)).collect::<Vec<_>>()
    };
    text.lines().flat_map(calls).collect()
}

fn refused(text: &str) -> Vec<Call> {
    let call = |text: String| {
        let (name, _) = text.split_once('(').unwrap();
        call(name, &text[name.len()..])
    };
    text.lines().flat_map(|line| split(line, '|')).map(call).collect()
}

fn sql_type(text: &str) -> SqlType {
    let typed = check(&parse_expression(&format!("CAST(NULL AS {text})")).unwrap(), &Nothing).unwrap();
    typed.ty().unwrap().clone()
}

/// The argument as SQL: what isn't a type stands as it is.
pub(super) fn argument(text: &str) -> String {
    let literal =
        text.contains("=>") || text.starts_with(|c: char| c.is_ascii_digit()) || matches!(text, "true" | "false");
    let unit = ["DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MONTH"];
    match literal || unit.contains(&text.strip_suffix('S').unwrap_or(text)) {
        true => text.to_owned(),
        false => format!("CAST(NULL AS {text})"),
    }
}

impl Call {
    fn arguments(&self) -> Vec<String> {
        self.args.iter().map(|arg| argument(arg)).collect()
    }

    /// The type that a scalar's call has.
    fn scalar(&self) -> crate::error::Result<SqlType> {
        let text = format!("{}({})", self.name, self.arguments().join(", "));
        check(&parse_expression(&text)?, &Nothing).map(|typed| typed.ty().cloned().unwrap())
    }

    fn typed(&self) -> crate::error::Result<Vec<Typed>> {
        self.arguments().iter().map(|arg| check(&parse_expression(arg)?, &Nothing)).collect()
    }

    fn aggregate(&self) -> crate::error::Result<SqlType> {
        Ok(resolve_aggregate(&self.name, &self.typed()?, Rules::default())?.returns)
    }

    fn table_function(&self) -> crate::error::Result<SqlType> {
        Ok(crate::expr::compile_table_function(&self.name, self.typed()?)?.returns().clone())
    }

    pub fn text(&self) -> String {
        format!("{}({})", self.name, self.args.join(", "))
    }
}

/// All calls have the types that are written beside them.
fn expect(calls: &[Call], ty: impl Fn(&Call) -> crate::error::Result<SqlType>) {
    let wrong = calls.iter().filter_map(|call| match ty(call) {
        Ok(ty) if ty == sql_type(&call.returns) => None,
        Ok(ty) => Some(format!("{} is {ty}, not {}", call.text(), call.returns)),
        Err(error) => Some(format!("{}: {error}", call.text())),
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn expect_refused(calls: &[Call], ty: impl Fn(&Call) -> crate::error::Result<SqlType>) {
    let taken: Vec<String> = calls.iter().filter(|call| ty(call).is_ok()).map(Call::text).collect();
    assert!(taken.is_empty(), "{}", taken.join("\n"));
}

fn names(calls: &[Call]) -> Vec<String> {
    let mut names: Vec<String> = calls.iter().map(|call| call.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn of_kind(kind: FunctionKind) -> Vec<String> {
    table().iter().filter(|function| function.kind == kind).map(|function| function.name.to_owned()).collect()
}

#[test]
fn all_scalar_functions_are_there_with_their_overloads() {
    let calls = listed(SCALARS);
    assert_eq!(names(&calls).len(), 129);
    assert_eq!(of_kind(FunctionKind::Scalar), names(&calls));
    expect(&calls, Call::scalar);
    expect(&listed(CASTS), Call::scalar);
    expect_refused(&refused(REFUSED), Call::scalar);
}

#[test]
fn all_aggregates_are_there_with_their_overloads() {
    let calls = listed(AGGREGATES);
    assert_eq!(names(&calls).len(), 18);
    assert_eq!(of_kind(FunctionKind::Aggregate), names(&calls));
    expect(&calls, Call::aggregate);
    expect_refused(&refused(AGGREGATES_REFUSED), Call::aggregate);
}

#[test]
fn all_table_functions_are_there_with_their_overloads() {
    let calls = listed(TABLE_FUNCTIONS);
    assert_eq!(of_kind(FunctionKind::Table), names(&calls));
    expect(&calls, Call::table_function);
}

#[test]
fn every_overload_is_called_by_the_inventory() {
    let mut unused = Vec::new();
    for function in table().iter() {
        let lists = [SCALARS, AGGREGATES, TABLE_FUNCTIONS].map(listed);
        let calls: Vec<&Call> = lists.iter().flatten().filter(|call| call.name == function.name).collect();
        for overload in &function.overloads {
            let used = calls.iter().any(|call| {
                let counts = overload.variadic.is_some() || overload.params.len() == call.args.len();
                counts && call.args.len() + 1 >= overload.params.len()
            });
            if !used {
                unused.push(overload.signature(function.name));
            }
        }
    }
    assert!(unused.is_empty(), "{}", unused.join("\n"));
}

//! Columns against a plain evaluation of one row after another, over random expressions and rows with NULLs.

use proptest::prelude::*;

use super::Table;
use crate::types::Value;

/// An expression of INTs and BOOLEANs.
#[derive(Debug, Clone)]
enum Expr {
    Int(i32),
    Column(&'static str),
    Arithmetic(char, Box<Expr>, Box<Expr>),
    IfNull(Box<Expr>, Box<Expr>),
    Case(Box<Test>, Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone)]
enum Test {
    Column,
    Compare(&'static str, Box<Expr>, Box<Expr>),
    IsNull(Box<Expr>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
}

/// The row fails: its whole value is NULL, unless a function takes it as an argument.
struct Failed;

#[derive(Debug, Clone)]
struct Row {
    a: Option<i32>,
    b: Option<i32>,
    t: Option<bool>,
}

impl Expr {
    fn text(&self) -> String {
        match self {
            Expr::Int(value) => format!("({value})"),
            Expr::Column(name) => (*name).into(),
            Expr::Arithmetic(op, left, right) => format!("({} {op} {})", left.text(), right.text()),
            Expr::IfNull(value, other) => format!("IFNULL({}, {})", value.text(), other.text()),
            Expr::Case(test, yes, no) => {
                format!("(CASE WHEN {} THEN {} ELSE {} END)", test.text(), yes.text(), no.text())
            }
        }
    }

    /// `errors` counts what is reported.
    fn value(&self, row: &Row, errors: &mut usize) -> Result<Option<i32>, Failed> {
        match self {
            Expr::Int(value) => Ok(Some(*value)),
            Expr::Column("A") => Ok(row.a),
            Expr::Column(_) => Ok(row.b),
            Expr::Arithmetic(op, left, right) => {
                // Both sides are worked out, whatever happens to one of them.
                let (left, right) = (left.value(row, errors), right.value(row, errors));
                let (Some(x), Some(y)) = (left?, right?) else {
                    *errors += 1;
                    return Err(Failed);
                };
                match op {
                    '+' => Ok(Some(x.wrapping_add(y))),
                    '-' => Ok(Some(x.wrapping_sub(y))),
                    '*' => Ok(Some(x.wrapping_mul(y))),
                    _ if y == 0 => {
                        *errors += 1;
                        Err(Failed)
                    }
                    '/' => Ok(Some(x.wrapping_div(y))),
                    _ => Ok(Some(x.wrapping_rem(y))),
                }
            }
            Expr::IfNull(value, other) => {
                let value = value.value(row, errors).unwrap_or(None);
                let other = other.value(row, errors).unwrap_or(None);
                Ok(value.or(other))
            }
            Expr::Case(test, yes, no) => {
                if test.holds(row, errors)? {
                    yes.value(row, errors)
                } else {
                    no.value(row, errors)
                }
            }
        }
    }
}

impl Test {
    fn text(&self) -> String {
        match self {
            Test::Column => "T".into(),
            Test::Compare(op, left, right) => format!("({} {op} {})", left.text(), right.text()),
            Test::IsNull(value) => format!("({} IS NULL)", value.text()),
            Test::And(left, right) => format!("({} AND {})", left.text(), right.text()),
            Test::Or(left, right) => format!("({} OR {})", left.text(), right.text()),
            Test::Not(test) => format!("(NOT {})", test.text()),
        }
    }

    fn value(&self, row: &Row, errors: &mut usize) -> Result<Option<bool>, Failed> {
        match self {
            Test::Column => Ok(row.t),
            Test::Compare(op, left, right) => {
                let (left, right) = (left.value(row, errors), right.value(row, errors));
                let (left, right) = (left?, right?);
                Ok(Some(match (*op, left, right) {
                    ("IS DISTINCT FROM", ..) => left != right,
                    ("=", Some(x), Some(y)) => x == y,
                    ("<>", Some(x), Some(y)) => x != y,
                    ("<", Some(x), Some(y)) => x < y,
                    (">=", Some(x), Some(y)) => x >= y,
                    _ => false,
                }))
            }
            Test::IsNull(value) => Ok(Some(value.value(row, errors)?.is_none())),
            Test::And(left, right) => Ok(Some(left.holds(row, errors)? && right.holds(row, errors)?)),
            Test::Or(left, right) => Ok(Some(left.holds(row, errors)? || right.holds(row, errors)?)),
            Test::Not(test) => Ok(Some(!test.holds(row, errors)?)),
        }
    }

    /// As an operand of logic: NULL fails.
    fn holds(&self, row: &Row, errors: &mut usize) -> Result<bool, Failed> {
        self.value(row, errors)?.ok_or_else(|| {
            *errors += 1;
            Failed
        })
    }
}

fn leaf() -> impl Strategy<Value = Expr> {
    prop_oneof![(-3i32..4).prop_map(Expr::Int), Just(Expr::Column("A")), Just(Expr::Column("B"))]
}

fn expression(depth: u32) -> BoxedStrategy<Expr> {
    if depth == 0 {
        return leaf().boxed();
    }
    let inner = || expression(depth - 1).prop_map(Box::new);
    prop_oneof![
        2 => leaf(),
        4 => (prop::sample::select(vec!['+', '-', '*', '/', '%']), inner(), inner())
            .prop_map(|(op, left, right)| Expr::Arithmetic(op, left, right)),
        1 => (inner(), inner()).prop_map(|(value, other)| Expr::IfNull(value, other)),
        2 => (condition(depth - 1), inner(), inner()).prop_map(|(test, yes, no)| Expr::Case(Box::new(test), yes, no)),
    ]
    .boxed()
}

fn condition(depth: u32) -> BoxedStrategy<Test> {
    let ops = prop::sample::select(vec!["=", "<>", "<", ">=", "IS DISTINCT FROM"]);
    let compare = (ops, expression(depth).prop_map(Box::new), expression(depth).prop_map(Box::new))
        .prop_map(|(op, left, right)| Test::Compare(op, left, right));
    if depth == 0 {
        return prop_oneof![Just(Test::Column), compare].boxed();
    }
    let inner = || condition(depth - 1).prop_map(Box::new);
    prop_oneof![
        1 => Just(Test::Column),
        3 => compare,
        1 => expression(depth).prop_map(|value| Test::IsNull(Box::new(value))),
        2 => (inner(), inner()).prop_map(|(left, right)| Test::And(left, right)),
        2 => (inner(), inner()).prop_map(|(left, right)| Test::Or(left, right)),
        1 => inner().prop_map(Test::Not),
    ]
    .boxed()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let number = || prop_oneof![1 => Just(None), 5 => (-3i32..4).prop_map(Some), 1 => any::<i32>().prop_map(Some)];
    let row = (number(), number(), any::<Option<bool>>()).prop_map(|(a, b, t)| Row { a, b, t });
    prop::collection::vec(row, 0..12)
}

fn table(rows: &[Row]) -> Table {
    let number = |value: Option<i32>| value.map_or(Value::Null, Value::Int);
    Table::default()
        .with("A", "INT", rows.iter().map(|row| number(row.a)).collect())
        .with("B", "INT", rows.iter().map(|row| number(row.b)).collect())
        .with("T", "BOOLEAN", rows.iter().map(|row| row.t.map_or(Value::Null, Value::Boolean)).collect())
}

/// The rows that report something.
fn expected<T>(
    rows: &[Row],
    value: impl Fn(&Row, &mut usize) -> Result<Option<T>, Failed>,
) -> (Vec<Option<T>>, Vec<usize>) {
    let mut failed = Vec::new();
    let mut values = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let mut errors = 0;
        values.push(value(row, &mut errors).unwrap_or(None));
        if errors > 0 {
            failed.push(i);
        }
    }
    (values, failed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn numbers_equal_the_plain_evaluation(expression in expression(4), rows in rows()) {
        let (values, failed) = expected(&rows, |row, errors| expression.value(row, errors));
        let (got, got_failed) = table(&rows).run(&expression.text());
        let values: Vec<Value> = values.into_iter().map(|value| value.map_or(Value::Null, Value::Int)).collect();
        prop_assert_eq!(got, values, "{}", expression.text());
        prop_assert_eq!(got_failed, failed, "{}", expression.text());
    }

    #[test]
    fn truths_equal_the_plain_evaluation(test in condition(4), rows in rows()) {
        let (values, failed) = expected(&rows, |row, errors| test.value(row, errors));
        let (got, got_failed) = table(&rows).run(&test.text());
        let values: Vec<Value> = values.into_iter().map(|value| value.map_or(Value::Null, Value::Boolean)).collect();
        prop_assert_eq!(got, values, "{}", test.text());
        prop_assert_eq!(got_failed, failed, "{}", test.text());
    }
}

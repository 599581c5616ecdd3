//! One expression over one row, node by node, as the language's rules say it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::cast::{cast, widen};
use super::functions;
use super::number::Decimal;
use super::tree::{Arithmetic, Comparison, Expr, Node};
use super::value::{Ty, Val};

/// The value is NULL up to the next call, cast or constructor around it, which takes an ordinary NULL.
#[derive(Debug)]
pub(super) struct Failed;

pub(super) type Out = Result<Val, Failed>;

/// One row, and whether the processing log gets an entry for it.
pub(super) struct Row<'a> {
    pub columns: &'a BTreeMap<&'static str, Val>,
    pub params: Vec<(String, Val)>,
    pub reported: bool,
}

impl Row<'_> {
    pub fn fail(&mut self) -> Failed {
        self.reported = true;
        Failed
    }

    /// A part of a call, a cast or a constructor: what fails there is NULL from there on.
    pub fn part(&mut self, expr: &Expr) -> Val {
        self.value(expr).unwrap_or(Val::Null)
    }

    /// As an operand of arithmetic or logic, where NULL fails.
    fn present(&mut self, value: Val) -> Out {
        if value.is_null() { Err(self.fail()) } else { Ok(value) }
    }

    fn truth(&mut self, expr: &Expr) -> Result<bool, Failed> {
        let value = self.value(expr)?;
        match self.present(value)? {
            Val::Boolean(truth) => Ok(truth),
            other => panic!("no truth value: {other:?}"),
        }
    }

    pub fn value(&mut self, expr: &Expr) -> Out {
        Ok(match &expr.node {
            Node::Literal(value) => value.clone(),
            Node::Column(name) => self.columns[name].clone(),
            Node::Param(name) => {
                let found = self.params.iter().rev().find(|(param, _)| param == name);
                found.unwrap_or_else(|| panic!("no parameter {name}")).1.clone()
            }
            Node::Negate(value) => {
                let value = self.value(value)?;
                match self.present(value)? {
                    Val::Int(v) => Val::Int(v.wrapping_neg()),
                    Val::Bigint(v) => Val::Bigint(v.wrapping_neg()),
                    Val::Double(v) => Val::Double(-v),
                    Val::Decimal(v) => Val::Decimal(v.negated()),
                    other => panic!("no number: {other:?}"),
                }
            }
            Node::Arithmetic(op, a, b) => self.arithmetic(*op, a, b, &expr.ty)?,
            Node::Join(_, a, b) => {
                let parts = [self.part(a), self.part(b)];
                functions::concat(&parts, &expr.ty)
            }
            Node::Compare(..)
            | Node::IsNull { .. }
            | Node::Between { .. }
            | Node::In { .. }
            | Node::Like { .. }
            | Node::And(..)
            | Node::Or(..)
            | Node::Not(_) => Val::Boolean(self.predicate(expr)?),
            Node::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())?
            }
            Node::Cast(value) => {
                let from = self.part(value);
                cast(&from, &value.ty, &expr.ty).ok_or_else(|| self.fail())?
            }
            Node::Item(base, index) => {
                let (base, index) = (self.value(base), self.value(index));
                item(base?, index?)
            }
            Node::Field(base, name) => match self.value(base)? {
                Val::Struct(fields) => fields.into_iter().find(|(field, _)| field == name).unwrap().1,
                _ => Val::Null,
            },
            Node::Array(items) => {
                let Ty::Array(ty) = &expr.ty else { panic!("an ARRAY of type {}", expr.ty) };
                Val::Array(items.iter().map(|item| widen(self.part(item), &item.ty, ty)).collect())
            }
            Node::Map(entries) => self.map(entries, &expr.ty)?,
            Node::Struct(fields) => {
                Val::Struct(fields.iter().map(|(name, value)| (name.clone(), self.part(value))).collect())
            }
            Node::Call(name, args) => functions::call(name, args, &expr.ty, self)?,
            Node::Lambda(..) | Node::Unit(_) => panic!("no value: {}", expr.text()),
        })
    }

    fn predicate(&mut self, expr: &Expr) -> Result<bool, Failed> {
        Ok(match &expr.node {
            Node::Compare(op, a, b) => self.compare(*op, a, b)?,
            Node::IsNull { value, negated } => self.value(value)?.is_null() != *negated,
            Node::Between { value, low, high, negated } => {
                let above = self.compare(Comparison::GreaterEqual, value, low);
                let below = self.compare(Comparison::LessEqual, value, high);
                let (above, below) = (above?, below?);
                (above && below) != *negated
            }
            Node::In { value, list, negated } => self.is_in(value, list)? != *negated,
            Node::Like { value, pattern, escape, negated } => {
                let (value, pattern) = (self.value(value), self.value(pattern));
                let (value, pattern) = (value?, pattern?);
                match (self.present(value)?, self.present(pattern)?) {
                    (Val::String(text), Val::String(pattern)) => like(&text, &pattern, *escape) != *negated,
                    other => panic!("no texts: {other:?}"),
                }
            }
            Node::And(a, b) => self.truth(a)? && self.truth(b)?,
            Node::Or(a, b) => self.truth(a)? || self.truth(b)?,
            Node::Not(value) => !self.truth(value)?,
            _ => panic!("no predicate: {}", expr.text()),
        })
    }

    /// Nothing behind the branch that is taken is worked out.
    fn case(&mut self, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Out {
        for (when, then) in branches {
            let holds = match operand {
                Some(operand) => self.compare(Comparison::Equal, operand, when)?,
                None => self.truth(when)?,
            };
            if holds {
                return self.value(then);
            }
        }
        otherwise.map_or(Ok(Val::Null), |value| self.value(value))
    }

    fn arithmetic(&mut self, op: Arithmetic, a: &Expr, b: &Expr, ty: &Ty) -> Out {
        let (x, y) = (self.value(a), self.value(b));
        let (x, y) = (x?, y?);
        let (x, y) = (self.present(x)?, self.present(y)?);
        if let Ty::Decimal(precision, scale) = ty {
            let (x, y) = (decimal(&x), decimal(&y));
            return exact(op, &x, &y, *scale)
                .filter(|value| value.fits(*precision))
                .map(Val::Decimal)
                .ok_or_else(|| self.fail());
        }
        let (x, y) = (widen(x, &a.ty, ty), widen(y, &b.ty, ty));
        let divides = matches!(op, Arithmetic::Divide | Arithmetic::Modulo);
        Ok(match (x, y) {
            (Val::Double(x), Val::Double(y)) => Val::Double(match op {
                Arithmetic::Add => x + y,
                Arithmetic::Subtract => x - y,
                Arithmetic::Multiply => x * y,
                Arithmetic::Divide => x / y,
                Arithmetic::Modulo => x % y,
            }),
            (Val::Int(_), Val::Int(0)) | (Val::Bigint(_), Val::Bigint(0)) if divides => return Err(self.fail()),
            (Val::Int(x), Val::Int(y)) => Val::Int(wrapped(op, i128::from(x), i128::from(y)) as i32),
            (Val::Bigint(x), Val::Bigint(y)) => Val::Bigint(wrapped(op, i128::from(x), i128::from(y)) as i64),
            other => panic!("no numbers: {other:?}"),
        })
    }

    /// Both sides are worked out, whatever happens to one of them.
    fn compare(&mut self, op: Comparison, a: &Expr, b: &Expr) -> Result<bool, Failed> {
        let (x, y) = (self.value(a), self.value(b));
        let (x, y) = comparable(x?, &a.ty, y?, &b.ty).ok_or_else(|| self.fail())?;
        let both_null = x.is_null() && y.is_null();
        match op {
            Comparison::Distinct => return Ok(!both_null && (x.is_null() || y.is_null() || !equal(&x, &y))),
            Comparison::NotDistinct => return Ok(both_null || (!x.is_null() && !y.is_null() && equal(&x, &y))),
            _ if x.is_null() || y.is_null() => return Ok(false),
            Comparison::Equal => return Ok(equal(&x, &y)),
            Comparison::NotEqual => return Ok(!equal(&x, &y)),
            _ => {}
        }
        // NaN has no order.
        let Some(order) = order(&x, &y) else { return Ok(false) };
        Ok(match op {
            Comparison::Less => order == Ordering::Less,
            Comparison::LessEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            _ => order != Ordering::Less,
        })
    }

    /// NULL is in no list, and nothing is found by a NULL.
    fn is_in(&mut self, value: &Expr, list: &[Expr]) -> Result<bool, Failed> {
        let first = self.value(value);
        let others: Vec<Out> = list.iter().map(|item| self.value(item)).collect();
        let first = first?;
        let mut items = Vec::new();
        for (item, other) in list.iter().zip(others) {
            let other = other?;
            // A text among numbers is one of them.
            items.push(match (&item.node, &value.ty) {
                (Node::Literal(Val::String(text)), ty) if ty.is_numeric() => literal_number(text),
                (Node::Literal(Val::Null), ty) => (other, ty.clone()),
                _ => (other, item.ty.clone()),
            });
        }
        // Numbers are compared as the widest of them all.
        let widest =
            items.iter().fold(value.ty.clone(), |wide, (_, ty)| if ty.is_numeric() { wide.wider(ty) } else { wide });
        let first = if widest.is_numeric() { widen(first, &value.ty, &widest) } else { first };
        let mut found = false;
        for (other, ty) in items {
            if other.is_null() || first.is_null() {
                continue;
            }
            let other = if widest.is_numeric() { widen(other, &ty, &widest) } else { other };
            let ty = if widest.is_numeric() { &widest } else { &ty };
            let (a, b) = comparable(first.clone(), &widest, other, ty).ok_or_else(|| self.fail())?;
            found |= equal(&a, &b);
        }
        Ok(found)
    }

    fn map(&mut self, entries: &[(Expr, Expr)], ty: &Ty) -> Out {
        let Ty::Map(ty) = ty else { panic!("a MAP of type {ty}") };
        let keys: Vec<Val> = entries.iter().map(|(key, _)| self.part(key)).collect();
        let values: Vec<Val> = entries.iter().map(|(_, value)| widen(self.part(value), &value.ty, ty)).collect();
        let mut out = Vec::new();
        for (key, value) in keys.into_iter().zip(values) {
            match key {
                Val::String(key) => put(&mut out, key, value),
                _ => return Err(self.fail()),
            }
        }
        Ok(Val::Map(out))
    }
}

/// The last value of a key wins.
pub(super) fn put(entries: &mut Vec<(String, Val)>, key: String, value: Val) {
    match entries.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = value,
        None => entries.push((key, value)),
    }
}

fn wrapped(op: Arithmetic, x: i128, y: i128) -> i128 {
    match op {
        Arithmetic::Add => x + y,
        Arithmetic::Subtract => x - y,
        Arithmetic::Multiply => x * y,
        Arithmetic::Divide => x / y,
        Arithmetic::Modulo => x % y,
    }
}

pub(super) fn decimal(value: &Val) -> Decimal {
    match value {
        Val::Int(v) => Decimal::of(i64::from(*v)),
        Val::Bigint(v) => Decimal::of(*v),
        Val::Decimal(v) => v.clone(),
        other => panic!("no exact number: {other:?}"),
    }
}

fn exact(op: Arithmetic, x: &Decimal, y: &Decimal, scale: u32) -> Option<Decimal> {
    let divides = matches!(op, Arithmetic::Divide | Arithmetic::Modulo);
    if divides && y.is_zero() {
        return None;
    }
    let value = match op {
        Arithmetic::Add => x.add(y),
        Arithmetic::Subtract => x.add(&y.negated()),
        Arithmetic::Multiply => x.multiply(y),
        Arithmetic::Divide => x.divide(y, scale)?,
        Arithmetic::Modulo => x.remainder(y),
    };
    value.rescaled(scale, super::number::Rounding::Unnecessary)
}

/// `array[i]`, counted from 1, or from the end; `map['k']`.
fn item(base: Val, index: Val) -> Val {
    match (base, index) {
        (Val::Array(items), Val::Int(_) | Val::Bigint(_)) if items.is_empty() => Val::Null,
        (Val::Array(items), Val::Int(index)) => place(&items, i64::from(index)),
        (Val::Array(items), Val::Bigint(index)) => place(&items, index),
        (Val::Map(entries), Val::String(wanted)) => {
            entries.into_iter().find(|(key, _)| *key == wanted).map_or(Val::Null, |(_, value)| value)
        }
        _ => Val::Null,
    }
}

fn place(items: &[Val], index: i64) -> Val {
    let count = items.len() as i128;
    let index = i128::from(index);
    let place = if index < 0 { count + index } else { index - 1 };
    usize::try_from(place).ok().and_then(|place| items.get(place)).cloned().unwrap_or(Val::Null)
}

/// The number that a text among numbers stands for.
pub(super) fn literal_number(text: &str) -> (Val, Ty) {
    if let Ok(number) = text.parse() {
        return (Val::Int(number), Ty::Int);
    }
    if let Ok(number) = text.parse() {
        return (Val::Bigint(number), Ty::Bigint);
    }
    let number = Decimal::parse(text).unwrap();
    let whole = text.trim_start_matches('-').split('.').next().unwrap().trim_start_matches('0').len() as u32;
    let ty = Ty::Decimal(whole.max(1) + number.scale, number.scale);
    (Val::Decimal(number), ty)
}

/// Both sides as values that can be compared; `None` where a text isn't what stands beside it.
fn comparable(x: Val, a: &Ty, y: Val, b: &Ty) -> Option<(Val, Val)> {
    if x.is_null() || y.is_null() {
        // A text is read whether or not something stands beside it.
        return match (a, b) {
            (Ty::String, Ty::Time | Ty::Date | Ty::Timestamp | Ty::Bytes) => Some((cast(&x, a, b)?, y)),
            (Ty::Time | Ty::Date | Ty::Timestamp | Ty::Bytes, Ty::String) => Some((x, cast(&y, b, a)?)),
            _ => Some((x, y)),
        };
    }
    Some(match (a, b) {
        (a, b) if a == b => (x, y),
        (Ty::Double, b) if b.is_numeric() => (x, widen(y, b, &Ty::Double)),
        (a, Ty::Double) if a.is_numeric() => (widen(x, a, &Ty::Double), y),
        (a, b) if a.is_numeric() && b.is_numeric() => (Val::Decimal(decimal(&x)), Val::Decimal(decimal(&y))),
        (Ty::String, _) => (cast(&x, a, b)?, y),
        (_, Ty::String) => (x, cast(&y, b, a)?),
        (Ty::Date, Ty::Timestamp) => (cast(&x, a, b)?, y),
        (Ty::Timestamp, Ty::Date) => (x, cast(&y, b, a)?),
        (Ty::Array(item), Ty::Array(other)) => {
            let wide = Ty::array(item.wider(other));
            (widen(x, a, &wide), widen(y, b, &wide))
        }
        _ => panic!("{a} beside {b}"),
    })
}

/// Of values of one type, parts included; parts that are NULL equal each other.
pub(super) fn equal(x: &Val, y: &Val) -> bool {
    match (x, y) {
        (Val::Null, Val::Null) => true,
        (Val::Boolean(a), Val::Boolean(b)) => a == b,
        (Val::Array(a), Val::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Val::Struct(a), Val::Struct(b)) => a.iter().zip(b).all(|((_, a), (_, b))| equal(a, b)),
        (Val::Map(a), Val::Map(b)) => {
            let has = |key: &str, value: &Val| b.iter().any(|(other, b)| other == key && equal(value, b));
            a.len() == b.len() && a.iter().all(|(key, value)| has(key, value))
        }
        _ => order(x, y) == Some(Ordering::Equal),
    }
}

/// Of values of one type that has an order.
pub(super) fn order(x: &Val, y: &Val) -> Option<Ordering> {
    match (x, y) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
        (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
        (Val::Decimal(a), Val::Decimal(b)) => Some(a.compare(b)),
        // By UTF-16 units.
        (Val::String(a), Val::String(b)) => Some(a.encode_utf16().cmp(b.encode_utf16())),
        // By signed bytes.
        (Val::Bytes(a), Val::Bytes(b)) => {
            let signed = |bytes: &[u8]| bytes.iter().map(|byte| *byte as i8).collect::<Vec<_>>();
            Some(signed(a).cmp(&signed(b)))
        }
        (Val::Bigint(a), Val::Bigint(b))
        | (Val::Time(a), Val::Time(b))
        | (Val::Date(a), Val::Date(b))
        | (Val::Timestamp(a), Val::Timestamp(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// The whole text; `%` doesn't cross a line's end.
fn like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    fn matches(text: &[char], pattern: &[char], escape: Option<char>) -> bool {
        match pattern {
            [] => text.is_empty(),
            [first, literal, rest @ ..] if Some(*first) == escape => {
                text.first() == Some(literal) && matches(&text[1..], rest, escape)
            }
            ['%', rest @ ..] => {
                matches(text, rest, escape)
                    || (text.first().is_some_and(|ch| *ch != '\n') && matches(&text[1..], pattern, escape))
            }
            ['_', rest @ ..] => text.first().is_some_and(|ch| *ch != '\n') && matches(&text[1..], rest, escape),
            [literal, rest @ ..] => text.first() == Some(literal) && matches(&text[1..], rest, escape),
        }
    }
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    matches(&text, &pattern, escape)
}

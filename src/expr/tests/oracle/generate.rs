//! Random expressions of wanted types, and random rows for them.

use std::collections::BTreeMap;

use super::number::Decimal;
use super::tree::{Arithmetic, Comparison, Expr, Node};
use super::value::{Ty, Val};

/// Decimals grow with every operation; beyond so many digits they aren't made wider.
const PRECISION_MAX: u32 = 60;

const TEXTS: &[&str] = &[
    "",
    "a",
    "abc",
    "A b",
    "aXbc",
    "é",
    "ß-Ü",
    "12",
    " 7 ",
    "-3.50",
    "1e2",
    "99999999999",
    "x1",
    "true",
    "Yes",
    "no",
    "tr",
    "2020-02-29",
    "2021-02-30",
    "2021",
    "10:15",
    "10:15:30.5",
    "25:00",
    "2020-01-02T03:04:05.678",
    "2020-01-02T03:04+0100",
    "1999-12-31T23",
    "a,b,,c",
    "k=v,l=w,k=u,m",
    "%",
    "a%",
    "_b%",
    "AQI=",
    "x\ny",
    "it's",
];
const DATES: &[&str] = &["2020-02-29", "1970", "1999-12"];
const TIMES: &[&str] = &["10:15", "00:00:00", "23:59:59.999"];
const TIMESTAMPS: &[&str] =
    &["2020-02-29", "1999-12-31T23:59:59.999", "2020-01-02T03:04Z", "2020-01-02T03:04+0130", "1969"];
const KEYS: &[&str] = &["a", "b", "k", "é", ""];

pub(super) fn columns() -> Vec<(&'static str, Ty)> {
    let row =
        |fields: &[(&str, Ty)]| Ty::Struct(fields.iter().map(|(name, ty)| ((*name).into(), ty.clone())).collect());
    vec![
        ("T1", Ty::Boolean),
        ("T2", Ty::Boolean),
        ("I1", Ty::Int),
        ("I2", Ty::Int),
        ("L1", Ty::Bigint),
        ("D1", Ty::Double),
        ("N1", Ty::Decimal(4, 2)),
        ("N2", Ty::Decimal(12, 3)),
        ("S1", Ty::String),
        ("S2", Ty::String),
        ("B1", Ty::Bytes),
        ("X1", Ty::Time),
        ("Y1", Ty::Date),
        ("Z1", Ty::Timestamp),
        ("A_I", Ty::array(Ty::Int)),
        ("A_L", Ty::array(Ty::Bigint)),
        ("A_N", Ty::array(Ty::Decimal(4, 2))),
        ("A_S", Ty::array(Ty::String)),
        ("A_A", Ty::array(Ty::array(Ty::Int))),
        ("A_R", Ty::array(row(&[("A", Ty::Int), ("B", Ty::String)]))),
        ("M_I", Ty::map(Ty::Int)),
        ("M_S", Ty::map(Ty::String)),
        ("M_A", Ty::map(Ty::array(Ty::Int))),
        ("R1", row(&[("A", Ty::Int), ("B", Ty::String), ("C", Ty::array(Ty::Double))])),
    ]
}

/// Equal values of the type are the same: doubles have NaN and two zeros.
fn is_exact(ty: &Ty) -> bool {
    match ty {
        Ty::Double => false,
        Ty::Array(item) | Ty::Map(item) => is_exact(item),
        Ty::Struct(fields) => fields.iter().all(|(_, ty)| is_exact(ty)),
        _ => true,
    }
}

fn has_order(ty: &Ty) -> bool {
    matches!(ty, Ty::Int | Ty::Bigint | Ty::Decimal(..) | Ty::String)
}

/// Has a text in the language that doesn't depend on where it stands.
fn has_text(ty: &Ty) -> bool {
    match ty {
        Ty::Bytes | Ty::Time | Ty::Date | Ty::Timestamp => false,
        Ty::Array(item) | Ty::Map(item) => has_text(item),
        Ty::Struct(fields) => fields.iter().all(|(_, ty)| has_text(ty)),
        _ => true,
    }
}

pub(super) struct Make {
    random: fastrand::Rng,
    params: Vec<(String, Ty)>,
    lambdas: usize,
}

fn text(value: &str) -> Expr {
    Expr::new(Ty::String, Node::Literal(Val::text(value)))
}

fn int(value: i32) -> Expr {
    let literal = Expr::new(Ty::Int, Node::Literal(Val::Int(value.abs())));
    if value < 0 { Expr::new(Ty::Int, Node::Negate(literal.boxed())) } else { literal }
}

fn null(ty: &Ty) -> Expr {
    Expr::new(ty.clone(), Node::Literal(Val::Null))
}

fn cast(value: Expr, ty: &Ty) -> Expr {
    Expr::new(ty.clone(), Node::Cast(value.boxed()))
}

fn call(name: &'static str, args: Vec<Expr>, ty: &Ty) -> Expr {
    Expr::new(ty.clone(), Node::Call(name, args))
}

impl Make {
    pub fn new(seed: u64) -> Make {
        Make { random: fastrand::Rng::with_seed(seed), params: Vec::new(), lambdas: 0 }
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.random.usize(..of.len())].clone()
    }

    fn often(&mut self) -> bool {
        self.random.u8(..4) > 0
    }

    pub fn rows(&mut self) -> Vec<BTreeMap<&'static str, Val>> {
        let columns = columns();
        let count = self.random.usize(..9);
        (0..count).map(|_| columns.iter().map(|(name, ty)| (*name, self.value(ty))).collect()).collect()
    }

    fn value(&mut self, ty: &Ty) -> Val {
        if self.random.u8(..6) == 0 {
            return Val::Null;
        }
        match ty {
            Ty::Boolean => Val::Boolean(self.random.bool()),
            Ty::Int => Val::Int(if self.often() { self.random.i32(-4..5) } else { self.random.i32(..) }),
            Ty::Bigint => Val::Bigint(if self.often() { self.random.i64(-4..5) } else { self.random.i64(..) }),
            Ty::Double => Val::Double(self.double()),
            Ty::Decimal(precision, scale) => {
                let digits = self.random.u32(1..=*precision);
                let digits: String = (0..digits).map(|_| self.random.char('0'..='9')).collect();
                let sign = if self.random.bool() { "-" } else { "" };
                Val::Decimal(Decimal::unscaled(&format!("{sign}{digits}"), *scale))
            }
            Ty::String => Val::text(self.one(TEXTS)),
            Ty::Bytes => Val::Bytes((0..self.random.usize(..5)).map(|_| self.random.u8(..)).collect()),
            Ty::Time => Val::Time(self.random.i64(0..86_400) * if self.random.bool() { 1000 } else { 999 }),
            Ty::Date => Val::Date(self.random.i64(-30_000..30_000)),
            Ty::Timestamp => Val::Timestamp(self.random.i64(-2_000_000_000_000..3_000_000_000_000)),
            Ty::Array(item) => Val::Array((0..self.random.usize(..4)).map(|_| self.value(item)).collect()),
            Ty::Map(value) => {
                let mut keys = KEYS.to_vec();
                self.random.shuffle(&mut keys);
                keys.truncate(self.random.usize(..4));
                Val::Map(keys.into_iter().map(|key| (key.to_owned(), self.value(value))).collect())
            }
            Ty::Struct(fields) => Val::Struct(fields.iter().map(|(name, ty)| (name.clone(), self.value(ty))).collect()),
        }
    }

    fn double(&mut self) -> f64 {
        match self.random.u8(..10) {
            0 => self.one(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 1e300, 5e-324]),
            1 => f64::from_bits(self.random.u64(..)),
            2 => self.random.f64(),
            3 => self.random.i64(..) as f64,
            _ => f64::from(self.random.i32(-40..40)) / 8.0,
        }
    }

    fn scalar(&mut self) -> Ty {
        let scale = self.random.u32(..5);
        let decimal = Ty::Decimal(scale + self.random.u32(1..8), scale);
        let simple =
            [Ty::Boolean, Ty::Int, Ty::Bigint, Ty::Double, Ty::String, Ty::Bytes, Ty::Time, Ty::Date, Ty::Timestamp];
        if self.random.u8(..6) == 0 { decimal } else { self.one(&simple) }
    }

    pub fn ty(&mut self) -> Ty {
        let columns = columns();
        match self.random.u8(..10) {
            0 => Ty::array(self.scalar()),
            1 => Ty::map(self.scalar()),
            2 if self.random.bool() => Ty::array(Ty::Struct(vec![("K".into(), Ty::String), ("V".into(), Ty::Int)])),
            2 => Ty::Struct(vec![("F".into(), self.scalar()), ("G".into(), self.scalar())]),
            3..6 => self.one(&columns).1,
            _ => self.scalar(),
        }
    }

    fn number_ty(&mut self) -> Ty {
        loop {
            let ty = self.scalar();
            if ty.is_numeric() {
                return ty;
            }
        }
    }

    /// An expression of any numeric type.
    fn number(&mut self, depth: u32) -> Expr {
        if depth > 0 && self.random.bool() { self.arithmetic(depth - 1, None) } else { self.named_number(depth) }
    }

    fn named_number(&mut self, depth: u32) -> Expr {
        let ty = self.number_ty();
        self.of(&ty, depth)
    }

    /// Of operands of any numeric types, or of one.
    fn arithmetic(&mut self, depth: u32, ty: Option<&Ty>) -> Expr {
        use Arithmetic::{Add, Divide, Modulo, Multiply, Subtract};
        let op = self.one(&[Add, Subtract, Multiply, Divide, Modulo]);
        let (a, b) = match ty {
            Some(ty) => (self.of(ty, depth), self.of(ty, depth)),
            None => (self.number(depth), self.number(depth)),
        };
        let ty = match (a.ty.shape(), b.ty.shape()) {
            (Some((p, s)), Some((q, t))) if a.ty.wider(&b.ty) != Ty::Bigint && a.ty.wider(&b.ty) != Ty::Int => {
                let widest = s.max(t);
                let (precision, scale) = match op {
                    Add | Subtract => (widest + (p - s).max(q - t) + 1, widest),
                    Multiply => (p + q + 1, s + t),
                    Divide => {
                        let scale = (s + q + 1).max(6);
                        (p - s + t + scale, scale)
                    }
                    Modulo => ((p - s).min(q - t) + widest, widest),
                };
                if precision > PRECISION_MAX || precision == 0 {
                    return a;
                }
                Ty::Decimal(precision, scale)
            }
            _ => a.ty.wider(&b.ty),
        };
        Expr::new(ty, Node::Arithmetic(op, a.boxed(), b.boxed()))
    }

    pub fn of(&mut self, ty: &Ty, depth: u32) -> Expr {
        if depth == 0 {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.random.u8(..16) {
            0 => self.case(ty, depth),
            1 => {
                let name = self.one(&["COALESCE", "IFNULL", "NULLIF"]);
                let mut args = vec![self.of(ty, depth), self.of(ty, depth)];
                if name == "COALESCE" && self.random.bool() {
                    args.insert(1, null(ty));
                }
                if name == "NULLIF" && !is_exact(ty) {
                    return args.remove(0);
                }
                call(name, args, ty)
            }
            2 => self.part_of(ty, depth),
            3 => self.reduce(ty, depth),
            4 => self.leaf(ty),
            5 | 6 => self.cast_to(ty, depth),
            _ => self.special(ty, depth),
        }
    }

    fn leaf(&mut self, ty: &Ty) -> Expr {
        let named: Vec<Expr> = columns()
            .into_iter()
            .filter(|(_, of)| of == ty)
            .map(|(name, of)| Expr::new(of, Node::Column(name)))
            .chain(self.params.iter().filter(|(_, of)| of == ty).flat_map(|(name, of)| {
                // What is near is taken more often.
                vec![Expr::new(of.clone(), Node::Param(name.clone())); 3]
            }))
            .collect();
        if !named.is_empty() && self.often() {
            return self.one(&named);
        }
        if self.random.u8(..8) == 0 {
            return cast(null(ty), ty);
        }
        self.constant(ty)
    }

    fn constant(&mut self, ty: &Ty) -> Expr {
        let literal = |value: Val| Expr::new(ty.clone(), Node::Literal(value));
        match ty {
            Ty::Boolean => literal(Val::Boolean(self.random.bool())),
            Ty::Int => {
                let value = self.one(&[0, 1, 2, 3, -1, -2, 10, i32::MAX]);
                int(value)
            }
            Ty::Bigint if self.random.bool() => literal(Val::Bigint(self.random.i64(2_147_483_648..))),
            Ty::Bigint => cast(int(self.random.i32(-5..6)), ty),
            Ty::Double => literal(Val::Double(f64::from(self.random.i32(0..40)) / 4.0)),
            Ty::String => text(self.one(TEXTS)),
            Ty::Date => cast(text(self.one(DATES)), ty),
            Ty::Time => cast(text(self.one(TIMES)), ty),
            Ty::Timestamp => cast(text(self.one(TIMESTAMPS)), ty),
            Ty::Bytes => call("TO_BYTES", vec![text(self.one(TEXTS)), text("utf8")], ty),
            Ty::Decimal(..) => {
                let literal = self.one(&["0.5", "1.25", "-3.0", "12", "0.001", "99999.9"]);
                let decimal = Decimal::parse(literal.trim_start_matches('-')).unwrap();
                let from = super::interpret::literal_number(literal).1;
                if from == Ty::Int {
                    return cast(text(literal), ty);
                }
                let value = Expr::new(from.clone(), Node::Literal(Val::Decimal(decimal)));
                let value =
                    if literal.starts_with('-') { Expr::new(from.clone(), Node::Negate(value.boxed())) } else { value };
                if from == *ty { value } else { cast(value, ty) }
            }
            Ty::Array(_) | Ty::Map(_) if self.random.u8(..4) == 0 => {
                let empty = if matches!(ty, Ty::Array(_)) { Node::Array(Vec::new()) } else { Node::Map(Vec::new()) };
                cast(Expr::new(ty.clone(), empty), ty)
            }
            _ => self.constructed(ty, 0),
        }
    }

    /// ARRAY[..], MAP(..) or STRUCT(..)
    fn constructed(&mut self, ty: &Ty, depth: u32) -> Expr {
        let node = match ty {
            Ty::Array(item) => {
                let mut items = vec![self.of(item, depth)];
                for _ in 0..self.random.usize(..3) {
                    items.push(match self.random.u8(..6) {
                        0 => null(item),
                        1 => self.narrower(item, depth),
                        _ => self.of(item, depth),
                    });
                }
                Node::Array(items)
            }
            Ty::Map(value) => {
                let mut entries = vec![(text("a"), self.of(value, depth))];
                for _ in 0..self.random.usize(..3) {
                    let key = if self.often() { text(self.one(KEYS)) } else { self.of(&Ty::String, depth) };
                    let value = if self.random.u8(..6) == 0 { null(value) } else { self.of(value, depth) };
                    entries.push((key, value));
                }
                Node::Map(entries)
            }
            Ty::Struct(fields) => {
                Node::Struct(fields.iter().map(|(name, ty)| (name.clone(), self.of(ty, depth))).collect())
            }
            _ => return self.of(ty, depth),
        };
        Expr::new(ty.clone(), node)
    }

    /// What widens to the type among others of it.
    fn narrower(&mut self, ty: &Ty, depth: u32) -> Expr {
        match ty {
            Ty::Bigint => self.of(&Ty::Int, depth),
            Ty::Double => self.named_number(depth),
            Ty::Decimal(precision, scale) if *scale > 0 && *precision > 1 => {
                self.of(&Ty::Decimal(precision - 1, scale - 1), depth)
            }
            _ => self.of(ty, depth),
        }
    }

    fn case(&mut self, ty: &Ty, depth: u32) -> Expr {
        let operand = self.random.bool().then(|| {
            let of = self.ty();
            if is_exact(&of) { self.of(&of, depth) } else { self.number(depth) }
        });
        let mut branches = Vec::new();
        for _ in 0..self.random.usize(1..4) {
            let when = match &operand {
                Some(operand) if operand.ty.is_numeric() => self.number(depth),
                Some(operand) => self.of(&operand.ty.clone(), depth),
                None => self.of(&Ty::Boolean, depth),
            };
            let then = if !branches.is_empty() && self.random.u8(..5) == 0 { null(ty) } else { self.of(ty, depth) };
            branches.push((when, then));
        }
        let otherwise = self.often().then(|| self.of(ty, depth).boxed());
        Expr::new(ty.clone(), Node::Case { operand: operand.map(Expr::boxed), branches, otherwise })
    }

    /// An element of a list or a map, or a field.
    fn part_of(&mut self, ty: &Ty, depth: u32) -> Expr {
        let node = match self.random.u8(..3) {
            0 => {
                let index = if self.random.bool() { int(self.random.i32(-4..5)) } else { self.of(&Ty::Int, depth) };
                let index = if self.random.u8(..4) == 0 { self.of(&Ty::Bigint, depth) } else { index };
                Node::Item(self.of(&Ty::array(ty.clone()), depth).boxed(), index.boxed())
            }
            1 => {
                let key = if self.often() { text(self.one(KEYS)) } else { self.of(&Ty::String, depth) };
                Node::Item(self.of(&Ty::map(ty.clone()), depth).boxed(), key.boxed())
            }
            _ => {
                let mut of = Ty::Struct(vec![("F".into(), ty.clone()), ("G".into(), Ty::Int)]);
                let known = columns().into_iter().find_map(|(_, known)| match &known {
                    Ty::Struct(fields) if fields.iter().any(|(_, of)| of == ty) => Some(known),
                    _ => None,
                });
                if let (Some(known), true) = (known, self.often()) {
                    of = known;
                }
                let Ty::Struct(fields) = &of else { panic!("a STRUCT") };
                let name = fields.iter().find(|(_, of)| of == ty).unwrap().0.clone();
                Node::Field(self.of(&of, depth).boxed(), name)
            }
        };
        Expr::new(ty.clone(), node)
    }

    fn lambda(&mut self, params: &[Ty], returns: &Ty, depth: u32) -> Expr {
        let outer = self.params.len();
        let mut names = Vec::new();
        for ty in params {
            self.lambdas += 1;
            names.push(format!("P{}", self.lambdas));
            self.params.push((format!("P{}", self.lambdas), ty.clone()));
        }
        let body = self.of(returns, depth);
        self.params.truncate(outer);
        Expr::new(returns.clone(), Node::Lambda(names, body.boxed()))
    }

    fn reduce(&mut self, ty: &Ty, depth: u32) -> Expr {
        let element = self.scalar();
        let state = self.of(ty, depth);
        let (collection, params) = if self.random.bool() {
            (Ty::array(element.clone()), vec![ty.clone(), element])
        } else {
            (Ty::map(element.clone()), vec![ty.clone(), Ty::String, element])
        };
        let collection = self.of(&collection, depth);
        let step = self.lambda(&params, ty, depth);
        call("REDUCE", vec![collection, state, step], ty)
    }

    fn cast_to(&mut self, ty: &Ty, depth: u32) -> Expr {
        let other = self.number_ty();
        let from = match ty {
            Ty::Boolean | Ty::Bytes => Ty::String,
            Ty::Int | Ty::Bigint | Ty::Double | Ty::Decimal(..) => {
                self.one(&[Ty::String, Ty::Bigint, Ty::Double, other])
            }
            Ty::String => loop {
                let ty = self.ty();
                if has_text(&ty) || matches!(ty, Ty::Time | Ty::Date | Ty::Timestamp) {
                    break ty;
                }
            },
            Ty::Time | Ty::Date => self.one(&[Ty::String, Ty::Timestamp]),
            Ty::Timestamp => self.one(&[Ty::String, Ty::Date]),
            Ty::Array(item) if item.is_numeric() => Ty::array(self.one(&[Ty::String, Ty::Bigint, other])),
            Ty::Map(value) if value.is_numeric() => Ty::map(self.one(&[Ty::String, other])),
            Ty::Struct(fields) if fields.len() > 1 && fields.iter().all(|(name, _)| name != "H") => {
                let mut fields = fields.clone();
                fields.remove(0);
                fields.push(("H".into(), Ty::Int));
                Ty::Struct(fields)
            }
            _ => return self.special(ty, depth),
        };
        if from == *ty {
            return self.special(ty, depth);
        }
        let value = match (&from, ty) {
            // Texts that are something more often than not.
            (Ty::String, Ty::Date | Ty::Time | Ty::Timestamp | Ty::Bytes) if self.random.bool() => {
                let known: &[&str] = match ty {
                    Ty::Date => DATES,
                    Ty::Time => TIMES,
                    Ty::Timestamp => TIMESTAMPS,
                    _ => &["AQI=", "ew==", ""],
                };
                text(self.one(known))
            }
            _ => self.of(&from, depth),
        };
        cast(value, ty)
    }

    /// By what only this type has.
    fn special(&mut self, ty: &Ty, depth: u32) -> Expr {
        match ty {
            Ty::Boolean => self.truth(depth),
            Ty::Int | Ty::Bigint | Ty::Double | Ty::Decimal(..) => self.numeric(ty, depth),
            Ty::String => self.string(depth),
            Ty::Bytes => self.bytes(depth),
            Ty::Time | Ty::Date | Ty::Timestamp => self.time(ty, depth),
            Ty::Array(item) => self.list(ty, item, depth),
            Ty::Map(value) => self.dictionary(ty, value, depth),
            Ty::Struct(_) => self.constructed(ty, depth),
        }
    }

    /// Two values that can be compared, and whether they have an order.
    fn pair(&mut self, depth: u32) -> (Expr, Expr, bool) {
        let texts = |ty: &Ty| match ty {
            Ty::Date => DATES,
            Ty::Time => TIMES,
            _ => TIMESTAMPS,
        };
        match self.random.u8(..8) {
            0..3 => (self.number(depth), self.number(depth), true),
            3 => {
                let ty = self.one(&[Ty::Date, Ty::Time, Ty::Timestamp]);
                let time = self.of(&ty, depth);
                let beside = self.of(&Ty::String, depth);
                let beside = if matches!(beside.node, Node::Literal(_)) { text(self.one(texts(&ty))) } else { beside };
                if self.random.bool() { (time, beside, true) } else { (beside, time, true) }
            }
            4 => (self.of(&Ty::Date, depth), self.of(&Ty::Timestamp, depth), true),
            _ => {
                let ty = self.ty();
                if ty.is_numeric() || !is_exact(&ty) {
                    return (self.number(depth), self.number(depth), true);
                }
                let ordered = !matches!(ty, Ty::Boolean | Ty::Array(_) | Ty::Map(_) | Ty::Struct(_));
                let other = if ty == Ty::array(Ty::Int) { Ty::array(Ty::Bigint) } else { ty.clone() };
                (self.of(&ty, depth), self.of(&other, depth), ordered)
            }
        }
    }

    fn truth(&mut self, depth: u32) -> Expr {
        use Comparison::{Distinct, Equal, Greater, GreaterEqual, Less, LessEqual, NotDistinct, NotEqual};
        let negated = self.random.bool();
        let node = match self.random.u8(..12) {
            0 | 1 => Node::And(self.of(&Ty::Boolean, depth).boxed(), self.of(&Ty::Boolean, depth).boxed()),
            2 | 3 => Node::Or(self.of(&Ty::Boolean, depth).boxed(), self.of(&Ty::Boolean, depth).boxed()),
            4 => Node::Not(self.of(&Ty::Boolean, depth).boxed()),
            5 => {
                let ty = self.ty();
                Node::IsNull { value: self.of(&ty, depth).boxed(), negated }
            }
            6 => {
                let (value, low, ordered) = self.pair(depth);
                if !ordered {
                    return self.of(&Ty::Boolean, depth);
                }
                // Beside a text both bounds have the type that it is read as.
                let of = if value.ty == Ty::String { low.ty.clone() } else { value.ty.clone() };
                let high = if value.ty.is_numeric() { self.number(depth) } else { self.of(&of, depth) };
                if value.ty != low.ty && matches!(value.node, Node::Literal(Val::String(_))) {
                    return self.of(&Ty::Boolean, depth);
                }
                Node::Between { value: value.boxed(), low: low.boxed(), high: high.boxed(), negated }
            }
            7 => return self.in_list(depth),
            8 => {
                let value = self.of(&Ty::String, depth).boxed();
                let (pattern, escape) = match self.random.u8(..4) {
                    0 => (self.of(&Ty::String, depth), None),
                    1 => (text(self.one(&["a!%", "!_b%", "%!%", "a%"])), Some('!')),
                    _ => (text(self.one(&["a%", "%b%", "_", "%", "a_c", "%c", "", "abc", "%é", "x%y"])), None),
                };
                Node::Like { value, pattern: pattern.boxed(), escape, negated }
            }
            9 => {
                let ty = self.ty();
                if !is_exact(&ty) {
                    return self.of(&Ty::Boolean, depth);
                }
                let args = vec![self.of(&Ty::array(ty.clone()), depth), self.of(&ty, depth)];
                return call("ARRAY_CONTAINS", args, &Ty::Boolean);
            }
            _ => {
                let (a, b, ordered) = self.pair(depth);
                let op = match ordered {
                    true => self.one(&[Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, Distinct, NotDistinct]),
                    false => self.one(&[Equal, NotEqual, Distinct, NotDistinct]),
                };
                let null_beside = matches!(op, Distinct | NotDistinct) && self.random.u8(..5) == 0;
                let b = if null_beside { null(&a.ty) } else { b };
                Node::Compare(op, a.boxed(), b.boxed())
            }
        };
        Expr::new(Ty::Boolean, node)
    }

    fn in_list(&mut self, depth: u32) -> Expr {
        let negated = self.random.bool();
        let mut ty = self.ty();
        if !is_exact(&ty) {
            ty = Ty::Double;
        }
        let value = self.of(&ty, depth);
        let mut list = Vec::new();
        for _ in 0..self.random.usize(1..4) {
            let item = match (self.random.u8(..6), &ty) {
                (0, _) => null(&ty),
                (1, Ty::Date) => text(self.one(DATES)),
                (1, Ty::Time) => text(self.one(TIMES)),
                (1, Ty::Timestamp) => text(self.one(TIMESTAMPS)),
                (1, ty) if ty.is_numeric() => text(self.one(&["12", "-3", "1.50", "99999999999", "0"])),
                (2 | 3, ty) if ty.is_numeric() => self.number(depth),
                _ => self.of(&ty, depth),
            };
            list.push(item);
        }
        let list_ty =
            list.iter().fold(ty.clone(), |wide, item| if item.ty.is_numeric() { wide.wider(&item.ty) } else { wide });
        // Beyond that a common type can't be told from its digits.
        if let Ty::Decimal(precision, _) = list_ty
            && precision > PRECISION_MAX
        {
            list.truncate(1);
            list[0] = null(&ty);
        }
        Expr::new(Ty::Boolean, Node::In { value: value.boxed(), list, negated })
    }

    fn numeric(&mut self, ty: &Ty, depth: u32) -> Expr {
        let same = |make: &mut Make| vec![make.of(ty, depth)];
        let name = self.one(&["-", "+", "+", "+", "ABS", "FLOOR", "CEIL", "GREATEST", "LEAST", "", "", ""]);
        match name {
            "-" => return Expr::new(ty.clone(), Node::Negate(self.of(ty, depth).boxed())),
            "+" if !matches!(ty, Ty::Decimal(..)) => return self.arithmetic(depth, Some(ty)),
            "ABS" | "FLOOR" | "CEIL" => return call(name, same(self), ty),
            "GREATEST" | "LEAST" if *ty != Ty::Double => {
                let other = if matches!(ty, Ty::Decimal(..)) { self.narrower(ty, depth) } else { self.of(ty, depth) };
                let mut args = vec![self.of(ty, depth), other];
                if self.random.bool() {
                    args.push(self.of(ty, depth));
                }
                return call(name, args, ty);
            }
            _ => {}
        }
        let number = self.one(&[Ty::Int, Ty::Bigint, Ty::Double]);
        match ty {
            Ty::Int => match self.random.u8(..7) {
                0 => call("SIGN", vec![self.of(&number, depth)], ty),
                1 => call("LEN", vec![self.of(&Ty::String, depth)], ty),
                2 => call("LEN", vec![self.of(&Ty::Bytes, depth)], ty),
                3 => call("INSTR", vec![self.of(&Ty::String, depth), self.of(&Ty::String, depth)], ty),
                4 => {
                    let args = (0..self.random.usize(2..5)).map(|_| self.of(&Ty::String, depth)).collect();
                    call("FIELD", args, ty)
                }
                5 => {
                    let item = self.scalar();
                    call("ARRAY_LENGTH", vec![self.of(&Ty::array(item), depth)], ty)
                }
                _ => call("UNIX_DATE", vec![self.of(&Ty::Date, depth)], ty),
            },
            Ty::Bigint if self.random.bool() => call("UNIX_TIMESTAMP", vec![self.of(&Ty::Timestamp, depth)], ty),
            Ty::Bigint => call(self.one(&["ROUND", "TRUNC"]), vec![self.of(&number, depth)], ty),
            Ty::Double if self.random.bool() => call("SQRT", vec![self.of(&number, depth)], ty),
            Ty::Decimal(precision, 0) if *precision < 20 => {
                let from = Ty::Decimal(precision + 2, 2);
                call(self.one(&["ROUND", "TRUNC"]), vec![self.of(&from, depth)], ty)
            }
            Ty::Decimal(_, scale) => {
                let places = int(self.random.i32(0..=*scale as i32));
                call(self.one(&["ROUND", "TRUNC"]), vec![self.of(ty, depth), places], ty)
            }
            _ => self.arithmetic(depth, Some(ty)),
        }
    }

    fn string(&mut self, depth: u32) -> Expr {
        let ty = &Ty::String;
        let value = self.of(ty, depth);
        match self.random.u8(..18) {
            0 | 1 => {
                let other = self.of(ty, depth);
                Expr::new(ty.clone(), Node::Join(self.one(&["+", "||"]), value.boxed(), other.boxed()))
            }
            2 | 3 => {
                let mut args = vec![value, int(self.random.i32(-4..5))];
                if self.random.bool() {
                    args.push(int(self.random.i32(-1..4)));
                }
                call("SUBSTRING", args, ty)
            }
            4 => call("SUBSTRING", vec![value, self.of(&Ty::Int, depth)], ty),
            5 => {
                let args = vec![value, int(self.random.i32(-1..7)), text(self.one(&["", "x", "yz"]))];
                call(self.one(&["LPAD", "RPAD"]), args, ty)
            }
            6 => call("REPLACE", vec![value, text(self.one(&["a", "b", ",", "aX"])), self.of(ty, depth)], ty),
            7 => call("CONCAT", vec![value, self.of(ty, depth), self.of(ty, depth)], ty),
            8 => call("CONCAT_WS", vec![value, self.of(ty, depth), self.of(ty, depth)], ty),
            9 => call("ELT", vec![self.of(&Ty::Int, depth), value, self.of(ty, depth)], ty),
            10 => call("MASK_KEEP_LEFT", vec![value, int(self.random.i32(-1..4))], ty),
            11 => call("FROM_BYTES", vec![self.of(&Ty::Bytes, depth), text(self.one(&["hex", "base64"]))], ty),
            12 => match self.random.u8(..3) {
                0 => call("FORMAT_DATE", vec![self.of(&Ty::Date, depth), text("yyyy-MM-dd")], ty),
                1 => call("FORMAT_TIME", vec![self.of(&Ty::Time, depth), text("HH:mm:ss.SSS")], ty),
                _ => {
                    call("FORMAT_TIMESTAMP", vec![self.of(&Ty::Timestamp, depth), text("yyyy-MM-dd HH:mm:ss.SSS")], ty)
                }
            },
            13 => {
                let item = self.one(&[Ty::String, Ty::Int, Ty::Bigint, Ty::Boolean, Ty::Decimal(4, 2)]);
                call("ARRAY_JOIN", vec![self.of(&Ty::array(item), depth), value], ty)
            }
            14 => call(self.one(&["ARRAY_MAX", "ARRAY_MIN"]), vec![self.of(&Ty::array(Ty::String), depth)], ty),
            15 => call(self.one(&["GREATEST", "LEAST"]), vec![value, self.of(ty, depth)], ty),
            _ => call(self.one(&["UCASE", "LCASE", "TRIM", "MASK"]), vec![value], ty),
        }
    }

    fn bytes(&mut self, depth: u32) -> Expr {
        let ty = &Ty::Bytes;
        match self.random.u8(..4) {
            0 => call("TO_BYTES", vec![self.of(&Ty::String, depth), text("utf8")], ty),
            1 => call(
                "SUBSTRING",
                vec![self.of(ty, depth), int(self.random.i32(-3..4)), int(self.random.i32(-1..4))],
                ty,
            ),
            2 => call(
                self.one(&["LPAD", "RPAD"]),
                vec![self.of(ty, depth), int(self.random.i32(-1..7)), self.of(ty, depth)],
                ty,
            ),
            _ => call("CONCAT", vec![self.of(ty, depth), self.of(ty, depth)], ty),
        }
    }

    fn time(&mut self, ty: &Ty, depth: u32) -> Expr {
        let unit =
            Expr::new(Ty::String, Node::Unit(self.one(&["DAYS", "HOURS", "MINUTES", "SECONDS", "MILLISECONDS"])));
        let shift = if self.random.bool() { int(self.random.i32(-100..100)) } else { cast(null(&Ty::Int), &Ty::Int) };
        let names = match ty {
            Ty::Time => ["TIMEADD", "TIMESUB"],
            Ty::Date => ["DATEADD", "DATESUB"],
            _ => ["TIMESTAMPADD", "TIMESTAMPSUB"],
        };
        match (self.random.u8(..5), ty) {
            (0, Ty::Date) => {
                // Days of the years that have four digits.
                let days = self.of(&Ty::Int, depth);
                let days = Expr::new(Ty::Int, Node::Arithmetic(Arithmetic::Modulo, days.boxed(), int(50_000).boxed()));
                call("FROM_DAYS", vec![days], ty)
            }
            (0, Ty::Timestamp) => {
                let ms = self.of(&Ty::Int, depth);
                call("FROM_UNIXTIME", vec![cast(ms, &Ty::Bigint)], ty)
            }
            (1, _) => call(self.one(&["GREATEST", "LEAST"]), vec![self.of(ty, depth), self.of(ty, depth)], ty),
            _ => call(self.one(&names), vec![unit, shift, self.of(ty, depth)], ty),
        }
    }

    fn list(&mut self, ty: &Ty, item: &Ty, depth: u32) -> Expr {
        let (exact, ordered) = (is_exact(item), has_order(item));
        let same = |make: &mut Make| make.of(ty, depth);
        match self.random.u8(..14) {
            0..3 => {
                let from = self.ty();
                let list = self.of(&Ty::array(from.clone()), depth);
                call("TRANSFORM", vec![list, self.lambda(&[from], item, depth)], ty)
            }
            3 | 4 => {
                let list = same(self);
                call("FILTER", vec![list, self.lambda(std::slice::from_ref(item), &Ty::Boolean, depth)], ty)
            }
            5 => call("ARRAY_CONCAT", vec![same(self), same(self)], ty),
            6 if exact => call("ARRAY_DISTINCT", vec![same(self)], ty),
            7 if exact => {
                let name = self.one(&["ARRAY_EXCEPT", "ARRAY_INTERSECT", "ARRAY_UNION"]);
                call(name, vec![same(self), same(self)], ty)
            }
            8 if exact => call("ARRAY_REMOVE", vec![same(self), self.of(item, depth)], ty),
            9 if ordered && self.random.bool() => call("ARRAY_SORT", vec![same(self)], ty),
            9 if ordered => call("ARRAY_SORT", vec![same(self), text(self.one(&["ASC", "DESC"]))], ty),
            10 => {
                let bound = |make: &mut Make| match make.random.u8(..5) {
                    0 => cast(null(&Ty::Int), &Ty::Int),
                    1 => make.of(&Ty::Int, depth),
                    _ => int(make.random.i32(0..4)),
                };
                call("SLICE", vec![same(self), bound(self), bound(self)], ty)
            }
            11 if *item == Ty::String => match self.random.u8(..3) {
                0 => call("MAP_KEYS", vec![self.of(&Ty::map(Ty::Int), depth)], ty),
                _ => call("SPLIT", vec![self.of(&Ty::String, depth), text(self.one(&[",", "a", "=", "-0"]))], ty),
            },
            11 if matches!(item, Ty::Int) => {
                let mut args = vec![int(self.random.i32(-4..5)), int(self.random.i32(-4..5))];
                if self.random.bool() {
                    args.push(int(self.random.i32(-3..4)));
                }
                call("GENERATE_SERIES", args, ty)
            }
            11 if matches!(item, Ty::Struct(fields) if fields[0].0 == "K") => {
                let sorted = Expr::new(Ty::Boolean, Node::Literal(Val::Boolean(true)));
                call("ENTRIES", vec![self.of(&Ty::map(Ty::Int), depth), sorted], ty)
            }
            12 => call("MAP_VALUES", vec![self.of(&Ty::map(item.clone()), depth)], ty),
            _ => self.constructed(ty, depth),
        }
    }

    fn dictionary(&mut self, ty: &Ty, value: &Ty, depth: u32) -> Expr {
        match self.random.u8(..7) {
            0 => call("MAP_UNION", vec![self.of(ty, depth), self.of(ty, depth)], ty),
            1 => {
                let keys = Node::Array((0..self.random.usize(1..4)).map(|_| text(self.one(KEYS))).collect());
                let keys = Expr::new(Ty::array(Ty::String), keys);
                call("AS_MAP", vec![keys, self.of(&Ty::array(value.clone()), depth)], ty)
            }
            2 | 3 => {
                let from = self.ty();
                let map = self.of(&Ty::map(from.clone()), depth);
                let key = self.lambda(&[Ty::String, from.clone()], &Ty::String, depth.min(1));
                call("TRANSFORM", vec![map, key, self.lambda(&[Ty::String, from], value, depth)], ty)
            }
            4 => {
                let map = self.of(ty, depth);
                call("FILTER", vec![map, self.lambda(&[Ty::String, value.clone()], &Ty::Boolean, depth)], ty)
            }
            5 if *value == Ty::String => {
                call("SPLIT_TO_MAP", vec![self.of(&Ty::String, depth), text(","), text("=")], ty)
            }
            _ => self.constructed(ty, depth),
        }
    }
}

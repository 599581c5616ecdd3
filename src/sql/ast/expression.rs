//! Expressions.

use super::{Ident, Location, Type};

/// An expression and where it begins. Equality ignores the place.
#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: ExprKind,
    /// Where messages about it point.
    pub at: Location,
}

impl Expr {
    /// An expression of that kind, of that place.
    pub fn new(kind: ExprKind, at: Location) -> Self {
        Expr { kind, at }
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What an expression is, without its place.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Null,
    Boolean(bool),
    /// A whole number that fits 32 bits.
    Int(i32),
    /// A whole number that fits 64 bits but not 32.
    Bigint(i64),
    /// `1.5`: the text as written; precision and scale follow from it.
    Decimal(String),
    /// `1e3`
    Double(f64),
    String(String),
    Column {
        source: Option<Ident>,
        name: Ident,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    Between {
        operand: Box<Expr>,
        negated: bool,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    InList {
        operand: Box<Expr>,
        negated: bool,
        list: Vec<Expr>,
    },
    Like {
        operand: Box<Expr>,
        negated: bool,
        pattern: Box<Expr>,
        escape: Option<char>,
    },
    /// `operand` is there in the simple form, `CASE x WHEN 1 THEN ...`.
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        operand: Box<Expr>,
        ty: Type,
    },
    /// `base[index]`
    Subscript {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// `base->field`
    Field {
        base: Box<Expr>,
        field: Ident,
    },
    Array(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Struct(Vec<(Ident, Expr)>),
    /// `name(args)`. `AGGREGATE(*)` and `AGGREGATE()` both have no args.
    Call {
        name: Ident,
        args: Vec<Expr>,
    },
    /// A call with what only aggregates take: `name(DISTINCT args) FILTER (WHERE filter)`, one of them or both.
    Aggregate {
        name: Ident,
        args: Vec<Expr>,
        distinct: bool,
        filter: Option<Box<Expr>>,
    },
    Lambda {
        params: Vec<Ident>,
        body: Box<Expr>,
    },
}

/// What stands before its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    Minus,
    Plus,
    Not,
}

/// What stands between its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    IsDistinct,
    IsNotDistinct,
    /// `||`
    Concat,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

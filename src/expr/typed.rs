//! The typed tree: an expression whose names, types, casts and overloads are settled. Doesn't know how it is run.

use std::collections::BTreeSet;
use std::fmt;

use crate::error::Result;
use crate::expr::functions::{ArgType, Function, Overload};
use crate::messages;
use crate::messages::expressions::Empty;
use crate::types::{SqlType, Value};

/// An expression with its type. Made by `check`, run by `compile`.
#[derive(Debug, Clone)]
pub struct Typed {
    pub(super) node: Node,
    pub(super) ty: Option<SqlType>,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Distinct,
    NotDistinct,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    /// Of decimals, to the nearest number.
    DivideRounded,
    Modulo,
}

/// What comparisons with NULL give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    False,
    /// NULL, as in standard SQL; AND, OR and NOT know it.
    Unknown,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Literal(Value),
    Column(usize),
    /// What nobody reads.
    Unread,
    /// A parameter of an enclosing lambda, counted from the outermost lambda's first.
    Param(usize),
    /// Operands have one type, but decimals keep their own precisions and scales.
    Arithmetic {
        op: Arithmetic,
        left: Box<Typed>,
        right: Box<Typed>,
    },
    Negate(Box<Typed>),
    /// Operands have one type (decimals may differ in precision and scale).
    Compare {
        op: Comparison,
        left: Box<Typed>,
        right: Box<Typed>,
    },
    IsNull {
        operand: Box<Typed>,
        negated: bool,
    },
    /// `low` and `high` are `Compare` partners of the operand.
    Between {
        operand: Box<Typed>,
        low: Box<Typed>,
        high: Box<Typed>,
        negated: bool,
    },
    In {
        operand: Box<Typed>,
        list: Vec<Typed>,
        negated: bool,
    },
    Like {
        operand: Box<Typed>,
        pattern: Box<Typed>,
        escape: Option<char>,
        negated: bool,
    },
    And(Box<Typed>, Box<Typed>),
    Or(Box<Typed>, Box<Typed>),
    Not(Box<Typed>),
    Case {
        branches: Vec<(Typed, Typed)>,
        otherwise: Option<Box<Typed>>,
    },
    /// To the type of the whole. A row that failed before is NULL from here on.
    Cast(Box<Typed>),
    /// As `Cast`, but nobody asked for it: a row that failed before stays failed, as if nothing stood between.
    Conversion(Box<Typed>),
    ArrayItem {
        base: Box<Typed>,
        index: Box<Typed>,
    },
    MapItem {
        base: Box<Typed>,
        key: Box<Typed>,
    },
    Field {
        base: Box<Typed>,
        index: usize,
    },
    Array(Vec<Typed>),
    Map(Vec<(Typed, Typed)>),
    Struct(Vec<Typed>),
    Call(Call),
    /// Comparisons in it give [`Nulls::Unknown`].
    ThreeValued(Box<Typed>),
}

/// A call of a scalar function with the casts already among its arguments.
#[derive(Clone)]
pub(super) struct Call {
    pub function: &'static Function,
    pub overload: &'static Overload,
    pub args: Vec<Typed>,
    pub lambdas: Vec<Lambda>,
}

/// A lambda argument: `params` parameters that begin at slot `first`, and its body.
#[derive(Debug, Clone)]
pub(super) struct Lambda {
    pub first: usize,
    pub params: usize,
    pub body: Typed,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("function", &self.function.name)
            .field("args", &self.args)
            .field("lambdas", &self.lambdas)
            .finish()
    }
}

impl Typed {
    pub(super) fn new(node: Node, ty: SqlType) -> Self {
        Typed { node, ty: Some(ty) }
    }

    /// The column at `index`.
    pub fn column(index: usize, ty: SqlType) -> Self {
        Typed::new(Node::Column(index), ty)
    }

    /// Stands for something of this type that nobody reads: an Arrow `Null` column, at no cost.
    pub fn unread(ty: SqlType) -> Self {
        Typed::new(Node::Unread, ty)
    }

    /// Whether it is [`Typed::unread`].
    pub fn is_unread(&self) -> bool {
        matches!(self.node, Node::Unread)
    }

    /// The untyped NULL.
    pub(super) fn null() -> Self {
        Typed { node: Node::Literal(Value::Null), ty: None }
    }

    /// `ARRAY[]` or `MAP()`, whose type is that of where it stands.
    pub(super) fn empty(node: Node) -> Self {
        Typed { node, ty: None }
    }

    /// Whether it is NULL, and of no type.
    pub(super) fn is_bare_null(&self) -> bool {
        self.ty.is_none() && self.is_literal()
    }

    /// The type; `None` for a literal NULL, or an empty ARRAY, MAP or STRUCT, that nothing has given a type.
    pub fn ty(&self) -> Option<&SqlType> {
        self.ty.as_ref()
    }

    /// The type, or the error that a bare NULL, or what is empty, has none.
    pub fn known_type(&self) -> Result<&SqlType> {
        self.ty.as_ref().ok_or_else(|| {
            if !self.is_literal() {
                return messages::expressions::type_of_empty(&match self.node {
                    Node::Map(_) => Empty::Map,
                    Node::Struct(_) => Empty::Struct,
                    _ => Empty::Array,
                });
            }
            messages::expressions::type_of_null()
        })
    }

    /// A plain column, and which.
    pub fn as_column(&self) -> Option<usize> {
        match self.node {
            Node::Column(index) => Some(index),
            _ => None,
        }
    }

    /// The indexes of the columns it reads, in ascending order.
    pub fn columns(&self) -> Vec<usize> {
        let mut found = BTreeSet::new();
        self.visit(&mut |part| {
            if let Node::Column(index) = part.node {
                found.insert(index);
            }
        });
        found.into_iter().collect()
    }

    /// Renumbers the columns.
    pub fn map_columns(&mut self, map: &dyn Fn(usize) -> usize) {
        if let Node::Column(index) = &mut self.node {
            *index = map(*index);
        }
        for child in self.children_mut() {
            child.map_columns(map);
        }
    }

    /// It reads no column. Its value may still change from row to row: RANDOM().
    pub fn is_constant(&self) -> bool {
        self.columns().is_empty()
    }

    /// As the resolver of overloads sees it.
    pub fn arg_type(&self) -> ArgType {
        self.ty.clone().map_or(ArgType::Null, ArgType::Typed)
    }

    /// The value of a literal.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.node {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// As an argument with the cast that the overload's resolution found.
    pub fn cast_argument(self, cast: Option<SqlType>) -> Result<Typed> {
        match cast {
            None => Ok(self),
            // Text of a time or of bytes is no widening, but arguments take it.
            Some(ty) if self.ty.as_ref() == Some(&SqlType::String) => Ok(Typed::new(Node::Cast(Box::new(self)), ty)),
            Some(ty) => self.coerce(&ty),
        }
    }

    pub(super) fn is_literal(&self) -> bool {
        matches!(self.node, Node::Literal(_))
    }

    /// With comparisons that give NULL for NULL. What has none stays as it is.
    pub(super) fn three_valued(self) -> Typed {
        let mut compares = false;
        self.visit(&mut |part| {
            let decides = matches!(
                part.node,
                Node::Compare { .. }
                    | Node::Between { .. }
                    | Node::In { .. }
                    | Node::And(..)
                    | Node::Or(..)
                    | Node::Not(_)
                    | Node::Case { .. }
            );
            compares |= decides;
        });
        match self.ty.clone() {
            Some(ty) if compares => Typed::new(Node::ThreeValued(Box::new(self)), ty),
            _ => self,
        }
    }

    fn visit(&self, f: &mut dyn FnMut(&Typed)) {
        f(self);
        for child in self.children() {
            child.visit(f);
        }
    }

    /// The parts directly below, lambda bodies among them.
    pub(super) fn children(&self) -> Vec<&Typed> {
        match &self.node {
            Node::Literal(_) | Node::Column(_) | Node::Unread | Node::Param(_) => vec![],
            Node::Negate(a) | Node::Not(a) | Node::Cast(a) | Node::Conversion(a) | Node::ThreeValued(a) => {
                vec![a]
            }
            Node::IsNull { operand, .. } => vec![operand],
            Node::Arithmetic { left, right, .. } | Node::Compare { left, right, .. } => vec![left, right],
            Node::And(left, right) | Node::Or(left, right) => vec![left, right],
            Node::Between { operand, low, high, .. } => vec![operand, low, high],
            Node::In { operand, list, .. } => std::iter::once(&**operand).chain(list).collect(),
            Node::Like { operand, pattern, .. } => vec![operand, pattern],
            Node::Case { branches, otherwise } => {
                branches.iter().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref()).collect()
            }
            Node::ArrayItem { base, index } => vec![base, index],
            Node::MapItem { base, key } => vec![base, key],
            Node::Field { base, .. } => vec![base],
            Node::Array(items) | Node::Struct(items) => items.iter().collect(),
            Node::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Node::Call(call) => call.args.iter().chain(call.lambdas.iter().map(|lambda| &lambda.body)).collect(),
        }
    }

    pub(super) fn children_mut(&mut self) -> Vec<&mut Typed> {
        match &mut self.node {
            Node::Literal(_) | Node::Column(_) | Node::Unread | Node::Param(_) => vec![],
            Node::Negate(a) | Node::Not(a) | Node::Cast(a) | Node::Conversion(a) | Node::ThreeValued(a) => {
                vec![a]
            }
            Node::IsNull { operand, .. } => vec![operand],
            Node::Arithmetic { left, right, .. } | Node::Compare { left, right, .. } => vec![left, right],
            Node::And(left, right) | Node::Or(left, right) => vec![left, right],
            Node::Between { operand, low, high, .. } => vec![operand, low, high],
            Node::In { operand, list, .. } => std::iter::once(&mut **operand).chain(list).collect(),
            Node::Like { operand, pattern, .. } => vec![operand, pattern],
            Node::Case { branches, otherwise } => {
                branches.iter_mut().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref_mut()).collect()
            }
            Node::ArrayItem { base, index } => vec![base, index],
            Node::MapItem { base, key } => vec![base, key],
            Node::Field { base, .. } => vec![base],
            Node::Array(items) | Node::Struct(items) => items.iter_mut().collect(),
            Node::Map(entries) => entries.iter_mut().flat_map(|(key, value)| [key, value]).collect(),
            Node::Call(call) => {
                call.args.iter_mut().chain(call.lambdas.iter_mut().map(|lambda| &mut lambda.body)).collect()
            }
        }
    }
}

//! Expressions with their types, and their texts.

use super::number::double_text;
use super::value::{Ty, Val};

#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub ty: Ty,
    pub node: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

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

#[derive(Debug, Clone)]
pub(super) enum Node {
    /// A number that isn't negative, a text or a truth value; NULL without a type of its own.
    Literal(Val),
    Column(&'static str),
    Param(String),
    Negate(Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// `||`, or `+` of texts.
    Join(&'static str, Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    IsNull {
        value: Box<Expr>,
        negated: bool,
    },
    Between {
        value: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    In {
        value: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Like {
        value: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<char>,
        negated: bool,
    },
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast(Box<Expr>),
    Item(Box<Expr>, Box<Expr>),
    Field(Box<Expr>, String),
    Array(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Struct(Vec<(String, Expr)>),
    Call(&'static str, Vec<Expr>),
    /// An argument of a call; the type is the body's.
    Lambda(Vec<String>, Box<Expr>),
    /// A unit of time as an argument.
    Unit(&'static str),
}

impl Arithmetic {
    fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Modulo => "%",
        }
    }
}

impl Comparison {
    fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterEqual => ">=",
            Comparison::Distinct => "IS DISTINCT FROM",
            Comparison::NotDistinct => "IS NOT DISTINCT FROM",
        }
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn list(items: &[Expr]) -> String {
    items.iter().map(Expr::text).collect::<Vec<_>>().join(", ")
}

fn literal(value: &Val) -> String {
    match value {
        Val::Null => "NULL".into(),
        Val::Boolean(v) => v.to_string(),
        Val::Int(v) => v.to_string(),
        Val::Bigint(v) => v.to_string(),
        Val::Double(v) => {
            let text = double_text(*v);
            if text.contains('E') { text } else { text + "e0" }
        }
        Val::Decimal(v) => v.to_string(),
        Val::String(v) => format!("'{}'", v.replace('\'', "''")),
        _ => panic!("no literal: {value:?}"),
    }
}

impl Expr {
    pub fn new(ty: Ty, node: Node) -> Expr {
        Expr { ty, node }
    }

    pub fn boxed(self) -> Box<Expr> {
        Box::new(self)
    }

    /// In the language, each node in brackets of its own.
    pub fn text(&self) -> String {
        match &self.node {
            Node::Literal(value) => literal(value),
            Node::Column(name) | Node::Unit(name) => (*name).into(),
            Node::Param(name) => name.clone(),
            Node::Negate(value) => format!("(-({}))", value.text()),
            Node::Arithmetic(op, a, b) => format!("({} {} {})", a.text(), op.symbol(), b.text()),
            Node::Join(symbol, a, b) => format!("({} {symbol} {})", a.text(), b.text()),
            Node::Compare(op, a, b) => format!("({} {} {})", a.text(), op.symbol(), b.text()),
            Node::IsNull { value, negated } => format!("({} IS {}NULL)", value.text(), not(*negated)),
            Node::Between { value, low, high, negated } => {
                format!("({} {}BETWEEN {} AND {})", value.text(), not(*negated), low.text(), high.text())
            }
            Node::In { value, list: items, negated } => {
                format!("({} {}IN ({}))", value.text(), not(*negated), list(items))
            }
            Node::Like { value, pattern, escape, negated } => {
                let escape = escape.map_or(String::new(), |escape| format!(" ESCAPE '{escape}'"));
                format!("({} {}LIKE {}{escape})", value.text(), not(*negated), pattern.text())
            }
            Node::And(a, b) => format!("({} AND {})", a.text(), b.text()),
            Node::Or(a, b) => format!("({} OR {})", a.text(), b.text()),
            Node::Not(value) => format!("(NOT {})", value.text()),
            Node::Case { operand, branches, otherwise } => {
                let operand = operand.as_ref().map_or(String::new(), |operand| format!(" {}", operand.text()));
                let branch = |(when, then): &(Expr, Expr)| format!(" WHEN {} THEN {}", when.text(), then.text());
                let branches: String = branches.iter().map(branch).collect();
                let otherwise = otherwise.as_ref().map_or(String::new(), |value| format!(" ELSE {}", value.text()));
                format!("(CASE{operand}{branches}{otherwise} END)")
            }
            Node::Cast(value) => format!("CAST({} AS {})", value.text(), self.ty),
            Node::Item(base, index) => format!("{}[{}]", base.text(), index.text()),
            Node::Field(base, name) => format!("{}->{name}", base.text()),
            Node::Array(items) => format!("ARRAY[{}]", list(items)),
            Node::Map(entries) => {
                let entry = |(key, value): &(Expr, Expr)| format!("{} := {}", key.text(), value.text());
                format!("MAP({})", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
            Node::Struct(fields) => {
                let field = |(name, value): &(String, Expr)| format!("{name} := {}", value.text());
                format!("STRUCT({})", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            Node::Call(name, args) => format!("{name}({})", list(args)),
            Node::Lambda(params, body) => format!("({}) => {}", params.join(", "), body.text()),
        }
    }

    /// The parts that have a value of their own.
    pub fn parts(&self) -> Vec<&Expr> {
        match &self.node {
            Node::Literal(_) | Node::Column(_) | Node::Param(_) | Node::Unit(_) => Vec::new(),
            Node::Negate(a) | Node::Not(a) | Node::Cast(a) | Node::Field(a, _) | Node::Lambda(_, a) => vec![a],
            Node::IsNull { value, .. } => vec![value],
            Node::Arithmetic(_, a, b)
            | Node::Join(_, a, b)
            | Node::Compare(_, a, b)
            | Node::And(a, b)
            | Node::Or(a, b)
            | Node::Item(a, b) => vec![a, b],
            Node::Between { value, low, high, .. } => vec![value, low, high],
            Node::In { value, list, .. } => std::iter::once(&**value).chain(list).collect(),
            Node::Like { value, pattern, .. } => vec![value, pattern],
            Node::Case { operand, branches, otherwise } => {
                let mut parts: Vec<&Expr> = operand.iter().map(|part| &**part).collect();
                parts.extend(branches.iter().flat_map(|(when, then)| [when, then]));
                parts.extend(otherwise.iter().map(|part| &**part));
                parts
            }
            Node::Array(items) | Node::Call(_, items) => items.iter().collect(),
            Node::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Node::Struct(fields) => fields.iter().map(|(_, value)| value).collect(),
        }
    }

    /// Has a value without a lambda around it.
    pub fn stands_alone(&self) -> bool {
        fn closed(expr: &Expr, params: &mut Vec<String>) -> bool {
            match &expr.node {
                Node::Param(name) => params.contains(name),
                Node::Lambda(names, body) => {
                    let outer = params.len();
                    params.extend(names.iter().cloned());
                    let closed = closed(body, params);
                    params.truncate(outer);
                    closed
                }
                _ => expr.parts().into_iter().all(|part| closed(part, params)),
            }
        }
        let is_value = !matches!(self.node, Node::Lambda(..) | Node::Unit(_) | Node::Literal(Val::Null));
        is_value && closed(self, &mut Vec::new())
    }
}

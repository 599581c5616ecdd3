//! The expressions in an expression.

use super::{Expr, ExprKind};

/// The children of a node in the order in which they are written; `$($borrow)+` is `&` or `&mut`, `$iter` fits it.
macro_rules! children {
    ($expr:expr, $iter:ident, $($borrow:tt)+) => {
        match $($borrow)+ $expr.kind {
            ExprKind::Null
            | ExprKind::Boolean(_)
            | ExprKind::Int(_)
            | ExprKind::Bigint(_)
            | ExprKind::Decimal(_)
            | ExprKind::Double(_)
            | ExprKind::String(_)
            | ExprKind::Column { .. } => Vec::new(),
            ExprKind::Unary { operand: only, .. }
            | ExprKind::IsNull { operand: only, .. }
            | ExprKind::Cast { operand: only, .. }
            | ExprKind::Field { base: only, .. }
            | ExprKind::Lambda { body: only, .. } => vec![$($borrow)+ **only],
            ExprKind::Binary { left: first, right: second, .. }
            | ExprKind::Like { operand: first, pattern: second, .. }
            | ExprKind::Subscript { base: first, index: second } => {
                vec![$($borrow)+ **first, $($borrow)+ **second]
            }
            ExprKind::Between { operand, low, high, .. } => {
                vec![$($borrow)+ **operand, $($borrow)+ **low, $($borrow)+ **high]
            }
            ExprKind::InList { operand, list, .. } => {
                std::iter::once($($borrow)+ **operand).chain(list.$iter()).collect()
            }
            ExprKind::Case { operand, branches, otherwise } => {
                let branches = branches.$iter().flat_map(|(when, then)| [when, then]);
                let operand = operand.$iter().map(|operand| $($borrow)+ **operand);
                operand.chain(branches).chain(otherwise.$iter().map(|otherwise| $($borrow)+ **otherwise)).collect()
            }
            ExprKind::Array(items) | ExprKind::Call { args: items, .. } => items.$iter().collect(),
            ExprKind::Aggregate { args, filter, .. } => {
                args.$iter().chain(filter.$iter().map(|filter| $($borrow)+ **filter)).collect()
            }
            ExprKind::Map(entries) => entries.$iter().flat_map(|(key, value)| [key, value]).collect(),
            ExprKind::Struct(fields) => fields.$iter().map(|(_, field)| field).collect(),
        }
    };
}

impl Expr {
    /// The expressions that it is directly made of, in the order in which they are written.
    pub fn children(&self) -> Vec<&Expr> {
        children!(self, iter, &)
    }

    /// As `children`, to be changed.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        children!(self, iter_mut, &mut)
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{format, parse_expression};

    #[test]
    fn children_come_as_they_are_written() {
        for (text, expected) in [
            ("A", ""),
            ("-A", "A"),
            ("A BETWEEN B AND C", "A B C"),
            ("A IN (B, C)", "A B C"),
            ("A LIKE B", "A B"),
            ("CASE A WHEN B THEN C WHEN D THEN E ELSE F END", "A B C D E F"),
            ("CASE WHEN A THEN B END", "A B"),
            ("MAP(A := B, C := D)", "A B C D"),
            ("STRUCT(X := A, Y := B)", "A B"),
            ("F(A, B)", "A B"),
            ("SUM(DISTINCT A) FILTER (WHERE B)", "A B"),
            ("A[B]", "A B"),
            ("A->B", "A"),
        ] {
            let mut expr = parse_expression(text).unwrap();
            let texts = |children: Vec<String>| children.join(" ");
            assert_eq!(texts(expr.children().into_iter().map(format::expression).collect()), expected, "{text}");
            let changed = expr.children_mut().into_iter().map(|child| format::expression(child)).collect();
            assert_eq!(texts(changed), expected, "{text}");
        }
    }
}

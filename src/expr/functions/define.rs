//! Short forms to write the entries of the table.

use crate::expr::functions::{Function, FunctionKind, Implementation, Overload, Param, ParamType, Returns, ScalarFn};
use crate::types::SqlType;

pub(super) const BOOLEAN: ParamType = ParamType::Is(SqlType::Boolean);
pub(super) const INT: ParamType = ParamType::Is(SqlType::Int);
pub(super) const BIGINT: ParamType = ParamType::Is(SqlType::Bigint);
pub(super) const DOUBLE: ParamType = ParamType::Is(SqlType::Double);
pub(super) const STRING: ParamType = ParamType::Is(SqlType::String);
pub(super) const BYTES: ParamType = ParamType::Is(SqlType::Bytes);
pub(super) const TIME: ParamType = ParamType::Is(SqlType::Time);
pub(super) const DATE: ParamType = ParamType::Is(SqlType::Date);
pub(super) const TIMESTAMP: ParamType = ParamType::Is(SqlType::Timestamp);
/// The generic most entries use.
pub(super) const T: ParamType = ParamType::Generic("T");
pub(super) const U: ParamType = ParamType::Generic("U");

pub(super) fn array(item: ParamType) -> ParamType {
    ParamType::Array(Box::new(item))
}

pub(super) fn map(value: ParamType) -> ParamType {
    ParamType::Map(Box::new(value))
}

pub(super) fn lambda(params: &[ParamType], returns: ParamType) -> ParamType {
    ParamType::Lambda(params.to_vec(), Box::new(returns))
}

/// What most scalar functions do.
pub(super) const NULL_GIVES_NULL: &str = "NULL when an argument is.";

/// A parameter: name, type, what it is.
pub(super) type P<'a> = (&'static str, &'a ParamType, &'static str);

impl Function {
    pub(super) fn new(
        name: &'static str,
        kind: FunctionKind,
        category: &'static str,
        description: &'static str,
    ) -> Self {
        let nulls = match kind {
            FunctionKind::Scalar => NULL_GIVES_NULL,
            FunctionKind::Aggregate => "NULLs are left out.",
            FunctionKind::Table => "A NULL gives no row.",
        };
        Function { name, kind, category, description, overloads: vec![], nulls, examples: &[] }
    }

    pub(super) fn scalar(name: &'static str, category: &'static str, description: &'static str) -> Self {
        Function::new(name, FunctionKind::Scalar, category, description)
    }

    /// An overload whose result has this type.
    pub(super) fn over(self, params: &[P<'_>], returns: ParamType, call: ScalarFn) -> Self {
        self.overload(params, None, Returns::Is(returns), Implementation::Scalar(call))
    }

    /// An overload whose last parameter may be given any number of times.
    pub(super) fn variadic(self, params: &[P<'_>], returns: ParamType, call: ScalarFn) -> Self {
        self.overload(params, params.len().checked_sub(1), Returns::Is(returns), Implementation::Scalar(call))
    }

    /// An overload whose result's type follows from the arguments' types.
    pub(super) fn computed(
        self,
        params: &[P<'_>],
        returns: fn(&[SqlType]) -> Result<SqlType, String>,
        call: ScalarFn,
    ) -> Self {
        self.overload(params, None, Returns::Computed(returns), Implementation::Scalar(call))
    }

    pub(super) fn overload(
        mut self,
        params: &[P<'_>],
        variadic: Option<usize>,
        returns: Returns,
        call: Implementation,
    ) -> Self {
        let params =
            params.iter().map(|(name, ty, description)| Param { name, ty: (*ty).clone(), description }).collect();
        self.overloads.push(Overload { params, variadic, returns, call });
        self
    }

    /// Another handling of NULLs than that of most.
    pub(super) fn nulls(mut self, nulls: &'static str) -> Self {
        self.nulls = nulls;
        self
    }

    pub(super) fn examples(mut self, examples: &'static [(&'static str, &'static str)]) -> Self {
        self.examples = examples;
        self
    }
}

//! Which overload a call means: first without casts, then (not for aggregates) with implicit ones.

use std::cmp::Ordering;

use crate::error::Result;
use crate::expr::coerce::widens_as_argument;
use crate::expr::decimal::Shape;
use crate::expr::functions::{Function, FunctionKind, FunctionTable, Overload, ParamType, Returns};
use crate::messages;
use crate::types::SqlType;

/// An argument as the resolver sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum ArgType {
    /// A literal NULL: fits any parameter.
    Null,
    Typed(SqlType),
    /// A lambda of that many parameters.
    Lambda(usize),
    /// DAYS, HOURS, ...
    Unit,
}

/// The types that an overload's generics stand for in a call.
#[derive(Debug, Clone, Default)]
pub struct Bindings(Vec<(&'static str, SqlType)>);

impl Bindings {
    pub(in crate::expr) fn get(&self, name: &str) -> Option<&SqlType> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, ty)| ty)
    }

    pub(in crate::expr) fn bind(&mut self, name: &'static str, ty: SqlType) {
        if self.get(name).is_none() {
            self.0.push((name, ty));
        }
    }

    /// The type a parameter type stands for; `None` while a generic is open, or when it stands for many.
    pub(in crate::expr) fn substitute(&self, param: &ParamType) -> Option<SqlType> {
        match param {
            ParamType::Is(ty) => Some(ty.clone()),
            ParamType::Generic(name) => self.get(name).cloned(),
            ParamType::Array(item) => Some(SqlType::Array(Box::new(self.substitute(item)?))),
            ParamType::Map(value) => Some(SqlType::Map(Box::new(self.substitute(value)?))),
            ParamType::Unit => Some(SqlType::String),
            ParamType::Decimal | ParamType::Any | ParamType::Lambda(..) => None,
        }
    }
}

/// The overload of a call, before its lambdas are known.
pub(in crate::expr) struct Match {
    pub overload: &'static Overload,
    /// The type each argument is cast to; `None` where it stays as it is.
    pub casts: Vec<Option<SqlType>>,
    pub bindings: Bindings,
}

/// The overload a call means.
pub struct Resolved {
    pub overload: &'static Overload,
    /// The type each argument is cast to; `None` where it stays as it is. A NULL gets its type this way.
    pub casts: Vec<Option<SqlType>>,
    pub returns: SqlType,
}

impl Overload {
    /// The parameter that argument `i` of `count` goes to.
    pub fn param_of(&self, i: usize, count: usize) -> Option<usize> {
        let fixed = self.params.len();
        let Some(at) = self.variadic else { return (i < fixed && count == fixed).then_some(i) };
        if count + 1 < fixed {
            return None;
        }
        let repeats = count + 1 - fixed;
        Some(if i < at {
            i
        } else if i < at + repeats {
            at
        } else {
            i + 1 - repeats
        })
    }

    fn takes(&self, count: usize) -> bool {
        match self.variadic {
            Some(_) => count + 1 >= self.params.len(),
            None => count == self.params.len(),
        }
    }

    fn generics(&self) -> usize {
        self.params.iter().filter(|param| has_generic(&param.ty)).count()
    }

    fn has_any(&self) -> bool {
        self.params.iter().any(|param| matches!(param.ty, ParamType::Any))
    }

    /// `Greater`: this one is preferred.
    fn preference(&self, other: &Overload) -> Ordering {
        let fixed = |overload: &Overload| overload.params.len() - usize::from(overload.variadic.is_some());
        self.variadic
            .is_none()
            .cmp(&other.variadic.is_none())
            .then(fixed(self).cmp(&fixed(other)))
            .then(other.generics().cmp(&self.generics()))
            .then(other.has_any().cmp(&self.has_any()))
            .then(self.variadic.cmp(&other.variadic))
    }

    /// The type of the result from the arguments' types after their casts.
    pub(in crate::expr) fn result_type(&self, bindings: &Bindings, args: &[SqlType]) -> Result<SqlType> {
        match &self.returns {
            Returns::Is(ty) => bindings.substitute(ty).ok_or_else(messages::functions::result_of_nulls),
            Returns::Computed(compute) => compute(args).map_err(|why| messages::functions::no_result_type(&why)),
        }
    }
}

fn has_generic(param: &ParamType) -> bool {
    match param {
        ParamType::Generic(_) => true,
        ParamType::Array(inner) | ParamType::Map(inner) => has_generic(inner),
        ParamType::Lambda(params, body) => params.iter().any(has_generic) || has_generic(body),
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Exact,
    WithCasts,
}

impl FunctionTable {
    /// The overload that a call with these arguments means, the casts it needs, and its type.
    /// Lambdas' types aren't known here: functions that take them are refused.
    pub fn resolve(&'static self, name: &str, args: &[ArgType]) -> Result<Resolved> {
        self.function(name)?.resolve(name, args)
    }

    pub(in crate::expr) fn function(&self, name: &str) -> Result<&Function> {
        self.get(name).ok_or_else(|| messages::functions::unknown(name, self.similar(name)))
    }
}

impl Function {
    /// As [`FunctionTable::resolve`], of this function; `name` is how the call names it.
    pub(in crate::expr) fn resolve(&'static self, name: &str, args: &[ArgType]) -> Result<Resolved> {
        let found = self.choose(name, args)?;
        let types: Vec<SqlType> = args
            .iter()
            .zip(&found.casts)
            .map(|(arg, cast)| match (arg, cast) {
                (_, Some(ty)) => ty.clone(),
                (ArgType::Typed(ty), None) => ty.clone(),
                _ => SqlType::String,
            })
            .collect();
        let returns = found.overload.result_type(&found.bindings, &types)?;
        Ok(Resolved { overload: found.overload, casts: found.casts, returns })
    }

    pub(in crate::expr) fn choose(&'static self, name: &str, args: &[ArgType]) -> Result<Match> {
        if let Some(found) = self.best(name, args, Pass::Exact)? {
            return Ok(found);
        }
        if self.kind != FunctionKind::Aggregate
            && let Some(found) = self.best(name, args, Pass::WithCasts)?
        {
            return Ok(found);
        }
        let wanted: Vec<_> = self.overloads.iter().map(|overload| overload.signature(self.name)).collect();
        Err(messages::functions::no_overload(name, &list(args), &wanted))
    }

    fn best(&'static self, name: &str, args: &[ArgType], pass: Pass) -> Result<Option<Match>> {
        let mut found: Vec<Match> = self.overloads.iter().filter_map(|overload| fit(overload, args, pass)).collect();
        found.sort_by(|a, b| b.overload.preference(a.overload));
        if let [first, second, ..] = found.as_slice()
            && first.overload.preference(second.overload) == Ordering::Equal
        {
            return Err(messages::functions::ambiguous_overload(name, &list(args)));
        }
        Ok(found.into_iter().next())
    }
}

fn list(args: &[ArgType]) -> Vec<String> {
    args.iter()
        .map(|arg| match arg {
            ArgType::Null => "null".into(),
            ArgType::Typed(ty) => ty.to_string(),
            ArgType::Lambda(_) => "LAMBDA".into(),
            ArgType::Unit => "INTERVALUNIT".into(),
        })
        .collect()
}

fn fit(overload: &'static Overload, args: &[ArgType], pass: Pass) -> Option<Match> {
    if !overload.takes(args.len()) {
        return None;
    }
    let mut bindings = Bindings::default();
    let mut casts = Vec::with_capacity(args.len());
    for (i, arg) in args.iter().enumerate() {
        let param = &overload.params[overload.param_of(i, args.len())?].ty;
        casts.push(match arg {
            ArgType::Null if matches!(param, ParamType::Lambda(..) | ParamType::Unit) => return None,
            ArgType::Null => None,
            ArgType::Lambda(count) => match param {
                ParamType::Lambda(params, _) if params.len() == *count => None,
                _ => return None,
            },
            ArgType::Unit => (*param == ParamType::Unit).then_some(None)?,
            ArgType::Typed(ty) => fit_type(param, ty, &mut bindings, pass)?,
        });
    }
    for (i, arg) in args.iter().enumerate() {
        if *arg == ArgType::Null {
            casts[i] = Some(null_type(&overload.params[overload.param_of(i, args.len())?].ty, &bindings));
        }
    }
    Some(Match { overload, casts, bindings })
}

/// The type of a NULL argument. Where nothing says, any will do.
fn null_type(param: &ParamType, bindings: &Bindings) -> SqlType {
    match param {
        ParamType::Decimal => SqlType::Decimal { precision: 1, scale: 0 },
        ParamType::Array(_) => bindings.substitute(param).unwrap_or(SqlType::Array(Box::new(SqlType::String))),
        ParamType::Map(_) => bindings.substitute(param).unwrap_or(SqlType::Map(Box::new(SqlType::String))),
        _ => bindings.substitute(param).unwrap_or(SqlType::String),
    }
}

/// `Some(cast)` when a value of type `ty` fits.
#[expect(clippy::option_option, reason = "outer: does it fit; inner: does it need a cast")]
fn fit_type(param: &ParamType, ty: &SqlType, bindings: &mut Bindings, pass: Pass) -> Option<Option<SqlType>> {
    if unify(param, ty, bindings) {
        return Some(None);
    }
    if pass == Pass::Exact {
        return None;
    }
    let target = match param {
        ParamType::Decimal => Shape::of(ty)?.ty(),
        _ => bindings.substitute(param)?,
    };
    widens_as_argument(ty, &target).then_some(Some(target))
}

/// `ty` is one of `param`, binding generics that are still open.
fn unify(param: &ParamType, ty: &SqlType, bindings: &mut Bindings) -> bool {
    match (param, ty) {
        (ParamType::Is(wanted), _) => wanted == ty,
        (ParamType::Decimal, SqlType::Decimal { .. }) => true,
        (ParamType::Any, _) => true,
        (ParamType::Array(param), SqlType::Array(item)) => unify(param, item, bindings),
        (ParamType::Map(param), SqlType::Map(value)) => unify(param, value, bindings),
        (ParamType::Generic(name), _) => match bindings.get(name) {
            Some(bound) => bound == ty,
            None => {
                bindings.bind(name, ty.clone());
                true
            }
        },
        _ => false,
    }
}

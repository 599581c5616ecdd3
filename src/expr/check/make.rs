//! What takes values apart and puts them together: `[]`, `->`, ARRAY, MAP, STRUCT, CASE.

use super::Checker;
use super::compare::pair;
use super::text::text;
use crate::error::{Error, Result};
use crate::expr::coerce::common_of;
use crate::expr::typed::{Comparison, Node, Typed};
use crate::messages;
use crate::messages::expressions::Needed;
use crate::sql::ast::{Expr, Ident};
use crate::types::SqlType;

impl Checker<'_> {
    pub(super) fn subscript(&mut self, base: &Expr, index: &Expr) -> Result<Typed> {
        let (base_typed, index_typed) = (self.boxed(base)?, self.expr(index)?);
        let ty = base_typed.known_type()?.clone();
        match ty {
            SqlType::Array(item) => {
                let index_ty = index_typed.ty.clone().unwrap_or(SqlType::Int);
                if !matches!(index_ty, SqlType::Int | SqlType::Bigint) {
                    return Err(messages::expressions::array_index(&index_ty).at(index.at));
                }
                let index = Box::new(index_typed.coerce(&SqlType::Bigint)?);
                Ok(Typed::new(Node::ArrayItem { base: base_typed, index }, *item))
            }
            SqlType::Map(value) => {
                if index_typed.ty.as_ref().is_some_and(|ty| *ty != SqlType::String) {
                    return Err(messages::expressions::map_key().at(index.at));
                }
                let key = Box::new(index_typed.coerce(&SqlType::String)?);
                Ok(Typed::new(Node::MapItem { base: base_typed, key }, *value))
            }
            other => Err(messages::expressions::operand("[]", &Needed::ArrayOrMap, &text(base), &other)),
        }
    }

    pub(super) fn field(&mut self, base: &Expr, field: &Ident) -> Result<Typed> {
        let typed = self.boxed(base)?;
        let SqlType::Struct(fields) = typed.known_type()?.clone() else {
            return Err(messages::expressions::operand("->", &Needed::Struct, &text(base), typed.known_type()?));
        };
        match fields.iter().position(|(name, _)| *name == field.text) {
            Some(index) => Ok(Typed::new(Node::Field { base: typed, index }, fields[index].1.clone())),
            None => Err(unknown_field(base, field, &fields)),
        }
    }

    pub(super) fn array(&mut self, items: &[Expr]) -> Result<Typed> {
        if items.is_empty() {
            return Ok(Typed::empty(Node::Array(Vec::new())));
        }
        let typed = items.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>>>()?;
        let Some(ty) = common_of(&typed, &|i| text(&items[i]))? else {
            return Err(messages::expressions::array_of_nulls());
        };
        let typed = typed.into_iter().map(|item| item.coerce(&ty)).collect::<Result<_>>()?;
        Ok(Typed::new(Node::Array(typed), SqlType::Array(Box::new(ty))))
    }

    pub(super) fn map(&mut self, entries: &[(Expr, Expr)]) -> Result<Typed> {
        if entries.is_empty() {
            return Ok(Typed::empty(Node::Map(Vec::new())));
        }
        let mut keys = Vec::with_capacity(entries.len());
        let mut values = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let typed = self.expr(key)?;
            if typed.ty.is_none() {
                return Err(messages::expressions::null_key_of_map().at(key.at));
            }
            keys.push(typed.coerce(&SqlType::String).map_err(|error| error.at(key.at))?);
            values.push(self.expr(value)?);
        }
        let Some(ty) = common_of(&values, &|i| text(&entries[i].1))? else {
            return Err(messages::expressions::map_of_nulls());
        };
        let values = values.into_iter().map(|value| value.coerce(&ty)).collect::<Result<Vec<_>>>()?;
        Ok(Typed::new(Node::Map(keys.into_iter().zip(values).collect()), SqlType::Map(Box::new(ty))))
    }

    pub(super) fn structure(&mut self, fields: &[(Ident, Expr)]) -> Result<Typed> {
        if fields.is_empty() {
            return Ok(Typed::empty(Node::Struct(Vec::new())));
        }
        let mut types: Vec<(String, SqlType)> = Vec::with_capacity(fields.len());
        let mut values = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            if types.iter().any(|(other, _)| *other == name.text) {
                return Err(messages::types::duplicate_field(&name.text).at(name.at));
            }
            let typed = self.expr(value)?;
            // A bare NULL needs some type: text is the one that all formats have.
            let ty = typed.ty.clone().unwrap_or(SqlType::String);
            values.push(typed.coerce(&ty)?);
            types.push((name.text.clone(), ty));
        }
        Ok(Typed::new(Node::Struct(values), SqlType::Struct(types)))
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Typed> {
        let mut ty: Option<SqlType> = None;
        let mut checked = Vec::with_capacity(branches.len());
        for (when, then) in branches {
            let condition = match operand {
                Some(operand) => pair(Comparison::Equal, (self.expr(operand)?, operand), (self.expr(when)?, when))?,
                None => self.truth(when, "WHEN")?,
            };
            let result = self.expr(then)?;
            one_type(&mut ty, &result, "THEN", then)?;
            checked.push((condition, result));
        }
        let otherwise = match otherwise {
            Some(ast) => {
                let result = self.expr(ast)?;
                one_type(&mut ty, &result, "ELSE", ast)?;
                Some(result)
            }
            None => None,
        };
        let Some(ty) = ty else {
            return Err(messages::expressions::case_of_nulls());
        };
        let branches =
            checked.into_iter().map(|(when, then)| Ok((when, then.coerce(&ty)?))).collect::<Result<Vec<_>>>()?;
        let otherwise = otherwise.map(|result| result.coerce(&ty)).transpose()?.map(Box::new);
        Ok(Typed::new(Node::Case { branches, otherwise }, ty))
    }
}

/// Branches have identical types: nothing is widened.
fn one_type(so_far: &mut Option<SqlType>, result: &Typed, clause: &str, ast: &Expr) -> Result<()> {
    match (&*so_far, &result.ty) {
        (Some(wanted), Some(ty)) if wanted != ty => {
            Err(messages::expressions::case_of_types(clause, &text(ast), ty, wanted).at(ast.at))
        }
        (None, Some(ty)) => {
            *so_far = Some(ty.clone());
            Ok(())
        }
        _ => Ok(()),
    }
}

fn unknown_field(base: &Expr, field: &Ident, fields: &[(String, SqlType)]) -> Error {
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    messages::expressions::unknown_field(&field.text, &text(base), &names).at(field.at)
}

//! Types as written.

use super::Parser;
use crate::error::Result;
use crate::messages;
use crate::messages::syntax::Meant;
use crate::sql::ast::{Ident, Type};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    pub(super) fn ty(&mut self) -> Result<Type> {
        let names = self.names.len();
        let ty = self.nested(Self::ty_inner)?;
        // The language's own types are keywords.
        if !matches!(ty, Type::Custom(_)) {
            self.names.remove(names);
        }
        Ok(ty)
    }

    fn ty_inner(&mut self) -> Result<Type> {
        let name = self.identifier("a type")?;
        if name.quoted {
            return Ok(Type::Custom(name));
        }
        match name.text.as_str() {
            "BOOLEAN" => Ok(Type::Boolean),
            "INT" | "INTEGER" => Ok(Type::Int),
            "BIGINT" => Ok(Type::Bigint),
            "DOUBLE" => Ok(Type::Double),
            "STRING" | "VARCHAR" => self.string_length().map(|()| Type::String),
            "BYTES" => Ok(Type::Bytes),
            "TIME" => Ok(Type::Time),
            "DATE" => Ok(Type::Date),
            "TIMESTAMP" => Ok(Type::Timestamp),
            "DECIMAL" | "DEC" if self.is_symbol("(") => self.decimal(),
            "DECIMAL" => Err(self.meant("`(`", Meant::Decimal)),
            "ARRAY" if self.is_symbol("<") => self.array(),
            "MAP" if self.is_symbol("<") => self.map(),
            "STRUCT" if self.is_symbol("<") || self.is_symbol("<>") => self.struct_type(),
            "ARRAY" => Err(self.meant("`<`", Meant::Array)),
            "MAP" => Err(self.meant("`<`", Meant::Map)),
            "STRUCT" => Err(self.meant("`<`", Meant::Struct)),
            _ => Ok(Type::Custom(name)),
        }
    }

    /// `VARCHAR(STRING)` and `VARCHAR(10)` are read and mean VARCHAR.
    fn string_length(&mut self) -> Result<()> {
        if self.is_symbol("(") && self.is_symbol_at(2, ")") {
            self.advance();
            if !self.eat_word("STRING") && !self.eat_word("VARCHAR") {
                self.whole::<u32>("a length")?;
            }
            self.expect_symbol(")")?;
        }
        Ok(())
    }

    fn decimal(&mut self) -> Result<Type> {
        let at = self.at();
        self.expect_symbol("(")?;
        let precision = self.whole("a precision")?;
        let scale = if self.eat_symbol(",") { self.whole("a scale")? } else { 0 };
        self.expect_symbol(")")?;
        if precision < 1 || scale > precision {
            return Err(messages::types::decimal_shape(precision, scale).at(at));
        }
        Ok(Type::Decimal { precision, scale })
    }

    fn array(&mut self) -> Result<Type> {
        self.expect_symbol("<")?;
        let item = self.ty()?;
        self.expect_symbol(">")?;
        Ok(Type::Array(Box::new(item)))
    }

    fn map(&mut self) -> Result<Type> {
        self.expect_symbol("<")?;
        let key = self.ty()?;
        self.expect_symbol(",")?;
        let value = self.ty()?;
        self.expect_symbol(">")?;
        Ok(Type::Map(Box::new(key), Box::new(value)))
    }

    fn struct_type(&mut self) -> Result<Type> {
        if self.eat_symbol("<>") {
            return Ok(Type::Struct(Vec::new()));
        }
        self.expect_symbol("<")?;
        if self.eat_symbol(">") {
            return Ok(Type::Struct(Vec::new()));
        }
        let fields = self.list(Self::name_and_type)?;
        if self.eat_symbol(">") { Ok(Type::Struct(fields)) } else { Err(self.unexpected("`,` or `>`")) }
    }

    /// `name type`, a struct's field or a column.
    pub(super) fn name_and_type(&mut self) -> Result<(Ident, Type)> {
        let name = self.identifier("a name")?;
        if matches!(self.peek().kind, Kind::Symbol("," | ")" | ">") | Kind::End) {
            return Err(self.unexpected(&format!("the type of {}", name.text)));
        }
        Ok((name, self.ty()?))
    }
}

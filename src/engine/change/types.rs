//! Custom types: CREATE TYPE, DROP TYPE.

use super::{Change, Effect};
use crate::error::Result;
use crate::expr;
use crate::messages;
use crate::sql::ast::{Ident, IfExists, Type};

impl Change<'_> {
    pub(super) fn create_type(&mut self, name: &Ident, ty: &Type, if_exists: IfExists) -> Result<Effect> {
        if self.catalog.custom_type(&name.text).is_some() {
            if if_exists == IfExists::Skip {
                return Ok(Effect::nothing(format!("{} is already registered", name.text)));
            }
            return Err(messages::definitions::type_exists(&name.text).at(name.at));
        }
        let catalog = &*self.catalog;
        let ty = expr::to_sql_type(ty, &|name| catalog.custom_type(name).cloned())?;
        let message = format!("Registered custom type with name '{}' and SQL type {ty}", name.text);
        self.catalog.put_type(name.text.clone(), ty);
        Ok(Effect::message(message))
    }

    pub(super) fn drop_type(&mut self, name: &Ident, if_exists: IfExists) -> Result<Effect> {
        if self.catalog.remove_type(&name.text) {
            Ok(Effect::message(format!("Dropped type '{}'", name.text)))
        } else if if_exists == IfExists::Skip {
            Ok(Effect::nothing(format!("Type '{}' does not exist", name.text)))
        } else {
            Err(messages::definitions::unknown_type(&name.text, self.catalog.types().keys().map(String::as_str))
                .at(name.at))
        }
    }
}

//! Names in sight of an expression.

use crate::catalog::{Catalog, Source};
use crate::error::{Error, Result};
use crate::expr::Scope;
use crate::nearest::nearest;
use crate::plan::{Schema, SchemaColumn};
use crate::sql::ast::Ident;
use crate::types::SqlType;

/// All columns that expressions over a source can name: its own, then the pseudo columns.
pub(super) fn scan_schema(source: &Source) -> Schema {
    let mut columns: Vec<SchemaColumn> =
        source.columns.iter().map(|column| SchemaColumn { name: column.name.clone(), ty: column.ty.clone() }).collect();
    let mut pseudo = |name: &str, ty| columns.push(SchemaColumn { name: name.to_string(), ty });
    pseudo("ROWTIME", SqlType::Bigint);
    pseudo("ROWPARTITION", SqlType::Int);
    pseudo("ROWOFFSET", SqlType::Bigint);
    if source.window.is_some() {
        pseudo("WINDOWSTART", SqlType::Bigint);
        pseudo("WINDOWEND", SqlType::Bigint);
    }
    Schema { columns, keys: source.key_columns().count() }
}

/// The columns of one step, under the names of the sources they may be qualified with.
pub struct Columns<'a> {
    pub schema: &'a Schema,
    /// Name and alias of the source.
    pub qualifiers: &'a [String],
    pub catalog: &'a Catalog,
}

impl Scope for Columns<'_> {
    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<(usize, SqlType)> {
        if let Some(source) = source
            && !self.qualifiers.contains(&source.text)
        {
            return Err(Error::statement(format!(
                "Column '{}.{}' cannot be resolved: there is no source '{}' here.",
                source.text, name.text, source.text
            ))
            .at(source.at));
        }
        let found = self.schema.columns.iter().position(|column| column.name == name.text);
        match found {
            Some(index) => Ok((index, self.schema.columns[index].ty.clone())),
            None => {
                let error = Error::statement(format!("Column '{}' cannot be resolved.", name.text)).at(name.at);
                let names = self.schema.columns.iter().map(|column| column.name.as_str());
                Err(match nearest(&name.text, names.filter(|name| !name.starts_with("KSQL_INTERNAL_"))) {
                    Some(other) if other.eq_ignore_ascii_case(&name.text) => {
                        error.hint(format!("Did you mean `{other}`? Names in back-ticks keep their case."))
                    }
                    Some(other) => error.hint(format!("Did you mean {other}?")),
                    None => error,
                })
            }
        }
    }

    fn custom_type(&self, name: &str) -> Option<SqlType> {
        self.catalog.custom_type(name).cloned()
    }
}

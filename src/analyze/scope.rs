//! Names in sight of an expression.

use crate::analyze::names::Names;
use crate::catalog::{Catalog, Source};
use crate::error::Result;
use crate::expr::{Rules, Scope};
use crate::messages;
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

/// A column that always has the value of another one, and that other one.
#[derive(Debug, Clone)]
pub(super) struct Synonym {
    pub name: String,
    pub column: String,
}

/// The columns of one step. Expressions name them as the plan does ([`Names::in_plan`]).
pub(super) struct Columns<'a> {
    pub schema: &'a Schema,
    pub synonyms: &'a [Synonym],
    pub names: &'a Names,
    pub catalog: &'a Catalog,
    pub rules: Rules,
}

impl Columns<'_> {
    /// Where a column stands; that of its synonym first, so that it needn't be kept twice.
    pub fn position(&self, name: &str) -> Option<usize> {
        let of = |name: &str| self.schema.columns.iter().position(|column| column.name == name);
        let synonym = self.synonyms.iter().find(|synonym| synonym.name == name);
        synonym.and_then(|synonym| of(&synonym.column)).or_else(|| of(name))
    }
}

impl Scope for Columns<'_> {
    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<(usize, SqlType)> {
        if let Some(source) = source {
            self.names.qualified_source(source)?;
        }
        if let Some(index) = self.position(&name.text) {
            return Ok((index, self.schema.columns[index].ty.clone()));
        }
        let names = self.schema.columns.iter().map(|column| column.name.as_str());
        let names: Vec<&str> = names.filter(|name| !name.starts_with("KSQL_")).collect();
        Err(messages::names::unknown_column(&name.text, name, &names).at(name.at))
    }

    fn custom_type(&self, name: &str) -> Option<SqlType> {
        self.catalog.custom_type(name).cloned()
    }

    fn rules(&self) -> Rules {
        self.rules
    }

    fn is_system_time(&self, column: &str) -> bool {
        self.names.is_system_time(column)
    }
}

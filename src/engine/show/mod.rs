//! SHOW, DESCRIBE, EXPLAIN: what exists, as facts.

mod describe;
mod explain;
mod standing;

pub(super) use describe::{describe, describe_all, describe_function};
pub(super) use explain::explain;
pub(super) use standing::query_counts;

use self::describe::summary_of;
pub(in crate::engine) use self::standing::health;
use self::standing::summary;
use crate::catalog::SourceKind;
use crate::engine::facts::{Facts, Property};
use crate::engine::{Inner, Session, settings};
use crate::error::Result;
use crate::expr::functions;
use crate::messages;
use crate::sql::ast::Show;

pub(super) fn show(inner: &Inner, what: &Show, session: &Session) -> Result<Facts> {
    match what {
        Show::Streams { .. } => Ok(sources(inner, SourceKind::Stream)),
        Show::Tables { .. } => Ok(sources(inner, SourceKind::Table)),
        Show::Topics { all, .. } => {
            inner.await_reach()?;
            let topics = inner.log.summaries()?;
            Ok(Facts::Topics(topics.into_iter().filter(|topic| *all || !topic.internal).collect()))
        }
        Show::Queries { extended: true } => explain::all_explained(inner).map(Facts::QueryDescriptions),
        Show::Queries { extended: false } => {
            let catalog = inner.catalog.read();
            Ok(Facts::Queries(catalog.queries().map(|query| summary(inner, &catalog, query)).collect()))
        }
        Show::Functions => {
            let rows = functions::rows(functions::table()).into_iter();
            Ok(Facts::Functions(rows.map(|(name, category)| (name.to_string(), category.to_string())).collect()))
        }
        Show::Properties => Ok(Facts::Properties(properties(session))),
        Show::Variables => {
            Ok(Facts::Variables(session.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect()))
        }
        Show::Types => {
            let catalog = inner.catalog.read();
            Ok(Facts::Types(catalog.types().iter().map(|(name, ty)| (name.clone(), ty.clone())).collect()))
        }
        Show::Connectors => Err(messages::statements::connectors()),
    }
}

fn sources(inner: &Inner, kind: SourceKind) -> Facts {
    let catalog = inner.catalog.read();
    let of_kind = catalog.sources().filter(|source| source.kind == kind);
    Facts::Sources(kind, of_kind.map(|source| summary_of(source)).collect())
}

fn properties(session: &Session) -> Vec<Property> {
    let property = |setting: &settings::Setting| Property {
        name: setting.name.to_string(),
        value: settings::value(&session.properties, setting.name).to_string(),
        overridden: session.properties.contains_key(setting.name),
        description: setting.description.to_string(),
    };
    settings::SETTINGS.iter().map(property).collect()
}

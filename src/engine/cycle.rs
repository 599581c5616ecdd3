//! Queries that feed each other in a ring: they have no end to run to. Pure: looks at a catalog.

use crate::catalog::Catalog;

/// A query as an edge from a topic to a topic.
struct Edge<'a> {
    /// Which of the queries that were given.
    query: usize,
    from: (&'a str, &'a str),
    to: (&'a str, &'a str),
}

/// A ring of queries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cycle {
    /// Names of the streams and tables along it: where it begins, what each query makes.
    pub names: Vec<String>,
    /// Positions of its queries in the list, in the order of the ring.
    pub queries: Vec<usize>,
}

/// The first ring among these queries of the catalog, by their order. Two names of one topic are one place.
pub(super) fn find(catalog: &Catalog, queries: &[String]) -> Option<Cycle> {
    let place = |name: &str| catalog.source(name).map(|source| (source.topic.as_str(), source.name.as_str()));
    let mut edges = Vec::new();
    for (query, id) in queries.iter().enumerate() {
        let Some(entry) = catalog.query(id) else { continue };
        let Some(to) = place(&entry.sink) else { continue };
        edges.extend(entry.sources.iter().filter_map(|name| Some(Edge { query, from: place(name)?, to })));
    }
    (0..edges.len()).find_map(|first| {
        let ring = path(&edges, first)?;
        let made = ring.iter().map(|edge| edges[*edge].to.1.to_string());
        let names = std::iter::once(edges[first].from.1.to_string()).chain(made).collect();
        Some(Cycle { names, queries: ring.iter().map(|edge| edges[*edge].query).collect() })
    })
}

/// The edges from `first` back to where it begins, if there is a way.
fn path(edges: &[Edge<'_>], first: usize) -> Option<Vec<usize>> {
    let goal = edges[first].from.0;
    let mut seen = vec![false; edges.len()];
    seen[first] = true;
    let mut ways = vec![vec![first]];
    while let Some(way) = ways.pop() {
        let reached = edges[*way.last()?].to.0;
        if reached == goal {
            return Some(way);
        }
        for (next, edge) in edges.iter().enumerate() {
            if edge.from.0 == reached && !std::mem::replace(&mut seen[next], true) {
                ways.push(way.iter().copied().chain([next]).collect());
            }
        }
    }
    None
}

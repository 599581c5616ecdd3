//! GET /metrics: what Prometheus reads. Counts of queries are read from their counters when it asks: no statement is run.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State as Shared};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::failure::Failure;
use super::state::{State, blocking};
use crate::engine::facts::{Counts, Health, QueryCounts};
use crate::error::{Error, Result};
use crate::report;
use crate::time::now;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// From 50 microseconds on, doubling, up to 6 seconds and a half.
const BUCKETS: (f64, f64, u16) = (0.00005, 2.0, 18);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabels {
    path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabels {
    query: String,
}

/// What was asked of a server.
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    /// Seconds until the answer began.
    seconds: Family<PathLabels, Histogram, fn() -> Histogram>,
    /// Seconds until a pull query was answered, or its first rows were there.
    pub pulls: Histogram,
    /// Push queries that were ended since their clients took nothing.
    pub given_up: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new(exponential_buckets(BUCKETS.0, BUCKETS.1, BUCKETS.2));
        Metrics {
            requests: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            pulls: histogram(),
            given_up: Counter::default(),
        }
    }
}

/// Counts a request by its route and status.
pub async fn count(
    Shared(state): Shared<Arc<State>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    // What has no route has no label of its own: clients can't make labels.
    let path = path.map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let begun = now();
    let method = request.method().clone();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let seconds = begun.elapsed().as_secs_f64();
    if state.log_requests {
        report::request(method.as_str(), &path, status, seconds);
    }
    state.metrics.seconds.get_or_create(&PathLabels { path: path.clone() }).observe(seconds);
    state.metrics.requests.get_or_create(&RequestLabels { path, status }).inc();
    response
}

pub async fn metrics(Shared(state): Shared<Arc<State>>) -> Response {
    match blocking(move || text(&state)).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Ok(Err(error)) | Err(error) => Failure::of(&error).into_response(),
    }
}

fn text(state: &State) -> Result<String> {
    let mut registry = Registry::with_prefix("millpond");
    registry.register("http_requests", "Requests, by route and status", state.metrics.requests.clone());
    registry.register(
        "http_request_seconds",
        "Seconds until the answer to a request began, by route",
        state.metrics.seconds.clone(),
    );
    registry.register("push_queries", "Push queries that run for clients", ConstGauge::new(state.running() as i64));
    registry.register(
        "pull_query_seconds",
        "Seconds until a pull query was answered, or the first of its rows were there",
        state.metrics.pulls.clone(),
    );
    registry.register(
        "push_queries_given_up",
        "Push queries that were ended because their clients took none of their rows",
        state.metrics.given_up.clone(),
    );
    registry.register_collector(Box::new(Queries(state.face.query_counts())));
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Error::internal(error.to_string()))?;
    Ok(text)
}

/// The persistent queries.
#[derive(Debug)]
struct Queries(Vec<QueryCounts>);

/// A count of a query: name, what it means, where it stands.
type Count = (&'static str, &'static str, fn(&Counts) -> u64);
const COUNTERS: [Count; 5] = [
    ("query_rows_in", "Rows read since the query was started", |counts| counts.rows_in),
    ("query_rows_out", "Rows written since the query was started", |counts| counts.rows_out),
    ("query_rows_late", "Rows left out because they came behind a window's grace", |counts| counts.late),
    ("query_rows_bad", "Rows of which something failed", |counts| counts.bad),
    ("query_commits", "Commits", |counts| counts.commits),
];
const GAUGES: [Count; 2] = [
    ("query_lag_records", "Records of its sources that a query has not read", |counts| {
        u64::try_from(counts.lag).unwrap_or(0)
    }),
    ("query_state_bytes", "Bytes that a query's state takes", |counts| counts.state_bytes),
];

impl Collector for Queries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let up = |query: &QueryCounts| i64::from(query.health == Health::Running);
        let mut metric = encoder.encode_descriptor(
            "query_running",
            "1: at work; 0: paused, failed, blocked, or not in this process",
            None,
            MetricType::Gauge,
        )?;
        for query in &self.0 {
            let labels = QueryLabels { query: query.id.clone() };
            ConstGauge::new(up(query)).encode(metric.encode_family(&labels)?)?;
        }
        for (name, help, count) in COUNTERS {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, counts) in self.counted() {
                ConstCounter::new(count(counts)).encode(metric.encode_family(&labels)?)?;
            }
        }
        let help = "Seconds that the query's commits took";
        let mut metric = encoder.encode_descriptor("query_commit_seconds", help, None, MetricType::Counter)?;
        for (labels, counts) in self.counted() {
            ConstCounter::new(counts.commit_micros as f64 / 1e6).encode(metric.encode_family(&labels)?)?;
        }
        for (name, help, count) in GAUGES {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, counts) in self.counted() {
                let value = i64::try_from(count(counts)).unwrap_or(i64::MAX);
                ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Queries {
    fn counted(&self) -> impl Iterator<Item = (QueryLabels, &Counts)> {
        self.0.iter().map(|query| (QueryLabels { query: query.id.clone() }, &query.counts))
    }
}

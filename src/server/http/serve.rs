//! A server: its address, its threads, and the way from a connection to the routes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::access::Access;
use super::limits::CALLS_MAX;
use super::listener::accept_all;
use super::peers::{self, PeerOptions};
use super::state::State;
use super::tls::{Tls, TlsFiles};
use super::{calls, cluster, commands, guard, info, inserts, metrics, query, statements, terminate, websocket};
use crate::config::QueryLimits;
use crate::engine::Face;
use crate::error::{Error, Result};
use crate::server::{Holder, local};

/// Statements run on these threads, and deeply nested ones need room: as much as on a main thread.
const STACK_BYTES: usize = 8 << 20;

/// How a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// Port 0: any that is free.
    pub listen: SocketAddr,
    /// The file of users and tokens ([`access`](super::access)). None: whoever can connect may do all.
    pub access: Option<PathBuf>,
    /// Certificates (the server's first) and its key, in PEM; without them the server speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The origins whose web pages may ask; `*`: all.
    pub origins: Vec<String>,
    /// Also where others can connect, whoever can may do all.
    pub allow_anyone: bool,
    /// What requests' sessions begin with; a request's own properties go before.
    pub properties: BTreeMap<String, String>,
    /// Queries of clients at once.
    pub queries: QueryLimits,
    /// Each request is told of on stderr.
    pub log_requests: bool,
    /// Time for which the client of a push query may take nothing while rows wait for it; then the query ends with a reason.
    pub slow_client_max: Duration,
    /// How it meets the other processes of its service, if it has any.
    pub peers: PeerOptions,
}

/// Serves until it is dropped, which ends the push queries of its clients and lets answers under way go out.
pub struct HttpServer {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The service was ended by a request: there is nothing to serve any more.
    pub fn is_terminated(&self) -> bool {
        self.state.terminated.load(Ordering::SeqCst)
    }
}

/// Listens, and serves an engine, which starts its queries behind this: others are to know where it is reached.
///
/// # Errors
/// The address can't be listened on; others could connect, and there is no access file; a file can't be read or is wrong.
pub fn serve(face: Arc<dyn Face>, holder: Holder, options: &HttpOptions) -> Result<HttpServer> {
    let cannot = |cause: std::io::Error| {
        Error::world(format!("cannot listen on {}: {cause}", options.listen)).hint(match cause.kind() {
            std::io::ErrorKind::AddrInUse => "another process listens there: choose another port with --listen",
            _ => "choose another address with --listen",
        })
    };
    if !options.listen.ip().is_loopback() && options.access.is_none() && !options.allow_anyone {
        let what = format!("others can connect to {}, and everybody could do everything", options.listen);
        return Err(Error::world(what).hint(
            "give a file of users and tokens with --access (`millpond access` makes it), or say --allow-anyone",
        ));
    }
    let access = options.access.as_deref().map(Access::open).transpose()?;
    let tls = options.tls.as_ref().map(Tls::open).transpose()?;
    let runtime = runtime().map_err(cannot)?;
    let listener = runtime.block_on(TcpListener::bind(options.listen)).map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let hosts = Arc::default();
    let company = peers::meet(face.shared(), options, address, &hosts)?;
    let state = Arc::new(State::new(face, holder, access, options, address, hosts, company));
    let router = router(state.clone());
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("http-server".into())
        .spawn(move || {
            runtime.block_on(accept_all(listener, tls, router, stopped));
            // What still blocks is left behind: it ends with its call.
            runtime.shutdown_background();
        })
        .map_err(cannot)?;
    Ok(HttpServer { address, state, stop: Some(stop), thread: Some(thread) })
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(CALLS_MAX)
        .thread_stack_size(STACK_BYTES)
        .thread_name("http-server")
        .enable_all()
        .build()
}

/// What the OpenAPI document tells of.
fn routes() -> Vec<(&'static str, MethodRouter<Arc<State>>)> {
    vec![
        ("/", get(info::root)),
        ("/info", get(info::info)),
        ("/healthcheck", get(info::healthcheck)),
        ("/chc/ready", get(info::probe)),
        ("/chc/live", get(info::probe)),
        ("/v1/metadata", get(info::metadata)),
        ("/v1/metadata/id", get(info::metadata_id)),
        ("/is_valid_property/{name}", get(info::is_valid_property)),
        ("/openapi.json", get(info::openapi)),
        ("/ksql", post(statements::run)),
        ("/ksql/terminate", post(terminate::terminate)),
        ("/status", get(commands::all)),
        ("/status/{kind}/{name}/{action}", get(commands::one)),
        ("/clusterStatus", get(cluster::status)),
        (peers::HEARTBEAT, post(cluster::heartbeat)),
        (peers::LAG, post(cluster::lag)),
        ("/query", post(query::query)),
        ("/query-stream", post(query::query_stream)),
        ("/close-query", post(query::close)),
        ("/inserts-stream", post(inserts::inserts)),
        ("/metrics", get(metrics::metrics)),
        ("/ws/query", get(websocket::query)),
    ]
}

fn router(state: Arc<State>) -> Router {
    let calls = local::routes().with_state(state.owner.clone());
    let calls = calls.layer(middleware::from_fn_with_state(state.clone(), calls::check));
    let router = routes().into_iter().fold(Router::new(), |router, (path, method)| router.route(path, method));
    router
        .route(peers::PULL, post(peers::pull))
        .merge(calls)
        .fallback(info::not_found)
        .method_not_allowed_fallback(info::not_allowed)
        .layer(middleware::from_fn_with_state(state.clone(), guard::check))
        .layer(cors(&state.origins))
        .layer(middleware::from_fn_with_state(state.clone(), metrics::count))
        .with_state(state)
}

/// What browsers are told of the pages that may ask.
fn cors(origins: &[String]) -> CorsLayer {
    let allowed = match origins.iter().any(|origin| origin == "*") {
        true => AllowOrigin::any(),
        false => AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    CorsLayer::new().allow_origin(allowed).allow_methods([Method::GET, Method::POST]).allow_headers([
        header::ACCEPT,
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
    ])
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.state.stop();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_openapi_document_tells_of_all_routes() {
        let document: serde_json::Value = serde_json::from_str(info::OPENAPI).unwrap();
        let told: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let routes: BTreeSet<&str> = routes().iter().map(|(path, _)| *path).collect();
        assert_eq!(told, routes);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}

//! The processes of a service, as they talk to each other: heartbeats, what each keeps, and pull queries that one passes on.
//!
//! A process is found by what it tells of itself as a member of its queries' groups. What goes between them is repeatable, and
//! bears the token of [`PeerOptions`], which must be one of an admin where processes ask who asks them.

mod calls;
mod pull;
mod thread;

use std::path::PathBuf;
use std::sync::Arc;

pub use calls::Calls;
pub use pull::pull;
pub use thread::Company;

use super::HttpOptions;
use super::cluster::Hosts;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::server::client::{Address, Credentials};

/// Where processes ask each other.
pub const PEER_PATHS: [&str; 3] = [HEARTBEAT, LAG, PULL];

pub const HEARTBEAT: &str = "/heartbeat";
pub const LAG: &str = "/lag";
pub const PULL: &str = "/millpond/pull";

/// How a server meets the other processes of its service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerOptions {
    /// Where they reach it: `https://10.0.0.3:8088`. None: where it listens.
    pub advertise: Option<String>,
    /// What it shows them.
    pub credentials: Option<Credentials>,
    /// Certificates in PEM that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
}

impl PeerOptions {
    /// A process to ask.
    pub fn address(&self, url: &str) -> Result<Address> {
        let ca = self.ca.as_deref().filter(|_| url.starts_with("https:"));
        Address::new(url, ca, self.credentials.as_ref())
    }
}

/// Where others reach a server, or why they can't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    At(String),
    Not(&'static str),
}

/// `listens`: where it listens, with the port that it has.
///
/// Errors: what is advertised isn't an address, or nobody may send a token there.
pub fn reach(options: &HttpOptions, listens: std::net::SocketAddr) -> Result<Reach> {
    let peers = &options.peers;
    if let Some(url) = &peers.advertise {
        let address =
            peers.address(url).map_err(|error| Error { what: format!("--advertise: {}", error.what), ..error })?;
        return Ok(Reach::At(address.to_string()));
    }
    if options.access.is_some() && peers.credentials.is_none() {
        return Ok(Reach::Not(
            "they would have to say who they are: give each --peer-token-file, with a token of an admin",
        ));
    }
    if listens.ip().is_unspecified() {
        return Ok(Reach::Not("it listens on all addresses: say with --advertise where they reach it"));
    }
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    match peers.address(&format!("{scheme}://{listens}")) {
        Ok(address) => Ok(Reach::At(address.to_string())),
        Err(_) => Ok(Reach::Not("a token would go there for everybody to read: use TLS")),
    }
}

/// Lets a server meet the others of its service, if it has any. To be called before the queries start.
///
/// Errors: what it is told to advertise can't be; no thread can be started.
pub fn meet(
    engine: Option<Engine>,
    options: &HttpOptions,
    listens: std::net::SocketAddr,
    hosts: &Arc<Hosts>,
) -> Result<Option<Company>> {
    let Some(engine) = engine else { return Ok(None) };
    match reach(options, listens)? {
        Reach::At(url) => Company::start(engine, &url, options.peers.clone(), hosts.clone()),
        Reach::Not(why) => {
            eprintln!("warning: other processes of the service can't ask this one, nor it them: {why}");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::QueryLimits;

    fn options(access: bool, token: bool, advertise: Option<&str>) -> HttpOptions {
        HttpOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            access: access.then(|| "access".into()),
            tls: None,
            origins: Vec::new(),
            allow_anyone: false,
            peers: PeerOptions {
                advertise: advertise.map(str::to_owned),
                credentials: token.then(|| Credentials::Token("t".into())),
                ca: None,
            },
            properties: BTreeMap::new(),
            queries: QueryLimits::default(),
            log_requests: false,
            slow_client_max: crate::server::http::SLOW_CLIENT_MAX,
        }
    }

    #[test]
    fn where_others_reach_a_server() {
        let at = |options: &HttpOptions, listens: &str| reach(options, listens.parse().unwrap()).unwrap();
        let url = |url: &str| Reach::At(url.to_owned());
        assert_eq!(at(&options(false, false, None), "127.0.0.1:81"), url("http://127.0.0.1:81"));
        assert_eq!(at(&options(false, false, None), "[::1]:81"), url("http://[::1]:81"));
        assert_eq!(at(&options(false, false, Some("http://pond")), "0.0.0.0:81"), url("http://pond:8088"));
        assert_eq!(at(&options(true, true, None), "127.0.0.1:81"), url("http://127.0.0.1:81"));
        let is_not = |reach: Reach, why: &str| matches!(reach, Reach::Not(told) if told.contains(why));
        assert!(is_not(at(&options(false, false, None), "0.0.0.0:81"), "--advertise"));
        assert!(is_not(at(&options(true, false, None), "127.0.0.1:81"), "--peer-token-file"));
        assert!(is_not(at(&options(true, true, None), "10.0.0.3:81"), "TLS"));
        let error = reach(&options(true, true, Some("http://pond")), "10.0.0.3:81".parse().unwrap()).unwrap_err();
        assert!(error.what.contains("https"), "{error}");
    }
}

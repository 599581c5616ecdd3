//! `millpond server`: the HTTP API on the network.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::log::Signal;
use crate::report;
use crate::server::http::{HttpOptions, PeerOptions, TlsFiles};

use super::args::ServerOptions;
use super::connect::{self, Connection};
use super::exit::{Stop, complain};
use super::interrupt::Watch;
use super::output::Output;
use super::patience::Patience;

/// A signal that was missed is seen by then.
const TICK: Duration = Duration::from_secs(1);

pub fn command(options: &ServerOptions, connection: &Connection, out: &mut Output) -> Result<(), Stop> {
    if options.log_format == "json" {
        report::begin_json();
    }
    let signal = Arc::new(Signal::default());
    let watch = Watch::ringing(&signal);
    let tls = options.tls_cert.clone().zip(options.tls_key.clone());
    let http = HttpOptions {
        listen: options.listen,
        access: options.access.clone(),
        tls: tls.map(|(certificates, key)| TlsFiles { certificates, key }),
        origins: options.allow_origin.clone(),
        allow_anyone: options.allow_anyone,
        properties: connection.config.properties.clone(),
        queries: connection.config.queries,
        log_requests: options.log_requests,
        slow_client_max: Duration::from_secs(options.slow_client_max),
        peers: PeerOptions {
            advertise: options.advertise.clone().or_else(|| connection.config.advertised.clone()),
            credentials: options.peer_credentials()?,
            ca: options.peer_ca.clone(),
        },
    };
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    let patience = Patience {
        longest: Patience::longest(connection),
        signal: signal.clone(),
        given_up: &|| watch.caught(),
        tell: &|line| complain(line),
    };
    let server = connect::start_server(connection, &http, &patience)?;
    // Scripts wait for this line, and read the port from it.
    let said = out.line(&format!("listening on {scheme}://{}", server.http.address())).and_then(|()| out.flush());
    while said.is_ok() && !watch.caught() && !server.http.is_terminated() {
        signal.wait(TICK);
    }
    server.stop()?;
    Ok(said?)
}

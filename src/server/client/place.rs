//! Where a client connects to: the socket of a data folder, or a server on the network.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::{CallError, Who, tls};
use crate::error::Result;
use crate::messages;
use crate::server::local::find_socket;

/// The port of ksqlDB's API, where a URL names none.
const PORT_DEFAULT: u16 = 8088;

/// Where to connect to.
pub enum Place {
    /// The process that holds this data folder.
    Folder(PathBuf),
    /// A server.
    Server(Address),
}

/// A server on the network, and who asks it.
#[derive(Debug, Clone)]
pub struct Address {
    /// `https://pond.example.org:8088`
    url: String,
    host: String,
    port: u16,
    /// None: plain HTTP.
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// The header, which is never shown.
    authorization: Option<HeaderValue>,
}

/// Who asks a server.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Name and password.
    User(String, String),
    /// A bearer token.
    Token(String),
}

/// Passwords don't get into logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Credentials::User(name, _) => write!(f, "User({name})"),
            Credentials::Token(_) => f.write_str("Token"),
        }
    }
}

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Address {
    /// Of `http://HOST[:PORT]` or `https://...`; a bare `HOST[:PORT]` is plain HTTP. `ca`: certificates in PEM that are trusted
    /// instead of the system's.
    ///
    /// # Errors
    /// The URL isn't one of a server, a password would go out unencrypted to another machine, a file can't be read.
    pub fn new(url: &str, ca: Option<&std::path::Path>, credentials: Option<&Credentials>) -> Result<Address> {
        let wrong = |why: &str| messages::access::address(url, why);
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let parsed = url::Url::parse(&full).map_err(|error| wrong(&error.to_string()))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong("who asks doesn't stand in it: give --user or --token-file"));
        }
        if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(wrong("nothing may stand behind host and port"));
        }
        let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("the host is missing"))?;
        // IPv6 stands in brackets in a URL only.
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match parsed.scheme() {
            "http" if ca.is_some() => return Err(wrong("--tls-ca is for https")),
            "http" => None,
            "https" => {
                let name = ServerName::try_from(bare.clone()).map_err(|error| wrong(&error.to_string()))?;
                Some((tls::client_config(ca)?, name))
            }
            scheme => return Err(wrong(&format!("{scheme} is neither http nor https"))),
        };
        let own = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if credentials.is_some() && tls.is_none() && !own {
            return Err(wrong("a password or token would go there for everybody to read: use https"));
        }
        let port = parsed.port().unwrap_or(PORT_DEFAULT);
        let authorization = credentials.map(authorization).transpose()?;
        let url = format!("{}://{host}:{port}", parsed.scheme());
        Ok(Address { url, host: bare, port, tls, authorization })
    }
}

fn authorization(credentials: &Credentials) -> Result<HeaderValue> {
    let text = match credentials {
        Credentials::User(name, password) => format!("Basic {}", BASE64.encode(format!("{name}:{password}"))),
        Credentials::Token(token) => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| messages::access::token())?;
    value.set_sensitive(true);
    Ok(value)
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

impl Place {
    /// How errors name the other side.
    pub fn who(&self) -> String {
        match self {
            Place::Folder(_) => "the process that holds the data folder".to_owned(),
            Place::Server(address) => format!("the server at {}", address.url),
        }
    }

    /// Of the Host header.
    pub fn host(&self) -> String {
        match self {
            Place::Folder(_) => "localhost".to_owned(),
            Place::Server(address) => address.url.split("//").nth(1).unwrap_or_default().to_owned(),
        }
    }

    /// Of the Authorization header.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        match self {
            Place::Folder(_) => None,
            Place::Server(address) => address.authorization.as_ref(),
        }
    }

    /// Opens a connection.
    pub async fn connect(&self, who: &Who) -> Result<Box<dyn Stream>, CallError> {
        match self {
            Place::Folder(folder) => {
                let socket = find_socket(folder).ok_or(CallError::Nobody)?;
                let stream = UnixStream::connect(socket).await.map_err(|cause| match cause.kind() {
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => CallError::Nobody,
                    _ => CallError::Connect(who.clone(), cause),
                })?;
                Ok(Box::new(stream))
            }
            Place::Server(address) => {
                let cannot = |cause| CallError::Connect(who.clone(), cause);
                let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(cannot)?;
                stream.set_nodelay(true).map_err(cannot)?;
                match &address.tls {
                    None => Ok(Box::new(stream)),
                    Some((config, name)) => {
                        let connector = TlsConnector::from(config.clone());
                        Ok(Box::new(connector.connect(name.clone(), stream).await.map_err(cannot)?))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let url = |text: &str| Address::new(text, None, None).map(|address| (address.url, address.host, address.port));
        let told = |url: &str, host: &str, port| Ok((url.to_owned(), host.to_owned(), port));
        assert_eq!(url("http://localhost"), told("http://localhost:8088", "localhost", 8088));
        assert_eq!(url("pond:99/"), told("http://pond:99", "pond", 99));
        assert_eq!(url("http://[::1]:7"), told("http://[::1]:7", "::1", 7));
        for (text, why) in [
            ("ftp://a", "neither http nor https"),
            ("http://a/b", "nothing may stand behind"),
            ("http://ann:x@a", "--user"),
            ("http://", "host"),
        ] {
            assert!(url(text).unwrap_err().to_string().contains(why), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_sent_for_all_to_read_nor_shown() {
        let ann = Credentials::User("ann".into(), "secret".into());
        assert!(Address::new("http://pond.example.org", None, Some(&ann)).is_err());
        let address = Address::new("http://127.0.0.1:1", None, Some(&ann)).ok().unwrap();
        assert_eq!(address.authorization.as_ref().unwrap(), "Basic YW5uOnNlY3JldA==");
        assert!(!format!("{:?} {ann:?}", address.authorization).contains("YW5u"));
        assert!(!format!("{ann:?}").contains("secret"));
    }
}

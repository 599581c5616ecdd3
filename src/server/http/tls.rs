//! TLS of the server's connections, with certificates that are read anew when their files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::{Error, Result};
use crate::report;
use crate::time::now;

/// How often the files are looked at, when somebody connects.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where certificates and key lie, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate first, then those that lead to one that its clients trust.
    pub certificates: PathBuf,
    /// Of the first certificate.
    pub key: PathBuf,
}

/// Takes TLS connections.
pub struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// When the files were looked at last, and how old they were then.
    looked: Instant,
    changed: [Option<SystemTime>; 2],
}

impl Tls {
    /// Reads certificates and key.
    ///
    /// # Errors
    /// They can't be read, or don't fit each other.
    pub fn open(files: &TlsFiles) -> Result<Tls> {
        let changed = changed(files);
        let acceptor = acceptor(files)?;
        Ok(Tls { files: files.clone(), current: Mutex::new(Current { acceptor, looked: now(), changed }) })
    }

    /// The handshake.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.current();
        acceptor.accept(stream).await
    }

    /// By the files as they are; files that are wrong leave things as they were, and are told of.
    fn current(&self) -> TlsAcceptor {
        let mut current = self.current.lock();
        if current.looked.elapsed() >= LOOK_EVERY {
            current.looked = now();
            let changed = changed(&self.files);
            if changed != current.changed {
                current.changed = changed;
                match acceptor(&self.files) {
                    Ok(acceptor) => current.acceptor = acceptor,
                    Err(error) => report::warning(&format!("the certificates stay as they were: {error}")),
                }
            }
        }
        current.acceptor.clone()
    }
}

fn changed(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    [&files.certificates, &files.key].map(|file| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok())
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor> {
    let cannot = |file: &Path, why: String| Error::world(format!("cannot use {}: {why}", file.display()));
    let certificates = CertificateDer::pem_file_iter(&files.certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| cannot(&files.certificates, error.to_string()))?;
    if certificates.is_empty() {
        return Err(cannot(&files.certificates, "it has no certificate in PEM".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| cannot(&files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| cannot(&files.certificates, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

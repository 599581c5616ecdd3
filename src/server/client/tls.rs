//! TLS of a client: whom it trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Result};

/// Names a file of certificates, as with OpenSSL.
const VARIABLE: &str = "SSL_CERT_FILE";
/// Where systems keep the certificates that they trust.
const SYSTEM_FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
];

/// Trusts the certificates of `ca`, else those of the system.
pub fn client_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let file = match ca {
        Some(file) => file.to_owned(),
        None => system_file().ok_or_else(|| {
            Error::world("no file with the certificates that this system trusts was found")
                .hint("give one with --tls-ca")
        })?,
    };
    let failed = |why: String| Error::world(format!("cannot use the certificates of {}: {why}", file.display()));
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(&file).map_err(|error| failed(error.to_string()))?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))?;
    // A system's file may have some of a kind that isn't known here.
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(failed("there are none that can be used".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::internal(format!("TLS can't be set up: {error}")))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn system_file() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    named.or_else(|| SYSTEM_FILES.iter().map(PathBuf::from).find(|file| file.is_file()))
}

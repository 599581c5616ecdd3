//! The options of a server, of who may ask it, and of a command that does.

use std::ffi::OsString;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Common, Stop};
use crate::error::Error;
use crate::server::client::Credentials;
use crate::server::http::SLOW_CLIENT_MAX;
use crate::server::http::access::Role;

/// Where the password of --user is, when no file is named: arguments can be read by everybody on the machine.
const PASSWORD_VARIABLE: &str = "MILLPOND_PASSWORD";

/// The arguments with a server's address in the place of a command, `millpond http://localhost:8088`, made `--server`.
pub fn with_server(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if let Some(first) = arguments.get_mut(1)
        && first.to_str().is_some_and(|first| first.starts_with("http://") || first.starts_with("https://"))
    {
        let mut option = OsString::from("--server=");
        option.push(&*first);
        *first = option;
    }
    arguments
}

#[derive(Debug, Args)]
pub struct ServerOptions {
    /// Where to listen; port 0: any that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8088")]
    pub listen: SocketAddr,
    /// Who may do what: users and tokens, as `millpond access` writes them
    #[arg(long, value_name = "FILE")]
    pub access: Option<PathBuf>,
    /// Certificates in PEM, the server's first; they are read anew when they change
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Web pages of this origin may ask, e.g. https://dash.example.org; `*`: all. May be given more than once
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// Also where others can connect, whoever can may do everything
    #[arg(long, conflicts_with = "access")]
    pub allow_anyone: bool,
    /// How lines on stderr are written; json: an object a line, for programs that collect them
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub log_format: String,
    /// Writes a line for each request: its route, the status, and how long it took
    #[arg(long)]
    pub log_requests: bool,
    /// The client of a push query that takes none of its rows for so long is told so and let go
    #[arg(long, value_name = "SECONDS", default_value_t = SLOW_CLIENT_MAX.as_secs(), value_parser = clap::value_parser!(u64).range(1..))]
    pub slow_client_max: u64,
    /// On a cluster: where the other processes of the service reach this one [default: ksql.advertised.listener, or where it
    /// listens]
    #[arg(long, value_name = "URL")]
    pub advertise: Option<String>,
    /// On a cluster: a token, on the first line of a file, that this process shows to the others; of an admin
    #[arg(long, value_name = "FILE")]
    pub peer_token_file: Option<PathBuf>,
    /// Certificates in PEM that are trusted when those of the other processes are checked, instead of the system's
    #[arg(long, value_name = "FILE")]
    pub peer_ca: Option<PathBuf>,
}

impl ServerOptions {
    /// What this process shows to others of its service.
    pub fn peer_credentials(&self) -> Result<Option<Credentials>, Stop> {
        self.peer_token_file.as_deref().map(|file| first_line(file).map(Credentials::Token)).transpose()
    }
}

#[derive(Debug, Subcommand)]
pub enum AccessCommand {
    /// Adds a user, or gives one another password or role; the password is read from stdin
    User(AccessEntry),
    /// Adds a token and prints it, this once
    Token(AccessEntry),
    /// Takes a user, or the tokens of that name, out
    Remove {
        name: String,
        /// The file
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct AccessEntry {
    pub name: String,
    /// read: queries; write: INSERT and DELETE too; admin: everything
    #[arg(long, value_name = "ROLE", value_parser = Role::NAMES)]
    pub role: String,
    /// The file; it is made when it is not there
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
}

impl Common {
    /// Who asks a server.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>, Stop> {
        if let Some(file) = &self.token_file {
            return Ok(Some(Credentials::Token(first_line(file)?)));
        }
        let Some(user) = &self.user else { return Ok(None) };
        let password = match &self.password_file {
            Some(file) => first_line(file)?,
            None => std::env::var(PASSWORD_VARIABLE).map_err(|_| {
                Stop::Usage(format!("the password of {user} is neither in {PASSWORD_VARIABLE} nor in --password-file"))
            })?,
        };
        Ok(Some(Credentials::User(user.clone(), password)))
    }
}

/// The first line of a file.
fn first_line(file: &Path) -> Result<String, Stop> {
    let mut line = String::new();
    let read = std::fs::File::open(file).and_then(|file| std::io::BufReader::new(file).read_line(&mut line));
    read.map_err(|cause| Stop::from(Error::world(format!("cannot read {}: {cause}", file.display()))))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

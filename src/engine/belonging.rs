//! What a data folder belongs to: the log inside it, or a service on a Kafka cluster. A folder never changes sides, so that a
//! statement for one cluster is never carried out on another log.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::catalog::Service;
use crate::error::{Error, Result};
use crate::log::kafka::KafkaConfig;

/// The log and the service that a data folder is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Belonging {
    /// None: the folder's own log.
    pub cluster: Option<ClusterName>,
    /// `ksql.service.id`
    pub service: String,
}

/// What is known of a cluster's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterName {
    /// What the cluster itself says. None: not asked yet.
    pub id: Option<String>,
    /// By which it is, or was, found: several with commas between.
    pub bootstrap: String,
}

/// Whether two are the same, as far as can be told from what is known of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    Same,
    Different,
    /// Other addresses: the clusters' ids tell.
    AskForId,
}

impl Belonging {
    /// What a process works with that is set up so; the cluster isn't asked.
    pub fn wanted(kafka: Option<&KafkaConfig>, service: &Service) -> Belonging {
        let cluster = kafka.map(|kafka| ClusterName { id: None, bootstrap: kafka.bootstrap().to_owned() });
        Belonging { cluster, service: service.id().to_owned() }
    }

    /// With the cluster's id, as it says itself.
    #[must_use]
    pub fn with_id(self, id: String) -> Belonging {
        let cluster = self.cluster.map(|cluster| ClusterName { id: Some(id), ..cluster });
        Belonging { cluster, ..self }
    }

    /// Whether `wanted` is what this is.
    pub fn compare(&self, wanted: &Belonging) -> Sameness {
        if self.service != wanted.service {
            return Sameness::Different;
        }
        match (&self.cluster, &wanted.cluster) {
            (None, None) => Sameness::Same,
            (Some(own), Some(wanted)) => own.compare(wanted),
            (None, Some(_)) | (Some(_), None) => Sameness::Different,
        }
    }

    /// The error of who wants something else of a folder than what it is of.
    pub fn refuse(&self, folder: &Path, wanted: &Belonging) -> Error {
        let hint = match (&self.cluster, &wanted.cluster) {
            (None, None) => format!("give --config-file with ksql.service.id={}", self.service),
            (None, Some(_)) => {
                "each service on a cluster has a data folder of its own: give another --data-dir; for the folder's own log leave out --bootstrap-servers (MILLPOND_BOOTSTRAP_SERVERS) and bootstrap.servers".to_owned()
            }
            (Some(cluster), None) => {
                format!("for that cluster give --bootstrap-servers {}; else another --data-dir", cluster.bootstrap)
            }
            (Some(_), Some(_)) => {
                "each service on each cluster has a data folder of its own: give another --data-dir, or the address and the ksql.service.id of this one".to_owned()
            }
        };
        Error::world(format!("the data folder {} is of {self}, and this command is for {wanted}", folder.display()))
            .hint(hint)
    }
}

impl ClusterName {
    fn compare(&self, wanted: &ClusterName) -> Sameness {
        match (&self.id, &wanted.id) {
            (Some(own), Some(wanted)) if own == wanted => Sameness::Same,
            (Some(_), Some(_)) => Sameness::Different,
            _ if addresses(&self.bootstrap) == addresses(&wanted.bootstrap) => Sameness::Same,
            _ => Sameness::AskForId,
        }
    }
}

fn addresses(bootstrap: &str) -> BTreeSet<&str> {
    bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty()).collect()
}

impl fmt::Display for Belonging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cluster {
            None => write!(f, "its own log (service '{}')", self.service),
            Some(ClusterName { id: Some(id), bootstrap }) => {
                write!(f, "service '{}' on the Kafka cluster {id} at {bootstrap}", self.service)
            }
            Some(ClusterName { id: None, bootstrap }) => {
                write!(f, "service '{}' on the Kafka cluster at {bootstrap}", self.service)
            }
        }
    }
}

/// In the folder of a service on a cluster; a folder with a log of its own is known by that.
const FILE: &str = "cluster.json";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    cluster_id: Option<String>,
    bootstrap_servers: String,
    service_id: String,
}

/// Fails when the folder is of something else, as far as that can be told. Nothing is written.
pub(super) fn check(folder: &Path, own_log: &str, wanted: &Belonging) -> Result<()> {
    if let Some(stored) = read(folder)? {
        return match stored.compare(wanted) {
            Sameness::Different => Err(stored.refuse(folder, wanted)),
            // Who opens it finds out the id and comes again.
            Sameness::Same | Sameness::AskForId => Ok(()),
        };
    }
    if wanted.cluster.is_some() && folder.join(own_log).exists() {
        let of = Belonging { cluster: None, service: wanted.service.clone() };
        return Err(of.refuse(folder, wanted));
    }
    Ok(())
}

/// Makes the folder one of this service on this cluster, whose id is known; fails when it is of something else. The caller holds
/// the folder.
pub(super) fn claim(folder: &Path, own_log: &str, wanted: &Belonging) -> Result<()> {
    check(folder, own_log, wanted)?;
    let Some(cluster) = &wanted.cluster else { return Ok(()) };
    if read(folder)?.as_ref().is_some_and(|stored| stored == wanted) {
        return Ok(());
    }
    let stored = Stored {
        version: VERSION,
        cluster_id: cluster.id.clone(),
        bootstrap_servers: cluster.bootstrap.clone(),
        service_id: wanted.service.clone(),
    };
    let path = folder.join(FILE);
    let fresh = folder.join(format!("{FILE}.new"));
    let text = serde_json::to_string_pretty(&stored).map_err(|error| Error::internal(error.to_string()))?;
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, &path))
        .map_err(|error| Error::world(format!("cannot write {}: {error}", path.display())))
}

fn read(folder: &Path) -> Result<Option<Belonging>> {
    let path = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::world(format!("cannot read {}: {error}", path.display()))),
    };
    let cannot = |why: String| {
        Error::world(format!("{} doesn't say which cluster the data folder is of: {why}", path.display()))
            .hint("restore the file, or give another --data-dir")
    };
    let stored: Stored = serde_json::from_str(&text).map_err(|error| cannot(error.to_string()))?;
    if stored.version > VERSION {
        return Err(cannot(format!("it has version {}, and this program knows up to {VERSION}", stored.version)));
    }
    let cluster = Some(ClusterName { id: stored.cluster_id, bootstrap: stored.bootstrap_servers });
    Ok(Some(Belonging { cluster, service: stored.service_id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded(service: &str) -> Belonging {
        Belonging { cluster: None, service: service.to_owned() }
    }

    fn kafka(id: Option<&str>, bootstrap: &str, service: &str) -> Belonging {
        let cluster = ClusterName { id: id.map(str::to_owned), bootstrap: bootstrap.to_owned() };
        Belonging { cluster: Some(cluster), service: service.to_owned() }
    }

    #[test]
    fn the_id_decides_where_it_is_known_and_else_the_addresses() {
        let own = kafka(Some("A"), "a:1,b:1", "s_");
        for (wanted, expected) in [
            (kafka(Some("A"), "c:1", "s_"), Sameness::Same),
            (kafka(Some("B"), "a:1,b:1", "s_"), Sameness::Different),
            (kafka(None, "b:1, a:1", "s_"), Sameness::Same),
            (kafka(None, "a:1", "s_"), Sameness::AskForId),
            (kafka(Some("A"), "a:1,b:1", "t_"), Sameness::Different),
            (embedded("s_"), Sameness::Different),
        ] {
            assert_eq!(own.compare(&wanted), expected, "{wanted}");
        }
        assert_eq!(embedded("s_").compare(&embedded("s_")), Sameness::Same);
        assert_eq!(embedded("s_").compare(&embedded("t_")), Sameness::Different);
        assert_eq!(embedded("s_").compare(&own), Sameness::Different);
    }

    #[test]
    fn a_folder_stays_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let own = kafka(Some("A"), "a:1", "s_");
        check(folder.path(), "log", &own).unwrap();
        claim(folder.path(), "log", &own).unwrap();
        // Another way to the same cluster, whose id the opening process finds out.
        check(folder.path(), "log", &kafka(None, "b:1", "s_")).unwrap();
        claim(folder.path(), "log", &kafka(Some("A"), "b:1", "s_")).unwrap();
        for other in [kafka(Some("B"), "a:1", "s_"), kafka(Some("A"), "a:1", "t_"), embedded("s_")] {
            let error = check(folder.path(), "log", &other).unwrap_err();
            assert!(error.what.contains("service 's_' on the Kafka cluster A at b:1"), "{error}");
            assert!(error.what.contains(&other.to_string()), "{error}");
            assert!(error.hint.unwrap().contains("--data-dir"));
            assert!(claim(folder.path(), "log", &other).is_err());
        }
    }

    #[test]
    fn a_folder_with_a_log_is_no_clusters() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        check(folder.path(), "log", &embedded("s_")).unwrap();
        let error = claim(folder.path(), "log", &kafka(Some("A"), "a:1", "s_")).unwrap_err();
        assert!(error.what.contains("its own log"), "{error}");
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_file_that_says_nothing_is_no_leave_to_write() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{\"version\":9,\"cluster_id\":null,\"bootstrap_servers\":\"a:1\",\"service_id\":\"s_\"}"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            assert!(claim(folder.path(), "log", &kafka(Some("A"), "a:1", "s_")).is_err());
            assert!(check(folder.path(), "log", &embedded("s_")).is_err());
        }
    }
}

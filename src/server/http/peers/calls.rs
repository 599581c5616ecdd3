//! Calls to the other processes that are known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use hyper::Method;
use parking_lot::Mutex;

use super::super::cluster::Hosts;
use super::super::limits::{FORWARD_TIME_MAX, HEARTBEAT_TIME_MAX};
use super::{HEARTBEAT, LAG, PULL, PeerOptions, pull};
use crate::engine::facts::Health;
use crate::engine::peers::{PartAnswer, PartAsked, Peers, Process};
use crate::server::client::{CallError, Client, Place};
use crate::time::{now, wall_time_ms};

/// How often a caller that waits looks whether the process still answers others.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The other processes.
pub struct Calls {
    options: PeerOptions,
    /// What they tell of themselves.
    hosts: Arc<Hosts>,
    known: Mutex<BTreeMap<Process, Arc<Known>>>,
}

/// Another process.
struct Known {
    client: Client,
    /// It answered the last call.
    answers: AtomicBool,
    /// When it did last, ms.
    answered: AtomicI64,
    /// A heartbeat is under way.
    beating: AtomicBool,
    /// It was told why it can't be asked.
    told: AtomicBool,
}

impl Known {
    fn note<T>(&self, outcome: &Result<T, CallError>) {
        self.answers.store(outcome.is_ok(), Ordering::Release);
        match outcome {
            Ok(_) => self.answered.store(wall_time_ms(), Ordering::Release),
            Err(error @ (CallError::Refused(..) | CallError::Unexpected(..)))
                if !self.told.swap(true, Ordering::AcqRel) =>
            {
                eprintln!("warning: another process of the service can't be asked: {error}");
            }
            Err(_) => {}
        }
    }
}

impl Calls {
    pub fn new(options: PeerOptions, hosts: Arc<Hosts>) -> Calls {
        Calls { options, hosts, known: Mutex::default() }
    }

    /// These are all there are.
    pub fn know(&self, processes: &[Process]) {
        let mut known = self.known.lock();
        known.retain(|process, _| processes.contains(process));
        for process in processes.iter().filter(|process| !known.contains_key(process)).collect::<Vec<_>>() {
            let client = self.options.address(&process.url).map(|address| Client::new(Place::Server(address)));
            // Who can't be asked by its address never answers.
            let Ok(Ok(client)) = client else { continue };
            let known_one = Known {
                client,
                answers: AtomicBool::new(false),
                answered: AtomicI64::new(0),
                beating: AtomicBool::new(false),
                told: AtomicBool::new(false),
            };
            known.insert(process.clone(), Arc::new(known_one));
        }
    }

    /// When a process answered last, ms; None: it never has.
    pub fn answered(&self, process: &Process) -> Option<i64> {
        let answered = self.known.lock().get(process)?.answered.load(Ordering::Acquire);
        (answered > 0).then_some(answered)
    }

    /// Tells all that this process is there. Doesn't wait for their answers.
    pub fn beat(&self, heartbeat: &[u8]) {
        self.tell_all(
            HEARTBEAT,
            heartbeat,
            |known| !known.beating.swap(true, Ordering::AcqRel),
            |known, outcome| {
                known.note(outcome);
                known.beating.store(false, Ordering::Release);
            },
        );
    }

    /// Tells all what this process keeps. Doesn't wait for their answers.
    pub fn tell_lags(&self, lags: &[u8]) {
        self.tell_all(LAG, lags, |_| true, |_, _| {});
    }

    fn tell_all(
        &self,
        path: &'static str,
        body: &[u8],
        wanted: impl Fn(&Known) -> bool,
        then: fn(&Known, &Result<bytes::Bytes, CallError>),
    ) {
        let all: Vec<Arc<Known>> = self.known.lock().values().cloned().collect();
        for known in all.into_iter().filter(|known| wanted(known)) {
            let (connector, body) = (known.client.connector.clone(), bytes::Bytes::copy_from_slice(body));
            let handle = Arc::downgrade(&known);
            known.client.spawn(async move {
                let call = connector.call(Method::POST, path, body, HEARTBEAT_TIME_MAX);
                let late = |_| Err(CallError::Silent(connector.who.clone(), HEARTBEAT_TIME_MAX));
                let outcome = tokio::time::timeout(HEARTBEAT_TIME_MAX, call).await.unwrap_or_else(late);
                // Weak: a client must not be dropped by a task of its own.
                if let Some(known) = handle.upgrade() {
                    then(&known, &outcome);
                }
            });
        }
    }
}

impl Peers for Calls {
    fn answers(&self, process: &Process) -> bool {
        self.known.lock().get(process).is_some_and(|known| known.answers.load(Ordering::Acquire))
    }

    fn elsewhere(&self, query: &str) -> Vec<(String, Health)> {
        self.hosts.states(query)
    }

    fn pull(&self, process: &Process, asked: &PartAsked) -> Result<PartAnswer, String> {
        let known = self.known.lock().get(process).cloned().ok_or("it is not known")?;
        let body = serde_json::to_vec(asked).map_err(|error| error.to_string())?;
        let (sender, receiver) = sync_channel(1);
        let connector = known.client.connector.clone();
        known.client.spawn(async move {
            // The receiver may have given up.
            let _ = sender.send(connector.call(Method::POST, PULL, body.into(), FORWARD_TIME_MAX).await);
        });
        let begun = now();
        let outcome = loop {
            match receiver.recv_timeout(LOOK_EVERY) {
                Ok(outcome) => break outcome,
                Err(RecvTimeoutError::Disconnected) => return Err("the client stopped".to_owned()),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() >= FORWARD_TIME_MAX => {
                    return Err("it is late".to_owned());
                }
                // It is frozen, or gone: what it does with the others' calls tells.
                Err(RecvTimeoutError::Timeout) if !known.answers.load(Ordering::Acquire) => {
                    return Err("it doesn't answer".to_owned());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        match outcome {
            Ok(bytes) => pull::read(&bytes),
            Err(error) => {
                // Until its next heartbeat.
                known.answers.store(false, Ordering::Release);
                Err(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn asked() -> PartAsked {
        PartAsked {
            process: "a".to_owned(),
            definition: String::new(),
            query: "SELECT * FROM t;".to_owned(),
            properties: BTreeMap::new(),
            partitions: vec![0],
        }
    }

    /// It takes connections and says nothing, as one that is frozen.
    #[test]
    fn who_does_not_answer_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let process = Process { id: "a".to_owned(), url: format!("http://{}", listener.local_addr().unwrap()) };
        let calls = Calls::new(PeerOptions::default(), Arc::default());
        assert!(!calls.answers(&process) && calls.pull(&process, &asked()).is_err(), "it is not known");
        calls.know(std::slice::from_ref(&process));
        assert!(!calls.answers(&process), "it has not answered yet");
        let known = calls.known.lock()[&process].clone();
        known.answers.store(true, Ordering::Release);
        std::thread::scope(|scope| {
            // A call that waits for it is given up when a heartbeat isn't answered.
            let waiting = scope.spawn(|| calls.pull(&process, &asked()));
            calls.beat(b"{}");
            assert_eq!(waiting.join().unwrap().unwrap_err(), "it doesn't answer");
        });
        assert!(!calls.answers(&process) && calls.answered(&process).is_none());
        drop(listener);
        known.answers.store(true, Ordering::Release);
        // Nobody listens there any more.
        assert!(calls.pull(&process, &asked()).is_err());
        assert!(!calls.answers(&process));
        calls.know(&[]);
        assert_eq!(calls.pull(&process, &asked()).unwrap_err(), "it is not known");
    }

    #[test]
    fn a_token_goes_to_nobody_who_could_not_keep_it() {
        let credentials = Some(crate::server::client::Credentials::Token("t".to_owned()));
        let calls = Calls::new(PeerOptions { credentials, ..PeerOptions::default() }, Arc::default());
        let at = |url: &str| Process { id: url.to_owned(), url: url.to_owned() };
        calls.know(&[at("http://10.0.0.3:8088"), at("http://127.0.0.1:1"), at("nonsense://x")]);
        assert_eq!(calls.known.lock().keys().cloned().collect::<Vec<_>>(), [at("http://127.0.0.1:1")]);
    }
}

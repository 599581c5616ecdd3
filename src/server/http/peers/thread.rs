//! What a server does by itself among the processes of its service: it looks who has what, and tells that it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use super::super::cluster::{self, HostInfo, Hosts};
use super::super::limits::{HEARTBEAT_EVERY, LAG_EVERY, LOOK_AROUND_EVERY};
use super::{Calls, PeerOptions};
use crate::engine::Engine;
use crate::engine::peers::{Peers, Process, Shares};
use crate::error::{Error, Result};
use crate::log::Signal;
use crate::time::now;

/// A server among the processes of its service, until it is dropped.
pub struct Company {
    pub engine: Engine,
    pub own: Process,
    pub calls: Arc<Calls>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

/// Tells threads to end. Each has a signal of its own: a ring wakes one.
#[derive(Default)]
struct Stop {
    stopping: AtomicBool,
    signals: [Signal; 2],
}

impl Stop {
    /// False: it is time to end.
    fn wait(&self, thread: usize, time: Duration) -> bool {
        self.signals[thread].wait(time);
        !self.stopping.load(Ordering::Acquire)
    }
}

impl Company {
    /// `url`: where others reach this server; `hosts`: what they tell of themselves. None: the engine has nobody to meet.
    pub fn start(engine: Engine, url: &str, options: PeerOptions, hosts: Arc<Hosts>) -> Result<Option<Company>> {
        let calls = Arc::new(Calls::new(options, hosts));
        let Some(own) = engine.meet(url, calls.clone() as Arc<dyn Peers>) else { return Ok(None) };
        let mut company = Company { engine, own, calls, stop: Arc::default(), threads: Vec::new() };
        let failed = |error: std::io::Error| Error::world(format!("no thread could be started: {error}"));
        let beat = {
            let (engine, url) = (company.engine.clone(), company.own.url.clone());
            let (calls, stop) = (company.calls.clone(), company.stop.clone());
            move || {
                while stop.wait(0, HEARTBEAT_EVERY) {
                    calls.beat(cluster::own_heartbeat(&engine, &url).to_string().as_bytes());
                }
            }
        };
        company.threads.push(std::thread::Builder::new().name("heartbeats".into()).spawn(beat).map_err(failed)?);
        let look = {
            let (engine, own) = (company.engine.clone(), company.own.clone());
            let (calls, stop) = (company.calls.clone(), company.stop.clone());
            move || look_around(&engine, &own, &calls, &stop)
        };
        company.threads.push(std::thread::Builder::new().name("peers".into()).spawn(look).map_err(failed)?);
        Ok(Some(company))
    }
}

impl Company {
    /// Says nothing more to the others.
    pub fn stop(&self) {
        self.stop.stopping.store(true, Ordering::Release);
        self.stop.signals.iter().for_each(Signal::ring);
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn look_around(engine: &Engine, own: &Process, calls: &Calls, stop: &Stop) {
    let mut told: Option<std::time::Instant> = None;
    while stop.wait(1, LOOK_AROUND_EVERY) {
        // While the cluster doesn't say, what was known holds.
        if let Ok(shares) = engine.look_around() {
            calls.know(&others(&shares, own));
        }
        if told.is_none_or(|told| told.elapsed() >= LAG_EVERY)
            && let Ok(lags) = cluster::own_lags(engine)
        {
            told = Some(now());
            let told = json!({"ksqlHost": HostInfo::of(&own.url), "hostStoreLags": lags});
            calls.tell_lags(told.to_string().as_bytes());
        }
    }
}

/// All processes but this one.
fn others(shares: &BTreeMap<String, Shares>, own: &Process) -> Vec<Process> {
    let all: BTreeSet<&Process> = shares.values().flat_map(|shares| shares.by_process.keys()).collect();
    all.into_iter().filter(|process| process.id != own.id).cloned().collect()
}

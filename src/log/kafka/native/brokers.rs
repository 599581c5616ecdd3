//! Which brokers a client has left to turn to, and how one that has none gets some again.
//!
//! librdkafka (2.10 and later) lets go of each broker that an answer about metadata doesn't list. A broker that shuts down may
//! answer, shortly before its end, with topics and without any broker; then all are let go, the given addresses included.
//! librdkafka means to begin with those again, but the same answer, taken for a success, may take that back, for ever: there
//! is nobody left to ask, and no question left that would fail. Seen from outside: of all its brokers none is tried any more.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::bindings as sys;

use super::{Code, text};
use crate::time;

const NAME: &std::ffi::CStr = c"brokers";

/// The brokers that a client is connected to, or tries to be.
#[derive(Debug)]
pub(super) struct Brokers(Mutex<Tried>);

#[derive(Debug)]
struct Tried {
    now: usize,
    /// When the last was given up.
    last: Instant,
}

thread_local! {
    /// Whether the broker that this thread is for is among those of `Brokers`: librdkafka has a thread for each, which
    /// begins and ends with it, and tells of its states there.
    static TRIED: Cell<bool> = const { Cell::new(false) };
}

impl Default for Brokers {
    fn default() -> Brokers {
        Brokers(Mutex::new(Tried { now: 0, last: time::now() }))
    }
}

impl Brokers {
    /// For how long none has been tried.
    pub(super) fn none_for(&self) -> Duration {
        let tried = self.0.lock();
        match tried.now {
            0 => tried.last.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// Counts from now on, as if one had been tried.
    pub(super) fn wait_anew(&self) {
        self.0.lock().last = time::now();
    }

    fn came_or_went(&self, came: bool) {
        let mut tried = self.0.lock();
        match came {
            true => tried.now += 1,
            false => {
                tried.now = tried.now.saturating_sub(1);
                tried.last = time::now();
            }
        }
    }
}

/// Has the clients of these settings keep `brokers` up to date.
///
/// # Safety
/// Settings that no client has taken over; `brokers` outlives the client that does.
pub(super) unsafe fn watch(conf: *mut sys::rd_kafka_conf_t, brokers: &Brokers) {
    let brokers = (&raw const *brokers).cast_mut().cast::<c_void>();
    // SAFETY: by this function's contract; the name is copied.
    unsafe { sys::rd_kafka_conf_interceptor_add_on_new(conf, NAME.as_ptr(), Some(on_new), brokers) };
}

unsafe extern "C" fn on_new(
    client: *mut sys::rd_kafka_t,
    _: *const sys::rd_kafka_conf_t,
    brokers: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> Code {
    // SAFETY: the client that is made; the name is copied.
    unsafe { sys::rd_kafka_interceptor_add_on_broker_state_change(client, NAME.as_ptr(), Some(on_state), brokers) }
}

unsafe extern "C" fn on_state(
    _: *mut sys::rd_kafka_t,
    _: i32,
    _: *const c_char,
    _: *const c_char,
    port: c_int,
    state: *const c_char,
    brokers: *mut c_void,
) -> Code {
    // SAFETY: lives for the call.
    let tries = match unsafe { text(state) }.as_str() {
        // Told by who makes it; on its own thread it comes from `DOWN`.
        "INIT" => return Code::RD_KAFKA_RESP_ERR_NO_ERROR,
        // Those that are let go end as the one, and stay the other as long as somebody holds them.
        "DOWN" | "TRY_CONNECT" => false,
        _ => true,
    };
    // Coordinators are brokers by another name, and nobody asks them for metadata.
    let is_coordinator = port == 0;
    if !is_coordinator && TRIED.replace(tries) != tries {
        // SAFETY: by the contract of `watch`.
        if let Some(brokers) = unsafe { brokers.cast::<Brokers>().as_ref() } {
            brokers.came_or_went(tries);
        }
    }
    Code::RD_KAFKA_RESP_ERR_NO_ERROR
}

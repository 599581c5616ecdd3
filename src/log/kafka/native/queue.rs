//! Queues of events, and signals that they ring.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::{Client, millis};
use crate::log::Signal;

pub(in crate::log::kafka) struct Queue {
    ptr: *mut sys::rd_kafka_queue_t,
    pub(super) client: Arc<Client>,
    /// Rung by the callback, which has a pointer to it.
    signal: Option<Arc<Signal>>,
}

// SAFETY: librdkafka's queues may be used from any thread, by several at a time.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    pub(in crate::log::kafka) fn new(client: &Arc<Client>) -> Queue {
        // SAFETY: gives a queue of our own.
        let ptr = unsafe { sys::rd_kafka_queue_new(client.ptr()) };
        Queue { ptr, client: Arc::clone(client), signal: None }
    }

    /// The queue of a consumer's group. None: the client has no `group.id`.
    pub(super) fn of_consumer(client: &Arc<Client>) -> Option<Queue> {
        // SAFETY: gives a reference of our own, or null.
        let ptr = unsafe { sys::rd_kafka_queue_get_consumer(client.ptr()) };
        (!ptr.is_null()).then(|| Queue { ptr, client: Arc::clone(client), signal: None })
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.ptr
    }

    /// Rings `signal` when the queue is no longer empty, from now on.
    pub(in crate::log::kafka) fn ring(&mut self, signal: &Arc<Signal>) {
        self.silence();
        let opaque = Arc::as_ptr(signal).cast_mut().cast::<c_void>();
        self.signal = Some(Arc::clone(signal));
        // SAFETY: the signal lives until `silence` or the queue's end.
        unsafe { sys::rd_kafka_queue_cb_event_enable(self.ptr, Some(on_event), opaque) };
    }

    fn silence(&mut self) {
        if self.signal.is_some() {
            // SAFETY: alive. Takes the lock under which the callback is called, so none runs when it returns.
            unsafe { sys::rd_kafka_queue_cb_event_enable(self.ptr, None, ptr::null_mut()) };
            self.signal = None;
        }
    }

    /// The next event; waits for it for at most `timeout`.
    pub(super) fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: alive; gives an event of our own, or null.
        let ptr = unsafe { sys::rd_kafka_queue_poll(self.ptr, millis(timeout)) };
        (!ptr.is_null()).then(|| Event { ptr, _client: Arc::clone(&self.client) })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.silence();
        // SAFETY: ours.
        unsafe { sys::rd_kafka_queue_destroy(self.ptr) };
    }
}

unsafe extern "C" fn on_event(_: *mut sys::rd_kafka_t, signal: *mut c_void) {
    // SAFETY: set by `Queue::ring`, which keeps the signal.
    if let Some(signal) = unsafe { signal.cast::<Signal>().as_ref() } {
        signal.ring();
    }
}

pub(super) struct Event {
    ptr: *mut sys::rd_kafka_event_t,
    _client: Arc<Client>,
}

impl Event {
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.ptr
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::rd_kafka_event_destroy(self.ptr) };
    }
}

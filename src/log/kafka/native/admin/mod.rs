//! Admin calls: topics, configs, offsets, groups. Each waits for its answer.

mod configs;
mod groups;
mod offsets;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::queue::Event;
use super::{Client, Code, ErrorText, Failure, Queue, code, millis, text};

pub(in crate::log::kafka) use configs::ConfigOp;
pub(in crate::log::kafka) use offsets::Seen;

type Op = sys::rd_kafka_admin_op_t;
type Options = *mut sys::rd_kafka_AdminOptions_t;
type ReplyTo = *mut sys::rd_kafka_queue_t;

/// How much longer than the call's own timeout to wait for librdkafka to say so.
const GRACE: Duration = Duration::from_secs(5);

/// An object of librdkafka's that an admin call is made of, freed when dropped.
struct Owned<T> {
    ptr: *mut T,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Null is the error that `error` has the words of.
    fn new(ptr: *mut T, free: unsafe extern "C" fn(*mut T), error: &ErrorText) -> Result<Owned<T>, Failure> {
        match ptr.is_null() {
            true => Err(Failure::new(Code::RD_KAFKA_RESP_ERR__INVALID_ARG, error.get())),
            false => Ok(Owned { ptr, free }),
        }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: ours, not null, and `free` is its function.
        unsafe { (self.free)(self.ptr) };
    }
}

impl Client {
    /// Makes a call and waits for its event.
    fn admin(
        self: &Arc<Client>,
        op: Op,
        timeout: Duration,
        configure: impl FnOnce(Options) -> Result<(), Failure>,
        call: impl FnOnce(Options, ReplyTo),
    ) -> Result<Event, Failure> {
        let queue = Queue::new(self);
        let mut error = ErrorText::new();
        // SAFETY: alive; gives an object of our own.
        let options = unsafe { sys::rd_kafka_AdminOptions_new(self.ptr(), op) };
        let options = Owned::new(options, sys::rd_kafka_AdminOptions_destroy, &error)?;
        // SAFETY: the options are ours.
        Failure::check(unsafe {
            sys::rd_kafka_AdminOptions_set_request_timeout(
                options.ptr,
                millis(timeout),
                error.as_mut_ptr(),
                error.len(),
            )
        })?;
        configure(options.ptr)?;
        call(options.ptr, queue.ptr());
        let Some(event) = queue.poll(timeout + GRACE) else {
            return Err(self.explain(Failure::new(Code::RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer")));
        };
        // SAFETY: the event is alive; its text is copied.
        unsafe {
            match code::code(code::raw::rd_kafka_event_error(event.ptr())) {
                Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
                code => Err(self.explain(Failure::new(code, text(sys::rd_kafka_event_error_string(event.ptr()))))),
            }
        }
    }
}

/// How long the cluster may take to carry a call out.
fn operation_timeout(options: Options, timeout: Duration) -> Result<(), Failure> {
    let mut error = ErrorText::new();
    // SAFETY: the options are alive.
    Failure::check(unsafe {
        sys::rd_kafka_AdminOptions_set_operation_timeout(options, millis(timeout), error.as_mut_ptr(), error.len())
    })
}

//! librdkafka behind safe faces: all unsafe code of this log.
//!
//! # Why it is sound
//!
//! - Each object of librdkafka's has one owner here, which frees it when dropped. What belongs to a client (topic
//!   handles, queues, events) holds an `Arc` of the client, so that it is freed before the client is.
//! - A client, its topic handles and its queues may be used from any thread (librdkafka locks inside); lists, messages and
//!   results are used by one thread at a time, or only read.
//! - Messages and results are copied out while their owner is held; no reference into librdkafka's memory leaves a
//!   function.
//! - Callbacks get pointers to a client's `Shared` (which outlives the client: it is dropped after it), or to a part of that, to a `Delivery`
//!   (whose owner waits until all its reports came in) or to a `Signal` (kept by the queue until the callback is off;
//!   switching it off takes the queue's lock, under which it is called). They don't panic.
//! - Error codes are a Rust enum in the bindings, made from the same header as the library. Those of newer brokers, which
//!   librdkafka passes on, aren't among its values: what may be one is taken as a number (`code`). The rest are librdkafka's own.

mod admin;
mod brokers;
mod client;
mod code;
mod conf;
mod consume;
mod group;
mod list;
mod produce;
mod queue;
mod transact;
mod zero_time;

use std::ffi::{CStr, CString, c_char};

use rdkafka::bindings as sys;

pub(super) use admin::{ConfigOp, Seen};
pub(super) use client::{Client, ClientKind, Metadata, TopicMetadata};
pub(super) use code::Code;
pub(super) use conf::{Conf, ConfProblem};
pub(super) use consume::PartitionConsumer;
pub(super) use group::{GroupConsumer, GroupEvent};
pub(super) use list::{PartitionList, Position};
pub(super) use produce::{Delivery, Topic};
pub(super) use queue::Queue;
pub(super) use transact::GroupMetadata;

/// An error of librdkafka's or the cluster's.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub code: Code,
    pub text: String,
    /// The client can't be used any more.
    pub fatal: bool,
    pub retriable: bool,
    /// The transaction must be aborted.
    pub abort: bool,
    /// The topic that it is about, where that isn't known from what was asked for.
    pub topic: Option<String>,
    /// The record that it is about.
    pub record: Option<FailedRecord>,
}

#[derive(Debug, Clone)]
pub(super) struct FailedRecord {
    pub topic: String,
    /// Of key and value.
    pub bytes: usize,
}

impl Failure {
    pub(super) fn new(code: Code, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into(), fatal: false, retriable: false, abort: false, topic: None, record: None }
    }

    /// Of a call that gives a code of librdkafka's own only.
    fn check(code: Code) -> Result<(), Failure> {
        match code {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Failure::new(code, describe(code))),
        }
    }

    /// Of a call that gives an error object, which is freed here; null stands for success.
    fn take(error: *mut sys::rd_kafka_error_t) -> Result<(), Failure> {
        let outcome = Failure::look(error);
        if !error.is_null() {
            // SAFETY: the caller was given the object to free.
            unsafe { sys::rd_kafka_error_destroy(error) };
        }
        outcome
    }

    /// Of an error object that belongs to another.
    fn look(error: *const sys::rd_kafka_error_t) -> Result<(), Failure> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: not null, and alive for this call.
        unsafe {
            let Err(failure) = code::check_number(code::raw::rd_kafka_error_code(error)) else { return Ok(()) };
            Err(Failure {
                code: failure.code,
                text: text(sys::rd_kafka_error_string(error)),
                fatal: sys::rd_kafka_error_is_fatal(error) != 0,
                retriable: sys::rd_kafka_error_is_retriable(error) != 0,
                abort: sys::rd_kafka_error_txn_requires_abort(error) != 0,
                topic: None,
                record: None,
            })
        }
    }
}

/// librdkafka's words for a code.
pub(super) fn describe(code: Code) -> String {
    // SAFETY: gives a static text for any code.
    unsafe { text(sys::rd_kafka_err2str(code)) }
}

/// librdkafka's name of a code, such as `UNKNOWN_TOPIC_OR_PART`.
pub(super) fn name(code: Code) -> String {
    // SAFETY: gives a static text for any code.
    unsafe { text(sys::rd_kafka_err2name(code)) }
}

/// A copy of a C string; empty for null.
///
/// # Safety
/// Null, or a string that lives for this call.
unsafe fn text(chars: *const c_char) -> String {
    if chars.is_null() {
        return String::new();
    }
    // SAFETY: by this function's contract.
    unsafe { CStr::from_ptr(chars) }.to_string_lossy().into_owned()
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text)
        .map_err(|_| Failure::new(Code::RD_KAFKA_RESP_ERR__INVALID_ARG, format!("{text:?} has a zero byte in it")))
}

/// librdkafka's array of `count` items, as a slice.
///
/// # Safety
/// Null, or `count` items that live and aren't changed for as long as the slice is used.
unsafe fn items<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// The addresses of an array's items, which may have error codes in them that aren't values of the bindings' enum: nothing
/// but single fields of them may be looked at.
///
/// # Safety
/// Null, or `count` items that live for as long as the addresses are used.
unsafe fn addresses<T>(first: *const T, count: usize) -> impl Iterator<Item = *const T> {
    let count = if first.is_null() { 0 } else { count };
    // SAFETY: by this function's contract.
    (0..count).map(move |index| unsafe { first.add(index) })
}

/// Room for librdkafka's words about an error.
struct ErrorText([c_char; 512]);

impl ErrorText {
    fn new() -> ErrorText {
        ErrorText([0; 512])
    }

    fn as_mut_ptr(&mut self) -> *mut c_char {
        self.0.as_mut_ptr()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self) -> String {
        // SAFETY: librdkafka ends what it writes with a zero; before that it is all zeros.
        unsafe { text(self.0.as_ptr()) }
    }
}

/// Milliseconds for librdkafka.
fn millis(timeout: std::time::Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

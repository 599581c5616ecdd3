//! Sending records, and what became of them.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::bindings as sys;

use super::client::Shared;
use super::{Client, Code, FailedRecord, Failure, c_string, code, describe, text, zero_time};
use crate::log::{Header, Records};

/// How long to wait for room in the client's queue at a time.
const FULL_WAIT: Duration = Duration::from_millis(10);

/// A topic, to send records to or to take them from.
pub(in crate::log::kafka) struct Topic {
    ptr: *mut sys::rd_kafka_topic_t,
    pub(super) client: Arc<Client>,
}

// SAFETY: librdkafka's topics may be used from any thread, by several at a time.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

/// What became of the records of one append. It must not be dropped before `is_complete`.
#[derive(Debug)]
pub(in crate::log::kafka) struct Delivery {
    outstanding: AtomicUsize,
    base_offset: AtomicI64,
    failure: Mutex<Option<Failure>>,
}

impl Delivery {
    pub(in crate::log::kafka) fn new() -> Delivery {
        Delivery { outstanding: AtomicUsize::new(0), base_offset: AtomicI64::new(i64::MAX), failure: Mutex::default() }
    }

    /// All records that were sent so far were reported on.
    pub(in crate::log::kafka) fn is_complete(&self) -> bool {
        self.outstanding.load(Ordering::Acquire) == 0
    }

    /// The offset of the first record, or why one wasn't taken.
    pub(in crate::log::kafka) fn outcome(&self) -> Result<i64, Failure> {
        match self.failure.lock().take() {
            Some(failure) => Err(failure),
            None => Ok(self.base_offset.load(Ordering::Acquire)),
        }
    }

    fn report(&self, outcome: Result<i64, Failure>) {
        match outcome {
            Ok(offset) => {
                self.base_offset.fetch_min(offset, Ordering::AcqRel);
            }
            Err(failure) => {
                self.failure.lock().get_or_insert(failure);
            }
        }
        self.outstanding.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Topic {
    pub(in crate::log::kafka) fn new(client: &Arc<Client>, name: &str) -> Result<Topic, Failure> {
        let name = c_string(name)?;
        // SAFETY: the client is alive; null settings stand for those of the client.
        let ptr = unsafe { sys::rd_kafka_topic_new(client.ptr(), name.as_ptr(), ptr::null_mut()) };
        if ptr.is_null() {
            // SAFETY: gives the error of the last call on this thread.
            return Err(code::check_number(unsafe { code::raw::rd_kafka_last_error() })
                .err()
                .unwrap_or_else(|| Failure::new(Code::RD_KAFKA_RESP_ERR__FAIL, "librdkafka gave no topic handle")));
        }
        Ok(Topic { ptr, client: Arc::clone(client) })
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_topic_t {
        self.ptr
    }

    /// Hands copies of the records to the client, which sends them in batches. Waits while its queue is full. What becomes
    /// of them is told to `delivery`; without one, failures are kept for the client's transaction.
    pub(in crate::log::kafka) fn send(
        &self,
        partition: u32,
        records: &Records,
        delivery: Option<&Delivery>,
    ) -> Result<(), Failure> {
        let opaque = delivery.map_or(ptr::null_mut(), |delivery| ptr::from_ref(delivery).cast_mut().cast::<c_void>());
        // The parts that stay, then those of each record; in the order of `Part`.
        let mut parts = [
            part(Kind::RD_KAFKA_VTYPE_RKT, Value { rkt: self.ptr }),
            part(Kind::RD_KAFKA_VTYPE_PARTITION, Value { i32_: partition as i32 }),
            part(Kind::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: sys::RD_KAFKA_MSG_F_COPY }),
            part(Kind::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque }),
            part(Kind::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: 0 }),
            bytes(Kind::RD_KAFKA_VTYPE_KEY, None),
            bytes(Kind::RD_KAFKA_VTYPE_VALUE, None),
            part(Kind::RD_KAFKA_VTYPE_HEADERS, Value { headers: ptr::null_mut() }),
        ];
        const TIMESTAMP: usize = 4;
        const KEY: usize = 5;
        const VALUE: usize = 6;
        const HEADERS: usize = 7;
        for (row, meta) in records.meta.iter().enumerate() {
            parts[TIMESTAMP].u = Value { i64_: zero_time::sent_time(meta.timestamp) };
            parts[KEY] = bytes(Kind::RD_KAFKA_VTYPE_KEY, records.bytes(meta.key));
            parts[VALUE] = bytes(Kind::RD_KAFKA_VTYPE_VALUE, records.bytes(meta.value));
            let headers = match meta.headers.is_null() {
                true => None,
                false => Some(Headers::new(&records.headers(row))?),
            };
            let used = match &headers {
                Some(headers) => {
                    parts[HEADERS].u = Value { headers: headers.0 };
                    HEADERS + 1
                }
                None => HEADERS,
            };
            if let Some(delivery) = delivery {
                delivery.outstanding.fetch_add(1, Ordering::AcqRel);
            }
            let sent = self.send_parts(&parts[..used]);
            match sent {
                // The message has them now.
                Ok(()) => std::mem::forget(headers),
                Err(failure) => {
                    if let Some(delivery) = delivery {
                        delivery.outstanding.fetch_sub(1, Ordering::AcqRel);
                    }
                    return Err(self.with_record(failure, records, row));
                }
            }
        }
        Ok(())
    }

    /// The failure, with the record where it is about its size.
    fn with_record(&self, failure: Failure, records: &Records, row: usize) -> Failure {
        if failure.code != Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE {
            return failure;
        }
        let bytes = [records.key(row), records.value(row)].into_iter().flatten().map(<[u8]>::len).sum();
        // SAFETY: alive; the name belongs to the topic and is copied.
        let topic = unsafe { text(sys::rd_kafka_topic_name(self.ptr)) };
        Failure { record: Some(FailedRecord { topic, bytes }), ..failure }
    }

    fn send_parts(&self, parts: &[sys::rd_kafka_vu_t]) -> Result<(), Failure> {
        loop {
            // SAFETY: the parts are of the kinds that they say; what they point to lives for the call, which copies it
            // (`MSG_F_COPY`); the opaque is null or a `Delivery` that is kept until its reports are in.
            let error = unsafe { sys::rd_kafka_produceva(self.client.ptr(), parts.as_ptr(), parts.len()) };
            match Failure::take(error) {
                Err(failure) if failure.code == Code::RD_KAFKA_RESP_ERR__QUEUE_FULL => self.client.serve(FULL_WAIT),
                outcome => return outcome,
            }
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::rd_kafka_topic_destroy(self.ptr) };
    }
}

type Kind = sys::rd_kafka_vtype_t;
type Value = sys::rd_kafka_vu_s__bindgen_ty_1;

fn part(kind: Kind, value: Value) -> sys::rd_kafka_vu_t {
    sys::rd_kafka_vu_t { vtype: kind, u: value }
}

/// A key or a value; null for none.
fn bytes(kind: Kind, bytes: Option<&[u8]>) -> sys::rd_kafka_vu_t {
    let (ptr, size) = bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
    let mem = sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: ptr.cast_mut().cast(), size };
    part(kind, Value { mem })
}

/// Headers of one record.
struct Headers(*mut sys::rd_kafka_headers_t);

impl Headers {
    fn new(headers: &[Header]) -> Result<Headers, Failure> {
        // SAFETY: gives an object of our own.
        let list = Headers(unsafe { sys::rd_kafka_headers_new(headers.len()) });
        for header in headers {
            let (value, size) = match &header.value {
                Some(value) => (value.as_ptr(), value.len() as isize),
                None => (ptr::null(), -1),
            };
            // SAFETY: name and value live for the call, which copies them.
            let code = unsafe {
                sys::rd_kafka_header_add(
                    list.0,
                    header.key.as_ptr().cast(),
                    header.key.len() as isize,
                    value.cast(),
                    size,
                )
            };
            Failure::check(code)?;
        }
        Ok(list)
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: ours, unless a message took them over, which forgets this.
        unsafe { sys::rd_kafka_headers_destroy(self.0) };
    }
}

/// Called by `Client::serve` and by flushes, for each record that is delivered or failed (as the client's settings say).
pub(super) unsafe extern "C" fn on_delivery(
    _: *mut sys::rd_kafka_t,
    message: *const sys::rd_kafka_message_t,
    shared: *mut c_void,
) {
    // SAFETY: the message lives for the call; its opaque is null or the `Delivery` given to `send`; the client's opaque is
    // its `Shared`.
    unsafe {
        let outcome = match code::read(&raw const (*message).err) {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok((*message).offset),
            code => {
                let record = FailedRecord {
                    topic: text(sys::rd_kafka_topic_name((*message).rkt)),
                    bytes: (*message).len + (*message).key_len,
                };
                Err(Failure { record: Some(record), ..Failure::new(code, describe(code)) })
            }
        };
        match ((*message)._private.cast::<Delivery>().as_ref(), outcome) {
            (Some(delivery), outcome) => delivery.report(outcome),
            (None, Err(failure)) => {
                if let Some(shared) = shared.cast::<Shared>().as_ref() {
                    let mut first = shared.undelivered.lock();
                    // Of a batch that is too large each record is reported: the largest says most.
                    let bytes = |failure: &Failure| failure.record.as_ref().map_or(0, |record| record.bytes);
                    let says_more = |first: &Failure| {
                        failure.code == first.code
                            && failure.code == Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
                            && bytes(&failure) > bytes(first)
                    };
                    if first.as_ref().is_none_or(says_more) {
                        *first = Some(failure);
                    }
                }
            }
            (None, Ok(_)) => {}
        }
    }
}

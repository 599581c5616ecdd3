//! Taking the records of one partition, in batches, out of the queue that librdkafka fetches them into.

use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::{Client, Code, Failure, Queue, Topic, code, millis, text};
use crate::log::{Header, RecordMeta, Records, Signal, TopicPartition};

/// Messages taken out of the queue at a time.
const CHUNK_MAX: usize = 1024;

/// Reads a partition from one offset on. A client has at most one of them a partition.
pub(in crate::log::kafka) struct PartitionConsumer {
    place: TopicPartition,
    topic: Topic,
    queue: Queue,
    messages: Vec<*mut sys::rd_kafka_message_t>,
    /// Bytes of a message, about: so that a chunk of them comes to the bytes that are asked for.
    message_bytes: usize,
    /// Came behind records that were given first.
    failure: Option<Failure>,
}

// SAFETY: the pointers in `messages` are used within one call only.
unsafe impl Send for PartitionConsumer {}

/// What a call of `take` found besides records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::log::kafka) struct Fetched {
    /// The offset to go on from, where it is known to be beyond the last record: behind markers of transactions, behind
    /// records that were aborted or compacted away.
    pub position: Option<i64>,
}

impl PartitionConsumer {
    pub(in crate::log::kafka) fn start(
        client: &Arc<Client>,
        place: &TopicPartition,
        from: i64,
        signal: Option<&Arc<Signal>>,
    ) -> Result<PartitionConsumer, Failure> {
        let topic = Topic::new(client, &place.topic)?;
        let mut queue = Queue::new(client);
        if let Some(signal) = signal {
            queue.ring(signal);
        }
        // SAFETY: topic and queue are alive, and stay so until the partition is stopped.
        let outcome =
            unsafe { sys::rd_kafka_consume_start_queue(topic.ptr(), place.partition as i32, from, queue.ptr()) };
        if outcome != 0 {
            // SAFETY: gives the error of the last call on this thread.
            code::check_number(unsafe { code::raw::rd_kafka_last_error() })?;
            return Err(Failure::new(Code::RD_KAFKA_RESP_ERR__FAIL, "the partition can't be read"));
        }
        Ok(PartitionConsumer {
            place: place.clone(),
            topic,
            queue,
            messages: vec![ptr::null_mut(); CHUNK_MAX],
            message_bytes: 1024,
            failure: None,
        })
    }

    /// Adds what has arrived to `into`, until about `bytes_max` bytes; waits for at most `timeout` for the first.
    pub(in crate::log::kafka) fn take(
        &mut self,
        timeout: Duration,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<Fetched, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut fetched = Fetched::default();
        if !timeout.is_zero() {
            // A batch would wait until it is full; so: one, then what is there besides.
            // SAFETY: alive; gives a message of our own, or null.
            let message = unsafe { sys::rd_kafka_consume_queue(self.queue.ptr(), millis(timeout)) };
            if message.is_null() {
                return Ok(fetched);
            }
            self.messages[0] = message;
            self.copy(1, into, &mut fetched);
        }
        while into.data.len() < bytes_max && self.failure.is_none() {
            let wanted = ((bytes_max - into.data.len()) / self.message_bytes.max(1)).clamp(1, CHUNK_MAX);
            // SAFETY: the array has room for `wanted` messages, which are ours then.
            let taken =
                unsafe { sys::rd_kafka_consume_batch_queue(self.queue.ptr(), 0, self.messages.as_mut_ptr(), wanted) };
            let taken = usize::try_from(taken).unwrap_or(0);
            self.copy(taken, into, &mut fetched);
            if taken < wanted {
                break;
            }
        }
        match self.failure.take() {
            Some(failure) if into.is_empty() && fetched.position.is_none() => Err(failure),
            failure => {
                self.failure = failure;
                Ok(fetched)
            }
        }
    }

    /// Copies the first `count` messages out and frees them.
    fn copy(&mut self, count: usize, into: &mut Records, fetched: &mut Fetched) {
        let before = into.data.len();
        for &message in &self.messages[..count] {
            // SAFETY: a message of ours, which is alive until it is freed here; its parts are copied before.
            unsafe {
                match code::read(&raw const (*message).err) {
                    Code::RD_KAFKA_RESP_ERR_NO_ERROR => put(&*message, into),
                    // Behind markers and aborted records, too. `rd_kafka_position` is no help here: a batch that ends with
                    // this puts it one beyond the end (librdkafka 2.12), and the next record would be skipped.
                    Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                        fetched.position = fetched.position.max(Some((*message).offset));
                    }
                    code => {
                        let what = text(sys::rd_kafka_message_errstr(message));
                        self.failure.get_or_insert(Failure::new(code, what));
                    }
                }
                sys::rd_kafka_message_destroy(message);
            }
        }
        self.message_bytes = (into.data.len() - before).checked_div(count).unwrap_or(self.message_bytes);
    }
}

impl Drop for PartitionConsumer {
    fn drop(&mut self) {
        // SAFETY: was started. Returns when nothing more is put into the queue.
        unsafe { sys::rd_kafka_consume_stop(self.topic.ptr(), self.place.partition as i32) };
    }
}

/// Copies a message.
///
/// # Safety
/// A message without an error, from a consumer, alive for this call.
unsafe fn put(message: &sys::rd_kafka_message_t, into: &mut Records) {
    // SAFETY: a part is null or as long as is said beside it; headers belong to the message.
    unsafe {
        let key = into.put(part(message.key, message.key_len));
        let value = into.put(part(message.payload, message.len));
        let timestamp = sys::rd_kafka_message_timestamp(message, ptr::null_mut());
        let mut list = ptr::null_mut();
        let headers = match sys::rd_kafka_message_headers(message, &mut list) {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => headers(list),
            _ => Vec::new(),
        };
        let headers = into.put_headers(&headers);
        into.meta.push(RecordMeta { offset: message.offset, timestamp, key, value, headers });
    }
}

/// # Safety
/// Null, or `len` bytes that live for as long as the slice is used.
unsafe fn part<'a>(bytes: *const std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: by this function's contract.
    (!bytes.is_null()).then(|| unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), len) })
}

/// # Safety
/// Headers that live for this call.
unsafe fn headers(list: *const sys::rd_kafka_headers_t) -> Vec<Header> {
    let mut headers = Vec::new();
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    // SAFETY: name and value belong to the list and are copied.
    unsafe {
        while sys::rd_kafka_header_get_all(list, headers.len(), &mut name, &mut value, &mut size)
            == Code::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            headers.push(Header { key: text(name), value: part(value, size).map(<[u8]>::to_vec) });
        }
    }
    headers
}

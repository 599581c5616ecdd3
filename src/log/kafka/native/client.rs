//! A client of the cluster: what producers, consumers and admin calls are made on.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::bindings as sys;

use super::brokers::{self, Brokers};
use super::{Code, Conf, ErrorText, Failure, addresses, c_string, code, items, millis, produce, text, zero_time};
use crate::log::{Replication, TopicPartition};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log::kafka) enum ClientKind {
    /// Also for admin calls.
    Producer,
    Consumer,
    /// For admin calls that need a group: a consumer whose queue nobody reads.
    Idle,
}

/// What callbacks leave for the client's users.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The last complaint of librdkafka's: why a broker can't be reached, mostly.
    trouble: Mutex<Option<String>>,
    /// The first record of a transaction that the cluster didn't take.
    pub undelivered: Mutex<Option<Failure>>,
    brokers: Brokers,
}

pub(in crate::log::kafka) struct Client {
    ptr: *mut sys::rd_kafka_t,
    pub(super) shared: Box<Shared>,
}

// SAFETY: librdkafka's clients may be used from any thread, by several at a time.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

/// Topics by name; what is wrong with one stands in its place.
pub(in crate::log::kafka) type Metadata = BTreeMap<String, Result<TopicMetadata, Code>>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::log::kafka) struct TopicMetadata {
    /// By number.
    pub partitions: Vec<Replication>,
}

/// Complaints are of this level (warning) or a more urgent one, as syslog counts.
const LOG_LEVEL_MAX: c_int = 4;

/// How long no broker is tried, beyond the pause between two tries, until none is left to be tried.
const UNTRIED_MAX: Duration = Duration::from_secs(3);
const SETTING_BYTES_MAX: usize = 64 << 10;

impl Client {
    pub(in crate::log::kafka) fn new(kind: ClientKind, mut conf: Conf) -> Result<Arc<Client>, Failure> {
        let shared = Box::<Shared>::default();
        let opaque = (&raw const *shared).cast_mut().cast::<c_void>();
        let mut error = ErrorText::new();
        // SAFETY: the settings are ours, and the client's from here on unless it fails; the opaque lives in a box that is
        // dropped after the client.
        unsafe {
            sys::rd_kafka_conf_set_opaque(conf.0, opaque);
            sys::rd_kafka_conf_set_log_cb(conf.0, Some(on_log));
            brokers::watch(conf.0, &shared.brokers);
            let kind = match kind {
                ClientKind::Producer => {
                    sys::rd_kafka_conf_set_dr_msg_cb(conf.0, Some(produce::on_delivery));
                    zero_time::intercept(conf.0);
                    sys::rd_kafka_type_t::RD_KAFKA_PRODUCER
                }
                ClientKind::Consumer => {
                    sys::rd_kafka_conf_set_events(conf.0, sys::RD_KAFKA_EVENT_REBALANCE | sys::RD_KAFKA_EVENT_ERROR);
                    sys::rd_kafka_type_t::RD_KAFKA_CONSUMER
                }
                ClientKind::Idle => sys::rd_kafka_type_t::RD_KAFKA_CONSUMER,
            };
            let client = sys::rd_kafka_new(kind, conf.0, error.as_mut_ptr(), error.len());
            if client.is_null() {
                return Err(Failure::new(Code::RD_KAFKA_RESP_ERR__INVALID_ARG, error.get()));
            }
            conf.0 = ptr::null_mut();
            Ok(Arc::new(Client { ptr: client, shared }))
        }
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.ptr
    }

    /// The failure, with what librdkafka last complained of when the failure says only that nobody answered.
    pub(in crate::log::kafka) fn explain(&self, failure: Failure) -> Failure {
        let silent = matches!(
            failure.code,
            Code::RD_KAFKA_RESP_ERR__TIMED_OUT
                | Code::RD_KAFKA_RESP_ERR__TRANSPORT
                | Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
                | Code::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT
        );
        match self.shared.trouble.lock().clone().filter(|_| silent) {
            Some(trouble) => Failure { text: format!("{}: {trouble}", failure.text), ..failure },
            None => failure,
        }
    }

    /// Has the client begin with the addresses that it was given, when it has let go of all brokers and doesn't do so by itself.
    /// To be called now and then.
    pub(in crate::log::kafka) fn find_brokers_again(&self) {
        let none_for = self.shared.brokers.none_for();
        if none_for < UNTRIED_MAX {
            return;
        }
        let between_tries = self.setting(c"reconnect.backoff.max.ms").and_then(|ms| ms.parse().ok()).unwrap_or(0);
        // Connected on demand, brokers are there though none is tried.
        let on_demand = self.setting(c"enable.sparse.connections").is_none_or(|set| set == "true");
        if on_demand || none_for < Duration::from_millis(between_tries) + UNTRIED_MAX {
            return;
        }
        self.shared.brokers.wait_anew();
        if let Some(Ok(addresses)) = self.setting(c"bootstrap.servers").map(|addresses| c_string(&addresses)) {
            // SAFETY: alive; the text is copied.
            unsafe { sys::rd_kafka_brokers_add(self.ptr, addresses.as_ptr()) };
        }
    }

    /// The value of one of the settings that it was made with.
    fn setting(&self, name: &CStr) -> Option<String> {
        let mut value = [0; SETTING_BYTES_MAX];
        let mut size = value.len();
        // SAFETY: alive, and so are its settings; at most `size` bytes are written, the last of which is a zero.
        unsafe {
            let found =
                sys::rd_kafka_conf_get(sys::rd_kafka_conf(self.ptr), name.as_ptr(), value.as_mut_ptr(), &mut size);
            (found == sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK).then(|| text(value.as_ptr()))
        }
    }

    /// Whether the client can't be used any more: what a producer has sent and what the brokers have is no longer the same.
    pub(in crate::log::kafka) fn has_failed(&self) -> bool {
        // SAFETY: alive; no text is asked for. The code is librdkafka's own copy, of which only whether there is one matters.
        unsafe { code::raw::rd_kafka_fatal_error(self.ptr, ptr::null_mut(), 0) != 0 }
    }

    /// Makes the client fail as one whose idempotent producer has lost track.
    #[cfg(test)]
    pub(in crate::log::kafka) fn fail_for_test(&self) {
        // SAFETY: alive; the text lives for the call.
        unsafe {
            sys::rd_kafka_test_fatal_error(
                self.ptr,
                Code::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                c"a test".as_ptr(),
            )
        };
    }

    /// Serves the callbacks of delivered records; waits for at most `timeout` when there are none.
    pub(in crate::log::kafka) fn serve(&self, timeout: Duration) {
        // SAFETY: alive.
        unsafe { sys::rd_kafka_poll(self.ptr, millis(timeout)) };
    }

    /// The name that the cluster gives itself. None: no broker answered in time, or they are too old to have one.
    pub(in crate::log::kafka) fn cluster_id(&self, timeout: Duration) -> Option<String> {
        // SAFETY: alive; gives null or a string of our own, which is freed by the library that made it.
        unsafe {
            let id = sys::rd_kafka_clusterid(self.ptr, millis(timeout));
            if id.is_null() {
                return None;
            }
            let copied = text(id);
            sys::rd_kafka_mem_free(self.ptr, id.cast());
            Some(copied)
        }
    }

    /// All topics of the cluster.
    pub(in crate::log::kafka) fn metadata(&self, timeout: Duration) -> Result<Metadata, Failure> {
        let mut found: *const sys::rd_kafka_metadata = ptr::null();
        // SAFETY: on success `found` is an object of ours, which is freed when it is copied.
        unsafe {
            let answer = code::raw::rd_kafka_metadata(self.ptr, 1, ptr::null_mut(), &mut found, millis(timeout));
            code::check_number(answer).map_err(|failure| self.explain(failure))?;
            let topics = addresses((*found).topics.cast_const(), (*found).topic_cnt as usize);
            let topics = topics.map(|topic| (text((*topic).topic), topic_metadata(topic))).collect();
            sys::rd_kafka_metadata_destroy(found);
            Ok(topics)
        }
    }

    /// The high watermark that the last fetch saw; None before one.
    pub(in crate::log::kafka) fn seen_end(&self, place: &TopicPartition) -> Option<i64> {
        let topic = c_string(&place.topic).ok()?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: alive; the name and the numbers live for the call.
        let code = unsafe {
            let partition = place.partition as i32;
            sys::rd_kafka_get_watermark_offsets(self.ptr, topic.as_ptr(), partition, &mut low, &mut high)
        };
        Failure::check(code).ok().map(|()| high).filter(|high| *high >= 0)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: ours; whatever belongs to it held an `Arc` of it and is gone. Leaving the group is the consumer's own
        // business (`group`): it must not wait here.
        unsafe { sys::rd_kafka_destroy_flags(self.ptr, sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE) };
    }
}

/// # Safety
/// A topic of a metadata object that is alive.
unsafe fn topic_metadata(topic: *const sys::rd_kafka_metadata_topic) -> Result<TopicMetadata, Code> {
    // SAFETY: by this function's contract.
    let mut partitions: Vec<(i32, Replication)> = unsafe {
        match code::read(&raw const (*topic).err) {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            code => return Err(code),
        }
        addresses((*topic).partitions.cast_const(), (*topic).partition_cnt as usize)
            .map(|partition| {
                let leader = Some((*partition).leader).filter(|leader| *leader >= 0);
                let replicas = items((*partition).replicas.cast_const(), (*partition).replica_cnt as usize).to_vec();
                let in_sync = items((*partition).isrs.cast_const(), (*partition).isr_cnt as usize).to_vec();
                ((*partition).id, Replication { leader, replicas, in_sync })
            })
            .collect()
    };
    partitions.sort_by_key(|(id, _)| *id);
    Ok(TopicMetadata { partitions: partitions.into_iter().map(|(_, replication)| replication).collect() })
}

/// Called on librdkafka's threads; keeps complaints for `Client::explain`.
unsafe extern "C" fn on_log(client: *const sys::rd_kafka_t, level: c_int, kind: *const c_char, line: *const c_char) {
    if level > LOG_LEVEL_MAX || client.is_null() {
        return;
    }
    // SAFETY: the opaque is the client's `Shared`, or null while the client is made; the texts live for the call.
    unsafe {
        match text(kind).as_str() {
            // A consumer's setting in a producer, or the other way round: they are shared on purpose.
            "CONFWARN" => return,
            // That brokers are down, but not why, which was said before.
            "ERROR" => return,
            _ => {}
        }
        if let Some(shared) = sys::rd_kafka_opaque(client).cast::<Shared>().as_ref() {
            let line = text(line);
            // `[thrd:...]: broker:port/id: what happened (after 0ms in state CONNECT)`
            let line = line.split_once("]: ").map_or(line.as_str(), |(_, said)| said);
            *shared.trouble.lock() = Some(line.to_owned());
        }
    }
}

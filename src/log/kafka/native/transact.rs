//! Transactions of a producer.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::{Client, Code, Failure, PartitionList, c_string, millis};

impl Client {
    /// Takes over from former producers of the same transactional id: waits until what they left open is ended.
    pub(in crate::log::kafka) fn init_transactions(&self, timeout: Duration) -> Result<(), Failure> {
        // SAFETY: alive.
        Failure::take(unsafe { sys::rd_kafka_init_transactions(self.ptr(), millis(timeout)) })
            .map_err(|failure| self.explain(failure))
    }

    pub(in crate::log::kafka) fn begin_transaction(&self) -> Result<(), Failure> {
        *self.shared.undelivered.lock() = None;
        // SAFETY: alive.
        Failure::take(unsafe { sys::rd_kafka_begin_transaction(self.ptr()) })
    }

    /// None: it didn't come back `within` that time, and the client must not be used again.
    ///
    /// librdkafka 2.12 loses the answer when the broker that it comes from leaves its list meanwhile (one that shuts down is not
    /// in the metadata that it gives), and this call never returns. So it is made on a thread of its own, and what doesn't come
    /// back is left behind with its client.
    pub(in crate::log::kafka) fn send_offsets(
        self: &Arc<Client>,
        positions: &Arc<PartitionList>,
        group: &Arc<GroupMetadata>,
        timeout: Duration,
        within: Duration,
    ) -> Option<Result<(), Failure>> {
        let (client, positions, group) = (Arc::clone(self), Arc::clone(positions), Arc::clone(group));
        let (answer, answered) = sync_channel(1);
        let call = move || {
            // SAFETY: alive; list and group are copied.
            let outcome = Failure::take(unsafe {
                sys::rd_kafka_send_offsets_to_transaction(client.ptr(), positions.ptr(), group.0, millis(timeout))
            });
            // Nobody waits any more: then nobody uses the client either.
            let _ = answer.send(outcome.map_err(|failure| client.explain(failure)));
        };
        match std::thread::Builder::new().name("positions".to_owned()).spawn(call) {
            Ok(_) => answered.recv_timeout(within).ok(),
            Err(error) => {
                let what = format!("no thread could be started: {error}");
                Some(Err(Failure { retriable: true, ..Failure::new(Code::RD_KAFKA_RESP_ERR__FAIL, what) }))
            }
        }
    }

    /// Flushes and commits. Where a record was not taken, the failure is that record's.
    pub(in crate::log::kafka) fn commit_transaction(&self, timeout: Duration) -> Result<(), Failure> {
        // SAFETY: alive.
        let outcome = Failure::take(unsafe { sys::rd_kafka_commit_transaction(self.ptr(), millis(timeout)) });
        outcome.map_err(|failure| match self.undelivered() {
            Some(record) if failure.abort => {
                Failure { code: record.code, text: record.text, record: record.record, ..failure }
            }
            _ => self.explain(failure),
        })
    }

    pub(in crate::log::kafka) fn abort_transaction(&self, timeout: Duration) -> Result<(), Failure> {
        // SAFETY: alive.
        Failure::take(unsafe { sys::rd_kafka_abort_transaction(self.ptr(), millis(timeout)) })
            .map_err(|failure| self.explain(failure))
    }

    /// Waits until all records are delivered or failed.
    pub(in crate::log::kafka) fn flush(&self, timeout: Duration) -> Result<(), Failure> {
        // SAFETY: alive.
        Failure::check(unsafe { sys::rd_kafka_flush(self.ptr(), millis(timeout)) })
            .map_err(|failure| self.explain(failure))
    }

    /// Takes the first failure of a record that was sent without a `Delivery`; of those that are too large, the largest's.
    pub(in crate::log::kafka) fn undelivered(&self) -> Option<Failure> {
        self.shared.undelivered.lock().take()
    }

    /// Throws away what isn't delivered yet.
    pub(in crate::log::kafka) fn purge(&self) {
        /// Queued and under way (not in the bindings).
        const PURGE_ALL: i32 = 1 | 2;
        // SAFETY: alive.
        unsafe { sys::rd_kafka_purge(self.ptr(), PURGE_ALL) };
    }
}

/// Who commits positions to a group: a member, of one generation of it.
pub(in crate::log::kafka) struct GroupMetadata(*mut sys::rd_kafka_consumer_group_metadata_t);

// SAFETY: a plain value of its own.
unsafe impl Send for GroupMetadata {}
// SAFETY: only read.
unsafe impl Sync for GroupMetadata {}

impl GroupMetadata {
    /// None: the consumer is in no generation of its group.
    pub(super) fn of(consumer: &Client) -> Option<GroupMetadata> {
        // SAFETY: alive; gives an object of our own, or null.
        let metadata = unsafe { sys::rd_kafka_consumer_group_metadata(consumer.ptr()) };
        if metadata.is_null() {
            return None;
        }
        let metadata = GroupMetadata(metadata);
        // SAFETY: just made.
        let generation = unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(metadata.0) };
        (generation >= 0).then_some(metadata)
    }

    /// One who is no member: groups take positions from such a one when they have no members.
    pub(in crate::log::kafka) fn outsider(group: &str) -> Result<GroupMetadata, Failure> {
        let group = c_string(group)?;
        // SAFETY: the name is copied; gives an object of our own.
        let metadata = unsafe { sys::rd_kafka_consumer_group_metadata_new(group.as_ptr()) };
        match metadata.is_null() {
            true => Err(Failure::new(Code::RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, "no group")),
            false => Ok(GroupMetadata(metadata)),
        }
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0) };
    }
}

//! Admin calls about the offsets of partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::{Op, Owned, operation_timeout};
use crate::log::TopicPartition;
use crate::log::kafka::native::{Client, ErrorText, Failure, PartitionList, code, items, list, text};

/// Whose records count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log::kafka) enum Seen {
    /// Committed ones.
    Committed,
    /// Those of open transactions, too.
    All,
}

/// An offset that was asked for, or why it can't be told.
type EachOffset = (TopicPartition, Result<i64, Failure>);

impl Client {
    /// Deletes the records below the offset of each partition; -1 stands for its end.
    pub(in crate::log::kafka) fn delete_records(
        self: &Arc<Client>,
        below: &PartitionList,
        timeout: Duration,
    ) -> Result<(), Failure> {
        // SAFETY: the list is copied.
        let records = unsafe { sys::rd_kafka_DeleteRecords_new(below.ptr()) };
        let records = Owned::new(records, sys::rd_kafka_DeleteRecords_destroy, &ErrorText::new())?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_DELETERECORDS,
            timeout,
            |options| operation_timeout(options, timeout),
            // SAFETY: one item, copied by the call.
            |options, queue| unsafe {
                sys::rd_kafka_DeleteRecords(self.ptr(), &mut { records.ptr }, 1, options, queue);
            },
        )?;
        // SAFETY: the result belongs to the event.
        unsafe {
            let result = sys::rd_kafka_event_DeleteRecords_result(event.ptr());
            list::read(sys::rd_kafka_DeleteRecords_result_offsets(result)).map(|_| ())
        }
    }

    /// Offsets of partitions, as readers of committed records see them or with transactions that are open. What is asked
    /// for stands in the place of each one's offset: a time in ms, -1 for the end, -2 for the first; the answer to a time
    /// with nothing at or after it is -1.
    pub(in crate::log::kafka) fn list_offsets(
        self: &Arc<Client>,
        asked: &PartitionList,
        seen: Seen,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        let found = self.list_each_offset(asked, seen, timeout)?;
        found.into_iter().map(|(place, offset)| offset.map(|offset| (place, offset))).collect()
    }

    /// As `list_offsets`, without those partitions that can't be told.
    pub(in crate::log::kafka) fn list_offsets_that_are_known(
        self: &Arc<Client>,
        asked: &PartitionList,
        seen: Seen,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        let found = self.list_each_offset(asked, seen, timeout)?;
        Ok(found.into_iter().filter_map(|(place, offset)| Some((place, offset.ok()?))).collect())
    }

    fn list_each_offset(
        self: &Arc<Client>,
        asked: &PartitionList,
        seen: Seen,
        timeout: Duration,
    ) -> Result<Vec<EachOffset>, Failure> {
        let level = match seen {
            Seen::Committed => sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
            Seen::All => sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
        };
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_LISTOFFSETS,
            timeout,
            |options| {
                // SAFETY: the options are alive.
                Failure::take(unsafe { sys::rd_kafka_AdminOptions_set_isolation_level(options, level) })
            },
            // SAFETY: the list is copied.
            |options, queue| unsafe { sys::rd_kafka_ListOffsets(self.ptr(), asked.ptr(), options, queue) },
        )?;
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_ListOffsets_result(event.ptr());
            let infos = items(sys::rd_kafka_ListOffsets_result_infos(result, &mut count).cast_const(), count);
            let offset = |info: &*const sys::rd_kafka_ListOffsetsResultInfo_t| {
                let found = sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*info);
                let place = TopicPartition { topic: text((*found).topic), partition: (*found).partition as u32 };
                let outcome = code::check(&raw const (*found).err).map_err(|failure| self.explain(failure));
                (place, outcome.map(|()| (*found).offset))
            };
            Ok(infos.iter().map(offset).collect())
        }
    }
}

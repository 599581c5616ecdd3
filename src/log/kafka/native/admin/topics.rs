//! Admin calls about topics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::{Op, Owned, operation_timeout};
use crate::log::TopicId;
use crate::log::kafka::native::{Client, Code, ErrorText, Failure, c_string, code, items, text};

impl Client {
    /// Waits until the topic is on all brokers that matter, or `timeout`.
    pub(in crate::log::kafka) fn create_topic(
        self: &Arc<Client>,
        name: &str,
        partitions: u32,
        replicas: Option<u16>,
        configs: &BTreeMap<String, String>,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let name = c_string(name)?;
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        let mut error = ErrorText::new();
        // SAFETY: strings live for the calls, which copy them.
        let topic = unsafe {
            let replicas = replicas.map_or(-1, i32::from);
            sys::rd_kafka_NewTopic_new(name.as_ptr(), partitions, replicas, error.as_mut_ptr(), error.len())
        };
        let topic = Owned::new(topic, sys::rd_kafka_NewTopic_destroy, &error)?;
        for (name, value) in configs {
            let (name, value) = (c_string(name)?, c_string(value)?);
            // SAFETY: as above.
            Failure::check(unsafe { sys::rd_kafka_NewTopic_set_config(topic.ptr, name.as_ptr(), value.as_ptr()) })?;
        }
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_CREATETOPICS,
            timeout,
            |options| operation_timeout(options, timeout),
            // SAFETY: one topic, copied by the call.
            |options, queue| unsafe { sys::rd_kafka_CreateTopics(self.ptr(), &mut { topic.ptr }, 1, options, queue) },
        )?;
        // SAFETY: the result belongs to the event.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_CreateTopics_result(event.ptr());
            topic_results(sys::rd_kafka_CreateTopics_result_topics(result, &mut count), count)
        }
    }

    pub(in crate::log::kafka) fn delete_topic(
        self: &Arc<Client>,
        name: &str,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let name = c_string(name)?;
        // SAFETY: the name is copied.
        let topic = unsafe { sys::rd_kafka_DeleteTopic_new(name.as_ptr()) };
        let topic = Owned::new(topic, sys::rd_kafka_DeleteTopic_destroy, &ErrorText::new())?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_DELETETOPICS,
            timeout,
            |options| operation_timeout(options, timeout),
            // SAFETY: one topic, copied by the call.
            |options, queue| unsafe { sys::rd_kafka_DeleteTopics(self.ptr(), &mut { topic.ptr }, 1, options, queue) },
        )?;
        // SAFETY: the result belongs to the event.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_DeleteTopics_result(event.ptr());
            topic_results(sys::rd_kafka_DeleteTopics_result_topics(result, &mut count), count)
        }
    }

    /// Adds partitions until there are `total`.
    pub(in crate::log::kafka) fn create_partitions(
        self: &Arc<Client>,
        name: &str,
        total: u32,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let name = c_string(name)?;
        let mut error = ErrorText::new();
        // SAFETY: the name is copied.
        let partitions =
            unsafe { sys::rd_kafka_NewPartitions_new(name.as_ptr(), total as usize, error.as_mut_ptr(), error.len()) };
        let partitions = Owned::new(partitions, sys::rd_kafka_NewPartitions_destroy, &error)?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS,
            timeout,
            |options| operation_timeout(options, timeout),
            // SAFETY: one item, copied by the call.
            |options, queue| unsafe {
                sys::rd_kafka_CreatePartitions(self.ptr(), &mut { partitions.ptr }, 1, options, queue);
            },
        )?;
        // SAFETY: the result belongs to the event.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_CreatePartitions_result(event.ptr());
            topic_results(sys::rd_kafka_CreatePartitions_result_topics(result, &mut count), count)
        }
    }

    /// The identity of a topic. None: the brokers give their topics none (before 2.8).
    pub(in crate::log::kafka) fn topic_id(
        self: &Arc<Client>,
        topic: &str,
        timeout: Duration,
    ) -> Result<Option<TopicId>, Failure> {
        let topic = c_string(topic)?;
        // SAFETY: one name, copied by the call.
        let topics = unsafe { sys::rd_kafka_TopicCollection_of_topic_names(&mut topic.as_ptr(), 1) };
        let topics = Owned::new(topics, sys::rd_kafka_TopicCollection_destroy, &ErrorText::new())?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            timeout,
            |_| Ok(()),
            // SAFETY: the names are copied.
            |options, queue| unsafe { sys::rd_kafka_DescribeTopics(self.ptr(), topics.ptr, options, queue) },
        )?;
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeTopics_result(event.ptr());
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            let Some(topic) = items(topics.cast_const(), count).first() else {
                return Err(Failure::new(Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ""));
            };
            Failure::look(sys::rd_kafka_TopicDescription_error(*topic))?;
            let id = sys::rd_kafka_TopicDescription_topic_id(*topic);
            let high = sys::rd_kafka_Uuid_most_significant_bits(id) as u64;
            let low = sys::rd_kafka_Uuid_least_significant_bits(id) as u64;
            let id = (u128::from(high) << 64) | u128::from(low);
            Ok((id != 0).then(|| TopicId(id.to_be_bytes())))
        }
    }
}

/// # Safety
/// `count` results that live for this call.
unsafe fn topic_results(results: *mut *const sys::rd_kafka_topic_result_t, count: usize) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe {
        for result in items(results.cast_const(), count) {
            let code = code::code(code::raw::rd_kafka_topic_result_error(*result));
            if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(Failure::new(code, text(sys::rd_kafka_topic_result_error_string(*result))));
            }
        }
    }
    Ok(())
}

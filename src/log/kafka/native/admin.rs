//! Admin calls: topics, configs, offsets, groups. Each waits for its answer.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::queue::Event;
use super::{Client, Code, ErrorText, Failure, PartitionList, Queue, c_string, items, list, millis, text};
use crate::log::{GroupMember, TopicConfig, TopicId, TopicPartition};

/// What to do with a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log::kafka) enum ConfigOp<'a> {
    Set(&'a str),
    /// Back to the default.
    Delete,
}

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

/// Whose records count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log::kafka) enum Seen {
    /// Committed ones.
    Committed,
    /// Those of open transactions, too.
    All,
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
            match sys::rd_kafka_event_error(event.ptr()) {
                Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
                code => Err(self.explain(Failure::new(code, text(sys::rd_kafka_event_error_string(event.ptr()))))),
            }
        }
    }

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

    /// Changes these configs of a topic and no others.
    pub(in crate::log::kafka) fn alter_configs(
        self: &Arc<Client>,
        topic: &str,
        configs: &[(&str, ConfigOp<'_>)],
        timeout: Duration,
    ) -> Result<(), Failure> {
        let resource = topic_resource(topic)?;
        for (name, op) in configs {
            let name = c_string(name)?;
            let (op, value) = match op {
                ConfigOp::Set(value) => {
                    (sys::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, Some(c_string(value)?))
                }
                ConfigOp::Delete => (sys::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE, None),
            };
            // SAFETY: name and value live for the call, which copies them.
            Failure::take(unsafe {
                sys::rd_kafka_ConfigResource_add_incremental_config(
                    resource.ptr,
                    name.as_ptr(),
                    op,
                    value.as_ref().map_or(ptr::null(), |value| value.as_ptr()),
                )
            })?;
        }
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS,
            timeout,
            |_| Ok(()),
            // SAFETY: one resource, copied by the call.
            |options, queue| unsafe {
                sys::rd_kafka_IncrementalAlterConfigs(self.ptr(), &mut { resource.ptr }, 1, options, queue);
            },
        )?;
        // SAFETY: the result belongs to the event.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(event.ptr());
            let resources = sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, &mut count);
            items(resources.cast_const(), count).iter().try_for_each(|resource| resource_error(*resource))
        }
    }

    /// All configs of a topic, by name.
    pub(in crate::log::kafka) fn describe_configs(
        self: &Arc<Client>,
        topic: &str,
        timeout: Duration,
    ) -> Result<Vec<TopicConfig>, Failure> {
        let resource = topic_resource(topic)?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
            timeout,
            |_| Ok(()),
            // SAFETY: one resource, copied by the call.
            |options, queue| unsafe {
                sys::rd_kafka_DescribeConfigs(self.ptr(), &mut { resource.ptr }, 1, options, queue);
            },
        )?;
        let mut configs = Vec::new();
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeConfigs_result(event.ptr());
            let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
            for resource in items(resources.cast_const(), count) {
                resource_error(*resource)?;
                let mut count = 0;
                let entries = sys::rd_kafka_ConfigResource_configs(*resource, &mut count);
                configs.extend(items(entries.cast_const(), count).iter().map(|entry| TopicConfig {
                    name: text(sys::rd_kafka_ConfigEntry_name(*entry)),
                    value: text(sys::rd_kafka_ConfigEntry_value(*entry)),
                    is_default: sys::rd_kafka_ConfigEntry_source(*entry)
                        != sys::rd_kafka_ConfigSource_t::RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG,
                }));
            }
        }
        configs.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(configs)
    }

    /// The identity of a topic.
    pub(in crate::log::kafka) fn topic_id(
        self: &Arc<Client>,
        topic: &str,
        timeout: Duration,
    ) -> Result<TopicId, Failure> {
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
            Ok(TopicId(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()))
        }
    }

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

    /// Offsets of partitions, as readers of committed records see them or with transactions that are open. What is asked for stands in the place of each
    /// one's offset: a time in ms, -1 for the end, -2 for the first; the answer to a time with nothing at or after it is
    /// -1.
    pub(in crate::log::kafka) fn list_offsets(
        self: &Arc<Client>,
        asked: &PartitionList,
        seen: Seen,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
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
        let mut offsets = BTreeMap::new();
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_ListOffsets_result(event.ptr());
            let infos = sys::rd_kafka_ListOffsets_result_infos(result, &mut count);
            for info in items(infos.cast_const(), count) {
                let found = &*sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*info);
                Failure::check(found.err).map_err(|failure| self.explain(failure))?;
                let place = TopicPartition { topic: text(found.topic), partition: found.partition as u32 };
                offsets.insert(place, found.offset);
            }
        }
        Ok(offsets)
    }

    /// Names of all groups of consumers, in order.
    pub(in crate::log::kafka) fn groups(self: &Arc<Client>, timeout: Duration) -> Result<Vec<String>, Failure> {
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS,
            timeout,
            |_| Ok(()),
            // SAFETY: alive.
            |options, queue| unsafe { sys::rd_kafka_ListConsumerGroups(self.ptr(), options, queue) },
        )?;
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        let mut names: Vec<String> = unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_ListConsumerGroups_result(event.ptr());
            let groups = sys::rd_kafka_ListConsumerGroups_result_valid(result, &mut count);
            let groups = items(groups.cast_const(), count).iter();
            groups.map(|group| text(sys::rd_kafka_ConsumerGroupListing_group_id(*group))).collect()
        };
        names.sort();
        Ok(names)
    }

    pub(in crate::log::kafka) fn group_members(
        self: &Arc<Client>,
        group: &str,
        timeout: Duration,
    ) -> Result<Vec<GroupMember>, Failure> {
        let group = c_string(group)?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
            timeout,
            |_| Ok(()),
            // SAFETY: one name, copied by the call.
            |options, queue| unsafe {
                sys::rd_kafka_DescribeConsumerGroups(self.ptr(), &mut group.as_ptr(), 1, options, queue);
            },
        )?;
        let mut members = Vec::new();
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.ptr());
            let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            for group in items(groups.cast_const(), count) {
                match Failure::look(sys::rd_kafka_ConsumerGroupDescription_error(*group)) {
                    // A group that isn't there has no members.
                    Err(failure) if failure.code == Code::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => continue,
                    outcome => outcome?,
                }
                for index in 0..sys::rd_kafka_ConsumerGroupDescription_member_count(*group) {
                    let member = sys::rd_kafka_ConsumerGroupDescription_member(*group, index);
                    let assigned = sys::rd_kafka_MemberDescription_assignment(member);
                    members.push(GroupMember {
                        id: text(sys::rd_kafka_MemberDescription_consumer_id(member)),
                        client: text(sys::rd_kafka_MemberDescription_client_id(member)),
                        host: text(sys::rd_kafka_MemberDescription_host(member)),
                        partitions: match assigned.is_null() {
                            true => Vec::new(),
                            false => list::places(sys::rd_kafka_MemberAssignment_partitions(assigned)),
                        },
                    });
                }
            }
        }
        Ok(members)
    }

    pub(in crate::log::kafka) fn delete_group(
        self: &Arc<Client>,
        group: &str,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let group = c_string(group)?;
        // SAFETY: the name is copied.
        let group = unsafe { sys::rd_kafka_DeleteGroup_new(group.as_ptr()) };
        let group = Owned::new(group, sys::rd_kafka_DeleteGroup_destroy, &ErrorText::new())?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_DELETEGROUPS,
            timeout,
            |_| Ok(()),
            // SAFETY: one group, copied by the call.
            |options, queue| unsafe { sys::rd_kafka_DeleteGroups(self.ptr(), &mut { group.ptr }, 1, options, queue) },
        )?;
        // SAFETY: the result belongs to the event.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_DeleteGroups_result(event.ptr());
            let groups = sys::rd_kafka_DeleteGroups_result_groups(result, &mut count);
            let mut groups = items(groups.cast_const(), count).iter();
            groups.try_for_each(|group| Failure::look(sys::rd_kafka_group_result_error(*group)))
        }
    }

    /// Committed positions of a group, of some partitions or all. Fails with `UNSTABLE_OFFSET_COMMIT` while a transaction
    /// is about to change them; where all are asked for, one that never had a position isn't waited for.
    pub(in crate::log::kafka) fn group_positions(
        self: &Arc<Client>,
        group: &str,
        places: Option<&PartitionList>,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        let group: CString = c_string(group)?;
        let places = places.map_or(ptr::null(), |places| places.ptr().cast_const());
        // SAFETY: name and list are copied; null stands for all partitions.
        let asked = unsafe { sys::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), places) };
        let asked = Owned::new(asked, sys::rd_kafka_ListConsumerGroupOffsets_destroy, &ErrorText::new())?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
            timeout,
            |options| {
                // SAFETY: the options are alive.
                Failure::take(unsafe { sys::rd_kafka_AdminOptions_set_require_stable_offsets(options, 1) })
            },
            // SAFETY: one group, copied by the call.
            |options, queue| unsafe {
                sys::rd_kafka_ListConsumerGroupOffsets(self.ptr(), &mut { asked.ptr }, 1, options, queue);
            },
        )?;
        let mut positions = BTreeMap::new();
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(event.ptr());
            let groups = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
            for group in items(groups.cast_const(), count) {
                Failure::look(sys::rd_kafka_group_result_error(*group))?;
                positions.extend(list::read(sys::rd_kafka_group_result_partitions(*group))?);
            }
        }
        positions.retain(|_, offset| *offset >= 0);
        Ok(positions)
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

fn topic_resource(topic: &str) -> Result<Owned<sys::rd_kafka_ConfigResource_t>, Failure> {
    let topic = c_string(topic)?;
    // SAFETY: the name is copied.
    let resource = unsafe {
        sys::rd_kafka_ConfigResource_new(sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, topic.as_ptr())
    };
    Owned::new(resource, sys::rd_kafka_ConfigResource_destroy, &ErrorText::new())
}

/// # Safety
/// `count` results that live for this call.
unsafe fn topic_results(results: *mut *const sys::rd_kafka_topic_result_t, count: usize) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe {
        for result in items(results.cast_const(), count) {
            let code = sys::rd_kafka_topic_result_error(*result);
            if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(Failure::new(code, text(sys::rd_kafka_topic_result_error_string(*result))));
            }
        }
    }
    Ok(())
}

/// # Safety
/// A resource that lives for this call.
unsafe fn resource_error(resource: *const sys::rd_kafka_ConfigResource_t) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe {
        match sys::rd_kafka_ConfigResource_error(resource) {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Failure::new(code, text(sys::rd_kafka_ConfigResource_error_string(resource)))),
        }
    }
}

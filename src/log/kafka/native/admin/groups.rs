//! Admin calls about groups of consumers.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::{Op, Owned};
use crate::log::kafka::native::{
    Client, Code, ErrorText, Failure, PartitionList, Position, c_string, items, list, text,
};
use crate::log::{GroupDescription, GroupMember, GroupState, TopicPartition};

impl Client {
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

    /// States and members of groups, each asked for once. One that isn't there is dead.
    pub(in crate::log::kafka) fn describe_groups(
        self: &Arc<Client>,
        groups: &[String],
        timeout: Duration,
    ) -> Result<Vec<GroupDescription>, Failure> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let names = groups.iter().map(|group| c_string(group)).collect::<Result<Vec<CString>, Failure>>()?;
        let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
            timeout,
            |_| Ok(()),
            // SAFETY: so many names, copied by the call.
            |options, queue| unsafe {
                sys::rd_kafka_DescribeConsumerGroups(self.ptr(), names.as_mut_ptr(), names.len(), options, queue);
            },
        )?;
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.ptr());
            let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            items(groups.cast_const(), count).iter().map(|group| description(*group)).collect()
        }
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
    ) -> Result<BTreeMap<TopicPartition, Position>, Failure> {
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
        positions.retain(|_, position: &mut Position| position.offset >= 0);
        Ok(positions)
    }

    /// Sets positions of a group from outside it. Fails with `UNKNOWN_MEMBER_ID` while the group has members.
    pub(in crate::log::kafka) fn alter_group_positions(
        self: &Arc<Client>,
        group: &str,
        positions: &PartitionList,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let group = c_string(group)?;
        // SAFETY: name and list are copied.
        let asked = unsafe { sys::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), positions.ptr()) };
        let asked = Owned::new(asked, sys::rd_kafka_AlterConsumerGroupOffsets_destroy, &ErrorText::new())?;
        let event = self.admin(
            Op::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
            timeout,
            |_| Ok(()),
            // SAFETY: one group, copied by the call.
            |options, queue| unsafe {
                sys::rd_kafka_AlterConsumerGroupOffsets(self.ptr(), &mut { asked.ptr }, 1, options, queue);
            },
        )?;
        // SAFETY: the result belongs to the event; what is taken of it is copied.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(event.ptr());
            let groups = sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &mut count);
            for group in items(groups.cast_const(), count) {
                Failure::look(sys::rd_kafka_group_result_error(*group))?;
                list::read(sys::rd_kafka_group_result_partitions(*group))?;
            }
        }
        Ok(())
    }
}

/// # Safety
/// A description that lives for this call.
unsafe fn description(group: *const sys::rd_kafka_ConsumerGroupDescription_t) -> Result<GroupDescription, Failure> {
    use sys::rd_kafka_consumer_group_state_t as State;
    // SAFETY: by this function's contract; what is taken of it is copied.
    unsafe {
        let name = text(sys::rd_kafka_ConsumerGroupDescription_group_id(group));
        match Failure::look(sys::rd_kafka_ConsumerGroupDescription_error(group)) {
            Err(failure) if failure.code == Code::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => {
                return Ok(GroupDescription { name, state: GroupState::Dead, members: Vec::new() });
            }
            outcome => outcome?,
        }
        let state = match sys::rd_kafka_ConsumerGroupDescription_state(group) {
            State::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => GroupState::Empty,
            State::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE => GroupState::PreparingRebalance,
            State::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE => GroupState::CompletingRebalance,
            State::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE => GroupState::Stable,
            State::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD => GroupState::Dead,
            _ => GroupState::Unknown,
        };
        let members = 0..sys::rd_kafka_ConsumerGroupDescription_member_count(group);
        let members = members.map(|index| member(sys::rd_kafka_ConsumerGroupDescription_member(group, index)));
        Ok(GroupDescription { name, state, members: members.collect() })
    }
}

/// # Safety
/// A member's description that lives for this call.
unsafe fn member(member: *const sys::rd_kafka_MemberDescription_t) -> GroupMember {
    // SAFETY: by this function's contract; what is taken of it is copied.
    unsafe {
        let assigned = sys::rd_kafka_MemberDescription_assignment(member);
        GroupMember {
            id: text(sys::rd_kafka_MemberDescription_consumer_id(member)),
            client: text(sys::rd_kafka_MemberDescription_client_id(member)),
            host: text(sys::rd_kafka_MemberDescription_host(member)),
            partitions: match assigned.is_null() {
                true => Vec::new(),
                false => list::places(sys::rd_kafka_MemberAssignment_partitions(assigned)),
            },
        }
    }
}

//! Admin calls about the configs of topics.

use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;

use super::{Op, Owned};
use crate::log::TopicConfig;
use crate::log::kafka::native::{Client, Code, ErrorText, Failure, c_string, code, items, text};

/// What to do with a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log::kafka) enum ConfigOp<'a> {
    Set(&'a str),
    /// Back to the default.
    Delete,
}

impl Client {
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
/// A resource that lives for this call.
unsafe fn resource_error(resource: *const sys::rd_kafka_ConfigResource_t) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe {
        match code::code(code::raw::rd_kafka_ConfigResource_error(resource)) {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Failure::new(code, text(sys::rd_kafka_ConfigResource_error_string(resource)))),
        }
    }
}

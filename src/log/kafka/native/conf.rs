//! Settings of a client.

use std::ffi::CString;

use rdkafka::bindings as sys;

use super::{ErrorText, items, text};

/// A client's settings, checked one by one as they are set.
pub(in crate::log::kafka) struct Conf(pub(super) *mut sys::rd_kafka_conf_t);

/// Why a setting wasn't taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log::kafka) enum ConfProblem {
    UnknownName,
    /// In librdkafka's words.
    Value(String),
}

impl Conf {
    pub(in crate::log::kafka) fn new() -> Conf {
        // SAFETY: gives an object of our own.
        Conf(unsafe { sys::rd_kafka_conf_new() })
    }

    pub(in crate::log::kafka) fn set(&mut self, name: &str, value: &str) -> Result<(), ConfProblem> {
        let (Ok(c_name), Ok(c_value)) = (CString::new(name), CString::new(value)) else {
            return Err(ConfProblem::Value("it has a zero byte in it".to_owned()));
        };
        let mut error = ErrorText::new();
        // SAFETY: the object is ours; the strings and the buffer live for the call, which copies them.
        let result = unsafe {
            sys::rd_kafka_conf_set(self.0, c_name.as_ptr(), c_value.as_ptr(), error.as_mut_ptr(), error.len())
        };
        match result {
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => Err(ConfProblem::UnknownName),
            _ => Err(ConfProblem::Value(error.get())),
        }
    }

    /// The names of all settings that librdkafka knows.
    pub(in crate::log::kafka) fn names() -> Vec<String> {
        let conf = Conf::new();
        let mut count = 0;
        // SAFETY: the dump is an array of `count` strings, names and values in turn, freed by its own function once it is
        // copied.
        unsafe {
            let dump = sys::rd_kafka_conf_dump(conf.0, &mut count);
            let names = items(dump.cast_const(), count).iter().step_by(2).map(|name| text(*name)).collect();
            sys::rd_kafka_conf_dump_free(dump, count);
            names
        }
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: ours, and not taken over by a client.
            unsafe { sys::rd_kafka_conf_destroy(self.0) };
        }
    }
}

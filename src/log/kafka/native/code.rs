//! Error codes. The bindings have an enum of those that librdkafka names; it passes on what newer brokers answer, too, and a number
//! that the enum doesn't have must never be one of its values. So whatever may come from a broker is taken as a number here.

use std::os::raw::{c_char, c_int};

use rdkafka::bindings as sys;

use super::{Failure, describe};

pub(in crate::log::kafka) type Code = sys::rd_kafka_resp_err_t;

/// librdkafka's functions whose answer may be a broker's code. As in its header, but with the number in the enum's place.
pub(super) mod raw {
    use super::{c_char, c_int, sys};

    unsafe extern "C" {
        pub fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> c_int;
        pub fn rd_kafka_event_error(event: *mut sys::rd_kafka_event_t) -> c_int;
        pub fn rd_kafka_topic_result_error(result: *const sys::rd_kafka_topic_result_t) -> c_int;
        pub fn rd_kafka_ConfigResource_error(resource: *const sys::rd_kafka_ConfigResource_t) -> c_int;
        pub fn rd_kafka_last_error() -> c_int;
        pub fn rd_kafka_fatal_error(client: *mut sys::rd_kafka_t, text: *mut c_char, size: usize) -> c_int;
        pub fn rd_kafka_metadata(
            client: *mut sys::rd_kafka_t,
            all_topics: c_int,
            only_topic: *mut sys::rd_kafka_topic_t,
            found: *mut *const sys::rd_kafka_metadata,
            timeout_ms: c_int,
        ) -> c_int;
        pub fn rd_kafka_commit(
            client: *mut sys::rd_kafka_t,
            offsets: *const sys::rd_kafka_topic_partition_list_t,
            asynchronous: c_int,
        ) -> c_int;
        pub fn rd_kafka_committed(
            client: *mut sys::rd_kafka_t,
            partitions: *mut sys::rd_kafka_topic_partition_list_t,
            timeout_ms: c_int,
        ) -> c_int;
    }
}

/// The code of this number; of one that librdkafka doesn't name, its `UNKNOWN`.
pub(super) fn code(number: c_int) -> Code {
    Code::try_from(number).unwrap_or(Code::RD_KAFKA_RESP_ERR_UNKNOWN)
}

/// The code that stands in an object of librdkafka's.
///
/// # Safety
/// Points to a code of an object that lives for this call.
pub(super) unsafe fn read(place: *const Code) -> Code {
    code(unsafe { number(place) })
}

/// # Safety
/// As for `read`.
unsafe fn number(place: *const Code) -> c_int {
    // SAFETY: by this function's contract; the enum has the layout of a C `int`, and any number is one of those.
    unsafe { place.cast::<c_int>().read() }
}

/// The failure that a code in an object of librdkafka's stands for, if it does.
///
/// # Safety
/// As for `read`.
pub(super) unsafe fn check(place: *const Code) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    check_number(unsafe { number(place) })
}

/// The failure that the answer of a function in `raw` stands for, if it does.
pub(super) fn check_number(number: c_int) -> Result<(), Failure> {
    match Code::try_from(number) {
        Ok(Code::RD_KAFKA_RESP_ERR_NO_ERROR) => Ok(()),
        Ok(code) => Err(Failure::new(code, describe(code))),
        Err(_) => {
            Err(Failure::new(code(number), format!("error {number} of the brokers, which this version doesn't know")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_newer_broker_is_a_failure_with_its_number() {
        // Kafka 4.1's are below 140; librdkafka names fewer, with gaps among its own (below 0), too.
        for number in [9_999, -5, -300] {
            let failure = check_number(number).unwrap_err();
            assert_eq!(failure.code, Code::RD_KAFKA_RESP_ERR_UNKNOWN, "{number}");
            assert!(failure.text.contains(&number.to_string()), "{failure:?}");
        }
        assert!(check_number(0).is_ok());
        assert_eq!(check_number(3).unwrap_err().code, Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    }

    /// As a partition's answer has it: in an object, behind other fields.
    #[test]
    fn a_code_in_an_object_is_read_as_a_number() {
        #[repr(C)]
        struct Answer {
            partition: c_int,
            err: c_int,
        }
        for (err, expected) in [(0, None), (9_999, Some(Code::RD_KAFKA_RESP_ERR_UNKNOWN)), (16, Some(code(16)))] {
            let answer = Answer { partition: 1, err };
            // SAFETY: a number of an object on the stack.
            let found = unsafe { check((&raw const answer.err).cast::<Code>()) };
            assert_eq!(found.err().map(|failure| failure.code), expected, "{}", answer.partition);
        }
    }
}

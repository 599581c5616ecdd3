//! Records of time 0, the first millisecond of 1970, which librdkafka takes for "no time given" and writes with the time
//! of now.
//!
//! Such a record is sent with a time that no record has ([`STAND_IN`]), and an interceptor, which librdkafka calls for each
//! record on the sender's thread before it is queued, puts 0 in its place. The place is not public: it is found by
//! the layout of the version that is built in (`rd_kafka_msg_t`), and is written only when the stand-in is there, both
//! by that layout and by librdkafka's own function. The log suite has records of time 0.

use std::ffi::{c_char, c_void};
use std::ptr;

use rdkafka::bindings as sys;

use super::Code;

/// In the place of 0.
const STAND_IN: i64 = i64::MIN + 1;
const NAME: &std::ffi::CStr = c"zero-time";

/// What to send for a record of this time.
pub(super) fn sent_time(timestamp: i64) -> i64 {
    if timestamp == 0 { STAND_IN } else { timestamp }
}

/// The beginning of `rd_kafka_msg_t` of librdkafka 2.12.
#[repr(C)]
struct Layout {
    message: sys::rd_kafka_message_t,
    link: [*mut c_void; 2],
    flags: i32,
    timestamp_type: i32,
    timestamp: i64,
}

/// Makes the clients of these settings send records of time 0.
///
/// # Safety
/// Settings that no client has taken over.
pub(super) unsafe fn intercept(conf: *mut sys::rd_kafka_conf_t) {
    // SAFETY: by this function's contract; the name is copied.
    unsafe { sys::rd_kafka_conf_interceptor_add_on_new(conf, NAME.as_ptr(), Some(on_new), ptr::null_mut()) };
}

unsafe extern "C" fn on_new(
    client: *mut sys::rd_kafka_t,
    _: *const sys::rd_kafka_conf_t,
    _: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> Code {
    // SAFETY: the client that is made; the name is copied.
    unsafe { sys::rd_kafka_interceptor_add_on_send(client, NAME.as_ptr(), Some(on_send), ptr::null_mut()) }
}

unsafe extern "C" fn on_send(_: *mut sys::rd_kafka_t, message: *mut sys::rd_kafka_message_t, _: *mut c_void) -> Code {
    // SAFETY: the message is the first part of the larger object that `Layout` is the beginning of, and is the sender's
    // alone until this returns.
    unsafe {
        if sys::rd_kafka_message_timestamp(message, ptr::null_mut()) == STAND_IN {
            let timestamp = &raw mut (*message.cast::<Layout>()).timestamp;
            if timestamp.read() == STAND_IN {
                timestamp.write(0);
            }
        }
    }
    Code::RD_KAFKA_RESP_ERR_NO_ERROR
}

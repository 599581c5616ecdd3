//! What a failure of the cluster's or of librdkafka's means: a pure decision from its code and marks.

use super::native::{Code, Failure, describe, name};
use crate::log::LogError;

/// What kind of failure it is, by who must do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    UnknownTopic,
    TopicExists,
    Denied,
    Fenced,
    /// The group changed, or a transaction can't go on: again from the committed positions.
    Aborted,
    Unavailable,
    Other,
}

fn class(failure: &Failure) -> Class {
    match failure.code {
        Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        | Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        | Code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
        | Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID => Class::UnknownTopic,
        Code::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS => Class::TopicExists,
        Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
        | Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
        | Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED
        | Code::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | Code::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED
        | Code::RD_KAFKA_RESP_ERR__AUTHENTICATION
        | Code::RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM
        | Code::RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE
        | Code::RD_KAFKA_RESP_ERR_SECURITY_DISABLED => Class::Denied,
        Code::RD_KAFKA_RESP_ERR__FENCED
        | Code::RD_KAFKA_RESP_ERR_PRODUCER_FENCED
        | Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH
        | Code::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID
        | Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING => Class::Fenced,
        // Fatal for the client; a new one with another setting does it.
        Code::RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT => Class::Other,
        // An idempotent producer lost track of what the brokers have; a new one takes its place.
        Code::RD_KAFKA_RESP_ERR__FATAL => Class::Unavailable,
        _ if failure.fatal => Class::Fenced,
        Code::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION
        | Code::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID
        | Code::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS
        | Code::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE
        | Code::RD_KAFKA_RESP_ERR__PURGE_QUEUE
        | Code::RD_KAFKA_RESP_ERR__PURGE_INFLIGHT => Class::Aborted,
        Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE | Code::RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE => Class::Other,
        _ if failure.abort => Class::Aborted,
        Code::RD_KAFKA_RESP_ERR__TRANSPORT
        | Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
        | Code::RD_KAFKA_RESP_ERR__TIMED_OUT
        | Code::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE
        | Code::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT
        | Code::RD_KAFKA_RESP_ERR__RESOLVE
        | Code::RD_KAFKA_RESP_ERR__SSL
        | Code::RD_KAFKA_RESP_ERR__WAIT_COORD
        | Code::RD_KAFKA_RESP_ERR__NODE_UPDATE
        | Code::RD_KAFKA_RESP_ERR__WAIT_CACHE
        | Code::RD_KAFKA_RESP_ERR__NOENT
        | Code::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH
        | Code::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH
        | Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
        | Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
        | Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT
        | Code::RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE
        | Code::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE
        | Code::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION
        | Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS
        | Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE
        | Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR
        | Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
        | Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | Code::RD_KAFKA_RESP_ERR_NOT_CONTROLLER
        | Code::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR
        | Code::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS
        | Code::RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT
        | Code::RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE => Class::Unavailable,
        _ if failure.retriable => Class::Unavailable,
        _ => Class::Other,
    }
}

/// The error for what was being done, to a topic where it is about one.
pub(super) fn log_error(doing: &str, topic: Option<&str>, failure: Failure) -> LogError {
    let kafka_name = kafka_name(failure.code);
    let about = match topic {
        Some(topic) => format!("{doing} '{topic}'"),
        None => doing.to_owned(),
    };
    let said = match failure.code {
        // librdkafka has another name for the brokers' setting.
        Code::RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT => {
            "producer.transaction.timeout.ms is larger than the brokers' transaction.max.timeout.ms: lower it"
                .to_owned()
        }
        code if failure.text.is_empty() => describe(code),
        _ => failure.text.clone(),
    };
    let named = format!("{about}: {said} ({kafka_name})");
    match (class(&failure), topic) {
        (Class::UnknownTopic, Some(topic)) => LogError::UnknownTopic(topic.to_owned()),
        (Class::TopicExists, Some(topic)) => LogError::TopicExists(topic.to_owned()),
        (Class::Denied, _) => LogError::Denied(named),
        (Class::Fenced, _) => LogError::Fenced(named),
        (Class::Aborted, _) => LogError::Aborted(named),
        (Class::Unavailable, _) => LogError::Unavailable(named),
        (Class::UnknownTopic | Class::TopicExists | Class::Other, _) => {
            LogError::Cluster { error: kafka_name, what: format!("{about}: {said}") }
        }
    }
}

/// Whether the same call may be made again at once: nothing happened yet.
pub(super) fn may_retry(failure: &Failure) -> bool {
    failure.retriable && !failure.fatal && !failure.abort
}

/// Kafka's own name, where librdkafka has another; its own errors begin with an underscore.
fn kafka_name(code: Code) -> String {
    let name = name(code);
    let kafka = match name.as_str() {
        "UNKNOWN_TOPIC_OR_PART" => "UNKNOWN_TOPIC_OR_PARTITION",
        "NOT_LEADER_FOR_PARTITION" => "NOT_LEADER_OR_FOLLOWER",
        "MSG_SIZE_TOO_LARGE" => "MESSAGE_TOO_LARGE",
        "INVALID_MSG" => "CORRUPT_MESSAGE",
        "INVALID_MSG_SIZE" => "INVALID_FETCH_SIZE",
        "TOPIC_EXCEPTION" => "INVALID_TOPIC_EXCEPTION",
        "UNKNOWN" => "UNKNOWN_SERVER_ERROR",
        _ => return name,
    };
    kafka.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Remedy;

    fn failure(code: Code) -> Failure {
        Failure::new(code, "said so")
    }

    #[test]
    fn each_failure_has_its_remedy() {
        for (code, expected) in [
            (Code::RD_KAFKA_RESP_ERR__TRANSPORT, Remedy::Retry),
            (Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, Remedy::Retry),
            (Code::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, Remedy::Redo),
            (Code::RD_KAFKA_RESP_ERR__FENCED, Remedy::Redo),
            (Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Remedy::Mend),
            (Code::RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, Remedy::Mend),
            (Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, Remedy::Mend),
            (Code::RD_KAFKA_RESP_ERR__FATAL, Remedy::Retry),
        ] {
            assert_eq!(log_error("doing", Some("t"), failure(code)).remedy(), expected, "{code:?}");
        }
    }

    /// A record that is too large, or that isn't allowed, is so again the next time.
    #[test]
    fn marks_decide_only_where_the_code_does_not() {
        let abort = |code| Failure { abort: true, ..failure(code) };
        let fatal = |code| Failure { fatal: true, ..failure(code) };
        let remedy = |failure| log_error("doing", Some("t"), failure).remedy();
        assert_eq!(remedy(abort(Code::RD_KAFKA_RESP_ERR__TIMED_OUT)), Remedy::Redo);
        assert_eq!(remedy(abort(Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)), Remedy::Mend);
        assert_eq!(remedy(abort(Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)), Remedy::Mend);
        assert_eq!(remedy(fatal(Code::RD_KAFKA_RESP_ERR__TIMED_OUT)), Remedy::Redo);
        assert_eq!(remedy(fatal(Code::RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)), Remedy::Mend);
        let retriable = Failure { retriable: true, ..failure(Code::RD_KAFKA_RESP_ERR__STATE) };
        assert_eq!(remedy(retriable), Remedy::Retry);
    }

    #[test]
    fn errors_have_kafkas_names() {
        let text = |code| log_error("creating topic", Some("t"), failure(code)).to_string();
        assert_eq!(
            text(Code::RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR),
            "creating topic 't': said so (INVALID_REPLICATION_FACTOR)"
        );
        assert_eq!(
            text(Code::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS),
            "topic 't' already exists (TOPIC_ALREADY_EXISTS)"
        );
        assert!(text(Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE).ends_with("(MESSAGE_TOO_LARGE)"));
        assert!(text(Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).ends_with("(UNKNOWN_TOPIC_OR_PARTITION)"));
        let too_large = LogError::RecordTooLarge { topic: "t".to_owned(), bytes: 2, limit: 1 };
        assert!(too_large.to_string().ends_with("(MESSAGE_TOO_LARGE)"));
    }
}

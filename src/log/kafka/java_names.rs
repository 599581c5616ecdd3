//! Settings that Kafka's Java clients, and so ksqlDB's files, name otherwise than librdkafka does.

/// What a setting comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// librdkafka's own name, or none of either.
    Same,
    Settings(Vec<(&'static str, String)>),
    /// With what to do instead.
    Refused(&'static str),
    /// It means nothing here; why.
    Idle(&'static str),
}

enum Rule {
    Renamed(&'static str),
    Refused(&'static str),
    Idle(&'static str),
    By(fn(&str) -> Meaning),
}

const PEM_HINT: &str = "librdkafka reads certificates in PEM: `keytool -exportcert -rfc -keystore ... > ca.pem`, then ssl.ca.location = ca.pem";
const KEYSTORE_HINT: &str =
    "librdkafka reads PKCS#12 (.p12) key stores, or PEM by ssl.certificate.location and ssl.key.location";
const JAVA: &str = "classes of Java's can't be loaded";
const TLS_HINT: &str = "TLS versions and ciphers are OpenSSL's; ssl.cipher.suites narrows them";

const RULES: &[(&str, Rule)] = &[
    ("buffer.memory", Rule::By(|value| kilobytes("queue.buffering.max.kbytes", value))),
    ("fetch.max.wait.ms", Rule::Renamed("fetch.wait.max.ms")),
    ("interceptor.classes", Rule::Idle(JAVA)),
    ("key.deserializer", Rule::Idle("KEY_FORMAT in the WITH clause says how keys are read")),
    ("key.serializer", Rule::Idle("KEY_FORMAT in the WITH clause says how keys are written")),
    ("max.block.ms", Rule::Idle("how long a write waits is delivery.timeout.ms")),
    ("max.poll.records", Rule::Idle("batches go by bytes; fetch.max.bytes bounds them")),
    ("max.request.size", Rule::Renamed("message.max.bytes")),
    ("metadata.max.age.ms", Rule::Renamed("topic.metadata.refresh.interval.ms")),
    ("metric.reporters", Rule::Idle(JAVA)),
    ("partitioner.class", Rule::Refused("keys are placed by murmur2, as Kafka's own clients place them")),
    ("receive.buffer.bytes", Rule::Renamed("socket.receive.buffer.bytes")),
    ("sasl.client.callback.handler.class", Rule::Refused(JAVA)),
    ("sasl.jaas.config", Rule::By(jaas)),
    ("sasl.login.callback.handler.class", Rule::Refused(JAVA)),
    ("send.buffer.bytes", Rule::Renamed("socket.send.buffer.bytes")),
    ("ssl.enabled.protocols", Rule::Refused(TLS_HINT)),
    ("ssl.endpoint.identification.algorithm", Rule::By(endpoint_check)),
    ("ssl.keystore.certificate.chain", Rule::Renamed("ssl.certificate.pem")),
    ("ssl.keystore.key", Rule::Renamed("ssl.key.pem")),
    ("ssl.keystore.location", Rule::By(key_store)),
    ("ssl.keystore.type", Rule::Refused(KEYSTORE_HINT)),
    ("ssl.protocol", Rule::Refused(TLS_HINT)),
    ("ssl.truststore.certificates", Rule::Renamed("ssl.ca.pem")),
    ("ssl.truststore.location", Rule::By(trust_store)),
    ("ssl.truststore.password", Rule::Refused(PEM_HINT)),
    ("ssl.truststore.type", Rule::By(trust_store_type)),
    ("value.deserializer", Rule::Idle("VALUE_FORMAT in the WITH clause says how values are read")),
    ("value.serializer", Rule::Idle("VALUE_FORMAT in the WITH clause says how values are written")),
];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

pub(super) fn meaning(name: &str, value: &str) -> Meaning {
    match RULES.iter().find(|(known, _)| *known == name) {
        None => Meaning::Same,
        Some((_, Rule::Renamed(known))) => Meaning::Settings(vec![(known, value.to_owned())]),
        Some((_, Rule::Refused(hint))) => Meaning::Refused(hint),
        Some((_, Rule::Idle(why))) => Meaning::Idle(why),
        Some((_, Rule::By(rule))) => rule(value),
    }
}

fn kilobytes(known: &'static str, bytes: &str) -> Meaning {
    match bytes.trim().parse::<u64>() {
        Ok(bytes) => Meaning::Settings(vec![(known, bytes.div_ceil(1024).max(1).to_string())]),
        Err(_) => Meaning::Refused("it must be a number of bytes"),
    }
}

/// `org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="p";`
fn jaas(value: &str) -> Meaning {
    const HINT: &str = "of it only username and password are understood; set sasl.username and sasl.password";
    if !["PlainLoginModule", "ScramLoginModule"].iter().any(|module| value.contains(module)) {
        return Meaning::Refused("only PlainLoginModule and ScramLoginModule are understood; see sasl.mechanism");
    }
    match (jaas_option(value, "username"), jaas_option(value, "password")) {
        (Some(user), Some(password)) => Meaning::Settings(vec![("sasl.username", user), ("sasl.password", password)]),
        _ => Meaning::Refused(HINT),
    }
}

/// The value of `name="..."` or `name=...`; a backslash takes the next character as it is.
fn jaas_option(text: &str, name: &str) -> Option<String> {
    let at = text.match_indices(name).find_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        let rest = text[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
        before.is_none_or(char::is_whitespace).then_some(rest)
    })?;
    let quote = at.chars().next().filter(|first| matches!(first, '"' | '\''));
    let mut chars = at[usize::from(quote.is_some())..].chars();
    let mut value = String::new();
    while let Some(next) = chars.next() {
        match (next, quote) {
            ('\\', Some(_)) => value.extend(chars.next()),
            (next, Some(quote)) if next == quote => return Some(value),
            (next, None) if next.is_whitespace() || next == ';' => break,
            (next, _) => value.push(next),
        }
    }
    quote.is_none().then_some(value)
}

/// Java's empty value is librdkafka's `none`.
fn endpoint_check(value: &str) -> Meaning {
    let value = if value.trim().is_empty() { "none" } else { value };
    Meaning::Settings(vec![("ssl.endpoint.identification.algorithm", value.to_owned())])
}

fn trust_store(value: &str) -> Meaning {
    match is_pem(value) {
        true => Meaning::Settings(vec![("ssl.ca.location", value.to_owned())]),
        false => Meaning::Refused(PEM_HINT),
    }
}

fn trust_store_type(value: &str) -> Meaning {
    match value.eq_ignore_ascii_case("PEM") {
        true => Meaning::Settings(Vec::new()),
        false => Meaning::Refused(PEM_HINT),
    }
}

fn key_store(value: &str) -> Meaning {
    let lower = value.to_ascii_lowercase();
    if is_pem(value) {
        return Meaning::Settings(vec![
            ("ssl.certificate.location", value.to_owned()),
            ("ssl.key.location", value.to_owned()),
        ]);
    }
    match lower.ends_with(".jks") {
        true => Meaning::Refused(KEYSTORE_HINT),
        false => Meaning::Settings(vec![("ssl.keystore.location", value.to_owned())]),
    }
}

fn is_pem(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    [".pem", ".crt", ".cer", ".cert"].iter().any(|end| lower.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, value: &str) -> Vec<(&'static str, String)> {
        match meaning(name, value) {
            Meaning::Settings(settings) => settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(RULES.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn users_are_taken_from_jaas() {
        let line =
            r#"org.apache.kafka.common.security.scram.ScramLoginModule required username="al ice" password="a\"b;c" ;"#;
        assert_eq!(
            settings("sasl.jaas.config", line),
            [("sasl.username", "al ice".to_owned()), ("sasl.password", "a\"b;c".to_owned())]
        );
        let bare = "org.apache.kafka.common.security.plain.PlainLoginModule required password=p username=u;";
        assert_eq!(
            settings("sasl.jaas.config", bare),
            [("sasl.username", "u".to_owned()), ("sasl.password", "p".to_owned())]
        );
        let cut = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"p";
        assert!(matches!(meaning("sasl.jaas.config", cut), Meaning::Refused(_)));
        assert!(matches!(meaning("sasl.jaas.config", "com.sun.Krb5LoginModule required;"), Meaning::Refused(_)));
    }

    #[test]
    fn stores_are_taken_where_librdkafka_reads_them() {
        assert_eq!(settings("ssl.truststore.location", "/a/ca.pem"), [("ssl.ca.location", "/a/ca.pem".to_owned())]);
        assert!(matches!(meaning("ssl.truststore.location", "/a/kafka.jks"), Meaning::Refused(_)));
        assert_eq!(settings("ssl.keystore.location", "k.p12"), [("ssl.keystore.location", "k.p12".to_owned())]);
        assert_eq!(
            settings("ssl.endpoint.identification.algorithm", ""),
            [("ssl.endpoint.identification.algorithm", "none".to_owned())]
        );
        assert_eq!(settings("buffer.memory", "33554432"), [("queue.buffering.max.kbytes", "32768".to_owned())]);
    }
}

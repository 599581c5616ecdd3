//! Keys: from a field's text to the bytes of the record's key.

use clap::ValueEnum;

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyFormat {
    /// UTF-8 text, as KEY_FORMAT 'KAFKA' with a STRING key reads it
    #[value(alias = "kafka-string")]
    String,
    /// 4 bytes, as KEY_FORMAT 'KAFKA' with an INT key
    KafkaInt,
    /// 8 bytes, as KEY_FORMAT 'KAFKA' with a BIGINT key
    KafkaBigint,
    /// 8 bytes, as KEY_FORMAT 'KAFKA' with a DOUBLE key
    KafkaDouble,
    /// A JSON value, as KEY_FORMAT 'JSON'
    Json,
}

/// Writes keys of one format.
#[derive(Debug, Clone, Copy)]
pub struct KeyWriter {
    format: KeyFormat,
}

impl KeyWriter {
    pub fn new(format: KeyFormat) -> Self {
        KeyWriter { format }
    }

    pub fn is_json(&self) -> bool {
        self.format == KeyFormat::Json
    }

    /// Appends the key for a text that is not JSON: a text becomes a JSON string or, where it is one, a JSON number.
    pub fn put(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self.format {
            KeyFormat::String => out.extend_from_slice(text),
            KeyFormat::KafkaInt => out.extend_from_slice(&parse::<i32>(text, "an INT")?.to_be_bytes()),
            KeyFormat::KafkaBigint => out.extend_from_slice(&parse::<i64>(text, "a BIGINT")?.to_be_bytes()),
            KeyFormat::KafkaDouble => out.extend_from_slice(&parse::<f64>(text, "a DOUBLE")?.to_be_bytes()),
            KeyFormat::Json => match std::str::from_utf8(text) {
                Ok(_) => super::csv::put_plain(text, out),
                Err(_) => return Err("the key is not UTF-8".to_owned()),
            },
        }
        Ok(())
    }
}

fn parse<T: std::str::FromStr>(text: &[u8], what: &str) -> Result<T, String> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| format!("the key '{}' is not {what}", String::from_utf8_lossy(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(format: KeyFormat, text: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        KeyWriter::new(format).put(text.as_bytes(), &mut out).map(|()| out)
    }

    #[test]
    fn keys_have_the_bytes_of_their_format() {
        assert_eq!(bytes(KeyFormat::String, "N1"), Ok(b"N1".to_vec()));
        assert_eq!(bytes(KeyFormat::KafkaInt, "-2"), Ok(vec![255, 255, 255, 254]));
        assert_eq!(bytes(KeyFormat::KafkaBigint, "258"), Ok(vec![0, 0, 0, 0, 0, 0, 1, 2]));
        assert_eq!(bytes(KeyFormat::KafkaDouble, "1"), Ok(vec![0x3f, 0xf0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(bytes(KeyFormat::Json, "a\"b"), Ok(br#""a\"b""#.to_vec()));
        assert_eq!(bytes(KeyFormat::Json, "12"), Ok(b"12".to_vec()));
        assert!(bytes(KeyFormat::KafkaInt, "2147483648").is_err());
        assert!(bytes(KeyFormat::KafkaBigint, "x").is_err());
    }
}

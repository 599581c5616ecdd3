//! Functions on URLs, taken apart as RFC 2396 says.

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;

use super::define::{INT, STRING};
use super::kernel::{Get, Out, known};
use super::{Function, ScalarCall};

const CATEGORY: &str = "URL";

pub(super) fn entries() -> Vec<Function> {
    let mut all = parts();
    all.push(
        Function::scalar("URL_ENCODE_PARAM", CATEGORY, "The text as a parameter of a URL.")
            .over(&[("text", &STRING, "a text")], STRING, |call| {
                let text = call.texts(0);
                call.collect_text(|row| Ok(text.get(row).map(encode)))
            })
            .examples(&[("URL_ENCODE_PARAM('a b&c')", "a+b%26c")]),
    );
    all.push(
        Function::scalar("URL_DECODE_PARAM", CATEGORY, "The text of a URL's parameter.")
            .over(&[("text", &STRING, "an encoded text")], STRING, |call| {
                let text = call.texts(0);
                call.collect_text(|row| decode(&known!(text.get(row)).replace('+', " ")).map(Some))
            })
            .examples(&[("URL_DECODE_PARAM('a+b%26c')", "a b&c")]),
    );
    all
}

fn parts() -> Vec<Function> {
    let url = ("url", &STRING, "a URL");
    macro_rules! part {
        ($name:literal, $description:literal, $part:expr, $examples:expr) => {
            Function::scalar($name, CATEGORY, $description)
                .over(&[url], STRING, |call| extract(call, $part))
                .examples($examples)
        };
    }
    vec![
        part!(
            "URL_EXTRACT_PROTOCOL",
            "The protocol of a URL.",
            |url| Ok(url.scheme.map(Into::into)),
            &[("URL_EXTRACT_PROTOCOL('https://a.b/c')", "https")]
        ),
        part!(
            "URL_EXTRACT_HOST",
            "The host of a URL.",
            |url| Ok(url.host().map(|(host, _)| host.into())),
            &[("URL_EXTRACT_HOST('http://me@a.b:80/c')", "a.b")]
        ),
        part!(
            "URL_EXTRACT_PATH",
            "The path of a URL.",
            |url| decode(url.path).map(Some),
            &[("URL_EXTRACT_PATH('http://a.b/c/d?e')", "/c/d")]
        ),
        part!(
            "URL_EXTRACT_QUERY",
            "The query of a URL.",
            |url| url.query.map(decode).transpose(),
            &[("URL_EXTRACT_QUERY('http://a.b/c?d=e&f')", "d=e&f")]
        ),
        part!(
            "URL_EXTRACT_FRAGMENT",
            "The fragment of a URL.",
            |url| url.fragment.map(decode).transpose(),
            &[("URL_EXTRACT_FRAGMENT('http://a.b/c#d')", "d")]
        ),
        Function::scalar("URL_EXTRACT_PORT", CATEGORY, "The port that a URL names.")
            .over(&[url], INT, |call| {
                let text = call.texts(0);
                call.collect::<Int32Type>(|row| {
                    Ok(Url::parse(known!(text.get(row)))?.host().and_then(|(_, port)| port))
                })
            })
            .examples(&[
                ("URL_EXTRACT_PORT('http://a.b:8080/c')", "8080"),
                ("URL_EXTRACT_PORT('http://a.b/c')", "null"),
            ]),
        Function::scalar("URL_EXTRACT_PARAMETER", CATEGORY, "The value of a parameter in a URL's query.")
            .over(&[url, ("name", &STRING, "the parameter's name")], STRING, parameter)
            .examples(&[("URL_EXTRACT_PARAMETER('http://a.b?x=1&y=a%20b', 'y')", "a b")]),
    ]
}

/// A URL's parts, still encoded.
struct Url<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Result<Url<'a>, String> {
        let is_wrong =
            |c: char| c.is_ascii_control() || matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
        if let Some(at) = text.find(is_wrong) {
            return Err(format!("'{text}' is not a URL: illegal character at index {at}"));
        }
        let (rest, fragment) = match text.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (text, None),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        };
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, after)) if is_scheme(scheme) => (Some(scheme), after),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(after) => {
                let end = after.find('/').unwrap_or(after.len());
                (Some(&after[..end]), &after[end..])
            }
            None => (None, rest),
        };
        Ok(Url { scheme, authority, path, query, fragment })
    }

    /// Host and port; `None` where the authority has none that is valid.
    fn host(&self) -> Option<(&'a str, Option<i32>)> {
        let authority = self.authority?;
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (place, ""),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let is_valid = host.starts_with('[') || host.chars().all(is_name);
        let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
        (!host.is_empty() && is_valid).then_some((host, port))
    }
}

fn extract(call: &mut ScalarCall<'_>, part: fn(&Url<'_>) -> Out<String>) -> ArrayRef {
    let text = call.texts(0);
    call.collect_text(|row| part(&Url::parse(known!(text.get(row)))?))
}

fn parameter(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, name) = (call.texts(0), call.texts(1));
    call.collect_text(|row| {
        let (text, name) = (known!(text.get(row)), known!(name.get(row)));
        let query = known!(Url::parse(text)?.query);
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decode(key)? == name {
                return decode(value).map(Some);
            }
        }
        Ok(None)
    })
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(byte as char),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Percent escapes as UTF-8.
fn decode(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = text.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            out.push(byte.ok_or_else(|| format!("Malformed escape in '{text}'"))?);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

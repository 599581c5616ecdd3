//! Functions on URLs. How they are split is `uri`'s knowledge.

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;

use super::define::{INT, STRING};
use super::kernel::{Out, known};
use super::uri::{Uri, unescape};
use super::{Function, ScalarCall, ScalarFn};

const CATEGORY: &str = "URL";

pub(super) fn entries() -> Vec<Function> {
    let url = ("url", &STRING, "a URL");
    let mut all = parts();
    all.extend([
        Function::scalar("URL_EXTRACT_PORT", CATEGORY, "The port that a URL names; NULL when it names none.")
            .over(&[url], INT, port)
            .examples(&[("URL_EXTRACT_PORT('http://localhost:8088/info')", "8088")]),
        Function::scalar(
            "URL_EXTRACT_PARAMETER",
            CATEGORY,
            "The value of a parameter in a URL's query, without escapes; empty when it has none, NULL when it isn't there.",
        )
        .over(&[url, ("parameter", &STRING, "the parameter's name")], STRING, parameter)
        .examples(&[("URL_EXTRACT_PARAMETER('http://a.com/?one=1&two=a%20b', 'two')", "a b")]),
        Function::scalar("URL_ENCODE_PARAM", CATEGORY, "A text as it stands in a URL's query; a blank becomes +.")
            .over(&[("text", &STRING, "a text")], STRING, |call| {
                let text = call.texts(0);
                call.collect_text(|row| Ok(text.get(row).map(encode)))
            })
            .examples(&[("URL_ENCODE_PARAM('a b&c')", "a+b%26c")]),
        Function::scalar("URL_DECODE_PARAM", CATEGORY, "The text that an escaped parameter of a URL stands for.")
            .over(&[("text", &STRING, "an escaped text")], STRING, |call| {
                let text = call.texts(0);
                call.collect_text(|row| decode(known!(text.get(row))).map(Some))
            })
            .examples(&[("URL_DECODE_PARAM('a+b%26c')", "a b&c")]),
    ]);
    all
}

/// The functions that give one part of a URL as text.
fn parts() -> Vec<Function> {
    let entry = |name, description, call: ScalarFn| {
        Function::scalar(name, CATEGORY, description).over(&[("url", &STRING, "a URL")], STRING, call)
    };
    vec![
        entry("URL_EXTRACT_PROTOCOL", "The protocol of a URL; NULL when it has none.", |call| {
            part(call, |uri| uri.scheme)
        })
        .examples(&[("URL_EXTRACT_PROTOCOL('https://a.com/x')", "https")]),
        entry("URL_EXTRACT_HOST", "The host of a URL; NULL when it has none.", |call| part(call, |uri| uri.host))
            .examples(&[("URL_EXTRACT_HOST('https://me@a.com:80/x')", "a.com")]),
        entry("URL_EXTRACT_PATH", "The path of a URL with its leading slash, without escapes.", |call| {
            part(call, |uri| uri.path)
        })
        .examples(&[("URL_EXTRACT_PATH('https://a.com/x/y?q')", "/x/y"), ("URL_EXTRACT_PATH('https://a.com')", "")]),
        entry("URL_EXTRACT_QUERY", "The query of a URL, without escapes; NULL when it has none.", |call| {
            part(call, |uri| uri.query)
        })
        .examples(&[("URL_EXTRACT_QUERY('https://a.com/x?a=1&b=2#c')", "a=1&b=2")]),
        entry("URL_EXTRACT_FRAGMENT", "What follows a URL's #, without escapes; NULL when there is none.", |call| {
            part(call, |uri| uri.fragment)
        })
        .examples(&[("URL_EXTRACT_FRAGMENT('https://a.com/x#top')", "top")]),
    ]
}

fn part(call: &mut ScalarCall<'_>, part: for<'a> fn(&Uri<'a>) -> Option<&'a str>) -> ArrayRef {
    let url = call.texts(0);
    call.collect_text(|row| {
        let uri = Uri::parse(known!(url.get(row)))?;
        Ok(part(&uri).and_then(unescape))
    })
}

fn port(call: &mut ScalarCall<'_>) -> ArrayRef {
    let url = call.texts(0);
    call.collect::<Int32Type>(|row| Ok(Uri::parse(known!(url.get(row)))?.port))
}

fn parameter(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (url, name) = (call.texts(0), call.texts(1));
    call.collect_text(|row| value_of(known!(url.get(row)), known!(name.get(row))))
}

/// The first parameter of that name. Escapes are resolved behind the splitting, so that an escaped `&` stays in its
/// value.
fn value_of(url: &str, name: &str) -> Out<String> {
    let query = known!(Uri::parse(url)?.query);
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let value = pairs.filter(|(key, _)| unescape(key).is_some_and(|key| key == name)).map(|(_, value)| value).next();
    Ok(value.and_then(unescape).map(String::from))
}

fn encode(text: &str) -> String {
    ::url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn decode(text: &str) -> Result<String, String> {
    let blanks = text.replace('+', " ");
    let decoded = unescape(&blanks).map(String::from);
    decoded.ok_or_else(|| format!("'{text}' isn't escaped for a URL: two hexadecimal digits must follow each %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_parameters() {
        let table = [
            ("http://a.b/?x=1&y=2", "y", Some("2")),
            ("http://a.b/?x=1&x=2", "x", Some("1")),
            ("http://a.b/?x", "x", Some("")),
            ("http://a.b/?x=", "x", Some("")),
            ("http://a.b/?x=1=2", "x", Some("1=2")),
            ("http://a.b/?x%20y=%C3%A9%26", "x y", Some("é&")),
            ("http://a.b/?X=1", "x", None),
            ("http://a.b/", "x", None),
            ("mailto:a@b?x=1", "x", None),
        ];
        for (url, name, expected) in table {
            assert_eq!(value_of(url, name), Ok(expected.map(String::from)), "{url}");
        }
        assert!(value_of("http://a b", "x").is_err());
    }

    #[test]
    fn encodes_forms() {
        let table = [("aZ09-_.*", "aZ09-_.*"), (" ~/?", "+%7E%2F%3F"), ("é", "%C3%A9"), ("", "")];
        for (text, expected) in table {
            assert_eq!(encode(text), expected);
            assert_eq!(decode(expected), Ok(text.into()));
        }
        assert_eq!(decode("a b+c%20d"), Ok("a b c d".into()));
        assert!(decode("%2").is_err() && decode("100%!!").is_err());
    }
}

//! URIs by RFC 2396, with the liberties of Java's `java.net.URI`: an authority that isn't a server's is let through
//! without a host, and characters beyond ASCII may stand unescaped. (The `url` crate reads URLs as browsers do: it adds
//! a path, drops default ports, and mends what is refused here.)

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A URI's parts as written, still escaped; `None` where one is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    pub scheme: Option<&'a str>,
    pub host: Option<&'a str>,
    pub port: Option<i32>,
    /// Absent only in opaque URIs, such as `mailto:a@b.c`.
    pub path: Option<&'a str>,
    pub query: Option<&'a str>,
    pub fragment: Option<&'a str>,
}

/// Characters that stand for themselves, besides letters and digits.
const UNRESERVED: &str = "-_.!~*'()";
const PATH: &str = ":@&=+$,;/";
const ANY: &str = ";/?:@&=+$,[]";
const USER: &str = ";:&=+$,";
const SERVER: &str = ";:&=+$,@[]";
const REGISTRY: &str = "$,;:@&=+";

impl<'a> Uri<'a> {
    pub fn parse(text: &'a str) -> Result<Uri<'a>, String> {
        Uri::default().read(text).map_err(|reason| format!("Invalid URI '{text}': {reason}"))
    }

    fn read(mut self, text: &'a str) -> Result<Uri<'a>, String> {
        let (body, fragment) = cut(text, '#');
        self.fragment = fragment;
        let rest = match body.find([':', '/', '?']) {
            Some(at) if body[at..].starts_with(':') => {
                self.scheme = Some(scheme(&body[..at])?);
                &body[at + 1..]
            }
            _ => body,
        };
        if self.scheme.is_some() && !rest.starts_with('/') {
            if rest.is_empty() {
                return Err("there is nothing behind the scheme".into());
            }
            check(rest, ANY, "the part behind the scheme")?;
        } else {
            self.read_hierarchical(rest)?;
        }
        check(fragment.unwrap_or_default(), ANY, "the fragment")?;
        Ok(self)
    }

    fn read_hierarchical(&mut self, text: &'a str) -> Result<(), String> {
        let (mut rest, query) = cut(text, '?');
        if let Some(behind) = rest.strip_prefix("//") {
            let end = behind.find('/').unwrap_or(behind.len());
            if end > 0 {
                self.read_authority(&behind[..end])?;
            } else if behind.is_empty() && query.is_none() && self.fragment.is_none() {
                return Err("there is no authority behind //".into());
            }
            rest = &behind[end..];
        }
        check(rest, PATH, "the path")?;
        check(query.unwrap_or_default(), ANY, "the query")?;
        self.path = Some(rest);
        self.query = query;
        Ok(())
    }

    /// A server's authority gives host and port; another one is accepted if its characters are.
    fn read_authority(&mut self, text: &'a str) -> Result<(), String> {
        match server(text) {
            Ok((host, port)) => {
                (self.host, self.port) = (Some(host), port);
                Ok(())
            }
            Err(_) if check(text, REGISTRY, "").is_ok() => Ok(()),
            Err(reason) => Err(reason),
        }
    }
}

/// What stands before the first `mark`, and behind it if there is one.
fn cut(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

fn scheme(text: &str) -> Result<&str, String> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_known) {
        return Ok(text);
    }
    Err(format!("'{text}' is no scheme"))
}

/// `[user@]host[:port]`
fn server(text: &str) -> Result<(&str, Option<i32>), String> {
    check(text, SERVER, "the authority")?;
    let rest = match text.split_once('@') {
        Some((user, rest)) => {
            check(user, USER, "the user")?;
            rest
        }
        None => text,
    };
    let end = if rest.starts_with('[') {
        rest.find(']').ok_or("the closing bracket is missing")? + 1
    } else {
        rest.find(':').unwrap_or(rest.len())
    };
    let (host, rest) = rest.split_at(end);
    if !is_host(host) {
        return Err(format!("'{host}' is no host"));
    }
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok((host, None)),
        Some("") => Ok((host, None)),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().map(|port| (host, Some(port))).map_err(|_| format!("the port {port} is too large"))
        }
        _ => Err(format!("'{rest}' is no port")),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.trim_end_matches(']');
        let address = address.split_once('%').map_or(address, |(address, _zone)| address);
        return address.parse::<Ipv6Addr>().is_ok();
    }
    host.parse::<Ipv4Addr>().is_ok() || is_host_name(host)
}

/// Labels of letters, digits and inner hyphens; the last of several begins with a letter. A dot may end them.
fn is_host_name(host: &str) -> bool {
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let is_label = |label: &&str| {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_known) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_named = labels.len() == 1 || labels.last().is_some_and(|last| last.starts_with(|c: char| c.is_alphabetic()));
    is_named && labels.iter().all(is_label)
}

/// Only letters, digits, unreserved characters, those in `extra`, escapes, and what is printable beyond ASCII.
fn check(text: &str, extra: &str, part: &str) -> Result<(), String> {
    for (at, c) in text.char_indices() {
        let is_legal = match c {
            '%' => {
                let digits = text.as_bytes().get(at + 1..at + 3);
                digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            }
            _ if c.is_ascii() => c.is_ascii_alphanumeric() || UNRESERVED.contains(c) || extra.contains(c),
            _ => !c.is_control() && !c.is_whitespace(),
        };
        if !is_legal {
            return Err(format!("illegal character '{c}' in {part}"));
        }
    }
    Ok(())
}

/// A text with its escapes resolved; `None` where a `%` isn't followed by two hexadecimal digits. What isn't UTF-8
/// becomes U+FFFD.
pub(super) fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    let digit = |byte: Option<u8>| (byte? as char).to_digit(16);
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                out.push((high << 4 | low) as u8);
            }
            other => out.push(other),
        }
    }
    Some(Cow::Owned(String::from_utf8_lossy(&out).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (Option<&'static str>, Option<&'static str>, Option<i32>, Option<&'static str>, Option<&'static str>);

    fn parts(text: &str) -> Result<Parts, String> {
        let text: &'static str = Box::leak(text.to_string().into_boxed_str());
        Uri::parse(text).map(|uri| (uri.scheme, uri.host, uri.port, uri.path, uri.query))
    }

    #[test]
    fn parts_of_uris() {
        let http = Some("http");
        let table: &[(&str, Parts)] = &[
            ("http://a.b", (http, Some("a.b"), None, Some(""), None)),
            ("http://u:p@a.b:81/c/d?e=f", (http, Some("a.b"), Some(81), Some("/c/d"), Some("e=f"))),
            ("http://a.b?q", (http, Some("a.b"), None, Some(""), Some("q"))),
            ("http://a.b/?", (http, Some("a.b"), None, Some("/"), Some(""))),
            ("http://a.b:/x", (http, Some("a.b"), None, Some("/x"), None)),
            ("http://a.b./x", (http, Some("a.b."), None, Some("/x"), None)),
            ("http://1.2.3.4:5", (http, Some("1.2.3.4"), Some(5), Some(""), None)),
            ("http://[::1]:5/", (http, Some("[::1]"), Some(5), Some("/"), None)),
            ("http://my_host:5/x", (http, None, None, Some("/x"), None)),
            ("http://1.2.3.400/", (http, None, None, Some("/"), None)),
            ("http://é.fr/é", (http, None, None, Some("/é"), None)),
            ("file:///etc/x", (Some("file"), None, None, Some("/etc/x"), None)),
            ("mailto:a@b.c", (Some("mailto"), None, None, None, None)),
            ("urn:a:b?c", (Some("urn"), None, None, None, None)),
            ("//a.b/c", (None, Some("a.b"), None, Some("/c"), None)),
            ("www.a.b", (None, None, None, Some("www.a.b"), None)),
            ("x/y:z", (None, None, None, Some("x/y:z"), None)),
            ("?a:b", (None, None, None, Some(""), Some("a:b"))),
            ("", (None, None, None, Some(""), None)),
        ];
        for (text, expected) in table {
            assert_eq!(parts(text).as_ref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn fragments() {
        let table = [("http://a.b#c", Some("c")), ("#", Some("")), ("a", None), ("m:a#b?c", Some("b?c"))];
        for (text, expected) in table {
            assert_eq!(Uri::parse(text).map(|uri| uri.fragment), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_uri() {
        let table = [
            "http://a.b/c d",
            "http://a.b/%4",
            "http://a.b/%zz",
            "http://a.b/{c}",
            "http://a.b/\"",
            "http://a.b/c\u{7f}",
            "http://a.b/c\u{a0}",
            "http://a.b/[c]",
            "http://[::1",
            "http://[::g]/",
            "http://",
            "http:",
            ":a",
            "1http://a",
            "ht_tp://a",
            "a#b#c",
            "http://a.b?q\\",
        ];
        for text in table {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn escapes() {
        let table = [
            ("a+b", Some("a+b")),
            ("%C3%a9", Some("é")),
            ("é%20", Some("é ")),
            ("%ff", Some("\u{fffd}")),
            ("%", None),
            ("%4", None),
            ("%+4", None),
        ];
        for (text, expected) in table {
            assert_eq!(unescape(text).as_deref(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a%:/?#@\\[\\].0-9é ]{0,20}") {
            let _ = Uri::parse(&text);
            let _ = unescape(&text);
        }
    }
}

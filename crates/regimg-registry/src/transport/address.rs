//! Addresses: which are the same place, which are safe to follow, and how to print them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url, form_urlencoded};

use crate::{Error, ErrorKind};

/// Query parameters that are no secret and help to understand a log line.
const PRINTABLE: [&str; 9] = [
    "n",
    "last",
    "digest",
    "digest-algorithm",
    "mount",
    "from",
    "scope",
    "service",
    "artifactType",
];

/// Characters of an address that are printed.
const LONGEST: usize = 1000;

/// Characters of a query parameter's name that are printed.
const LONGEST_KEY: usize = 32;

/// Returns `host` or `host:port` as it stands in the address.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns the address without user name, password, fragment, unknown query values and whatever of
/// the query is no `name=value`; where it is very long, its beginning.
pub(crate) fn redacted(url: &Url) -> String {
    let mut text = format!("{}://{}{}", url.scheme(), authority(url), url.path());
    let parameters = url.query().unwrap_or_default().split('&');
    for (position, parameter) in parameters.filter(|text| !text.is_empty()).enumerate() {
        text.push(if position == 0 { '?' } else { '&' });
        text.push_str(&shown(parameter));
        if text.len() > LONGEST {
            break;
        }
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns what may be printed of a parameter. Where there is no `=`, the whole of it may be the
/// secret, and what looks like no name may be the end of one.
fn shown(parameter: &str) -> String {
    let Some((key, _)) = parameter.split_once('=').filter(|(key, _)| is_word(key)) else {
        return "…".to_owned();
    };
    let mut pairs = form_urlencoded::parse(parameter.as_bytes());
    let value = pairs.next().filter(|_| PRINTABLE.contains(&key));
    let value = value.as_ref().map_or("…", |(_, value)| value.as_ref());
    format!("{key}={value}")
}

fn is_word(key: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(is_plain)
}

/// Reports whether both addresses have the same scheme, host and port: only then may what is
/// secret to one be shown to the other.
pub(crate) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && same_host(one, other)
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Reports whether both addresses lead to the same machine by name, whatever the port.
pub(crate) fn same_host(one: &Url, other: &Url) -> bool {
    one.host().is_some() && one.host() == other.host()
}

/// Turns an `http` address of the registry itself into the scheme that was agreed with it.
///
/// Registries behind a proxy that ends TLS believe they speak plain `http` and say so in
/// `Location` and `Link`.
pub(crate) fn with_agreed_scheme(mut url: Url, base: &Url) -> Url {
    if url.scheme() == "http" && base.scheme() == "https" && authority(&url) == authority(base) {
        // Between `http` and `https` a change of scheme cannot fail.
        let _ = url.set_scheme("https");
    }
    url
}

/// What an address that somebody else chose may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainText {
    /// Plain `http` only where the address that led here was plain already.
    Keep,
    /// Plain `http` even after `https`, for bytes that a digest will vouch for.
    Accept,
}

/// Checks an address that came out of an answer of `from`, before anything is sent there.
///
/// Literal addresses of private and local networks are refused unless they are where the answer
/// came from: a registry must not make us ask the machine's neighbours or a cloud's metadata
/// service.
pub(crate) fn check(url: &Url, from: &Url, plain: PlainText) -> Result<(), Error> {
    let refuse = |why: String| {
        let text = format!(
            "refused to go from {} to {}: {why}",
            authority(from),
            redacted(url)
        );
        Err(Error::new(ErrorKind::Refused, text).at(from))
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return refuse(format!("{:?} is no web address", url.scheme()));
    }
    if url.scheme() == "http" && from.scheme() == "https" && plain == PlainText::Keep {
        return refuse("it leaves https for http".to_owned());
    }
    if !same_host(url, from) && is_internal(url) {
        return refuse("it is an address of a private network".to_owned());
    }
    Ok(())
}

/// Makes an absolute address of the `Location` in an answer of `from`, and checks it. `does` says
/// for errors what the host does with it.
pub(crate) fn target(
    location: &str,
    from: &Url,
    plain: PlainText,
    does: &str,
) -> Result<Url, Error> {
    let url = from.join(location).map_err(|error| {
        let message = format!("{} {does} to what is no address", authority(from));
        Error::new(ErrorKind::Protocol, message)
            .at(from)
            .with_source(error)
    })?;
    let url = with_agreed_scheme(url, from);
    check(&url, from, plain)?;
    Ok(url)
}

fn is_internal(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_internal_v4(address),
        Some(Host::Ipv6(address)) => is_internal_v6(address),
        Some(Host::Domain(name)) => is_this_machine(name),
        None => false,
    }
}

/// [RFC 6761, section 6.3](https://www.rfc-editor.org/rfc/rfc6761#section-6.3).
fn is_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

fn is_internal_v4(address: Ipv4Addr) -> bool {
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.octets()[0] == 0
        // Protocol assignments, RFC 6890; another cloud's metadata service is there.
        || address.octets()[..3] == [192, 0, 0]
        // Benchmarks of networks, RFC 2544.
        || (address.octets()[0] == 198 && address.octets()[1] & 0xfe == 18)
        // Shared address space of carriers, RFC 6598; a cloud keeps its metadata service there.
        || (address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64)
}

fn is_internal_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = translated(address) {
        return is_internal_v4(inner);
    }
    match address.to_canonical() {
        IpAddr::V4(address) => is_internal_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast()
        }
    }
}

/// Returns the IPv4 address that a gateway makes of this one: NAT64
/// ([RFC 6052](https://www.rfc-editor.org/rfc/rfc6052#section-2.1)) and 6to4
/// ([RFC 3056](https://www.rfc-editor.org/rfc/rfc3056#section-2)).
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn printed_addresses_hold_no_secrets() {
        let printed = redacted(&url(
            "https://user:pass@h:5000/v2/a?n=5&last=b&X-Amz-Signature=abc#f",
        ));
        assert_eq!(printed, "https://h:5000/v2/a?n=5&last=b&X-Amz-Signature=…");
    }

    #[test]
    fn printed_addresses_hold_no_parameter_that_is_all_secret() {
        let long = "k".repeat(33);
        for (query, wanted) in [
            ("n=5&bob:S3CRET", "?n=5&…"),
            ("S3CRET", "?…"),
            ("S3CRET&n=5", "?…&n=5"),
            ("bob:S3CRET=&last=b", "?…&last=b"),
            ("S3CRET%2F=x", "?…"),
            ("=S3CRET", "?…"),
            (&format!("{long}=1"), "?…"),
            (&format!("{}=1", &long[1..]), &format!("?{}=…", &long[1..])),
            ("last=a%2Fb+c&&mount=", "?last=a/b c&mount="),
            ("&", ""),
        ] {
            let printed = redacted(&url(&format!("https://h/?{query}")));
            assert_eq!(printed, format!("https://h/{wanted}"), "{query}");
        }
    }

    #[test]
    fn printed_addresses_are_not_endless() {
        let printed = |address: String| redacted(&url(&address)).chars().count();
        assert_eq!(printed(format!("https://h/{}", "é".repeat(5000))), 1001);
        assert_eq!(printed(format!("https://h/?{}", "n=1&".repeat(5000))), 1001);
    }

    #[test]
    fn origins() {
        assert!(same_origin(&url("https://a/x"), &url("https://a:443/y")));
        assert!(!same_origin(&url("https://a/"), &url("http://a/")));
        assert!(!same_origin(&url("https://a/"), &url("https://a:444/")));
        assert!(!same_origin(&url("https://a/"), &url("https://b/")));
        let agreed = |text, base| with_agreed_scheme(url(text), &url(base)).to_string();
        assert_eq!(agreed("http://a/x", "https://a/"), "https://a/x");
        assert_eq!(
            agreed("http://a:5000/x", "https://a:5000/"),
            "https://a:5000/x"
        );
        assert_eq!(agreed("http://a:80/x", "https://a:5000/"), "http://a/x");
        assert_eq!(agreed("http://b/x", "https://a/"), "http://b/x");
        assert_eq!(agreed("https://a/x", "http://a/"), "https://a/x");
    }

    #[track_caller]
    fn check(to: &str, from: &str, plain: PlainText, wanted: Option<&str>) {
        let got = super::check(&url(to), &url(from), plain)
            .err()
            .map(|error| error.to_string());
        match (got, wanted) {
            (Some(got), Some(wanted)) => assert!(got.contains(wanted), "{got}"),
            (got, wanted) => assert_eq!(got.as_deref(), wanted, "{to} from {from}"),
        }
    }

    #[test]
    fn dangerous_addresses_are_refused() {
        use PlainText::{Accept, Keep};
        check("https://cdn/x", "https://a/", Keep, None);
        check("http://cdn/x", "https://a/", Keep, Some("leaves https"));
        check("http://cdn/x", "https://a/", Accept, None);
        check("http://cdn/x", "http://a/", Keep, None);
        check(
            "file:///etc/passwd",
            "https://a/",
            Accept,
            Some("no web address"),
        );
        check("ftp://cdn/x", "https://a/", Accept, Some("no web address"));
        for host in [
            "10.0.0.1",
            "172.16.9.9",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.100.100.200",
            "192.0.0.192",
            "198.19.0.1",
            "224.0.0.1",
            "localhost",
            "localhost.",
            "metadata.localhost",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a00:1::1]",
            "[ff02::1]",
            "[::1]",
            "[::]",
            "[fd00::1]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "2130706433",
            "0x7f.1",
        ] {
            check(
                &format!("https://{host}/x"),
                "https://a/",
                Keep,
                Some("private network"),
            );
            check(
                &format!("https://{host}:444/x"),
                &format!("https://{host}/"),
                Keep,
                None,
            );
        }
        check("https://8.8.8.8/x", "https://a/", Keep, None);
        check("https://[2001:4860:4860::8888]/x", "https://a/", Keep, None);
        check("https://[64:ff9b::808:808]/x", "https://a/", Keep, None);
        check("https://notlocalhost/x", "https://a/", Keep, None);
    }
}

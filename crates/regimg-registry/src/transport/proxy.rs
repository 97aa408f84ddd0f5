//! Which proxy a request leaves through, by the rules of Go's `net/http`.
//!
//! Concourse sets `http_proxy`, `https_proxy` and `no_proxy` in every container of a resource,
//! and the values were written for Go programs
//! ([`httpproxy`](https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config)).

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::{Error, ErrorKind};

/// The proxies for `http` and `https` addresses, and the hosts that are reached without one.
///
/// `localhost` and loopback addresses are always reached without one.
#[derive(Clone, Default)]
pub struct Proxy {
    http: Option<Url>,
    https: Option<Url>,
    direct: Vec<Rule>,
}

impl Proxy {
    /// Uses no proxy.
    pub fn none() -> Self {
        Self::default()
    }

    /// Uses what the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, or the same in
    /// lower case; `lookup` returns the value of one. `HTTP_PROXY` is left aside where
    /// `REQUEST_METHOD` is set, since a CGI script's caller chooses it.
    ///
    /// ```
    /// let variables = [("https_proxy", "proxy.example:3128"), ("no_proxy", ".internal")];
    /// let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
    /// regimg_registry::Proxy::from_variables(lookup)?;
    /// # Ok::<(), regimg_registry::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when a proxy's address is none.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let either = |upper: &str| {
            let found = [upper.to_owned(), upper.to_ascii_lowercase()];
            found
                .iter()
                .find_map(|name| lookup(name).filter(|value| !value.is_empty()))
        };
        let is_cgi = lookup("REQUEST_METHOD").is_some_and(|method| !method.is_empty());
        let http = if is_cgi { None } else { either("HTTP_PROXY") };
        let proxy = Self::none().with_direct(&either("NO_PROXY").unwrap_or_default());
        Ok(Self {
            http: http.map(|text| address("HTTP_PROXY", &text)).transpose()?,
            https: either("HTTPS_PROXY")
                .map(|text| address("HTTPS_PROXY", &text))
                .transpose()?,
            ..proxy
        })
    }

    /// Reaches the hosts of a `NO_PROXY` list directly: names with their subdomains, `.name` for
    /// the subdomains alone, addresses, networks (`10.0.0.0/8`), each with `:port` if only that
    /// port is meant, or `*` for every host.
    #[must_use]
    pub fn with_direct(mut self, no_proxy: &str) -> Self {
        self.direct = no_proxy.split(',').filter_map(Rule::parse).collect();
        self
    }

    /// Reaches the metadata services of clouds directly as well, at their link-local addresses:
    /// they say who asks, and would be asked by the proxy.
    #[cfg(feature = "ecr")]
    pub(crate) fn sparing_metadata_services(mut self) -> Self {
        let networks = ["169.254.0.0/16", "fd00:ec2::/32"];
        self.direct
            .extend(networks.into_iter().filter_map(Rule::parse));
        self
    }

    /// Returns the proxy for an address, `None` when it is reached directly.
    pub(crate) fn of(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme() {
            "https" => self.https.as_ref(),
            _ => self.http.as_ref(),
        }?;
        let host = url.host()?;
        let port = url.port_or_known_default()?;
        let direct = is_loopback(&host) || self.direct.iter().any(|rule| rule.covers(&host, port));
        (!direct).then_some(proxy)
    }

    /// Returns where the proxy for an address is, `host:port` without any secret of its URL. The
    /// port is said even if it is the default one, for to leave it out is a common mistake.
    pub(crate) fn place_for(&self, url: &Url) -> Option<String> {
        let proxy = self.of(url)?;
        let (host, port) = (proxy.host_str()?, proxy.port_or_known_default()?);
        Some(format!("{host}:{port}"))
    }
}

/// Proxies may hold a password, so only where they are is shown.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |url: &Option<Url>| url.as_ref().map(super::address::redacted);
        f.debug_struct("Proxy")
            .field("http", &shown(&self.http))
            .field("https", &shown(&self.https))
            .field("direct", &self.direct)
            .finish()
    }
}

/// A proxy without a scheme is an `http` one.
fn address(variable: &str, text: &str) -> Result<Url, Error> {
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&text).ok();
    // The text may hold a password and is not repeated.
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| {
            let message = format!("{variable} is not the address of an http proxy");
            Error::new(ErrorKind::Configuration, message)
        })
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Everything,
    Network {
        address: IpAddr,
        bits: u8,
    },
    Address {
        address: IpAddr,
        port: Option<u16>,
    },
    /// `name` starts with a dot; `itself` says whether the host of that name is meant too.
    Name {
        name: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Rule {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        match entry.as_str() {
            "" => return None,
            "*" => return Some(Self::Everything),
            _ => {}
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
            return Some(Self::Network { address, bits });
        }
        let (host, port) = split_port(&entry);
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Some(Self::Address { address, port });
        }
        let name = host
            .strip_prefix('*')
            .filter(|rest| rest.starts_with('.'))
            .unwrap_or(host);
        let itself = !name.starts_with('.');
        let name = if itself {
            format!(".{name}")
        } else {
            name.to_owned()
        };
        (name.len() > 1).then_some(Self::Name { name, itself, port })
    }

    fn covers(&self, host: &Host<&str>, port: u16) -> bool {
        let address = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(address.to_canonical()),
            Host::Domain(_) => None,
        };
        match self {
            Self::Everything => true,
            Self::Network {
                address: network,
                bits,
            } => address.is_some_and(|address| in_network(address, *network, *bits)),
            Self::Address {
                address: wanted,
                port: only,
            } => address == Some(*wanted) && only.is_none_or(|only| only == port),
            Self::Name {
                name,
                itself,
                port: only,
            } => {
                let Host::Domain(host) = host else {
                    return false;
                };
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let matches = host.ends_with(name.as_str()) || (*itself && host == name[1..]);
                matches && only.is_none_or(|only| only == port)
            }
        }
    }
}

/// Splits `host:port`; an IPv6 address without brackets has no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn in_network(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let host_bits = 32_u32.saturating_sub(u32::from(bits));
            shifted(u128::from(address.to_bits()), host_bits)
                == shifted(u128::from(network.to_bits()), host_bits)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let host_bits = 128_u32.saturating_sub(u32::from(bits));
            shifted(address.to_bits(), host_bits) == shifted(network.to_bits(), host_bits)
        }
        _ => false,
    }
}

fn shifted(bits: u128, by: u32) -> u128 {
    bits.checked_shr(by).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "http://proxy:3128/";

    #[track_caller]
    fn check(no_proxy: &str, target: &str, proxied: bool) {
        let lookup = |name: &str| match name {
            "http_proxy" | "HTTPS_PROXY" => Some("proxy:3128".to_owned()),
            "no_proxy" => Some(no_proxy.to_owned()),
            _ => None,
        };
        let proxy = Proxy::from_variables(lookup).unwrap();
        let used = proxy.of(&Url::parse(target).unwrap()).map(Url::as_str);
        assert_eq!(
            used,
            proxied.then_some(PROXY),
            "{target} with NO_PROXY={no_proxy}"
        );
    }

    #[test]
    fn hosts_reached_directly() {
        check("", "https://ghcr.io/", true);
        check("", "http://ghcr.io/", true);
        check("", "http://localhost:5000/", false);
        check("", "http://127.9.0.1:5000/", false);
        check("", "http://[::1]:5000/", false);
        check("*", "https://ghcr.io/", false);
        check(" a , ghcr.io ", "https://ghcr.io/", false);
        check("ghcr.io", "https://sub.ghcr.io/", false);
        check("ghcr.io", "https://notghcr.io/", true);
        check(".ghcr.io", "https://ghcr.io/", true);
        check(".ghcr.io", "https://sub.ghcr.io/", false);
        check("*.ghcr.io", "https://sub.ghcr.io/", false);
        check("*.ghcr.io", "https://ghcr.io/", true);
        check("GHCR.IO", "https://ghcr.io/", false);
        check("ghcr.io:443", "https://ghcr.io/", false);
        check("ghcr.io:5000", "https://ghcr.io/", true);
        check("10.0.0.0/8", "https://10.1.2.3/", false);
        check("10.0.0.0/8", "https://11.1.2.3/", true);
        check("0.0.0.0/0", "https://11.1.2.3/", false);
        check("10.1.2.3", "https://10.1.2.3:5000/", false);
        check("10.1.2.3:5000", "https://10.1.2.3:5000/", false);
        check("10.1.2.3:5001", "https://10.1.2.3:5000/", true);
        check("fd00::/8", "https://[fd12::1]/", false);
        check("fd12::1", "https://[fd12::1]:5000/", false);
        check("[fd12::1]:5000", "https://[fd12::1]:5000/", false);
        check("[fd12::1]:5001", "https://[fd12::1]:5000/", true);
        check("nonsense/99,,.,ghcr.io", "https://ghcr.io/", false);
    }

    #[test]
    fn variables() {
        let of = |variables: &[(&str, &str)], target: &str| {
            let lookup = |name: &str| {
                variables
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            let proxy = Proxy::from_variables(lookup).map_err(|error| error.to_string())?;
            Ok::<_, String>(
                proxy
                    .of(&Url::parse(target).unwrap())
                    .map(ToString::to_string),
            )
        };
        let upper_first = [("HTTP_PROXY", "http://one"), ("http_proxy", "http://two")];
        assert_eq!(
            of(&upper_first, "http://a/").unwrap().as_deref(),
            Some("http://one/")
        );
        assert_eq!(of(&upper_first, "https://a/").unwrap(), None);
        let cgi = [("HTTP_PROXY", "http://one"), ("REQUEST_METHOD", "GET")];
        assert_eq!(of(&cgi, "http://a/").unwrap(), None);
        let secret = [("HTTPS_PROXY", "http://user:secret@one:x")];
        assert_eq!(
            of(&secret, "https://a/").unwrap_err(),
            "HTTPS_PROXY is not the address of an http proxy"
        );
        let given = Proxy::from_variables(|_| Some("http://user:secret@one".to_owned())).unwrap();
        assert!(!format!("{given:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn any_list_can_be_read(list in "[-a-z0-9.:,/*\\[\\] ]{0,80}") {
            let proxy = Proxy { http: Some(Url::parse(PROXY).unwrap()), ..Proxy::none() }.with_direct(&list);
            proxy.of(&Url::parse("http://a.b:1/").unwrap());
            proxy.of(&Url::parse("http://1.2.3.4/").unwrap());
            proxy.of(&Url::parse("http://[fe80::1]/").unwrap());
        }
    }
}

//! The host that holds images.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::ParseReferenceError;

/// What Docker Hub's registry is called, whatever people write.
const DOCKER_HUB: &str = "index.docker.io";

/// Names a registry: a host and perhaps a port.
///
/// ```
/// use regimg_core::Registry;
///
/// assert_eq!(Registry::parse("docker.io")?.host(), "index.docker.io");
/// assert_eq!(Registry::parse("[::1]:5000")?.host(), "[::1]:5000");
/// assert!(Registry::parse("192.168.1.7:5000")?.is_local());
/// # Ok::<(), regimg_core::ParseReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry {
    host: String,
}

impl Registry {
    /// Reads `host[:port]`; IPv6 addresses stand in brackets. `docker.io` and the empty
    /// text are Docker Hub.
    ///
    /// # Errors
    ///
    /// Characters that no host has, an IPv6 address that is none, or a port above 65535.
    pub fn parse(text: &str) -> Result<Self, ParseReferenceError> {
        if text.is_empty() || text == "docker.io" {
            return Ok(Self {
                host: DOCKER_HUB.to_owned(),
            });
        }
        let failed = |problem: &str| ParseReferenceError::new("registry", text, problem);
        let (host, port) =
            split_port(text).ok_or_else(|| failed("an IPv6 address needs its closing bracket"))?;
        check_host(host).map_err(failed)?;
        if port.is_some_and(|port| {
            port.parse::<u16>().is_err() || !port.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            return Err(failed("the port is no number up to 65535"));
        }
        Ok(Self {
            host: text.to_owned(),
        })
    }

    /// Returns host and port as a URL has them.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Says whether this is Docker Hub.
    pub fn is_docker_hub(&self) -> bool {
        self.host == DOCKER_HUB
    }

    /// Says whether plain http may be tried without being asked for: `localhost`,
    /// `*.localhost`, loopback addresses, and the private networks of RFC 1918.
    ///
    /// Source: go-containerregistry `pkg/name/registry.go`, `Scheme`.
    pub fn is_local(&self) -> bool {
        let Some((host, _)) = split_port(&self.host) else {
            return false;
        };
        if host == "localhost" || host.ends_with(".localhost") {
            return true;
        }
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(IpAddr::V4(address)) => is_local_v4(address),
            Ok(IpAddr::V6(address)) => address == Ipv6Addr::LOCALHOST,
            Err(_) => false,
        }
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_private()
}

/// Splits `host[:port]`; none for an open bracket.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let end = text.find(']')?;
        let (host, rest) = text.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or(address);
        return match address.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("what stands in brackets is no IPv6 address"),
        };
    }
    if host.is_empty() {
        return Err("has no host");
    }
    if host.len() > 253 {
        return Err("is longer than a host name can be");
    }
    if host
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    {
        Ok(())
    } else {
        Err("a host has letters, digits, dots, hyphens and underscores")
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

impl FromStr for Registry {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        Self::parse(text)
    }
}

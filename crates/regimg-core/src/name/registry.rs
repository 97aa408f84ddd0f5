//! The host that serves repositories.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::error::{Kind, ParseReferenceError, Part};

/// The host, with an optional port, that serves repositories.
///
/// The spelling is kept, apart from `docker.io`, which becomes
/// `index.docker.io`, the name Docker Hub's credentials are stored under.
///
/// ```
/// use regimg_core::Registry;
///
/// # fn main() -> Result<(), regimg_core::ParseReferenceError> {
/// assert_eq!(Registry::parse("docker.io")?.host(), "index.docker.io");
/// assert_eq!(Registry::parse("[::1]:5000")?.host(), "[::1]:5000");
/// assert!(Registry::parse("localhost:5000")?.is_local());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry {
    host: String,
}

impl Registry {
    const DOCKER_HUB: &'static str = "index.docker.io";
    const DOCKER_HUB_ALIAS: &'static str = "docker.io";

    /// Reads `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
    ///
    /// # Errors
    ///
    /// Fails for an empty name, a scheme, a path, user information, an IPv6
    /// address without brackets, and a port outside 1 to 65535.
    pub fn parse(host: &str) -> Result<Self, ParseReferenceError> {
        Self::from_host(host).map_err(|kind| ParseReferenceError::new(host, kind))
    }

    /// Returns Docker Hub, where a repository without a host belongs.
    pub fn docker_hub() -> Self {
        Self {
            host: Self::DOCKER_HUB.to_owned(),
        }
    }

    /// Returns the authority of the registry's URLs: `ghcr.io`,
    /// `localhost:5000`, `[::1]:5000`; for Docker Hub, `index.docker.io`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Says whether this is Docker Hub, under either of its names.
    pub fn is_docker_hub(&self) -> bool {
        self.host == Self::DOCKER_HUB
    }

    /// Says whether plain HTTP may be tried without the user's leave.
    ///
    /// True for `localhost`, names that end in `.localhost`, the loopback
    /// addresses 127.0.0.0/8 and `::1`, and the private IPv4 networks of
    /// [RFC 1918]. These are go-containerregistry's rules, with 127.0.0.1
    /// widened to its whole network. No name is looked up.
    ///
    /// [RFC 1918]: https://www.rfc-editor.org/rfc/rfc1918#section-3
    pub fn is_local(&self) -> bool {
        let name = self.name();
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return address.is_loopback() || address.is_private();
        }
        if let Ok(address) = name.parse::<Ipv6Addr>() {
            return address.is_loopback();
        }
        name == "localhost" || name.ends_with(".localhost")
    }

    /// Says whether the first part of a repository's name is a host.
    ///
    /// A dot or a colon makes it one, as does the bare name `localhost`.
    // Compat: go-containerregistry takes `localhost/a` for a repository of
    // Docker Hub. Docker's own tools do not, and nobody means that.
    pub(super) fn is_named_by(part: &str) -> bool {
        part.contains(['.', ':']) || part == "localhost"
    }

    pub(super) fn from_host(host: &str) -> Result<Self, Kind> {
        check_authority(host)?;
        if host == Self::DOCKER_HUB_ALIAS {
            return Ok(Self::docker_hub());
        }
        Ok(Self {
            host: host.to_owned(),
        })
    }

    /// The host without port and brackets.
    fn name(&self) -> &str {
        if let Some((address, _)) = bracketed(&self.host) {
            return address;
        }
        self.host.split(':').next().unwrap_or_default()
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

impl FromStr for Registry {
    type Err = ParseReferenceError;

    fn from_str(host: &str) -> Result<Self, Self::Err> {
        Self::parse(host)
    }
}

/// Splits `[address]rest`.
fn bracketed(host: &str) -> Option<(&str, &str)> {
    host.strip_prefix('[')?.split_once(']')
}

fn check_authority(authority: &str) -> Result<(), Kind> {
    if authority.is_empty() {
        return Err(Kind::Empty(Part::Registry));
    }
    if authority.contains("://") {
        return Err(Kind::Scheme);
    }
    if authority.starts_with('[') {
        return check_bracketed(authority);
    }
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    };
    if port.is_some_and(|port| port.contains(':')) {
        return Err(Kind::UnbracketedIpv6);
    }
    check_host_name(name)?;
    port.map_or(Ok(()), check_port)
}

fn check_bracketed(authority: &str) -> Result<(), Kind> {
    let (address, rest) = bracketed(authority).ok_or(Kind::HostShape)?;
    address.parse::<Ipv6Addr>().map_err(|_| Kind::Ipv6)?;
    if rest.is_empty() {
        return Ok(());
    }
    check_port(rest.strip_prefix(':').ok_or(Kind::HostShape)?)
}

/// Underscores are no part of a DNS name, but Docker Compose makes such hosts.
fn check_host_name(name: &str) -> Result<(), Kind> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if let Some(found) = name.chars().find(|&c| !allowed(c)) {
        let part = Part::Registry;
        return Err(Kind::Character { part, found });
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || name.contains("..") {
        return Err(Kind::HostShape);
    }
    Ok(())
}

fn check_port(port: &str) -> Result<(), Kind> {
    let number = port.parse::<u16>().unwrap_or_default();
    if number == 0 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Kind::Port(port.to_owned()));
    }
    Ok(())
}

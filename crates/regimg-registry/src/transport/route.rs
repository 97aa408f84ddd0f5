//! Whom a request goes to, and through whom: what an error has to name.

use std::fmt;

use url::Url;

use super::address::authority;

/// An address and the proxy on the way there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route<'a> {
    pub(crate) url: &'a Url,
    /// `proxy:3128`: where the proxy is, and nothing of what its URL holds besides.
    pub(crate) proxy: Option<&'a str>,
}

impl fmt::Display for Route<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&authority(self.url))?;
        match self.proxy {
            Some(proxy) => write!(f, " through the proxy {proxy}"),
            None => Ok(()),
        }
    }
}

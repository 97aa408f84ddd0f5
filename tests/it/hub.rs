//! A stand-in for Docker Hub, whose name no test can resolve.

use regimg_tests::Proxy;
use regimg_tests::registry::Registry;
use regimg_tests::tls::Authority;

/// Starts a registry that is Docker Hub to whoever trusts the authority and goes through the
/// proxy.
pub(crate) fn start() -> (Registry, Proxy, Authority) {
    let authority = Authority::new();
    let identity = authority.server(&["index.docker.io"]);
    let hub = Registry::builder()
        .tls_with(identity, authority.pem())
        .start();
    let proxy = Proxy::to(hub.addr());
    (hub, proxy, authority)
}

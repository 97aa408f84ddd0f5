//! Nexus.

use regimg_core::Repository;
use regimg_registry::{Client, Config, RepositoryClient};
use regimg_tests::registry::{Auth, LinkForm, Paging, Registry};

use super::{PATH, everything, filled, with_auth};
use crate::support::{World, basic};

/// Behind a proxy that ends TLS it calls itself `http`, and names a path that only it knows
/// (<https://github.com/sonatype/nexus-public/issues/1011>). `/v2/` is open to everyone.
#[tokio::test]
async fn everything_works_behind_a_proxy() {
    let paging = || Paging::of(10).link(LinkForm::Internal);
    let auth = || Auth::basic().account("user", "pa55word").open_ping();
    let registry = with_auth(auth());
    registry.set_paging(paging());
    let world = World::with(registry, basic("user", "pa55word"));
    everything(&world, PATH).await.unwrap();

    let registry = filled(Registry::builder().tls().auth(auth()).paging(paging()));
    let mut config = Config::default();
    config.ca_certs = vec![registry.ca_pem().to_owned()];
    let client = Client::new(config, basic("user", "pa55word")).unwrap();
    let name = format!("{}/{PATH}", registry.host());
    let repository: RepositoryClient = client.repository(&Repository::parse(&name).unwrap());
    assert_eq!(repository.tags().await.unwrap(), registry.tags(PATH));
    assert!(registry.requests().iter().all(|asked| asked.tls));
}

//! Quay.

use regimg_registry::BlobOutcome;
use regimg_tests::registry::{Auth, Fault, LinkForm, Match, Paging};

use super::{PATH, everything, with_auth};
use crate::support::{World, basic};

/// Pages by a cursor of its own (<https://github.com/deitch/docker_registry2/issues/56>), is out of
/// order now and then (<https://github.com/containers/common/issues/2299>), and refuses a `mount`
/// that does not say `from` where (<https://github.com/google/go-containerregistry/issues/401>).
#[tokio::test]
async fn everything_works() {
    let auth = Auth::bearer().account("team+robot", "pa55word");
    let registry = with_auth(auth);
    registry.set_paging(Paging::of(10).link(LinkForm::Opaque));
    for matching in [
        Match::get("/v2/team/app/tags/list").after(1).once(),
        Match::get("/v2/team/app/manifests/*").times(2),
        Match::put("/v2/team/app/manifests/*").once(),
    ] {
        registry.fault(matching, Fault::status(502));
    }
    let world = World::with(registry, basic("team+robot", "pa55word"));
    let of_base = everything(&world, PATH).await.unwrap();
    assert_eq!(of_base, BlobOutcome::Mounted);
    let requests = world.registry.requests();
    let mut uploads = requests.iter().filter(|asked| asked.method == "POST");
    assert!(uploads.all(|asked| asked.field("mount").is_some() == asked.field("from").is_some()));
}

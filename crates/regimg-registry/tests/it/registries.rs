//! What single registries do differently, each as a script of the embedded registry.
//!
//! Every peculiarity that is known has a test, here or where its topic is at home:
//!
//! | Who | Does | Where it was seen | Test |
//! | --- | --- | --- | --- |
//! | any | `HEAD` of a manifest without digest, type or length | concourse/registry-image-resource#249, regclient/regclient#363, distribution/distribution#2384 | `manifests::get_finds_out_where_head_is_useless` |
//! | any | `HEAD` of a manifest answers 405 or 403, `GET` works; 404 is believed | crossplane/crossplane#3223 | the same, `manifests::absent_is_no_error` |
//! | any | wrong or missing `Content-Type` of a manifest | go-containerregistry, `descriptor.go` | `manifests::bytes_decide_not_headers` |
//! | any | `access_token` for `token`, or one of them empty | go-containerregistry, `bearer.go` | `auth::good_credentials_of_every_kind` |
//! | any | no `POST` at the token server | the same | `auth::refresh_tokens_are_exchanged_by_post_or_else_by_get` |
//! | any | several challenges, `Negotiate` among them | go-containerregistry, `ping.go` | `auth::good_credentials_of_every_kind` |
//! | any | the token server reads the first `scope` only | go-containerregistry, `bearer.go` | [`gitlab::a_token_server_that_reads_one_scope`] |
//! | any | tokens that live for a minute | moby/moby#33558, `cesanta/docker_auth#240` | `auth::short_tokens_serve_more_than_one_transfer`, `auth::a_large_body_gets_a_token_that_lasts` |
//! | any | stores that refuse two kinds of credentials | open-policy-agent/opa#6728 | `redirects::other_hosts_see_no_secrets` |
//! | any | stores that want a token of their own | go-containerregistry#2359 | `redirects::a_store_that_wants_a_token_gets_a_strangers` |
//! | any | `Location` relative or absolute, with a query to keep | distribution/distribution#2867 | `upload::locations_of_every_form_are_followed` |
//! | any, Red Hat | bodies compressed once more for who accepts gzip | quay/quay#1310 | [`others::nothing_is_compressed_once_more`] |
//! | any | ranges ignored, or begun elsewhere | docker/model-runner#873 | `download::a_server_without_ranges_is_borne`, `download::parts_that_begin_too_early_are_trimmed_and_too_late_refused` |
//! | any | a tag that is listed and gone | concourse/registry-image-resource#327 | `manifests::absent_is_no_error`; the suite's `check` |
//! | any, GHCR | bodies cut or empty | go-containerregistry#1500 | `manifests::a_cut_manifest_is_fetched_again`, `download::cuts_are_resumed_where_they_happened` |
//! | any | cursors that are no tags | opencontainers/distribution-spec#116 | `tags::pages_are_followed_in_every_form` |
//! | Docker Hub | `GET` of a manifest counts as a pull | docker/docs#11648 | `manifests::head_is_enough`, `manifests::a_rate_limit_is_waited_for_instead_of_costing_a_pull` |
//! | Docker Hub | a second limit, told in plain text | docker/hub-feedback#1907 | [`hub::the_limit_against_abuse_is_waited_for`] |
//! | Docker Hub | a digest that depends on `Accept` | opencontainers/distribution-spec#207 | [`hub::every_kind_of_manifest_is_accepted`] |
//! | Docker Hub | no mounts from other registries | go-containerregistry#1741 | `upload::nothing_is_mounted_across_registries_or_from_itself` |
//! | Docker Hub | what was pushed is known a second later | registry-image-resource, `out_test.go` | the suite's `put` |
//! | Docker Hub | unordered tags | docker/hub-feedback#185 | the suite's `check` |
//! | Docker Hub | wrong credentials answered by 405 | concourse/registry-image-resource#138 | [`hub::a_refusal_in_other_words_is_told`] |
//! | GHCR | the token server refuses what is private or missing | k3s-io/k3s#2401 | [`ghcr::what_is_private_is_refused_by_the_token_server`] |
//! | GHCR | a scope that stands for any | oras-project/oras#1128 | [`ghcr::a_scope_that_is_a_placeholder_is_not_asked_for`] |
//! | GHCR | `n=0` in `Link` | getarcaneapp/arcane#3968 | [`ghcr::pages_go_on_though_their_links_say_none`] |
//! | GHCR | nine of ten lists at one time answered by 429 | getwud/wud#1153 | `retries::one_answer_holds_everybody_back` |
//! | ECR | refuses pages of more than 1000 | go-containerregistry#681 | `tags::one_page_and_none` |
//! | ECR | absolute links; a list of tags in plain text | `docker_registry2#34` | `tags::pages_are_followed_in_every_form`, [`others::a_list_of_tags_in_plain_text`] |
//! | ECR | no digest on `GET`; Basic | Docker.Registry.DotNet#34 | `manifests::bytes_decide_not_headers`, `auth::good_credentials_of_every_kind` |
//! | ECR Public | cursors that must not be rebuilt | CodesWhat/drydock#927 | `tags::pages_are_followed_in_every_form` |
//! | ACR | relative links with more in them | neuvector/neuvector#1768 | [`others::relative_links_keep_their_query`] |
//! | ACR | exchanges tokens of Entra | registry-image-resource, `azure_test.go` | `acr` |
//! | GCR, Artifact Registry | names of three parts; `NOT_FOUND` for an unknown one | docker/build-push-action#171 | [`google::names_that_are_none`] |
//! | GCR, Artifact Registry | user names that say what the password is | cloud.google.com/artifact-registry/docs/docker/authentication | [`google::every_kind_of_login`] |
//! | GCR, Quay | `mount` without `from` | go-containerregistry#401 | [`quay::everything_works`] |
//! | Quay | `next_page`, pages of 50 or 100; 502 now and then | `docker_registry2#56`, containers/common#2299 | the same |
//! | Harbor | mounts from elsewhere answered by 401 or 400 | goharbor/harbor#17097 | [`harbor::mounts_that_are_refused_are_uploads`] |
//! | Harbor | robots with `$` and `+` in their names | goharbor.io/docs/main/working-with-projects/project-configuration/create-robot-accounts | [`harbor::robots_log_in`] |
//! | Harbor | 500 and 502 in bursts while pushing | goharbor/harbor#22078 | [`harbor::bursts_of_errors_pass`] |
//! | Artifactory | 403 for a manifest that is missing | go-containerregistry#1691 | [`artifactory::a_403_does_not_mean_that_it_is_there`] |
//! | Artifactory | 401 for a `POST` to the token server | containerd/containerd#2166 | [`artifactory::an_access_token_is_shown_by_get`] |
//! | Artifactory | no whole blobs by `PUT` | docker/buildx#196 | [`artifactory::everything_works_below_a_path`] |
//! | Artifactory | the repository's key is a part of the path | dregsy#111 | the same |
//! | Nexus | links on an internal path, by `http` | sonatype/nexus-public#1011 | [`nexus::everything_works_behind_a_proxy`] |
//! | Nexus, Artifactory | `/v2/` is open, the rest is not | — | [`nexus::everything_works_behind_a_proxy`], `auth::good_credentials_of_every_kind` |
//! | MCR | layers cut again and again | anchore/stereoscope#695 | `download::progress_is_patience` |
//! | nvcr.io | slower with more at one time | anchore/stereoscope#681 | `limits::a_cut_means_fewer_transfers_until_one_ends_well` |
//! | GitLab | tokens that live for five minutes | moby/moby#33558 | `auth::tokens_are_renewed_before_they_end` |
//! | GitLab | deploy tokens with `+` in their names | `docs.gitlab.com/user/project/deploy_tokens` | [`gitlab::everything_works_with_a_deploy_token`] |
//! | old ones | no OCI indexes | docker/buildx#1653 | `manifests::errors_say_what_came_back` |
//! | dhi.io | no anonymous pulls | mitodl/ol-infrastructure#5712 | `auth::bad_credentials_are_tried_once_and_said_to_be_bad` |
//!
//! Layers with the wrong type, with oddly named entries or without their directories are the
//! matter of `regimg-unpack` and its tests.

mod artifactory;
mod ghcr;
mod gitlab;
mod google;
mod harbor;
mod hub;
mod nexus;
mod others;
mod quay;

use regimg_core::{Manifest, Platform};
use regimg_registry::{BlobOutcome, Error};
use regimg_tests::registry::{Auth, Builder, Registry};
use regimg_tests::{Artifact, Image, Layer};

use crate::support::{World, drain, raw, source_of, tag};

/// The repository of every script, and one that has what it may mount.
const PATH: &str = "team/app";
const BASE: &str = "team/base";

fn base() -> Layer {
    Layer::parse("file base random=20000")
}

/// Fills a registry: an image with many tags, and a base image.
fn filled(builder: Builder) -> Registry {
    let registry = builder.start();
    let image = Image::builder()
        .layer(base())
        .layer(Layer::parse("file app random=20000"))
        .build();
    for number in 0..25 {
        registry.publish(PATH, &format!("t{number:02}"), &image);
    }
    registry.publish(PATH, "latest", &image);
    registry.publish(BASE, "latest", &Image::builder().layer(base()).build());
    registry
}

fn with_auth(auth: Auth) -> Registry {
    filled(Registry::builder().auth(auth))
}

/// Does what a pipeline does: lists and looks up, fetches, and pushes something on top of the
/// base. Returns what became of the base's layer.
async fn everything(world: &World, path: &str) -> Result<BlobOutcome, Error> {
    let repository = world.repository(path);
    assert_eq!(repository.tags().await?, world.registry.tags(path));
    assert!(repository.digest(&tag("latest")).await?.is_some());
    let image = repository
        .image(&tag("latest"), &Platform::default())
        .await?;
    let Manifest::Image(manifest) = image.parse().unwrap() else {
        panic!("it is an image");
    };
    for layer in &manifest.layers {
        drain(repository.open_blob(layer).await?).await?;
    }

    let pushed = Image::builder()
        .layer(base())
        .layer(Layer::parse("file new \"new\""))
        .build();
    let base = world.name(BASE);
    let mut outcomes = Vec::new();
    for blob in pushed.blobs() {
        // The script's own repository has the base already.
        world.registry.remove_blob(path, blob.digest());
        let source = source_of(blob);
        let outcome = repository
            .push_blob(&source, std::slice::from_ref(&base))
            .await?;
        outcomes.push((blob.digest() == pushed.layers()[0].digest(), outcome));
    }
    let manifest = raw(pushed.manifest());
    repository.push_manifest(&tag("new"), &manifest).await?;
    let name = world.registry.tag_digest(path, "new");
    assert_eq!(name, Some(pushed.digest()));
    let of_base = outcomes.iter().find(|(is_base, _)| *is_base);
    Ok(of_base.expect("the base was pushed").1)
}

//! The client against the embedded registry: counts of requests and bytes, never times.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(feature = "acr")]
mod acr;
mod auth;
mod cuts;
mod deadlines;
mod differential;
#[cfg(feature = "docker-config")]
mod docker_config;
mod download;
#[cfg(feature = "ecr")]
mod ecr;
mod events;
mod large;
mod limits;
mod log;
mod manifests;
#[cfg(feature = "notary")]
mod notary;
mod peers;
mod proxies;
mod push;
mod redirects;
mod referrers;
mod registries;
mod retries;
mod schemes;
mod soak;
mod support;
mod tags;
mod tls;
mod upload;

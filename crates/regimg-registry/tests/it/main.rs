//! The client against the embedded registry: counts of requests and bytes, never times.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod auth;
mod deadlines;
#[cfg(feature = "docker-config")]
mod docker_config;
mod download;
mod events;
mod limits;
mod log;
mod manifests;
mod proxies;
mod push;
mod redirects;
mod referrers;
mod retries;
mod schemes;
mod support;
mod tags;
mod tls;
mod upload;

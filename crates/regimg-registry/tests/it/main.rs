//! The client against the embedded registry: counts of requests and bytes, never times.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod auth;
mod download;
mod events;
mod manifests;
mod proxies;
mod redirects;
mod retries;
mod support;
mod tags;
mod tls;
mod upload;

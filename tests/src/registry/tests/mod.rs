//! The registry as a client sees it.

mod auth;
mod client;
mod faults;
mod http2;
mod peers;
mod pull;
mod push;
mod tls;
mod trust;

//! Docker Content Trust (Notary v1): owners who set trust data up, and what a server does with them.
//!
//! The embedded [`Registry`](crate::registry::Registry) is such a server as well, below `/v2/NAME/_trust/tuf/`.

mod collection;
mod document;
mod form;
mod key;
mod owner;
mod peer;

pub use collection::Trusted;
pub(crate) use collection::{Collection, Refusal};
pub(crate) use form::parts;
pub use key::Key;
pub use owner::Owner;
pub use peer::{NotaryClient, NotaryServer, NotarySettings, PASSPHRASE};

#[cfg(test)]
pub(crate) use signing::{signed_raw, update};

#[cfg(test)]
mod signing;

//! Which image tags are versions, and which of them come next: tags in, versions out.
//!
//! Selection is pure. It says which digests it has to know, somebody else asks the
//! registry for them, and it goes on with the answers:
//!
//! ```
//! use regimg_core::{Algorithm, Digest, Tag};
//! use regimg_select::Follow;
//!
//! let digest = Digest::of(Algorithm::Sha256, b"an image");
//! let follow = Follow::new(Tag::parse("stable")?, None).at(Some(digest.clone()));
//! assert_eq!(follow.unknown(), None);
//! assert_eq!(follow.resolve(false)[0].digest, digest);
//! # Ok::<(), regimg_core::ParseReferenceError>(())
//! ```
//!
//! | The tag points at | The cursor | Versions |
//! | --- | --- | --- |
//! | nothing | any | none |
//! | `A` | none, or `A` | `A` |
//! | `B` | `A`, which still exists | `A`, `B` |
//! | `B` | `A`, which is gone | `B` |

mod follow;
mod version;

pub use follow::{Follow, Followed};
pub use version::Version;

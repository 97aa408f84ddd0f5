//! Fields that this version does not act on are refused by name: a field that is
//! ignored silently would push under the wrong tag or fetch with the wrong login.
//!
//! A field counts only where the command would use it. One `source` serves all three
//! commands, so `content_trust` does not keep a `get` step from working.

use crate::error::Error;
use crate::protocol::Source;

/// Refuses what `out` would have to act on.
pub(crate) fn refuse_for_put(source: &Source) -> Result<(), Error> {
    if source.content_trust.is_none() {
        return Ok(());
    }
    Err(Error::Unsupported {
        field: "source.content_trust",
        advice: "",
    })
}

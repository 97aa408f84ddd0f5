//! Fields that this version does not act on are refused by name: a field that is
//! ignored silently would push under the wrong tag or fetch with the wrong login.
//!
//! A field counts only where the command would use it. One `source` serves all three
//! commands, so `content_trust` does not keep a `get` step from working.

use crate::error::Error;
use crate::protocol::Source;

type Field = (&'static str, bool);

/// Refuses what `check` would have to act on.
pub(crate) fn refuse_for_check(source: &Source) -> Result<(), Error> {
    refuse(&clouds(source))
}

/// Refuses what `in` would have to act on.
pub(crate) fn refuse_for_get(source: &Source) -> Result<(), Error> {
    refuse(&clouds(source))
}

/// Refuses what `out` would have to act on.
pub(crate) fn refuse_for_put(source: &Source) -> Result<(), Error> {
    refuse(&clouds(source))?;
    refuse(&[("source.content_trust", source.content_trust.is_some())])
}

fn refuse(fields: &[Field]) -> Result<(), Error> {
    match fields.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((field, _)) => Err(Error::Unsupported { field, advice: "" }),
    }
}

/// Lists the fields of the clouds' own authentication. The switch comes first: it says
/// most clearly what was wanted.
fn clouds(source: &Source) -> [Field; 4] {
    [
        ("source.azure_acr", source.azure_acr),
        ("source.azure_client_id", !source.azure_client_id.is_empty()),
        ("source.azure_tenant_id", !source.azure_tenant_id.is_empty()),
        (
            "source.azure_environment",
            !source.azure_environment.is_empty(),
        ),
    ]
}

//! Patterns over request targets.

/// Text in which each `*` stands for any run of characters.
#[derive(Clone, Debug)]
pub(super) struct Pattern(String);

impl Pattern {
    /// Matches a whole target.
    pub(super) fn whole(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Matches the beginning of a target.
    pub(super) fn prefix(text: &str) -> Self {
        Self(format!("{text}*"))
    }

    /// Compares with path and query when the pattern names a query, with the path alone otherwise.
    pub(super) fn matches(&self, target: &str) -> bool {
        let path = target.split('?').next().unwrap_or_default();
        let subject = if self.0.contains('?') { target } else { path };
        matches(&self.0, subject)
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((literal, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(literal) else {
        return false;
    };
    loop {
        if matches(rest, text) {
            return true;
        }
        let Some(next) = text.chars().next() else {
            return false;
        };
        text = &text[next.len_utf8()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, target: &str, expected: bool) {
        assert_eq!(
            Pattern::whole(pattern).matches(target),
            expected,
            "{pattern} on {target}"
        );
    }

    #[test]
    fn stars_and_queries() {
        check("/v2/", "/v2/", true);
        check("/v2/", "/v2/a", false);
        check("/v2/*", "/v2/a/b", true);
        check("/v2/*/manifests/*", "/v2/a/b/manifests/1", true);
        check("/v2/*/manifests/*", "/v2/a/b/blobs/1", false);
        check("/v2/a/tags/list", "/v2/a/tags/list?n=5", true);
        check("/v2/a/tags/list?n=5", "/v2/a/tags/list?n=5", true);
        check("/v2/a/tags/list?n=5", "/v2/a/tags/list?n=55", false);
        check("*?last=*", "/v2/a/tags/list?last=x", true);
        assert!(Pattern::prefix("/v2/a/").matches("/v2/a/b?c"));
    }
}

//! What a token is for: `repository:library/alpine:push,pull`.

use std::fmt;

/// The placeholder that ghcr.io puts into the challenge of `/v2/`. Asking for it earns a token
/// for a repository that does not exist.
const PLACEHOLDER: &str = "user/image";

/// What may be done with one repository, or with whatever else a registry names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    /// `repository:library/alpine`, everything in front of the actions.
    resource: String,
    actions: Vec<String>,
}

impl Scope {
    pub(crate) fn pull(path: &str) -> Self {
        Self::new(path, &["pull"])
    }

    /// The order of the actions is the one that Go clients send; some token servers compare texts.
    pub(crate) fn push(path: &str) -> Self {
        Self::new(path, &["push", "pull"])
    }

    /// Any actions, in the order given.
    #[cfg(feature = "notary")]
    pub(crate) fn repository(path: &str, actions: &[String]) -> Self {
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        Self::new(path, &actions)
    }

    fn new(path: &str, actions: &[&str]) -> Self {
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Self {
            resource: format!("repository:{path}"),
            actions,
        }
    }

    /// Reads one scope; anything without actions is kept as a bare name.
    fn parse(text: &str) -> Self {
        match text.rsplit_once(':') {
            Some((resource, actions)) => Self {
                resource: resource.to_owned(),
                actions: actions.split(',').map(str::to_owned).collect(),
            },
            None => Self {
                resource: text.to_owned(),
                actions: Vec::new(),
            },
        }
    }

    fn is_placeholder(&self) -> bool {
        self.resource.strip_prefix("repository:") == Some(PLACEHOLDER)
    }

    fn covers(&self, other: &Self) -> bool {
        self.resource == other.resource
            && other
                .actions
                .iter()
                .all(|action| self.actions.contains(action))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if self.actions.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", self.actions.join(","))
    }
}

/// Joins what the registry demanded with what we meant to ask for.
///
/// The demanded scopes come first, because some token servers read only the first; one that
/// ours cover already is left out, so that the usual case asks for the same token again.
pub(crate) fn merge(demanded: Option<&str>, ours: &[Scope]) -> Vec<Scope> {
    let demanded = demanded
        .unwrap_or_default()
        .split_ascii_whitespace()
        .map(Scope::parse);
    let mut merged: Vec<Scope> = Vec::new();
    for scope in demanded.filter(|scope| !scope.is_placeholder()) {
        if !merged.iter().chain(ours).any(|known| known.covers(&scope)) {
            merged.push(scope);
        }
    }
    merged.extend_from_slice(ours);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(demanded: &str, ours: &[Scope], wanted: &[&str]) {
        let merged: Vec<String> = merge(Some(demanded), ours)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(merged, wanted, "{demanded}");
    }

    #[test]
    fn demanded_scopes_come_first_and_once() {
        let pull = [Scope::pull("a/b")];
        let push = [Scope::push("a/b"), Scope::pull("c")];
        check("", &pull, &["repository:a/b:pull"]);
        check("repository:a/b:pull", &pull, &["repository:a/b:pull"]);
        check(
            "repository:a/b:pull,push",
            &push,
            &["repository:a/b:push,pull", "repository:c:pull"],
        );
        check(
            "repository:a/b:pull,push",
            &pull,
            &["repository:a/b:pull,push", "repository:a/b:pull"],
        );
        check(
            "registry:catalog:* aws",
            &pull,
            &["registry:catalog:*", "aws", "repository:a/b:pull"],
        );
        check(
            "repository:user/image:pull",
            &pull,
            &["repository:a/b:pull"],
        );
    }
}

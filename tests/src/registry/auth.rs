//! How a registry wants its clients to authenticate.

use super::signer::Signer;
use crate::tls::Identity;

pub(super) const TOKEN_PATH: &str = "/token";

/// How a registry wants its clients to authenticate.
///
/// ```
/// use regimg_tests::registry::{Auth, Realm};
///
/// let auth = Auth::bearer().account("user", "secret").anonymous_pull().realm(Realm::Separate);
/// # let _ = auth;
/// ```
#[derive(Clone, Debug)]
pub struct Auth {
    pub(super) scheme: Scheme,
    pub(super) accounts: Vec<Account>,
    pub(super) anonymous_pull: bool,
    pub(super) greeting: Greeting,
    pub(super) challenges: Vec<String>,
    pub(super) realm: Realm,
    pub(super) expires_in: Option<u64>,
    pub(super) token_uses: Option<usize>,
    pub(super) field: TokenField,
    pub(super) identity_token: Option<String>,
    pub(super) fixed_token: Option<String>,
    pub(super) signer: Option<Signer>,
    pub(super) first_scope_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    None,
    Basic,
    Bearer,
}

/// What `/v2/` itself wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Any login.
    Closed,
    /// Nothing.
    Open,
    /// One for the catalog, as it says.
    Catalog,
}

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) may_push: bool,
}

/// Where the challenge sends for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realm {
    /// `/token` on the registry's own address.
    Same,
    /// `/token` on an address of its own.
    Separate,
    /// Whatever the test says.
    Url(String),
}

/// Under which name a token reply carries the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenField {
    /// `token`.
    Token,
    /// `access_token`.
    AccessToken,
    /// Both, alike.
    Both,
    /// An empty `token` and the real `access_token`.
    EmptyTokenAndAccessToken,
}

impl Auth {
    /// Lets everyone do everything.
    pub fn none() -> Self {
        Self {
            scheme: Scheme::None,
            accounts: Vec::new(),
            anonymous_pull: false,
            greeting: Greeting::Closed,
            challenges: Vec::new(),
            realm: Realm::Same,
            expires_in: Some(300),
            token_uses: None,
            field: TokenField::Token,
            identity_token: None,
            fixed_token: None,
            signer: None,
            first_scope_only: false,
        }
    }

    /// Asks for user name and password.
    pub fn basic() -> Self {
        Self {
            scheme: Scheme::Basic,
            ..Self::none()
        }
    }

    /// Asks for tokens of the token service.
    pub fn bearer() -> Self {
        Self {
            scheme: Scheme::Bearer,
            ..Self::none()
        }
    }

    /// Knows a user who may pull and push.
    #[must_use]
    pub fn account(self, name: &str, password: &str) -> Self {
        self.with_account(name, password, true)
    }

    /// Knows a user who may only pull.
    #[must_use]
    pub fn read_only_account(self, name: &str, password: &str) -> Self {
        self.with_account(name, password, false)
    }

    fn with_account(mut self, name: &str, password: &str, may_push: bool) -> Self {
        let (name, password) = (name.to_owned(), password.to_owned());
        self.accounts.push(Account {
            name,
            password,
            may_push,
        });
        self
    }

    /// Gives tokens for pulling (bearer), or allows pulling (basic), without credentials.
    #[must_use]
    pub fn anonymous_pull(mut self) -> Self {
        self.anonymous_pull = true;
        self
    }

    /// Answers 200 to `/v2/` without authentication, as Nexus and Artifactory do, and 401 to the rest.
    #[must_use]
    pub fn open_ping(mut self) -> Self {
        self.greeting = Greeting::Open;
        self
    }

    /// Sends these `WWW-Authenticate` lines; `{realm}`, `{service}` and `{scope}` are filled in.
    #[must_use]
    pub fn challenges(mut self, lines: &[&str]) -> Self {
        self.challenges = lines.iter().map(|&line| line.to_owned()).collect();
        self
    }

    /// Says where tokens are to be had.
    #[must_use]
    pub fn realm(mut self, realm: Realm) -> Self {
        self.realm = realm;
        self
    }

    /// Sets a token's life in seconds, as it is and as the reply says it; `None` leaves `expires_in` out
    /// and lets tokens live for a minute.
    #[must_use]
    pub fn expires_in(mut self, seconds: Option<u64>) -> Self {
        self.expires_in = seconds;
        self
    }

    /// Makes each token good for `count` requests, whatever the reply says of its life.
    #[must_use]
    pub fn token_uses(mut self, count: usize) -> Self {
        self.token_uses = Some(count);
        self
    }

    /// Chooses the spelling of the token's name.
    #[must_use]
    pub fn token_field(mut self, field: TokenField) -> Self {
        self.field = field;
        self
    }

    /// Accepts this refresh token (Docker's "identity token") at the token service.
    #[must_use]
    pub fn identity_token(mut self, token: &str) -> Self {
        self.identity_token = Some(token.to_owned());
        self
    }

    /// Accepts this bearer token for everything ("registry token"), without the token service.
    #[must_use]
    pub fn registry_token(mut self, token: &str) -> Self {
        self.fixed_token = Some(token.to_owned());
        self
    }

    /// Lets the token service read the first of several scopes only, as some do.
    #[must_use]
    pub fn first_scope_only(mut self) -> Self {
        self.first_scope_only = true;
        self
    }

    /// Names the scope of the catalog in the challenge to `/v2/`, as notary servers do.
    #[must_use]
    pub fn catalog_greeting(mut self) -> Self {
        self.greeting = Greeting::Catalog;
        self
    }

    /// Gives out signed tokens, which a registry elsewhere believes that was told to trust the
    /// certificate of `identity`; see [`DockerRegistry::start_with`](crate::DockerRegistry::start_with).
    #[must_use]
    pub fn signed_by(mut self, identity: &Identity) -> Self {
        self.signer = Some(Signer::new(identity));
        self
    }

    pub(super) fn find(&self, name: &str, password: &str) -> Option<&Account> {
        self.accounts
            .iter()
            .find(|account| account.name == name && account.password == password)
    }
}

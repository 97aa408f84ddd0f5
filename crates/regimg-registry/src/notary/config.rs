//! Which notary server, and which repository there.

/// Where [`Notary`](super::Notary) signs. Start from [`NotaryConfig::new`] and assign the fields
/// that differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NotaryConfig {
    /// The server's address, `https` and a host, such as `https://notary.example.com:4443`.
    pub server: String,
    /// The repository's name there, with its registry, such as `registry.example.com/team/app`:
    /// the globally unique name (GUN).
    pub gun: String,
    /// What the token server is asked to allow, in this order. `push` and `pull` unless changed.
    pub actions: Vec<String>,
}

impl NotaryConfig {
    /// Names the server and the repository.
    pub fn new(server: impl Into<String>, gun: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            gun: gun.into(),
            actions: vec!["push".to_owned(), "pull".to_owned()],
        }
    }
}

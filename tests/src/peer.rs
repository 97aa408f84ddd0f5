//! Other people's programs to test against: `skopeo`, Debian's `docker-registry`.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Process, Running};
use crate::tls::Identity;

/// A program that is installed on this machine.
///
/// Tests that need one are skipped where it is missing; with `REGIMG_PEERS=required` they fail instead, so that
/// a continuous build cannot lose them unnoticed.
///
/// ```
/// use regimg_tests::Peer;
///
/// let Some(skopeo) = Peer::find("skopeo") else { return };
/// skopeo.process().arg("--version").run().expect("it starts").expect_success();
/// ```
#[derive(Clone, Debug)]
pub struct Peer {
    path: PathBuf,
}

impl Peer {
    /// Looks for `name` in the directories of `PATH`; when it is missing, says on standard error that the test is skipped.
    ///
    /// # Panics
    /// When it is missing and `REGIMG_PEERS` is `required`.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment which peers there must be"
    )]
    #[expect(
        clippy::print_stderr,
        reason = "a skipped test has no other way to say so"
    )]
    #[track_caller]
    pub fn find(name: &str) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let required = std::env::var_os("REGIMG_PEERS").is_some_and(|value| value == "required");
        let found = find_in(name, std::env::split_paths(&path));
        assert!(
            found.is_some() || !required,
            "{name} is not installed, but REGIMG_PEERS=required"
        );
        if found.is_none() {
            eprintln!(
                "skipped: {name} is not installed (REGIMG_PEERS=required makes this a failure)"
            );
        }
        found
    }

    /// Where the program is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Prepares a run with a `PATH` and nothing else in its environment.
    pub fn process(&self) -> Process {
        Process::new(&self.path).env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
    }
}

fn find_in(name: &str, directories: impl Iterator<Item = PathBuf>) -> Option<Peer> {
    let mut paths = directories.map(|directory| directory.join(name));
    paths.find(|path| path.is_file()).map(|path| Peer { path })
}

/// What Debian's `docker-registry` is to be like; by default open to everyone, over plain HTTP.
#[derive(Clone, Debug, Default)]
pub struct DockerSettings {
    /// One line of an htpasswd file, with a bcrypt hash: basic authentication.
    pub htpasswd: Option<String>,
    /// The address of a token service, and the PEM certificate whose key signs its tokens, as
    /// [`Auth::signed_by`](crate::registry::Auth::signed_by) has it.
    pub tokens: Option<(String, String)>,
    /// A certificate for the server: HTTP/1.1 and HTTP/2 over TLS.
    pub tls: Option<Identity>,
}

/// Debian's `docker-registry` (the distribution project's server) on a free port of 127.0.0.1; dropped, it ends.
#[derive(Debug)]
pub struct DockerRegistry {
    _running: Running,
    address: SocketAddr,
    directory: TempDir,
}

impl DockerRegistry {
    /// Starts it without authentication; none where it is not installed.
    ///
    /// # Panics
    /// When it is required and missing, or does not start.
    #[track_caller]
    pub fn start() -> Option<Self> {
        Self::start_with(&DockerSettings::default())
    }

    /// Starts it with basic authentication. `line` is one line of an htpasswd file, with a bcrypt hash.
    ///
    /// # Panics
    /// When it is required and missing, or does not start.
    #[track_caller]
    pub fn start_with_htpasswd(line: &str) -> Option<Self> {
        let htpasswd = Some(line.to_owned());
        Self::start_with(&DockerSettings {
            htpasswd,
            ..DockerSettings::default()
        })
    }

    /// Starts it as the settings say.
    ///
    /// # Panics
    /// When it is required and missing, or does not start.
    #[track_caller]
    pub fn start_with(settings: &DockerSettings) -> Option<Self> {
        Peer::find("docker-registry").map(|peer| Self::run(&peer, settings))
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `127.0.0.1:port`, as it stands in front of a repository's name.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Where it keeps its files.
    pub fn storage(&self) -> PathBuf {
        self.directory.path().join("storage")
    }

    fn run(peer: &Peer, settings: &DockerSettings) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        // Between the two uses of the port another program may take it, so a few are tried.
        for _ in 0..5 {
            let address = free_address();
            let config = configuration(directory.path(), address, settings);
            let path = directory.path().join("config.yml");
            fs::write(&path, config).expect("the new directory is writable");
            let process = peer.process().arg("serve").arg(&path);
            let mut running = process
                .deadline(Duration::MAX)
                .start()
                .expect("docker-registry starts");
            if listens(address, &mut running) {
                return Self {
                    _running: running,
                    address,
                    directory,
                };
            }
        }
        panic!("docker-registry did not listen on any of five free ports");
    }
}

pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
}

fn configuration(directory: &Path, address: SocketAddr, settings: &DockerSettings) -> String {
    let storage = directory.join("storage");
    let file = |name: &str, content: &str| {
        let path = directory.join(name);
        fs::write(&path, content).expect("the new directory is writable");
        path.display().to_string()
    };
    let mut sections = vec![format!(
        "version: 0.1\n\
         log: {{level: error}}\n\
         storage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
         http:\n  addr: \"{address}\"\n  secret: test\n",
        storage.display(),
    )];
    if let Some(identity) = &settings.tls {
        let certificate = file("server.crt", identity.certificate_pem());
        let key = file("server.key", identity.key_pem());
        sections.push(format!(
            "  tls: {{certificate: {certificate}, key: {key}}}\n"
        ));
    }
    if let Some(line) = &settings.htpasswd {
        let path = file("htpasswd", &format!("{line}\n"));
        sections.push(format!(
            "auth:\n  htpasswd: {{realm: test, path: {path}}}\n"
        ));
    }
    if let Some((realm, certificate)) = &settings.tokens {
        let roots = file("tokens.crt", certificate);
        let (issuer, service) = crate::registry::token_parties();
        sections.push(format!(
            "auth:\n  token: {{realm: \"{realm}\", service: {service}, issuer: {issuer}, rootcertbundle: {roots}}}\n"
        ));
    }
    sections.concat()
}

/// Waits until the program accepts connections; false when it ended instead.
pub(crate) fn listens(address: SocketAddr, running: &mut Running) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if !matches!(running.ended(), Ok(None)) {
            return false;
        }
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn programs_are_found_in_directories() {
        let directory = tempfile::tempdir().unwrap();
        let directories =
            || [PathBuf::from("/nonexistent"), directory.path().to_owned()].into_iter();
        assert!(find_in("tool", directories()).is_none());
        fs::write(directory.path().join("tool"), "").unwrap();
        assert_eq!(
            find_in("tool", directories()).unwrap().path(),
            directory.path().join("tool")
        );
    }

    fn status(registry: &DockerRegistry, headers: &str) -> String {
        let mut stream = TcpStream::connect(registry.addr()).unwrap();
        let request = format!("GET /v2/ HTTP/1.0\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    }

    #[test]
    fn the_distribution_registry_runs_and_ends() {
        let Some(registry) = DockerRegistry::start() else {
            return;
        };
        assert_eq!(status(&registry, ""), "200");
        let address = registry.addr();
        drop(registry);
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn the_distribution_registry_asks_for_a_password() {
        // `user:secret`, hashed by bcrypt with the least cost.
        let line = "user:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
        let Some(registry) = DockerRegistry::start_with_htpasswd(line) else {
            return;
        };
        assert_eq!(status(&registry, ""), "401");
        assert_eq!(
            status(&registry, "Authorization: Basic dXNlcjp3cm9uZw==\r\n"),
            "401"
        );
        assert_eq!(
            status(&registry, "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"),
            "200"
        );
    }
}

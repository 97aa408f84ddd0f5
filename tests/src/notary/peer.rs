//! The real thing: Debian's `notary-server`, `notary-signer` and the program `notary`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Key;
use crate::peer::{Peer, free_address, listens};
use crate::process::{Finished, Running};
use crate::tls::{Authority, Identity, LOCAL_NAMES};

/// The passphrase of every key that [`NotaryClient`] makes.
pub const PASSPHRASE: &str = "correct horse";

/// What a `notary-server` is to be like; by default open to everyone, with keys of its own.
#[derive(Clone, Debug, Default)]
pub struct NotarySettings {
    /// Whether a `notary-signer` keeps the server's keys, which are ECDSA then and not Ed25519.
    pub signer: bool,
    /// An authority, PEM, by which clients have to show a certificate.
    pub client_authority: Option<String>,
    /// The address of a token service, and the PEM certificate whose key signs its tokens, as
    /// [`Auth::signed_by`](crate::registry::Auth::signed_by) has it.
    pub tokens: Option<(String, String)>,
}

/// Debian's `notary-server` on a free port of 127.0.0.1, over TLS; dropped, it ends.
#[derive(Debug)]
pub struct NotaryServer {
    running: Running,
    _signer: Option<Running>,
    address: SocketAddr,
    authority: Authority,
    _directory: TempDir,
}

impl NotaryServer {
    /// Starts it; none where it is not installed.
    ///
    /// # Panics
    /// When it is required and missing, or does not start.
    #[track_caller]
    pub fn start() -> Option<Self> {
        Self::start_with(&NotarySettings::default())
    }

    /// Starts it as the settings say.
    ///
    /// # Panics
    /// When it is required and missing, or does not start.
    #[track_caller]
    pub fn start_with(settings: &NotarySettings) -> Option<Self> {
        let peer = Peer::find("notary-server")?;
        let (directory, authority) = (directory(), Authority::new());
        let identity = authority.peer(&LOCAL_NAMES);
        for (name, content) in [
            ("ca.crt", authority.pem()),
            ("server.crt", identity.certificate_pem()),
            ("server.key", identity.key_pem()),
        ] {
            write(&directory.path().join(name), content);
        }
        let signer = if settings.signer {
            let signer = Peer::find("notary-signer")?;
            Some(launch(
                &signer,
                directory.path(),
                "signer.json",
                signer_config,
            ))
        } else {
            None
        };
        let keys = trust_service(signer.as_ref().map(|(_, address)| *address));
        let config = |address: SocketAddr| settings.config(directory.path(), address, &keys);
        let (running, address) = launch(&peer, directory.path(), "server.json", config);
        Some(Self {
            running,
            _signer: signer.map(|(running, _)| running),
            address,
            authority,
            _directory: directory,
        })
    }

    /// The base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate that clients have to trust.
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Ends it, and gives a line for each request that it has answered: `METHOD target -> status`.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn requests(mut self) -> Vec<String> {
        self.running.terminate();
        let finished = self.running.finish().expect("it can be waited for");
        let log = finished.stderr_text();
        let entries = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries
            .filter(|entry| entry["msg"] == "response completed")
            .map(|entry| {
                let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                // 200 without a body is in the log as 0.
                let status = entry["http.response.status"].as_u64();
                let status = status.filter(|status| *status > 0).unwrap_or(200);
                let (method, target) = (text("http.request.method"), text("http.request.uri"));
                format!("{method} {target} -> {status}")
            })
            .collect()
    }

    /// A client with an empty memory; none where the program is not installed.
    ///
    /// # Panics
    /// When it is required and missing.
    #[track_caller]
    pub fn client(&self) -> Option<NotaryClient> {
        NotaryClient::new(&self.url(), self.ca_pem())
    }
}

impl NotarySettings {
    fn config(&self, directory: &Path, address: SocketAddr, keys: &Value) -> Value {
        let mut config = json!({
            "server": {
                "http_addr": address.to_string(),
                "tls_cert_file": "./server.crt",
                "tls_key_file": "./server.key",
            },
            "trust_service": keys,
            "logging": {"level": "info"},
            "storage": {"backend": "memory"},
        });
        if let Some(authority) = &self.client_authority {
            write(&directory.join("clients.crt"), authority);
            config["server"]["client_ca_file"] = json!("./clients.crt");
        }
        if let Some((realm, certificate)) = &self.tokens {
            let path = directory.join("tokens.crt");
            write(&path, certificate);
            let (issuer, service) = crate::registry::token_parties();
            config["auth"] = json!({"type": "token", "options": {
                "realm": realm,
                "service": service,
                "issuer": issuer,
                "rootcertbundle": path,
            }});
        }
        config
    }
}

fn signer_config(address: SocketAddr) -> Value {
    json!({
        "server": {
            "grpc_addr": address.to_string(),
            "tls_cert_file": "./server.crt",
            "tls_key_file": "./server.key",
            "client_ca_file": "./ca.crt",
        },
        "logging": {"level": "error"},
        "storage": {"backend": "memory"},
    })
}

/// Says who keeps the server's keys: the signer at this address, or the server itself.
fn trust_service(signer: Option<SocketAddr>) -> Value {
    let Some(signer) = signer else {
        return json!({"type": "local"});
    };
    json!({
        "type": "remote",
        "hostname": "localhost",
        "port": signer.port().to_string(),
        "key_algorithm": "ecdsa",
        "tls_ca_file": "./ca.crt",
        "tls_client_cert": "./server.crt",
        "tls_client_key": "./server.key",
    })
}

/// Starts a server and waits until it listens.
#[track_caller]
fn launch(
    peer: &Peer,
    directory: &Path,
    name: &str,
    config: impl Fn(SocketAddr) -> Value,
) -> (Running, SocketAddr) {
    let path = directory.join(name);
    // Between the two uses of the port another program may take it, so a few are tried.
    for _ in 0..5 {
        let address = free_address();
        write(&path, &config(address).to_string());
        let process = peer.process().arg("-config").arg(&path);
        let process = process.args(["-logf", "logfmt"]).directory(directory);
        let mut running = process
            .deadline(Duration::MAX)
            .start()
            .expect("the server starts");
        if listens(address, &mut running) {
            return (running, address);
        }
    }
    panic!("{name}: it did not listen on any of five free ports");
}

/// The program `notary` with a directory of its own: what it has seen, and its keys.
///
/// Everything is published at once, and every key has [`PASSPHRASE`].
#[derive(Debug)]
pub struct NotaryClient {
    peer: Peer,
    url: String,
    identity: Option<(PathBuf, PathBuf)>,
    login: Option<String>,
    directory: TempDir,
}

impl NotaryClient {
    /// A client of any server, with an empty memory; none where the program is not installed.
    ///
    /// # Panics
    /// When it is required and missing.
    #[track_caller]
    pub fn new(url: &str, ca_pem: &str) -> Option<Self> {
        let client = Self {
            peer: Peer::find("notary")?,
            url: url.to_owned(),
            identity: None,
            login: None,
            directory: directory(),
        };
        write(&client.authority(), ca_pem);
        Some(client)
    }

    /// Shows a certificate to the server.
    #[must_use]
    pub fn showing(mut self, identity: &Identity) -> Self {
        let path = |name: &str| self.directory.path().join(name);
        let (certificate, key) = (path("client.crt"), path("client.key"));
        write(&certificate, identity.certificate_pem());
        write(&key, identity.key_pem());
        self.identity = Some((certificate, key));
        self
    }

    /// Logs in by name and password.
    #[must_use]
    pub fn login(mut self, name: &str, password: &str) -> Self {
        let login = format!("{name}:{password}");
        self.login = Some(crate::base64::encode(login.as_bytes()));
        self
    }

    /// Runs a subcommand.
    ///
    /// # Panics
    /// When the program does not start.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let process = self.peer.process().args(["-s", &self.url, "--tlscacert"]);
        let process = process.arg(self.authority()).arg("-d").arg(self.trust());
        let process = match &self.identity {
            None => process,
            Some((certificate, key)) => {
                let process = process.arg("--tlscert").arg(certificate);
                process.arg("--tlskey").arg(key)
            }
        };
        let process = ["ROOT", "TARGETS", "SNAPSHOT", "DELEGATION"]
            .into_iter()
            .fold(process, |process, role| {
                process.env(&format!("NOTARY_{role}_PASSPHRASE"), PASSPHRASE)
            });
        let process = match &self.login {
            None => process,
            Some(login) => process.env("NOTARY_AUTH", login),
        };
        let process = process.env("HOME", self.directory.path()).args(arguments);
        process.run().expect("notary starts")
    }

    /// Runs a subcommand that has to succeed; gives what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn call(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect_success()
    }

    /// Sets up trust data for `name`, with a key of the targets, and of the snapshot unless the server
    /// is to keep it.
    ///
    /// # Panics
    /// When the program fails.
    #[track_caller]
    pub fn initialize(&self, name: &str, server_keeps_snapshot: bool) {
        self.call(&["init", "-p", name]);
        if server_keeps_snapshot {
            self.call(&["key", "rotate", name, "snapshot", "-r"]);
        }
    }

    /// Lets a key sign names that begin with one of `paths` in the role `targets/...`.
    ///
    /// # Panics
    /// When the program fails.
    #[track_caller]
    pub fn delegate(&self, name: &str, role: &str, key: &Key, paths: &[&str]) {
        let path = self.directory.path().join("delegate.crt");
        write(&path, key.signer_certificate());
        let paths = paths.join(",");
        let certificate = path.display().to_string();
        let mut arguments = vec!["delegation", "add", "-p", name, role, &certificate];
        if paths.is_empty() {
            arguments.push("--all-paths");
        } else {
            arguments.extend(["--paths", &paths]);
        }
        self.call(&arguments);
    }

    /// The ID and the file of the one key that it has for a role: `root`, `targets` or `snapshot`.
    ///
    /// # Panics
    /// When there is no such key.
    #[track_caller]
    pub fn key(&self, role: &str) -> (String, String) {
        let directory = fs::read_dir(self.trust().join("private")).expect("there are keys");
        let files = directory.filter_map(|entry| Some(entry.ok()?.path()));
        let key = files.filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let id = path.file_stem()?.to_str()?.to_owned();
            let is_wanted = text.contains(&format!("role: {role}\n"));
            is_wanted.then_some((id, text))
        });
        let mut key = key;
        key.next().expect("there is a key of the role")
    }

    /// Lists what it trusts: tag, SHA-256, length and role.
    ///
    /// # Panics
    /// When the program does not trust the server's data.
    #[track_caller]
    pub fn list(&self, name: &str) -> Vec<[String; 4]> {
        let listed = self.call(&["list", name]);
        let lines = listed.lines().skip_while(|line| !line.starts_with("----"));
        lines
            .skip(1)
            .filter_map(|line| {
                let columns: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
                columns.try_into().ok()
            })
            .collect()
    }

    /// Takes a key of somebody to whom targets are delegated, encrypted as the program itself does it.
    ///
    /// # Panics
    /// When there is no room for it.
    pub fn import(&self, key: &Key) {
        let directory = self.trust().join("private");
        fs::create_dir_all(&directory).expect("the new directory is writable");
        let path = directory.join(format!("{}.key", key.id()));
        write(&path, &key.encrypted_pem(PASSPHRASE));
    }

    fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    fn trust(&self) -> PathBuf {
        self.directory.path().join("trust")
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("there is room for a directory")
}

fn write(path: &Path, content: &str) {
    fs::write(path, content).expect("the new directory is writable");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notary_server_runs_with_and_without_a_signer() {
        for signer in [false, true] {
            let settings = NotarySettings {
                signer,
                ..NotarySettings::default()
            };
            let Some(server) = NotaryServer::start_with(&settings) else {
                return;
            };
            let Some(owner) = server.client() else { return };
            owner.initialize("example.com/app", true);
            owner.delegate("example.com/app", "targets/a", &Key::new(), &["v"]);
            assert_eq!(owner.key("targets").0.len(), 64);
            let hash = "0".repeat(64);
            owner.call(&[
                "addhash",
                "-p",
                "example.com/app",
                "v1",
                "7",
                "--sha256",
                &hash,
                "-r",
                "targets",
            ]);
            let fresh = server.client().unwrap();
            let expected = ["v1", &hash, "7", "targets"].map(str::to_owned);
            assert_eq!(fresh.list("example.com/app"), [expected]);
            let requests = server.requests();
            let updates = "POST /v2/example.com/app/_trust/tuf/ -> 200";
            let posts = requests.iter().filter(|line| *line == updates);
            assert_eq!(posts.count(), 4, "{requests:#?}");
        }
    }
}

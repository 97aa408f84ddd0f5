//! `moto` of `PyPI` in place of AWS: it verifies signatures, and who may do what.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::peer::{Peer, free_address, listens};
use crate::process::Running;

/// The version that `cargo xtask test` installs. Others refuse in other words.
const PROGRAM: &str = "moto_server-5.2.5";

/// `moto_server` on a free port of 127.0.0.1; dropped, it ends.
///
/// There is one account, [`crate::aws::ACCOUNT`], with nobody in it.
#[derive(Debug)]
pub struct Moto {
    _running: Running,
    address: SocketAddr,
}

impl Moto {
    /// Starts it, with everything allowed to everybody; none where it is not installed.
    ///
    /// # Panics
    /// When it is required and missing, or does not start.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let peer = Peer::find(PROGRAM)?;
        // Between the two uses of the port another program may take it, so a few are tried.
        for _ in 0..5 {
            let address = free_address();
            let process = peer.process().arg("-H").arg(address.ip().to_string());
            let process = process.arg("-p").arg(address.port().to_string());
            let mut running = process
                .deadline(Duration::MAX)
                .start()
                .expect("moto_server starts");
            if listens(address, &mut running) {
                return Some(Self {
                    _running: running,
                    address,
                });
            }
        }
        panic!("moto_server did not listen on any of five free ports");
    }

    /// The address of all services.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a user who may do the actions, each like `ecr:GetAuthorizationToken`, and returns the
    /// id and the secret of a key of theirs.
    ///
    /// # Panics
    /// When moto does not do it.
    pub fn user(&self, name: &str, actions: &[&str]) -> (String, String) {
        self.iam("CreateUser", &[("UserName", name)]);
        self.allow("PutUserPolicy", ("UserName", name), actions);
        let made = self.iam("CreateAccessKey", &[("UserName", name)]);
        let field = |name: &str| {
            let (_, rest) = made.split_once(&format!("<{name}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        let keys = field("AccessKeyId").zip(field("SecretAccessKey"));
        keys.unwrap_or_else(|| panic!("{made}"))
    }

    /// Makes a role that everybody may assume and that may do the actions; returns its ARN.
    ///
    /// # Panics
    /// When moto does not do it.
    pub fn role(&self, name: &str, actions: &[&str]) -> String {
        let trust = policy(r#""Principal":{"AWS":"*"},"#, &["sts:AssumeRole"], "");
        let parameters = [("RoleName", name), ("AssumeRolePolicyDocument", &trust)];
        self.iam("CreateRole", &parameters);
        self.allow("PutRolePolicy", ("RoleName", name), actions);
        format!("arn:aws:iam::{}:role/{name}", crate::aws::ACCOUNT)
    }

    /// Lets from now on only those do something who may and who can prove who they are.
    ///
    /// # Panics
    /// When moto does not do it.
    pub fn enforce(&self) {
        self.post("/moto-api/reset-auth", "text/plain", "0");
    }

    fn allow(&self, action: &str, whom: (&str, &str), actions: &[&str]) {
        let document = policy("", actions, r#","Resource":"*""#);
        let parameters = [
            whom,
            ("PolicyName", "allowed"),
            ("PolicyDocument", &document),
        ];
        self.iam(action, &parameters);
    }

    fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in parameters {
            // Writing to a String does not fail.
            let _ = write!(form, "&{name}={}", escaped(value));
        }
        self.post("/", "application/x-www-form-urlencoded", &form)
    }

    fn post(&self, path: &str, kind: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("moto_server listens");
        let length = body.len();
        // The signature says which service is meant.
        let request = format!(
            "POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=SETUP/20200101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{body}",
            self.address
        );
        stream
            .write_all(request.as_bytes())
            .expect("moto_server reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("moto_server answers");
        let status = answer.split(' ').nth(1);
        assert_eq!(status, Some("200"), "{body}: {answer}");
        answer
    }
}

fn policy(who: &str, actions: &[&str], what: &str) -> String {
    let actions = actions.join("\",\"");
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{who}"Action":["{actions}"]{what}}}]}}"#
    )
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

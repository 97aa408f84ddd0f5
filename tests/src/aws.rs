//! A stand-in for Amazon's endpoints: ECR, ECR Public, STS, and what gives containers and machines
//! an identity.
//!
//! It answers every call of any region and identity, until it is told to answer otherwise. The shapes
//! are those of the services' documentation: JSON 1.1 for ECR, the query protocol for STS, version 2 of the
//! metadata service. It does not verify signatures; moto does.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::background::{Background, bind};
use crate::base64;

/// The account that everybody belongs to.
pub const ACCOUNT: &str = "123456789012";

/// The request id that every answer has.
pub const REQUEST_ID: &str = "c0ffee00-1234-5678-9abc-def012345678";

/// Amazon's endpoints on one free port of 127.0.0.1.
///
/// ```
/// use regimg_tests::aws::{Aws, Operation};
///
/// let aws = Aws::start();
/// let variables = aws.variables();
/// assert!(variables.contains(&("AWS_ENDPOINT_URL_ECR".to_owned(), aws.url())));
/// assert_eq!(aws.count(Operation::Token), 0);
/// ```
#[derive(Debug)]
pub struct Aws {
    address: SocketAddr,
    shared: Arc<Shared>,
    _background: Background,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    script: Mutex<VecDeque<(Operation, Answer)>>,
    lifetime: Mutex<Option<Duration>>,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A token of ECR.
    Token,
    /// A token of ECR Public.
    PublicToken,
    /// A role for another identity.
    AssumeRole,
    /// A role for a web identity.
    AssumeRoleWithWebIdentity,
    /// The identity of a container of ECS.
    Container,
    /// The session of EC2's metadata service.
    MetadataToken,
    /// The identity of a machine: first its role's name, then the keys.
    Metadata,
}

/// One call, as it came.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was asked; none for what nobody understands.
    pub operation: Option<Operation>,
    /// Whose access key signed it.
    pub access_key: String,
    /// The region that it was signed for.
    pub region: String,
    /// The session token that came with the access key.
    pub session_token: Option<String>,
    /// The path.
    pub path: String,
    /// The body, in JSON or as a form.
    pub body: String,
}

/// What is to be answered in place of the usual.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A refusal in the operation's own form.
    Refusal {
        /// The HTTP status.
        status: u16,
        /// AWS's code.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// Any status and body.
    Raw(u16, String),
    /// Nothing, ever.
    Silence,
}

impl Answer {
    /// Makes a refusal.
    pub fn refusal(status: u16, code: &str, message: &str) -> Self {
        Self::Refusal {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl Aws {
    /// Starts the endpoints.
    pub fn start() -> Self {
        let (listener, address) = bind();
        let shared = Arc::<Shared>::default();
        let background = Background::start("aws");
        background.spawn(serve(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _background: background,
        }
    }

    /// The address of all of them.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables that lead the AWS SDKs here, for ECR, STS and the machine's metadata. They name no
    /// identity: without more, it is the machine's.
    pub fn variables(&self) -> Vec<(String, String)> {
        let names = [
            "AWS_ENDPOINT_URL_ECR",
            "AWS_ENDPOINT_URL_ECR_PUBLIC",
            "AWS_ENDPOINT_URL_STS",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        ];
        names
            .iter()
            .map(|name| ((*name).to_owned(), self.url()))
            .collect()
    }

    /// Gives the next call of an operation this answer; several wait for several calls.
    pub fn answer(&self, operation: Operation, answer: Answer) {
        lock(&self.shared.script).push_back((operation, answer));
    }

    /// Gives tokens that last this long, and not the usual twelve hours.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        *lock(&self.shared.lifetime) = Some(lifetime);
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// The calls of an operation so far.
    pub fn calls_of(&self, operation: Operation) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.operation == Some(operation));
        calls
    }

    /// How often an operation was called.
    pub fn count(&self, operation: Operation) -> usize {
        self.calls_of(operation).len()
    }

    /// The password in the token that ECR gives an access key's owner, of ECR Public with `public`.
    pub fn password(access_key: &str, region: &str, public: bool) -> String {
        let kind = if public { "public" } else { "private" };
        format!("{kind}-password-of-{access_key}-in-{region}")
    }

    /// The access key, the secret key and the session token of somebody who assumed a role: `arn:...:role/name`.
    pub fn keys_of_role(name: &str) -> [String; 3] {
        [
            format!("ASIA{}", name.to_ascii_uppercase().replace('-', "")),
            format!("secret-key-of-{name}"),
            format!("session-token-of-{name}"),
        ]
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("the runtime drives sockets");
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, Arc::clone(&shared)));
        }
    }
}

async fn talk(stream: TcpStream, shared: Arc<Shared>) {
    let handler = service_fn(move |request| handle(Arc::clone(&shared), request));
    let builder = hyper::server::conn::http1::Builder::new();
    // Clients that give up are part of the tests.
    let _ = builder
        .serve_connection(TokioIo::new(stream), handler)
        .await;
}

async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
    let call = read(&head.method, head.uri.path(), &head.headers, body);
    lock(&shared.calls).push(call.clone());
    let planned = {
        let mut script = lock(&shared.script);
        let position = script
            .iter()
            .position(|(operation, _)| Some(*operation) == call.operation);
        position.and_then(|position| script.remove(position))
    };
    let (status, body) = match planned.map(|(_, answer)| answer) {
        None => usual(&call, *lock(&shared.lifetime)),
        Some(Answer::Raw(status, body)) => (status, body),
        Some(Answer::Refusal {
            status,
            code,
            message,
        }) => (status, refusal(&call, &code, &message)),
        Some(Answer::Silence) => std::future::pending().await,
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = http::HeaderValue::from_static(REQUEST_ID);
    response.headers_mut().insert("x-amzn-requestid", id);
    if call.operation == Some(Operation::MetadataToken) {
        let seconds = http::HeaderValue::from_static("21600");
        let name = "x-aws-ec2-metadata-token-ttl-seconds";
        response.headers_mut().insert(name, seconds);
    }
    Ok(response)
}

fn read(method: &Method, path: &str, headers: &HeaderMap, body: String) -> Call {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // `AWS4-HMAC-SHA256 Credential=<access key>/<date>/<region>/<service>/aws4_request, ...`
    let signature = header("authorization").and_then(|value| value.split_once("Credential="));
    let mut scope = signature.map_or("", |(_, scope)| scope).split('/');
    Call {
        operation: operation(method, path, header("x-amz-target"), &body),
        access_key: scope.next().unwrap_or_default().to_owned(),
        region: scope.nth(1).unwrap_or_default().to_owned(),
        session_token: header("x-amz-security-token").map(str::to_owned),
        path: path.to_owned(),
        body,
    }
}

fn operation(method: &Method, path: &str, target: Option<&str>, body: &str) -> Option<Operation> {
    let action = body
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    Some(match (target, action, method.as_str(), path) {
        (Some("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"), ..) => {
            Operation::Token
        }
        (Some("SpencerFrontendService.GetAuthorizationToken"), ..) => Operation::PublicToken,
        (_, Some("AssumeRole"), ..) => Operation::AssumeRole,
        (_, Some("AssumeRoleWithWebIdentity"), ..) => Operation::AssumeRoleWithWebIdentity,
        (_, _, "GET", "/container") => Operation::Container,
        (_, _, "PUT", "/latest/api/token") => Operation::MetadataToken,
        (_, _, "GET", path) if path.starts_with("/latest/meta-data/iam/security-credentials") => {
            Operation::Metadata
        }
        _ => return None,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token is good by the time of day"
)]
fn usual(call: &Call, lifetime: Option<Duration>) -> (u16, String) {
    let lifetime = lifetime.unwrap_or(Duration::from_hours(12));
    let expires = SystemTime::now() + lifetime;
    let expires = expires
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let token = |public| {
        let password = Aws::password(&call.access_key, &call.region, public);
        base64::encode(format!("AWS:{password}").as_bytes())
    };
    let body = match call.operation {
        Some(Operation::Token) => format!(
            r#"{{"authorizationData":[{{"authorizationToken":"{}","expiresAt":{expires}.25,"proxyEndpoint":"https://{ACCOUNT}.dkr.ecr.{}.{}"}}]}}"#,
            token(false),
            call.region,
            domain(&call.region),
        ),
        Some(Operation::PublicToken) => format!(
            r#"{{"authorizationData":{{"authorizationToken":"{}","expiresAt":{expires}.25}}}}"#,
            token(true),
        ),
        Some(Operation::AssumeRole) => assumed("AssumeRole", &call.body),
        Some(Operation::AssumeRoleWithWebIdentity) => {
            assumed("AssumeRoleWithWebIdentity", &call.body)
        }
        Some(Operation::Container) => keys("container"),
        Some(Operation::MetadataToken) => "metadata-session".to_owned(),
        Some(Operation::Metadata) if call.path.ends_with("/machine") => keys("machine"),
        Some(Operation::Metadata) => "machine".to_owned(),
        None => return (404, String::new()),
    };
    (200, body)
}

fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}

/// A far day, as the query protocol and the metadata services write it.
const LATER: &str = "2099-01-01T00:00:00Z";

fn assumed(action: &str, form: &str) -> String {
    let arn = form
        .split('&')
        .find_map(|pair| pair.strip_prefix("RoleArn="));
    let name = arn
        .unwrap_or_default()
        .rsplit("%2F")
        .next()
        .unwrap_or_default();
    let [id, secret, session] = Aws::keys_of_role(name);
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{session}</SessionToken><Expiration>{LATER}</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{name}/s</Arn></AssumedRoleUser>\
         </{action}Result><ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata></{action}Response>"
    )
}

fn keys(name: &str) -> String {
    let [id, secret, session] = Aws::keys_of_role(name);
    format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2020-01-01T00:00:00Z","AccessKeyId":"{id}","SecretAccessKey":"{secret}","Token":"{session}","Expiration":"{LATER}"}}"#
    )
}

fn refusal(call: &Call, code: &str, message: &str) -> String {
    match call.operation {
        Some(Operation::AssumeRole | Operation::AssumeRoleWithWebIdentity) => format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        ),
        _ => format!(r#"{{"__type":"com.amazon#{code}","message":"{message}"}}"#),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

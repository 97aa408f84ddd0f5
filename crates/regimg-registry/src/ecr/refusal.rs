//! What AWS says when it refuses, and what a person can do about it.

use std::error::Error as StdError;
use std::iter::successors;

use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId as _;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

use crate::envelope::clean;
use crate::error::chain;
use crate::masking::Mask;
use crate::{Error, ErrorKind};

/// What was asked of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Who this is, by the default chain of the AWS SDKs.
    Identity,
    Role,
    Token,
    PublicToken,
}

/// Explains a call that did not succeed.
///
/// `what` names it, for example `GetAuthorizationToken in eu-west-1`. `secrets` are blackened: of
/// a request whose signature is wrong AWS repeats the headers.
pub(super) fn of_call<E>(
    asked: Asked,
    what: &str,
    error: &SdkError<E, HttpResponse>,
    secrets: &[String],
) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let body = error
        .raw_response()
        .and_then(|answer| answer.body().bytes());
    let body = String::from_utf8_lossy(body.unwrap_or_default());
    let mask = Mask::new(secrets);
    let code = error.code().or_else(|| element(&body, "Code"));
    let mut refusal = match (error, code) {
        (SdkError::ServiceError(_) | SdkError::ResponseError(_), Some(code)) => {
            let said = error.message().or_else(|| element(&body, "Message"));
            let said = mask.clean(said.unwrap_or_default());
            let said = if said.is_empty() {
                said
            } else {
                format!(": {said}")
            };
            let code = mask.clean(code);
            let message = format!("{what}: {code}{said}{}", request_id(error));
            Error::new(ErrorKind::Credential, message).with_codes([code])
        }
        (SdkError::ServiceError(_) | SdkError::ResponseError(_), None) => {
            let status = error.raw_response().map(HttpResponse::status);
            let status = status.map_or(0, u16::from);
            let id = request_id(error);
            let message =
                format!("{what}: an answer of status {status} that AWS would not give{id}");
            Error::new(ErrorKind::Credential, message)
                .with_hint("a proxy may have answered in place of AWS")
        }
        (SdkError::TimeoutError(_), _) => {
            Error::new(ErrorKind::Credential, format!("{what}: no answer in time"))
                .with_hint(UNREACHABLE)
        }
        _ => unsent(what, error, &mask),
    };
    if let Some(hint) = code.and_then(|code| advice(asked, code)) {
        refusal = refusal.with_hint(hint);
    }
    refusal.without(secrets)
}

/// Explains that no identity could be had.
pub(super) fn of_identity(error: &(dyn StdError + 'static), secrets: &[String]) -> Error {
    let role = "AssumeRole for the profile";
    let web = "AssumeRoleWithWebIdentity";
    let by_role = find::<SdkError<AssumeRoleError, HttpResponse>>(error);
    let by_token = find::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>(error);
    match (by_role, by_token) {
        (Some(refused), _) => of_call(Asked::Role, role, refused, secrets),
        (_, Some(refused)) => of_call(Asked::Identity, web, refused, secrets),
        _ => {
            let cause = Mask::new(secrets).clean(&chain(error));
            let message = format!("no AWS identity: {cause}");
            let refusal = Error::new(ErrorKind::Credential, message).with_hint(NO_IDENTITY);
            refusal.without(secrets)
        }
    }
}

const NO_IDENTITY: &str = "give an access key, or run where AWS provides an identity (environment, web identity, \
    ECS, EC2); the metadata service of EC2 answers containers only with a hop limit of 2 or more";

const UNREACHABLE: &str =
    "the endpoint of AWS must be reachable from here, by itself or through HTTPS_PROXY";

/// Explains a request that never got an answer, by what this crate's own transport said of it.
fn unsent(what: &str, error: &(dyn StdError + 'static), mask: &Mask) -> Error {
    let cause = match find::<Error>(error) {
        Some(cause) => chain(cause),
        None => chain(error),
    };
    let message = format!("{what}: {}", mask.clean(&cause));
    let unsent = Error::new(ErrorKind::Credential, message);
    match find::<Error>(error).map(Error::kind) {
        // The cause's own advice is about registries, which are trusted by other means than AWS.
        Some(ErrorKind::Tls) => unsent.with_hint(UNTRUSTED),
        Some(_) => unsent.with_hint(UNREACHABLE),
        None => unsent,
    }
}

const UNTRUSTED: &str = "AWS is trusted by the system's authorities alone; \
    those of a proxy that opens TLS have to be in SSL_CERT_FILE";

fn request_id<E>(error: &SdkError<E, HttpResponse>) -> String {
    let id = error.request_id().map(clean);
    id.map_or_else(String::new, |id| format!(" (request id {id})"))
}

/// Reads an element of a refusal in XML that is not the form of the service that was asked; what
/// stands in front of the services has a form of its own.
fn element<'b>(body: &'b str, name: &str) -> Option<&'b str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once('<')?;
    Some(text).filter(|text| !text.is_empty())
}

fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// What to do about a code. The services spell the same refusal in several ways.
fn advice(asked: Asked, code: &str) -> Option<&'static str> {
    let code = code.strip_suffix("Exception").unwrap_or(code);
    Some(match (code, asked) {
        ("AccessDenied", Asked::Token) => {
            "the identity needs the permission ecr:GetAuthorizationToken on the resource \"*\""
        }
        ("AccessDenied", Asked::PublicToken) => {
            "the identity needs the permissions ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"
        }
        ("AccessDenied", Asked::Role) => {
            "the identity needs the permission sts:AssumeRole on the role, and the role's trust policy must \
             name the identity, with the external id if it asks for one"
        }
        ("AccessDenied" | "InvalidIdentityToken", Asked::Identity) => {
            "the role's trust policy must name the provider and the subject of the web identity token"
        }
        ("UnrecognizedClient" | "InvalidClientTokenId" | "InvalidAccessKeyId", _) => {
            "AWS does not know the access key id; a temporary one (ASIA...) needs its session token"
        }
        ("InvalidSignature" | "SignatureDoesNotMatch" | "IncompleteSignature", _) => {
            "the secret access key does not belong to the access key id, or this machine's clock is wrong"
        }
        ("ExpiredToken" | "RequestExpired", _) => {
            "the temporary keys have expired: get new ones, or this machine's clock is wrong"
        }
        ("Throttling" | "ThrottlingError" | "TooManyRequests" | "RequestLimitExceeded", _) => {
            "the account asks AWS too often: try again later, or seldomer"
        }
        ("RegionDisabled" | "OptInRequired", _) => "the region has to be enabled for the account",
        _ => return None,
    })
}

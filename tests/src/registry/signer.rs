//! Signed tokens, as the distribution project's registry wants them: JSON Web Tokens by ES256.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{KeyPair, SigningKey};
use serde_json::{Value, json};

use super::access::{Grant, SERVICE};
use crate::base64;
use crate::tls::{Identity, certificates};

/// Who issues the tokens, as they say it.
pub(super) const ISSUER: &str = "regimg-tests-issuer";

/// Bytes of each of the two numbers of a signature.
const NUMBER: usize = 32;

/// Signs tokens with the key of a certificate, which each token carries.
#[derive(Clone, Debug)]
pub(super) struct Signer(Identity);

impl Signer {
    pub(super) fn new(identity: &Identity) -> Self {
        Self(identity.clone())
    }

    /// Makes a token; `number` tells it from all others.
    pub(super) fn sign(&self, number: u64, grants: &[Grant], life: Duration) -> String {
        let chain = certificates(self.0.certificate_pem());
        let chain: Vec<String> = chain
            .iter()
            .map(|certificate| base64::encode(certificate))
            .collect();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": chain});
        let part = |value: &Value| base64::encode_url(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&claims(number, grants, life)));
        let key = KeyPair::from_pem(self.0.key_pem()).expect("the key is PEM");
        let signature = key.sign(signed.as_bytes()).expect("the key signs");
        format!("{signed}.{}", base64::encode_url(&plain(&signature)))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token is good by the time of day"
)]
fn claims(number: u64, grants: &[Grant], life: Duration) -> Value {
    let mut actions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for grant in grants {
        let of_repository = actions.entry(&grant.repository).or_default();
        of_repository.push(&grant.action);
    }
    let access: Vec<Value> = actions
        .into_iter()
        .map(|(name, actions)| json!({"type": "repository", "name": name, "actions": actions}))
        .collect();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    json!({
        "iss": ISSUER,
        "sub": "tester",
        "aud": SERVICE,
        "iat": now,
        // The two clocks may differ by part of a second.
        "nbf": now - 10,
        "exp": now + life.as_secs(),
        "jti": number.to_string(),
        "access": access,
    })
}

/// Turns `SEQUENCE { INTEGER, INTEGER }` into the two numbers, one behind the other.
///
/// Both are shorter than 128 bytes, so each length is one byte.
pub(crate) fn plain(signature: &[u8]) -> Vec<u8> {
    let (first, rest) = integer(&signature[2..]);
    let (second, _) = integer(rest);
    [first, second].concat()
}

fn integer(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let (number, rest) = bytes[2..].split_at(usize::from(bytes[1]));
    let digits = number.iter().position(|byte| *byte != 0).unwrap_or(0);
    let digits = &number[digits..];
    let mut padded = vec![0; NUMBER - digits.len()];
    padded.extend_from_slice(digits);
    (padded, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_have_a_fixed_length() {
        let signature = [0x30, 8, 2, 2, 0, 0x81, 2, 2, 0x12, 0x34];
        let plain = plain(&signature);
        assert_eq!(plain.len(), 2 * NUMBER);
        assert_eq!(plain[31], 0x81);
        assert_eq!(plain[62..], [0x12, 0x34]);
    }
}

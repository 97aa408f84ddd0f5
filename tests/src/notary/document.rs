//! The documents of Notary v1: how they are written, signed, and written once more by a server in Go.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::key::{Key, verifies};
use crate::base64;

/// A document with its signatures, the fields in the order in which Go writes them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Signed {
    pub(super) signed: Value,
    pub(super) signatures: Vec<Signature>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Signature {
    keyid: String,
    method: String,
    sig: String,
}

/// `signed` of the targets, or of a delegation, as far as a server knows it. What is missing
/// becomes `null`, as a map or a list does that Go was not given.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Targets {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(default)]
    pub(super) delegations: Delegations,
    expires: Time,
    #[serde(default, rename = "targets")]
    pub(super) files: Option<BTreeMap<String, File>>,
    pub(super) version: u64,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Delegations {
    #[serde(default)]
    pub(super) keys: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    pub(super) roles: Option<Vec<Delegation>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Delegation {
    pub(super) keyids: Vec<String>,
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) paths: Vec<String>,
    pub(super) threshold: usize,
}

/// What is known of a target or of another document.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    custom: Option<Value>,
    hashes: BTreeMap<String, String>,
    length: u64,
}

/// A time that is written as Go writes it after it has read it.
#[derive(Clone, Debug, Deserialize)]
struct Time(String);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.replace("+00:00", "Z");
        let Some((seconds, rest)) = text.split_once('.') else {
            return serializer.serialize_str(&text);
        };
        let end = rest.find(|digit: char| !digit.is_ascii_digit());
        let (fraction, zone) = rest.split_at(end.unwrap_or(rest.len()));
        match fraction.trim_end_matches('0') {
            "" => serializer.collect_str(&format_args!("{seconds}{zone}")),
            fraction => serializer.collect_str(&format_args!("{seconds}.{fraction}{zone}")),
        }
    }
}

impl Delegations {
    /// Empty, and not `null`.
    pub(super) fn none() -> Self {
        Self {
            keys: Some(BTreeMap::new()),
            roles: Some(Vec::new()),
        }
    }

    /// Finds a role by its name.
    pub(super) fn role(&self, name: &str) -> Option<&Delegation> {
        let mut roles = self.roles.iter().flatten();
        roles.find(|role| role.name == name)
    }
}

impl File {
    /// Describes a document as snapshots and timestamps do.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let hashes = [
            ("sha256", base64::encode(&Sha256::digest(bytes))),
            ("sha512", base64::encode(&Sha512::digest(bytes))),
        ];
        Self {
            custom: None,
            hashes: hashes.map(|(name, hash)| (name.to_owned(), hash)).into(),
            length: bytes.len() as u64,
        }
    }

    /// Describes an image by its digest.
    pub(super) fn of_target(digest: &crate::Digest, length: u64) -> Self {
        let raw: Vec<u8> = (0..digest.hex().len() / 2)
            .filter_map(|at| u8::from_str_radix(&digest.hex()[2 * at..2 * at + 2], 16).ok())
            .collect();
        Self {
            custom: None,
            hashes: [(digest.algorithm().to_owned(), base64::encode(&raw))].into(),
            length,
        }
    }

    /// The SHA-256 in hexadecimal digits, as the names of files have it, and the length.
    pub(super) fn facts(&self) -> Option<(String, u64)> {
        let raw = base64::decode(self.hashes.get("sha256")?)?;
        let digits: Vec<String> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
        Some((digits.concat(), self.length))
    }

    /// Says whether `bytes` are the document that is described.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        let found = Self::of(bytes);
        let mut hashes = self.hashes.iter();
        self.hashes.contains_key("sha256")
            && self.length == found.length
            && hashes.all(|(name, hash)| found.hashes.get(name) == Some(hash))
    }
}

impl Signed {
    /// Signs a document; the keys are named as the document above it names them.
    pub(super) fn new(signed: Value, keys: &[(String, Key)]) -> Self {
        let message = canonical(&signed);
        let signatures = keys.iter().map(|(id, key)| {
            let (method, signature) = key.sign(message.as_bytes());
            Signature {
                keyid: id.clone(),
                method: method.to_owned(),
                sig: base64::encode(&signature),
            }
        });
        let signatures = signatures.collect();
        Self { signed, signatures }
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Writes it as Go does, which escapes what HTML could take for its own.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let signatures = serde_json::to_string(&self.signatures).unwrap_or_default();
        let signed = canonical(&self.signed);
        let mut text = format!(r#"{{"signed":{signed},"signatures":{signatures}}}"#);
        // None of these stands outside of a string.
        for (character, escape) in [
            ('<', "\\u003c"),
            ('>', "\\u003e"),
            ('&', "\\u0026"),
            ('\u{2028}', "\\u2028"),
            ('\u{2029}', "\\u2029"),
        ] {
            text = text.replace(character, escape);
        }
        text.into_bytes()
    }

    /// Reads `signed` as what it should be.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.signed.clone()).ok()
    }

    /// Reads targets into the server's types and writes these, which is what the server hashes.
    pub(super) fn rewritten(&self) -> Option<Vec<u8>> {
        let targets: Targets = self.read()?;
        let mut rewritten = self.clone();
        rewritten.signed = serde_json::to_value(&targets).ok()?;
        for signature in &mut rewritten.signatures {
            signature.method = signature.method.to_lowercase();
        }
        Some(rewritten.bytes())
    }

    /// Says whether enough of the keys have signed.
    pub(super) fn is_signed_by<'a>(
        &self,
        keys: impl Iterator<Item = (&'a String, &'a Value)>,
        threshold: usize,
    ) -> bool {
        let message = canonical(&self.signed);
        let good = keys.filter(|(id, key)| {
            let mut signatures = self.signatures.iter();
            signatures.any(|signature| {
                signature.keyid == **id
                    && base64::decode(&signature.sig)
                        .is_some_and(|bytes| verifies(key, message.as_bytes(), &bytes))
            })
        });
        threshold > 0 && good.count() >= threshold
    }
}

/// Writes a document as it is signed: keys in order, no space, and nothing escaped but `"` and `\`.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let field = |(name, value): &(&String, &Value)| {
                format!("{}:{}", string(name), canonical(value))
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Makes the `signed` of targets.
pub(super) fn targets(
    version: u64,
    expires: &str,
    delegations: &Delegations,
    targets: &BTreeMap<String, File>,
) -> Value {
    json!({
        "_type": "Targets",
        "delegations": delegations,
        "expires": expires,
        "targets": targets,
        "version": version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        let signed = Signed::parse(text.as_bytes()).unwrap();
        String::from_utf8(signed.rewritten().unwrap()).unwrap()
    }

    #[test]
    fn a_server_writes_what_it_understands() {
        let written = |expires: &str, delegations: &str| {
            format!(
                r#"{{"signed":{{"_type":"Targets","delegations":{delegations},"expires":"{expires}","targets":{{}},"version":1}},"signatures":[{{"keyid":"a","method":"ecdsa","sig":"b"}}]}}"#
            )
        };
        let none = r#"{"keys":{},"roles":[]}"#;
        let plain = written("2030-01-02T03:04:05Z", none);
        let cases = [
            (plain.clone(), plain.clone()),
            (plain.replace("\":", "\": "), plain.clone()),
            (plain.replace("\"ecdsa\"", "\"ECDSA\""), plain.clone()),
            (
                plain.replace("\"targets\"", "\"x\":1,\"targets\""),
                plain.clone(),
            ),
            (written("2030-01-02T03:04:05.000Z", none), plain.clone()),
            (
                written("2030-01-02T03:04:05.500Z", none),
                written("2030-01-02T03:04:05.5Z", none),
            ),
            (
                written("2030-01-02T03:04:05+02:00", none),
                written("2030-01-02T03:04:05+02:00", none),
            ),
            (
                written("2030-01-02T03:04:05Z", r#"{"keys":{}}"#),
                written("2030-01-02T03:04:05Z", r#"{"keys":{},"roles":null}"#),
            ),
        ];
        for (sent, expected) in cases {
            assert_eq!(rewritten(&sent), expected, "{sent}");
        }
        let role = r#"{"keys":{},"roles":[{"keyids":[],"name":"targets/a","paths":["<\u2028"],"threshold":1}]}"#;
        let sent = written("2030-01-02T03:04:05Z", role);
        assert_eq!(rewritten(&sent), sent.replace('<', "\\u003c"));
    }

    #[test]
    fn what_is_signed_is_bare() {
        let value = json!({"b": [1, null], "a": "\n<\"\\\u{e9}"});
        assert_eq!(
            canonical(&value),
            "{\"a\":\"\n<\\\"\\\\\u{e9}\",\"b\":[1,null]}"
        );
    }
}

//! The files of a repository's trust data, with exactly the fields that a server knows.
//!
//! The server hashes what it would write itself, and stores what it was sent. Both have to be the
//! same bytes, or nobody can read the repository any more: so what was read is taken only if it
//! would be written here as it stood there, and what is unknown is refused, never dropped.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::canonical;
use crate::auth::{base64, unbase64};

/// Signatures of one file that are looked at.
const MOST_SIGNATURES: usize = 100;

/// Bytes of what a signer wanted to add to one target.
const LONGEST_CUSTOM: usize = 64 << 10;

/// A document and who signed it.
#[derive(Clone, Debug)]
pub(super) struct Signed<T> {
    pub(super) document: T,
    /// What the signatures are of.
    pub(super) canonical: Vec<u8>,
    pub(super) signatures: Vec<Signature>,
}

/// What is wrong with a file, as the end of a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is no file of trust data.
    Broken(String),
    /// It may be one, with something in it that nothing here knows.
    Unknown(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) => write!(f, "is not understood: {why}"),
            Self::Unknown(why) => f.write_str(why),
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    signed: &'a RawValue,
    signatures: Vec<Signature>,
}

/// Reads a file.
pub(super) fn read<T>(file: &[u8]) -> Result<Signed<T>, Unreadable>
where
    T: Serialize + DeserializeOwned,
{
    let broken =
        |error: serde_json::Error| Unreadable::Broken(crate::envelope::clean(&error.to_string()));
    let envelope: Envelope<'_> = serde_json::from_slice(file).map_err(broken)?;
    let raw = envelope.signed.get();
    let document: T = serde_json::from_str(raw).map_err(broken)?;
    let canonical = canonical::to_vec(&document).map_err(broken)?;
    if canonical::escaped_for_file(&canonical) != raw.as_bytes() {
        return Err(Unreadable::Unknown(
            "is not written as it would be here, and signing it again could make it unreadable for all",
        ));
    }
    if envelope.signatures.len() > MOST_SIGNATURES {
        return Err(Unreadable::Unknown("has more than 100 signatures"));
    }
    Ok(Signed {
        document,
        canonical,
        signatures: envelope.signatures,
    })
}

/// Writes a file.
pub(super) fn write(
    canonical: &[u8],
    signatures: &[Signature],
) -> Result<Vec<u8>, serde_json::Error> {
    let mut file = b"{\"signed\":".to_vec();
    file.extend(canonical::escaped_for_file(canonical));
    file.extend(b",\"signatures\":");
    file.extend(canonical::to_vec(&signatures)?);
    file.push(b'}');
    Ok(file)
}

/// One signature: fields in the order of the wire, which is that of their names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Signature {
    pub(super) keyid: String,
    pub(super) method: String,
    pub(super) sig: Bytes,
}

/// Which keys are whose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Root {
    #[serde(rename = "_type")]
    kind: String,
    consistent_snapshot: bool,
    expires: String,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) roles: BTreeMap<String, Keyring>,
    version: u64,
}

/// What tags stand for, and who else may say so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Targets {
    #[serde(rename = "_type")]
    kind: String,
    pub(super) delegations: Delegations,
    pub(super) expires: String,
    /// `None` is `null`, here and below: it stays what it is.
    #[serde(rename = "targets")]
    pub(super) entries: Option<BTreeMap<String, Meta>>,
    pub(super) version: u64,
}

impl Targets {
    /// A delegation's file before there was one.
    pub(super) fn new() -> Self {
        Self {
            kind: "Targets".to_owned(),
            delegations: Delegations {
                keys: Some(BTreeMap::new()),
                roles: Some(Vec::new()),
            },
            expires: String::new(),
            entries: Some(BTreeMap::new()),
            version: 0,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Delegations {
    pub(super) keys: Option<BTreeMap<String, Key>>,
    pub(super) roles: Option<Vec<Delegation>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Delegation {
    keyids: Option<Vec<String>>,
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) paths: Vec<String>,
    threshold: i64,
}

impl Delegation {
    pub(super) fn keyring(&self) -> Keyring {
        Keyring {
            keyids: self.keyids.clone(),
            threshold: self.threshold,
        }
    }
}

/// Whose signatures count, and how many there have to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Keyring {
    pub(super) keyids: Option<Vec<String>>,
    pub(super) threshold: i64,
}

impl Keyring {
    pub(super) fn ids(&self) -> &[String] {
        self.keyids.as_deref().unwrap_or_default()
    }
}

/// What the other files are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    #[serde(rename = "_type")]
    kind: String,
    expires: String,
    pub(super) meta: BTreeMap<String, Meta>,
    version: u64,
}

/// What the snapshot is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Timestamp {
    #[serde(rename = "_type")]
    kind: String,
    expires: String,
    pub(super) meta: BTreeMap<String, Meta>,
    pub(super) version: u64,
}

/// What a file or a manifest has to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Meta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    custom: Option<Custom>,
    pub(super) hashes: Option<BTreeMap<String, Option<Bytes>>>,
    pub(super) length: i64,
}

impl Meta {
    pub(super) fn sha256(hash: Vec<u8>, length: i64) -> Self {
        Self {
            custom: None,
            hashes: Some(BTreeMap::from([("sha256".to_owned(), Some(Bytes(hash)))])),
            length,
        }
    }

    pub(super) fn hash(&self, algorithm: &str) -> Option<&[u8]> {
        let hash = self.hashes.as_ref()?.get(algorithm)?.as_ref()?;
        Some(&hash.0)
    }
}

/// Whatever the signer wanted to add: its text, since its values may take a hundred times as much
/// room as that.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
struct Custom(Box<RawValue>);

impl Custom {
    fn new(value: &Value) -> Result<Self, serde_json::Error> {
        RawValue::from_string(canonical::text(value)?).map(Self)
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        let raw = <&RawValue>::deserialize(from)?;
        if raw.get().len() > LONGEST_CUSTOM {
            return Err(D::Error::custom("more custom data than 64 KiB"));
        }
        let value = serde_json::from_str(raw.get());
        let custom = value.and_then(|value| Self::new(&value));
        custom.map_err(D::Error::custom)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) keytype: String,
    keyval: KeyValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeyValue {
    /// Always `null`.
    private: (),
    public: Bytes,
}

impl Key {
    pub(super) fn new(keytype: &str, public: Vec<u8>) -> Self {
        Self {
            keytype: keytype.to_owned(),
            keyval: KeyValue {
                private: (),
                public: Bytes(public),
            },
        }
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.keyval.public.0
    }
}

/// What every document says of itself.
pub(super) trait Document: Serialize + DeserializeOwned {
    const KIND: &'static str;

    fn kind(&self) -> &str;
    fn expires(&self) -> &str;
    fn version(&self) -> u64;
}

macro_rules! documents {
    ($($name:ident),*) => {$(
        impl Document for $name {
            const KIND: &'static str = stringify!($name);

            fn kind(&self) -> &str {
                &self.kind
            }

            fn expires(&self) -> &str {
                &self.expires
            }

            fn version(&self) -> u64 {
                self.version
            }
        }
    )*};
}

documents!(Root, Targets, Snapshot, Timestamp);

/// Bytes that stand in a document as base64, spelled in the one way that Go has.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64(&self.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = unbase64(&text).filter(|bytes| base64(bytes) == text);
        let bytes = bytes.ok_or_else(|| serde::de::Error::custom("no base64"))?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A file as Go writes it, with one signature.
    fn file(signed: &str) -> String {
        format!(
            r#"{{"signed":{signed},"signatures":[{{"keyid":"a","method":"ecdsa","sig":"AAAA"}}]}}"#
        )
    }

    const EMPTY: &str = r#"{"_type":"Targets","delegations":{"keys":{},"roles":[]},"expires":"2029-11-22T13:53:10Z","targets":{},"version":3}"#;

    fn again(text: &str) -> Result<String, Unreadable> {
        let signed = read::<Targets>(text.as_bytes())?;
        let written = write(&signed.canonical, &signed.signatures).unwrap();
        Ok(String::from_utf8(written).unwrap())
    }

    #[test]
    fn what_a_server_would_write_as_it_stands_is_taken() {
        let role = r#"{"keyids":["a"],"name":"targets/a","paths":["v\u0026\u003c\u2028","é"],"threshold":1}"#;
        let entry = r#"{"custom":{"a":[1,null,"\u003e"],"b":-2},"hashes":{"sha256":"AAAA","sha512":null},"length":8}"#;
        for (from, to) in [
            ("", ""),
            (r#""roles":[]"#, r#""roles":null"#),
            (r#""keys":{}"#, r#""keys":null"#),
            (r#""targets":{}"#, r#""targets":null"#),
            ("13:53:10Z", "13:53:10.745878385Z"),
            ("13:53:10Z", "13:53:10+01:00"),
            (r#""roles":[]"#, &format!(r#""roles":[{role}]"#)),
            (
                r#""targets":{}"#,
                &format!(r#""targets":{{"1.0":{entry}}}"#),
            ),
        ] {
            let text = file(&EMPTY.replacen(from, to, 1));
            assert_eq!(again(&text).as_deref(), Ok(text.as_str()));
        }
    }

    /// What a server reads and then writes in another way, so that no client finds it again.
    #[test]
    fn what_a_server_would_write_otherwise_is_refused() {
        let version = r#""version":3"#;
        let roles = r#""roles":[]"#;
        let targets = r#""targets":{}"#;
        for (from, to) in [
            (version, r#""version": 3"#),
            (version, r#""unknown":1,"version":3"#),
            (version, r#""version":3,"version":3"#),
            (version, r#""version":3.0"#),
            (version, r#""version":-3"#),
            (
                roles,
                r#""roles":[{"keyids":[],"name":"a","paths":[],"threshold":1}]"#,
            ),
            (
                roles,
                r#""roles":[{"keyids":[],"name":"a","paths":["<"],"threshold":1}]"#,
            ),
            (
                roles,
                r#""roles":[{"keyids":[],"name":"a","paths":["\n"],"threshold":1}]"#,
            ),
            (
                roles,
                r#""roles":[{"keyids":[],"name":"\u0061","threshold":1}]"#,
            ),
            (
                targets,
                r#""targets":{"a":{"custom":null,"hashes":{},"length":1}}"#,
            ),
            (
                targets,
                r#""targets":{"a":{"custom":{"b":1,"a":2},"hashes":{},"length":1}}"#,
            ),
            (
                targets,
                r#""targets":{"a":{"custom":1.5,"hashes":{},"length":1}}"#,
            ),
            (
                targets,
                r#""targets":{"a":{"hashes":{"sha256":"AAB="},"length":1}}"#,
            ),
            (
                targets,
                r#""targets":{"a":{"hashes":{"sha256":"AAA"},"length":1}}"#,
            ),
            (
                targets,
                r#""targets":{"b":{"hashes":{},"length":1},"a":{"hashes":{},"length":1}}"#,
            ),
            (r#","targets":{}"#, ""),
            (r#""delegations":{"keys":{},"roles":[]},"#, ""),
        ] {
            let signed = EMPTY.replacen(from, to, 1);
            assert_ne!(signed, EMPTY);
            assert!(again(&file(&signed)).is_err(), "{signed}");
        }
        for text in ["", "{}", "[]", "null", r#"{"signed":{},"signatures":[]}"#] {
            assert!(again(text).is_err(), "{text}");
        }
        let signature = r#"{"keyid":"a","method":"ecdsa","sig":"AAAA"}"#;
        let many = vec![signature; MOST_SIGNATURES + 1].join(",");
        let many = format!(r#"{{"signed":{EMPTY},"signatures":[{many}]}}"#);
        assert!(matches!(again(&many), Err(Unreadable::Unknown(_))));
    }

    #[test]
    fn custom_data_has_an_end() {
        let with = |length: usize| {
            let custom = format!("[{}0]", "0,".repeat(length / 2 - 1));
            let entry =
                format!(r#""targets":{{"a":{{"custom":{custom},"hashes":{{}},"length":1}}}}"#);
            again(&file(&EMPTY.replace(r#""targets":{}"#, &entry)))
        };
        assert!(with(LONGEST_CUSTOM - 2).is_ok());
        let error = with(LONGEST_CUSTOM).unwrap_err();
        assert!(error.to_string().contains("64 KiB"), "{error}");
    }

    /// The envelope may be written in any way: servers change the case of methods.
    #[test]
    fn the_envelope_is_not_looked_at() {
        let text = format!(
            r#"{{ "signatures": [{{"method":"ECDSA","keyid":"a","sig":"AAAA"}}], "signed": {EMPTY} }}"#
        );
        assert!(again(&text).is_ok());
    }

    fn text() -> impl Strategy<Value = String> {
        "[<>&\"\\\\/a-z\u{2028}\u{2029}\u{e9}\u{1f600}]{0,12}"
    }

    proptest! {
        #[test]
        fn any_document_comes_back_as_it_was(
            names in prop::collection::btree_map(text(), (any::<Option<Vec<u8>>>(), any::<i64>(), text()), 0..5),
            paths in prop::collection::vec(text(), 0..4),
            keyids in prop::option::of(prop::collection::vec(text(), 0..3)),
            version: u64,
        ) {
            let entries = names.into_iter().map(|(name, (hash, length, custom))| {
                let meta = Meta {
                    custom: (length % 2 == 0).then(|| Custom::new(&json!({"z": custom, "a": [length]})).unwrap()),
                    hashes: Some(BTreeMap::from([("sha256".to_owned(), hash.map(Bytes))])),
                    length,
                };
                (name, meta)
            });
            let mut targets = Targets::new();
            targets.entries = Some(entries.collect());
            targets.version = version;
            targets.delegations.roles = Some(vec![Delegation {
                keyids,
                name: "targets/a".to_owned(),
                paths,
                threshold: 1,
            }]);
            let canonical = canonical::to_vec(&targets).unwrap();
            let file = write(&canonical, &[]).unwrap();
            prop_assert!(!file.iter().any(|byte| b"<>&".contains(byte)));
            let read = read::<Targets>(&file).unwrap();
            prop_assert_eq!(&read.canonical, &canonical);
            prop_assert_eq!(write(&read.canonical, &read.signatures).unwrap(), file);
        }

        #[test]
        fn any_bytes_can_be_read(signed in "\\PC{0,60}", cut in 0_usize..200) {
            let _ = read::<Targets>(file(&signed).as_bytes());
            let text = file(EMPTY);
            let _ = read::<Targets>(&text.as_bytes()[..cut.min(text.len())]);
        }
    }
}

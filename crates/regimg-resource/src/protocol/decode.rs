//! A deserializer that reads JSON as Go's `encoding/json` reads it into a struct.
//!
//! serde's derive hands `deserialize_struct` the names of the fields, which is all
//! that Go's reflection has too; so the request types derive `Deserialize` and the
//! rules about keys, nulls and error texts live here, once.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::value::RawValue;

use super::surrogates;

/// Asks for the JSON text of a value instead of the value; see [`super::TagValue`].
pub(super) const RAW_TEXT: &str = "regimg::RawText";

const NULL: &str = "null";

/// Says why a request could not be decoded, in Go's words where Go has some.
#[derive(Debug)]
pub struct DecodeError {
    message: String,
}

impl DecodeError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    fn json(error: &serde_json::Error) -> Self {
        if error.is_eof() {
            Self::new("unexpected EOF")
        } else {
            Self::new(error.to_string())
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

pub(super) fn from_slice<T: DeserializeOwned>(input: &[u8]) -> Result<T, DecodeError> {
    // Go replaces what is no character inside strings by U+FFFD instead of failing.
    let text = surrogates::paired(String::from_utf8_lossy(input));
    let mut values = serde_json::Deserializer::from_str(&text).into_iter::<&RawValue>();
    let raw = match values.next() {
        None => return Err(DecodeError::new("EOF")),
        Some(raw) => raw.map_err(|error| DecodeError::json(&error))?,
    };
    T::deserialize(Value {
        written: vec![raw.get()],
        place: Place::Root,
    })
}

/// Says whether reading on could change what `input` decodes to.
pub(super) fn is_complete(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    match serde_json::Deserializer::from_str(&text)
        .into_iter::<&RawValue>()
        .next()
    {
        None => false,
        Some(Ok(_)) => true,
        Some(Err(error)) => !error.is_eof(),
    }
}

/// Where a value stands, for the error text.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root,
    Field {
        outer: &'a Place<'a>,
        structure: &'static str,
        name: &'a str,
    },
    Element {
        outer: &'a Place<'a>,
    },
}

impl Place<'_> {
    fn path(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Element { outer } => outer.path(),
            Self::Field { outer, name, .. } => match outer.path() {
                path if path.is_empty() => (*name).to_owned(),
                path => format!("{path}.{name}"),
            },
        }
    }

    fn structure(&self) -> Option<&'static str> {
        match self {
            Self::Root => None,
            Self::Element { outer } => outer.structure(),
            Self::Field { structure, .. } => Some(structure),
        }
    }
}

/// What was written for one place in the request: several JSON values where a key was repeated,
/// which Go decodes one after the other into the same field.
struct Value<'de, 'p> {
    written: Vec<&'de str>,
    place: Place<'p>,
}

impl<'de> Value<'de, '_> {
    /// Returns the last value; a `null` leaves what was there before.
    fn raw(&self) -> &'de str {
        let mut written = self.written.iter().rev();
        written.find(|raw| **raw != NULL).unwrap_or(&NULL)
    }

    /// Forgets what stood before a `null`, which empties what is a pointer or a slice in Go.
    fn forget(&mut self) {
        if let Some(null) = self.written.iter().rposition(|raw| *raw == NULL) {
            self.written.drain(..=null);
        }
    }

    /// Returns the last value, if all are of a kind: Go decodes those, too, that it hides.
    fn of_kind(&self, expected: &str, wanted: &str) -> Result<&'de str, DecodeError> {
        let mut kinds = self.written.iter().map(|raw| kind(raw));
        match kinds.find(|kind| *kind != expected && *kind != NULL) {
            Some(other) => Err(self.mismatch_of(other, wanted)),
            None => Ok(self.raw()),
        }
    }

    fn mismatch_of(&self, kind: &str, wanted: &str) -> DecodeError {
        match self.place.structure() {
            None => DecodeError::new(format!(
                "json: cannot unmarshal {kind} into Go value of type {wanted}"
            )),
            Some(structure) => DecodeError::new(format!(
                "json: cannot unmarshal {kind} into Go struct field {structure}.{} of type {wanted}",
                self.place.path()
            )),
        }
    }
}

/// The name that Go gives to this kind of value in a type error.
fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "string",
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b't' | b'f') => "bool",
        Some(b'n') => NULL,
        _ => "number",
    }
}

fn parse<'de, T: Deserialize<'de>>(raw: &'de str) -> Result<T, DecodeError> {
    serde_json::from_str(raw).map_err(|error| DecodeError::json(&error))
}

impl<'de> Deserializer<'de> for Value<'de, '_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match kind(self.raw()) {
            "string" => self.deserialize_string(visitor),
            "bool" => self.deserialize_bool(visitor),
            "array" => self.deserialize_seq(visitor),
            NULL => visitor.visit_unit(),
            other => Err(self.mismatch_of(other, "string")),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_bool(self.of_kind("bool", "bool")? == "true")
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.of_kind("number", "uint64")?;
        let mut number = 0;
        for raw in self.written.iter().filter(|raw| **raw != NULL) {
            let refused = |_| self.mismatch_of(&format!("number {raw}"), "uint64");
            number = raw.parse().map_err(refused)?;
        }
        visitor.visit_u64(number)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.of_kind("string", "string")? {
            NULL => visitor.visit_str(""),
            raw => visitor.visit_string(parse(raw)?),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, DecodeError> {
        self.forget();
        if self.written.is_empty() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, DecodeError> {
        self.of_kind("array", "[]string")?;
        self.forget();
        let elements: Vec<&'de RawValue> = match self.raw() {
            NULL => Vec::new(),
            raw => parse(raw)?,
        };
        visitor.visit_seq(Elements {
            rest: elements.into_iter(),
            place: self.place,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut members = Entries::default();
        for raw in &self.written {
            match kind(raw) {
                "object" => members.0.extend(parse::<Entries<'de>>(raw)?.0),
                NULL => {}
                other => return Err(self.mismatch_of(other, name)),
            }
        }
        visitor.visit_map(Fields {
            rest: members.resolve(fields)?.into_iter(),
            value: None,
            structure: name,
            place: self.place,
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if name == RAW_TEXT {
            self.forget();
            return visitor.visit_newtype_struct(BorrowedStrDeserializer::new(self.raw()));
        }
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char bytes byte_buf unit
        unit_struct tuple tuple_struct map enum identifier ignored_any
    }
}

/// The members of an object, in their order, repeated keys included.
#[derive(Default)]
struct Entries<'de>(Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, &RawValue>()? {
                    entries.push((Cow::Owned(entry.0), entry.1));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl<'de> Entries<'de> {
    /// Gives each field what was written for it.
    fn resolve(self, fields: &'static [&'static str]) -> Result<Vec<Field<'de>>, DecodeError> {
        let mut resolved: Vec<Field<'de>> = Vec::with_capacity(self.0.len());
        for (key, value) in self.0 {
            let field = find_field(fields, &key)
                .ok_or_else(|| DecodeError::new(format!("json: unknown field {key:?}")))?;
            match resolved.iter_mut().find(|(name, _)| *name == field) {
                Some((_, written)) => written.push(value.get()),
                None => resolved.push((field, vec![value.get()])),
            }
        }
        Ok(resolved)
    }
}

/// A field's name, and what was written for it.
type Field<'de> = (&'static str, Vec<&'de str>);

/// Finds a field by its exact name, else by its name in any case.
fn find_field(fields: &'static [&'static str], key: &str) -> Option<&'static str> {
    let exact = fields.iter().find(|field| **field == key);
    exact
        .or_else(|| fields.iter().find(|field| folds_to(key, field)))
        .copied()
}

/// Compares as Go folds names: ASCII case, and the two letters beyond ASCII whose
/// simple folding is an ASCII letter (long s and the Kelvin sign).
fn folds_to(key: &str, field: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(field.chars().map(fold))
}

struct Fields<'de, 'p> {
    rest: std::vec::IntoIter<Field<'de>>,
    value: Option<Field<'de>>,
    structure: &'static str,
    place: Place<'p>,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        self.value = self.rest.next();
        let Some((name, _)) = &self.value else {
            return Ok(None);
        };
        let name: StrDeserializer<'_, DecodeError> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        let (name, written) = self
            .value
            .take()
            .expect("serde asks for a value after its key");
        let place = Place::Field {
            outer: &self.place,
            structure: self.structure,
            name,
        };
        seed.deserialize(Value { written, place })
    }
}

struct Elements<'de, 'p> {
    rest: std::vec::IntoIter<&'de RawValue>,
    place: Place<'p>,
}

impl<'de> SeqAccess<'de> for Elements<'de, '_> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let Some(raw) = self.rest.next() else {
            return Ok(None);
        };
        let place = Place::Element { outer: &self.place };
        seed.deserialize(Value {
            written: vec![raw.get()],
            place,
        })
        .map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{CheckRequest, GetRequest, PutRequest};

    #[track_caller]
    fn decode<T: DeserializeOwned>(input: &str) -> Result<T, String> {
        from_slice(input.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_match_in_any_case_and_the_last_of_equal_ones_wins() {
        let request: GetRequest = decode(
            r#"{"Source": {"REPOSITORY": "a", "repository": "b", "in\u017fecure": true},
                "Params": {"format": "oci"}, "Version": {"Tag": "1", "digest": "d"}} trailing"#,
        )
        .unwrap();
        assert_eq!(request.source.repository, "b");
        assert!(request.source.insecure);
        assert_eq!(request.params.format, "oci");
        assert_eq!(request.version.tag, "1");
    }

    /// As Go's `encoding/json` decodes the later value into what the earlier one left.
    #[test]
    fn a_key_that_is_repeated_adds_to_what_is_there() {
        let request: GetRequest = decode(
            r#"{"source": {"repository": "a", "insecure": true, "ca_certs": ["1", "2"],
                           "platform": {"os": "x", "architecture": "y"}},
                "Source": {"repository": "b", "ca_certs": ["3"], "platform": {"OS": "z"}},
                "source": null, "source": {"tag": 1},
                "version": {"tag": "t"}, "version": {"digest": "d"}}"#,
        )
        .unwrap();
        let source = request.source;
        assert_eq!((source.repository.as_str(), source.insecure), ("b", true));
        assert_eq!(source.ca_certs, ["3"]);
        assert_eq!(source.tag.0, "1");
        let platform = source.platform.unwrap();
        assert_eq!((&*platform.os, &*platform.architecture), ("z", "y"));
        let version = request.version;
        assert_eq!((&*version.tag, &*version.digest), ("t", "d"));

        for hidden in [r#"{"sauce": 1}"#, "[]"] {
            let input = format!(r#"{{"source": {hidden}, "source": {{}}}}"#);
            assert!(decode::<GetRequest>(&input).is_err(), "{hidden}");
        }
    }

    /// What a later value hides has to be of the right kind all the same.
    #[test]
    fn a_hidden_value_of_the_wrong_kind_is_an_error() {
        let cases = [
            ("repository", "1", r#""a""#, "number", "string"),
            ("password", "true", r#""a""#, "bool", "string"),
            ("debug", r#""yes""#, "true", "string", "bool"),
            ("debug", "[]", "null", "array", "bool"),
            ("ca_certs", "{}", "[]", "object", "[]string"),
            ("ca_certs", "{}", "null", "object", "[]string"),
            ("max_concurrent_requests", "-1", "1", "number -1", "uint64"),
            ("max_concurrent_requests", "{}", "1", "object", "uint64"),
        ];
        for (field, hidden, shown, kind, wanted) in cases {
            let input = format!(r#"{{"source": {{"{field}": {hidden}, "{field}": {shown}}}}}"#);
            assert_eq!(
                decode::<CheckRequest>(&input).map(|_| ()).unwrap_err(),
                format!(
                    "json: cannot unmarshal {kind} into Go struct field \
                     resource.Source.source.{field} of type {wanted}"
                ),
                "{input}"
            );
        }
    }

    #[test]
    fn null_empties_what_can_be_absent_and_leaves_the_rest() {
        let request: CheckRequest = decode(
            r#"{"source": {"repository": "a", "repository": null, "debug": true, "debug": null,
                           "ca_certs": ["1"], "ca_certs": null, "tag": "1", "tag": null,
                           "platform": {"os": "x"}, "platform": null, "platform": {"architecture": "y"},
                           "registry_mirror": {"host": "h"}, "registry_mirror": null,
                           "max_concurrent_requests": 1, "max_concurrent_requests": null},
                "version": {"tag": "1"}, "version": null}"#,
        )
        .unwrap();
        let source = request.source;
        assert_eq!((source.repository.as_str(), source.debug), ("a", true));
        assert!(source.ca_certs.is_empty() && source.tag.0.is_empty());
        let platform = source.platform.unwrap();
        assert_eq!((&*platform.os, &*platform.architecture), ("", "y"));
        assert!(source.registry_mirror.is_none() && source.max_concurrent_requests.is_none());
        assert!(request.version.is_none());
    }

    #[test]
    fn null_sets_nothing() {
        let request: CheckRequest = decode(
            r#"{"source": {"repository": "a", "tag": null, "ca_certs": null, "platform": null,
                "debug": null, "password": null, "Repository": null}, "version": null}"#,
        )
        .unwrap();
        assert_eq!(request.source.repository, "a");
        assert_eq!(request.source.tag.0, "");
        assert!(request.source.platform.is_none());
        assert!(request.version.is_none());
    }

    #[test]
    fn a_tag_is_the_text_that_yaml_held() {
        let cases = [
            (r#""latest""#, "latest"),
            (r#""a\u0062c""#, "abc"),
            ("42", "42"),
            ("42.10", "42.10"),
            ("true", "true"),
            ("1e3", "1e3"),
            ("null", ""),
        ];
        for (json, tag) in cases {
            let request: PutRequest =
                decode(&format!(r#"{{"source": {{"tag": {json}}}}}"#)).unwrap();
            assert_eq!(request.source.tag.0, tag, "{json}");
        }
    }

    #[test]
    fn what_is_no_character_is_replaced() {
        let request: PutRequest = decode(
            r#"{"source": {"repository": "\ud800a", "tag": "\udc00", "ca_certs": ["\ud83d\ude00"]}}"#,
        )
        .unwrap();
        assert_eq!(request.source.repository, "\u{fffd}a");
        assert_eq!(request.source.tag.0, "\u{fffd}");
        assert_eq!(request.source.ca_certs, ["\u{1f600}"]);
        let error = decode::<PutRequest>(r#"{"\ud800": 1}"#).unwrap_err();
        assert_eq!(error, "json: unknown field \"\u{fffd}\"");
        let bytes = b"{\"source\": {\"repository\": \"a\xff\"}}";
        let request: PutRequest = from_slice(bytes).unwrap();
        assert_eq!(request.source.repository, "a\u{fffd}");
    }

    #[test]
    fn errors_are_in_the_words_of_go() {
        let cases = [
            ("", "EOF"),
            (" \n", "EOF"),
            (r#"{"source": {"#, "unexpected EOF"),
            (r#"{"sauce": {}}"#, r#"json: unknown field "sauce""#),
            (
                r#"{"source": {"tags": 1}}"#,
                r#"json: unknown field "tags""#,
            ),
            (
                r#"{"source": {"platform": {"cpu": ""}}}"#,
                r#"json: unknown field "cpu""#,
            ),
            (
                r#"{"source": {"repository": 1}}"#,
                "json: cannot unmarshal number into Go struct field resource.Source.source.repository of type string",
            ),
            (
                r#"{"source": {"insecure": "yes"}}"#,
                "json: cannot unmarshal string into Go struct field resource.Source.source.insecure of type bool",
            ),
            (
                r#"{"source": {"ca_certs": [1]}}"#,
                "json: cannot unmarshal number into Go struct field resource.Source.source.ca_certs of type string",
            ),
            (
                "[]",
                "json: cannot unmarshal array into Go value of type commands.CheckRequest",
            ),
        ];
        for (input, message) in cases {
            assert_eq!(
                decode::<CheckRequest>(input).map(|_| ()).unwrap_err(),
                message,
                "{input}"
            );
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let request: CheckRequest =
            decode(r#"{"source": {"username": "u", "password": "hunter2"}}"#).unwrap();
        assert!(!format!("{request:?}").contains("hunter2"));
        let error = decode::<CheckRequest>(r#"{"source": {"password": ["hunter2"]}}"#).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_request_is_complete_when_its_first_value_is() {
        assert!(!is_complete(b""));
        assert!(!is_complete(br#"{"source": {"repository": "a""#));
        assert!(is_complete(br#"{"source": {}}"#));
        assert!(is_complete(b"}"));
    }

    proptest! {
        #[test]
        fn no_input_panics(input in r#"[{}\[\]:,"a-z0-9. nulltruefalsesource\\]{0,80}"#) {
            let _ = decode::<CheckRequest>(&input);
            let _ = is_complete(input.as_bytes());
        }
    }
}

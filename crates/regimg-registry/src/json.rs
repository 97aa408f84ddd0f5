//! JSON that strangers wrote: objects only, and errors of a bounded length.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::transport::{Cause, address};
use crate::{Error, ErrorKind};

/// What has to be written as an object: derived code would also take the fields of a struct from
/// an array, one after the other.
#[derive(Default)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// Texts without the empty ones, `LIMIT` at most, so that a small document cannot become a large
/// list; `null` is an empty list.
#[derive(Debug, Default)]
pub(crate) struct Texts<const LIMIT: usize> {
    pub(crate) texts: Vec<String>,
    /// Whether there were more.
    pub(crate) is_cut: bool,
}

impl<'de, const LIMIT: usize> Deserialize<'de> for Texts<LIMIT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<const LIMIT: usize>;

        impl<'de, const LIMIT: usize> Visitor<'de> for List<LIMIT> {
            type Value = Texts<LIMIT>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Texts::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while texts.len() < LIMIT {
                    match items.next_element::<String>()? {
                        Some(text) if text.is_empty() => {}
                        Some(text) => texts.push(text),
                        None => break,
                    }
                }
                let mut is_cut = false;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    is_cut = true;
                }
                Ok(Texts { texts, is_cut })
            }
        }

        deserializer.deserialize_any(List)
    }
}

/// Says that `what` of the host that answered is not understood. The library's text may quote any
/// length of the document, so it is cut.
pub(crate) fn not_understood(what: &str, from: &Url, why: &serde_json::Error) -> Error {
    let host = address::authority(from);
    let message = format!("the {what} of {host} is not understood");
    Error::new(ErrorKind::Protocol, message)
        .at(from)
        .with_source(Cause::of(why))
}

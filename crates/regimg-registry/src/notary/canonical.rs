//! The one way to write a document that signatures and hashes are made of: canonical JSON, as
//! Docker's Go library writes it.
//!
//! Keys sorted by their bytes, no blanks, integers in decimal. Of a text only `"` and `\` are
//! escaped; every other byte stands as it is. The fields of our types stand in the order of their
//! names, so that serialising them is enough.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// Writes a value canonically. Fails for a number that is no integer, and for a control
/// character, which Go would write as it is and then not read again.
pub(super) fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, Canonical))?;
    Ok(text)
}

/// Writes a value of any kind, with the keys of its objects sorted whatever `serde_json` does with
/// their order.
pub(super) fn text(value: &Value) -> Result<String, serde_json::Error> {
    let text = to_vec(&Sorted(value))?;
    String::from_utf8(text).map_err(serde::de::Error::custom)
}

struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(key, _)| key.as_bytes());
                to.collect_map(fields.into_iter().map(|(key, value)| (key, Sorted(value))))
            }
            Value::Array(items) => to.collect_seq(items.iter().map(Sorted)),
            other => other.serialize(to),
        }
    }
}

/// What Go's encoder does to strings of a document that is put into a file: the signed bytes do
/// not have it, the file has.
pub(super) fn escaped_for_file(canonical: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(canonical.len());
    let mut rest = canonical;
    while let Some((&byte, tail)) = rest.split_first() {
        let (escape, length): (&[u8], usize) = match (byte, tail) {
            (b'<', _) => (b"\\u003c", 1),
            (b'>', _) => (b"\\u003e", 1),
            (b'&', _) => (b"\\u0026", 1),
            // U+2028 and U+2029.
            (0xe2, [0x80, 0xa8, ..]) => (b"\\u2028", 3),
            (0xe2, [0x80, 0xa9, ..]) => (b"\\u2029", 3),
            _ => (&rest[..1], 1),
        };
        text.extend_from_slice(escape);
        rest = &rest[length..];
    }
    text
}

struct Canonical;

impl Formatter for Canonical {
    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        Err(io::Error::other("a number that is no integer"))
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, to: &mut W, number: f32) -> io::Result<()> {
        self.write_f64(to, number.into())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        to: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => to.write_all(b"\\\""),
            CharEscape::ReverseSolidus => to.write_all(b"\\\\"),
            _ => Err(io::Error::other("a control character")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn one_way_to_write_each_value() {
        let cases = [
            (
                json!({"b": 1, "a": [null, true, "x"]}),
                r#"{"a":[null,true,"x"],"b":1}"#,
            ),
            (json!({"a": {"d": -1, "c": {}}}), r#"{"a":{"c":{},"d":-1}}"#),
            (json!("q\" b\\ s/ <&>"), r#""q\" b\\ s/ <&>""#),
            // By bytes, not by UTF-16, and not normalised.
            (
                json!({"\u{fb01}": 1, "\u{1f600}": 2, "e\u{301}": 3}),
                "{\"e\u{301}\":3,\"\u{fb01}\":1,\"\u{1f600}\":2}",
            ),
            (json!("\u{2028}\u{7f}"), "\"\u{2028}\u{7f}\""),
            (json!(u64::MAX), "18446744073709551615"),
        ];
        for (value, wanted) in cases {
            assert_eq!(text(&value).ok().as_deref(), Some(wanted));
        }
        for value in [json!(1.5), json!({"a": 1e3}), json!("a\nb"), json!("\u{0}")] {
            assert_eq!(text(&value).ok(), None, "{value}");
        }
    }

    #[test]
    fn files_hide_what_html_would_read() {
        let text = "<a&b> \u{2028}\u{2029}\u{2030} \u{e2}";
        let wanted = "\\u003ca\\u0026b\\u003e \\u2028\\u2029\u{2030} \u{e2}";
        assert_eq!(escaped_for_file(text.as_bytes()), wanted.as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(keys in prop::collection::vec("\\PC{0,20}", 0..8), number: i64) {
            let object: serde_json::Map<String, Value> =
                keys.iter().map(|key| (key.clone(), json!([number, key]))).collect();
            let value = Value::Object(object);
            let text = text(&value).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
            let file = escaped_for_file(text.as_bytes());
            prop_assert_eq!(serde_json::from_slice::<Value>(&file).unwrap(), value);
            prop_assert!(!file.iter().any(|byte| b"<>&".contains(byte)));
        }
    }
}

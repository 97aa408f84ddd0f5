//! JSON as Go's encoder writes it: the bytes that consumers have always seen.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// Writes a value as compact JSON with `<`, `>`, `&`, U+2028 and U+2029 escaped in
/// strings, as Go's `encoding/json` does by default.
///
/// # Panics
///
/// On a map whose keys are no strings, which no protocol type has.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut out, GoFormatter))
        .expect("protocol values have string keys and memory takes every byte");
    String::from_utf8(out).expect("serde_json writes UTF-8")
}

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (at, character) in fragment.char_indices() {
            if !matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') {
                continue;
            }
            CompactFormatter.write_string_fragment(writer, &fragment[plain..at])?;
            write!(writer, "\\u{:04x}", u32::from(character))?;
            plain = at + character.len_utf8();
        }
        CompactFormatter.write_string_fragment(writer, &fragment[plain..])
    }
}

#[cfg(test)]
mod tests {
    use super::to_json;

    #[test]
    fn escapes_what_go_escapes() {
        let cases = [
            ("plain", r#""plain""#),
            ("a<b>&c", r#""a\u003cb\u003e\u0026c""#),
            ("\u{2028}\u{2029}", r#""\u2028\u2029""#),
            ("quote\" back\\ tab\t é", r#""quote\" back\\ tab\t é""#),
        ];
        for (value, json) in cases {
            assert_eq!(to_json(value), json);
        }
    }
}

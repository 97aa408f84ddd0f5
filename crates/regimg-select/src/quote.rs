//! Quoting of foreign text in messages.

use std::fmt::{self, Write};

/// Displays a text as Go's `%q` does: in double quotes, with everything escaped that
/// would not show.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            escape(character, f)?;
        }
        f.write_char('"')
    }
}

fn escape(character: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match character {
        '"' | '\\' => write!(f, "\\{character}"),
        '\x07' => f.write_str("\\a"),
        '\x08' => f.write_str("\\b"),
        '\x0b' => f.write_str("\\v"),
        '\x0c' => f.write_str("\\f"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\'' => f.write_char('\''),
        _ if is_printable(character) => f.write_char(character),
        '\0'..='\x7f' => write!(f, "\\x{:02x}", u32::from(character)),
        '\u{80}'..='\u{ffff}' => write!(f, "\\u{:04x}", u32::from(character)),
        _ => write!(f, "\\U{:08x}", u32::from(character)),
    }
}

/// Reports whether a character shows. The standard library tells by escaping it; behind
/// a letter, so that a combining mark has something to combine with.
fn is_printable(character: char) -> bool {
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().eq(text.chars())
}

#[cfg(test)]
mod tests {
    use super::Quoted;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Quoted(text).to_string(), expected);
    }

    #[test]
    fn what_shows_stays_and_the_rest_is_escaped() {
        check("", r#""""#);
        check("1.2 'é' e\u{301} 日", "\"1.2 'é' e\u{301} 日\"");
        check("\"\\", r#""\"\\""#);
        check("\x07\x08\x0b\x0c\n\r\t", r#""\a\b\v\f\n\r\t""#);
        check("\0\x1b\x7f", r#""\x00\x1b\x7f""#);
        check("\u{a0}\u{200b}\u{feff}", r#""\u00a0\u200b\ufeff""#);
        check("\u{e0001}", r#""\U000e0001""#);
    }
}

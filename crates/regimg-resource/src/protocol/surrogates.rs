//! Escapes of characters beyond 16 bits, which JSON writes as two halves.

use std::borrow::Cow;

/// Bytes of `\ud83d`.
const LENGTH: usize = 6;

/// What stands for a half that is alone, as long as what it replaces.
const REPLACEMENT: &str = "\\ufffd";

/// Replaces every half of a pair that stands alone by U+FFFD, as Go reads it; serde would refuse
/// the string. A backslash is found in strings only, so the text need not be understood for it.
pub(super) fn paired(text: Cow<'_, str>) -> Cow<'_, str> {
    let lone = lone(text.as_bytes());
    if lone.is_empty() {
        return text;
    }
    let mut text = text.into_owned();
    for at in lone {
        text.replace_range(at..at + LENGTH, REPLACEMENT);
    }
    Cow::Owned(text)
}

/// Finds where halves stand alone.
fn lone(text: &[u8]) -> Vec<usize> {
    let mut lone = Vec::new();
    let mut at = 0;
    while let Some(before) = text.get(at..).and_then(backslash) {
        at += before;
        at += match unit(text, at) {
            Some(0xd800..=0xdbff) if matches!(unit(text, at + LENGTH), Some(0xdc00..=0xdfff)) => {
                2 * LENGTH
            }
            Some(0xd800..=0xdfff) => {
                lone.push(at);
                LENGTH
            }
            Some(_) => LENGTH,
            // Another escape; of two backslashes the second begins none.
            None => 2,
        };
    }
    lone
}

fn backslash(text: &[u8]) -> Option<usize> {
    text.iter().position(|&byte| byte == b'\\')
}

/// Reads the escape at a place, if it is one of four hexadecimal digits.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + LENGTH)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some((unit << 4) | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases are those of Go's `unquoteBytes`: a first half takes the escape behind it along
    /// only if that is a second half.
    #[test]
    fn halves_alone_are_replaced() {
        for (text, wanted) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D\uDE00""#, r#""\uD83D\uDE00""#),
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\udc00x""#, r#""\ufffdx""#),
            (r#""\ud800\u0041""#, r#""\ufffd\u0041""#),
            (r#""\ud800\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\\ud800\\\ud800""#, r#""\\ud800\\\ufffd""#),
            (r#""\ud83d\n\ude00é""#, r#""\ufffd\n\ufffdé""#),
            (r#""\ud8"#, r#""\ud8"#),
            (r#""\u+800\"#, r#""\u+800\"#),
        ] {
            assert_eq!(paired(Cow::Borrowed(text)), wanted, "{text}");
        }
    }
}
